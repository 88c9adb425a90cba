//! How serious an alert is for people: profiles say it too, so the type lies in `base`.

pub use crate::base::severity::{Severity, Terms};
