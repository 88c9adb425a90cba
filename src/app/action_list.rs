//! The list of actions: those of the profile, the units that failed, and what was done and can be taken back; by `/` only
//! those whose title or name has every word that is typed.

use super::effect::Effect;
use super::form::Line;
use super::model::{Model, Overlay};
use super::{prompt, unit};
use crate::action::back;
use crate::base::{Clean, Ulid};
use crate::clean;
use crate::input::{Press, press};
use crate::term::Input;
use std::sync::Arc;

/// The open list.
#[derive(Debug, Default)]
pub struct ActionList {
    /// The selected row.
    pub at: usize,
    /// What is looked for; keys go there while it is `Some`.
    pub find: Option<Line>,
}

/// One row.
#[derive(Clone, Debug)]
pub enum Row {
    /// An action of the profile: its name, its title.
    Action(Arc<str>, Clean),
    /// A unit that failed.
    Failed(Clean),
    /// The way back from a plan: which, its title.
    Back(Ulid, Clean),
}

impl Row {
    /// What it is called in the list.
    pub fn title(&self) -> Clean {
        match self {
            Self::Action(_, title) => title.clone(),
            Self::Failed(unit) => clean!("{unit}: its journal, its restart"),
            Self::Back(_, title) => clean!("Take back: {title}"),
        }
    }

    fn has(&self, word: &str) -> bool {
        let name = match self {
            Self::Action(name, _) => name,
            _ => "",
        };
        name.contains(word) || self.title().as_str().to_lowercase().contains(word)
    }
}

/// The rows that are shown.
pub fn rows(model: &Model, list: &ActionList) -> Vec<Row> {
    let actions = model.identity.actions.iter().map(|(name, title)| Row::Action(Arc::clone(name), title.clone()));
    let failed = unit::failed(model).into_iter().map(Row::Failed);
    let done = model.session.survey.done.iter().map(|done| Row::Back(done.plan.id, done.plan.what.title.clone()));
    let find = list.find.as_ref().map(|line| line.text().as_str().to_lowercase()).unwrap_or_default();
    let wanted: Vec<&str> = find.split_whitespace().collect();
    actions.chain(failed).chain(done).filter(|row| wanted.iter().all(|word| row.has(word))).collect()
}

/// Begins to look for something, where the list is open.
pub(super) fn find(model: &mut Model) {
    if let Overlay::Actions(list) = &mut model.overlay {
        *list = ActionList { at: 0, find: Some(Line::default()) };
    }
}

/// Another row, so many further.
pub(super) fn select(model: &mut Model, by: isize) {
    let Overlay::Actions(list) = &model.overlay else { return };
    let last = rows(model, list).len().saturating_sub(1);
    if let Overlay::Actions(list) = &mut model.overlay {
        list.at = list.at.saturating_add_signed(by).min(last);
    }
}

/// What the selected row offers.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Overlay::Actions(list) = &model.overlay else { return Vec::new() };
    match rows(model, list).into_iter().nth(list.at) {
        Some(Row::Action(name, _)) => prompt::plan(model, name),
        Some(Row::Failed(unit)) => unit::show(model, unit),
        Some(Row::Back(id, _)) => prompt::plan(model, back::name(id).into()),
        None => Vec::new(),
    }
}

/// Keys while something is looked for: letters narrow the list, arrows choose, Enter opens, Esc shows all of it again.
pub(super) fn on_input(model: &mut Model, input: &Input) -> Vec<Effect> {
    let Overlay::Actions(list) = &mut model.overlay else { return Vec::new() };
    let Some(find) = &mut list.find else { return Vec::new() };
    match input {
        Input::Paste { text, .. } => {
            find.insert(text.as_str());
            list.at = 0;
        }
        Input::Key(key) => match press(key) {
            Press::Cancel => *list = ActionList::default(),
            Press::Scroll(by) => select(model, by),
            Press::Enter => return open(model),
            other => {
                find.edit(other);
                list.at = 0;
            }
        },
        _ => {}
    }
    Vec::new()
}
