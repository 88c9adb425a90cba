//! A parsed piece of one of our own TOML files that still knows where it stands, so that whoever
//! reads it (a sampler kind, a pane kind) can report file, line, column and the nearest known name.

use super::{Clean, Fault};
use core::ops::Range;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Deserializer, ValueDeserializer};

/// A file's text, kept to turn byte offsets into lines and columns.
#[derive(Debug)]
struct Source {
    file: Clean,
    text: &'static str,
}

/// One table of a file.
#[derive(Clone, Debug)]
pub struct Body {
    table: Spanned<DeTable<'static>>,
    source: Arc<Source>,
    /// Keys that it may have as well, and that were taken out already.
    also: Vec<&'static str>,
}

/// What to put in the place of a text; `None` leaves it.
type Replace<'a> = dyn FnMut(&str) -> Result<Option<DeValue<'static>>, Fault> + 'a;

impl Body {
    /// Parses a whole file. `file` is the path as the user would type it.
    ///
    /// # Errors
    /// The first syntax error, placed.
    pub fn parse(file: impl AsRef<str>, text: &str) -> Result<Self, Fault> {
        // The parser's tables borrow their text. Our files are few, small and loaded once: they live for ever.
        let text: &'static str = Box::leak(text.into());
        let source = Arc::new(Source { file: Clean::text(file.as_ref()), text });
        match DeTable::parse(text) {
            Ok(table) => Ok(Self { table, source, also: Vec::new() }),
            Err(error) => Err(source.control().unwrap_or_else(|| source.place(&error, 0..0, &[]))),
        }
    }

    /// A table that is made here, as if somebody had written it.
    ///
    /// # Errors
    /// What cannot stand in a table.
    pub fn of(table: &impl serde::Serialize) -> Result<Self, Fault> {
        let made = toml::Table::try_from(table).map_err(|error| Fault::new(format!("this is no table: {error}.")))?;
        Self::parse("", &made.to_string())
    }

    /// Reads the whole table as `T`. Unknown keys are faults where `T` denies them.
    ///
    /// # Errors
    /// What is wrong, where, and the nearest known name.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        T::deserialize(Deserializer::from(self.table.clone())).map_err(|error| {
            // Of a table within this one no other keys are known than it says itself.
            let own = |span: Range<usize>| self.table.get_ref().keys().any(|key| key.span().start == span.start);
            let also: &[&str] = if error.span().is_some_and(own) { &self.also } else { &[] };
            self.source.place(&error, self.table.span(), also)
        })
    }

    /// The same table, with keys that it may have as well and that were taken out: for "did you mean".
    #[must_use]
    pub fn knowing(self, also: Vec<&'static str>) -> Self {
        Self { also, ..self }
    }

    /// Takes one key out and reads it; `None` when it is absent.
    ///
    /// # Errors
    /// As [`Body::read`].
    pub fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Fault> {
        self.take_value(key)
            .map(|value| {
                let span = value.span();
                T::deserialize(ValueDeserializer::from(value)).map_err(|error| self.source.place(&error, span, &[]))
            })
            .transpose()
    }

    /// Takes one key out and reads it; its absence is a fault that names the table.
    ///
    /// # Errors
    /// As [`Body::read`], and when the key is missing.
    pub fn need<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, Fault> {
        self.take(key)?.ok_or_else(|| self.fault(format!("`{key}` is missing here.")))
    }

    /// Takes a list of texts out, each with a fault without a sentence at its place.
    ///
    /// # Errors
    /// As [`Body::read`].
    pub fn take_texts(&mut self, key: &str) -> Result<Vec<(String, Fault)>, Fault> {
        let rows = self.take::<Vec<Spanned<String>>>(key)?.unwrap_or_default();
        let placed = |row: Spanned<String>| {
            let place = self.source.fault("", &row.span());
            (row.into_inner(), place)
        };
        Ok(rows.into_iter().map(placed).collect())
    }

    /// Takes a sub-table out; `None` when absent.
    ///
    /// # Errors
    /// When the key is there but is no table.
    pub fn take_table(&mut self, key: &str) -> Result<Option<Self>, Fault> {
        self.take_value(key).map(|value| self.child(key, value)).transpose()
    }

    /// Takes a table of tables out, as `(name, table)` in the order of the file.
    ///
    /// # Errors
    /// When a value is no table.
    pub fn take_tables(&mut self, key: &str) -> Result<Vec<(String, Self)>, Fault> {
        let Some(outer) = self.take_table(key)? else { return Ok(Vec::new()) };
        let mut rows: Vec<_> = outer.table.into_inner().into_iter().collect();
        rows.sort_by_key(|(name, _)| name.span().start);
        rows.into_iter()
            .map(|(name, value)| {
                let name = name.into_inner().into_owned();
                self.child(&name, value).map(|body| (name, body))
            })
            .collect()
    }

    /// Takes an array of tables out, in the order of the file.
    ///
    /// # Errors
    /// When it is no array, or an element is no table.
    pub fn take_array(&mut self, key: &str) -> Result<Vec<Self>, Fault> {
        let Some(value) = self.take_value(key) else { return Ok(Vec::new()) };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(rows) => rows.into_iter().map(|row| self.child(key, row)).collect(),
            other => Err(self
                .source
                .fault(format!("`{key}` is {}, expected `[[{key}]]` tables.", a(other.type_str())), &span)),
        }
    }

    /// Whether anything in it is kept elsewhere, as secrets are: `{ file = "…" }` or `{ env = "…" }`.
    pub fn refers(&self) -> bool {
        fn kept(value: &DeValue<'_>) -> bool {
            match value {
                DeValue::Table(rows) => {
                    let one =
                        rows.len() == 1 && rows.keys().any(|key| matches!(key.get_ref().as_ref(), "file" | "env"));
                    one || rows.values().any(|value| kept(value.get_ref()))
                }
                DeValue::Array(rows) => rows.iter().any(|value| kept(value.get_ref())),
                _ => false,
            }
        }
        self.table.get_ref().values().any(|value| kept(value.get_ref()))
    }

    /// Checks that no key is left.
    ///
    /// # Errors
    /// The first unknown key, with the nearest of `known`.
    pub fn done(&self, known: &[&str]) -> Result<(), Fault> {
        self.unknown(known).into_iter().next().map_or(Ok(()), Err)
    }

    /// A fault for every key that is left, each with the nearest of `known`.
    pub fn unknown(&self, known: &[&str]) -> Vec<Fault> {
        let unknown = self.rows().into_iter().map(|(key, _)| {
            let fault = self.source.fault(format!("unknown key `{}`.", key.get_ref()), &key.span());
            fault.hint(nearest(key.get_ref(), both(known, &self.also)))
        });
        unknown.collect()
    }

    /// The keys that are left, in the order of the file.
    pub fn keys(&self) -> Vec<String> {
        self.rows().into_iter().map(|(key, _)| key.get_ref().clone().into_owned()).collect()
    }

    /// A fault placed at the start of this table.
    pub fn fault(&self, what: impl AsRef<str>) -> Fault {
        self.source.fault(what, &self.table.span())
    }

    /// A fault placed at the value of `key` if it is still here, else at the table.
    pub fn fault_at(&self, key: &str, what: impl AsRef<str>) -> Fault {
        let span = self.table.get_ref().get(key).map_or_else(|| self.table.span(), Spanned::span);
        self.source.fault(what, &span)
    }

    /// The same fault at the value of `key`, unless it has a place already.
    pub fn placed(&self, key: &str, fault: Fault) -> Fault {
        Fault { at: fault.at.or_else(|| self.fault_at(key, "").at), ..fault }
    }

    /// A fault inside the text that `key` holds: placed at this line and column of the text where the file shows
    /// it as it is (no escapes before), else at the value.
    pub fn fault_in(&self, key: &str, (line, column): (u32, u32), what: impl AsRef<str>) -> Fault {
        let Some(span) = self.table.get_ref().get(key).map(Spanned::span) else { return self.fault(what) };
        let at = self.source.inside(span.clone(), line, column).unwrap_or(span.start);
        self.source.fault(what, &(at..at))
    }

    /// The same without the key at whose name or value `fault` stands; `None` where it stands at none.
    pub fn without(&self, fault: &Fault) -> Option<Self> {
        let at = fault.at.as_ref().map(|place| (place.line, place.column))?;
        let place = |byte: usize| self.source.place_of(byte);
        let stands = |(key, value): &(&Spanned<DeString<'static>>, &Spanned<DeValue<'static>>)| {
            (place(key.span().start)..place(value.span().end)).contains(&at)
        };
        let key = self.rows().into_iter().find(stands).map(|(key, _)| key.get_ref().clone().into_owned())?;
        let mut rest = self.clone();
        rest.take_value(&key).map(|_| rest)
    }

    /// Its rows in the order of the file, each with a fault without a sentence at its value.
    pub(super) fn into_values(self) -> Vec<(String, DeValue<'static>, Fault)> {
        let mut rows: Vec<_> = self.table.into_inner().into_iter().collect();
        rows.sort_by_key(|(name, _)| name.span().start);
        let place = |span: &Range<usize>| self.source.fault("", span);
        rows.into_iter()
            .map(|(name, value)| {
                let place = place(&value.span());
                (name.into_inner().into_owned(), value.into_inner(), place)
            })
            .collect()
    }

    /// Puts what `new` says in the place of each text in it, however deep. What it refuses is a fault at that text's
    /// place, and the text stays.
    pub(super) fn replace_texts(&mut self, new: &mut Replace<'_>) -> Vec<Fault> {
        fn walk(
            value: &mut Spanned<DeValue<'static>>,
            new: &mut Replace<'_>,
            source: &Source,
            faults: &mut Vec<Fault>,
        ) {
            let span = value.span();
            match value.get_mut() {
                DeValue::String(text) => match new(text) {
                    Ok(Some(put)) => *value.get_mut() = at(put, &span),
                    Ok(None) => {}
                    Err(fault) => faults.push(Fault { at: source.fault("", &span).at, ..fault }),
                },
                DeValue::Array(rows) => rows.iter_mut().for_each(|row| walk(row, new, source, faults)),
                DeValue::Table(rows) => rows.iter_mut().for_each(|(_, row)| walk(row, new, source, faults)),
                _ => {}
            }
        }
        /// What comes from another file is placed where it is put.
        fn at(value: DeValue<'static>, span: &Range<usize>) -> DeValue<'static> {
            let here = |row: Spanned<DeValue<'static>>| Spanned::new(span.clone(), at(row.into_inner(), span));
            match value {
                DeValue::Array(rows) => DeValue::Array(rows.into_iter().map(here).collect()),
                DeValue::Table(rows) => {
                    let key = |key: Spanned<DeString<'static>>| Spanned::new(span.clone(), key.into_inner());
                    DeValue::Table(rows.into_iter().map(|(name, row)| (key(name), here(row))).collect())
                }
                other => other,
            }
        }
        let mut faults = Vec::new();
        let mut rows: Vec<_> = self.table.get_mut().iter_mut().collect();
        rows.sort_by_key(|(key, _)| key.span().start);
        for (_, value) in rows {
            walk(value, new, &self.source, &mut faults);
        }
        faults
    }

    /// The file that this came from.
    pub fn file(&self) -> &Clean {
        &self.source.file
    }

    fn rows(&self) -> Vec<(&Spanned<DeString<'static>>, &Spanned<DeValue<'static>>)> {
        let mut rows: Vec<_> = self.table.get_ref().iter().collect();
        rows.sort_by_key(|(key, _)| key.span().start);
        rows
    }

    fn take_value(&mut self, key: &str) -> Option<Spanned<DeValue<'static>>> {
        self.table.get_mut().remove(key)
    }

    fn child(&self, key: &str, value: Spanned<DeValue<'static>>) -> Result<Self, Fault> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => {
                Ok(Self { table: Spanned::new(span, table), source: Arc::clone(&self.source), also: Vec::new() })
            }
            other => Err(self.source.fault(format!("`{key}` is {}, expected a table.", a(other.type_str())), &span)),
        }
    }
}

/// "did you mean": the nearest of the known names, or all of them when none is near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match near(name, &known) {
        Some(near) => format!("Did you mean `{near}`?"),
        None if known.is_empty() => "There is none.".to_owned(),
        None => format!("Known here: {}.", known.join(", ")),
    }
}

/// All names of two lists, each once.
fn both<'a>(first: &'a [&'a str], second: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    first.iter().chain(second.iter().filter(|name| !first.contains(name))).copied()
}

/// What was expected, as people say it.
fn in_words(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list: [ … ]",
        "a map" => "a table: { … }",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        _ if expected.starts_with("struct ") => "a table: { … }",
        _ => expected,
    }
}

/// The known name that was probably meant.
pub fn near<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // One slip of the finger is near in a short word too, where Jaro-Winkler does not see it.
    let score = |k: &str| strsim::jaro_winkler(name, k).max(if strsim::osa_distance(name, k) == 1 { 0.9 } else { 0.0 });
    let best = known.iter().map(|k| (score(k), *k)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.75).map(|(_, near)| near)
}

/// The known name that differs by a slip or two of the finger: for long names with much in common.
pub fn misspelt<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let slips = known.iter().map(|k| (strsim::osa_distance(name, k), *k));
    slips.filter(|(slips, _)| *slips <= 2 && name.len() > 4).min().map(|(_, near)| near)
}

/// The known name that differs by one slip of the finger, a long one by two: for words that may be something else too.
pub fn slipped<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let slip = |k: &&&str| strsim::osa_distance(name, k) <= if k.len() > 5 { 2 } else { 1 };
    known.iter().find(slip).copied()
}

fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

impl Source {
    fn fault(&self, what: impl AsRef<str>, span: &Range<usize>) -> Fault {
        let (line, column) = self.place_of(span.start);
        Fault::new(what).at(&self.file, line, column)
    }

    /// Line and column of a byte, from 1.
    fn place_of(&self, byte: usize) -> (u32, u32) {
        let before = self.text.get(..byte).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (small(line), small(column))
    }

    /// The byte of the file at this line and column of the text that is quoted in `span`.
    fn inside(&self, span: Range<usize>, line: u32, column: u32) -> Option<usize> {
        let quoted = self.text.get(span.clone())?;
        let triple = quoted.starts_with("\"\"\"") || quoted.starts_with("'''");
        let open = if triple { 3 } else { 1 };
        // The first line break after three quotes is not part of the text.
        let text = quoted.get(open..)?;
        let skipped = if triple { text.len() - text.strip_prefix('\n').unwrap_or(text).len() } else { 0 };
        let text = text.get(skipped..)?;
        let begin: usize =
            text.split_inclusive('\n').take(usize::try_from(line).ok()?.checked_sub(1)?).map(str::len).sum();
        let (within, _) = text.get(begin..)?.char_indices().nth(usize::try_from(column).ok()?.checked_sub(1)?)?;
        let escaped = quoted.starts_with('"') && text.get(..begin + within)?.contains('\\');
        (!escaped).then_some(span.start + open + skipped + begin + within)
    }

    /// Turns the parser's error into ours. Its `Display` would show source text, its message a text's value:
    /// either may be a secret.
    /// A control character as it stands in the text: TOML has none but tabs and ends of lines.
    fn control(&self) -> Option<Fault> {
        let odd = |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
        let (at, c) = self.text.char_indices().find(|(_, c)| odd(*c))?;
        let what = format!("a control character (U+{:04X}) stands here.", u32::from(c));
        Some(self.fault(what, &(at..at + c.len_utf8())).hint("Leave it out: no text of a profile needs one."))
    }

    fn place(&self, error: &toml::de::Error, whole: Range<usize>, also: &[&str]) -> Fault {
        let span = error.span().unwrap_or(whole);
        let message = error.message().trim_end_matches('.');
        if message == "duplicate key" {
            let key = self.text.get(span.clone()).unwrap_or_default();
            return self.fault(format!("`{key}` stands here for the second time."), &span);
        }
        if let Some((value, expected)) = message.rsplit_once(", expected ")
            && let Some(kind) =
                ["invalid type: string", "invalid value: string"].iter().find(|kind| value.starts_with(*kind))
        {
            return self.fault(format!("{kind}, expected {}.", in_words(expected)), &span);
        }
        let mut names = message.split('`').skip(1).step_by(2);
        if message.starts_with("unknown field") || message.starts_with("unknown variant") {
            let name = names.next().unwrap_or_default().to_owned();
            let noun = if message.starts_with("unknown field") { "key" } else { "value" };
            let known: Vec<&str> = names.collect();
            let also = if noun == "key" { also } else { &[] };
            return self.fault(format!("unknown {noun} `{name}`."), &span).hint(nearest(&name, both(&known, also)));
        }
        if let Some((value, expected)) = message.rsplit_once(", expected ").filter(|(value, _)| value.contains("type"))
        {
            return self.fault(format!("{value}, expected {}.", in_words(expected)), &span);
        }
        self.fault(format!("{message}."), &span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Http {
        #[expect(dead_code, reason = "only its place matters here")]
        url: String,
    }

    fn fault(text: &str) -> String {
        let body = Body::parse("p.toml", text).and_then(|mut body| {
            let table = body.take_tables("samplers")?;
            table.into_iter().try_for_each(|(_, body)| body.read::<Http>().map(drop))
        });
        body.err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_fault_says_where_and_what_was_meant() {
        assert_eq!(fault("[samplers.a]\nurk = \"x\"\n"), "p.toml:2:1: unknown key `urk`. Did you mean `url`?");
        assert_eq!(fault("[samplers.a]\nurl = 5\n"), "p.toml:2:7: invalid type: integer `5`, expected a string.");
        assert_eq!(
            fault("[samplers.a]\nurl = \"x\"\n[samplers.a]\n"),
            "p.toml:3:11: `a` stands here for the second time."
        );
        assert_eq!(fault("[samplers]\na = 5\n"), "p.toml:2:5: `a` is an integer, expected a table.");
        assert!(fault("[samplers.a\n").starts_with("p.toml:1:12: "), "{}", fault("[samplers.a\n"));
    }

    #[test]
    fn a_fault_inside_a_text_stands_where_the_file_shows_it() {
        let at = |text: &str, place| {
            let body = Body::parse("p.toml", text).expect("parses");
            body.fault_in("q", place, "x").at.map(|place| (place.line, place.column))
        };
        assert_eq!(at("q = 'sum(x'", (1, 6)), Some((1, 11)));
        assert_eq!(at("q = \"sum(µ) by\"", (1, 8)), Some((1, 13)));
        assert_eq!(at("a = 1\nq = '''\nsum(\n  rate(x))'''", (2, 3)), Some((4, 3)));
        assert_eq!(at("q = \"x{a=\\\"b\\\"} +\"", (1, 9)), Some((1, 5)), "escapes are not counted");
        assert_eq!(at("q = 'x'", (1, 9)), Some((1, 5)), "no such column");
        assert_eq!(at("b = 'x'", (1, 1)), Some((1, 1)));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_shown() {
        let mut body = Body::parse("p.toml", "password = 'hunter2, expected \"'\n").expect("parses");
        let fault = body.take::<u16>("password").expect_err("no number").to_string();
        assert_eq!(fault, "p.toml:1:12: invalid type: string, expected a whole number, 0 or more.");
    }

    #[test]
    fn rows_keep_the_order_of_the_file() {
        let mut body = Body::parse("p.toml", "[s.b]\n[s.a]\n[s.c]\n").expect("parses");
        let names: Vec<String> = body.take_tables("s").expect("tables").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a", "c"]);
    }
}
