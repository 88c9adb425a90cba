//! One `[logs.NAME]`, as its kind reads it.

use crate::base::{Body, Clean, Fault};
use crate::config::{LogSpec, Profile, Trust};
use crate::logs::{Boots, CommandLine, Feed, Format, Journal, LogSource, StreamSource};
use serde::Deserialize;
use std::sync::Arc;

const PRIORITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// What is to be read.
#[derive(Debug)]
pub enum Source {
    /// Files.
    File(LogSource),
    /// Anything else.
    Stream(StreamSource),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    path: String,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalTable {
    unit: Option<String>,
    #[serde(default)]
    user: bool,
    priority: Option<String>,
    #[serde(default)]
    boot: Boots,
    #[serde(default)]
    this_invocation: bool,
    journalctl: Option<Vec<String>>,
    systemctl: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandTable {
    argv: Vec<String>,
    #[serde(default = "yes")]
    restart: bool,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StdinTable {
    #[serde(default)]
    format: Format,
}

fn yes() -> bool {
    true
}

/// One source of the profile.
///
/// # Errors
/// A fault in its table, or a program named by a profile that others may write to.
pub fn source(spec: &LogSpec, profile: &Profile) -> Result<Source, Fault> {
    let (name, body) = (Arc::clone(&spec.name), &spec.body);
    let (feed, format) = match spec.kind.as_str() {
        "journal" => (Feed::Journal(journal(body)?), Format::Plain),
        "kernel" => {
            let Nothing {} = body.read()?;
            (Feed::Kernel, Format::Plain)
        }
        "command" => {
            let table: CommandTable = body.read()?;
            program(body, "argv", &table.argv)?;
            (Feed::Command(CommandLine { argv: table.argv, again: table.restart }), table.format)
        }
        "stdin" => (Feed::Stdin, body.read::<StdinTable>()?.format),
        _ => {
            let table: FileTable = body.read()?;
            return Ok(Source::File(LogSource { name, pattern: table.path, format: table.format }));
        }
    };
    runnable(spec, profile)?;
    Ok(Source::Stream(StreamSource { name, feed, format }))
}

/// Whoever may write to a profile must not name programs that run as whoever looks.
fn runnable(spec: &LogSpec, profile: &Profile) -> Result<(), Fault> {
    let named = |key: &str| spec.body.clone().take::<Vec<String>>(key).ok().flatten().is_some();
    match &profile.trust {
        Trust::DisplayOnly(fault) if ["argv", "journalctl", "systemctl"].into_iter().any(named) => {
            let what = Clean::text(format!("{} The log `{}` runs no program until then.", fault.what, spec.name));
            Err(Fault { what, ..fault.clone() })
        }
        _ => Ok(()),
    }
}

fn journal(body: &Body) -> Result<Journal, Fault> {
    let table: JournalTable = body.read()?;
    let odd = |text: &str| text.is_empty() || text.starts_with('-') || text.contains(['\0', '\n']);
    if table.unit.as_deref().is_some_and(odd) {
        return Err(body.fault_at("unit", "this is no name of a unit.").hint("Write for example `web.service`."));
    }
    let known = |text: &str| {
        let mut ends = text.split("..");
        let one = |word: &str| PRIORITIES.contains(&word) || matches!(word.as_bytes(), [b'0'..=b'7']);
        ends.next().is_some_and(one) && ends.next().is_none_or(one) && ends.next().is_none()
    };
    if table.priority.as_deref().is_some_and(|priority| !known(priority)) {
        let hint = format!("One of: {}; or a range such as `err..info`.", PRIORITIES.join(", "));
        return Err(body.fault_at("priority", "the journal knows no such priority.").hint(hint));
    }
    if table.this_invocation && table.unit.is_none() {
        let what = "`this_invocation` is of one unit: `unit` is missing here.";
        return Err(body.fault_at("this_invocation", what));
    }
    let argv = |key: &str, argv: Option<Vec<String>>, usual: &str| {
        let argv = argv.unwrap_or_else(|| vec![usual.to_owned()]);
        program(body, key, &argv).map(|()| argv)
    };
    Ok(Journal {
        unit: table.unit,
        user: table.user,
        priority: table.priority,
        boot: table.boot,
        this_run: table.this_invocation,
        journalctl: argv("journalctl", table.journalctl, "/usr/bin/journalctl")?,
        systemctl: argv("systemctl", table.systemctl, "/usr/bin/systemctl")?,
    })
}

/// A program by its whole path, with arguments that can be given to one.
fn program(body: &Body, key: &str, argv: &[String]) -> Result<(), Fault> {
    match argv.first() {
        None => Err(body.fault_at(key, format!("`{key}` names no program."))),
        Some(program) if !program.starts_with('/') => Err(body
            .fault_at(key, format!("`{}` does not begin with `/`.", Clean::text(program)))
            .hint("Name the program by its whole path; no shell looks for it.")),
        Some(_) if argv.iter().any(|word| word.contains('\0')) => {
            Err(body.fault_at(key, format!("a word of `{key}` holds a NUL, which no program can be given.")))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::setup::known_kinds;

    fn read(table: &str) -> Result<Source, Fault> {
        let profile = Profile::parse("t", "p.toml", &format!("[logs.a]\n{table}\n"), &known_kinds()).expect("parses");
        match profile.logs.first() {
            Some(spec) => source(spec, &profile),
            None => Err(profile.faults.first().cloned().expect("a fault")),
        }
    }

    #[test]
    fn every_kind_is_read_from_the_table_that_its_documentation_shows() {
        for (name, ..) in super::super::KINDS {
            let lines = super::super::docs(name).expect("documented");
            let table: Vec<&str> =
                lines.iter().skip_while(|line| !line.starts_with("[logs.")).skip(1).map(String::as_str).collect();
            let end = table.iter().position(|line| line.starts_with("```")).expect("a table");
            let table = table.get(..end).expect("there").join("\n");
            assert!(table.contains(&format!("kind = \"{name}\"")), "{table}");
            assert!(read(&table).is_ok(), "{name}: {:?}", read(&table).err());
        }
    }

    #[test]
    fn a_bad_table_says_where_and_what() {
        for (table, fault) in [
            ("kind = \"command\"\nargv = []", "p.toml:3:8: `argv` names no program."),
            ("kind = \"command\"\nargv = [\"tail\"]", "p.toml:3:8: `tail` does not begin with `/`."),
            ("kind = \"journal\"\nunit = \"-M\"", "p.toml:3:8: this is no name of a unit."),
            ("kind = \"journal\"\npriority = \"loud\"", "p.toml:3:12: the journal knows no such priority."),
            ("kind = \"journal\"\nthis_invocation = true", "p.toml:3:19: `this_invocation` is of one unit"),
            ("kind = \"kernel\"\npath = \"/x\"", "p.toml:3:1: unknown key `path`"),
            ("kind = \"file\"\npath = \"/x\"\nformat = \"jsn\"", "unknown format `jsn`, expected one of `auto`"),
        ] {
            let told = read(table).expect_err("refused").to_string();
            assert!(told.contains(fault), "{told}");
        }
    }

    #[test]
    fn a_profile_that_others_may_write_to_runs_no_program() {
        let text = "[logs.a]\nkind = \"command\"\nargv = [\"/bin/true\"]\n[logs.b]\nkind = \"kernel\"\n\
                    [logs.c]\nkind = \"journal\"\njournalctl = [\"/tmp/x\"]\n[logs.d]\nkind = \"journal\"\n";
        let mut profile = Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses");
        profile.trust = Trust::DisplayOnly(Fault::new("others may write to p.toml."));
        let told: Vec<Option<String>> =
            profile.logs.iter().map(|spec| source(spec, &profile).err().map(|fault| fault.to_string())).collect();
        let none = |name| Some(format!("others may write to p.toml. The log `{name}` runs no program until then."));
        assert_eq!(told, [none("a"), None, none("c"), None]);
    }
}
