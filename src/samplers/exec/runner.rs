//! Runs one program of others at a time and takes what it says: both outputs drained always and kept up to a cap, a
//! deadline, the whole process group ended and reaped after it, nothing started while an old copy still lives.

use crate::base::{Clean, Failure, Mono, Unit};
use crate::clean;
use crate::samplers::blocking::{PROGRAMS, Worker};
use crate::sys::group::Rest;
use crate::sys::program::{Ended, Order, Outputs, Program, Refusal};
use core::time::Duration;
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Standard output beyond this is counted, not kept, in bytes.
pub(crate) const STDOUT: usize = 1024 * 1024;
/// Standard error beyond this is counted, not kept, in bytes.
pub(crate) const STDERR: usize = 64 * 1024;
/// A program that writes more is ended: it would only cost time.
const FLOOD: u64 = 64 * 1024 * 1024;
/// The end of the program ends the sample; what it left behind in its group may speak for so long.
const LATE: Duration = Duration::from_millis(250);
/// Between asking a group to end and killing it.
const GRACE: Duration = Duration::from_millis(500);

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) stdout: Kept,
    pub(crate) stderr: Kept,
    /// It left others behind that held its outputs open; they were asked to end.
    pub(crate) left_others: bool,
}

#[cfg(test)]
impl Ran {
    /// What a program could have done.
    pub(crate) fn of(ended: Ended, stdout: &str, stderr: &str) -> Self {
        let kept = |text: &str| Kept { bytes: text.into(), ..Kept::new(STDOUT) };
        Self { ended, stdout: kept(stdout), stderr: kept(stderr), left_others: false }
    }
}

/// The beginning of one output.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    /// Bytes beyond the cap.
    pub(crate) beyond: u64,
    cap: usize,
}

impl Kept {
    fn new(cap: usize) -> Self {
        Self { bytes: Vec::new(), beyond: 0, cap }
    }

    fn add(&mut self, more: &[u8]) {
        let (kept, rest) = more.split_at(self.cap.saturating_sub(self.bytes.len()).min(more.len()));
        self.bytes.extend_from_slice(kept);
        self.beyond += rest.len() as u64;
    }

    /// The first line that says something, cleaned.
    pub(crate) fn first_line(&self) -> Option<Clean> {
        self.bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).map(Clean::text)
    }
}

/// One owner's place to run programs: one at a time.
#[derive(Debug)]
pub(crate) struct Runner {
    worker: Worker<()>,
    ending: Option<Ending>,
}

/// A program that is being ended, or was abandoned.
#[derive(Debug)]
struct Ending {
    task: JoinHandle<()>,
    pid: u32,
    spared: bool,
    since: Mono,
}

/// Ends its program, or abandons one that is to be spared, when it is dropped before the program has ended.
struct Held<'a> {
    program: Option<(Program, Pipes)>,
    since: Mono,
    ending: &'a mut Option<Ending>,
}

/// Its outputs, read as long as it lives: nothing that it prints at its end kills it.
type Pipes = (Receiver, Receiver);

impl Runner {
    pub(crate) fn new() -> Self {
        Self { worker: Worker::new(&PROGRAMS), ending: None }
    }

    /// Runs it to its end, at most for `limit`. Dropping the future ends the program as well, or abandons it where it is
    /// to be spared.
    pub(crate) async fn run(&mut self, now: Mono, order: &Order, limit: Duration) -> Result<Ran, Failure> {
        let name = clean!("{}", order.program.display());
        self.old_one_is_gone(now, &name)?;
        let (program, outputs) = self.start(now, order, &name).await?;
        let Outputs { stdout, stderr } = outputs;
        let pipes = Receiver::from_owned_fd(stdout).and_then(|out| Ok((out, Receiver::from_owned_fd(stderr)?)));
        let unread = |error| Failure::unreachable(format!("{name} cannot be followed: {error}."));
        let program = (program, pipes.map_err(unread)?);
        let stopped = if order.spare { "it is not killed, but left to itself" } else { "it was stopped" };
        let mut held = Held { program: Some(program), since: now, ending: &mut self.ending };
        let silent = || Failure::unreachable(format!("{name} has not ended within {}; {stopped}.", span(limit)));
        match timeout(limit, attend(&mut held)).await {
            Err(_) => Err(silent()),
            Ok(Ok(ran)) => Ok(ran),
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => Err(Failure::answered(format!(
                "{name} writes without an end; {stopped} after {}.",
                Unit::Bytes.show(FLOOD as f64)
            ))),
            Ok(Err(error)) => Err(Failure::unreachable(format!("{name} cannot be followed: {error}."))),
        }
    }

    fn old_one_is_gone(&mut self, now: Mono, name: &Clean) -> Result<(), Failure> {
        match &self.ending {
            Some(old) if !old.task.is_finished() => Err(Failure::unreachable(format!(
                "{name} hangs: process {}, started {} ago, {}. No second one is started.",
                old.pid,
                span(now.since(old.since)),
                if old.spared { "is not killed since it may hold a GPU" } else { "does not end when killed" }
            ))),
            _ => {
                self.ending = None;
                Ok(())
            }
        }
    }

    async fn start(&mut self, now: Mono, order: &Order, name: &Clean) -> Result<(Program, Outputs), Failure> {
        let (give, take) = oneshot::channel();
        let order = order.clone();
        // A start that nobody waits for any more is undone at once.
        let work = move || drop(give.send(Program::start(&order)));
        let busy = |stuck: &dyn core::fmt::Display| Failure::unreachable(format!("starting {name}: {stuck}."));
        self.worker.run(now, work).await.map_err(|stuck| busy(&stuck))?;
        match take.await {
            Ok(Ok(started)) => Ok(started),
            Ok(Err(Refusal::Forbidden(fault))) => Err(Failure::not_permitted(fault.to_string())),
            Ok(Err(Refusal::Impossible(fault))) => Err(Failure::unreachable(fault.to_string())),
            Err(_) => Err(busy(&"given up")),
        }
    }
}

/// Reads both outputs and waits for the end.
async fn attend(held: &mut Held<'_>) -> io::Result<Ran> {
    let Some((program, (out, err))) = &mut held.program else { return Err(io::ErrorKind::NotFound.into()) };
    let ending = program.ending()?;
    let (mut stdout, mut stderr) = (Kept::new(STDOUT), Kept::new(STDERR));
    let left_others = {
        let both = async { tokio::try_join!(drain(out, &mut stdout), drain(err, &mut stderr)) };
        let (mut both, mut ended) = (core::pin::pin!(both), core::pin::pin!(wait(ending)));
        tokio::select! {
            biased;
            drained = &mut both => {
                drained?;
                ended.await?;
                false
            }
            gone = &mut ended => {
                gone?;
                match timeout(LATE, &mut both).await {
                    Ok(drained) => drained.map(|_| false)?,
                    Err(_) => true,
                }
            }
        }
    };
    let ended = program.reap().ok_or(io::ErrorKind::WouldBlock)?;
    if let Some(rest) = program.rest() {
        let (pid, spared, since) = (program.pid(), program.spared(), held.since);
        *held.ending = Some(Ending { task: tokio::spawn(clear(rest)), pid, spared, since });
    }
    held.program = None;
    Ok(Ran { ended, stdout, stderr, left_others })
}

/// Reads to the end; an error when none is to be expected.
async fn drain(pipe: &mut Receiver, into: &mut Kept) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let read = pipe.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        into.add(piece.get(..read).unwrap_or_default());
        if into.beyond > FLOOD {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
}

async fn wait(ending: OwnedFd) -> io::Result<()> {
    #[expect(deprecated, reason = "its heir is unsafe for types that lie about their descriptor; OwnedFd does not")]
    let watched = AsyncFd::with_interest(ending, Interest::READABLE)?;
    watched.readable().await.map(drop)
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some((program, pipes)) = self.program.take() else { return };
        // Outside a runtime the program's own drop kills it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (pid, spared, since) = (program.pid(), program.spared(), self.since);
            *self.ending = Some(Ending { task: runtime.spawn(end(program, pipes)), pid, spared, since });
        }
    }
}

/// Asks the group to end, kills it shortly after, and waits until its leader is gone, however long that takes; one that
/// is to be spared is only waited for. Its outputs are read on meanwhile, so that it can say farewell.
async fn end(mut program: Program, (mut out, mut err): Pipes) {
    program.ask();
    let Ok(ending) = program.ending() else { return };
    let (mut unread_out, mut unread_err) = (Kept::new(0), Kept::new(0));
    let drained = async { tokio::join!(drain(&mut out, &mut unread_out), drain(&mut err, &mut unread_err)) };
    let ended = async {
        let mut ended = core::pin::pin!(wait(ending));
        if timeout(GRACE, &mut ended).await.is_err() {
            program.kill();
            let _seen = ended.await;
        }
    };
    let mut drained = core::pin::pin!(drained);
    {
        let mut ended = core::pin::pin!(ended);
        tokio::select! {
            _ = &mut drained => ended.await,
            () = &mut ended => {}
        }
    }
    let _reaped = program.reap();
    if let Some(rest) = program.rest() {
        clear(rest).await;
    }
}

/// Gives those of a group that were asked to end, after their leader, the same time to clear up as it would have had;
/// kills the others then.
async fn clear(rest: Rest) {
    let cleared = async {
        loop {
            let members = rest.members();
            if members.is_empty() {
                return;
            }
            for member in members {
                let _gone = wait(member).await;
            }
        }
    };
    let _in_time = timeout(GRACE, cleared).await;
}

fn span(of: Duration) -> String {
    Unit::Seconds.show(of.as_secs_f64())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
