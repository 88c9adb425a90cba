//! Draws a [`Model`](crate::app::Model) into a buffer; reads, never acts. Pane kinds are one file each in `panes/`,
//! what lies over them in `overlays/`. Called by `roles` for the terminal and for text snapshots.

pub mod alert;
pub mod chart;
pub mod layout;
pub mod log_lines;
pub mod log_screen;
pub mod metric_pane;
pub mod overlays;
pub mod paint;
pub mod panes;
pub mod screen;
pub mod strip;
pub mod text;
pub mod value;

pub use screen::draw;
