//! One row: an item of a system's operating guide, and what shows that it is true.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The rows of one system, by their ids.
pub(crate) type Rows = BTreeMap<String, Row>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Row {
    /// What is typed on the list of procedures, which opens, and what that says.
    pub find: Vec<Find>,
    /// The view that is shown first, and a pane that stands in it.
    pub view: Option<(String, String)>,
    /// Values of a pane and their levels.
    pub levels: Option<OneOrMany<Levels>>,
    /// Unit tests of `rules_test.yaml`, by name.
    pub rules: Vec<String>,
    /// A line of a log, what recognises it, and what that opens.
    pub lines: Vec<Line>,
    /// An action as the profile declares it.
    pub plan: Option<OneOrMany<Plan>>,
    /// Panes with their legends, and what they show at its stand-in.
    pub panes: Vec<Pane>,
    /// Series of the profile's samplers at its stand-in.
    pub reads: Vec<Reads>,
    /// Facts of the profile's samplers at its stand-in.
    pub facts: Vec<Fact>,
    /// A card, and the number or address that it gives.
    pub contact: Option<OneOrMany<Card>>,
    /// The two clocks of a severity.
    pub timers: Option<Timers>,
    /// The steps of a page, and how many of them fill themselves in.
    pub steps: Option<OneOrMany<Steps>>,
    /// Figures of a page, a pane or what an action rests on, of series that are fed to them over a window.
    pub figures: Vec<Figure>,
    /// How often a sampler looks.
    pub every: Option<Every>,
    /// Tests of the engine that make the observation on a real peer.
    pub test: Option<OneOrMany<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn all(&self) -> &[T] {
        match self {
            Self::One(one) => core::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Every element of what may be absent.
pub(crate) fn each<T>(some: Option<&OneOrMany<T>>) -> impl Iterator<Item = &T> {
    some.map(OneOrMany::all).unwrap_or_default().iter()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Find {
    pub typed: String,
    pub opens: String,
    pub says: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Levels {
    pub pane: String,
    pub beside: Option<String>,
    pub at: Vec<(f64, String)>,
    /// The limit whose reach it foretells.
    pub forecast: Option<f64>,
    /// What it says where its source never had it.
    pub absent: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    /// The page, the title of the pane, or the action.
    pub of: String,
    /// What it is called there; of a table the column.
    pub label: String,
    /// Series and their values, as tests of rules write them.
    pub fed: Vec<(String, String)>,
    /// Between two values; 30s where nothing is said.
    pub every: Option<String>,
    /// When it is asked.
    pub at: String,
    pub is: f64,
    /// Of several rows: `max` where nothing is said, `min`, `count`.
    pub take: Option<String>,
    /// Whether the page is content with that, or the action is done.
    pub good: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub text: String,
    pub pattern: String,
    /// The pattern must not match it.
    #[serde(default)]
    pub not: bool,
    /// The source that it stands in; any when absent.
    pub source: Option<String>,
    pub opens: Option<String>,
    /// A series that it becomes, and its value.
    pub gives: Option<(String, f64)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub action: String,
    pub danger: Option<String>,
    pub support: Option<String>,
    #[serde(default)]
    pub says: Vec<String>,
    /// What its plan shows at the stand-in.
    #[serde(default)]
    pub shows: Vec<String>,
    /// Values that the operator gives: `NAME=VALUE`.
    #[serde(default)]
    pub given: Vec<String>,
    /// Why it must be refused there.
    pub refused: Option<String>,
    /// Values that it must not take, and why.
    #[serde(default)]
    pub refuses: Vec<Refuses>,
    /// It is planned again once its service is stopped: then `true` is a whole plan, a text why it is refused even so.
    pub stopped: Option<Stopped>,
    /// A peer that it asks, or with a path a program that it runs: where that is not there, nothing is planned.
    pub needs: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refuses {
    /// `NAME=VALUE`.
    pub given: String,
    pub why: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Stopped {
    Whole(#[expect(dead_code, reason = "that it is there says it")] bool),
    Refused(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reads {
    pub series: String,
    pub is: Option<f64>,
    pub between: Option<(f64, f64)>,
    #[serde(default)]
    pub absent: bool,
    /// Of this host rather than of the stand-in: the same look tells both.
    #[serde(default, rename = "host")]
    pub _host: bool,
    #[serde(default, rename = "twin")]
    pub _twin: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pane {
    pub title: String,
    /// `sparkline`, `table` …
    pub kind: String,
    /// The view that it stands in.
    pub view: Option<String>,
    /// What a value of it is called; its first one when absent.
    pub legend: Option<String>,
    pub unit: Option<String>,
    /// A part of what that value is asked by.
    pub asks: Option<String>,
    pub between: Option<(f64, f64)>,
    /// What its chart's upper line is.
    pub of: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    pub name: String,
    pub phone: Option<String>,
    pub web: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fact {
    pub sampler: String,
    #[serde(rename = "fact")]
    pub name: String,
    pub is: Option<String>,
    pub contains: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steps {
    /// The page.
    pub of: String,
    /// Words of the title of each.
    pub are: Vec<String>,
    /// So many of them fill themselves in.
    pub prefilled: usize,
    /// What those would be filled with is not there at the stand-in.
    #[serde(default)]
    pub dark: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Every {
    pub sampler: String,
    pub is: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timers {
    pub severity: String,
    pub respond: String,
    pub escalate: String,
}
