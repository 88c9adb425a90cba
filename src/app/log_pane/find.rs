//! A search as a pane knows it: what was typed, where it began, how far it is, which hit is shown.

use super::pane::{Ask, LogPane};
use crate::base::Fault;
use crate::logs::search::{Find, Progress};
use std::sync::Arc;

/// One search.
#[derive(Debug, Default)]
pub struct Finding {
    pub(super) text: String,
    /// Where the reader stood: the top, or following.
    pub(super) origin: Option<u64>,
    /// Where the search looks from.
    pub(super) from: u64,
    pub(super) find: Option<Arc<Find>>,
    pub(super) fault: Option<Fault>,
    pub(super) progress: Progress,
    pub(super) rank: Option<u64>,
    /// The hit shown.
    pub(super) hit: Option<u64>,
    /// A hit was asked for and has not come.
    pub(super) waits: bool,
}

impl Finding {
    /// As typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// To mark shown lines with.
    pub fn find(&self) -> Option<&Arc<Find>> {
        self.find.as_ref()
    }

    /// Why there is none.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// How far it is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The number of the hit shown.
    pub fn rank(&self) -> Option<u64> {
        self.rank
    }

    /// The hit shown.
    pub fn hit(&self) -> Option<u64> {
        self.hit
    }
}

impl LogPane {
    /// The pattern has been compiled, or not.
    pub fn compiled(&mut self, find: Result<Arc<Find>, Fault>) {
        let Some(finding) = &mut self.finding else { return };
        (finding.find, finding.fault) = match find {
            Ok(find) => (Some(find), None),
            Err(fault) => (None, Some(fault)),
        };
        (finding.progress, finding.rank, finding.hit) = (Progress::default(), None, None);
        finding.waits = finding.find.is_some();
    }

    /// How far the search is, and the number of the hit shown.
    pub fn found(&mut self, progress: Progress, rank: Option<u64>) -> Vec<Ask> {
        let origin = self.origin();
        let Some(finding) = &mut self.finding else { return Vec::new() };
        let more = progress.count > 0 && finding.waits;
        (finding.progress, finding.rank) = (progress, rank);
        if more { vec![Ask::Nearest(origin)] } else { Vec::new() }
    }

    /// The nearest hit lies here; `None` when there is none yet on either side.
    pub fn landed(&mut self, hit: Option<(u64, Option<u64>)>) -> Vec<Ask> {
        // Whoever has gone elsewhere meanwhile stays there.
        let Some(finding) = self.finding.as_mut().filter(|finding| finding.waits) else { return Vec::new() };
        let Some((hit, rank)) = hit else { return Vec::new() };
        (finding.hit, finding.rank, finding.waits) = (Some(hit), rank, false);
        self.go(hit)
    }

    /// The reader goes elsewhere: a hit that comes later does not move him.
    pub(super) fn wait_no_more(&mut self) {
        if let Some(finding) = &mut self.finding {
            finding.waits = false;
        }
    }

    /// Where the search looks from.
    pub(super) fn origin(&self) -> u64 {
        self.finding.as_ref().map_or_else(|| self.top.unwrap_or(self.status.span.1), |finding| finding.from)
    }

    /// The next hit, or the one before.
    pub(super) fn step(&mut self, forward: bool) -> Vec<Ask> {
        let top = self.top;
        let current = self.current().map(|row| row.place);
        let Some(finding) = self.finding.as_mut().filter(|finding| finding.find.is_some()) else {
            self.say("Nothing is being searched for: / begins.".into());
            return Vec::new();
        };
        finding.waits = true;
        let seen = finding.hit.filter(|hit| self.at == Some(*hit));
        let from = match (seen, forward) {
            (Some(hit), true) => hit + 1,
            (Some(hit), false) => hit,
            (None, true) => top.or(current).unwrap_or(self.status.span.1),
            (None, false) => top.unwrap_or(self.status.span.1),
        };
        vec![Ask::Step(from, forward)]
    }

    /// The pattern has changed.
    pub(super) fn search(&mut self, text: String) -> Vec<Ask> {
        let origin = self.origin();
        let top = self.top;
        let finding = self.finding.get_or_insert_with(|| Finding { origin: top, from: origin, ..Finding::default() });
        finding.text.clone_from(&text);
        if text.is_empty() {
            (finding.find, finding.fault, finding.hit, finding.waits) = (None, None, None, false);
            return vec![Ask::Unfind];
        }
        vec![Ask::Find(text, origin)]
    }

    /// The search is given up; while it is typed, the reader is back where he began.
    pub(super) fn give_up(&mut self, back: bool) -> Vec<Ask> {
        let Some(finding) = self.finding.take() else { return Vec::new() };
        let mut asks = vec![Ask::Unfind];
        if back {
            self.at = None;
            self.wish.goal = None;
            asks.extend(match finding.origin {
                Some(top) => {
                    self.top = Some(top);
                    self.wish()
                }
                None => self.follow(),
            });
        }
        asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn a_hit_that_comes_late_does_not_move_a_reader_who_went_elsewhere() {
        let mut pane = LogPane::new();
        drop(pane.search("x".into()));
        pane.compiled(Find::new("x").map(Arc::new));
        drop(pane.command(Command::Bottom));
        drop(pane.landed(Some((7, Some(1)))));
        assert!(pane.top.is_none() && pane.wish.goal.is_none(), "he follows the end");
        drop(pane.command(Command::NextHit));
        drop(pane.landed(Some((7, Some(1)))));
        assert!(pane.wish.goal.is_some(), "he asked for the next one");
    }
}
