//! Annotations: what Prometheus says about an answer beside the answer, each once, in its words.

use crate::base::Clean;

/// So many of each kind are kept.
const MOST: usize = 20;

/// The annotations of one evaluation.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    warnings: Vec<Clean>,
    infos: Vec<Clean>,
}

impl Notes {
    pub(super) fn warn(&mut self, what: &str) {
        add(&mut self.warnings, &format!("PromQL warning: {what}"));
    }

    pub(super) fn inform(&mut self, what: &str) {
        add(&mut self.infos, &format!("PromQL info: {what}"));
    }

    /// φ is out of bounds.
    pub(super) fn check_quantile(&mut self, quantile: f64) {
        if !(0.0..=1.0).contains(&quantile) {
            self.warn(&format!("quantile value should be between 0 and 1, got {quantile}"));
        }
    }

    pub(super) fn check_quantiles(&mut self, quantiles: &[f64]) {
        for quantile in quantiles {
            self.check_quantile(*quantile);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.warnings.iter().for_each(|note| add(&mut self.warnings, note.as_str()));
        other.infos.iter().for_each(|note| add(&mut self.infos, note.as_str()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.warnings.is_empty() && self.infos.is_empty()
    }

    pub(super) fn into_parts(self) -> (Vec<Clean>, Vec<Clean>) {
        (self.warnings, self.infos)
    }
}

fn add(list: &mut Vec<Clean>, note: &str) {
    if list.len() < MOST && !list.iter().any(|known| known.as_str() == note) {
        list.push(Clean::text(note));
    }
}
