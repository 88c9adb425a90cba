//! Expressions over the corpus, grown from dice: functions, windows, offsets, aggregations, matching, sub-queries.
//! A grown expression keeps its parts, so that a disagreement can be traced to the smallest of them.

use crate::corpus::{Dice, START};

/// An expression and what it was grown from.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) text: String,
    pub(crate) parts: Vec<Node>,
    /// Label names of its rows.
    labels: Vec<&'static str>,
    /// Values come without rounding of their own: equality and steps (`floor`, `==`) may be asked of them.
    exact: bool,
    /// No two rows are expected to have one value: `topk` has one answer.
    distinct: bool,
    /// Neither NaN nor infinite: 2.42 calls the deviation of a lone NaN zero.
    finite: bool,
}

const PLAIN: &[&str] = &["job", "instance"];
/// Metric, labels, exact values, distinct values, counter.
const METRICS: &[(&str, &[&str], bool, bool, bool)] = &[
    ("requests_total", &["job", "instance", "code"], true, true, true),
    ("sent_bytes_total", PLAIN, true, true, true),
    ("temperature", PLAIN, true, true, false),
    ("balance", PLAIN, true, false, false),
    ("depth", PLAIN, true, true, false),
    ("replicas", PLAIN, true, false, false),
    ("latency_seconds_bucket", &["job", "instance", "le"], true, false, true),
    ("latency_seconds_count", PLAIN, true, false, true),
    ("latency_seconds_sum", PLAIN, true, false, true),
    ("lonely", &[], true, true, false),
];
/// All in steps of five seconds: no window ends on a whole step where the moment asked for is seven past a minute.
const WINDOWS: &[&str] = &["30s", "45s", "1m", "90s", "2m", "5m", "10m", "15m", "25m"];
const OFFSETS: &[&str] = &["15s", "1m", "5m", "-1m", "-5m", "12m"];
/// Of these, a rounding of the input stays a rounding of the output.
const SMOOTH: &[&str] =
    &["avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time"];
const OVER_TIME: &[&str] = &[
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "count_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "last_over_time",
    "present_over_time",
    "changes",
    "resets",
];
const OF_COUNTERS: &[&str] = &["rate", "increase", "irate"];
const OF_GAUGES: &[&str] = &["delta", "idelta", "deriv"];
const MATHS: &[&str] = &["abs", "exp", "ln", "log2", "log10", "sqrt", "atan", "tanh", "deg", "rad", "sgn", "asinh"];
const STEPPED: &[&str] = &["ceil", "floor", "round"];
const TIMES: &[&str] =
    &["minute", "hour", "day_of_week", "day_of_month", "month", "year", "days_in_month", "day_of_year"];
const AGGREGATIONS: &[&str] = &["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"];

/// A moment of the corpus, and a little beyond both ends: seven seconds past a minute.
pub(crate) fn moment(dice: &mut Dice) -> i64 {
    START + i64::try_from(dice.below(47)).expect("small") * 60_000 + 7_000
}

impl Node {
    fn of(text: String, parts: Vec<Node>, labels: Vec<&'static str>) -> Self {
        Self { text, parts, labels, exact: false, distinct: false, finite: false }
    }

    fn new(text: String, parts: Vec<Node>, like: &Node) -> Self {
        Self::of(text, parts, like.labels.clone())
    }
}

/// An instant vector of some depth.
pub(crate) fn vector(dice: &mut Dice, depth: u32) -> Node {
    if depth == 0 {
        return if dice.chance(60) { overtime(dice, 0) } else { selector(dice) };
    }
    match dice.below(100) {
        0..5 => selector(dice),
        5..32 => overtime(dice, depth),
        32..42 => maths(dice, depth),
        42..62 => aggregation(dice, depth),
        62..82 => binary(dice, depth),
        82..86 => ranked(dice, depth),
        86..90 => relabelled(dice, depth),
        90..94 => quantile(dice),
        94..96 => absent(dice),
        96..98 => times(dice, depth),
        _ => joined(dice, depth),
    }
}

fn modifiers(dice: &mut Dice) -> String {
    let offset = if dice.chance(25) { format!(" offset {}", dice.one(OFFSETS)) } else { String::new() };
    let at = match dice.below(100) {
        0..6 => format!(" @ {}", moment(dice) / 1_000),
        6..8 => " @ end()".to_owned(),
        8..10 => " @ start()".to_owned(),
        _ => String::new(),
    };
    format!("{offset}{at}")
}

fn matchers(dice: &mut Dice, labels: &[&str]) -> String {
    if labels.is_empty() || dice.chance(60) {
        return String::new();
    }
    let matcher = dice.one(&[
        "job=\"api\"",
        "job!=\"api\"",
        "job=~\"a.+|x\"",
        "instance=~\"[ab]:.\"",
        "instance!~\"a.*\"",
        "job=~\"d?b\"",
        "nothing=\"\"",
    ]);
    format!("{{{matcher}}}")
}

fn metric(dice: &mut Dice) -> (Node, bool) {
    let (name, labels, exact, distinct, counter) = METRICS[dice.place(METRICS.len())];
    let text = format!("{name}{}", matchers(dice, labels));
    let finite = name != "balance";
    (Node { text, parts: Vec::new(), labels: labels.to_vec(), exact, distinct, finite }, counter)
}

fn selector(dice: &mut Dice) -> Node {
    let (mut node, _) = metric(dice);
    node.text += &modifiers(dice);
    node
}

/// A window over a selector or over an expression.
fn window(dice: &mut Dice, depth: u32) -> (Node, bool) {
    let range = dice.one(WINDOWS);
    if depth > 0 && dice.chance(30) {
        let inner = vector(dice, depth - 1);
        // A step longer than its range makes 2.42 panic.
        let long = !["30s", "45s"].contains(&range);
        let step = dice.one(if long { &["10s", "15s", "20s", "30s", "1m", ""] } else { &["10s", "15s", "20s", "30s"] });
        // Three seconds off: an inner window of a sub-query does not end on a whole step either.
        let text = format!("({})[{range}:{step}] offset {}", inner.text, dice.one(&["3s", "13s", "63s"]));
        let (finite, exact) = (inner.finite, inner.exact);
        return (Node { exact, finite, ..Node::new(text, vec![inner.clone()], &inner) }, false);
    }
    let (mut node, counter) = metric(dice);
    node.text = format!("{}[{range}]{}", node.text, modifiers(dice));
    (node, counter)
}

fn overtime(dice: &mut Dice, depth: u32) -> Node {
    let (inner, counter) = window(dice, depth);
    let distinct = inner.distinct;
    // What tells small differences apart is asked of what was not rounded yet.
    let function = match dice.below(100) {
        0..40 if counter => dice.one(OF_COUNTERS),
        0..40 if inner.finite && inner.exact => dice.one(OF_GAUGES),
        40..46 => {
            let share = dice.one(&["0", "0.25", "0.5", "0.9", "1", "1.5", "-0.5"]);
            return Node::new(format!("quantile_over_time({share}, {})", inner.text), inner.parts.clone(), &inner);
        }
        // The server moves a window that `@` holds, step by step, under this one function.
        46..52 if !inner.text.contains('@') && inner.finite && inner.exact => {
            let ahead = dice.one(&["60", "-30", "3600"]);
            return Node::new(format!("predict_linear({}, {ahead})", inner.text), inner.parts.clone(), &inner);
        }
        _ if inner.exact => dice.one(OVER_TIME),
        _ => dice.one(SMOOTH),
    };
    let mut node = Node::new(format!("{function}({})", inner.text), inner.parts.clone(), &inner);
    let counts = ["count_over_time", "changes", "resets"].contains(&function);
    node.exact = counts || inner.exact && ["min_over_time", "max_over_time", "last_over_time"].contains(&function);
    node.finite = inner.finite;
    node.distinct = distinct && ["rate", "increase", "delta", "avg_over_time", "sum_over_time"].contains(&function);
    node
}

fn maths(dice: &mut Dice, depth: u32) -> Node {
    let inner = vector(dice, depth - 1);
    let (text, finite) = match dice.below(100) {
        0..30 if inner.exact => (format!("{}({})", dice.one(STEPPED), inner.text), true),
        30..38 if inner.exact => (format!("round({}, {})", inner.text, dice.one(&["5", "0.25", "10"])), true),
        38..50 => (format!("clamp_min({}, {})", inner.text, dice.one(&["0", "50", "-10"])), true),
        50..56 => (format!("clamp_max({}, {})", inner.text, dice.one(&["0", "50", "1e3"])), true),
        56..64 => (format!("clamp({}, {})", inner.text, dice.one(&["-1, 1", "0, 100", "10, 5"])), true),
        64..72 => (format!("-({})", inner.text), true),
        72..78 => (format!("sort({})", inner.text), true),
        78..82 if inner.exact => (format!("{}({})", dice.one(&["sin", "cos", "tan"]), inner.text), false),
        _ => (format!("{}({})", dice.one(MATHS), inner.text), false),
    };
    Node { finite: finite && inner.finite, ..Node::new(text, vec![inner.clone()], &inner) }
}

/// `by` or `without` some labels of the inner rows, and what is left.
fn grouping(dice: &mut Dice, labels: &[&'static str]) -> (String, Vec<&'static str>) {
    let some: Vec<&'static str> = labels.iter().copied().filter(|_| dice.chance(50)).collect();
    match dice.below(10) {
        0..2 => (String::new(), Vec::new()),
        2..7 => (format!(" by ({})", some.join(", ")), some),
        _ => {
            let left = labels.iter().copied().filter(|label| !some.contains(label)).collect();
            (format!(" without ({})", some.join(", ")), left)
        }
    }
}

fn aggregation(dice: &mut Dice, depth: u32) -> Node {
    let inner = vector(dice, depth - 1);
    let (group, labels) = grouping(dice, &inner.labels);
    let parts = vec![inner.clone()];
    if dice.chance(10) {
        let share = dice.one(&["0", "0.3", "0.5", "0.95", "1", "2"]);
        return Node::of(format!("quantile{group} ({share}, {})", inner.text), parts, labels);
    }
    if inner.exact && !inner.distinct && dice.chance(12) {
        let text = format!("count_values{group} (\"size\", {})", inner.text);
        return Node { exact: true, finite: true, ..Node::of(text, parts, Vec::new()) };
    }
    let function = match dice.one(AGGREGATIONS) {
        "stddev" | "stdvar" if !inner.finite || !(inner.exact || inner.distinct) => "avg",
        other => other,
    };
    let exact = ["min", "max", "count", "group"].contains(&function) && inner.exact;
    let distinct = inner.distinct && function == "sum";
    let text = format!("{function}{group} ({})", inner.text);
    Node { exact, distinct, finite: inner.finite, ..Node::of(text, parts, labels) }
}

fn ranked(dice: &mut Dice, depth: u32) -> Node {
    let inner = vector(dice, depth - 1);
    if !inner.distinct {
        return inner;
    }
    let (group, _) = grouping(dice, &inner.labels);
    let text = format!("{}{group} ({}, {})", dice.one(&["topk", "bottomk"]), dice.one(&["1", "2", "4"]), inner.text);
    Node::new(text, vec![inner.clone()], &inner)
}

fn scalar(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..6 => dice.one(&["0", "1", "2.5", "-3", "1e3", "0.1", "NaN", "Inf"]).to_owned(),
        6..8 => "scalar(lonely)".to_owned(),
        8 => "time()".to_owned(),
        _ => "pi()".to_owned(),
    }
}

fn operator(dice: &mut Dice, exact: bool) -> String {
    let smooth: &[&str] = if exact { &["+", "-", "*", "/", "^", "atan2"] } else { &["+", "-", "*", "/", "atan2"] };
    let order = [">", "<", ">=", "<="];
    match dice.below(10) {
        0..6 => dice.one(smooth).to_owned(),
        6..8 => dice.one(&order).to_owned(),
        8 => format!("{} bool", dice.one(&order)),
        _ if exact => dice.one(&["==", "!=", "== bool", "!= bool", "%"]).to_owned(),
        _ => "*".to_owned(),
    }
}

fn binary(dice: &mut Dice, depth: u32) -> Node {
    let left = vector(dice, depth - 1);
    if dice.chance(40) {
        let (op, number) = (operator(dice, left.exact), scalar(dice));
        let forward = dice.chance(60);
        let text =
            if forward { format!("({}) {op} {number}", left.text) } else { format!("{number} {op} ({})", left.text) };
        return Node::new(nameless(text, &op), vec![left.clone()], &left);
    }
    let less = u32::try_from(dice.below(u64::from(depth))).expect("small");
    let right = vector(dice, less);
    let parts = vec![left.clone(), right.clone()];
    if dice.chance(25) {
        let matching =
            dice.one(&["", " on (job)", " on (job, instance)", " ignoring (code)", " ignoring (le, code)", " on ()"]);
        let text = format!("({}) {}{matching} ({})", left.text, dice.one(&["and", "or", "unless"]), right.text);
        return Node { finite: left.finite && right.finite, ..Node::new(text, parts, &left) };
    }
    let op = operator(dice, left.exact && right.exact);
    let (matching, many) = matching(dice, &left.labels, &right.labels);
    let text = nameless(format!("({}) {op}{matching} ({})", left.text, right.text), &op);
    let finite = left.finite && right.finite && ["+", "-", "*"].contains(&op.as_str());
    Node { finite, ..Node::new(text, parts, if many { &right } else { &left }) }
}

/// 2.42 keeps the metric's name under `atan2`.
fn nameless(text: String, op: &str) -> String {
    if op == "atan2" { format!("abs({text})") } else { text }
}

/// A matching that fits both label sets; true when the right side is the one with more rows.
fn matching(dice: &mut Dice, left: &[&'static str], right: &[&'static str]) -> (String, bool) {
    let common: Vec<&str> = left.iter().copied().filter(|label| right.contains(label)).collect();
    let (more, less) = (left.len() > common.len(), right.len() > common.len());
    let on = format!(" on ({})", common.join(", "));
    let odd: Vec<&str> = left.iter().chain(right).copied().filter(|label| !common.contains(label)).collect();
    let way = if dice.chance(50) { on } else { format!(" ignoring ({})", odd.join(", ")) };
    match (more, less) {
        (false, false) if dice.chance(60) => (String::new(), false),
        (false, false) => (way, false),
        (true, false) => (format!("{way} group_left ()"), false),
        (false, true) => (format!("{way} group_right ()"), true),
        // Mostly many-to-many: both sides must refuse it.
        (true, true) => (way, false),
    }
}

/// Labels of an information metric joined in.
fn joined(dice: &mut Dice, depth: u32) -> Node {
    let inner = vector(dice, depth - 1);
    let text = format!("({}) * on (job) group_left (version) build_info", inner.text);
    Node::new(text, vec![inner.clone()], &inner)
}

fn relabelled(dice: &mut Dice, depth: u32) -> Node {
    let inner = vector(dice, depth - 1);
    let text = match dice.below(4) {
        0 => format!("label_replace({}, \"host\", \"$1\", \"instance\", \"(.*):.*\")", inner.text),
        1 => format!("label_replace({}, \"job\", \"x-${{1}}\", \"job\", \"(a).*\")", inner.text),
        2 => format!("label_join({}, \"both\", \"/\", \"job\", \"instance\")", inner.text),
        _ => format!("label_replace({}, \"instance\", \"\", \"job\", \"api\")", inner.text),
    };
    Node::new(text, vec![inner.clone()], &inner)
}

fn quantile(dice: &mut Dice) -> Node {
    let share = dice.one(&["0.5", "0.9", "0.99", "0", "1", "0.01", "-1", "2", "NaN"]);
    let range = dice.one(&["1m", "5m", "15m"]);
    let (inner, labels) = match dice.below(4) {
        0 => ("latency_seconds_bucket".to_owned(), PLAIN),
        1 => (format!("rate(latency_seconds_bucket[{range}])"), PLAIN),
        2 => (format!("sum by (le, job) (rate(latency_seconds_bucket[{range}]))"), &PLAIN[..1]),
        _ => (format!("sum by (le) (increase(latency_seconds_bucket{{le!=\"0.25\"}}[{range}]))"), &PLAIN[..0]),
    };
    let part = Node::of(inner.clone(), vec![], vec![]);
    Node::of(format!("histogram_quantile({share}, {inner})"), vec![part], labels.to_vec())
}

fn absent(dice: &mut Dice) -> Node {
    let range = dice.one(WINDOWS);
    let text = match dice.below(4) {
        0 => "absent(nothing{job=\"x\", instance=~\"y.*\"})".to_owned(),
        1 => format!("absent({})", selector(dice).text),
        2 => format!("absent_over_time(depth{{instance=\"a:1\"}}[{range}])"),
        _ => format!("absent_over_time(nothing{{job=\"x\"}}[{range}])"),
    };
    Node { exact: true, finite: true, ..Node::of(text, vec![], vec![]) }
}

fn times(dice: &mut Dice, depth: u32) -> Node {
    let inner = vector(dice, depth - 1);
    let text = match dice.below(4) {
        0 => timestamped(dice),
        1 => return Node { exact: true, finite: true, ..Node::of(format!("{}()", dice.one(TIMES)), vec![], vec![]) },
        2 if !inner.text.contains('@') => format!("{}(timestamp({}))", dice.one(TIMES), inner.text),
        2 => format!("hour({})", timestamped(dice)),
        _ => return Node::of(format!("vector(scalar({}))", inner.text), vec![inner], vec![]),
    };
    Node::new(text, vec![], &inner)
}

/// 2.42 looks elsewhere when both `@` and `timestamp` hold a selector.
fn timestamped(dice: &mut Dice) -> String {
    let selector = selector(dice).text;
    if selector.contains('@') { "timestamp(lonely)".to_owned() } else { format!("timestamp({selector})") }
}
