//! The pure core of the console: a [`Model`], what can happen to it ([`Msg`]), and what it asks of the world
//! ([`Effect`]). `update` takes the time and data and returns data; `roles` alone carries effects out.

pub mod alerts;
pub mod answer;
mod asked;
pub mod board;
pub mod changes;
pub mod contacts;
pub mod course;
pub mod detail;
pub mod effect;
pub mod form;
pub mod lints;
pub mod log_pane;
pub mod log_view;
pub mod metric;
pub mod model;
pub mod msg;
pub mod notify;
pub mod pane;
pub mod prompt;
pub mod run;
pub mod survey;
pub mod table;
pub mod trouble;
pub mod unit;
pub mod update;

pub use board::{Board, Mark};
pub use changes::Changes;
pub use course::{Course, Range};
pub use effect::Effect;
pub use log_pane::LogPane;
pub use log_view::LogView;
pub use metric::{Metric, Shown};
pub use model::{Identity, Model, Notice, Overlay, Request, Scroll, Session};
pub use msg::Msg;
pub use notify::{AlertNote, NotifierStatus, Told};
pub use pane::Pane;
pub use run::Run;
pub use table::{Column, Table};
pub use unit::UnitView;
pub use update::update;
