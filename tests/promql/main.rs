//! Expressions: a table of named cases that covers every function, operator, aggregation and modifier with its exact
//! answer, hostile input, properties over random data, what the console does differently, and Prometheus' own cases.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts the example")]

mod console;
#[path = "../pty/example.rs"]
mod example;
mod hostile;
mod properties;
#[path = "../peers/running.rs"]
mod running;
mod script;
mod upstream;

use script::{Case, Expected};
use std::collections::HashSet;
use watchkeeper::rules::expr::function::FUNCTIONS;
use watchkeeper::rules::expr::plan::{AggregateOp, BinaryOp};
use watchkeeper::rules::expr::{Expr, Plan};

const SCRIPTS: &[(&str, &str)] = &[
    ("selectors", include_str!("cases/selectors.txt")),
    ("ranges", include_str!("cases/ranges.txt")),
    ("functions", include_str!("cases/functions.txt")),
    ("aggregations", include_str!("cases/aggregations.txt")),
    ("operators", include_str!("cases/operators.txt")),
    ("histograms", include_str!("cases/histograms.txt")),
    ("refused", include_str!("cases/refused.txt")),
];

fn cases() -> Vec<Case> {
    SCRIPTS.iter().flat_map(|(name, text)| script::read(name, text)).collect()
}

#[test]
fn every_case_has_its_answer() {
    let cases = cases();
    assert!(cases.len() > 230, "only {} cases were read", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(Case::differs).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn every_function_operator_and_aggregation_has_a_case() {
    let (mut functions, mut operators, mut aggregations) = (HashSet::new(), HashSet::new(), HashSet::new());
    for case in cases().iter().filter(|case| !matches!(case.expected, Expected::Refused { .. })) {
        let expr = Expr::parse(&case.query).expect(&case.query);
        expr.plan().walk(&mut |node| match node.plan() {
            Plan::Call(call) => drop(functions.insert(call.function)),
            Plan::Binary(binary) => drop(operators.insert(binary.op)),
            Plan::Aggregate(aggregate) => drop(aggregations.insert(aggregate.op)),
            _ => {}
        });
    }
    let missing: Vec<&str> = FUNCTIONS
        .iter()
        .filter(|(_, function)| !functions.contains(function))
        .map(|(name, _)| *name)
        .chain(BinaryOp::NAMES.iter().filter(|(_, op)| !operators.contains(op)).map(|(name, _)| *name))
        .chain(AggregateOp::NAMES.iter().filter(|(_, op)| !aggregations.contains(op)).map(|(name, _)| *name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}
