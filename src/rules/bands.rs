//! Bands that colour a number. A level starts at its edge: for "50–200 warning, above 200 critical", 50.0 and 200.0
//! are WARNING and 200.01 is CRITICAL; where lower is worse, the mirror holds.

use super::file::lengths;
use crate::base::Level;
use core::time::Duration;

/// The limits of one direction: at `warning` a value is WARNING, beyond `critical` CRITICAL.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Side {
    warning: Option<f64>,
    critical: Option<f64>,
}

/// Which level a value has.
///
/// | in a profile | meaning |
/// |---|---|
/// | `{ warning = 50, critical = 200 }` | higher is worse |
/// | `{ warning = 0.9, critical = 0.7 }` | lower is worse |
/// | `{ warning = [10, 50], critical = [5, 90] }` | worse on both sides; `inf` or `-inf` leaves a side open |
/// | `below_normal = 20` | below it a value is BELOW NORMAL |
/// | `normal = [100, 200]` | outside it, where no limit says more, a value is NOTE |
/// | `outside = "ok"` | … or this level: a hole between bands that is meant |
/// | `zero = "critical"` | exactly zero has this level |
/// | `clear = 40` | a value that was bad is good again only from here on |
/// | `state = true` | the number is a state (up, a port): its level changes at once |
/// | `for = "2m"` | its alert fires after so long, not after 3 s; until then the value is no more than a NOTE |
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(try_from = "Limits")]
pub struct Bands {
    low: Side,
    high: Side,
    normal: Option<(f64, f64)>,
    below_normal: Option<f64>,
    outside: Option<Level>,
    zero: Option<Level>,
    clear: Option<(f64, f64)>,
    state: bool,
    hold: Option<Duration>,
}

/// One limit, or one on each side.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(untagged, expecting = "a limit is a number, or a pair of them: the low side and the high side")]
enum Limit {
    One(f64),
    Both([f64; 2]),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    warning: Option<Limit>,
    critical: Option<Limit>,
    normal: Option<[f64; 2]>,
    below_normal: Option<f64>,
    outside: Option<Level>,
    zero: Option<Level>,
    clear: Option<Limit>,
    #[serde(default)]
    state: bool,
    #[serde(rename = "for")]
    hold: Option<String>,
}

impl TryFrom<Limits> for Bands {
    type Error = &'static str;

    fn try_from(limits: Limits) -> Result<Self, Self::Error> {
        let mut bands = Self {
            below_normal: limits.below_normal,
            outside: limits.outside,
            zero: limits.zero,
            normal: limits.normal.map(Into::into),
            state: limits.state,
            ..Self::default()
        };
        if let Some(text) = limits.hold {
            bands.hold = Some(lengths::parse(&text).ok_or("`for` is a length of time, such as 30s or 5m")?);
        }
        match (limits.warning, limits.critical) {
            (Some(Limit::One(warning)), Some(Limit::One(critical))) => bands.one(Some(warning), Some(critical)),
            (Some(Limit::One(_)), Some(Limit::Both(_))) | (Some(Limit::Both(_)), Some(Limit::One(_))) => {
                return Err("`warning` and `critical` are both one number, or both a pair");
            }
            (warning @ (Some(Limit::One(_)) | None), critical @ (Some(Limit::One(_)) | None)) => {
                let one = |limit| if let Some(Limit::One(limit)) = limit { Some(limit) } else { None };
                bands.one(one(warning), one(critical));
            }
            (warning, critical) => {
                let pair =
                    |limit| if let Some(Limit::Both(pair)) = limit { pair } else { [f64::NEG_INFINITY, f64::INFINITY] };
                let finite = |limit: f64| limit.is_finite().then_some(limit);
                let ([low_warning, high_warning], [low, high]) = (pair(warning), pair(critical));
                if low_warning.is_nan() || high_warning.is_nan() || low.is_nan() || high.is_nan() {
                    return Err("a limit must be a number");
                }
                bands.low = Side { warning: finite(low_warning), critical: finite(low) };
                bands.high = Side { warning: finite(high_warning), critical: finite(high) };
            }
        }
        bands.clear = limits.clear.map(|clear| match clear {
            Limit::Both([low, high]) => (low, high),
            Limit::One(clear) if bands.inverted() => (clear, f64::INFINITY),
            Limit::One(clear) => (f64::NEG_INFINITY, clear),
        });
        bands.checked()
    }
}

impl Bands {
    /// Two limits; `critical` below `warning` means that lower is worse.
    pub fn limits(warning: f64, critical: f64) -> Self {
        let mut bands = Self::default();
        bands.one(Some(warning), Some(critical));
        bands
    }

    fn one(&mut self, warning: Option<f64>, critical: Option<f64>) {
        let side = Side { warning, critical };
        match (warning, critical) {
            (Some(warning), Some(critical)) if critical < warning => self.low = side,
            _ => self.high = side,
        }
    }

    fn checked(self) -> Result<Self, &'static str> {
        let sides = [self.low.warning, self.low.critical, self.high.warning, self.high.critical, self.below_normal];
        let normal = self.normal.map_or([None; 2], |(low, high)| [Some(low), Some(high)]);
        let below = |low: Option<f64>, high: Option<f64>| low.zip(high).is_none_or(|(low, high)| low <= high);
        let apart = |low: Option<f64>, high: Option<f64>| low.zip(high).is_none_or(|(low, high)| low < high);
        let (lowest, highest) = (self.low.warning.or(self.low.critical), self.high.warning.or(self.high.critical));
        let [normal_low, normal_high] = normal;
        match () {
            () if sides.iter().chain(&normal).flatten().any(|limit| !limit.is_finite()) => {
                Err("a limit must be a finite number")
            }
            () if self == (Self { state: self.state, hold: self.hold, ..Self::default() }) => {
                Err("bands without a limit judge nothing")
            }
            () if !below(self.low.critical, self.low.warning) || !below(self.high.warning, self.high.critical) => {
                Err("on each side `critical` lies beyond `warning`")
            }
            () if !apart(lowest, highest) => Err("the lower limits lie below the upper ones"),
            () if !apart(normal_low, normal_high) => Err("`normal` is a range, the lower end first"),
            () if !below(lowest, normal_low) || !below(normal_high, highest) => {
                Err("`normal` lies inside the limits of `warning` and `critical`")
            }
            () if !below(self.below_normal, normal_low.or(highest)) || !apart(self.low.warning, self.below_normal) => {
                Err("`below_normal` lies between the lower limits and what is normal")
            }
            () if self.outside.is_some() && self.normal.is_none() => {
                Err("`outside` says what lies outside of `normal`")
            }
            () => self.check_clear(),
        }
    }

    /// Values that clear are good ones, and there must be something to clear.
    fn check_clear(self) -> Result<Self, &'static str> {
        let Some((low, high)) = self.clear else { return Ok(self) };
        let bad = |limit: f64| limit.is_finite() && self.level(limit) >= Level::Warning;
        if low.is_nan() || high.is_nan() || low > high || bad(low) || bad(high) || self.limit(Level::Warning).is_none()
        {
            return Err("`clear` is a value, or a range of values, that is not bad");
        }
        Ok(self)
    }

    /// Whether lower is worse, and higher never is.
    pub fn inverted(&self) -> bool {
        self.low != Side::default() && self.high == Side::default()
    }

    /// Whether the number is a state, whose level changes at once.
    pub const fn is_state(&self) -> bool {
        self.state
    }

    /// The key by which they judge a course, where one value alone does not do.
    pub fn over_time(&self) -> Option<&'static str> {
        self.hold.map(|_| "for").or(self.clear.map(|_| "clear"))
    }

    /// How long a bad value must last before it is alerted, where the profile says so.
    pub const fn hold(&self) -> Option<Duration> {
        self.hold
    }

    /// The limit that a value of this level has reached: the upper one where both sides have one.
    pub fn limit(&self, level: Level) -> Option<f64> {
        match level {
            Level::Critical => self.high.critical.or(self.low.critical),
            Level::Warning => self.high.warning.or(self.low.warning).or(self.limit(Level::Critical)),
            Level::BelowNormal => self.below_normal,
            _ => None,
        }
    }

    /// The limit that this very value has reached, with the sign that says on which side it lies.
    pub fn reached(&self, value: f64, level: Level) -> Option<(&'static str, f64)> {
        let of = |side: &Side| match level {
            Level::Critical => side.critical,
            Level::Warning => side.warning.or(side.critical),
            _ => None,
        };
        let zero = self.zero.filter(|zero| value == 0.0 && *zero == level).map(|_| ("=", 0.0));
        let high = of(&self.high).filter(|limit| value >= *limit).map(|limit| (">", limit));
        let low = of(&self.low).filter(|limit| value <= *limit).map(|limit| ("<", limit));
        let usual = || if self.inverted() { ("<", self.limit(level)) } else { (">", self.limit(level)) };
        zero.or(high).or(low).or_else(|| usual().1.map(|limit| (usual().0, limit)))
    }

    /// Every edge with the level that begins there, the lowest first: lines of a chart.
    pub fn edges(&self) -> Vec<(f64, Level)> {
        let of = |limit: Option<f64>, level: Level| limit.map(|limit| (limit, level));
        let outside = self.outside.unwrap_or(Level::Note);
        let normal = self.normal.filter(|_| outside != Level::Ok);
        [
            of(self.low.critical, Level::Critical),
            of(self.low.warning, Level::Warning),
            of(self.below_normal, Level::BelowNormal),
            of(normal.map(|(low, _)| low).filter(|low| self.below_normal != Some(*low)), outside),
            of(normal.map(|(_, high)| high).filter(|high| self.high.warning != Some(*high)), outside),
            of(self.high.warning, Level::Warning),
            of(self.high.critical, Level::Critical),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Ranges between `normal` and a limit, or below it, that nothing is said about: for the linter. A profile says
    /// with `outside` or `below_normal` that they are meant.
    pub fn undeclared_holes(&self) -> Vec<(f64, f64)> {
        let Some((low, high)) = self.normal.filter(|_| self.outside.is_none()) else { return Vec::new() };
        let bounded = |side: &Side| side.warning.or(side.critical);
        let above = bounded(&self.high).map(|limit| (high, limit));
        let below = self.below_normal.or(bounded(&self.low)).map(|limit| (limit, low));
        let unbounded = |side: Option<(f64, f64)>, hole| side.or_else(|| self.has_limits().then_some(hole));
        [unbounded(below, (f64::NEG_INFINITY, low)), unbounded(above, (high, f64::INFINITY))]
            .into_iter()
            .flatten()
            .filter(|(from, to)| from < to)
            .collect()
    }

    fn has_limits(&self) -> bool {
        self.low != Side::default() || self.high != Side::default()
    }

    /// The level of a value. What is not a number is UNKNOWN.
    pub fn level(&self, value: f64) -> Level {
        let beyond = |side: &Side, is: fn(f64, f64) -> bool| side.critical.is_some_and(|limit| is(value, limit));
        let at = |side: &Side, is: fn(f64, f64) -> bool| side.warning.is_some_and(|limit| is(value, limit));
        match () {
            () if value.is_nan() => Level::Unknown,
            () if value == 0.0 && self.zero.is_some() => self.zero.unwrap_or_default(),
            () if beyond(&self.high, |v, limit| v > limit) || beyond(&self.low, |v, limit| v < limit) => {
                Level::Critical
            }
            () if at(&self.high, |v, limit| v >= limit) || at(&self.low, |v, limit| v <= limit) => Level::Warning,
            () if self.below_normal.is_some_and(|limit| value < limit) => Level::BelowNormal,
            () if self.normal.is_some_and(|(low, high)| value < low || value > high) => {
                self.outside.unwrap_or(Level::Note)
            }
            () => Level::Ok,
        }
    }

    /// The level of a value after `before`: one that was bad stays WARNING until the value has cleared.
    pub fn level_after(&self, before: Level, value: f64) -> Level {
        let level = self.level(value);
        let held = self.clear.is_some_and(|(low, high)| value < low || value > high);
        if before >= Level::Warning && level < Level::Warning && held { Level::Warning } else { level }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Body;
    use Level::{BelowNormal, Critical, Note, Ok as Fine, Unknown, Warning};

    /// A row of the guides, its bands, and the levels of values.
    type Row = (&'static str, &'static str, &'static [(f64, Level)]);

    fn read(text: &str) -> Result<Bands, String> {
        let body = Body::parse("p.toml", &format!("bands = {text}")).and_then(|mut body| body.need::<Bands>("bands"));
        body.map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_limit_that_is_no_number_is_refused_in_our_own_words() {
        for text in ["{ warning = 5, critical = 'x' }", "{ warning = 5, critical = [1] }", "{ clear = true }"] {
            let said = read(text).expect_err(text);
            assert!(
                said.contains(": a limit is a number, or a pair of them: the low side and the high side."),
                "{said}"
            );
            assert!(said.starts_with("p.toml:1:"), "{said}");
        }
    }

    #[test]
    fn every_row_of_the_guides_is_stated_and_starts_at_its_edge() {
        let rows: &[Row] = &[
            (
                "GE-1.1",
                "{ warning = 50, critical = 200 }",
                &[(49.9, Fine), (50.0, Warning), (200.0, Warning), (200.1, Critical)],
            ),
            (
                "GE-1.2",
                "{ warning = 100, critical = 500 }",
                &[(99.9, Fine), (100.0, Warning), (500.0, Warning), (500.1, Critical)],
            ),
            (
                "GE-1.3",
                "{ warning = 40, critical = 70, normal = [20, 40], below_normal = 20 }",
                &[
                    (10.0, BelowNormal),
                    (19.9, BelowNormal),
                    (20.0, Fine),
                    (39.9, Fine),
                    (40.0, Warning),
                    (70.0, Warning),
                    (70.1, Critical),
                ],
            ),
            (
                "GE-1.4",
                "{ warning = 4e9, critical = 6e9, below_normal = 2e9 }",
                &[(1.9e9, BelowNormal), (2e9, Fine), (4e9, Warning), (6e9, Warning), (6.1e9, Critical)],
            ),
            (
                "GE-1.5",
                "{ warning = 10, critical = 50 }",
                &[(9.9, Fine), (10.0, Warning), (50.0, Warning), (50.1, Critical)],
            ),
            (
                "GE-1.7",
                "{ warning = 5, critical = 20 }",
                &[(4.9, Fine), (5.0, Warning), (20.0, Warning), (20.1, Critical)],
            ),
            (
                "GE-1.10",
                "{ warning = 0.9, critical = 0.7 }",
                &[(0.91, Fine), (0.9, Warning), (0.7, Warning), (0.699, Critical), (f64::NAN, Unknown)],
            ),
            (
                "GE-2.1",
                "{ normal = [100, 200], zero = \"warning\" }",
                &[(0.0, Warning), (99.0, Note), (100.0, Fine), (200.0, Fine), (201.0, Note)],
            ),
            (
                "GE-2.2",
                "{ normal = [10, 50], zero = \"critical\" }",
                &[(0.0, Critical), (9.0, Note), (10.0, Fine), (50.0, Fine), (51.0, Note)],
            ),
            (
                "GE-2.3",
                "{ warning = 100, critical = 1000 }",
                &[(99.0, Fine), (100.0, Warning), (1000.0, Warning), (1001.0, Critical)],
            ),
            ("PL-5.25", "{ warning = 1 }", &[(0.0, Fine), (1.0, Warning), (99.0, Warning)]),
            (
                "two sides",
                "{ warning = [18, 27], critical = [10, 35] }",
                &[(9.9, Critical), (10.0, Warning), (18.0, Warning), (18.1, Fine), (27.0, Warning), (35.1, Critical)],
            ),
            ("one side of a pair", "{ critical = [5, inf] }", &[(4.9, Critical), (5.0, Fine), (f64::INFINITY, Fine)]),
            (
                "a hole",
                "{ normal = [0, 50], warning = 80, critical = 200, outside = \"below_normal\" }",
                &[(50.0, Fine), (60.0, BelowNormal), (80.0, Warning), (200.1, Critical)],
            ),
        ];
        for (row, text, levels) in rows {
            let bands = read(text).unwrap_or_else(|fault| panic!("{row}: {fault}"));
            for (value, level) in *levels {
                assert_eq!(bands.level(*value), *level, "{row} at {value}");
            }
        }
    }

    #[test]
    fn a_level_that_was_reached_is_left_only_where_it_clears() {
        let bands = read("{ warning = 50, critical = 200, clear = 40 }").expect("reads");
        let after = |before, value| bands.level_after(before, value);
        assert_eq!([after(Warning, 49.0), after(Warning, 40.1), after(Warning, 40.0)], [Warning, Warning, Fine]);
        assert_eq!([after(Critical, 49.0), after(Critical, 201.0), after(Fine, 49.0)], [Warning, Critical, Fine]);
        let low = read("{ warning = 0.9, critical = 0.7, clear = 0.95 }").expect("reads");
        assert_eq!([low.level_after(Warning, 0.92), low.level_after(Warning, 0.95)], [Warning, Fine]);
        let both = read("{ warning = [18, 27], critical = [10, 35], clear = [20, 25] }").expect("reads");
        assert_eq!([both.level_after(Warning, 19.0), both.level_after(Warning, 25.0)], [Warning, Fine]);
    }

    #[test]
    fn holes_are_found_and_edges_told() {
        let holes = |text: &str| read(text).expect("reads").undeclared_holes();
        assert_eq!(holes("{ normal = [0, 50], warning = 80, critical = 200, below_normal = 0 }"), [(50.0, 80.0)]);
        assert_eq!(holes("{ normal = [20, 40], warning = 40, critical = 70 }"), [(f64::NEG_INFINITY, 20.0)]);
        assert_eq!(holes("{ normal = [20, 40], warning = 40, critical = 70, below_normal = 20 }"), []);
        assert_eq!(holes("{ normal = [0, 50], warning = 80, critical = 200, outside = \"ok\" }"), []);
        assert_eq!(holes("{ normal = [100, 200], zero = \"warning\" }"), []);
        let edges =
            read("{ warning = 40, critical = 70, normal = [20, 40], below_normal = 20 }").expect("reads").edges();
        assert_eq!(edges, [(20.0, BelowNormal), (40.0, Warning), (70.0, Critical)]);
    }

    #[test]
    fn the_reached_limit_is_the_one_on_the_value_s_side() {
        let bands = read("{ warning = [18, 27], critical = [10, 35] }").expect("reads");
        assert_eq!(bands.reached(8.0, Critical), Some(("<", 10.0)));
        assert_eq!(bands.reached(36.0, Critical), Some((">", 35.0)));
        assert_eq!(bands.reached(36.0, Warning), Some((">", 27.0)));
        assert_eq!(Bands::limits(0.9, 0.7).reached(0.8, Warning), Some(("<", 0.9)));
        assert_eq!(Bands::limits(8e-6, 1e-5).reached(1.0, Critical), Some((">", 1e-5)));
    }

    #[test]
    fn bands_of_a_file_hold_together() {
        assert_eq!(read("{ warning = 8e-6, critical = 1e-5 }"), Ok(Bands::limits(8e-6, 1e-5)));
        for (text, fault) in [
            ("{ warning = nan, critical = 1.0 }", "p.toml:1:9: a limit must be a finite number."),
            ("{ }", "p.toml:1:9: bands without a limit judge nothing."),
            (
                "{ warning = 1, critical = [0, 2] }",
                "p.toml:1:9: `warning` and `critical` are both one number, or both a pair.",
            ),
            ("{ warning = [1, 5], critical = [2, 6] }", "p.toml:1:9: on each side `critical` lies beyond `warning`."),
            ("{ warning = [5, 1] }", "p.toml:1:9: the lower limits lie below the upper ones."),
            ("{ normal = [2, 1] }", "p.toml:1:9: `normal` is a range, the lower end first."),
            (
                "{ warning = 1, normal = [0, 2] }",
                "p.toml:1:9: `normal` lies inside the limits of `warning` and `critical`.",
            ),
            ("{ warning = 1, clear = 2 }", "p.toml:1:9: `clear` is a value, or a range of values, that is not bad."),
            ("{ warning = 1, outside = \"ok\" }", "p.toml:1:9: `outside` says what lies outside of `normal`."),
            (
                "{ warning = 1, below_normal = 3 }",
                "p.toml:1:9: `below_normal` lies between the lower limits and what is normal.",
            ),
        ] {
            assert_eq!(read(text), Err(fault.to_owned()), "{text}");
        }
        assert!(read("{ warning = 1.0, critcal = 1.0 }").is_err_and(|fault| fault.contains("`critical`")));
    }
}
