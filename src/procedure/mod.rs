//! Guided walkthroughs, modelled on the aircraft electronic checklist: a Markdown document becomes items that sense, ask
//! and remember. Pure: text in, data out; the walk gets `now`, what is seen and what the operator says, and returns what
//! changed. `app` walks, `ui` shows, `roles` keeps; nothing here acts: an action is asked of the one gate.

pub mod check;
pub mod document;
pub mod lint;
pub mod paper;
pub mod parse;
pub mod walk;

pub use check::{Known, check};
pub use document::{Document, Item, Live};
pub use parse::parse;
pub use walk::{Said, Senses, Step, Walk};
