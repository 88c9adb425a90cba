//! Space on file systems that may never answer (network, FUSE, anything unknown): asked only where the profile says
//! so, one at a time, in a child of our own. One that hangs is told on; nothing is asked over it.

use crate::base::{Clean, Mono, Now};
use crate::clean;
use crate::samplers::host::disks::{Disk, EVERY, LOCAL, PATIENCE, PSEUDO, SKIPPED, below, local};
use crate::samplers::probe::{Answer, Class, Prober, Question, Refusal};
use crate::samplers::proc_text::{Mount, mountinfo};
use core::time::Duration;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::timeout;

/// How long the other values of the host wait for one that is known to hang.
const GLANCE: Duration = Duration::from_millis(10);
/// A fact names so many mounts.
const NAMED: usize = 8;

/// What may be asked, the last answers, and the round that may be under way.
#[derive(Debug)]
pub(crate) struct Remote {
    all: bool,
    listed: Vec<PathBuf>,
    prober: Arc<Prober>,
    begun: Option<Mono>,
    waiting: Vec<Mount>,
    hangs: bool,
    known: Vec<Disk>,
    /// What is said of mounts: for the last round as a whole, and as it goes.
    facts: Vec<(Clean, Clean)>,
}

impl Remote {
    /// `all`: every mount that is not local; `listed`: these mount points, whatever they are.
    pub(crate) fn new(all: bool, listed: Vec<PathBuf>) -> Self {
        let (prober, waiting, known, facts) = (Prober::of(&Class::Disks), Vec::new(), Vec::new(), Vec::new());
        Self { all, listed, prober, begun: None, waiting, hangs: false, known, facts }
    }

    /// The disks that answered in the round that is under way, at most ten seconds old, and what is said of others.
    pub(crate) async fn read(&mut self, root: &Path, now: Now) -> (&[Disk], Vec<(Clean, Clean)>) {
        if self.waiting.is_empty() && self.begun.is_none_or(|begun| now.mono.since(begun) >= EVERY) {
            self.begin(root, now.mono);
        }
        let patience = if self.hangs { GLANCE } else { PATIENCE };
        let prober = Arc::clone(&self.prober);
        let mut facts = Vec::new();
        self.hangs = timeout(patience, self.go_on(now)).await.is_err();
        if self.hangs {
            facts.push((clean!("remote mounts"), clean!("{}", prober.hangs(now, patience))));
            if self.begun.is_none_or(|begun| now.mono.since(begun) >= EVERY) {
                // What they said is no longer new.
                self.known.clear();
            }
        }
        facts.extend(self.facts.iter().cloned());
        (&self.known, facts)
    }

    fn begin(&mut self, root: &Path, now: Mono) {
        let mounts = std::fs::read(root.join("proc/self/mountinfo")).unwrap_or_default();
        let (ask, skip) = self.sort(mountinfo(&mounts).collect());
        self.begun = Some(now);
        self.known.clear();
        self.facts.clear();
        let mounted = |path: &PathBuf| ask.iter().any(|mount| mount.point == path.as_os_str().as_bytes());
        let local: HashSet<Vec<u8>> =
            local(mountinfo(&mounts).collect()).into_iter().map(|mount| mount.point).collect();
        for path in self.listed.iter().filter(|path| !mounted(path) && !local.contains(path.as_os_str().as_bytes())) {
            self.facts.push((clean!("{}", path.display()), clean!("nothing is mounted here")));
        }
        if !skip.is_empty() {
            let mut words: Vec<String> = skip.iter().take(NAMED).map(named).collect();
            if skip.len() > NAMED {
                words.push(format!("and {} more", skip.len() - NAMED));
            }
            self.facts.push((clean!("mounts not asked"), clean!("{}", words.join(", "))));
        }
        self.waiting = ask;
    }

    /// Which mounts are asked here, and which by nobody.
    fn sort(&self, mounts: Vec<Mount>) -> (Vec<Mount>, Vec<Mount>) {
        let is = |mount: &Mount, kinds: &[&str]| kinds.iter().any(|kind| kind.as_bytes() == mount.kind);
        let risky = |mount: &Mount| !is(mount, LOCAL) && !is(mount, PSEUDO);
        let risks: Vec<Vec<u8>> = mounts.iter().filter(|mount| risky(mount)).map(|mount| mount.point.clone()).collect();
        let asked: HashSet<Vec<u8>> = local(mounts.clone()).into_iter().map(|mount| mount.point).collect();
        let listed = |mount: &Mount| self.listed.iter().any(|path| path.as_os_str().as_bytes() == mount.point);
        // A mount point counts once: what is mounted over another hides it.
        let mut seen = HashSet::new();
        let mut rest: Vec<Mount> = mounts.into_iter().rev().filter(|mount| seen.insert(mount.point.clone())).collect();
        rest.retain(|mount| !asked.contains(&mount.point));
        rest.reverse();
        let (listed, rest): (Vec<Mount>, Vec<Mount>) = rest.into_iter().partition(listed);
        let hidden = |mount: &Mount| SKIPPED.iter().any(|folder| below(&mount.point, folder.as_bytes()));
        let foreign = |mount: &Mount| {
            !hidden(mount) && (risky(mount) || is(mount, LOCAL) && risks.iter().any(|risk| below(&mount.point, risk)))
        };
        let foreign: Vec<Mount> = rest.into_iter().filter(foreign).collect();
        if self.all { ([listed, foreign].concat(), Vec::new()) } else { (listed, foreign) }
    }

    /// Asks what is left of the round. May be dropped at any time.
    async fn go_on(&mut self, now: Now) {
        while let Some(mount) = self.waiting.first() {
            let point = Clean::text(&mount.point);
            let about = clean!("the file system at {point}");
            let answer = self.prober.ask(now, &about, &Question::Space(mount.point.clone())).await;
            let mount = self.waiting.remove(0);
            match answer {
                Ok(Answer::Space(space)) if space.size > 0 => self.known.push(Disk {
                    device: Clean::text(&mount.source),
                    point,
                    kind: Clean::text(&mount.kind),
                    read_only: mount.read_only,
                    size: space.size,
                    free: space.free,
                    available: space.available,
                    files: space.files,
                    files_free: space.files_free,
                }),
                Ok(Answer::Refused(Refusal::NotPermitted)) => {
                    self.facts.push((point, clean!("this login may not look")));
                }
                Ok(Answer::Refused(Refusal::Other(why))) => self.facts.push((point, clean!("does not answer: {why}"))),
                Ok(_) => {}
                Err(gone) => {
                    self.facts.push((clean!("remote mounts"), gone));
                    self.waiting.clear();
                }
            }
        }
    }
}

fn named(mount: &Mount) -> String {
    format!("{} ({})", String::from_utf8_lossy(&mount.point), String::from_utf8_lossy(&mount.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"1 0 8:1 / / rw - ext4 /dev/a rw\n\
        2 1 0:6 / /net rw - nfs4 server:/x rw\n\
        3 2 8:2 / /net/disk rw - xfs /dev/b rw\n\
        4 1 0:7 / /phone rw - fuse.sshfs joe: rw\n\
        5 1 0:8 / /proc rw - proc proc rw\n\
        6 1 8:1 /home /home rw - ext4 /dev/a rw\n\
        7 1 0:9 / /dev/odd rw - newfs x rw\n\
        8 1 0:10 / /auto rw - autofs x rw\n";

    fn sorted(all: bool, listed: &[&str]) -> (Vec<String>, Vec<String>) {
        let remote = Remote::new(all, listed.iter().map(PathBuf::from).collect());
        let (ask, skip) = remote.sort(mountinfo(MOUNTS).collect());
        let points = |mounts: Vec<Mount>| {
            mounts.iter().map(|mount| String::from_utf8_lossy(&mount.point).into_owned()).collect()
        };
        (points(ask), points(skip))
    }

    #[test]
    fn only_what_the_profile_names_is_asked_and_the_rest_is_told() {
        let (ask, skip) = sorted(false, &[]);
        assert!(ask.is_empty());
        assert_eq!(skip, ["/net", "/net/disk", "/phone"]);
        let (ask, skip) = sorted(false, &["/phone", "/home", "/nowhere", "/"]);
        assert_eq!(
            (ask, skip),
            (vec!["/phone".to_owned(), "/home".to_owned()], vec!["/net".to_owned(), "/net/disk".to_owned()])
        );
        let (ask, skip) = sorted(true, &["/phone"]);
        assert_eq!(ask, ["/phone", "/net", "/net/disk"]);
        assert!(skip.is_empty());
    }

    #[tokio::test]
    async fn what_is_skipped_and_what_is_missing_are_facts() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("proc/self")).expect("folders");
        std::fs::write(root.path().join("proc/self/mountinfo"), MOUNTS).expect("written");
        let mut remote = Remote::new(false, vec!["/data".into(), "/".into()]);
        let (disks, facts) = remote.read(root.path(), Now::default()).await;
        assert!(disks.is_empty());
        let skipped = "/net (nfs4), /net/disk (xfs), /phone (fuse.sshfs)";
        assert_eq!(
            facts,
            [("/data".into(), "nothing is mounted here".into()), ("mounts not asked".into(), skipped.into())]
        );
    }
}
