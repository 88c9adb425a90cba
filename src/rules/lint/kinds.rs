//! Functions over the wrong kind of metric.

use super::Known;
use super::table::{COUNTER_FUNCTION, GAUGE_FUNCTION, Lint};
use crate::base::PointKind;
use crate::rules::expr::function::{Function, Over};
use crate::rules::expr::{Node, Plan};

/// Endings of counters' names, by Prometheus' conventions. Gauges are called `_count` too, so that a name alone is
/// evidence against a counter function only.
const COUNTERS: &[&str] = &["_total", "_bucket", "_count", "_sum"];
const CERTAIN: &[&str] = &["_total", "_bucket"];
/// Counters of the kernel that node_exporter hands on with their own names and no type.
const UNTYPED: &[&str] = &["node_netstat_", "node_vmstat_", "node_sctp_", "node_nfs_", "node_nfsd_"];

/// Every such function in an expression, with a sentence.
pub(super) fn find(node: &Node, known: &Known<'_>, out: &mut Vec<(&'static Lint, String)>) {
    if let Plan::Call(call) = node.plan()
        && let Some(metric) = call.args.iter().find_map(over)
    {
        let name = call.function.name();
        if call.function.wants_counter() && is_gauge(metric, known) {
            let what = format!("`{name}` wants a counter, and `{metric}` is a gauge: each fall counts as a restart.");
            out.push((COUNTER_FUNCTION, what));
        }
        if wants_gauge(call.function) && is_counter(metric, known) {
            let what = format!("`{name}` wants a gauge, and `{metric}` is a counter: a restart looks like a fall.");
            out.push((GAUGE_FUNCTION, what));
        }
    }
    for child in node.children() {
        find(child, known, out);
    }
}

/// The metric whose own points an argument gives.
fn over(node: &Node) -> Option<&str> {
    match node.plan() {
        Plan::Range(select, _) => select.selector.metric_name(),
        Plan::Subquery(sub) => match sub.of.plan() {
            Plan::Select(select) => select.selector.metric_name(),
            _ => None,
        },
        _ => None,
    }
}

const fn wants_gauge(function: Function) -> bool {
    function.wants_gauge()
        || matches!(
            function,
            Function::Over(Over::Avg | Over::Sum | Over::Quantile | Over::Stddev | Over::Stdvar | Over::Mad)
        )
}

fn ends(metric: &str, with: &[&str]) -> bool {
    with.iter().any(|suffix| metric.ends_with(suffix))
}

fn is_gauge(metric: &str, known: &Known<'_>) -> bool {
    match known.kind(metric) {
        Some(PointKind::Gauge) => true,
        Some(PointKind::Counter | PointKind::Histogram | PointKind::Untyped) => false,
        Some(PointKind::Summary) => !ends(metric, COUNTERS),
        // What a rule records may be anything.
        None if known.is_recorded(metric) || metric.contains(':') => false,
        None if UNTYPED.iter().any(|prefix| metric.starts_with(prefix)) => false,
        None => !ends(metric, COUNTERS),
    }
}

fn is_counter(metric: &str, known: &Known<'_>) -> bool {
    match known.kind(metric) {
        Some(PointKind::Counter | PointKind::Histogram) => true,
        Some(PointKind::Gauge) => false,
        Some(PointKind::Summary) => ends(metric, COUNTERS),
        Some(PointKind::Untyped) => ends(metric, CERTAIN),
        None => !known.is_recorded(metric) && !metric.contains(':') && ends(metric, CERTAIN),
    }
}
