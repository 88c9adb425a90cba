//! Profiles from text: good ones, and the sentence for each mistake.

use super::{KNOWN, files};
use core::time::Duration;
use proptest::prelude::*;
use std::fs;
use watchkeeper::base::{Fault, Severity, Support};
use watchkeeper::config::{Profile, ProfileRef, SearchPath, Trust, load_profile};
use watchkeeper::rules::Policy;

/// Every fault of a text, one to a line; the error of the whole file is one too.
fn faults(name: &str, text: &str) -> (Vec<String>, String) {
    let shown = |faults: &[Fault]| faults.iter().flat_map(|fault| [fault.to_string(), "\n".to_owned()]).collect();
    match Profile::parse("case", name, text, &KNOWN) {
        Ok(profile) => {
            let names = profile.samplers.iter().map(|sampler| sampler.name.to_string()).collect();
            (names, shown(&profile.faults))
        }
        Err(fault) => (Vec::new(), shown(&[fault])),
    }
}

#[test]
fn each_invalid_file_gives_exactly_its_sentences() {
    let mut cases = 0;
    for file in files("invalid").into_iter().filter(|file| file.extension().is_some_and(|end| end == "toml")) {
        let text = fs::read_to_string(&file).expect("the case");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let (samplers, said) = faults(&name, &text);
        let expected = file.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &said).expect("writes");
        }
        assert_eq!(said, fs::read_to_string(&expected).unwrap_or_default(), "{name}");
        assert!(!said.is_empty() && !said.contains("hunter2") && !said.contains('\u{202E}'), "{name}: {said}");
        // Whatever is wrong elsewhere, a good part loads.
        assert_eq!(text.contains("good"), samplers.contains(&"good".to_owned()), "{name}: {samplers:?}");
        cases += 1;
    }
    assert!(cases >= 20, "{cases}");
}

#[test]
fn each_valid_file_loads_without_a_fault() {
    for file in files("valid") {
        let text = fs::read_to_string(&file).expect("the case");
        let (_, said) = faults("valid", &text);
        assert_eq!(said, "", "{}", file.display());
    }
}

#[test]
fn a_profile_is_what_its_file_says_after_what_it_extends() {
    let text = include_str!("valid/service.toml");
    let profile = Profile::parse("norse", "service.toml", text, &KNOWN).expect("loads");
    assert_eq!((profile.title.as_str(), profile.environment.as_str()), ("Cerebellar-Norse", "production"));
    let names: Vec<&str> = profile.samplers.iter().map(|sampler| &*sampler.name).collect();
    assert_eq!(names, ["host", "found", "gpu", "metrics", "store"]);
    let store = profile.samplers.last().expect("the store");
    assert_eq!((store.kind.as_str(), store.every, store.simulated), ("lmdb", Some(Duration::from_secs(90)), true));
    assert_eq!(store.body.keys(), ["path"], "what is left is the kind's");
    let metrics = profile.samplers.get(3).expect("the metrics");
    assert_eq!((metrics.timeout, metrics.simulated), (Some(Duration::from_millis(800)), false));
    assert_eq!(profile.screen.panes.last().map(|pane| pane.title.as_str()), Some("Queue depth"));
    assert!(profile.screen.panes.len() > 5, "the host's panes come first");
    assert_eq!(
        profile.actions.first().map(|action| (&*action.name, action.title.as_str())),
        Some(("reduce", "Reduce batch size"))
    );
    assert_eq!(profile.trust, Trust::Trusted);
    assert_eq!(profile.sources.len(), 2);
}

#[test]
fn a_part_of_the_same_name_replaces_the_extended_one_in_its_place() {
    let text =
        "extends = [\"host\"]\n[samplers.host]\nkind = \"host\"\nevery = \"5s\"\n[samplers.web]\nkind = \"http\"\n";
    let profile = Profile::parse("own", "own.toml", text, &KNOWN).expect("loads");
    let paces: Vec<_> = profile.samplers.iter().map(|sampler| (&*sampler.name, sampler.every)).collect();
    assert_eq!(paces, [("host", Some(Duration::from_secs(5))), ("found", None), ("gpu", None), ("web", None)]);
}

#[test]
fn the_digest_is_of_the_bytes() {
    let profile = Profile::parse("x", "x", "", &KNOWN).expect("loads");
    let sha256 = profile.sources.last().map(|source| source.sha256.as_str());
    assert_eq!(sha256, Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        drop(Profile::parse("any", "any.toml", &text, &KNOWN));
    }

    #[test]
    fn no_text_made_of_our_own_pieces_panics(pieces in proptest::collection::vec(prop_oneof![
        Just("[samplers.a]\n"), Just("[[panes]]\n"), Just("[logs.b]\n"), Just("[actions.c]\n"), Just("extends = [\"host\"]\n"),
        Just("extends = ["), Just("kind = \"http\"\n"), Just("kind = 5\n"), Just("title = \"x\"\n"), Just("every = \"1s\"\n"),
        Just("every = \"99999999999h\"\n"), Just("timeout = \"\"\n"), Just("a = { b = [1, {c = 2}] }\n"), Just("[samplers]\n"),
        Just("a.b.c = 1\n"), Just("\"\u{202E}\" = 1\n"), Just("'''\n"), Just("[panes]\n"), Just("x = [[[[[[[[[[[[[[[["),
    ], 0..12)) {
        let text: String = pieces.concat();
        drop(Profile::parse("any", "any.toml", &text, &KNOWN));
    }
}

#[test]
fn deep_nesting_is_a_sentence() {
    let text = format!("x = {}", "[".repeat(200_000));
    let fault = Profile::parse("deep", "deep.toml", &text, &KNOWN).expect_err("no profile");
    assert!(fault.at.is_some(), "{fault}");
}

#[test]
fn people_are_merged_by_name_and_times_one_by_one() {
    let text = include_str!("valid/people.toml");
    let people = Profile::parse("team", "people.toml", text, &KNOWN).expect("loads").people;
    let word =
        |word: &str| people.words.iter().find(|(known, _)| known.as_str() == word).map(|(_, severity)| *severity);
    assert_eq!(
        [word("page"), word("warning"), word("on fire"), word("heartbeat"), word("odd")],
        [Some(Severity::Critical), Some(Severity::Major), Some(Severity::Critical), Some(Severity::Info), None]
    );
    let (minutes, hours) = (|n: u64| Some(Duration::from_secs(n * 60)), |n: u64| Some(Duration::from_secs(n * 3_600)));
    assert_eq!(people.rows, [(Severity::Critical, minutes(5), None), (Severity::Minor, None, hours(48))]);
    assert_eq!(
        people.contacts.iter().map(|contact| contact.label().to_string()).collect::<Vec<_>>(),
        ["L2 Ada Example"]
    );
    assert!(people.notify.is_some());
}

#[test]
fn what_a_profile_says_of_people_lies_over_what_it_extends() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let folder = dir.path().join("profiles").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("profile.toml"), text).expect("writes");
    };
    write("team", include_str!("valid/people.toml"));
    let own = "extends = [\"team\"]\n[grants]\nada = \"L3\"\n[severities]\nwarning = \"minor\"\n[escalation.critical]\nescalate = \"10m\"\n\
               [[contacts]]\nname = \"Bo Example\"\nrole = \"On call\"\nlevel = \"L1\"\nphone = \"1\"\n\
               [[contacts]]\nname = \"Ada Example\"\nrole = \"Architect\"\nlevel = \"L3\"\nphone = \"2\"\n";
    write("own", own);
    let search = SearchPath { folders: vec![dir.path().to_owned()], guest: None };
    let people = load_profile(&ProfileRef::Named("own".into()), &search, &KNOWN).expect("loads").people;
    let policy = Policy::new(&people.words, &people.rows, people.contacts.clone());
    assert_eq!(policy.severity(Some("warning")), (Severity::Minor, true));
    assert_eq!(policy.severity(Some("on fire")), (Severity::Critical, true));
    let (critical, minutes) = (policy.terms(Severity::Critical), |n: u64| Duration::from_secs(n * 60));
    assert_eq!((critical.respond, critical.escalate), (minutes(5), minutes(10)));
    let names: Vec<String> = policy.contacts().iter().map(|contact| contact.label().to_string()).collect();
    assert_eq!(names, ["L3 Ada Example", "L1 Bo Example"]);
    assert!(people.notify.is_some(), "inherited");
    let granted = |login: &str| Support::granted(&people.grants, login, &["sre".into()]);
    assert_eq!((granted("ada"), granted("bo")), (Support::L3, Support::L0), "of the same name the later one counts");
}

#[test]
fn settings_of_a_site_reach_what_it_extends() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let dir = folder.path().join("watchkeeper/profiles").join(name);
        fs::create_dir_all(dir.join("procedures")).expect("a folder");
        fs::write(dir.join("profile.toml"), text).expect("writes");
        dir
    };
    let base = "[settings]\ndata = \"/var/lib/x\"\nunit = \"x.service\"\n\
                [samplers.store]\nkind = \"lmdb\"\npath = \"${data}/lmdb\"\n\
                [samplers.unit]\nkind = \"http\"\nurl = \"${unit}\"\n";
    let dir = write("base", base);
    fs::write(dir.join("procedures/a.md"), "# Look into ${data}, not ${other}\n").expect("writes");
    write("site", "extends = [\"base\"]\n[settings]\ndata = \"/mnt/${unit}\"\n");
    let config = folder.path().to_string_lossy().into_owned();
    let search = SearchPath::detect(&|name| (name == "XDG_CONFIG_HOME").then(|| config.clone()));
    let profile = load_profile(&ProfileRef::Named("site".into()), &search, &KNOWN).expect("loads");
    assert!(profile.faults.is_empty(), "{:?}", profile.faults);
    let mut store = profile.samplers.first().expect("a sampler").body.clone();
    assert_eq!(store.need::<String>("path").expect("a path"), "/mnt/x.service/lmdb");
    let document = profile.procedures.specs.first().expect("a document");
    assert_eq!(document.text, "# Look into /mnt/x.service, not ${other}\n");
    assert_eq!(profile.judging.settings.fill_known("job=\"${unit}\""), "job=\"x.service\"");
}
