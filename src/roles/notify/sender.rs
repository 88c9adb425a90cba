//! Delivers to a webhook, beside the loop: one task, one request in flight, the newest word of each alert.

use super::body::{Origin, fingerprint};
use super::webhook::Hook;
use crate::app::{AlertNote, NotifierStatus};
use crate::base::backoff::full_jitter;
use crate::base::{Clean, Clock};
use crate::clean;
use crate::samplers::Undelivered;
use crate::sys::bell::Bell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Alerts that wait at most.
pub(super) const WAITING: usize = 1_000;
/// Alerts in one request at most.
pub(super) const BATCH: usize = 64;
/// Attempts at one delivery at most.
pub(super) const TRIES: u32 = 40;

/// The running notifier. Dropping it stops it; what waits then is lost.
pub struct Notifier {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    work: Notify,
    bell: Arc<Bell>,
    clock: Arc<dyn Clock>,
    origin: Origin,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    waiting: Vec<Waiting>,
    /// Of the newest word.
    serial: u64,
    status: NotifierStatus,
    /// The status has changed since it was last asked for.
    news: bool,
    /// It was told that the task has ended.
    crashed: bool,
}

#[derive(Clone)]
struct Waiting {
    /// Fingerprint of its labels.
    which: u64,
    /// Unique: a word that was replaced meanwhile is not done when its older one was told.
    serial: u64,
    note: AlertNote,
}

impl Notifier {
    /// Starts it on a runtime. `bell` rings when there is news; `jitter` gives numbers in 0..1.
    pub fn start(
        hook: Hook,
        origin: Origin,
        bell: Arc<Bell>,
        clock: Arc<dyn Clock>,
        jitter: impl FnMut() -> f64 + Send + 'static,
        runtime: &Handle,
    ) -> Self {
        let status = NotifierStatus { place: Some(hook.fetcher.place().clone()), ..NotifierStatus::default() };
        let state = Mutex::new(State { status, news: true, ..State::default() });
        let shared = Arc::new(Shared { state, work: Notify::new(), bell, clock, origin });
        let task = runtime.spawn(run(Arc::clone(&shared), hook, jitter));
        Self { shared, task }
    }

    /// Tells the webhook, as soon as it takes something. Never waits; what is too much is dropped and counted.
    pub fn send(&self, notes: Vec<AlertNote>) {
        self.shared.change(|state| {
            for note in notes {
                state.serial += 1;
                let new = Waiting { which: fingerprint(&note.labels), serial: state.serial, note };
                // A newer word of an alert replaces the older one, in its place.
                let older = state.waiting.iter().position(|waiting| waiting.which == new.which);
                match older {
                    Some(at) => state.waiting.splice(at..=at, [new]).for_each(drop),
                    None if state.waiting.len() < WAITING => state.waiting.push(new),
                    None => state.status.dropped += 1,
                }
            }
        });
        self.shared.work.notify_one();
    }

    /// How it does, when that has changed since the last call.
    pub fn news(&self) -> Option<NotifierStatus> {
        let mut state = self.shared.lock();
        if self.task.is_finished() && !state.crashed {
            let what = Clean::from("The notifier has crashed: leave the console and start it again.");
            state.status.last = Some((self.shared.clock.now(), Err(what)));
            (state.crashed, state.news) = (true, true);
        }
        core::mem::take(&mut state.news).then(|| state.status.clone())
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.status.waiting = state.waiting.len();
        state.news = true;
        drop(state);
        self.bell.ring();
    }

    fn batch(&self) -> Vec<Waiting> {
        self.lock().waiting.iter().take(BATCH).cloned().collect()
    }

    /// Forgets what another console tells.
    fn leave(&self, batch: &[Waiting], other: Option<Clean>) {
        self.change(|state| {
            if other.is_some() {
                state.waiting.retain(|waiting| batch.iter().all(|done| done.serial != waiting.serial));
            }
            state.status.other = other;
        });
    }

    /// Forgets what was told, but not what has changed meanwhile.
    fn done(&self, batch: &[Waiting], last: Result<u16, Clean>, dropped: u64) {
        let now = self.clock.now();
        self.change(|state| {
            state.waiting.retain(|waiting| batch.iter().all(|done| done.serial != waiting.serial));
            state.status.dropped += dropped;
            state.status.last = Some((now, last));
        });
    }
}

async fn run(shared: Arc<Shared>, mut hook: Hook, mut jitter: impl FnMut() -> f64) {
    loop {
        while shared.batch().is_empty() {
            shared.work.notified().await;
        }
        deliver(&shared, &mut hook, &mut jitter).await;
    }
}

/// One delivery: until it is taken, refused for good, or tried for too long. Each attempt tells the newest.
async fn deliver(shared: &Shared, hook: &mut Hook, jitter: &mut impl FnMut() -> f64) {
    let begun = shared.clock.now().mono;
    let other = hook.turn.other();
    if other.is_some() {
        return shared.leave(&shared.batch(), other);
    }
    shared.leave(&[], None);
    for failures in 1_u32.. {
        let batch = shared.batch();
        let notes: Vec<AlertNote> = batch.iter().map(|waiting| waiting.note.clone()).collect();
        let body = hook.template.render(&notes, &shared.origin);
        let Err(refused) = attempt(hook, body).await.map(|status| shared.done(&batch, Ok(status), 0)) else { return };
        let over = failures >= TRIES || shared.clock.now().mono.since(begun) >= hook.retry;
        if over || !refused.again {
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let lost = if count == 1 { "1 alert was".to_owned() } else { format!("{count} alerts were") };
            let what = clean!("{} Given up: {lost} not told.", refused.what);
            tracing::warn!(target: "console", "webhook: {what}");
            return shared.done(&batch, Err(what), count);
        }
        shared.done(&[], Err(clean!("{} Trying again.", refused.what)), 0);
        sleep(full_jitter(failures, jitter())).await;
    }
}

async fn attempt(hook: &mut Hook, body: Vec<u8>) -> Result<u16, Undelivered> {
    let limit = hook.timeout;
    match timeout(limit, hook.fetcher.post(&hook.headers, body)).await {
        Ok(answer) => answer,
        Err(_) => {
            let what = clean!("{} did not answer within {limit:?}.", hook.fetcher.place());
            Err(Undelivered { what, again: true })
        }
    }
}
