//! Reading a log of any size where the reader stands: nothing is read that is not shown, nothing is mapped.
//! A [`Spine`] is one row of bytes made of stretches of files (and of what a pipe brought), in the order in which they
//! came; a place in it is a number that means the same line for as long as it is there. `lines` finds lines around a
//! place; `strands` and `weave` make one row by time out of several spines; `pager` reads on a thread of its own, so that a dead mount holds up nobody; `gather` lets the follower's
//! engine, rotations and all, lay the spine. `roles` wires them; `app` and `ui` know rows and pages only.

mod body;
mod cache;
pub mod gather;
mod lines;
mod packed;
pub mod page;
pub mod pager;
mod spine;
mod spool;
mod strands;
mod weave;
mod whole;

pub use body::Body;
pub use gather::{Gather, LogStatus};
pub use page::{From, Lines, Page, Row, Want};
pub use pager::{Answer, Pager};
pub use spine::{Extent, Spine, Stuff};
pub use strands::Strands;
pub use whole::Reader;
