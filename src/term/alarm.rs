//! The bell and a desktop notification: BEL, OSC 9 (iTerm2's, after ConEmu) and OSC 777 `notify` (urxvt's). What is
//! said passes the same second gate as every cell, and cannot end its sequence or split its fields.

use super::caps::{Caps, Popup};
use super::gate;
use crate::base::Clean;

/// The title of a notification, and what begins its text: `OSC 9;4` and the like mean something else in ConEmu.
const TITLE: &str = "Watchkeeper";
/// Longest text, in bytes: a notification is a headline.
const LIMIT: usize = 240;

/// Appends the sequences of one alarm; returns how many characters the gate has refused.
pub(super) fn ring(text: &Clean, caps: Caps, out: &mut Vec<u8>) -> u64 {
    out.push(0x07);
    let (text, refused) = admit(text, caps.utf8);
    if matches!(caps.popup, Popup::Osc9 | Popup::Both) {
        out.extend_from_slice(format!("\x1b]9;{TITLE}: {text}\x1b\\").as_bytes());
    }
    if matches!(caps.popup, Popup::Osc777 | Popup::Both) {
        out.extend_from_slice(format!("\x1b]777;notify;{TITLE};{text}\x1b\\").as_bytes());
    }
    refused
}

/// Character by character: a semicolon separates fields, and what the locale cannot show would be noise.
fn admit(text: &Clean, utf8: bool) -> (String, u64) {
    let (mut shown, mut refused) = (String::new(), 0);
    for c in text.as_str().chars() {
        let c = match c {
            ';' => ',',
            c if !gate::is_plain(c) => {
                // A joiner inside an emoji is clean text; notifications do without.
                refused += u64::from(!matches!(c, '\u{200D}' | '\u{FE0F}'));
                '?'
            }
            c if !utf8 && !c.is_ascii() => '?',
            c => c,
        };
        if shown.len() + c.len_utf8() > LIMIT {
            shown.push_str("...");
            break;
        }
        shown.push(c);
    }
    (shown, refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::caps::Depth;
    use proptest::prelude::*;

    fn rung(text: &Clean, popup: Popup, utf8: bool) -> String {
        let mut out = Vec::new();
        let caps = Caps { depth: Depth::None, utf8, dumb: false, multiplexer: false, popup };
        assert_eq!(ring(text, caps, &mut out), 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_terminal_gets_what_it_understands() {
        let text = "CRITICAL: GPU memory; act".into();
        assert_eq!(rung(&text, Popup::None, true), "\x07");
        assert_eq!(rung(&text, Popup::Osc9, true), "\x07\x1b]9;Watchkeeper: CRITICAL: GPU memory, act\x1b\\");
        assert_eq!(rung(&text, Popup::Osc777, true), "\x07\x1b]777;notify;Watchkeeper;CRITICAL: GPU memory, act\x1b\\");
        assert_eq!(
            rung(&text, Popup::Both, true),
            "\x07\x1b]9;Watchkeeper: CRITICAL: GPU memory, act\x1b\\\
             \x1b]777;notify;Watchkeeper;CRITICAL: GPU memory, act\x1b\\"
        );
        assert_eq!(rung(&"é".into(), Popup::Osc9, false), "\x07\x1b]9;Watchkeeper: ?\x1b\\");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let said = rung(&Clean::text("ä".repeat(5_000)), Popup::Osc9, true);
        assert!(said.len() < 300 && said.ends_with("ä...\x1b\\"), "{said}");
    }

    proptest! {
        #[test]
        fn no_text_ends_its_sequence_or_splits_its_fields(raw in any::<Vec<u8>>(), utf8 in any::<bool>()) {
            let said = rung(&Clean::text(&raw), Popup::Both, utf8);
            let body = said.strip_prefix("\x07\x1b]9;Watchkeeper: ").unwrap();
            let (first, second) = body.split_once("\x1b\\\x1b]777;notify;Watchkeeper;").unwrap();
            let second = second.strip_suffix("\x1b\\").unwrap();
            prop_assert_eq!(first, second);
            prop_assert!(first.chars().all(|c| !c.is_control() && c != ';'));
        }
    }
}
