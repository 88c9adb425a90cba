//! What the operator's files say: profiles, themes, keymaps; built-in, system-wide, the user's own.
//! Broken parts become placed sentences and the rest loads: the console always starts. Kind bodies stay opaque
//! tables; whoever owns the kind reads them. Called by `roles` only, which passes the kinds that exist.
//!
//! Search order of a name: the user's folder, `/etc/watchkeeper`, built in. Files with effect pass `sys::trust`.

pub mod appearance;
pub mod builtin;
pub mod duration;
pub mod intent;
pub mod judging;
mod layer;
pub mod load;
mod merge;
pub mod people;
pub mod procedures;
pub mod profile;
pub mod schema;
mod style;
pub mod theme;

pub use appearance::{load_keymap, load_theme};
pub use duration::Lasting;
pub use intent::{INTENTS, Intent};
pub use judging::{InhibitSpec, Judging, RuleFileSpec};
pub use load::{ProfileRef, SearchPath, load_or_host, load_profile};
pub use people::People;
pub use procedures::{Handbook, ProcedureSpec};
pub use profile::{
    ActionSpec, KnownKinds, LogSpec, Marker, PaneSpec, Part, Profile, SamplerSpec, Screen, Source, Trust, ViewSpec,
};
pub use theme::{Depth, Theme};
