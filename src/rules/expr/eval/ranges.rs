//! Range vectors: the points of each row for the window of every step.

use super::super::plan::{Node, Plan, Shift, Subquery};
use super::super::source::{Handle, Millis};
use super::answer::final_key;
use super::frame::{Computed, Frame, Grid, Keys, is_present};
use super::run::Run;
use crate::base::Fault;
use std::sync::Arc;

/// Where the points of a range vector come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// From the source.
    Stored(Arc<[Handle]>),
    /// From a sub-query, at the times of its own grid.
    Computed(Frame, Grid),
}

/// A range vector.
#[derive(Debug)]
pub(super) struct Ranges {
    pub(super) origin: Origin,
    pub(super) keys: Arc<Keys>,
    pub(super) range: Millis,
    pub(super) shift: Shift,
}

impl Run<'_> {
    /// The range vector that a selector or sub-query means.
    pub(super) fn ranges(&mut self, node: &Node, grid: Grid) -> Result<Option<Ranges>, Fault> {
        match node.plan() {
            Plan::Range(select, range) => {
                let selection = self.memory.selection(self.source, select);
                let until = self.shifted(select.shift, grid.last());
                self.note_coverage(&selection.handles, until, range.saturating_add(self.around));
                let origin = Origin::Stored(selection.handles);
                Ok(Some(Ranges { origin, keys: selection.keys, range: *range, shift: select.shift }))
            }
            Plan::Subquery(sub) => self.subquery(sub, grid),
            _ => Ok(None),
        }
    }

    fn subquery(&mut self, sub: &Subquery, grid: Grid) -> Result<Option<Ranges>, Fault> {
        let step = sub.step.unwrap_or(self.query.default_step).max(1);
        let from = self.shifted(sub.shift, grid.start).saturating_sub(sub.range);
        let until = self.shifted(sub.shift, grid.last());
        // The first multiple of the step inside the left-open window.
        let start = from.div_euclid(step).saturating_add(1).saturating_mul(step);
        let Ok(more) = usize::try_from(until.saturating_sub(start).div_euclid(step)) else { return Ok(None) };
        let inner = Grid { start, step, count: more.saturating_add(1) };
        self.budget.frame(1, inner.count)?;
        let outer = self.around;
        self.around = outer.saturating_add(sub.range);
        let value = self.eval(&sub.of, inner);
        self.around = outer;
        let Computed::Vector(mut frame) = value? else { return Ok(None) };
        if frame.may_clash() && (0..frame.keys.rows.len()).any(|row| frame.drops_name(row)) {
            // Rows that differ only in names that go are one series of the window.
            let keys: Vec<_> = (0..).zip(&frame.keys.rows).map(|(row, key)| final_key(&frame, row, key)).collect();
            frame = self.merged(&frame, &keys, &[])?;
        }
        let keys = Arc::clone(&frame.keys);
        Ok(Some(Ranges { origin: Origin::Computed(frame, inner), keys, range: sub.range, shift: sub.shift }))
    }

    /// Fills `points` with those of one row in `after < t <= until`.
    pub(super) fn read(&mut self, ranges: &Ranges, row: usize, after: Millis, until: Millis) -> Result<(), Fault> {
        self.points.clear();
        match &ranges.origin {
            Origin::Stored(handles) => {
                if let Some(handle) = handles.get(row) {
                    self.source.scan(*handle, after, until, &mut self.points);
                }
            }
            Origin::Computed(frame, grid) => {
                let cells = grid.times().zip(frame.row(row)).filter(|(_, value)| is_present(**value));
                let inside = cells.filter(|(time, _)| after < *time && *time <= until);
                self.points.extend(inside.map(|(time, value)| (time, *value)));
            }
        }
        self.budget.spend(self.points.len())
    }
}
