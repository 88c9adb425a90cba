//! Aggregations that choose rows: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use super::super::plan::{Aggregate, AggregateOp, Node};
use super::frame::{ABSENT, Frame, Grid, is_present};
use super::labels;
use super::quantile::nan_first;
use super::run::Run;
use crate::base::{Fault, SeriesKey};
use core::cmp::Ordering;

/// A row with its value at one step.
type Candidate = (usize, f64);

impl Run<'_> {
    pub(super) fn top(&mut self, node: &Node, aggregate: &Aggregate, grid: Grid) -> Result<Frame, Fault> {
        let params = self.numbers(aggregate.param.as_deref(), grid)?;
        let frame = self.vector(Some(&aggregate.of), grid)?;
        self.check_params(aggregate.op, &params)?;
        let groups = self.groups(node, aggregate, &frame)?;
        let count = groups.keys.rows.len();
        let rows = frame.keys.rows.len();
        let mut values = vec![ABSENT; frame.values.len()];
        let mut order = Vec::new();
        let mut lists: Vec<Vec<Candidate>> = vec![Vec::new(); count];
        for (column, param) in params.iter().enumerate() {
            lists.iter_mut().for_each(Vec::clear);
            let most = at_most(aggregate.op, *param, rows);
            for (row, group) in groups.group.iter().enumerate() {
                let value = frame.cell(row, column);
                let list = usize::try_from(*group).ok().and_then(|group| lists.get_mut(group));
                let Some(list) = list.filter(|_| is_present(value)) else { continue };
                match aggregate.op {
                    AggregateOp::Topk => keep(list, (row, value), most, lower),
                    AggregateOp::Bottomk => keep(list, (row, value), most, higher),
                    AggregateOp::Limitk if list.len() >= most => {}
                    AggregateOp::LimitRatio if !sampled(frame.keys.rows.get(row), *param) => {}
                    _ => list.push((row, value)),
                }
            }
            for list in &mut lists {
                match aggregate.op {
                    AggregateOp::Topk => list.sort_by(|a, b| descending(a.1, b.1)),
                    AggregateOp::Bottomk => list.sort_by(|a, b| ascending(a.1, b.1)),
                    _ => {}
                }
                for (row, value) in list.iter() {
                    if let Some(cell) = values.get_mut(row * grid.count + column) {
                        *cell = *value;
                    }
                    order.push(*row);
                }
            }
        }
        let frame = Frame { values, ..frame };
        // The answer of one step has an order, that of a range has none.
        Ok(if grid.count == 1 { self.picked(&frame, &order) } else { frame })
    }

    fn check_params(&mut self, op: AggregateOp, params: &[f64]) -> Result<(), Fault> {
        let most = params.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = params.iter().copied().fold(f64::INFINITY, f64::min);
        let ratio = op == AggregateOp::LimitRatio;
        if params.iter().any(|param| param.is_nan()) {
            return Err(Fault::new(if ratio { "ratio value is NaN." } else { "parameter value is NaN." }));
        }
        if ratio {
            for (param, bound) in [(most, 1.0), (-least, 1.0)].into_iter().filter(|(param, bound)| param > bound) {
                self.notes.warn(&format!("ratio value should be between -1 and 1, got {param}, capping to {bound}"));
            }
            return Ok(());
        }
        const TOO_MANY: f64 = 9_223_372_036_854_775_807.0;
        if most >= 1.0 && (most >= TOO_MANY || least <= -TOO_MANY) {
            return Err(Fault::new(format!("scalar value {most} is no count of rows.")));
        }
        Ok(())
    }
}

/// Whether a row is of the share that `limit_ratio` takes: chosen by the hash of its labels.
fn sampled(key: Option<&SeriesKey>, ratio: f64) -> bool {
    let Some(key) = key else { return false };
    let place = hash(key) as f64 / u64::MAX as f64;
    if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio }
}

/// How many rows a group may have.
fn at_most(op: AggregateOp, param: f64, rows: usize) -> usize {
    if op == AggregateOp::LimitRatio {
        return rows;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=rows")]
    let most = param.clamp(0.0, rows as f64) as usize;
    most
}

/// What the heap of `topk` has on top: NaN, then the smallest.
fn lower(a: f64, b: f64) -> bool {
    a.is_nan() || a < b
}

/// What the heap of `bottomk` has on top: NaN, then the largest.
fn higher(a: f64, b: f64) -> bool {
    a.is_nan() || a > b
}

fn descending(a: f64, b: f64) -> Ordering {
    nan_first(b, a)
}

fn ascending(a: f64, b: f64) -> Ordering {
    if a.is_nan() || b.is_nan() { nan_first(b, a) } else { nan_first(a, b) }
}

/// Keeps the best rows on a heap whose top is the worst of them, as Prometheus does: of equal values it depends on the
/// heap which are kept.
fn keep(heap: &mut Vec<Candidate>, new: Candidate, most: usize, worse: fn(f64, f64) -> bool) {
    if heap.len() < most {
        heap.push(new);
        let mut at = heap.len() - 1;
        while at > 0 {
            let parent = (at - 1) >> 1;
            match (heap.get(at), heap.get(parent)) {
                (Some(child), Some(above)) if worse(child.1, above.1) => heap.swap(at, parent),
                _ => break,
            }
            at = parent;
        }
        return;
    }
    let Some(top) = heap.first_mut() else { return };
    if !(worse(top.1, new.1) && (!top.1.is_nan() || !new.1.is_nan())) {
        return;
    }
    *top = new;
    let mut at = 0;
    loop {
        let value = |at: usize| heap.get(at).map(|candidate: &Candidate| candidate.1);
        let (left, right) = (2 * at + 1, 2 * at + 2);
        let Some(left_value) = value(left) else { break };
        let child = if value(right).is_some_and(|right| worse(right, left_value)) { right } else { left };
        match (value(child), value(at)) {
            (Some(below), Some(above)) if worse(below, above) => heap.swap(child, at),
            _ => break,
        }
        at = child;
    }
}

/// The hash of a label set as Prometheus computes it: xxHash64 (Y. Collet) of its length-prefixed names and values.
fn hash(key: &SeriesKey) -> u64 {
    let mut bytes = Vec::new();
    let mut put = |text: &str| {
        let mut length = text.len();
        if length < 255 {
            bytes.push(u8::try_from(length).unwrap_or_default());
        } else {
            bytes.push(255);
            for _ in 0..3 {
                bytes.push(u8::try_from(length & 0xFF).unwrap_or_default());
                length >>= 8;
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    };
    let named = (!key.name.as_str().is_empty()).then_some((labels::NAME, key.name.as_str()));
    let pairs = || key.labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
    let before = pairs().filter(|(label, _)| *label < labels::NAME);
    let after = pairs().filter(|(label, _)| *label >= labels::NAME);
    for (label, value) in before.chain(named).chain(after) {
        put(label);
        put(value);
    }
    xxhash(&bytes)
}

const PRIMES: [u64; 5] =
    [0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5];

fn xxhash(bytes: &[u8]) -> u64 {
    let [p1, p2, p3, p4, p5] = PRIMES;
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let round = |lane: u64, input: u64| lane.wrapping_add(input.wrapping_mul(p2)).rotate_left(31).wrapping_mul(p1);
    let mut lanes = [p1.wrapping_add(p2), p2, 0, 0_u64.wrapping_sub(p1)];
    let stripes = bytes.chunks_exact(32);
    let mut rest = stripes.remainder();
    let mut hash = p5;
    if bytes.len() >= 32 {
        for stripe in stripes {
            for (lane, chunk) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word(chunk));
            }
        }
        let turns = lanes.iter().zip([1, 7, 12, 18]).map(|(lane, turn)| lane.rotate_left(turn));
        hash = turns.fold(0, u64::wrapping_add);
        hash = lanes.iter().fold(hash, |hash, lane| (hash ^ round(0, *lane)).wrapping_mul(p1).wrapping_add(p4));
    }
    hash = hash.wrapping_add(bytes.len() as u64);
    while let Some((chunk, more)) = rest.split_at_checked(8) {
        hash = (hash ^ round(0, word(chunk))).rotate_left(27).wrapping_mul(p1).wrapping_add(p4);
        rest = more;
    }
    if let Some((chunk, more)) = rest.split_at_checked(4) {
        hash = (hash ^ word(chunk).wrapping_mul(p1)).rotate_left(23).wrapping_mul(p2).wrapping_add(p3);
        rest = more;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(p5)).rotate_left(11).wrapping_mul(p1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(p2);
    hash = (hash ^ hash >> 29).wrapping_mul(p3);
    hash ^ hash >> 32
}
