//! One file per kind: its configuration, its sampler, its docs and its unit tests.
//! The registry is [`KINDS`](super::KINDS); helpers that are not a kind live one floor up.

pub mod command;
pub mod discover;
pub mod file;
pub mod files;
pub mod host;
pub mod http;
pub mod lmdb;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
pub mod scrape;
pub mod systemd;
pub mod tcp;
pub mod websocket;
