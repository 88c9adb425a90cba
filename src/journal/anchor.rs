//! Anchors: number and head of the chain, told to the system log at every intent and outcome. Whoever holds the
//! journal's files can rewrite all of them; what another log has of it he cannot (safety.md 4.6).

use super::record::Event;
use super::writer::Receipt;
use crate::sys::socket::tell as tell_socket;
use std::path::Path;

/// Where syslog and journald listen.
pub(super) const SYSLOG: &str = "/dev/log";
/// Facility `authpriv`, severity `info` (RFC 5424, 6.2.1).
const PRIORITY: u8 = 10 * 8 + 6;
/// The same, severity `warning`.
const WARNING: u8 = 10 * 8 + 4;

/// Whether this event is anchored.
pub(super) const fn is_anchored(event: Event) -> bool {
    matches!(event, Event::Intent | Event::Outcome)
}

/// Tells the log; where nobody listens nothing is lost but the anchor.
pub(super) fn tell(log: &Path, event: Event, receipt: &Receipt) {
    let pid = crate::sys::process::pid();
    let Receipt { seq, hash } = receipt;
    let line = format!("<{PRIORITY}>watchkeeper[{pid}]: journal record {seq} {} {hash}", event.name());
    if let Err(error) = tell_socket(log, &line) {
        tracing::debug!("no anchor in {}: {error}", log.display());
    }
}

/// Tells the log of what was not done, or not recorded, because nothing durable could be written.
pub(super) fn tell_unrecorded(log: &Path, said: &str) {
    let pid = crate::sys::process::pid();
    if let Err(error) = tell_socket(log, &format!("<{WARNING}>watchkeeper[{pid}]: {said}")) {
        tracing::debug!("no word in {}: {error}", log.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn an_intent_is_told_to_the_system_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = UnixDatagram::bind(dir.path().join("log")).unwrap();
        let receipt = Receipt { seq: 7, hash: "ab".repeat(32) };
        tell(&dir.path().join("log"), Event::Intent, &receipt);
        let mut said = [0; 256];
        let n = log.recv(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said[..n]).into_owned();
        assert!(said.starts_with("<86>watchkeeper[") && said.ends_with(&receipt.hash), "{said}");
        assert!(said.contains("journal record 7 action.intent"), "{said}");
        assert!(is_anchored(Event::Outcome) && !is_anchored(Event::Shown));
    }
}
