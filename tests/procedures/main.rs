//! Procedures as files: the original orders of steps with their hazards, the shipped ones without, and any text at all.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts the program, and times the reader by the wall clock")]

mod any;
mod commonmark;
mod known;
mod originals;
mod paper;
mod shipped;
mod tool;
