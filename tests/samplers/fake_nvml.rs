//! The stand-in for the driver's library, built and fed.

use crate::peer::skip;
use crate::probe::{children, launch};
use crate::{observe, sampler};
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use watchkeeper::base::{Clock, Failure, Now, Observation};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

/// The role of the children.
pub(crate) const ROLE: &str = "the_nvml_child";

/// A library of its own, and its file of values.
pub(crate) struct Fake {
    pub(crate) dir: tempfile::TempDir,
}

/// The library, built once; why not, where that cannot be done.
static LIBRARY: LazyLock<Result<(tempfile::TempDir, PathBuf), String>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/fake_nvml.c");
    let built = dir.path().join("libnvidia-ml.so.1");
    let cc = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built).arg(source).output();
    match cc {
        Ok(output) if output.status.success() => Ok((dir, built)),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => Err(format!("no C compiler: {error}")),
    }
});

impl Fake {
    pub(crate) fn new(lines: &str) -> Option<Self> {
        launch();
        let (_, library) = match &*LIBRARY {
            Ok(built) => built,
            Err(why) => {
                skip("fake_nvml", why);
                return None;
            }
        };
        let fake = Self { dir: tempfile::tempdir().expect("a folder") };
        fs::copy(library, fake.library()).expect("copied");
        fake.set(lines);
        Some(fake)
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.dir.path().join("libnvidia-ml.so.1")
    }

    /// Other values from now on.
    pub(crate) fn set(&self, lines: &str) {
        let new = self.dir.path().join("new");
        fs::write(&new, lines).expect("written");
        fs::rename(new, self.dir.path().join("fake_nvml.conf")).expect("renamed");
    }

    pub(crate) fn config(&self) -> String {
        format!("library = \"{}\"", self.library().display())
    }

    pub(crate) fn sampler(&self) -> Box<dyn Sampler> {
        sampler("gpu", &self.config())
    }

    /// The probe children that have this library loaded.
    pub(crate) fn children(&self) -> Vec<u32> {
        children(std::process::id(), ROLE, self.dir.path().to_str().expect("text"))
    }
}

pub(crate) fn fact<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.as_str())
}

/// One attempt, and further ones while a busy machine is too slow for the first.
pub(crate) async fn patient(gpu: &mut dyn Sampler, at: impl Fn() -> Now) -> Result<Observation, Failure> {
    let start = RealClock.now().mono;
    loop {
        let seen = gpu.observe(at()).await;
        let slow = |failure: &Failure| failure.what.as_str().contains("has not answered since");
        if !seen.as_ref().is_err_and(slow) || RealClock.now().mono.since(start) > Duration::from_secs(60) {
            return seen;
        }
    }
}

pub(crate) async fn seen(gpu: &mut dyn Sampler) -> Observation {
    patient(gpu, || RealClock.now()).await.expect("seen")
}

/// What stands in the way, other than time.
pub(crate) async fn refused(gpu: &mut dyn Sampler) -> Failure {
    patient(gpu, || RealClock.now()).await.expect_err("a failure")
}

/// The failure of the very next attempt.
pub(crate) async fn failed(gpu: &mut dyn Sampler) -> Failure {
    observe(gpu).await.expect_err("a failure")
}

/// Observes until it succeeds.
pub(crate) async fn comes_back(gpu: &mut dyn Sampler) -> Observation {
    let start = RealClock.now().mono;
    loop {
        match observe(gpu).await {
            Ok(seen) => return seen,
            Err(failure) => assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{failure:?}"),
        }
    }
}

pub(crate) fn later(by: Duration) -> Now {
    let now = RealClock.now();
    Now { mono: now.mono + by, wall: now.wall.ahead(by) }
}
