//! Acting, end to end on real files and processes: the gate under random input, the order of effects, the runner
//! that outlives its console, the journal that cannot be changed unnoticed.
#![cfg(test)] // so that clippy knows this for a test

mod child;
mod dry_run;
mod gate;
mod journal;
mod plan;
mod runner;
#[path = "../peers/running.rs"]
mod running;
mod support;
mod swaps;
