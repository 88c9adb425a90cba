//! The way into the journal: records are appended by a thread of its own, and nobody who draws waits for a disk.
//! What was not synced in time is said; a file whose sync failed is never written again.

use super::anchor;
use super::record::{Event, Record, Session};
use super::sink::Sink;
use super::verify::verify_newest;
use crate::base::{Clean, Clock, Fault, Now};
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
/// So many of the newest records are verified when a console starts.
const LOOK_BACK: usize = 1_000;
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
    Renew { at: Now, newest: u64, found: String },
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
    /// Where the trail was found changed.
    broken: Mutex<Option<Fault>>,
    /// What was refused last because it could not be recorded.
    refused: Mutex<Option<String>>,
}

impl Shared {
    fn set_failing(&self, fault: Option<Fault>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn set_broken(&self, found: &str) {
        let fault = Fault::new(format!("the journal was changed: {found}."))
            .hint("See `watchkeeper journal verify`; a new chain was begun.");
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    fn written(&self, receipt: &Receipt, reserve: Option<u64>) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt.clone());
        *self.reserve.lock().unwrap_or_else(PoisonError::into_inner) = reserve;
    }
}

impl Journal {
    /// Opens the journal in `dir` (see [`files::trail_dir`] for how it is created) and starts its thread.
    ///
    /// # Errors
    /// When the folder or the thread cannot be had. A file that cannot be written shows at the first record.
    pub fn open(dir: &Path, session: Session, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        files::trail_dir(dir)?;
        let (jobs, inbox) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let mut sink = Sink { dir: dir.to_owned(), session, dirty: None, reserve: None, broken: None };
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

    /// Returns when the record is on disk. Waits at most [`DEADLINE`]: not for the console's loop. What fails is told to
    /// the system log.
    ///
    /// # Errors
    /// When it could not be made durable in time; it may still arrive later.
    pub fn append_durable(&self, record: Record) -> Result<Receipt, Fault> {
        let plan = record.plan.map(|plan| plan.to_string()).unwrap_or_default();
        let what = format!("{} {} {plan}", record.event.name(), record.act.as_deref().unwrap_or_default());
        self.wait_for(record).inspect_err(|fault| {
            let said = Clean::text(format!("not recorded: {what}: {}", fault.what)).to_string();
            // The system log is plain ASCII, as the trail is.
            let said: String = said.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
            anchor::tell_unrecorded(Path::new(anchor::SYSLOG), &said);
            *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        })
    }

    fn wait_for(&self, record: Record) -> Result<Receipt, Fault> {
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

    /// Looks whether the newest records are as they were written; where they are not a new chain is begun that says so.
    /// Reads files: not for the console's loop.
    pub fn look_back(&self, dir: &Path) {
        let found = match verify_newest(dir, LOOK_BACK) {
            Ok((verdict, newest)) => verdict.breaks.first().map(|first| {
                let line = if first.line == 0 { String::new() } else { format!(" line {}", first.line) };
                (format!("{}{line} {}", first.file, first.what), newest)
            }),
            Err(fault) => Some((fault.what.to_string().trim_end_matches('.').to_owned(), 0)),
        };
        if let Some((found, newest)) = found {
            self.shared.set_broken(&found);
            // Where the journal does not take it in, that is told already.
            let _full = self.jobs.try_send(Job::Renew { at: self.clock.now(), newest, found });
        }
    }

    /// Where the trail was found changed, if it was.
    pub fn broken(&self) -> Option<Fault> {
        self.shared.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was refused last because it could not be recorded.
    pub fn refused(&self) -> Option<String> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// That the trail was changed is itself part of it.
fn tell_broken(sink: &mut Sink, shared: &Shared, at: Now, found: &str) {
    shared.set_broken(found);
    let record = Record::new(Event::Broken).res(json!({ "found": found }));
    shared.set_failing(sink.append(&record, at, true).err());
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
                if let Some(found) = sink.broken.take() {
                    tell_broken(sink, shared, at, &found);
                }
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
            Ok(Job::Renew { at, newest, found }) => {
                shared.set_failing(sink.renew(at, newest, &found).err());
                tell_broken(sink, shared, at, &found);
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

#[cfg(test)]
mod tests {
    use super::super::record::tests::session;
    use super::super::verify;
    use super::*;
    use crate::sys::clock::RealClock;

    fn journal(dir: &Path) -> Journal {
        Journal::open(dir, session(), Arc::new(RealClock)).unwrap()
    }

    #[test]
    fn a_trail_that_was_changed_is_told_recorded_and_goes_on_in_a_new_chain() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("00000001.jsonl");
        let first = journal(dir.path());
        for _ in 0..4 {
            first.append_durable(Record::new(Event::Intent)).unwrap();
        }
        first.look_back(dir.path());
        assert_eq!(first.broken(), None);
        assert!(first.close(Duration::from_secs(60)));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replacen("action.intent", "action.invent", 1)).unwrap();
        let second = journal(dir.path());
        second.append(Record::new(Event::SessionStart));
        second.look_back(dir.path());
        let said = second.broken().unwrap().to_string();
        assert!(said.starts_with("the journal was changed: 00000001.jsonl line 2 was changed"), "{said}");
        assert!(second.close(Duration::from_secs(60)));
        let text = std::fs::read_to_string(dir.path().join("00000002.jsonl")).unwrap();
        assert!(text.contains("\"journal.broken\"") && text.contains("00000001.jsonl line 2"), "{text}");
        let third = journal(dir.path());
        third.look_back(dir.path());
        assert_eq!(third.broken(), None, "the new chain is whole");
        // The end alone is seen at the next record already.
        let path = dir.path().join("00000002.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{}x\n", text.trim_end())).unwrap();
        third.append_durable(Record::new(Event::Intent)).unwrap();
        third.append_durable(Record::new(Event::Intent)).unwrap();
        assert!(third.broken().unwrap().to_string().contains("the last record of 00000002.jsonl"));
        assert!(!verify(dir.path()).unwrap().intact());
    }

    #[test]
    fn what_cannot_be_recorded_is_kept_for_the_last_words() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("00000001.jsonl")).unwrap();
        let journal = journal(dir.path());
        let record = Record { act: Some("stop it\n(command@1)".into()), ..Record::new(Event::Accepted) };
        assert!(journal.append_durable(record).is_err());
        let said = journal.refused().unwrap();
        assert!(said.starts_with("not recorded: confirm.accepted stop") && !said.contains('\n'), "{said}");
    }
}
