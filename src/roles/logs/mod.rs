//! `[logs.NAME]` and `[[patterns]]` of a profile: from tables to what is followed and counted. `describe logs` and
//! `describe log KIND` tell what stands here.

mod counted;
mod docs;
mod kinds;
mod patterns;

pub use counted::{EVERY, SAMPLER, job};
pub use docs::{KINDS, docs};
pub use kinds::{Source, source};
pub use patterns::patterns;
