//! The unit that an expression's metrics promise by their names.

use crate::base::Unit;
use crate::rules::expr::function::{Each, Function, Over};
use crate::rules::expr::plan::{AggregateOp, BinaryOp};
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
    let share = || is_share(expr.plan()).then_some(Unit::Ratio);
    promise(expr.plan())
        .map(|(promise, _)| match promise {
            Promise::Unit(unit) => unit,
            Promise::Share => Unit::Ratio,
            Promise::Events => Unit::PerSecond,
        })
        .or_else(share)
}

/// A quotient of two values of one unit, whatever is picked of it or it is compared with.
fn is_share(node: &Node) -> bool {
    match node.plan() {
        Plan::Aggregate(aggregate) => {
            matches!(aggregate.op, AggregateOp::Max | AggregateOp::Min | AggregateOp::Avg) && is_share(&aggregate.of)
        }
        Plan::Binary(binary) if binary.op.compares() || binary.op.is_set() => !binary.as_bool && is_share(&binary.left),
        Plan::Binary(binary) if binary.op == BinaryOp::Div => {
            let (of, all) = (promise(&binary.left), promise(&binary.right));
            of.zip(all).is_some_and(|((of, _), (all, _))| of == all)
        }
        _ => false,
    }
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
        Plan::Binary(binary) => match binary.op {
            op if op.compares() || op.is_set() => promise(&binary.left).filter(|_| !binary.as_bool),
            BinaryOp::Add | BinaryOp::Sub => {
                let sides = [&binary.left, &binary.right];
                // `1 - used / size`
                if sides.iter().any(|side| matches!(side.plan(), Plan::Number(_))) {
                    return sides
                        .into_iter()
                        .find_map(|side| promise(side))
                        .filter(|(promise, _)| *promise == Promise::Share);
                }
                let (left, right) = (promise(&binary.left)?, promise(&binary.right)?);
                (left.0 == right.0).then_some(left)
            }
            // Bytes of bytes are a share. Events of events need not be: tokens of requests.
            BinaryOp::Div => match (promise(&binary.left)?, promise(&binary.right)?) {
                ((Promise::Unit(of), name), (Promise::Unit(whole), _)) if of == whole => Some((Promise::Share, name)),
                _ => None,
            },
            _ => None,
        },
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
