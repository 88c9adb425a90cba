//! Carries out what the pure core asks for, off the loop; the answers come back through a bounded queue.

use super::readings::Snapshot;
use super::session::{Shared, Started};
use crate::action;
use crate::action::lifecycle::{Progress, Run, earlier};
use crate::action::plan::{Plan, Where};
use crate::action::prepare::{AGAIN, Context, prepare};
use crate::action::prompt::Acceptance;
use crate::action::recover::{Standing, unresolved};
use crate::app::effect::{Effect, Entry};
use crate::app::{Model, Msg};
use crate::base::{Clock, Fault, Wall};
use crate::journal::{Event, Record};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::{paths, random};
use core::time::Duration;
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use tokio::runtime::Handle;

/// More answers than this never wait: one plan, one launch, one status at a time.
const ANSWERS: usize = 16;
/// How often a runner's word is read.
const PROGRESS: Duration = Duration::from_millis(200);

/// What is under way beside the loop.
pub struct Effects {
    answers: Receiver<Msg>,
    answer: Answer,
    runtime: Handle,
    /// Dropping it ends the thread that reads a runner's word.
    watching: Option<SyncSender<()>>,
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
    pub fn new(started: &Started, bell: Arc<Bell>) -> Self {
        let (queue, answers) = sync_channel(ANSWERS);
        Self { answers, answer: Answer { queue, bell }, runtime: started.look.engine.runtime().clone(), watching: None }
    }

    /// The next answer, if one waits.
    pub fn answer(&self) -> Option<Msg> {
        self.answers.try_recv().ok()
    }

    /// Carries out one effect that is not the terminal's.
    pub fn carry_out(&mut self, effect: Effect, model: &Model, shared: &Shared) {
        match effect {
            Effect::Plan(action) => self.plan(action, model, shared),
            Effect::PlanArming => {
                let now = RealClock.now();
                let plan = Plan::arm(random::ulid(now.wall), place(shared), shared.login.clone(), now);
                self.answer.send(Msg::ArmingPlanned(Box::new(plan)));
            }
            Effect::Launch(acceptance) => self.launch(acceptance, shared),
            Effect::Record(entry) => {
                if let Some(journal) = &shared.journal {
                    journal.append(record(entry));
                }
            }
            Effect::Log(text) => tracing::info!(target: "console", "{text}"),
            // The console carries these out: they are the terminal's.
            Effect::DiscardInput
            | Effect::Fence(_)
            | Effect::Copy(_)
            | Effect::Redraw
            | Effect::Suspend
            | Effect::Quit => {}
        }
    }

    fn plan(&self, name: Arc<str>, model: &Model, shared: &Shared) {
        let answer = self.answer.clone();
        let found = shared.profile.actions.iter().find(|action| action.name == name).cloned();
        let (Some(spec), Some(state)) = (found, shared.state_dir.clone()) else {
            answer.send(Msg::Planned(name, Err(Fault::new("there is no such action, or no folder for its run."))));
            return;
        };
        if let Some(fault) = shared.no_acting() {
            answer.send(Msg::Planned(name, Err(fault)));
            return;
        }
        let readings = Snapshot::take(&model.store, &action::queries::queries(&spec.body), model.now.mono);
        let (place, login) = (place(shared), shared.login.clone());
        let profile = shared.profile_name.clone();
        self.runtime.spawn_blocking(move || {
            let clock = RealClock;
            let now = clock.now();
            let since = Wall(now.wall.0.saturating_sub(i64::try_from(AGAIN.as_nanos()).unwrap_or(i64::MAX)));
            let context = Context {
                host: &place.host,
                login: &login,
                environment: &place.environment,
                profile: &profile,
                readings: &readings,
                earlier: &earlier(&state, since),
                state: &state,
                id: random::ulid(now.wall),
                clock: &clock,
            };
            let plan = prepare(&name, &spec.kind, &spec.title, &spec.body, &context).map(Box::new);
            answer.send(Msg::Planned(name, plan));
        });
    }

    fn launch(&mut self, acceptance: Box<Acceptance>, shared: &Shared) {
        let (Some(state), Some(launcher)) = (shared.state_dir.clone(), shared.launcher.clone()) else {
            self.answer.send(Msg::Launched(Err(Fault::new("this console cannot start a runner."))));
            return;
        };
        let (answer, stopped) = (self.answer.clone(), self.watch());
        self.runtime.spawn_blocking(move || match launcher.launch(&acceptance, &state) {
            Ok(run) => {
                if answer.send(Msg::Launched(Ok(()))) {
                    watch(&run, &answer, &stopped);
                }
            }
            Err(fault) => {
                answer.send(Msg::Launched(Err(fault)));
            }
        });
    }

    /// Looks for runs of an earlier console: one that still runs is followed, of others the outcome is told.
    pub fn recover(&mut self, shared: &Shared) {
        let Some(state) = shared.state_dir.clone() else { return };
        let (answer, stopped) = (self.answer.clone(), self.watch());
        self.runtime.spawn_blocking(move || {
            let (open, _) = unresolved(&state, &paths::lock_dirs());
            for found in open {
                let attached = matches!(found.standing, Standing::Attach { .. });
                let run = found.run.clone();
                if !answer.send(Msg::Recovered(Box::new(found))) {
                    return;
                }
                if attached {
                    return watch(&run, &answer, &stopped);
                }
            }
        });
    }

    fn watch(&mut self) -> Receiver<()> {
        let (stop, stopped) = sync_channel::<()>(0);
        self.watching = Some(stop);
        stopped
    }
}

/// Reads the runner's word until it is over or nobody wants to know.
fn watch(run: &Run, answer: &Answer, stopped: &Receiver<()>) {
    let mut known: Option<Progress> = None;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PROGRESS) {
        let Ok(Some(progress)) = run.read() else { continue };
        if known.as_ref() == Some(&progress) {
            continue;
        }
        let over = progress.end.is_some();
        known = Some(progress.clone());
        if !answer.send(Msg::Progress(Box::new(progress))) || over {
            return;
        }
    }
}

fn place(shared: &Shared) -> Where {
    Where { host: shared.host.clone(), environment: shared.profile.environment.clone() }
}

fn record(entry: Entry) -> Record {
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
    }
}
