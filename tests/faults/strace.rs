//! The real runner, alone or with a fault that strace makes at one of its system calls.

use crate::peer::Running;
use crate::scene::Scene;
use crate::world::Case;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use watchkeeper::action::lifecycle::Run;
use watchkeeper::action::plan::Plan;
use watchkeeper::action::prompt::{Acceptance, Confirm};
use watchkeeper::sys::reserve::Reserve;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The runner, or a child of it, dies before a call that changes something.
    Kill,
    /// EIO of an fsync.
    Sync,
    /// ENOSPC of a write.
    Full,
    /// EACCES of a rename.
    Rename,
    /// EMFILE of an open.
    Descriptors,
    /// ENFILE of an open.
    Files,
    /// EAGAIN of a fork, or of the start of a thread.
    Fork,
    /// EXDEV of a rename.
    Elsewhere,
    /// EROFS of whatever changes a file.
    ReadOnly,
    /// EDQUOT of a write.
    Quota,
    /// An fsync that takes longer than the journal waits.
    Slow,
    /// A write that ends where a file may not grow any more, without strace: what it could write it has written.
    Short,
}

/// Calls that change something outside of the process.
pub(crate) const CHANGES: &str = "write,pwrite64,writev,copy_file_range,sendfile,ftruncate,fallocate,fsync,fdatasync,rename,\
    renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,fchmod,fchmodat,fchown,fchownat,utimensat,fsetxattr,\
    symlinkat,mknodat,lchown,?fchmodat2,pwritev,sendto,sendmsg,pidfd_send_signal,kill";

const OPENS: &str = "openat,openat2,pidfd_open,socket,pipe2";
const GROWS: &str = "write,pwrite64,writev,copy_file_range,sendfile,fallocate,mkdirat,mkdir";
/// Sizes that are tried for the largest file: the squares of 4 to 160 bytes.
const SIZES: u32 = 40;

/// Those of them that a read-only file system refuses.
const ON_FILES: &str = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,fchmod,fchmodat,fchown,\
    fchownat,utimensat,fsetxattr,symlinkat,ftruncate,fallocate";

impl Fault {
    pub(crate) const ALL: [Self; 12] = [
        Self::Kill,
        Self::Sync,
        Self::Full,
        Self::Quota,
        Self::ReadOnly,
        Self::Short,
        Self::Slow,
        Self::Rename,
        Self::Elsewhere,
        Self::Descriptors,
        Self::Files,
        Self::Fork,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed",
            Self::Sync => "fsync EIO",
            Self::Full => "ENOSPC",
            Self::Rename => "rename EACCES",
            Self::Descriptors => "EMFILE",
            Self::Files => "ENFILE",
            Self::Fork => "fork EAGAIN",
            Self::Elsewhere => "rename EXDEV",
            Self::ReadOnly => "EROFS",
            Self::Quota => "EDQUOT",
            Self::Slow => "fsync 2.5 s",
            Self::Short => "short write",
        }
    }

    /// The names of the calls that it can hit.
    fn names(self) -> impl Iterator<Item = &'static str> {
        self.rule().0.split(',').map(str::trim).filter(|name| !name.is_empty())
    }

    /// Where it can hit a run with these calls: every call of each name, as often as one process or thread makes it.
    pub(crate) fn points(self, calls: &[(String, String)]) -> Vec<Point> {
        if self == Self::Short {
            return (1..=SIZES).map(|at| (String::new(), at)).collect();
        }
        let hit = |name: &str| self.names().any(|known| known.trim_start_matches('?') == name);
        points(calls.iter().filter(|(_, name)| hit(name)))
    }

    /// The calls that it can hit, and what then happens.
    const fn rule(self) -> (&'static str, &'static str) {
        match self {
            Self::Kill => (CHANGES, "signal=SIGKILL"),
            Self::Sync => ("fsync,fdatasync", "error=EIO"),
            Self::Full => (GROWS, "error=ENOSPC"),
            Self::Quota => (GROWS, "error=EDQUOT"),
            Self::Slow => ("fsync,fdatasync", "delay_exit=2500000"),
            Self::Short => ("", ""),
            Self::Rename => ("rename,renameat,renameat2,link,linkat", "error=EACCES"),
            Self::Descriptors => (OPENS, "error=EMFILE"),
            Self::Files => (OPENS, "error=ENFILE"),
            Self::Fork => ("clone,clone3,fork,vfork", "error=EAGAIN"),
            Self::Elsewhere => ("rename,renameat,renameat2,link,linkat", "error=EXDEV"),
            Self::ReadOnly => (ON_FILES, "error=EROFS"),
        }
    }
}

/// A call, and the how manieth of its name: strace counts each name for itself.
pub(crate) type Point = (String, u32);

/// What makes it happen there.
pub(crate) fn inject((name, at): &Point, what: &str) -> String {
    format!("inject={name}:{what}:when={at}")
}

/// All points of these calls: each name as often as one thread makes it.
pub(crate) fn points<'a>(calls: impl IntoIterator<Item = &'a (String, String)>) -> Vec<Point> {
    let mut by_thread: BTreeMap<&(String, String), u32> = BTreeMap::new();
    for call in calls {
        *by_thread.entry(call).or_default() += 1;
    }
    let mut most: BTreeMap<&str, u32> = BTreeMap::new();
    for ((_, name), count) in by_thread {
        let known = most.entry(name).or_default();
        *known = count.max(*known);
    }
    most.into_iter().flat_map(|(name, most)| (1..=most).map(move |at| (name.to_owned(), at))).collect()
}

/// The calls of a log in order: who made it, and its name.
pub(crate) fn calls(log: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(log).unwrap();
    let call = |line: &str| {
        let (thread, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        plain.then(|| (thread.to_owned(), name.to_owned()))
    };
    text.lines().filter_map(call).collect()
}

/// Whether every point is taken.
pub(crate) fn long() -> bool {
    std::env::var_os("WATCHKEEPER_LONG").is_some()
}

/// Whether strace is here and may trace.
pub(crate) fn works() -> bool {
    let traced = Command::new("strace").args(["-qq", "-o", "/dev/null", "/bin/true"]).stderr(Stdio::null()).status();
    traced.is_ok_and(|status| status.success())
}

/// An accepted order, for runners.
pub(crate) struct Runner {
    pub(crate) run: Run,
    pub(crate) plan: Plan,
    limit: String,
}

impl Runner {
    /// Plans the case and hands it over, as a console does.
    pub(crate) fn order(scene: &Scene, case: &Case) -> Self {
        let plan =
            scene.plan(case.kind, &(case.table)(scene)).unwrap_or_else(|fault| panic!("{}: {fault}", case.name()));
        let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 2_310, reason: None };
        let run = Run::of(&scene.state(), plan.id);
        Reserve::of(&scene.state()).keep();
        run.write_order(&Acceptance { plan: plan.clone(), confirm }).unwrap();
        run.begin_output().unwrap();
        Self { run, plan, limit: case.limit.to_string() }
    }

    /// The calls that these faults can hit in a run that has none.
    pub(crate) fn calls(scene: &Scene, case: &Case, faults: &[Fault]) -> Vec<(String, String)> {
        let again = Scene::new();
        (case.arrange)(&again);
        let log = scene.path("calls");
        let named: Vec<&str> = faults.iter().flat_map(|fault| fault.names()).collect();
        if named.is_empty() {
            return Vec::new();
        }
        // With each of them told it takes its time.
        let whole = Self { limit: (4 * case.limit).to_string(), ..Self::order(&again, case) };
        let traced = whole.traced(&["-e".to_owned(), format!("trace={}", named.join(","))], &log);
        assert!(traced, "{}: without a fault it works", case.name());
        calls(&log)
    }

    /// Runs it with the fault at this point of each of its processes and threads; the exit code counts for nothing.
    pub(crate) fn broken(&self, fault: Fault, point: &Point) {
        let (name, at) = point;
        if fault == Fault::Short {
            return self.limited(16 * at * at);
        }
        let what = inject(point, fault.rule().1);
        self.traced(&["-e".to_owned(), format!("trace={name}"), "-e".to_owned(), what], Path::new("/dev/null"));
    }

    fn traced(&self, how: &[String], log: &Path) -> bool {
        let mut strace = Command::new("strace");
        // A fault may hit the wake-up of a thread, which no disk does: such a runner is ended, and judged as any other.
        let within = ["--", "/usr/bin/timeout", "--signal=KILL", &self.limit];
        strace.args(["-f", "-qq", "-o"]).arg(log).args(how).args(within).arg(env!("CARGO_BIN_EXE_watchkeeper"));
        let status = strace.arg("runner").arg(self.run.dir()).stdin(Stdio::null()).stderr(Stdio::null()).status();
        status.unwrap().code().is_some_and(|code| code == 0 || code == 2)
    }

    /// Runs it where no file may be larger, and the signal that would say so is ignored.
    fn limited(&self, bytes: u32) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", "/usr/bin/timeout", "--signal=KILL", &self.limit]);
        shell.args(["/usr/bin/prlimit", &format!("--fsize={bytes}"), env!("CARGO_BIN_EXE_watchkeeper"), "runner"]);
        shell.arg(self.run.dir()).stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }

    /// Starts it without a fault.
    pub(crate) fn start(&self) -> Running {
        self.start_with(&[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_with(&self, env: &[(&str, &str)]) -> Running {
        let mut runner = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        runner.arg("runner").arg(self.run.dir()).envs(env.iter().copied());
        Running::start(&mut runner, Stdio::null(), Stdio::null())
    }
}
