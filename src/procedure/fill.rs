//! Words of a text that facts stand for: on paper they stay as they are written, on the screen the fact stands there.

use super::document::{Fill, Item, Live};
use crate::base::Clean;

/// A fact that is longer is no name.
const LONGEST: usize = 64;

impl Fill {
    /// Whether the word stands in an item's text.
    pub(super) fn is_in(&self, item: &Item) -> bool {
        let word = self.word.as_str();
        let commands = if let Live::Command(lines) = &item.live { lines.as_slice() } else { &[] };
        let expected = if let Live::Challenge(expected) = &item.live { expected.as_ref() } else { None };
        let mut texts = item.prose.iter().chain(commands).chain(expected).chain([&item.title]);
        texts.any(|text| places(text.as_str(), word).next().is_some())
    }

    /// Whether a fact may stand for it: a name that cannot be taken for another one, nor for an option or a command.
    ///
    /// # Errors
    /// Why not, as the end of a sentence.
    pub fn may(value: &Clean) -> Result<(), &'static str> {
        let text = value.as_str();
        match () {
            () if text.is_empty() => Err("is empty"),
            () if text.len() > LONGEST => Err("is too long for a name"),
            () if text.starts_with('-') => Err("begins like an option"),
            () if Clean::identifier(text).1 => Err("holds unusual characters"),
            () => Ok(()),
        }
    }

    /// The text with this value for the word.
    pub fn put(&self, text: &Clean, value: &Clean) -> Clean {
        let (word, whole) = (self.word.as_str(), text.as_str());
        let (mut out, mut from) = (String::new(), 0);
        for at in places(whole, word) {
            out.push_str(whole.get(from..at).unwrap_or_default());
            out.push_str(value.as_str());
            from = at + word.len();
        }
        if from == 0 && out.is_empty() {
            return text.clone();
        }
        out.push_str(whole.get(from..).unwrap_or_default());
        Clean::text(out)
    }
}

/// Where the word stands by itself: not inside of a longer one.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !inside(before) && !inside(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, value: &str) -> String {
        let fill = Fill { word: "NAME".into(), sampler: "logs".into(), fact: "module".into() };
        fill.put(&Clean::text(text), &Clean::text(value)).to_string()
    }

    #[test]
    fn a_word_is_filled_in_where_it_stands_by_itself() {
        assert_eq!(
            put("add(\"NAME\") # NAME, not FILENAME, NAME_2 or NAMES", "ccxt"),
            "add(\"ccxt\") # ccxt, not FILENAME, NAME_2 or NAMES"
        );
        assert_eq!(put("NAME", "x.y"), "x.y");
        assert_eq!(put("nothing", "x"), "nothing");
    }

    #[test]
    fn only_a_plain_name_may_be_filled_in() {
        let may = |text: &str| Fill::may(&Clean::text(text));
        assert_eq!((may("ccxt"), may("yaml.reader")), (Ok(()), Ok(())));
        for bad in ["", "-e", "x\"); run(`id`); (\"", "a b", "na\u{ef}ve", "x\ny", &"x".repeat(65)] {
            assert!(may(bad).is_err(), "{bad}");
        }
    }
}
