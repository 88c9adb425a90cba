//! Of each rule file: which rules have data here, which are warming and until when, which can never fire here and why.

use super::book::Book;
use super::finding::RuleHealth;
use crate::base::time::Span;
use crate::base::{Clean, Fault, Place};
use crate::clean;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

/// Rules that rest on each other's records.
const LONGEST_CHAIN: usize = 20;

/// A rule and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleReport {
    /// Its place in the book.
    pub rule: usize,
    /// Its name.
    pub name: Clean,
    /// Where it was written.
    pub place: Option<Place>,
    /// How it stands.
    pub health: RuleHealth,
}

/// A rule file and its rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileReport {
    /// The file; empty for the bands of the profile.
    pub file: Clean,
    /// Its rules, in order.
    pub rules: Vec<RuleReport>,
    /// What could not be read: name where known, and why.
    pub broken: Vec<(Clean, Fault)>,
}

/// A report for each file of a book, in the book's order; what could not be read stands with its file.
pub fn report(book: &Book) -> Vec<FileReport> {
    let mut files: Vec<FileReport> = Vec::new();
    let mut put = |name: Clean, add: &mut dyn FnMut(&mut FileReport)| {
        if let Some(file) = files.iter_mut().find(|file| file.file == name) {
            return add(file);
        }
        let mut file = FileReport { file: name, ..FileReport::default() };
        add(&mut file);
        files.push(file);
    };
    for (rule, data, health) in book.rules() {
        let row = RuleReport { rule, name: data.name.clone(), place: data.place.clone(), health: health.clone() };
        put(book.file_of(rule), &mut |file| file.rules.push(row.clone()));
    }
    for (name, fault) in book.broken() {
        let file = fault.at.as_ref().map(|at| at.file.clone()).unwrap_or_default();
        put(file, &mut |file| file.broken.push((name.clone(), fault.clone())));
    }
    rest_on(book, &mut files);
    files
}

/// A rule over what others record stands no better than those do.
fn rest_on(book: &Book, files: &mut [FileReport]) {
    let mut recorders: HashMap<Clean, Vec<usize>> = HashMap::new();
    for (at, rule, _) in book.rules().filter(|(_, rule, _)| rule.kind.records()) {
        recorders.entry(rule.name.clone()).or_default().push(at);
    }
    let mut healths: HashMap<usize, RuleHealth> = book.rules().map(|(at, _, health)| (at, health.clone())).collect();
    // Each round carries a cause one rule further.
    for _ in 0..LONGEST_CHAIN {
        let worse: Vec<(usize, RuleHealth)> = book
            .rules()
            .filter(|(at, ..)| matches!(healths.get(at), Some(RuleHealth::Ok | RuleHealth::NotYet)))
            .filter_map(|(at, rule, _)| {
                let metrics = rule.expr.selectors().iter().filter_map(|selector| selector.metric_name());
                let mut through = metrics.filter_map(|metric| recorders.get_key_value(metric));
                let health = through.find_map(|(metric, rules)| inherited(metric, rules, &healths))?;
                Some((at, health))
            })
            .collect();
        if worse.is_empty() {
            break;
        }
        healths.extend(worse);
    }
    for row in files.iter_mut().flat_map(|file| &mut file.rules) {
        if let Some(health) = healths.remove(&row.rule) {
            row.health = health;
        }
    }
}

/// What reading a metric means for the reader, where the rules that record it have no data of their own.
fn inherited(metric: &Clean, recorders: &[usize], healths: &HashMap<usize, RuleHealth>) -> Option<RuleHealth> {
    let of = || recorders.iter().filter_map(|at| healths.get(at));
    if let Some(warming) = of().find(|health| matches!(health, RuleHealth::Warming { .. })) {
        return Some(warming.clone());
    }
    let why = |health: &RuleHealth| if let RuleHealth::NotEvaluable(why) = health { Some(why.clone()) } else { None };
    let all: Option<Vec<Clean>> = of().map(why).collect();
    all?.first().map(|why| RuleHealth::NotEvaluable(clean!("`{metric}` is never recorded: {why}")))
}

impl FileReport {
    /// One line: how many rules stand how.
    pub fn summary(&self) -> Clean {
        let count = |is: fn(&RuleHealth) -> bool| self.rules.iter().filter(|rule| is(&rule.health)).count();
        let ready_in = self.rules.iter().filter_map(|rule| match rule.health {
            RuleHealth::Warming { ready_in } => Some(ready_in),
            _ => None,
        });
        let warming = match ready_in.max() {
            Some(last) => format!("warming, the last ready in {}", whole(last)),
            None => "warming".to_owned(),
        };
        let parts: Vec<String> = [
            (count(|health| *health == RuleHealth::Ok), "with data here"),
            (count(|health| matches!(health, RuleHealth::Warming { .. })), &warming),
            (count(|health| *health == RuleHealth::NotYet), "waiting for data"),
            (count(|health| matches!(health, RuleHealth::NotEvaluable(_))), "that cannot work here"),
            (count(|health| matches!(health, RuleHealth::NoData { .. })), "without data now"),
            (count(|health| matches!(health, RuleHealth::Error(_))), "with an error"),
            (self.broken.len(), "broken"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
        let total = self.rules.len() + self.broken.len();
        let noun = if total == 1 { "rule" } else { "rules" };
        match &parts[..] {
            [] => clean!("{}: no rule.", self.file),
            parts => clean!("{}: {total} {noun}: {}.", self.file, parts.join(", ")),
        }
    }

    /// The summary, and below it what keeps rules from working.
    pub fn lines(&self) -> Vec<String> {
        let causes = self.causes();
        let causes = causes.iter().map(|cause| format!("  {cause}"));
        core::iter::once(self.summary().to_string()).chain(causes).collect()
    }

    /// What keeps rules from working, a line for each cause, with the rules that it concerns.
    pub fn causes(&self) -> Vec<Clean> {
        let mut causes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for rule in &self.rules {
            let sentence = match &rule.health {
                RuleHealth::Warming { ready_in } => Some(clean!("warming: ready in {}", whole(*ready_in))),
                health => health.sentence(),
            };
            let Some(sentence) = sentence else { continue };
            let cause = sentence.as_str().trim_end_matches('.').to_owned();
            causes.entry(cause).or_default().push(rule.name.as_str());
        }
        causes.into_iter().map(|(cause, names)| clean!("{cause}: {}", names.join(", "))).collect()
    }
}

/// Whole seconds, the last begun one counted.
fn whole(time: Duration) -> Span {
    Span(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)))
}
