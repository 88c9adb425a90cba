//! Profiles from things that were found, read again by the program itself.

use super::*;
use crate::base::Clean;
use crate::config::Profile;
use crate::roles::setup;
use crate::samplers::discover::Journal;
use crate::store::{Limits, Store};

fn keep(kind: &'static str, key: &'static str, value: &str, wanted: bool) -> Keep {
    Keep { kind, keys: vec![(key, quoted(value).expect("plain"))], wanted, why: "" }
}

fn found(what: What, name: &str, keep: Option<Keep>) -> Found {
    Found { what, name: Clean::text(name), says: Clean::text(format!("{name}, found")), keep }
}

/// Sampler names, pane titles and faults of the profile that these things make.
fn loaded(seen: &Seen) -> (Vec<String>, Vec<String>, Vec<String>) {
    let text = lines(seen).join("\n");
    let profile = Profile::parse("found", "found.toml", &text, &setup::known_kinds()).expect(&text);
    let mut store = Store::new(Limits::default());
    let setup = setup::setup(&profile, "x".into(), &mut store);
    let samplers = profile.samplers.iter().map(|sampler| sampler.name.to_string()).collect();
    let panes = profile.screen.panes.iter().map(|pane| pane.title.to_string()).collect();
    (samplers, panes, setup.faults.iter().map(|fault| format!("{fault}\n{text}")).collect())
}

#[test]
fn with_nothing_found_it_is_the_host_s_profile() {
    let (samplers, _, faults) = loaded(&Seen::default());
    assert_eq!(
        (samplers.as_slice(), faults.as_slice()),
        (&["host".to_owned(), "found".to_owned(), "gpu".to_owned()][..], &[][..])
    );
}

#[test]
fn everything_that_is_found_makes_a_profile_without_a_fault() {
    let gpu = || Some(Keep { kind: "gpu", keys: Vec::new(), wanted: true, why: "" });
    let seen = Seen {
        found: vec![
            found(What::Gpu, "0", gpu()),
            found(What::Gpu, "1", gpu()),
            found(What::Gpu, "card1", None),
            found(What::Unit, "a.service", Some(keep("systemd", "units", "a.service", true))),
            found(What::Unit, "net\\x2db.mount", Some(keep("systemd", "units", "b", true))),
            found(What::Lmdb, "/var/lib/x/data.mdb", Some(keep("lmdb", "path", "/var/lib/x", true))),
            found(What::Lmdb, "/srv/x/data.mdb", Some(keep("lmdb", "path", "/srv/x", true))),
            found(What::Lmdb, "/a \"b\"/data.mdb", Some(keep("lmdb", "path", "/a \"b\"", true))),
            found(What::Lmdb, "/proc/7/root/data.mdb", None),
            found(What::Port, "127.0.0.1:9100", Some(keep("scrape", "url", "http://127.0.0.1:9100/metrics", true))),
            found(What::Port, "*:22", Some(keep("tcp", "url", "127.0.0.1:22", false))),
            found(What::Port, "*:5432", Some(keep("postgres", "url", "not a url", true))),
        ],
        journal: Some(Ok(Journal { errors: 0, more: false, most: None })),
        ..Seen::default()
    };
    let (samplers, panes, faults) = loaded(&seen);
    assert_eq!(faults, [""; 0]);
    let ours: Vec<&str> = samplers.iter().map(String::as_str).skip(2).collect();
    assert_eq!(ours, ["gpu", "units", "lmdb-x", "lmdb-x-2", "lmdb-a-b", "scrape-9100"]);
    let host = loaded(&Seen::default()).1.len();
    let titles =
        ["GPU 0", "GPU 1", "Failed units", "LMDB x", "LMDB x", "LMDB a \"b\"", "scrape-9100", "Journal errors"];
    assert_eq!(panes[host..], titles);
    let text = lines(&seen).join("\n");
    assert!(text.contains("# *:22, found\n# [samplers.tcp-22]\n# kind = \"tcp\""), "{text}");
    assert!(text.contains("# As it stands it is not complete: "), "{text}");
}

#[tokio::test]
async fn looking_ends_when_its_time_is_over() {
    let mut finder = Finder::new(Wanted::default());
    assert!(look(&mut finder, Duration::ZERO).await.is_none());
    assert!(look(&mut finder, Duration::from_secs(60)).await.is_some(), "and needs far less than it");
}

#[test]
fn what_needs_a_login_is_not_live_and_its_table_is_whole() {
    for (kind, url) in
        [("postgres", "postgres://watch@127.0.0.1:5432/postgres"), ("rabbitmq", "http://127.0.0.1:15672")]
    {
        let mut keep = keep(kind, "url", url, false);
        keep.keys.extend((kind == "rabbitmq").then(|| ("user", "\"watch\"".to_owned())));
        keep.keys.push(("password", "{ env = \"PGPASSWORD\" }".to_owned()));
        let seen = Seen { found: vec![found(What::Port, "127.0.0.1:1", Some(keep))], ..Seen::default() };
        let (samplers, _, faults) = loaded(&seen);
        assert_eq!((samplers.len(), faults.as_slice()), (3, &[][..]), "as on a host without it");
        let text = lines(&seen).join("\n");
        assert!(text.contains("# password = { env = \"PGPASSWORD\" }") && !text.contains("not complete"), "{text}");
    }
}

#[test]
fn what_could_not_be_looked_at_is_said_beside() {
    let seen = Seen {
        counts: vec![(What::Gpu, Ok(0)), (What::Unit, Err("systemd does not run here".into()))],
        journal: Some(Err("no journal is kept here".into())),
        notes: vec![(What::Port, "3 more ports are not told".into())],
        ..Seen::default()
    };
    let said = [
        "watchkeeper: unit: systemd does not run here.",
        "watchkeeper: journal: no journal is kept here.",
        "watchkeeper: port: 3 more ports are not told.",
    ];
    assert_eq!(notes(&seen), said);
}
