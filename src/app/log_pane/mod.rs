//! Reading one log: follow it, stop, scroll, search, mark, jump. Pure: keys and answers go in, wishes come out, and
//! whoever has the lines (a file of any size, a pipe, a ring of the console) answers them. Used by the `log` tool.

mod find;
mod keys;
mod pane;
mod time;
mod view;

pub use find::Finding;
pub use keys::KEYS;
pub use pane::{Ask, LogPane, Typing};
pub use view::{GUTTER, height};
