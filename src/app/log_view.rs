//! Where a reader stands in a log: following its end, or holding still at a line.

use crate::base::Fault;
use crate::store::LogRing;
use std::sync::Arc;

/// The view of one source.
#[derive(Clone, Debug)]
pub struct LogView {
    /// The source's name in the profile.
    pub source: Arc<str>,
    /// Index of the lowest line shown; `None` follows the end.
    pub bottom: Option<u64>,
    /// Held by the pause key, not by the reader.
    pub held: bool,
    /// What keeps the source from being read, as a sentence.
    pub failure: Option<Fault>,
}

impl LogView {
    /// Follows `source`.
    pub fn follow(source: Arc<str>) -> Self {
        Self { source, bottom: None, held: false, failure: None }
    }

    /// Moves by `lines` (negative: towards older ones). Reaching the end follows again.
    pub fn scroll(&mut self, ring: &LogRing, lines: i64) {
        let last = last(ring);
        let from = self.bottom.unwrap_or(last);
        let to = from.saturating_add_signed(lines).clamp(ring.first_index(), last);
        self.bottom = (to < last || ring.is_empty()).then_some(to).filter(|_| !ring.is_empty());
    }

    /// The oldest line.
    pub fn top(&mut self, ring: &LogRing) {
        if !ring.is_empty() {
            self.bottom = Some(ring.first_index()).filter(|first| *first < last(ring));
        }
    }

    /// Stands still while the screen is paused.
    pub fn hold(&mut self, ring: &LogRing) {
        if self.bottom.is_none() && !ring.is_empty() {
            self.bottom = Some(last(ring));
            self.held = true;
        }
    }

    /// The pause is over: follows again unless the reader had stopped himself.
    pub fn release(&mut self) {
        if core::mem::take(&mut self.held) {
            self.bottom = None;
        }
    }

    /// Index of the lowest line to draw, kept inside what the ring still holds.
    pub fn lowest(&self, ring: &LogRing) -> u64 {
        self.bottom.unwrap_or(u64::MAX).clamp(ring.first_index(), last(ring))
    }

    /// Lines that have come since the view left the end.
    pub fn unseen(&self, ring: &LogRing) -> u64 {
        self.bottom.map_or(0, |bottom| last(ring).saturating_sub(bottom))
    }
}

fn last(ring: &LogRing) -> u64 {
    ring.first_index() + u64::try_from(ring.len()).unwrap_or(u64::MAX).saturating_sub(1)
}
