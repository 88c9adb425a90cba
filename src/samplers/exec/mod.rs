//! Running programs of others from a sampler: one at a time each, capped, judged, ended with their whole group.
//! `runner` is all of it; `tests` are children that behave badly, each in its own way.

mod runner;

pub(crate) use runner::{Ran, Runner};
