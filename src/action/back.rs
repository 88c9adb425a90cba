//! The way back from a run: what it recorded names the kind and the table of a plan of its own, with its own prompt and
//! at least as heavy. It is planned as any other, and refused as any other where things have changed since.

use super::kinds::{self, Settled};
use super::lifecycle::{Outcome, Progress, Run, State, runs};
use super::plan::Plan;
use crate::base::{Body, Clean, Fault, Ulid};
use serde_json::{Map, Value};
use std::path::Path;

/// What stands before a run's id in the name of the action that takes it back.
const BACK: &str = "back:";

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
        _ => !kinds::of(plan).and_then(|kind| kind.settled(plan)).is_ok_and(|now| matches!(now, Settled::NotDone(_))),
    }
}

/// What `fits` finds in the newest run of this action and this kind that took effect.
pub fn newest<T>(state: &Path, (action, kind): (&str, &str), fits: impl Fn(Run, &Plan) -> Option<T>) -> Option<T> {
    let ours = |plan: &Plan| plan.what.action == action && plan.what.kind.split('@').next() == Some(kind);
    let known = runs(state).0.into_iter().rev().filter(|(_, plan, _)| ours(plan));
    known.filter_map(|(run, plan, told)| Some((fits(run, &plan)?, plan, told?))).find_map(|(found, plan, told)| {
        // Last: it may ask the target.
        took_effect(&plan, &told).then_some(found)
    })
}

/// That there is none.
pub fn nothing(action: &str) -> Fault {
    Fault::new(format!("there is nothing to take back: `{}` was not done here.", Clean::text(action)))
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
