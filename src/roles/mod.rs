//! The only wiring: console loop, runner, headless, demo and twin; the only interpreter of effects.

pub mod runner;
