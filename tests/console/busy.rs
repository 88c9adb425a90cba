//! What computes in vain, in the shipped pane of the busiest processes.

use crate::desk::{Desk, keeps};
use crate::peer::Running;
use crate::shipped::{Part, Wanted};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const NAME: &str = "loop-of-this-test";
/// Several of them: whatever else this machine does, together they are the busiest.
const LOOPS: usize = 4;
/// Two samples, one a second, and the picture of the second one.
const TWO: Duration = Duration::from_millis(2_250);
const TRIES: usize = 3;

#[test]
fn a_busy_loop_stands_first_in_its_pane_within_two_samples() {
    let desk = Desk::new();
    let wanted = Wanted { panes: &["Busiest processes"], samplers: &["top", "host"], ..Wanted::default() };
    let pty = Part::of("cerebellar-norse", &wanted).console(&desk, false);
    let first = |text: &str| {
        let rows = text.lines().skip_while(|row| !(row.contains("CPU") && row.contains("memory")));
        rows.skip(1).find(|row| row.contains(" % ")).map(str::to_owned)
    };
    pty.wait("some process", |screen, _| first(&screen.contents()).is_some());
    assert!(!pty.text().contains(NAME));
    let program = desk.path().join(NAME);
    fs::copy("/bin/bash", &program).unwrap();
    let start =
        || Running::start(Command::new(&program).args(["-c", "while :; do :; done"]), Stdio::null(), Stdio::null());
    let rises = |_| {
        let begun = Instant::now();
        let loops: Vec<Running> = (0..LOOPS).map(|_| start()).collect();
        pty.wait("the loops stand first", |screen, _| first(&screen.contents()).is_some_and(|row| row.contains(NAME)));
        let took = begun.elapsed();
        drop(loops);
        pty.wait("the loops are gone", |screen, _| !screen.contents().contains(NAME));
        took
    };
    keeps("a busy loop stands first", TWO, &(0..TRIES).map(rises).collect::<Vec<_>>());
}
