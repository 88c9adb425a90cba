//! What a sampler knew when the console was left, for its next start: a file of our own in the state folder, never a
//! value. Whoever runs the samplers says where; the sampler itself says what, and tells a memory as one, with its age.

use super::blocking::{LOCAL_FILES, Worker};
use super::{Observed, Sampler};
use crate::base::{Clean, Mono, Now, Point};
use crate::clean;
use crate::sys::{files, trust};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::task::{JoinHandle, spawn_blocking};

/// What a sampler can take up again.
pub trait Memory {
    /// What was kept, before the first attempt of this run.
    ///
    /// # Errors
    /// Why nothing of it can be used: the words after "it is ignored:".
    fn recall(&mut self, text: &str) -> Result<(), String>;
    /// What to keep now; `None` while nothing was seen in this run. It should change at most once a minute.
    fn keep(&self) -> Option<String>;
}

/// A sampler with its memory in this file.
pub struct Remembering {
    sampler: Box<dyn Sampler>,
    file: PathBuf,
    reader: Worker<Result<Option<String>, String>>,
    /// The memory was read, or is none.
    recalled: bool,
    /// What the file has.
    kept: Option<String>,
    /// A write that goes on while the next attempts do: nobody waits for it.
    writing: Option<JoinHandle<Result<(), String>>>,
    /// What is wrong with the memory.
    trouble: Option<Clean>,
}

impl Remembering {
    /// The sampler, with its memory where it has one.
    pub fn wrap(mut sampler: Box<dyn Sampler>, file: PathBuf) -> Box<dyn Sampler> {
        if sampler.remembers().is_none() {
            return sampler;
        }
        let reader = Worker::new(&LOCAL_FILES);
        let (kept, writing, trouble) = (None, None, None);
        Box::new(Self { sampler, file, reader, recalled: false, kept, writing, trouble })
    }

    async fn recall(&mut self, now: Mono) {
        if self.recalled {
            return;
        }
        let file = self.file.clone();
        let read = match self.reader.run(now, move || read(&file)).await {
            Ok(read) => read,
            // Tried again with the next attempt; until then nothing is written over it.
            Err(stuck) => {
                self.trouble = Some(clean!("{} cannot be read: {stuck}", self.file.display()));
                return;
            }
        };
        self.recalled = true;
        let taken = read.and_then(|text| match (text, self.sampler.remembers()) {
            (Some(text), Some(memory)) => memory.recall(&text),
            _ => Ok(()),
        });
        self.trouble = taken.err().map(|why| clean!("{} is ignored: {why}", self.file.display()));
        if let Some(trouble) = &self.trouble {
            tracing::warn!("{trouble}");
        }
    }

    async fn keep(&mut self) {
        if let Some(writing) = self.writing.take_if(|writing| writing.is_finished())
            && let Ok(Err(why)) = writing.await
        {
            tracing::warn!("{why}");
            self.trouble = Some(Clean::text(why));
        }
        let text = self.sampler.remembers().and_then(|memory| memory.keep());
        let Some(text) = text.filter(|text| self.recalled && self.kept.as_ref() != Some(text)) else { return };
        if self.writing.is_none() {
            let (file, bytes) = (self.file.clone(), text.clone());
            self.writing = Some(spawn_blocking(move || write(&file, bytes.as_bytes())));
            self.kept = Some(text);
        }
    }
}

/// The memory, if there is one that only we can have written.
fn read(file: &Path) -> Result<Option<String>, String> {
    if file.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    let content = trust::read(file, trust::Owners::effective()).map_err(|fault| fault.what.to_string())?;
    content.distrust.map_or(Ok(Some(content.text)), |fault| Err(fault.what.to_string()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = file.parent().map_or(Ok(()), files::private_dir);
    folder.and_then(|()| files::replace(file, bytes)).map_err(|fault| fault.what.to_string())
}

impl Sampler for Remembering {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            self.recall(now.mono).await;
            let mut outcome = self.sampler.observe(now).await;
            self.keep().await;
            let seen = match &mut outcome {
                Ok(seen) => seen,
                Err(failure) => &mut failure.seen,
            };
            seen.facts.extend(self.trouble.clone().map(|trouble| ("memory of the last run".into(), trouble)));
            outcome
        })
    }

    fn unheard(&self) -> Vec<Point> {
        self.sampler.unheard()
    }
}
