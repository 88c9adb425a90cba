//! `name=value` lines with or without `[section]`s: .env files as systemd and shells read them, and INI. What either
//! would read otherwise than we do is refused, not guessed.

use super::{Scalar, Spot, at, put_in};
use crate::base::{Clean, Fault};
use std::path::Path;

/// The value of a name, in this section of an INI file, or (`None`) in a file without sections.
pub(super) fn find(
    text: &str,
    (section, name): (Option<&str>, &str),
    like: &Scalar,
    file: &Path,
) -> Result<Option<Spot>, Fault> {
    let (mut here, mut found, mut start) = ("", None, 0);
    for line in text.split_inclusive('\n') {
        let (begin, bare) = (start, line.trim_end_matches(['\n', '\r']));
        start += line.len();
        let word = bare.trim_start();
        if word.is_empty() || word.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) =
            word.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')).filter(|_| section.is_some())
        {
            here = title.trim();
            continue;
        }
        let Some((left, right)) = bare.split_once('=') else { continue };
        let left = left.trim().trim_start_matches("export ").trim();
        if left != name || section.is_some_and(|section| section != here) {
            continue;
        }
        if found.is_some() {
            return Err(at(text, begin, file, &format!("`{name}` stands there twice")));
        }
        let offset = begin + (bare.len() - right.len());
        found = Some(
            value(right, offset).ok_or_else(|| at(text, begin, file, &format!("the quotes of `{name}` do not end")))?,
        );
    }
    Ok(found.map(|(range, words)| Spot { value: Scalar::read(&words, like), range }))
}

/// The text with a name that is not there: at the end of its section, which is added at the end where there is none.
pub(super) fn add(text: &str, (section, name): (Option<&str>, &str), value: &Scalar) -> Result<String, Fault> {
    let line = format!("{name}={}", write(value, "")?);
    let Some(section) = section else { return Ok(put_in(text, text.len(), &[line])) };
    let (mut here, mut start, mut place) = ("", 0_usize, (section.is_empty()).then_some(0));
    for whole in text.split_inclusive('\n') {
        start = start.saturating_add(whole.len());
        let word = whole.trim();
        let title = word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        here = title.map_or(here, str::trim);
        if here == section && !word.is_empty() {
            place = Some(start);
        }
    }
    Ok(match place {
        Some(place) => put_in(text, place, &[line]),
        None => put_in(text, text.len(), &[format!("[{section}]"), line]),
    })
}

/// `section.name`, or a name before every section.
pub(super) fn section(key: &str) -> (Option<&str>, &str) {
    key.rsplit_once('.').map_or((Some(""), key), |(section, name)| (Some(section), name))
}

/// The bytes of what stands right of the sign, without spaces and comment but with its quotes; and what that says.
fn value(right: &str, offset: usize) -> Option<(core::ops::Range<usize>, String)> {
    let lead = right.len() - right.trim_start().len();
    let body = right.trim_start();
    let from = offset + lead;
    if let Some(quote) = body.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let inner = body.get(1..)?;
        let end = inner.find(quote)?;
        return Some((from..from + end + 2, inner.get(..end)?.to_owned()));
    }
    let comment = [" #", "\t#", " ;", "\t;"].iter().filter_map(|mark| body.find(mark)).min();
    let bare = body.get(..comment.unwrap_or(body.len())).unwrap_or(body).trim_end();
    Some((from..from + bare.len(), bare.to_owned()))
}

/// With the quotes that the old one had; with double ones where it needs some.
pub(super) fn write(value: &Scalar, old: &str) -> Result<String, Fault> {
    let text = value.plain();
    let odd = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '$' | '`');
    if text.chars().any(odd) {
        return Err(Fault::new(format!("`{}` cannot be written into such a file.", Clean::text(&text)))
            .hint("No quotes, backslashes, dollar signs or line ends."));
    }
    let needs = text.is_empty() || text.contains([' ', '\t', '#', ';', '=']);
    Ok(match old.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{quote}{text}{quote}"),
        _ if needs => format!("\"{text}\""),
        _ => text,
    })
}
