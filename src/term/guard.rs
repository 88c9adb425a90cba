//! Puts the terminal back, whatever happens: one constant byte string and the saved modes.
//! Everything here that restores is async-signal-safe, idempotent, and reachable from the panic hook and from the
//! fatal-signal handlers. One terminal per process.

use crate::base::{Clock, Mono};
use crate::sys::clock::RealClock;
use crate::sys::signal;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::time::Duration;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, write};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp,
    tcsetattr, ttyname,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

/// Alternate screen, no cursor, no wrapping at the edge, bracketed paste, focus events.
pub(super) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[?1004h";

/// Ends a synchronised update, margins off, plain pen, mouse, focus events and paste marks off, keyboard flags
/// popped, wrapping on, main screen, cursor shown. The title was never touched.
pub const RESTORE: &[u8] = b"\x1b[?2026l\x1b[r\x1b[m\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\
\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h";

/// A terminal that does not take the restore string within this is left without it.
const BUDGET: Duration = Duration::from_millis(200);
/// How long a second restorer waits for the first to finish.
const OTHERS: Duration = Duration::from_millis(300);

/// What a terminal that can take anything takes without blocking, nearly always.
const SMALL: usize = 256;

const CLOSED: u8 = 0;
const ACTIVE: u8 = 1;
const RESTORING: u8 = 2;
const RESTORED: u8 = 3;
const HUNG_UP: u8 = 4;

static TTY: OnceLock<Tty> = OnceLock::new();
static STATE: AtomicU8 = AtomicU8::new(CLOSED);
/// The enter string has begun to go out: the restore string is due.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// A thread is inside a write of frame bytes.
static WRITING: AtomicBool = AtomicBool::new(false);

struct Tty {
    fd: OwnedFd,
    saved: Termios,
    raw: Termios,
    found_raw: bool,
    /// The descriptor is a copy of the shell's: its flags are not ours, so a write may block.
    blocking: bool,
}

/// Opens our own descriptor of the terminal, saves its modes, and sets it raw.
/// The descriptor is a new open file (never the shell's, whose flags are not ours to change), so it can be
/// non-blocking; only where nothing can be opened it is a copy of the shell's, and stays blocking.
///
/// # Errors
/// When there is no terminal, one is open already, or it belongs to another job and nobody can stop us.
pub(super) fn open_tty() -> io::Result<()> {
    let (fd, blocking) = find()?;
    if !is_ours(fd.as_fd()) {
        // Started in the background: wait to be brought forward; the modes now are the shell's own.
        signal::stop_self(false);
    }
    if !is_ours(fd.as_fd()) {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the terminal belongs to another job"));
    }
    let mut saved = tcgetattr(&fd)?;
    let found_raw = !saved.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO);
    let mut raw = saved.clone();
    raw.make_raw();
    // A read returns at once, with nothing rather than never, also where the descriptor blocks.
    raw.special_codes[SpecialCodeIndex::VMIN] = 0;
    raw.special_codes[SpecialCodeIndex::VTIME] = 0;
    if found_raw {
        make_sane(&mut saved);
    }
    let tty = Tty { fd, saved, raw, found_raw, blocking };
    if TTY.set(tty).is_err() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the terminal is open already"));
    }
    signal::on_fatal(restore);
    enter();
    Ok(())
}

fn find() -> io::Result<(OwnedFd, bool)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let controlling = || open("/dev/tty", flags, Mode::empty());
    let Some(given) = [rustix::stdio::stdout(), rustix::stdio::stdin()].into_iter().find(|fd| isatty(fd)) else {
        return Ok((controlling()?, false));
    };
    let own = ttyname(given, Vec::new()).and_then(|name| open(name, flags, Mode::empty()));
    // After `su` the terminal's file belongs to someone else, but a process may always open its controlling terminal.
    match own.or_else(|_| controlling()) {
        Ok(fd) => Ok((fd, false)),
        Err(_) => Ok((rustix::io::fcntl_dupfd_cloexec(given, 3)?, true)),
    }
}

/// What `stty sane` would set, as far as a raw program may have changed it.
fn make_sane(modes: &mut Termios) {
    modes.input_modes |= InputModes::BRKINT | InputModes::ICRNL | InputModes::IXON;
    modes.input_modes.remove(InputModes::IGNBRK | InputModes::INLCR | InputModes::IGNCR);
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    modes.local_modes |= LocalModes::ICANON
        | LocalModes::ECHO
        | LocalModes::ECHOE
        | LocalModes::ECHOK
        | LocalModes::ISIG
        | LocalModes::IEXTEN;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
}

/// The terminal; `None` before it was opened.
pub(super) fn tty() -> Option<BorrowedFd<'static>> {
    TTY.get().map(|tty| tty.fd.as_fd())
}

/// Whether the terminal was raw already when we came: left so by a program that died.
pub(super) fn found_raw() -> bool {
    TTY.get().is_some_and(|tty| tty.found_raw)
}

/// Sets the terminal raw and lets the writer write; the writer sends [`ENTER`].
pub(super) fn enter() {
    if let Some(tty) = TTY.get()
        && STATE.load(Ordering::SeqCst) != HUNG_UP
    {
        set_modes(tty, &tty.raw);
        STATE.store(ACTIVE, Ordering::SeqCst);
    }
}

/// The terminal has become someone else's, with modes of their own: nothing to restore, nothing to write.
pub(super) fn give_away() {
    let _not_ours = STATE.compare_exchange(ACTIVE, RESTORED, Ordering::SeqCst, Ordering::SeqCst);
}

/// Whether the terminal's group is ours, so that we may use the terminal. True when nobody can tell.
pub(super) fn in_foreground() -> bool {
    tty().is_none_or(is_ours)
}

fn is_ours(tty: BorrowedFd<'_>) -> bool {
    tcgetpgrp(tty).map_or(true, |group| group == rustix::process::getpgrp())
}

/// Whether the terminal may be written to.
pub(super) fn is_active() -> bool {
    STATE.load(Ordering::SeqCst) == ACTIVE
}

/// The terminal is gone: nothing is written to it any more, not even by [`restore`].
pub(super) fn hang_up() {
    STATE.store(HUNG_UP, Ordering::SeqCst);
}

/// Whether [`hang_up`] was called.
pub(super) fn is_hung_up() -> bool {
    STATE.load(Ordering::SeqCst) == HUNG_UP
}

/// Writes frame bytes as far as the terminal takes them now; restoring waits for the end of this call, and after
/// it nothing goes out.
///
/// # Errors
/// `AGAIN` when the terminal is full; `CANCELED` when it is not ours now; what the kernel says otherwise.
pub(super) fn write_some(bytes: &[u8]) -> rustix::io::Result<usize> {
    let Some(tty) = TTY.get() else { return Err(Errno::CANCELED) };
    WRITING.store(true, Ordering::SeqCst);
    let result = if is_active() {
        ENTERED.store(true, Ordering::SeqCst);
        tty.write(bytes)
    } else {
        Err(Errno::CANCELED)
    };
    WRITING.store(false, Ordering::SeqCst);
    result
}

impl Tty {
    fn write(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        if !self.blocking {
            return write(&self.fd, bytes);
        }
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if fds.iter().any(|fd| fd.revents().is_empty()) {
            return Err(Errno::AGAIN);
        }
        write(&self.fd, bytes.get(..SMALL).unwrap_or(bytes))
    }
}

/// Modes first, bytes second, each step whatever the others return; at most 200 ms; does nothing the second time,
/// nor when the terminal is gone. Async-signal-safe.
pub fn restore() {
    let Some(tty) = TTY.get() else { return };
    let start = now();
    match STATE.compare_exchange(ACTIVE, RESTORING, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) => {}
        Err(RESTORING) => {
            while STATE.load(Ordering::SeqCst) == RESTORING && now().since(start) < OTHERS {
                pause();
            }
            return;
        }
        Err(_) => return,
    }
    set_modes(tty, &tty.saved);
    // The writer is within one non-blocking write at most; if it crashed there, this ends soon.
    while WRITING.load(Ordering::SeqCst) && now().since(start) < Duration::from_millis(20) {
        pause();
    }
    if ENTERED.swap(false, Ordering::SeqCst) {
        write_within(tty.fd.as_fd(), RESTORE, start + BUDGET);
    }
    STATE.store(RESTORED, Ordering::SeqCst);
}

fn set_modes(tty: &Tty, modes: &Termios) {
    // Also from the background: whoever stopped us there would otherwise keep us from restoring.
    let _gone = signal::without_ttou(|| tcsetattr(&tty.fd, OptionalActions::Now, modes));
}

/// Writes `bytes` to a descriptor that may block, without blocking beyond `deadline`. Errors are ignored.
pub(super) fn write_within(fd: BorrowedFd<'_>, bytes: &[u8], deadline: Mono) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let left = deadline.since(now());
        let Ok(limit) = Timespec::try_from(left) else { return };
        let mut fds = [PollFd::new(&fd, PollFlags::OUT)];
        match poll(&mut fds, Some(&limit)) {
            Ok(1..) if fds.iter().all(|fd| fd.revents() == PollFlags::OUT) => {}
            Err(Errno::INTR) => continue,
            _ => return,
        }
        match write(fd, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

fn now() -> Mono {
    RealClock.now().mono
}

fn pause() {
    let _none = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 200_000 }));
}
