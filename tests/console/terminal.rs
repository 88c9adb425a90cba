//! The console's hold on its terminal: lost, stalled, resized, suspended, ended by signals.

use crate::desk::{Desk, clock_of, eventually, row_with};
use crate::harness::{Pty, Spec, only_our_sequences};
use rustix::process::Signal;
use rustix::termios::LocalModes;
use std::time::Duration;

const FULL_FRAME: &[u8] = b"\x1b[m\x1b[H\x1b[J";

fn start(spec: &Spec) -> Pty {
    let pty = Pty::spawn(spec);
    pty.wait_for("load 1m");
    pty
}

fn full_frames(raw: &[u8]) -> usize {
    raw.windows(FULL_FRAME.len()).filter(|window| *window == FULL_FRAME).count()
}

#[test]
fn fifty_hang_ups_at_random_moments_leave_no_process_and_no_cpu() {
    let desk = Desk::new();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut longest = Duration::ZERO;
    for round in 0..50 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut spec = desk.spec(&[]);
        spec.ignore_hup = round % 2 == 0;
        let mut pty = Pty::spawn(&spec);
        // A random place in the stream: modes, first frame, later ones.
        let least = usize::try_from(seed >> 33).unwrap() % 6_000;
        if least > 2_500 {
            pty.wait("its first frame", |screen, _| screen.contents().contains("UTC"));
            pty.send(["\x0c", "?", "z\x0c", "\x1b[200~torn", "L\x0c"][round % 5]);
        }
        pty.wait("some output", |_, raw| raw.len() >= least.min(3_000));
        let before = pty.cpu();
        pty.hang_up();
        longest = longest.max(pty.wait_end());
        // Started, it needs a moment of CPU to come up; the spinning of F1 would be seconds.
        assert!(pty.cpu() - before < 0.5, "round {round}: {} s of CPU after the hang-up", pty.cpu() - before);
        let status = pty.status();
        assert!(matches!(status, 129 | -1 | 1 | 2), "round {round}: status {status}");
    }
    assert!(longest < Duration::from_secs(5), "one lived on for {longest:?}");
}

#[test]
fn the_signals_that_end_it_restore_the_terminal() {
    let desk = Desk::new();
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        let mut pty = start(&desk.spec(&[]));
        pty.signal(signal);
        assert_eq!(pty.status(), 128 + signal.as_raw(), "{signal:?}");
        pty.assert_restored();
    }
}

#[test]
fn two_hundred_resizes_end_on_a_right_screen() {
    let desk = Desk::new();
    let mut pty = start(&desk.spec(&[]));
    for step in 0..200_u16 {
        let size = if step == 199 { (132, 43) } else { (20 + step * 37 % 231, 5 + step * 29 % 76) };
        pty.resize(size);
        if step % 20 == 19 {
            // It has seen this size; the storm goes on.
            let place = usize::from(size.0 - 1);
            pty.wait("the clock at this size's edge", |screen, _| {
                clock_of(&screen.contents()).is_some()
                    && screen.rows(0, size.0).next().is_some_and(|row| row.trim_end().chars().count() <= place)
            });
        }
    }
    let fresh = {
        let mut spec = desk.spec(&[]);
        spec.size = (132, 43);
        start(&spec)
    };
    let titles = ["this host", "CPU busy", "Memory used", "Waiting", "Disk used", "System log", "? help", "UTC"];
    for pty in [&fresh, &pty] {
        for title in titles {
            pty.wait_for(title);
        }
    }
    // Both go on: a pane that has nothing to show yet comes to either of them later.
    pty.wait("the layout of a fresh console", |screen, _| places_on(screen, &titles) == places(&fresh, &titles));
    only_our_sequences(&pty.raw()).unwrap();
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

/// Row and column of each text.
fn places(pty: &Pty, texts: &[&str]) -> Vec<Option<(usize, usize)>> {
    let mut found = Vec::new();
    pty.wait("a screen", |screen, _| {
        found = places_on(screen, texts);
        true
    });
    found
}

fn places_on(screen: &vt100::Screen, texts: &[&str]) -> Vec<Option<(usize, usize)>> {
    let rows: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
    let place =
        |text: &&str| rows.iter().enumerate().find_map(|(y, row)| Some((y, row.split_once(*text)?.0.chars().count())));
    texts.iter().map(place).collect()
}

#[test]
fn a_terminal_that_stops_reading_stops_nothing_but_the_display() {
    let desk = Desk::new();
    let mut pty = start(&desk.spec(&[]));
    let first = clock_of(&pty.text()).unwrap();
    let later = |screen: &vt100::Screen| clock_of(&screen.contents()).is_some_and(|now| now.abs_diff(first) >= 4);
    pty.wait("a few seconds of samples", |screen, _| later(screen));
    let wakes = |pty: &Pty| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pty.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:")).unwrap();
        line.rsplit('\t').next().unwrap().parse::<u64>().unwrap()
    };
    let before = pty.resident();
    let frames = full_frames(&pty.raw());
    pty.pause(true);
    stall(&pty);
    // The first thread is the loop: it goes on waking up, second after second.
    let begun = wakes(&pty);
    eventually("a loop that goes on", || (wakes(&pty) > begun + 12).then_some(()));
    assert!(pty.resident() - before <= 1 << 20, "{} bytes more", pty.resident() - before);
    pty.pause(false);
    pty.wait("a whole frame after the stall", |_, raw| full_frames(raw) > frames + 1);
    pty.wait("a clock that is right", |screen, _| {
        let day = 24 * 60 * 60;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() % day;
        clock_of(&screen.contents()).is_some_and(|shown| u64::from(shown).abs_diff(now) <= 1)
    });
    // While nobody reads it can still be ended, and the modes come back.
    pty.pause(true);
    stall(&pty);
    pty.signal(Signal::TERM);
    assert_eq!(pty.status(), 128 + 15);
    assert_eq!(format!("{:?}", pty.modes()), format!("{:?}", pty.modes_before()));
}

/// Asks for whole frames until the terminal's buffer takes no more: the writer sits in its write.
fn stall(pty: &Pty) {
    let pid = pty.pid().as_raw_nonzero();
    let writer = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .flatten()
        .find(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.contains("writer")));
    let writer = writer.expect("a writer thread").path();
    let written = || {
        let io = std::fs::read_to_string(writer.join("io")).unwrap();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse::<u64>().unwrap()
    };
    let mut last = written();
    let mut quiet = 0;
    eventually("a writer that is stuck", || {
        pty.send("\x0c");
        std::thread::sleep(Duration::from_millis(150));
        let now = written();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        (quiet > 5).then_some(())
    });
}

#[test]
fn control_z_gives_the_terminal_back_and_takes_it_again() {
    let desk = Desk::new();
    let mut spec = desk.spec(&[]);
    spec.script = Some("set -m; \"$@\"; echo STOPPED; read line; fg >/dev/null; echo END $?");
    let mut pty = start(&spec);
    pty.send("\x1a");
    pty.wait_for("STOPPED");
    assert!(pty.modes().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
    assert!(only_our_sequences(&pty.raw()).unwrap().is_plain());
    pty.send("\n");
    pty.wait("the console again", |screen, _| {
        row_with(screen, "UTC").is_some() && !screen.contents().contains("STOPPED")
    });
    assert!(!pty.modes().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO));
    let first = clock_of(&pty.text()).unwrap();
    pty.wait("a clock that ticks", |screen, _| clock_of(&screen.contents()).is_some_and(|now| now != first));
    pty.send("q");
    pty.wait_for("END 0");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}
