//! The book over a scripted store: one sampler, one clock, and nothing that waits.

mod bands;
mod restart;
mod rules;
mod sides;

use super::expr::Expr;
use super::rule::{Alerting, Group, Judge, Rule, RuleFile, RuleKind};
use super::{Bands, Book, BookOptions, Finding, FindingState, Transition};
use crate::base::{Failure, Mono, Now, Observation, Point, Sample, Unit, Wall};
use crate::store::{Limits, Store};
use FindingState::Inactive;
use core::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A store with one sampler of every second, a book, and a clock.
pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) book: Book,
    pub(super) now: Now,
    /// How often its sampler speaks, and how far a judgement moves the clock.
    every: Duration,
    moves: Vec<(FindingState, FindingState)>,
}

/// The bands of a pane as the one rule of a book.
fn banded(bands: Bands, hold: u64) -> RuleFile {
    let alerting = Alerting {
        judge: Judge::Bands(bands),
        hold: Duration::from_secs(hold),
        keep: Duration::ZERO,
        annotations: Vec::new(),
        unit: Some(Unit::Count),
        words: None,
        remedy: None,
        page: None,
    };
    let expr = Expr::parse("queue").expect("parses");
    let rule = Rule {
        name: "queue".into(),
        place: None,
        expr_place: None,
        expr,
        labels: Vec::new(),
        kind: RuleKind::Alerting(alerting),
    };
    let group = Group { name: "bands".into(), interval: None, offset: Duration::ZERO, limit: 0, rules: vec![rule] };
    RuleFile { groups: vec![group], ..RuleFile::default() }
}

impl Bench {
    pub(super) fn new(hold: u64) -> Self {
        Self::of(vec![banded(Bands::limits(10.0, 20.0), hold)], BookOptions::default())
    }

    pub(super) fn of(files: Vec<RuleFile>, options: BookOptions) -> Self {
        let now = Now { mono: Mono(1_000_000_000_000), wall: Wall(1_700_000_000_000_000_000) };
        Self {
            store: Store::new(Limits::default()),
            book: Book::new(files, options),
            now,
            every: SECOND,
            moves: Vec::new(),
        }
    }

    pub(super) fn sample(&mut self, outcome: Result<Vec<Point>, Failure>) {
        self.sample_of("s", outcome);
    }

    pub(super) fn sample_of(&mut self, sampler: &str, outcome: Result<Vec<Point>, Failure>) {
        let outcome = outcome.map(|points| Observation { points, ..Observation::default() });
        let (seen, took) = (self.now, Duration::ZERO);
        self.store.ingest(&Sample {
            sampler: sampler.into(),
            seen,
            took,
            interval: self.every,
            next_in: self.every,
            outcome,
        });
    }

    pub(super) fn judge(&mut self) -> Vec<Transition> {
        let moved = self.book.judge(&mut self.store, self.now);
        self.moves.extend(moved.iter().map(|moved| (moved.from.0, moved.to.0)));
        self.pass(self.every);
        moved
    }

    pub(super) fn pass(&mut self, by: Duration) {
        self.now = Now { mono: self.now.mono + by, wall: self.now.wall.ahead(by) };
    }

    pub(super) fn value(&mut self, value: f64) -> Vec<Transition> {
        self.sample(Ok(vec![Point::gauge("queue", &[], value)]));
        self.judge()
    }

    pub(super) fn values(&mut self, values: &[f64]) {
        for value in values {
            self.value(*value);
        }
    }

    pub(super) fn fail(&mut self) -> Vec<Transition> {
        self.sample(Err(Failure::unreachable("no answer.")));
        self.judge()
    }

    pub(super) fn state(&self) -> FindingState {
        self.book.findings().first().map_or(Inactive, |finding| finding.state)
    }

    pub(super) fn first(&self) -> Finding {
        self.book.findings().first().cloned().expect("something was found")
    }
}
