//! The follower: one thread for all sources that lie on this machine's disks, and one for each file system that may
//! never answer. It sleeps in the kernel until a file or a directory changes, looks around every other second whatever
//! the kernel says, and stops at once.

use super::format::Format;
use super::mailbox::LogMailbox;
use super::reader::Gather;
use super::source::Source;
use super::tail::Pass;
use super::watch::{Look, Watches};
use crate::base::{Clock, Fault, Mono};
use crate::clean;
use crate::sys::quiet::may_hang;
use core::mem;
use core::time::Duration;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, write};
use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
/// A file system that has not answered for so long is said not to.
const SILENT: Duration = Duration::from_secs(5);
/// Threads for such file systems; further ones share the last.
const APART: usize = 8;

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
        let mut groups: BTreeMap<Option<PathBuf>, Vec<(usize, Source)>> = BTreeMap::from([(None, Vec::new())]);
        for (at, spec) in sources.into_iter().enumerate() {
            let mut apart = may_hang(Path::new(&spec.pattern));
            if groups.len() > APART && !groups.contains_key(&apart) {
                apart = groups.keys().next_back().cloned().flatten();
            }
            groups.entry(apart).or_default().push((at, to.source(spec)));
        }
        let mut others = Vec::new();
        let told = (to, clock);
        for (mount, sources) in groups.into_iter().rev() {
            let group = Arc::new(Group {
                names: sources.iter().map(|(at, source)| (*at, source.spec.clone())).collect(),
                mount,
                since: Mutex::default(),
            });
            let worker = Worker {
                looks: vec![Look::Names; sources.len()],
                sources,
                watches: Watches::new(),
                stop: Arc::clone(&stop),
                to: told.0.clone(),
                chunk: Vec::new(),
                clock: Arc::clone(&told.1),
                group: Arc::clone(&group),
                // The last of them, which is always there, looks after the others.
                others: if group.mount.is_none() { mem::take(&mut others) } else { Vec::new() },
            };
            others.push(group);
            let thread = thread::Builder::new().name("logs".to_owned()).stack_size(STACK);
            thread.spawn(move || worker.run()).map_err(fault)?;
        }
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

/// What others may know of a thread that perhaps waits for ever.
struct Group {
    mount: Option<PathBuf>,
    names: Vec<(usize, LogSource)>,
    /// When the look began that has not ended.
    since: Mutex<Option<Mono>>,
}

/// Who is told.
#[derive(Clone)]
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

    fn fail(&self, at: usize, name: &Arc<str>, fault: Fault) {
        match self {
            Self::Mailbox(mailbox) => mailbox.post(name, VecDeque::new(), 0, Some(fault)),
            Self::Spine(gather) => gather.judge(at, Some(fault)),
        }
    }
}

struct Worker {
    /// Each with its number among all.
    sources: Vec<(usize, Source)>,
    looks: Vec<Look>,
    watches: Watches,
    stop: Arc<OwnedFd>,
    to: To,
    chunk: Vec<u8>,
    clock: Arc<dyn Clock>,
    group: Arc<Group>,
    /// Those that this one looks after.
    others: Vec<Arc<Group>>,
}

impl Worker {
    fn run(mut self) {
        let mut rests = 0;
        loop {
            self.look();
            self.look_after();
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

    fn begin(&self, since: Option<Mono>) {
        *self.group.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Says of the others which of them have not answered.
    fn look_after(&self) {
        let now = self.clock.now().mono;
        for group in &self.others {
            let since = *group.since.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(silent) = since.map(|since| now.since(since)).filter(|silent| *silent >= SILENT) else { continue };
            let mount = group.mount.as_deref().unwrap_or(Path::new("")).display();
            for (at, spec) in &group.names {
                let what = clean!("{mount} has not answered for {} s.", silent.as_secs());
                let fault = Fault::new(what).at(&spec.pattern, 0, 0);
                self.to.fail(*at, &spec.name, fault.hint("It is read as soon as it answers; the others go on."));
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
        self.begin(Some(self.clock.now().mono));
        self.look_at_all();
        self.begin(None);
    }

    fn look_at_all(&mut self) {
        for (at, (number, source)) in self.sources.iter_mut().enumerate() {
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
                To::Spine(gather) => gather.judge(*number, source.failure()),
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
