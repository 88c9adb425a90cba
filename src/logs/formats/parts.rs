//! What a format found in a line. Everything but what JSON had quoted is a piece of the line itself.

use super::time::Stamp;
use crate::base::LogLevel;
use std::borrow::Cow;

/// The parts of one line.
#[derive(Debug, Default, PartialEq)]
pub(in crate::logs) struct Parts<'a> {
    pub(in crate::logs) time: Option<Stamp>,
    pub(in crate::logs) level: Option<LogLevel>,
    /// The words meant for people.
    pub(in crate::logs) message: Cow<'a, str>,
    /// What is shown where time and level have columns of their own.
    pub(in crate::logs) shown: Cow<'a, str>,
    /// Name and value, in the line's order.
    pub(in crate::logs) fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Parts<'a> {
    /// Of a line in which words follow time and level.
    pub(super) fn words(time: Option<Stamp>, level: Option<LogLevel>, message: &'a str, shown: &'a str) -> Self {
        Self { time, level, message: message.into(), shown: shown.into(), fields: Vec::new() }
    }

    /// With a field, unless it is empty or the `-` that stands for nothing.
    pub(super) fn with(mut self, name: &'static str, value: &'a str) -> Self {
        if !value.is_empty() && value != "-" {
            self.fields.push((name.into(), value.into()));
        }
        self
    }
}
