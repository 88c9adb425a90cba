//! Calls that may hang (a disk that does not answer, a name lookup) go to the runtime's blocking threads, at most
//! two at once per class and one per owner: a stuck one is reported, never doubled.

use crate::base::{Mono, Unit};
use core::time::Duration;
use std::panic::resume_unwind;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// Owners that begin together, as all do at the start, wait for each other so long; a class that hangs is told then.
/// Without that a console would begin with "busy" where nothing is wrong; the wait holds no thread, and no sampler but
/// the one that would be told.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many calls of a class at once.
const PLACES: usize = 2;
/// Those below.
const CLASSES: usize = 5;
/// The blocking threads of a runtime for samplers. safety.md 4.10 counts eight, three of them for all that is neither a name
/// nor a file: there a hanging program would keep everybody from the certificates. Here each has its own two, and when all
/// ten hang two threads are still free for what has no class, which is what that rule is for (F5).
pub const THREADS: usize = CLASSES * PLACES + 2;

/// Reads of local files and file systems.
pub(crate) static LOCAL_FILES: Semaphore = Semaphore::const_new(PLACES);
/// Secrets and certificates of a login: apart from files that are watched, so that a hanging disk stops no notice.
pub(crate) static LOGINS: Semaphore = Semaphore::const_new(PLACES);
/// Reads of other processes' files: one that holds its memory map hangs its reader.
pub(crate) static PROCESSES: Semaphore = Semaphore::const_new(PLACES);
/// Name lookups.
pub(crate) static NAMES: Semaphore = Semaphore::const_new(PLACES);
/// Starts of programs, from wherever they lie.
pub(crate) static PROGRAMS: Semaphore = Semaphore::const_new(PLACES);

/// One owner's place in a class. The work goes on when whoever waits for it is dropped.
#[derive(Debug)]
pub(crate) struct Worker<T> {
    class: &'static Semaphore,
    running: Option<(JoinHandle<T>, Mono)>,
}

/// Why work was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// Both threads of the class are taken.
    Busy,
    /// The owner's last call has hung for so long.
    Hangs(Duration),
}

impl core::fmt::Display for Stuck {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Busy => f.write_str("busy: two such calls already hang"),
            Self::Hangs(age) => write!(f, "the last call has hung for {}", Unit::Seconds.show(age.as_secs_f64())),
        }
    }
}

impl<T: Send + 'static> Worker<T> {
    pub(crate) const fn new(class: &'static Semaphore) -> Self {
        Self { class, running: None }
    }

    /// True while a call is under way that nobody waits for any more.
    #[cfg(test)]
    pub(crate) fn hangs(&self) -> bool {
        self.running.as_ref().is_some_and(|(running, _)| !running.is_finished())
    }

    /// Does `work` on a blocking thread and waits for it. A panic in it goes on here.
    pub(crate) async fn run(&mut self, now: Mono, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stuck> {
        if let Some((running, since)) = &self.running
            && !running.is_finished()
        {
            return Err(Stuck::Hangs(now.since(*since)));
        }
        let Ok(Ok(place)) = timeout(PATIENCE, self.class.acquire()).await else { return Err(Stuck::Busy) };
        let job = spawn_blocking(move || {
            let _place = place;
            work()
        });
        // Kept in `self` while we wait, so that a dropped wait leaves its trace.
        let (running, _) = self.running.insert((job, now));
        let done = running.await;
        self.running = None;
        match done {
            Ok(value) => Ok(value),
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => Err(Stuck::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_stuck_call_is_reported_and_never_doubled() {
        static CLASS: Semaphore = Semaphore::const_new(2);
        let second = Duration::from_secs(1);
        let (free, held) = mpsc::sync_channel::<()>(1);
        let mut stuck = Worker::new(&CLASS);
        let wait = stuck.run(Mono(0), move || held.recv().is_ok());
        assert!(timeout(Duration::from_millis(20), wait).await.is_err());
        assert_eq!(stuck.run(Mono(0) + second * 9, || true).await, Err(Stuck::Hangs(second * 9)));
        assert_eq!(CLASS.available_permits(), 1, "one thread is held, not two");

        let other = CLASS.acquire().await.expect("open");
        assert_eq!(Worker::new(&CLASS).run(Mono(0), || true).await, Err(Stuck::Busy));
        drop(other);

        free.send(()).expect("held");
        while CLASS.available_permits() < 2 {
            tokio::task::yield_now().await;
        }
        while stuck.running.as_ref().is_some_and(|(running, _)| !running.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(stuck.run(Mono(0), || false).await, Ok(false));
    }
}
