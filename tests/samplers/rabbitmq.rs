//! `rabbitmq` against a real broker, its own Prometheus page as the judge. One broker serves the whole file, since it
//! takes long to start.

use crate::peer::{self, Peer};
use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use std::process::Command;
use watchkeeper::base::{Clock, Observation, Point};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

/// A hang guard: the broker counts every second.
const GUARD: Duration = Duration::from_secs(60);

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("an answer")
}

/// Looks until this is so.
async fn until(sampler: &mut dyn Sampler, so: impl Fn(&Observation) -> bool) -> Observation {
    let start = RealClock.now().mono;
    loop {
        let seen = look(sampler).await;
        if so(&seen) {
            return seen;
        }
        assert!(RealClock.now().mono.since(start) < GUARD, "never so: {seen:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asks the broker's own interface.
fn api(peer: &Peer, method: &str, path: &str, body: &str) {
    let url = format!("{}{path}", peer.env("RABBITMQ_API"));
    let arguments = ["-fsS", "-o", "/dev/null", "-X", method, "-H", "content-type: application/json", "-d", body, &url];
    let output = Command::new("curl").args(arguments).output().expect("curl");
    assert!(output.status.success(), "{method} {path}: {output:?}");
}

const ORDERS: [(&str, &str); 2] = [("queue", "orders"), ("vhost", "/")];

#[tokio::test]
async fn queues_and_nodes_are_what_the_broker_says_of_itself() {
    let Some(peer) = peer::start("rabbitmq") else { return };
    let url = peer.env("RABBITMQ_API").to_owned();
    let mut all = sampler("rabbitmq", &format!("url = \"{url}\""));
    uncounted_is_absent(&peer, &mut *all).await;
    agrees_with_its_own_page(&peer, &mut *all).await;
    only_what_is_asked_for(&peer, &url).await;
    refusals_are_sentences(&peer, &url).await;
    frozen_and_gone(&peer, &mut *all).await;
}

/// A queue that was declared just now has no count in its JSON at all.
async fn uncounted_is_absent(peer: &Peer, all: &mut dyn Sampler) {
    api(peer, "PUT", "/queues/%2F/fresh", "{\"durable\": true}");
    let seen = look(all).await;
    assert_eq!(find(&seen, "rabbitmq_queue_messages", &[("queue", "fresh")]), None, "{seen:?}");
    let why = seen.not_supported.iter().find(|(name, _)| name.as_str() == "rabbitmq_queue_messages");
    assert!(why.is_some_and(|(_, why)| why.as_str().starts_with("the broker has not counted ")), "{seen:?}");
    let counted = until(all, |seen| find(seen, "rabbitmq_queue_messages", &[("queue", "fresh")]).is_some()).await;
    assert_eq!(value(&counted, "rabbitmq_queue_messages", &[("queue", "fresh")]), 0.0);
}

async fn agrees_with_its_own_page(peer: &Peer, all: &mut dyn Sampler) {
    let get = r#"{"count": 5, "ackmode": "ack_requeue_false", "encoding": "auto"}"#;
    api(peer, "POST", "/queues/%2F/orders/get", get);
    let seen = until(all, |seen| find(seen, "rabbitmq_queue_messages_delivered_total", &ORDERS) == Some(5.0)).await;
    let seen = if value(&seen, "rabbitmq_queue_messages", &ORDERS) == 20.0 {
        seen
    } else {
        until(all, |seen| value(seen, "rabbitmq_queue_messages", &ORDERS) == 20.0).await
    };
    assert_eq!(value(&seen, "rabbitmq_queue_messages_published_total", &ORDERS), 25.0);
    let mut judge = sampler("scrape", &format!("url = \"{}\"", peer.env("RABBITMQ_METRICS")));
    let page = look(&mut *judge).await;
    for name in [
        "rabbitmq_queue_messages",
        "rabbitmq_queue_messages_ready",
        "rabbitmq_queue_messages_unacked",
        "rabbitmq_queue_consumers",
    ] {
        assert_eq!(value(&seen, name, &ORDERS), value(&page, name, &[]), "{name}: `orders` is the only one with any");
    }
    for name in [
        "rabbitmq_resident_memory_limit_bytes",
        "rabbitmq_disk_space_available_limit_bytes",
        "rabbitmq_process_max_fds",
        "rabbitmq_process_max_tcp_sockets",
        "rabbitmq_erlang_processes_limit",
        "rabbitmq_alarms_memory_used_watermark",
        "rabbitmq_alarms_free_disk_space_watermark",
        "rabbitmq_queues",
        "rabbitmq_connections",
    ] {
        assert_eq!(value(&seen, name, &[]), value(&page, name, &[]), "{name}");
    }
    // These move by themselves.
    for name in
        ["rabbitmq_process_resident_memory_bytes", "rabbitmq_disk_space_available_bytes", "rabbitmq_process_open_fds"]
    {
        let (ours, theirs) = (value(&seen, name, &[]), value(&page, name, &[]));
        assert!(ours > theirs * 0.5 && ours < theirs * 2.0, "{name}: {ours} against {theirs}");
    }
    assert_eq!(value(&seen, "rabbitmq_running", &[]), 1.0);
    let at = peer.env("RABBITMQ_API").rsplit('@').next().and_then(|rest| rest.split('/').next()).expect("an address");
    assert_eq!(value(&seen, "rabbitmq_up", &[("instance", at)]), 1.0);
    assert_eq!(all.unheard(), [Point::gauge("rabbitmq_up", &[("instance", at)], 0.0)]);
}

async fn only_what_is_asked_for(peer: &Peer, url: &str) {
    let of = async |more: &str| {
        let seen = look(&mut *sampler("rabbitmq", &format!("url = \"{url}\"\n{more}"))).await;
        let queues = seen.points.iter().filter(|point| point.key.name.as_str() == "rabbitmq_queue_consumers");
        let mut names: Vec<String> =
            queues.filter_map(|point| point.key.label("queue").map(ToString::to_string)).collect();
        names.sort();
        names
    };
    assert_eq!(of("").await, ["fresh", "orders"]);
    assert_eq!(of("queues = [\"ord*\"]").await, ["orders"]);
    assert_eq!(of("queues = [\"rder\", \"fres.\"]").await, [""; 0]);
    assert_eq!(of("vhost = \"/\"\nqueues = [\"fresh\", \"nothing\"]").await, ["fresh"]);
    api(peer, "PUT", "/vhosts/other", "");
    assert_eq!(of("vhost = \"other\"").await, [""; 0]);
}

async fn refusals_are_sentences(peer: &Peer, url: &str) {
    let bare = url.replace("guest:guest@", "");
    let at = bare.trim_start_matches("http://").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let write = |word: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&file, word).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("ours");
    };
    write("canary-password-1\n");
    let config = format!("url = \"{bare}\"\nuser = \"watch\"\npassword = {{ file = \"{}\" }}", file.display());
    let mut watch = sampler("rabbitmq", &config);
    let refused = observe(&mut *watch).await.expect_err("nobody knows it");
    let words = format!(
        "{at}/overview answered 401 Unauthorized, error: not_authorized. \
         The login that the profile gives is refused (user watch). Mend it in the profile, or let it in there."
    );
    assert_eq!((refused.what.as_str(), refused.not_permitted), (words.as_str(), true));
    let instance = at.trim_end_matches("/api");
    assert_eq!(value(&measured(refused), "rabbitmq_up", &[("instance", instance)]), 0.0);
    for (url, words) in [
        (bare.clone(), "It wants a login that the profile does not give."),
        (bare.replace("://", "://guest:other@"), "The login that the profile gives is refused. Mend it "),
    ] {
        let refused = observe(&mut *sampler("rabbitmq", &format!("url = \"{url}\""))).await.expect_err("refused");
        assert!(refused.what.as_str().contains(words), "{refused:?}");
    }
    // A changed password is taken up; a user that may only see its own queues is told so for the nodes.
    api(peer, "PUT", "/users/watch", r#"{"password": "canary-password-2", "tags": "management"}"#);
    api(peer, "PUT", "/permissions/%2F/watch", r#"{"configure": "^$", "write": "^$", "read": ".*"}"#);
    write("canary-password-2\n");
    let seen = look(&mut *watch).await;
    assert!(find(&seen, "rabbitmq_queue_consumers", &ORDERS).is_some(), "{seen:?}");
    let why = seen.refused.iter().find(|(name, _)| name.as_str() == "rabbitmq_process_resident_memory_bytes");
    assert_eq!(why.expect("no nodes").1.as_str(), "the user watch may not see nodes; give it the tag monitoring");
    let nowhere = format!("url = \"{url}\"\nvhost = \"nowhere\"");
    let missing = observe(&mut *sampler("rabbitmq", &nowhere)).await.expect_err("no such vhost");
    assert_eq!(
        missing.what.as_str(),
        format!("{at}/queues/nowhere answered 404 Not Found, error: Object Not Found. Is the path right?")
    );
}

/// A dropped sample keeps the connection; a broker that hangs is silence, and comes back.
async fn frozen_and_gone(peer: &Peer, all: &mut dyn Sampler) {
    let port =
        peer.env("RABBITMQ_API").rsplit(':').next().and_then(|end| end.split('/').next()).expect("a port").to_owned();
    let mut judge = sampler("tcp", &format!("url = \"127.0.0.1:{port}\"\nconnect = false"));
    let holder = look(&mut *judge).await.facts.iter().find(|(name, _)| name.as_str() == "listener").cloned();
    let pid = holder.and_then(|(_, words)| words.as_str().split(' ').nth(1)?.parse().ok()).expect("a process");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    for _ in 0..2 {
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("ours");
        let hanging = tokio::time::timeout(Duration::from_millis(300), observe(all)).await;
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("ours");
        assert!(hanging.is_err(), "{hanging:?}");
        assert_eq!(value(&look(all).await, "rabbitmq_running", &[]), 1.0);
    }
}
