//! A real unit of a real systemd in the shipped panes: it stops, it writes to its journal, it comes back.

use crate::desk::{Desk, keeps, row_with};
use crate::harness::Pty;
use crate::hazards::{flat, says};
use crate::peer::{self, Peer};
use crate::shipped::{Part, Wanted, texts};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const UNIT: &str = "cerebellar-norse.service";
/// Of the sampler of units.
const INTERVAL: Duration = Duration::from_secs(5);
/// From a line of the journal to the screen.
const LINE: Duration = Duration::from_secs(1);
const MARKERS: usize = 5;
const STOPS: usize = 3;

/// The systemd, and what reaches it from outside.
struct Lab {
    desk: Desk,
    peer: Peer,
    /// What is written here stands in the journal of the unit.
    pipe: PathBuf,
}

impl Lab {
    /// `None` where no systemd can run.
    fn start() -> Option<Self> {
        let desk = Desk::new();
        let peer = peer::start("systemd")?;
        for name in ["systemd.sh", "lib.sh"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
            let copy = desk.write(&format!("bin/{name}"), fs::read(from).unwrap());
            fs::set_permissions(copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let units = PathBuf::from(peer.env("SYSTEMD_UNIT_DIR"));
        let pipe = units.parent().unwrap().join("say");
        let (at, says) = (pipe.display(), "while read -r line <&3; do echo \"<5>$$line\"; done");
        let service = format!(
            "ExecStartPre=/usr/bin/mkfifo -m 600 {at}\nExecStart=/bin/sh -c 'exec 3<>{at}; {says}'\nExecStopPost=/bin/rm -f {at}\n"
        );
        fs::write(units.join(UNIT), format!("[Unit]\nDefaultDependencies=no\n[Service]\n{service}")).unwrap();
        let lab = Self { desk, peer, pipe };
        lab.systemctl(&["daemon-reload"]);
        Some(lab)
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn says(&self, property: &str) -> String {
        self.systemctl(&["show", "-P", property, UNIT])
    }

    fn console(&self) -> Pty {
        let panes = ["Service", "Service state", "Log"];
        let wanted = Wanted { panes: &panes, samplers: &["unit"], logs: &["app", "unit"], ..Wanted::default() };
        let mut part = Part::of("cerebellar-norse", &wanted);
        let (script, dir) = (self.desk.path().join("bin/systemd.sh"), self.pipe.parent().unwrap());
        let inside = texts(&[script.to_str().unwrap(), "exec", dir.to_str().unwrap(), "systemctl"]);
        part.set("samplers.unit", "systemctl", inside.clone());
        part.set("logs.unit", "systemctl", inside);
        part.set(
            "logs.unit",
            "journalctl",
            texts(&["/usr/bin/journalctl", "-D", self.peer.env("SYSTEMD_JOURNAL_DIR")]),
        );
        part.set("settings", "log-folder", self.desk.path().to_str().unwrap());
        part.console(&self.desk, false)
    }
}

/// Waits until the tile has this word.
fn tile(pty: &Pty, word: &str) {
    pty.wait(word, |screen, _| row_with(screen, "Service ").is_some_and(|row| row.contains(word)));
}

#[test]
fn a_unit_that_stops_turns_its_tile_within_an_interval_and_a_marker_in_its_journal_is_there_within_a_second() {
    let Some(lab) = Lab::start() else { return };
    lab.systemctl(&["start", UNIT]);
    let pty = lab.console();
    let running = || format!("active (running); process {}; since ", lab.says("MainPID"));
    says(&pty, &running());
    tile(&pty, " OK");

    let marker = |at: usize| {
        let text = format!("marker {at} of this very test");
        let written = Instant::now();
        writeln!(fs::OpenOptions::new().write(true).open(&lab.pipe).unwrap(), "{text}").unwrap();
        pty.wait_for(&text);
        written.elapsed()
    };
    keeps("a line of the journal", LINE, &(0..MARKERS).map(marker).collect::<Vec<_>>());

    let stop = |_| {
        lab.systemctl(&["stop", UNIT]);
        let stopped = Instant::now();
        tile(&pty, "CRITICAL");
        let turned = stopped.elapsed();
        assert_eq!(lab.says("ActiveState"), "inactive");
        says(&pty, "inactive (dead)");
        lab.systemctl(&["start", UNIT]);
        tile(&pty, " OK");
        says(&pty, &running());
        turned
    };
    keeps("a unit that stopped", INTERVAL, &(0..STOPS).map(stop).collect::<Vec<_>>());
    assert!(flat(&pty.text()).contains(&format!("restarts {}", lab.says("NRestarts"))), "{}", pty.text());
}
