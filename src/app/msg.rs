//! What can happen to the console.

use crate::action::{Plan, Status};
use crate::base::{Fault, Mono, Sample};
use crate::logs::LogBatch;
use crate::term::Input;
use std::sync::Arc;

/// One event.
#[derive(Debug)]
pub enum Msg {
    /// From the terminal, with the moment it was read.
    Input(Mono, Input),
    /// From the samplers' mailbox.
    Samples(Vec<Sample>),
    /// From the log followers' mailbox.
    Logs(Vec<LogBatch>),
    /// The answer to `Effect::Plan`.
    Planned(Arc<str>, Result<Box<Plan>, Fault>),
    /// The answer to `Effect::Launch`.
    Launched(Result<(), Fault>),
    /// The runner of the current action says where it stands.
    Progress(Status),
    /// The display has not taken a frame for this long, or takes them again.
    Stalled(bool),
    /// A second has begun, or a prompt is open and time passes.
    Tick,
}
