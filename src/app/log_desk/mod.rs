//! The logs on this console: one pane for each log pane of the board, on the rings of its sources. A pane's wishes are
//! answered here at once; what only the world can do becomes an effect.

mod answers;
mod desk;
mod stream;

pub(super) use answers::{across, command, fresh, on_logs, on_paste, on_typed};
pub use desk::{LogDesk, Reading};
pub use stream::Stream;
