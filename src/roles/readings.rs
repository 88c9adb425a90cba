//! What a planner may look at: the values of the moment it was asked, taken out of the store, so that planning can
//! read files and ask managers off the loop.

use crate::action::plan::Readings;
use crate::base::{Fault, Mono};
use crate::rules::parse_selector;
use crate::store::Store;
use core::time::Duration;
use std::collections::BTreeMap;

/// How far back baselines may reach.
const WINDOW: Duration = Duration::from_secs(120);

struct Taken {
    reading: Result<(f64, Duration), Fault>,
    recent: Vec<(Mono, f64)>,
}

/// The answers to a fixed set of queries.
pub struct Snapshot {
    taken: BTreeMap<String, Taken>,
    now: Mono,
}

impl Snapshot {
    /// Takes the answers to `queries` now.
    pub fn take(store: &Store, queries: &[String], now: Mono) -> Self {
        Self { taken: queries.iter().map(|query| (query.clone(), taken(store, query, now))).collect(), now }
    }
}

fn taken(store: &Store, query: &str, now: Mono) -> Taken {
    let selector = match parse_selector(query) {
        Ok(selector) => selector,
        Err(fault) => return Taken { reading: Err(fault), recent: Vec::new() },
    };
    let ids = store.select(&selector);
    let [id] = ids[..] else {
        let found = if ids.is_empty() { "no series".to_owned() } else { format!("{} series", ids.len()) };
        let fault = Fault::new(format!("`{query}` finds {found}, and a plan needs exactly one."));
        return Taken { reading: Err(fault), recent: Vec::new() };
    };
    let reading = match (store.reading(id, now), store.reading(id, now).usable()) {
        (crate::base::Reading::Value { seen, .. }, Some(value)) => Ok((value, now.since(seen))),
        _ => Err(Fault::new(format!("`{query}` has no fresh value.")).hint("A plan never rests on a stale one.")),
    };
    let points = store.points(id, now - WINDOW, now + Duration::from_secs(1));
    let recent = points.filter_map(|(at, value)| value.map(|value| (at, value))).collect();
    Taken { reading, recent }
}

impl Readings for Snapshot {
    fn reading(&self, query: &str) -> Result<(f64, Duration), Fault> {
        match self.taken.get(query) {
            Some(taken) => taken.reading.clone(),
            None => Err(Fault::new(format!("`{query}` was not asked for."))),
        }
    }

    fn recent(&self, query: &str, window: Duration) -> Vec<(Mono, f64)> {
        let from = self.now - window;
        let taken = self.taken.get(query).map(|taken| taken.recent.as_slice()).unwrap_or_default();
        taken.iter().filter(|(at, _)| *at >= from).copied().collect()
    }
}
