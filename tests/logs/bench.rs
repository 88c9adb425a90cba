//! A folder, a follower of it, and what came out so far.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use watchkeeper::base::{Fault, LogLine};
use watchkeeper::logs::{Follower, Format, LogMailbox, LogSource};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

/// Only a guard against hanging; nothing is measured by it.
const GUARD: Duration = Duration::from_secs(60);

pub struct Bench {
    pub dir: TempDir,
    pub mailbox: Arc<LogMailbox>,
    pub lines: Vec<LogLine>,
    pub dropped: u64,
    pub failure: Option<Fault>,
    bell: Arc<Bell>,
    follower: Option<Follower>,
}

impl Bench {
    pub fn new(capacity: usize) -> Self {
        let bell = Arc::new(Bell::default());
        let mailbox = Arc::new(LogMailbox::new(Arc::clone(&bell), capacity));
        let dir = tempfile::tempdir().expect("a folder");
        Self { dir, mailbox, lines: Vec::new(), dropped: 0, failure: None, bell, follower: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn append(&self, name: &str) -> File {
        OpenOptions::new().create(true).append(true).open(self.path(name)).expect("opens")
    }

    pub fn write(&self, name: &str, text: &[u8]) {
        self.append(name).write_all(text).expect("writes");
    }

    pub fn source(&self, pattern: &str) -> LogSource {
        let pattern = self.path(pattern).to_string_lossy().into_owned();
        LogSource { name: "app".into(), pattern, format: Format::Plain }
    }

    pub fn follow(&mut self, pattern: &str) {
        let sources = vec![self.source(pattern)];
        self.follow_all(sources);
    }

    pub fn follow_all(&mut self, sources: Vec<LogSource>) {
        let follower = Follower::start(sources, Arc::clone(&self.mailbox), Arc::new(RealClock)).expect("starts");
        self.follower = Some(follower);
    }

    pub fn stop(&mut self) {
        self.follower = None;
    }

    /// Takes in what has come.
    pub fn drain(&mut self) {
        for batch in self.mailbox.drain() {
            self.lines.extend(batch.lines.into_iter().map(|(_, line)| line));
            self.dropped += batch.dropped;
            self.failure = batch.failure;
        }
    }

    /// Waits until what has come satisfies `done`.
    pub fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
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
    pub fn shown(&self) -> Vec<String> {
        self.lines.iter().filter(|line| !line.marker).map(|line| line.message.to_string()).collect()
    }

    pub fn has(&self, text: &str) -> bool {
        self.lines.iter().any(|line| !line.marker && line.message.as_str() == text)
    }

    pub fn marks(&self) -> usize {
        self.lines.iter().filter(|line| line.marker).count()
    }
}
