//! A system of the twin under a real manager, its shipped profile pointed at it, and a place for consoles.

use crate::desk::{Desk, PROGRAM, eventually};
use crate::harness::{Pty, Spec};
use crate::peer::{self, Peer};
use crate::script::Set;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use watchkeeper::config::{ProfileRef, SearchPath, load_profile};
use watchkeeper::procedure::Document;
use watchkeeper::roles::demo::Demo;
use watchkeeper::roles::handbook::documents;
use watchkeeper::roles::setup::known_kinds;
use watchkeeper::roles::twin::systems::{Incident, System};

/// The unit or program of each is called as the system is.
pub(crate) struct Stage {
    system: System,
    demo: Demo,
    /// Who runs it, where somebody does; the console then stands beside it.
    manager: Option<(String, Peer)>,
    peers: Vec<Peer>,
    pub(crate) desk: Desk,
    start: String,
}

impl Stage {
    /// `None` where a peer cannot run here, which was said.
    pub(crate) fn set(system: System, set: &Set) -> Option<Self> {
        let incident = Incident::of(system, set.incident.as_deref()).unwrap();
        let demo = Demo::start_as(Path::new(PROGRAM), incident, 7).unwrap();
        let desk = Desk::new();
        let manager = match &set.manager {
            None => None,
            Some(name) => {
                let ours = format!("{}:{}", demo.dir.display(), desk.path().display());
                Some((name.clone(), peer::start_with(name, &[("SYSTEMD_RW", &ours)])?))
            }
        };
        let given: Vec<(&str, &str)> = set.given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let peers = set.peers.iter().map(|name| peer::start_with(name, &given)).collect::<Option<_>>()?;
        let ports: Vec<String> =
            core::iter::once(demo.port).chain(demo.also.iter().copied()).map(|port| port.to_string()).collect();
        let part = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems/part.py");
        let words = [system.name(), incident.story.name.as_str()].join(" ");
        let start =
            format!("/usr/bin/python3 {} {PROGRAM} {} {words} {}", part.display(), demo.dir.display(), ports.join(" "));
        let mut stage = Self { system, demo, manager, peers, desk, start };
        stage.lay(set);
        Some(stage)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.demo.dir
    }

    pub(crate) fn profile(&self) -> PathBuf {
        self.dir().join("stage.toml")
    }

    fn is_inside(&self) -> bool {
        self.manager.as_ref().is_some_and(|(name, _)| name == "systemd")
    }

    /// What a text of the script says here.
    pub(crate) fn filled(&self, text: &str) -> String {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems");
        let mut text = text
            .replace("@START@", &self.start)
            .replace("@DIR@", self.dir().to_str().unwrap())
            .replace("@DESK@", self.desk.path().to_str().unwrap())
            .replace("@PROGRAM@", PROGRAM)
            .replace("@HERE@", here.to_str().unwrap())
            .replace("@PORT@", &self.demo.port.to_string());
        let manager = self.manager.iter().map(|(_, peer)| peer);
        for (name, value) in
            manager.chain(&self.peers).flat_map(|peer| peer.env.lines().filter_map(|line| line.split_once('=')))
        {
            text = text.replace(&format!("@{name}@"), value);
        }
        text
    }

    fn lay(&mut self, set: &Set) {
        let profile = self.profile_of(set);
        fs::write(self.profile(), profile).unwrap();
        fs::set_permissions(self.profile(), PermissionsExt::from_mode(0o600)).unwrap();
        if self.manager.is_some() {
            // The twin's own supervisor leaves it to the real one.
            eventually("the twin's supervisor", || self.asked(&format!("stop {}", self.system.name())));
        }
        for (path, text) in &set.files {
            let path = PathBuf::from(self.filled(path));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, self.filled(text)).unwrap();
        }
        if self.is_inside() {
            // Consoles and runners, which are units of their own there, share a place for their state; what is installed
            // is as it is.
            self.shell(
                "mkdir -p /run/lock /run/dpkg && mount --bind /var/lib/dpkg /run/dpkg && mount -t tmpfs none /var/lib
                 mkdir /var/lib/dpkg && mount --bind /run/dpkg /var/lib/dpkg && systemctl daemon-reload",
            );
        }
        self.shell(&set.setup);
    }

    fn asked(&self, line: &str) -> Option<()> {
        let mut socket = UnixStream::connect(self.dir().join("supervisor.sock")).ok()?;
        writeln!(socket, "{line}").ok()?;
        let mut reply = String::new();
        BufReader::new(socket).read_line(&mut reply).ok()?;
        reply.starts_with("ok").then_some(())
    }

    /// The demo's profile without what the stage has instead.
    fn profile_of(&self, set: &Set) -> String {
        let demo = fs::read_to_string(&self.demo.profile).unwrap();
        let ours = self.filled(&set.settings);
        let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
        let kept: Vec<String> = ours.lines().filter_map(key).collect();
        let (mut text, mut dropped) = (String::new(), false);
        for line in demo.lines() {
            if let Some(table) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                dropped = set.without.iter().any(|name| name == table);
            }
            if dropped || key(line).is_some_and(|key| kept.contains(&key)) {
                continue;
            }
            text.push_str(&line.replace("environment = \"demo\"", "environment = \"test\""));
            text.push('\n');
            if line == "[settings]" {
                // What comes later counts.
                let last: std::collections::BTreeMap<_, _> =
                    ours.lines().filter_map(|line| Some((key(line)?, line))).collect();
                for line in last.values() {
                    text.extend([line, "\n"]);
                }
            }
        }
        format!("{text}\n[grants]\nroot = \"L3\"\n{}", self.filled(&set.tables))
    }

    /// Words before whatever is to run where the manager is.
    fn beside(&self) -> Vec<String> {
        match &self.manager {
            Some((name, peer)) if name == "systemd" => [peer.script.to_str(), Some("exec"), peer.dir.path().to_str()]
                .map(|word| word.unwrap().to_owned())
                .to_vec(),
            _ => {
                let state = self.desk.path().join("lib");
                fs::create_dir_all(&state).unwrap();
                let script = "mount --bind \"$1\" /var/lib && shift && exec \"$@\"";
                ["unshare", "--mount", "sh", "-c", script, "sh", state.to_str().unwrap()].map(str::to_owned).to_vec()
            }
        }
    }

    /// Runs a script of the shell where the manager is.
    ///
    /// # Panics
    /// With what it said when it fails.
    pub(crate) fn shell(&self, script: &str) {
        let script = self.filled(script);
        if script.trim().is_empty() {
            return;
        }
        let output = self.tried(&script);
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert!(output.status.success(), "{script}\n{}", said.join(""));
    }

    fn tried(&self, script: &str) -> Output {
        let mut words = self.beside();
        words.extend(["env", "-C", self.dir().to_str().unwrap(), "sh", "-euc", script].map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(std::process::Stdio::null());
        command.output().unwrap()
    }

    /// A console on the stage's profile.
    pub(crate) fn console(&self) -> Pty {
        let mut words = self.beside();
        words.extend(["env", "-C", "/", PROGRAM, "--profile"].map(str::to_owned));
        words.push(self.profile().to_str().unwrap().to_owned());
        let mut spec = Spec::new(&words[0]).args(words[1..].iter().cloned());
        spec.size = (140, 50);
        for (name, folder) in [("HOME", "home"), ("TMPDIR", "t")] {
            spec.env.push((name.to_owned(), self.desk.path().join(folder).to_str().unwrap().to_owned()));
        }
        Pty::spawn(&spec)
    }

    /// Where an action of the profile stands on the program's list of them, from 0, and its title.
    pub(crate) fn listed(&self, action: &str) -> (usize, String) {
        let output = Command::new(PROGRAM).arg("run").arg("--profile").arg(self.profile()).output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut rows = listed.lines().enumerate();
        let row = rows.find(|(_, row)| row.split(' ').next() == Some(action));
        let (at, row) = row.unwrap_or_else(|| panic!("no action {action} in\n{listed}"));
        let (_, rest) = row.split_once(' ').unwrap();
        (at, rest.trim_start().split_once(' ').unwrap().1.trim().to_owned())
    }

    /// A procedure of the profile.
    pub(crate) fn document(&self, name: &str) -> Document {
        let which = ProfileRef::Path(self.profile());
        let profile = load_profile(&which, &SearchPath::detect(&|_| None), &known_kinds()).unwrap();
        documents(&profile).into_iter().find(|document| &*document.id == name).unwrap()
    }

    /// Every record of the journal so far.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let output = self.tried("cat /var/lib/watchkeeper/journal/* 2> /dev/null || true");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter_map(|line| serde_json::from_str(line.trim_matches('\0')).ok()).collect()
    }
}
