//! The common ways of writing a line, one file each: every one is a pure function of the clean text that either fits
//! or leaves the line to the next. `Format` asks them; a line that fits none is shown whole.

mod access;
mod joiner;
mod json;
mod julia;
mod klog;
mod level;
mod logfmt;
mod pairs;
mod parts;
mod plain;
mod python;
mod rust;
mod server;
mod sgr;
mod syslog;
mod time;

pub(super) use access::access;
pub use joiner::{Joiner, entries};
pub(super) use json::json;
pub(super) use julia::julia;
pub(super) use klog::klog;
pub(super) use level::of_syslog;
pub(super) use logfmt::logfmt;
pub use pairs::{Pairs, field};
pub(super) use parts::Parts;
pub(super) use plain::plain;
pub(super) use python::python;
pub(super) use rust::rust;
pub(super) use server::server;
pub use sgr::{Colour, Spans, Style, strip};
pub(super) use syslog::syslog;
pub use time::Stamp;
