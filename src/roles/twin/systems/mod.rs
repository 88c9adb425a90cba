//! The three systems of the shipped profiles as the twin plays them: their pages, files and logs, with what their
//! guides and their code say against each other, and a few incidents each. A system is a [`Part`] under the twin's
//! supervisor: `play` gives it time and its ports, `story` what it suffers from, `certificate` what TLS needs; the rest is
//! a file or folder a system.

#[cfg(test)]
mod alerts;
mod certificate;
mod feed;
mod genesis;
mod norse;
mod planar;
mod play;
mod story;
mod system;

pub(crate) use planar::reader;
pub(crate) use play::play;
pub use story::Story;
pub use system::{Incident, System};

use story::Course;

use super::endpoint::{JSON, Reply};
use crate::base::{Mono, Now};
use crate::sys::files::try_replace;
use core::f64::consts::TAU;
use core::time::Duration;
use hyper::Request;
use hyper::body::Incoming;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// One run of a system's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    /// The demo's folder.
    pub(super) folder: &'a Path,
    /// What it suffers from.
    pub(super) incident: Incident,
    /// Fixes what is left to chance.
    pub(super) seed: u64,
    /// Starts before this one: what a restart mends is not there after the first.
    pub(super) turn: u32,
    /// When it began.
    pub(super) began: Now,
}

impl Run<'_> {
    /// Its place in its story: at the beginning.
    fn course(&self) -> Course {
        Course::new(self.incident.story, self.is_mended())
    }

    /// Whether what it suffered from is over for good.
    fn is_mended(&self) -> bool {
        self.incident.story.is_mended(self.folder, self.turn)
    }
}

/// How a port stands to those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// They are let in.
    Open,
    /// They knock, and wait in the kernel's queue with others that have come before them.
    Deaf,
    /// They are refused.
    Shut,
}

/// What each system is to the process that plays it.
pub(super) trait Part {
    /// Whether a port speaks TLS.
    fn tls(&self, port: usize) -> bool;
    /// Whether a port is a stream of trades over a WebSocket.
    fn feed(&self, _port: usize) -> bool {
        false
    }
    /// How many streams of that feed it holds open itself.
    fn holds(&self) -> usize {
        0
    }
    /// How a port stands to those who come now.
    fn door(&self, _port: usize, _now: Now) -> Door {
        Door::Open
    }
    /// Whether the process has been killed.
    fn is_killed(&self) -> bool {
        false
    }
    /// Answers a request on one of the ports.
    fn answer(&mut self, port: usize, request: &Request<Incoming>, now: Now) -> Reply;
    /// Half a second has passed.
    fn tick(&mut self, now: Now);
}

/// Lays out the files of a system's folder before anything of it runs: what it reads, and the settings of its profile.
///
/// # Errors
/// What the system said.
pub(crate) fn lay_out(folder: &Path, incident: Incident, ports: &[u16], seed: u64, now: Now) -> io::Result<String> {
    match incident.system {
        System::CerebellarNorse => norse::lay_out(folder, ports, seed, now),
        System::Genesis => genesis::lay_out(folder, ports, now),
        System::Planar => planar::lay_out(folder, ports),
    }
}

/// Folders below one.
fn folders(below: &Path, names: &[&str]) -> io::Result<()> {
    names.iter().try_for_each(|name| DirBuilder::new().mode(0o700).recursive(true).create(below.join(name)))
}

/// A new file that its owner alone may read.
fn file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// A file that its owner alone may read, in place of what is there.
fn file_again(path: &Path, bytes: &[u8]) -> io::Result<()> {
    try_replace(path, bytes)
}

/// What stands for the exchange's REST interface.
fn exchange(path: &str, now: Now) -> Reply {
    match path {
        "/api/v3/ping" => Reply::new(JSON, "{}".to_owned()),
        "/api/v3/time" => Reply::new(JSON, format!("{{\"serverTime\":{}}}", now.wall.0 / 1_000_000)),
        _ => Reply::missing(),
    }
}

/// A slow natural swing between -1 and 1.
fn swing(up: Duration, phase: f64) -> f64 {
    let at = up.as_secs_f64();
    0.7 * (at / 37.0 * TAU + phase).sin() + 0.3 * (at / 11.0 * TAU + 2.0 * phase).sin()
}

/// How far something has come between its onset and `takes` later: 0–1.
fn ramp(up: Duration, onset: Duration, takes: Duration) -> f64 {
    (up.saturating_sub(onset).as_secs_f64() / takes.as_secs_f64()).min(1.0)
}

/// Whether this moment is the first one of its `every`.
fn due(last: &mut Mono, now: Mono, every: Duration) -> bool {
    let due = now.since(*last) >= every;
    if due {
        *last = now;
    }
    due
}
