//! Actions: the only place that changes the world (safety.md 4.2, 4.3).

pub mod gate;
pub mod lifecycle;
pub mod mode;
pub mod plan;
pub mod prompt;
pub mod verify;
