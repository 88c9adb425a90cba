//! What was done a moment ago: the earlier runs of an action on the same targets, and how long it rests after one.

use super::kinds::Draft;
use super::lifecycle::{Earlier, Outcome};
use super::plan::Target;
use super::prepare::Context;
use crate::base::Fault;
use core::time::Duration;

/// Refuses what was done a moment ago.
pub(super) fn cooled_down(
    cooldown: Option<Duration>,
    name: &str,
    draft: &Draft,
    cx: &Context<'_>,
) -> Result<(), Fault> {
    let Some(cooldown) = cooldown else { return Ok(()) };
    let now = cx.clock.now().wall.0;
    let since = |run: &&Earlier| Duration::from_nanos(now.saturating_sub(run.plan.made.wall.0).max(0).unsigned_abs());
    // What was refused was not done.
    let done = |run: &&Earlier| run.end.as_ref().is_none_or(|end| end.outcome != Outcome::Refused);
    let last = same(name, draft, cx).into_iter().filter(done).map(|run| since(&run)).min();
    match last.and_then(|last| Some((last, cooldown.checked_sub(last).filter(|left| !left.is_zero())?))) {
        None => Ok(()),
        Some((last, left)) => Err(Fault::new(format!("cooling down: it was done {} s ago.", last.as_secs()))
            .hint(format!("Again in {} s; look at what it did meanwhile.", left.as_secs() + 1))),
    }
}

/// The runs of the last ten minutes of this action on these targets.
pub(super) fn same<'a>(name: &str, draft: &Draft, cx: &Context<'a>) -> Vec<&'a Earlier> {
    let now = lasting(&draft.targets);
    cx.earlier.iter().filter(|run| run.plan.what.action == name && lasting(&run.plan.targets) == now).collect()
}

/// What targets are called for longer than a process lives: whoever starts a program again gives it another number.
fn lasting(targets: &[Target]) -> Vec<String> {
    let name = |target: &Target| match target {
        Target::Process { id } => format!("process of {}", id.program),
        other => other.name(),
    };
    let mut names: Vec<String> = targets.iter().map(name).collect();
    names.sort();
    names
}
