//! What can be done here: at the start by right, and when the list of actions opens as things stand now.

use super::effect::Effect;
use super::model::{Model, Overlay};
use super::msg::Msg;
use super::{rights, unit};
use crate::action::mode::Mode;
use crate::action::plan::{Danger, Plan};
use crate::action::right::Right;
use crate::base::time::Age;
use crate::base::{Clean, Fault, Level, Mono, Now, Support, Wall};
use crate::clean;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether an action can be done now.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// How dangerous it is, and who ought to do it.
    Can(Danger, Support),
    /// What stands in its way, and the whole reason.
    NotNow(Bar, Fault),
    /// A server decides: what it answered, and when.
    Server(Box<Answer>),
}

/// What a server answered when it was asked whether an action can be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What kind of server.
    pub server: &'static str,
    /// When it answered, or did not.
    pub at: Mono,
    /// How heavy the action is, who ought to do it, and which server that is; or why it cannot be done.
    pub said: Result<(Danger, Support, Clean), Fault>,
}

/// What stands in the way of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// This login lacks a right.
    NotPermitted,
    /// Something is not as it must be, or unknown.
    Precondition,
    /// It was done a moment ago.
    CoolingDown,
}

impl Bar {
    /// For its row in the list.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotPermitted => "not permitted",
            Self::Precondition => "precondition",
            Self::CoolingDown => "cooling down",
        }
    }
}

impl Offer {
    /// Why nothing more is said of it, or who said it, and how long before `now`.
    pub fn why(&self, now: Mono) -> Option<Clean> {
        match self {
            Self::Can(..) => None,
            Self::NotNow(Bar::NotPermitted, fault) => Some(clean!("Not permitted: {fault}")),
            Self::NotNow(_, fault) => Some(clean!("Not now: {fault}")),
            Self::Server(answer) => {
                let (server, ago) = (answer.server, Age(now.since(answer.at)));
                Some(match &answer.said {
                    Ok((.., which)) => clean!("{server} was asked {ago} ago, and lets this login do it: {which}."),
                    Err(fault) => clean!("Not now; {server} was asked {ago} ago: {fault}"),
                })
            }
        }
    }
}

/// Which of the profile's actions can be done here.
#[derive(Debug, Default)]
pub struct Survey {
    /// Of each what was found; one that is missing has not been looked at yet.
    pub offers: BTreeMap<Arc<str>, Offer>,
    /// When the look began.
    pub begun: Now,
    /// What was done here and can be taken back, newest first.
    pub done: Vec<Done>,
    /// Whether the list is open: servers are asked only while it is.
    open: bool,
    /// What is known of this login's rights.
    known: BTreeMap<Arc<str>, Right>,
    /// The units that had failed at the start have been asked for.
    units_asked: bool,
    /// What this login may do, until the last line is free to say it.
    rights: Option<(Clean, Level)>,
}

/// An action that was done, in whatever console.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its plan.
    pub plan: Box<Plan>,
    /// When it ended, or was planned.
    pub at: Wall,
}

/// So many of them are offered.
pub const OFFERED: usize = 5;

impl Survey {
    /// Something was done that can be taken back.
    pub fn was_done(&mut self, plan: &Plan, at: Wall) {
        self.done.retain(|done| done.plan.id != plan.id);
        self.done.insert(0, Done { plan: Box::new(plan.clone()), at });
        self.done.truncate(OFFERED);
    }
}

/// What a look says.
pub fn on_msg(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Surveying => {
            model.session.survey.offers.clear();
            model.session.survey.begun = model.now;
        }
        // Oldest first; what this console did since is newer.
        Msg::Done(earlier) => {
            let ours = core::mem::take(&mut model.session.survey.done);
            for Done { plan, at } in earlier.into_iter().chain(ours.into_iter().rev()) {
                model.session.survey.was_done(&plan, at);
            }
        }
        Msg::Surveyed(action, offer) => {
            model.session.survey.offers.insert(action, offer);
        }
        Msg::Rights(rights) => tell_rights(model, rights),
        _ => {}
    }
    Vec::new()
}

/// At the start one line says what this login may do, and what the rest lacks.
fn tell_rights(model: &mut Model, found: Vec<(Arc<str>, Right)>) {
    model.session.survey.known.extend(found);
    let session = &model.session;
    if session.mode == Mode::ReadOnly {
        return;
    }
    let who = clean!("{} ({})", session.login, session.support);
    model.session.survey.rights = rights::line(&who, &session.survey.known, model.size.0);
    tell(model);
}

/// What has not been said yet for want of room.
pub fn tell(model: &mut Model) {
    if model.session.notice.is_none()
        && let Some((text, level)) = model.session.survey.rights.take()
    {
        model.session.say(text, level, model.now);
    }
}

/// The first units that are seen to have failed: whether this login may restart them belongs to the line at the start.
pub(super) fn ask_of_units(model: &mut Model) -> Option<Effect> {
    if model.session.survey.units_asked || model.session.mode == Mode::ReadOnly {
        return None;
    }
    let restarts: Vec<Arc<str>> = unit::failed(model).iter().map(|unit| unit::restart(unit.as_str())).collect();
    model.session.survey.units_asked = !restarts.is_empty();
    model.session.survey.units_asked.then_some(Effect::UnitRights(restarts))
}

/// What could be done a while ago is looked at anew whenever the list opens, and at nothing more once it is left.
pub(super) fn ask(model: &mut Model) -> Option<Effect> {
    let open = matches!(model.overlay, Overlay::Actions(_));
    let was = core::mem::replace(&mut model.session.survey.open, open);
    let some = || !model.identity.actions.is_empty() || !unit::failed(model).is_empty();
    match (was, open) {
        (false, true) if some() => Some(Effect::Survey),
        (true, false) => Some(Effect::SurveyOver),
        _ => None,
    }
}
