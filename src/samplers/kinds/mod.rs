//! One file per kind: its configuration, its sampler, its docs and its unit tests.
//! The registry is [`KINDS`](super::KINDS); helpers that are not a kind live one floor up.

pub mod command;
pub mod container;
pub mod discover;
pub mod file;
pub mod files;
pub mod gpu;
pub mod host;
pub mod http;
pub mod lmdb;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis;
pub mod scrape;
pub mod sqlite;
pub mod supervisor;
pub mod systemd;
pub mod tcp;
pub mod websocket;
