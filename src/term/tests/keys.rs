//! What the terminal's bytes mean, and that no bytes do harm.

use super::*;
use proptest::prelude::*;

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

fn chars(text: &str) -> Vec<Input> {
    text.chars().map(|c| key(KeyCode::Char(c), case(c))).collect()
}

fn all(bytes: &[u8]) -> Vec<Input> {
    let mut keys = Keys::new();
    let mut out = keys.feed(bytes);
    out.extend(keys.quiet());
    assert_eq!(keys.patience(), None);
    out
}

#[test]
fn each_key_is_known() {
    let none = KeyModifiers::NONE;
    let control = KeyModifiers::CONTROL;
    for (bytes, code, modifiers) in [
        (&b"a"[..], KeyCode::Char('a'), none),
        (b"A", KeyCode::Char('A'), KeyModifiers::SHIFT),
        ("é".as_bytes(), KeyCode::Char('é'), none),
        ("中".as_bytes(), KeyCode::Char('中'), none),
        (b"\r", KeyCode::Enter, none),
        (b"\n", KeyCode::Char('j'), control),
        (b"\t", KeyCode::Tab, none),
        (b"\x1b[Z", KeyCode::BackTab, KeyModifiers::SHIFT),
        (b"\x7f", KeyCode::Backspace, none),
        (b"\x08", KeyCode::Backspace, none),
        (b"\x1b", KeyCode::Esc, none),
        (b"\x03", KeyCode::Char('c'), control),
        (b"\x1a", KeyCode::Char('z'), control),
        (b"\x00", KeyCode::Char(' '), control),
        (b"\x1ba", KeyCode::Char('a'), KeyModifiers::ALT),
        (b"\x1bA", KeyCode::Char('A'), KeyModifiers::ALT | KeyModifiers::SHIFT),
        ("\x1bé".as_bytes(), KeyCode::Char('é'), KeyModifiers::ALT),
        (b"\x1b\x01", KeyCode::Char('a'), control | KeyModifiers::ALT),
        (b"\x1b\x7f", KeyCode::Backspace, KeyModifiers::ALT),
        (b"\x1bP", KeyCode::Char('P'), KeyModifiers::ALT | KeyModifiers::SHIFT),
        (b"\x1bO", KeyCode::Char('O'), KeyModifiers::ALT),
        (b"\x1b[A", KeyCode::Up, none),
        (b"\x1bOB", KeyCode::Down, none),
        (b"\x1b[1;5A", KeyCode::Up, control),
        (b"\x1b[1;2D", KeyCode::Left, KeyModifiers::SHIFT),
        (b"\x1b[1;3C", KeyCode::Right, KeyModifiers::ALT),
        (b"\x1b[H", KeyCode::Home, none),
        (b"\x1bOF", KeyCode::End, none),
        (b"\x1b[1~", KeyCode::Home, none),
        (b"\x1b[4~", KeyCode::End, none),
        (b"\x1b[5~", KeyCode::PageUp, none),
        (b"\x1b[6;5~", KeyCode::PageDown, control),
        (b"\x1b[2~", KeyCode::Insert, none),
        (b"\x1b[3~", KeyCode::Delete, none),
        (b"\x1bOP", KeyCode::F(1), none),
        (b"\x1b[1;5S", KeyCode::F(4), control),
        (b"\x1b[[E", KeyCode::F(5), none),
        (b"\x1b[15~", KeyCode::F(5), none),
        (b"\x1b[17~", KeyCode::F(6), none),
        (b"\x1b[21~", KeyCode::F(10), none),
        (b"\x1b[24~", KeyCode::F(12), none),
        (b"\x1b[97;5u", KeyCode::Char('a'), control),
        (b"\x1b[27;5;105~", KeyCode::Char('i'), control),
    ] {
        assert_eq!(all(bytes), [key(code, modifiers)], "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn focus_fence_and_paste_are_no_keys() {
    assert_eq!(all(b"\x1b[I\x1b[O\x1b[0n"), [Input::Focus(true), Input::Focus(false), Input::Fence(0)]);
}

fn pasted(text: &[u8], lines: &[&[u8]]) -> Input {
    Input::Paste { text: Clean::text(text), lines: lines.iter().map(Clean::text).collect(), left_out: 0 }
}

fn paste(text: &[u8]) -> (Vec<Clean>, u64) {
    let bytes = [&b"\x1b[200~"[..], text, b"\x1b[201~"].concat();
    let inputs = all(&bytes);
    let [Input::Paste { lines, left_out, .. }] = &inputs[..] else { panic!("{inputs:?}") };
    (lines.clone(), *left_out)
}

#[test]
fn of_a_long_paste_only_the_beginning_is_kept() {
    let (lines, left_out) = paste(&b"abc;def 1\n".repeat(100_000));
    assert_eq!((lines.len() as u64 + 1) * 10, PASTED as u64 / 10 * 10 + 10, "whole lines, as many as fit");
    assert_eq!(lines.len() as u64 * 10 - 1 + left_out, 1_000_000, "and the rest is counted");
    let [Input::Paste { text, .. }] = &all(&[&b"\x1b[200~"[..], &b"x".repeat(5_000), b"\x1b[201~"].concat())[..] else {
        panic!("no paste")
    };
    assert_eq!(text.as_str().len(), ONE_LINE);
}

#[test]
fn lines_of_a_paste_end_as_terminals_and_files_end_them() {
    for text in [&b"a;b 1\rc 2\r"[..], b"a;b 1\nc 2\n", b"a;b 1\r\nc 2"] {
        assert_eq!(paste(text), (vec!["a;b 1".into(), "c 2".into()], 0));
    }
    assert_eq!(paste(b"\x1b]52;c;eA==\x07\rx").0[0].as_str(), "␛]52;c;eA==␇");
}

#[test]
fn a_paste_is_one_input_and_no_keys_however_it_is_split() {
    let text = b"\x1b[200~rm -rf /\r\x1b\x1b[201\x1b[201~y";
    for split in 0..text.len() {
        let mut keys = Keys::new();
        let mut got = keys.feed(&text[..split]);
        got.extend(keys.feed(&text[split..]));
        let mut expected = vec![pasted(b"rm -rf /\r\x1b\x1b[201", &[b"rm -rf /", b"\x1b\x1b[201"])];
        expected.extend(chars("y"));
        assert_eq!(got, expected, "split at {split}");
    }
}

#[test]
fn a_paste_without_end_does_not_kill_the_keyboard() {
    let mut keys = Keys::new();
    assert_eq!(keys.feed(b"\x1b[200~abc"), []);
    assert_eq!(keys.patience(), Some(PASTE_SILENCE));
    assert_eq!(keys.quiet(), [pasted(b"abc", &[b"abc"])]);
    assert_eq!(keys.feed(b"y"), chars("y"));
}

#[test]
fn what_is_no_key_leaks_nothing() {
    for bytes in [
        &b"\x1b]11;rgb:0000/0000/0000\x07"[..],
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b[?62;4c",
        b"\x1b[24;80R",
        b"\x1b[8;24;80t",
        b"\x1b[<0;10;10M",
        b"\x1b[M !!",
        b"\x1b[97;5:3u",
        b"\xff\xfe",
        "\u{9b}".as_bytes(),
        b"\x1b[1;2",
        b"\x1b[99999999999999999999999999999999999;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1A",
        b"\xc3",
    ] {
        assert_eq!(all(bytes), [], "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_torn_sequence_gives_way_to_the_next() {
    assert_eq!(all(b"\x1b[1;\x1b[A"), [key(KeyCode::Up, KeyModifiers::NONE)]);
    assert_eq!(all(b"\x1b]0;x\x1b[A"), [key(KeyCode::Up, KeyModifiers::NONE)]);
    assert_eq!(all(b"\x1b\x1b[A"), [key(KeyCode::Esc, KeyModifiers::NONE), key(KeyCode::Up, KeyModifiers::NONE)]);
}

#[test]
fn an_endless_string_needs_no_memory() {
    let mut keys = Keys::new();
    assert_eq!(keys.feed(b"\x1b]52;c;"), []);
    for _ in 0..1_000 {
        assert_eq!(keys.feed(&[b'A'; 4_096]), []);
    }
    assert_eq!(keys.feed(b"\x07q"), chars("q"));
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..8),
        proptest::sample::select(vec![
            &b"\x1b"[..],
            b"\x1b[",
            b"\x1b[200~",
            b"\x1b[201~",
            b"\x1bO",
            b"\x1b]",
            b"\x1bP",
            b"\x07",
            b"\x1b\\",
            b"1;5A",
            b"\x1b[[",
            b"\x1b[M",
            b"\xe4\xb8",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    proptest::collection::vec(piece, 0..40)
}

proptest! {
    #[test]
    fn any_bytes_give_at_most_as_many_inputs_however_they_are_split(pieces in pieces()) {
        let bytes = pieces.concat();
        let mut split = Keys::new();
        let mut apart: Vec<Input> = pieces.iter().flat_map(|piece| split.feed(piece)).collect();
        let mut whole = Keys::new();
        let mut together = whole.feed(&bytes);
        prop_assert_eq!(split.patience(), whole.patience());
        apart.extend(split.quiet());
        together.extend(whole.quiet());
        prop_assert!(together.len() <= bytes.len());
        prop_assert_eq!(apart, together);
        // Whatever came, the keyboard lives.
        prop_assert_eq!(whole.feed(b"q"), chars("q"));
    }
}
