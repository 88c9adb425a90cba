//! Searching a whole log in the background with ripgrep's engine: nearest hits first, each kept as a place, the rest
//! counted; what is written meanwhile is searched as it comes. `roles` starts a [`Sweep`] for each pattern and drops
//! it to end it; `app` sees counts and places only; `ui` asks a [`Find`] where to mark a shown line.

mod find;
mod hits;
mod stream;
mod sweep;

pub use find::Find;
pub use hits::{Hits, Step};
pub use sweep::{Progress, Sweep};
