//! Short talks with servers for code that waits: each has a thread, a deadline and an end of its own, and says whether
//! what asks for an effect was sent before it failed. `talk` is that contract; the others are what is spoken.
//! Called by the kinds of actions; samplers, which keep connections, have their own.

pub mod door;
pub mod http;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
pub mod stream;
pub mod talk;
pub mod tls;
