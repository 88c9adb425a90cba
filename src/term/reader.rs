//! The thread that waits for the terminal's bytes, for signals and for the terminal's end, in one `poll` without a
//! timeout while idle. One `poll` also sees a hang-up as soon as a second thread would, and never spins:
//! a terminal that hung up or errs is not polled again.

use super::fence::Fences;
use super::guard;
use super::inbox::{Inbox, Input};
use super::keys::Keys;
use super::resize::Resizes;
use super::writer::Mailbox;
use crate::base::{Clock, Mono};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::group;
use crate::sys::signal::{Signal, Signals, exit_now, stop_self};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::tcgetwinsize;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The process ends itself when the loop has not done so this long after the terminal has gone.
const AFTER_HANG_UP: Duration = Duration::from_millis(450);
/// The same after a request to stop; restoring may take 200 ms more.
const AFTER_STOP: Duration = Duration::from_millis(750);
/// How often to look whether the terminal is ours again where the kernel does not stop us (orphaned group).
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A terminal that claims to have bytes and gives none this many times in a row is broken.
const EMPTY_READS: u32 = 100;

/// The reader's half that the loop also touches.
#[derive(Default)]
pub(super) struct Shared {
    typed: Mutex<Typed>,
    pub(super) suspend: AtomicBool,
    pub(super) closed: AtomicBool,
}

pub(super) struct Typed {
    pub(super) keys: Keys,
    pub(super) inbox: Inbox,
}

impl Default for Typed {
    fn default() -> Self {
        Self { keys: Keys::new(), inbox: Inbox::default() }
    }
}

impl Shared {
    /// Reading and parsing happen under this lock, so that a flush under it leaves nothing half-way.
    pub(super) fn lock(&self) -> MutexGuard<'_, Typed> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader's thread.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) fences: Arc<Fences>,
    pub(super) bell: Arc<Bell>,
    pub(super) signals: &'static Signals,
    pub(super) watch: Watch,
}

/// What only the thread knows.
#[derive(Default)]
pub(super) struct Watch {
    resizes: Resizes,
    /// When the pending bytes are all that comes.
    quiet_at: Option<Mono>,
    /// When the process ends itself, and with which status.
    end: Option<(Mono, i32)>,
    /// The terminal is someone else's until then.
    away: Option<Mono>,
    gone: bool,
    empty_reads: u32,
}

impl Reader {
    pub(super) fn run(mut self, tty: BorrowedFd<'static>) {
        let signals = self.signals;
        let bell = signals.fd();
        loop {
            // While the terminal is someone else's, only its end is of interest; once it is gone, nothing.
            let wanted = if self.watch.away.is_some() { PollFlags::empty() } else { PollFlags::IN };
            let mut fds = [PollFd::new(&bell, PollFlags::IN), PollFd::new(&tty, wanted)];
            let polled = if self.watch.gone { fds.get_mut(..1) } else { Some(&mut fds[..]) };
            // Interrupted by a signal handler: the code below finds what it left.
            let _interrupted = poll(polled.unwrap_or_default(), self.limit().as_ref());
            let [woken, heard] = fds.map(|fd| fd.revents());
            if !heard.is_empty() {
                self.hear(tty, heard);
            }
            if !woken.is_empty() {
                self.obey(tty);
            }
            self.keep_time(tty);
            if self.shared.closed.load(Ordering::SeqCst) && self.watch.end.is_none() {
                return;
            }
        }
    }

    /// How long `poll` may wait: for ever when nothing is due.
    fn limit(&self) -> Option<Timespec> {
        let watch = &self.watch;
        let due = [watch.quiet_at, watch.resizes.when(), watch.end.map(|(at, _)| at), watch.away];
        let left = due.into_iter().flatten().min()?.since(now());
        Timespec::try_from(left).ok()
    }

    fn push(&self, input: Input) {
        self.shared.lock().inbox.push(now(), input);
        self.bell.ring();
    }

    /// Bytes, or the end.
    fn hear(&mut self, tty: BorrowedFd<'_>, events: PollFlags) {
        if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return self.hang_up();
        }
        let mut buffer = [0; 4_096];
        let mut typed = self.shared.lock();
        let at = now();
        let bytes = match rustix::io::read(tty, &mut buffer) {
            Ok(count @ 1..) => buffer.get(..count).unwrap_or_default(),
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {
                drop(typed);
                self.watch.empty_reads += 1;
                if self.watch.empty_reads > EMPTY_READS {
                    self.hang_up();
                }
                return;
            }
            Err(_) => {
                drop(typed);
                return self.hang_up();
            }
        };
        self.watch.empty_reads = 0;
        let inputs = typed.keys.feed(bytes);
        self.watch.quiet_at = typed.keys.patience().map(|patience| at + patience);
        self.deliver(typed, at, inputs);
    }

    fn deliver(&self, mut typed: MutexGuard<'_, Typed>, at: Mono, inputs: Vec<Input>) {
        let mut any = false;
        for input in inputs {
            let input = match input {
                Input::Fence(_) => match self.fences.answered(at) {
                    Some(id) => Input::Fence(id),
                    None => continue,
                },
                other => other,
            };
            typed.inbox.push(at, input);
            any = true;
        }
        drop(typed);
        if any {
            self.bell.ring();
        }
    }

    /// Signals, and what the loop or the writer asked for.
    fn obey(&mut self, tty: BorrowedFd<'_>) {
        let signals: Vec<Signal> = self.signals.take().collect();
        let continued = signals.contains(&Signal::Cont);
        for signal in signals {
            match signal {
                Signal::Hup if is_dead(tty) => self.hang_up(),
                Signal::Hup | Signal::Int | Signal::Quit | Signal::Term => {
                    self.push(Input::Stop(signal));
                    self.watch.end.get_or_insert((now() + AFTER_STOP, 128 + signal.number()));
                }
                Signal::Tstp if !continued => self.suspend(tty, false),
                Signal::Tstp => {}
                Signal::Cont => self.resume(tty),
                Signal::Usr1 => self.push(Input::Reload),
                Signal::Winch => self.watch.resizes.changed(now()),
            }
        }
        if guard::is_hung_up() {
            self.hang_up();
        }
        if self.shared.suspend.swap(false, Ordering::SeqCst) {
            self.suspend(tty, true);
        }
    }

    fn keep_time(&mut self, tty: BorrowedFd<'_>) {
        let now = now();
        if self.watch.quiet_at.is_some_and(|at| at <= now) {
            self.watch.quiet_at = None;
            let mut typed = self.shared.lock();
            let inputs = typed.keys.quiet();
            self.deliver(typed, now, inputs);
        }
        if self.watch.resizes.due(now) {
            self.tell_size(tty);
        }
        if self.watch.away.is_some_and(|at| at <= now) {
            self.resume(tty);
        }
        if let Some((at, status)) = self.watch.end
            && at <= now
        {
            guard::restore();
            group::end_all();
            exit_now(status);
        }
    }

    fn tell_size(&self, tty: BorrowedFd<'_>) {
        let (columns, rows) = size(tty);
        self.mailbox.set_size(columns, rows);
        // Also when the size is the old one again: what the terminal did in between is unknown.
        self.mailbox.distrust();
        self.push(Input::Resize(columns, rows));
    }

    /// Nothing is written to the terminal any more, and the end is near.
    fn hang_up(&mut self) {
        guard::hang_up();
        if !self.watch.gone {
            self.watch.gone = true;
            self.watch.end = Some((now() + AFTER_HANG_UP, 128 + Signal::Hup.number()));
            self.push(Input::HungUp);
        }
    }

    fn suspend(&mut self, tty: BorrowedFd<'_>, group: bool) {
        if self.watch.gone || self.watch.end.is_some() {
            return;
        }
        guard::restore();
        self.push(Input::Suspended);
        stop_self(group);
        self.signals.forget(Signal::Cont);
        self.resume(tty);
    }

    /// Takes the terminal again if it is ours; else really stops, as any program that needs it would.
    fn resume(&mut self, tty: BorrowedFd<'_>) {
        if self.watch.gone || self.shared.closed.load(Ordering::SeqCst) {
            return;
        }
        if !guard::in_foreground() {
            guard::give_away();
            stop_self(false);
            self.signals.forget(Signal::Cont);
        }
        if !guard::in_foreground() {
            self.watch.away = Some(now() + LOOK_AGAIN);
            return;
        }
        self.watch.away = None;
        self.mailbox.enter();
        guard::enter();
        let (columns, rows) = size(tty);
        if self.mailbox.size() != (columns, rows) {
            self.tell_size(tty);
        }
        self.mailbox.redraw();
        self.push(Input::Resumed);
    }
}

/// Columns and rows; 80×24 when the kernel does not know.
pub(super) fn size(tty: BorrowedFd<'_>) -> (u16, u16) {
    match tcgetwinsize(tty) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    }
}

fn is_dead(tty: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(&tty, PollFlags::empty())];
    let asked = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    asked.is_err() || fds.iter().any(|fd| !fd.revents().is_empty())
}

fn now() -> Mono {
    RealClock.now().mono
}
