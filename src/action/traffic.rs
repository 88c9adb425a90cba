//! The work that must go on while an effect is judged, and what one of it is called: without it a latency that fell proves
//! nothing (safety.md 4.3 item 9). Pure.

use crate::base::{Body, Clean, Fault, Unit};
use crate::rules::expr::Expr;
use serde::{Deserialize, Serialize};

/// The work that must go on meanwhile: after the effect it must be above half of what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// An expression that gives one row.
    pub query: String,
    /// True for a counter: its rate a second counts.
    pub counter: bool,
    /// What goes through, in words: `orders`.
    #[serde(default)]
    pub label: Clean,
    /// A second, before the effect; `None` when there were too few points.
    pub before: Option<f64>,
}

/// A profile's `traffic`: an expression, or that with what goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) query: String,
    pub(super) label: Clean,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labelled {
    query: String,
    label: Clean,
}

/// Takes `traffic` out of an action's table.
///
/// # Errors
/// When it is neither form, or adds counters up.
pub(super) fn take(body: &mut Body) -> Result<Option<Declared>, Fault> {
    let plain = body.clone().take::<String>("traffic");
    let declared = match plain {
        Ok(query) => {
            body.take::<String>("traffic")?;
            query.map(|query| Declared { label: own_words(&query), query })
        }
        Err(_) => body.take::<Labelled>("traffic")?.map(|row| Declared { query: row.query, label: row.label }),
    };
    let adds_up = |query: &str| {
        let calm = ["rate(", "increase("].iter().any(|calm| query.contains(calm));
        !is_counter(query) && query.contains("_total") && !calm
    };
    if declared.as_ref().is_some_and(|declared| adds_up(&declared.query)) {
        return Err(body
            .fault_at("traffic", "this adds counters up, which only ever rise: it shows no work.")
            .hint("Name one counter alone, or write `sum(rate(x_total[1m]))`."));
    }
    Ok(declared)
}

/// Whether the metric of a selector is a counter, by the naming convention that every series here follows.
pub fn is_counter(query: &str) -> bool {
    let name = query.split('{').next().unwrap_or("").trim();
    name.ends_with("_total") || name.ends_with("_count")
}

/// What goes through by the name of the first metric: `orders` of `shop_orders_total` and of `orders_served_total`.
fn own_words(query: &str) -> Clean {
    const MEASURES: [&str; 12] =
        ["total", "count", "sum", "per", "sec", "second", "seconds", "bytes", "ratio", "duration", "latency", "time"];
    let expr = Expr::parse(query).ok();
    let name = expr.iter().flat_map(Expr::selectors).find_map(|selector| selector.metric_name()).unwrap_or("work");
    let mut words: Vec<&str> = name.split(['_', ':']).filter(|word| !MEASURES.contains(word)).collect();
    // What was done with them: the word before says with what.
    if words.len() > 1 && words.last().is_some_and(|word| word.ends_with("ed")) {
        words.pop();
    }
    Clean::text(words.last().copied().filter(|word| !word.is_empty()).unwrap_or(name))
}

impl Traffic {
    /// A second, where the query says so by its name or by `rate`; else what it counts.
    pub(super) fn unit(&self) -> Unit {
        let a_second = ["rate(", "_per_sec"].iter().any(|part| self.query.contains(part));
        if self.counter || a_second { Unit::PerSecond } else { Unit::Count }
    }

    /// So much of it: `0 orders/s`.
    pub(super) fn show(&self, value: Option<f64>) -> String {
        let Some(value) = value else { return "unknown".to_owned() };
        let a_second = if self.unit() == Unit::PerSecond { "/s" } else { "" };
        format!("{} {}{a_second}", Unit::Count.show(value), self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Declared>, Fault> {
        take(&mut Body::parse("p.toml", text).expect("TOML"))
    }

    fn traffic(query: &str) -> Traffic {
        Traffic { query: query.to_owned(), counter: is_counter(query), label: own_words(query), before: None }
    }

    #[test]
    fn it_is_told_a_second_only_where_it_is() {
        for query in ["steps_total", "x_count{job='a'}", "sum(rate(x_total[1m]))", "completions_per_second"] {
            assert_eq!(traffic(query).unit(), Unit::PerSecond, "{query}");
        }
        assert_eq!(traffic("up{job='a'}").unit(), Unit::Count);
    }

    #[test]
    fn what_goes_through_is_called_by_its_label_or_by_the_words_of_its_metric() {
        let shown = |query: &str, value| traffic(query).show(Some(value));
        for (query, said) in [
            ("shop_orders_total", "0 orders/s"),
            ("orders_served_total{job=\"shop\"}", "0 orders/s"),
            ("sum(rate(genesis_websocket_messages_total[30s])) or sum(rate(ws_total[30s]))", "0 messages/s"),
            ("sum by (job) (neural_throughput_ops_per_sec{job='neural'})", "0 ops/s"),
            ("http_request_duration_seconds_count", "0 request/s"),
            ("file_folder_files{job=\"logs\"}", "0 files"),
            ("failed_total", "0 failed/s"),
            ("up", "0 up"),
        ] {
            assert_eq!(shown(query, 0.0), said, "{query}");
        }
        assert_eq!(shown("requests_total", 1_234.0), "1,234 requests/s");
        assert_eq!(traffic("requests_total").show(None), "unknown");
        let given = read("traffic = { query = \"sum(rate(x_total[1m]))\", label = \"look-ups\" }").expect("reads");
        assert_eq!(given.map(|given| given.label), Some("look-ups".into()));
        assert_eq!(read("title = \"none\"").expect("reads"), None);
    }

    #[test]
    fn what_is_no_traffic_is_refused_at_its_place() {
        let refused = |text: &str| read(text).expect_err("refused").to_string();
        let said = refused("traffic = { query = \"x_total\", lable = \"orders\" }");
        assert!(said.contains("lable") && said.starts_with("p.toml:1:"), "{said}");
        assert!(refused("traffic = { query = \"x_total\" }").contains("label"));
        let said = refused("traffic = { query = \"sum(x_total)\", label = \"orders\" }");
        assert!(said.contains("this adds counters up"), "{said}");
    }
}
