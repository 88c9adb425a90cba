//! The alert strip: the alert of now with its offer; without one, what keeps the strip from being calm.

use super::paint::{Painter, Piece};
use super::screen::key;
use super::value;
use crate::app::metric::telling_labels;
use crate::app::{Metric, Model, Pane};
use crate::base::time::Age;
use crate::base::{Clean, Level, Reading};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::Intent;
use crate::rules::{Finding, Watch};
use ratatui::layout::Rect;

/// Draws the strip.
pub fn draw(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let Some(alert) = model.current_alert() else {
        calm(paint, area, model);
        return;
    };
    let Some(watch) = model.book.watch(alert.watch) else { return };
    let mut right = Vec::new();
    if let Some(action) = model.action_title(watch.remedy.as_deref()) {
        let key = key(model, Context::Triage, Command::Open);
        let offer = if area.width < 100 { Clean::text("plan") } else { value::shorten(action, 30) };
        right.push(paint.piece(clean!("{key} {offer}  "), Intent::Accent));
    }
    right.push(paint.piece(place(model), Intent::Muted));
    let room = area.width.saturating_sub(paint.width(&right) + 2);
    let head =
        [paint.piece(clean!(" {} ", alert.level.word()), alert_intent(alert.level)), paint.piece(" ", Intent::Text)];
    let (needed, more) = said(paint, model, alert, watch);
    let title_room = room.saturating_sub(paint.width(&head) + paint.width(&needed));
    let title = paint.piece(value::shorten(&watch.title, title_room.max(5)), Intent::Title);
    let mut left: Vec<Piece<'_>> = head.into_iter().chain([title]).chain(needed).collect();
    for piece in more {
        if paint.width(&left) + paint.width(core::slice::from_ref(&piece)) <= room {
            left.push(piece);
        }
    }
    let after = paint.line((area.x, area.y), room, &left);
    paint.right(area.right() - 1, after + 1, area.y, &right);
}

/// What is said after the title: what must stay, and what is left out where it does not fit.
fn said<'a>(paint: &Painter<'_>, model: &Model, alert: &Finding, watch: &Watch) -> (Vec<Piece<'a>>, Vec<Piece<'a>>) {
    let mut needed = Vec::new();
    if let Some(which) = telling_labels(&model.store, &model.store.select(&watch.selector), &alert.key) {
        needed.push(paint.piece(clean!("  {}", value::shorten(&which, 20)), Intent::Text));
    }
    if model.is_simulated(alert.watch) {
        needed.push(paint.piece(" SIMULATED", Intent::Simulated));
    }
    // An old value has no colour of health or alarm; that it is old comes before what it is judged by.
    let fresh = if alert.no_data_for.is_some() { Intent::Stale } else { Intent::of(alert.level) };
    needed.push(paint.piece(clean!(" {}", watch.unit.show(alert.value)), fresh));
    if let Some(gone) = alert.no_data_for {
        needed.push(paint.piece(clean!("  no data for {}", Age(gone)), Intent::Stale));
    }
    let mut more = Vec::new();
    if let Some(limit) = watch.bands.limit(alert.level) {
        let sign = if watch.bands.inverted() { "<" } else { ">" };
        more.push(paint.piece(clean!(" {sign} {}", watch.unit.show(limit)), Intent::Muted));
    }
    let since = value::since(model.now, alert.since);
    more.push(paint.piece(clean!("  {} {since}", alert.state.word().to_lowercase()), Intent::Text));
    (needed, more)
}

/// Which of the alerts it is: `1/3`.
pub fn place(model: &Model) -> Clean {
    let alerts = model.alerts().len();
    clean!("{}/{alerts}", model.alert_position() + 1)
}

/// `2 faults`.
pub fn faults(model: &Model) -> Clean {
    match model.session.faults.len() {
        1 => Clean::text("1 fault"),
        count => clean!("{count} faults"),
    }
}

fn calm(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let (text, intent) = calm_text(model);
    let mut room = area.width;
    if !model.session.faults.is_empty() {
        let key = key(model, Context::Triage, Command::Open);
        let pieces = [paint.piece(clean!("{key} {} in our files", faults(model)), Intent::Warning)];
        room = area.width.saturating_sub(paint.width(&pieces) + 2);
        paint.right(area.right() - 1, area.x, area.y, &pieces);
    }
    paint.put((area.x, area.y), room, text, intent);
}

/// Green is only what is known whole: no fault in our files, and every value with a band known and OK.
fn calm_text(model: &Model) -> (Clean, Intent) {
    let now = model.now.mono;
    // What a host does not offer is no unknown: it has no level at all.
    let judged = |metric: &&Metric| metric.bands.is_some() && metric.shown.reading != Reading::NotSupported;
    let metrics = || model.board.panes.iter().flat_map(Pane::metrics).filter(judged);
    let unknown = metrics().filter(|metric| metric.shown.level_now(now) == Level::Unknown).count();
    let worst = metrics().map(|metric| metric.shown.level_now(now)).filter(|level| *level > Level::Unknown).max();
    match (worst, model.session.faults.first(), metrics().count(), unknown) {
        (Some(level), ..) => (clean!(" no alert yet: a value is at {}", level.word()), Intent::of(level)),
        (None, Some(fault), ..) => (clean!(" {fault}"), Intent::Warning),
        (None, None, 0, _) => (Clean::text(" no alert: no value has a band"), Intent::Muted),
        (None, None, _, 0) => (Clean::text(" no alert: every value with a band is OK"), Intent::Ok),
        (None, None, all, unknown) => {
            (clean!(" no alert, but {unknown} of {all} values with a band are UNKNOWN"), Intent::Unknown)
        }
    }
}

const fn alert_intent(level: Level) -> Intent {
    match level {
        Level::Critical => Intent::AlertCritical,
        _ => Intent::AlertWarning,
    }
}
