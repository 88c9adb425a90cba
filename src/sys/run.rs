//! One program of others, run to its end: both outputs drained always and their ends kept, a deadline in three stages
//! (safety.md 4.3 item 7). Blocks the caller; for runners and for planning, never for the console's loop.

use super::aside::{heard, within};
use super::child::wait_readable;
use super::group::{children, inherited};
use super::program::{Ended, Order, Outputs, Program, Refusal};
use super::secret::hide;
use crate::base::scrub::scrub;
use crate::base::{Clean, Clock, Fault, Mono};
use core::time::Duration;
use rustix::process::{Signal, pidfd_send_signal};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Of each output so many bytes are kept from its beginning, and as many from its end.
pub const KEEP: usize = 4 * 1024 * 1024;
/// From asking the group to end to killing it.
pub const GRACE: Duration = Duration::from_secs(10);
/// From killing it to giving up on it.
pub const LAST: Duration = Duration::from_secs(5);
/// What the program left behind may speak for so long after its end.
const LATE: Duration = Duration::from_millis(250);
/// Who watches is told no more often, and is asked this often whether it shall stop.
const GLANCE: Duration = Duration::from_millis(500);
/// The last line is looked for in so many bytes at the end.
const TAIL: usize = 4 * 1024;

/// Who watches a program while it runs.
pub struct Watching<'a> {
    /// Is told the newest line, now and then.
    pub says: &'a dyn Fn(Clean),
    /// Whether it shall stop: it is then asked to end as if its time were over.
    pub stops: &'a dyn Fn() -> bool,
    /// Is told once each why a program that is to be spared should have ended by now: it goes on.
    pub spares: &'a dyn Fn(Overdue),
    /// It starts a service: what it leaves running once it has ended in time stays.
    pub leaves: bool,
}

/// Why a program should have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Its time is over.
    Late,
    /// Who watches wants it to end.
    Unwanted,
}

/// One output: its beginning and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    first: Vec<u8>,
    last: VecDeque<u8>,
    /// Bytes between them that were not kept.
    pub lost: u64,
}

impl Kept {
    fn add(&mut self, more: &[u8], keep: usize) {
        let (first, rest) = more.split_at(keep.saturating_sub(self.first.len()).min(more.len()));
        self.first.extend_from_slice(first);
        self.last.extend(rest);
        let over = self.last.len().saturating_sub(keep);
        self.last.drain(..over);
        self.lost += u64::try_from(over).unwrap_or(u64::MAX);
    }

    /// What was kept; a line says how much is missing between.
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = self.first.clone();
        if self.lost > 0 {
            all.extend_from_slice(format!("\n… {} bytes were not kept …\n", self.lost).as_bytes());
        }
        all.extend(self.last.iter());
        all
    }

    fn len(&self) -> u64 {
        self.lost + u64::try_from(self.first.len() + self.last.len()).unwrap_or(u64::MAX)
    }

    /// The first line that says something, with no secret in it: it becomes part of a sentence.
    pub fn first_line(&self) -> Option<Clean> {
        let mut lines = self.first.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines.find(|line| !line.is_empty()).map(told)
    }

    /// The last line that says something, likewise.
    pub fn last_line(&self) -> Option<Clean> {
        let end = |bytes: &[u8]| bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or(bytes).to_vec();
        let mut bytes: Vec<u8> = self.last.iter().skip(self.last.len().saturating_sub(TAIL)).copied().collect();
        if bytes.len() < TAIL && self.lost == 0 {
            bytes = [end(&self.first), bytes].concat();
        }
        let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines.rfind(|line| !line.is_empty()).map(told)
    }
}

/// A line of a program, for a sentence.
fn told(line: &[u8]) -> Clean {
    Clean::text(scrub(&hide(&String::from_utf8_lossy(line))))
}

/// What a program did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// It was asked to end, because its time was over.
    pub timed_out: bool,
    /// It was asked to end, because who watches said so.
    pub stopped: bool,
    /// It took longer than it should, and was spared.
    pub overdue: bool,
    /// Standard output.
    pub stdout: Kept,
    /// Standard error.
    pub stderr: Kept,
}

/// Why there is no end.
#[derive(Debug)]
pub enum Stopped {
    /// It was not started.
    Refused(Refusal),
    /// It, or one of its group, did not end even when it was killed.
    Unkillable(Left),
}

/// Processes that live although they were killed.
#[derive(Debug)]
pub struct Left {
    /// One of them.
    pub pid: u32,
    /// Its state as the kernel says, and where in the kernel it waits: `D (disk sleep) in request_wait_answer`.
    pub state: Clean,
    /// Each becomes readable when that process has ended.
    ends: Vec<OwnedFd>,
}

impl Left {
    fn of(pid: u32, ends: Vec<OwnedFd>) -> Self {
        Self { pid, state: state_of(pid), ends }
    }

    /// Returns once they are gone, however long that takes.
    pub fn wait(self) {
        let _gone = wait_for(self.ends, || Some(Duration::from_mins(1)));
    }
}

/// Waits until all have ended or `limit` tells no more time; those that have not.
fn wait_for(mut ends: Vec<OwnedFd>, limit: impl Fn() -> Option<Duration>) -> Vec<OwnedFd> {
    while let (false, Some(limit)) = (ends.is_empty(), limit()) {
        let fds: Vec<_> = ends.iter().map(AsFd::as_fd).collect();
        let seen = wait_readable(&fds, Some(limit)).unwrap_or_default();
        let mut seen = seen.into_iter();
        ends.retain(|_| !seen.next().unwrap_or(false));
    }
    ends
}

/// Runs it. After `patience` its group is asked to end, after [`GRACE`] killed, after [`LAST`] given up. One that is to
/// be spared is waited for as long as it takes.
///
/// # Errors
/// It was not started, or it cannot be ended.
pub fn run(order: &Order, patience: Duration, clock: &dyn Clock) -> Result<Ran, Stopped> {
    heard();
    let ran = run_within(order, [within(patience), GRACE, LAST], KEEP, (None, clock));
    heard();
    ran
}

/// The same, watched.
///
/// # Errors
/// As [`run`].
pub fn run_watched(
    order: &Order,
    patience: Duration,
    watching: &Watching<'_>,
    clock: &dyn Clock,
) -> Result<Ran, Stopped> {
    run_within(order, [patience, GRACE, LAST], KEEP, (Some(watching), clock))
}

fn run_within(
    order: &Order,
    stages: [Duration; 3],
    keep: usize,
    (watching, clock): (Option<&Watching<'_>>, &dyn Clock),
) -> Result<Ran, Stopped> {
    let before = children();
    let (program, outputs) = Program::start(order).map_err(Stopped::Refused)?;
    let program = if watching.is_some_and(|watching| watching.leaves) { program.leaving() } else { program };
    let name = order.program.display();
    let ending = program.ending().map_err(|error| {
        let what = format!("{name} cannot be watched: {error}. It was ended.");
        Stopped::Refused(Refusal::Impossible(Fault::new(what)))
    })?;
    let [patience, .., last] = stages;
    let now = clock.now().mono;
    let (mut until, overdue) = (now + patience, [(Overdue::Late, false), (Overdue::Unwanted, false)]);
    let mut running = Running { program, ending, pipes: Pipes::of(outputs), keep, told: (0, now), overdue };
    let mut stages = stages.into_iter().skip(1);
    let (mut asked, mut stopped) = (0, false);
    let mut strays = Strays::default();
    loop {
        let glance = if watching.is_some() { GLANCE } else { Duration::MAX };
        running.listen(left(until, clock).min(glance), watching.is_some());
        if let Some(ended) = running.ended(clock) {
            if asked > 0 {
                strays.0.extend(inherited(&before));
            }
            // One that was asked may have been held by what it started; of what ended by itself nothing is waited for.
            if let Some(left) = (asked > 0).then(|| running.rest(last, clock)).flatten() {
                return Err(Stopped::Unkillable(left));
            }
            let (overdue, [stdout, stderr]) = (running.is_overdue(until, clock), running.pipes.kept);
            return Ok(Ran { ended, timed_out: asked > 0 && !stopped, stopped, overdue, stdout, stderr });
        }
        if let Some(watching) = watching {
            running.tell(watching, clock);
            running.tell_overdue(watching, until, clock);
            stopped |= asked == 0 && !running.program.spared() && (watching.stops)();
        }
        let at_once = stopped && asked == 0;
        if running.program.spared() || !at_once && !left(until, clock).is_zero() {
            continue;
        }
        let Some(next) = stages.next() else {
            return Err(Stopped::Unkillable(Left::of(running.program.pid(), vec![running.ending])));
        };
        strays.0.extend(running.program.below());
        if !running.program.spared() {
            strays.0.extend(inherited(&before));
        }
        if asked == 0 {
            strays.signal(Signal::TERM);
            running.program.ask();
        } else {
            running.program.kill();
        }
        asked += 1;
        until = clock.now().mono + next;
    }
}

/// Who was below a program when it was to end: who has left its group is not reached by what its group is sent. Killed
/// when the program is over.
#[derive(Default)]
struct Strays(Vec<OwnedFd>);

impl Strays {
    fn signal(&self, signal: Signal) {
        for stray in &self.0 {
            let _gone = pidfd_send_signal(stray, signal);
        }
    }
}

impl Drop for Strays {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

fn left(until: Mono, clock: &dyn Clock) -> Duration {
    until.since(clock.now().mono)
}

struct Running {
    program: Program,
    ending: OwnedFd,
    pipes: Pipes,
    keep: usize,
    /// How much had been said when it was told last, and when that was.
    told: (u64, Mono),
    /// Why one that is spared should have ended, and whether that was told.
    overdue: [(Overdue, bool); 2],
}

struct Pipes {
    open: [Option<OwnedFd>; 2],
    kept: [Kept; 2],
}

impl Pipes {
    fn of(outputs: Outputs) -> Self {
        Self { open: [Some(outputs.stdout), Some(outputs.stderr)], kept: [Kept::default(), Kept::default()] }
    }

    /// Reads once from every output that has something; closes those at their end.
    fn read(&mut self, keep: usize) {
        let mut chunk = [0; 16 * 1024];
        for (open, kept) in self.open.iter_mut().zip(&mut self.kept) {
            let Some(fd) = open.as_ref() else { continue };
            if !matches!(wait_readable(&[fd.as_fd()], Some(Duration::ZERO)), Ok(ready) if ready.contains(&true)) {
                continue;
            }
            match rustix::io::read(fd, &mut chunk) {
                Ok(0) => *open = None,
                Ok(n) => kept.add(chunk.get(..n).unwrap_or_default(), keep),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(_) => *open = None,
            }
        }
    }
}

impl Running {
    /// Waits until something is said, the program has ended, or `limit` is over; takes what was said.
    fn listen(&mut self, limit: Duration, watched: bool) {
        let pipes = self.pipes.open.iter().flatten().map(AsFd::as_fd);
        let all: Vec<_> = pipes.chain([self.ending.as_fd()]).collect();
        // One that is to be spared has no end of patience; a look a minute costs nothing.
        let limit = match (self.program.spared(), watched) {
            (true, true) => GLANCE,
            (true, false) => Duration::from_mins(1),
            (false, _) => limit,
        };
        let _looked_again = wait_readable(&all, Some(limit));
        self.pipes.read(self.keep);
    }

    /// Tells the newest line, when there is one and the last was told a while ago.
    fn tell(&mut self, watching: &Watching<'_>, clock: &dyn Clock) {
        let (known, at) = self.told;
        let said: u64 = self.pipes.kept.iter().map(Kept::len).sum();
        let now = clock.now().mono;
        if said == known || now.since(at) < GLANCE {
            return;
        }
        self.told = (said, now);
        let [stdout, stderr] = &self.pipes.kept;
        if let Some(line) = stdout.last_line().or_else(|| stderr.last_line()) {
            (watching.says)(line);
        }
    }

    /// Whether it is spared, and its time is over.
    fn is_overdue(&self, until: Mono, clock: &dyn Clock) -> bool {
        self.program.spared() && left(until, clock).is_zero()
    }

    /// Tells once each why one that is spared should have ended.
    fn tell_overdue(&mut self, watching: &Watching<'_>, until: Mono, clock: &dyn Clock) {
        let late = self.is_overdue(until, clock);
        let unwanted = || self.program.spared() && (watching.stops)();
        for (why, told) in self.overdue.iter_mut().filter(|(_, told)| !told) {
            *told = if *why == Overdue::Late { late } else { unwanted() };
            if *told {
                (watching.spares)(*why);
            }
        }
    }

    /// Those of its group that still live `limit` after they were killed.
    fn rest(&mut self, limit: Duration, clock: &dyn Clock) -> Option<Left> {
        let rest = self.program.rest()?;
        let members = rest.members();
        drop(rest);
        let until = clock.now().mono + limit;
        let living = wait_for(members, || Some(left(until, clock)).filter(|left| !left.is_zero()));
        Some(Left::of(pid_of(living.first()?), living))
    }

    /// How it ended, with all that was said until then.
    fn ended(&mut self, clock: &dyn Clock) -> Option<Ended> {
        if !matches!(wait_readable(&[self.ending.as_fd()], Some(Duration::ZERO)), Ok(ready) if ready.contains(&true)) {
            return None;
        }
        let until = clock.now().mono + LATE;
        while self.pipes.open.iter().any(Option::is_some) && !left(until, clock).is_zero() {
            let pipes: Vec<_> = self.pipes.open.iter().flatten().map(AsFd::as_fd).collect();
            let _looked_again = wait_readable(&pipes, Some(left(until, clock)));
            self.pipes.read(self.keep);
        }
        self.program.reap()
    }
}

/// The number of the process that a pidfd holds; 0 when it is gone.
fn pid_of(held: &OwnedFd) -> u32 {
    let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", held.as_raw_fd())).unwrap_or_default();
    about.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok()).unwrap_or(0)
}

/// `State:` of a process, and its `wchan` where it waits in the kernel.
fn state_of(pid: u32) -> Clean {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or("unknown").trim();
    match std::fs::read_to_string(format!("/proc/{pid}/wchan")) {
        Ok(place) if !matches!(place.as_str(), "" | "0") => {
            crate::clean!("{} in {}", Clean::text(state), Clean::text(place))
        }
        _ => Clean::text(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;

    fn sh(script: &str, stages: [u64; 3], keep: usize) -> Ran {
        let order = Order { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], ..Order::default() };
        run_within(&order, stages.map(Duration::from_millis), keep, (None, &RealClock)).expect("runs")
    }

    const LONG: [u64; 3] = [60_000, 60_000, 60_000];

    #[test]
    fn both_outputs_and_the_exit_code_are_told() {
        let ran = sh("echo out; echo first >&2; echo wrong >&2; exit 3", LONG, KEEP);
        assert_eq!((ran.ended, ran.timed_out), (Ended::Code(3), false));
        assert_eq!(ran.stdout.bytes(), b"out\n");
        assert_eq!(ran.stderr.last_line().expect("said").as_str(), "wrong");
    }

    #[test]
    fn what_a_program_says_of_secrets_is_in_no_sentence() {
        let ran = sh("echo password=hunter22; echo fine; echo token=hunter22 >&2", LONG, KEEP);
        let said = [ran.stdout.first_line(), ran.stdout.last_line(), ran.stderr.last_line()].map(Option::unwrap);
        assert!(said.iter().all(|line| !line.as_str().contains("hunter")), "{said:?}");
        assert_eq!(said[1].as_str(), "fine");
    }

    #[test]
    fn of_a_flood_the_beginning_and_the_end_are_kept_and_the_rest_is_counted() {
        let ran = sh("printf begin; head -c 1000000 /dev/zero; printf end", LONG, 10);
        assert_eq!(ran.stdout.lost, 1_000_008 - 20);
        let bytes = ran.stdout.bytes();
        assert!(bytes.starts_with(b"begin\0") && bytes.ends_with(b"\0end"), "{bytes:?}");
    }

    #[test]
    fn who_does_not_end_is_asked_and_then_killed() {
        assert_eq!(sh("exec sleep 600", [1, 60_000, 60_000], KEEP).ended, Ended::Signal(15));
        let deaf = sh("trap '' TERM; echo deaf; while :; do sleep 0.01; done", [500, 1, 60_000], KEEP);
        assert_eq!((deaf.ended, deaf.timed_out), (Ended::Signal(9), true));
        assert_eq!(deaf.stdout.bytes(), b"deaf\n");
    }

    #[test]
    fn who_watches_hears_the_newest_line_and_can_stop_it() {
        let heard = std::cell::RefCell::new(Vec::new());
        let says = |line: Clean| heard.borrow_mut().push(line);
        let stops = || !heard.borrow().is_empty();
        let script = "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; sleep 0.1; done; exec sleep 600";
        let order = Order { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], ..Order::default() };
        let watching = Watching { says: &says, stops: &stops, spares: &|_| {}, leaves: false };
        let ran = run_watched(&order, Duration::from_mins(1), &watching, &RealClock).expect("runs");
        assert_eq!((ran.ended, ran.stopped, ran.timed_out), (Ended::Signal(15), true, false));
        assert!(heard.borrow()[0].as_str().starts_with("line "), "{:?}", heard.borrow());
    }

    #[test]
    fn one_that_is_spared_goes_on_when_its_time_is_over_or_it_is_unwanted_and_each_is_told_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let go = dir.path().join("go");
        let script = format!("while ! test -e {}; do sleep 0.05; done; sleep 1.2; echo done", go.display());
        let args = vec!["-c".into(), script];
        let order = Order { program: "/bin/sh".into(), args, spare: true, ..Order::default() };
        let told = std::cell::RefCell::new(Vec::new());
        let spares = |why| {
            told.borrow_mut().push(why);
            if told.borrow().len() == 2 {
                std::fs::write(&go, "").expect("ours");
            }
        };
        let stops = || told.borrow().contains(&Overdue::Late);
        let watching = Watching { says: &|_| {}, stops: &stops, spares: &spares, leaves: false };
        let ran = run_watched(&order, Duration::from_millis(1), &watching, &RealClock).expect("runs");
        assert_eq!((ran.ended, ran.timed_out, ran.stopped, ran.overdue), (Ended::Code(0), false, false, true));
        assert_eq!(ran.stdout.bytes(), b"done\n");
        assert_eq!(*told.borrow(), [Overdue::Late, Overdue::Unwanted]);
        let quick = Order { program: "/bin/true".into(), spare: true, ..Order::default() };
        assert!(!run(&quick, Duration::from_mins(1), &RealClock).expect("runs").overdue);
    }

    #[test]
    fn a_child_that_forks_away_and_holds_the_outputs_delays_nothing() {
        let ran = sh("(trap '' HUP; sleep 600) & echo gone", LONG, KEEP);
        assert_eq!((ran.ended, ran.stdout.bytes()), (Ended::Code(0), b"gone\n".to_vec()));
    }

    #[test]
    fn who_left_the_group_of_a_program_is_ended_with_it_when_its_time_is_over() {
        let script = "setsid sh -c 'echo $$; exec sleep 600' & exec sleep 600";
        let ran = sh(script, [1_500, 10_000, 10_000], KEEP);
        assert!(ran.timed_out);
        let pid = String::from_utf8_lossy(&ran.stdout.bytes()).trim().parse().expect("a number");
        let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
        let held = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
        let ended =
            |fd: OwnedFd| wait_readable(&[fd.as_fd()], Some(Duration::from_secs(20))).expect("polled") == [true];
        assert!(held.ok().is_none_or(ended), "it runs on");
    }

    #[test]
    fn a_service_that_it_started_stays_only_where_that_is_meant() {
        let script = "sleep 600 >/dev/null 2>&1 & echo $!";
        let order = Order { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()], ..Order::default() };
        let started = |ran: Ran| {
            let pid = String::from_utf8_lossy(&ran.stdout.bytes()).trim().parse().expect("a number");
            let held = rustix::process::pidfd_open(
                rustix::process::Pid::from_raw(pid).expect("a pid"),
                rustix::process::PidfdFlags::empty(),
            );
            held.ok()
        };
        let ends = |fd: &OwnedFd, limit| wait_readable(&[fd.as_fd()], Some(limit)).expect("polled").contains(&true);
        let gone = started(run(&order, Duration::from_secs(60), &RealClock).expect("runs"));
        assert!(gone.is_none_or(|fd| ends(&fd, Duration::from_secs(20))));
        let watching = Watching { says: &|_| {}, stops: &|| false, spares: &|_| {}, leaves: true };
        let left = run_watched(&order, Duration::from_secs(60), &watching, &RealClock).expect("runs");
        let stays = started(left).expect("lives");
        assert!(!ends(&stays, Duration::from_millis(200)));
        pidfd_send_signal(&stays, Signal::KILL).expect("ours");
    }

    /// A program that no signal ends until the file `go` is in its folder; `None` where there is none to be had.
    fn unkillable(before: &str, after: &str) -> Option<(tempfile::TempDir, Order)> {
        if !rustix::process::geteuid().is_root() || !std::path::Path::new("/dev/fuse").exists() {
            println!("SKIPPED: fuse: only root mounts a file system that never answers");
            return None;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/unkillable.py");
        let script = format!("{before} python3 {peer} {} {after}", dir.path().display());
        Some((dir, Order { program: "/bin/sh".into(), args: vec!["-c".into(), script], ..Order::default() }))
    }

    #[test]
    fn who_cannot_be_killed_is_told_and_can_be_waited_for() {
        // The one started, and one that it started: the shell dies of what does not reach the other.
        for (before, after) in [("exec", ""), ("", "& wait")] {
            let Some((dir, order)) = unkillable(before, after) else { return };
            let heard = core::cell::Cell::new(false);
            let (says, stops) = (|_| heard.set(true), || heard.get());
            let watching = Watching { says: &says, stops: &stops, spares: &|_| {}, leaves: false };
            let stages = [60_000, 500, 500].map(Duration::from_millis);
            let done = run_within(&order, stages, KEEP, (Some(&watching), &RealClock));
            let Err(Stopped::Unkillable(left)) = done else { panic!("{done:?}") };
            assert!(left.state.as_str().starts_with("D (disk sleep)"), "{}", left.state);
            let end = left.ends[0].try_clone().expect("a descriptor");
            let ended = |limit| wait_readable(&[end.as_fd()], Some(limit)).expect("polled")[0];
            assert!(!ended(Duration::from_millis(100)));
            std::fs::write(dir.path().join("go"), "").expect("ours");
            left.wait();
            assert!(ended(Duration::ZERO));
        }
    }

    #[test]
    fn what_cannot_run_is_refused() {
        let order = Order { program: "/nonexistent/program".into(), ..Order::default() };
        assert!(matches!(
            run(&order, Duration::from_secs(1), &RealClock),
            Err(Stopped::Refused(Refusal::Impossible(_)))
        ));
    }
}
