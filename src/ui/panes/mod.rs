//! Pane kinds: how a `[[panes]]` table becomes a [`Pane`] and how that is drawn. A new kind is one file here and
//! one line in [`KINDS`]. `roles` builds panes when a profile is loaded; `ui::screen` draws them.

pub mod facts;
pub mod gpu;
pub mod host;
pub mod lmdb;
pub mod log;
pub mod spans;
pub mod sparkline;
pub mod table;

use super::paint::Painter;
use crate::app::{Model, Pane};
use crate::base::{Body, Clean, Fault};
use ratatui::layout::Rect;

/// Where panes of a kind stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the grid.
    Grid,
    /// A line of its own.
    Strip,
    /// Below everything, as wide as the screen.
    Log,
}

/// A family of panes.
pub trait Kind: Sync {
    /// The name in `kind = "…"`.
    fn name(&self) -> &'static str;
    /// One line for references.
    fn about(&self) -> &'static str;
    /// Where it stands.
    fn place(&self) -> Place;
    /// Builds a pane from what is left of its table (without `kind` and `title`).
    ///
    /// # Errors
    /// A placed fault.
    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault>;
    /// Draws it.
    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool);
}

/// Every kind there is.
pub static KINDS: &[&dyn Kind] = &[
    &facts::Facts,
    &gpu::Gpu,
    &host::Host,
    &lmdb::Lmdb,
    &log::Log,
    &spans::Spans,
    &sparkline::Sparkline,
    &table::Table,
];

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
