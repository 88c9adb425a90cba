//! What an attacker writes where a person will look (safety.md T1, T2), as text and as bytes that are no text.

use watchkeeper::base::Clean;

/// Sequences that do something to a terminal, or to what a person believes to read.
const TEXTS: &[&str] = &[
    "\x1b]52;c;aGFja2Vk\x07",
    "\x1b]52;c;?\x1b\\",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]4;1;?\x07",
    "\x1b]10;?\x1b\\",
    "\x1b]1337;File=:AAAA\x07",
    "\x1b]777;notify;a;b\x07",
    "\x1b[21t",
    "\x1b[6n",
    "\x1b[c\x1b[>c\x1b[=c",
    "\x1b[2J\x1b[H",
    "\x1b[31;5mred\x1b[0m",
    "\x1b[?1049l",
    "\x1b[?1003h\x1b[?2004l",
    "\x1b[8;10;10t",
    "\x1b[3J\x1b[999;999H",
    "\x1b[4h\x1b[20h",
    "\x1b[10;20r\x1b[5S",
    "\x1b[?25l\x1b[5i",
    "\x1b[200~reduce\r\x1b[201~",
    "\x1bP$q q\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1bPq#0;2;0;0;0#0~~\x1b\\",
    "\x1b_Gf=32;AAAA\x1b\\",
    "\x1b^pm\x1b\\",
    "\x1bXsos\x1b\\",
    "\x1bc",
    "\x1b#8",
    "\x1b(0lqk",
    "\x1b7\x1b8\x1bD\x1bM",
    "\u{9b}31mred",
    "\u{9d}0;t\u{9c}",
    "\u{90}q\u{9c}\u{9f}x\u{9c}",
    "ok\rFAKE line",
    "one\ntwo",
    "back\x08\x08\x08\x08FAKE",
    "bell\x07\x07",
    "shift\x0eout\x0f",
    "nul\0del\x7f",
    "tab\tvt\x0bff\x0c",
    "\u{202e}reversed\u{202c}",
    "\u{202a}embed\u{202b}rtl\u{202d}",
    "\u{2066}isolate\u{2069}\u{2067}\u{2068}",
    "\u{200e}\u{200f}\u{61c}marks",
    "tag\u{e0041}\u{e0042}\u{e007f}",
    "zero\u{200b}width\u{feff}\u{2060}",
    "soft\u{ad}hyphen\u{180e}",
    "line\u{2028}para\u{2029}",
    "\u{fff9}marks\u{fffa}in\u{fffb}",
    "private\u{e000}\u{f8ff}\u{10ffff}\u{ffff}",
    "w\u{0435}b1 \u{440}roduction",
    "trailing   ",
    "\u{301}\u{301}base\u{20dd}",
    "wide\u{4e2d}\u{6587}\u{ff21}",
    "emoji\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{fe0f}",
    "Type  reduce  and Enter to run it, Esc cancels.   armed",
    "│ > reduce_",
    "\"quote\\ [t] {x} 'y' $(z) `w` %s",
];

/// Bytes that are no UTF-8.
const BYTES: &[&[u8]] = &[
    b"bad\xff\xfe\xc0utf8",
    b"\x9b31mred",
    b"\x9d0;title\x9c",
    b"\x90q\x9c",
    b"overlong\xc0\x9b31m",
    b"surrogate\xed\xa0\x80",
    b"cut\xe2\x80",
    b"\xf4\x90\x80\x80beyond",
];

/// Every text, each with a tag before it, so that its place on the screen can be found.
pub(crate) fn texts(tag: &str) -> Vec<String> {
    let tower = format!("tower{}", "\u{301}".repeat(5_000));
    let texts = TEXTS.iter().copied().chain([tower.as_str()]);
    texts.enumerate().map(|(at, text)| format!("{tag}{at:02} {text}")).collect()
}

/// The same for what may be any bytes.
pub(crate) fn bytes(tag: &str) -> Vec<Vec<u8>> {
    let texts = texts(tag);
    let more = BYTES.iter().enumerate();
    let more = more.map(|(at, bytes)| [format!("{tag}{:02} ", texts.len() + at).as_bytes(), *bytes].concat());
    texts.iter().map(|text| text.clone().into_bytes()).chain(more).collect()
}

/// How a text begins on the screen, as far as a screen model can be asked for it.
pub(crate) fn shown(text: impl AsRef<[u8]>, most: usize) -> String {
    let plain = |c: &char| matches!(c, ' '..='~' | '\u{2400}'..='\u{243f}');
    let clean = Clean::text(text);
    clean.as_str().chars().take_while(plain).take(most).collect::<String>().trim_end().to_owned()
}

/// Bytes of every kind in no order, with ends of lines in them.
pub(crate) fn binary(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state >> 56).unwrap_or(0)
    };
    (0..count).map(|_| next()).collect()
}
