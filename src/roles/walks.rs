//! Procedures under way, between the pure core and the folder that keeps them: begins, appends, takes up, lets go.

use super::effects::worker;
use super::procedures::{
    Cmd, Found, Hold, Holder, Later, Runs, Source, Texts, Told, again, look, outcome_of, record, takeover,
};
use super::session::Shared;
use crate::app::again::Again;
use crate::app::walking::{Left, Taken};
use crate::app::{Model, Msg};
use crate::base::{Clean, Clock, Fault, Ulid};
use crate::clean;
use crate::config::ProcedureSpec;
use crate::journal::{Event, Journal, Record};
use crate::procedure::{Document, Step, Walk};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::{paths, random};
use core::time::Duration;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The disk gets this long when the console is left.
const CLOSE: Duration = Duration::from_millis(200);
/// Of looks at done actions so many answers wait for the loop.
const LOOKS: usize = 16;

/// This console's end of its runs.
pub(super) struct Walks {
    runs: Result<Runs, Fault>,
    us: Holder,
    state: Option<PathBuf>,
    journal: Option<Journal>,
    /// The profile's texts.
    specs: Vec<ProcedureSpec>,
    /// Texts of runs whose first steps are still to come.
    begun: BTreeMap<Ulid, Source>,
    /// What looks at done actions have found.
    seen: (SyncSender<Msg>, Receiver<Msg>),
    bell: Arc<Bell>,
    /// Who looks after the files of the profile's texts.
    texts: Option<Texts>,
}

impl Walks {
    /// Starts the keeper and asks what was left.
    pub(super) fn start(shared: &Shared, bell: &Arc<Bell>) -> Self {
        let login = &shared.login;
        let boot = shared.host.boot_id.clone();
        let us = Holder::current(login.login.clone(), login.tty.clone(), boot, RealClock.now());
        let none = || Fault::new("there is no folder for its run.").hint("Set HOME or XDG_STATE_HOME.");
        let state = shared.state_dir.as_deref().ok_or_else(none);
        let runs = state.and_then(|state| Runs::start(state, us.clone(), Arc::new(RealClock), Arc::clone(bell)));
        if let Ok(runs) = &runs {
            runs.ask(Cmd::Look);
            // A console that only looks removes nothing.
            if shared.launcher.is_some() {
                runs.ask(Cmd::Prune(shared.profile.procedures.keep_runs));
            }
        }
        let (state, journal) = (shared.state_dir.clone(), shared.journal.clone());
        let (specs, seen, bell) = (shared.profile.procedures.specs.clone(), sync_channel(LOOKS), Arc::clone(bell));
        let texts = match Texts::watch(&specs, shared.profile.judging.settings.clone(), Arc::clone(&bell)) {
            Ok(texts) => Some(texts),
            Err(fault) => {
                tracing::warn!(target: "console", "{fault}");
                None
            }
        };
        Self { runs, us, state, journal, specs, begun: BTreeMap::new(), seen, bell, texts }
    }

    /// A folder's name and the text for a new walk.
    pub(super) fn begin(&mut self, document: &Arc<Document>) -> Msg {
        let found = self.source(document).map(|source| {
            let id = random::ulid(RealClock.now().wall);
            self.begun.insert(id, source);
            id
        });
        Msg::WalkBegun(Arc::clone(document), found)
    }

    fn source(&self, document: &Document) -> Result<Source, Fault> {
        if let Err(fault) = &self.runs {
            return Err(fault.clone());
        }
        let spec = self.specs.iter().find(|spec| spec.sha256 == document.sha256);
        let spec = spec.ok_or_else(|| Fault::new("its text is not among the profile's any more."))?;
        Ok(Source::of(document, spec.text.clone()))
    }

    /// Steps go into the journal and to disk.
    pub(super) fn keep(&mut self, run: Ulid, steps: Vec<Step>, model: &Model) {
        let Some(working) = model.procedures.walk(run) else { return };
        if let Some(journal) = &self.journal {
            for step in &steps {
                journal.append(record(&working.walk, step));
            }
        }
        let Ok(runs) = &self.runs else { return };
        runs.ask(match self.begun.remove(&run) {
            Some(source) => Cmd::Begin(run, Box::new(source), steps),
            None => Cmd::Append(run, steps),
        });
        if !working.open() {
            runs.ask(Cmd::Release(run));
        }
    }

    /// Takes a run up that was left.
    pub(super) fn resume(&self, run: Ulid) {
        if let Ok(runs) = &self.runs {
            runs.ask(Cmd::Resume(run));
        }
    }

    /// The runner of this plan is only started when the step that leads to it is on disk, or the disk has had its time.
    pub(super) fn barrier(&self, plan: Ulid, model: &Model) -> impl FnOnce() + Send + 'static {
        let run = model.procedures.walks.iter().find(|working| working.walk.in_flight() == Some(plan));
        let durable = run.map(|working| working.walk.id).zip(self.runs.as_ref().ok().map(Runs::durable));
        move || {
            let held = durable.map_or(Ok(()), |(run, durable)| durable.append(run, Vec::new()));
            if let Err(fault) = held {
                tracing::warn!(target: "console", "{fault}");
            }
        }
    }

    /// The next that the keeper tells.
    pub(super) fn news(&self) -> Option<Msg> {
        if let Ok(seen) = self.seen.1.try_recv() {
            return Some(seen);
        }
        if let Some(changed) = self.texts.as_ref().and_then(Texts::news) {
            return Some(Msg::TextChanged(changed));
        }
        Some(match self.runs.as_ref().ok()?.news()? {
            Told::Open(found, mut faults) => {
                let left = found
                    .into_iter()
                    .filter_map(|found| self.left(&found).map_err(|why| faults.push(Fault::new(why.as_str()))).ok());
                let left: Vec<Left> = left.collect();
                if left.is_empty() && faults.is_empty() {
                    return self.news();
                }
                Msg::WalksLeft(left, faults)
            }
            Told::Resumed(run, found) => Msg::WalkResumed(run, found.and_then(|found| self.taken(&found))),
            Told::Lost(run, who) => Msg::WalkLost(run, who),
            Told::Finished(run, finished) => Msg::WalkFinished(run, finished.map(|done| self.finished(*done))),
            Told::Pruned(gone, faults) => {
                self.pruned(&gone, &faults);
                return self.news();
            }
            Told::Unrecorded(run, _, why) => Msg::WalkKept(run, Some(why)),
            Told::Recorded(run) => Msg::WalkKept(run, None),
        })
    }

    /// Something that an ended run has put off is done.
    pub(super) fn finish(&self, run: Ulid, item: Clean, note: Clean) {
        if let Ok(runs) = &self.runs {
            runs.ask(Cmd::Finish(run, Later { item, who: self.us.login.clone(), note }));
        }
    }

    fn finished(&self, (walk, steps): (Walk, Vec<Step>)) -> Box<Walk> {
        if let Some(journal) = &self.journal {
            for step in &steps {
                journal.append(record(&walk, step));
            }
        }
        Box::new(walk)
    }

    /// What was removed is told in the journal and in our own log.
    fn pruned(&self, gone: &[Ulid], faults: &[Fault]) {
        if let (Some(journal), false) = (&self.journal, gone.is_empty()) {
            journal.append(Record::new(Event::ProcedureDrop).res(json!({ "runs": gone })));
            tracing::info!(target: "console", "{} runs of procedures that are long over were removed", gone.len());
        }
        for fault in faults {
            tracing::warn!(target: "console", "{fault}");
        }
    }

    fn left(&self, found: &Found) -> Result<Left, Clean> {
        let (walk, _) = found.walk(found.document())?;
        let on_disk = self.specs.iter().find(|spec| spec.file == found.head.file);
        let held = match &found.hold {
            Hold::Held { sentence, .. } if !found.hold.may_take() => Some(sentence.clone()),
            _ => None,
        };
        let other = found.holder.as_ref().filter(|_| found.is_of_another(&self.us.login));
        Ok(Left {
            sentence: found.sentence(&walk),
            held,
            of: other.map(|holder| clean!("{holder}")),
            changes: on_disk.map(|spec| found.changes(&spec.text)).unwrap_or_default(),
            walk,
        })
    }

    /// A run that is ours now: as it was left, and what became of its action.
    fn taken(&self, found: &Found) -> Result<Box<Taken>, Fault> {
        let (walk, steps) = found.walk(found.document()).map_err(|why| Fault::new(why.as_str()))?;
        if let Some(journal) = &self.journal {
            if let Some(before) = found.holder.as_ref().filter(|_| found.is_of_another(&self.us.login)) {
                journal.append(takeover(walk.id, &walk.document.id, before, &self.us));
            }
            for step in &steps {
                journal.append(record(&walk, step));
            }
        }
        if let Ok(runs) = &self.runs {
            runs.ask(Cmd::Append(walk.id, steps));
        }
        let state = self.state.as_deref();
        let ended = walk.in_flight().zip(state).and_then(|(plan, state)| {
            let (outcome, why) =
                outcome_of(state, plan, &paths::lock_dirs(), self.journal.as_ref(), RealClock.now().wall)?;
            Some((plan, outcome, why))
        });
        let again = state.map_or_else(Vec::new, |state| self.look_again(state, &walk));
        Ok(Box::new(Taken { walk, ended, again }))
    }

    /// Begins to look at the targets of done actions, each on a thread of its own: one may hang.
    fn look_again(&self, state: &Path, walk: &Walk) -> Vec<Again> {
        let run = walk.id;
        let begun = again(state, walk).into_iter().map(|(mut again, plan)| {
            let Some(plan) = plan else { return again };
            let (told, bell, item) = (self.seen.0.clone(), Arc::clone(&self.bell), again.item);
            let started = worker("look again", move || {
                // Nobody may be there any more.
                let _gone = told.send(Msg::WalkSeen(run, item, look(&plan)));
                bell.ring();
            });
            if let Err(fault) = started {
                again.record = Some((None, clean!("{fault}")));
            }
            again
        });
        begun.collect()
    }

    /// Nobody is there any more: what runs is paused, and let go.
    pub(super) fn leave(mut self, model: &mut Model, why: &Clean) {
        let now = RealClock.now();
        let ours = model.procedures.walks.iter_mut().filter(|working| working.only_look.is_none());
        let paused: Vec<(Ulid, Vec<Step>)> =
            ours.map(|working| (working.walk.id, working.walk.pause(why, now))).collect();
        for (run, steps) in paused.into_iter().filter(|(_, steps)| !steps.is_empty()) {
            self.keep(run, steps, model);
        }
        if let Ok(runs) = self.runs
            && !runs.close(CLOSE)
        {
            tracing::warn!(target: "console", "the disk that keeps procedures did not answer in time");
        }
    }
}
