//! Quantiles that the buckets of a histogram cannot tell from a threshold.

use super::Known;
use crate::base::Unit;
use crate::rules::bands::Bands;
use crate::rules::expr::function::Function;
use crate::rules::expr::plan::BinaryOp;
use crate::rules::expr::{Node, Plan};

/// Every comparison of a quantile with a number that lies outside of the histogram's bounds, as a sentence.
pub(super) fn find(node: &Node, known: &Known<'_>, out: &mut Vec<String>) {
    if let Plan::Binary(binary) = node.plan()
        && binary.op.compares()
    {
        let sides = [(&binary.left, &binary.right), (&binary.right, &binary.left)];
        let found = sides.into_iter().find_map(|(quantile, limit)| Some((histogram(quantile)?, number(limit)?)));
        out.extend(found.and_then(|(metric, limit)| outside(metric, limit, known)));
    }
    for child in node.children() {
        find(child, known, out);
    }
}

/// The same for a value that has bands.
pub(super) fn banded(node: &Node, bands: &Bands, known: &Known<'_>, out: &mut Vec<String>) {
    let Some(metric) = histogram(node) else { return };
    let edges = bands.edges();
    out.extend(edges.into_iter().find_map(|(limit, _)| outside(metric, limit, known)));
}

fn outside(buckets: &str, limit: f64, known: &Known<'_>) -> Option<String> {
    let bounds = known.bounds(buckets);
    let (first, last) = (bounds.first()?, bounds.last()?);
    let unit = Unit::of_metric(buckets).unwrap_or_default();
    let (limit_text, first_text, last_text) = (unit.show(limit), unit.show(*first), unit.show(*last));
    match () {
        () if limit < *first => Some(format!(
            "resolution too coarse: `{buckets}` cannot resolve {limit_text}, its first bound is {first_text}."
        )),
        () if limit >= *last => Some(format!(
            "resolution too coarse: a quantile of `{buckets}` never exceeds its last bound {last_text}, so it says \
             nothing about {limit_text}."
        )),
        () => None,
    }
}

/// The buckets of a quantile, through aggregations and rounding.
fn histogram(node: &Node) -> Option<&str> {
    match node.plan() {
        Plan::Call(call) if call.function == Function::HistogramQuantile => buckets(call.args.get(1)?),
        Plan::Aggregate(aggregate) => histogram(&aggregate.of),
        _ => None,
    }
}

/// The first metric of buckets in a tree.
fn buckets(node: &Node) -> Option<&str> {
    let own = node.select().and_then(|select| select.selector.metric_name()).filter(|name| name.ends_with("_bucket"));
    own.or_else(|| node.children().into_iter().find_map(buckets))
}

fn number(node: &Node) -> Option<f64> {
    match node.plan() {
        Plan::Number(number) => Some(*number),
        Plan::Negate(of) => number(of).map(|number| -number),
        Plan::Binary(binary) => {
            let (left, right) = (number(&binary.left)?, number(&binary.right)?);
            match binary.op {
                BinaryOp::Add => Some(left + right),
                BinaryOp::Sub => Some(left - right),
                BinaryOp::Mul => Some(left * right),
                BinaryOp::Div => Some(left / right),
                _ => None,
            }
        }
        _ => None,
    }
}
