//! systemd's journal, through `journalctl` as JSON: its fields, never its text form. When it dies it goes on behind
//! the last entry that came, by its cursor.

use super::outlet::Outlet;
use super::program::{Listener, keep};
use crate::base::{Clean, Fault, LogLine, Wall};
use crate::logs::formats::of_syslog;
use crate::sys::program::{Ended, Order};
use crate::sys::run::run;
use crate::sys::secret::hide_clean;
use core::time::Duration;
use serde_json::Value;
use std::collections::BTreeSet;

/// Entries shown of what was there before us.
const BACKLOG: usize = 200;
/// An entry with more bytes is not read; it is counted.
const ENTRY: usize = 1024 * 1024;
/// Lines of one entry that are shown.
const LINES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(5);
/// Runs that are known to be over.
const KNOWN: usize = 64;
const FIELDS: &str = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,_SYSTEMD_INVOCATION_ID,INVOCATION_ID,\
                      _SYSTEMD_USER_INVOCATION_ID,USER_INVOCATION_ID";
const INVOCATIONS: [&str; 4] =
    ["_SYSTEMD_INVOCATION_ID", "INVOCATION_ID", "_SYSTEMD_USER_INVOCATION_ID", "USER_INVOCATION_ID"];

/// Which boots are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boots {
    /// This one.
    #[default]
    Current,
    /// All that the journal has.
    All,
}

/// What of the journal is read.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Of this unit; of all when absent.
    pub unit: Option<String>,
    /// The unit is one of this login's own manager.
    pub user: bool,
    /// Of this priority or worse, as `journalctl -p` takes it.
    pub priority: Option<String>,
    /// Of these boots.
    pub boot: Boots,
    /// Only of the unit's current run: earlier ones are left out, and a new one is marked.
    pub this_run: bool,
    /// How `journalctl` is started: absolute path and first arguments.
    pub journalctl: Vec<String>,
    /// Likewise `systemctl`.
    pub systemctl: Vec<String>,
}

impl Journal {
    fn order(&self, cursor: Option<&str>) -> Order {
        let (program, first) = self.journalctl.split_first().map_or(("", &[][..]), |(program, rest)| (program, rest));
        let mut args = first.to_vec();
        args.extend(["--output=json", "--follow", "--no-pager", "--all"].map(str::to_owned));
        args.push(format!("--output-fields={FIELDS}"));
        match cursor {
            Some(cursor) => args.extend(["--no-tail".to_owned(), format!("--after-cursor={cursor}")]),
            None => args.push(format!("--lines={BACKLOG}")),
        }
        args.extend((self.boot == Boots::Current).then(|| "--boot".to_owned()));
        args.extend(self.priority.iter().map(|priority| format!("--priority={priority}")));
        let flag = if self.user { "--user-unit" } else { "--unit" };
        args.extend(self.unit.iter().map(|unit| format!("{flag}={unit}")));
        Order { program: program.into(), args, ..Order::default() }
    }

    /// Which run of the unit is the current one, as its manager says.
    fn current(&self, outlet: &Outlet) -> Option<String> {
        let (program, first) = self.systemctl.split_first()?;
        let mut args = first.to_vec();
        args.extend(self.user.then(|| "--user".to_owned()));
        args.extend(["show", "--property=InvocationID", "--value", "--"].map(str::to_owned));
        args.push(self.unit.clone()?);
        let order = Order { program: program.into(), args, ..Order::default() };
        let ran = run(&order, PATIENCE, &*outlet.clock).ok().filter(|ran| ran.ended == Ended::Code(0))?;
        Some(ran.stdout.first_line()?.to_string()).filter(|id| !id.is_empty())
    }
}

struct Reader<'a> {
    journal: &'a Journal,
    held: Vec<u8>,
    /// True while the rest of an entry is passed over that is too long.
    skipping: bool,
    cursor: Option<String>,
    current: Option<String>,
    over: BTreeSet<String>,
    hints: Vec<String>,
}

impl Reader<'_> {
    fn entry(&mut self, raw: &[u8], outlet: &mut Outlet) {
        let Ok(entry) = serde_json::from_slice::<Value>(raw) else {
            return outlet.line(crate::logs::Format::Plain.read(raw, 0));
        };
        if let Some(cursor) = entry.get("__CURSOR").and_then(Value::as_str) {
            self.cursor = Some(cursor.to_owned());
        }
        if self.journal.this_run && !self.is_of_this_run(&entry, outlet) {
            return;
        }
        for line in lines(&entry) {
            outlet.line(line);
        }
    }

    fn is_of_this_run(&mut self, entry: &Value, outlet: &mut Outlet) -> bool {
        let Some(run) = INVOCATIONS.iter().find_map(|name| entry.get(name)?.as_str()) else { return true };
        if self.current.as_deref() == Some(run) {
            return true;
        }
        if self.over.contains(run) {
            return false;
        }
        // Asked once for each run that is not known.
        let Some(said) = self.journal.current(outlet) else {
            // Who cannot be asked hides nothing.
            return true;
        };
        if said != run {
            if self.over.len() >= KNOWN {
                self.over.pop_first();
            }
            self.over.insert(run.to_owned());
            return false;
        }
        if let Some(old) = self.current.replace(said) {
            self.over.insert(old);
            outlet.mark(Clean::from("a new run of the unit begins here"));
        }
        true
    }
}

impl Listener for Reader<'_> {
    fn order(&mut self) -> Order {
        self.hints.clear();
        self.journal.order(self.cursor.as_deref())
    }

    fn hear(&mut self, chunk: &[u8], outlet: &mut Outlet) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if !self.skipping {
                self.held.extend_from_slice(piece);
            }
            if self.held.len() > ENTRY {
                self.held.clear();
                self.skipping = true;
            }
            if piece.ends_with(b"\n") {
                if core::mem::take(&mut self.skipping) {
                    outlet.lose(1);
                    outlet.mark(Clean::from("an entry of more than 1 MiB is not shown"));
                }
                self.end(outlet);
            }
        }
    }

    fn complain(&mut self, line: &[u8], outlet: &mut Outlet) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim().trim_start_matches("Hint: ");
        // What only helps whoever types the command.
        if line.starts_with("Pass -q") || line.starts_with("-- ") {
            return;
        }
        if self.hints.len() < 4 {
            self.hints.push(line.to_owned());
        }
        outlet.failure = Some(Fault::new(self.hints.join(" ")));
    }

    fn end(&mut self, outlet: &mut Outlet) {
        let held = core::mem::take(&mut self.held);
        let line = held.trim_ascii();
        if !line.is_empty() {
            self.entry(line, outlet);
        }
    }
}

/// The lines of an entry: the first says who, those after it are indented under it.
fn lines(entry: &Value) -> Vec<LogLine> {
    let text = |name: &str| match entry.get(name) {
        Some(Value::String(text)) => text.clone().into_bytes(),
        // What is no UTF-8 comes as its bytes.
        Some(Value::Array(bytes)) => bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect(),
        _ => Vec::new(),
    };
    let number = |name: &str| entry.get(name)?.as_str()?.parse::<i64>().ok();
    let time = number("__REALTIME_TIMESTAMP").and_then(|micros| micros.checked_mul(1_000)).map(Wall);
    let level = number("PRIORITY").and_then(|priority| u32::try_from(priority).ok()).map(of_syslog);
    let who = [text("SYSLOG_IDENTIFIER"), text("_COMM")].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let pid = number("_PID").map_or_else(String::new, |pid| format!("[{pid}]"));
    let message = text("MESSAGE");
    let (message, _) = crate::logs::formats::strip(&message);
    let all = message.strip_suffix(b"\n").unwrap_or(&message).split(|byte| *byte == b'\n');
    let mut lines = Vec::new();
    for (at, raw) in all.take(LINES).enumerate() {
        let head = if at == 0 { [who.as_slice(), pid.as_bytes(), b": "].concat() } else { b"    ".to_vec() };
        let mut message = Clean::text([head.as_slice(), raw].concat());
        hide_clean(&mut message);
        lines.push(LogLine { time: time.filter(|_| at == 0), level, message, marker: false });
    }
    lines
}

pub(super) fn read(journal: &Journal, outlet: &mut Outlet) {
    let what = Clean::from("journalctl");
    let current = if journal.this_run { journal.current(outlet) } else { None };
    let mut reader = Reader {
        journal,
        held: Vec::new(),
        skipping: false,
        cursor: None,
        current,
        over: BTreeSet::new(),
        hints: Vec::new(),
    };
    keep(outlet, &mut reader, &what, true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LogLevel;
    use proptest::prelude::*;

    fn shown(entry: &str) -> Vec<(Option<i64>, Option<LogLevel>, String)> {
        let entry = serde_json::from_str(entry).expect("JSON");
        lines(&entry).into_iter().map(|line| (line.time.map(|at| at.0), line.level, line.message.to_string())).collect()
    }

    #[test]
    fn an_entry_says_who_and_its_further_lines_stand_under_it() {
        let entry = r#"{"__REALTIME_TIMESTAMP":"1000001","PRIORITY":"3","SYSLOG_IDENTIFIER":"web","_PID":"7","MESSAGE":"no\n db\u001b[2J\n"}"#;
        let error = Some(LogLevel::Error);
        assert_eq!(
            shown(entry),
            [(Some(1_000_001_000), error, "web[7]: no".to_owned()), (None, error, "     db␛[2J".to_owned())]
        );
        assert_eq!(shown(r#"{"MESSAGE":[104,105,255],"_COMM":"x"}"#), [(None, None, "x: hi\\xFF".to_owned())]);
        assert_eq!(shown(r#"{"MESSAGE":null}"#), [(None, None, ": ".to_owned())]);
    }

    proptest! {
        #[test]
        fn no_entry_breaks_us(key in "(MESSAGE|PRIORITY|_PID|__REALTIME_TIMESTAMP)", value in "(null|-?[0-9]{1,20}|\"-?[0-9]{1,20}\"|\\[1,300,\"x\"\\]|\\{\\}|\"a\\\\nb\")") {
            let Ok(entry) = serde_json::from_str(&format!("{{\"{key}\":{value}}}")) else { return Ok(()) };
            let _lines = lines(&entry);
        }
    }
}
