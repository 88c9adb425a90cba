//! Where things stand: one line of state, one of alert, panes in a grid, the host line, the log, the hint.
//! The same places at every size; panes drop by priority below 80×24 and spread above it.

use ratatui::layout::Rect;

/// Below this nothing can be shown honestly.
pub const SMALLEST: (u16, u16) = (60, 15);
/// Heading, chart, two lines of detail.
const PANE_HEIGHT: u16 = 4;
/// Narrower panes cannot hold a value with level and age.
const PANE_WIDTH: u16 = 38;
/// Heading and three lines.
const LOG_HEIGHT: u16 = 4;

/// The areas of one screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// State line.
    pub state: Rect,
    /// Alert strip.
    pub alert: Rect,
    /// The rule below the strip; a running action is told in it.
    pub rule: Rect,
    /// One area for each pane of the grid that fits, in order.
    pub grid: Vec<Rect>,
    /// Strips of one line, in order.
    pub strips: Vec<Rect>,
    /// One area for each log pane that fits.
    pub logs: Vec<Rect>,
    /// Everything between rule and hint: for a zoomed pane.
    pub body: Rect,
    /// Last line.
    pub hint: Rect,
}

/// What wants room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Panes with a chart.
    pub grid: usize,
    /// Strips of one line.
    pub strips: usize,
    /// Log panes.
    pub logs: usize,
}

/// Lays out a screen; `None` when it is too small.
pub fn layout(area: Rect, wants: Wants) -> Option<Layout> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return None;
    }
    let row = |y: u16| Rect { x: area.x, y, width: area.width, height: 1 };
    let mut out = Layout {
        state: row(area.y),
        alert: row(area.y + 1),
        rule: row(area.y + 2),
        hint: row(area.bottom() - 1),
        ..Layout::default()
    };
    let top = area.y + 3;
    out.body = Rect { x: area.x, y: top, width: area.width, height: area.bottom() - 1 - top };

    let columns = columns(usize::from((area.width + 1) / (PANE_WIDTH + 1)).clamp(1, 4), wants.grid);
    let log_room = if wants.logs > 0 { LOG_HEIGHT + 1 } else { 0 };
    let strips = u16::try_from(wants.strips).unwrap_or(u16::MAX).min(3);
    let strip_room = if strips > 0 { strips + 1 } else { 0 };
    let free = out.body.height.saturating_sub(log_room + strip_room);
    let wanted_rows = u16::try_from(wants.grid.div_ceil(columns)).unwrap_or(u16::MAX);
    let rows = wanted_rows.min(free / PANE_HEIGHT);
    let (height, spare) = if rows == 0 {
        (0, free)
    } else if wants.logs == 0 {
        (free / rows, free % rows)
    } else {
        // Half of what is over goes to longer charts, the rest to the log.
        let more = (free - rows * PANE_HEIGHT) / 2 / rows;
        (PANE_HEIGHT + more, free - rows * (PANE_HEIGHT + more))
    };
    grid(&mut out, top, (rows, columns), height, wants.grid);

    let mut y = top + rows * height;
    for _ in 0..strips {
        y += 1;
        out.strips.push(row(y));
    }
    if wants.logs > 0 {
        let y = y + if strips > 0 || rows > 0 { 2 } else { 0 };
        let height = (LOG_HEIGHT + spare).min(out.hint.y.saturating_sub(y));
        logs(&mut out, Rect { x: area.x, y, width: area.width, height }, wants.logs);
    }
    Some(out)
}

/// As many columns as fit, but rather one fewer than an empty corner.
fn columns(fit: usize, count: usize) -> usize {
    let holes = |columns: usize| count.div_ceil(columns) * columns - count;
    (1..=fit.min(count.max(1))).rev().filter(|columns| *columns > 1 || fit == 1).min_by_key(|c| holes(*c)).unwrap_or(1)
}

fn grid(out: &mut Layout, top: u16, (rows, columns): (u16, usize), height: u16, count: usize) {
    let columns16 = u16::try_from(columns).unwrap_or(1);
    // One column between panes is the upright rule.
    let width = (out.body.width + 1) / columns16 - 1;
    for index in 0..count.min(usize::from(rows) * columns) {
        let column = u16::try_from(index % columns).unwrap_or(0);
        let line = u16::try_from(index / columns).unwrap_or(0);
        let x = out.body.x + column * (width + 1);
        let last = column + 1 == columns16;
        let width = if last { out.body.right() - x } else { width };
        out.grid.push(Rect { x, y: top + line * height, width, height });
    }
}

/// Log panes share the height while each keeps its least; the first ones stay.
fn logs(out: &mut Layout, area: Rect, count: usize) {
    let fit = u16::try_from(count).unwrap_or(u16::MAX).min(area.height / LOG_HEIGHT).max(1);
    let each = area.height / fit;
    for index in 0..fit {
        let y = area.y + index * each;
        let height = if index + 1 == fit { area.bottom() - y } else { each };
        out.logs.push(Rect { y, height, ..area });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: Wants = Wants { grid: 4, strips: 1, logs: 1 };

    #[test]
    fn the_triage_screen_at_its_three_sizes() {
        let at = |w, h| layout(Rect::new(0, 0, w, h), FULL).expect("fits");
        let small = at(80, 24);
        assert_eq!(small.grid.len(), 4);
        assert_eq!(small.grid[3], Rect::new(40, 8, 40, 5));
        assert_eq!((small.strips[0].y, small.logs[0].y, small.hint.y), (14, 16, 23));
        assert_eq!(small.logs[0].height, 7);
        assert_eq!(at(120, 40).grid[3], Rect::new(60, 12, 60, 9), "four panes stay two by two");
        assert_eq!(at(200, 50).grid[3].y, 3, "and stand side by side where there is room");
        assert_eq!(at(60, 15).grid.len(), 1, "panes drop by priority");
        assert_eq!(layout(Rect::new(0, 0, 59, 24), FULL), None);
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_leaves_the_screen(
            w in 60_u16..300, h in 15_u16..100, grid in 0_usize..12, strips in 0_usize..3, logs in 0_usize..3
        ) {
            let area = Rect::new(0, 0, w, h);
            let out = layout(area, Wants { grid, strips, logs }).expect("fits");
            let mut all: Vec<Rect> = vec![out.state, out.alert, out.rule, out.hint];
            all.extend(out.grid.iter().chain(&out.strips).chain(&out.logs));
            for (at, one) in all.iter().enumerate() {
                prop_assert_eq!(one.intersection(area), *one);
                for other in &all[at + 1..] {
                    prop_assert!(one.intersection(*other).is_empty(), "{:?} {:?}", one, other);
                }
            }
        }
    }
}
