//! Genesis: a bearer key that changes, limits with 429, a histogram of which only the last value shows, `genesis_up` in
//! seconds, series that the guide asks for and nobody exports, JSON behind what a console formatter puts before it.

mod access;
mod engine;
mod model;
mod pages;

#[cfg(test)]
pub(super) use engine::EXCHANGE;
pub(super) use engine::{Genesis, PORTS, lay_out};
