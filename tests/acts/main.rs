//! Every kind of action on real peers: planned from a profile's table, carried out by the real executor, and judged by
//! what the peer itself says.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "a test starts its peers")]

mod back;
mod backup;
mod commands;
mod config;
mod container;
mod drop_in;
mod files;
mod hangs;
mod http_call;
mod lmdb;
mod lmdb_grow;
mod orphans;
mod owner;
#[expect(dead_code, reason = "the samplers' tests use all of it")]
#[path = "../samplers/peer.rs"]
mod peer;
mod planar;
#[cfg(feature = "postgres")]
mod postgres;
mod prompts;
#[cfg(feature = "redis")]
mod redis;
mod restore;
mod rotate;
mod scene;
mod service;
mod service_checks;
mod small;
mod sqlite;
mod supervisor;
mod trees;
mod unkillable;
mod web;
