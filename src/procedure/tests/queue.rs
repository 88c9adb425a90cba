//! What the alerts ask for, in its order.

use super::super::queue::{Waits, queue};
use super::*;
use crate::base::{Level, SeriesKey, Severity};
use crate::rules::Finding;
use crate::rules::finding::{AlertId, FindingState};

const NAMES: [&str; 4] = ["Full", "Slow", "Errors", "Small"];

fn firing(rule: usize, severity: Severity, since: i64) -> Finding {
    let at = Now { wall: Wall(since), ..Now::default() };
    Finding {
        id: AlertId { rule, key: SeriesKey::new("", &[]) },
        state: FindingState::Firing,
        level: Level::Critical,
        severity,
        since: at,
        value: 1.0,
        no_data_for: None,
        fired: Some(at),
        flaps: 0,
        ack: None,
        silenced_until: None,
        cause: None,
    }
}

fn about(id: &'static str, alerts: &[&'static str], consequences: &[&'static str]) -> Arc<Document> {
    let cleaned = |words: &[&'static str]| words.iter().map(|word| Clean::from(*word)).collect();
    let made = document(vec![read("a")]);
    let document = Document {
        id: id.into(),
        title: id.into(),
        alerts: cleaned(alerts),
        consequences: cleaned(consequences),
        ..(*made).clone()
    };
    Arc::new(document)
}

fn order(findings: &[Finding], documents: &[Arc<Document>], walks: &[&Walk]) -> Vec<(String, Waits)> {
    let names: Vec<Clean> = NAMES.iter().map(|name| Clean::from(*name)).collect();
    let rows = queue(findings, |rule| names.get(rule), documents, walks);
    rows.into_iter().map(|row| (row.document.id.to_string(), row.turn)).collect()
}

#[test]
fn the_heaviest_alert_comes_first_and_of_equal_ones_the_oldest() {
    let documents =
        [about("small", &["Small"], &[]), about("slow", &["Slow"], &[]), about("full", &["Full", "Small"], &[])];
    let mut findings =
        vec![firing(0, Severity::Critical, 9), firing(1, Severity::Critical, 3), firing(3, Severity::Info, 1)];
    let ready = |id: &str| (id.to_owned(), Waits::Ready);
    assert_eq!(order(&findings, &documents, &[]), [ready("slow"), ready("full"), ready("small")]);
    findings[1].silenced_until = Some(Wall(99));
    findings[0].state = FindingState::Resolved;
    assert_eq!(order(&findings, &documents, &[]), [ready("small"), ready("full")]);
}

#[test]
fn consequences_wait_while_the_procedure_of_their_cause_is_worked_on() {
    let documents =
        [about("full", &["Full"], &["Errors"]), about("slow", &["Slow"], &[]), about("errors", &["Errors"], &[])];
    let mut findings =
        vec![firing(2, Severity::Critical, 1), firing(1, Severity::Major, 2), firing(0, Severity::Major, 3)];
    findings[1].cause = Some(findings[2].id.clone());
    let (mut walk, _) = Walk::begin(Ulid(5), Arc::clone(&documents[0]), &"oncall".into(), Now::default());
    let inhibited = || Waits::Inhibited("full".into());
    let found = order(&findings, &documents, &[&walk]);
    let expected = [("full", Waits::Underway(Ulid(5))), ("errors", inhibited()), ("slow", inhibited())];
    assert_eq!(found, expected.map(|(id, turn)| (id.to_owned(), turn)));
    walk.say(Said::Observed(Clean::default()), &"oncall".into(), Now::default()).unwrap();
    assert_eq!(order(&findings, &documents, &[&walk])[0], ("errors".to_owned(), Waits::Ready));
}
