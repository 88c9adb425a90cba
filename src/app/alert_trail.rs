//! The journal's trail of alerts from warning up, whoever has muted them: transitions alone. One that comes and goes all
//! the time is counted, and told once it stays.

use super::effect::{Effect, Entry};
use super::notify::AlertNote;
use crate::base::{Clean, Mono, Severity, Wall};
use crate::rules::finding::{AlertId, Finding};
use core::time::Duration;
use std::collections::BTreeMap;

/// Of one alert so many transitions are recorded in this time; the others are counted.
const MOST: usize = 6;
const SPAN: Duration = Duration::from_mins(10);
/// Alerts of which something is known: beyond that what is over is forgotten at once.
const KNOWN: usize = 10_000;

/// What the journal knows.
#[derive(Debug, Default)]
pub(super) struct AlertTrail {
    all: BTreeMap<AlertId, Trace>,
}

/// One alert.
#[derive(Debug)]
struct Trace {
    name: Clean,
    /// As it was recorded last.
    severity: Severity,
    since: Wall,
    /// It is up.
    up: bool,
    /// The journal has it so.
    told: bool,
    /// When its last transitions were recorded.
    recent: Vec<Mono>,
    /// When it came or went last.
    turned: Mono,
    /// So often it came since then, without a record.
    flaps: u32,
}

impl Trace {
    /// Whether one more of its transitions is recorded.
    fn may(&mut self, now: Mono) -> bool {
        self.recent.retain(|at| now.since(*at) < SPAN);
        self.recent.len() < MOST
    }

    /// The record of how it stands, and that it has one.
    fn tell(&mut self, value: Clean, worse: bool, now: Mono) -> Effect {
        self.recent.push(now);
        self.told = self.up;
        let (alert, severity, since) = (self.name.clone(), self.severity, self.since);
        let flaps = core::mem::take(&mut self.flaps);
        Effect::Record(if self.up {
            Entry::Fired { alert, severity, value, worse, flaps }
        } else {
            Entry::Resolved { alert, severity, since, flaps }
        })
    }
}

impl AlertTrail {
    /// What is to be recorded now that these are up. What had begun before this console did, `begun`, is not told anew.
    pub(super) fn look(
        &mut self,
        up: &BTreeMap<&AlertId, &Finding>,
        describe: &impl Fn(&Finding) -> AlertNote,
        begun: Mono,
        now: Mono,
    ) -> Vec<Effect> {
        let mut out = Vec::new();
        for (_, trace) in self.all.iter_mut().filter(|(id, trace)| trace.up && !up.contains_key(*id)) {
            (trace.up, trace.turned) = (false, now);
            if trace.may(now) && trace.told {
                out.push(trace.tell(Clean::default(), false, now));
            }
        }
        for (id, finding) in up.iter().filter(|(_, finding)| finding.severity > Severity::Info) {
            out.extend(self.rises(id, finding, describe, (begun, now)));
        }
        self.settle(up, describe, now, &mut out);
        out
    }

    fn rises(
        &mut self,
        id: &AlertId,
        finding: &Finding,
        describe: &impl Fn(&Finding) -> AlertNote,
        (begun, now): (Mono, Mono),
    ) -> Option<Effect> {
        let Some(trace) = self.all.get_mut(id) else {
            let note = describe(finding);
            let (name, since) = (note.name(), note.starts);
            let fresh = finding.fired.is_some_and(|fired| fired.mono >= begun);
            let mut trace = Trace {
                name,
                severity: finding.severity,
                since,
                up: true,
                told: true,
                recent: Vec::new(),
                turned: now,
                flaps: 0,
            };
            let told = fresh.then(|| trace.tell(note.shown, false, now));
            self.all.insert(id.clone(), trace);
            return told;
        };
        let worse = trace.up && finding.severity > trace.severity;
        if trace.up && !worse {
            return None;
        }
        let again = !trace.up;
        (trace.up, trace.severity) = (true, finding.severity);
        if again {
            (trace.turned, trace.since) = (now, finding.fired.unwrap_or(finding.since).wall);
        }
        if trace.may(now) {
            return Some(trace.tell(describe(finding).shown, worse, now));
        }
        trace.flaps += u32::from(again);
        None
    }

    /// What has come and gone too often to be told is told once it stays; what is long over is forgotten.
    fn settle(
        &mut self,
        up: &BTreeMap<&AlertId, &Finding>,
        describe: &impl Fn(&Finding) -> AlertNote,
        now: Mono,
        out: &mut Vec<Effect>,
    ) {
        let many = self.all.len() > KNOWN;
        self.all.retain(|id, trace| {
            let stays = now.since(trace.turned) >= SPAN || many && !trace.up;
            if stays && (trace.up != trace.told || trace.flaps > 0) {
                let value = up.get(id).map(|finding| describe(finding).shown).unwrap_or_default();
                out.push(trace.tell(value, false, now));
            }
            trace.up || !stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Now, SeriesKey};
    use crate::rules::finding::FindingState;

    fn at(second: u64) -> Now {
        Now { mono: Mono(second * 1_000_000_000), wall: Wall(i64::try_from(second).unwrap() * 1_000_000_000) }
    }

    fn alert(severity: Severity, fired: u64) -> Finding {
        let key = SeriesKey::new("", &[]);
        Finding {
            id: AlertId { rule: 0, key },
            state: FindingState::Firing,
            level: severity.level(),
            severity,
            since: at(fired),
            value: 1.0,
            no_data_for: None,
            fired: Some(at(fired)),
            flaps: 0,
            ack: None,
            silenced_until: None,
            cause: None,
        }
    }

    fn describe(finding: &Finding) -> AlertNote {
        AlertNote {
            firing: true,
            labels: vec![("alertname".into(), "Queue".into())],
            annotations: Vec::new(),
            severity: finding.severity,
            starts: finding.fired.unwrap_or_default().wall,
            ends: None,
            value: 1.0,
            shown: "9".into(),
            simulated: false,
        }
    }

    /// A word for each record.
    fn look(trail: &mut AlertTrail, up: Option<&Finding>, now: u64) -> Vec<String> {
        let up = up.into_iter().map(|finding| (&finding.id, finding)).collect();
        let said = trail.look(&up, &describe, at(0).mono, at(now).mono).into_iter().map(|effect| match effect {
            Effect::Record(Entry::Fired { severity, worse, flaps, .. }) => {
                format!("{} {} {flaps}", if worse { "worse" } else { "fired" }, severity.name())
            }
            Effect::Record(Entry::Resolved { severity, since, flaps, .. }) => {
                format!("over {} {} {flaps}", severity.name(), since.hms())
            }
            other => format!("{other:?}"),
        });
        said.collect()
    }

    #[test]
    fn every_transition_from_warning_up_is_recorded_and_what_is_less_is_not() {
        let mut trail = AlertTrail::default();
        assert!(look(&mut trail, Some(&alert(Severity::Info, 1)), 1).is_empty());
        assert_eq!(look(&mut trail, Some(&alert(Severity::Minor, 2)), 2), ["fired minor 0"]);
        assert!(look(&mut trail, Some(&alert(Severity::Minor, 2)), 3).is_empty());
        assert_eq!(look(&mut trail, Some(&alert(Severity::Critical, 2)), 4), ["worse critical 0"]);
        assert!(look(&mut trail, Some(&alert(Severity::Minor, 2)), 5).is_empty(), "better is no news");
        assert_eq!(look(&mut trail, None, 6), ["over critical 00:00:02 0"]);
        assert!(look(&mut trail, None, 7).is_empty());
    }

    #[test]
    fn what_comes_and_goes_is_counted_and_told_once_it_stays() {
        let mut trail = AlertTrail::default();
        let mut told = Vec::new();
        for second in 0..100 {
            let up = alert(Severity::Major, second);
            told.extend(look(&mut trail, (second % 2 == 0).then_some(&up), second));
        }
        assert_eq!(told.len(), MOST, "{told:?}");
        assert!(look(&mut trail, None, 500).is_empty(), "it does not stay yet");
        let end = look(&mut trail, None, 700);
        assert_eq!(end, ["over major 00:01:38 47"], "fifty times in all, three of them told");
        assert!(look(&mut trail, None, 701).is_empty());
        assert_eq!(look(&mut trail, Some(&alert(Severity::Major, 800)), 800), ["fired major 0"]);
    }

    #[test]
    fn what_flaps_and_then_stays_up_is_told_as_up() {
        let mut trail = AlertTrail::default();
        for second in 0..21 {
            let up = alert(Severity::Major, second);
            let _told = look(&mut trail, (second % 2 == 0).then_some(&up), second);
        }
        let up = alert(Severity::Major, 20);
        assert_eq!(look(&mut trail, Some(&up), 700), ["fired major 8"]);
        assert_eq!(look(&mut trail, None, 800), ["over major 00:00:20 0"]);
    }
}
