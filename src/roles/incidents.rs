//! What incidents need of the world: the journal read, the card kept, the report written. On a thread of its own.

use super::report;
use super::session::Shared;
use crate::app::follow_up::Left;
use crate::app::incident::{Ask, Heard, Reading, WATCH};
use crate::base::{Clean, Clock, Fault, Ulid, Wall};
use crate::clean;
use crate::config::Profile;
use crate::incident::{Incident, Scope, here, incidents, opening, timeline};
use crate::journal::{Journal, Line, line};
use crate::sys::clock::RealClock;
use crate::sys::{files, paths};
use core::time::Duration;
use std::path::{Path, PathBuf};

/// Of a journal that tells of no incident no more is looked through.
const FURTHEST: Duration = Duration::from_hours(7 * 24);
/// What was left to do is looked for so far back.
const LEFT: Duration = Duration::from_hours(30 * 24);
/// Records that the console keeps at most, the newest.
const ROWS: usize = 5_000;
/// What was recorded before is waited for so long.
const SETTLED: Duration = Duration::from_secs(2);

/// What the thread works with.
pub(super) struct Desk {
    state: Option<PathBuf>,
    journal: Option<Journal>,
    scope: Scope,
    boot: Clean,
    host: Clean,
    /// With its name; only a report needs it.
    profile: Option<(Profile, String)>,
}

impl Desk {
    pub(super) fn of(shared: &Shared, ask: &Ask) -> Self {
        let looks = matches!(ask, Ask::Read { .. } | Ask::Left);
        Self {
            state: shared.state_dir.clone(),
            journal: shared.journal.clone(),
            scope: Scope { host: shared.host.machine_id.clone(), profile: Clean::text(&shared.profile.name) },
            boot: shared.host.boot_id.clone(),
            host: shared.host.name.clone(),
            profile: (!looks).then(|| (shared.profile.clone(), shared.profile_name.clone())),
        }
    }

    /// Does what was asked.
    pub(super) fn carry_out(&self, ask: Ask) -> Heard {
        match ask {
            Ask::Read { at, known } => Heard::Read(at, self.read(known)),
            Ask::Left => Heard::Left(self.left()),
            Ask::Keep(card, incident) => {
                // That the report cannot be written is no reason to be without a card.
                if let Some(Err(fault)) = incident.map(|id| self.report(id)) {
                    tracing::warn!(target: "console", "no report: {fault}");
                }
                Heard::Kept(self.keep(&card))
            }
            Ask::Report(id) => Heard::Reported(self.report(id)),
        }
    }

    fn state(&self) -> Result<&Path, Fault> {
        self.state
            .as_deref()
            .ok_or_else(|| Fault::new("there is no folder for it.").hint("Set HOME or XDG_STATE_HOME and start anew."))
    }

    /// A folder in the state folder. That one is not made anew: a demo's is gone with the demo.
    fn folder(&self, name: &str) -> Result<PathBuf, Fault> {
        let state = self.state()?;
        if !state.is_dir() {
            return Err(Fault::new(format!("the state folder {} is gone.", state.display())));
        }
        let folder = state.join(name);
        files::private_dir(&folder).map(|()| folder)
    }

    /// The records of this host and profile, with all incidents; whatever this console has recorded is among them.
    fn lines(&self, enough: &dyn Fn(&[Line]) -> bool) -> Result<Vec<Line>, Fault> {
        if let Some(journal) = &self.journal {
            // Where its disk hangs, what is there already has to do.
            let _late = journal.settle(SETTLED);
        }
        Ok(here(line::back(&paths::journal_dir(self.state()?), enough)?, &self.scope))
    }

    fn read(&self, known: Option<(u64, u64)>) -> Result<Option<Box<Reading>>, Fault> {
        let state = self.state()?;
        let mark = line::mark(&paths::journal_dir(state))?;
        if known == Some(mark) {
            return Ok(None);
        }
        let now = RealClock.now().wall;
        let lines = self.lines(&|lines| is_enough(lines, now))?;
        let incident = incidents(&lines, &self.boot).into_iter().rfind(|it| it.closed.is_none());
        let watch = now.back(WATCH);
        // A record is written to the microsecond.
        let from = incident.as_ref().map_or(watch, |it| it.opened.wall.min(watch));
        let mut lines = timeline::between(&lines, from, Wall(i64::MAX));
        lines.drain(..lines.len().saturating_sub(ROWS));
        Ok(Some(Box::new(Reading { state: clean!("{}", state.display()), incident, lines, mark })))
    }

    fn left(&self) -> Result<Vec<Left>, Fault> {
        let from = RealClock.now().wall.back(LEFT);
        let lines = self.lines(&|lines| lines.first().is_some_and(|first| first.at < from))?;
        Ok(Left::of(&lines))
    }

    fn keep(&self, card: &[String]) -> Result<Clean, Fault> {
        let folder = self.folder("handover")?;
        let time: String = RealClock.now().wall.rfc3339().chars().take(19).filter(|c| *c != ':').collect();
        let path = folder.join(format!("{time}Z.txt"));
        files::replace(&path, (card.join("\n") + "\n").as_bytes())?;
        Ok(clean!("{}", path.display()))
    }

    fn report(&self, id: Ulid) -> Result<Clean, Fault> {
        let state = self.state()?;
        let lines = self.lines(&|lines| opening(lines, id).is_some())?;
        let incident: Incident = incidents(&lines, &self.boot)
            .into_iter()
            .find(|it| it.id == id)
            .ok_or_else(|| Fault::new(format!("the journal does not tell of incident {id}.")))?;
        let now = RealClock.now().wall;
        let profile = self.profile.as_ref().map(|(profile, name)| (profile, name.as_str()));
        let around = report::Around { state, profile, now };
        let text = report::markdown(around.of(lines, Some(incident), None, &self.host), true);
        let path = self.folder("incidents")?.join(format!("{id}.md"));
        files::replace(&path, text.as_bytes())?;
        Ok(clean!("{}", path.display()))
    }
}

/// The watch is covered, and so is the newest incident.
fn is_enough(lines: &[Line], now: Wall) -> bool {
    let Some(first) = lines.first() else { return false };
    let told =
        lines.iter().any(|line| line.ev.as_str().starts_with("incident.") && line.ev.as_str() != "incident.note");
    first.at < now.back(FURTHEST) || told && first.at < now.back(WATCH)
}
