//! Where the follower's engine lays what it finds when somebody reads for himself: nothing is parsed, lines are
//! counted, and a spine says where they are.

use super::body::Body;
use super::spine::Spine;
use crate::base::{Clean, Fault};
use crate::sys::bell::Bell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sources that have a name of their own; further ones share the last.
const SOURCES: usize = 1_000;
/// Files that are over and stay open for whoever reads back.
const HELD: usize = 100;
/// Bytes of theirs that stay on the disk for that alone: their names are gone.
const HELD_BYTES: u64 = 256 * 1024 * 1024;

/// What there is, for a state line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogStatus {
    /// Names of sources; a row's number is a place here.
    pub sources: Vec<Clean>,
    /// Lines that came since we look.
    pub lines: u64,
    /// Lines that came and are not kept any more.
    pub dropped: u64,
    /// The first place, and the place after everything.
    pub span: (u64, u64),
    /// What is wrong with a source now, one sentence for each.
    pub faults: Vec<Fault>,
    /// The input has ended; nothing comes any more.
    pub ended: bool,
}

#[derive(Debug, Default)]
struct State {
    sources: Vec<Clean>,
    faults: Vec<Option<Fault>>,
    lines: u64,
    ended: bool,
}

/// The spine and its counters.
#[derive(Debug)]
pub struct Gather {
    spine: Arc<Mutex<Spine>>,
    state: Mutex<State>,
    bell: Arc<Bell>,
}

impl Gather {
    /// An empty spine; `bell` rings when it grows.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { spine: Arc::default(), state: Mutex::default(), bell }
    }

    /// The spine, to read.
    pub fn spine(&self) -> Arc<Mutex<Spine>> {
        Arc::clone(&self.spine)
    }

    /// How things are.
    pub fn status(&self) -> LogStatus {
        let state = self.state();
        let (span, dropped) = {
            let spine = self.locked();
            ((spine.begin(), spine.limit()), spine.lost())
        };
        LogStatus {
            sources: state.sources.clone(),
            lines: state.lines,
            dropped,
            span,
            faults: state.faults.iter().flatten().cloned().collect(),
            ended: state.ended,
        }
    }

    /// The number of a source by its name.
    pub(in crate::logs) fn source(&self, name: &Clean) -> u16 {
        let mut state = self.state();
        let at = state.sources.iter().position(|known| known == name).unwrap_or_else(|| {
            if state.sources.len() < SOURCES {
                state.sources.push(name.clone());
            }
            state.sources.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// Whole lines, as many as `lines` says.
    pub(in crate::logs) fn lay(&self, source: u16, body: &Arc<Body>, (from, len): (u64, u64), lines: u64) {
        // Never more dropped than came.
        self.state().lines += lines;
        self.locked().lay(source, body, (from, len), lines);
    }

    /// A line that has not ended.
    pub(in crate::logs) fn leave_open(&self, source: u16, body: &Arc<Body>, (from, len): (u64, u64)) {
        self.locked().leave_open(source, body, from, len);
    }

    /// A sentence of ours.
    pub(in crate::logs) fn mark(&self, source: u16, sentence: Clean) {
        self.locked().mark(source, sentence);
    }

    /// What lay before an offset of a body is gone, with so many lines where they have been counted.
    pub(in crate::logs) fn forget(&self, body: &Body, from: u64, lines: Option<u64>) {
        self.locked().forget(body, from, lines);
    }

    /// Files that are over give way, the oldest first, when there are too many or when they would fill a disk.
    pub(in crate::logs) fn tidy(&self) {
        let over = self.locked().over();
        let (mut room, mut full) = (HELD_BYTES, false);
        for (at, body) in over.iter().enumerate() {
            let taken = body.kept_alive();
            full |= at >= HELD || taken > room;
            if full {
                self.forget(body, u64::MAX, None);
            } else {
                room -= taken;
            }
        }
    }

    /// How one of the patterns is, after a look.
    pub(in crate::logs) fn judge(&self, at: usize, fault: Option<Fault>) {
        let mut state = self.state();
        if state.faults.len() <= at {
            state.faults.resize(at + 1, None);
        }
        if let Some(known) = state.faults.get_mut(at) {
            *known = fault;
        }
        drop(state);
        self.bell.data();
    }

    /// Something came.
    pub(super) fn grew(&self) {
        self.bell.data();
    }

    /// Nothing comes any more.
    pub(in crate::logs) fn end(&self) {
        self.state().ended = true;
        self.bell.data();
    }

    fn locked(&self) -> MutexGuard<'_, Spine> {
        self.spine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
