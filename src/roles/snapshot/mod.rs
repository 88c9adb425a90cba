//! `watchkeeper snapshot`: one round of every sampler, then every reading as it stands. Called by the command line alone.
//!
//! Standard output is the readings, as a table or as JSON (its schema: `--schema`); standard error is what is wrong with
//! the profile. Exit status by the worst level, as monitoring plugins have it: see [`STATUS`].
//!
//! `take` runs the samplers, `picture` is what was seen as data, `json` and `table` are the two ways to print.

mod json;
mod picture;
mod table;
mod take;

pub use take::{Ask, STATUS, UNKNOWN, run};
