//! How plans stand in the journal.

use super::plan::Plan;
use super::prompt::Confirm;
use crate::journal::{Event, Record};

/// A record about a plan: what, to what, exactly how, and how it was confirmed.
pub fn record(event: Event, plan: &Plan, confirm: Option<&Confirm>) -> Record {
    Record {
        support: Some(plan.support.to_string()),
        act: Some(format!("{} ({})", plan.what.action, plan.what.kind)),
        plan: Some(plan.id),
        plan_sha: Some(plan.digest()),
        target: serde_json::to_value(&plan.targets).unwrap_or_default(),
        args: plan.what.lines.iter().map(ToString::to_string).collect(),
        confirm: serde_json::to_value(confirm).unwrap_or_default(),
        ..Record::new(event)
    }
}
