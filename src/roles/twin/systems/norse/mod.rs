//! Cerebellar-Norse: TLS and a key on the API, `/metrics` in plain text on another port, health that is a constant, a
//! histogram whose first bound is ten times the guide's limit, `/neural/metrics` that is text, and pages of constants.

mod model;
mod pages;
mod program;
mod settings;

pub(super) use program::{Norse, PORTS, lay_out};
