//! Bands that colour a number. A level starts at its lower edge: for "50–200 warning, above 200 critical",
//! 50.0 and 200.0 are WARNING and 200.01 is CRITICAL; where lower is worse, the mirror holds.

use crate::base::Level;

/// Two limits. `critical` below `warning` means that lower is worse.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(try_from = "Limits")]
pub struct Bands {
    /// At it, a value is WARNING.
    pub warning: f64,
    /// Beyond it, a value is CRITICAL.
    pub critical: f64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    warning: f64,
    critical: f64,
}

impl TryFrom<Limits> for Bands {
    type Error = &'static str;

    fn try_from(Limits { warning, critical }: Limits) -> Result<Self, Self::Error> {
        let usable = warning.is_finite() && critical.is_finite();
        if usable { Ok(Self { warning, critical }) } else { Err("a limit must be a finite number") }
    }
}

impl Bands {
    /// Whether lower is worse.
    pub fn inverted(&self) -> bool {
        self.critical < self.warning
    }

    /// The limit that a value of this level has reached.
    pub fn limit(&self, level: Level) -> Option<f64> {
        match level {
            Level::Critical => Some(self.critical),
            Level::Warning => Some(self.warning),
            _ => None,
        }
    }

    /// The level of a value. What is not a number is UNKNOWN.
    pub fn level(&self, value: f64) -> Level {
        let (beyond, at) = if self.inverted() {
            (value < self.critical, value <= self.warning)
        } else {
            (value > self.critical, value >= self.warning)
        };
        match () {
            () if value.is_nan() => Level::Unknown,
            () if beyond => Level::Critical,
            () if at => Level::Warning,
            () => Level::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Body;

    #[test]
    fn a_level_starts_at_its_lower_edge() {
        let up = Bands { warning: 50.0, critical: 200.0 };
        let levels = [49.99, 50.0, 200.0, 200.01, f64::NAN, f64::INFINITY].map(|value| up.level(value));
        assert_eq!(
            levels,
            [Level::Ok, Level::Warning, Level::Warning, Level::Critical, Level::Unknown, Level::Critical]
        );
        let hits = Bands { warning: 0.9, critical: 0.7 };
        let levels = [0.91, 0.9, 0.7, 0.699].map(|value| hits.level(value));
        assert_eq!(levels, [Level::Ok, Level::Warning, Level::Warning, Level::Critical]);
    }

    #[test]
    fn bands_of_a_file_are_two_finite_numbers() {
        let read = |text: &str| {
            let body = Body::parse("p.toml", text).and_then(|mut body| body.need::<Bands>("bands"));
            body.map_err(|fault| fault.to_string())
        };
        assert_eq!(read("bands = { warning = 8e-6, critical = 1e-5 }"), Ok(Bands { warning: 8e-6, critical: 1e-5 }));
        assert_eq!(
            read("bands = { warning = nan, critical = 1.0 }"),
            Err("p.toml:1:9: a limit must be a finite number.".to_owned())
        );
        assert!(read("bands = { warning = 1.0, critcal = 1.0 }").is_err_and(|fault| fault.contains("`critical`")));
        assert!(read("bands = { warning = 1.0 }").is_err());
    }
}
