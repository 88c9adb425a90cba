//! A document against the system that it is for: names that nobody there has.

use super::document::{Condition, Document, Live, Look, Subject};
use crate::base::body::nearest;
use crate::base::{Clean, Fault};
use crate::rules::expr::Expr;

/// Whether a sampler makes a metric; else the one that was probably meant.
pub type Made<'a> = dyn Fn(&str) -> Result<(), Option<String>> + 'a;

/// What is known of the system.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Actions of the profile.
    pub actions: &'a [&'a str],
    /// Alerts that its rules make.
    pub alerts: &'a [&'a str],
    /// Names of contacts.
    pub contacts: &'a [&'a str],
    /// Support levels.
    pub levels: &'a [&'a str],
    /// Logs of the profile.
    pub logs: &'a [&'a str],
    /// Samplers of the profile, and what else tells facts. `None`: nobody knows, nothing is said.
    pub samplers: Option<&'a [&'a str]>,
    /// Metrics that samplers make. `None`: nobody knows, nothing is said.
    pub metric: Option<&'a Made<'a>>,
}

/// Every name that nobody has, in the order of the text. With one of them the item cannot do what it says.
pub fn check(document: &Document, known: &Known<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (names, kind) in [(&document.alerts, "it answers"), (&document.consequences, "it explains")] {
        for alert in names.iter().filter(|alert| !known.alerts.contains(&alert.as_str())) {
            let what = format!("no rule makes the alert `{alert}`, which {kind}.");
            let fault = Fault::new(what).at(&document.file, 0, 0);
            faults.push(hint(fault, alert, known.alerts));
        }
    }
    for item in &document.items {
        let mut tell = |what: String, name: &str, names: &[&str]| {
            faults.push(hint(Fault::new(what).at(&document.file, item.line, 0), name, names));
        };
        match &item.live {
            Live::Action(name, _) if !known.actions.contains(&&**name) => {
                tell(format!("the profile has no action `{name}`."), name, known.actions);
            }
            Live::Escalate(to) if !known.levels.iter().chain(known.contacts).any(|name| *name == to.to.as_str()) => {
                let names: Vec<&str> = known.levels.iter().chain(known.contacts).copied().collect();
                tell(format!("`{}` is neither a support level nor a contact.", to.to), to.to.as_str(), &names);
            }
            Live::Log(tail) if !known.logs.contains(&&*tail.source) => {
                tell(format!("the profile has no log `{}`.", tail.source), &tail.source, known.logs);
            }
            _ => {}
        }
        if let Some(of) = item.beside.repeats.as_ref().filter(|of| !known.logs.contains(&&*of.source)) {
            tell(format!("the profile has no log `{}`.", of.source), &of.source, known.logs);
        }
        let told = condition(&item.live).and_then(|condition| match &condition.of {
            Subject::Fact(told) => Some(&told.sampler),
            Subject::Query(_) | Subject::Answer(_) => None,
        });
        let filled = item.beside.fill.iter().map(|fill| &fill.sampler);
        for sampler in told.into_iter().chain(filled).chain(&item.beside.facts) {
            if let Some(samplers) = known.samplers.filter(|samplers| !samplers.contains(&&**sampler)) {
                tell(format!("the profile has no sampler `{sampler}`."), sampler, samplers);
            }
        }
        let Some(metric) = known.metric else { continue };
        let worked = if let Live::Calculate(it) = &item.live { it.exprs() } else { Vec::new() };
        for name in exprs(&item.live, &item.show).chain(&worked).flat_map(metrics) {
            if let Err(near) = metric(&name) {
                let fault = Fault::new(format!("no sampler of the profile makes the metric `{name}`."));
                let fault = fault.at(&document.file, item.line, 0);
                faults.push(near.into_iter().fold(fault, |fault, near| fault.hint(format!("Did you mean `{near}`?"))));
            }
        }
    }
    faults
}

/// The condition that makes an item live, if one does.
pub fn condition(live: &Live) -> Option<&Condition> {
    match live {
        Live::Check(condition) | Live::When(condition) => Some(condition),
        Live::Wait(wait) => wait.until.as_ref(),
        _ => None,
    }
}

fn exprs<'a>(live: &'a Live, show: &'a [Look]) -> impl Iterator<Item = &'a Expr> {
    let own = condition(live).and_then(|condition| match &condition.of {
        Subject::Query(look) => Some(&look.expr),
        Subject::Answer(_) | Subject::Fact(_) => None,
    });
    own.into_iter().chain(show.iter().map(|look| &look.expr))
}

fn metrics(expr: &Expr) -> impl Iterator<Item = String> {
    expr.selectors().iter().filter_map(|selector| selector.metric_name()).map(str::to_owned)
}

fn hint(fault: Fault, name: impl AsRef<str>, names: &[&str]) -> Fault {
    if names.is_empty() { fault } else { fault.hint(Clean::text(nearest(name.as_ref(), names.iter().copied()))) }
}
