//! A plain vector selector as data: which series are meant. `rules` parses it from `PromQL`; nothing here does.

use crate::base::{Clean, SeriesKey};
use regex::Regex;

/// How a label's value is compared. An absent label counts as the empty text, as in Prometheus.
#[derive(Clone, Debug)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`; anchored at both ends by whoever built it.
    Like(Regex),
    /// `!~`; anchored likewise.
    Unlike(Regex),
}

/// One condition on one label. `__name__` is the metric's name.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label.
    pub label: Clean,
    /// What it is compared with; for a pattern its source.
    pub value: Clean,
    /// How.
    pub op: MatchOp,
}

impl Matcher {
    fn accepts(&self, value: &str) -> bool {
        match &self.op {
            MatchOp::Equal => value == self.value.as_str(),
            MatchOp::NotEqual => value != self.value.as_str(),
            MatchOp::Like(pattern) => pattern.is_match(value),
            MatchOp::Unlike(pattern) => !pattern.is_match(value),
        }
    }
}

/// Which series are meant: a metric name, if one was written, and conditions that must all hold.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// The metric's name.
    pub name: Option<Clean>,
    /// All of them must accept.
    pub matchers: Vec<Matcher>,
}

impl Selector {
    /// Every series of one metric.
    pub fn metric(name: &str) -> Self {
        Self { name: Some(Clean::text(name)), matchers: Vec::new() }
    }

    /// The one metric that it can mean, if it says so.
    pub fn metric_name(&self) -> Option<&str> {
        self.name.as_ref().map(Clean::as_str).or_else(|| {
            let named = self.matchers.iter().find(|matcher| {
                matcher.label.as_str() == "__name__"
                    && matches!(matcher.op, MatchOp::Equal)
                    && !matcher.value.as_str().is_empty()
            });
            named.map(|matcher| matcher.value.as_str())
        })
    }

    /// The one value that a label must have, if it says so.
    pub fn equals(&self, label: &str) -> Option<&str> {
        let exact = |matcher: &&Matcher| matcher.label.as_str() == label && matches!(matcher.op, MatchOp::Equal);
        self.matchers.iter().find(exact).map(|matcher| matcher.value.as_str())
    }

    /// Whether all that it says of this label lets this value pass.
    pub fn may_have(&self, label: &str, value: &str) -> bool {
        self.matchers.iter().filter(|matcher| matcher.label.as_str() == label).all(|matcher| matcher.accepts(value))
    }

    /// Whether this series is meant.
    pub fn matches(&self, key: &SeriesKey) -> bool {
        self.name.as_ref().is_none_or(|name| *name == key.name)
            && self.matchers.iter().all(|matcher| {
                let label = matcher.label.as_str();
                matcher.accepts(match key.label(label) {
                    Some(value) => value.as_str(),
                    None if label == "__name__" => key.name.as_str(),
                    None => "",
                })
            })
    }
}
