//! What the kernel knows of a listening port, and who holds it.

pub(crate) mod listener;
pub(crate) mod sock_diag;
