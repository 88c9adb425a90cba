//! Rows of a CSV text (RFC 4180) that may be cut at both ends: quotes, doubled quotes, line breaks within quotes.
//! A row counts when its line has ended, since the last one may be half written. What a profile takes of one. Pure.

use crate::base::{Body, Clean, Fault, Observation};
use crate::clean;
use crate::samplers::look::Content;
use crate::samplers::pick::{Wanted, plain_number};
use serde::Deserialize;
use serde_json::Value;

/// Which row is taken.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    #[default]
    Last,
    First,
}

/// One row of a `csv = […]` list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cell {
    column: Column,
    fact: Option<String>,
    metric: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a column is its number from 1, or its name in the head of the table")]
enum Column {
    /// From 1.
    Number(usize),
    /// By the head of the table.
    Name(String),
}

impl core::fmt::Display for Column {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

impl Cell {
    /// The metrics that cells name.
    pub(crate) fn metrics(cells: Vec<Self>) -> impl Iterator<Item = String> {
        cells.into_iter().filter_map(|cell| cell.metric)
    }
}

/// What is taken of a table.
pub(crate) struct Table {
    cells: Vec<(Column, Wanted)>,
    which: Which,
}

impl Table {
    /// Checks the rows of `csv`.
    pub(crate) fn check(body: &Body, cells: Vec<Cell>, which: Which) -> Result<Self, Fault> {
        let check = |cell: Cell| {
            if matches!(cell.column, Column::Number(0)) {
                return Err(body.fault_at("csv", "columns count from 1."));
            }
            let wanted = Wanted::check(body, "csv", &cell.column.to_string(), cell.fact, cell.metric)?;
            Ok((cell.column, wanted))
        };
        cells.into_iter().map(check).collect::<Result<_, _>>().map(|cells| Self { cells, which })
    }

    /// Takes the cells out of a table of `place`.
    ///
    /// # Errors
    /// There is no row, as the end of a sentence.
    pub(crate) fn take(
        &self,
        content: &Content,
        place: &Clean,
        labels: &[(&str, &str)],
        seen: &mut Observation,
    ) -> Result<(), &'static str> {
        let headed = self.cells.iter().any(|(column, _)| matches!(column, Column::Name(_)));
        let (mut head, mut first, mut last) = (None, None, None);
        rows(&content.head, b',', |row| match (&head, &first) {
            (None, _) if headed => head = Some(row),
            (_, None) => first = Some(row),
            _ => last = Some(row),
        });
        if let (Some(tail), Which::Last) = (&content.tail, self.which) {
            // Its first line began before it.
            let begin = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1);
            rows(tail.get(begin..).unwrap_or_default(), b',', |row| last = Some(row));
        }
        let row = if self.which == Which::First { first } else { last.or(first) };
        let row = row.ok_or("holds no row that ends with a line break")?;
        for (column, wanted) in &self.cells {
            let at = match column {
                Column::Number(number) => number.checked_sub(1),
                Column::Name(name) => {
                    let named = |field: &Vec<u8>| field.trim_ascii() == name.as_bytes();
                    head.as_ref().and_then(|head: &Vec<Vec<u8>>| head.iter().position(named))
                }
            };
            let field = at.and_then(|at| row.get(at));
            let value = field.map(|field| match (wanted, plain_number(field)) {
                (Wanted::Metric(_), Some(number)) => Value::from(number),
                _ => Value::from(String::from_utf8_lossy(field.trim_ascii()).into_owned()),
            });
            wanted.put(value.as_ref(), labels, clean!("{place} has no number in column {column}"), seen);
        }
        Ok(())
    }
}

/// Calls `each` with the fields of every ended row, in order; a row that is blank is none.
pub(crate) fn rows(text: &[u8], separator: u8, mut each: impl FnMut(Vec<Vec<u8>>)) {
    let (mut row, mut field, mut quoted, mut fresh) = (Vec::new(), Vec::new(), false, true);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                field.push(b'"');
                bytes.next();
            }
            b'"' if quoted => quoted = false,
            b'"' if fresh => (quoted, fresh) = (true, false),
            _ if quoted => field.push(byte),
            b'\n' => {
                if field.last() == Some(&b'\r') {
                    field.pop();
                }
                row.push(core::mem::take(&mut field));
                let row = core::mem::take(&mut row);
                fresh = true;
                if row.iter().any(|field| !field.is_empty()) {
                    each(row);
                }
            }
            _ if byte == separator => {
                row.push(core::mem::take(&mut field));
                fresh = true;
            }
            _ => {
                field.push(byte);
                fresh = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        rows(text.as_bytes(), b',', |row| {
            all.push(row.into_iter().map(|field| String::from_utf8_lossy(&field).into_owned()).collect());
        });
        all
    }

    #[test]
    fn quotes_and_line_breaks_are_read_and_a_half_row_is_not() {
        assert_eq!(read("a,b\r\n\n\"1,\"\"x\"\"\n\",2\n3,4"), [["a", "b"], ["1,\"x\"\n", "2"]]);
        assert_eq!(read("a,\n,b\n"), [["a", ""], ["", "b"]]);
        assert_eq!(read("5\" pipe,1\n"), [["5\" pipe", "1"]]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(table in proptest::collection::vec(proptest::collection::vec("[a,\"\r\n ]{0,4}x", 1..4), 0..4)) {
            let line = |row: &Vec<String>| {
                let quoted = row.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
                quoted.collect::<Vec<_>>().join(",") + "\n"
            };
            prop_assert_eq!(read(&table.iter().map(line).collect::<String>()), table);
        }

        #[test]
        fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            rows(&text, b';', drop);
        }
    }
}
