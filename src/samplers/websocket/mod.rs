//! A WebSocket: how it is opened, the task that keeps it, and the numbers of its messages.

pub(crate) mod line;
pub(crate) mod opening;
pub(crate) mod sequence;
