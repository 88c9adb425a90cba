//! A line that a shipped pattern knows: its alert within a second, with the line.

use crate::desk::{Desk, row_with};
use crate::harness::Pty;
use crate::hazards::{flat, says};
use crate::shipped::{Part, Wanted};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// From the line to its alert on the screen.
const WITHIN: Duration = Duration::from_secs(1);

/// The log, the line as it is written, the alert, what its summary says, and the page that answers it.
const LINES: [(&str, &str, &str, &str, &str); 5] = [
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
    // Each rule judges once most of its window was recorded: all of them wait for that together.
    std::thread::scope(|scope| {
        for row in &LINES {
            scope.spawn(move || is_alert(row));
        }
    });
}

fn is_alert((log, line, alert, summary, page): &(&str, &str, &str, &str, &str)) {
    let desk = Desk::new();
    let logs = ["app", "unit", "kernel"];
    let wanted = Wanted { panes: &["Lines by pattern", "Log"], logs: &logs, ..Wanted::default() };
    let mut part = Part::of("cerebellar-norse", &wanted);
    // The journal and the kernel's log are played by files.
    for name in logs {
        let path = desk.write(&format!("{name}.log"), "2026-11-30T03:12:00Z INFO begun\n");
        let mut table = Table::new();
        table.insert("kind".to_owned(), "file".into());
        table.insert("path".to_owned(), path.to_str().unwrap().into());
        part.set("logs", name, Value::Table(table));
    }
    let pty = part.console(&desk, true);
    judges(&pty, alert);
    let mut file = OpenOptions::new().append(true).open(desk.path().join(format!("{log}.log"))).unwrap();
    let written = Instant::now();
    writeln!(file, "{line}").unwrap();
    pty.wait("the alert", |screen, _| screen.contents().contains(alert));
    let took = written.elapsed();
    println!("{alert} {took:?} after its line in {log}");
    assert!(took < WITHIN * 10, "{alert}: {took:?}");
    pty.send("d");
    let text = line.trim_start_matches("ERROR ");
    pty.wait("the detail with the line", |screen, _| {
        let all = flat(&screen.contents());
        all.contains(summary) && all.contains(&format!("line {log}: ")) && all.contains(text)
    });
    says(&pty, &format!("{page}; "));
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
