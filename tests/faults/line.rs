//! A slow line between a console and its operator: what is typed and what is shown arrive late, each way in its order.
//! The terminal stands at the operator's end, so it answers the console's question once the operator has the frame.

use crate::harness::Pty;
use std::collections::VecDeque;
use std::time::Duration;
use watchkeeper::base::backoff::Jitter;
use watchkeeper::base::{Clock, Mono};
use watchkeeper::sys::clock::RealClock;

/// What the terminal sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Key(char),
    Backspace,
    Enter,
    Escape,
    Paste(String),
    Focus(bool),
    Size((u16, u16)),
    /// It has what the console had written until then.
    Answer {
        asked: Mono,
    },
}

/// What has reached the console.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) what: Sent,
    /// When it did.
    pub(crate) at: Mono,
    /// Whether the operator's own screen asked for an answer when it was sent.
    pub(crate) asked: bool,
}

const QUESTION: &[u8] = b"\x1b[5n";
/// How often the line moves.
const BEAT: Duration = Duration::from_millis(5);

pub(crate) struct Line<'a> {
    pty: &'a Pty,
    /// The operator's.
    screen: vt100::Parser,
    /// Bytes that the console has written so far.
    taken: usize,
    /// What is under way, with the moment at which it arrives.
    down: VecDeque<(Mono, Mono, Vec<u8>)>,
    up: VecDeque<(Mono, Sent, bool)>,
    pub(crate) arrived: Vec<Arrived>,
    /// Neither way takes less or more, in milliseconds.
    delay: (u64, u64),
    random: Jitter,
    answers: bool,
}

pub(crate) fn now() -> Mono {
    RealClock.now().mono
}

impl<'a> Line<'a> {
    /// Takes the terminal over as it is.
    pub(crate) fn new(pty: &'a Pty, size: (u16, u16), delay: (u64, u64), answers: bool, seed: u64) -> Self {
        pty.answer(false);
        let screen = vt100::Parser::new(size.1.try_into().unwrap(), size.0.try_into().unwrap(), 0);
        let (down, up) = (VecDeque::new(), VecDeque::new());
        let mut line =
            Self { pty, screen, taken: 0, down, up, arrived: Vec::new(), delay, random: Jitter(seed), answers };
        let so_far = line.take();
        line.screen.process(&so_far);
        line
    }

    fn take(&mut self) -> Vec<u8> {
        let (mut fresh, taken) = (Vec::new(), self.taken);
        self.pty.wait("anything", |_, raw| {
            fresh = raw[taken..].to_vec();
            true
        });
        self.taken += fresh.len();
        fresh
    }

    fn late(&mut self, last: Option<Mono>) -> Mono {
        let (least, most) = self.delay;
        let due = now() + Duration::from_millis(least + self.random.next() % (most - least + 1));
        last.map_or(due, |last| last.max(due))
    }

    /// The operator does something.
    pub(crate) fn send(&mut self, what: Sent) {
        if let Sent::Size((columns, rows)) = what {
            self.screen.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        }
        let (due, asked) = (self.late(self.up.back().map(|(due, ..)| *due)), self.asks());
        self.up.push_back((due, what, asked));
    }

    /// Whether the operator sees a prompt that wants an answer.
    pub(crate) fn asks(&self) -> bool {
        let text = self.text();
        text.contains("EXPIRES  in ") && (text.contains("to run it") || text.contains("Enter runs it"))
    }

    /// Whether the operator sees that the prompt takes one.
    pub(crate) fn is_armed(&self) -> bool {
        let armed = |row: &str| row.contains("EXPIRES  in ") && row.trim_end_matches(['│', ' ']).ends_with("  armed");
        self.asks() && self.text().lines().any(armed)
    }

    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// The line moves until this is so, but not for longer.
    pub(crate) fn pass(&mut self, longest: u64, until: impl Fn(&Self) -> bool) {
        let end = now() + Duration::from_millis(longest);
        while !until(self) && now() < end {
            self.beat();
            std::thread::sleep(BEAT);
        }
    }

    /// From here on nothing is late; what is under way comes.
    pub(crate) fn hurry(&mut self) {
        self.delay = (0, 0);
        self.down.iter_mut().for_each(|(due, ..)| *due = now());
        self.up.iter_mut().for_each(|(due, ..)| *due = now());
    }

    fn beat(&mut self) {
        let fresh = self.take();
        if !fresh.is_empty() {
            let due = self.late(self.down.back().map(|(due, ..)| *due));
            self.down.push_back((due, now(), fresh));
        }
        while self.down.front().is_some_and(|(due, ..)| *due <= now()) {
            let Some((_, asked, bytes)) = self.down.pop_front() else { break };
            self.screen.process(&bytes);
            if self.answers && bytes.windows(QUESTION.len()).any(|window| window == QUESTION) {
                self.send(Sent::Answer { asked });
            }
        }
        while self.up.front().is_some_and(|(due, ..)| *due <= now()) {
            let Some((_, what, asked)) = self.up.pop_front() else { break };
            // First, so that no moment at which it arrived is too late.
            let at = now();
            match &what {
                Sent::Key(c) => self.pty.send(c.to_string()),
                Sent::Backspace => self.pty.send("\x7f"),
                Sent::Enter => self.pty.send("\r"),
                Sent::Escape => self.pty.send("\x1b"),
                Sent::Paste(text) => self.pty.send(format!("\x1b[200~{text}\x1b[201~")),
                Sent::Focus(gained) => self.pty.send(if *gained { "\x1b[I" } else { "\x1b[O" }),
                Sent::Size(size) => self.pty.resize(*size),
                Sent::Answer { .. } => self.pty.send("\x1b[0n"),
            }
            self.arrived.push(Arrived { what, at, asked });
        }
    }
}
