//! What this host's own clock keeps: from `TZ` where that says it, else from `/etc/localtime`.

use super::files;
use crate::base::Wall;
use crate::base::time::Zone;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// A file of a time zone is never larger.
const LARGEST: u64 = 256 * 1024;

/// How far this host's clock is from UTC at a moment; UTC where nothing says so.
pub fn local(at: Wall) -> Zone {
    offset(std::env::var("TZ").ok().as_deref(), Path::new("/"), at).unwrap_or(Zone::UTC)
}

fn offset(named: Option<&str>, root: &Path, at: Wall) -> Option<Zone> {
    let path = match named.map(|named| named.strip_prefix(':').unwrap_or(named)).filter(|named| !named.is_empty()) {
        Some("UTC" | "UTC0" | "GMT") => return Some(Zone::UTC),
        Some(named) if named.starts_with('/') => PathBuf::from(named),
        Some(named) if named.contains("..") => return None,
        Some(named) => root.join("usr/share/zoneinfo").join(named),
        None => root.join("etc/localtime"),
    };
    let zone = match files::read(&path, LARGEST) {
        Ok(bytes) => TimeZone::tzif("", &bytes).ok()?,
        // `TZ` may hold the rule itself.
        Err(_) => TimeZone::posix(named?).ok()?,
    };
    let at = Timestamp::from_nanosecond(i128::from(at.0)).ok()?;
    Some(Zone { east: zone.to_offset(at).seconds() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_a_file_and_nothing() {
        let nowhere = tempfile::tempdir().expect("a folder");
        // 2026-11-21 and 2026-07-01
        let (winter, summer) = (Wall(1_795_230_720_000_000_000), Wall(1_782_864_000_000_000_000));
        let at = |named, wall| offset(named, nowhere.path(), wall).map(|zone| zone.east);
        assert_eq!(at(Some("CET-1CEST,M3.5.0,M10.5.0/3"), winter), Some(3_600));
        assert_eq!(at(Some("CET-1CEST,M3.5.0,M10.5.0/3"), summer), Some(7_200));
        assert_eq!(
            (at(Some("UTC"), winter), at(None, winter), at(Some("Nowhere/None"), winter)),
            (Some(0), None, None)
        );
    }
}
