//! Where an alert leads: each rule of each shipped profile, those of its second packs too, has a page; and each page is
//! found by a symptom.

use crate::ids::SYSTEMS;
use watchkeeper::app::found::fit;
use watchkeeper::config::{Profile, ProfileRef, SearchPath, builtin, load_profile};
use watchkeeper::procedure::document::{Answer, Ask, Condition, Expect, Subject};
use watchkeeper::procedure::{Document, Item, Live};
use watchkeeper::roles::setup::{Setup, known_kinds, setup};
use watchkeeper::rules::{Rule, RuleFile};
use watchkeeper::store::{Limits, Store};

fn built(name: &str) -> (Profile, Setup) {
    // From the repository, so that nothing is built anew for a changed page.
    let of = ProfileRef::Path(format!("profiles/{name}").into());
    let profile = load_profile(&of, &SearchPath::default(), &known_kinds()).expect("loads");
    let setup = setup(&profile, "here".into(), &mut Store::new(Limits::default()));
    (profile, setup)
}

fn answered(rule: &Rule, setup: &Setup) -> bool {
    let by = |document: &Document| {
        document.alerts.contains(&rule.name) || rule.page().is_some_and(|page| *document.id == **page)
    };
    setup.procedures.iter().any(|document| by(document))
}

/// Rules of packs that a site turns on.
fn packs(name: &str) -> Vec<Rule> {
    let text = std::fs::read_to_string(format!("profiles/{name}/rules-project.yaml")).unwrap_or_default();
    let read = if text.is_empty() { RuleFile::default() } else { RuleFile::parse("rules-project.yaml", &text) };
    assert!(read.broken.is_empty(), "{name}: {:?}", read.broken);
    read.groups.into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn every_alert_of_every_shipped_profile_has_a_page() {
    for name in builtin::names() {
        let (profile, setup) = built(name);
        let is_system = SYSTEMS.iter().any(|(system, ..)| *system == name);
        // What a pane's band raises leads somewhere in the three systems; elsewhere it says itself what is full.
        let told = |rule: &&Rule| !rule.kind.records() && (is_system || rule.bands().is_none());
        let own = setup.book.rules().map(|(_, rule, _)| rule).filter(told);
        let packs = packs(name);
        let lost = own.chain(packs.iter().filter(told)).filter(|rule| !answered(rule, &setup));
        let lost: Vec<&str> = lost.map(|rule| rule.name.as_str()).collect();
        assert_eq!(lost, [""; 0], "{}: alerts without a page", profile.title);
    }
}

#[test]
fn every_page_of_every_shipped_profile_is_found_by_a_symptom() {
    for name in builtin::names() {
        let (_, setup) = built(name);
        let weight = |document: &Document, typed: &str| fit(document, typed).map_or(0, |(weight, _)| weight);
        let leads = |document: &Document, typed: &str| {
            let most = setup.procedures.iter().map(|other| weight(other, typed)).max();
            most == Some(weight(document, typed)) && most > Some(0)
        };
        // An id is no symptom.
        let plain = |symptom: &&str| !SYSTEMS.iter().any(|(_, prefix, _)| symptom.starts_with(&format!("{prefix}-")));
        let found = |document: &Document| {
            let symptoms = document.symptoms.iter().map(watchkeeper::base::Clean::as_str);
            symptoms.filter(plain).any(|symptom| leads(document, &symptom.trim().to_lowercase()))
        };
        let lost = setup.procedures.iter().filter(|document| !found(document));
        let lost: Vec<&str> = lost.map(|document| &*document.id).collect();
        assert_eq!(lost, [""; 0], "{name}: pages that no symptom leads to");
    }
}

/// The answer that an item is for, where it is for one: to which question, and which.
fn for_answer(item: &Item) -> Option<(&str, &str)> {
    match &item.live {
        Live::When(Condition { of: Subject::Answer(name), expect: Expect::Text(text), .. }) => {
            Some((name, text.as_str()))
        }
        _ => None,
    }
}

/// Choices of a question that decides what is done, and no step is done for them.
fn without_steps<'a>(document: &'a Document, asked: &Ask, choices: &'a [watchkeeper::base::Clean]) -> Vec<&'a str> {
    let deeper = |pair: &[Item]| matches!(pair, [item, next] if next.depth > item.depth);
    let pairs = document.items.windows(2).filter(|pair| deeper(pair));
    let led = pairs.filter_map(|pair| for_answer(pair.first()?)).filter(|(name, _)| **name == *asked.name);
    let led: Vec<&str> = led.map(|(_, text)| text).collect();
    let lost = choices.iter().map(watchkeeper::base::Clean::as_str).filter(|choice| !led.contains(choice));
    if led.is_empty() { Vec::new() } else { lost.collect() }
}

#[test]
fn each_answer_that_decides_what_is_done_has_its_steps_but_the_one_that_leaves_things_as_they_are() {
    for name in builtin::names() {
        let (_, setup) = built(name);
        for document in &setup.procedures {
            let asked = document.items.iter().filter_map(|item| match &item.live {
                Live::Ask(ask @ Ask { kind: Answer::Choice(choices), .. }) => Some((ask, choices)),
                _ => None,
            });
            for (ask, choices) in asked {
                let lost = without_steps(document, ask, choices);
                assert!(lost.len() < 2, "{name}: {}: no steps for {lost:?}", document.id);
            }
        }
    }
}

/// What the guide of a system and the system itself contradict each other in.
const TOPICS: [(&str, &[&str]); 3] = [
    (
        "cerebellar-norse",
        &[
            "Scheme",
            "Metrics port",
            "API prefix",
            "Old learning rate",
            "Log file",
            "Log checks",
            "The program's own checks",
            "Path of the program",
            "Reload",
            "Health page",
            "10 µs",
            "GPU memory",
            "Training loss",
            "Neural metrics",
            "Constants in the code",
            "The project's own alerts",
            "Memory pool",
            "Finding the process",
            "Connections per neuron",
            "Name of a copy",
            "Recovery goals",
        ],
    ),
    (
        "genesis",
        &[
            "Process manager",
            "Restart",
            "Memory",
            "Metrics page",
            "Limits of requests",
            "Health page",
            "API port",
            "Latencies",
            "Event processing",
            "GC pause and I/O wait",
            "genesis_up",
            "Prometheus",
            "Queue depth",
            "Batch size",
            "Profile the program",
            "tracemalloc",
            "Debug mode",
            "Flush of Redis",
            "Count of threads",
            "WebSocket probe",
            "Index candidates",
            "The project's own alerts",
        ],
    ),
    (
        "planar",
        &[
            "Where the data is",
            "Size of the map",
            "Map full",
            "Unit of mapsize",
            "Setting the map",
            "Adding to the map",
            "Recreating the database",
            "Library of LMDB",
            "Configuration file",
            "Credentials",
            "Log files",
            "Images",
            "User folder in a container",
            "Exchange gateway",
            "JULIA_NOPRECOMP",
            "I/O of a strategy",
        ],
    ),
];

#[test]
fn each_contradiction_stands_on_one_page_with_what_the_profile_does() {
    for (system, topics) in TOPICS {
        let (_, setup) = built(system);
        let is = |document: &&std::sync::Arc<Document>| &*document.id == "guide-differs";
        let page = setup.procedures.iter().find(is).expect("a page");
        assert!(fit(page, "differs from the guide").is_some_and(|(weight, _)| weight >= 4), "{system}: not found");
        let told: Vec<&str> = page.items.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(told, topics, "{system}");
        for item in &page.items {
            let text: Vec<&str> = item.prose.iter().map(watchkeeper::base::Clean::as_str).collect();
            let text = text.join("\n");
            let lacks: Vec<&str> =
                ["The guide: ", "The system: ", "Here: "].into_iter().filter(|part| !text.contains(part)).collect();
            assert_eq!(lacks, [""; 0], "{system}: {} lacks a part of: {text}", item.title);
        }
    }
}

#[test]
fn no_page_looks_for_a_process_by_its_name() {
    // The kernel keeps 15 characters of a name, and several processes may bear it: a number is filled in.
    let seekers = ["pgrep", "pidof", "pkill", "killall"];
    for name in builtin::names() {
        let (profile, _) = built(name);
        for spec in &profile.procedures.specs {
            let seeks = |line: &&str| line.split(|c: char| !c.is_alphanumeric()).any(|word| seekers.contains(&word));
            // What the guide does is told, and what somebody typed is a symptom.
            let told = |line: &&str| line.starts_with("- The guide:") || line.starts_with("symptoms =");
            let lines: Vec<&str> = spec.text.lines().filter(|line| seeks(line) && !told(line)).collect();
            assert_eq!(lines, [""; 0], "{name}: {}", spec.id);
        }
    }
}
