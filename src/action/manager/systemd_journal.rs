//! The journal of a unit of systemd, through `journalctl`, as JSON: its fields, never its text form.

use super::{Systemd, Told};
use crate::action::doing::LOOK;
use crate::base::scrub::scrub;
use crate::base::{Clean, Clock, Fault};
use crate::sys::program::{Ended, Refusal};
use crate::sys::run::{Stopped, run};
use crate::sys::secret::hide;
use core::time::Duration;
use serde_json::Value;

/// systemd's own message when a unit has come up, and when it has not (systemd.journal-fields(7), `journalctl -x`).
const STARTED: [&str; 2] = ["39f53479d3a045ac8e11786248231fbf", "be02cf6855d2428ba40df7e9d022f03d"];
/// No more starts are counted.
const MOST: usize = 1_000;
/// Lines of a run that are kept when it went wrong.
const KEPT: usize = 50;
/// Lines that are shown, and how long they are at most.
const SHOWN: usize = 8;
const LONGEST: usize = 240;
/// Where a login is told that it does not see all.
const PARTLY: &str = "You are currently not seeing messages";

/// Entries of a journal.
struct Read {
    entries: Vec<Value>,
    /// Whether this login sees only those of its own processes.
    partly: bool,
}

/// How often the unit was started within the last `interval`, as its journal has it: at least as often as systemd
/// counts, which forgets them with reset-failed.
///
/// # Errors
/// The journal cannot be read, or not all of it.
pub(super) fn starts(unit: &Systemd, interval: Duration, clock: &dyn Clock) -> Result<usize, Fault> {
    let since = interval.as_secs().saturating_add(u64::from(interval.subsec_nanos() > 0));
    let (field, by) = if unit.user { ("USER_UNIT", "_COMM=systemd") } else { ("UNIT", "_PID=1") };
    let mut args: Vec<String> = ["--boot", "--output-fields=MESSAGE_ID"].map(str::to_owned).into();
    // Further back than this boot nothing counts.
    args.extend((since < u64::from(u32::MAX)).then(|| format!("--since=-{since}s")));
    args.extend([format!("--lines={MOST}"), by.to_owned(), format!("{field}={}", unit.unit)]);
    args.extend(STARTED.map(|id| format!("MESSAGE_ID={id}")));
    let read = read(unit, args, clock)?;
    if read.partly { Err(Fault::new(hidden().as_str())) } else { Ok(read.entries.len()) }
}

/// What one run of the unit and its manager have logged: errors, and where it is not `good` the last lines too.
pub(super) fn told(unit: &Systemd, run: &str, good: bool, clock: &dyn Clock) -> Told {
    let by = if unit.user { "USER_INVOCATION_ID" } else { "INVOCATION_ID" };
    let ask = |wanted: &[&str]| {
        let fields = ["--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER", "--all"];
        let both = [format!("_SYSTEMD_INVOCATION_ID={run}"), "+".to_owned(), format!("{by}={run}")];
        read(unit, fields.iter().chain(wanted).map(|arg| (*arg).to_owned()).chain(both).collect(), clock)
    };
    let errors = match ask(&["--priority=err", &format!("--lines={SHOWN}")]) {
        Ok(errors) => errors,
        Err(fault) => return Told { shown: vec![crate::clean!("its journal cannot be read: {fault}")], kept: vec![] },
    };
    let mut told = Told { shown: errors.entries.iter().map(line).collect(), kept: Vec::new() };
    if !good && let Ok(last) = ask(&[&format!("--lines={KEPT}")]) {
        told.kept = last.entries.iter().map(line).collect();
        if told.shown.is_empty() {
            let from = told.kept.len().saturating_sub(SHOWN);
            told.shown = told.kept.get(from..).unwrap_or_default().to_vec();
        }
    }
    let partly = (errors.partly && !good).then(hidden);
    told.shown.extend(partly);
    told
}

fn hidden() -> Clean {
    Clean::from("this login sees only its own messages in the journal: group systemd-journal or adm sees all.")
}

/// One entry for people: `err web: cannot bind`.
fn line(entry: &Value) -> Clean {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    let text = |name: &str| match entry.get(name) {
        Some(Value::String(text)) => text.clone(),
        // What is no UTF-8 comes as its bytes.
        Some(Value::Array(bytes)) => {
            let bytes = bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect::<Vec<u8>>();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    };
    let level = text("PRIORITY").parse().ok().and_then(|level: usize| LEVELS.get(level)).copied().unwrap_or("log");
    let said = scrub(&hide(&text("MESSAGE"))).replace('\n', " / ");
    let cut: String = said.chars().take(LONGEST).collect();
    let more = if cut.len() < said.len() { " …" } else { "" };
    crate::clean!("log {level} {}: {}{more}", Clean::text(text("SYSLOG_IDENTIFIER")), Clean::text(cut))
}

/// The entries that `args` asks for.
fn read(unit: &Systemd, args: Vec<String>, clock: &dyn Clock) -> Result<Read, Fault> {
    let flags = ["--no-pager", "--output=json"].map(str::to_owned);
    let order = unit.program(&unit.journalctl, flags.into_iter().chain(args));
    let ran = run(&order, LOOK, clock).map_err(|stopped| match stopped {
        Stopped::Refused(Refusal::Forbidden(fault) | Refusal::Impossible(fault)) => fault,
        Stopped::Unkillable(left) => Fault::new(format!("journalctl hangs as process {}.", left.pid)),
    })?;
    match ran.ended {
        Ended::Code(0) if !ran.timed_out => {}
        ended => {
            let said = ran.stderr.last_line().map_or_else(String::new, |line| format!(": {line}"));
            return Err(Fault::new(format!("journalctl ended with {ended}{said}.")));
        }
    }
    let (said, told) = (ran.stdout.bytes(), ran.stderr.bytes());
    let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let entries = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok(Read { entries, partly: String::from_utf8_lossy(&told).contains(PARTLY) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_entry_is_one_line_with_its_level_and_without_secrets() {
        let said = |text: &str| line(&serde_json::from_str(text).unwrap()).to_string();
        let entry = r#"{"PRIORITY":"3","SYSLOG_IDENTIFIER":"web","MESSAGE":"no\ndb password=hunter22"}"#;
        assert_eq!(said(entry), "log err web: no / db password=<redacted>");
        assert_eq!(said(r#"{"MESSAGE":[104,105,27]}"#), "log log : hi\u{241b}");
        assert_eq!(said(r#"{"PRIORITY":"99","MESSAGE":null}"#), "log log : ");
        let long = said(&format!("{{\"PRIORITY\":\"6\",\"MESSAGE\":\"{}\"}}", "x".repeat(1_000)));
        assert_eq!(long.chars().count(), "log info : ".len() + LONGEST + 2, "{long}");
    }

    #[test]
    fn a_login_that_sees_only_its_own_messages_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("journalctl");
        std::fs::write(&script, format!("#!/bin/sh\necho 'Hint: {PARTLY} from other users and the system.' >&2\n"))
            .unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let text = format!("unit = \"a.service\"\njournalctl = [\"{}\"]", script.display());
        let unit: Systemd = toml::from_str(&text).unwrap();
        let fault = starts(&unit, Duration::from_secs(10), &RealClock).unwrap_err();
        assert!(fault.to_string().contains("group systemd-journal or adm"), "{fault}");
        assert_eq!(told(&unit, "abc", false, &RealClock).shown, [hidden()]);
        assert_eq!(told(&unit, "abc", true, &RealClock), Told::default());
    }
}
