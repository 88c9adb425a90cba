//! The kernel's watches: who is to look again when a file grows or a directory changes.
//! Where the kernel tells nothing (a network file system, no watches left), the follower's slow look is enough.

use super::source::Source;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How thoroughly a source must be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// Not at all.
    #[default]
    Away,
    /// At its open files.
    Files,
    /// At its directory too.
    Names,
}

#[derive(Debug)]
pub(super) struct Watches {
    kernel: Option<OwnedFd>,
    /// Which watch is whose; two sources may share a file or a directory, and so a watch.
    owners: Vec<(i32, usize, Look)>,
}

impl Watches {
    pub(super) fn new() -> Self {
        Self { kernel: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok(), owners: Vec::new() }
    }

    /// Becomes readable when something changed.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.kernel.as_ref().map(AsFd::as_fd)
    }

    /// Watches what the source follows now and nothing else; true when a watch is new.
    pub(super) fn renew(&mut self, at: usize, source: &mut Source) -> bool {
        let Some(kernel) = &self.kernel else { return false };
        let mut wanted = Vec::new();
        if let Ok(pattern) = &source.pattern {
            let what = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::ATTRIB
                | WatchFlags::ONLYDIR;
            wanted.extend(inotify::add_watch(kernel, &pattern.dir, what).map(|wd| (wd, at, Look::Names)));
        }
        for tail in &mut source.tails {
            if tail.watch.is_none() {
                // By its descriptor: its name may lead elsewhere by now.
                let path = format!("/proc/self/fd/{}", tail.file.as_raw_fd());
                tail.watch = inotify::add_watch(kernel, path, WatchFlags::MODIFY).ok();
            }
            wanted.extend(tail.watch.map(|wd| (wd, at, Look::Files)));
        }
        let old: Vec<i32> = self.owners.iter().filter(|owner| owner.1 == at).map(|owner| owner.0).collect();
        let news = wanted.iter().any(|(wd, ..)| !old.contains(wd));
        self.owners.retain(|owner| owner.1 != at);
        self.owners.extend(wanted);
        for wd in old {
            if !self.owners.iter().any(|owner| owner.0 == wd) {
                // A deleted file's watch is gone already.
                let _gone = inotify::remove_watch(kernel, wd);
            }
        }
        news
    }

    /// Takes out all that the kernel has told, as what to do with each source.
    pub(super) fn take(&mut self, looks: &mut [Look]) {
        let Some(kernel) = &self.kernel else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(kernel, &mut buffer);
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                looks.fill(Look::Names);
            }
            for (_, at, look) in self.owners.iter().filter(|owner| owner.0 == event.wd()) {
                if let Some(known) = looks.get_mut(*at) {
                    *known = (*known).max(*look);
                }
            }
        }
    }
}
