//! The only wiring, and the only interpreter of effects: the console loop, its session and effects, the runner, the
//! demo with its twin, and the small tools of the command line. Called by `main` alone.

pub mod alert_state;
pub mod burst;
pub mod cli;
mod collect;
pub mod console;
pub mod demo;
pub mod describe;
pub mod dry_run;
pub mod effects;
pub mod history;
pub mod journal_tool;
pub mod judging;
pub mod lmdb_child;
pub mod log_tool;
mod marks;
pub mod notify;
pub mod own_log;
pub mod plain;
pub mod probe;
pub mod probe_child;
pub mod query;
pub mod readings;
pub mod records;
pub mod rule_check;
pub mod rules_test;
pub mod runner;
pub mod session;
pub mod setup;
pub mod snapshot;
pub mod twin;
mod units;
pub mod validate;
