//! The journal of a unit of systemd, through `journalctl`, as JSON: its fields, never its text form.

use super::Systemd;
use crate::action::doing;
use crate::base::{Clock, Fault};
use core::time::Duration;

/// systemd's own message when a unit has come up, and when it has not (systemd.journal-fields(7), `journalctl -x`).
const STARTED: [&str; 2] = ["39f53479d3a045ac8e11786248231fbf", "be02cf6855d2428ba40df7e9d022f03d"];
/// No more starts are counted.
const MOST: usize = 1_000;

/// How often the unit was started within the last `interval`, as its journal has it: at least as often as systemd
/// counts, which forgets them with reset-failed.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn starts(unit: &Systemd, interval: Duration, clock: &dyn Clock) -> Result<usize, Fault> {
    let since = interval.as_secs().saturating_add(u64::from(interval.subsec_nanos() > 0));
    let (field, by) = if unit.user { ("USER_UNIT", "_COMM=systemd") } else { ("UNIT", "_PID=1") };
    let mut args: Vec<String> = ["--boot", "--output-fields=MESSAGE_ID"].map(str::to_owned).into();
    // Further back than this boot nothing counts.
    args.extend((since < u64::from(u32::MAX)).then(|| format!("--since=-{since}s")));
    args.extend([format!("--lines={MOST}"), by.to_owned(), format!("{field}={}", unit.unit)]);
    args.extend(STARTED.map(|id| format!("MESSAGE_ID={id}")));
    Ok(read(unit, args, clock)?.len())
}

/// The entries that `args` asks for.
fn read(unit: &Systemd, args: Vec<String>, clock: &dyn Clock) -> Result<Vec<serde_json::Value>, Fault> {
    let flags = ["--no-pager", "--quiet", "--output=json"].map(str::to_owned);
    let said = doing::look(&unit.program(&unit.journalctl, flags.into_iter().chain(args)), clock)?;
    let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}
