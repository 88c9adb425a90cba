//! Lengths of time as files spell them.

use core::time::Duration;
use jiff::fmt::friendly::SpanParser;
use std::borrow::Cow;

/// A length of time in a file: `1s`, `800ms`, `1m 30s`, `2 hours`. Never negative; days and longer are refused,
/// since their length varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lasting(pub Duration);

impl Lasting {
    /// Reads one; `None` when the text is no length of time.
    pub fn parse(text: &str) -> Option<Self> {
        static PARSER: SpanParser = SpanParser::new();
        PARSER.parse_unsigned_duration(text).ok().map(Self)
    }
}

impl<'de> serde::Deserialize<'de> for Lasting {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("not a length of time: write it like `1s`, `800ms` or `1m 30s`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_times_in_many_ways() {
        for (text, milliseconds) in
            [("1s", 1_000), ("800ms", 800), ("1m 30s", 90_000), ("1m30s", 90_000), ("2 hours", 7_200_000)]
        {
            assert_eq!(Lasting::parse(text), Some(Lasting(Duration::from_millis(milliseconds))), "{text}");
        }
        for wrong in ["", "1", "PT5S", "fast", "-1s", "1 day", "1s ago"] {
            assert_eq!(Lasting::parse(wrong), None, "{wrong}");
        }
    }
}
