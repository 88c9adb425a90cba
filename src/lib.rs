//! Watchkeeper: the operations console for the engineer on watch.
//! `ls src` is the diagram: each folder is a floor and imports only from lower ones (`tests/meta` holds the table).

pub mod action;
pub mod app;
pub mod base;
pub mod command;
pub mod config;
pub mod incident;
pub mod input;
pub mod journal;
pub mod logs;
pub mod procedure;
pub mod roles;
pub mod rules;
pub mod samplers;
pub mod store;
pub mod sys;
pub mod term;
pub mod ui;
