//! Text to expression. (Skeleton: the builder of this part replaces the body, the signatures stay.)

use crate::base::{Clean, Fault};
use crate::store::Selector;
use core::time::Duration;
use std::sync::Arc;

/// A parsed expression. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expr {
    text: Clean,
    selectors: Arc<[Selector]>,
}

impl Expr {
    /// Reads a `PromQL` text.
    ///
    /// # Errors
    /// What is wrong with it, with `Fault::at` holding line 1 and the column where that is known (file name empty).
    pub fn parse(text: &str) -> Result<Self, Fault> {
        promql_parser::parser::parse(text).map_err(|error| Fault::new(format!("this is no PromQL: {error}.")))?;
        Ok(Self { text: Clean::text(text), selectors: Arc::new([]) })
    }

    /// As it was written.
    pub fn text(&self) -> &Clean {
        &self.text
    }

    /// Every selector in it, in the order of the text.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The longest span back that it looks at: range, offset and sub-query together; zero for an instant selector.
    pub fn longest_window(&self) -> Duration {
        Duration::ZERO
    }

    /// The selector, when the whole expression is one plain instant selector.
    pub fn plain_selector(&self) -> Option<&Selector> {
        None
    }
}
