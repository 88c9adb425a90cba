//! One process and its threads, read in detail.

use super::texts::{self, Bound, Stat, Status};
use super::{Absent, Id, read, text};
use crate::base::Clean;
use std::path::Path;

/// A process as it is now.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) id: Id,
    pub(super) name: Clean,
    pub(super) stat: Stat,
    pub(super) status: Status,
    /// Open files.
    pub(super) files: Result<u64, Absent>,
    /// Rows of its limits.
    pub(super) limits: String,
    /// Bytes read from and written to devices.
    pub(super) io: Result<[u64; 2], Absent>,
    pub(super) badness: Option<f64>,
    pub(super) threads: Vec<Thread>,
}

/// A thread as it is now.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    pub(super) id: Id,
    pub(super) name: Clean,
    pub(super) ticks: u64,
}

impl Detail {
    /// Reads it, and as many of its threads as there is room for; `None` when it ended meanwhile.
    pub(super) fn read(root: &Path, stat: Stat, real: bool, room: usize) -> Option<Self> {
        let folder = root.join(format!("proc/{}", stat.pid));
        let status = texts::status(&text(&folder.join("status")).ok()?);
        let name = Clean::text(texts::name(&stat.comm, &read(&folder.join("cmdline")).unwrap_or_default()));
        Some(Self {
            id: Id { pid: stat.pid, start: stat.start },
            files: files(&folder.join("fd"), real),
            limits: text(&folder.join("limits")).unwrap_or_default(),
            io: io(&folder),
            badness: text(&folder.join("oom_score")).ok().and_then(|text| text.trim().parse().ok()),
            threads: threads(&folder, stat.pid, &name, room),
            name,
            stat,
            status,
        })
    }

    /// Soft and hard limit of open files.
    pub(super) fn file_limit(&self) -> Option<[Bound; 2]> {
        texts::limit(&self.limits, "Max open files")
    }

    /// Neither a kernel thread nor a corpse.
    pub(super) fn has_memory(&self) -> bool {
        self.status.resident.is_some()
    }
}

/// Newer kernels give the number as the folder's size; else they are counted.
fn files(folder: &Path, real: bool) -> Result<u64, Absent> {
    let entries = std::fs::read_dir(folder)?;
    if real
        && let Ok(about) = std::fs::metadata(folder)
        && about.len() > 0
    {
        return Ok(about.len());
    }
    Ok(u64::try_from(entries.count()).unwrap_or(u64::MAX))
}

fn io(folder: &Path) -> Result<[u64; 2], Absent> {
    let text = text(&folder.join("io"))?;
    let bytes = |name| texts::value(&text, name).ok_or(Absent::Missing);
    Ok([bytes("read_bytes")?, bytes("write_bytes")?])
}

fn threads(folder: &Path, pid: u32, name: &Clean, room: usize) -> Vec<Thread> {
    let entries = std::fs::read_dir(folder.join("task")).into_iter().flatten().filter_map(Result::ok).take(room);
    let stats = entries.filter_map(|entry| texts::stat(&read(&entry.path().join("stat")).ok()?));
    let thread = |stat: Stat| Thread {
        id: Id { pid: stat.pid, start: stat.start },
        name: if stat.pid == pid { name.clone() } else { Clean::text(&stat.comm) },
        ticks: stat.ticks(),
    };
    stats.map(thread).collect()
}
