//! Which series an action of a profile looks at, known before it is planned, so that their values can be taken out of
//! the store for the planner.

use crate::base::Body;
use serde::Deserialize;

#[derive(Deserialize)]
struct Asks {
    query: String,
}

/// Every query of an action's table: what it is based on, what verifies it, its traffic. What cannot be read is left
/// out here: planning reports it.
pub fn queries(body: &Body) -> Vec<String> {
    let mut body = body.clone();
    let mut rows = |key: &str| body.take::<Vec<Asks>>(key).ok().flatten().unwrap_or_default();
    let asked: Vec<Asks> = rows("based_on").into_iter().chain(rows("verify")).collect();
    let traffic = body.take::<String>("traffic").ok().flatten();
    let mut all: Vec<String> = asked.into_iter().map(|row| row.query).chain(traffic).collect();
    all.sort();
    all.dedup();
    all
}
