//! The confirm prompt: WHERE, WHO, WHAT, HITS, UNDO, BASED ON, EXPIRES, always in this order, never abbreviated.

use super::sheet::sheet;
use crate::action::{
    self,
    plan::Plan,
    prompt::{Extent, Field, GateView, Phase, Refusal},
};
use crate::app::Model;
use crate::app::prompt::Prompt;
use crate::base::time::Age;
use crate::base::{Clean, Support};
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::{Painter, Piece};
use crate::ui::value::{hang, wrap};
use ratatui::layout::Rect;

const LABEL: u16 = 9;
/// Steps of the arming bar.
const STEPS: usize = 5;

/// Draws the plan and, below it, what the gate waits for, in the first of these rooms that holds it, each larger than
/// the one before. Where none does, WHERE, WHAT and UNDO stay and the rest of it is scrolled through. Returns how much of
/// it can be seen.
pub fn draw(paint: &mut Painter<'_>, rooms: [Rect; 3], prompt: &Prompt, model: &Model) -> Extent {
    let plan = prompt.plan();
    let [Rect { width, .. }, ..] = rooms;
    let width = width.saturating_sub(4).min(96);
    let view = prompt.view(model.now.mono);
    let ask =
        if prompt.preview.is_some() { preview(paint, prompt, model, width) } else { ask(paint, plan, &view, width) };
    let danger = clean!(" danger {} ", plan.danger);
    // A title that the frame would cut stands whole in the first line.
    let titled = paint.width(&[paint.piece(&plan.what.title, Intent::Title), paint.piece(&danger, Intent::Muted)]) + 2;
    let foot_height = u16::try_from(ask.len()).unwrap_or(u16::MAX).saturating_add(2);
    let (rows, body) =
        fitted(rooms, foot_height, |tight| rows(plan, model, width.saturating_sub(LABEL), (tight, titled > width)));
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(foot_height).saturating_add(1);
    let inner = sheet(paint, body, height, &clean!(" {} ", plan.what.title), &danger);
    let foot = inner.bottom().saturating_sub(foot_height).max(inner.top());
    let room = usize::from(foot.saturating_sub(inner.top()));
    let text_width = inner.width.saturating_sub(LABEL);
    let page = Page::of(rows, room, prompt.scroll);
    for (y, (label, row)) in (inner.top()..foot).zip(page.rows()) {
        paint.put((inner.x, y), LABEL, label, Intent::Muted);
        paint.put((inner.x + LABEL, y), text_width, &row.text, Intent::Text);
    }
    let read = view.read && prompt.preview.is_none();
    if page.below > 0 && !read {
        let more = [paint.piece(clean!("{} more, arrows scroll", page.below), Intent::Warning)];
        paint.right(inner.right(), inner.x, foot, &more);
    } else if prompt.preview.is_none() {
        let state = [paint.piece(state(paint, &view), Intent::Muted)];
        paint.right(inner.right(), inner.x, foot, &state);
    }
    let area = Rect { y: foot, height: inner.bottom() - foot, ..inner };
    gate(paint, area, prompt.preview.is_none().then_some(&view), &ask);
    let whole = |text: &Clean| paint.width(&[paint.piece(text, Intent::Text)]) <= text_width;
    let fits = page.holds_what_matters
        && foot + foot_height <= inner.bottom()
        && page.all().all(|row| whole(&row.text))
        && ask.iter().all(|line| paint.width(line) <= inner.width);
    match page.below {
        _ if !fits => Extent::Cut,
        0 => Extent::End,
        _ => Extent::Begun,
    }
}

/// A line of a plan.
struct Row {
    /// Which part of the plan it belongs to.
    part: &'static str,
    /// The same on its first line.
    label: &'static str,
    text: Clean,
}

impl Row {
    /// What is on screen whatever is scrolled: the title, where, what, and how to undo it.
    fn stays(&self) -> bool {
        matches!(self.part, "" | "WHERE" | "WHAT" | "UNDO")
    }
}

/// What of a plan is on screen.
struct Page {
    stays: Vec<Row>,
    scrolled: Vec<Row>,
    /// The first of the scrolled rows that is shown, and how many are.
    shown: (usize, usize),
    /// Rows below it.
    below: usize,
    /// WHERE, WHAT and UNDO are all on it, with room to read the rest.
    holds_what_matters: bool,
}

/// The rest of a plan is not scrolled through in fewer lines.
const LEAST: usize = 2;

impl Page {
    fn of(rows: Vec<Row>, room: usize, scroll: usize) -> Self {
        let whole = rows.len() <= room;
        let staying = rows.iter().filter(|row| row.stays()).count();
        let holds_what_matters = whole || staying + LEAST <= room;
        // One that is shown whole, or cannot be, stands in its order.
        let paged = !whole && holds_what_matters;
        let (stays, scrolled): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| paged && row.stays());
        let count = room.saturating_sub(stays.len()).min(scrolled.len());
        let first = scroll.min(scrolled.len() - count);
        let below = scrolled.len() - count - first;
        Self { stays, scrolled, shown: (first, count), below, holds_what_matters }
    }

    /// With their labels; a part whose first line was scrolled away is named where it goes on.
    fn rows(&self) -> impl Iterator<Item = (&'static str, &Row)> {
        let (first, count) = self.shown;
        let scrolled = self.scrolled.iter().skip(first).take(count).enumerate();
        let named = scrolled.map(|(at, row)| (if at == 0 { row.part } else { row.label }, row));
        self.stays.iter().map(|row| (row.label, row)).chain(named)
    }

    fn all(&self) -> impl Iterator<Item = &Row> {
        self.stays.iter().chain(&self.scrolled)
    }
}

type Rows = Vec<Row>;

/// The plan's rows, and the room for them: one paragraph a line where any room but the last holds that.
fn fitted([body, below, all]: [Rect; 3], foot: u16, rows: impl Fn(bool) -> Rows) -> (Rows, Rect) {
    let fits =
        |rows: &Rows, room: Rect, gap: u16| rows.len() <= usize::from(room.height.saturating_sub(foot + gap + 2));
    let loose = rows(false);
    if fits(&loose, body, 1) {
        (loose, body)
    } else if fits(&loose, below, 0) {
        (loose, below)
    } else {
        let tight = rows(true);
        let room = if fits(&tight, below, 0) { below } else { all };
        (tight, room)
    }
}

/// `tight`: the numbers and the preconditions stand behind one another. `titled`: the title stands here, whole.
fn rows(plan: &Plan, model: &Model, width: u16, (tight, titled): (bool, bool)) -> Rows {
    let of = |(label, texts): (&'static str, Vec<Clean>)| {
        let one = tight && matches!(label, "HITS" | "BASED ON") && texts.len() > 1;
        let texts = if one { vec![in_one(&texts)] } else { texts };
        let lines = texts.iter().flat_map(|text| hang(text, width)).collect::<Vec<_>>();
        let labelled = move |(at, text)| Row { part: label, label: if at == 0 { label } else { "" }, text };
        lines.into_iter().enumerate().map(labelled)
    };
    let title = titled.then(|| ("", vec![plan.what.title.clone()]));
    title.into_iter().chain(action::prompt::rows(plan, model.now.mono)).flat_map(of).collect()
}

/// Paragraphs behind one another; an age that all of them end with is said once.
fn in_one(texts: &[Clean]) -> Clean {
    let aged = |text: &Clean| text.as_str().strip_suffix(')')?.rsplit_once(" (").map(|(_, age)| age.to_owned());
    let age = texts.first().and_then(aged).filter(|age| texts.iter().all(|text| aged(text).as_ref() == Some(age)));
    let end = age.as_ref().map(|age| format!(" ({age})")).unwrap_or_default();
    let bare = texts.iter().map(|text| text.as_str().strip_suffix(end.as_str()).unwrap_or(text.as_str()));
    let each = age.map(|age| format!(" (each {age})")).unwrap_or_default();
    Clean::text(format!("{}{each}", bare.collect::<Vec<_>>().join(" · ")))
}

/// When it expires, what to type, and what was typed; of a preview only why it is one.
fn gate(paint: &mut Painter<'_>, area: Rect, view: Option<&GateView<'_>>, ask: &[Vec<Piece<'_>>]) {
    for (y, line) in (area.top()..area.bottom()).skip(1).zip(ask) {
        paint.line((area.x, y), area.width, line);
    }
    let Some(view) = view else { return };
    let expires =
        [paint.piece("EXPIRES  ", Intent::Muted), paint.piece(clean!("in {}", Age(view.expires_in)), Intent::Text)];
    paint.line((area.x, area.y), area.width, &expires);
    let typed = newest(view.typed, usize::from(area.width / 2).max(24));
    let mut field = vec![paint.piece("> ", Intent::Prompt), paint.piece(typed, Intent::Prompt)];
    if matches!(view.phase, Phase::Armed | Phase::Matched) {
        field.push(paint.piece("_", Intent::Prompt));
    }
    if let Some(note) = &view.note {
        field.push(paint.piece("   ", Intent::Text));
        field.push(paint.piece(*note, Intent::Warning));
    }
    paint.line((area.x, area.bottom().saturating_sub(1)), area.width, &field);
}

/// What was typed last, where it does not fit as a whole.
fn newest(typed: &str, room: usize) -> Clean {
    let before = typed.chars().count().saturating_sub(room);
    if before == 0 {
        return Clean::text(typed);
    }
    clean!("…{}", Clean::text(typed.chars().skip(before + 1).collect::<String>()))
}

fn preview<'a>(paint: &Painter<'_>, prompt: &Prompt, model: &Model, width: u16) -> Vec<Vec<Piece<'a>>> {
    let why = prompt.preview.as_ref().map(|why| clean!("Only a preview; {why}")).unwrap_or_default();
    let call = match &prompt.preview {
        Some(Refusal::Support(need, _)) => whom_to_call(model, *need),
        _ => Clean::default(),
    };
    wrap(&why.join(" ", &call), width, usize::MAX)
        .into_iter()
        .map(|line| vec![paint.piece(line, Intent::Warning)])
        .collect()
}

/// The first contact who has the level, and how to reach them.
fn whom_to_call(model: &Model, need: Support) -> Clean {
    let of_level = model.book.policy().contacts().iter().find(|contact| contact.level.as_str() == need.to_string());
    of_level.map_or_else(
        || Clean::from("This profile names nobody of that level to call."),
        |contact| {
            let reached = contact.ways().next().map(Clean::as_str).unwrap_or_default();
            clean!("Call {}, {}: {reached}.", contact.name, contact.role)
        },
    )
}

/// What to type; a text that does not fit beside the question gets lines of its own.
fn ask<'a>(paint: &Painter<'_>, plan: &'a Plan, view: &GateView<'_>, width: u16) -> Vec<Vec<Piece<'a>>> {
    let own = |text: &'static str, intent| vec![vec![paint.piece(text, intent)]];
    if view.phase == Phase::Matched {
        // As many lines as before: nothing moves under the eyes of who is about to press Enter.
        let mut lines = own("Enter runs it, Esc cancels.", Intent::Danger);
        let before = typing(paint, plan, width).len();
        lines.resize_with(before.max(1), Vec::new);
        return lines;
    }
    if plan.is_arming() {
        return own("Press  y  to arm, anything else cancels.", Intent::Text);
    }
    if view.field == Field::Reason {
        let mut lines = own("Reason: at least 8 characters, then Enter. Esc cancels.", Intent::Text);
        lines.resize_with(typing(paint, plan, width).len().max(1), Vec::new);
        return lines;
    }
    typing(paint, plan, width)
}

fn typing<'a>(paint: &Painter<'_>, plan: &'a Plan, width: u16) -> Vec<Vec<Piece<'a>>> {
    if plan.is_arming() {
        return Vec::new();
    }
    let expected = Clean::text(plan.expected());
    // A single key is taken at once.
    let (before, after) = match plan.expected() {
        "y" => ("Press  ", "  to run it, anything else cancels."),
        _ => ("Type  ", "  and Enter to run it, Esc cancels."),
    };
    let line = vec![
        paint.piece(before, Intent::Text),
        paint.piece(expected.clone(), Intent::Danger),
        paint.piece(after, Intent::Text),
    ];
    if paint.width(&line) <= width {
        return vec![line];
    }
    let mut lines = vec![vec![paint.piece("Type this and Enter to run it, Esc cancels:", Intent::Text)]];
    let texts = wrap(&expected, width.saturating_sub(2), usize::MAX);
    lines
        .extend(texts.into_iter().map(|line| vec![paint.piece("  ", Intent::Text), paint.piece(line, Intent::Danger)]));
    lines
}

/// `armed in ▰▰▰▱▱`, `armed`.
fn state(paint: &Painter<'_>, view: &GateView<'_>) -> Clean {
    match view.phase {
        Phase::Arming if !view.read => Clean::text("read it to its end"),
        Phase::Arming => {
            let full = (1..=STEPS)
                .filter(|step| view.armed_fraction * 5.0 >= f64::from(u8::try_from(*step).unwrap_or(u8::MAX)))
                .count();
            let (on, off) = if paint.ascii() { ("#", ".") } else { ("▰", "▱") };
            clean!("armed in {}{}", on.repeat(full), off.repeat(STEPS - full))
        }
        Phase::Armed | Phase::Matched => Clean::text("armed"),
        Phase::Draining | Phase::Fenced => Clean::text("waiting for the display"),
        Phase::Accepted => Clean::text("accepted"),
        Phase::Refused => Clean::text("refused"),
    }
}
