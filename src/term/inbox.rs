//! What the loop gets from the terminal, and the bounded queue in which it waits.

use crate::base::{Clean, Mono};
use crate::sys::signal::Signal;
use crossterm::event::KeyEvent;
use std::collections::VecDeque;

/// One thing that came from the terminal or to the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key, in crossterm's words.
    Key(KeyEvent),
    /// A bracketed paste. It is never taken for keys.
    Paste {
        /// Its beginning, clean, on one line: for a form. A confirm prompt refuses it.
        text: Clean,
        /// Its lines, clean, as far as they are kept: for what takes many.
        lines: Vec<Clean>,
        /// So many bytes more came.
        left_out: u64,
    },
    /// The terminal has got or lost the focus.
    Focus(bool),
    /// The new size: columns, rows. Sent at most 20 times a second.
    Resize(u16, u16),
    /// The terminal has consumed the frame that went out before the fence of this number.
    Fence(u64),
    /// The terminal is gone: no output any more; the process ends itself within half a second.
    HungUp,
    /// Stop, please; the process restores the terminal and ends itself within a second if the loop does not.
    Stop(Signal),
    /// The process is about to be stopped by job control; the terminal is restored already.
    Suspended,
    /// It goes on; the last frame has been drawn again.
    Resumed,
    /// Reload the profile.
    Reload,
}

/// More keys than this wait for a loop that does not look: further ones are dropped.
const LIMIT: usize = 1_024;

/// More pastes than this are dropped too: each may be long.
const PASTES: usize = 4;

/// A bounded queue.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: VecDeque<(Mono, Input)>,
}

impl Inbox {
    /// Adds one. What is no key waits once at most, the newest resize replaces an older one.
    pub(super) fn push(&mut self, at: Mono, input: Input) {
        match input {
            Input::Key(_) | Input::Paste { .. } | Input::Focus(_) => {
                let pastes =
                    || self.waiting.iter().filter(|(_, waiting)| matches!(waiting, Input::Paste { .. })).count();
                if self.waiting.len() >= LIMIT || matches!(input, Input::Paste { .. }) && pastes() >= PASTES {
                    return;
                }
            }
            Input::Resize(..) => self.waiting.retain(|(_, waiting)| !matches!(waiting, Input::Resize(..))),
            _ => self.waiting.retain(|(_, waiting)| *waiting != input),
        }
        self.waiting.push_back((at, input));
    }

    /// Takes all.
    pub(super) fn drain(&mut self) -> Vec<(Mono, Input)> {
        self.waiting.drain(..).collect()
    }

    /// Drops what was typed; signals, sizes and the rest stay.
    pub(super) fn drop_typed(&mut self) {
        self.waiting.retain(|(_, input)| !matches!(input, Input::Key(_) | Input::Paste { .. } | Input::Fence(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn key(c: char) -> Input {
        Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
    }

    #[test]
    fn a_loop_that_does_not_look_costs_no_memory() {
        let mut inbox = Inbox::default();
        for at in 0..100_000 {
            inbox.push(Mono(at), key('x'));
            inbox.push(Mono(at), Input::Stop(Signal::Term));
            inbox.push(Mono(at), Input::Resize(80, 24));
        }
        assert!(inbox.waiting.len() <= LIMIT + 2);
        assert_eq!(inbox.drain().last(), Some(&(Mono(99_999), Input::Resize(80, 24))));
    }

    #[test]
    fn long_pastes_that_nobody_takes_are_few() {
        let mut inbox = Inbox::default();
        for at in 0..100 {
            inbox.push(Mono(at), Input::Paste { text: "x".into(), lines: vec!["x".into()], left_out: 0 });
        }
        assert_eq!(inbox.drain().len(), PASTES);
    }

    #[test]
    fn type_ahead_is_dropped_and_nothing_else() {
        let mut inbox = Inbox::default();
        for input in [
            key('y'),
            Input::Reload,
            Input::Paste { text: "abc".into(), lines: Vec::new(), left_out: 0 },
            Input::Fence(1),
            Input::HungUp,
            Input::Focus(false),
        ] {
            inbox.push(Mono(1), input);
        }
        inbox.drop_typed();
        let left: Vec<Input> = inbox.drain().into_iter().map(|(_, input)| input).collect();
        assert_eq!(left, [Input::Reload, Input::HungUp, Input::Focus(false)]);
    }
}
