//! Starts a process that outlives us: own session, no terminal, nothing inherited but what is declared (safety.md 4.3).

use super::logind;
use super::program::{Ended, Order};
use super::run::run;
use crate::base::{Clock, Fault};
use core::time::Duration;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::write;
use rustix::process::{Resource, Rlimit, setrlimit, setsid, umask};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every program that we start finds in its environment.
pub(super) const PLAIN_ENV: [(&str, &str); 3] =
    [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8"), ("TERM", "dumb")];

/// systemd starts a unit within this time, or it is started without.
const UNIT_START: Duration = Duration::from_secs(5);

/// What to start, and all that it may know.
#[derive(Clone, Debug)]
pub struct Detached {
    /// Absolute path of the program; `None` is our own image, even when its file was replaced since.
    pub program: Option<PathBuf>,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment besides PATH, LANG and TERM.
    pub env: Vec<(OsString, OsString)>,
}

/// Starts it as a grandchild in its own session, with `/` as its folder, umask 077, no core dumps, standard input
/// and output on `/dev/null`, standard error to `errors`. Returns when the program runs.
///
/// # Errors
/// When it cannot be started, with the system's reason.
pub fn spawn_detached(what: &Detached, errors: File) -> Result<(), Fault> {
    let program = what.program.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts processes that outlive us")]
    let mut command = Command::new(&program);
    command
        .arg0("watchkeeper")
        .args(&what.args)
        .env_clear()
        .envs(PLAIN_ENV)
        .envs(what.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(errors));
    #[expect(unsafe_code, reason = "the detaching happens between fork and exec")]
    // SAFETY: `detach` makes only async-signal-safe calls and allocates nothing.
    unsafe {
        command.pre_exec(detach);
    }
    let started = command.spawn().and_then(|mut child| child.wait());
    match started {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Fault::new(format!("the runner could not be detached: {status}."))),
        Err(error) => Err(Fault::new(format!("cannot start {}: {error}.", program.display()))),
    }
}

/// Where systemd's helper is.
const SYSTEMD_RUN: &str = "/usr/bin/systemd-run";

/// Starts it in a transient unit of its own, where systemd runs and lets us: then no end of the session takes it along,
/// not even logind's. Root has it from the system's manager, another login from its own where that goes on after it.
/// `None` where that cannot be had; standard error goes to the end of `errors`.
pub fn spawn_in_unit(what: &Detached, unit: &str, errors: &Path, clock: &dyn Clock) -> Option<()> {
    let root = rustix::process::geteuid().is_root();
    let runtime = if root { logind::booted().then_some(None) } else { logind::lasting_manager().map(Some) }?;
    // Our own image only under its name: a replaced file is another program.
    let program = what.program.clone().or_else(|| {
        let named = std::env::current_exe().ok()?;
        let same = |path: &Path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        (same(&named)? == same(Path::new("/proc/self/exe"))?).then_some(named)
    })?;
    let mut args = unit_args((&program, what), unit, errors)?;
    let mut env = Vec::new();
    if let Some(runtime) = runtime {
        args.insert(0, "--user".to_owned());
        env.push(("XDG_RUNTIME_DIR".to_owned(), runtime.to_str()?.to_owned()));
    }
    let order = Order { program: SYSTEMD_RUN.into(), args, env, ..Order::default() };
    match run(&order, UNIT_START, clock) {
        Ok(ran) if ran.ended == Ended::Code(0) => Some(()),
        Ok(ran) => {
            let said = ran.stderr.last_line().unwrap_or_default();
            tracing::warn!("no unit of its own for {unit}: {} {said}", ran.ended);
            None
        }
        Err(stopped) => {
            tracing::warn!("no unit of its own for {unit}: {stopped:?}");
            None
        }
    }
}

/// What `systemd-run` is told; `None` for what cannot be said in text.
fn unit_args((program, what): (&Path, &Detached), unit: &str, errors: &Path) -> Option<Vec<String>> {
    let mut args: Vec<String> =
        ["--quiet", "--collect", "--no-ask-password", "--service-type=exec"].map(str::to_owned).into();
    args.push(format!("--unit={unit}"));
    args.push("--description=Watchkeeper: one confirmed action".to_owned());
    // A service that an action's command started outlives the runner: KillMode.
    let properties = [
        "UMask=0077",
        "LimitCORE=0",
        "KillMode=process",
        "WorkingDirectory=/",
        "StandardInput=null",
        "StandardOutput=null",
    ];
    args.extend(properties.map(|property| format!("--property={property}")));
    args.push(format!("--property=StandardError=append:{}", errors.to_str()?));
    for (name, value) in &what.env {
        args.push(format!("--setenv={}={}", name.to_str()?, value.to_str()?));
    }
    args.extend(PLAIN_ENV.map(|(name, value)| format!("--setenv={name}={value}")));
    args.push("--".to_owned());
    args.push(program.to_str()?.to_owned());
    for arg in &what.args {
        args.push(arg.to_str()?.to_owned());
    }
    Some(args)
}

/// In the child: leave the session, fork once more so that no terminal can ever be had, keep no descriptor.
fn detach() -> io::Result<()> {
    setsid()?;
    #[expect(unsafe_code, reason = "there is no safe fork")]
    // SAFETY: between fork and exec of a child with one thread; the parent leaves at once.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        _ => {
            #[expect(unsafe_code, reason = "no exit handler of the console may run here")]
            // SAFETY: ends this process at once.
            unsafe {
                libc::_exit(0)
            }
        }
    }
    // A hang-up is never meant for the runner.
    confine(libc::SIG_IGN)
}

/// In a child before exec: private files, no core dumps, no more and no less in danger than others when memory runs out,
/// signals by default, no descriptor but the standard three.
pub(super) fn confine(hang_up: libc::sighandler_t) -> io::Result<()> {
    umask(Mode::from_raw_mode(0o077));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    usual_oom_score();
    default_signals(hang_up);
    close_on_exec();
    Ok(())
}

/// Whoever started the console may have kept it from the kernel's killer, or offered it up: that is not for its children.
fn usual_oom_score() {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    // A login that was offered up with all it starts may not take that back.
    let _best_effort = open(c"/proc/self/oom_score_adj", flags, Mode::empty()).and_then(|file| write(&file, b"0"));
}

/// Whatever the console ignores or holds back, a child takes by default.
fn default_signals(hang_up: libc::sighandler_t) {
    // Both in the kernel's own form (handler, flags, restorer, mask), for the C library keeps two signals to itself that
    // its `posix_spawn` leaves ignored.
    let nothing = [0_u64];
    #[expect(unsafe_code, reason = "what is held back outlives exec")]
    // SAFETY: async-signal-safe; reads no more than `nothing` has.
    unsafe {
        let (how, nobody) = (libc::SIG_SETMASK, core::ptr::null::<u8>());
        libc::syscall(libc::SYS_rt_sigprocmask, how, nothing.as_ptr(), nobody, size_of_val(&nothing));
    }
    for signal in 1..=64 {
        let how = if signal == libc::SIGHUP { hang_up } else { libc::SIG_DFL };
        let action = [how, 0, 0, 0, 0, 0];
        #[expect(unsafe_code, reason = "signal dispositions outlive exec")]
        // SAFETY: async-signal-safe; reads no more than `action` has; numbers that do not exist are refused by the call.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                action.as_ptr(),
                core::ptr::null::<u8>(),
                size_of_val(&nothing),
            );
        }
    }
}

/// Every descriptor but the standard three ends at exec (the one that reports a failed exec does so already).
fn close_on_exec() {
    #[expect(unsafe_code, reason = "close_range has no safe wrapper here")]
    // SAFETY: only sets flags on descriptors.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 4_u32) };
    if done == 0 {
        return;
    }
    for fd in 3..4_096 {
        #[expect(unsafe_code, reason = "a kernel without close_range")]
        // SAFETY: only sets a flag; closed numbers are refused by the call.
        unsafe {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// Our own process number.
pub fn pid() -> u32 {
    std::process::id()
}

/// Set to 1 in our environment it makes a console that only looks, and a runner that refuses.
pub const READ_ONLY: &str = "WATCHKEEPER_READ_ONLY";

/// Whether whoever started us lets us look only.
pub fn told_to_look() -> bool {
    std::env::var_os(READ_ONLY).is_some_and(|value| value == "1")
}

/// These variables of our own environment, where set: what a detached process may be told.
pub fn inherited(names: &[&str]) -> Vec<(OsString, OsString)> {
    names.iter().filter_map(|name| std::env::var_os(name).map(|value| (OsString::from(name), value))).collect()
}

/// The same as text; what is no UTF-8 is left out.
pub fn inherited_texts(names: &[&str]) -> Vec<(String, String)> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect()
}

/// The variables of our own environment whose names are accepted.
pub fn inherited_where(accepts: fn(&str) -> bool) -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(accepts)).collect()
}
