//! A key as a prompt takes it: typed text and a few answers, nothing bound.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key press means to whoever reads keys raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A character without Ctrl or Alt.
    Char(char),
    /// Enter without Ctrl or Alt.
    Enter,
    /// Takes the last character away.
    Backspace,
    /// Esc, Ctrl-C, Ctrl-D: No.
    Cancel,
    /// Takes the character under the cursor away.
    Delete,
    /// Takes the word before the cursor away: Ctrl-W.
    DropWord,
    /// Takes everything before the cursor away: Ctrl-U.
    DropAll,
    /// The cursor, by one character.
    Left,
    /// The cursor, by one character.
    Right,
    /// The next field, or with `false` the one before.
    Field(bool),
    /// Moves a view by so many lines; the extremes mean its ends.
    Scroll(isize),
    /// The key is being held down.
    Repeat,
    /// Any other key.
    Other,
}

/// Lines of a page.
const PAGE: isize = 10;

/// Reads one key raw.
pub fn press(key: &KeyEvent) -> Press {
    let bare = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    if key.kind == KeyEventKind::Repeat {
        return Press::Repeat;
    }
    match key.code {
        KeyCode::Char(c) if bare => Press::Char(c),
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Press::Cancel,
        KeyCode::Char('w') if key.modifiers.contains(KeyModifiers::CONTROL) => Press::DropWord,
        KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => Press::DropAll,
        KeyCode::Esc => Press::Cancel,
        KeyCode::Enter if bare => Press::Enter,
        KeyCode::Backspace => Press::Backspace,
        KeyCode::Delete if bare => Press::Delete,
        KeyCode::Left if bare => Press::Left,
        KeyCode::Right if bare => Press::Right,
        KeyCode::Tab => Press::Field(true),
        KeyCode::BackTab => Press::Field(false),
        KeyCode::Up => Press::Scroll(-1),
        KeyCode::Down => Press::Scroll(1),
        KeyCode::PageUp => Press::Scroll(-PAGE),
        KeyCode::PageDown => Press::Scroll(PAGE),
        KeyCode::Home => Press::Scroll(isize::MIN),
        KeyCode::End => Press::Scroll(isize::MAX),
        _ => Press::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_character_is_text_and_three_keys_say_no() {
        let key = |code, modifiers| press(&KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('R'), KeyModifiers::SHIFT), Press::Char('R'));
        assert_eq!(key(KeyCode::Char('r'), KeyModifiers::ALT), Press::Other);
        for (code, modifiers) in [
            (KeyCode::Esc, KeyModifiers::NONE),
            (KeyCode::Char('c'), KeyModifiers::CONTROL),
            (KeyCode::Char('d'), KeyModifiers::CONTROL),
        ] {
            assert_eq!(key(code, modifiers), Press::Cancel);
        }
        assert_eq!(key(KeyCode::Enter, KeyModifiers::CONTROL), Press::Other);
        let held = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Repeat);
        assert_eq!(press(&held), Press::Repeat);
    }
}
