//! More lines than anyone can read: what is shown and what was dropped add up exactly.

use super::bench::Bench;
use super::generator::Flood;
use super::harness::{Pty, only_our_sequences};
use super::tool::{folder, spec};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is held of a stream, with room for the pages of a reader.
const MEMORY: i64 = 64 * 1024 * 1024;

#[test]
fn shown_and_dropped_are_all_that_was_offered() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"");
    bench.follow("app.log");
    let mut file = bench.append("app.log");
    let mut offered = 0_u64;
    for burst in [10_u64, 300_000, 999, 5_000] {
        let text = (offered..offered + burst)
            .map(|n| format!("a line of the flood, number {n}\n"))
            .collect::<Vec<_>>()
            .concat();
        file.write_all(text.as_bytes()).expect("writes");
        offered += burst;
        let last = format!("a line of the flood, number {}", offered - 1);
        bench.until("the newest", |bench| bench.has(&last));
    }
    let shown = u64::try_from(bench.shown().len()).expect("small");
    assert_eq!(shown + bench.dropped, offered);
    file.write_all(&vec![b'\n'; 3_000_000]).expect("writes");
    file.write_all(b"the end\n").expect("writes");
    offered += 3_000_001;
    bench.until("the end", |bench| bench.has("the end"));
    assert_eq!(u64::try_from(bench.shown().len()).expect("small") + bench.dropped, offered);
    assert!(bench.dropped > 0, "the mailbox is smaller than the flood");
}

/// The most bytes that were resident at once.
fn most_resident(pty: &Pty) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pty.pid().as_raw_nonzero())).expect("reads");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    i64::try_from(digits(line)).expect("small") * 1_024
}

fn digits(text: &str) -> u64 {
    text.chars().filter(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

/// The number that follows the words, as the screen says it.
fn after(text: &str, words: &str) -> Option<u64> {
    let rest = text.lines().find_map(|row| row.split_once(words))?.1;
    Some(digits(rest.split(|c: char| c != ',' && !c.is_ascii_digit()).next()?))
}

/// Bytes of files without a name that the program alone keeps on the disk.
fn kept_alive(pty: &Pty) -> u64 {
    let folder = format!("/proc/{}/fd", pty.pid().as_raw_nonzero());
    let open = fs::read_dir(folder).expect("ours").filter_map(|entry| fs::metadata(entry.ok()?.path()).ok());
    let mut bodies: Vec<_> =
        open.filter(|stat| stat.is_file() && stat.nlink() == 0).map(|stat| (stat.ino(), stat.len())).collect();
    bodies.sort_unstable();
    bodies.dedup();
    bodies.iter().map(|(_, bytes)| bytes).sum()
}

/// Pours a million lines a second for some seconds: what the tool shows and what it says that it dropped are all of
/// them, the oldest it has is the next after the dropped, and its memory stays within bounds. It may be late here.
fn poured(path: &Path, mut pty: Pty, secs: u64, per_file: Option<u64>) {
    let pouring = Flood { rate: 1_000_000, secs, per_file }.start(path);
    pty.wait_for("n=00");
    let before = pty.resident();
    let offered = pouring.join().expect("pours").lines;
    assert_eq!(offered, secs * 1_000_000);
    pty.wait_for(&format!("n={:010}", offered - 1));
    let most = most_resident(&pty);
    if per_file.is_some() {
        pty.wait("files are let go", |screen, _| {
            after(&screen.contents(), "dropped ").is_some_and(|dropped| dropped > 0)
        });
        let kept = kept_alive(&pty);
        assert!(kept < 320 * 1024 * 1024, "{kept} bytes of the disk are kept for a reader who may come back");
    }
    pty.send("=");
    pty.wait("the number of lines", |screen, _| after(&screen.contents(), " of ").is_some());
    // Nothing comes any more: what is said now stays.
    let text = pty.text();
    let (shown, dropped) = (after(&text, " of ").expect("said"), after(&text, "dropped ").expect("said"));
    assert_eq!(shown + dropped, offered, "{text}");
    pty.send("g");
    let oldest = format!("n={dropped:010}");
    pty.wait_for(&oldest);
    assert!(most - before < MEMORY, "{} bytes more", most - before);
    pty.send("q");
    assert_eq!(pty.status(), 0);
    if let Err(what) = only_our_sequences(&pty.raw()) {
        panic!("{what}");
    }
}

#[test]
fn a_million_lines_a_second_by_pipe_are_shown_or_counted_and_memory_stays_small() {
    let home = folder();
    let path = home.path().join("flood");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    let mut spec = spec(&home, &["-"]);
    spec.env.push(("FLOOD".to_owned(), path.to_string_lossy().into_owned()));
    spec.script = Some("exec \"$@\" < \"$FLOOD\"");
    let pty = Pty::spawn(&spec);
    poured(&path, pty, 5, None);
}

#[test]
fn a_million_lines_a_second_into_a_file_that_is_rotated_are_shown_or_counted() {
    let home = folder();
    let path = home.path().join("app.log");
    fs::write(&path, b"").expect("makes");
    let pty = Pty::spawn(&spec(&home, &[path.to_str().expect("plain")]));
    pty.wait_for("following");
    // Beyond what is kept of files whose names are gone.
    poured(&path, pty, 9, Some(500_000));
}
