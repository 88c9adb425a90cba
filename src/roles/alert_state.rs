//! Alerts, acknowledgements and silences over a restart: one small file a profile in the state folder, written whole
//! off the loop, at most once a second. Consoles of one profile read what the others wrote before they write.

use crate::base::{Clean, Fault, Now};
use crate::rules::Book;
use crate::rules::saved::{Saved, VERSION};
use crate::sys::files;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};

/// A larger file is none of ours.
const LARGEST: u64 = 8 * 1024 * 1024;
/// How often the file is written at most.
const PACE: Duration = Duration::from_secs(1);
/// How often the file is looked at: another console's answer shows here so much later.
const LOOK: Duration = Duration::from_secs(2);
/// While timers run, they are written so often though nothing moved: a console that is killed loses no more of them.
const RIPE: Duration = Duration::from_secs(5);
/// While anything is up, it is written so often though nothing moved.
const BEAT: Duration = Duration::from_secs(10);
/// The last state is waited for this long when the console leaves.
const LAST: Duration = Duration::from_millis(200);
/// What other consoles wrote waits for the loop in this many places: what found none would be overwritten unread.
const LEARNED: usize = 16;
const STACK: usize = 256 * 1024;

/// What the writer is asked.
enum Job {
    Write(Box<Saved>),
    /// The last one: answers when it is written.
    Close(Box<Saved>, SyncSender<()>),
}

/// The state file of one profile.
pub struct AlertState {
    boot: Clean,
    jobs: SyncSender<Job>,
    others: Receiver<Box<Saved>>,
    written: Option<(u64, Now)>,
}

/// Where the state of a profile lies. A home folder may be shared by machines, whose alerts are different ones.
pub fn path(state: &Path, machine: &str, profile: &str) -> PathBuf {
    let digest = files::sha256(format!("{machine}\n{profile}").as_bytes());
    state.join("alerts").join(format!("{}.json", digest.get(..16).unwrap_or(&digest)))
}

/// Reads a state file. `Ok(None)` when there is none.
///
/// # Errors
/// It cannot be read, or is damaged: then it is dropped.
pub fn read(path: &Path) -> Result<Option<Saved>, Fault> {
    if !path.exists() {
        return Ok(None);
    }
    let dropped = |why: String| {
        Fault::new(format!("the alerts of the last console cannot be taken up: {}: {why}.", path.display()))
            .hint("Timers, acknowledgements and silences begin anew; the file is replaced.")
    };
    let bytes = files::read(path, LARGEST).map_err(|fault| dropped(fault.what.to_string()))?;
    let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| dropped(format!("it is damaged: {error}")))?;
    if saved.version != VERSION {
        return Err(dropped(format!("it is of version {}, this program reads {VERSION}", saved.version)));
    }
    Ok(Some(saved))
}

impl AlertState {
    /// Takes up what the last console left, and starts the writer. The fault tells why that could not be had.
    ///
    /// # Errors
    /// No folder, or no thread.
    pub fn open(path: PathBuf, boot: Clean, book: &mut Book, now: Now) -> Result<(Self, Option<Fault>), Fault> {
        if let Some(folder) = path.parent() {
            files::private_dir(folder)?;
        }
        let fault = match read(&path) {
            Ok(Some(saved)) => {
                book.restore(&saved, &boot, now);
                None
            }
            Ok(None) => None,
            Err(fault) => Some(fault),
        };
        let (jobs, inbox) = sync_channel(2);
        let (found, others) = sync_channel(LEARNED);
        let seen = bytes_of(&path);
        std::thread::Builder::new()
            .name("alert-state".to_owned())
            .stack_size(STACK)
            .spawn(move || Writer { path, seen, told: false, found }.run(&inbox))
            .map_err(|error| Fault::new(format!("alerts cannot be kept over a restart: {error}.")))?;
        Ok((Self { boot, jobs, others, written: None }, fault))
    }

    /// Hands the state to the writer when something moved. Cheap; call it once a turn.
    pub fn keep(&mut self, book: &Book, now: Now) {
        if self.is_due(book, now) {
            let job = Job::Write(Box::new(book.saved(&self.boot, now)));
            if self.jobs.try_send(job).is_ok() {
                self.written = Some((book.revision(), now));
            }
        }
    }

    fn is_due(&self, book: &Book, now: Now) -> bool {
        let due = self.written.is_none_or(|(revision, at)| {
            let since = now.mono.since(at.mono);
            let moved = since >= PACE && revision != book.revision();
            moved || since >= RIPE && book.is_ripening() || since >= BEAT && book.is_busy()
        });
        // Nothing to keep is worth no file.
        due && (self.written.is_some() || book.revision() > 0 || book.is_busy())
    }

    /// Takes over what another console of this profile has answered.
    pub fn learn(&self, book: &mut Book, now: Now) -> bool {
        match self.others.try_recv() {
            // Its moments are of another clock.
            Ok(other) if other.boot != self.boot => false,
            Ok(other) => {
                book.adopt(&other, now);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => false,
        }
    }

    /// Writes the last state; waits a moment for it. A writer that hangs is left behind: the disk has the state of a
    /// moment ago.
    pub fn close(self, book: &Book, now: Now) {
        let (reply, answer) = sync_channel(1);
        if self.written.is_some() {
            let _best_effort = self.jobs.try_send(Job::Close(Box::new(book.saved(&self.boot, now)), reply));
            let _best_effort = answer.recv_timeout(LAST);
        }
    }
}

fn bytes_of(path: &Path) -> Option<String> {
    files::read(path, LARGEST).ok().map(|bytes| files::sha256(&bytes))
}

struct Writer {
    path: PathBuf,
    /// Digest of the file as this console knows it.
    seen: Option<String>,
    /// That it cannot be written was said.
    told: bool,
    found: SyncSender<Box<Saved>>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Job>) {
        loop {
            match inbox.recv_timeout(LOOK) {
                Ok(Job::Write(saved)) => self.write(*saved),
                Ok(Job::Close(saved, reply)) => {
                    self.write(*saved);
                    let _nobody_waits = reply.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => drop(self.look()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What another console wrote since this one looked last; it is handed on to the loop.
    fn look(&mut self) -> Option<Saved> {
        let now = bytes_of(&self.path)?;
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        let other = read(&self.path).ok().flatten()?;
        if self.found.try_send(Box::new(other.clone())).is_ok() {
            self.seen = Some(now);
        }
        Some(other)
    }

    fn write(&mut self, mut saved: Saved) {
        if let Some(other) = self.look() {
            saved.merge(&other);
        }
        let outcome =
            text(&mut saved).and_then(|bytes| files::replace(&self.path, &bytes).map(|()| files::sha256(&bytes)));
        match outcome {
            Ok(digest) => (self.seen, self.told) = (Some(digest), false),
            Err(fault) if !self.told => {
                self.told = true;
                tracing::warn!(target: "alerts", "alerts are not kept over a restart: {fault}");
            }
            Err(_) => {}
        }
    }
}

/// The state as text that [`read`] takes: what is too much is left out, answers and silences last.
fn text(saved: &mut Saved) -> Result<Vec<u8>, Fault> {
    let largest = usize::try_from(LARGEST).unwrap_or(usize::MAX);
    loop {
        let text = serde_json::to_vec(saved)
            .map_err(|error| Fault::new(format!("the state of alerts has no text: {error}.")))?;
        if text.len() <= largest || !saved.shed() {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Mono, Observation, Point, Sample, Wall};
    use crate::rules::{Ack, BookOptions, FindingState, RuleFile};
    use crate::store::{Limits, Store};

    const RULES: &str =
        "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: High\n    expr: load > 10\n    for: 2m\n";

    fn book() -> Book {
        Book::new(vec![RuleFile::parse("rules.yaml", RULES)], BookOptions::default())
    }

    fn now(seconds: u64) -> Now {
        let wall = i64::try_from(seconds).unwrap_or(0) * 1_000_000_000;
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(1_700_000_000_000_000_000 + wall) }
    }

    fn judge(book: &mut Book, store: &mut Store, seconds: core::ops::Range<u64>) {
        for second in seconds {
            let (seen, every) = (now(second), Duration::from_secs(1));
            let seen_then = Observation { points: vec![Point::gauge("load", &[], 15.0)], ..Observation::default() };
            let sample = Sample {
                sampler: "s".into(),
                seen,
                took: Duration::ZERO,
                interval: every,
                next_in: every,
                outcome: Ok(seen_then),
            };
            store.ingest(&sample);
            book.judge(store, seen);
        }
    }

    fn open(path: &Path, book: &mut Book, at: Now) -> (AlertState, Option<Fault>) {
        AlertState::open(path.to_owned(), Clean::from("boot"), book, at).expect("opens")
    }

    #[test]
    fn a_pending_alert_goes_on_in_the_next_console() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path(), "machine", "demo");
        let (mut first, mut store) = (book(), Store::new(Limits::default()));
        let (mut state, fault) = open(&path, &mut first, now(100));
        assert!(fault.is_none() && !path.exists(), "nothing to keep is worth no file");
        judge(&mut first, &mut store, 100..173);
        state.keep(&first, now(173));
        state.close(&first, now(173));
        let mut second = book();
        let (_state, fault) = open(&path, &mut second, now(200));
        assert!(fault.is_none(), "{fault:?}");
        let found = second.findings().first().cloned().expect("was taken up");
        assert_eq!(found.state, FindingState::Pending);
        assert_eq!(second.progress(&found.id).map(|(held, _)| held), Some(Duration::from_secs(72)));
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("is there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn running_timers_alone_are_written_only_now_and_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut book, mut store) = (book(), Store::new(Limits::default()));
        let (mut state, _) = open(&path(folder.path(), "machine", "demo"), &mut book, now(100));
        judge(&mut book, &mut store, 100..110);
        let mut written = Vec::new();
        for second in 110..121 {
            judge(&mut book, &mut store, second..second + 1);
            // Written by hand: how quick the disk is must not matter here.
            if state.is_due(&book, now(second)) {
                state.written = Some((book.revision(), now(second)));
                written.push(second);
            }
        }
        assert_eq!(written, [110, 115, 120]);
    }

    #[test]
    fn a_damaged_file_is_dropped_with_a_sentence() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path(), "machine", "demo");
        files::private_dir(path.parent().expect("has one")).expect("a folder");
        for (text, why) in [("{\"version\":1,", "is damaged"), ("", "is damaged"), ("\u{0}\u{1}", "is damaged")] {
            std::fs::write(&path, text).expect("writes");
            let mut fresh = book();
            let (_state, fault) = open(&path, &mut fresh, now(1));
            let said = fault.expect("a sentence").to_string();
            assert!(said.contains(why) && said.contains("begin anew"), "{said}");
            assert!(fresh.findings().is_empty());
        }
        let mut saved = book().saved(&Clean::from("boot"), now(1));
        saved.version = 99;
        std::fs::write(&path, serde_json::to_vec(&saved).expect("text")).expect("writes");
        assert!(open(&path, &mut book(), now(1)).1.is_some_and(|fault| fault.what.as_str().contains("version 99")));
    }

    #[test]
    fn consoles_of_one_profile_learn_each_other_s_answers() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path(), "machine", "demo");
        let consoles = || (book(), Store::new(Limits::default()));
        let ((mut first, mut one), (mut second, mut two)) = (consoles(), consoles());
        let (mut ours, _) = open(&path, &mut first, now(100));
        let (mut theirs, _) = open(&path, &mut second, now(100));
        judge(&mut first, &mut one, 100..110);
        judge(&mut second, &mut two, 100..110);
        let id = first.findings().first().expect("pends").id.clone();
        assert!(first.ack(&id, Ack { by: "ada".into(), note: "mine".into(), at: now(110).wall }));
        ours.keep(&first, now(110));
        // The writers look once a second; the bound is a guard against hanging only.
        let learned = theirs.others.recv_timeout(Duration::from_secs(20)).expect("something was learned");
        second.adopt(&learned, now(110));
        assert_eq!(second.findings().first().and_then(|found| found.ack.clone()).map(|ack| ack.by), Some("ada".into()));
        // The last writer keeps what the other has answered.
        theirs.keep(&second, now(112));
        theirs.close(&second, now(112));
        let kept = read(&path).expect("reads").expect("is there");
        let mut third = book();
        third.restore(&kept, &Clean::from("boot"), now(113));
        assert!(third.findings().first().is_some_and(|found| found.ack.is_some()));
    }

    #[test]
    fn a_state_that_is_too_large_keeps_answers_and_can_be_read() {
        let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: High\n    expr: load > 10\n    annotations: {summary: 'LONG'}\n"
            .replace("LONG", &"x".repeat(6_000));
        let mut full = Book::new(vec![RuleFile::parse("rules.yaml", &rules)], BookOptions::default());
        let mut store = Store::new(Limits::default());
        let point = |at: u64| Point {
            key: crate::base::SeriesKey {
                name: "load".into(),
                labels: vec![("i".into(), crate::clean!("{at}"))].into(),
            },
            ..Point::gauge("load", &[], 15.0)
        };
        store.ingest(&Sample {
            sampler: "s".into(),
            seen: now(100),
            took: Duration::ZERO,
            interval: Duration::from_secs(1),
            next_in: Duration::from_secs(1),
            outcome: Ok(Observation { points: (0..2_000).map(point).collect(), ..Observation::default() }),
        });
        full.judge(&mut store, now(100));
        assert_eq!(full.findings().len(), 2_000);
        let id = full.findings().last().expect("fires").id.clone();
        assert!(full.ack(&id, Ack { by: "ada".into(), note: "mine".into(), at: now(100).wall }));
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path(), "machine", "demo");
        let (mut state, _) = open(&path, &mut book(), now(100));
        state.keep(&full, now(101));
        state.close(&full, now(101));
        // The last one waits 200 ms only; the file is whole at any time.
        let mut next = Book::new(vec![RuleFile::parse("rules.yaml", &rules)], BookOptions::default());
        let bytes = text(&mut full.saved(&Clean::from("boot"), now(101))).expect("a text");
        assert!(bytes.len() <= usize::try_from(LARGEST).expect("fits"));
        files::replace(&path, &bytes).expect("writes");
        let (_state, fault) = open(&path, &mut next, now(102));
        assert!(fault.is_none(), "{fault:?}");
        assert!(next.findings().iter().any(|found| found.id == id && found.ack.is_some()));
    }

    #[test]
    fn what_a_console_of_another_machine_wrote_is_not_adopted() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_ne!(path(folder.path(), "a", "demo"), path(folder.path(), "b", "demo"));
    }
}
