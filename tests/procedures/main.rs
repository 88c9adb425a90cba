//! Procedures as files: the original orders of steps with their hazards, the shipped ones without, and any text at all.
#![cfg(test)] // so that clippy knows this for a test

mod any;
mod known;
mod originals;
mod paper;
mod shipped;
mod tool;
