//! The unit that an expression's metrics promise by their names.

use crate::base::Unit;
use crate::rules::expr::function::{Each, Function, Over};
use crate::rules::expr::plan::{AggregateOp, Binary, BinaryOp};
use crate::rules::expr::{Expr, Node, Plan};

/// What an expression promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Promise {
    /// A unit of the console.
    Unit(Unit),
    /// Seconds a second: a share, or a number of processors.
    Share,
    /// Events a second.
    Events,
}

impl Promise {
    /// Whether a value may be shown so. A plain number claims nothing.
    pub(super) fn allows(self, shown: Unit) -> bool {
        match self {
            _ if shown == Unit::Count => true,
            Self::Unit(unit) => unit == shown,
            Self::Share => matches!(shown, Unit::Ratio | Unit::Percent),
            Self::Events => shown == Unit::PerSecond,
        }
    }

    /// In words, for a sentence.
    pub(super) fn words(self) -> String {
        match self {
            Self::Unit(unit) => unit.to_string(),
            Self::Share => "ratio".to_owned(),
            Self::Events => "per_second".to_owned(),
        }
    }
}

/// The unit that the names of an expression's metrics promise, where they do.
pub fn promised(expr: &Expr) -> Option<Unit> {
    promise(expr.plan()).map(|(promise, _)| match promise {
        Promise::Unit(unit) => unit,
        Promise::Share => Unit::Ratio,
        Promise::Events => Unit::PerSecond,
    })
}

/// The promise of an expression with the metric that makes it; `None` where its parts cancel or nothing is promised.
pub(super) fn promise(node: &Node) -> Option<(Promise, &str)> {
    match node.plan() {
        Plan::Select(select) | Plan::Range(select, _) => {
            let name = select.selector.metric_name()?;
            Unit::of_metric(name).map(|unit| (Promise::Unit(unit), name))
        }
        Plan::Subquery(sub) => promise(&sub.of),
        Plan::Negate(of) => promise(of),
        Plan::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Count | AggregateOp::CountValues | AggregateOp::Group | AggregateOp::Stdvar => None,
            _ => promise(&aggregate.of),
        },
        Plan::Binary(of) => binary(of),
        Plan::Call(call) => {
            let inner = || call.args.iter().find_map(promise);
            match call.function {
                Function::Over(Over::Rate | Over::Irate | Over::Deriv) => rate(call.args.first()?),
                Function::Over(
                    Over::Increase
                    | Over::Delta
                    | Over::Idelta
                    | Over::PredictLinear
                    | Over::Avg
                    | Over::Sum
                    | Over::Min
                    | Over::Max
                    | Over::First
                    | Over::Last
                    | Over::Quantile
                    | Over::Stddev
                    | Over::Mad,
                )
                | Function::Each(Each::Abs | Each::Ceil | Each::Floor)
                | Function::Round
                | Function::ClampMin
                | Function::ClampMax
                | Function::Clamp
                | Function::Sort
                | Function::SortDesc
                | Function::LabelJoin
                | Function::LabelReplace
                | Function::Scalar => inner(),
                Function::HistogramQuantile => buckets(call.args.get(1)?),
                _ => None,
            }
        }
        Plan::Number(_) | Plan::Text(_) => None,
    }
}

fn binary(of: &Binary) -> Option<(Promise, &str)> {
    let sides = [&of.left, &of.right];
    match of.op {
        op if op.compares() || op.is_set() => promise(&of.left).filter(|_| !of.as_bool),
        // `1 - used / size`
        BinaryOp::Add | BinaryOp::Sub if sides.iter().any(|side| matches!(side.plan(), Plan::Number(_))) => {
            sides.into_iter().find_map(|side| promise(side)).filter(|(promise, _)| *promise == Promise::Share)
        }
        BinaryOp::Add | BinaryOp::Sub => {
            let (left, right) = (promise(&of.left)?, promise(&of.right)?);
            (left.0 == right.0).then_some(left)
        }
        // Bytes of bytes are a share. Events of events need not be: tokens of requests.
        BinaryOp::Div => match (promise(&of.left)?, promise(&of.right)?) {
            ((Promise::Unit(of), name), (Promise::Unit(whole), _)) if of == whole => Some((Promise::Share, name)),
            _ => None,
        },
        _ => None,
    }
}

/// So much a second.
fn rate(of: &Node) -> Option<(Promise, &str)> {
    let name = of.select().and_then(|select| select.selector.metric_name())?;
    match Unit::of_metric(name) {
        Some(Unit::Bytes) => Some((Promise::Unit(Unit::BytesPerSecond), name)),
        Some(Unit::Seconds) => Some((Promise::Share, name)),
        Some(_) => None,
        None if name.ends_with("_total") || name.ends_with("_count") => Some((Promise::Events, name)),
        None => None,
    }
}

/// A quantile has the unit of what was measured, whatever was done to the counts.
fn buckets(node: &Node) -> Option<(Promise, &str)> {
    let own = node.select().and_then(|select| select.selector.metric_name());
    let own = own.and_then(|name| Unit::of_metric(name).map(|unit| (Promise::Unit(unit), name)));
    own.or_else(|| node.children().into_iter().find_map(buckets))
}
