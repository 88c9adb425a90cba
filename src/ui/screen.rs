//! The whole screen: state line, alert strip, panes, hint; or a card when the terminal is too small.

use super::layout::{self, Layout, Wants};
use super::overlays::{actions, faults, help, own_log, prompt, run, sheet};
use super::paint::{Painter, Piece};
use super::panes::{self, Place};
use super::value;
use crate::action::mode::Mode;
use crate::app::{Metric, Model, Overlay, Pane};
use crate::base::time::Span;
use crate::base::{Clean, Level, Reading};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::{Intent, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws `model` over the whole of `buffer`. `ascii` is for terminals that cannot show more.
/// Returns whether an open prompt stands on it whole: WHERE, WHAT, UNDO and all between.
pub fn draw(model: &Model, theme: &Theme, ascii: bool, buffer: &mut Buffer) -> bool {
    let area = buffer.area;
    let mut paint = Painter::new(buffer, theme, ascii);
    let Some(layout) = layout::layout(area, wants(model)) else {
        too_small(&mut paint, area, model);
        return false;
    };
    state_line(&mut paint, layout.state, model);
    alert_strip(&mut paint, layout.alert, model);
    paint.rule(area, layout.rule.y);
    run::in_rule(&mut paint, layout.rule, model);
    match model.board.focused().filter(|_| model.board.zoomed) {
        Some(pane) => draw_pane(&mut paint, layout.body, pane, model, true),
        None => draw_board(&mut paint, &layout, model),
    }
    hint_line(&mut paint, layout.hint, model);
    draw_overlay(&mut paint, layout.body, model)
}

/// Draws what lies over the panes, if anything does. False when a prompt had to be cut.
fn draw_overlay(paint: &mut Painter<'_>, body: Rect, model: &Model) -> bool {
    match &model.overlay {
        Overlay::None => {}
        Overlay::Help(first) => help::draw(paint, body, model, *first),
        Overlay::Actions(selected) => actions::draw(paint, body, model, *selected),
        Overlay::Planning(_, title) => {
            let inner = sheet::sheet(paint, body, 5, &clean!(" PLAN "), &clean!(""));
            paint.put((inner.x, inner.y + 1), inner.width, clean!("Planning: {title} …"), Intent::Text);
        }
        Overlay::Prompt(open) => return prompt::draw(paint, body, open, model),
        Overlay::Run => run::draw(paint, body, model),
        Overlay::OwnLog => own_log::draw(paint, body, model),
        Overlay::Faults(first) => faults::draw(paint, body, model, *first),
    }
    true
}

fn wants(model: &Model) -> Wants {
    let count = |place| model.board.panes.iter().filter(|pane| place_of(pane) == Some(place)).count();
    Wants { grid: count(Place::Grid), strips: count(Place::Strip), logs: count(Place::Log) }
}

fn place_of(pane: &Pane) -> Option<Place> {
    panes::kind(pane.kind).map(panes::Kind::place)
}

fn draw_pane(paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
    if let Some(kind) = panes::kind(pane.kind) {
        kind.draw(paint, area, pane, model, focused);
    }
}

fn draw_board(paint: &mut Painter<'_>, layout: &Layout, model: &Model) {
    let (mut grid, mut strips, mut logs) = (layout.grid.iter(), layout.strips.iter(), layout.logs.iter());
    for (index, pane) in model.board.shown().iter().enumerate() {
        let slot = match place_of(pane) {
            Some(Place::Grid) => grid.next(),
            Some(Place::Strip) => strips.next(),
            Some(Place::Log) => logs.next(),
            None => None,
        };
        if let Some(area) = slot {
            draw_pane(paint, *area, pane, model, index == model.board.focus);
        }
    }
    for area in &layout.grid {
        if area.right() < layout.body.right() {
            paint.upright(area.right(), area.top(), area.bottom());
        }
    }
    for (first, area) in [layout.strips.first(), layout.logs.first()].into_iter().flatten().map(|area| (area.y, area)) {
        if first > layout.body.y {
            paint.rule(Rect { y: first - 1, height: 1, ..*area }, first - 1);
        }
    }
}

fn state_line(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let mode = model.session.mode;
    let intent = if matches!(mode, Mode::Armed { .. }) { Intent::Armed } else { Intent::Observe };
    let mut left = vec![
        paint.piece(clean!(" {} ", model.identity.badge()), Intent::badge(model.identity.environment.as_str())),
        paint.piece(" ", Intent::Text),
        paint.piece(&model.identity.host, Intent::Title),
        paint.piece("  ", Intent::Text),
        paint.piece(&model.identity.title, Intent::Text),
        paint.piece("   ", Intent::Text),
        paint.piece(mode.word(), intent),
    ];
    if let Some(left_s) = mode.left(model.now.mono) {
        left.push(paint.piece(clean!(" {} left", Span(left_s)), Intent::Muted));
    }
    if let Some(since) = model.board.paused {
        left.push(paint.piece(clean!("   PAUSED {}", value::since(model.now, since)), Intent::Warning));
    }
    if model.session.unrecorded.is_some() {
        left.push(paint.piece("   JOURNAL FAILING", Intent::Critical));
    }
    if model.session.stalled {
        left.push(paint.piece("   DISPLAY STALLED", Intent::Warning));
    }
    let clock = [paint.piece(clean!("{} UTC", model.now.wall.hms()), Intent::Text)];
    let after = paint.line((area.x, area.y), area.width.saturating_sub(14), &left);
    paint.right(area.right() - 1, after + 1, area.y, &clock);
}

fn alert_strip(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let alerts = model.alerts().len();
    let Some(alert) = model.current_alert() else {
        calm_strip(paint, area, model);
        return;
    };
    let Some(watch) = model.book.watch(alert.watch) else { return };
    let mut left = vec![
        paint.piece(clean!(" {} ", alert.level.word()), alert_intent(alert.level)),
        paint.piece(" ", Intent::Text),
        paint.piece(&watch.title, Intent::Title),
        paint.piece(clean!(" {}", watch.unit.show(alert.value)), Intent::of(alert.level)),
    ];
    if model.is_simulated(alert.watch) {
        left.insert(3, paint.piece(" SIMULATED", Intent::Simulated));
    }
    if let Some(limit) = watch.bands.limit(alert.level) {
        let sign = if watch.bands.inverted() { "<" } else { ">" };
        left.push(paint.piece(clean!(" {sign} {}", watch.unit.show(limit)), Intent::Muted));
    }
    left.push(paint.piece(
        clean!("  {} {}", alert.state.word().to_lowercase(), value::since(model.now, alert.since)),
        Intent::Text,
    ));
    if let Some(gone) = alert.no_data_for {
        left.push(paint.piece(clean!("  no data for {}", crate::base::time::Age(gone)), Intent::Stale));
    }
    let mut right = Vec::new();
    if let Some(action) = model.action_title(watch.remedy.as_deref()) {
        let key = key(model, Context::Triage, Command::Open);
        let offer = if area.width < 100 { Clean::text("plan") } else { action.clone() };
        right.push(paint.piece(clean!("{key} {offer}  "), Intent::Accent));
    }
    right.push(paint.piece(clean!("{}/{alerts}", model.alert_position() + 1), Intent::Muted));
    let room = area.width.saturating_sub(paint.width(&right) + 2);
    let after = paint.line((area.x, area.y), room, &left);
    paint.right(area.right() - 1, after + 1, area.y, &right);
}

fn calm_strip(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let now = model.now.mono;
    // What a host does not offer is no unknown: it has no level at all.
    let judged = |metric: &&Metric| metric.bands.is_some() && metric.shown.reading != Reading::NotSupported;
    let metrics = || model.board.panes.iter().flat_map(Pane::metrics).filter(judged);
    let unknown = metrics().filter(|metric| metric.shown.level_now(now) == Level::Unknown).count();
    let worst = metrics().map(|metric| metric.shown.level_now(now)).filter(|level| *level > Level::Unknown).max();
    let (text, intent) = match (worst, unknown) {
        (Some(level), _) => (clean!(" no alert yet: a value is at {}", level.word()), Intent::of(level)),
        (None, 0) => (Clean::text(" no alert: every value with a band is OK"), Intent::Ok),
        (None, unknown) => (
            clean!(" no alert, but {unknown} of {} values with a band are UNKNOWN", metrics().count()),
            Intent::Unknown,
        ),
    };
    paint.put((area.x, area.y), area.width, text, intent);
    if !model.session.faults.is_empty() {
        let key = key(model, Context::Triage, Command::Open);
        let text = clean!("{key} {} faults in our files", model.session.faults.len());
        let pieces = [paint.piece(text, Intent::Warning)];
        paint.right(area.right() - 1, area.x, area.y, &pieces);
    }
}

/// The key that runs a command here, as the keymap in use has it.
pub fn key(model: &Model, context: Context, command: Command) -> Clean {
    model.keymap.keys_for(context, command).map_or_else(Clean::default, Clean::text)
}

fn hint_line(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    if let Some(notice) = &model.session.notice {
        paint.put((area.x + 1, area.y), area.width.saturating_sub(2), &notice.text, Intent::of(notice.level));
        return;
    }
    let mut pieces: Vec<Piece<'_>> = vec![paint.piece(" ", Intent::Text)];
    let context = model.context();
    for command in hints(model) {
        let Some(keys) = model.keymap.keys_for(context, *command) else { continue };
        let words = model.keymap.describe(context, *command);
        let next = [paint.piece(Clean::text(keys), Intent::Key), paint.piece(clean!(" {words}  "), Intent::Muted)];
        if paint.width(&pieces) + paint.width(&next) > area.width {
            break;
        }
        pieces.extend(next);
    }
    paint.line((area.x, area.y), area.width, &pieces);
}

/// What is worth a hint here and now, most important first.
fn hints(model: &Model) -> &'static [Command] {
    use Command::{Actions, Arm, Back, Bottom, Down, FocusNext, Help, Open, OwnLog, Pause, Quit, Top, Up, Zoom};
    match (&model.overlay, model.context()) {
        (Overlay::None, Context::Log) => &[Help, Up, Bottom, Top, FocusNext, Zoom, Pause, Quit],
        (Overlay::None, _) => &[Help, Open, Actions, Arm, FocusNext, Zoom, Pause, OwnLog, Quit],
        (Overlay::Actions(_), _) => &[Open, Down, Back],
        (Overlay::Help(_) | Overlay::Faults(_), _) => &[Down, Back],
        (Overlay::Prompt(prompt), Context::Overlay) if prompt.plan().is_arming() => &[Back],
        (Overlay::Prompt(_), Context::Overlay) => &[Arm, Back],
        _ => &[Back],
    }
}

const fn alert_intent(level: Level) -> Intent {
    match level {
        Level::Critical => Intent::AlertCritical,
        _ => Intent::AlertWarning,
    }
}

fn too_small(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let mut lines = Vec::new();
    if let Some((alert, watch)) = model.current_alert().and_then(|alert| Some((alert, model.book.watch(alert.watch)?)))
    {
        lines.push(clean!("{} {}/{}", alert.level.word(), model.alert_position() + 1, model.alerts().len()));
        lines.push(clean!("{} {}", watch.title, watch.unit.show(alert.value)));
    }
    lines.extend([
        clean!("needs {}x{}, has {}x{}", layout::SMALLEST.0, layout::SMALLEST.1, area.width, area.height),
        clean!("{} UTC", model.now.wall.hms()),
        clean!("{} {}", model.identity.badge(), model.identity.host),
    ]);
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        paint.put((area.x, y), area.width, line, Intent::Text);
    }
}
