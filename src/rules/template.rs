//! Label and annotation templates. (Skeleton: the builder of this part replaces the body, the signatures stay.)

use super::expr::{Millis, Row};
use crate::base::Clean;

/// A text with `{{ … }}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    raw: Clean,
}

/// What a template may name.
pub struct Scope<'a> {
    /// `$labels`.
    pub labels: &'a [(Clean, Clean)],
    /// `$externalLabels`.
    pub external: &'a [(Clean, Clean)],
    /// `$value`.
    pub value: f64,
    /// When it is expanded: `now`, and of `query`.
    pub at: Millis,
    /// Answers `query`.
    pub query: &'a mut dyn FnMut(&str) -> Result<Vec<Row>, String>,
}

impl Template {
    /// Reads a template. An unknown construct stays as raw text; see [`Template::unknown`].
    pub fn parse(text: &str) -> Self {
        Self { raw: Clean::text(text) }
    }

    /// As it was written.
    pub fn raw(&self) -> &Clean {
        &self.raw
    }

    /// What of it is not understood, for the linter.
    pub fn unknown(&self) -> &[Clean] {
        &[]
    }

    /// The text for one alert. What cannot be expanded shows raw; an alert is never dropped for it.
    pub fn expand(&self, scope: &mut Scope<'_>) -> Clean {
        let _ = (scope.labels, scope.external, scope.value, scope.at, &mut scope.query);
        self.raw.clone()
    }
}
