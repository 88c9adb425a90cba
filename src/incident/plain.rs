//! Text for files that are safe to `cat`: plain ASCII (safety.md 4.1), and lines that keep to a width.

use core::fmt::Write as _;

/// What has a usual spelling in ASCII.
const SPELLED: &[(char, &str)] = &[
    ('µ', "u"),
    ('μ', "u"),
    ('°', "deg "),
    ('→', "->"),
    ('±', "+-"),
    ('…', "..."),
    ('–', "-"),
    ('—', "-"),
    ('×', "x"),
    ('“', "\""),
    ('”', "\""),
    ('’', "'"),
    ('‘', "'"),
];

/// The same text in plain ASCII: signs by their usual spelling, anything else outside 0x20–0x7E as `\uXXXX`.
pub fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            _ => match SPELLED.iter().find(|(known, _)| *known == c) {
                Some((_, spelled)) => out.push_str(spelled),
                None => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a String cannot fail.
                        let _infallible = write!(out, "\\u{unit:04x}");
                    }
                }
            },
        }
    }
    out
}

/// ASCII text in at most `width` characters; two dots stand for what is left out.
pub fn fit(text: &str, width: usize) -> String {
    if text.len() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{}..", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn signs_are_spelled_and_the_rest_is_visible() {
        for (text, plain) in [
            ("14.2 µs → 7.3 µs", "14.2 us -> 7.3 us"),
            ("71 °C … ±3", "71 deg C ... +-3"),
            ("Zürich 👩", "Z\\u00fcrich \\ud83d\\udc69"),
            ("\u{1b}[2J", "\\u001b[2J"),
        ] {
            assert_eq!(ascii(text), plain);
        }
        assert_eq!(fit("a long sentence", 9), "a long..");
        assert_eq!(fit("short", 5), "short");
    }

    proptest! {
        #[test]
        fn nothing_but_plain_ascii_comes_out(text in any::<String>(), width in 2_usize..90) {
            let plain = ascii(&text);
            prop_assert!(plain.bytes().all(|byte| matches!(byte, 0x20..=0x7E)));
            prop_assert!(fit(&plain, width).len() <= width);
        }
    }
}
