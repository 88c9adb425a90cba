//! Samplers observe; they never act and never disturb. Each kind is one file in `kinds/` with its
//! configuration, docs, sampler and tests; a new kind is that file and one line in [`KINDS`].
//!
//! Called by `roles` only: [`Supervisor`] runs them on a tokio runtime, a [`Mailbox`] carries what they saw to the
//! event loop. The contract: one attempt in flight, a deadline on each, every cap of the house (connect 2 s, body
//! 1 MiB, 4 MiB unpacked, JSON depth 64, 2,000 series, 50 attempts a second in all), a sentence for every failure.
//!
//! `schedule` is when, `supervisor` runs, `blocking` is for what may hang, `probe` for what may hang for ever, `exec`
//! for programs, `resolve` and `fetch` are HTTP, `disks` and `remote_disks` space; the other files read formats and
//! are pure: `json`, `scrape_text`, `lmdb_format`, `proc_text`, `perfdata`, `csv`, `pick`, `gpu_points`, `nvidia_smi`.

mod blocking;
mod csv;
mod disks;
mod exec;
mod fetch;
mod gpu_points;
mod json;
pub mod kinds;
mod lmdb_format;
mod look;
mod mailbox;
mod nvidia_smi;
mod perfdata;
mod pick;
pub mod probe;
mod proc_text;
mod remote_disks;
mod resolve;
mod schedule;
pub(crate) mod scrape_text;
mod supervisor;

pub use fetch::{Fetcher, Undelivered};
pub use mailbox::Mailbox;
pub use supervisor::{Job, Supervisor};

use crate::base::{Body, Failure, Fault, Now, Observation};
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

/// What one attempt yields.
pub type Observed<'a> = Pin<Box<dyn Future<Output = Result<Observation, Failure>> + Send + 'a>>;

/// One configured sampler. The supervisor keeps at most one attempt in flight and drops it at the timeout.
pub trait Sampler: Send {
    /// Observes once. Must be cancel-safe: the future is dropped when its time is over.
    fn observe(&mut self, now: Now) -> Observed<'_>;
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
}

/// Every kind there is.
pub static KINDS: &[&dyn Kind] = &[
    &kinds::command::Command,
    &kinds::file::File,
    &kinds::files::Files,
    &kinds::gpu::Gpu,
    &kinds::host::Host,
    &kinds::http::Http,
    &kinds::lmdb::Lmdb,
    &kinds::scrape::Scrape,
];

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
