//! Where a stream puts its lines: kept together for one look, then posted.

use crate::base::{Clean, Clock, Fault, LogLine};
use crate::logs::LogMailbox;
use crate::sys::child::wait_readable;
use core::mem;
use core::time::Duration;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// One look keeps no more lines.
const KEPT: usize = 20_000;
/// Bytes read at once.
pub(super) const CHUNK: usize = 64 * 1024;

pub(super) struct Outlet {
    pub(super) name: Arc<str>,
    pub(super) mailbox: Arc<LogMailbox>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Arc<OwnedFd>,
    /// What is wrong with the source now.
    pub(super) failure: Option<Fault>,
    lines: VecDeque<(crate::base::Now, LogLine)>,
    dropped: u64,
}

impl Outlet {
    pub(super) fn new(name: Arc<str>, mailbox: Arc<LogMailbox>, clock: Arc<dyn Clock>, stop: Arc<OwnedFd>) -> Self {
        Self { name, mailbox, clock, stop, failure: None, lines: VecDeque::new(), dropped: 0 }
    }

    pub(super) fn line(&mut self, line: LogLine) {
        if self.lines.len() >= KEPT {
            let oldest = self.lines.pop_front();
            self.dropped += u64::from(oldest.is_some_and(|(_, line)| !line.marker));
        }
        self.lines.push_back((self.clock.now(), line));
    }

    /// A line of our own making.
    pub(super) fn mark(&mut self, message: Clean) {
        self.line(LogLine { time: None, level: None, message, marker: true });
    }

    /// Lines that never came.
    pub(super) fn lose(&mut self, lines: u64) {
        self.dropped += lines;
    }

    /// Hands over what has come.
    pub(super) fn post(&mut self) {
        let failure = self.failure.clone();
        self.mailbox.post(&self.name, mem::take(&mut self.lines), mem::take(&mut self.dropped), failure);
    }

    /// Waits until one of these can be read; `None` when it is time to stop.
    pub(super) fn wait(&self, fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> Option<Vec<bool>> {
        let mut all = vec![self.stop.as_fd()];
        all.extend_from_slice(fds);
        let mut ready = wait_readable(&all, limit).unwrap_or_else(|_| vec![true; all.len()]);
        (!ready.remove(0)).then_some(ready)
    }

    /// Waits; true when it is time to stop.
    pub(super) fn rest(&self, span: Duration) -> bool {
        let until = self.clock.now().mono + span;
        loop {
            let left = until.since(self.clock.now().mono);
            if left.is_zero() {
                return false;
            }
            if self.wait(&[], Some(left)).is_none() {
                return true;
            }
        }
    }
}
