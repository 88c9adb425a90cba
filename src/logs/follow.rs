//! The follower: one thread for all sources. It sleeps in the kernel until a file or a directory changes,
//! looks around every other second whatever the kernel says, and stops at once.

use super::format::Format;
use super::mailbox::LogMailbox;
use super::reader::Gather;
use super::source::Source;
use super::tail::Pass;
use super::watch::{Look, Watches};
use crate::base::{Clock, Fault};
use core::mem;
use core::time::Duration;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;

/// How often everything is looked at when the kernel tells nothing.
const SLOW: Duration = Duration::from_secs(2);
/// After news, further news waits so long and comes together.
const REST: Duration = Duration::from_millis(250);
/// The same for somebody who reads one log and nothing else.
const SHORT_REST: Duration = Duration::from_millis(20);
/// So many rests without a quiet moment, then everything is looked at all the same.
const BUSY: u32 = 8;
const STACK: usize = 512 * 1024;

/// One log that a profile names.
#[derive(Clone, Debug)]
pub struct LogSource {
    /// Its name in the profile.
    pub name: Arc<str>,
    /// A path; its file name may hold `*` and `?`.
    pub pattern: String,
    /// How its lines are written.
    pub format: Format,
}

/// Follows while it lives; dropping it stops the thread at once, without waiting for it.
#[derive(Debug)]
pub struct Follower {
    stop: Arc<OwnedFd>,
}

impl Follower {
    /// Starts following. What is wrong with a source comes through the mailbox; the others go on.
    ///
    /// # Errors
    /// A sentence when the system has no descriptor or thread left.
    pub fn start(sources: Vec<LogSource>, mailbox: Arc<LogMailbox>, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        Self::spawn(sources, To::Mailbox(mailbox), clock)
    }

    /// Starts following for somebody who reads for himself: nothing is parsed, only where the lines are is told.
    ///
    /// # Errors
    /// As [`Follower::start`].
    pub fn lay(sources: Vec<LogSource>, gather: Arc<Gather>, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        Self::spawn(sources, To::Spine(gather), clock)
    }

    fn spawn(sources: Vec<LogSource>, to: To, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let fault = |error: std::io::Error| {
            Fault::new(format!("log files cannot be followed: {error}.")).hint("Raise the limits of this login.")
        };
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| fault(e.into()))?);
        let worker = Worker {
            looks: vec![Look::Names; sources.len()],
            sources: sources.into_iter().map(|spec| to.source(spec)).collect(),
            watches: Watches::new(),
            stop: Arc::clone(&stop),
            to,
            chunk: Vec::new(),
            clock,
        };
        let thread = thread::Builder::new().name("logs".to_owned()).stack_size(STACK);
        thread.spawn(move || worker.run()).map_err(fault)?;
        Ok(Self { stop })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Only a full counter refuses, and that wakes the thread as well.
        let _full = write(&self.stop, &1_u64.to_ne_bytes());
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Woken {
    Stop,
    News,
    Nothing,
}

/// Who is told.
enum To {
    Mailbox(Arc<LogMailbox>),
    Spine(Arc<Gather>),
}

impl To {
    /// Who reads for himself has all that was there, wherever the following begins.
    fn source(&self, spec: LogSource) -> Source {
        let mut source = Source::new(spec);
        if matches!(self, Self::Spine(_)) {
            source.backlog = 0;
        }
        source
    }
}

struct Worker {
    sources: Vec<Source>,
    looks: Vec<Look>,
    watches: Watches,
    stop: Arc<OwnedFd>,
    to: To,
    chunk: Vec<u8>,
    clock: Arc<dyn Clock>,
}

impl Worker {
    fn run(mut self) {
        let mut rests = 0;
        loop {
            self.look();
            let waiting = self.looks.iter().any(|look| *look > Look::Away);
            let limit = if waiting { Duration::ZERO } else { SLOW };
            match sleep(self.stop.as_fd(), self.watches.fd(), limit) {
                Woken::Stop => return,
                Woken::Nothing if waiting => continue,
                Woken::Nothing => rests = u32::MAX,
                Woken::News => {
                    self.watches.take(&mut self.looks);
                    self.look();
                    rests = rests.saturating_add(1);
                    if sleep(self.stop.as_fd(), None, self.rest()) == Woken::Stop {
                        return;
                    }
                }
            }
            if rests >= self.busy() {
                rests = 0;
                self.looks.fill(Look::Names);
            }
        }
    }

    fn busy(&self) -> u32 {
        if matches!(self.to, To::Spine(_)) { BUSY * 12 } else { BUSY }
    }

    fn rest(&self) -> Duration {
        if matches!(self.to, To::Spine(_)) { SHORT_REST } else { REST }
    }

    /// Looks at what needs it.
    fn look(&mut self) {
        for (at, source) in self.sources.iter_mut().enumerate() {
            let Some(look) = self.looks.get_mut(at) else { continue };
            let thorough = mem::take(look);
            if thorough == Look::Away {
                continue;
            }
            let mut pass = Pass::new(self.clock.now(), source.spec.format);
            pass.chunk = mem::take(&mut self.chunk);
            if let To::Spine(gather) = &self.to {
                pass.gather = Some(Arc::clone(gather));
            }
            if thorough == Look::Names {
                source.scan(pass.now);
            }
            source.read(&mut pass);
            if let (Look::Names, Some(gather)) = (thorough, &pass.gather) {
                gather.tidy();
            }
            if self.watches.renew(at, source) {
                // What happened before the watch was there, the kernel did not tell.
                *look = Look::Names;
            } else if pass.more {
                *look = Look::Files;
            }
            self.chunk = pass.chunk;
            match &self.to {
                To::Mailbox(mailbox) => mailbox.post(&source.name, pass.lines, pass.dropped, source.failure()),
                To::Spine(gather) => gather.judge(at, source.failure()),
            }
        }
    }
}

fn sleep(stop: BorrowedFd<'_>, news: Option<BorrowedFd<'_>>, limit: Duration) -> Woken {
    let nanos = limit.subsec_nanos().into();
    let limit = Timespec { tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), tv_nsec: nanos };
    let mut fds =
        [PollFd::from_borrowed_fd(stop, PollFlags::IN), PollFd::from_borrowed_fd(news.unwrap_or(stop), PollFlags::IN)];
    match poll(&mut fds, Some(&limit)) {
        // A signal is no news; what there is, is still there.
        Ok(0) | Err(Errno::INTR) => Woken::Nothing,
        Ok(_) if fds.first().is_some_and(|fd| fd.revents().is_empty()) => Woken::News,
        Ok(_) | Err(_) => Woken::Stop,
    }
}
