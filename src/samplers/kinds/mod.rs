//! One file per kind: its configuration, its sampler, its docs and its unit tests.
//! The registry is [`KINDS`](super::KINDS); helpers that are not a kind live one floor up.

pub mod files;
pub mod host;
pub mod http;
pub mod lmdb;
pub mod process;
pub mod scrape;
