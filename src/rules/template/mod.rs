//! Label and annotation templates: the part of Go's text/template, with Prometheus' functions, that rules use.
//! Called by the rules' evaluation, by views of an alert and by rule tests. `parse` reads, `run` expands, `functions`
//! and `printf` give the numbers that Prometheus gives. An unknown construct shows as it was written, never less;
//! steps, output and queries of one expansion are bounded.

mod functions;
mod lex;
mod parse;
mod printf;
mod run;
mod value;

#[cfg(test)]
mod tests;

use super::expr::{Millis, Row};
use crate::base::Clean;
use parse::Node;
use std::sync::Arc;

/// A text with `{{ … }}`.
#[derive(Clone, Debug)]
pub struct Template {
    raw: Clean,
    nodes: Arc<[Node]>,
    unknown: Arc<[Clean]>,
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
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
        let (nodes, unknown) = parse::parse(text);
        Self { raw: one_line(text), nodes: nodes.into(), unknown: unknown.into() }
    }

    /// As it was written.
    pub fn raw(&self) -> &Clean {
        &self.raw
    }

    /// What of it is not understood, a sentence each, for the linter.
    pub fn unknown(&self) -> &[Clean] {
        &self.unknown
    }

    /// The text for one alert. What cannot be expanded shows raw; an alert is never dropped for it.
    pub fn expand(&self, scope: &mut Scope<'_>) -> Clean {
        match &*self.nodes {
            [] => self.raw.clone(),
            [Node::Text(_)] => self.raw.clone(),
            nodes => one_line(&run::run(nodes, scope)),
        }
    }
}

/// Annotations are often written over several lines; a line of the console has one.
pub fn one_line(text: &str) -> Clean {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next()) {
        (None, _) => Clean::default(),
        (Some(_), None) if !text.contains('\n') => Clean::text(text),
        (Some(only), None) => Clean::text(only),
        (Some(first), Some(second)) => {
            Clean::text(lines.fold(format!("{first} {second}"), |all, line| all + " " + line))
        }
    }
}
