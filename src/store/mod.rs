//! What was seen, in memory: series with gaps and stale markers, sampler health, log lines, two days of minutes.
//! Pure: it gets samples, lines and `now`, and returns data. `rules`, `app` and `ui` read it, `app` feeds it, and
//! `rules` adds what rules record. Everything is bounded in advance (bytes, age, series), and a bound's cost is counted.

mod block;
mod catalog;
mod drops;
mod feed;
pub mod history;
mod ingest;
pub mod lines;
pub mod selector;
pub mod series;
mod window;

#[cfg(test)]
mod tests;

pub use catalog::SeriesId;
pub use feed::SamplerHealth;
pub use history::History;
pub use lines::{LogRing, LogStore};
pub use selector::{MatchOp, Matcher, Selector};
pub use series::{Feeder, Limits, Makers, Store, UP, Usage};
pub use window::Edges;
