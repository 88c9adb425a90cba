//! What is looked at again before the first effect: by who carries a plan out, and by who only shows how it would go.

use super::act::Probe;
use super::kinds::Kind;
use super::plan::{Metric, Plan};
use super::sight::SILENCE;
use super::verify::Seen;
use crate::base::{Clean, Clock, Fault, Mono, Unit, Wall};
use crate::sys::aside::{Behind, aside, heard};
use crate::sys::clock::RealClock;
use crate::sys::host::Host;
use core::time::Duration;

/// A value that the plan rests on must be seen again within this time.
const OBSERVE: Duration = Duration::from_secs(2);

/// A probe, and what it has shown so far.
pub struct Eyes {
    probe: Box<dyn Probe>,
    /// Oldest first.
    pub seen: Vec<Seen>,
}

impl Eyes {
    /// That have seen nothing yet.
    pub const fn of(probe: Box<dyn Probe>) -> Self {
        Self { probe, seen: Vec::new() }
    }

    /// Looks until something has come, at most so long.
    pub fn open(&mut self, limit: Duration) {
        let points = self.probe.points(limit);
        self.seen.extend(points);
    }

    fn newest(&self, metric: &Metric) -> Option<f64> {
        self.seen.iter().rfind(|seen| seen.query == metric.query).map(|seen| seen.value)
    }
}

/// Holds the host, the kind's own targets and every metric against the plan. `stops` says that the operator wants it to end.
///
/// # Errors
/// The plan is stale: what differs, or cannot be observed in time.
pub fn look(
    plan: &Plan,
    kind: &'static dyn Kind,
    eyes: &mut Eyes,
    clock: &dyn Clock,
    stops: &dyn Fn() -> bool,
) -> Result<(), Fault> {
    if let Some(what) = elsewhere(&plan.place.host, &Host::current()) {
        return Err(stale(&what));
    }
    let differences = of_targets(plan, (kind, clock.now().wall), SILENCE, stops)?;
    if !differences.is_empty() {
        let list: Vec<&str> = differences.iter().map(Clean::as_str).collect();
        return Err(stale(&Clean::text(list.join("; "))));
    }
    metrics(plan, eyes, clock)
}

/// How the targets differ, and the backup that is relied on. Nothing keeps a disk or a server from never answering, so the
/// look is taken aside: the run must not wait for it with its locks held. What it asks has time limits by the real clock.
fn of_targets(
    plan: &Plan,
    (kind, now): (&'static dyn Kind, Wall),
    silence: Duration,
    stops: &dyn Fn() -> bool,
) -> Result<Vec<Clean>, Fault> {
    let theirs = plan.clone();
    let look = move || {
        let mut found = kind.differences(&theirs, &RealClock)?;
        heard();
        found.extend(theirs.relied.as_ref().and_then(|relied| relied.difference(now)));
        Ok(found)
    };
    aside(silence, stops, look).unwrap_or_else(|behind| {
        Err(match behind {
            Behind::Silent => {
                let limit = silence.as_secs_f64();
                stale(&crate::clean!("its target could not be looked at again within {limit} s"))
            }
            Behind::Unwanted => Fault::new("the operator ended it before anything was done."),
            Behind::Broken => stale(&Clean::from("the look at its target broke off")),
        })
    })
}

/// Values that the plan rests on must still be there, fresh, and near what was planned.
fn metrics(plan: &Plan, eyes: &mut Eyes, clock: &dyn Clock) -> Result<(), Fault> {
    let rows = plan.based_on.iter();
    let mut wanted: Vec<(&Clean, &Metric)> = rows.filter_map(|row| Some((&row.label, row.metric.as_ref()?))).collect();
    // What was unknown need not come: it is looked for as long as the others are.
    wanted.sort_by_key(|(_, metric)| metric.planned.is_none());
    let start = clock.now().mono;
    let limit = OBSERVE * u32::try_from(wanted.len()).unwrap_or(1);
    while let Some((label, metric)) = wanted.iter().find(|(_, metric)| eyes.newest(metric).is_none()) {
        let Some(left) = left(start, limit, clock) else {
            if metric.planned.is_none() {
                break;
            }
            return Err(stale(&unseen(label, &eyes.probe.troubles(&metric.query))));
        };
        eyes.open(left);
    }
    for (label, metric) in wanted {
        let fresh = eyes.newest(metric).unwrap_or(f64::NAN);
        if !metric.holds(fresh) {
            let now = metric.unit.show(fresh);
            let Some(planned) = metric.planned else {
                return Err(stale(&crate::clean!("{label} was unknown and is {now} now")));
            };
            let was = metric.unit.show(planned);
            let within = Unit::Ratio.show(metric.tolerance);
            let must = metric.expect.map(|expect| format!(", must be {}", expect.stands(metric.unit)));
            let must = must.unwrap_or_default();
            return Err(stale(&crate::clean!("{label} was {was} and is {now} now (may differ by {within}{must})")));
        }
    }
    Ok(())
}

/// Why a value does not come, as far as the samplers say that feed it.
fn unseen(label: &Clean, troubles: &[Clean]) -> Clean {
    let told: Vec<&str> = troubles.iter().map(|trouble| trouble.as_str().trim_end_matches('.')).collect();
    if told.is_empty() {
        return crate::clean!(
            "{label} cannot be observed now, perhaps since `verify_samplers` does not name what gives it"
        );
    }
    crate::clean!("{label} cannot be observed now: {}", told.join("; "))
}

/// How this is no longer the host, or its boot, that the plan was made on.
fn elsewhere(planned: &Host, now: &Host) -> Option<Clean> {
    if planned.machine_id != now.machine_id {
        return Some(crate::clean!("planned on machine {}, and this is {}", planned.machine_id, now.machine_id));
    }
    if planned.ssh_key != now.ssh_key {
        return Some(Clean::from("the host has another ssh key than when the plan was made"));
    }
    (planned.boot_id != now.boot_id).then(|| crate::clean!("the host was booted since the plan was made"))
}

fn stale(how: &Clean) -> Fault {
    Fault::new(format!("plan is stale: {how}.")).hint("Make a new plan.")
}

/// What is left of `limit` since `start`; `None` once it is over.
pub fn left(start: Mono, limit: Duration, clock: &dyn Clock) -> Option<Duration> {
    limit.checked_sub(clock.now().mono.since(start)).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::doing::Doing;
    use crate::action::kinds::{Draft, Settled, StepError};
    use crate::action::lifecycle::Run;
    use crate::action::plan::{Danger, Where};
    use crate::action::prepare::Context;
    use crate::base::{Body, Ulid};
    use crate::sys::host::Login;
    use std::sync::mpsc::sync_channel;

    /// Its target lies where nothing ever answers.
    struct Dead;

    impl Kind for Dead {
        fn name(&self) -> &'static str {
            "dead"
        }
        fn version(&self) -> u32 {
            1
        }
        fn about(&self) -> &'static str {
            ""
        }
        fn least_danger(&self) -> Danger {
            Danger::C1
        }
        fn draft(&self, _: &mut Body, _: &Run, _: &Context<'_>) -> Result<Draft, Fault> {
            Err(Fault::new("not planned."))
        }
        fn differences(&self, _: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
            let (_never_used, held) = sync_channel::<()>(0);
            let _never = held.recv_timeout(Duration::from_hours(1));
            Ok(Vec::new())
        }
        fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
            Ok(false)
        }
        fn steps(&self, _: &Plan) -> Vec<&'static str> {
            Vec::new()
        }
        fn step(&self, _: &str, _: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
            Ok(Clean::default())
        }
        fn settled(&self, _: &Plan) -> Result<Settled, Fault> {
            Err(Fault::new("not seen."))
        }
    }

    #[test]
    fn a_host_is_itself_by_machine_boot_and_ssh_key() {
        let now = Host::current();
        assert_eq!(elsewhere(&now, &now), None);
        let copies = [
            (Host { machine_id: "another".into(), ..now.clone() }, "planned on machine another"),
            (Host { boot_id: "earlier".into(), ..now.clone() }, "was booted since"),
            (Host { ssh_key: Some("copied".into()), ..now.clone() }, "has another ssh key"),
        ];
        for (planned, says) in copies {
            assert!(elsewhere(&planned, &now).unwrap().as_str().contains(says), "{says}");
        }
    }

    #[test]
    fn a_target_that_never_answers_makes_the_plan_stale_and_holds_nobody_up() {
        let place = Where { host: Host::current(), environment: Clean::default() };
        let plan = Plan::arm(Ulid(1), place, Login::current(), RealClock.now());
        let look = |stops: bool| {
            let said = of_targets(&plan, (&Dead, Wall::default()), Duration::from_millis(10), &|| stops);
            said.map_err(|fault| fault.to_string()).unwrap_err()
        };
        assert_eq!(
            look(false),
            "plan is stale: its target could not be looked at again within 0.01 s. Make a new plan."
        );
        assert_eq!(look(true), "the operator ended it before anything was done.");
    }
}
