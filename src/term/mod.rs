//! Owns the tty. Nobody else reads it, writes it or sets its modes; `roles` opens one [`Terminal`], submits frames
//! and takes inputs. Two threads stand behind it: a reader (bytes, signals, hang-up, all in one `poll`) and a
//! writer (newest frame, difference, second gate), so that no terminal can hold up the loop.
//!
//! Contract
//! - Call [`install_panic_hook`] first. A panic restores the terminal and ends the process with status 101, unless
//!   it happens inside [`contain`] or in a thread that called [`contain_thread`].
//! - After [`Input::HungUp`] nothing is written any more, and the process ends within half a second even if the
//!   loop hangs; after [`Input::Stop`] within a second.
//! - Every death that can be caught leaves the terminal as it was found ([`guard::restore`]); KILL cannot be caught.
//! - The terminal's title is never touched, its shared flags neither.

mod alarm;
pub mod caps;
mod encode;
mod fence;
mod gate;
pub mod guard;
mod inbox;
mod keys;
pub mod panic;
mod pen;
mod reader;
mod resize;
mod scroll;
mod terminal;
mod writer;

pub use caps::{Caps, Depth};
pub use inbox::Input;
pub use panic::{contain, contain_thread, install_panic_hook};
pub use terminal::Terminal;
