//! One key with its modifiers: as a terminal sends it, as files spell it, as help shows it.

use core::fmt;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key and what is held with it. Capital letters are keys of their own: no Shift beside a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    held: KeyModifiers,
}

/// Spelling in files, spelling on screen.
const NAMED: &[(&str, &str, KeyCode)] = &[
    ("tab", "Tab", KeyCode::Tab),
    ("backtab", "Shift-Tab", KeyCode::BackTab),
    ("enter", "Enter", KeyCode::Enter),
    ("esc", "Esc", KeyCode::Esc),
    ("space", "Space", KeyCode::Char(' ')),
    ("backspace", "Backspace", KeyCode::Backspace),
    ("delete", "Del", KeyCode::Delete),
    ("insert", "Ins", KeyCode::Insert),
    ("up", "Up", KeyCode::Up),
    ("down", "Down", KeyCode::Down),
    ("left", "Left", KeyCode::Left),
    ("right", "Right", KeyCode::Right),
    ("pageup", "PgUp", KeyCode::PageUp),
    ("pagedown", "PgDn", KeyCode::PageDown),
    ("home", "Home", KeyCode::Home),
    ("end", "End", KeyCode::End),
];

const HELD: &[(&str, &str, KeyModifiers)] = &[
    ("ctrl-", "Ctrl-", KeyModifiers::CONTROL),
    ("alt-", "Alt-", KeyModifiers::ALT),
    ("shift-", "Shift-", KeyModifiers::SHIFT),
];

/// What a terminal sends the same bytes for.
const TWINS: &[(char, &str)] = &[('i', "tab"), ('m', "enter"), ('[', "esc")];

impl Chord {
    /// The key of an event; `None` for a release and for modifiers that no file can name.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let nameable = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        (event.kind != KeyEventKind::Release && nameable.contains(event.modifiers))
            .then(|| Self::plain(event.code, event.modifiers))
    }

    /// One key as files spell it: `q`, `G`, `ctrl-z`, `shift-tab`, `<tab>`, `f1`.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).filter(|inner| !inner.is_empty());
        let mut rest = bare.unwrap_or(text);
        let mut held = KeyModifiers::NONE;
        while let Some((after, bit)) = HELD.iter().find_map(|(word, _, bit)| {
            let after = rest.get(word.len()..).filter(|after| !after.is_empty())?;
            rest.get(..word.len())?.eq_ignore_ascii_case(word).then_some((after, *bit))
        }) {
            held |= bit;
            rest = after;
        }
        let code = code(rest).ok_or_else(|| {
            let known: Vec<&str> = NAMED.iter().map(|(word, ..)| *word).collect();
            format!("`{text}` is no key. Write one character, `f1` to `f12`, or one of: {}.", known.join(", "))
        })?;
        if let (KeyCode::Char(letter), true) = (code, held.contains(KeyModifiers::SHIFT)) {
            let hint = if letter == ' ' { "no terminal tells it from `space`" } else { "write the capital itself" };
            return Err(format!("`{text}` cannot be bound: {hint}."));
        }
        if let Some((_, twin)) =
            TWINS.iter().find(|(letter, _)| held.contains(KeyModifiers::CONTROL) && code == KeyCode::Char(*letter))
        {
            return Err(format!("`{text}` cannot be bound: terminals send the same for `{twin}`."));
        }
        Ok(Self::plain(code, held))
    }

    fn plain(code: KeyCode, held: KeyModifiers) -> Self {
        let shift = KeyModifiers::SHIFT;
        match code {
            KeyCode::Char(letter) if held.contains(KeyModifiers::CONTROL) => {
                Self { code: KeyCode::Char(letter.to_ascii_lowercase()), held: held.difference(shift) }
            }
            KeyCode::Tab if held.contains(shift) => Self { code: KeyCode::BackTab, held: held.difference(shift) },
            KeyCode::Char(_) | KeyCode::BackTab => Self { code, held: held.difference(shift) },
            _ => Self { code, held },
        }
    }
}

fn code(word: &str) -> Option<KeyCode> {
    let mut letters = word.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return (!letter.is_control() && letter != ' ').then_some(KeyCode::Char(letter));
    }
    if let Some((.., code)) = NAMED.iter().find(|(known, ..)| word.eq_ignore_ascii_case(known)) {
        return Some(*code);
    }
    let number: u8 = word.strip_prefix(['f', 'F'])?.parse().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, shown, bit) in HELD {
            if self.held.contains(*bit) {
                f.write_str(shown)?;
            }
        }
        if let Some((_, shown, _)) = NAMED.iter().find(|(.., code)| *code == self.code) {
            return f.write_str(shown);
        }
        match self.code {
            KeyCode::Char(letter) if self.held.contains(KeyModifiers::CONTROL) => {
                write!(f, "{}", letter.to_ascii_uppercase())
            }
            KeyCode::Char(letter) => write!(f, "{letter}"),
            KeyCode::F(number) => write!(f, "F{number}"),
            _ => f.write_str("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        Chord::parse(text).map_or_else(|fault| fault, |chord| chord.to_string())
    }

    #[test]
    fn keys_are_read_and_shown() {
        for (text, expected) in [
            ("q", "q"),
            ("G", "G"),
            ("-", "-"),
            ("<", "<"),
            ("<tab>", "Tab"),
            ("shift-tab", "Shift-Tab"),
            ("ctrl-z", "Ctrl-Z"),
            ("Ctrl-Z", "Ctrl-Z"),
            ("ctrl--", "Ctrl--"),
            ("ctrl-alt-x", "Ctrl-Alt-X"),
            ("space", "Space"),
            ("f12", "F12"),
            ("shift-up", "Shift-Up"),
            ("ctrl-m", "`ctrl-m` cannot be bound: terminals send the same for `enter`."),
            ("shift-a", "`shift-a` cannot be bound: write the capital itself."),
        ] {
            assert_eq!(shown(text), expected);
        }
        for wrong in ["", "f13", "ctrl-", "qq", "pagup", " ", "\u{7}"] {
            assert!(shown(wrong).contains("is no key. Write one character"), "{wrong:?}");
        }
    }

    #[test]
    fn what_terminals_send_is_what_files_name() {
        for (code, held, text) in [
            (KeyCode::Char('G'), KeyModifiers::SHIFT, "G"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, "shift-tab"),
            (KeyCode::BackTab, KeyModifiers::NONE, "<backtab>"),
            (KeyCode::Char('z'), KeyModifiers::CONTROL, "ctrl-z"),
            (KeyCode::Char('Z'), KeyModifiers::CONTROL | KeyModifiers::SHIFT, "ctrl-z"),
            (KeyCode::Char(' '), KeyModifiers::NONE, "space"),
            (KeyCode::Enter, KeyModifiers::NONE, "enter"),
        ] {
            assert_eq!(Chord::of(&KeyEvent::new(code, held)), Chord::parse(text).ok(), "{text}");
        }
        let release = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(Chord::of(&release), None);
        assert_eq!(Chord::of(&KeyEvent::new(KeyCode::Char('q'), KeyModifiers::SUPER)), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "(ctrl-|alt-|shift-){0,2}([!-~]|tab|esc|pageup|f[1-9]|home)") {
            if let Ok(chord) = Chord::parse(&text) {
                let named = NAMED.iter().find(|(.., code)| *code == chord.code);
                let mut again = chord.to_string();
                if let Some((word, shown, _)) = named { again = again.replace(shown, word); }
                prop_assert_eq!(Chord::parse(&again), Ok(chord));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            drop(Chord::parse(&text));
        }
    }
}
