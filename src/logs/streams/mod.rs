//! Logs that are no files: the journal, the kernel's log, what a program says, standard input. One thread each, so
//! that one that hangs holds up no other; all end at once. `roles` starts them beside the follower.

mod command;
mod journal;
mod kernel;
mod outlet;
mod program;
mod stdin;
mod thread;

pub use command::CommandLine;
pub use journal::{Boots, Journal};
pub use thread::{Feed, StreamSource, Streams};
