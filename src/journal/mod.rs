//! The one trail of everything asked, done and decided (safety.md 4.6): hash-chained lines of plain ASCII.
//! Console and runner append through [`Journal`], which has its own thread and never makes the console wait;
//! `verify` and `show` read. A new event is one row of [`EVENTS`].

mod anchor;
pub mod chain;
pub mod line;
pub mod record;
pub mod show;
mod sink;
pub mod verify;
mod words;
pub mod writer;

pub use line::Line;
pub use record::{EVENTS, Event, Record, Session, ascii};
pub use show::{raw, show};
pub use verify::{Anchor, Verdict, verify, verify_against, verify_newest};
pub use writer::{Journal, Receipt};
