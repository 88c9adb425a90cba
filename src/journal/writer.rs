//! The way into the journal: records are appended by a thread of its own, and nobody who draws waits for a disk.
//! What was not synced in time is said; a file whose sync failed is never written again.

use super::anchor;
use super::record::{Event, Record, Session};
use super::sink::Sink;
use crate::base::{Clock, Fault, Now};
use crate::sys::files;
use core::time::Duration;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A record that must be durable is on disk within this time, or the journal counts as failed.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// Other records are synced together at least this often.
const BATCH: Duration = Duration::from_secs(1);
/// Records that may wait for the disk.
const QUEUE: usize = 256;

/// Where a durable record stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its number.
    pub seq: u64,
    /// Its hash: the head of the chain just then.
    pub hash: String,
}

type Reply = SyncSender<Result<Receipt, Fault>>;

enum Job {
    Append { record: Box<Record>, at: Now, reply: Option<Reply> },
    Settle(SyncSender<()>),
    Close(SyncSender<()>),
}

/// The way into the journal. Dropping the last one lets its thread finish what it has.
#[derive(Clone)]
pub struct Journal {
    jobs: SyncSender<Job>,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    dropped: AtomicU64,
    failing: Mutex<Option<Fault>>,
    /// What is left of the reserve while the disk gives no more room, in bytes.
    reserve: Mutex<Option<u64>>,
    head: Mutex<Option<Receipt>>,
}

impl Shared {
    fn set_failing(&self, fault: Option<Fault>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn written(&self, receipt: &Receipt, reserve: Option<u64>) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt.clone());
        *self.reserve.lock().unwrap_or_else(PoisonError::into_inner) = reserve;
    }
}

impl Journal {
    /// Opens the journal in `dir` (created 0700) and starts its thread.
    ///
    /// # Errors
    /// When the folder or the thread cannot be had. A file that cannot be written shows at the first record.
    pub fn open(dir: &Path, session: Session, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        files::private_dir(dir)?;
        let (jobs, inbox) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let mut sink = Sink { dir: dir.to_owned(), session, dirty: None, reserve: None };
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || serve(&mut sink, &inbox, &theirs))
            .map_err(|error| Fault::new(format!("cannot start the journal's thread: {error}.")))?;
        Ok(Self { jobs, clock, shared })
    }

    /// Hands a record over and returns at once. When 256 wait already it is dropped and counted.
    pub fn append(&self, record: Record) {
        let job = Job::Append { record: Box::new(record), at: self.clock.now(), reply: None };
        if self.jobs.try_send(job).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns when the record is on disk. Waits at most [`DEADLINE`]: not for the console's loop.
    ///
    /// # Errors
    /// When it could not be made durable in time; it may still arrive later.
    pub fn append_durable(&self, record: Record) -> Result<Receipt, Fault> {
        let (reply, answer) = sync_channel(1);
        let job = Job::Append { record: Box::new(record), at: self.clock.now(), reply: Some(reply) };
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Fault::new("the journal is 256 records behind: its disk does not answer."),
            TrySendError::Disconnected(_) => Fault::new("the journal's thread has ended."),
        })?;
        answer.recv_timeout(DEADLINE).unwrap_or_else(|_| {
            let fault = Fault::new("the journal's disk did not answer within 2 s.");
            self.shared.set_failing(Some(fault.clone()));
            Err(fault)
        })
    }

    /// Why the last record is not on disk, if it is not: for the status bar.
    pub fn failing(&self) -> Option<Fault> {
        self.shared.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes that are left of the reserve, while the disk is full and the trail goes on in it.
    pub fn on_reserve(&self) -> Option<u64> {
        *self.shared.reserve.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last record that this session has written: what an anchor names.
    pub fn head(&self) -> Option<Receipt> {
        self.shared.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns when all that was handed over before is in the file, for whoever reads it next. False when that took
    /// longer than `limit`: not for the console's loop.
    pub fn settle(&self, limit: Duration) -> bool {
        let (reply, answer) = sync_channel(1);
        self.jobs.try_send(Job::Settle(reply)).is_ok() && answer.recv_timeout(limit).is_ok()
    }

    /// Writes what is left and ends the thread; waits at most `limit`. False when that was not enough.
    pub fn close(self, limit: Duration) -> bool {
        let (reply, answer) = sync_channel(1);
        self.jobs.try_send(Job::Close(reply)).is_ok() && answer.recv_timeout(limit).is_ok()
    }
}

fn serve(sink: &mut Sink, inbox: &Receiver<Job>, shared: &Shared) {
    loop {
        let job = if sink.dirty.is_some() {
            inbox.recv_timeout(BATCH)
        } else {
            inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match job {
            Ok(Job::Append { record, at, reply }) => {
                let dropped = shared.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let gap = Record::new(Event::Gap).res(json!({ "dropped": dropped }));
                    shared.set_failing(sink.append(&gap, at, false).err());
                }
                let durable = reply.is_some() || record.durable();
                let done = sink.append(&record, at, durable);
                shared.set_failing(done.as_ref().err().cloned());
                if let Ok(receipt) = &done {
                    shared.written(receipt, sink.reserve);
                    if anchor::is_anchored(record.event) {
                        anchor::tell(Path::new(anchor::SYSLOG), record.event, receipt);
                    }
                }
                if let Some(reply) = reply {
                    // Whoever asked may have given up.
                    let _gone = reply.try_send(done);
                }
            }
            Ok(Job::Settle(reply)) => {
                // Whoever asked may have given up.
                let _gone = reply.try_send(());
            }
            Ok(Job::Close(reply)) => {
                // Every record is written, and those that must be durable are: the kernel keeps the rest.
                let _gone = reply.try_send(());
                return;
            }
            Err(RecvTimeoutError::Timeout) => shared.set_failing(sink.sync().err()),
            Err(RecvTimeoutError::Disconnected) => {
                shared.set_failing(sink.sync().err());
                return;
            }
        }
    }
}
