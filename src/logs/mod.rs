//! Following log files: one thread for all sources, woken by the kernel when a file or its directory changes.
//! It survives rotation in every common style and loses, doubles or hides no line without saying how many.
//! `roles` starts the follower, `app` drains the mailbox, `config` names the formats.

mod cutter;
pub mod follow;
pub mod format;
pub mod mailbox;
mod pattern;
pub mod reader;
pub mod search;
mod source;
mod tail;
mod watch;

pub use follow::{Follower, LogSource};
pub use format::Format;
pub use mailbox::{LogBatch, LogMailbox};
pub use pattern::Pattern;
