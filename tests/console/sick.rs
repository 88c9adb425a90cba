//! Everything that can hang, hangs at once: a mount, a server, the name service, the graphics driver. Keys are
//! answered, frames are drawn, each sick pane says what hangs, and nothing is started twice (safety.md R8).

use crate::desk::{Desk, PROGRAM, clock_of, eventually, row_with};
use crate::harness::{Pty, Spec};
use crate::peer::Running;
use rustix::process::Signal;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An address of this host that nobody else uses: its name service takes every question and answers none.
const SWALLOWS: &str = "127.11.0.53";
/// The aim is 50 ms for a key; ten times that guards against a hang here, on a machine that does much else.
const KEY: Duration = Duration::from_millis(500);
/// The aim is 100 ms between two frames that are due.
const FRAME: Duration = Duration::from_secs(1);

/// A stopped web server: the kernel still takes its connections.
struct Stopped(#[expect(dead_code, reason = "it goes with this")] Running, u16);

impl Stopped {
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("python3");
        child.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]).current_dir(folder);
        let child = Running::start(&mut child, Stdio::null(), Stdio::null());
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the server starts");
            std::thread::yield_now();
        }
        let pid = rustix::process::Pid::from_child(&child.0);
        rustix::process::kill_process(pid, Signal::STOP).unwrap();
        Self(child, port)
    }
}

/// The driver's stand-in, built here.
pub(crate) fn driver(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/fake_nvml.c");
    let library = folder.join("libnvidia-ml.so.1");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status().unwrap();
    assert!(built.success());
    library
}

fn profile(desk: &Desk, dead: &Path, server: u16, library: &Path) -> PathBuf {
    let pane =
        |title: &str, query: &str| format!("[[panes]]\ntitle = \"{title}\"\nkind = \"sparkline\"\nquery = '{query}'\n");
    let parts = [
        "title = \"Sick\"\nenvironment = \"test\"\n".to_owned(),
        format!("[samplers.host]\nkind = \"host\"\nmounts = [\"{}\"]\n", dead.display()),
        format!("[samplers.stopped]\nkind = \"http\"\nurl = \"http://127.0.0.1:{server}/\"\nevery = \"1s\"\n"),
        "[samplers.named]\nkind = \"http\"\nurl = \"http://nobody.example.test/\"\nevery = \"5s\"\n".to_owned(),
        format!("[samplers.gpu]\nkind = \"gpu\"\nlibrary = \"{}\"\nevery = \"1s\"\n", library.display()),
        pane("Healthy", "node_load1"),
        pane("Server", "up{job=\"stopped\"} == 2 or probe_success{job=\"stopped\"}"),
        pane("Name", "probe_success{job=\"named\"}"),
        "[[panes]]\ntitle = \"GPU 0\"\nkind = \"gpu\"\n".to_owned(),
        "[[panes]]\ntitle = \"Words\"\nkind = \"facts\"\nsampler = \"host\"\n".to_owned(),
    ];
    desk.write("sick.toml", parts.join("\n"))
}

#[test]
fn all_that_can_hang_hangs_at_once_and_the_console_does_not() {
    let desk = Desk::new();
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/fuse").exists() {
        println!("SKIPPED: fuse: only root mounts a file system that never answers");
        return;
    }
    let dead = desk.path().join("dead");
    fs::create_dir(&dead).unwrap();
    let resolv = desk.write("resolv.conf", format!("nameserver {SWALLOWS}\noptions attempts:5\n"));
    let _swallower = UdpSocket::bind((SWALLOWS, 53)).unwrap();
    let stopped = Stopped::start(desk.path());
    let library = driver(desk.path());
    // Every call into the driver takes a minute.
    let calls = desk.write("nvml", "delay_ms 60000\n");
    let profile = profile(&desk, &dead, stopped.1, &library);

    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/sick.py");
    let mut spec = Spec::new("unshare").args(["--mount", "python3"]);
    let words = [launcher.as_path(), &dead, &resolv, Path::new(PROGRAM), Path::new("--profile"), &profile];
    spec.args.extend(words.map(|word| word.to_str().unwrap().to_owned()));
    spec.env.extend(desk.spec(&[]).env);
    spec.env.push(("FAKE_NVML".to_owned(), calls.to_str().unwrap().to_owned()));
    spec.size = (120, 40);
    let mut pty = Pty::spawn(&spec);

    // Each says what hangs, and since when; what is well goes on.
    pty.wait("each sick pane's sentence", |screen, _| {
        let text = screen.contents().split_whitespace().collect::<Vec<_>>().join(" ");
        ["stopped: no answer within", "nobody.example.test", "since", "has not answered"]
            .iter()
            .all(|it| text.contains(it))
    });
    let children = probes(&pty);
    let begun = clock_of(&pty.text()).unwrap();
    let mut keys = Vec::new();
    let mut clocks = vec![(begun, Instant::now())];
    while clocks.len() < 12 {
        for (key, there) in [("?", true), ("\x1b", false)] {
            let pressed = Instant::now();
            pty.send(key);
            pty.wait("the help sheet, or none", |screen, _| screen.contents().contains("KEYS") == there);
            keys.push(pressed.elapsed());
        }
        let last = clocks[clocks.len() - 1].0;
        pty.wait("the clock goes on", |screen, _| clock_of(&screen.contents()).is_some_and(|clock| clock != last));
        clocks.push((clock_of(&pty.text()).unwrap(), Instant::now()));
    }
    keys.sort();
    let p99 = keys[keys.len() * 99 / 100];
    // A frame is due each second; what is more is a gap.
    let gaps = clocks
        .windows(2)
        .skip(1)
        .map(|pair| pair[1].1.duration_since(pair[0].1).saturating_sub(Duration::from_secs(1)));
    let gap = gaps.max().unwrap();
    println!(
        "all hang at once: key p99 {:.1} ms, worst frame gap {:.1} ms",
        p99.as_secs_f64() * 1e3,
        gap.as_secs_f64() * 1e3
    );
    assert!(p99 <= KEY && gap <= FRAME, "key p99 {p99:?}, frame gap {gap:?}");
    pty.wait("healthy values", |screen, _| row_with(screen, "Healthy").is_some_and(|row| !row.contains("STALE")));
    assert_eq!(probes(&pty), children, "nothing is started twice");

    pty.send("q");
    assert!(pty.wait_end() < Duration::from_secs(20));
    assert_eq!(pty.status(), 0);
}

/// Probe children of the console: their command lines, sorted.
fn probes(pty: &Pty) -> Vec<(i32, String)> {
    let console = pty.pid().as_raw_nonzero().get();
    let mut found: Vec<(i32, String)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (parent == console && line.contains("probe")).then_some((pid, line))
        })
        .collect();
    found.sort();
    found
}

/// What is started, what its screen shows by then, how it is lost, and its exit status.
type Way = (&'static [&'static str], &'static str, fn(&mut Pty), i32);

#[test]
fn programs_that_samplers_run_end_with_the_console_however_it_ends() {
    let ways: [Way; 5] = [
        (&[], "Check", |pty| pty.send("q"), 0),
        (&[], "Check", Pty::hang_up, 128 + 1),
        (&[], "Check", |pty| pty.signal(Signal::TERM), 128 + 15),
        // Mostly before there is a screen.
        (&[], "", |pty| pty.signal(Signal::TERM), 128 + 15),
        (&["snapshot"], "", |pty| pty.signal(Signal::INT), -2),
    ];
    for (command, screen, lose, status) in ways {
        let desk = Desk::new();
        let script = format!("trap '' HUP INT TERM; while [ -d {} ]; do sleep 0.1; done", desk.path().display());
        let profile = format!(
            "title = \"Programs\"\nenvironment = \"test\"\n\n[samplers.check]\nkind = \"command\"\nargv = [\"/bin/sh\", \"-c\", \"{script}\"]\nevery = \"60s\"\n\n[[panes]]\ntitle = \"Check\"\nkind = \"sparkline\"\nquery = 'command_exit_code'\n"
        );
        let profile = desk.write("p.toml", profile);
        let mut pty = desk.start(&[command, &["--profile", profile.to_str().unwrap()]].concat());
        let runs = || desk.processes().iter().any(|line| line.contains("trap"));
        eventually("the program", || runs().then_some(()));
        pty.wait_for(screen);
        lose(&mut pty);
        assert_eq!(pty.status(), status, "{command:?}, {screen:?}");
        eventually("its end", || (!runs()).then_some(()));
    }
}
