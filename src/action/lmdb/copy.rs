//! A copy of a live environment: streamed by the owner's child, written and synced, read back by digest, opened and
//! counted, and only then given its name; the list of digests that `file_restore` wants comes last. What is left half-way
//! is removed.

use super::identity::{Identity, Owned, show};
use crate::action::doing::Doing;
use crate::action::files::{free, stamped};
use crate::action::prepare::Context;
use crate::base::{Clean, Fault};
use crate::sys::entry::Entry;
use crate::sys::files;
use crate::sys::lmdb::child::{Answer, Count, Place, Stop, Task, ask};
use crate::sys::tree::{Head, survey, write_list};
use crate::sys::trust::{self, Owners};
use rustix::fs::{
    Advice, AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, fadvise, fchmod, fchown, fstat, mkdirat, openat,
    renameat_with, unlinkat,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The file of a copy, as the library names it.
const DATA: &str = "data.mdb";
/// The end of the name of a copy that is not whole.
const PARTIAL: &str = ".partial";
/// From one word about progress to the next.
const TELL: u64 = 256 << 20;

/// Where a copy goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copying {
    /// The folder for copies.
    pub(crate) to: PathBuf,
    /// The copy's own folder in it.
    pub(crate) name: String,
    /// Without free pages.
    pub(crate) compact: bool,
    /// The newest copy that was there before, and its bytes.
    earlier: Option<(String, u64)>,
    /// Where what was copied is recorded.
    record: PathBuf,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// In the main database.
    pub(crate) entries: u64,
    pub(crate) databases: usize,
    /// Nothing was committed meanwhile: it holds exactly what the environment holds.
    pub(crate) exact: bool,
    /// What is to be said of its size.
    shrunk: Option<Clean>,
}

impl Copied {
    pub(crate) fn words(&self) -> Clean {
        let Self { bytes, sha256, entries, databases, exact, shrunk } = self;
        let how = if *exact { "equal to the environment" } else { "of one moment while the environment changed" };
        let bytes = show(*bytes);
        let shrunk = shrunk.as_ref().map_or_else(String::new, |what| format!("; {what}"));
        crate::clean!("{bytes} with {entries} entries and {databases} named databases, {how}{shrunk}; SHA-256 {sha256}")
    }
}

impl Copying {
    /// Checks that a copy of `used` bytes can go below `to`.
    ///
    /// # Errors
    /// No such folder, others may change it, or no space.
    pub(crate) fn plan(
        (id, used): (&Identity, u64),
        (to, compact): (PathBuf, bool),
        record: PathBuf,
        cx: &Context<'_>,
    ) -> Result<Self, Fault> {
        let name = stamped(&id.name(), "backup", cx.clock, cx.id);
        let earlier = earlier(&to, &id.name(), name.len());
        let copying = Self { to, name, compact, earlier, record };
        copying.folder(id.owner().uid)?;
        copying.check_space(used)?;
        Ok(copying)
    }

    /// What was there before, for HITS.
    pub(crate) fn before(&self) -> Clean {
        match &self.earlier {
            Some((name, bytes)) => crate::clean!("the copy before: {name}, {}", show(*bytes)),
            None => Clean::from("no copy was there before"),
        }
    }

    /// A copy that is a fifth smaller than the one before may be of the wrong thing.
    fn shrunk(&self, bytes: u64) -> Option<Clean> {
        let (name, before) = self.earlier.as_ref()?;
        let few = u128::from(bytes) * 5 <= u128::from(*before) * 4;
        few.then(|| crate::clean!("a fifth or more smaller than {name}, which has {}", show(*before)))
    }

    /// The copy's own folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.to.join(&self.name)
    }

    fn partial(&self) -> String {
        format!("{}{PARTIAL}", self.name)
    }

    /// The name of its list of digests.
    pub(crate) fn list(&self) -> String {
        format!("{}.sha256", self.name)
    }

    fn list_part(&self) -> String {
        format!(".{}.part", self.list())
    }

    /// The folder for copies, which like every folder above it nobody but us and the owner of the data may change.
    fn folder(&self, owner: u32) -> Result<OwnedFd, Fault> {
        trust::folder(&self.to, Owners::effective().and(Some(owner)))
    }

    fn check_space(&self, used: u64) -> Result<(), Fault> {
        let (wanted, free) = (used.saturating_add(used / 5), free(&self.to)?);
        if free >= wanted {
            return Ok(());
        }
        let (missing, wanted, free) = (show(wanted.saturating_sub(free)), show(wanted), show(free));
        let to = self.to.display();
        Err(Fault::new(format!("a copy wants {wanted} with room to spare, and {to} has {free} free."))
            .hint(format!("Free {missing} more, or name another folder.")))
    }

    /// Makes the copy and checks it.
    ///
    /// # Errors
    /// What went wrong: [`Stop::Refused`] when no copy of that name is there, [`Stop::Silent`] when one may be.
    pub(crate) fn make(&self, id: &Identity, used: u64, doing: &Doing<'_>) -> Result<Copied, Stop> {
        self.check_space(used).map_err(Stop::Refused)?;
        let folder = self.folder(id.owner().uid).map_err(Stop::Refused)?;
        let partial = self.partial();
        let failed = |doing: &str, error: rustix::io::Errno| files::fault(doing, &self.path(), &error.into());
        mkdirat(&folder, partial.as_str(), Mode::from_raw_mode(0o700))
            .map_err(|error| Stop::Refused(failed("create the folder of", error)))?;
        let made = self.fill(&folder, id, doing).and_then(|copied| {
            // Before it has its name: after a crash the name says that all of this was done.
            let text = serde_json::to_vec(&copied)
                .map_err(|error| Fault::new(format!("what was copied cannot be written down: {error}.")))?;
            files::create_exclusive(&self.record, 0o600, &text)?;
            self.write_list(&folder, &copied.sha256)?;
            renameat_with(&folder, partial.as_str(), &folder, self.name.as_str(), RenameFlags::NOREPLACE)
                .map_err(|error| failed("name", error))?;
            Ok(copied)
        });
        let copied = made.map_err(|fault| {
            self.remove(&folder);
            Stop::Refused(fault)
        })?;
        renameat_with(&folder, self.list_part(), &folder, self.list(), RenameFlags::NOREPLACE)
            .map_err(|error| Stop::Silent(failed("name the list of", error)))?;
        rustix::fs::fsync(&folder).map_err(|error| Stop::Silent(failed("make durable", error)))?;
        Ok(copied)
    }

    /// What the copy is, as `file_backup` writes it of a tree.
    fn write_list(&self, folder: &OwnedFd, sha256: &str) -> Result<(), Fault> {
        let (survey, _) = survey(&Entry::open(&self.to.join(self.partial()))?, None)?;
        let head = Head { shape: survey.shape, bytes: survey.bytes };
        let text = write_list(&self.name, &head, &[(PathBuf::from(DATA), sha256.to_owned())]);
        let fresh = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let write = || {
            let mut file = File::from(openat(folder, self.list_part(), fresh, Mode::from_raw_mode(0o600))?);
            file.write_all(&text)?;
            file.sync_all()
        };
        write().map_err(|error| files::fault("write", &self.to.join(self.list_part()), &error))
    }

    /// Removes what is not whole. Best effort: the fault before it is what counts.
    fn remove(&self, folder: &OwnedFd) {
        let partial = self.partial();
        let _best_effort = unlinkat(folder, format!("{partial}/{DATA}"), AtFlags::empty());
        let _best_effort = unlinkat(folder, partial.as_str(), AtFlags::REMOVEDIR);
        let _best_effort = unlinkat(folder, self.list_part(), AtFlags::empty());
    }

    /// Everything but the name.
    fn fill(&self, folder: &OwnedFd, id: &Identity, doing: &Doing<'_>) -> Result<Copied, Fault> {
        let (path, owner) = (self.to.join(self.partial()), id.owner());
        let failed = |doing: &str, error: std::io::Error| files::fault(doing, &path.join(DATA), &error);
        let way = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let own = openat(folder, self.partial(), way | OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
            .map_err(|error| failed("open the folder of", error.into()))?;
        let fresh = way | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file =
            openat(&own, DATA, fresh, Mode::from_raw_mode(0o600)).map_err(|error| failed("create", error.into()))?;
        let mut file = File::from(file);
        let mut stream = Stream { file: &mut file, hash: Sha256::new(), bytes: 0, told: 0 };
        let answer = ask(&id.place(), Task::Copy { compact: self.compact }, &mut |piece| {
            go_on(doing)?;
            stream.take(piece).map_err(|error| failed("write", error))?;
            if stream.bytes >= stream.told + TELL {
                stream.told = stream.bytes;
                (doing.tell)(crate::clean!("{} copied", show(stream.bytes)));
            }
            Ok(())
        });
        let (bytes, sha256) = (stream.bytes, files::hex(&stream.hash.finalize()));
        let (before, after) = match answer.map_err(Stop::into_fault)? {
            Answer::Copied { before, after } => (before, after),
            other => return Err(Fault::new(format!("the LMDB child answered {other:?}."))),
        };
        file.sync_all().map_err(|error| failed("make durable", error))?;
        if digest(&file, doing).map_err(|error| failed("read back", error))? != sha256 {
            return Err(Fault::new("the copy does not read back as it was written."));
        }
        give(&file, &own, owner, id.folder()).map_err(|error| failed("give to its owner", error))?;
        let held = count(&path, &file, owner, doing)?;
        let exact = before.txn == after.txn;
        if (held.entries == 0 && before.entries > 0) || (exact && !held.holds_the_same_as(&before)) {
            let (held, wanted) = (held.entries, before.entries);
            return Err(Fault::new(format!("the copy holds {held} entries, the environment {wanted}.")));
        }
        rustix::fs::fsync(&own).map_err(|error| failed("make durable", error.into()))?;
        let databases = held.databases.len();
        Ok(Copied { bytes, sha256, entries: held.entries, databases, exact, shrunk: self.shrunk(bytes) })
    }

    /// What was copied, if the copy is there and as long as it was.
    pub(crate) fn done(&self) -> Result<Copied, Clean> {
        let path = self.path().join(DATA);
        let shown = path.display();
        let about = std::fs::symlink_metadata(&path).map_err(|error| crate::clean!("{shown}: {error}"))?;
        let record = files::read(&self.record, 64 * 1024).map_err(|fault| Clean::text(fault.to_string()))?;
        let copied: Copied = serde_json::from_slice(&record).map_err(|error| Clean::text(error.to_string()))?;
        if about.len() != copied.bytes {
            return Err(crate::clean!("{shown} is not as it was copied"));
        }
        if !self.to.join(self.list()).exists() {
            return Err(crate::clean!("{shown} has no list of digests beside it"));
        }
        Ok(copied)
    }

    /// A folder that is not whole is left.
    pub(crate) fn is_half(&self) -> bool {
        self.to.join(self.partial()).exists()
    }
}

/// The newest whole copy of this environment in the folder, by its name, and its bytes.
fn earlier(to: &Path, of: &str, length: usize) -> Option<(String, u64)> {
    let inside = std::fs::read_dir(to).ok()?;
    let names = inside.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let prefix = format!("{of}.backup-");
    let copies = names.filter(|name| name.len() == length && name.starts_with(&prefix));
    let whole = copies.filter_map(|name| {
        let about = std::fs::symlink_metadata(to.join(&name).join(DATA)).ok().filter(std::fs::Metadata::is_file)?;
        Some((name, about.len()))
    });
    whole.max()
}

struct Stream<'a> {
    file: &'a mut File,
    hash: Sha256,
    bytes: u64,
    told: u64,
}

impl Stream<'_> {
    fn take(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.file.write_all(piece)?;
        self.hash.update(piece);
        self.bytes += u64::try_from(piece.len()).unwrap_or(0);
        Ok(())
    }
}

fn go_on(doing: &Doing<'_>) -> Result<(), Fault> {
    if (doing.stops)() { Err(Fault::new("the operator ended it.")) } else { Ok(()) }
}

/// From the disk where that can be asked for.
fn digest(mut file: &File, doing: &Doing<'_>) -> std::io::Result<String> {
    let _best_effort = fadvise(file, 0, None, Advice::DontNeed);
    file.rewind()?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        go_on(doing).map_err(|fault| std::io::Error::other(fault.to_string()))?;
        match file.read(&mut piece)? {
            0 => return Ok(files::hex(&hash.finalize())),
            n => hash.update(piece.get(..n).unwrap_or_default()),
        }
    }
}

/// The copy belongs to whom the data belongs, its folder to whom the folder of the data belongs: put back as it is, it
/// can be opened. Nobody else is let in.
fn give(file: &File, folder: &OwnedFd, owner: Owned, around: Option<Owned>) -> std::io::Result<()> {
    let around = around.unwrap_or(Owned { mode: 0o700, ..owner });
    if rustix::process::geteuid().is_root() {
        let of = |owned: Owned| (Some(Uid::from_raw(owned.uid)), Some(Gid::from_raw(owned.gid)));
        let ((uid, gid), (folder_uid, folder_gid)) = (of(owner), of(around));
        fchown(file, uid, gid)?;
        fchown(folder, folder_uid, folder_gid)?;
    }
    fchmod(folder, Mode::from_raw_mode(around.mode & !0o002))?;
    Ok(fchmod(file, Mode::from_raw_mode(owner.mode))?)
}

/// Has the copy opened and counted.
fn count(folder: &Path, file: &File, owner: Owned, doing: &Doing<'_>) -> Result<Count, Fault> {
    let about = fstat(file).map_err(|error| files::fault("look at", folder, &error.into()))?;
    let place = Place {
        folder: folder.to_owned(),
        data: DATA.to_owned(),
        file: false,
        inode: (about.st_dev, about.st_ino),
        uid: about.st_uid,
        gid: owner.gid,
    };
    match ask(&place, Task::CountCopy, &mut |_| go_on(doing)).map_err(Stop::into_fault)? {
        Answer::Counted(count) => Ok(count),
        other => Err(Fault::new(format!("the LMDB child answered {other:?}."))),
    }
}
