//! A line that a shipped pattern knows: its alert within a second, with the line.

use crate::desk::{Desk, keeps, row_with};
use crate::harness::Pty;
use crate::hazards::{flat, says};
use crate::shipped::{Part, Wanted};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// From the line to its alert on the screen.
const WITHIN: Duration = Duration::from_secs(1);
/// Of each row: the first makes the alert, and each of the others is then its line.
const LINES_EACH: usize = 4;

/// The log, the line as it is written, the alert, what its summary says, and the page that answers it.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const LINES: [Row; 6] = [
    (
        "app",
        "ERROR CUDA_ERROR_OUT_OF_MEMORY in cudaMallocAsync (612 MiB)",
        "CudaOutOfMemory",
        "a card has no memory left",
        "CUDA: out of memory",
    ),
    (
        "app",
        "ERROR CUDA error: code 101, device 3",
        "CudaInvalidDevice",
        "a card is not there",
        "CUDA: a card is missing",
    ),
    (
        "app",
        "ERROR CUDA_ERROR_LAUNCH_FAILED in step 812",
        "CudaLaunchFailed",
        "a kernel ended on an error",
        "CUDA: a kernel failed",
    ),
    (
        "kernel",
        "NVRM: Xid (PCI:0000:ff:1f): 79, GPU has fallen off the bus.",
        "NvidiaKernelMessage",
        "the kernel log has a message of the graphics driver",
        "CUDA: a kernel failed",
    ),
    (
        "kernel",
        "Out of memory: Killed process 4711 (cerebellar-nors) total-vm:31457280kB, anon-rss:29360128kB, file-rss:0kB",
        "KilledForMemory",
        "the kernel has killed cerebellar-nors, which held 28GiB, for memory",
        "Killed for memory",
    ),
    (
        "unit",
        "runtime error: Out Of Memory, cerebellar-norse[4711] held 28 GB",
        "KilledForMemory",
        "a log says that memory ran out",
        "Killed for memory",
    ),
];

#[test]
fn a_known_line_is_an_alert_within_a_second_with_the_line_attached() {
    // Each rule judges once most of its window was recorded: all of them wait for that together, and are then timed by turns.
    let turn = &Mutex::new(());
    let alerts: Vec<Duration> = std::thread::scope(|scope| {
        let consoles = LINES.map(|row| scope.spawn(move || is_alert(row, turn)));
        consoles.into_iter().map(|console| console.join().unwrap()).collect()
    });
    keeps("a line and its alert", WITHIN, &alerts);
}

/// From a line to its alert.
fn is_alert((log, line, alert, summary, page): Row, turn: &Mutex<()>) -> Duration {
    let desk = Desk::new();
    let logs = ["app", "unit", "kernel"];
    let wanted = Wanted { panes: &["Lines by pattern", "Log"], logs: &logs, ..Wanted::default() };
    let mut part = Part::of("cerebellar-norse", &wanted);
    // The journal and the kernel's log are played by files.
    for name in logs {
        plays(&mut part, name, &desk.write(&format!("{name}.log"), "2026-11-30T03:12:00Z INFO begun\n"));
    }
    let pty = part.console(&desk, true);
    judges(&pty, alert);
    let mut file = OpenOptions::new().append(true).open(desk.path().join(format!("{log}.log"))).unwrap();
    let turn = turn.lock().unwrap();
    let written = Instant::now();
    writeln!(file, "{line}").unwrap();
    pty.wait("the alert", |screen, _| screen.contents().contains(alert));
    let mut tries = vec![written.elapsed()];
    pty.send("d");
    let attached = |text: &str| {
        pty.wait("the detail with the line", |screen, _| {
            let all = flat(&screen.contents());
            all.contains(summary) && all.contains(&format!("line {log}: ")) && all.contains(text)
        });
    };
    let text = line.trim_start_matches("ERROR ");
    attached(text);
    for next in 1..LINES_EACH {
        let written = Instant::now();
        writeln!(file, "{line} again {next}").unwrap();
        attached(&format!("{text} again {next}"));
        tries.push(written.elapsed());
    }
    drop(turn);
    keeps(&format!("{alert} of a line in {log}"), WITHIN, &tries);
    says(&pty, &format!("{page}; "));
    tries[0]
}

/// A file plays this log.
pub(crate) fn plays(part: &mut Part, log: &str, file: &Path) {
    let mut table = Table::new();
    table.insert("kind".to_owned(), "file".into());
    table.insert("path".to_owned(), file.to_str().unwrap().into());
    part.set("logs", log, Value::Table(table));
}

/// Waits until the rule of an alert can judge: the list of rules says so.
pub(crate) fn judges(pty: &Pty, alert: &str) {
    pty.wait("the panes", |screen, _| row_with(screen, " UTC").is_some());
    pty.send("e");
    pty.wait_for("ALERTS AND RULES");
    pty.send("G");
    pty.wait("it is quiet", |screen, _| {
        row_with(screen, &format!(" {alert} ")).is_some_and(|row| row.contains(" OK ") && row.contains("nothing found"))
    });
    pty.send("\x1b");
    pty.wait("the panes again", |screen, _| {
        row_with(screen, " UTC").is_some()
            && !["ALERTS AND RULES", alert].iter().any(|word| screen.contents().contains(word))
    });
}
