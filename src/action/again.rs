//! What is looked at again before the first effect: by who carries a plan out, and by who only shows how it would go.

use super::act::Probe;
use super::kinds::Kind;
use super::plan::{Metric, Plan};
use super::verify::Seen;
use crate::base::{Clean, Clock, Fault, Mono, Unit};
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

/// Holds the host, the kind's own targets and every metric against the plan.
///
/// # Errors
/// The plan is stale: what differs, or cannot be observed.
pub fn look(plan: &Plan, kind: &dyn Kind, eyes: &mut Eyes, clock: &dyn Clock) -> Result<(), Fault> {
    if let Some(what) = elsewhere(&plan.place.host, &Host::current()) {
        return Err(stale(&what));
    }
    let differences = kind.differences(plan, clock)?;
    if !differences.is_empty() {
        let list: Vec<&str> = differences.iter().map(Clean::as_str).collect();
        return Err(stale(&Clean::text(list.join("; "))));
    }
    metrics(plan, eyes, clock)
}

/// Values that the plan rests on must still be there, fresh, and near what was planned.
fn metrics(plan: &Plan, eyes: &mut Eyes, clock: &dyn Clock) -> Result<(), Fault> {
    let rows = plan.based_on.iter();
    let wanted: Vec<(&Clean, &Metric)> = rows.filter_map(|row| Some((&row.label, row.metric.as_ref()?))).collect();
    let start = clock.now().mono;
    let limit = OBSERVE * u32::try_from(wanted.len()).unwrap_or(1);
    while let Some((label, _)) = wanted.iter().find(|(_, metric)| eyes.newest(metric).is_none()) {
        let Some(left) = left(start, limit, clock) else {
            return Err(stale(&crate::clean!(
                "{label} cannot be observed now; does `verify_samplers` name what gives it?"
            )));
        };
        eyes.open(left);
    }
    for (label, metric) in wanted {
        let fresh = eyes.newest(metric).unwrap_or(f64::NAN);
        if !metric.holds(fresh) {
            let (was, now) = (metric.unit.show(metric.planned), metric.unit.show(fresh));
            let within = Unit::Ratio.show(metric.tolerance);
            let must = metric.expect.map(|expect| format!(", must be {}", expect.stands(metric.unit)));
            let must = must.unwrap_or_default();
            return Err(stale(&crate::clean!("{label} was {was} and is {now} now (may differ by {within}{must})")));
        }
    }
    Ok(())
}

/// How this is no longer the host, or its boot, that the plan was made on.
fn elsewhere(planned: &Host, now: &Host) -> Option<Clean> {
    if planned.machine_id != now.machine_id {
        return Some(crate::clean!("planned on machine {}, and this is {}", planned.machine_id, now.machine_id));
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
