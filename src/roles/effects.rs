//! Carries out what the pure core asks for, off the loop; the answers come back through a bounded queue.
//! Long because it has an arm and a worker for each thing that the core asks for.

use super::commands;
use super::history::{Keeper, Loaded};
use super::incidents;
use super::notify::Notifier;
use super::past::{can_be_taken_back, is_open, past_effects, record_late, starting_afresh, taking_back, unheard};
use super::planning::{Here, Planners};
use super::records::record;
use super::save;
use super::session::Shared;
use super::units;
use super::walks::Walks;
use crate::action;
use crate::action::follow::Follow;
use crate::action::late;
use crate::action::launch::Launcher;
use crate::action::lifecycle::{Allowed, Outcome, Run};
use crate::action::mode::Mode;
use crate::action::plan::{Plan, Where};
use crate::action::prompt::Acceptance;
use crate::action::recover::{Standing, Unresolved, settle, unresolved};
use crate::action::rights::Rights;
use crate::app::effect::Effect;
use crate::app::incident::Ask;
use crate::app::readings::Snapshot;
use crate::app::{Model, Msg, Request, run, unit};
use crate::base::{Clean, Clock, Fault, Support, Ulid};
use crate::clean;
use crate::config::profile::ActionSpec;
use crate::journal::{Event, Journal};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::{paths, random};
use core::time::Duration;
use serde_json::json;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

/// Workers wait while this many of their answers are not taken.
const ANSWERS: usize = 16;
/// How often a runner's word is read.
const PROGRESS: Duration = Duration::from_millis(200);
/// Of a worker's thread: it parses small files and asks a socket.
const STACK: usize = 1024 * 1024;

/// What is under way beside the loop.
pub struct Effects {
    /// What the loop's own thread answers: it must never wait on the queue that only itself empties.
    own: VecDeque<Msg>,
    answers: Receiver<Msg>,
    answer: Answer,
    planners: Planners,
    /// Dropping it ends the thread that reads a runner's word.
    watching: Option<SyncSender<()>>,
    notifier: Option<Notifier>,
    keeper: Option<Keeper>,
    walks: Option<Walks>,
    /// What was refused because there is no journal.
    refused: Option<String>,
}

/// How workers report.
#[derive(Clone)]
struct Answer {
    queue: SyncSender<Msg>,
    bell: Arc<Bell>,
}

impl Answer {
    /// False when nobody listens any more.
    fn send(&self, msg: Msg) -> bool {
        let sent = self.queue.send(msg).is_ok();
        self.bell.ring();
        sent
    }
}

impl Effects {
    /// Nothing under way yet.
    pub fn new(bell: Arc<Bell>, notifier: Option<Notifier>) -> Self {
        let (queue, answers) = sync_channel(ANSWERS);
        let answer = Answer { queue, bell };
        Self {
            own: VecDeque::new(),
            answers,
            answer,
            planners: Planners::default(),
            watching: None,
            notifier,
            keeper: None,
            walks: None,
            refused: None,
        }
    }

    /// Starts to keep procedures, and looks which were left.
    pub fn keep_walks(&mut self, shared: &Shared) {
        self.walks = Some(Walks::start(shared, &self.answer.bell));
    }

    /// Pauses and lets go what procedures are under way, for this reason.
    pub fn leave(self, model: &mut Model, why: &Clean) {
        if let Some(walks) = self.walks {
            walks.leave(model, why);
        }
    }

    /// The next answer, if one waits.
    pub fn answer(&mut self) -> Option<Msg> {
        let own = self.own.pop_front();
        own.or_else(|| self.planners.planned(RealClock.now().mono))
            .or_else(|| self.answers.try_recv().ok())
            .or_else(|| self.notifier.as_ref().and_then(Notifier::news).map(Msg::Notified))
            .or_else(|| self.walks.as_ref().and_then(Walks::news))
    }

    /// An answer of the loop's own thread.
    fn say(&mut self, msg: Msg) {
        self.own.push_back(msg);
        self.answer.bell.ring();
    }

    /// Carries out one effect that is not the terminal's.
    pub fn carry_out(&mut self, effect: Effect, model: &Model, shared: &Shared) {
        match effect {
            Effect::Plan(request) => {
                if let Err(fault) = self.plan(&request, model, shared) {
                    self.say(Msg::Planned(request, Err(fault)));
                }
            }
            Effect::Journal(unit) => self.journal(unit),
            Effect::SurveyOver => self.planners.survey_over(),
            Effect::Survey => {
                if let Err(fault) = self.survey(model, shared) {
                    tracing::warn!(target: "console", "{fault}");
                }
            }
            Effect::UnitRights(restarts) => {
                let specs = restarts.iter().filter_map(units::restart).collect();
                self.rights_of(specs, model.session.support, shared);
            }
            Effect::PlanArming => {
                let now = RealClock.now();
                let plan = Plan::arm(random::ulid(now.wall), place(shared), shared.login.clone(), now);
                // However often the key is pressed, one prompt opens.
                self.own.retain(|msg| !matches!(msg, Msg::ArmingPlanned(_)));
                self.say(Msg::ArmingPlanned(Box::new(plan)));
            }
            Effect::Launch(acceptance) => {
                if let Err(fault) = self.launch(acceptance, model, shared) {
                    self.say(Msg::Launched(Err(fault)));
                }
            }
            Effect::Settle { plan, reason } => {
                if let Err(fault) = self.settle(plan, reason, shared) {
                    self.say(Msg::Settled(plan, Err(fault)));
                }
            }
            Effect::Stop(plan) => {
                if let Err(fault) = stop(shared, plan) {
                    self.say(Msg::NotStopped(fault));
                }
            }
            Effect::Disarm(plan) => {
                if let (Some(_), Some(state)) = (&shared.launcher, &shared.state_dir)
                    && let Err(fault) = Run::of(state, plan).disarm()
                {
                    self.say(Msg::NotStopped(fault));
                }
            }
            Effect::Record(entry) => {
                if let Some(journal) = &shared.journal {
                    journal.append(record(entry));
                }
            }
            Effect::Notify(notes) => {
                if let Some(notifier) = &self.notifier {
                    notifier.send(notes);
                }
            }
            Effect::KeepMinutes(rows) => {
                if self.keeper.as_ref().is_some_and(|keeper| !keeper.keep(rows)) {
                    tracing::warn!(target: "console", "a minute of history is lost: its disk does not keep up");
                }
            }
            Effect::Save(path, lines) => self.save(path, lines),
            Effect::Trail(ask) => self.trail(ask, shared),
            Effect::Log(text) => tracing::info!(target: "console", "{text}"),
            Effect::BeginWalk(document) => {
                if let Some(walks) = &mut self.walks {
                    let begun = walks.begin(&document);
                    self.say(begun);
                }
            }
            Effect::KeepSteps(run, steps) => {
                if let Some(walks) = &mut self.walks {
                    walks.keep(run, steps, model);
                }
            }
            Effect::FinishItem(run, item, note) => {
                if let Some(walks) = &self.walks {
                    walks.finish(run, item, note);
                }
            }
            Effect::ResumeWalk(run) => {
                if let Some(walks) = &self.walks {
                    walks.resume(run);
                }
            }
            Effect::PlanTakeover(run, title, from) => {
                let now = RealClock.now();
                let plan = Plan::take_over(
                    random::ulid(now.wall),
                    (run, &title, &from),
                    place(shared),
                    shared.login.clone(),
                    now,
                );
                self.say(Msg::ArmingPlanned(Box::new(plan)));
            }
            // The console carries these out: they are the terminal's.
            Effect::DiscardInput
            | Effect::Fence(_)
            | Effect::Copy(_)
            | Effect::Alarm(_)
            | Effect::Redraw
            | Effect::Suspend
            | Effect::Quit => {}
        }
    }

    /// Writes a file on a thread of its own: its disk may be slow.
    fn save(&mut self, path: Clean, lines: Vec<Clean>) {
        let answer = self.answer.clone();
        let started = worker("save", move || {
            answer.send(Msg::Saved(save::lines(&path, &lines)));
        });
        if let Err(fault) = started {
            self.say(Msg::Saved(Err(fault)));
        }
    }

    /// Starts the thread that reads the journal or writes a card or a report.
    fn trail(&mut self, ask: Ask, shared: &Shared) {
        let (answer, desk) = (self.answer.clone(), incidents::Desk::of(shared, &ask));
        let started = worker("incident", move || {
            answer.send(Msg::Trail(desk.carry_out(ask)));
        });
        if let Err(fault) = started {
            tracing::warn!(target: "console", "{fault}");
        }
    }

    /// Starts the thread that writes a person's word down on a run whose outcome nobody knows.
    fn settle(&self, plan: Ulid, reason: Clean, shared: &Shared) -> Result<(), Fault> {
        let (Some(_), Some(state), Some(journal)) = (&shared.launcher, &shared.state_dir, shared.journal.clone())
        else {
            return Err(Fault::new("this console settles nothing."));
        };
        let (answer, run, login) = (self.answer.clone(), Run::of(state, plan), shared.login.login.clone());
        worker("settler", move || {
            let done = settle(&run, (&login, &reason), &paths::lock_dirs(), &journal, RealClock.now());
            answer.send(Msg::Settled(plan, done));
        })
    }

    /// Starts the thread that reads a unit's journal.
    fn journal(&mut self, unit: Clean) {
        let (answer, name) = (self.answer.clone(), unit.clone());
        let started = worker("journal", move || {
            answer.send(Msg::JournalRead(unit.clone(), units::journal(unit.as_str())));
        });
        if let Err(fault) = started {
            self.say(Msg::JournalRead(name, Err(fault)));
        }
    }

    /// Looks at every action in turn, and throws the plans away: what is left is whether there is one.
    fn survey(&mut self, model: &Model, shared: &Shared) -> Result<(), Fault> {
        let failed = unit::failed(model).into_iter().filter_map(|unit| units::restart(&unit::restart(unit.as_str())));
        let specs: Vec<ActionSpec> = shared.profile.actions.iter().cloned().chain(failed).collect();
        let queries: Vec<String> = specs.iter().flat_map(|spec| action::queries::queries(&spec.body)).collect();
        let here = Here::offering(shared, Snapshot::take(&model.store, &queries, model.now));
        let answer = self.answer.clone();
        let told = move |name, offer| answer.send(Msg::Surveyed(name, offer));
        if self.planners.survey(specs, here, told)? {
            self.say(Msg::Surveying);
        }
        Ok(())
    }

    /// Begins a plan; [`Planners::planned`] takes the answer.
    fn plan(&mut self, request: &Request, model: &Model, shared: &Shared) -> Result<(), Fault> {
        let declared = shared.profile.actions.iter().find(|action| action.name == request.action).cloned();
        let name = &request.action;
        let after_a_run = || {
            let back = run::taken_back(model, name).map(|plan| taking_back(name, plan));
            back.or_else(|| run::started_afresh(model, name).map(|left| starting_afresh(name, left))).transpose()
        };
        let spec = match declared.or_else(|| units::restart(name)) {
            None => after_a_run()?,
            found => found,
        };
        let spec = spec.map_or_else(|| commands::spec(&request.action, model, &shared.profile), Ok)?;
        if let Some(fault) = &shared.unrecorded {
            self.refused = Some(format!("not done, because it cannot be recorded: {}: {fault}", spec.name));
        }
        let queries = action::queries::queries(&spec.body);
        let here = Here::of(shared, Snapshot::take(&model.store, &queries, model.now))?;
        self.planners.begin(request, spec, here, Arc::clone(&self.answer.bell))
    }

    fn launch(&mut self, acceptance: Box<Acceptance>, model: &Model, shared: &Shared) -> Result<(), Fault> {
        let (Some(state), Some(launcher)) = (shared.state_dir.clone(), shared.launcher.as_ref()) else {
            return Err(Fault::new("this console cannot start a runner."));
        };
        let Mode::Armed { until } = model.session.mode else {
            return Err(Fault::new("this console is not armed."));
        };
        let launcher = launcher.allowing(Allowed { until, support: model.session.support });
        let Some(journal) = shared.journal.clone() else {
            return Err(Fault::new("there is no journal, and nothing acts without one."));
        };
        let (answer, stopped) = (self.answer.clone(), self.watch());
        let barrier = self.walks.as_ref().map(|walks| walks.barrier(acceptance.plan.id, model));
        worker("launcher", move || {
            if let Some(written) = barrier {
                written();
            }
            match start(&launcher, &journal, &acceptance, &state) {
                Ok(run) => {
                    if answer.send(Msg::Launched(Ok(()))) {
                        watch(&run, acceptance.plan, Some(&journal), &answer, &stopped);
                    }
                }
                Err(fault) => {
                    answer.send(Msg::Launched(Err(fault)));
                }
            }
        })
    }

    /// What was refused because there is no journal.
    pub fn refused(&self) -> Option<String> {
        self.refused.clone()
    }

    /// Looks whether the newest records of the journal are as they were written.
    pub fn look_back(&self, shared: &Shared) {
        let (Some(journal), Some(state)) = (shared.journal.clone(), shared.state_dir.clone()) else { return };
        if let Err(fault) = worker("look-back", move || journal.look_back(&paths::journal_dir(&state))) {
            tracing::warn!(target: "console", "{fault}");
        }
    }

    /// Looks for runs of an earlier console: the newest that still runs is followed, of all the standing is told.
    pub fn recover(&mut self, shared: &Shared) {
        let Some(state) = shared.state_dir.clone() else { return };
        // A read-only session only looks.
        let may_write = shared.launcher.is_some();
        let (answer, stopped) = (self.answer.clone(), self.watch());
        let boot = shared.host.boot_id.clone();
        let journal = shared.journal.clone().filter(|_| may_write);
        let started = worker("recovery", move || {
            if let Some(journal) = &journal {
                record_late(&state, &paths::lock_dirs(), journal);
            }
            answer.send(Msg::Effects(past_effects(&state, &boot)));
            answer.send(Msg::Done(can_be_taken_back(&state)));
            let (mut found, faults) = unresolved(&state, &paths::lock_dirs(), RealClock.now().wall);
            found.retain(|open| !may_write || is_open(open, journal.as_ref()));
            // Those that were withdrawn just now among them.
            let ended = unheard(&state, RealClock.now().wall, !may_write);
            if !ended.is_empty() {
                answer.send(Msg::EndedAlone(ended));
            }
            let attached = found.iter().rfind(|open| matches!(open.standing, Standing::Attach { .. })).cloned();
            if found.is_empty() && faults.is_empty() || !answer.send(Msg::Recovered(found, faults)) {
                return;
            }
            if let Some(Unresolved { run, plan, .. }) = attached {
                watch(&run, plan, journal.as_ref(), &answer, &stopped);
            }
        });
        if let Err(fault) = started {
            self.say(Msg::Recovered(Vec::new(), vec![fault]));
        }
    }

    /// Looks what this login may do of what the profile has.
    pub fn look_at_rights(&self, granted: Support, shared: &Shared) {
        self.rights_of(shared.profile.actions.clone(), granted, shared);
    }

    fn rights_of(&self, specs: Vec<ActionSpec>, granted: Support, shared: &Shared) {
        // Managers are asked by a profile's own commands: not those of one that others may write to.
        if shared.no_acting().is_some() {
            return;
        }
        let (answer, login) = (self.answer.clone(), shared.login.clone());
        let looked = worker("rights", move || {
            let rights = Rights::new(&login, granted, &RealClock);
            let of = |spec: &ActionSpec| (Arc::clone(&spec.name), rights.of(&spec.kind, &spec.body));
            answer.send(Msg::Rights(specs.iter().map(of).collect()));
        });
        if let Err(fault) = looked {
            tracing::warn!(target: "console", "{fault}");
        }
    }

    /// Reads the history that earlier consoles kept, and keeps it from now on.
    pub fn keep_history(&mut self, shared: &Shared) {
        let Some(state) = &shared.state_dir else { return };
        let answer = self.answer.clone();
        let loaded = move |loaded: Loaded| {
            answer.send(Msg::History(loaded.rows, loaded.told));
        };
        match Keeper::start(state, &shared.profile_name, loaded) {
            Ok(keeper) => self.keeper = Some(keeper),
            Err(fault) => self.say(Msg::History(Vec::new(), vec![Clean::text(fault.to_string())])),
        }
    }

    fn watch(&mut self) -> Receiver<()> {
        let (stop, stopped) = sync_channel::<()>(0);
        self.watching = Some(stop);
        stopped
    }
}

/// Writes the order, records the acceptance, then starts the runner; that it was not started is recorded too. In this
/// order, because an order that is left alone is withdrawn and recorded by the next console, wherever this one dies.
fn start(launcher: &Launcher, journal: &Journal, accepted: &Acceptance, state: &Path) -> Result<Run, Fault> {
    let (plan, confirm) = (&accepted.plan, Some(&accepted.confirm));
    let run = launcher.order(accepted, state).inspect_err(|fault| {
        let why = Clean::text(fault.to_string());
        let res = json!({ "outcome": Outcome::Refused.word(), "executed": false, "reason": why });
        journal.append(action::record::record(Event::ActionRefused, plan, confirm).res(res));
    })?;
    let begun = journal
        .append_durable(action::record::record(Event::Accepted, plan, confirm))
        .map_err(|fault| fault.hint("Nothing was done: an acceptance that is not in the journal starts nothing."))
        .and_then(|_sequence| launcher.start(&run));
    begun.inspect_err(|fault| {
        let why = clean!("the runner was not started: {fault}");
        // Where this cannot be written either, the next console says "never started".
        let _best_effort = late::withdraw(&run, plan, confirm, why, Some(journal)).and_then(|_told| run.note_heard());
    })?;
    Ok(run)
}

/// Asks a runner to end what it does; a console that cannot start one cannot.
fn stop(shared: &Shared, plan: Ulid) -> Result<(), Fault> {
    match (&shared.launcher, &shared.state_dir) {
        (Some(_), Some(state)) => Run::of(state, plan).stop(),
        _ => Err(Fault::new("this console cannot reach a runner.")),
    }
}

/// Follows a run until it is over or nobody wants to know.
fn watch(run: &Run, plan: Plan, journal: Option<&Journal>, answer: &Answer, stopped: &Receiver<()>) {
    let mut follow = Follow::new(run.clone(), plan, paths::lock_dirs(), journal.cloned(), RealClock.now().mono);
    let (mut heard, mut told) = (0, None);
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PROGRESS) {
        if let Some(lines) = run.output(&mut heard) {
            answer.send(Msg::Output(lines));
        }
        let Some(progress) = follow.look(RealClock.now().mono) else { continue };
        // Its outcome is shouted for as long as its runner still tries to write it down.
        let over = progress.end.is_some() && !late::is_tried(&paths::lock_dirs(), &progress);
        if !over && told.as_ref() == Some(&progress) {
            continue;
        }
        told = Some(progress.clone());
        if !answer.send(Msg::Progress(Box::new(progress))) {
            return;
        }
        if over {
            // Else the next console tells it once more. A console that only looks writes nothing.
            let _best_effort = journal.is_some().then(|| run.note_heard());
            return;
        }
    }
}

/// Starts a thread of the console's own: samplers that hang must not keep an action from its thread.
pub(super) fn worker(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Fault> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    match thread.spawn(work) {
        Ok(_detached) => Ok(()),
        Err(error) => Err(Fault::new(format!("cannot start the {name}'s thread: {error}."))),
    }
}

pub(super) fn place(shared: &Shared) -> Where {
    Where { host: shared.host.clone(), environment: shared.profile.environment.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::prompt::Confirm;
    use crate::action::reach::Reach;
    use crate::base::Wall;
    use crate::journal::Session;
    use crate::sys::host::{Host, Login};

    #[test]
    fn the_loop_never_waits_for_itself() {
        let mut effects = Effects::new(Arc::new(Bell::default()), None);
        for _ in 0..40 {
            effects.say(Msg::Tick);
        }
        assert_eq!(core::iter::from_fn(|| effects.answer()).count(), 40);
    }

    /// A plan for a runner that cannot be started, a journal, and what it then holds.
    fn started(journal_broken: bool) -> (Result<Run, Fault>, Vec<String>, Outcome) {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().to_owned();
        let journals = paths::journal_dir(&state);
        if journal_broken {
            std::fs::create_dir_all(journals.join("00000001.jsonl")).unwrap();
        }
        let (host, login, now) = (Host::current(), Login::current(), RealClock.now());
        let session = Session { host: host.clone(), login: login.clone(), id: random::ulid(now.wall), pid: 1 };
        let journal = Journal::open(&journals, session, Arc::new(RealClock)).unwrap();
        let place = Where { host, environment: "TEST".into() };
        let mut plan = Plan::arm(random::ulid(now.wall), place, login, now);
        plan.what.kind = "x@1".into();
        let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 1, reason: None };
        let accepted = Acceptance { plan, confirm };
        let nobody =
            Launcher::new(false, Reach::World, Some("/nonexistent/runner".into()), Vec::new(), Vec::new()).unwrap();
        let done = start(&nobody, &journal, &accepted, &state);
        journal.close(Duration::from_secs(10));
        let text = std::fs::read_to_string(journals.join("00000001.jsonl")).unwrap_or_default();
        let events = text.lines().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["ev"].as_str().unwrap().to_owned()
        });
        let events = events.collect();
        let (open, faults) = unresolved(&state, &[], Wall(i64::MAX));
        assert!(open.is_empty() && faults.is_empty(), "later consoles know its end: {open:?} {faults:?}");
        let told = Run::of(&state, accepted.plan.id).read().unwrap().unwrap();
        (done, events, told.end.unwrap().outcome)
    }

    #[test]
    fn an_acceptance_is_recorded_before_its_runner_and_so_is_a_runner_that_did_not_start() {
        let (done, events, outcome) = started(false);
        assert!(done.is_err());
        assert_eq!(events, ["journal.open", "confirm.accepted", "action.refused"]);
        assert_eq!(outcome, Outcome::Refused);
    }

    #[test]
    fn an_acceptance_that_cannot_be_recorded_starts_nothing() {
        let (done, _, outcome) = started(true);
        assert!(done.unwrap_err().to_string().contains("starts nothing"));
        assert_eq!(outcome, Outcome::Refused);
    }
}
