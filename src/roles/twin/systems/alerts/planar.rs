//! What the bot's stories raise.

use super::super::planar::Planar;
use super::super::{Run, System};
use super::{Played, Promise, Watch, all_are_promised, is_quiet, keeps};
use crate::base::{Now, Point};
use System::Planar as PLANAR;

const PROMISES: &[Promise] = &[
    ("map-full", &[("MapFull", "lmdb-full"), ("MapNearlyFull", "lmdb-full")]),
    ("rate-limited", &[("ExchangeLimits", "rate-limit"), ("ExchangeBan", "rate-limit")]),
    ("exchange-silent", &[("ExchangeUnreachable", "exchange-silent"), ("ExchangeSilent", "exchange-silent")]),
    ("corrupt-database", &[("DatabaseCorrupt", "corruption")]),
    ("lmdb-missing", &[("DatabaseUnavailable", "lmdb-missing")]),
    ("key-refused", &[("ExchangeLogin", "authentication")]),
    ("keys-exposed", &[("CredentialsOpen", "authentication")]),
    ("order-refused", &[("OrdersFail", "orders")]),
    ("strategy-errors", &[("StrategyErrors", "strategy-run")]),
    ("strategy-not-loaded", &[("StrategyNotLoaded", "strategy-load"), ("StrategyPathWrong", "strategy-load")]),
    ("precompilation-fails", &[("PrecompilationFails", "dependency-conflict")]),
    ("python-precompilation", &[("PythonPrecompilationFails", "python-precompilation")]),
    ("module-missing", &[("PythonModuleMissing", "python-package-missing")]),
    ("debug-symbol", &[("DebugSymbolMissing", "debug-symbol")]),
    ("data-trouble", &[("DataTrouble", "data-pipeline")]),
];

/// Longer than the longest that one has to hold; and a night that is quiet.
const SECONDS: u64 = 720;

impl Played for Planar {
    const STEP: u64 = 5;

    fn begin(run: Run<'_>) -> Self {
        Self::start(run).unwrap()
    }

    fn looks(&mut self, now: Now) -> Vec<(&'static str, Option<Vec<Point>>)> {
        let answers = f64::from(u8::from(!self.is_silent(now)));
        let bot = Point::gauge("namedprocess_namegroup_num_procs", &[("groupname", "planar")], 1.0);
        vec![("exchange", Some(vec![Point::gauge("probe_success", &[], answers)])), ("bot", Some(vec![bot]))]
    }
}

#[test]
fn each_story_raises_its_alerts_and_names_their_procedures() {
    // A reader that dies is a process: `tests/twin` looks at it.
    all_are_promised(PLANAR, PROMISES, &["quiet", "stale-reader"]);
    for promise in PROMISES {
        drop(keeps::<Planar>(PLANAR, SECONDS, *promise));
    }
}

#[test]
fn an_order_that_fails_is_told_with_the_mode() {
    let promise = PROMISES.iter().find(|(story, _)| *story == "order-refused").unwrap();
    let watch = keeps::<Planar>(PLANAR, SECONDS, *promise);
    let said = watch.says("OrdersFail").unwrap();
    assert_eq!(said.as_str(), "mode simulation: the exchange has not taken an order");
}

#[test]
fn a_quiet_run_raises_none_of_them() {
    is_quiet::<Planar>(PLANAR, SECONDS, PROMISES);
}

#[test]
fn a_story_raises_nothing_of_another_one() {
    for (story, promised) in
        PROMISES.iter().filter(|(story, _)| !matches!(*story, "rate-limited" | "exchange-silent" | "data-trouble"))
    {
        let mut watch = Watch::<Planar>::new(PLANAR, story);
        watch.pass(60, |_| false);
        let others = PROMISES.iter().flat_map(|(_, alerts)| alerts.iter()).map(|(alert, _)| *alert);
        let strange: Vec<&str> = others
            .filter(|alert| watch.raised.contains(*alert) && !promised.iter().any(|(known, _)| known == alert))
            .collect();
        assert!(strange.is_empty(), "{story}: {strange:?}");
    }
}

#[test]
fn another_key_in_the_file_a_way_back_or_a_restart_mends_what_each_mends() {
    for (story, file, from, to) in [
        ("key-refused", "user/secrets.toml", "sandbox = true", "sandbox = false"),
        ("strategy-not-loaded", "user/planar.toml", "MyStrategi\"", "MyStrategy\""),
        ("strategy-errors", "user/planar.toml", "", ""),
    ] {
        let mut watch = Watch::<Planar>::new(PLANAR, story);
        watch.pass(40, |_| false);
        let path = watch.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let log = watch.folder.path().join("user/strategies/MyStrategy/logs/events.log");
        let bad = || {
            ["not found", "AuthenticationError", "Stacktrace"]
                .iter()
                .any(|word| std::fs::read_to_string(&log).unwrap().contains(word))
        };
        assert!(bad(), "{story}");
        std::fs::write(&log, "").unwrap();
        watch.restart();
        watch.pass(20, |_| false);
        assert!(!bad(), "{story}");
    }
}
