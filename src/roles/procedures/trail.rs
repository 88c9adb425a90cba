//! What the journal keeps of a walk: a record for every step.

use super::lease::Holder;
use crate::base::Ulid;
use crate::journal::{Event, Record};
use crate::procedure::document::Live;
use crate::procedure::pasted::{Form, told};
use crate::procedure::view::word;
use crate::procedure::walk::{Standing, State, Turn};
use crate::procedure::{Step, Walk};
use serde_json::json;

/// The record of one step of a walk.
pub fn record(walk: &Walk, step: &Step) -> Record {
    let (event, state) = match &step.to {
        Turn::Item(state) => (Event::ProcedureItem, item(state)),
        Turn::Current => (Event::ProcedureItem, "current"),
        Turn::Walk(Standing::Running) if step.at == walk.begun => (Event::ProcedureBegin, "running"),
        Turn::Walk(Standing::Running) => (Event::ProcedureResume, "running"),
        Turn::Walk(Standing::Paused) => (Event::ProcedurePause, "paused"),
        Turn::Walk(Standing::Complete) => (Event::ProcedureEnd, "COMPLETE"),
        Turn::Walk(Standing::CompleteExcept(_)) => (Event::ProcedureEnd, "COMPLETE EXCEPT DEFERRED"),
        Turn::Walk(Standing::Abandoned) => (Event::ProcedureEnd, "abandoned"),
    };
    let plan = match &step.to {
        Turn::Item(State::Acting(plan)) => Some(*plan),
        _ => None,
    };
    let deferred = match &step.to {
        Turn::Walk(Standing::CompleteExcept(left)) => Some(*left),
        _ => None,
    };
    let synced = matches!(step.to, Turn::Item(State::Overridden | State::Acted(_) | State::Acting(_)));
    let mut res = json!({
        "run": walk.id,
        "procedure": &*walk.document.id,
        "item": step.item.as_deref(),
        "state": state,
        "value": step.text,
        "who": step.who,
    });
    if let (Some(left), Some(res)) = (deferred, res.as_object_mut()) {
        res.insert("deferred".to_owned(), left.into());
    }
    if let (false, Some(res)) = (step.found.lines.is_empty(), res.as_object_mut()) {
        let items = &walk.document.items;
        let live = items.iter().find(|item| Some(&item.id) == step.item.as_ref()).map(|item| &item.live);
        res.insert("lines".to_owned(), json!(told(live.map_or(Form::Lines, Live::form), &step.found.lines)));
    }
    Record { plan, synced, ..Record::new(event) }.res(res)
}

/// The record of a run that another login, or another console, had before.
pub fn takeover(run: Ulid, procedure: &str, from: &Holder, to: &Holder) -> Record {
    let who = |holder: &Holder| json!({ "who": holder.to_string(), "pid": holder.pid, "boot": holder.boot });
    let res = json!({ "run": run, "procedure": procedure, "from": who(from), "to": who(to) });
    Record::new(Event::ProcedureTakeover).res(res)
}

const fn item(state: &State) -> &'static str {
    match state {
        State::Open => "open",
        State::Sensed => "sensed",
        State::Observed => "observed",
        State::Acted(outcome) => word(*outcome),
        State::Acting(_) => "running",
        State::Failed => "failed",
        State::Regressed => "regressed",
        State::NotNeeded => "not needed",
        State::Deferred(_) => "deferred",
        State::Overridden => "overridden",
    }
}
