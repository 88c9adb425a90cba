//! The way back from a run: what it recorded names the kind and the table of a plan of its own, with its own prompt and
//! at least as heavy. It is planned as any other, and refused as any other where things have changed since.

use super::kinds::{self, Settled};
use super::lifecycle::{Outcome, Progress, Run, State, runs};
use super::plan::Plan;
use super::sight;
use crate::base::{Body, Clean, Fault, Ulid};
use crate::sys::files;
use serde_json::{Map, Value};
use std::path::Path;

/// What stands before a run's id in the name of the action that takes it back.
const BACK: &str = "back:";

/// Where a run keeps what it leaves.
const LEFT: &str = "left.json";
/// That is not larger, in bytes.
const LEFT_LIMIT: u64 = 64 * 1024;

/// The table of a plan of its own, without the keys that all have.
pub type Table = Map<String, Value>;

/// The name of the action that takes this run back.
pub fn name(plan: Ulid) -> String {
    format!("{BACK}{plan}")
}

/// The run that an action of this name takes back.
pub fn of(action: &str) -> Option<Ulid> {
    action.strip_prefix(BACK)?.parse().ok()
}

/// Whether there is a way back from what this plan does.
pub fn has(plan: &Plan) -> bool {
    kinds::of(plan).is_ok_and(|kind| kind.way_back(plan).is_some())
}

/// Its kind, its title and its table.
///
/// # Errors
/// That there is none.
pub fn spec(plan: &Plan) -> Result<(&'static str, Clean, Body), Fault> {
    let title = &plan.what.title;
    let (kind, mut table) = kinds::of(plan)?
        .way_back(plan)
        .ok_or_else(|| Fault::new(format!("there is no way back from \"{title}\" that can be planned.")))?;
    let common =
        [("verb", "put-back".to_owned()), ("danger", plan.danger.to_string()), ("support", plan.support.to_string())];
    table.extend(common.map(|(key, value)| (key.to_owned(), Value::from(value))));
    Ok((kind, crate::clean!("Take back: {title}"), Body::of(&table)?))
}

/// Whether this run has changed anything, as far as can be told. What was refused has not; of what broke off, or told no
/// end, the target itself is asked: a run that left it as it was has nothing that could be taken back.
pub fn took_effect(plan: &Plan, told: &Progress) -> bool {
    match &told.end {
        Some(end) if end.outcome == Outcome::Refused => false,
        Some(end) if end.executed => true,
        _ if told.state < State::Intent => false,
        _ => !sight::settled(plan).is_ok_and(|now| matches!(now, Settled::NotDone(_))),
    }
}

/// What a way back takes back: the newest run of an action that took effect, or exactly the run that its table names.
#[derive(Clone, Debug)]
pub struct Of {
    action: String,
    run: Option<Ulid>,
}

impl Of {
    /// Of this action; the key `run` is not for profiles: [`run`] writes it, for what was done may be done again since.
    ///
    /// # Errors
    /// `run` is no id.
    pub fn read(action: String, body: &mut Body) -> Result<Self, Fault> {
        Ok(Self { action, run: body.take("run")? })
    }

    /// What `fits` finds in that run, of this kind.
    ///
    /// # Errors
    /// That there is none, or that it changed nothing.
    pub fn find<T>(&self, state: &Path, kind: &str, fits: impl Fn(Run, &Plan) -> Option<T>) -> Result<T, Fault> {
        let ours = |plan: &Plan| {
            let of_kind = plan.what.kind.split('@').next() == Some(kind);
            of_kind && plan.what.action == self.action && self.run.is_none_or(|run| run == plan.id)
        };
        let known = runs(state).0.into_iter().rev().filter(|(_, plan, _)| ours(plan));
        let mut fitting = known.filter_map(|(run, plan, told)| Some((fits(run, &plan)?, plan, told?)));
        // Last: it may ask the target.
        let found = fitting.find_map(|(found, plan, told)| took_effect(&plan, &told).then_some(found));
        found.ok_or_else(|| {
            let action = Clean::text(&self.action);
            Fault::new(match self.run {
                None => format!("there is nothing to take back: `{action}` was not done here."),
                Some(run) => format!("there is nothing to take back: run {run} of `{action}` changed nothing here."),
            })
        })
    }

    /// Who may have changed the target since, where it is not as that run left it.
    pub const fn others(&self) -> &'static str {
        if self.run.is_some() { "somebody else or a later run" } else { "somebody else" }
    }
}

/// What a run leaves that only its target tells, such as the number of what it made: for its way back to know it again.
///
/// # Errors
/// When it cannot be written: then there is no way back from this run that could be planned.
pub fn keep(run: &Run, left: &impl serde::Serialize) -> Result<(), Fault> {
    let text = serde_json::to_string(left)
        .map_err(|error| Fault::new(format!("what this run leaves cannot be written: {error}.")))?;
    if files::create_exclusive(&run.dir().join(LEFT), 0o600, text.as_bytes())? {
        return Ok(());
    }
    Err(Fault::new(format!("{} is there already.", run.dir().join(LEFT).display())))
}

/// The same as the run kept it.
///
/// # Errors
/// When it kept nothing: it did not see what it left.
pub fn kept<T: serde::de::DeserializeOwned>(run: &Run) -> Result<T, Fault> {
    let unseen = || Fault::new("that run did not see what it left: nobody can tell it from another one.");
    let text = files::read(&run.dir().join(LEFT), LEFT_LIMIT).map_err(|_| unseen().hint("Decide by hand."))?;
    serde_json::from_slice(&text).map_err(|_| unseen().hint("Decide by hand."))
}

/// The key that names exactly this run.
pub fn run(plan: &Plan) -> (&'static str, Option<Value>) {
    ("run", value(&plan.id))
}

/// A table of these keys; what is not there is left out.
pub fn table<const N: usize>(rows: [(&str, Option<Value>); N]) -> Table {
    rows.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// A value for such a table; `None` where it cannot be one.
pub fn value(of: &impl serde::Serialize) -> Option<Value> {
    serde_json::to_value(of).ok().map(without_nothing)
}

/// What is not set is not written.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key, without_nothing(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_way_back_names_its_run_and_nothing_else_does() {
        assert_eq!(of(&name(Ulid(7))), Some(Ulid(7)));
        assert_eq!((of("back:"), of("back:x"), of("restart:x.service"), of("reduce")), (None, None, None, None));
    }
}
