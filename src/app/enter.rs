//! What Enter and the copying key mean: what belongs to what is selected here and now.

use super::action_list;
use super::commands;
use super::contacts;
use super::detail;
use super::effect::Effect;
use super::model::{Model, Overlay, Scroll};
use super::open_runs;
use super::prompt;
use super::run::{self, Run};
use super::unit;
use super::walking;
use crate::base::Level;
use crate::clean;
use crate::rules::Rule;
use std::sync::Arc;

/// Enter: the selected action; the alert's action; a run that is under way; our faults.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    if matches!(model.overlay, Overlay::Planning(..)) {
        return Vec::new();
    }
    if matches!(model.overlay, Overlay::Actions(_)) {
        return action_list::open(model);
    }
    if matches!(model.overlay, Overlay::Unit(_)) {
        return unit::plan(model);
    }
    if let Overlay::OpenRuns(selected) = model.overlay {
        return open_runs::choose(model, selected);
    }
    if let Some(back) = run::way_back(model).filter(|_| matches!(model.overlay, Overlay::Run)) {
        return prompt::plan(model, back);
    }
    if matches!(model.overlay, Overlay::Alerts(_)) {
        detail::show(model);
        return Vec::new();
    }
    if matches!(model.overlay, Overlay::Contacts(_)) {
        return copy(model);
    }
    if model.run.as_ref().is_some_and(|run: &Run| !run.ended()) {
        model.open(Overlay::Run);
        return Vec::new();
    }
    if let Some(unit) = unit::meant(model) {
        return unit::show(model, unit);
    }
    let alert = match &model.overlay {
        Overlay::Detail(detail) => Some(detail.rule),
        _ => model.current_alert().map(|found| found.id.rule),
    };
    let name = alert.and_then(|rule| model.book.rule(rule)).map(|rule| rule.name.clone());
    if let Some(effects) = name.and_then(|name| walking::for_alert(model, &name)) {
        return effects;
    }
    let remedy = match &model.overlay {
        Overlay::Detail(detail) => Some(remedy(model, detail.rule)),
        _ => model.current_alert().map(|found| remedy(model, found.id.rule)),
    };
    match remedy {
        Some(Some(action)) => return prompt::plan(model, action),
        None if model.run.is_some() => model.open(Overlay::Run),
        Some(None) if matches!(model.overlay, Overlay::Detail(_)) => {
            model.session.say(clean!("No action is declared for this alert."), Level::Note, model.now);
        }
        // An alert that nothing can be done about must not hide what is wrong with our files.
        _ if !model.session.faults.is_empty() => model.open(Overlay::Faults(Scroll::default())),
        Some(None) => model.session.say(clean!("No action is declared for this alert."), Level::Note, model.now),
        None => model.session.say(clean!("No alert is firing."), Level::Ok, model.now),
    }
    Vec::new()
}

/// The action that mends what this rule tells.
fn remedy(model: &Model, rule: usize) -> Option<Arc<str>> {
    model.book.rule(rule).and_then(Rule::remedy).cloned()
}

/// What the overlay is about.
pub(super) fn copy(model: &mut Model) -> Vec<Effect> {
    let lines = match &model.overlay {
        Overlay::Run => model.run.as_ref().map(|run| run.plan.what.lines.clone()).unwrap_or_default(),
        Overlay::Faults(_) => model.session.faults.iter().map(|fault| clean!("{fault}")).collect(),
        Overlay::Contacts(at) => contacts::ordered(model).get(*at).map(|card| card.card()).unwrap_or_default(),
        Overlay::Detail(detail) => detail::copied(model, detail),
        Overlay::Procedure(view) => match commands::copied(view, walking::shown(model)) {
            Ok(lines) => lines,
            Err(why) => {
                model.session.say(why, Level::Warning, model.now);
                return Vec::new();
            }
        },
        Overlay::Handover(card) => card.lines.clone(),
        Overlay::Changes(id, _) => model.changes.of(id).iter().map(|change| change.text.clone()).collect(),
        _ => Vec::new(),
    };
    if lines.is_empty() {
        model.session.say(clean!("There is nothing to copy here."), Level::Note, model.now);
        return Vec::new();
    }
    vec![Effect::Copy(lines)]
}
