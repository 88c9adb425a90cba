//! The spines of a log's sources: one for all of them in the order in which lines came, or, by time, one for each. Then a
//! place of the whole is the sum of places in all, as if the merged log were one file. What was read more than two
//! seconds ago is settled: a border lies behind it, and what comes later stands behind the border, however old it is.

use super::spine::Spine;
use crate::base::{Mono, Now, Wall};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A line takes its place before others as long as they were read no longer ago, as in the console's merge.
const WINDOW: Duration = crate::logs::merge::WINDOW;
/// A source that keeps sending lines older than that holds up the others no longer than this.
const LONGEST: Duration = Duration::from_secs(4);
/// So often it is noted how far everything has been read.
const NOTED: Duration = Duration::from_millis(500);
/// Borders kept; the oldest give way, and with them only the place of lines that came late.
const BORDERS: usize = 20_000;

/// A place in each strand: what lies before it and what behind. A strand that came later begins at 0.
pub(super) type Cut = Vec<u64>;

/// What lies between two cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) low: Cut,
    pub(super) high: Cut,
    /// The place of its beginning: the sum of `low`.
    pub(super) at: u64,
    /// About when its lines were read.
    pub(super) seen: Wall,
    /// Not settled: other lines may come between these.
    pub(super) open: bool,
}

impl Piece {
    /// The place behind it.
    pub(super) fn end(&self) -> u64 {
        sum(&self.high)
    }

    /// What of a strand lies here.
    pub(super) fn of(&self, strand: usize) -> (u64, u64) {
        (place(&self.low, strand), place(&self.high, strand))
    }
}

#[derive(Debug)]
struct Border {
    cut: Cut,
    at: u64,
    /// When what lies behind it began to come.
    seen: Wall,
}

#[derive(Debug)]
struct State {
    spines: Vec<Arc<Mutex<Spine>>>,
    /// The first lies before everything.
    borders: VecDeque<Border>,
    /// How far everything had been read, and when.
    noted: VecDeque<(Mono, Cut)>,
    now: Now,
}

/// The spines.
#[derive(Debug)]
pub struct Strands {
    by_time: bool,
    state: Mutex<State>,
}

/// How far what has been read may be settled: up to `may`; up to `must` whatever came since.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) from: Cut,
    pub(super) may: Cut,
    pub(super) must: Cut,
}

impl Strands {
    /// One row of lines, in the order in which they come.
    pub fn of(spine: Arc<Mutex<Spine>>) -> Arc<Self> {
        Arc::new(Self::with(false, vec![spine], Wall(0)))
    }

    /// One row of lines, in the order of time. `now` stands for the time of lines that never say one.
    pub fn by_time(now: Wall) -> Arc<Self> {
        Arc::new(Self::with(true, Vec::new(), now))
    }

    fn with(by_time: bool, spines: Vec<Arc<Mutex<Spine>>>, seen: Wall) -> Self {
        let borders = VecDeque::from([Border { cut: Vec::new(), at: 0, seen }]);
        let now = Now { mono: Mono::default(), wall: seen };
        Self { by_time, state: Mutex::new(State { spines, borders, noted: VecDeque::new(), now }) }
    }

    /// Whether lines stand in the order of time.
    pub(super) fn is_by_time(&self) -> bool {
        self.by_time
    }

    /// When it began.
    pub(super) fn began(&self) -> Wall {
        self.locked().borders.front().map_or(Wall(0), |border| border.seen)
    }

    /// Where the lines of a source lie.
    pub(super) fn spine(&self, source: u16) -> Arc<Mutex<Spine>> {
        let at = if self.by_time { usize::from(source) } else { 0 };
        let mut state = self.locked();
        if state.spines.len() <= at {
            state.spines.resize_with(at + 1, Arc::default);
        }
        state.spines.get(at).cloned().unwrap_or_default()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Mutex<Spine>>> {
        self.locked().spines.clone()
    }

    /// The first place, the place behind what is settled, the place behind everything.
    pub fn span(&self) -> (u64, u64, u64) {
        let state = self.locked();
        if !self.by_time {
            let spans = state.each(|spine| (spine.begin(), spine.end(), spine.limit()));
            return spans.first().copied().unwrap_or_default();
        }
        let begins = state.each(Spine::begin);
        let gone = |border: &&Border| (0..begins.len()).all(|at| place(&border.cut, at) <= place(&begins, at));
        let begin = state.borders.iter().take_while(gone).last().map_or(0, |border| border.at);
        let settled = state.borders.back().map_or(0, |border| border.at);
        (begin, settled, sum(&state.each(Spine::limit)).max(settled))
    }

    /// Counted lines that lie here no more.
    pub(super) fn lost(&self) -> u64 {
        self.locked().each(Spine::lost).iter().sum()
    }

    /// What lies between the two borders round a place.
    pub(super) fn round(&self, place: u64) -> Option<Piece> {
        let state = self.locked();
        let next = state.borders.partition_point(|border| border.at <= place);
        let low = state.borders.get(next.checked_sub(1)?)?;
        let (high, open) = match state.borders.get(next) {
            Some(high) => (high.cut.clone(), false),
            None => (state.each(Spine::limit), true),
        };
        let piece = Piece { low: low.cut.clone(), high, at: low.at, seen: low.seen, open };
        (place < piece.end()).then_some(piece)
    }

    /// The piece between two borders that holds a place of a strand.
    pub(super) fn holding(&self, strand: usize, of: u64) -> Option<u64> {
        let state = self.locked();
        let next = state.borders.partition_point(|border| place(&border.cut, strand) <= of);
        state.borders.get(next.checked_sub(1)?).map(|border| border.at)
    }

    /// Time goes on. True when something waits for being settled.
    pub fn tick(&self, now: Now) -> bool {
        if !self.by_time {
            return false;
        }
        let mut state = self.locked();
        state.now = now;
        let ends = state.each(Spine::end);
        let last = state.noted.back();
        if last.is_none_or(|(at, cut)| now.mono.since(*at) >= NOTED && *cut != ends) {
            state.noted.push_back((now.mono, ends));
        }
        let old = |(at, _): &(Mono, Cut)| now.mono.since(*at) >= LONGEST;
        while state.noted.get(1).is_some_and(old) {
            state.noted.pop_front();
        }
        let settled = state.borders.back().map_or(0, |border| border.at);
        state.noted.iter().any(|(at, cut)| now.mono.since(*at) >= WINDOW && sum(cut) > settled)
    }

    /// All that was there at the beginning is here: no line of it will come late.
    pub(super) fn settle(&self) {
        let mut state = self.locked();
        let cut = state.each(Spine::end);
        state.border(cut);
    }

    /// What may be settled now.
    pub(super) fn due(&self) -> Option<Due> {
        let state = self.locked();
        let from = &state.borders.back()?.cut;
        let older = |age: Duration| {
            let mut old = state.noted.iter().filter(|(at, _)| state.now.mono.since(*at) >= age);
            old.next_back().map(|(_, cut)| cut.clone()).unwrap_or_default()
        };
        let (may, must) = (older(WINDOW), older(LONGEST));
        (sum(&may) > sum(from)).then(|| Due { from: from.clone(), may, must })
    }

    /// Lays a border behind what `due` named, unless another has been laid meanwhile.
    pub(super) fn border(&self, due: &Due, cut: Cut) {
        let mut state = self.locked();
        if state.borders.back().is_some_and(|last| last.cut == due.from) {
            state.border(cut);
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn each<T>(&self, read: impl Fn(&Spine) -> T) -> Vec<T> {
        self.spines.iter().map(|spine| read(&spine.lock().unwrap_or_else(PoisonError::into_inner))).collect()
    }

    fn border(&mut self, cut: Cut) {
        let (at, seen) = (sum(&cut), self.now.wall);
        if self.borders.back().is_some_and(|last| last.at < at) {
            self.borders.push_back(Border { cut, at, seen });
        }
        if self.borders.len() > BORDERS {
            // The first stays: everything lies behind it.
            self.borders.remove(1);
        }
    }
}

/// The place of a whole that a cut is.
pub(super) fn sum(cut: &[u64]) -> u64 {
    cut.iter().sum()
}

/// Where a cut goes through a strand.
pub(super) fn place(cut: &[u64], strand: usize) -> u64 {
    cut.get(strand).copied().unwrap_or(0)
}
