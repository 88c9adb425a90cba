//! The open incident: its head, what is left to do, and its timeline with the newest row last.

use super::sheet::{more, sheet};
use crate::app::card::{lasts, to_do};
use crate::app::{Model, Scroll};
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::incident::{Kind, Row, rows};
use crate::ui::paint::{Painter, Piece};
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Columns of the time, and of who and what kind.
const TIME: u16 = 9;
const KIND: u16 = 10;

/// `INCIDENT 0:12:34` in the state line.
pub fn in_state<'a>(paint: &Painter<'_>, model: &Model) -> Option<Piece<'a>> {
    let incident = model.session.trail.incident.as_ref()?;
    Some(paint.piece(clean!("   INCIDENT {}", lasts(incident, model.now)), Intent::Note))
}

/// One line: a word in front, where there is one, and the text.
type Said = (Clean, Clean, Clean, Intent);

/// Draws the incident from where the reader stands.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, scroll: &Scroll) {
    let Some(incident) = &model.session.trail.incident else {
        let inner = sheet(paint, body, 1, &clean!(" INCIDENT "), &clean!(" Esc "));
        paint.put((inner.x, inner.y), inner.width, "No incident is open: it was closed.", Intent::Muted);
        return;
    };
    let width = body.width.saturating_sub(4).min(96);
    let opened = clean!(
        "{}, owner {}, open since {}",
        incident.severity.word(),
        incident.owner,
        model.clock_zone(incident.opened.wall)
    );
    let plain = |text: Clean, intent: Intent| (Clean::default(), Clean::default(), text, intent);
    let mut lines: Vec<Said> = vec![plain(opened, Intent::of(incident.severity.level()))];
    for it in to_do(model) {
        let text = clean!("{}: {}", it.owner, it.text);
        lines.extend(told(model.clock(it.at), "to do", &text, width, Intent::Accent));
    }
    lines.push(plain(Clean::default(), Intent::Text));
    let begun: Vec<Row> = rows(&model.session.trail.lines);
    let begun = begun.into_iter().filter(|row| row.at.0 / 1_000 >= incident.opened.wall.0 / 1_000);
    for row in begun {
        let text = clean!("{} {}", row.who, row.text);
        lines.extend(told(model.clock(row.at), row.kind.word(), &text, width, intent(row.kind)));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let tail = clean!(" {} ", lasts(incident, model.now));
    let inner = sheet(paint, body, height, &clean!(" INCIDENT: {} ", incident.title), &tail);
    let first = scroll.clamp(lines.len(), inner.height);
    more(paint, inner, lines.len().saturating_sub(first + usize::from(inner.height)));
    for (y, (time, kind, text, intent)) in (inner.top()..inner.bottom()).zip(lines.into_iter().skip(first)) {
        let indent = if time.as_str().is_empty() && kind.as_str().is_empty() && y == inner.top() && first == 0 {
            0
        } else {
            TIME + KIND
        };
        paint.put((inner.x, y), TIME, time, Intent::Muted);
        paint.put((inner.x + TIME, y), KIND, kind, Intent::Muted);
        paint.put((inner.x + indent, y), inner.width.saturating_sub(indent), text, intent);
    }
}

/// A row of the list in as many lines as it needs.
fn told(time: String, kind: &'static str, text: &Clean, width: u16, intent: Intent) -> Vec<Said> {
    let lines = wrap(text, width.saturating_sub(TIME + KIND), 4);
    let mut head = Some((Clean::text(time), Clean::from(kind)));
    let line = |text| {
        let (time, kind) = head.take().unwrap_or_default();
        (time, kind, text, intent)
    };
    lines.into_iter().map(line).collect()
}

const fn intent(kind: Kind) -> Intent {
    match kind {
        Kind::Note | Kind::Incident => Intent::Value,
        _ => Intent::Text,
    }
}
