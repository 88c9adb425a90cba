//! The demo: a fresh folder, a profile that points into it, and the twin's processes. Needs no root, network, GPU
//! or configuration. The twin watches a lifeline: when this process lets go or dies, it clears everything away.

use super::twin::systems::{self, Incident};
use super::twin::{PRODUCTION, Play, bind_loopback, errors, reserve};
use crate::action::reach::StandIn;
use crate::base::{Clock as _, Fault};
use crate::sys::child::{Child, OURSELVES};
use crate::sys::clock::RealClock;
use rustix::net::getsockname;
use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The demo's profile; `@DIR@` and `@PORT@` are filled in at the start.
const PROFILE: &str = include_str!("../../profiles/demo/profile.toml");

/// Its rules, beside it.
const RULES: &str = include_str!("../../profiles/demo/rules.yaml");

/// Its procedures, in the folder beside it.
const PROCEDURES: [(&str, &str); 3] = [
    ("gpu-memory.md", include_str!("../../profiles/demo/procedures/gpu-memory.md")),
    ("lmdb-full.md", include_str!("../../profiles/demo/procedures/lmdb-full.md")),
    ("service-silent.md", include_str!("../../profiles/demo/procedures/service-silent.md")),
];

/// A running demo. Dropping it lets the twin go: its processes end and its folder vanishes within a second or
/// two, a running action first. Drop it after whatever still writes below [`Demo::state_dir`].
#[derive(Debug)]
pub struct Demo {
    /// The demo's folder.
    pub dir: PathBuf,
    /// Its profile, ready to load.
    pub profile: PathBuf,
    /// Where journal and action runs of this demo belong.
    pub state_dir: PathBuf,
    /// First port of the service on 127.0.0.1.
    pub port: u16,
    /// Its other ones.
    pub also: Vec<u16>,
    /// Keeps those until the supervisor does.
    _reserved: Vec<OwnedFd>,
    supervisor: Child,
}

impl Demo {
    /// Starts the twin and returns at once: the service answers a little later.
    ///
    /// # Errors
    /// When the folder, the port or the process cannot be had; nothing is left then.
    pub fn start(play: impl Into<Play>, seed: u64) -> Result<Self, Fault> {
        Self::start_as(Path::new(OURSELVES), play, seed)
    }

    /// The same for a rehearsal: its badge says so on every screen.
    ///
    /// # Errors
    /// As [`Demo::start`].
    pub fn rehearsal(play: impl Into<Play>, seed: u64) -> Result<Self, Fault> {
        let demo = Self::start(play, seed)?;
        let said = |error: io::Error| Fault::new(format!("the rehearsal cannot start: {error}."));
        let text = std::fs::read_to_string(&demo.profile).map_err(said)?;
        std::fs::write(&demo.profile, text.replace("environment = \"demo\"", "environment = \"rehearsal\""))
            .map_err(said)?;
        Ok(demo)
    }

    /// The same with another image of this program: for tests, whose own image is not it.
    ///
    /// # Errors
    /// As [`Demo::start`].
    pub fn start_as(program: &Path, play: impl Into<Play>, seed: u64) -> Result<Self, Fault> {
        let play = play.into();
        let said = |error: io::Error| {
            Fault::new(format!("the demo cannot start: {error}."))
                .hint("It needs a temporary folder (TMPDIR) that it can write to.")
        };
        // Removed on every early return; from the supervisor's start on it is the supervisor's.
        let folder = tempfile::Builder::new()
            .prefix("watchkeeper-demo-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(said)?;
        let dir = folder.path().canonicalize().map_err(said)?;
        DirBuilder::new().mode(0o700).create(dir.join("state")).map_err(said)?;
        let listener = bind_loopback(0).map_err(said)?;
        let port = listener.local_addr().map_err(said)?.port();
        let (also, reserved) = also(play.ports().saturating_sub(1)).map_err(said)?;
        let ports: Vec<u16> = core::iter::once(port).chain(also.iter().copied()).collect();
        let profile = dir.join("profile.toml");
        let text = match play {
            Play::Service(_) => {
                lay_out(&dir).map_err(said)?;
                filled(&dir, port)?
            }
            Play::System(incident) => {
                let name = plain(&dir)?;
                let settings = systems::lay_out(Path::new(name), incident, &ports, seed, RealClock.now());
                system_profile(incident, &settings.map_err(said)?)
            }
        };
        write(&profile, &text).map_err(said)?;
        let mut args: Vec<OsString> = vec!["twin".into(), "supervisor".into(), dir.clone().into()];
        args.extend(play.arguments());
        args.extend(["--seed".into(), seed.to_string().into()]);
        args.extend(ports.iter().flat_map(|port| ["--port".into(), port.to_string().into()]));
        let errors = errors(&dir).map_err(said)?;
        let supervisor = Child::start(program, &args, Some(listener.into()), errors).map_err(said)?;
        let _kept = folder.keep();
        Ok(Self { state_dir: dir.join("state"), profile, port, also, _reserved: reserved, supervisor, dir })
    }

    /// All that a rehearsal on it can reach.
    pub fn stand_in(&self) -> StandIn {
        StandIn::new(self.dir.clone(), core::iter::once(self.port).chain(self.also.iter().copied()))
    }

    /// Process number of the twin's supervisor.
    pub fn supervisor_pid(&self) -> u32 {
        self.supervisor.pid()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.supervisor.ended() {
            // Somebody killed the supervisor: nobody else would clear up.
            let _best_effort = std::fs::remove_dir_all(&self.dir);
        }
        self.supervisor.let_go();
    }
}

/// Only the owner may write it, whatever the umask: files that lead to actions are judged by that.
fn write(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// The files of the stand-in service.
fn lay_out(dir: &Path) -> io::Result<()> {
    for name in ["etc", "log", "data", "data/lmdb", "backups", "procedures"] {
        DirBuilder::new().mode(0o700).create(dir.join(name))?;
    }
    write(&dir.join("etc/production.toml"), PRODUCTION)?;
    write(&dir.join("rules.yaml"), RULES)?;
    PROCEDURES.iter().try_for_each(|(name, text)| write(&dir.join("procedures").join(name), text))
}

/// So many more ports, kept without listening.
fn also(count: usize) -> io::Result<(Vec<u16>, Vec<OwnedFd>)> {
    let (mut ports, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let socket = reserve(0)?;
        ports.push(SocketAddr::try_from(getsockname(&socket)?)?.port());
        kept.push(socket);
    }
    Ok((ports, kept))
}

/// The profile of a system's demo: the shipped one, pointed at the twin.
pub(crate) fn system_profile(incident: Incident, settings: &str) -> String {
    let (name, title) = (incident.system.name(), incident.system.title());
    format!(
        "# The demo of {name}: its shipped profile, pointed at the twin.\ntitle = \"{title}\"\nextends = [\"{name}\"]\nenvironment = \"demo\"\n\n[settings]\n{settings}"
    )
}

/// The folder's name as a profile can hold it.
fn plain(dir: &Path) -> Result<&str, Fault> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '*' | '?' | '[' | ']' | '{' | '}');
    dir.to_str().filter(|name| name.chars().all(plain)).ok_or_else(|| {
        Fault::new(format!("the temporary folder {} has a name that no profile can hold.", dir.display()))
            .hint("Set TMPDIR to a folder with a plain name.")
    })
}

/// The profile of a demo in this folder and on this port.
fn filled(dir: &Path, port: u16) -> Result<String, Fault> {
    Ok(PROFILE.replace("@DIR@", plain(dir)?).replace("@PORT@", &port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Body;

    #[test]
    fn the_profile_is_filled_in_and_is_toml() {
        let text = filled(Path::new("/tmp/demo-1"), 4711).unwrap();
        assert!(!text.contains("@DIR@") && !text.contains("@PORT@"), "a placeholder is left");
        let mut body = Body::parse("profile.toml", &text).unwrap();
        let samplers: Vec<String> = body.take_tables("samplers").unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(samplers, ["host", "metrics", "gpu", "store", "volume", "health", "training"]);
        let actions = body.take_tables("actions").unwrap();
        let panes = body.take_array("panes").unwrap();
        let named: Vec<String> = panes.into_iter().filter_map(|mut pane| pane.take("action").unwrap()).collect();
        assert!(!named.is_empty());
        for name in named {
            assert!(actions.iter().any(|(known, _)| *known == name), "no action {name}");
        }
    }

    #[test]
    fn a_folder_that_a_profile_cannot_name_is_refused() {
        for name in ["/tmp/a\"b", "/tmp/a b", "/tmp/a\\b", "/tmp/[a]", "/tmp/ä"] {
            assert!(filled(Path::new(name), 1).is_err(), "{name}");
        }
    }
}
