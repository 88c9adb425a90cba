//! Incidents: a time span with alerts, actions, notes and an owner; the handover card and the report that come of it.
//! Pure: the one journal is the only truth. `told` is what an incident adds to it and reads back, `timeline` and
//! `deeds` are what happened meanwhile, `card` and `report` are texts made of that. `plain` and `markdown` make text
//! safe for files, `spark` draws a value's course in one line. Called by `app` (card), `ui` and `roles` (report).

pub mod card;
pub mod deeds;
pub mod markdown;
pub mod plain;
pub mod report;
pub mod spark;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod told;

pub use card::{Facts, Firing, OpenItem, card};
pub use deeds::{Deed, Mute, deeds, mutes, open_items, put_off};
pub use report::{Report, report};
pub use timeline::{Kind, Row, rows};
pub use told::{FollowUp, Incident, Note, Scope, Told, follow_ups, here, incidents, opening};
