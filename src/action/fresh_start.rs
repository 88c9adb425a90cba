//! After a run that left its service failed: the failure and the start limit are reset, and it is started, as a plan of its
//! own. Nothing of it happens by itself.

use super::back;
use super::lifecycle::Outcome;
use super::manager::{Manager, Standing, Verb};
use super::plan::{Danger, Plan, Target};
use crate::base::{Body, Clean, Clock, Fault, Ulid};

/// What stands before a run's id in the name of the action.
const FRESH: &str = "fresh-start:";

/// The name of the action that starts what this run has left failed.
pub fn name(run: Ulid) -> String {
    format!("{FRESH}{run}")
}

/// The run whose service an action of this name starts.
pub fn of(action: &str) -> Option<Ulid> {
    action.strip_prefix(FRESH)?.parse().ok()
}

/// The unit that is failed after a run that did not go well; asked of systemd alone, for no other manager keeps a failure
/// that must be reset.
pub fn needed(plan: &Plan, outcome: Outcome, clock: &dyn Clock) -> Option<Manager> {
    if !matches!(outcome, Outcome::Failed | Outcome::Indeterminate) {
        return None;
    }
    let unit = plan.targets.iter().find_map(|target| match target {
        Target::Unit { manager: manager @ Manager::Systemd(_), .. } => Some(manager),
        _ => None,
    })?;
    let look = unit.service().look(Verb::ResetFailed, clock).ok()?;
    (look.standing == Standing::Failed).then(|| unit.clone())
}

/// Its title.
pub fn title(service: &Manager) -> Clean {
    crate::clean!("Reset and start {}", service.service().unit())
}

/// Its kind, its title and its table.
///
/// # Errors
/// The service cannot be named in a table.
pub fn spec(plan: &Plan, service: &Manager) -> Result<(&'static str, Clean, Body), Fault> {
    let table = back::table([
        ("verb", Some("start".into())),
        ("danger", Some(Danger::C2.to_string().into())),
        ("support", Some(plan.support.to_string().into())),
        ("service", back::value(service)),
        ("reset_failed", Some(true.into())),
    ]);
    Ok(("service_start", title(service), Body::of(&table)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_name_names_its_run_and_nothing_else_does() {
        assert_eq!(of(&name(Ulid(7))), Some(Ulid(7)));
        assert_eq!((of("fresh-start:"), of(&back::name(Ulid(7))), back::of(&name(Ulid(7)))), (None, None, None));
    }
}
