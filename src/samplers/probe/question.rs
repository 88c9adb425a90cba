//! What can be asked of the probe children, and what they answer.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// How many GPUs there are, and of which driver.
    Gpus {
        /// Another library than the driver's own.
        library: Option<PathBuf>,
    },
    /// One GPU.
    Gpu {
        /// Another library than the driver's own.
        library: Option<PathBuf>,
        /// Its number.
        index: u32,
    },
    /// The space on the file system mounted at this path (bytes).
    Space(Vec<u8>),
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Gpus(Gpus),
    Gpu(Gpu),
    Space(Space),
    Refused(Refusal),
}

/// The driver, and how many GPUs it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gpus {
    pub(crate) count: u32,
    pub(crate) driver: Option<String>,
    pub(crate) library: Option<String>,
    /// Of the CUDA that the driver supports, as `major.minor`.
    pub(crate) cuda: Option<String>,
}

/// One GPU.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gpu {
    pub(crate) uuid: String,
    pub(crate) name: String,
    /// Number of its device file.
    pub(crate) minor: Option<u32>,
    pub(crate) pci: String,
    /// By metric name; counters end in what [`Gpu`]'s reader knows.
    pub(crate) values: Vec<(String, f64)>,
    pub(crate) lacks: Vec<Lack>,
    pub(crate) processes: Vec<Process>,
    pub(crate) instances: Vec<Instance>,
}

/// A value that a GPU does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lack {
    pub(crate) metric: String,
    pub(crate) why: String,
    /// It never will: NOT SUPPORTED.
    pub(crate) never: bool,
}

/// A process on a GPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// In bytes; absent where the driver does not say.
    pub(crate) used: Option<u64>,
    pub(crate) graphics: bool,
}

/// A part of a GPU (MIG).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) index: u32,
    pub(crate) uuid: String,
    pub(crate) name: String,
    /// Used and total, in bytes.
    pub(crate) memory: Option<(u64, u64)>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// The driver's library cannot be loaded.
    NoLibrary(String),
    /// The library is there, the kernel module is not.
    NoDriver,
    /// Kernel module and library are of different versions.
    Mismatch,
    /// Not for this login.
    NotPermitted,
    /// The device fell off the bus.
    Lost,
    /// Anything else, in the library's or the system's words.
    Other(String),
}

/// `statvfs`, in bytes and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Space {
    pub(crate) size: u64,
    pub(crate) free: u64,
    pub(crate) available: u64,
    pub(crate) files: u64,
    pub(crate) files_free: u64,
}
