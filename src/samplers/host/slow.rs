//! What is read once in ten seconds, on a blocking thread: sensors that ask hardware, and texts that are long.

use super::{clocks, counts, free_blocks, heat};
use crate::base::{Clean, Mono, Observation, Unit};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Stuck, Worker};
use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const EVERY: Duration = Duration::from_secs(10);
/// The other values of the host do not wait longer; an answer that comes later is told then.
const PATIENCE: Duration = Duration::from_millis(100);
/// An answer that nothing followed is told no longer.
const OLDEST: Duration = Duration::from_secs(30);

/// The newest answer and when it was asked for.
type Slot = Arc<Mutex<Option<(Mono, Observation)>>>;

/// The last answer, and the look that may be under way.
#[derive(Debug)]
pub(crate) struct Slow {
    worker: Worker<()>,
    slot: Slot,
    asked: Option<Mono>,
}

impl Slow {
    pub(crate) fn new() -> Self {
        Self { worker: Worker::new(&LOCAL_FILES), slot: Slot::default(), asked: None }
    }

    /// Adds what is known, or a sentence on what does not answer.
    pub(crate) async fn read(&mut self, root: &Path, now: Mono, seen: &mut Observation) {
        if self.asked.is_none_or(|asked| now.since(asked) >= EVERY) {
            let (root, slot) = (root.to_owned(), Arc::clone(&self.slot));
            let look = move || {
                let found = look(&root);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, found));
            };
            match tokio::time::timeout(PATIENCE, self.worker.run(now, look)).await {
                Ok(Ok(())) | Err(_) => self.asked = Some(now),
                // The look before is not done; its answer will do.
                Ok(Err(Stuck::Hangs(_) | Stuck::Busy)) => {}
            }
        }
        let known = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((at, found)) if now.since(*at) <= OLDEST => {
                seen.points.extend(found.points.iter().cloned());
                seen.facts.extend(found.facts.iter().cloned());
                seen.lack_too(found);
            }
            Some((at, _)) => seen.facts.push((Clean::from("sensors"), silent(now.since(*at)))),
            None => seen.facts.push((Clean::from("sensors"), Clean::from("have not answered yet"))),
        }
    }
}

fn silent(since: Duration) -> Clean {
    clean!("have not answered for {}", Unit::Seconds.show(since.as_secs_f64()))
}

/// Reads them all. Blocking.
fn look(root: &Path) -> Observation {
    let mut seen = Observation::default();
    heat::read(root, &mut seen);
    clocks::read(root, &mut seen);
    free_blocks::read(root, &mut seen);
    counts::read(root, crate::sys::host::page_bytes(), &mut seen);
    seen
}
