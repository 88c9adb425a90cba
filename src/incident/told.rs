//! What an incident adds to the journal, and reads back from it: opened, noted, closed, handed over.

use crate::base::{Clean, Now, Severity, Ulid, Wall};
use crate::journal::{Event, Line, Record};
use serde_json::json;
use std::collections::BTreeMap;

/// The words that make a note a follow-up.
const TODO: &str = "todo:";

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An incident begins.
    Opened {
        /// Its id.
        id: Ulid,
        /// What it is about.
        title: Clean,
        /// Who leads it.
        owner: Clean,
        /// How serious it is for people.
        severity: Severity,
    },
    /// Somebody wrote something down; without an incident it stands in the journal all the same.
    Noted(Option<Ulid>, Note),
    /// An incident is over.
    Closed {
        /// Its id.
        id: Ulid,
        /// What it was about.
        title: Clean,
        /// How it ended.
        summary: Clean,
    },
    /// A handover card was made.
    HandedOver(Option<Ulid>),
    /// Somebody else leads an incident.
    Owned {
        /// Its id.
        id: Ulid,
        /// Who.
        owner: Clean,
    },
    /// A follow-up is done, by whom the record is.
    Done {
        /// The open incident, if there is one.
        id: Option<Ulid>,
        /// What was to be done.
        text: Clean,
        /// Whose it was.
        owner: Clean,
        /// What was done.
        note: Clean,
    },
    /// The newest lines of a log, so that a report has them when the log itself is gone.
    Logged {
        /// The open incident.
        id: Ulid,
        /// Which log.
        source: Clean,
        /// Oldest first.
        lines: Vec<Clean>,
    },
}

/// Something written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text.
    pub text: Clean,
    /// Who does it: then it is a follow-up.
    pub owner: Option<Clean>,
}

impl Note {
    /// A note as it was typed: `todo:` at its beginning or an owner makes it a follow-up, which `by` owns unless
    /// somebody is named.
    pub fn typed(text: &Clean, owner: &Clean, by: &Clean) -> Self {
        let text = text.as_str().trim();
        let todo = text.get(..TODO.len()).filter(|head| head.eq_ignore_ascii_case(TODO)).map(str::len);
        let named = Some(owner.clone()).filter(|owner| !owner.as_str().trim().is_empty());
        let text = Clean::text(text.get(todo.unwrap_or(0)..).unwrap_or_default().trim());
        Self { text, owner: named.or_else(|| todo.map(|_| by.clone())) }
    }
}

impl Told {
    /// As the journal has it.
    pub fn record(&self) -> Record {
        let (event, target, res) = match self {
            Self::Opened { id, title, owner, severity } => (
                Event::IncidentOpen,
                json!({ "incident": id, "title": title }),
                json!({ "owner": owner, "severity": severity.name() }),
            ),
            Self::Noted(id, note) => {
                let res = match &note.owner {
                    Some(owner) => json!({ "note": note.text, "owner": owner }),
                    None => json!({ "note": note.text }),
                };
                (Event::IncidentNote, json!({ "incident": id }), res)
            }
            Self::Closed { id, title, summary } => {
                (Event::IncidentClose, json!({ "incident": id, "title": title }), json!({ "summary": summary }))
            }
            Self::Owned { id, owner } => (Event::IncidentOwner, json!({ "incident": id }), json!({ "owner": owner })),
            Self::Done { id, text, owner, note } => {
                (Event::IncidentDone, json!({ "incident": id }), json!({ "done": text, "owner": owner, "note": note }))
            }
            Self::Logged { id, source, lines } => {
                (Event::IncidentLog, json!({ "incident": id, "source": source }), json!({ "lines": lines }))
            }
            Self::HandedOver(id) => (Event::IncidentHandover, json!({ "incident": id }), serde_json::Value::Null),
        };
        Record { target, ..Record::new(event) }.res(res)
    }

    /// What a record of an incident says; `None` of any other record.
    pub fn of(line: &Line) -> Option<Self> {
        let id = line.of_target("incident").and_then(|id| id.as_str().parse().ok());
        let title = line.of_target("title");
        let event = |event: Event| line.ev.as_str() == event.name();
        Some(if event(Event::IncidentOpen) {
            let severity = line.res.get("severity").cloned().unwrap_or_default();
            Self::Opened {
                id: id?,
                title: title?,
                owner: line.of_res("owner")?,
                severity: serde_json::from_value(severity).unwrap_or_default(),
            }
        } else if event(Event::IncidentNote) {
            Self::Noted(id, Note { text: line.of_res("note")?, owner: line.of_res("owner") })
        } else if event(Event::IncidentClose) {
            Self::Closed { id: id?, title: title.unwrap_or_default(), summary: line.of_res("summary")? }
        } else if event(Event::IncidentOwner) {
            Self::Owned { id: id?, owner: line.of_res("owner")? }
        } else if event(Event::IncidentDone) {
            let text = line.of_res("done")?;
            Self::Done { id, text, owner: line.of_res("owner")?, note: line.of_res("note").unwrap_or_default() }
        } else if event(Event::IncidentLog) {
            let rows = line.res.get("lines").and_then(serde_json::Value::as_array)?;
            let lines = rows.iter().map(|row| Clean::text(row.as_str().unwrap_or_default())).collect();
            Self::Logged { id: id?, source: line.of_target("source")?, lines }
        } else if event(Event::IncidentHandover) {
            Self::HandedOver(id)
        } else {
            return None;
        })
    }
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Unique.
    pub id: Ulid,
    /// What it is about.
    pub title: Clean,
    /// Who leads it.
    pub owner: Clean,
    /// How serious it is for people.
    pub severity: Severity,
    /// When it was opened.
    pub opened: Now,
    /// When it was closed.
    pub closed: Option<Wall>,
    /// How it ended.
    pub summary: Clean,
}

impl Incident {
    /// When it ended, or now.
    pub fn until(&self, now: Wall) -> Wall {
        self.closed.unwrap_or(now)
    }
}

/// Something that is left to do, with who does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// What.
    pub text: Clean,
    /// Who.
    pub owner: Clean,
    /// Who wrote it down.
    pub by: Clean,
    /// When.
    pub at: Wall,
}

/// Which records are this console's concern: a journal may be shared by profiles, and a home folder by machines.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The machine's id; empty means any.
    pub host: Clean,
    /// The profile's name; empty means any.
    pub profile: Clean,
}

/// The records of this machine that are not known to belong to another profile: by the session that wrote them, or by
/// the one that accepted their plan.
pub fn here(lines: Vec<Line>, scope: &Scope) -> Vec<Line> {
    let any = scope.profile.as_str().is_empty();
    let profile = |line: &Line| line.of_res("profile").is_some_and(|of| any || of == scope.profile);
    let started = lines.iter().filter(|line| line.ev.as_str() == Event::SessionStart.name());
    let sessions: BTreeMap<Ulid, bool> = started.map(|line| (line.sess, profile(line))).collect();
    let accepted = lines.iter().filter(|line| line.ev.as_str() == Event::Accepted.name());
    let plans: BTreeMap<Ulid, bool> =
        accepted.filter_map(|line| Some((line.plan?, *sessions.get(&line.sess)?))).collect();
    let ours = |line: &Line| {
        let known = sessions.get(&line.sess).or_else(|| plans.get(&line.plan?));
        known.copied().unwrap_or(true) && (scope.host.as_str().is_empty() || line.host == scope.host)
    };
    let mut lines = lines;
    lines.retain(ours);
    lines
}

/// The record that opened this incident.
pub fn opening(lines: &[Line], id: Ulid) -> Option<&Line> {
    lines.iter().find(|line| matches!(Told::of(line), Some(Told::Opened { id: of, .. }) if of == id))
}

/// Every incident that these records open, oldest first. `boot` is the one whose monotonic clock counts.
pub fn incidents(lines: &[Line], boot: &Clean) -> Vec<Incident> {
    let mut all: Vec<Incident> = Vec::new();
    for line in lines {
        match Told::of(line) {
            Some(Told::Opened { id, title, owner, severity }) if all.iter().all(|known| known.id != id) => {
                let opened = line.moment(boot);
                all.push(Incident { id, title, owner, severity, opened, closed: None, summary: Clean::default() });
            }
            Some(Told::Closed { id, summary, .. }) => {
                if let Some(known) = all.iter_mut().find(|known| known.id == id && known.closed.is_none()) {
                    (known.closed, known.summary) = (Some(line.at), summary);
                }
            }
            Some(Told::Owned { id, owner }) => {
                if let Some(known) = all.iter_mut().find(|known| known.id == id) {
                    known.owner = owner;
                }
            }
            _ => {}
        }
    }
    all
}

/// What these records leave to do, oldest first; what was written down twice stands once, and what is done no more.
pub fn follow_ups(lines: &[Line]) -> Vec<FollowUp> {
    let mut all: Vec<FollowUp> = Vec::new();
    for line in lines {
        let (text, owner) = match Told::of(line) {
            Some(Told::Noted(_, Note { text, owner: Some(owner) })) => (text, owner),
            Some(Told::Done { text, owner, .. }) => {
                all.retain(|known| known.text != text || known.owner != owner);
                continue;
            }
            _ => continue,
        };
        if all.iter().all(|known| known.text != text || known.owner != owner) {
            all.push(FollowUp { text, owner, by: line.who.login.clone(), at: line.at });
        }
    }
    all
}
