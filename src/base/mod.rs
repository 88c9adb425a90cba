//! The vocabulary every floor shares: time, text, values, samples, faults.
//! Pure: no clock, file, socket or `async`. Anyone may import it; it imports nothing of ours.

pub mod backoff;
pub mod body;
pub mod clean;
pub mod contact;
pub mod fault;
pub mod freshness;
pub mod header;
pub mod id;
pub mod level;
pub mod sample;
pub mod scrub;
pub mod settings;
pub mod severity;
pub mod support;
pub mod time;
pub mod unit;
pub mod words;

pub use body::Body;
pub use clean::Clean;
pub use contact::Contact;
pub use fault::{Fault, Place};
pub use freshness::{Freshness, Reading, Unknown};
pub use id::Ulid;
pub use level::Level;
pub use sample::{Failure, Labels, LogLevel, LogLine, Observation, Point, PointKind, Sample, SeriesKey};
pub use settings::Settings;
pub use severity::{Severity, Terms};
pub use support::Support;
pub use time::{Clock, Mono, Now, Wall, Zone};
pub use unit::Unit;
pub use words::Words;
