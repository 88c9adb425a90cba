//! Rows of a CSV text (RFC 4180) that may be cut at both ends: quotes, doubled quotes, line breaks within quotes.
//! A row counts when its line has ended, since the last one may be half written. Pure.

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
