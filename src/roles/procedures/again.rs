//! Done actions of a walk that is taken up, looked at again by the records of their runs. Read-only.

use crate::action::kinds::{self, Proof, Settled};
use crate::action::lifecycle::Run;
use crate::action::plan::Plan;
use crate::app::again::{Again, Found};
use crate::base::Clean;
use crate::clean;
use crate::procedure::Walk;
use crate::sys::clock::RealClock;
use std::collections::BTreeSet;
use std::path::Path;

/// Each done action with what its plan was judged by; with its plan where its target is still to be looked at. What a
/// later action of the same walk has worked on is history: neither its target nor its values are as that one left them.
pub fn again(state: &Path, walk: &Walk) -> Vec<(Again, Option<Plan>)> {
    let mut out = Vec::new();
    let (mut later, mut newest) = (BTreeSet::new(), true);
    for (item, id) in walk.begun_actions().into_iter().rev() {
        let plan = Run::of(state, id).read_order().map(|order| order.plan);
        let last = core::mem::replace(&mut newest, false);
        if walk.is_proved(item) {
            out.push(match &plan {
                Err(fault) => {
                    (Again::new(item, Vec::new(), Some((None, clean!("no record of its run: {fault}")))), None)
                }
                Ok(plan) if plan.locks().iter().any(|name| later.contains(name)) => {
                    let text = "a later action has worked on the same".into();
                    (Again::new(item, Vec::new(), Some((None, text))), None)
                }
                Ok(plan) => {
                    let checks = plan.judging.as_ref().filter(|_| last).map(|judging| judging.checks.clone());
                    (Again::new(item, checks.unwrap_or_default(), None), Some(plan.clone()))
                }
            });
        }
        later.extend(plan.iter().flat_map(Plan::locks));
    }
    out.reverse();
    out
}

/// What its target says now. May hang on a dead mount or a manager that does not answer.
pub fn look(plan: &Plan) -> Found {
    let kind = match kinds::of(plan) {
        Ok(kind) => kind,
        Err(fault) => return (None, clean!("{fault}")),
    };
    // Of what is done once no trace need be left.
    let lost = if kind.lasts() { Some(false) } else { None };
    match kind.proof(plan, &RealClock) {
        Some(Proof::Holds(_, said)) => return (Some(true), said),
        Some(Proof::NotYet(said) | Proof::Broken(said)) => return (lost, said),
        Some(Proof::Unseen(_)) | None => {}
    }
    match kind.settled(plan) {
        Ok(Settled::Done(said)) => (Some(true), said),
        Ok(Settled::NotDone(said)) => (lost, said),
        Ok(Settled::Other(said)) => (None, said),
        Err(fault) => (None, Clean::text(fault.to_string())),
    }
}
