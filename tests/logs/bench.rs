//! A folder, a follower of it, and what came out so far.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use watchkeeper::base::{Fault, LogLine, Mono};
use watchkeeper::logs::{Follower, Format, LogMailbox, LogSource};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

/// Only a guard against hanging; nothing is measured by it.
const GUARD: Duration = Duration::from_mins(1);

pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) mailbox: Arc<LogMailbox>,
    pub(crate) lines: Vec<LogLine>,
    pub(crate) dropped: u64,
    /// Lines that nobody saw come.
    pub(crate) unseen: usize,
    pub(crate) failure: Option<Fault>,
    bell: Arc<Bell>,
    follower: Option<Follower>,
}

impl Bench {
    pub(crate) fn new(capacity: usize) -> Self {
        let bell = Arc::new(Bell::default());
        let mailbox = Arc::new(LogMailbox::new(Arc::clone(&bell), capacity));
        let dir = tempfile::tempdir().expect("a folder");
        Self { dir, mailbox, lines: Vec::new(), dropped: 0, unseen: 0, failure: None, bell, follower: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn append(&self, name: &str) -> File {
        OpenOptions::new().create(true).append(true).open(self.path(name)).expect("opens")
    }

    pub(crate) fn write(&self, name: &str, text: &[u8]) {
        self.append(name).write_all(text).expect("writes");
    }

    pub(crate) fn source(&self, pattern: &str) -> LogSource {
        let pattern = self.path(pattern).to_string_lossy().into_owned();
        LogSource { name: "app".into(), pattern, format: Format::Plain }
    }

    pub(crate) fn follow(&mut self, pattern: &str) {
        let sources = vec![self.source(pattern)];
        self.follow_all(sources);
    }

    pub(crate) fn follow_all(&mut self, sources: Vec<LogSource>) {
        let follower = Follower::start(sources, Arc::clone(&self.mailbox), Arc::new(RealClock)).expect("starts");
        self.follower = Some(follower);
    }

    pub(crate) fn stop(&mut self) {
        self.follower = None;
    }

    /// Takes in what has come.
    pub(crate) fn drain(&mut self) {
        for batch in self.mailbox.drain() {
            self.unseen += batch.lines.iter().filter(|(seen, _)| seen.mono == Mono::default()).count();
            self.lines.extend(batch.lines.into_iter().map(|(_, line)| line));
            self.dropped += batch.dropped;
            self.failure = batch.failure;
        }
    }

    /// Waits until what has come satisfies `done`.
    #[expect(clippy::disallowed_methods, reason = "a hang guard")]
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        loop {
            self.drain();
            if done(self) {
                return;
            }
            assert!(begun.elapsed() < GUARD, "{what}: {} lines, {:?}", self.lines.len(), self.failure);
            self.bell.wait(Duration::from_millis(50), false);
        }
    }

    /// The lines that are not of our own making.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.lines.iter().filter(|line| !line.marker).map(|line| line.message.to_string()).collect()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| !line.marker && line.message.as_str() == text)
    }

    pub(crate) fn marks(&self) -> usize {
        self.lines.iter().filter(|line| line.marker).count()
    }
}
