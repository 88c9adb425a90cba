//! What the console costs, measured from outside in a pseudo-terminal at 120×40, beside btop, htop and bottom where they
//! are installed: `cargo bench --bench frugal`, then `-- --quick`, `-- --rounds N`, `-- --only host,demo`.
//! Figures of shared machines are noisy: quote the medians and the ratios of one run.
#![expect(clippy::print_stdout, reason = "the table is the program's result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, from outside the console")]

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const COLUMNS: u16 = 120;
const ROWS: u16 = 40;
/// A settled screen counts as full once so much of what it holds later is there.
const FULL: f64 = 0.8;
const PRESSES: usize = 50;
/// No key is waited for longer; a miss is left out and counted.
const KEY_LIMIT: Duration = Duration::from_secs(2);

/// One program under measurement.
struct Subject {
    name: &'static str,
    argv: Vec<String>,
    /// Two keys that change the screen there and back.
    keys: [&'static [u8]; 2],
}

/// How long and how often.
struct Plan {
    rounds: usize,
    warm_up: Duration,
    window: Duration,
    only: Option<Vec<String>>,
}

/// What one session gave, by the names of [`ROWS_SHOWN`].
type Figures = BTreeMap<&'static str, f64>;

/// The rows of the table: figure, unit, decimals.
const ROWS_SHOWN: &[(&str, &str, usize)] = &[
    ("first byte after exec", "ms", 1),
    ("full frame after exec", "ms", 1),
    ("CPU, share of one core", "%", 3),
    ("context switches", "/s", 1),
    ("resident memory", "MiB", 1),
    ("to the terminal", "B/s", 0),
    ("key to change p50", "ms", 2),
    ("key to change p99", "ms", 2),
    ("keys without a change", "", 0),
    ("quit", "ms", 1),
];

/// A program in a pseudo-terminal, with everything it has written so far.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    pid: u32,
    started: Instant,
    output: Receiver<(Instant, Vec<u8>)>,
    input: Arc<Mutex<Box<dyn Write + Send>>>,
    screen: vt100::Parser,
    bytes: usize,
    _master: Box<dyn MasterPty + Send>,
}

impl Session {
    fn start(subject: &Subject, home: &Path) -> Outcome<Self> {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::from_argv(subject.argv.iter().map(Into::into).collect());
        for (name, value) in [("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.UTF-8")] {
            command.env(name, value);
        }
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
            command.env(name, home);
        }
        command.cwd(home);
        let input = Arc::new(Mutex::new(pair.master.take_writer()?));
        let (to, output) = sync_channel(4096);
        let reader = pair.master.try_clone_reader()?;
        let answers = Arc::clone(&input);
        let started = Instant::now();
        let child = pair.slave.spawn_command(command)?;
        drop(pair.slave);
        std::thread::spawn(move || read(reader, &to, &answers));
        let pid = child.process_id().ok_or("the program has no process id")?;
        let size = |n| NonZeroU16::new(n).ok_or("an empty screen");
        let screen = vt100::Parser::new(size(ROWS)?, size(COLUMNS)?, 0);
        Ok(Self { child, pid, started, output, input, screen, bytes: 0, _master: pair.master })
    }

    /// Takes output until `until`; `seen` is asked after each chunk and ends the wait with `true`.
    fn pump(&mut self, until: Instant, mut seen: impl FnMut(Instant, &vt100::Screen) -> bool) -> Option<Instant> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (at, chunk) = self.output.recv_timeout(left).ok()?;
            self.bytes += chunk.len();
            self.screen.process(&chunk);
            if seen(at, self.screen.screen()) {
                return Some(at);
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> Outcome<Instant> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        input.write_all(bytes)?;
        input.flush()?;
        Ok(at)
    }

    /// Seconds of processor time of the program itself, every thread, also the ended ones.
    fn processor_time(&self) -> Outcome<f64> {
        let pid = i32::try_from(self.pid)?;
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `clock` is a valid place for the answer.
        #[expect(unsafe_code, reason = "the processor clock of another process has no safe wrapper")]
        let found = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
        // SAFETY: `time` is a valid place for the answer.
        #[expect(unsafe_code, reason = "the processor clock of another process has no safe wrapper")]
        let read = unsafe { libc::clock_gettime(clock, &raw mut time) };
        if found != 0 || read != 0 {
            return Err("the program's processor clock can't be read".into());
        }
        Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
    }

    /// Adds the context switches of each thread to `seen`; an ended thread keeps its last count.
    fn switches(&self, seen: &mut BTreeMap<String, (u64, u64)>) {
        for task in fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten() {
            let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
            let count: u64 = status
                .lines()
                .filter(|line| line.contains("ctxt_switches"))
                .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
                .sum();
            let name = task.file_name().to_string_lossy().into_owned();
            seen.entry(name).and_modify(|(_, last)| *last = count).or_insert((count, count));
        }
    }

    fn resident(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// Sends `q` and waits for the end; kills what does not end in 5 s.
    fn quit(mut self) -> Outcome<f64> {
        let sent = self.send(b"q")?;
        let mut killer = self.child.clone_killer();
        let (done, ended) = sync_channel(1);
        std::thread::spawn(move || {
            let _status = self.child.wait();
            let _sent = done.send(Instant::now());
        });
        match ended.recv_timeout(Duration::from_secs(5)) {
            Ok(at) => Ok(millis(at.duration_since(sent))),
            Err(_) => {
                killer.kill()?;
                Err("did not quit on `q` within 5 s".into())
            }
        }
    }
}

/// Keeps the cores from sleeping while it lives, at a priority below everything: latencies on idle virtual
/// cores measure the host's wake-up, not the program.
struct Awake(Arc<AtomicBool>);

impl Awake {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let parameters = libc::sched_param { sched_priority: 0 };
                // SAFETY: `parameters` lives through the call; 0 is the calling thread.
                #[expect(unsafe_code, reason = "the idle scheduling class has no safe wrapper")]
                let idle = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) } == 0;
                while idle && !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Carries output to the session with its time, and answers what programs ask a terminal.
fn read(mut from: impl Read, to: &SyncSender<(Instant, Vec<u8>)>, answers: &Mutex<Box<dyn Write + Send>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let at = Instant::now();
        let chunk = buffer.get(..count).unwrap_or_default();
        for (question, answer) in
            [(&b"\x1b[5n"[..], &b"\x1b[0n"[..]), (b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62c")]
        {
            for _ in chunk.windows(question.len()).filter(|window| *window == question) {
                let mut input = answers.lock().unwrap_or_else(PoisonError::into_inner);
                let _written = input.write_all(answer);
            }
        }
        if to.send((at, chunk.to_vec())).is_err() {
            return;
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn filled(screen: &vt100::Screen) -> usize {
    screen.contents().chars().filter(|c| !c.is_whitespace()).count()
}

/// One session: start, settle, window, keys, quit.
fn measure(subject: &Subject, plan: &Plan, home: &Path) -> Outcome<Figures> {
    let mut figures = Figures::new();
    let mut session = Session::start(subject, home)?;
    first_frame(&mut session, plan, &mut figures);
    window(&mut session, plan, &mut figures)?;
    keys(&mut session, subject, &mut figures)?;
    figures.insert("quit", session.quit()?);
    Ok(figures)
}

fn first_frame(session: &mut Session, plan: &Plan, figures: &mut Figures) {
    let started = session.started;
    let mut growth: Vec<(Instant, usize)> = Vec::new();
    {
        let _awake = Awake::new();
        session.pump(started + Duration::from_secs(1), |at, screen| {
            growth.push((at, filled(screen)));
            false
        });
    }
    session.pump(started + plan.warm_up, |_, _| false);
    let settled = filled(session.screen.screen()) as f64;
    if let Some((at, _)) = growth.first() {
        figures.insert("first byte after exec", millis(at.duration_since(started)));
    }
    if let Some((at, _)) = growth.iter().find(|(_, count)| *count as f64 >= FULL * settled) {
        figures.insert("full frame after exec", millis(at.duration_since(started)));
    }
}

fn window(session: &mut Session, plan: &Plan, figures: &mut Figures) -> Outcome<()> {
    let mut switches = BTreeMap::new();
    let from = Instant::now();
    let (processor, bytes) = (session.processor_time()?, session.bytes);
    session.switches(&mut switches);
    while from.elapsed() < plan.window {
        let next = (Instant::now() + Duration::from_secs(1)).min(from + plan.window);
        session.pump(next, |_, _| false);
        session.switches(&mut switches);
    }
    let seconds = from.elapsed().as_secs_f64();
    let switched: u64 = switches.values().map(|(first, last)| last - first).sum();
    figures.insert("CPU, share of one core", (session.processor_time()? - processor) / seconds * 100.0);
    figures.insert("context switches", switched as f64 / seconds);
    figures.insert("to the terminal", (session.bytes - bytes) as f64 / seconds);
    figures.insert("resident memory", session.resident()?);
    Ok(())
}

fn keys(session: &mut Session, subject: &Subject, figures: &mut Figures) -> Outcome<()> {
    let _awake = Awake::new();
    let mut waits = Vec::new();
    let mut pause = 0_u64;
    for key in subject.keys.iter().cycle().take(PRESSES) {
        // a pause that shares no rhythm with the program's ticks, from 150 to 250 ms
        pause = (pause * 37 + 61) % 101;
        session.pump(Instant::now() + Duration::from_millis(150 + pause), |_, _| false);
        let before = session.screen.screen().clone();
        let sent = session.send(key)?;
        let changed = session.pump(sent + KEY_LIMIT, |_, screen| !screen.contents_diff(&before).is_empty());
        waits.extend(changed.map(|at| millis(at.duration_since(sent))));
    }
    figures.insert("keys without a change", (PRESSES - waits.len()) as f64);
    for (name, share) in [("key to change p50", 0.5), ("key to change p99", 0.99)] {
        if let Some(wait) = quantile(&mut waits, share) {
            figures.insert(name, wait);
        }
    }
    Ok(())
}

/// The value below which `share` of the values lie.
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank from 1 to the length")]
    values.get(rank as usize - 1).copied()
}

fn subjects(plan: &Plan) -> Vec<Subject> {
    let console = std::env::var("WATCHKEEPER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_watchkeeper").to_owned());
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let ours = |words: &[&str]| [&[console.as_str()], words].concat().iter().map(|word| (*word).to_owned()).collect();
    let arrows: [&[u8]; 2] = [b"\x1b[B", b"\x1b[A"];
    let all = [
        Subject { name: "host", argv: ours(&[]), keys: [b"\t", b"\t"] },
        Subject { name: "demo", argv: ours(&["demo", "--scenario", "quiet", "--seed", "1"]), keys: [b"\t", b"\t"] },
        Subject { name: "btop", argv: words("btop"), keys: arrows },
        Subject { name: "htop", argv: words("htop -d 10"), keys: arrows },
        Subject { name: "btm", argv: words("btm -r 1000"), keys: arrows },
    ];
    let wanted = |name: &str| plan.only.as_ref().is_none_or(|only| only.iter().any(|one| one == name));
    let installed = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        program.contains('/') || std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let present = all.into_iter().filter(|subject| wanted(subject.name));
    present.filter(|subject| subject.argv.first().is_some_and(|program| installed(program))).collect()
}

fn plan() -> Outcome<Plan> {
    let mut plan = Plan { rounds: 5, warm_up: Duration::from_secs(5), window: Duration::from_secs(20), only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => {
                plan = Plan { rounds: 1, warm_up: Duration::from_secs(2), window: Duration::from_secs(5), ..plan };
            }
            "--rounds" => plan.rounds = words.next().ok_or("--rounds needs a number")?.parse()?,
            "--only" => plan.only = Some(words.next().unwrap_or_default().split(',').map(str::to_owned).collect()),
            "--bench" => {} // cargo says so
            other => return Err(format!("unknown word `{other}`; known: --quick, --rounds N, --only NAME,NAME").into()),
        }
    }
    Ok(plan)
}

fn print(subjects: &[Subject], results: &BTreeMap<&str, Vec<Figures>>) {
    print!("{:28}", format!("{COLUMNS}×{ROWS}, medians"));
    for subject in subjects {
        print!("{:>12}", subject.name);
    }
    println!();
    let median = |name: &str, figure: &str| {
        let rounds = results.get(name)?;
        quantile(&mut rounds.iter().filter_map(|round| round.get(figure).copied()).collect::<Vec<_>>(), 0.5)
    };
    let row = |title: String, cell: &dyn Fn(&str) -> Option<String>| {
        print!("{title:28}");
        for subject in subjects {
            print!("{:>12}", cell(subject.name).unwrap_or_else(|| "—".to_owned()));
        }
        println!();
    };
    for (figure, unit, decimals) in ROWS_SHOWN {
        let title = if unit.is_empty() { (*figure).to_owned() } else { format!("{figure}, {unit}") };
        row(title, &|name| median(name, figure).map(|value| format!("{value:.decimals$}")));
    }
    let processor = "CPU, share of one core";
    row("CPU, ratio to btop".to_owned(), &|name| {
        Some(format!("{:.2}", median(name, processor)? / median("btop", processor)?))
    });
}

fn main() -> Outcome<()> {
    let plan = plan()?;
    let subjects = subjects(&plan);
    let home = tempfile::tempdir()?;
    fs::create_dir(home.path().join("btop"))?;
    fs::write(home.path().join("btop/btop.conf"), "update_ms=1000\n")?;
    let mut results: BTreeMap<&str, Vec<Figures>> = BTreeMap::new();
    for round in 0..plan.rounds {
        // there and back again, so that a slow drift of the machine cancels
        let mut order: Vec<&Subject> = subjects.iter().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for subject in order {
            match measure(subject, &plan, home.path()) {
                Ok(figures) => results.entry(subject.name).or_default().push(figures),
                Err(error) => println!("round {}: {}: {error}", round + 1, subject.name),
            }
        }
    }
    print(&subjects, &results);
    Ok(())
}
