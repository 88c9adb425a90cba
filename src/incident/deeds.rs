//! What was done and what is left: actions with their outcomes, silences, items of procedures that were put off.

use super::card::OpenItem;
use crate::action::verify::Comparison;
use crate::base::{Clean, Ulid, Wall};
use crate::clean;
use crate::journal::{Event, Line};
use serde_json::Value;
use std::collections::BTreeSet;

/// One action that somebody accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// Its plan.
    pub plan: Ulid,
    /// The action's name, with its kind.
    pub action: Clean,
    /// What was shown and accepted: commands or diff.
    pub lines: Vec<Clean>,
    /// On whose behalf.
    pub who: Clean,
    /// When it was accepted, or first recorded.
    pub at: Wall,
    /// How it ended; `None` while that is not recorded.
    pub end: Option<Ended>,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// When.
    pub at: Wall,
    /// VERIFIED, FAILED, UNVERIFIED, UNKNOWN, REFUSED.
    pub outcome: Clean,
    /// Why, in a sentence.
    pub reason: Clean,
    /// Before and after.
    pub comparisons: Vec<Comparison>,
}

impl Deed {
    /// The action's name alone.
    pub fn name(&self) -> &str {
        self.action.as_str().split(" (").next().unwrap_or_default()
    }

    /// `VERIFIED`, or that it is not over.
    pub fn outcome(&self) -> &str {
        self.end.as_ref().map_or("no outcome yet", |end| end.outcome.as_str())
    }

    /// The first figure before and after: `latency p95 14.2 µs → 7.30 µs`.
    pub fn figure(&self) -> Option<Clean> {
        let row = self.end.as_ref()?.comparisons.first()?;
        let (before, after) = (row.before?, row.after?);
        Some(clean!("{} {} → {}", row.label, row.unit.show(before), row.unit.show(after)))
    }
}

/// The actions of these records, oldest first.
pub fn deeds(lines: &[Line]) -> Vec<Deed> {
    let mut all: Vec<Deed> = Vec::new();
    for line in lines {
        let is = |of: Event| line.ev.as_str() == of.name();
        let over = is(Event::Outcome) || is(Event::ActionRefused);
        let (Some(plan), true) = (line.plan, over || is(Event::Accepted) || is(Event::Intent)) else { continue };
        let at = all.iter().position(|known| known.plan == plan).unwrap_or_else(|| {
            all.push(Deed {
                plan,
                action: line.act.clone().unwrap_or_default(),
                lines: line.args.clone(),
                who: line.who.login.clone(),
                at: line.at,
                end: None,
            });
            all.len() - 1
        });
        if let (true, Some(known)) = (over, all.get_mut(at)) {
            let text = |key: &str| line.of_res(key).unwrap_or_default();
            let rows = line.res.get("comparisons").cloned().unwrap_or_default();
            known.end = Some(Ended {
                at: line.at,
                outcome: text("outcome"),
                reason: text("reason"),
                comparisons: serde_json::from_value(rows).unwrap_or_default(),
            });
        }
    }
    all
}

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mute {
    /// Which alerts.
    pub matchers: Clean,
    /// Why.
    pub reason: Clean,
    /// Who made it.
    pub by: Clean,
    /// From when.
    pub at: Wall,
    /// Until when, as it was meant.
    pub until: Wall,
    /// When somebody ended it before.
    pub ended: Option<Wall>,
}

/// The silences that these records make, oldest first.
pub fn mutes(lines: &[Line]) -> Vec<Mute> {
    let mut all: Vec<Mute> = Vec::new();
    for line in lines {
        let Some(matchers) = line.of_target("matchers") else { continue };
        if line.ev.as_str() == Event::AlertSilence.name() {
            let until = line.of_res("until").and_then(|until| Wall::parse(until.as_str())).unwrap_or(line.at);
            let reason = line.of_res("reason").unwrap_or_default();
            all.push(Mute { matchers, reason, by: line.who.login.clone(), at: line.at, until, ended: None });
        } else if line.ev.as_str() == Event::AlertUnsilence.name()
            && line.res.get("expired").and_then(Value::as_bool) == Some(false)
        {
            let open = all.iter_mut().rev().find(|mute| mute.matchers == matchers && mute.ended.is_none());
            if let Some(mute) = open {
                mute.ended = Some(line.at);
            }
        }
    }
    all
}

/// Items of procedures that these records put off or that went wrong, and that have not gone on since.
pub fn open_items(lines: &[Line]) -> Vec<OpenItem> {
    let mut all: Vec<OpenItem> = Vec::new();
    for line in lines.iter().filter(|line| line.ev.as_str().starts_with("procedure.")) {
        let Some(item) = line.of_res("item") else { continue };
        let Some(state) = line.of_res("state") else { continue };
        let (run, procedure) = (run_of(line), line.of_res("procedure").unwrap_or_default());
        all.retain(|known| known.run != run || known.item != item);
        if let Some(state) = ["deferred", "failed"].into_iter().find(|known| state.as_str().eq_ignore_ascii_case(known))
        {
            let why = ["reason", "why", "value"].iter().find_map(|key| line.of_res(key)).unwrap_or_default();
            all.push(OpenItem { run, procedure, item, state: state.into(), why });
        }
    }
    all
}

/// What procedures that are over have put off, and nobody has done since, oldest first.
pub fn put_off(lines: &[Line]) -> Vec<OpenItem> {
    let mut over: BTreeSet<Ulid> = BTreeSet::new();
    for line in lines {
        if line.ev.as_str() == Event::ProcedureEnd.name() {
            over.extend(run_of(line));
        } else if line.ev.as_str() == Event::ProcedureResume.name() {
            let _again = run_of(line).is_some_and(|run| over.remove(&run));
        }
    }
    let mut all = open_items(lines);
    all.retain(|open| open.state.as_str() == "deferred" && open.run.is_some_and(|run| over.contains(&run)));
    all
}

fn run_of(line: &Line) -> Option<Ulid> {
    line.of_res("run").and_then(|run| run.as_str().parse().ok())
}
