//! Finds lines that only moved up, as the end of a log does, so that the terminal moves them itself (DECSTBM and
//! line feeds, ECMA-48 and VT100) instead of being sent them again.

use ratatui::buffer::Cell;

/// A log that moved further is sent again.
const FURTHEST: usize = 8;
/// Fewer cells than this cost less when they are sent again.
const WORTH: usize = 32;

/// Rows `top..=bottom` move up by `by`; the last `by` rows become blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scroll {
    pub(super) top: usize,
    pub(super) bottom: usize,
    pub(super) by: usize,
}

/// The scroll that saves most, if one is worth it. Both screens have rows of `width` cells.
pub(super) fn find(old: &[Cell], new: &[Cell], width: usize) -> Option<Scroll> {
    let old: Vec<&[Cell]> = old.chunks_exact(width).collect();
    let new: Vec<&[Cell]> = new.chunks_exact(width).collect();
    if old.len() != new.len() || old.iter().zip(&new).filter(|(old, new)| old != new).count() < 2 {
        return None;
    }
    let best = (1..=FURTHEST.min(old.len())).filter_map(|by| longest(&old, &new, by)).max_by_key(|(saved, _)| *saved);
    best.filter(|(saved, _)| *saved >= WORTH).map(|(_, scroll)| scroll)
}

/// The run of rows that moved up by `by` and saves most cells, with what it saves.
fn longest(old: &[&[Cell]], new: &[&[Cell]], by: usize) -> Option<(usize, Scroll)> {
    let mut best: Option<(usize, Scroll)> = None;
    let mut run: Option<(usize, usize)> = None;
    for (y, (row, moved)) in new.iter().zip(old.iter().skip(by)).enumerate() {
        if row != moved {
            run = None;
            continue;
        }
        let stood = old.get(y).copied().unwrap_or_default();
        let saved = row.iter().zip(stood).filter(|(new, old)| new != old).count();
        let (top, sum) = run.unwrap_or((y, 0));
        run = Some((top, sum + saved));
        if best.is_none_or(|(known, _)| sum + saved > known) {
            best = Some((sum + saved, Scroll { top, bottom: y + by, by }));
        }
    }
    best
}

impl Scroll {
    /// What the screen is afterwards.
    pub(super) fn apply(self, screen: &mut [Cell], width: usize) {
        let Some(region) = screen.get_mut(self.top * width..(self.bottom + 1) * width) else { return };
        let moved = (self.by * width).min(region.len());
        region.rotate_left(moved);
        let kept = region.len() - moved;
        for cell in region.iter_mut().skip(kept) {
            cell.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;

    fn screen(lines: &[&str]) -> Buffer {
        Buffer::with_lines(lines.iter().map(|line| format!("{line:<40}")))
    }

    #[test]
    fn a_log_that_moved_is_found_below_what_stood_still() {
        let old = screen(&["head", "first line of the log here", "second line of it", "third one that stays", "hint"]);
        let new = screen(&["head", "second line of it", "third one that stays", "a fourth line, quite new", "hint"]);
        let found = find(&old.content, &new.content, 40);
        assert_eq!(found, Some(Scroll { top: 1, bottom: 3, by: 1 }));
        let mut moved = old.content.clone();
        found.unwrap().apply(&mut moved, 40);
        assert_eq!(moved, screen(&["head", "second line of it", "third one that stays", "", "hint"]).content);
    }

    #[test]
    fn a_changed_number_is_no_scroll() {
        let old = screen(&["latency 14.2", "queue 12", "log", "log"]);
        let new = screen(&["latency 14.3", "queue 13", "log", "log"]);
        assert_eq!(find(&old.content, &new.content, 40), None);
    }
}
