//! The three systems: each starts, its pages answer in their form, its incidents show in metrics and in logs, what is
//! said to mend one mends it, and leaving leaves nothing.

mod alerts;
mod door;
mod genesis;
mod norse;
mod planar;
mod shipped;

use super::probe::{Twin, eventually};
use door::Door;
use std::fs;
use std::path::Path;
use std::time::Duration;
use watchkeeper::roles::demo::Demo;
use watchkeeper::roles::twin::systems::{Incident, System};

/// Several times what it takes: what comes within 20 s here may be later on a busy machine.
const GUARD: Duration = Duration::from_secs(60);

/// A system under its supervisor, and the ways in.
struct Played {
    twin: Twin,
    unit: &'static str,
}

impl Played {
    fn start(system: System, incident: &str, seed: u64) -> Self {
        let play = Incident::of(system, Some(incident)).unwrap();
        let demo = Demo::start_as(Path::new(env!("CARGO_BIN_EXE_watchkeeper")), play, seed).unwrap();
        Self { twin: Twin { demo }, unit: system.name() }
    }

    /// One of its ports, the first one is 0; with TLS where it has that.
    fn door(&self, port: usize, tls: bool) -> Door {
        let demo = &self.twin.demo;
        let port = if port == 0 { demo.port } else { demo.also[port - 1] };
        Door { port, ca: tls.then(|| demo.dir.join("etc/tls/ca.pem")), headers: Vec::new() }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.twin.demo.dir.join(file)).unwrap_or_default()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.twin.demo.dir.join(file), text).unwrap();
    }

    /// Replaces text of a file that must be there.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} lacks {from}: {text}");
        self.write(file, &text.replace(from, to));
    }

    fn pid(&self) -> Option<u32> {
        let reply = self.twin.ask(&format!("status {}", self.unit))?;
        reply.strip_prefix("running ")?.split(' ').next()?.parse().ok()
    }

    /// By the manager, as the profile's actions do it.
    fn restart(&self) {
        let before = self.pid();
        let reply = self.twin.ask(&format!("restart {}", self.unit)).unwrap();
        let after = self.pid();
        assert!(reply.starts_with("ok ") && after.is_some() && after != before, "{reply}: {before:?} {after:?}");
        let noted = self.read(&format!("run/{}.pid", self.unit));
        assert_eq!(noted.trim().parse().ok(), after, "the pid file follows");
    }

    /// Waits until the log holds all of these.
    fn logs(&self, file: &str, wanted: &[&str]) {
        eventually(GUARD, &format!("{wanted:?} in {file}"), || {
            let text = self.read(file);
            wanted.iter().all(|part| text.contains(part)).then_some(())
        });
    }

    fn leaves_nothing(self) {
        let pid = self.pid().unwrap();
        let left = self.twin.leave();
        left.nothing_is_left(GUARD);
        eventually(GUARD, "the system's end", || (!super::probe::alive(pid)).then_some(()));
    }
}

#[test]
fn a_system_or_an_incident_that_is_not_there_is_said_with_those_that_are() {
    let fault = System::named("norse").unwrap_err().to_string();
    assert!(fault.contains("cerebellar-norse"), "{fault}");
    for system in System::ALL {
        let fault = Incident::of(system, Some("fire")).unwrap_err().to_string();
        assert!(system.stories().iter().all(|story| fault.contains(&story.name)), "{fault}");
        assert_eq!(Incident::of(system, None).unwrap().story.name, "quiet");
    }
}

#[test]
fn the_readme_names_every_story() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for story in System::ALL.into_iter().flat_map(System::stories).filter(|story| story.name != "quiet") {
        assert!(readme.contains(&format!("`{}`", story.name)), "{}", story.name);
    }
}
