//! Keys made of keys: labels kept, dropped and set. `__name__` is the name of a key, as everywhere in `PromQL`.

use crate::base::{Clean, Labels, SeriesKey};
use core::borrow::Borrow;

/// The label that is a name.
pub(super) const NAME: &str = "__name__";

/// A label's value; empty when there is none.
pub(super) fn value<'a>(key: &'a SeriesKey, label: &str) -> &'a str {
    if label == NAME {
        return key.name.as_str();
    }
    let found = key.labels.binary_search_by(|(known, _)| known.as_str().cmp(label)).ok();
    found.and_then(|at| key.labels.get(at)).map_or("", |(_, value)| value.as_str())
}

fn lists(labels: &[Clean], label: &str) -> bool {
    labels.iter().any(|known| known.as_str() == label)
}

/// A key without name and labels.
pub(super) fn empty() -> SeriesKey {
    SeriesKey { name: Clean::default(), labels: Labels::from([]) }
}

/// Only these labels.
pub(super) fn keep(key: &SeriesKey, labels: &[Clean]) -> SeriesKey {
    let kept: Labels = key.labels.iter().filter(|(label, _)| lists(labels, label.as_str())).cloned().collect();
    SeriesKey { name: if lists(labels, NAME) { key.name.clone() } else { Clean::default() }, labels: kept }
}

/// Without these labels; the name stays unless it is one of them.
pub(super) fn remove(key: &SeriesKey, labels: &[Clean]) -> SeriesKey {
    let name = if lists(labels, NAME) { Clean::default() } else { key.name.clone() };
    if !key.labels.iter().any(|(label, _)| lists(labels, label.as_str())) {
        return SeriesKey { name, labels: key.labels.clone() };
    }
    let kept = key.labels.iter().filter(|(label, _)| !lists(labels, label.as_str())).cloned().collect();
    SeriesKey { name, labels: kept }
}

/// Without its name.
pub(super) fn nameless(mut key: SeriesKey) -> SeriesKey {
    key.name = Clean::default();
    key
}

/// With one label set, or removed by an empty value.
pub(super) fn set(key: &SeriesKey, label: &str, value: &str) -> SeriesKey {
    if label == NAME {
        return SeriesKey { name: Clean::text(value), labels: key.labels.clone() };
    }
    let before = key.labels.iter().take_while(|(known, _)| known.as_str() < label);
    let after = key.labels.iter().skip_while(|(known, _)| known.as_str() <= label);
    let new = (!value.is_empty()).then(|| (Clean::text(label), Clean::text(value)));
    SeriesKey { name: key.name.clone(), labels: before.cloned().chain(new).chain(after.cloned()).collect() }
}

/// What makes rows of two vectors find each other.
pub(super) fn signature(key: &SeriesKey, on: bool, labels: &[Clean]) -> SeriesKey {
    if on { keep(key, labels) } else { nameless(remove(key, labels)) }
}

/// Whether a text can be a label's name: any that is not empty; the parser marks bytes that are no UTF-8.
pub(super) fn is_label(name: &str) -> bool {
    !name.is_empty() && !name.contains('\u{FFFD}')
}

/// As Prometheus writes a key: `up{job="api"}`.
pub(super) fn written(key: &SeriesKey) -> String {
    let labels: Vec<String> = key.labels.iter().map(|(label, value)| format!("{label}={:?}", value.as_str())).collect();
    let name: &str = key.name.borrow();
    if labels.is_empty() && !name.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(", ")) }
}
