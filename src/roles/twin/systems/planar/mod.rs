//! Planar: no page of metrics at all; an LMDB environment whose map each start sets anew, Julia's log lines, keys that
//! belong to nobody, and an exchange that has its days.

mod bot;
mod store;

pub(crate) use bot::reader;
pub(super) use bot::{PORTS, Planar, lay_out};
