//! `rate`, `increase` and `delta`: what happened between the ends of a window, extrapolated to its edges.

use super::super::function::Over;
use super::super::source::{Ends, Millis};

/// A window as these functions see it: left-open, clipped to the recording where that began later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edges {
    pub(super) after: Millis,
    pub(super) until: Millis,
}

fn seconds(from: Millis, to: Millis) -> f64 {
    to.saturating_sub(from) as f64 / 1000.0
}

/// `None` when there are fewer than two points.
///
/// Source: `extrapolatedRate` as documented with Prometheus 3. An edge that is further from the nearest point than
/// 1.1 times the mean distance of points is not reached: then half of that distance is added; and no counter was ever
/// below zero.
pub(super) fn extrapolated(function: Over, ends: &Ends, edges: Edges) -> Option<f64> {
    if ends.count < 2 {
        return None;
    }
    let (first, last) = (ends.first, ends.last);
    let counter = function != Over::Delta;
    let mut gain = last.1 - first.1;
    if counter {
        gain += ends.dropped;
    }
    let sampled = seconds(first.0, last.0);
    let distance = sampled / (ends.count - 1) as f64;
    let threshold = distance * 1.1;
    let mut to_start = seconds(edges.after, first.0).max(0.0);
    let mut to_end = seconds(last.0, edges.until);
    if to_start >= threshold {
        to_start = distance / 2.0;
    }
    if counter && gain > 0.0 && first.1 >= 0.0 {
        to_start = to_start.min(sampled * (first.1 / gain));
    }
    if to_end >= threshold {
        to_end = distance / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if function == Over::Rate {
        factor /= seconds(edges.after, edges.until);
    }
    Some(gain * factor)
}

/// The resets of a run of points, so that each of many windows over it is summed without looking at every point.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// The index of the point that fell, and the value before it.
    falls: Vec<(usize, f64)>,
}

impl Resets {
    pub(super) fn find(&mut self, points: &[(Millis, f64)]) {
        self.falls.clear();
        let pairs = points.iter().zip(points.iter().skip(1)).enumerate();
        self.falls.extend(pairs.filter(|(_, (a, b))| b.1 < a.1).map(|(at, (a, _))| (at + 1, a.1)));
    }

    /// What the points `from..to` lost by resets among them.
    pub(super) fn dropped(&self, from: usize, to: usize) -> f64 {
        let start = self.falls.partition_point(|(at, _)| *at <= from);
        self.falls.iter().skip(start).take_while(|(at, _)| *at < to).map(|(_, before)| before).sum()
    }
}
