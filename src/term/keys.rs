//! From the terminal's bytes to inputs: a framing layer of our own (what ESC starts, pastes, lone ESC) over vte's
//! state machine (UTF-8, CSI parameters). Pure; holds a bounded state whatever comes; only real keys come out as keys.

use super::inbox::Input;
use crate::base::Clean;
use core::time::Duration;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyEventState, KeyModifiers};
use vte::{Params, Parser, Perform};

const ESC: u8 = 0x1B;
const PASTE_END: &[u8] = b"\x1b[201~";
/// A lone ESC is the Escape key when nothing follows for this long.
const LONE_ESC: Duration = Duration::from_millis(25);
/// A sequence that stops in the middle is dropped after this.
const TORN: Duration = Duration::from_millis(100);
/// A paste whose end never comes is over after this much silence: a dead keyboard would be worse.
const PASTE_SILENCE: Duration = Duration::from_secs(3);
/// Of a paste so many bytes are kept, for a form to take; the rest is counted.
const PASTED: usize = 256 * 1024;
/// Of these so many stand on one line, for a field that has one.
const ONE_LINE: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// Plain text.
    Ground,
    /// After ESC [, until a final byte; vte collects the parameters.
    Csi,
    /// After ESC.
    Esc,
    /// After ESC O.
    Ss3,
    /// After ESC [ [ (the Linux console's F1 to F5).
    Linux,
    /// In an OSC, DCS, APC, PM or SOS string: the terminal's answer to a question that we did not ask.
    Text { opener: u8, empty: bool, escaped: bool },
    /// In a bracketed paste: counted, its beginning kept.
    Paste { matched: usize, bytes: u64 },
    /// In an X10 mouse report left switched on by someone else.
    Mouse { left: u8 },
}

/// The state machine.
pub(super) struct Keys {
    frame: Frame,
    vte: Parser,
    sink: Sink,
    /// The beginning of the paste that is coming in.
    pasted: Vec<u8>,
}

#[derive(Default)]
struct Sink {
    out: Vec<Input>,
    alt: bool,
    /// Bytes have gone into vte and nothing has come out yet.
    midway: bool,
    next: Option<Frame>,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { frame: Frame::Ground, vte: Parser::new(), sink: Sink::default(), pasted: Vec::new() }
    }

    /// Feeds bytes; gives what they complete. `Input::Fence` comes out with the number 0.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        for byte in bytes {
            self.byte(*byte);
        }
        core::mem::take(&mut self.sink.out)
    }

    /// How long to wait for more before [`Keys::quiet`]; `None` when nothing is pending.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.frame {
            Frame::Ground if !self.sink.midway => None,
            Frame::Esc => Some(LONE_ESC),
            Frame::Paste { .. } => Some(PASTE_SILENCE),
            _ => Some(TORN),
        }
    }

    /// Nothing has come for [`Keys::patience`]: what was pending was all.
    pub(super) fn quiet(&mut self) -> Vec<Input> {
        let alt = |c: char| Input::Key(KeyEvent::new(KeyCode::Char(c), case(c) | KeyModifiers::ALT));
        match self.frame {
            Frame::Esc => self.sink.out.push(plain(KeyCode::Esc)),
            Frame::Ss3 => self.sink.out.push(alt('O')),
            Frame::Text { opener, empty: true, .. } => self.sink.out.push(alt(char::from(opener))),
            Frame::Paste { bytes, .. } => self.take_paste(bytes),
            _ => {}
        }
        self.reset();
        core::mem::take(&mut self.sink.out)
    }

    /// Forgets what is pending.
    pub(super) fn reset(&mut self) {
        let out = core::mem::take(&mut self.sink.out);
        *self = Self::new();
        self.sink.out = out;
    }

    fn byte(&mut self, byte: u8) {
        self.frame = match self.frame {
            Frame::Ground | Frame::Csi if byte == ESC => {
                self.reset();
                Frame::Esc
            }
            Frame::Ground => self.through_vte(&[byte]),
            Frame::Csi => match byte {
                0x20..=0x3F => {
                    self.through_vte(&[byte]);
                    Frame::Csi
                }
                0x40..=0x7E => self.through_vte(&[byte]),
                _ => {
                    self.reset();
                    self.through_vte(&[byte])
                }
            },
            Frame::Esc => match byte {
                b'[' => {
                    self.through_vte(b"\x1b[");
                    Frame::Csi
                }
                b'O' => Frame::Ss3,
                b']' | b'P' | b'X' | b'^' | b'_' => Frame::Text { opener: byte, empty: true, escaped: false },
                ESC => {
                    self.sink.out.push(plain(KeyCode::Esc));
                    Frame::Esc
                }
                _ => {
                    self.sink.alt = true;
                    self.through_vte(&[byte])
                }
            },
            Frame::Ss3 => self.ss3(byte),
            Frame::Linux => {
                if let b'A'..=b'E' = byte {
                    self.sink.out.push(plain(KeyCode::F(byte - b'A' + 1)));
                }
                Frame::Ground
            }
            Frame::Text { escaped: true, .. } if byte == b'\\' => Frame::Ground,
            // BEL, CAN, SUB end a string; any other byte after ESC is a new sequence.
            Frame::Text { .. } if matches!(byte, 0x07 | 0x18 | 0x1A) => Frame::Ground,
            Frame::Text { escaped: true, .. } => {
                self.frame = Frame::Esc;
                return self.byte(byte);
            }
            Frame::Text { opener, .. } => Frame::Text { opener, empty: false, escaped: byte == ESC },
            Frame::Paste { matched, bytes } => self.paste(byte, matched, bytes),
            Frame::Mouse { left } if left > 1 => Frame::Mouse { left: left - 1 },
            Frame::Mouse { .. } => Frame::Ground,
        };
    }

    fn through_vte(&mut self, bytes: &[u8]) -> Frame {
        self.sink.midway = true;
        self.vte.advance(&mut self.sink, bytes);
        self.sink.next.take().unwrap_or(Frame::Ground)
    }

    fn ss3(&mut self, byte: u8) -> Frame {
        let code = match byte {
            b'P'..=b'S' => KeyCode::F(byte - b'P' + 1),
            b'M' => KeyCode::Enter,
            ESC => return Frame::Esc,
            _ => match letter(char::from(byte)) {
                Some(code) => code,
                None => return Frame::Ground,
            },
        };
        self.sink.out.push(plain(code));
        Frame::Ground
    }

    fn paste(&mut self, byte: u8, matched: usize, bytes: u64) -> Frame {
        let matched = match PASTE_END.get(matched) {
            Some(expected) if *expected == byte => matched + 1,
            // The marker begins with its only ESC.
            _ => usize::from(byte == ESC),
        };
        let bytes = bytes.saturating_add(1);
        if self.pasted.len() < PASTED {
            self.pasted.push(byte);
        }
        if matched < PASTE_END.len() {
            return Frame::Paste { matched, bytes };
        }
        self.take_paste(bytes - 6);
        Frame::Ground
    }

    /// The paste of so many bytes is over: its beginning goes out clean, without what was seen of the end marker.
    fn take_paste(&mut self, bytes: u64) {
        let mut kept = core::mem::take(&mut self.pasted);
        kept.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
        let text = Clean::text(kept.get(..ONE_LINE).unwrap_or(&kept));
        // A line that was cut is none.
        if bytes > kept.len() as u64 {
            kept.truncate(kept.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(kept.len()));
        }
        let left_out = bytes.saturating_sub(kept.len() as u64);
        self.sink.out.push(Input::Paste { text, lines: lines(&kept), left_out });
    }
}

/// Terminals send a carriage return where the text had a line feed.
fn lines(kept: &[u8]) -> Vec<Clean> {
    let mut feeds = Vec::with_capacity(kept.len());
    for (at, byte) in kept.iter().enumerate() {
        match byte {
            b'\r' if kept.get(at + 1) == Some(&b'\n') => {}
            b'\r' => feeds.push(b'\n'),
            byte => feeds.push(*byte),
        }
    }
    Clean::lines(feeds)
}

impl Sink {
    fn push(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.midway = false;
        let alt = if core::mem::take(&mut self.alt) { KeyModifiers::ALT } else { KeyModifiers::NONE };
        self.out.push(Input::Key(KeyEvent::new(code, modifiers | alt)));
    }

    fn nothing(&mut self) {
        self.midway = false;
        self.alt = false;
    }
}

impl Perform for Sink {
    fn print(&mut self, c: char) {
        match c {
            '\u{7F}' => self.push(KeyCode::Backspace, KeyModifiers::NONE),
            char::REPLACEMENT_CHARACTER | '\u{80}'..='\u{9F}' => self.nothing(),
            _ => self.push(KeyCode::Char(c), case(c)),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.push(KeyCode::Enter, KeyModifiers::NONE),
            b'\t' => self.push(KeyCode::Tab, KeyModifiers::NONE),
            // What some terminals send for Backspace; Ctrl-H cannot be told from it.
            0x08 => self.push(KeyCode::Backspace, KeyModifiers::NONE),
            0x00 => self.push(KeyCode::Char(' '), KeyModifiers::CONTROL),
            0x01..=0x1A => self.push(KeyCode::Char(char::from(byte - 1 + b'a')), KeyModifiers::CONTROL),
            0x1C..=0x1F => self.push(KeyCode::Char(char::from(byte - 0x1C + b'4')), KeyModifiers::CONTROL),
            _ => self.nothing(),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        self.nothing();
        if ignore || !intermediates.is_empty() {
            return;
        }
        let part = |index: usize, sub: usize| params.iter().nth(index).and_then(|part| part.get(sub)).copied();
        let first = part(0, 0).unwrap_or(0);
        let code = match action {
            'I' | 'O' => return self.out.push(Input::Focus(action == 'I')),
            'n' if first == 0 => return self.out.push(Input::Fence(0)),
            '[' => return self.next = Some(Frame::Linux),
            'M' => return self.next = Some(Frame::Mouse { left: 3 }),
            '~' if first == 200 => return self.next = Some(Frame::Paste { matched: 0, bytes: 0 }),
            '~' if first == 27 => part(2, 0).and_then(|code| unicode(u32::from(code))),
            '~' => numbered(first),
            'u' => unicode(u32::from(first)),
            'Z' => Some(KeyCode::BackTab),
            // With other parameters this is the answer to a question about the cursor's place.
            'P'..='S' if first <= 1 => u8::try_from(action).ok().map(|action| KeyCode::F(action - b'P' + 1)),
            _ => letter(action),
        };
        let mut modifiers = modifiers(part(1, 0).unwrap_or(1));
        if action == 'Z' {
            modifiers |= KeyModifiers::SHIFT;
        }
        let kind = match part(1, 1) {
            Some(3) => return, // a release: nobody asked for it
            Some(2) => KeyEventKind::Repeat,
            _ => KeyEventKind::Press,
        };
        if let Some(code) = code {
            self.out.push(Input::Key(KeyEvent { code, modifiers, kind, state: KeyEventState::NONE }));
        }
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, _: u8) {
        self.nothing();
    }
}

fn plain(code: KeyCode) -> Input {
    Input::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// An upper-case letter was typed with Shift, as crossterm tells it.
fn case(c: char) -> KeyModifiers {
    if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE }
}

fn letter(action: char) -> Option<KeyCode> {
    Some(match action {
        'A' => KeyCode::Up,
        'B' => KeyCode::Down,
        'C' => KeyCode::Right,
        'D' => KeyCode::Left,
        'H' => KeyCode::Home,
        'F' => KeyCode::End,
        _ => return None,
    })
}

fn numbered(number: u16) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => function(number - 10)?,
        17..=21 => function(number - 11)?,
        23..=24 => function(number - 12)?,
        _ => return None,
    })
}

fn function(number: u16) -> Option<KeyCode> {
    u8::try_from(number).ok().map(KeyCode::F)
}

/// A key of the kitty protocol or of xterm's modifyOtherKeys, left switched on by someone else.
fn unicode(code: u32) -> Option<KeyCode> {
    Some(match code {
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        8 | 127 => KeyCode::Backspace,
        0xE000..=0xF8FF => return None, // kitty's keys without text
        _ => KeyCode::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    })
}

fn modifiers(parameter: u16) -> KeyModifiers {
    let bits = parameter.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (32, KeyModifiers::META),
    ] {
        if bits & bit != 0 {
            modifiers |= modifier;
        }
    }
    modifiers
}

#[cfg(test)]
#[path = "tests/keys.rs"]
mod tests;
