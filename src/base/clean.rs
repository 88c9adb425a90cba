//! Foreign text made safe to show, by type (safety.md 4.1): only `Clean` and `&'static str` reach a screen.
//! What is removed is replaced by a visible mark; nothing vanishes without a trace.

use core::fmt;
use std::sync::Arc;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A stored line is never longer; the rest is counted.
pub const LINE_LIMIT: usize = 16 * 1024;
/// A cluster of more bytes has no place in a cell of the screen.
const CELL: usize = 32;
/// Combining marks kept on one base character.
const MARKS: usize = 8;
const TAB: usize = 8;

/// Text that holds no control, reordering, invisible or private character, on one line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Clean(Arc<str>);

/// What may stay.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Text,
    Identifier,
}

impl Clean {
    /// One line of text: a line feed and what follows it become visible.
    pub fn text(raw: impl AsRef<[u8]>) -> Self {
        let raw = raw.as_ref();
        if raw.len() <= LINE_LIMIT && raw.iter().all(|byte| matches!(byte, 0x20..0x7F)) {
            // Printable ASCII needs no work, and is nearly everything.
            return Self(core::str::from_utf8(raw).unwrap_or_default().into());
        }
        Self(clean(raw, Policy::Text).into())
    }

    /// One line of text of which only the beginning is at hand: says how many bytes more there were.
    pub fn cut(raw: impl AsRef<[u8]>, more: usize) -> Self {
        let raw = raw.as_ref();
        if more == 0 {
            return Self::text(raw);
        }
        let kept = raw.get(..LINE_LIMIT).unwrap_or(raw);
        let mut out = clean(kept, Policy::Text);
        push(&mut out, format_args!("<+{} bytes>", raw.len() - kept.len() + more));
        Self(out.into())
    }

    /// A name that a person must be able to tell from any other: `[A-Za-z0-9._:@/-]`, the rest escaped.
    /// The second value is true when something had to be escaped: then the danger of acting on it rises.
    pub fn identifier(raw: impl AsRef<[u8]>) -> (Self, bool) {
        let text = clean(raw.as_ref(), Policy::Identifier);
        let escaped = text.as_bytes() != raw.as_ref();
        (Self(text.into()), escaped)
    }

    /// Every line of a text, each clean.
    pub fn lines(raw: impl AsRef<[u8]>) -> Vec<Self> {
        let raw = raw.as_ref();
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        raw.split(|byte| *byte == b'\n').map(|line| Self::text(line.strip_suffix(b"\r").unwrap_or(line))).collect()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Two clean texts in a row are clean.
    #[must_use]
    pub fn join(&self, between: &'static str, other: &Self) -> Self {
        Self::text(format!("{}{between}{}", self.0, other.0))
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for Clean {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl core::borrow::Borrow<str> for Clean {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Clean {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl serde::Serialize for Clean {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Clean {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(from).map(|text| Self::text(text.as_bytes()))
    }
}

/// Builds a [`Clean`] like `format!`; whatever goes in comes out clean.
#[macro_export]
macro_rules! clean {
    ($($arg:tt)*) => { $crate::base::Clean::text(format!($($arg)*)) };
}

fn clean(raw: &[u8], policy: Policy) -> String {
    let kept = raw.get(..LINE_LIMIT).unwrap_or(raw);
    let mut out = String::with_capacity(kept.len() + 16);
    let mut column = 0;
    for chunk in kept.utf8_chunks() {
        for grapheme in chunk.valid().graphemes(true) {
            push_grapheme(&mut out, grapheme, policy, &mut column);
        }
        for byte in chunk.invalid() {
            column += push(&mut out, format_args!("\\x{byte:02X}"));
        }
    }
    if policy == Policy::Text {
        out = spell_out_odd(out);
    }
    if raw.len() > kept.len() {
        push(&mut out, format_args!("<+{} bytes>", raw.len() - kept.len()));
    }
    out
}

/// What no terminal shows in one or two columns (a mark without a base, a cluster of many) is spelled out.
fn spell_out_odd(text: String) -> String {
    let odd = |grapheme: &str| !grapheme.is_ascii() && (!matches!(grapheme.width(), 1..=2) || grapheme.len() > CELL);
    if !text.graphemes(true).any(odd) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for grapheme in text.graphemes(true) {
        if odd(grapheme) {
            for c in grapheme.chars() {
                push(&mut out, format_args!("<U+{:04X}>", u32::from(c)));
            }
        } else {
            out.push_str(grapheme);
        }
    }
    out
}

fn push(out: &mut String, text: fmt::Arguments<'_>) -> usize {
    let before = out.len();
    // Writing to a String cannot fail.
    let _infallible = fmt::Write::write_fmt(out, text);
    out.len() - before
}

fn push_grapheme(out: &mut String, grapheme: &str, policy: Policy, column: &mut usize) {
    let emoji = policy == Policy::Text && is_emoji_sequence(grapheme);
    let mut marks = 0;
    let mut dropped = 0;
    for c in grapheme.chars() {
        if policy == Policy::Identifier {
            *column += match c {
                'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | ':' | '@' | '/' | '-' => push(out, format_args!("{c}")),
                other => push(out, format_args!("<U+{:04X}>", u32::from(other))),
            };
            continue;
        }
        let is_mark = is_combining(c);
        if is_mark && marks == MARKS {
            dropped += 1;
            continue;
        }
        marks += usize::from(is_mark);
        *column += match c {
            '\t' => push(out, format_args!("{:1$}", "", TAB - *column % TAB)),
            '\u{0}'..='\u{1F}' => {
                out.push(char::from_u32(u32::from(c) + 0x2400).unwrap_or('?'));
                1
            }
            '\u{7F}' => {
                out.push('␡');
                1
            }
            '\u{80}'..='\u{9F}' => push(out, format_args!("<{:02X}>", u32::from(c))),
            '\u{200D}' | '\u{FE0F}' if emoji => {
                out.push(c);
                0
            }
            other if is_hidden(other) => push(out, format_args!("<U+{:04X}>", u32::from(other))),
            other => {
                out.push(other);
                other.width().unwrap_or(0)
            }
        };
    }
    if dropped > 0 {
        *column += push(out, format_args!("<+{dropped}>"));
    }
}

/// Characters that reorder, hide, or have no agreed meaning.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FDD0}'..='\u{FDEF}' | '\u{E000}'..='\u{F8FF}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..='\u{10FFFF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

fn is_combining(c: char) -> bool {
    c.width() == Some(0) && !c.is_control() && !is_hidden(c)
}

/// A sequence whose base is a pictograph: there a joiner and a variation selector belong.
/// At most eight characters: longer ones are shown with their joiners visible.
fn is_emoji_sequence(grapheme: &str) -> bool {
    let mut chars = grapheme.chars();
    let pictograph = |c: char| matches!(c, '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{2190}'..='\u{21FF}' | '\u{2B00}'..='\u{2BFF}');
    let allowed = |c: char| pictograph(c) || matches!(c, '\u{200D}' | '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
    chars.next().is_some_and(pictograph) && grapheme.chars().count() <= 8 && chars.all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn harmless(text: &str) -> bool {
        text.chars().all(|c| !c.is_control() && (!is_hidden(c) || matches!(c, '\u{200D}' | '\u{FE0F}')))
    }

    #[test]
    fn each_hostile_kind_becomes_visible() {
        for (raw, shown) in [
            (&b"plain text"[..], "plain text"),
            (b"\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
            (b"ok\rFAKE", "ok␍FAKE"),
            (b"a\tb", "a       b"),
            (b"\xff\xfe", "\\xFF\\xFE"),
            ("\u{9b}31m".as_bytes(), "<9B>31m"),
            ("web1\u{202e}".as_bytes(), "web1<U+202E>"),
            ("a\u{200b}b".as_bytes(), "a<U+200B>b"),
            ("\u{e0041}".as_bytes(), "<U+E0041>"),
            ("a\u{200d}b".as_bytes(), "a<U+200D>b"),
            ("👩\u{200d}💻".as_bytes(), "👩\u{200d}💻"),
            (b"two\nlines", "two␊lines"),
            ("\u{301}x".as_bytes(), "<U+0301>x"),
            ("\u{11052}\u{bc7}\u{11302}".as_bytes(), "<U+11052><U+0BC7><U+11302>"),
        ] {
            assert_eq!(Clean::text(raw).as_str(), shown);
        }
    }

    #[test]
    fn a_tower_of_marks_is_cut_and_counted() {
        let tower: String = core::iter::once('a').chain(core::iter::repeat_n('\u{301}', 5_000)).collect();
        assert_eq!(Clean::text(&tower).as_str(), format!("a{}<+4992>", "\u{301}".repeat(8)));
    }

    #[test]
    fn a_long_line_is_cut_and_counted() {
        let line = "x".repeat(LINE_LIMIT + 7);
        assert!(Clean::text(&line).as_str().ends_with("x<+7 bytes>"));
    }

    #[test]
    fn identifiers_differ_on_screen_whenever_their_bytes_differ() {
        let (shown, escaped) = Clean::identifier("wеb1"); // the e is Cyrillic
        assert_eq!((shown.as_str(), escaped), ("w<U+0435>b1", true));
        assert_eq!(Clean::identifier("db1/orders.mdb"), (Clean::text("db1/orders.mdb"), false));
    }

    proptest! {
        #[test]
        fn nothing_harmful_survives_and_cleaning_twice_changes_nothing(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let once = Clean::text(&raw);
            prop_assert!(harmless(once.as_str()));
            prop_assert_eq!(Clean::text(once.as_str()), once);
        }

        #[test]
        fn nothing_harmful_survives_any_characters(raw in any::<String>()) {
            prop_assert!(harmless(Clean::text(&raw).as_str()));
            prop_assert!(Clean::identifier(&raw).0.as_str().is_ascii());
        }
    }
}
