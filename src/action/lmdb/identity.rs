//! Which environment a plan means, what keeps us from it, and what is told of it.

use crate::action::plan::{Precondition, Target};
use crate::base::{Clean, Fault, Unit};
use crate::sys::entry::EntryId;
use crate::sys::files;
use crate::sys::host::user_name;
use crate::sys::lmdb::child::Place;
use crate::sys::lmdb::outside::{Mapper, Outside};
use core::time::Duration;
use rustix::fs::{Gid, Mode, OFlags, Uid, fchmod, fchown, fstat};
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Owner, group and permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owned {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
}

/// Which environment, as the plan found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// As the profile names it.
    pub(crate) path: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) lock: PathBuf,
    file: bool,
    /// Device and inode of the data file and of the lock file.
    inodes: [(u64, u64); 2],
    /// Stored size of the map, bytes.
    pub(crate) map: u64,
    /// The last transaction.
    pub(crate) txn: u64,
    /// Of the data file and of the lock file.
    owned: [Owned; 2],
}

/// Looks at the environment; refuses one that must not be opened from here at all.
///
/// # Errors
/// The reason, and how to mend it.
pub(crate) fn look(path: &Path) -> Result<(Outside, Identity), Fault> {
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(Fault::new(format!("{} is not an absolute path without `..`.", path.display())));
    }
    let seen = Outside::look(path)?;
    let folder = seen.data.parent().unwrap_or(Path::new("/"));
    files::open_without_links(folder, OFlags::RDONLY | OFlags::DIRECTORY)
        .map_err(|error| files::fault("reach without a link", folder, &error))?;
    if seen.network {
        let what = format!("{} lies on {}, where LMDB's locks and maps do not hold.", seen.data.display(), seen.system);
        return Err(Fault::new(what).hint("Act on the host that serves the file system."));
    }
    let both = [(&seen.data, &seen.about), (&seen.lock, &seen.table.about)];
    if let Some((path, about)) = both.into_iter().find(|(_, about)| about.nlink() > 1) {
        let what =
            format!("{} has {} names (hard links): which is meant cannot be told.", path.display(), about.nlink());
        return Err(Fault::new(what).hint("Remove the other names."));
    }
    let owned = |about: &Metadata| Owned { uid: about.uid(), gid: about.gid(), mode: about.mode() & 0o7777 };
    let (data, lock) = (owned(&seen.about), owned(&seen.table.about));
    if data.uid != lock.uid {
        let (lock, owner, other) = (seen.lock.display(), user_name(data.uid), user_name(lock.uid));
        let what = format!("{lock} belongs to {other}, the data to {owner}, who may not be able to open it.");
        return Err(Fault::new(what).hint(format!("Mend it: chown {owner} {lock}")));
    }
    let own = rustix::process::geteuid().as_raw();
    if own != 0 && own != data.uid {
        let (path, owner) = (seen.data.display(), user_name(data.uid));
        return Err(Fault::new(format!("{path} belongs to {owner}: only that user and root may act on it.")));
    }
    let identity = Identity {
        path: path.to_owned(),
        data: seen.data.clone(),
        lock: seen.lock.clone(),
        file: seen.is_file(),
        inodes: both.map(|(_, about)| (about.dev(), about.ino())),
        map: seen.meta.map_size,
        txn: seen.meta.txn,
        owned: [data, lock],
    };
    Ok((seen, identity))
}

impl Identity {
    /// Looks again: what is seen now, and what differs from the plan. A program that goes on writing is no difference.
    ///
    /// # Errors
    /// What could not be observed.
    pub(crate) fn differences(&self) -> Result<(Outside, Vec<Clean>), Fault> {
        let (seen, now) = look(&self.path)?;
        let path = self.data.display();
        let mut found = Vec::new();
        let [before, after] = [self, &now].map(|id| [&id.data, &id.lock].into_iter().zip(id.inodes));
        for (was, _) in before.zip(after).filter(|(was, is)| was != is) {
            found.push(crate::clean!("{} is another file now", was.0.display()));
        }
        if now.map != self.map {
            found.push(crate::clean!("{path}: the stored size changed from {} to {} bytes", self.map, now.map));
        }
        if now.txn < self.txn {
            found.push(crate::clean!("{path}: went back from transaction {} to {}", self.txn, now.txn));
        }
        if now.owned != self.owned {
            found.push(crate::clean!("{path}: owner or mode changed"));
        }
        Ok((seen, found))
    }

    /// For the child.
    pub(crate) fn place(&self) -> Place {
        let [data, _] = self.owned;
        Place {
            folder: self.data.parent().unwrap_or(Path::new("/")).to_owned(),
            data: self.data.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            file: self.file,
            inode: self.inode(),
            uid: data.uid,
            gid: data.gid,
        }
    }

    const fn inode(&self) -> (u64, u64) {
        let [data, _] = self.inodes;
        data
    }

    /// Whose the data file is.
    pub(crate) const fn owner(&self) -> Owned {
        let [data, _] = self.owned;
        data
    }

    /// Whose the folder of its own is, if it has one that can be seen.
    pub(crate) fn folder(&self) -> Option<Owned> {
        let folder = self.data.parent().filter(|_| !self.file)?;
        let about = std::fs::symlink_metadata(folder).ok().filter(Metadata::is_dir)?;
        Some(Owned { uid: about.uid(), gid: about.gid(), mode: about.mode() & 0o7777 })
    }

    /// The data file, by identity.
    pub(crate) fn target(&self) -> Target {
        let (dev, ino) = self.inode();
        Target::Entry { path: self.data.clone(), id: EntryId { dev, ino, folder: false } }
    }

    /// A short name for the prompt.
    pub(crate) fn name(&self) -> String {
        let own = if self.file { self.data.file_name() } else { self.data.parent().and_then(Path::file_name) };
        own.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// After the library was used: both files still belong to whom they belonged, or do again. A file that its owner
    /// has replaced meanwhile, or given a second name, is the owner's own affair: root gives nothing away unseen.
    ///
    /// # Errors
    /// It could not be mended.
    pub(crate) fn keep_owners(&self) -> Result<Option<Clean>, Fault> {
        let mut mended = None;
        for ((path, owned), inode) in [&self.data, &self.lock].into_iter().zip(self.owned).zip(self.inodes) {
            let failed = |error: std::io::Error| files::fault("keep the owner of", path, &error);
            let file = files::open_without_links(path, OFlags::RDONLY).map_err(failed)?;
            let now = fstat(&file).map_err(|error| failed(error.into()))?;
            let same = (now.st_uid, now.st_gid, now.st_mode & 0o7777) == (owned.uid, owned.gid, owned.mode);
            if same || (now.st_dev, now.st_ino) != inode || now.st_nlink > 1 {
                continue;
            }
            fchown(&file, Some(Uid::from_raw(owned.uid)), Some(Gid::from_raw(owned.gid)))
                .and_then(|()| fchmod(&file, Mode::from_raw_mode(owned.mode)))
                .map_err(|error| failed(error.into()))?;
            mended = Some(crate::clean!("owner and mode of {} mended", path.display()));
        }
        Ok(mended)
    }
}

/// How full it is, for HITS.
pub(crate) fn fill(seen: &Outside) -> Clean {
    let (used, map) = (seen.meta.used(), seen.meta.map_size);
    crate::clean!("{} of {} used, {} entries in the main database", show(used), show(map), seen.meta.main.entries)
}

/// What the plan was based on.
pub(crate) fn based_on(seen: &Outside) -> Precondition {
    let (map, txn) = (seen.meta.map_size, seen.meta.txn);
    Precondition {
        label: Clean::text(seen.data.as_os_str().as_encoded_bytes()),
        value: crate::clean!("inode {}, map {map} bytes, transaction {txn}", seen.about.ino()),
        age: Duration::ZERO,
        metric: None,
    }
}

/// `python3 (process 12) maps 1.0 MiB`, one after the other.
pub(crate) fn who(mappers: &[Mapper]) -> String {
    let each = mappers.iter().map(|it| format!("{} (process {}) maps {}", it.name, it.pid, show(it.bytes)));
    each.collect::<Vec<_>>().join(", ")
}

/// Nobody has it open: nobody maps the data file, and nobody holds the lock that every opener holds.
///
/// # Errors
/// Who has it open.
pub(crate) fn unused(seen: &Outside) -> Result<(), Fault> {
    let (mappers, _) = seen.mappers();
    if !mappers.is_empty() {
        return Err(Fault::new(format!("{} is open: {}.", seen.data.display(), who(&mappers))));
    }
    match seen.table.opened_by() {
        Ok(None) => Ok(()),
        Ok(Some(pid)) => Err(Fault::new(format!("{} is open in process {pid}.", seen.data.display()))),
        Err(error) => Err(files::fault("ask who locks", &seen.lock, &error.into())),
    }
}

/// Bytes for people.
pub(crate) fn show(bytes: u64) -> String {
    Unit::Bytes.show(bytes as f64)
}
