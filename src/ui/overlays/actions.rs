//! The profile's actions, to choose one: how heavy each is, or why it cannot be done now; and the units that failed.

use super::sheet::{more, search, sheet};
use crate::app::Model;
use crate::app::action_list::{ActionList, Row, rows};
use crate::app::survey::Offer;
use crate::app::unit;
use crate::base::time::Age;
use crate::base::{Clean, Support};
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value;
use ratatui::layout::Rect;

/// So many lines for the reason of the selected one: a rule of polkit is long.
const REASON: usize = 6;

/// Draws the list with its selected row marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, list: &ActionList) {
    let survey = &model.session.survey;
    let rows = rows(model, list);
    let looked = if list.find.is_some() {
        clean!(" Enter shows the plan, Esc shows all ")
    } else if survey.offers.is_empty() {
        clean!(" Enter shows the plan ")
    } else {
        clean!(" looked at {} ago, Enter shows the plan ", Age(model.now.mono.since(survey.begun.mono)))
    };
    let height = u16::try_from(rows.len().max(1) + REASON + usize::from(list.find.is_some())).unwrap_or(u16::MAX);
    let mut inner = sheet(paint, body, height, &clean!(" ACTIONS "), &looked);
    if let Some(find) = &list.find {
        search(paint, inner, "Find", find);
        inner = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    }
    if rows.is_empty() {
        let text = match &list.find {
            Some(_) => "No action has these words. Fewer words find more; Esc shows all.",
            None => "This profile has no action, and no unit is known to have failed.",
        };
        paint.put((inner.x, inner.y), inner.width, text, Intent::Muted);
    }
    let why = rows.get(list.at).and_then(|row| offer(model, row)?.why(model.now.mono));
    let why: Vec<Clean> = why.map(|why| value::wrap(&why, inner.width.saturating_sub(2), REASON)).unwrap_or_default();
    // Its reason stands below the selected one, whole.
    let fit = usize::from(inner.height).saturating_sub(why.len()).max(1);
    let first = list.at.saturating_sub(fit.saturating_sub(1));
    let mut y = inner.top();
    for (index, row) in rows.iter().enumerate().skip(first).take(fit) {
        let selected = index == list.at;
        let (intent, mark) = if selected { (Intent::Selection, "▸ ") } else { (Intent::Text, "  ") };
        let x = paint.put((inner.x, y), 2, mark, intent);
        let (word, word_intent) = standing(model, row);
        let mut tail = vec![paint.piece(word, word_intent)];
        if let Some(level) = level(model, row) {
            tail.insert(0, paint.piece(clean!("{level}  "), Intent::Muted));
        }
        let room = inner.width.saturating_sub(2 + paint.width(&tail) + 1);
        paint.put((x, y), room, value::shorten(&row.title(), room), intent);
        paint.right(inner.right(), inner.x, y, &tail);
        y += 1;
        for line in why.iter().filter(|_| selected) {
            paint.put((inner.x + 2, y), inner.width.saturating_sub(2), line, Intent::Note);
            y += 1;
        }
    }
    more(paint, inner, rows.len().saturating_sub(first + fit));
}

fn offer<'a>(model: &'a Model, row: &Row) -> Option<&'a Offer> {
    let offers = &model.session.survey.offers;
    match row {
        Row::Action(name, _) => offers.get(name),
        Row::Failed(unit) => offers.get(&unit::restart(unit.as_str())),
        Row::Back(..) => None,
    }
}

/// Who ought to do it, unless its standing says so already.
fn level(model: &Model, row: &Row) -> Option<Support> {
    let Row::Action(name, _) = row else { return None };
    let needed = match offer(model, row) {
        Some(Offer::Can(_, support)) => Some(*support),
        Some(Offer::Server(answer)) => answer.said.as_ref().ok().map(|(_, support, _)| *support),
        Some(Offer::NotNow(..)) | None => None,
    };
    let says_so = needed.is_some_and(|needed| needed > model.session.support);
    model.identity.levels.get(name).copied().filter(|_| !says_so)
}

/// How it stands with it, in a word or two.
fn standing(model: &Model, row: &Row) -> (Clean, Intent) {
    let offer = offer(model, row);
    if let Some(Offer::Server(answer)) = offer {
        return match &answer.said {
            Ok((_, support, _)) if *support > model.session.support => (clean!("needs {support}"), Intent::Warning),
            Ok((danger, ..)) => (clean!("{danger}"), Intent::Muted),
            Err(_) => (Clean::from("not now"), Intent::Warning),
        };
    }
    match (row, offer) {
        (Row::Failed(_), Some(Offer::NotNow(bar, _))) => (clean!("failed, {}", bar.word()), Intent::Critical),
        (Row::Failed(_), _) => (Clean::from("failed"), Intent::Critical),
        (Row::Back(id, _), _) => {
            let mut done = model.session.survey.done.iter();
            let at = done.find(|done| done.plan.id == *id).map(|done| clean!("done {}", done.at.hms()));
            (at.unwrap_or_default(), Intent::Muted)
        }
        (_, Some(Offer::Can(_, support))) if *support > model.session.support => {
            (clean!("needs {support}"), Intent::Warning)
        }
        (_, Some(Offer::Can(danger, _))) => (clean!("{danger}"), Intent::Muted),
        (_, Some(Offer::NotNow(bar, _))) => (Clean::from(bar.word()), Intent::Warning),
        (_, Some(Offer::Server(_)) | None) => (Clean::from("…"), Intent::Muted),
    }
}
