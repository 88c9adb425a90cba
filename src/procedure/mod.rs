//! Guided walkthroughs, modelled on the aircraft electronic checklist: a Markdown document becomes items that sense, ask
//! and remember. Pure: text in, data out; the walk gets `now`, what is seen and what the operator says, and returns what
//! changed. `app` walks, `ui` shows, `roles` keeps; nothing here acts: an action is asked of the one gate.

pub mod calculate;
pub mod check;
pub mod document;
mod fill;
pub mod lint;
mod order;
pub mod paper;
pub mod parse;
pub mod pasted;
pub mod queue;
mod saying;
mod sensing;
pub mod stacks;
#[cfg(test)]
mod tests;
pub mod view;
pub mod walk;

pub use calculate::Calculate;
pub use check::{Known, check};
pub use document::{Document, Item, Live};
pub use parse::{foreign_code, parse};
pub use pasted::Pasted;
pub use queue::{Asked, Waits, queue};
pub use sensing::Given;
pub use view::{Left, Question};
pub use walk::{Found, Said, Senses, Step, Walk};
