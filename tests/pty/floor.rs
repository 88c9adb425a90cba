//! The `term` floor under a small program (`examples/term_probe.rs`).

use crate::example::example;
use crate::harness::{GUARD, Pty, Spec, only_our_sequences, without_copies};
use rustix::process::Signal;
use rustix::termios::LocalModes;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn spec(dir: &TempDir, args: &[&str]) -> Spec {
    let dir = dir.path().to_str().unwrap();
    Spec::new(example("term_probe")).args([dir]).args(args.iter().copied())
}

fn start(dir: &TempDir, args: &[&str]) -> Pty {
    let pty = Pty::spawn(&spec(dir, args));
    pty.wait_for("size 80x24");
    pty
}

fn dir() -> TempDir {
    TempDir::new().unwrap()
}

/// Ticks of the loop and how long the display has been behind, in milliseconds.
fn beat(dir: &Path) -> (u64, u64) {
    let text = std::fs::read_to_string(dir.join("beat")).unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn wait_beat(dir: &Path, what: &str, wanted: impl Fn((u64, u64)) -> bool) -> (u64, u64) {
    let mut last = (0, 0);
    wait_until(what, || {
        last = beat(dir);
        wanted(last)
    });
    last
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < GUARD, "never {what}");
        std::thread::yield_now();
    }
}

fn reports(dir: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("panic-"))
        .map(|entry| {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::read_to_string(entry.path()).unwrap()
        })
        .collect()
}

#[test]
fn every_death_that_can_be_caught_restores_the_terminal() {
    let signals = [
        (Signal::TERM, 128 + 15),
        (Signal::INT, 128 + 2),
        (Signal::QUIT, 128 + 3),
        (Signal::HUP, 128 + 1),
        (Signal::SEGV, -11),
        (Signal::BUS, -7),
        (Signal::ILL, -4),
        (Signal::FPE, -8),
        (Signal::ABORT, -6),
    ];
    for (signal, status) in signals {
        let dir = dir();
        let mut pty = start(&dir, &["--fast", "--noise"]);
        pty.signal(signal);
        assert_eq!(pty.status(), status, "{signal:?}");
        pty.assert_restored();
    }
    for (key, status) in [("q", 0), ("p", 101), ("T", 101), ("a", -6), ("o", -11)] {
        let dir = dir();
        let mut pty = start(&dir, &["--fast", "--noise"]);
        pty.send(key);
        assert_eq!(pty.status(), status, "key {key}");
        pty.assert_restored();
        let reports = reports(&dir);
        assert_eq!(reports.len(), usize::from(status == 101), "key {key}");
        assert!(reports.iter().all(|report| report.contains("panics on request") && report.contains("term_probe.rs:")));
        if status == 101 {
            pty.wait_for("the terminal was restored");
        }
    }
}

/// What is done to it, how, and its exit status then.
type Way = (&'static str, fn(&mut Pty), i32);

#[test]
fn programs_of_samplers_end_with_us_also_at_a_panic_and_where_the_loop_hangs() {
    let ways: [Way; 4] = [
        ("a panic", |pty| pty.send("p"), 101),
        ("a panic elsewhere", |pty| pty.send("T"), 101),
        ("a hang-up", Pty::hang_up, 129),
        ("a request to stop", |pty| pty.signal(Signal::TERM), 128 + 15),
    ];
    for (way, lose, status) in ways {
        let dir = dir();
        let mut pty = start(&dir, &["--program"]);
        let file = dir.path().join("program");
        let number = || std::fs::read_to_string(&file).ok()?.trim().parse::<u32>().ok();
        wait_until("a program", || number().is_some());
        let program = PathBuf::from(format!("/proc/{}", number().unwrap()));
        if !way.starts_with("a panic") {
            pty.send("h");
            wait_until("a loop that hangs", || dir.path().join("hangs").exists());
        }
        lose(&mut pty);
        assert_eq!(pty.status(), status, "{way}");
        wait_until(way, || !program.exists());
    }
}

#[test]
fn a_contained_panic_changes_nothing_on_the_terminal() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    pty.send("c");
    pty.wait_for("contained 1");
    pty.send("t");
    pty.wait_for("contained 2");
    assert!(!pty.modes().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
    assert!(!only_our_sequences(&pty.raw()).unwrap().is_plain());
    assert_eq!(reports(&dir).len(), 2);
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

#[test]
fn a_loop_that_hangs_does_not_keep_the_process_alive() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    pty.send("h");
    pty.signal(Signal::TERM);
    assert_eq!(pty.status(), 128 + 15);
    pty.assert_restored();
    let mut pty = start(&dir, &[]);
    pty.send("h");
    pty.hang_up();
    assert!(pty.wait_end() < Duration::from_secs(5));
    assert_eq!(pty.status(), 128 + 1);
}

#[test]
fn fifty_hang_ups_at_random_moments_leave_no_process_and_no_cpu() {
    let dir = dir();
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut longest = Duration::ZERO;
    for round in 0..50 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bytes = usize::try_from(seed >> 33).unwrap() % 20_000;
        let mut spec = spec(&dir, if round % 4 < 2 { &["--fast", "--noise"] } else { &[] });
        spec.ignore_hup = round % 2 == 0;
        let mut pty = Pty::spawn(&spec);
        // A random place in the stream; the quiet program stops at its first frame.
        let least = if round % 4 < 2 { bytes } else { bytes % 200 };
        pty.wait("some output", |_, raw| raw.len() >= least);
        if round % 3 == 0 {
            pty.send("\x1b[A\x1b[200~torn");
        }
        let before = pty.cpu();
        pty.hang_up();
        longest = longest.max(pty.wait_end());
        assert!(pty.cpu() - before < 0.2, "round {round}: {} s of CPU after the hang-up", pty.cpu() - before);
        let status = pty.status();
        assert!(matches!(status, 129 | -1 | 1), "round {round}: status {status}");
    }
    assert!(longest < Duration::from_secs(5), "one lived on for {longest:?}");
}

#[test]
fn a_terminal_that_stops_reading_holds_up_nothing_but_the_display() {
    let dir = dir();
    let mut pty = start(&dir, &["--fast", "--noise"]);
    pty.wait("some frames", |_, raw| raw.len() > 50_000);
    pty.pause(true);
    let (ticks, _) = wait_beat(dir.path(), "stalled", |(_, stalled)| stalled > 0);
    let before = pty.resident();
    wait_beat(dir.path(), "stalled for long", |(now, stalled)| stalled > 2_200 && now > ticks + 200);
    assert!(pty.resident() - before <= 1 << 20, "{} bytes more", pty.resident() - before);
    pty.pause(false);
    pty.wait("a whole frame after the stall", |_, raw| {
        raw.windows(9).filter(|w| w == b"\x1b[m\x1b[H\x1b[J").count() > 1
    });
    wait_beat(dir.path(), "recovered", |(_, stalled)| stalled == 0);
    // It can still be ended, and its modes are put back, while nobody reads.
    pty.pause(true);
    wait_beat(dir.path(), "stalled again", |(_, stalled)| stalled > 0);
    pty.signal(Signal::TERM);
    assert_eq!(pty.status(), 128 + 15);
    assert_eq!(format!("{:?}", pty.modes()), format!("{:?}", pty.modes_before()));
}

#[test]
fn control_z_gives_the_terminal_back_and_takes_it_again() {
    let dir = dir();
    let mut spec = spec(&dir, &[]);
    spec.script = Some("set -m; \"$@\"; echo STOPPED; read line; fg >/dev/null; echo END $?");
    for by_key in [true, false] {
        let mut pty = Pty::spawn(&spec);
        pty.wait_for("size 80x24");
        if by_key {
            pty.send("z");
        } else {
            rustix::process::kill_process(child_of(&pty), Signal::TSTP).unwrap();
        }
        pty.wait_for("STOPPED");
        assert!(pty.modes().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(only_our_sequences(&pty.raw()).unwrap().is_plain());
        pty.send("\n");
        pty.wait_for("last Resumed");
        pty.wait_for("size 80x24");
        assert!(only_our_sequences(&pty.raw()).unwrap().is_console());
        assert!(!pty.modes().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
        pty.send("q");
        pty.wait_for("END 0");
        assert_eq!(pty.status(), 0);
        pty.assert_restored();
    }
}

#[test]
fn started_in_the_background_it_waits_to_be_brought_forward() {
    let dir = dir();
    let mut spec = spec(&dir, &[]);
    spec.script = Some("set -m; \"$@\" & echo BACK; read line; jobs; fg >/dev/null; echo END $?");
    let mut pty = Pty::spawn(&spec);
    pty.wait_for("BACK");
    wait_state(child_of(&pty), 'T');
    assert!(pty.modes().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    pty.send("\n");
    pty.wait_for("found-raw false");
    pty.send("q");
    pty.wait_for("END 0");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

/// Waits for a state letter of `/proc/PID/stat`.
fn wait_state(pid: rustix::process::Pid, wanted: char) {
    wait_until("in the wanted state", || {
        let line = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
        line.rsplit_once(") ").unwrap().1.starts_with(wanted)
    });
}

/// The program under the shell of a script.
fn child_of(pty: &Pty) -> rustix::process::Pid {
    let pid = pty.pid().as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    rustix::process::Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

#[test]
fn a_continued_program_draws_its_screen_again() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    let before = pty.raw().len();
    pty.signal(Signal::CONT);
    pty.wait_for("last Resumed");
    pty.wait("a whole frame", |_, raw| raw[before..].windows(9).any(|w| w == b"\x1b[m\x1b[H\x1b[J"));
    pty.signal(Signal::USR1);
    pty.wait_for("last Reload");
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

#[test]
fn two_hundred_resizes_end_on_a_right_screen() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    let before = pty.cpu();
    for step in 0..200_u16 {
        let (columns, rows) = if step == 199 { (100, 30) } else { (20 + step * 37 % 231, 5 + step * 29 % 76) };
        pty.resize((columns, rows));
        if step % 10 == 9 {
            // A tick between, so that the storm has a length.
            let (ticks, _) = beat(dir.path());
            wait_beat(dir.path(), "alive", |(now, _)| now > ticks);
        }
    }
    let corners = format!("<{}>", "-".repeat(98));
    pty.wait("the last size", |screen, _| {
        let rows: Vec<String> = screen.rows(0, 100).collect();
        rows.len() == 30
            && rows[0].trim_end() == "size 100x30"
            && rows[29] == corners
            && rows[7..29].iter().all(String::is_empty)
    });
    assert!(pty.cpu() - before < 0.6, "{} s of CPU", pty.cpu() - before);
    only_our_sequences(&pty.raw()).unwrap();
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

#[test]
fn a_window_that_shrinks_and_grows_back_at_once_is_drawn_whole() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    for _ in 0..20 {
        // The terminal forgets what does not fit; the program may see only the size that it knows already.
        pty.resize((20, 5));
        pty.resize((80, 24));
        let corners = format!("<{}>", "-".repeat(78));
        pty.wait("the whole last line", |screen, _| screen.rows(0, 80).last() == Some(corners.clone()));
    }
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

#[test]
fn keys_pastes_and_the_terminals_answers_arrive_as_what_they_are() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    for (bytes, shown) in [
        ("é", "Char('é')"),
        ("\x1b[1;5A", "code: Up, modifiers: KeyModifiers(CONTROL)"),
        ("\x1b", "code: Esc"),
        ("\x1bOP", "F(1)"),
        ("\x1b[200~q\rq\x1b[201~", "last Paste { text: \"q␍q\", lines: [\"q\", \"q\"], left_out: 0 }"),
        ("\x1b[I", "last Focus(true)"),
        ("\x03", "Char('c'), modifiers: KeyModifiers(CONTROL)"),
    ] {
        pty.send(bytes);
        pty.wait_for(shown);
    }
    pty.send("f");
    pty.wait_for("last Fence(");
    pty.answer(false);
    pty.send("f");
    pty.wait("the second question", |_, raw| raw.windows(4).filter(|window| window == b"\x1b[5n").count() == 2);
    pty.send("\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;4c");
    pty.send("y");
    pty.wait("the clipboard", |_, raw| raw.windows(7).any(|window| window == b"\x1b]52;c;"));
    assert!(pty.raw().windows(16).any(|window| window == b"Y29waWVkCnRleHQ="), "the copied text");
    pty.send("q");
    assert_eq!(pty.status(), 0);
    only_our_sequences(&without_copies(&pty.raw())).unwrap();
}

#[test]
fn a_terminal_left_raw_is_left_sane() {
    let dir = dir();
    let mut spec = spec(&dir, &[]);
    spec.raw = true;
    let mut pty = Pty::spawn(&spec);
    pty.wait_for("found-raw true");
    pty.send("q");
    assert_eq!(pty.status(), 0);
    assert!(pty.modes().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
}

/// How often the program's reader has gone to sleep: each time, it has taken all that there was.
fn reader_naps(pty: &Pty) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", pty.pid().as_raw_nonzero())).unwrap();
    let status = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap());
    let reader = status.into_iter().find(|status| status.contains("term-reader")).unwrap();
    let line = reader.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn what_was_typed_before_a_prompt_is_dropped_wherever_it_waits() {
    let dir = dir();
    let mut pty = start(&dir, &[]);
    pty.send("x");
    wait_until("busy", || dir.path().join("busy").exists());
    // The loop is busy with that key; the rest waits in the queue, in the parser and in the kernel.
    let naps = reader_naps(&pty);
    pty.send("restart\r\x1b[200~pa");
    wait_until("read", || reader_naps(&pty) > naps);
    pty.send("sted\x1b[201~\x1b");
    std::fs::write(dir.path().join("go"), "").unwrap();
    pty.wait_for("inputs 1");
    pty.send("v");
    pty.wait_for("Char('v')");
    pty.wait_for("inputs 2");
    pty.send("q");
    assert_eq!(pty.status(), 0);
}

const HOSTILE: &[&str] = &[
    "\x1b]52;c;aGFja2Vk\x07",
    "\x1b]52;c;?\x1b\\",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[21t",
    "\x1b[6n",
    "\x1b[c",
    "\x1b[2J\x1b[H",
    "\x1b[31;5mred",
    "\x1b[?1049l",
    "\x1b[?1003h",
    "\x1b[8;10;10t",
    "\x1bP$q q\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x1b_Gf=32;AAAA\x1b\\",
    "\x1b^pm\x1b\\",
    "\x1bc",
    "\x1b#8",
    "\x1b(0lqk",
    "\u{9b}31mred",
    "\u{9d}0;t\u{9c}",
    "ok\rFAKE",
    "back\x08\x08\x08\x08FAKE",
    "bell\x07\x07",
    "shift\x0eout\x0f",
    "nul\0del\x7f",
    "tab\tvt\x0bff\x0c",
    "\u{202e}reversed\u{202c}",
    "\u{2066}isolate\u{2069}",
    "tag\u{e0041}\u{e0042}",
    "zero\u{200b}width\u{feff}\u{2060}",
    "line\u{2028}para\u{2029}",
    "\u{fff9}marks\u{fffb}",
    "private\u{e000}\u{f8ff}\u{10ffff}",
];

fn hostile_file(dir: &TempDir, texts: &[&[u8]]) -> String {
    let path = dir.path().join("hostile");
    std::fs::write(&path, texts.join(&b'\n')).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn hostile_text_reaches_the_terminal_in_no_way() {
    let tower = format!("a{}", "\u{301}".repeat(5_000));
    let mut texts: Vec<&[u8]> = HOSTILE.iter().map(|text| text.as_bytes()).collect();
    texts.extend([tower.as_bytes(), b"bad\xff\xfe\xc0utf8", b"\xe2\x80"]);
    let dir = dir();
    let file = hostile_file(&dir, &texts);
    for raw in [false, true] {
        let mut spec = spec(&dir, if raw { &["--raw"] } else { &[] }).args(["--hostile", &file]);
        spec.size = (100, 48);
        let mut pty = Pty::spawn(&spec);
        pty.wait_for("size 100x48");
        pty.send("v");
        pty.wait_for("Char('v')");
        only_our_sequences(&pty.raw()).unwrap();
        // The first gate leaves nothing to the second; alone, the second stops everything, too.
        assert_eq!(pty.text().contains("gate 0 "), !raw, "{}", pty.text());
        pty.send("q");
        assert_eq!(pty.status(), 0);
        pty.assert_restored();
    }
}
