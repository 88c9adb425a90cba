//! Lengths of time as files spell them.

use core::fmt;
use core::time::Duration;
use jiff::fmt::friendly::SpanParser;

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
        from.deserialize_str(AText)
    }
}

/// Reads one, and says how it is written where something else stands.
struct AText;

impl serde::de::Visitor<'_> for AText {
    type Value = Lasting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time in quotes, for example \"5s\" or \"1m 30s\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Lasting, E> {
        Lasting::parse(text).ok_or_else(|| E::custom("not a length of time: write it like `1s`, `800ms` or `1m 30s`"))
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
