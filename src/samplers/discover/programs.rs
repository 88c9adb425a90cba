//! What systemd's own programs tell: units that have failed, and errors in the journal. They are started only where
//! systemd runs and a journal is kept; what they print is read from text, apart from how it came.

use super::found::{Found, Journal, Keep, What, quoted};
use crate::base::Mono;
use crate::base::{Clean, Failure};
use crate::clean;
use crate::samplers::exec::{Ran, Runner};
use crate::sys::program::{Ended, Order};
use core::time::Duration;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How long either may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Errors that are read; more are not counted.
const ERRORS: usize = 200;
const UNITS: &[&str] =
    &["list-units", "--failed", "--plain", "--no-legend", "--full", "--no-pager", "--no-ask-password"];
const JOURNAL: &[&str] = &[
    "--priority=err",
    "--since=-1h",
    "--output=json",
    "--output-fields=_SYSTEMD_UNIT,SYSLOG_IDENTIFIER",
    "--no-pager",
    "--lines=200",
];

/// The program that lists units, where systemd runs. Reads files.
pub(super) fn systemctl(root: &Path) -> Result<PathBuf, Clean> {
    if !root.join("run/systemd/system").is_dir() {
        return Err(Clean::from("systemd does not run here"));
    }
    installed(root, "systemctl")
}

/// The program that reads the journal, where one is kept. Reads files.
pub(super) fn journalctl(root: &Path) -> Result<PathBuf, Clean> {
    if !["run/log/journal", "var/log/journal"].iter().any(|folder| root.join(folder).is_dir()) {
        return Err(Clean::from("no journal is kept here"));
    }
    installed(root, "journalctl")
}

fn installed(root: &Path, name: &str) -> Result<PathBuf, Clean> {
    let places = ["usr/bin", "bin"].map(|folder| root.join(folder).join(name));
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| clean!("{name} is not installed"))
}

/// Units that have failed.
pub(super) async fn units(program: PathBuf, runner: &mut Runner, now: Mono) -> Result<Vec<Found>, Clean> {
    let ran = run(program, UNITS, runner, now).await?;
    good("systemctl", &ran)?;
    Ok(String::from_utf8_lossy(&ran.stdout.bytes).lines().filter_map(unit).collect())
}

/// Errors in the journal of the last hour.
pub(super) async fn journal(program: PathBuf, runner: &mut Runner, now: Mono) -> Result<Journal, Clean> {
    errors(&run(program, JOURNAL, runner, now).await?)
}

async fn run(program: PathBuf, args: &[&str], runner: &mut Runner, now: Mono) -> Result<Ran, Clean> {
    let order =
        Order { program, args: args.iter().map(|&arg| arg.to_owned()).collect(), env: Vec::new(), spare: false };
    runner.run(now, &order, LIMIT).await.map_err(|failure: Failure| failure.what)
}

fn good(name: &str, ran: &Ran) -> Result<(), Clean> {
    if ran.ended == Ended::Code(0) {
        return Ok(());
    }
    let said = ran.stderr.first_line().unwrap_or_else(|| "no words".into());
    Err(clean!("{name} failed ({}): {}", ran.ended, said.as_str().trim_end_matches('.')))
}

/// A line of `systemctl list-units`: name, load, active, sub, description.
fn unit(line: &str) -> Option<Found> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next().filter(|name| name.contains('.'))?;
    let about = words.skip(3).collect::<Vec<_>>().join(" ");
    let says = if about.is_empty() { clean!("{name}, failed") } else { clean!("{name}, failed: {about}") };
    let keep = quoted(name).map(|quoted| Keep {
        kind: "systemd",
        keys: Vec::from([("units", format!("[{quoted}]"))]),
        wanted: true,
        why: "",
    });
    Some(Found { what: What::Unit, name: Clean::text(name), says, keep })
}

/// What `journalctl` printed: one record a line.
fn errors(ran: &Ran) -> Result<Journal, Clean> {
    let said = String::from_utf8_lossy(&ran.stderr.bytes);
    if ["insufficient permissions", "not seeing messages"].iter().any(|words| said.contains(words)) {
        return Err(Clean::from("this login may not read the journal of the system: join the group systemd-journal"));
    }
    if said.contains("No journal files were found") {
        return Err(Clean::from("no journal is kept here"));
    }
    good("journalctl", ran)?;
    let mut by: BTreeMap<String, usize> = BTreeMap::new();
    let text = String::from_utf8_lossy(&ran.stdout.bytes);
    for line in text.lines() {
        let Ok(record) = serde_json::from_str::<Value>(line) else { continue };
        let word = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let who = word("_SYSTEMD_UNIT").or_else(|| word("SYSLOG_IDENTIFIER")).unwrap_or_else(|| "unnamed".to_owned());
        *by.entry(who).or_default() += 1;
    }
    let errors: usize = by.values().sum();
    let most = by.iter().max_by_key(|(_, count)| **count).map(|(who, count)| (Clean::text(who), *count));
    Ok(Journal { errors, more: errors >= ERRORS || ran.stdout.beyond > 0, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_units_are_told_with_the_table_that_would_watch_them() {
        let text = "hungry.service    loaded failed failed The hungry one\n\
                    net\\x2dx.mount loaded failed failed\n\nnonsense\n";
        let all: Vec<Found> = text.lines().filter_map(unit).collect();
        assert_eq!(all[0].says.as_str(), "hungry.service, failed: The hungry one");
        assert_eq!(all[1].says.as_str(), "net\\x2dx.mount, failed");
        let keep = all[1].keep.as_ref().expect("plain").to_string();
        assert_eq!(keep, "kind = \"systemd\", units = [\"net\\\\x2dx.mount\"]");
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn errors_are_counted_and_missing_rights_are_no_zero() {
        let row = |who: &str| format!("{{\"__CURSOR\":\"s\",{who}}}\n");
        let rows = [
            row("\"_SYSTEMD_UNIT\":\"a.service\""),
            row("\"SYSLOG_IDENTIFIER\":\"kernel\""),
            row("\"_SYSTEMD_UNIT\":\"a.service\",\"SYSLOG_IDENTIFIER\":\"x\""),
            row("\"SYSLOG_IDENTIFIER\":[1,2]"),
            "cut\n".to_owned(),
        ];
        let seen = |stdout: &str, stderr: &str| errors(&Ran::of(Ended::Code(0), stdout, stderr));
        let some = Journal { errors: 4, more: false, most: Some((Clean::from("a.service"), 2)) };
        assert_eq!(seen(&rows.concat(), ""), Ok(some));
        assert_eq!(seen("", "-- No entries --"), Ok(Journal { errors: 0, more: false, most: None }));
        assert!(seen(&rows[0].repeat(ERRORS), "").is_ok_and(|journal| journal.more && journal.errors == ERRORS));
        let hint = "Hint: You are currently not seeing messages from other users and the system.\n";
        assert!(seen(&rows[0], hint).is_err_and(|why| why.as_str().contains("systemd-journal")));
        assert!(seen("", "No journal files were opened due to insufficient permissions.").is_err());
        assert_eq!(seen("", "No journal files were found.\n"), Err(Clean::from("no journal is kept here")));
        let failed = errors(&Ran::of(Ended::Code(1), "", "Failed to open.\n"));
        assert_eq!(failed, Err(Clean::from("journalctl failed (exit code 1): Failed to open")));
    }

    #[test]
    fn where_systemd_is_absent_that_is_said_and_there_is_nothing_to_start() {
        let root = tempfile::tempdir().expect("a folder");
        assert_eq!(systemctl(root.path()), Err(Clean::from("systemd does not run here")));
        assert_eq!(journalctl(root.path()), Err(Clean::from("no journal is kept here")));
        std::fs::create_dir_all(root.path().join("run/systemd/system")).expect("made");
        assert_eq!(systemctl(root.path()), Err(Clean::from("systemctl is not installed")));
    }

    #[tokio::test]
    async fn what_the_programs_print_is_taken() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["usr/bin", "run/systemd/system", "var/log/journal"] {
            std::fs::create_dir_all(root.path().join(folder)).expect("made");
        }
        for (name, script) in [("systemctl", "echo \"a.service loaded failed failed $*\""), ("journalctl", "echo '{}'")]
        {
            let path = root.path().join("usr/bin").join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        }
        let mut runner = Runner::new();
        let program = systemctl(root.path()).expect("there");
        let units = units(program, &mut runner, Mono(0)).await.expect("printed");
        assert_eq!(units[0].says.as_str(), format!("a.service, failed: {}", UNITS.join(" ")));
        let program = journalctl(root.path()).expect("there");
        let journal = journal(program, &mut runner, Mono(0)).await.expect("printed");
        assert_eq!((journal.errors, journal.most), (1, Some((Clean::from("unnamed"), 1))));
    }
}
