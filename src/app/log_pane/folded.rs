//! Lines that differ in numbers only, as one: a view over the rows at hand, which asks for more of them.

use super::pane::{Ask, LogPane};
use crate::logs::fold::runs;
use crate::logs::reader::{Row, Want};
use std::collections::BTreeMap;

/// So many times more rows are asked for at most.
const MOST: usize = 64;

/// Whether lines are folded, and how many stand behind a row.
#[derive(Debug, Default)]
pub(super) struct Folded {
    on: bool,
    more: usize,
    counts: BTreeMap<u64, usize>,
}

impl Folded {
    /// How many times more rows than usual are wanted.
    pub(super) fn stretch(&self) -> usize {
        if self.on { self.more.max(1) } else { 1 }
    }

    /// More rows would be more than is worth while.
    pub(super) fn exhausted(&self) -> bool {
        self.on && self.more >= MOST
    }
}

impl LogPane {
    pub(super) fn turn_fold(&mut self) -> Vec<Ask> {
        let on = !self.said.folded.on;
        self.said.folded = Folded { on, more: 1, counts: BTreeMap::new() };
        self.say(if on { "lines that differ in numbers only are one" } else { "every line stands alone" }.into());
        self.anew()
    }

    /// Each run of rows becomes its last one. Too few of them make the next wish larger.
    pub(super) fn fold_rows(&mut self, asked: Option<Want>) {
        self.said.folded.counts.clear();
        if !self.said.folded.on {
            return;
        }
        let rows: Vec<Row> = core::mem::take(&mut self.rows).into();
        for run in runs(rows.iter().map(|row| &row.line)) {
            let Some(last) = run.end.checked_sub(1).and_then(|at| rows.get(at)) else { continue };
            if run.len() > 1 {
                self.said.folded.counts.insert(last.place, run.len());
            }
            self.rows.push_back(last.clone());
        }
        let room = usize::from(self.wish.room);
        let whole = self.ends.0 && (self.ends.1 || asked.is_some_and(|asked| asked.ahead == 0));
        if self.rows.len() < room * 2 && !whole && self.said.folded.more < MOST {
            self.said.folded.more *= 2;
            self.ends.1 = false;
        }
    }

    /// How many lines a row stands for.
    pub fn times(&self, row: &Row) -> usize {
        self.said.folded.counts.get(&row.place).copied().unwrap_or(1)
    }

    /// Whether lines are folded.
    pub fn folds(&self) -> bool {
        self.said.folded.on
    }
}
