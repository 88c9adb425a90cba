//! Keys to commands: what a key means in each context, and which key means a command (help and hints ask that).
//! Pure: the rows come from files that `config` read, the keys from `term`. Called by `app` (feed) and `ui` (reverse).
//! Files: `key` reads and shows one key, `rows` reads a keymap file, `keymap` merges files over the complete default.

mod key;
mod keymap;
mod press;
mod rows;

/// A key as `term` yields it.
pub use crossterm::event::KeyEvent as Key;
pub use key::Chord;
pub use keymap::{HelpRow, Keymap, Lookup};
pub use press::{Press, press};
