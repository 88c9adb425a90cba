//! Which series an action of a profile looks at, known before it is planned, so that their values can be taken out of
//! the store for the planner.

use super::params;
use crate::base::Body;
use serde::Deserialize;

#[derive(Deserialize)]
struct Asks {
    query: String,
}

/// Every query of an action's table: what it is based on, what verifies it, its traffic, how its target grows, what
/// its parameters are offered. What cannot be read is left
/// out here: planning reports it.
pub fn queries(body: &Body) -> Vec<String> {
    let own = written(body).into_iter().map(|(_, query)| query);
    let mut all: Vec<String> = own.chain(params::queries(body)).collect();
    all.sort();
    all.dedup();
    all
}

/// The queries that stand under keys of their own, with those keys.
pub fn written(body: &Body) -> Vec<(&'static str, String)> {
    let mut body = body.clone();
    let mut all = Vec::new();
    for key in ["based_on", "verify"] {
        let rows = body.take::<Vec<Asks>>(key).ok().flatten().unwrap_or_default();
        all.extend(rows.into_iter().map(|row| (key, row.query)));
    }
    let single = ["traffic", "growth"].into_iter();
    all.extend(single.filter_map(|key| Some((key, body.take::<String>(key).ok()??))));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_of_a_table_is_known_before_it_is_planned() {
        let text = "based_on = [{ query = 'a' }]\nverify = [{ query = 'c' }]\ntraffic = 'b'\ngrowth = 'deriv(d[1h])'\n\
             params = { n = { int = [1, 9], value = 1, offer = { query = 'e' } } }";
        assert_eq!(queries(&Body::parse("profile.toml", text).unwrap()), ["a", "b", "c", "deriv(d[1h])", "e"]);
    }
}
