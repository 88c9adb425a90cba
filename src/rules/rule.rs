//! A rule as data, wherever it was written: in a rule file, or as the bands of a pane.

use super::bands::Bands;
use super::expr::Expr;
use super::lint::promised;
use super::template::Template;
use crate::base::fault::Place;
use crate::base::{Clean, Fault, Unit, Words};
use core::time::Duration;
use std::sync::Arc;

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The alert's name, the recorded metric's name, or the pane value's title.
    pub name: Clean,
    /// Where it was written.
    pub place: Option<Place>,
    /// Where its expression begins.
    pub expr_place: Option<Place>,
    /// Its condition, or what it records.
    pub expr: Expr,
    /// Added to every row; an empty text removes the label.
    pub labels: Vec<(Clean, Template)>,
    /// What it is for.
    pub kind: RuleKind,
}

impl Rule {
    /// How it judges and what it says, when its rows are alerts.
    pub const fn alerting(&self) -> Option<&Alerting> {
        match &self.kind {
            RuleKind::Alerting(alerting) => Some(alerting),
            RuleKind::Recording => None,
        }
    }

    /// How its value is shown. A rule of a file names its unit by the annotation `unit`; else the names of its metrics do.
    pub fn unit(&self) -> Unit {
        self.known_unit().unwrap_or_default()
    }

    fn known_unit(&self) -> Option<Unit> {
        self.alerting().and_then(|alerting| alerting.unit).or_else(|| promised(&self.expr))
    }

    /// The value as a column of values has it: its word, else the number with its unit.
    pub fn says(&self, value: f64) -> Clean {
        let word = self.alerting().and_then(|alerting| alerting.words.as_ref()?.of(value));
        word.cloned().unwrap_or_else(|| Clean::text(self.unit().show(value)))
    }

    /// The same as a line has it: a bare number of which nobody says what it counts is called a value.
    pub fn says_in_line(&self, value: f64) -> Clean {
        let said = self.says(value);
        let bare = self.known_unit().is_none() && said.as_str().starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if bare { crate::clean!("value {said}") } else { said }
    }

    /// The procedure that answers it, by id.
    pub fn page(&self) -> Option<&Arc<str>> {
        self.alerting().and_then(|alerting| alerting.page.as_ref())
    }

    /// The action that mends it, by name.
    pub fn remedy(&self) -> Option<&Arc<str>> {
        self.alerting().and_then(|alerting| alerting.remedy.as_ref())
    }

    /// Its bands, when it judges by them.
    pub fn bands(&self) -> Option<&Bands> {
        match &self.alerting()?.judge {
            Judge::Bands(bands) => Some(bands),
            Judge::Rows => None,
        }
    }
}

/// What a rule is for.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "rules are few and made once")]
pub enum RuleKind {
    /// Its rows become series under the rule's name.
    Recording,
    /// Its rows are alerts.
    Alerting(Alerting),
}

impl RuleKind {
    /// Its rows become series.
    pub const fn records(&self) -> bool {
        matches!(self, Self::Recording)
    }
}

/// How an alerting rule judges, and what it says.
#[derive(Clone, Debug)]
pub struct Alerting {
    /// When a row is bad.
    pub judge: Judge,
    /// `for`: how long a row must be bad before it fires.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep: Duration,
    /// Summary, description, runbook_url, procedure and others.
    pub annotations: Vec<(Clean, Template)>,
    /// How the value is shown, where the profile or the rule says so.
    pub unit: Option<Unit>,
    /// What its numbers stand for.
    pub words: Option<Words>,
    /// The action that mends it, by name.
    pub remedy: Option<Arc<str>>,
    /// The procedure that answers it, by id; one that names the alert itself needs no such word.
    pub page: Option<Arc<str>>,
}

/// When a row of the answer is bad.
#[derive(Clone, Debug)]
pub enum Judge {
    /// Always: the expression is the condition. The level comes from the label `severity`.
    Rows,
    /// By the level of its value; judged each tick and debounced over three.
    Bands(Bands),
}

/// Rules that are evaluated together, in order, each seeing what its predecessors recorded.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Unique in its file.
    pub name: Clean,
    /// How often; the profile's interval when absent.
    pub interval: Option<Duration>,
    /// `query_offset`: its rules see the world as it was so long ago.
    pub offset: Duration,
    /// More rows of one rule than this are an error of the rule; 0 is no limit.
    pub limit: usize,
    /// In order.
    pub rules: Vec<Rule>,
}

/// A file of rules, as far as it could be read.
#[derive(Clone, Debug, Default)]
pub struct RuleFile {
    /// The path as the user would type it; empty for the bands of the profile.
    pub file: Clean,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Rules that could not be read: name where known, and the fault with its place.
    pub broken: Vec<(Clean, Fault)>,
    /// Keys that are not known and were passed over, each with its place: for the linter.
    pub unknown: Vec<Fault>,
}

impl RuleFile {
    /// Every rule of every group, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }
}
