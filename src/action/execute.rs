//! The real executor: locks, files, managers, the journal, and the runner's own samplers. Tells every step in the run
//! folder, so that any console can follow.

use super::act::{Executor, Probe};
use super::again::{self, Eyes, left};
use super::doing::Doing;
use super::fresh_start;
use super::kinds::{self, Kind, StepError};
use super::late;
use super::lifecycle::{End, Outcome, Progress, Run, State, Step};
use super::locks;
use super::plan::Plan;
use super::prompt::Acceptance;
use super::record::record;
use super::sight::{Proving, SILENCE};
use super::verify::{Settling, Verdict, judge};
use crate::base::{Clean, Clock, Fault};
use crate::journal::{Event, Journal, Record};
use crate::sys::lock::TargetLock;
use crate::sys::run::Left;
use core::cell::RefCell;
use core::time::Duration;
use std::path::PathBuf;

/// The status is told at least this often while verifying.
const TELL: Duration = Duration::from_secs(1);
/// The kind's own proof may take this long when no metric says how long.
const PROVE: Duration = Duration::from_secs(30);
/// The outcome is tried this often before the run is over without it.
const TRIES: usize = 3;

/// Carries out one plan on this host.
pub struct Real<'a> {
    accepted: &'a Acceptance,
    kind: &'static dyn Kind,
    run: &'a Run,
    locks_in: Vec<PathBuf>,
    journal: &'a Journal,
    clock: &'a dyn Clock,
    eyes: Eyes,
    proving: Proving,
    progress: Progress,
    locks: Vec<TargetLock>,
    /// Whether this runner owns the run folder: only then may it replace the status.
    owner: bool,
    /// What lives on although it was killed.
    left: RefCell<Vec<Left>>,
    /// Held while the outcome is not in the journal.
    late: Option<TargetLock>,
}

impl<'a> Real<'a> {
    /// Ready to carry out `accepted` in `run`.
    ///
    /// # Errors
    /// When this program does not know the plan's kind.
    pub fn new(
        accepted: &'a Acceptance,
        run: &'a Run,
        locks_in: Vec<PathBuf>,
        journal: &'a Journal,
        clock: &'a dyn Clock,
        probe: Box<dyn Probe>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            accepted,
            kind: kinds::of(&accepted.plan)?,
            run,
            locks_in,
            journal,
            clock,
            eyes: Eyes::of(probe),
            proving: Proving::default(),
            progress: Progress::new(accepted.plan.id, crate::sys::process::pid()),
            locks: Vec::new(),
            owner: false,
            left: RefCell::default(),
            late: None,
        })
    }

    const fn plan(&self) -> &Plan {
        &self.accepted.plan
    }

    fn tell(&mut self, what: Clean) {
        self.progress.steps.push(Step { at: self.clock.now(), what });
    }

    /// The status is for the screen; the journal is for the truth: a full disk must not stop a run half-way.
    fn show(&mut self) {
        let told = if self.owner { self.run.write(&self.progress) } else { Ok(()) };
        if let Err(fault) = told {
            self.progress.unrecorded.get_or_insert(Clean::text(fault.to_string()));
        }
    }

    /// Looks until it can be judged or the time is over.
    fn watch(&mut self) -> Verdict {
        let effect = self.clock.now();
        self.progress.state = State::Verifying;
        self.progress.effect = Some(effect);
        let judging = self.plan().judging.clone();
        let settle = self.plan().settle;
        let within = judging.as_ref().map_or(PROVE, |judging| judging.within).max(settle * 3);
        let within = within.max(self.kind.within(self.plan()));
        let mut settling = Settling::default();
        self.show();
        loop {
            let rest = left(effect.mono, within, self.clock);
            let what = (self.kind, &self.accepted.plan, self.run);
            let proof = self.proving.look(what, SILENCE, &|| self.run.is_stopped());
            if proof.is_none() && judging.is_none() {
                return Verdict::Unverified(no_check());
            }
            let own = proof.map(|proof| settling.judge(proof, settle, self.clock.now().mono, rest.is_none()));
            let metrics =
                judging.as_ref().map(|judging| judge(judging, &self.eyes.seen, effect.mono + settle, rest.is_none()));
            let metrics = metrics.map(|(verdict, rows)| {
                self.progress.comparisons = rows;
                verdict
            });
            let verdict = match own.into_iter().chain(metrics).fold(Verdict::Verified, Verdict::and) {
                Verdict::Verified if judging.is_none() && !self.kind.proves(self.plan()) => {
                    Verdict::Unverified(no_check())
                }
                other => other,
            };
            self.progress.waiting = match &verdict {
                Verdict::Waiting(what) => Some(what.clone()),
                _ => None,
            };
            self.show();
            match (verdict, rest) {
                (Verdict::Waiting(what), _) if self.run.is_stopped() => {
                    return Verdict::Unverified(crate::clean!("the operator ended the watching. {what}"));
                }
                (Verdict::Waiting(_), Some(rest)) => {
                    self.eyes.open(rest.min(TELL));
                }
                (verdict, _) => return verdict,
            }
        }
    }

    /// Whether its console still stands behind it.
    fn is_allowed(&self) -> Result<(), Fault> {
        if self.run.is_disarmed() {
            let fault = Fault::new("its console was disarmed before the first effect.");
            return Err(fault.hint("Arm it and plan again."));
        }
        Ok(())
    }

    fn ended_so(&self, end: &End, late: bool) -> Record {
        late::outcome(self.plan(), Some(&self.accepted.confirm), &self.progress, end, late)
    }

    /// Keeps an outcome that the journal did not take, until it does; the run is over and its targets are free.
    pub fn keep_trying(&mut self) {
        let (Some(_held), Some(end)) = (self.late.take(), self.progress.end.clone()) else { return };
        let record = self.ended_so(&end, true);
        let (eyes, progress) = (&mut self.eyes, &mut self.progress);
        // Its samplers are what it waits with.
        let mut pause = |rest| eyes.open(rest);
        let mut attempt = || late::write(self.journal, record.clone(), self.run, progress).is_ok();
        if !late::keep_trying(self.clock, &mut pause, &mut attempt) {
            self.progress.unrecorded = Some(late::said(false));
            self.show();
        }
    }

    /// What a step works with: it tells what is going on, and sees that the operator wants it to end.
    fn doing<T>(&self, work: impl FnOnce(&Doing<'_>) -> T) -> T {
        let tell = |what: Clean| {
            let told = Progress { waiting: Some(what), ..self.progress.clone() };
            // As `show`: the status is for the screen.
            let _best_effort = if self.owner { self.run.write(&told) } else { Ok(()) };
        };
        work(&Doing {
            run: self.run,
            clock: self.clock,
            tell: &tell,
            stops: &|| self.run.is_stopped(),
            left: &|left| self.left.borrow_mut().push(left),
        })
    }

    /// Tells what the target says of it, if it says anything.
    fn ask_target(&mut self, good: bool) {
        if self.proving.hangs() {
            return;
        }
        let said = self
            .doing(|doing| self.kind.evidence(self.plan(), good, &Doing { tell: &|_| {}, stops: &|| false, ..*doing }));
        for line in said {
            self.tell(line);
        }
    }
}

impl Executor for Real<'_> {
    fn lock(&mut self) -> Result<(), Fault> {
        self.locks = locks::take(&self.locks_in, self.plan())?;
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Fault> {
        if !self.run.accept(self.progress.pid)? {
            return Err(Fault::new("this plan was taken over before: it is carried out once."));
        }
        // Whoever was told that it is refused must not find it done later; from here on nobody tells that.
        if self.run.read()?.is_some_and(|told| told.end.is_some()) {
            return Err(Fault::new("this plan has ended already."));
        }
        self.owner = true;
        self.tell(Clean::from("target locked, plan taken over"));
        self.show();
        Ok(())
    }

    fn observe(&mut self) -> Result<(), Fault> {
        self.is_allowed()?;
        let now = self.clock.now().mono;
        if let Some(fault) = self.run.allowed()?.and_then(|allowed| allowed.refuses(self.plan(), now)) {
            return Err(fault);
        }
        let stops = || self.run.is_stopped();
        again::look(&self.accepted.plan, self.kind, &mut self.eyes, self.clock, &stops)?;
        self.progress.state = State::Prechecked;
        self.tell(Clean::from("everything is as the plan says"));
        self.show();
        Ok(())
    }

    fn backup(&mut self) -> Result<(), Fault> {
        if self.doing(|doing| self.kind.backup(self.plan(), doing))? {
            self.tell(Clean::from("backup written and read back"));
        }
        Ok(())
    }

    fn intent(&mut self) -> Result<(), Fault> {
        // A look and a backup take their time.
        self.is_allowed()?;
        self.journal.append_durable(record(Event::Intent, self.plan(), Some(&self.accepted.confirm)))?;
        self.progress.state = State::Intent;
        self.tell(Clean::from("intent recorded"));
        // After a crash this tells a run that may have had effects from one that had none.
        self.run.write(&self.progress)
    }

    fn stops(&self) -> bool {
        self.run.is_stopped()
    }

    fn ended(&mut self, before: &'static str) -> Option<Clean> {
        // What makes good is not itself ended half-way.
        let then = self
            .doing(|doing| self.kind.ended(before, self.plan(), &Doing { tell: &|_| {}, stops: &|| false, ..*doing }));
        then.inspect(|then| self.tell(crate::clean!("ended before {before}: {then}")))
    }

    fn steps(&self) -> Vec<&'static str> {
        self.kind.steps(self.plan())
    }

    fn step(&mut self, name: &'static str) -> Result<Clean, StepError> {
        if self.progress.state != State::Running {
            self.progress.state = State::Running;
            self.show();
        }
        let done = self.doing(|doing| self.kind.step(name, self.plan(), doing));
        match &done {
            Ok(what) => self.tell(what.clone()),
            Err(StepError::Failed(fault) | StepError::Unknown(fault) | StepError::Unsaid(fault)) => {
                self.tell(crate::clean!("{name}: {fault}"));
                self.ask_target(false);
            }
        }
        self.show();
        done
    }

    fn verify(&mut self) -> Verdict {
        let verdict = self.watch();
        self.ask_target(verdict == Verdict::Verified);
        verdict
    }

    fn outcome(&mut self, end: &End) {
        let written = (0..TRIES).find_map(|_| self.journal.append_durable(self.ended_so(end, false)).ok());
        // What had no effect is left to the next console.
        let tried = written.is_none() && self.owner && end.outcome != Outcome::Refused;
        self.late = tried.then(|| late::hold(&self.locks_in, self.plan().id).ok()).flatten();
        self.progress.unrecorded = match (written, &self.late) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(late::said(true)),
            (None, None) => Some(Clean::from("the outcome is not in the journal: it cannot be written")),
        };
        self.progress.failed = fresh_start::needed(self.plan(), end.outcome, self.clock);
        self.progress.state = State::Over;
        self.progress.waiting = None;
        self.progress.end = Some(end.clone());
        self.progress.ended = Some(self.clock.now());
        if self.owner {
            self.show();
        } else if !self.run.is_accepted() {
            // The one at work keeps its status; where there is none yet, this refusal is what can be told.
            let _theirs = self.run.write_if_first(&self.progress);
        }
    }

    fn release(&mut self) {
        self.left.take().into_iter().for_each(Left::wait);
        self.locks.clear();
    }
}

fn no_check() -> Clean {
    Clean::from("the profile declares no check.")
}
