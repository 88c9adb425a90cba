//! The judge of captured bytes is strict: it accepts what the console sends and refuses everything else.

use crate::harness::{only_our_sequences, without_copies};

#[test]
fn our_own_sequences_pass() {
    let ours =
        b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[?1004h\x1b[?2026h\x1b[m\x1b[H\x1b[Jtext\r\n\x08\x1b[3C\x1b[2;5H\
        \x1b[1;38;5;200m\xe2\x96\x81\x1b[K\x1b[5n\x1b[?2026l";
    let modes = only_our_sequences(ours).unwrap();
    assert!(!modes.is_plain());
    let restored = [&ours[..], b"\x1b[m\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[?2004l\x1b[?1004l\x1b[<u"].concat();
    assert!(only_our_sequences(&restored).unwrap().is_plain());
}

#[test]
fn everything_else_fails() {
    for bad in [
        &b"\x1b]0;title\x07"[..],
        b"\x1b]52;c;aGk=\x07",
        b"\x1bP+q\x1b\\",
        b"\x1b[6n",
        b"\x1b[?1000;1006h x",
        b"\x1b[?47h",
        b"\x1b[2J",
        b"\x1b[>4;1m",
        b"\x1bc",
        b"\x07",
        b"\x0e",
        b"\t",
        b"\x7f",
        b"\x9b31m",
        b"\xc2\x9b31m",
        "\u{202e}".as_bytes(),
        "\u{e0041}".as_bytes(),
        "\u{200b}".as_bytes(),
    ] {
        assert!(only_our_sequences(bad).is_err(), "{:?}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn a_copy_is_taken_out_whole() {
    assert_eq!(without_copies(b"a\x1b]52;c;aGk=\x1b\\b"), b"ab");
}
