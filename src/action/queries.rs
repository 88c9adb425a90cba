//! Which series an action of a profile looks at, known before it is planned, so that their values can be taken out of
//! the store for the planner.

use super::{params, traffic};
use crate::base::Body;
use serde::Deserialize;

#[derive(Deserialize)]
struct Asks {
    query: String,
}

/// Every query of an action's table: what it is based on, what verifies it, its traffic, how its target grows, what
/// its parameters are offered. What cannot be read is left out here: planning reports it.
pub fn queries(body: &Body) -> Vec<String> {
    let mut body = body.clone();
    let mut rows = |key: &str| body.take::<Vec<Asks>>(key).ok().flatten().unwrap_or_default();
    let asked: Vec<Asks> = rows("based_on").into_iter().chain(rows("verify")).collect();
    let single = [traffic::take(&mut body).ok().flatten().map(|row| row.query), body.take("growth").ok().flatten()];
    let mut all: Vec<String> = asked
        .into_iter()
        .map(|row| row.query)
        .chain(single.into_iter().flatten())
        .chain(params::queries(&body))
        .collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_of_a_table_is_known_before_it_is_planned() {
        let text = "based_on = [{ query = 'a' }]\nverify = [{ query = 'c' }]\ntraffic = 'b'\ngrowth = 'deriv(d[1h])'\n\
             params = { n = { int = [1, 9], value = 1, offer = { query = 'e' } } }";
        let of = |text: &str| queries(&Body::parse("profile.toml", text).unwrap());
        assert_eq!(of(text), ["a", "b", "c", "deriv(d[1h])", "e"]);
        let labelled = text.replace("'b'", "{ query = 'b', label = 'orders' }");
        assert_eq!(of(&labelled), of(text));
    }
}
