//! What lies over the panes, one file each: help, the action list, the confirm prompt, a run, our own log, faults.
//! Called by `ui::screen` alone.

pub mod actions;
pub mod faults;
pub mod help;
pub mod own_log;
pub mod prompt;
pub mod run;
pub(super) mod sheet;
