//! Samplers observe; they never act and never disturb. Each kind is one file in `kinds/` with its
//! configuration, docs, sampler and tests; a new kind is that file and one line in [`KINDS`].
//!
//! Called by `roles` only: [`Supervisor`] runs them on a tokio runtime, a [`Mailbox`] carries what they saw to the
//! event loop. The contract: one attempt in flight, a deadline on each, every cap of the house (connect 2 s, body
//! 1 MiB, 4 MiB unpacked, JSON depth 64, 2,000 series, 50 attempts a second in all), a sentence for every failure.
//!
//! `schedule` is when, `pace` how much longer, `supervisor` runs, `cost` tells what that costs us, `wall` hides secrets,
//! `memory` keeps what a sampler wants to know again at the next start.
//! Ways to look: `blocking` and `probe` for what may hang, `exec` for programs, `resolve`, `dial`, `wire` and `http` for
//! the network, `sys::quiet` and `sys::holders` for files of others, `discover` for what is here. A folder with a kind's
//! name is what that kind reads with; the other files read formats that several share.

mod blocking;
mod burst;
mod cost;
mod csv;
mod dial;
pub mod discover;
mod docs;
mod documents;
mod exec;
mod gpu;
mod host;
mod http;
mod json;
pub mod kinds;
mod lines;
mod lmdb;
mod logins;
mod look;
mod mailbox;
mod memory;
#[cfg(any(test, not(all(feature = "redis", feature = "postgres"))))]
mod not_built;
mod pace;
mod perfdata;
mod pick;
#[cfg(feature = "postgres")]
mod postgres;
pub mod probe;
mod proc_text;
mod process;
mod rabbitmq_json;
#[cfg(feature = "redis")]
mod redis;
mod resolve;
mod schedule;
mod schema;
pub mod scrape;
mod sqlite;
mod supervisor;
mod systemd_show;
mod tcp;
mod wall;
mod websocket;
#[cfg(any(feature = "redis", feature = "postgres"))]
mod wire;

pub use blocking::THREADS;
pub use burst::{Bin, Burst, Figures, Outcome};
pub use cost::{EVERY as OWN_EVERY, OWN, gives as own_gives};
pub use docs::docs;
pub use http::fetch::{Fetcher, Undelivered};
pub use mailbox::Mailbox;
pub use memory::{Memory, Remembering};
pub use supervisor::{Job, Supervisor};

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::sys::news::News;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::sync::Arc;

/// What one attempt yields.
pub type Observed<'a> = Pin<Box<dyn Future<Output = Result<Observation, Failure>> + Send + 'a>>;

/// One configured sampler. The supervisor keeps at most one attempt in flight and drops it at the timeout.
pub trait Sampler: Send {
    /// Observes once. Must be cancel-safe: the future is dropped when its time is over.
    fn observe(&mut self, now: Now) -> Observed<'_>;
    /// What is known of a source that does not answer, such as `redis_up 0`: told with an attempt whose time was over.
    fn unheard(&self) -> Vec<Point> {
        Vec::new()
    }
    /// Told when there is something to observe that should not wait for its turn.
    fn news(&self) -> Option<Arc<News>> {
        None
    }
    /// What it wants to know again at the next start, where it does.
    fn remembers(&mut self) -> Option<&mut dyn Memory> {
        None
    }
}

/// A family of samplers: how a table of a profile becomes one.
pub trait Kind: Sync {
    /// The name in `kind = "…"`.
    fn name(&self) -> &'static str;
    /// One line for help and references.
    fn about(&self) -> &'static str;
    /// How often when the profile does not say; at least a second.
    fn every(&self) -> Duration;
    /// Builds a sampler from what is left of its table (without `kind`, `every`, `timeout`, `simulated`).
    ///
    /// # Errors
    /// A placed fault; never does I/O.
    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault>;
    /// The metrics it can give: names, and beginnings of names that end in `_`. Empty when only the source knows.
    fn gives(&self, _body: &Body) -> Vec<String> {
        Vec::new()
    }
    /// A label that each of its series has with this value, besides `job`.
    fn label(&self, _body: &Body) -> Option<(&'static str, Clean)> {
        None
    }
}

/// Every kind there is.
pub static KINDS: &[&dyn Kind] = &[
    &kinds::command::Command,
    &kinds::container::Container,
    &kinds::discover::Discover,
    &kinds::file::File,
    &kinds::files::Files,
    &kinds::gpu::Gpu,
    &kinds::host::Host,
    &kinds::http::Http,
    &kinds::lmdb::Lmdb,
    #[cfg(feature = "postgres")]
    &kinds::postgres::Postgres,
    #[cfg(not(feature = "postgres"))]
    &not_built::NotBuilt("postgres"),
    &kinds::process::Process,
    &kinds::rabbitmq::Rabbitmq,
    #[cfg(feature = "redis")]
    &kinds::redis::Redis,
    #[cfg(not(feature = "redis"))]
    &not_built::NotBuilt("redis"),
    &kinds::scrape::Scrape,
    &kinds::sqlite::Sqlite,
    &kinds::supervisor::Supervisor,
    &kinds::systemd::Systemd,
    &kinds::tcp::Tcp,
    &kinds::websocket::Websocket,
];

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
