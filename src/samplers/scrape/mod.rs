//! Prometheus text: read for the first time, and read again.

pub mod again;
pub mod text;
