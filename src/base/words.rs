//! Numbers that stand for states, as words: `{ 0 = "closed", 1 = "open" }`.

use super::Clean;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A word for each number that has one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Clean>")]
pub struct Words(Arc<[(f64, Clean)]>);

impl TryFrom<BTreeMap<String, Clean>> for Words {
    type Error = String;

    fn try_from(map: BTreeMap<String, Clean>) -> Result<Self, Self::Error> {
        let read = |(number, word): (String, Clean)| match number.parse::<f64>() {
            Ok(number) if number.is_finite() && !word.as_str().trim().is_empty() => Ok((number, word)),
            _ => Err(format!("`{}` has no number, or no word: write 0 = \"closed\"", Clean::text(&number))),
        };
        map.into_iter().map(read).collect::<Result<Vec<_>, _>>().map(|all| Self(all.into()))
    }
}

impl Words {
    /// The word for exactly this number.
    #[expect(clippy::float_cmp, reason = "a state is a number as it was written")]
    pub fn of(&self, value: f64) -> Option<&Clean> {
        self.0.iter().find(|(number, _)| *number == value).map(|(_, word)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_word_and_what_is_none_is_refused() {
        let read = |text: &str| toml::from_str::<BTreeMap<String, Clean>>(text).map(Words::try_from).expect("TOML");
        let words = read("0 = \"closed\"\n1 = \"open\"\n\"2.5\" = \"half-open\"").expect("words");
        let of = |value: f64| words.of(value).map(Clean::as_str);
        assert_eq!((of(0.0), of(1.0), of(2.5), of(3.0)), (Some("closed"), Some("open"), Some("half-open"), None));
        assert_eq!(of(f64::NAN), None);
        for wrong in ["on = \"open\"", "nan = \"x\"", "1 = \" \""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
