//! A page of metrics that is read again and again: its lines are the same as the last time but for their values. So
//! long as that holds only numbers are read, and every series keeps the key it has, without a new text.

use crate::base::{Point, PointKind, SeriesKey};
use crate::samplers::scrape::text::{self, Page, lines};

/// Reads the pages of one source.
#[derive(Debug, Default)]
pub struct Reader {
    known: Vec<Known>,
}

/// A line of the last page.
#[derive(Debug)]
enum Known {
    /// `# TYPE …`, whole.
    Type(Box<[u8]>),
    /// Name and labels as they stand there.
    Series(Box<[u8]>, SeriesKey, PointKind),
}

impl Reader {
    /// As [`text::parse`].
    pub fn read(&mut self, page: &[u8], limit: usize) -> Page {
        self.again(page, limit).unwrap_or_else(|| self.anew(page, limit))
    }

    fn anew(&mut self, page: &[u8], limit: usize) -> Page {
        let known = &mut self.known;
        known.clear();
        text::read(page, limit, &mut |line, point| {
            known.push(match point {
                None => Known::Type(line.into()),
                Some(point) => Known::Series(line.into(), point.key.clone(), point.kind),
            });
        })
    }

    /// `None` at the first line that is another than the last time, and for a page that has a line amiss.
    fn again(&self, page: &[u8], limit: usize) -> Option<Page> {
        let mut out = Page { points: Vec::with_capacity(self.known.len()), ..Page::default() };
        let mut known = self.known.iter();
        for line in lines(page) {
            match line.strip_prefix(b"#") {
                Some(comment) if comment.starts_with(b" HELP ") => {}
                Some(comment) if comment.trim_ascii() == b"EOF" => {
                    out.whole = true;
                    break;
                }
                Some(comment) if comment.trim_ascii_start().starts_with(b"TYPE") => match known.next()? {
                    Known::Type(same) if **same == *line => {}
                    _ => return None,
                },
                Some(_) => {}
                None if line.is_empty() => {}
                None if out.points.len() >= limit => out.over += 1,
                None => {
                    let Known::Series(head, key, kind) = known.next()? else { return None };
                    let rest =
                        line.strip_prefix(&**head).filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))?;
                    let value = text::value(rest)?;
                    out.points.push(Point { key: key.clone(), value, kind: *kind });
                }
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_with_new_values_is_read_by_its_memory_and_any_other_change_anew() {
        let mut reader = Reader::default();
        let first = "# HELP a x\n# TYPE a counter\na{b=\"c\"} 1\na{b=\"d\"} 2\n# TYPE e gauge\ne 3\n";
        assert_eq!(reader.read(first.as_bytes(), 10), text::parse(first.as_bytes(), 10));
        let key = |page: &Page| page.points.first().map(|point| point.key.labels.as_ptr());
        let values =
            "# HELP a y\n# TYPE a counter\na{b=\"c\"} 7\na{b=\"d\"}  NaN 123\n# TYPE e gauge\ne -1e3 # {} 1\n# EOF\n";
        let (page, again) = (reader.read(values.as_bytes(), 10), reader.again(values.as_bytes(), 10));
        assert_eq!((key(&page), page.points.len(), page.whole), (again.as_ref().and_then(key), 3, true));
        for changed in [
            first.replace("counter", "gauge"),
            first.replace("\"d\"", "\"x\""),
            first.replace("e 3", "ee 3"),
            first.replace("e 3", "e three"),
            first.replace("e 3", "e 3 now"),
            first.replace("a{b=\"c\"} 1\n", ""),
            format!("{first}f 1\n"),
        ] {
            assert!(reader.again(changed.as_bytes(), 10).is_none(), "{changed}");
        }
        assert_eq!(reader.read(first.as_bytes(), 2), text::parse(first.as_bytes(), 2));
    }

    proptest! {
        #[test]
        fn what_is_read_by_memory_is_what_is_read_anew(
            pages in proptest::collection::vec("(# TYPE a (counter|gauge)\n|(a|b|a_total)(\\{c=\"d?\"\\})? [0-9]x?( 5)?\n){0,4}", 1..6)
        ) {
            let mut reader = Reader::default();
            for page in &pages {
                for limit in [10, 2] {
                    prop_assert_eq!(reader.read(page.as_bytes(), limit), text::parse(page.as_bytes(), limit));
                    prop_assert_eq!(reader.read(page.as_bytes(), limit), text::parse(page.as_bytes(), limit));
                }
            }
        }
    }
}
