//! Conditions over series: what an expression means, which level a value has, and the life of an alert.
//! Pure: it reads the store and gets `now`. `app` judges with it, `ui` shows it, `action` verifies with its parser.
//! Missing data never fires and never resolves; after five minutes it says so, loudly.

pub mod bands;
pub mod book;
pub mod changes;
pub mod expr;
pub mod finding;
pub mod live;
mod row;
pub mod rule;
pub mod selector;
pub mod severity;
pub mod template;

#[cfg(test)]
mod tests;

pub use bands::Bands;
pub use book::{Book, Finding, FindingState, Transition, Watch};
pub use live::{Feeding, Live, Readiness, WallOffset};
pub use selector::parse_selector;
