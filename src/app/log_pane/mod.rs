//! Reading one log: follow it, stop, scroll, search, filter, mark, jump. Pure: commands, typed keys and answers go in,
//! wishes come out, and whoever has the lines (a file of any size, a pipe, rings of the console) answers them. Used by
//! the `log` tool and by [`super::log_desk`].

mod chosen;
mod find;
mod folded;
mod keys;
mod pane;
mod sift;
mod time;
mod view;

pub use chosen::detail;
pub use find::Finding;
pub use keys::{COMMANDS, Typing};
pub use pane::{Ask, LogPane};
pub use sift::{Sift, Sifted};
pub use view::{GUTTER, height};
