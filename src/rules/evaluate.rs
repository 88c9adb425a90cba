//! The rows of one rule at one moment: expression, labels, limit, clash. What becomes of them is the book's matter.

use super::expr::{Answer, Coverage, Evaluator, Expr, Millis, Row, Source, Value};
use super::rule::{Rule, RuleKind};
use super::template::Scope;
use crate::base::{Clean, Fault, SeriesKey};
use std::collections::{BTreeMap, HashSet};

/// What a rule gives at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluated {
    /// A recording rule's rows bear its name; an alerting rule's bear none, and `alertname` is not among the labels.
    pub rows: Vec<Row>,
    /// Row by row, the series as the expression gave it: what `$labels` of an annotation means.
    pub from: Vec<SeriesKey>,
    /// Annotations of the answer that say that it may be wrong.
    pub warnings: Vec<Clean>,
    /// Annotations of the answer that say that the expression may be meant otherwise.
    pub infos: Vec<Clean>,
    /// Set when a window was not recorded whole.
    pub coverage: Option<Coverage>,
}

/// Evaluates a rule. More than `limit` rows are an error; 0 is no limit. `external` is what `$externalLabels` means.
/// Source: Prometheus, rules/alerting.go and rules/recording.go.
///
/// # Errors
/// The expression's own, an answer that is a text, two rows with one label set, or the limit: of the whole rule,
/// placed where its expression is.
pub fn evaluate(
    rule: &Rule,
    evaluator: &mut Evaluator,
    source: &dyn Source,
    at: Millis,
    limit: usize,
    external: &[(Clean, Clean)],
) -> Result<Evaluated, Fault> {
    let place = |mut fault: Fault| {
        fault.at = rule.expr_place.clone().or(fault.at);
        fault
    };
    let answer = evaluator.instant(&rule.expr, source, at).map_err(place)?;
    let Answer { value, warnings, infos, coverage } = answer;
    let samples = match value {
        Value::Vector(rows) => rows,
        Value::Scalar(value) => vec![Row { key: SeriesKey::new("", &[]), value }],
        Value::Text(_) | Value::Matrix(_) => {
            return Err(place(Fault::new("the answer of a rule must be a vector or a number.")));
        }
    };
    let recording = matches!(rule.kind, RuleKind::Recording);
    if limit > 0 && samples.len() > limit {
        let noun = if recording { "series" } else { "alerts" };
        return Err(place(Fault::new(format!("exceeded limit of {limit} with {} {noun}", samples.len()))));
    }
    let mut query = query(evaluator, source, at);
    let mut rows = Vec::with_capacity(samples.len());
    for sample in &samples {
        let mut scope = Scope { labels: &labels_of(&sample.key), external, value: sample.value, at, query: &mut query };
        rows.push(Row { key: key(rule, &sample.key, &mut scope), value: sample.value });
    }
    let mut seen = HashSet::with_capacity(rows.len());
    if !rows.iter().all(|row| seen.insert(&row.key)) {
        let noun = if recording { "rule" } else { "alert" };
        let what = format!("vector contains metrics with the same labelset after applying {noun} labels");
        return Err(place(Fault::new(what)));
    }
    let from = samples.into_iter().map(|sample| sample.key).collect();
    Ok(Evaluated { rows, from, warnings, infos, coverage })
}

/// Answers the `query` of templates at one moment.
pub fn query(
    evaluator: &mut Evaluator,
    source: &dyn Source,
    at: Millis,
) -> impl FnMut(&str) -> Result<Vec<Row>, String> {
    move |text| {
        let answer = Expr::parse(text).and_then(|expr| evaluator.instant(&expr, source, at));
        match answer.map_err(|fault| fault.to_string())?.value {
            Value::Vector(rows) => Ok(rows),
            Value::Scalar(value) => Ok(vec![Row { key: SeriesKey::new("", &[]), value }]),
            Value::Text(_) | Value::Matrix(_) => Err("the answer of a query must be a vector or a number".to_owned()),
        }
    }
}

/// Labels of a series as templates see them: the metric's name is the label `__name__`.
pub fn labels_of(key: &SeriesKey) -> Vec<(Clean, Clean)> {
    let name = (!key.name.as_str().is_empty()).then(|| (Clean::from("__name__"), key.name.clone()));
    name.into_iter().chain(key.labels.iter().cloned()).collect()
}

/// The row's labels: the rule's own win over the series'; an empty one removes.
fn key(rule: &Rule, from: &SeriesKey, scope: &mut Scope<'_>) -> SeriesKey {
    let recording = matches!(rule.kind, RuleKind::Recording);
    let name = if recording { rule.name.clone() } else { Clean::default() };
    if rule.labels.is_empty() {
        return SeriesKey { name, labels: from.labels.clone() };
    }
    let mut labels: BTreeMap<Clean, Clean> = from.labels.iter().cloned().collect();
    for (label, template) in &rule.labels {
        // Labels of recording rules are no templates.
        let value = if recording { template.raw().clone() } else { template.expand(scope) };
        if value.as_str().is_empty() {
            labels.remove(label);
        } else {
            labels.insert(label.clone(), value);
        }
    }
    SeriesKey { name, labels: labels.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleFile;
    use crate::rules::expr::{Semantics, Table};

    /// The rows of the rule that this text is, over `up` of two hosts and `size` without labels.
    fn rows(rule: &str, limit: usize) -> Result<Vec<String>, String> {
        let file = RuleFile::parse("r.yml", &format!("groups: [{{name: g, rules: [{rule}]}}]"));
        assert_eq!(file.broken, []);
        let mut table = Table::new();
        for (host, value) in [("a", 1.0), ("b", 0.0)] {
            table.push(&SeriesKey::new("up", &[("host", host), ("job", "n")]), 1_000, value);
        }
        table.push(&SeriesKey::new("size", &[]), 1_000, 7.0);
        let rule = file.rules().next().expect("a rule");
        let external = [(Clean::from("region"), Clean::from("eu"))];
        let mut evaluator = Evaluator::new(Semantics::Prometheus);
        let found =
            evaluate(rule, &mut evaluator, &table, 2_000, limit, &external).map_err(|fault| fault.to_string())?;
        assert_eq!(found.rows.len(), found.from.len());
        let labels = |key: &SeriesKey| {
            let pairs: Vec<String> = key.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join(",")
        };
        Ok(found.rows.iter().map(|row| format!("{}{{{}}} {}", row.key.name, labels(&row.key), row.value)).collect())
    }

    #[test]
    fn rows_bear_the_labels_of_the_rule() {
        for (rule, expected) in [
            ("{alert: A, expr: up == 0}", vec!["{host=b,job=n} 0"]),
            ("{alert: A, expr: up == 0, labels: {job: '', severity: major}}", vec!["{host=b,severity=major} 0"]),
            (
                "{alert: A, expr: up, labels: {is: '{{ $labels.host }}{{ $value }}{{ $labels.__name__ }}{{ $externalLabels.region }}'}}",
                vec!["{host=a,is=a1upeu,job=n} 1", "{host=b,is=b0upeu,job=n} 0"],
            ),
            (
                "{alert: A, expr: size, labels: {hosts: '{{ query \"count(up)\" | first | value }}'}}",
                vec!["{hosts=2} 7"],
            ),
            ("{record: a:b, expr: sum(up), labels: {x: '{{ $value }}'}}", vec!["a:b{x={{ $value }}} 1"]),
            ("{record: c, expr: 1 + 1}", vec!["c{} 2"]),
            ("{alert: A, expr: vector(1) / 0}", vec!["{} inf"]),
            ("{alert: A, expr: absent(nobody)}", vec!["{} 1"]),
            ("{alert: A, expr: up == 5}", vec![]),
        ] {
            assert_eq!(rows(rule, 0), Ok(expected.into_iter().map(str::to_owned).collect()), "{rule}");
        }
    }

    #[test]
    fn a_clash_a_limit_and_a_text_are_errors_of_the_rule() {
        for (rule, limit, expected) in [
            (
                "{alert: A, expr: up, labels: {host: x}}",
                0,
                "vector contains metrics with the same labelset after applying alert labels",
            ),
            (
                "{record: a, expr: up, labels: {host: ''}}",
                0,
                "vector contains metrics with the same labelset after applying rule labels",
            ),
            ("{alert: A, expr: up}", 1, "exceeded limit of 1 with 2 alerts"),
            ("{record: a, expr: up}", 1, "exceeded limit of 1 with 2 series"),
            ("{alert: A, expr: '\"text\"'}", 0, "the answer of a rule must be a vector or a number."),
        ] {
            let fault = rows(rule, limit).expect_err(rule);
            assert!(fault.starts_with("r.yml:1:") && fault.contains(expected), "{fault}");
        }
        assert!(rows("{alert: A, expr: up}", 2).is_ok());
    }
}
