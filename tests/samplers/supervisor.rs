//! `supervisor` against a real supervisord, with `supervisorctl` as the judge.

use crate::peer::{self, Peer};
use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use watchkeeper::base::{Clock, Observation, Point};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

fn fact<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.facts.iter().find(|(known, _)| known.as_str() == name);
    found.map_or_else(|| panic!("no {name} in {:?}", seen.facts), |(_, text)| text.as_str())
}

/// State by `group:name`, as the judge says.
fn judge(peer: &Peer) -> BTreeMap<String, String> {
    let output = peer.exec(&["status"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (name, state) = (words.next()?, words.next()?);
        let whole = if name.contains(':') { name.to_owned() } else { format!("{name}:{name}") };
        Some((whole, state.to_owned()))
    });
    rows.collect()
}

fn agrees(seen: &Observation, peer: &Peer) {
    let judge = judge(peer);
    assert_eq!(judge.len(), 8, "{judge:?}");
    assert_eq!(seen.facts.len(), judge.len());
    for (name, state) in judge {
        assert!(fact(seen, &name).starts_with(&state), "{name}: {state} against {}", fact(seen, &name));
    }
}

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("supervisord answers")
}

#[tokio::test]
async fn every_program_is_as_supervisorctl_says_over_socket_and_port() {
    let Some(peer) = peer::start("supervisord") else { return };
    let mut socket = sampler("supervisor", &format!("path = \"{}\"", peer.env("SUPERVISOR_SOCKET")));
    let seen = look(&mut *socket).await;
    agrees(&seen, &peer);
    let of = |seen: &Observation, metric, name| find(seen, metric, &[("name", name)]);
    for (name, up, state, status) in [
        ("good", 1.0, 20.0, None),
        ("0", 1.0, 20.0, None),
        ("stopped", 0.0, 0.0, None),
        ("done", 0.0, 100.0, Some(0.0)),
        ("bad", 0.0, 100.0, Some(3.0)),
        ("killed", 0.0, 100.0, Some(-1.0)),
        ("soon", 0.0, 200.0, None),
        ("missing", 0.0, 200.0, None),
    ] {
        assert_eq!(of(&seen, "node_supervisord_up", name), Some(up), "{name}");
        assert_eq!(of(&seen, "node_supervisord_state", name), Some(state), "{name}");
        assert_eq!(of(&seen, "node_supervisord_exit_status", name), status, "{name}");
        assert_eq!(of(&seen, "supervisor_fatal", name), Some(f64::from(u8::from(state == 200.0))), "{name}");
    }
    assert_eq!(value(&seen, "supervisor_up", &[]), 1.0);
    let said: Vec<bool> = seen.facts.iter().map(|(_, words)| words.as_str().starts_with("FATAL: ")).collect();
    assert_eq!(said, [true, true, false, false, false, false, false, false], "the worst first");
    let since =
        RealClock.now().wall.0 as f64 / 1e9 - value(&seen, "node_supervisord_start_time_seconds", &[("name", "good")]);
    assert!((0.0..120.0).contains(&since), "{since}");
    assert_eq!(of(&seen, "node_supervisord_start_time_seconds", "done"), None, "it does not run");
    for (name, words) in [
        ("missing:missing", "can't find command '/no/such/program'"),
        ("soon:soon", "Exited too quickly"),
        ("killed:killed", "ended by a signal"),
    ] {
        assert!(fact(&seen, name).contains(words), "{name}: {}", fact(&seen, name));
    }
    let pid = String::from_utf8_lossy(&peer.exec(&["pid", "good"]).stdout).trim().to_owned();
    assert!(fact(&seen, "good:good").contains(&format!("process {pid}")), "{seen:?}");

    a_login_is_needed_where_it_is_wanted(&peer).await;
    restarts_are_counted(&peer, &mut *socket).await;
    a_frozen_daemon_is_silence_and_comes_back(&peer, &mut *socket).await;
    let path = peer.env("SUPERVISOR_SOCKET").to_owned();
    drop(peer);
    let failure = observe(&mut *socket).await.expect_err("gone");
    let said = format!("{path} does not exist. Is the daemon running, its socket elsewhere?");
    assert_eq!((failure.what.to_string(), failure.answered), (said, false));
    assert_eq!(value(&measured(failure), "supervisor_up", &[]), 0.0);
    assert_eq!(socket.unheard(), [Point::gauge("supervisor_up", &[], 0.0)]);
}

async fn a_login_is_needed_where_it_is_wanted(peer: &Peer) {
    let url = format!("url = \"{}\"", peer.env("SUPERVISOR_URL"));
    let failure = observe(&mut *sampler("supervisor", &url)).await.expect_err("refused");
    let at = peer.env("SUPERVISOR_URL").trim_start_matches("http://").trim_end_matches('/');
    let said = format!("{at} answered 401 Unauthorized. It wants a login that the profile does not give.");
    assert_eq!((failure.what.as_str(), failure.not_permitted), (said.as_str(), true));
    assert_eq!(value(&measured(failure), "supervisor_up", &[]), 0.0);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    fs::write(&file, "hunter22\n").expect("written");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("ours");
    let url = url.replace("127.0.0.1", "localhost");
    let login = format!("{url}\nuser = \"joe\"\npassword = {{ file = \"{}\" }}", file.display());
    agrees(&look(&mut *sampler("supervisor", &login)).await, peer);
    fs::write(&file, "wrong-word\n").expect("written");
    let failure = observe(&mut *sampler("supervisor", &login)).await.expect_err("refused");
    let said = "The login that the profile gives is refused (user joe). Mend it in the profile, or let it in there.";
    assert!(failure.what.as_str().ends_with(said) && failure.not_permitted, "{failure:?}");
}

async fn restarts_are_counted(peer: &Peer, sampler: &mut dyn Sampler) {
    let restarts = |seen: &Observation, name| value(seen, "supervisor_restarts_seen_total", &[("name", name)]);
    let before = look(sampler).await;
    assert_eq!((restarts(&before, "good"), restarts(&before, "stopped")), (0.0, 0.0));
    // Times of supervisord have whole seconds: a restart within the second of the start is the same one to it.
    let start = value(&before, "node_supervisord_start_time_seconds", &[("name", "good")]);
    while (RealClock.now().wall.0 as f64 / 1e9).floor() <= start {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(peer.exec(&["restart", "good"]).status.success());
    assert!(peer.exec(&["start", "stopped"]).status.success());
    let after = look(sampler).await;
    assert_eq!((restarts(&after, "good"), restarts(&after, "stopped")), (1.0, 0.0), "the first start is no restart");
    agrees(&after, peer);
}

async fn a_frozen_daemon_is_silence_and_comes_back(peer: &Peer, sampler: &mut dyn Sampler) {
    let kill = |signal: &str| {
        let status = std::process::Command::new("kill").args([signal, peer.env("SUPERVISOR_PID")]).status();
        assert!(status.expect("kill runs").success());
    };
    kill("-STOP");
    let silent = tokio::time::timeout(Duration::from_millis(300), observe(sampler)).await;
    kill("-CONT");
    assert!(silent.is_err(), "{silent:?}");
    agrees(&look(sampler).await, peer);
}
