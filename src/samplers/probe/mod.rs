//! Work that can hang for ever or crash with foreign code is done by a child of our own image: NVML, and the space
//! on file systems that are not local.
//!
//! `samplers` alone asks, through [`Prober`]; `roles` starts the child's side, [`serve`]. The contract: one child per
//! class in the whole process, one question at a time, frames of at most 64 KiB over a socket that is the child's
//! stdin. A child that hangs is left alone and told on; a new one starts only when the old one is gone; the child
//! with NVML is never killed, since a card may not survive that. Each ends when its socket closes, KILL included.

mod child;
mod frame;
mod nvml;
mod parent;
mod question;

pub use child::serve;
pub(crate) use parent::Prober;
pub(crate) use question::{Answer, Gpu, Gpus, Lack, Process, Question, Refusal};

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A class of work: each has a child of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The library of NVIDIA's driver; with the path of another library, a class of its own.
    Nvml(Option<PathBuf>),
    /// Space on file systems that may not answer.
    Disks,
}

impl Class {
    /// Its name on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nvml(_) => "nvml",
            Self::Disks => "disks",
        }
    }

    /// The class with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Nvml(None), Self::Disks].into_iter().find(|class| class.name() == name)
    }
}

static ARGUMENTS: OnceLock<fn(&Class) -> Vec<OsString>> = OnceLock::new();

/// The arguments with which our image becomes the child: for programs whose command line is not watchkeeper's, such
/// as tests. The first call counts.
pub fn launch_with(arguments: fn(&Class) -> Vec<OsString>) {
    // A second caller has the same image.
    let _first_counts = ARGUMENTS.set(arguments);
}

fn arguments(class: &Class) -> Vec<OsString> {
    // A flag: a program that knows no such role refuses it and ends, whatever it is.
    let ours = || ["probe", "--class", class.name()].map(OsString::from).to_vec();
    ARGUMENTS.get().map_or_else(ours, |arguments| arguments(class))
}
