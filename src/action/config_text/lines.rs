//! `name=value` lines with or without `[section]`s: .env files as systemd and shells read them, and INI. What either
//! would read otherwise than we do is refused, not guessed.

use super::{Scalar, Spot, at, put_in};
use crate::base::{Clean, Fault};
use std::path::Path;

/// One `name=value` of a file.
struct Line<'a> {
    /// The byte at which its line begins.
    start: usize,
    section: &'a str,
    name: &'a str,
    sign: char,
    /// What stands right of the sign, and where.
    right: &'a str,
    offset: usize,
    indented: bool,
    /// The line before it, or its own, goes on by a backslash or (INI) by a line that begins with a space.
    joined: bool,
}

/// All of them; `sections` says that `[…]` begins one, and that `:` is a sign too.
fn lines<'a>(text: &'a str, sections: bool, file: &Path) -> Result<Vec<Line<'a>>, Fault> {
    let (mut section, mut titles, mut found, mut start, mut open) = ("", vec![""], Vec::<Line<'_>>::new(), 0, false);
    for whole in text.split_inclusive('\n') {
        let (begin, bare) = (start, whole.trim_end_matches(['\n', '\r']));
        start += whole.len();
        let (word, before) = (bare.trim_start(), open);
        open = bare.ends_with('\\');
        if word.is_empty() || (word.starts_with(['#', ';']) && !before) {
            continue;
        }
        if let Some(title) =
            word.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')).filter(|_| sections)
        {
            section = title.trim();
            if titles.contains(&section) {
                return Err(at(text, begin, file, &format!("the section `{section}` stands there twice")));
            }
            titles.push(section);
            continue;
        }
        let indented = word.len() < bare.len();
        if let Some(last) = found.last_mut().filter(|_| before || (sections && indented)) {
            last.joined = true;
        }
        let signs: &[char] = if sections { &['=', ':'] } else { &['='] };
        let Some((left, right)) = bare.split_once(signs) else { continue };
        let offset = begin + (bare.len() - right.len());
        let sign = bare.get(left.len()..).and_then(|rest| rest.chars().next()).unwrap_or('=');
        let name = left.trim().trim_start_matches("export ").trim();
        found.push(Line { start: begin, section, name, sign, right, offset, indented, joined: before || open });
    }
    Ok(found)
}

/// What stands right of the sign of a name, and where it begins.
pub(super) struct Right<'a> {
    start: usize,
    pub(super) text: &'a str,
    pub(super) offset: usize,
}

/// The value of a name, in this section of an INI file, or (`None`) in a file without sections.
pub(super) fn find(
    text: &str,
    (section, name): (Option<&str>, &str),
    like: &Scalar,
    file: &Path,
) -> Result<Option<Spot>, Fault> {
    let Some(right) = right(text, (section, name), file)? else { return Ok(None) };
    match value(right.text, right.offset) {
        Ok((range, words)) => Ok(Some(Spot { value: Scalar::read(&words, like), range })),
        Err(what) => Err(at(text, right.start, file, &format!("`{name}` {what}"))),
    }
}

/// The one line of a name, as [`find`] looks for it, whatever its value is.
pub(super) fn right<'a>(
    text: &'a str,
    (section, name): (Option<&str>, &str),
    file: &Path,
) -> Result<Option<Right<'a>>, Fault> {
    let refused = |line: &Line<'_>, what: &str| Err(at(text, line.start, file, &format!("`{}` {what}", line.name)));
    let all = lines(text, section.is_some(), file)?;
    // Many programs take names of INI files in either case.
    let alike = |one: &Line<'_>, name: &str| {
        if section.is_some() { one.name.eq_ignore_ascii_case(name) } else { one.name == name }
    };
    for (index, line) in all.iter().enumerate() {
        if all.iter().take(index).any(|other| other.section == line.section && alike(other, line.name)) {
            return refused(line, "stands there twice");
        }
        // What follows such a quote is no line of its own to a shell, and one to us.
        if section.is_none() && is_open(line.right) {
            return refused(line, "has quotes that do not end on their line");
        }
    }
    let Some(line) = all.iter().find(|line| section.is_none_or(|here| here == line.section) && alike(line, name))
    else {
        return Ok(None);
    };
    if line.name != name {
        return refused(line, &format!("stands there, which some programs take for `{name}`"));
    }
    if line.sign != '=' {
        return refused(line, "is set by a colon: only `=` is edited here");
    }
    if line.joined || (line.indented && section.is_some()) {
        return refused(line, "is part of a value of several lines, or has one");
    }
    Ok(Some(Right { start: line.start, text: line.right, offset: line.offset }))
}

/// Whether an INI file has this section.
pub(super) fn has_section(text: &str, section: &str) -> bool {
    let title = |line: &str| line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::to_owned);
    text.lines().filter_map(title).any(|title| title.trim() == section)
}

/// The text with a name that is not there: at the end of its section, which is added at the end where there is none.
pub(super) fn add(text: &str, (section, name): (Option<&str>, &str), value: &Scalar) -> Result<String, Fault> {
    Ok(put(text, section, &format!("{name}={}", write(value, "")?)))
}

/// The text with a line more at the end of a section.
pub(super) fn put(text: &str, section: Option<&str>, line: &str) -> String {
    let line = line.to_owned();
    let Some(section) = section else { return put_in(text, text.len(), &[line]) };
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
    match place {
        Some(place) => put_in(text, place, &[line]),
        None => put_in(text, text.len(), &[format!("[{section}]"), line]),
    }
}

/// `section.name`, or a name before every section.
pub(super) fn section(key: &str) -> (Option<&str>, &str) {
    key.rsplit_once('.').map_or((Some(""), key), |(section, name)| (Some(section), name))
}

/// Whether a value begins with a quote, and where that ends.
enum Quoted {
    No,
    Open,
    Until(usize),
}

fn quoted(body: &str) -> Quoted {
    let Some(quote) = body.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Quoted::No };
    let escaped = |at: usize| quote == '"' && body.get(..at).is_some_and(odd_backslashes);
    let end = body.match_indices(quote).map(|(at, _)| at).skip(1).find(|at| !escaped(*at));
    end.map_or(Quoted::Open, Quoted::Until)
}

fn odd_backslashes(head: &str) -> bool {
    (head.len() - head.trim_end_matches('\\').len()) % 2 == 1
}

fn is_open(right: &str) -> bool {
    matches!(quoted(right.trim_start()), Quoted::Open)
}

/// The bytes of what stands right of the sign, without spaces and comment but with its quotes; and what that says.
fn value(right: &str, offset: usize) -> Result<(core::ops::Range<usize>, String), &'static str> {
    const PIECES: &str = "is put together of quoted and other pieces, which programs read in different ways";
    let body = right.trim_start();
    let from = offset + (right.len() - body.len());
    let comment = [" #", "\t#", " ;", "\t;"];
    let part = |to: usize| body.get(..to).unwrap_or(body);
    let (end, words) = match quoted(body) {
        Quoted::Open => return Err("has quotes that do not end"),
        Quoted::Until(end) => (end + 1, body.get(1..end).unwrap_or_default()),
        Quoted::No => {
            let end =
                part(comment.iter().filter_map(|mark| body.find(mark)).min().unwrap_or(body.len())).trim_end().len();
            (end, part(end))
        }
    };
    let rest = body.get(end..).unwrap_or_default();
    if !rest.trim().is_empty() && !comment.iter().any(|mark| rest.starts_with(mark)) {
        return Err(PIECES);
    }
    if words.contains('\\') {
        return Err("holds a backslash, which programs read in different ways");
    }
    if matches!(quoted(body), Quoted::No) && words.contains(['"', '\'']) {
        return Err(PIECES);
    }
    Ok((from..from + end, words.to_owned()))
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
