//! The profile's actions, to choose one: how heavy each is, or why it cannot be done now; and the units that failed.

use super::sheet::sheet;
use crate::app::survey::Offer;
use crate::app::{Model, unit};
use crate::base::Clean;
use crate::base::time::Age;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value;
use ratatui::layout::Rect;

/// Draws the list with `selected` marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, selected: usize) {
    let actions = &model.identity.actions;
    let failed = unit::failed(model);
    // Four lines for the reason of the selected one.
    let done = &model.session.survey.done;
    let height = u16::try_from((actions.len() + failed.len() + done.len()).max(1) + 4).unwrap_or(u16::MAX);
    let looked = if model.session.survey.offers.is_empty() {
        clean!(" Enter shows the plan ")
    } else {
        clean!(" looked at {} ago, Enter shows the plan ", Age(model.now.mono.since(model.session.survey.begun.mono)))
    };
    let inner = sheet(paint, body, height, &clean!(" ACTIONS "), &looked);
    if actions.is_empty() && failed.is_empty() && done.is_empty() {
        paint.put(
            (inner.x, inner.y),
            inner.width,
            "This profile has no action, and no unit is known to have failed.",
            Intent::Muted,
        );
    }
    let why = actions.get(selected).and_then(|(name, _)| model.session.survey.offers.get(name)?.why());
    let why: Vec<Clean> = why.map(|why| value::wrap(&why, inner.width.saturating_sub(2), 4)).unwrap_or_default();
    // Its reason stands below the selected one, whole.
    let rows = usize::from(inner.height).saturating_sub(why.len()).max(1);
    let first = selected.saturating_sub(rows.saturating_sub(1));
    let mut y = inner.top();
    let failed = failed
        .iter()
        .map(|unit| (None, clean!("{unit}: its journal, its restart"), (Clean::from("failed"), Intent::Critical)));
    let done = done.iter().map(|done| {
        let title = clean!("Take back: {}", done.plan.what.title);
        (None, title, (clean!("done {}", done.at.hms()), Intent::Muted))
    });
    let unknown = || (Clean::from("…"), Intent::Muted);
    let listed = actions.iter().map(|(name, title)| (Some(name), title.clone(), unknown()));
    for (index, (name, title, told)) in listed.chain(failed).chain(done).enumerate().skip(first).take(rows) {
        let intent = if index == selected { Intent::Selection } else { Intent::Text };
        let mark = if index == selected { "▸ " } else { "  " };
        let x = paint.put((inner.x, y), 2, mark, intent);
        let offer = name.map(|name| model.session.survey.offers.get(name));
        let (word, word_intent) = match offer.flatten() {
            Some(Offer::Can(_, support)) if *support > model.session.support => {
                (clean!("needs {support}"), Intent::Warning)
            }
            Some(Offer::Can(danger, _)) => (clean!("{danger}"), Intent::Muted),
            Some(Offer::NotNow(_)) => (Clean::from("not now"), Intent::Warning),
            Some(Offer::Unasked(_)) => (Clean::from("not asked"), Intent::Muted),
            None => told,
        };
        let tail = [paint.piece(word, word_intent)];
        let room = inner.width.saturating_sub(2 + paint.width(&tail) + 1);
        paint.put((x, y), room, value::shorten(&title, room), intent);
        paint.right(inner.right(), inner.x, y, &tail);
        y += 1;
        for line in why.iter().filter(|_| index == selected) {
            paint.put((inner.x + 2, y), inner.width.saturating_sub(2), line, Intent::Note);
            y += 1;
        }
    }
}
