//! Keys to commands: what a key means in each context, and which key means a command (help and hints ask that).
//! Pure: the rows come from files that `config` read, the keys from `term`. Called by `app` (feed) and `ui` (reverse).
//! Files: `key` reads and writes one key, `keymap` merges rows over the complete default and looks them up.

mod key;
mod keymap;

pub use key::Chord;
pub use keymap::{HelpRow, Keymap, Lookup};
