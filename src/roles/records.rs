//! What the console records, as lines of the journal.

use crate::app::effect::Entry;
use crate::base::{Clean, Severity};
use crate::journal::{Event, Record};
use serde_json::{Value, json};

/// The record of an entry.
pub fn record(entry: Entry) -> Record {
    match entry {
        Entry::NoPlan { action, why } => {
            Record { act: Some(action.to_string()), ..Record::new(Event::Refused) }.res(json!({ "why": why.as_str() }))
        }
        Entry::Previewed { plan, why } => {
            Record { plan: Some(plan), ..Record::new(Event::Refused) }.res(json!({ "why": why.as_str() }))
        }
        Entry::Prompted { plan, digest } => {
            Record { plan: Some(plan), plan_sha: Some(digest), ..Record::new(Event::Shown) }
        }
        Entry::Refused { plan, confirm, why } => {
            Record { plan: Some(plan), confirm: json!(confirm), ..Record::new(Event::Refused) }
                .res(json!({ "why": why.as_str() }))
        }
        Entry::Armed { confirm } => Record { confirm: json!(confirm), ..Record::new(Event::Arm) },
        Entry::Disarmed { why } => Record::new(Event::Disarm).res(json!({ "why": why })),
        Entry::Acked { alert, severity, note } => {
            of_alert(Event::AlertAck, &alert, Some(severity)).res(json!({ "note": note }))
        }
        Entry::Unacked { alert } => of_alert(Event::AlertUnack, &alert, None),
        Entry::Silenced { matchers, reason, until } => {
            of_silence(Event::AlertSilence, &matchers).res(json!({ "reason": reason, "until": until.rfc3339() }))
        }
        Entry::Unsilenced { matchers, expired } => {
            of_silence(Event::AlertUnsilence, &matchers).res(json!({ "expired": expired }))
        }
        Entry::Escalated { alert, severity, to } => {
            of_alert(Event::AlertEscalate, &alert, Some(severity)).res(json!({ "to": to }))
        }
        Entry::Fired { alert, value } => {
            of_alert(Event::AlertFiring, &alert, Some(Severity::Critical)).res(json!({ "value": value }))
        }
        Entry::Resolved { alert, since } => {
            of_alert(Event::AlertResolved, &alert, Some(Severity::Critical)).res(json!({ "since": since.rfc3339() }))
        }
    }
}

fn of_alert(event: Event, alert: &Clean, severity: Option<Severity>) -> Record {
    let mut target = json!({ "alert": alert });
    if let (Some(severity), Value::Object(target)) = (severity, &mut target) {
        target.insert("severity".to_owned(), severity.name().into());
    }
    Record { target, ..Record::new(event) }
}

fn of_silence(event: Event, matchers: &Clean) -> Record {
    Record { target: json!({ "matchers": matchers }), ..Record::new(event) }
}
