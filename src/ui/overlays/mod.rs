//! What lies over the panes, one file each: help, actions, the confirm prompt, a run, our own log, faults, alerts and
//! rules, one of them in detail, forms, contacts, what
//! changed, the journal of a unit, procedures, one of them at work and all of one answer, the incident, the handover card.
//! Called by `ui::screen` alone.

pub mod actions;
pub mod alerts;
pub mod changes;
pub mod contacts;
pub mod detail;
pub mod faults;
pub mod form;
pub mod handover;
pub mod help;
pub mod incident;
pub mod open_runs;
pub mod own_log;
pub mod procedure;
mod procedure_text;
pub mod procedures;
pub mod prompt;
pub mod run;
pub(super) mod sheet;
pub mod unit;
pub mod whole;
