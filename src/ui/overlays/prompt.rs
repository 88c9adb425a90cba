//! The confirm prompt: WHERE, WHO, WHAT, HITS, UNDO, BASED ON, EXPIRES, always in this order, never abbreviated.

use super::sheet::sheet;
use crate::action::plan::{Plan, Support};
use crate::action::prompt::{GateView, Phase};
use crate::app::Model;
use crate::app::prompt::Prompt;
use crate::base::Clean;
use crate::base::time::Age;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

const LABEL: u16 = 9;
/// Steps of the arming bar.
const STEPS: usize = 5;

/// Draws the plan and, below it, what the gate waits for. False when the plan had to be cut.
pub fn draw(paint: &mut Painter<'_>, body: Rect, prompt: &Prompt, model: &Model) -> bool {
    let plan = prompt.plan();
    let width = body.width.saturating_sub(4).min(96);
    let rows = rows(plan, model, width.saturating_sub(LABEL));
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(4);
    let inner = sheet(paint, body, height, &clean!(" {} ", plan.what.title), &clean!(" danger {} ", plan.danger));
    let foot = inner.bottom().saturating_sub(3);
    let room = usize::from(foot.saturating_sub(inner.top()));
    let first = prompt.scroll.min(rows.len().saturating_sub(room));
    for (y, (label, text)) in (inner.top()..foot).zip(rows.iter().skip(first)) {
        paint.put((inner.x, y), LABEL, label.to_owned(), Intent::Muted);
        paint.put((inner.x + LABEL, y), inner.width.saturating_sub(LABEL), text, Intent::Text);
    }
    if rows.len() > room {
        let more = [paint.piece(clean!("{} more, arrows scroll", rows.len() - room - first), Intent::Warning)];
        paint.right(inner.right(), inner.x, foot, &more);
    }
    gate(paint, Rect { y: foot, height: 3, ..inner }, prompt, model);
    rows.len() <= room
}

fn rows(plan: &Plan, model: &Model, width: u16) -> Vec<(&'static str, Clean)> {
    let mut rows: Vec<(&'static str, Clean)> = Vec::new();
    let mut add = |label: &'static str, texts: Vec<Clean>| {
        for (at, text) in texts.iter().flat_map(|text| wrap(text, width, 8)).enumerate() {
            rows.push((if at == 0 { label } else { "" }, text));
        }
    };
    let machine: String = plan.place.host.machine_id.as_str().chars().take(8).collect();
    add(
        "WHERE",
        vec![clean!("{} (machine {machine})  {}  {}", plan.place.host.name, plan.place.environment, local(plan))],
    );
    add("WHO", vec![clean!("{} as {}  support level {}", plan.who.login, plan.who.user, support(plan.support))]);
    add("WHAT", plan.what.lines.clone());
    add("HITS", plan.hits.clone());
    add("UNDO", vec![clean!("{}", plan.undo)]);
    let aged = |age| Age(age).to_string();
    let since = model.now.mono.since(plan.made.mono);
    let based: Vec<Clean> =
        plan.based_on.iter().map(|row| clean!("{} {} ({})", row.label, row.value, aged(row.age + since))).collect();
    add("BASED ON", if based.is_empty() { vec![Clean::text("nothing measured")] } else { based });
    for why in &plan.raised {
        add("RAISED", vec![why.clone()]);
    }
    rows
}

const fn support(level: Support) -> &'static str {
    match level {
        Support::L0 => "L0 observer",
        Support::L1 => "L1 Operations",
        Support::L2 => "L2 Engineering",
        Support::L3 => "L3 Architecture",
    }
}

fn gate(paint: &mut Painter<'_>, area: Rect, prompt: &Prompt, model: &Model) {
    if let Some(why) = &prompt.preview {
        let intent = Intent::Warning;
        paint.put((area.x, area.y + 1), area.width, clean!("Only a preview; {why}"), intent);
        return;
    }
    let view = prompt.view(model.now.mono);
    let expires =
        [paint.piece("EXPIRES  ", Intent::Muted), paint.piece(clean!("in {}", Age(view.expires_in)), Intent::Text)];
    paint.line((area.x, area.y), area.width, &expires);
    let mut ask = ask(paint, prompt.plan(), &view);
    ask.push(paint.piece(clean!("   {}", state(paint, &view)), Intent::Muted));
    paint.line((area.x, area.y + 1), area.width, &ask);
    let mut field = vec![paint.piece("> ", Intent::Prompt), paint.piece(Clean::text(view.typed), Intent::Prompt)];
    if matches!(view.phase, Phase::Armed | Phase::Matched) {
        field.push(paint.piece("_", Intent::Prompt));
    }
    if let Some(note) = &view.note {
        field.push(paint.piece("   ", Intent::Text));
        field.push(paint.piece(*note, Intent::Warning));
    }
    paint.line((area.x, area.y + 2), area.width, &field);
}

fn ask<'a>(paint: &Painter<'_>, plan: &'a Plan, view: &GateView<'_>) -> Vec<crate::ui::paint::Piece<'a>> {
    match view.phase {
        Phase::Matched => vec![paint.piece("Enter runs it, anything else cancels.", Intent::Danger)],
        _ if plan.is_arming() => vec![paint.piece("Press  y  to arm, anything else cancels.", Intent::Text)],
        _ => vec![
            paint.piece("Type  ", Intent::Text),
            paint.piece(Clean::text(plan.expected()), Intent::Danger),
            paint.piece("  and Enter to run it, Esc cancels.", Intent::Text),
        ],
    }
}

fn local(plan: &Plan) -> Clean {
    plan.who.ssh.as_ref().map_or_else(|| Clean::text("local"), |from| clean!("via ssh from {from}"))
}

/// `armed in ▰▰▰▱▱`, `armed`.
fn state(paint: &Painter<'_>, view: &GateView<'_>) -> Clean {
    match view.phase {
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
