//! Which readings an action's table will ask for, before it is planned: the console takes them out of its store, and
//! planning then needs nothing from the loop.

use crate::base::Body;
use serde::Deserialize;

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    based_on: Vec<Row>,
    #[serde(default)]
    verify: Vec<Row>,
    traffic: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    query: String,
}

/// Every query in the table; none when the table is faulty, which `prepare` then says.
pub fn queries(body: &Body) -> Vec<String> {
    let asked: Asked = body.read().unwrap_or_default();
    let rows = asked.based_on.into_iter().chain(asked.verify).map(|row| row.query);
    let mut all: Vec<String> = rows.chain(asked.traffic).collect();
    all.sort();
    all.dedup();
    all
}
