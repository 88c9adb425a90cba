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
        Entry::Previewed { act, plan, why } => {
            Record { act: Some(act.to_string()), plan: Some(plan), ..Record::new(Event::Refused) }
                .res(json!({ "why": why.as_str() }))
        }
        Entry::Prompted { act, plan, digest } => {
            let act = Some(act.to_string());
            Record { act, plan: Some(plan), plan_sha: Some(digest), ..Record::new(Event::Shown) }
        }
        Entry::Refused { act, plan, confirm, why } => {
            let act = Some(act.to_string());
            Record { act, plan: Some(plan), confirm: json!(confirm), ..Record::new(Event::Refused) }
                .res(json!({ "why": why.as_str() }))
        }
        Entry::Stopped { plan } => Record { plan: Some(plan), ..Record::new(Event::Stop) },
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
        Entry::Incident(told) => told.record(),
        Entry::Fired { alert, severity, value, worse, flaps } => {
            let event = if worse { Event::AlertWorse } else { Event::AlertFiring };
            of_alert(event, &alert, Some(severity)).res(flapped(json!({ "value": value }), flaps))
        }
        Entry::Resolved { alert, severity, since, flaps } => {
            let res = flapped(json!({ "since": since.rfc3339() }), flaps);
            of_alert(Event::AlertResolved, &alert, Some(severity)).res(res)
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

/// How often it came and went without a record, where it did.
fn flapped(mut res: Value, flaps: u32) -> Value {
    if let (1.., Value::Object(res)) = (flaps, &mut res) {
        res.insert("flaps".to_owned(), flaps.into());
    }
    res
}

fn of_silence(event: Event, matchers: &Clean) -> Record {
    Record { target: json!({ "matchers": matchers }), ..Record::new(event) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ulid, Wall};
    use crate::journal::{Journal, Session, show, verify};
    use crate::sys::clock::RealClock;
    use crate::sys::host::{Host, Login};
    use core::time::Duration;
    use std::sync::Arc;

    #[test]
    fn what_is_said_of_alerts_stands_in_the_journal_in_words() {
        let until = Wall(1_795_230_767_123_456_789);
        let alert = || Clean::text("GPU memory{gpu=\"0\"}");
        let matchers = || Clean::text("alertname=\"GPU memory\"");
        let fired =
            |severity, worse, flaps| Entry::Fired { alert: alert(), severity, value: "97 %".into(), worse, flaps };
        let entries = [
            (fired(Severity::Critical, false, 0), "GPU memory{gpu=\"0\"} began to fire (critical): 97 %"),
            (fired(Severity::Minor, false, 0), "GPU memory{gpu=\"0\"} began to fire (minor): 97 %"),
            (fired(Severity::Critical, true, 0), "GPU memory{gpu=\"0\"} became critical: 97 %"),
            (
                fired(Severity::Minor, false, 7),
                "GPU memory{gpu=\"0\"} began to fire (minor): 97 %; it came and went 7 times since its last record",
            ),
            (
                Entry::Acked { alert: alert(), severity: Severity::Critical, note: "on it\u{1b}[2J".into() },
                "took GPU memory{gpu=\"0\"}: on it␛[2J",
            ),
            (
                Entry::Acked { alert: alert(), severity: Severity::Minor, note: Clean::default() },
                "took GPU memory{gpu=\"0\"}",
            ),
            (Entry::Unacked { alert: alert() }, "gave GPU memory{gpu=\"0\"} back"),
            (
                Entry::Escalated { alert: alert(), severity: Severity::Critical, to: "L2 Ada Example".into() },
                "told L2 Ada Example of GPU memory{gpu=\"0\"}",
            ),
            (
                Entry::Silenced { matchers: matchers(), reason: "planned work".into(), until },
                "muted alertname=\"GPU memory\" until 2026-11-21T03:12:47.123456Z: planned work",
            ),
            (
                Entry::Unsilenced { matchers: matchers(), expired: false },
                "ended the silence of alertname=\"GPU memory\"",
            ),
            (
                Entry::Unsilenced { matchers: matchers(), expired: true },
                "the silence of alertname=\"GPU memory\" ran out",
            ),
            (
                Entry::Resolved { alert: alert(), severity: Severity::Critical, since: until, flaps: 0 },
                "GPU memory{gpu=\"0\"} is over; it had fired since 2026-11-21T03:12:47.123456Z",
            ),
        ];
        let dir = tempfile::tempdir().unwrap();
        let host = Host { name: "h".into(), machine_id: "m".into(), boot_id: "b".into(), ssh_key: None };
        let login = Login {
            login_uid: None,
            login: "oncall".into(),
            uid: 0,
            user: "root".into(),
            sudo_uid: None,
            tty: None,
            ssh: None,
        };
        let session = Session { host, login, id: Ulid(1), pid: 2 };
        let journal = Journal::open(dir.path(), session, Arc::new(RealClock)).unwrap();
        let mut expected = Vec::new();
        for (entry, said) in entries {
            journal.append(record(entry));
            expected.push(said);
        }
        assert!(journal.close(Duration::from_secs(100)));
        assert!(verify(dir.path()).unwrap().intact());
        let shown = show(dir.path(), 100).unwrap();
        let shown: Vec<&str> = shown.iter().skip(1).map(Clean::as_str).collect();
        assert_eq!(shown.len(), expected.len(), "{shown:?}");
        for (shown, said) in shown.iter().zip(expected) {
            assert!(shown.contains("  oncall  alert.") && shown.ends_with(said), "{shown} is not {said}");
        }
    }
}
