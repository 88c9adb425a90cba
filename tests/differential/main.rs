//! The same points and the same expressions to a real Prometheus server and to our evaluator: the answers are equal.
//! Deterministic from a seed, which is printed; `WATCHKEEPER_SEED=N` asks another one, `WATCHKEEPER_PAIRS=N` asks more,
//! `WATCHKEEPER_PAIR=N` tells both answers to one of them.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts a peer")]

mod compare;
mod corpus;
mod grammar;
#[path = "../samplers/peer.rs"]
#[expect(dead_code, reason = "shared with tests/samplers, which uses the rest")]
mod peer;
mod server;

use compare::difference;
use corpus::{Dice, corpus};
use grammar::{Node, moment, vector};
use serde_json::Value as Json;
use server::{STALE, Server};
use std::time::Duration;
use watchkeeper::roles::query::json;
use watchkeeper::rules::expr::{Evaluator, Expr, Millis, Semantics, Table, Track};

/// Asked without an order to ask another one.
const SEED: u64 = 20_261_121;
/// Expressions with their series.
const PAIRS: u64 = 2_400;
/// Disagreements that are told whole.
const TOLD: usize = 10;

/// Where Debian's server (2.42) and Prometheus 3, which we follow, are known to differ, and how the corpus or the
/// grammar keeps away from it.
const KNOWN: &[(&str, &str)] = &[
    ("2.42 closes windows on the left", "no point and no sub-query step lies on a window's edge"),
    (
        "rate near a counter's zero, where its window begins long before its first point, is extrapolated otherwise in 3",
        "no counter restarts in such a window, nor one that pauses",
    ),
    ("2.42 says that the deviation of a lone NaN is 0", "stddev and stdvar are asked of finite rows"),
    ("2.42 keeps the metric's name under atan2", "abs() around it takes the name away"),
    ("3 refuses many-to-one rows though a comparison takes them away", "such a refusal of ours is let pass"),
    ("2.42 looks elsewhere when both @ and timestamp() hold a selector", "the two do not meet"),
    ("2.42 panics where a sub-query's step is longer than its range", "it is shorter"),
    ("2.42 gives NaN for a line through an infinity", "deriv and predict_linear are asked of finite rows"),
    ("the server moves a window that `@` holds under predict_linear, step by step", "the two do not meet"),
];

/// A question in the form both are asked in.
#[derive(Clone, Copy)]
enum When {
    At(Millis),
    Range(Millis, Millis, Millis),
}

struct Ours {
    table: Table,
    evaluator: Evaluator,
}

impl Ours {
    fn new(tracks: &[Track]) -> Self {
        let mut table = Table::new();
        for track in tracks {
            for (at, value) in &track.points {
                if value.to_bits() == STALE {
                    table.push_stale(&track.key, *at);
                } else {
                    table.push(&track.key, *at, *value);
                }
            }
        }
        Self { table, evaluator: Evaluator::new(Semantics::Prometheus) }
    }

    fn ask(&mut self, text: &str, when: When) -> Json {
        let answer = Expr::parse(text).and_then(|expr| match when {
            When::At(at) => self.evaluator.instant(&expr, &self.table, at),
            When::Range(start, end, step) => {
                let step = Duration::from_millis(u64::try_from(step).expect("forward"));
                self.evaluator.range(&expr, &self.table, (start, end), step)
            }
        });
        match (answer, when) {
            (Ok(answer), When::At(at) | When::Range(_, at, _)) => json::success(&answer, at),
            (Err(fault), _) => json::error("execution", &fault),
        }
    }
}

fn theirs(server: &mut Server, text: &str, when: When) -> Json {
    match when {
        When::At(at) => server.instant(text, at),
        When::Range(start, end, step) => server.range(text, (start, end), step),
    }
}

/// The smallest part of an expression that disagrees by itself, if one does.
fn smallest(node: &Node, when: When, ours: &mut Ours, server: &mut Server) -> Option<(String, String)> {
    let inner = node.parts.iter().find_map(|part| smallest(part, when, ours, server));
    inner.or_else(|| {
        let found = difference(&theirs(server, &node.text, when), &ours.ask(&node.text, when))?;
        Some((node.text.clone(), found))
    })
}

/// A refusal of Prometheus 3 that 2.42 knows only where the comparison leaves rows.
fn is_newer_refusal(ours: &Json) -> bool {
    let told = ours["error"].as_str().unwrap_or_default();
    ["many-to-one matching must be explicit", "grouping labels must ensure unique"]
        .iter()
        .any(|known| told.contains(known))
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn a_real_server_answers_as_we_do() {
    let Some(peer) = peer::start("prometheus") else { return };
    let (seed, pairs) = (number("WATCHKEEPER_SEED", SEED), number("WATCHKEEPER_PAIRS", PAIRS));
    println!("differential: seed {seed}, {pairs} pairs");
    for (difference, way) in KNOWN {
        println!("known difference: {difference}; {way}");
    }
    let tracks = corpus(seed);
    let mut server = Server::connect(peer.env("PROMETHEUS_ADDR"));
    server.write(&tracks);
    let mut ours = Ours::new(&tracks);
    let mut dice = Dice(seed ^ 0x5EED);
    let told = std::env::var("WATCHKEEPER_PAIR").ok().and_then(|text| text.parse::<u64>().ok());
    let (mut wrong, mut rows, mut refused) = (Vec::new(), 0, 0);
    for pair in 0..pairs {
        let depth = 1 + u32::try_from(dice.below(3)).expect("small");
        let node = vector(&mut dice, depth);
        let at = moment(&mut dice);
        let when = match dice.below(10) {
            0..7 => When::At(at),
            _ => When::Range(at - 600_000, at, [15_000, 40_000, 60_000][usize::try_from(pair % 3).expect("small")]),
        };
        let answer = theirs(&mut server, &node.text, when);
        refused += u64::from(answer["status"] != "success");
        rows += u64::from(answer["data"]["result"].as_array().is_some_and(|rows| !rows.is_empty()));
        let mine = ours.ask(&node.text, when);
        if told == Some(pair) {
            println!("{}\nthe server: {answer}\nours: {mine}", node.text);
        }
        if let Some(found) = difference(&answer, &mine).filter(|_| !is_newer_refusal(&mine)) {
            wrong.push((pair, node, when, found));
        }
    }
    println!("{pairs} pairs: {rows} with rows, {refused} refused by both, {} disagree", wrong.len());
    for (pair, node, when, found) in wrong.iter().take(TOLD) {
        let when_told = match when {
            When::At(at) => format!("at {at}"),
            When::Range(start, end, step) => format!("from {start} to {end} every {step}"),
        };
        let part = smallest(node, *when, &mut ours, &mut server);
        let part = part.filter(|(text, _)| *text != node.text);
        let part = part.map_or_else(String::new, |(text, found)| format!("\n  smallest part: {text}\n    {found}"));
        println!("seed {seed}, pair {pair}, {when_told}: {}\n    the server says {found}{part}", node.text);
    }
    assert!(wrong.is_empty(), "{} of {pairs} pairs disagree (seed {seed})", wrong.len());
    assert!(rows * 2 > pairs, "only {rows} of {pairs} expressions find anything: the grammar is dull");
    assert!(refused * 8 < pairs, "{refused} of {pairs} expressions are refused: the grammar is wrong");
}

#[test]
fn a_difference_is_found() {
    let answer = |value: &str| {
        serde_json::json!({"status": "success", "data": {"resultType": "vector",
        "result": [{"metric": {"job": "a"}, "value": [1.5, value]}]}})
    };
    assert_eq!(difference(&answer("1"), &answer("1.0000000001")), None);
    assert_eq!(difference(&answer("NaN"), &answer("NaN")), None);
    for other in ["1.00001", "NaN", "-1", "+Inf"] {
        assert!(difference(&answer("1"), &answer(other)).is_some(), "{other}");
    }
    let refused = serde_json::json!({"status": "error", "error": "x"});
    assert!(difference(&answer("1"), &refused).is_some());
    assert_eq!(difference(&refused, &refused), None);
}
