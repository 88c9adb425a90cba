//! Files of procedures that are changed while a console is at work: told, never taken. A run goes by its own copy.

use crate::action::files::diff;
use crate::app::texts::Changed;
use crate::base::{Fault, Settings};
use crate::config::ProcedureSpec;
use crate::sys::bell::Bell;
use core::time::Duration;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// So many changes wait for the loop; the rest is told at the next look.
const TOLD: usize = 16;

/// The console's end of the thread that looks. Dropping it ends the thread.
pub struct Texts {
    told: Receiver<Changed>,
    _alive: SyncSender<()>,
}

/// One file: how it was when it was looked at last, and the digest of what was told of it.
struct Watched {
    spec: ProcedureSpec,
    stat: Option<(u64, u64, i64, i64)>,
    told: String,
}

impl Texts {
    /// Looks after the files of these documents, as they read with these settings, on a thread of its own: their disk may hang.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn watch(specs: &[ProcedureSpec], settings: Settings, bell: Arc<Bell>) -> Result<Self, Fault> {
        let (tell, told) = sync_channel(TOLD);
        let (alive, gone) = sync_channel::<()>(0);
        let mut all: Vec<Watched> = specs.iter().filter(|spec| spec.path().is_some()).map(Watched::new).collect();
        let work = move || {
            while !all.is_empty() {
                for watched in &mut all {
                    let Some(changed) = watched.look(&settings) else { continue };
                    if tell.try_send(changed.clone()).is_ok() {
                        watched.told = changed.sha256;
                        bell.ring();
                    } else {
                        watched.stat = None;
                    }
                }
                if gone.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("texts".to_owned())
            .spawn(work)
            .map_err(|error| Fault::new(format!("cannot start the thread that looks after procedures: {error}.")))?;
        Ok(Self { told, _alive: alive })
    }

    /// The next that it has to tell.
    pub fn news(&self) -> Option<Changed> {
        self.told.try_recv().ok()
    }
}

impl Watched {
    fn new(spec: &ProcedureSpec) -> Self {
        Self { told: spec.sha256.clone(), spec: spec.clone(), stat: None }
    }

    /// What has become of it, when that was not told yet.
    fn look(&mut self, settings: &Settings) -> Option<Changed> {
        let path = self.spec.path()?;
        let stat = stat(path);
        if stat.is_some() && stat == self.stat {
            return None;
        }
        let (sha256, lines) = match ProcedureSpec::again(path, settings) {
            Ok(now) if now.sha256 == self.spec.sha256 => (now.sha256, Vec::new()),
            Ok(now) => (now.sha256, diff(&self.spec.text, &now.text)),
            Err(fault) => (String::new(), vec![crate::clean!("{fault}")]),
        };
        self.stat = stat;
        (self.told != sha256).then(|| Changed { id: Arc::clone(&self.spec.id), sha256, lines })
    }
}

/// Changes with every write that anybody makes.
fn stat(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Body;
    use crate::sys::files::sha256;

    #[test]
    fn a_file_is_told_once_for_each_text_that_it_has_also_when_it_is_gone_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        let put = |text: &str| std::fs::write(&path, text).unwrap();
        let mut settings = Settings::default();
        assert!(settings.put(Body::parse("s.toml", "mode = \"paper\"\n").unwrap()).is_empty());
        put("# One in ${mode}\n");
        let read = ProcedureSpec::again(&path, &settings).unwrap();
        assert_eq!(read.text, "# One in paper\n");
        let mut watched = Watched::new(&read);
        let mut look = || {
            let changed = watched.look(&settings);
            if let Some(changed) = &changed {
                watched.told.clone_from(&changed.sha256);
            }
            changed.map(|changed| (changed.sha256, changed.lines))
        };
        assert_eq!(look(), None, "what was filled in is no change");
        put("# Two, longer, in ${mode}\n");
        let (sha, lines) = look().expect("told");
        assert_eq!(sha, sha256(b"# Two, longer, in paper\n"));
        assert!(lines.iter().all(|line| !line.as_str().contains('$')), "{lines:?}");
        assert_eq!(look(), None, "once");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look().map(|(sha, lines)| (sha, lines.len())), Some((String::new(), 1)));
        assert_eq!(look(), None, "still gone");
        put("# One in ${mode}\n");
        assert_eq!(look(), Some((sha256(b"# One in paper\n"), Vec::new())), "as it was");
    }
}
