//! `files`: when files were last written, and whose they are.
//! ```toml
//! [samplers.changes]
//! kind = "files"
//! config = ["/etc/service/production.toml"]   # configuration: a change of it may explain an alert
//! deploy = ["/var/lib/service/RELEASE"]       # deploy markers: written by whatever brings a new version
//! ```
//! Looks at them by `stat` only. A console adds one for the files that its profile's actions change and for its
//! deploy markers. A file that is not there gives no series.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::host::user_name;
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// More files are not looked at.
const MOST: usize = 64;
/// The metric: seconds since the epoch.
pub const MODIFIED: &str = "watchkeeper_file_modified_timestamp_seconds";

/// The kind.
pub struct Files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    config: Vec<PathBuf>,
    #[serde(default)]
    deploy: Vec<PathBuf>,
}

impl Kind for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn about(&self) -> &'static str {
        "when files were last written, and whose they are: configuration and deploy markers"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let Config { config, deploy } = body.read()?;
        for (key, files) in [("config", &config), ("deploy", &deploy)] {
            if let Some(file) = files.iter().find(|file| !file.is_absolute()) {
                return Err(body.fault_at(key, format!("`{}` does not begin with `/`.", file.display())));
            }
        }
        if config.len() + deploy.len() > MOST {
            return Err(body.fault(format!("more than {MOST} files.")));
        }
        Ok(watch(config, deploy))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        [MODIFIED.to_owned()].into()
    }
}

/// A sampler of these files; the paths are absolute.
pub fn watch(config: Vec<PathBuf>, deploy: Vec<PathBuf>) -> Box<dyn Sampler> {
    let role = |role: &'static str| move |path| (path, role);
    let files = config.into_iter().map(role("config")).chain(deploy.into_iter().map(role("deploy")));
    let files = files.take(MOST).collect();
    Box::new(FilesSampler { files, worker: Worker::new(&LOCAL_FILES), owners: BTreeMap::new() })
}

struct FilesSampler {
    files: Vec<(PathBuf, &'static str)>,
    worker: Worker<Vec<io::Result<Seen>>>,
    /// Names by number, as far as they were needed.
    owners: BTreeMap<u32, Clean>,
}

#[derive(Clone, Copy)]
struct Seen {
    modified: f64,
    owner: u32,
}

impl Sampler for FilesSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let paths: Vec<PathBuf> = self.files.iter().map(|(path, _)| path.clone()).collect();
            let looked = self.worker.run(now.mono, move || paths.iter().map(look).collect()).await;
            let seen: Vec<io::Result<Seen>> =
                looked.map_err(|stuck| Failure::unreachable(format!("looking at files: {stuck}.")))?;
            let mut observed = Observation::default();
            for ((path, role), seen) in self.files.iter().zip(seen) {
                let shown = clean!("{}", path.display());
                let Ok(Seen { modified, owner }) = seen else { continue };
                observed.points.push(Point::gauge(MODIFIED, &[("path", shown.as_str()), ("role", role)], modified));
                let name = self.owners.entry(owner).or_insert_with(|| user_name(owner));
                observed.facts.push((shown, name.clone()));
            }
            Ok(observed)
        })
    }
}

fn look(path: &PathBuf) -> io::Result<Seen> {
    let meta = fs::metadata(path)?;
    let modified = meta.mtime() as f64 + meta.mtime_nsec() as f64 / 1e9;
    Ok(Seen { modified, owner: meta.uid() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(text: &str) -> Result<Box<dyn Sampler>, String> {
        let body = Body::parse("p.toml", text).expect("TOML");
        Files.build(&body).map_err(|fault| fault.to_string())
    }

    #[tokio::test]
    async fn a_file_has_its_time_and_owner_and_one_that_is_not_there_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.toml");
        fs::write(&file, "a = 1").expect("written");
        let text = format!("config = [\"{}\", \"/no/such/file\"]\ndeploy = [\"{}\"]", file.display(), file.display());
        let mut files = sampler(&text).expect("built");
        let seen = files.observe(Now::default()).await.expect("seen");
        let roles: Vec<_> = seen.points.iter().filter_map(|point| point.key.label("role").cloned()).collect();
        assert_eq!(roles, [Clean::from("config"), Clean::from("deploy")]);
        let modified = fs::metadata(&file).expect("there").mtime() as f64;
        assert!((seen.points[0].value - modified).abs() <= 1.0);
        assert_eq!(seen.facts[0].0, clean!("{}", file.display()));
        assert!(!seen.facts[0].1.as_str().is_empty());
    }

    #[test]
    fn a_relative_path_is_a_fault() {
        let fault = sampler("config = [\"etc/x\"]").err();
        assert_eq!(fault.as_deref(), Some("p.toml:1:10: `etc/x` does not begin with `/`."));
    }
}
