//! Following log files: one thread for all sources, woken by the kernel when a file or its directory changes.
//! It survives rotation in every common style and loses, doubles or hides no line without saying how many.
//! `roles` starts the follower, `app` drains the mailbox, `config` names the formats.

pub mod captured;
pub mod clocks;
mod cutter;
pub mod filter;
pub mod fold;
pub mod follow;
pub mod format;
mod formats;
pub mod mailbox;
pub mod matching;
pub mod merge;
pub mod packs;
mod pattern;
pub mod reader;
pub mod search;
pub mod sieve;
mod source;
pub mod streams;
mod tail;
pub mod tally;
mod watch;

pub use filter::Filter;
pub use follow::{Follower, LogSource};
pub use format::{Entry, Format};
pub use formats::{Colour, Joiner, Pairs, Spans, Stamp, Style, entries, field, strip};
pub use mailbox::{LogBatch, LogMailbox};
pub use matching::{LogPattern, LogPatterns, LooksFor};
pub use pattern::Pattern;
pub use streams::{Boots, CommandLine, Feed, Journal, StreamSource, Streams};
pub use tally::Tally;
