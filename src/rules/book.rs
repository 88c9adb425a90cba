//! The book of alerts: every watch over every series that it means, judged tick by tick.

use super::bands::Bands;
use super::row::Row;
use crate::base::{Clean, Level, Now, SeriesKey, Unit};
use crate::store::{Selector, SeriesId, Store};
use core::time::Duration;
use std::collections::HashSet;
use std::sync::Arc;

/// A condition that is watched.
#[derive(Clone, Debug)]
pub struct Watch {
    /// What the operator calls it.
    pub title: Clean,
    /// Over which series; each of them has a finding of its own.
    pub selector: Selector,
    /// How their values are shown.
    pub unit: Unit,
    /// What levels their values have.
    pub bands: Bands,
    /// The action that mends it, by name.
    pub remedy: Option<Arc<str>>,
    /// How long values must be bad before the alert fires.
    pub hold: Duration,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingState {
    /// Nothing was found.
    Inactive,
    /// Bad, but not yet for long enough.
    Pending,
    /// Bad for long enough.
    Firing,
    /// It fired, and the last ticks were good, but not yet enough of them.
    Clearing,
    /// It fired, and is over.
    Resolved,
    /// No data for five minutes: an alert that fired keeps its level, of any other nothing is known.
    NoData,
}

impl FindingState {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Pending => "PENDING",
            Self::Firing => "FIRING",
            Self::Clearing => "CLEARING",
            Self::Resolved => "RESOLVED",
            Self::NoData => "UNKNOWN",
        }
    }

    /// What is up comes first, then what may come, then what is over.
    const fn rank(self) -> u8 {
        match self {
            Self::Firing | Self::Clearing | Self::NoData => 0,
            Self::Pending => 1,
            Self::Resolved => 2,
            Self::Inactive => 3,
        }
    }
}

/// What a watch found in one series.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Index of the watch in the book.
    pub watch: usize,
    /// The series.
    pub key: SeriesKey,
    /// Where the alert stands.
    pub state: FindingState,
    /// How bad it is; UNKNOWN when data was lost before it fired.
    pub level: Level,
    /// Since when it stands so; a firing alert that grew worse keeps it.
    pub since: Now,
    /// The last value, in the series' base unit; NaN when there was none yet.
    pub value: f64,
    /// Without live data for so long; `None` while data comes.
    pub no_data_for: Option<Duration>,
}

/// An alert moved, or a firing one changed its level.
#[derive(Clone, Debug)]
pub struct Transition {
    /// Index of the watch in the book.
    pub watch: usize,
    /// The series.
    pub key: SeriesKey,
    /// State and level before.
    pub from: (FindingState, Level),
    /// State and level now.
    pub to: (FindingState, Level),
    /// When it was judged.
    pub at: Now,
    /// The last value, in the series' base unit.
    pub value: f64,
}

#[derive(Debug)]
struct Page {
    watch: Watch,
    rows: Vec<Row>,
    /// The store's generation for which `rows` was made.
    generation: Option<u64>,
    level: Level,
}

/// All watches and what they found.
#[derive(Debug)]
pub struct Book {
    pages: Vec<Page>,
    findings: Vec<Finding>,
}

impl Book {
    /// A book that has found nothing yet.
    pub fn new(watches: Vec<Watch>) -> Self {
        let page = |watch| Page { watch, rows: Vec::new(), generation: None, level: Level::Unknown };
        Self { pages: watches.into_iter().map(page).collect(), findings: Vec::new() }
    }

    /// Judges every series that has new data, and the age of the others. Call it for each tick in which data came,
    /// and each second.
    pub fn judge(&mut self, store: &Store, now: Now) -> Vec<Transition> {
        let mut moved = Vec::new();
        self.findings.clear();
        for (at, page) in self.pages.iter_mut().enumerate() {
            page.look(store, now);
            let Page { watch, rows, .. } = page;
            rows.retain_mut(|row| {
                let before = (row.state, row.severity());
                let stays = row.judge(watch, store, now);
                let after = (row.state, row.severity());
                if before.0 != after.0 || row.state == FindingState::Firing && before.1 != after.1 {
                    let key = row.key.clone();
                    moved.push(Transition { watch: at, key, from: before, to: after, at: now, value: row.value });
                }
                stays
            });
            page.level = page.rows.iter().map(|row| row.shown(store, now.mono)).max().unwrap_or_default();
            self.findings.extend(page.rows.iter().filter(|row| row.state != FindingState::Inactive).map(|row| {
                Finding {
                    watch: at,
                    key: row.key.clone(),
                    state: row.state,
                    level: row.severity(),
                    since: row.since,
                    value: row.value,
                    no_data_for: row.silent_for,
                }
            }));
        }
        self.findings.sort_by(|a, b| {
            let by_level = a.state.rank().cmp(&b.state.rank()).then(b.level.cmp(&a.level));
            by_level.then(a.since.mono.cmp(&b.since.mono)).then(a.watch.cmp(&b.watch)).then_with(|| a.key.cmp(&b.key))
        });
        moved
    }

    /// The worst level that a watch's values have, debounced; UNKNOWN when any is not known and none is worse.
    pub fn level(&self, watch: usize) -> Level {
        self.pages.get(watch).map_or(Level::Unknown, |page| page.level)
    }

    /// What was found and is not inactive: what is up first, the critical before the others, the oldest first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A watch by its index.
    pub fn watch(&self, at: usize) -> Option<&Watch> {
        self.pages.get(at).map(|page| &page.watch)
    }

    /// Every watch, in order.
    pub fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.pages.iter().map(|page| &page.watch)
    }
}

impl Page {
    /// Finds the series again when the set of series has changed.
    fn look(&mut self, store: &Store, now: Now) {
        if self.generation == Some(store.generation()) {
            return;
        }
        self.generation = Some(store.generation());
        let known: HashSet<SeriesId> = self.rows.iter().map(|row| row.id).collect();
        for id in store.select(&self.watch.selector).into_iter().filter(|id| !known.contains(id)) {
            let (key, sampler) = (store.key(id), store.sampler_of(id));
            match self.rows.iter_mut().find(|row| row.key == *key && row.sampler == *sampler) {
                Some(row) => row.id = id,
                None => self.rows.push(Row::new(key.clone(), Arc::clone(sampler), id, now)),
            }
        }
    }
}
