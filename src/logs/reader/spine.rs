//! One row of bytes out of many bodies: which bytes of which body lie at a place. A stretch begins and ends at a line's
//! border, so that no line has two parents; what came after another stretch lies after it, whatever its file.

use super::body::Body;
use crate::base::Clean;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Stretches kept at most; the oldest leave.
const STRETCHES: usize = 100_000;

/// What lies in a stretch.
#[derive(Clone, Debug)]
pub enum Stuff {
    /// Bytes of a body from this offset on.
    Bytes(Arc<Body>, u64),
    /// A sentence of ours, as "rotated here": one place long.
    Mark(Clean),
}

/// A stretch of the spine.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Its first place.
    pub at: u64,
    /// Places in it: bytes, or 1 for a mark.
    pub len: u64,
    /// Lines in it that were counted when it was laid; what was there before anybody looked counts none.
    pub lines: u64,
    /// Which source it came from, as numbered by whoever laid it.
    pub source: u16,
    /// What lies there.
    pub stuff: Stuff,
}

impl Extent {
    /// The place after it.
    pub fn end(&self) -> u64 {
        self.at + self.len
    }

    /// The body whose bytes lie there.
    fn body(&self) -> Option<&Arc<Body>> {
        match &self.stuff {
            Stuff::Bytes(body, _) => Some(body),
            Stuff::Mark(_) => None,
        }
    }
}

/// The row. Places only grow; those before [`Spine::begin`] are gone for good.
#[derive(Debug, Default)]
pub struct Spine {
    extents: VecDeque<Extent>,
    end: u64,
    /// Counted lines that lie here no more.
    lost: u64,
    /// What its writer has not ended yet, behind the end: of the file that was written to last.
    open: Option<Extent>,
}

impl Spine {
    /// The first place that can be read.
    pub fn begin(&self) -> u64 {
        self.extents.front().map_or(self.end, |extent| extent.at)
    }

    /// The place after the last whole line.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The place after everything, a line that is being written included.
    pub fn limit(&self) -> u64 {
        self.open.as_ref().map_or(self.end, Extent::end)
    }

    /// Counted lines that were laid and lie here no more.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Lays whole lines: `len` bytes of `body` from `from` on, which count for `lines`.
    pub fn lay(&mut self, source: u16, body: &Arc<Body>, (from, len): (u64, u64), lines: u64) {
        if len == 0 {
            return;
        }
        let end = self.end;
        self.end += len;
        self.close(Some(body.id));
        if let Some(last) = self.extents.back_mut()
            && let Stuff::Bytes(known, start) = &last.stuff
            && Arc::ptr_eq(known, body)
            && start + last.len == from
            && last.source == source
        {
            last.len += len;
            last.lines += lines;
            return;
        }
        self.push(Extent { at: end, len, lines, source, stuff: Stuff::Bytes(Arc::clone(body), from) });
    }

    /// Lays a sentence of ours.
    pub fn mark(&mut self, source: u16, sentence: Clean) {
        let at = self.end;
        self.end += 1;
        self.close(None);
        self.push(Extent { at, len: 1, lines: 0, source, stuff: Stuff::Mark(sentence) });
    }

    /// Says what has been written of a line that has not ended; 0 bytes: nothing.
    pub fn leave_open(&mut self, source: u16, body: &Arc<Body>, from: u64, len: u64) {
        if len == 0 {
            return self.close(Some(body.id));
        }
        let stuff = Stuff::Bytes(Arc::clone(body), from);
        self.open = Some(Extent { at: self.end, len, lines: 0, source, stuff });
    }

    /// The bytes of a body before `from` are gone, with so many lines where somebody has counted them: its stretches
    /// shrink or go.
    pub fn forget(&mut self, body: &Body, from: u64, lines: Option<u64>) {
        if from == u64::MAX {
            self.close(Some(body.id));
        }
        let start = |extent: &Extent| match &extent.stuff {
            Stuff::Bytes(known, start) if known.id == body.id && *start < from => Some(*start),
            _ => None,
        };
        let mut whole = 0;
        self.extents.retain(|extent| {
            let gone = start(extent).is_some_and(|start| start + extent.len <= from);
            whole += if gone { extent.lines } else { 0 };
            !gone
        });
        let lost = lines.unwrap_or(whole);
        self.lost += lost;
        for part in &mut self.extents {
            let Some(gone) = start(part).map(|start| from - start) else { continue };
            (part.at, part.len) = (part.at + gone, part.len - gone);
            part.lines = part.lines.saturating_sub(lost.saturating_sub(whole));
            part.stuff = match &part.stuff {
                Stuff::Bytes(known, _) => Stuff::Bytes(Arc::clone(known), from),
                mark @ Stuff::Mark(_) => mark.clone(),
            };
        }
    }

    /// Whether any of a body lies here.
    pub(super) fn holds(&self, body: &Body) -> bool {
        let all = self.extents.iter().chain(&self.open);
        all.filter_map(Extent::body).any(|known| known.id == body.id)
    }

    /// The bodies that lie here and are over, each once, the newest first.
    pub(super) fn over(&self) -> Vec<Arc<Body>> {
        let mut known = BTreeSet::new();
        let bodies = self.extents.iter().rev().filter_map(Extent::body);
        bodies.filter(|body| body.is_over() && known.insert(body.id)).cloned().collect()
    }

    /// The stretch that holds a place, the open line included; what has been forgotten there makes the next one answer.
    pub fn at(&self, place: u64) -> Option<Extent> {
        if place >= self.end {
            return self.open.clone().filter(|open| place < open.end());
        }
        let after = self.extents.partition_point(|extent| extent.end() <= place);
        self.extents.get(after).cloned()
    }

    /// The stretch that ends last before a place, or holds the byte before it.
    pub fn before(&self, place: u64) -> Option<Extent> {
        if let Some(open) = self.open.as_ref().filter(|open| place > open.at) {
            return Some(open.clone());
        }
        let after = self.extents.partition_point(|extent| extent.at < place);
        after.checked_sub(1).and_then(|at| self.extents.get(at)).cloned()
    }

    /// Every stretch of whole lines between two places, cut to them.
    pub fn between(&self, from: u64, to: u64) -> Vec<Extent> {
        let first = self.extents.partition_point(|extent| extent.end() <= from);
        let cut = |extent: &Extent| {
            let (at, end) = (extent.at.max(from), extent.end().min(to));
            let stuff = match &extent.stuff {
                Stuff::Bytes(body, start) => Stuff::Bytes(Arc::clone(body), start + (at - extent.at)),
                mark @ Stuff::Mark(_) => mark.clone(),
            };
            Extent { at, len: end - at, stuff, ..*extent }
        };
        self.extents.range(first..).take_while(|extent| extent.at < to).map(cut).collect()
    }

    /// The open line has its end now if it is this body's; another's moves behind the end.
    fn close(&mut self, id: Option<u64>) {
        let end = self.end;
        self.open =
            self.open.take().filter(|open| !matches!(&open.stuff, Stuff::Bytes(body, _) if Some(body.id) == id));
        if let Some(open) = &mut self.open {
            open.at = end;
        }
    }

    fn push(&mut self, extent: Extent) {
        self.extents.push_back(extent);
        if self.extents.len() > STRETCHES {
            self.lost += self.extents.pop_front().map_or(0, |oldest| oldest.lines);
        }
    }
}
