//! The stand-in service's configuration: `etc/production.toml`, read once at each start.

use crate::base::{Body, Fault};
use std::path::Path;

/// What a new demo starts with; comments and order are the operator's to keep.
pub(crate) const PRODUCTION: &str = include_str!("production.toml");

/// The settings that the service uses.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// Samples per launch.
    pub(super) batch_size: u32,
    /// Launches side by side.
    pub(super) cuda_streams: u32,
    /// Most GPU memory the service may take, MiB.
    pub(super) pool_mib: f64,
    /// Map of the LMDB environment, MiB.
    pub(super) map_size_mib: u32,
    /// Shown beside the training run.
    pub(super) learning_rate: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { batch_size: 1024, cuda_streams: 4, pool_mib: 24_576.0, map_size_mib: 64, learning_rate: 0.001 }
    }
}

impl Settings {
    /// Reads the file. Keys it does not use are left alone, as the real service leaves them.
    ///
    /// # Errors
    /// A placed fault: unreadable, not TOML, a missing key, a value out of range.
    pub(super) fn load(file: &Path) -> Result<Self, Fault> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| {
            Fault::new(format!("cannot read {name}: {error}.")).hint("The service needs its configuration to start.")
        })?;
        Self::parse(&name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let mut body = Body::parse(name, text)?;
        let mut performance = section(&mut body, "performance")?;
        let mut storage = section(&mut body, "storage")?;
        let mut neural = section(&mut body, "neural")?;
        let size: String = performance.need("memory_pool_size")?;
        let pool_mib = mebibytes(&size).ok_or_else(|| {
            performance.fault("performance.memory_pool_size is no size.").hint("Write it as \"24GB\" or \"512MB\".")
        })?;
        Ok(Self {
            batch_size: ranged(&mut performance, "batch_size", 1..=65_536)?,
            cuda_streams: ranged(&mut performance, "cuda_streams", 1..=16)?,
            pool_mib,
            map_size_mib: ranged(&mut storage, "map_size_mib", 1..=4_096)?,
            learning_rate: neural.need("learning_rate")?,
        })
    }
}

fn section(body: &mut Body, name: &str) -> Result<Body, Fault> {
    body.take_table(name)?.ok_or_else(|| body.fault(format!("the table [{name}] is missing.")))
}

fn ranged(body: &mut Body, key: &str, range: core::ops::RangeInclusive<u32>) -> Result<u32, Fault> {
    let at = body.fault_at(key, format!("{key} must lie in {} to {}.", range.start(), range.end()));
    Some(body.need::<u32>(key)?).filter(|value| range.contains(value)).ok_or(at)
}

/// `24GB`, `512MB` (powers of 1024, as the service's own documents use them).
fn mebibytes(size: &str) -> Option<f64> {
    let (digits, factor) =
        size.strip_suffix("GB").map(|digits| (digits, 1_024.0)).or_else(|| Some((size.strip_suffix("MB")?, 1.0)))?;
    digits.trim().parse::<u32>().ok().filter(|count| *count > 0).map(|count| f64::from(count) * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_says_the_defaults() {
        assert_eq!(Settings::parse("production.toml", PRODUCTION).unwrap(), Settings::default());
    }

    #[test]
    fn an_edited_value_is_read() {
        let edited = PRODUCTION.replace("batch_size = 1024", "batch_size = 512");
        assert_eq!(Settings::parse("production.toml", &edited).unwrap().batch_size, 512);
    }

    #[test]
    fn a_wrong_value_is_a_sentence_with_its_place() {
        for (from, to, word) in [
            ("batch_size = 1024", "batch_size = 0", "batch_size"),
            ("batch_size = 1024", "batch_size = \"many\"", "expected a whole number"),
            ("map_size_mib = 64", "map_size_mib = 99999", "map_size_mib"),
            ("\"24GB\"", "\"plenty\"", "memory_pool_size"),
            ("[storage]", "[store]", "storage"),
        ] {
            let text = PRODUCTION.replace(from, to);
            assert_ne!(text, PRODUCTION, "{from}");
            let fault = Settings::parse("production.toml", &text).unwrap_err().to_string();
            assert!(fault.contains(word) && fault.contains("production.toml"), "{fault}");
        }
    }
}
