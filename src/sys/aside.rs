//! A look that may hang, on a thread of its own: it is left behind once nothing has been heard of it for too long. What is
//! large may take its time: only silence tells a thing that does not answer from one that is slow to read.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread;

/// What has a limit of its own says itself that it was over: the whole look is waited for so much longer.
const GRACE: Duration = Duration::from_millis(500);
/// Who waits looks this often whether anything was heard.
const GLANCE: Duration = Duration::from_millis(50);

/// Why a look gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Nothing was heard of it for too long.
    Silent,
    /// Who waited wants it no more.
    Unwanted,
    /// It panicked, or no thread was to be had.
    Broken,
}

/// What the thread of a look tells of itself.
#[derive(Debug)]
struct Pulse {
    beats: AtomicU64,
    /// For so long it may be silent, in milliseconds.
    limit: AtomicU64,
}

thread_local! {
    static PULSE: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

fn with_pulse<T>(work: impl FnOnce(&Pulse) -> T) -> Option<T> {
    PULSE.with_borrow(|pulse| pulse.as_deref().map(work))
}

fn millis(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}

/// Something was seen: a look that is waited for goes on.
pub fn heard() {
    let _elsewhere = with_pulse(|pulse| pulse.beats.fetch_add(1, Ordering::Relaxed));
}

/// The limit of one thing that is asked: in a look no longer than that may be silent, elsewhere as it is.
pub fn within(usual: Duration) -> Duration {
    with_pulse(|pulse| usual.min(Duration::from_millis(pulse.limit.load(Ordering::Relaxed)))).unwrap_or(usual)
}

/// Lets `work` be silent for so long: it has that limit itself, and is slow by its nature.
pub fn slow<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let usual = with_pulse(|pulse| pulse.limit.swap(millis(limit), Ordering::Relaxed));
    heard();
    let done = work();
    heard();
    let _elsewhere = usual.and_then(|usual| with_pulse(|pulse| pulse.limit.store(usual, Ordering::Relaxed)));
    done
}

/// Does `work` aside and waits for it while it is heard of at least every `silence`, and wanted. What is left behind ends
/// with the process at the latest.
///
/// # Errors
/// Why it is waited for no more.
pub fn aside<T: Send + 'static>(
    silence: Duration,
    unwanted: &dyn Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Behind> {
    Begun::new(silence, work)?.wait(unwanted)
}

/// Looks of one kind, of which only one is under way: while one that was left behind hangs, no other joins it there.
#[derive(Debug)]
pub struct OneAtATime<T> {
    behind: Option<Begun<T>>,
}

impl<T> Default for OneAtATime<T> {
    fn default() -> Self {
        Self { behind: None }
    }
}

impl<T: Send + 'static> OneAtATime<T> {
    /// As [`aside`]; silent at once while an earlier one hangs.
    ///
    /// # Errors
    /// Why it is waited for no more.
    pub fn aside(
        &mut self,
        silence: Duration,
        unwanted: &dyn Fn() -> bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Behind> {
        if self.behind.as_ref().is_some_and(Begun::hangs) {
            return Err(Behind::Silent);
        }
        let begun = Begun::new(silence, work)?;
        let done = begun.wait(unwanted);
        self.behind = done.is_err().then_some(begun);
        done
    }
}

/// A look on its way.
#[derive(Debug)]
struct Begun<T> {
    told: Receiver<T>,
    pulse: Arc<Pulse>,
}

impl<T: Send + 'static> Begun<T> {
    fn new(silence: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<Self, Behind> {
        let pulse = Arc::new(Pulse { beats: AtomicU64::new(0), limit: AtomicU64::new(millis(silence)) });
        let (tell, told) = sync_channel(1);
        let theirs = Arc::clone(&pulse);
        let thread = thread::Builder::new().name("look".to_owned()).spawn(move || {
            PULSE.set(Some(theirs));
            let _nobody_waits = tell.send(work());
        });
        thread.map(|_detached| Self { told, pulse }).map_err(|_| Behind::Broken)
    }

    /// Whether it has not come back; what it saw by then is too old to count.
    fn hangs(&self) -> bool {
        matches!(self.told.try_recv(), Err(TryRecvError::Empty))
    }

    fn wait(&self, unwanted: &dyn Fn() -> bool) -> Result<T, Behind> {
        let (mut known, mut silent) = (0, Duration::ZERO);
        loop {
            match self.told.recv_timeout(GLANCE) {
                Ok(done) => return Ok(done),
                Err(RecvTimeoutError::Disconnected) => return Err(Behind::Broken),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if unwanted() {
                return Err(Behind::Unwanted);
            }
            let beats = self.pulse.beats.load(Ordering::Relaxed);
            silent = if beats == known { silent + GLANCE } else { Duration::ZERO };
            known = beats;
            if silent > Duration::from_millis(self.pulse.limit.load(Ordering::Relaxed)) + GRACE {
                return Err(Behind::Silent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    /// Hangs until the test is over.
    fn hang(held: &Receiver<()>) {
        let _the_test_is_over = held.recv();
    }

    #[test]
    fn what_is_silent_is_left_behind_and_what_is_unwanted_at_once() {
        let (free, held) = sync_channel::<()>(0);
        assert_eq!(aside(SOON, &|| false, move || hang(&held)), Err(Behind::Silent));
        let (more, held) = sync_channel::<()>(0);
        assert_eq!(aside(Duration::MAX / 2, &|| true, move || hang(&held)), Err(Behind::Unwanted));
        drop((free, more));
        assert_eq!(aside(SOON, &|| false, || 7), Ok(7));
        // To tell of a panic takes its time.
        let minute = Duration::from_mins(1);
        assert_eq!(aside(minute, &|| false, || -> u8 { panic!("as it is meant") }), Err(Behind::Broken));
    }

    #[test]
    fn no_look_joins_one_that_hangs_and_the_next_one_is_fresh() {
        let mut looks = OneAtATime::default();
        let (free, held) = sync_channel::<()>(0);
        let hangs = move || {
            hang(&held);
            1
        };
        assert_eq!(looks.aside(SOON, &|| false, hangs), Err(Behind::Silent));
        assert_eq!(looks.aside(SOON, &|| false, || panic!("it is not begun")), Err(Behind::Silent));
        drop(free);
        let mut next = Err(Behind::Silent);
        while next == Err(Behind::Silent) {
            thread::yield_now();
            next = looks.aside(Duration::from_mins(1), &|| false, || 2);
        }
        assert_eq!(next, Ok(2));
    }

    #[test]
    fn what_is_heard_of_may_take_longer_and_so_may_what_is_slow_by_its_nature() {
        let pauses = |heard_of: bool| {
            let (_free, held) = sync_channel::<()>(0);
            for _ in 0..8 {
                let _over = held.recv_timeout(GLANCE * 3);
                if heard_of {
                    heard();
                }
            }
            heard_of
        };
        assert_eq!(aside(SOON, &|| false, move || pauses(true)), Ok(true));
        assert_eq!(aside(SOON, &|| false, move || slow(Duration::from_mins(1), || pauses(false))), Ok(false));
    }

    #[test]
    fn in_a_look_no_question_has_a_longer_limit() {
        let minute = Duration::from_mins(1);
        let limits = move || [within(minute), within(SOON / 2), slow(minute, || within(minute)), within(minute)];
        assert_eq!(limits(), [minute, SOON / 2, minute, minute]);
        assert_eq!(aside(SOON, &|| false, limits), Ok([SOON, SOON / 2, minute, SOON]));
    }
}
