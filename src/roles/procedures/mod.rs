//! Runs of procedures on disk (safety.md 4.4): `RUNS/<ulid>/{procedure.md, run.jsonl, lease}`. The console asks [`Runs`],
//! whose thread alone touches them; a run outlives its console, and only one console at a time goes on with it.

mod action;
mod again;
mod found;
mod keeper;
mod lease;
mod log;
mod texts;
mod thread;
mod trail;

pub use action::outcome_of;
pub use again::{again, look};
pub use found::{Found, Hold, open_runs, prune};
pub use keeper::{Keeper, Later, Source};
pub use lease::{Holder, SILENCE};
pub use log::Head;
pub use texts::Texts;
pub use thread::{Cmd, Runs, Told};
pub use trail::{record, takeover};
