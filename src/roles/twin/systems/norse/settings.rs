//! The predictor's configuration: `etc/production.toml` as it is shipped, read once at each start.

use crate::base::{Body, Fault};
use std::path::Path;

/// The shipped file.
pub(super) const SHIPPED: &str = include_str!("production.toml");

/// What the program makes use of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// Samples per launch.
    pub(super) batch_size: u32,
    /// Launches side by side.
    pub(super) cuda_streams: u32,
    /// Whether it works on the card.
    pub(super) cuda: bool,
    /// Cells of the largest layer.
    pub(super) granule_size: u32,
    /// Of the training.
    pub(super) learning_rate: f64,
    /// Whether a key is asked for.
    pub(super) key_required: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_size: 1024,
            cuda_streams: 4,
            cuda: true,
            granule_size: 4_000_000,
            learning_rate: 0.001,
            key_required: true,
        }
    }
}

impl Settings {
    /// Reads the file; keys it does not use are left alone.
    ///
    /// # Errors
    /// A placed fault: unreadable, not TOML, a missing key, a value out of range.
    pub(super) fn load(file: &Path) -> Result<Self, Fault> {
        let name = file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|error| Fault::new(format!("cannot read {name}: {error}.")))?;
        Self::parse(&name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let mut body = Body::parse(name, text)?;
        let mut section =
            |name: &str| body.take_table(name)?.ok_or_else(|| body.fault(format!("missing section [{name}].")));
        let (mut neural, mut performance, mut security) =
            (section("neural")?, section("performance")?, section("security")?);
        let device: String = performance.need("device")?;
        let rate_at = neural.fault_at("learning_rate", "learning_rate must lie in 0.0001 to 1.0.");
        let learning_rate: f64 = neural.need("learning_rate")?;
        if !(0.0001..=1.0).contains(&learning_rate) {
            return Err(rate_at);
        }
        Ok(Self {
            batch_size: ranged(&mut performance, "batch_size", 1..=65_536)?,
            cuda_streams: ranged(&mut performance, "cuda_streams", 1..=32)?,
            cuda: device == "cuda",
            granule_size: ranged(&mut neural, "granule_size", 1_000..=10_000_000)?,
            learning_rate,
            key_required: security.need("api_key_required")?,
        })
    }
}

fn ranged(body: &mut Body, key: &str, range: core::ops::RangeInclusive<u32>) -> Result<u32, Fault> {
    let at = body.fault_at(key, format!("{key} must lie in {} to {}.", range.start(), range.end()));
    Some(body.need::<u32>(key)?).filter(|value| range.contains(value)).ok_or(at)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Incident, System};
    use super::*;

    #[test]
    fn the_shipped_file_says_the_defaults_and_edits_are_read() {
        assert_eq!(Settings::parse("p", SHIPPED).unwrap(), Settings::default());
        let edited = SHIPPED.replace("batch_size = 1024 ", "batch_size = 512 ").replace("\"cuda\"", "\"cpu\"");
        let edited = Settings::parse("p", &edited).unwrap();
        assert_eq!((edited.batch_size, edited.cuda), (512, false));
    }

    #[test]
    fn what_a_rollout_breaks_is_refused_at_its_place() {
        let broken = Incident::of(System::CerebellarNorse, Some("config-broken")).unwrap();
        let rollout = broken.story.rollout.as_ref().unwrap();
        let broken = SHIPPED.replacen(&rollout.from, &rollout.to, 1);
        assert_ne!(broken, SHIPPED);
        let fault = Settings::parse("production.toml", &broken).unwrap_err().to_string();
        assert!(fault.contains("production.toml:18"), "{fault}");
    }
}
