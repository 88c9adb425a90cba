//! Signals as data: a handler sets a bit and rings an eventfd; whoever polls it takes the bits.
//! Handlers rather than a blocked mask and a signalfd: children inherit a mask through `exec`, never a handler.
//! Also the fatal ones (SIGSEGV and kin), which run one registered hook on their own stack, then die as they would have.

use super::child::wait_readable;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::Builder;

/// The signals that the console answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The terminal or the session has gone.
    Hup,
    /// Stop, please (sent, never typed: the terminal is raw).
    Int,
    /// Stop, please.
    Quit,
    /// Stop, please.
    Term,
    /// Job control: suspend.
    Tstp,
    /// Job control: go on.
    Cont,
    /// Reload the profile.
    Usr1,
    /// The window has changed its size.
    Winch,
}

impl Signal {
    const ALL: [Self; 8] =
        [Self::Hup, Self::Int, Self::Quit, Self::Term, Self::Tstp, Self::Cont, Self::Usr1, Self::Winch];

    /// The kernel's number; the exit status of a process that it ended is 128 more.
    pub fn number(self) -> i32 {
        match self {
            Self::Hup => libc::SIGHUP,
            Self::Int => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Term => libc::SIGTERM,
            Self::Tstp => libc::SIGTSTP,
            Self::Cont => libc::SIGCONT,
            Self::Usr1 => libc::SIGUSR1,
            Self::Winch => libc::SIGWINCH,
        }
    }
}

/// The process's signals; there is one.
#[derive(Debug)]
pub struct Signals {
    bell: OwnedFd,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();
static PENDING: AtomicU32 = AtomicU32::new(0);
static FATAL: OnceLock<fn()> = OnceLock::new();

/// Starts to listen (the first call installs the handlers). A signal that was ignored when the process started
/// stays ignored, as `nohup` wants; SIGPIPE is ignored from now on.
///
/// # Errors
/// When no eventfd can be had.
pub fn listen() -> io::Result<&'static Signals> {
    listen_to(&Signal::ALL)
}

fn listen_to(wanted: &[Signal]) -> io::Result<&'static Signals> {
    if let Some(signals) = SIGNALS.get() {
        return Ok(signals);
    }
    let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let signals = SIGNALS.get_or_init(|| Signals { bell });
    for signal in wanted {
        if !is_ignored(signal.number()) {
            set_action(signal.number(), handle as *const () as libc::sighandler_t, libc::SA_RESTART);
        }
    }
    set_action(libc::SIGPIPE, libc::SIG_IGN, 0);
    Ok(signals)
}

impl Signals {
    /// Readable when a signal waits or [`Signals::wake`] was called.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Wakes whoever polls, without a signal.
    pub fn wake(&self) {
        // A full counter means that it is awake already.
        let _full = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Takes what has come since the last call, each signal once, in the order of [`Signal`].
    pub fn take(&self) -> impl Iterator<Item = Signal> {
        let mut count = [0; 8];
        let _empty: Result<usize, Errno> = rustix::io::read(&self.bell, &mut count);
        let bits = PENDING.swap(0, Ordering::SeqCst);
        Signal::ALL.into_iter().filter(move |signal| bits & bit(signal.number()) != 0)
    }

    /// Forgets a signal that may have come.
    pub fn forget(&self, signal: Signal) {
        PENDING.fetch_and(!bit(signal.number()), Ordering::SeqCst);
    }
}

/// Ends this process as the kernel does when it needs its memory.
pub fn kill_self() {
    // One's own process is always there, and its own to kill.
    let _none = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// Really stops this process (with its whole process group when `group`, as the terminal's own Ctrl-Z does) and
/// returns after SIGCONT. In an orphaned process group the kernel does not stop anyone: then it returns at once.
pub fn stop_self(group: bool) {
    if group {
        set_action(libc::SIGTSTP, libc::SIG_IGN, 0);
        // Our own process group always exists.
        let _none = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
    }
    set_action(libc::SIGTSTP, libc::SIG_DFL, 0);
    // Sent to this thread, the signal stops the process before this call returns; sent to the process, some time later.
    raise(libc::SIGTSTP);
    set_action(libc::SIGTSTP, handle as *const () as libc::sighandler_t, libc::SA_RESTART);
}

/// Runs `hook` when a signal asks this process to stop, which then dies of it. For a process that answers no signal
/// otherwise; a second call changes nothing.
///
/// # Errors
/// When no eventfd or no thread can be had.
pub fn on_stop(hook: fn()) -> io::Result<()> {
    if SIGNALS.get().is_some() {
        return Ok(());
    }
    let signals = listen_to(&[Signal::Hup, Signal::Int, Signal::Quit, Signal::Term])?;
    let work = move || {
        loop {
            let _again = wait_readable(&[signals.fd()], None);
            if let Some(signal) = signals.take().next() {
                hook();
                set_action(signal.number(), libc::SIG_DFL, 0);
                raise(signal.number());
            }
        }
    };
    Builder::new().name("on-stop".to_owned()).stack_size(64 * 1024).spawn(work)?;
    Ok(())
}

/// Runs `hook` (async-signal-safe: only system calls and atomics) when SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT
/// kills the process. The handler runs on the alternate stack that std gives to every thread of ours; the calling
/// thread gets one here if it has none. A thread of a foreign library without one dies unrestored on stack overflow.
pub fn on_fatal(hook: fn()) {
    if FATAL.set(hook).is_err() {
        return;
    }
    ensure_stack();
    for number in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT] {
        set_action(number, handle_fatal as *const () as libc::sighandler_t, libc::SA_ONSTACK);
    }
}

/// Ends the process now: no destructor, no exit handler, no flush.
pub fn exit_now(code: i32) -> ! {
    #[expect(unsafe_code, reason = "FFI: std has no _exit")]
    // SAFETY: _exit takes any integer and never returns.
    unsafe {
        libc::_exit(code)
    }
}

/// Runs `work` with SIGTTOU blocked in this thread, so that setting the modes of a tty never stops the process.
/// Async-signal-safe.
pub fn without_ttou<R>(work: impl FnOnce() -> R) -> R {
    let mut set = empty_set();
    let mut old = empty_set();
    #[expect(unsafe_code, reason = "FFI: std has no signal mask")]
    // SAFETY: `set` is initialised and 22 is a valid signal number.
    unsafe {
        libc::sigaddset(&raw mut set, libc::SIGTTOU);
    }
    #[expect(unsafe_code, reason = "FFI: std has no signal mask")]
    // SAFETY: both sets are initialised and live through the call.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut old);
    }
    let result = work();
    #[expect(unsafe_code, reason = "FFI: std has no signal mask")]
    // SAFETY: `old` was filled by the call above; a null old set is allowed.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const old, core::ptr::null_mut());
    }
    result
}

fn bit(number: i32) -> u32 {
    u32::try_from(number).map_or(0, |number| 1 << (number & 31))
}

extern "C" fn handle(number: libc::c_int) {
    // rustix enters the kernel directly on Linux: `errno` of the interrupted code stays as it is.
    PENDING.fetch_or(bit(number), Ordering::SeqCst);
    if let Some(signals) = SIGNALS.get() {
        signals.wake();
    }
}

extern "C" fn handle_fatal(number: libc::c_int) {
    if let Some(hook) = FATAL.get() {
        hook();
    }
    set_action(number, libc::SIG_DFL, 0);
    // Blocked until this handler returns; then it kills.
    raise(number);
}

fn raise(number: i32) {
    #[expect(unsafe_code, reason = "FFI: std has no raise")]
    // SAFETY: raise takes any number and is async-signal-safe.
    unsafe {
        libc::raise(number);
    }
}

fn empty_set() -> libc::sigset_t {
    let mut set = core::mem::MaybeUninit::uninit();
    #[expect(unsafe_code, reason = "FFI: std has no signal mask")]
    // SAFETY: sigemptyset initialises the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
    }
    #[expect(unsafe_code, reason = "initialised by the call above")]
    // SAFETY: sigemptyset initialised it.
    unsafe {
        set.assume_init()
    }
}

fn set_action(number: i32, handler: libc::sighandler_t, flags: i32) {
    let action = libc::sigaction { sa_sigaction: handler, sa_mask: empty_set(), sa_flags: flags, sa_restorer: None };
    #[expect(unsafe_code, reason = "FFI: std has no signal handlers")]
    // SAFETY: the action is complete; its handler, if any, makes only async-signal-safe calls.
    unsafe {
        libc::sigaction(number, &raw const action, core::ptr::null_mut());
    }
}

fn is_ignored(number: i32) -> bool {
    let mut old = libc::sigaction { sa_sigaction: libc::SIG_DFL, sa_mask: empty_set(), sa_flags: 0, sa_restorer: None };
    #[expect(unsafe_code, reason = "FFI: std has no signal handlers")]
    // SAFETY: a null new action only asks; `old` lives through the call.
    unsafe {
        libc::sigaction(number, core::ptr::null(), &raw mut old);
    }
    old.sa_sigaction == libc::SIG_IGN
}

/// Gives the calling thread an alternate stack if it has none; it lives as long as the process.
fn ensure_stack() {
    const SIZE: usize = 64 * 1024;
    let mut old = libc::stack_t { ss_sp: core::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    #[expect(unsafe_code, reason = "FFI: std has no alternate stacks")]
    // SAFETY: a null new stack only asks; `old` lives through the call.
    unsafe {
        libc::sigaltstack(core::ptr::null(), &raw mut old);
    }
    if old.ss_flags & libc::SS_DISABLE == 0 {
        return;
    }
    let stack: &'static mut [u8] = Box::leak(vec![0; SIZE].into_boxed_slice());
    let new = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: SIZE };
    #[expect(unsafe_code, reason = "FFI: std has no alternate stacks")]
    // SAFETY: the stack is leaked, so it stays valid and is used by nothing else.
    unsafe {
        libc::sigaltstack(&raw const new, core::ptr::null_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{Signal as Kernel, getpid, kill_process};
    use rustix::time::Timespec;

    #[test]
    fn a_signal_arrives_once_as_data() {
        let signals = listen().unwrap();
        kill_process(getpid(), Kernel::USR1).unwrap();
        kill_process(getpid(), Kernel::USR1).unwrap();
        let fd = signals.fd();
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&Timespec { tv_sec: 5, tv_nsec: 0 })).unwrap();
        assert_eq!(signals.take().collect::<Vec<_>>(), [Signal::Usr1]);
        assert_eq!(signals.take().count(), 0);
    }

    #[test]
    fn setting_modes_from_the_background_does_not_stop_us() {
        let hidden = without_ttou(|| {
            let mut set = empty_set();
            #[expect(unsafe_code, reason = "asks for this thread's mask")]
            // SAFETY: a null new mask only asks.
            unsafe {
                libc::pthread_sigmask(libc::SIG_BLOCK, core::ptr::null(), &raw mut set);
            }
            #[expect(unsafe_code, reason = "reads an initialised set")]
            // SAFETY: filled by the call above.
            unsafe {
                libc::sigismember(&raw const set, libc::SIGTTOU)
            }
        });
        assert_eq!(hidden, 1);
    }
}
