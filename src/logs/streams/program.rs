//! A program whose output is read for as long as it lives, and that is started again when it has ended.

use super::outlet::{CHUNK, Outlet};
use crate::base::backoff::{Jitter, full_jitter};
use crate::base::scrub::scrub;
use crate::base::{Clean, Fault, Unit};
use crate::sys::program::{Ended, Order, Program, Refusal};
use crate::sys::secret::hide;
use core::time::Duration;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One that has lived so long starts its pauses anew.
const WELL: Duration = Duration::from_secs(60);
/// However lucky the draw, a pause is no shorter.
const SHORTEST: Duration = Duration::from_millis(500);
/// What it left behind may speak for so long after its end.
const LATE: Duration = Duration::from_millis(250);
/// Lines of standard error that are remembered.
const SAID: usize = 8;
const LONGEST: usize = 400;

/// Who understands what a program writes.
pub(super) trait Listener {
    /// What is to be started next.
    fn order(&mut self) -> Order;
    /// Bytes of its standard output; puts lines into the outlet.
    fn hear(&mut self, chunk: &[u8], outlet: &mut Outlet);
    /// A line of its standard error.
    fn complain(&mut self, line: &[u8], outlet: &mut Outlet);
    /// It has ended: what was begun is whole.
    fn end(&mut self, outlet: &mut Outlet);
}

/// How one life of a program went.
pub(super) enum Life {
    /// We are to stop.
    Stopped,
    /// It could not be started.
    Refused(Fault),
    /// It ended, after so long, and said this last on standard error.
    Ended(Ended, Duration, Option<Clean>),
}

/// Starts the program and reads it to its end.
pub(super) fn live(order: &Order, listener: &mut dyn Listener, outlet: &mut Outlet) -> Life {
    let (mut program, outputs) = match Program::start(order) {
        Ok(started) => started,
        Err(Refusal::Forbidden(fault) | Refusal::Impossible(fault)) => return Life::Refused(fault),
    };
    let Ok(ending) = program.ending() else { return Life::Refused(Fault::new("no descriptor is left.")) };
    // It runs: what was wrong with the one before it is over.
    outlet.failure = None;
    outlet.post();
    let start = outlet.clock.now().mono;
    let mut errors = Errors::default();
    let (mut out, mut err) = (Some(outputs.stdout), Some(outputs.stderr));
    let mut chunk = vec![0; CHUNK];
    let mut ended = false;
    loop {
        let pipes: Vec<BorrowedFd<'_>> = out.iter().chain(err.iter()).map(AsFd::as_fd).collect();
        if pipes.is_empty() && ended {
            break;
        }
        let mut fds = pipes;
        if !ended {
            fds.push(ending.as_fd());
        }
        let limit = ended.then_some(LATE);
        let Some(ready) = outlet.wait(&fds, limit) else { return Life::Stopped };
        if ended && !ready.contains(&true) {
            // Whoever it left behind still holds its output.
            break;
        }
        let mut ready = ready.into_iter();
        let mut is_ready = |pipe: &Option<OwnedFd>| pipe.is_some() && ready.next() == Some(true);
        let (from_out, from_err) = (is_ready(&out), is_ready(&err));
        if from_out && take(&mut out, &mut chunk, &mut |bytes| listener.hear(bytes, outlet)) {
            listener.end(outlet);
        }
        if from_err {
            take(&mut err, &mut chunk, &mut |bytes| errors.add(bytes, |line| listener.complain(line, outlet)));
        }
        ended |= ready.next() == Some(true);
        outlet.post();
    }
    errors.finish(|line| listener.complain(line, outlet));
    listener.end(outlet);
    let how = program.reap().unwrap_or(Ended::Code(0));
    Life::Ended(how, outlet.clock.now().mono.since(start), errors.last())
}

/// Reads once; true when the pipe is at its end, and closed.
fn take(pipe: &mut Option<OwnedFd>, chunk: &mut [u8], hear: &mut dyn FnMut(&[u8])) -> bool {
    let Some(fd) = pipe.as_ref() else { return false };
    match rustix::io::read(fd, &mut *chunk) {
        Err(Errno::AGAIN | Errno::INTR) => false,
        Ok(0) | Err(_) => {
            *pipe = None;
            true
        }
        Ok(length) => {
            hear(chunk.get(..length).unwrap_or_default());
            false
        }
    }
}

/// The last lines of standard error.
#[derive(Default)]
struct Errors {
    held: Vec<u8>,
    said: VecDeque<Clean>,
}

impl Errors {
    fn add(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = crate::base::clean::LINE_LIMIT.saturating_sub(self.held.len());
            self.held.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.finish(&mut each);
            }
        }
    }

    fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        let line = core::mem::take(&mut self.held);
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        each(line);
        if self.said.len() == SAID {
            self.said.pop_front();
        }
        let said: String = scrub(&hide(&String::from_utf8_lossy(line))).chars().take(LONGEST).collect();
        self.said.push_back(Clean::text(said));
    }

    fn last(&self) -> Option<Clean> {
        self.said.back().cloned()
    }
}

/// Keeps a program alive until it is time to stop; `again`: one that has ended is started once more.
pub(super) fn keep(outlet: &mut Outlet, listener: &mut dyn Listener, what: &Clean, again: bool) {
    let mut jitter = Jitter(outlet.clock.now().mono.0);
    let mut failures = 0;
    loop {
        let order = listener.order();
        let life = live(&order, listener, outlet);
        let (how, said) = match life {
            Life::Stopped => return,
            Life::Refused(fault) => {
                failures += 1;
                outlet.failure = Some(fault);
                (None, String::new())
            }
            Life::Ended(how, lived, said) => {
                failures = if lived >= WELL { 1 } else { failures + 1 };
                let said = said.map_or_else(String::new, |said| format!(": {}", said.as_str().trim_end_matches('.')));
                (Some(how), said)
            }
        };
        let pause = full_jitter(failures, jitter.unit()).max(SHORTEST);
        let soon = Unit::Seconds.show(pause.as_secs_f64());
        if let Some(how) = how {
            let then = if again { format!("; started again in {soon}") } else { String::new() };
            outlet.mark(crate::clean!("{what} ended, {how}{said}{then}"));
            let fault = Fault::new(format!("{what} ended, {how}{said}."));
            let hint = if again { "It is started again, later each time." } else { "It is not started again." };
            outlet.failure = (how != Ended::Code(0) || again).then(|| fault.hint(hint));
        }
        outlet.post();
        if how.is_some() && !again || outlet.rest(pause) {
            return;
        }
    }
}
