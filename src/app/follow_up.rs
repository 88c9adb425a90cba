//! What was left to do and is done later: follow-ups that somebody wrote down, and items that a procedure which is over
//! has put off. Marking one done is a record with a name; of a procedure its run learns of it too.

use super::effect::Effect;
use super::incident::{self, Ask, Writing};
use super::model::{Model, Overlay};
use crate::action::mode::Mode;
use crate::base::{Clean, Fault, Level, Ulid};
use crate::clean;
use crate::incident::{FollowUp, OpenItem, Told, follow_ups, put_off};
use crate::journal::Line;
use crate::procedure::Walk;

/// Characters of a name in the form.
const LONGEST: usize = 120;

/// Something that is left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Somebody wrote it down.
    Noted(FollowUp),
    /// A procedure that is over has put it off.
    Item(Ulid, OpenItem),
}

impl Left {
    /// What these records leave to do, oldest first.
    pub fn of(lines: &[Line]) -> Vec<Self> {
        let items = put_off(lines).into_iter().filter_map(|open| Some(Self::Item(open.run?, open)));
        follow_ups(lines).into_iter().map(Self::Noted).chain(items).collect()
    }

    /// As the form names it.
    pub fn name(&self) -> Clean {
        let text = match self {
            Self::Noted(it) => clean!("{}: {}", it.owner, it.text),
            Self::Item(_, it) => clean!("{}, put off in {}: {}", it.item, it.procedure, it.why),
        };
        Clean::text(text.as_str().chars().take(LONGEST).collect::<String>())
    }
}

/// The key: what is left is looked for first.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    if model.session.mode == Mode::ReadOnly {
        let text = "This console is read-only: it writes nothing that others see.";
        model.session.say(text.into(), Level::Warning, now);
        return Vec::new();
    }
    model.session.say("Looking in the journal for what is left to do.".into(), Level::Note, now);
    vec![Effect::Trail(Ask::Left)]
}

/// What is left is known: the form asks which of it is done. Not over something that was opened meanwhile to type in.
pub(super) fn found(model: &mut Model, found: Result<Vec<Left>, Fault>) {
    let now = model.now;
    let busy =
        matches!(model.overlay, Overlay::Form(_) | Overlay::Prompt(_) | Overlay::Planning(..) | Overlay::Procedures(_));
    match found {
        Err(fault) => model.session.say(clean!("The journal cannot be read: {fault}"), Level::Warning, now),
        Ok(_) if busy => {}
        Ok(left) if left.is_empty() => {
            model.session.say("Nothing is left to do: no follow-up, and nothing put off.".into(), Level::Ok, now);
        }
        Ok(left) => {
            model.session.notice = None;
            let mut which =
                incident::needed("done", &left.first().map(Left::name).unwrap_or_default(), "arrows choose");
            which.choices = left.iter().map(Left::name).collect();
            let fields =
                vec![which, incident::needed("how", &Clean::default(), "what was done, for whoever looks next")];
            let about = clean!("{} left to do", left.len());
            model.session.trail.left = left;
            incident::open(model, Writing::Done, about, fields);
        }
    }
}

/// Whether one of these has this name.
pub(super) fn is_known(left: &[Left], name: &Clean) -> bool {
    left.iter().any(|left| left.name() == *name)
}

/// The form was filled.
pub(super) fn done(model: &mut Model, name: &Clean, note: Clean) -> Vec<Effect> {
    let left = core::mem::take(&mut model.session.trail.left);
    let id = model.session.trail.incident.as_ref().map(|it| it.id);
    match left.into_iter().find(|left| left.name() == *name) {
        Some(Left::Noted(FollowUp { text, owner, .. })) => {
            let (by, now) = (model.session.login.clone(), model.now);
            model.session.say(clean!("Recorded: done by {by}."), Level::Ok, now);
            incident::tell(model, Told::Done { id, text, owner, note })
        }
        Some(Left::Item(run, open)) => vec![Effect::FinishItem(run, open.item, note)],
        None => Vec::new(),
    }
}

/// A run learned that something which it had put off is done.
pub(super) fn finished(model: &mut Model, run: Ulid, walk: Result<Box<Walk>, Fault>) {
    let now = model.now;
    match walk {
        Ok(walk) => {
            let left = walk.deferred();
            let text = match left {
                0 => clean!("Recorded: {} is COMPLETE now.", walk.document.title),
                _ => clean!("Recorded: of {} {left} are still put off.", walk.document.title),
            };
            model.session.say(text, Level::Ok, now);
            if let Some(working) = model.procedures.walk_mut(run) {
                working.walk = *walk;
            }
        }
        Err(fault) => model.session.say(clean!("It is not recorded: {fault}"), Level::Warning, now),
    }
}
