//! Where the follower's engine lays what it finds when somebody reads for himself: nothing is parsed, lines are
//! counted, and a spine says where they are.

use super::body::Body;
use super::spine::Spine;
use super::strands::Strands;
use crate::base::{Clean, Fault, Wall};
use crate::sys::bell::Bell;
use std::collections::BTreeSet;
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
    /// Patterns that have not been looked at.
    awaited: BTreeSet<usize>,
}

/// The spine and its counters.
#[derive(Debug)]
pub struct Gather {
    strands: Arc<Strands>,
    state: Mutex<State>,
    bell: Arc<Bell>,
}

impl Gather {
    /// An empty spine for all sources; `bell` rings when it grows.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { strands: Strands::of(Arc::default()), state: Mutex::default(), bell }
    }

    /// The same, by time. It begins with what so many patterns mean; with 0 nobody knows what it begins with.
    pub fn by_time(bell: Arc<Bell>, patterns: usize, now: Wall) -> Self {
        let state = State { awaited: (0..patterns).collect(), ..State::default() };
        Self { strands: Strands::by_time(now), state: Mutex::new(state), bell }
    }

    /// The lines, to read.
    pub fn strands(&self) -> Arc<Strands> {
        Arc::clone(&self.strands)
    }

    /// How things are.
    pub fn status(&self) -> LogStatus {
        let state = self.state();
        let (begin, _, limit) = self.strands.span();
        let (span, dropped) = ((begin, limit), self.strands.lost());
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
        self.change(source, |spine| spine.lay(source, body, (from, len), lines));
    }

    /// A line that has not ended.
    pub(in crate::logs) fn leave_open(&self, source: u16, body: &Arc<Body>, (from, len): (u64, u64)) {
        self.change(source, |spine| spine.leave_open(source, body, from, len));
    }

    /// A sentence of ours.
    pub(in crate::logs) fn mark(&self, source: u16, sentence: Clean) {
        self.change(source, |spine| spine.mark(source, sentence));
    }

    /// What lay before an offset of a body is gone, with so many lines where they have been counted.
    pub(in crate::logs) fn forget(&self, body: &Body, from: u64, lines: Option<u64>) {
        for spine in self.strands.all() {
            let mut spine = spine.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.strands.is_by_time() || spine.holds(body) {
                spine.forget(body, from, lines);
            }
        }
    }

    /// Files that are over give way, the oldest first, when there are too many or when they would fill a disk.
    pub(in crate::logs) fn tidy(&self) {
        let mut over = Vec::new();
        for spine in self.strands.all() {
            over.extend(spine.lock().unwrap_or_else(PoisonError::into_inner).over());
        }
        if self.strands.is_by_time() {
            over.sort_by_key(|body| core::cmp::Reverse(body.id));
        }
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
        let last = state.awaited.remove(&at) && state.awaited.is_empty();
        drop(state);
        if last {
            self.strands.settle();
        }
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

    fn change(&self, source: u16, change: impl FnOnce(&mut Spine)) {
        change(&mut self.strands.spine(source).lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
