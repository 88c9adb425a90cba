//! What the pure core asks of the world. Each is carried out by `roles::effects`, nowhere else.

use crate::action::Plan;
use crate::base::Clean;
use crate::journal::Record;
use std::sync::Arc;

/// One order.
#[derive(Debug)]
pub enum Effect {
    /// Plan this action of the profile; the answer is `Msg::Planned`.
    Plan(Arc<str>),
    /// Start the runner on an accepted plan; the answer is `Msg::Launched`.
    Launch(Box<Plan>),
    /// Throw away every key that has been typed so far.
    DiscardInput,
    /// Ask the terminal to say that it has shown the newest frame.
    Fence(u64),
    /// Write a record; the screen does not wait.
    Record(Record),
    /// Put text on the clipboard by OSC 52.
    Copy(Clean),
    /// Draw everything again.
    Redraw,
    /// Give the terminal back and stop, until continued.
    Suspend,
    /// Leave.
    Quit,
}
