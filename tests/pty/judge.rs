//! The judge of captured bytes is strict: it accepts what the console sends and refuses everything else.

/// The private modes that a stream of bytes has left switched on, and the cursor and the pen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) on: std::collections::BTreeSet<u16>,
    pub(crate) off: std::collections::BTreeSet<u16>,
    pub(crate) pen: bool,
}

impl Modes {
    /// As the console needs it: alternate screen, no cursor, no wrapping, paste marks and focus events on.
    pub(crate) fn is_console(&self) -> bool {
        [1049, 2004, 1004].iter().all(|mode| self.on.contains(mode))
            && [7, 25].iter().all(|mode| self.off.contains(mode))
    }

    /// As a terminal is for a shell: wrapping, showing the cursor, nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        self.on.iter().all(|mode| matches!(mode, 7 | 25))
            && !self.off.contains(&7)
            && !self.off.contains(&25)
            && !self.pen
    }
}

/// Fails unless the bytes hold nothing but printable text and the sequences that the console itself sends.
/// A sequence cut off at the very end passes. The clipboard (OSC 52) is not among them: see [`without_copies`].
/// An alarm is: a bell with its notifications.
pub(crate) fn only_our_sequences(bytes: &[u8]) -> Result<Modes, String> {
    let mut modes = Modes::default();
    // Whoever restores the terminal does not wait for a frame that is half out: there, too, a cut passes.
    let mut from = 0;
    let next = |from: usize| {
        let ahead = bytes.get(from + 1..).unwrap_or_default();
        ahead.windows(RESTORING.len()).position(|window| window == RESTORING)
    };
    while let Some(at) = next(from) {
        judge(&bytes[from..from + 1 + at], from, &mut modes)?;
        from += 1 + at;
    }
    judge(&bytes[from..], from, &mut modes)?;
    Ok(modes)
}

/// How the bytes begin that give the terminal back; nothing else of ours holds them.
const RESTORING: &[u8] = b"\x1b[?2026l\x1b[r\x1b[m\x1b[?1000l";

fn judge(bytes: &[u8], from: usize, modes: &mut Modes) -> Result<(), String> {
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let place = from + bytes.len() - rest.len();
        rest = match first {
            b'\r' | b'\n' | 0x08 => after,
            0x07 => match alarm(after).map_err(|what| format!("{what} at byte {place}"))? {
                Some(after) => after,
                None => break,
            },
            0x1B => match csi(after).map_err(|what| format!("{what} at byte {place}"))? {
                Some((sequence, after)) => {
                    allowed(sequence, modes).map_err(|what| format!("{what} at byte {place}"))?;
                    after
                }
                None => break,
            },
            0x00..0x20 | 0x7F => return Err(format!("control byte {first:#04x} at byte {place}")),
            _ => printable(rest).map_err(|what| format!("{what} at byte {place}"))?,
        };
    }
    Ok(())
}

/// The bytes without complete `OSC 52` copies to the clipboard, for programs that were asked to copy.
pub(crate) fn without_copies(bytes: &[u8]) -> Vec<u8> {
    let start = b"\x1b]52;c;";
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(start.len()).position(|window| window == start) {
        let body = &rest[at + start.len()..];
        let length = body.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count();
        assert!(body[length..].starts_with(b"\x1b\\"), "an unfinished copy");
        out.extend_from_slice(&rest[..at]);
        rest = &body[length + 2..];
    }
    out.extend_from_slice(rest);
    out
}

/// A sequence and what follows it.
type Cut<'a> = Option<(&'a [u8], &'a [u8])>;

/// Splits a CSI sequence off; `None` when it is cut off.
fn csi(after: &[u8]) -> Result<Cut<'_>, String> {
    match after.split_first() {
        None => return Ok(None),
        Some((b'[', _)) => {}
        Some((other, _)) => return Err(format!("ESC {other:#04x}")),
    }
    match after.iter().skip(1).position(|byte| matches!(byte, 0x40..=0x7E)) {
        Some(end) => Ok(Some((&after[1..end + 2], &after[end + 2..]))),
        None if after.len() < 64 => Ok(None),
        None => Err("an endless CSI".to_owned()),
    }
}

fn allowed(sequence: &[u8], modes: &mut Modes) -> Result<(), String> {
    let text = std::str::from_utf8(sequence).map_err(|_| "CSI with foreign bytes".to_owned())?;
    let (parameters, end) = text.split_at(text.len() - 1);
    let numbers = |text: &str, most: usize| {
        let parts: Vec<&str> = text.split(';').collect();
        parts.len() <= most && parts.iter().all(|part| part.is_empty() || part.parse::<u16>().is_ok())
    };
    let fine = match end {
        "C" | "D" => numbers(parameters, 1),
        "H" => numbers(parameters, 2),
        "J" | "K" => parameters.is_empty(),
        "r" => parameters.is_empty() || numbers(parameters, 2),
        "m" => {
            modes.pen = !matches!(parameters, "" | "0");
            numbers(parameters, 24)
        }
        "n" => parameters == "5",
        "u" => parameters == "<",
        "h" | "l" => {
            let mode = parameters.strip_prefix('?').and_then(|mode| mode.parse().ok()).unwrap_or(0);
            let (to, from) = if end == "h" { (&mut modes.on, &mut modes.off) } else { (&mut modes.off, &mut modes.on) };
            from.remove(&mode);
            to.insert(mode);
            matches!(mode, 7 | 25 | 1000 | 1002 | 1003 | 1004 | 1006 | 1049 | 2004 | 2026)
        }
        _ => false,
    };
    if fine { Ok(()) } else { Err(format!("CSI {text}")) }
}

/// Takes the notifications off that follow a bell: OSC 9, OSC 777, or both with one text. A bell alone is foreign.
/// `None` when they are cut off.
fn alarm(after: &[u8]) -> Result<Option<&[u8]>, String> {
    let (mut rest, mut said) = (after, None);
    for start in [&b"\x1b]9;Watchkeeper: "[..], b"\x1b]777;notify;Watchkeeper;"] {
        if start.starts_with(rest) {
            return Ok(None);
        }
        let Some(body) = rest.strip_prefix(start) else { continue };
        let length = body.iter().position(|byte| *byte < 0x20).unwrap_or(body.len());
        let (text, end) = body.split_at(length);
        let mut left = text;
        while !left.is_empty() {
            left = printable(left)?;
        }
        let cut = end.len() < 2 && b"\x1b\\".starts_with(end);
        let same = said.is_none_or(|said: &[u8]| if cut { said.starts_with(text) } else { said == text });
        if text.len() > 243 || text.contains(&b';') || !same {
            return Err("a notification that is none of ours".to_owned());
        }
        if cut {
            return Ok(None);
        }
        rest = end.strip_prefix(b"\x1b\\").ok_or("a notification with a foreign end")?;
        said = Some(text);
    }
    if said.is_some() { Ok(Some(rest)) } else { Err("a bell".to_owned()) }
}

/// Takes one character off that is neither a control nor hidden nor reordering.
fn printable(rest: &[u8]) -> Result<&[u8], String> {
    let length = match rest[0] {
        0x20..0x7F => 1,
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        other => return Err(format!("stray byte {other:#04x}")),
    };
    let Some(bytes) = rest.get(..length) else { return Ok(&[]) };
    let c = std::str::from_utf8(bytes).map_err(|_| "broken UTF-8".to_owned())?.chars().next().unwrap();
    let hidden = matches!(c,
        '\u{80}'..='\u{9F}' | '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200C}' | '\u{200E}' | '\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{E0FFF}' | '\u{F0000}'..='\u{10FFFF}');
    if hidden { Err(format!("U+{:04X}", u32::from(c))) } else { Ok(&rest[length..]) }
}

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
fn a_frame_that_is_cut_by_the_end_passes_and_by_anything_else_not() {
    let frame = b"\x1b[?2004hx\x1b[1;31my\xc3\xa9\x07\x1b]9;Watchkeeper: a\x1b\\z";
    let restore = [RESTORING, b"\x1b[?2004l\x1b[?7h"].concat();
    for length in 0..=frame.len() {
        let cut = [&frame[..length], &restore[..]].concat();
        assert!(only_our_sequences(&cut).unwrap().is_plain(), "{length}");
    }
    assert!(only_our_sequences(b"x\x1b\x1b[2;3Hy").is_err());
    assert!(only_our_sequences(&[b"\x1b]0;t\x07", &restore[..]].concat()).is_err());
}

#[test]
fn our_own_alarms_pass_even_cut_off() {
    let alarm = b"\x07\x1b]9;Watchkeeper: a \xc3\xa9\x1b\\\x1b]777;notify;Watchkeeper;a \xc3\xa9\x1b\\";
    for length in 0..=alarm.len() {
        assert!(only_our_sequences(&alarm[..length]).is_ok(), "{length}");
    }
    assert!(only_our_sequences(&[&alarm[..], b"text\x1b[H"].concat()).is_ok());
    assert!(only_our_sequences(b"\x07\x1b]777;notify;Watchkeeper;a\x1b\\x").is_ok());
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
        b"\x07x",
        b"\x07\x1b]9;text\x1b\\",
        b"\x07\x1b]9;4;1;50\x1b\\",
        b"\x07\x1b]9;Watchkeeper: a;b\x1b\\",
        b"\x07\x1b]9;Watchkeeper: a\x07",
        b"\x07\x1b]9;Watchkeeper: a\x1b\\\x1b]777;notify;Watchkeeper;b\x1b\\",
        b"\x07\x1b]777;notify;Other;a\x1b\\",
        b"\x07\x1b]9;Watchkeeper: \xe2\x80\xae\x1b\\",
        b"\x1b]9;Watchkeeper: a\x1b\\",
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
