//! A console that only looks, whatever is pressed, pasted or dragged: by its system calls nothing is started, written,
//! asked or signalled but what looking needs, and each of its frames says READ-ONLY and none asks anything (R19).
//! And a runner that such a console would have started refuses.

use crate::desk::{Desk, PROGRAM, eventually};
use crate::harness::{Pty, Spec};
use crate::lost::{confirm_first, is_gone, seen};
use crate::peer;
use crate::scene::Scene;
use crate::strace::{Runner, long, works};
use crate::trace::{Allowed, arguments, wrongs};
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::base::backoff::Jitter;
use watchkeeper::journal::verify;
use watchkeeper::sys::paths;

const ALERT: &str = "groups:\n- name: bench\n  rules:\n  - alert: Always\n    expr: node_load1 >= 0\n    \
    labels:\n      severity: critical\n    annotations:\n      summary: there is a load\n";

const PROCEDURE: &str = "+++\ntitle = \"Edit it\"\nalerts = [\"Always\"]\n+++\n# Edit it\n\n## Edit\n\n```action\nrun = \"edit\"\n\
    failed = \"Nothing.\"\n```\n\n## By hand\n\n- [ ] Look at it … done\n\n```bash\ntouch @/target\n```\n";

/// A small system with everything that could act on it, and a peer that is watched.
struct Bench {
    desk: Desk,
    peer: TcpListener,
}

impl Bench {
    fn new() -> Self {
        let (desk, peer) = (Desk::new(), TcpListener::bind("127.0.0.1:0").unwrap());
        let place = desk.path().to_str().unwrap().to_owned();
        fs::create_dir(desk.path().join("state")).unwrap();
        desk.write("target", OLD);
        desk.write("app.log", "started\nERROR it did not work\n".repeat(40));
        let act = desk.write("act", "#!/bin/sh\necho once >> \"$1\"\n");
        fs::set_permissions(act, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let port = peer.local_addr().unwrap().port().to_string();
        desk.write("bench/profile.toml", PROFILE.replace("@PORT", &port).replace('@', &place));
        desk.write("bench/rules.yaml", ALERT);
        desk.write("bench/procedures/edit.md", PROCEDURE.replace('@', &place));
        Self { desk, peer }
    }

    /// A console under strace whose `/var/lib` is the desk's own.
    fn console(&self, log: &Path, more: &[&str]) -> Pty {
        let (state, profile) = (self.desk.path().join("state"), self.desk.path().join("bench"));
        let mount = "mount --bind \"$1\" /var/lib && shift && exec \"$@\"";
        let mut args: Vec<String> =
            ["--mount", "sh", "-c", mount, "sh", state.to_str().unwrap()].map(str::to_owned).to_vec();
        args.extend(arguments(log));
        args.extend([PROGRAM, "--profile", profile.to_str().unwrap()].iter().chain(more).map(ToString::to_string));
        let pty = Pty::spawn(&Spec { env: self.desk.spec(&[]).env, ..Spec::new("unshare").args(args) });
        pty.wait_for("CPU busy");
        pty
    }

    /// What its consoles did beyond looking, once each trace has its end.
    fn wrongs(&self, logs: &[PathBuf]) -> Vec<String> {
        let port = format!("sin_port=htons({})", self.peer.local_addr().unwrap().port());
        let allowed = Allowed {
            program: PROGRAM,
            folders: &["/var/lib/watchkeeper", "/dev/tty", "/dev/pts", "/dev/null"],
            closed: &["/var/lib/watchkeeper/actions", "/var/lib/watchkeeper/runs"],
            peers: &[&port, "sun_path=\"/dev/log\""],
        };
        let of = |log: &PathBuf| {
            let text = eventually("the end of a trace", || {
                let text = fs::read_to_string(log).ok()?;
                let first = text.split(' ').next()?;
                // Small numbers of processes are filled up with spaces.
                let ends = |(thread, rest): (&str, &str)| thread == first && rest.trim_start().starts_with("+++ ");
                text.lines().filter_map(|line| line.split_once(' ')).any(ends).then_some(text)
            });
            wrongs(&text, &allowed)
        };
        logs.iter().flat_map(of).collect()
    }

    fn journal(&self) -> String {
        let files = fs::read_dir(self.desk.path().join("state/watchkeeper/journal")).unwrap().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }
}

const OLD: &str = "a = 1\nb = 2\n";

const PROFILE: &str = r#"title = "Bench"
environment = "test"
[procedures]
run_commands = true
[samplers.host]
kind = "host"
[samplers.peer]
kind = "tcp"
url = "127.0.0.1:@PORT"
[logs.app]
kind = "file"
path = "@/app.log"
[[panes]]
title = "CPU busy"
kind = "sparkline"
query = "node_load1"
[[panes]]
title = "Port"
kind = "sparkline"
query = "probe_success"
[actions.edit]
title = "Edit"
kind = "config_set"
format = "toml"
verb = "edit"
danger = "C2"
file = "@/target"
set = [{ key = "a", from = 1, to = 7 }]
[actions.act]
title = "Act"
kind = "command"
verb = "perform"
danger = "C1"
preview = ["@/act", "@/target"]
undo = "none"
argv = ["@/act", "@/target"]
"#;

/// What the terminal got, and at which of its bytes it had which size.
struct Shown {
    raw: Vec<u8>,
    /// From this byte on, until that one: between them the frames may still be for the size before.
    sizes: Vec<(usize, usize, (u16, u16))>,
}

/// What frames told.
#[derive(Default)]
struct Frames {
    judged: usize,
    unmarked: Option<String>,
    asking: Option<String>,
}

const WHOLE: &[u8] = b"\x1b[m\x1b[H\x1b[J";

fn after(raw: &[u8], sequence: &[u8]) -> Vec<usize> {
    let found = raw.windows(sequence.len()).enumerate().filter(|(_, window)| *window == sequence);
    found.map(|(at, _)| at).collect()
}

impl Shown {
    /// Plays it back frame by frame.
    fn frames(&self) -> Frames {
        let mut cuts = after(&self.raw, b"\x1b[?2026h");
        // Where the terminal is given back no frame ends: it echoes keys already, until its own screen is there again.
        let ends = after(&self.raw, b"\x1b[?2026l").into_iter().map(|at| at + 8);
        cuts.extend(ends.filter(|end| !self.raw[*end..].starts_with(b"\x1b[r")));
        cuts.extend(self.sizes.iter().map(|(from, ..)| *from));
        cuts.sort_unstable();
        let (mut frames, mut whole, mut from) = (Frames::default(), false, 0);
        let mut parser = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
        for cut in cuts {
            let bytes = &self.raw[from..cut];
            parser.process(bytes);
            from = cut;
            // A screen that was given back and taken again is empty until its first frame.
            whole = (whole && after(bytes, b"\x1b[?1049h").is_empty()) || !after(bytes, WHOLE).is_empty();
            for (_, _, (columns, rows)) in self.sizes.iter().filter(|(at, ..)| *at == cut) {
                parser.screen_mut().set_size((*rows).try_into().unwrap(), (*columns).try_into().unwrap());
            }
            let between = self.sizes.iter().any(|(from, until, _)| (*from..*until).contains(&cut));
            if parser.screen().alternate_screen() && whole {
                frames.judge(&parser.screen().contents(), between);
            }
        }
        frames
    }
}

impl Frames {
    fn judge(&mut self, text: &str, between: bool) {
        let asks = ["to arm, anything else", "to run it", "Enter runs it", "EXPIRES  in "];
        if asks.iter().any(|words| text.contains(words)) {
            self.asking.get_or_insert(text.to_owned());
        }
        if !between {
            self.judged += 1;
            if !text.lines().next().is_some_and(|row| row.contains(" READ-ONLY ")) {
                self.unmarked.get_or_insert(text.to_owned());
            }
        }
    }
}

/// What comes from a terminal in one go.
enum Input {
    Bytes(Vec<u8>),
    Size((u16, u16)),
}

const PHRASES: [&str; 16] = [
    "a\r",
    "a\rA",
    "Ay",
    "A",
    "y",
    "edit\r",
    "perform\r",
    "p\r\r",
    "p\r\rA",
    "e\r",
    "R",
    "ajj\r",
    "i\r",
    "s\r",
    "\x1b[I",
    "\x1b[O",
];
const KEYS: [&str; 14] = [
    "\r", "\r", "\x1b", "\x1b", "\x1b", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[5~", "\x1b[6~", "\t", "\x7f", "\x0c",
    "\x1a",
];

fn input(random: &mut Jitter) -> Input {
    let mut below = |limit: usize| usize::try_from(random.next() % u64::try_from(limit).unwrap()).unwrap();
    let bytes = match below(100) {
        0 => b"q".to_vec(),
        1..10 => {
            let columns = 80 + u16::try_from(below(120)).unwrap();
            return Input::Size((columns, 16 + u16::try_from(below(34)).unwrap()));
        }
        10..18 => format!("\x1b[200~{}\x1b[201~", PHRASES[below(PHRASES.len() - 2)]).into_bytes(),
        18..40 => PHRASES[below(PHRASES.len())].into(),
        40..65 => KEYS[below(KEYS.len())].into(),
        _ => vec![b' ' + u8::try_from(below(94)).unwrap()],
    };
    Input::Bytes(bytes)
}

/// Types at a console until it is over or `until`; what it showed.
fn drive(pty: &Pty, random: &mut Jitter, until: Instant, inputs: &mut u32) -> Shown {
    let (mut sizes, mut columns) = (Vec::new(), 80);
    while Instant::now() < until && !is_gone(pty) {
        match input(random) {
            Input::Bytes(bytes) => pty.send(bytes),
            // One that tells the frames of before from those that follow.
            Input::Size(size) if size.0 != columns => {
                columns = size.0;
                let from = pty.raw().len();
                pty.resize(size);
                // The clock stands at the right end of a frame of this size.
                let fits = |text: &str| {
                    let first = text.lines().next().unwrap_or_default();
                    first.ends_with(" UTC") && first.chars().count() + 2 > usize::from(size.0)
                };
                let drawn = seen(pty, "a frame of the new size", fits);
                sizes.push((from, if drawn { pty.raw().len() } else { usize::MAX }, size));
            }
            Input::Size(_) => {}
        }
        *inputs += 1;
        // Faster than a hand, and no faster than it is drawn: a flood would open nothing.
        std::thread::sleep(Duration::from_millis(10));
    }
    Shown { raw: pty.raw(), sizes }
}

fn end(mut pty: Pty) {
    if !is_gone(&pty) {
        pty.signal(Signal::TERM);
    }
    assert!([0, 128 + 15].contains(&pty.status()));
}

fn skipped() -> bool {
    let (traced, root) = (works(), rustix::process::geteuid().is_root());
    if !traced {
        peer::skip("strace", "it is not here, or may not trace");
    } else if !root {
        peer::skip("a console with a state folder of its own", "only root may mount one");
    }
    !traced || !root
}

#[test]
fn whatever_is_pressed_a_read_only_console_looks_and_does_nothing_else() {
    if skipped() {
        return;
    }
    let (bench, mut random) = (Bench::new(), Jitter(0x51ED_270B_9A4C_1F37));
    let until = Instant::now() + Duration::from_secs(if long() { 600 } else { 8 });
    let (mut logs, mut inputs, mut judged) = (Vec::new(), 0, 0);
    while Instant::now() < until {
        let log = bench.desk.path().join(format!("trace{}", logs.len()));
        let pty = bench.console(&log, &["--read-only"]);
        logs.push(log);
        // What a deed takes, so that every console was asked for one.
        for (keys, shown) in [("a", "ACTIONS"), ("\r", "Only a preview"), ("A", "read-only: nothing arms it")] {
            pty.send(keys);
            pty.wait_for(shown);
        }
        pty.send("y");
        let shown = drive(&pty, &mut random, until, &mut inputs);
        end(pty);
        let frames = shown.frames();
        assert_eq!(frames.unmarked, None, "a frame that does not say READ-ONLY");
        assert_eq!(frames.asking, None, "a prompt");
        judged += frames.judged;
    }
    assert_eq!(bench.wrongs(&logs), [""; 0], "what it did to the world");
    assert_eq!(fs::read_to_string(bench.desk.path().join("target")).unwrap(), OLD);
    let journal = bench.journal();
    for event in ["mode.arm", "confirm.shown", "confirm.accepted", "action.intent"] {
        assert!(!journal.contains(&format!("\"ev\":\"{event}\"")), "{event}: {journal}");
    }
    println!("{inputs} inputs, {} consoles, {judged} frames judged: it looked, and nothing else", logs.len());
    assert!(inputs > 100 && judged > 100, "too little to prove anything: {inputs} inputs, {judged} frames");
}

#[test]
fn the_judges_of_a_read_only_console_see_one_that_acts() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    let log = bench.desk.path().join("trace");
    let pty = bench.console(&log, &[]);
    pty.send("a");
    pty.wait_for("ACTIONS");
    assert!(confirm_first(&pty, "edit"));
    pty.wait_for("EXECUTED");
    let shown = Shown { raw: pty.raw(), sizes: Vec::new() };
    end(pty);
    let frames = shown.frames();
    assert!(frames.unmarked.is_some() && frames.asking.is_some_and(|text| text.contains("to arm")));
    let wrongs = bench.wrongs(&[log]);
    for part in ["execve(\"/proc/self/exe\"", "/var/lib/watchkeeper/actions", "/target"] {
        assert!(wrongs.iter().any(|wrong| wrong.contains(part)), "{part}: {wrongs:#?}");
    }
}

#[test]
fn a_runner_that_a_read_only_console_would_have_started_does_nothing_and_records_that() {
    for case in crate::world::cases() {
        let scene = Scene::new();
        (case.arrange)(&scene);
        let before = (case.look)(&scene);
        let runner = Runner::order(&scene, &case);
        let code = runner.start_with(&[("WATCHKEEPER_READ_ONLY", "1")]).0.wait().unwrap().code();
        assert_eq!((code, (case.look)(&scene)), (Some(3), before.clone()), "{}", case.kind);
        let told = runner.run.read().unwrap().unwrap();
        let end = told.end.unwrap();
        assert_eq!((end.outcome, end.executed, told.unrecorded), (Outcome::Refused, false, None), "{}", case.kind);
        assert!(end.reason.as_str().contains("from a read-only console"), "{}", end.reason);
        let trail = paths::journal_dir(&scene.state());
        assert!(verify(&trail).unwrap().intact());
        let journal = fs::read_to_string(trail.join("00000001.jsonl")).unwrap();
        let of = |event: &str| journal.matches(&format!("\"ev\":\"{event}\"")).count();
        assert_eq!((of("action.refused"), of("action.intent")), (1, 0), "{}: {journal}", case.kind);
        assert!(journal.contains("from a read-only console"), "{journal}");
    }
}
