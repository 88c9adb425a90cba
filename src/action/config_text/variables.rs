//! Variables of a program in supervisord's configuration, one by one: `environment=NAME="value",OTHER="value"` of its
//! section. A key is `SECTION.environment.NAME`. What supervisord might read otherwise than we do is refused.

use super::lines::{self, Right};
use super::{Scalar, Spot, at};
use crate::base::{Clean, Fault};
use core::ops::Range;
use std::path::Path;

/// The key of a section that holds them.
const LIST: &str = "environment";

/// Section and variable of a key.
fn parted(key: &str) -> Result<(&str, &str), &'static str> {
    let parts = key.rsplit_once('.').and_then(|(head, name)| Some((head.strip_suffix(LIST)?.strip_suffix('.')?, name)));
    let named = parts.filter(|(section, name)| !section.is_empty() && is_name(name));
    named.ok_or("is no variable of a program: write it like `program:app.environment.NAME`.")
}

fn is_name(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(rest)
}

/// One of them: its name, and the bytes of its value with their quotes.
struct Entry<'a> {
    name: &'a str,
    range: Range<usize>,
    value: &'a str,
}

/// All of a list.
fn entries<'a>(right: &Right<'a>) -> Result<Vec<Entry<'a>>, &'static str> {
    const ODD: &str = "is no plain list like `NAME=\"value\",OTHER=\"value\"`";
    let mut rest = right.text.trim_end();
    let place = |rest: &str| right.offset + (right.text.trim_end().len() - rest.len());
    let mut found: Vec<Entry<'a>> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(found);
        }
        let (name, behind) = rest.split_once('=').ok_or(ODD)?;
        if !is_name(name) || found.iter().any(|entry| entry.name == name) {
            return Err(ODD);
        }
        let from = place(behind);
        let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, behind) = match quote {
            Some(quote) => behind.get(1..).and_then(|inner| inner.split_once(quote)).ok_or(ODD)?,
            None => behind.split_at(behind.find(',').unwrap_or(behind.len())),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./:+-@".contains(c);
        if value.contains('\\') || (quote.is_none() && !value.chars().all(plain)) {
            return Err(ODD);
        }
        found.push(Entry { name, range: from..place(behind), value });
        let behind = behind.trim_start();
        rest = if behind.is_empty() { behind } else { behind.strip_prefix(',').ok_or(ODD)? };
    }
}

/// The list of a section, if it has one.
fn list<'a>(text: &'a str, section: &str, file: &Path) -> Result<Option<(Right<'a>, Vec<Entry<'a>>)>, Fault> {
    let Some(right) = lines::right(text, (Some(section), LIST), file)? else { return Ok(None) };
    let entries = entries(&right).map_err(|what| at(text, right.offset, file, &format!("`{LIST}` {what}")))?;
    Ok(Some((right, entries)))
}

/// The value of a variable.
pub(super) fn find(text: &str, key: &str, like: &Scalar, file: &Path) -> Result<Option<Spot>, Fault> {
    let (section, name) = parted(key).map_err(|what| told(key, what))?;
    let Some((_, entries)) = list(text, section, file)? else { return Ok(None) };
    let entry = entries.into_iter().find(|entry| entry.name == name);
    Ok(entry.map(|Entry { range, value, .. }| Spot { value: Scalar::read(value, like), range }))
}

/// The text with a variable that is not there: behind the others of its section, or on a line of its own.
pub(super) fn add(text: &str, key: &str, value: &Scalar, file: &Path) -> Result<String, Fault> {
    let (section, name) = parted(key).map_err(|what| told(key, what))?;
    let entry = format!("{name}={}", write(value)?);
    match list(text, section, file)? {
        Some((right, entries)) => {
            let end = entries.last().map_or(right.offset, |entry| entry.range.end);
            let (before, after) = text.split_at_checked(end).unwrap_or((text, ""));
            let comma = if entries.is_empty() { "" } else { "," };
            Ok(format!("{before}{comma}{entry}{after}"))
        }
        None if lines::has_section(text, section) => Ok(lines::put(text, Some(section), &format!("{LIST}={entry}"))),
        None => Err(told(key, "has no such section in the file.")),
    }
}

/// In quotes; without what supervisord would fill in or end it by.
pub(super) fn write(value: &Scalar) -> Result<String, Fault> {
    let text = value.plain();
    let odd = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '%' | ';' | '$' | '`');
    if text.chars().any(odd) {
        return Err(Fault::new(format!("`{}` cannot be written into such a list.", Clean::text(&text)))
            .hint("No quotes, backslashes, percent or dollar signs, semicolons or line ends."));
    }
    Ok(format!("\"{text}\""))
}

fn told(key: &str, what: &str) -> Fault {
    Fault::new(format!("`{}` {what}", Clean::text(key)))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    const KEY: &str = "program:app.environment.DEBUG";

    fn found(list: &str) -> Result<Option<Scalar>, String> {
        let text = format!("[program:app]\ncommand=/bin/app\n{list}\n[program:other]\nenvironment=DEBUG=\"9\"\n");
        let spot = Format::Supervisor.find(&text, KEY, &Scalar::Text(String::new()), Path::new("/s.conf"));
        spot.map(|spot| spot.and_then(|spot| spot.value)).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_variable_is_found_among_others() {
        let text = |text: &str| Ok(Some(Scalar::Text(text.to_owned())));
        assert_eq!(found("environment=DEBUG=\"1\""), text("1"));
        assert_eq!(found("environment=A=\"x,y=z\", DEBUG='1' ,B=2"), text("1"));
        assert_eq!(found("environment = A=/x,DEBUG=on,"), text("on"));
        assert_eq!(found("environment=A=\"DEBUG=3\""), Ok(None));
        assert_eq!(found("environment="), Ok(None));
        assert_eq!(found("autostart=true"), Ok(None));
    }

    #[test]
    fn what_supervisord_might_read_otherwise_is_refused() {
        for list in [
            "environment=A=\"x",
            "environment=A=\"x\"y",
            "environment=A=\"\\\"\"",
            "environment=A=x y",
            "environment=A=1,A=2",
            "environment=A",
            "environment=A=1 ; DEBUG=2",
        ] {
            assert!(found(list).unwrap_err().contains("`environment` is no plain list"), "{list}");
        }
        assert!(found("environment=A=1,\n  DEBUG=2").unwrap_err().contains("of several lines"));
        assert!(found("environment=A=1\nenvironment=B=1").unwrap_err().contains("stands there twice"));
        let other = Format::Supervisor.find("", "program:app.command", &Scalar::Int(1), Path::new("/s.conf"));
        assert!(other.unwrap_err().to_string().contains("is no variable of a program"));
    }

    #[test]
    fn a_variable_is_added_behind_the_others_and_nothing_else_changes() {
        let added = |list: &str| {
            let text = format!("[program:app]\n{list}[other]\nx=1\n");
            Format::Supervisor.add(&text, KEY, &Scalar::Text("1".to_owned()), Path::new("/s.conf"))
        };
        assert_eq!(added("").unwrap(), "[program:app]\nenvironment=DEBUG=\"1\"\n[other]\nx=1\n");
        assert_eq!(added("environment=A=2\n").unwrap(), "[program:app]\nenvironment=A=2,DEBUG=\"1\"\n[other]\nx=1\n");
        assert_eq!(added("environment=\n").unwrap(), "[program:app]\nenvironment=DEBUG=\"1\"\n[other]\nx=1\n");
        assert!(added("environment=DEBUG=2\n").unwrap_err().to_string().contains("is there already"));
        let none = Format::Supervisor.add("[x]\n", KEY, &Scalar::Int(1), Path::new("/s.conf"));
        assert!(none.unwrap_err().to_string().contains("has no such section"));
        let odd = Format::Supervisor.write(&Scalar::Text("%(here)s".to_owned()), "\"1\"");
        assert!(odd.unwrap_err().to_string().contains("cannot be written into such a list"));
    }
}
