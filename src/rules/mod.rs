//! Conditions over series: what an expression means, which level a value has, and the life of an alert.
//! Pure: it reads the store and gets `now`. `app` judges with it, `ui` shows it, `action` verifies with its parser.
//! Missing data never fires and never resolves; after five minutes it says so, loudly.

mod alert;
pub mod bands;
pub mod book;
pub mod changes;
mod deviation;
mod entry;
pub mod escalation;
pub mod evaluate;
pub mod expr;
pub mod file;
pub mod finding;
pub mod forecast;
pub mod inhibit;
pub mod life;
pub mod lint;
pub mod live;
pub mod matchers;
mod needs;
pub mod report;
pub mod rule;
pub mod saved;
pub mod sides;
pub mod silence;
pub mod template;
pub mod threshold;

#[cfg(test)]
mod tests;

pub use bands::Bands;
pub use book::{Book, BookOptions, GroupInfo};
pub use escalation::{Clock, Due, Escalated, Policy};
pub use finding::{Ack, AlertId, Finding, FindingState, RuleHealth, Transition};
pub use inhibit::Inhibit;
pub use live::{Feeding, Live, Readiness, WallOffset};
pub use matchers::Matchers;
pub use rule::{Alerting, Group, Judge, Rule, RuleFile, RuleKind};
pub use saved::Saved;
pub use sides::Sides;
pub use silence::Silence;
