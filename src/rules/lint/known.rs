//! What is known of the system that rules are for.

use crate::base::PointKind;
use crate::rules::escalation::Policy;
use crate::rules::rule::Rule;
use crate::store::{Selector, Store};
use core::time::Duration;
use std::collections::HashSet;
use std::sync::Arc;

/// What the linter may hold against a rule.
pub struct Known<'a> {
    /// Samplers and their series; without it nothing is said about metrics.
    pub store: Option<&'a Store>,
    /// Severity words.
    pub policy: &'a Policy,
    /// Of groups that do not say their own.
    pub interval: Duration,
    /// Names that rules record under.
    recorded: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    /// With the names that these rules record under.
    pub fn new(
        store: Option<&'a Store>,
        policy: &'a Policy,
        interval: Duration,
        rules: impl Iterator<Item = &'a Rule>,
    ) -> Self {
        let recording = rules.filter(|rule| rule.kind.records());
        Self { store, policy, interval, recorded: recording.map(|rule| rule.name.as_str()).collect() }
    }

    /// The type of a metric, as its source says.
    pub(super) fn kind(&self, metric: &str) -> Option<PointKind> {
        self.store.and_then(|store| store.kind_of(metric))
    }

    pub(super) fn is_recorded(&self, metric: &str) -> bool {
        self.recorded.contains(metric)
    }

    /// Nobody makes it, and everybody who could is known.
    pub(super) fn is_missing(&self, metric: &str) -> bool {
        self.possible(metric).as_ref().is_some_and(Vec::is_empty)
    }

    /// Who may make it, where nobody is known to: whoever has not answered, and does not say what it gives.
    pub fn awaited(&self, metric: &str) -> Vec<Arc<str>> {
        self.possible(metric).unwrap_or_default()
    }

    /// The same; `None` where it is known who makes it.
    fn possible(&self, metric: &str) -> Option<Vec<Arc<str>>> {
        let own = matches!(metric, "ALERTS" | "ALERTS_FOR_STATE" | "up");
        let makers = self.store.filter(|_| !own && !self.is_recorded(metric))?.makers(metric);
        makers.known.is_empty().then_some(makers.possible)
    }

    /// The metric that comes here and was probably meant.
    pub fn near(&self, metric: &str) -> Option<String> {
        self.store?.similar(metric).map(str::to_owned)
    }

    /// The finite bounds of a histogram's buckets, rising; empty while no bucket was seen.
    pub(super) fn bounds(&self, buckets: &str) -> Vec<f64> {
        let Some(store) = self.store else { return Vec::new() };
        let series = store.select(&Selector::metric(buckets));
        let bound = |id| store.key(id).label("le").and_then(|le| le.as_str().parse::<f64>().ok());
        let mut bounds: Vec<f64> = series.into_iter().filter_map(bound).filter(|bound| bound.is_finite()).collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        bounds
    }
}
