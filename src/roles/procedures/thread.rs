//! The thread that keeps runs: the console asks and goes on, and hears later. Nothing that it hands over is dropped.

use super::found::{Found, open_runs, prune};
use super::keeper::{Keeper, Later, Source};
use super::lease::Holder;
use crate::base::{Clean, Clock, Fault, Mono, Ulid};
use crate::procedure::{Step, Walk};
use crate::sys::bell::Bell;
use core::time::Duration;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// How often it is said that a console is still here.
const BEAT: Duration = Duration::from_secs(5);
/// Who needs a step on disk before something else begins waits no longer for it.
const DEADLINE: Duration = Duration::from_secs(2);

/// What the console asks for.
#[derive(Debug)]
pub enum Cmd {
    /// Runs that were left: answered by [`Told::Open`].
    Look,
    /// A new run of this text, with its first steps.
    Begin(Ulid, Box<Source>, Vec<Step>),
    /// Steps of a run that is held.
    Append(Ulid, Vec<Step>),
    /// Takes a run that was left: answered by [`Told::Resumed`].
    Resume(Ulid),
    /// Lets a run go: it has ended, or is left to others.
    Release(Ulid),
    /// Something that an ended run has put off is done: answered by [`Told::Finished`].
    Finish(Ulid, Later),
    /// Removes what is long over, but for so many of the newest runs: answered by [`Told::Pruned`] where there is any.
    Prune(usize),
}

/// What it hears.
#[derive(Debug)]
pub enum Told {
    /// What was left, and what cannot be read.
    Open(Vec<Found>, Vec<Fault>),
    /// The run is ours, as it was left; or why not.
    Resumed(Ulid, Result<Box<Found>, Fault>),
    /// Somebody else took the run over: this console only looks from now on.
    Lost(Ulid, Clean),
    /// So many lines of the run are in memory alone, and why.
    Unrecorded(Ulid, usize, Fault),
    /// All of the run is on disk again.
    Recorded(Ulid),
    /// The run as it stands now, and the steps that were added; or why not.
    Finished(Ulid, Result<Box<(Walk, Vec<Step>)>, Fault>),
    /// These runs were removed, and what could not be.
    Pruned(Vec<Ulid>, Vec<Fault>),
}

type Reply = SyncSender<Result<(), Fault>>;

enum Job {
    Do(Cmd),
    Durable(Ulid, Vec<Step>, Reply),
    Close(Option<SyncSender<()>>),
}

/// What waits for the thread. Without a bound: people fill it, and what they said must not be dropped.
#[derive(Default)]
struct Desk {
    jobs: Mutex<VecDeque<Job>>,
    ring: Condvar,
}

type News = Arc<Mutex<VecDeque<Told>>>;

/// The console's end. Dropping it lets every run go.
pub struct Runs {
    desk: Arc<Desk>,
    news: News,
}

/// What a worker needs that must not begin before a step is on disk.
#[derive(Clone)]
pub struct Durable(Arc<Desk>);

struct Server {
    keeper: Keeper,
    state: PathBuf,
    boot: Clean,
    clock: Arc<dyn Clock>,
    news: News,
    bell: Arc<Bell>,
    next: Mono,
}

impl Runs {
    /// Starts the thread, for this state folder and as this console.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(state: &Path, us: Holder, clock: Arc<dyn Clock>, bell: Arc<Bell>) -> Result<Self, Fault> {
        let desk = Arc::new(Desk::default());
        let news = News::default();
        let mut server = Server {
            boot: us.boot.clone(),
            keeper: Keeper::new(state, us),
            state: state.to_owned(),
            next: clock.now().mono + BEAT,
            clock,
            news: Arc::clone(&news),
            bell,
        };
        let theirs = Arc::clone(&desk);
        std::thread::Builder::new()
            .name("runs".to_owned())
            .spawn(move || server.serve(&theirs))
            .map_err(|error| Fault::new(format!("cannot start the thread that keeps runs: {error}.")))?;
        Ok(Self { desk, news })
    }

    /// Hands something over and returns at once.
    pub fn ask(&self, cmd: Cmd) {
        self.desk.put(Job::Do(cmd));
    }

    /// The next that it has to tell.
    pub fn news(&self) -> Option<Told> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// For a worker; it comes after everything that was asked before.
    pub fn durable(&self) -> Durable {
        Durable(Arc::clone(&self.desk))
    }

    /// Writes what is left, lets every run go and ends the thread; waits at most `limit`. False when that was not enough.
    pub fn close(self, limit: Duration) -> bool {
        let (reply, answer) = sync_channel(1);
        self.desk.put(Job::Close(Some(reply)));
        answer.recv_timeout(limit).is_ok()
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.desk.put(Job::Close(None));
    }
}

impl Durable {
    /// Returns when these steps are on disk. Not for the console's loop: it waits up to 2 s.
    ///
    /// # Errors
    /// They are not, and why; they may still arrive later.
    pub fn append(&self, run: Ulid, steps: Vec<Step>) -> Result<(), Fault> {
        let (reply, answer) = sync_channel(1);
        self.0.put(Job::Durable(run, steps, reply));
        let busy = |_| Err(Fault::new("the disk that keeps the run does not answer."));
        answer.recv_timeout(DEADLINE).unwrap_or_else(busy)
    }
}

impl Desk {
    fn put(&self, job: Job) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
        self.ring.notify_one();
    }

    /// The next job; `None` when none came in time.
    fn next(&self, wait: Duration) -> Option<Job> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ring.wait_timeout_while(jobs, wait, |jobs| jobs.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.pop_front()
    }
}

impl Server {
    fn serve(&mut self, desk: &Desk) {
        loop {
            let now = self.clock.now();
            if now.mono >= self.next {
                self.next = now.mono + BEAT;
                for told in self.keeper.heartbeat(now) {
                    self.tell(told);
                }
            }
            match desk.next(self.next.since(now.mono)) {
                Some(Job::Do(cmd)) => self.carry_out(cmd),
                Some(Job::Durable(run, steps, reply)) => {
                    let done = self.keeper.append(run, &steps, self.clock.now());
                    // A queue of one, for one answer; nobody may be there any more.
                    let _gone = reply.try_send(done);
                }
                Some(Job::Close(reply)) => {
                    self.keeper.release_all(self.clock.now());
                    let _gone = reply.map(|reply| reply.try_send(()));
                    return;
                }
                None => {}
            }
        }
    }

    fn carry_out(&mut self, cmd: Cmd) {
        let now = self.clock.now();
        let failed = |run: Ulid, done: Result<(), Fault>| done.err().map(|why| (run, why));
        let unrecorded = match cmd {
            Cmd::Look => {
                let (found, faults) = open_runs(&self.state, &self.boot, now);
                self.tell(Told::Open(found, faults));
                None
            }
            Cmd::Begin(run, source, steps) => failed(run, self.keeper.begin(run, *source, &steps, now)),
            Cmd::Append(run, steps) => failed(run, self.keeper.append(run, &steps, now)),
            Cmd::Resume(run) => {
                let resumed = self.keeper.resume(run, now).map(Box::new);
                self.tell(Told::Resumed(run, resumed));
                None
            }
            Cmd::Release(run) => {
                self.keeper.release(run, now);
                None
            }
            Cmd::Finish(run, done) => {
                let finished = self.keeper.finish(run, &done, now).map(Box::new);
                self.tell(Told::Finished(run, finished));
                None
            }
            Cmd::Prune(keep) => {
                let (gone, faults) = prune(&self.state, keep, &self.boot, now);
                if !gone.is_empty() || !faults.is_empty() {
                    self.tell(Told::Pruned(gone, faults));
                }
                None
            }
        };
        if let Some((run, why)) = unrecorded {
            let count = self.keeper.unrecorded(run);
            self.tell(Told::Unrecorded(run, count, why));
        }
    }

    fn tell(&self, told: Told) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push_back(told);
        self.bell.ring();
    }
}
