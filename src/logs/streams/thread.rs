//! The threads of the streams, and how they end.

use super::outlet::Outlet;
use super::{CommandLine, Journal, command, journal, kernel, stdin};
use crate::base::{Clock, Fault};
use crate::logs::{Format, LogMailbox};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;
use std::sync::Arc;

const STACK: usize = 256 * 1024;
/// So many streams have a thread; each one more would be one too many for a console that is to stay small.
const MOST: usize = 8;

/// What feeds a stream.
#[derive(Clone, Debug)]
pub enum Feed {
    /// systemd's journal.
    Journal(Journal),
    /// `/dev/kmsg`.
    Kernel,
    /// A program that writes lines.
    Command(CommandLine),
    /// What was piped into us.
    Stdin,
}

/// One stream that a profile names.
#[derive(Clone, Debug)]
pub struct StreamSource {
    /// Its name in the profile.
    pub name: Arc<str>,
    /// What feeds it.
    pub feed: Feed,
    /// How its lines are written; of no use to the journal and the kernel, which say so themselves.
    pub format: Format,
}

/// Reads while it lives; dropping it stops the threads at once, without waiting, and ends their programs.
#[derive(Debug)]
pub struct Streams {
    stop: Arc<OwnedFd>,
}

impl Streams {
    /// Starts reading. What is wrong with a source comes through the mailbox; the others go on.
    ///
    /// # Errors
    /// A sentence when the system has no descriptor or thread left.
    pub fn start(sources: Vec<StreamSource>, mailbox: &Arc<LogMailbox>, clock: &Arc<dyn Clock>) -> Result<Self, Fault> {
        let fault = |error: std::io::Error| Fault::new(format!("logs cannot be read: {error}."));
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| fault(e.into()))?);
        for (at, source) in sources.into_iter().enumerate() {
            let (mailbox, clock) = (Arc::clone(mailbox), Arc::clone(clock));
            let mut outlet = Outlet::new(source.name, mailbox, clock, Arc::clone(&stop));
            if at >= MOST {
                let what = format!("{MOST} logs that are no files are read already; this one is not.");
                outlet.failure = Some(Fault::new(what).hint("Leave one out."));
                outlet.post();
                continue;
            }
            let (feed, format) = (source.feed, source.format);
            let thread = std::thread::Builder::new().name("log stream".to_owned()).stack_size(STACK);
            let work = move || match feed {
                Feed::Journal(journal) => journal::read(&journal, &mut outlet),
                Feed::Kernel => kernel::read(&mut outlet),
                Feed::Command(command) => command::read(&command, format, &mut outlet),
                Feed::Stdin => stdin::read(format, &mut outlet),
            };
            thread.spawn(work).map_err(fault)?;
        }
        Ok(Self { stop })
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        // Only a full counter refuses, and that wakes the threads as well.
        let _full = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}
