//! What the `log` tool knows without a profile: the patterns that ship.

use crate::base::{Clean, LogLine};
use crate::clean;
use crate::input::{Chord, Key};
use crate::logs::LogPatterns;
use crate::logs::packs::{PACKS, pack};
use crate::logs::reader::LogStatus;

/// Every pack.
pub(super) fn patterns() -> LogPatterns {
    let all = PACKS.iter().filter_map(|(name, ..)| pack(name).ok()).flatten().collect();
    LogPatterns::new(all).unwrap_or_default()
}

/// What is known of a line: the pattern, and the entry that tells more.
pub(super) fn known(patterns: &LogPatterns, status: &LogStatus, source: u16, line: &LogLine) -> Option<Clean> {
    let name = status.sources.get(usize::from(source)).map_or("", |name| name.as_str());
    let pattern = patterns.worst(name, line.message.as_str()).filter(|_| !line.marker)?;
    let entry = pattern.entry.as_ref().map_or_else(Clean::default, |entry| clean!(", entry {entry} of the guides"));
    Some(clean!("{}{entry}", pattern.name))
}

/// Ctrl-C.
pub(super) fn is_interrupt(key: &Key) -> bool {
    Chord::of(key).is_some_and(|chord| Some(chord) == Chord::parse("ctrl-c").ok())
}
