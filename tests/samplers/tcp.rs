//! `tcp` against listeners of this host, a proxy that misbehaves and a second host behind a cable, with `ss` as judge.

use crate::peer::{self, Peer};
use crate::server::refusing;
use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use watchkeeper::base::{Clock, Failure, Observation};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("an answer")
}

async fn complaint(sampler: &mut dyn Sampler) -> Failure {
    observe(sampler).await.expect_err("a failure")
}

fn fact<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.facts.iter().find(|(known, _)| known.as_str() == name);
    found.map_or_else(|| panic!("no {name} in {:?}", seen.facts), |(_, what)| what.as_str())
}

/// Recv-Q and Send-Q of the listener, as `ss` says; `None` where it is not installed.
fn judge(port: u16) -> Option<[f64; 2]> {
    let Ok(output) = Command::new("ss").args(["-Hltn", &format!("sport = :{port}")]).output() else {
        peer::skip("ss", "not installed: apt-get install iproute2");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text.split_whitespace().skip(1).map(|word| word.parse().expect("a number"));
    Some([words.next().expect("Recv-Q"), words.next().expect("Send-Q")])
}

#[tokio::test]
async fn the_queue_is_what_ss_says_while_a_service_stops_accepting_and_is_full_in_the_end() {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
    let listener = socket.expect("a socket");
    let any: core::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
    rustix::net::bind(&listener, &any).expect("a port");
    rustix::net::listen(&listener, 4).expect("listens");
    let listener = TcpListener::from(listener);
    let at = listener.local_addr().expect("bound");
    let mut tcp = sampler("tcp", &format!("url = \"tcp://{at}\"\nconnect = false"));
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let seen = look(&mut *tcp).await;
        let Some([queue, limit]) = judge(at.port()) else { return };
        assert_eq!(
            (value(&seen, "tcp_listener_backlog", &[]), value(&seen, "tcp_listener_backlog_limit", &[])),
            (queue, limit)
        );
        assert_eq!(queue, waiting.len() as f64, "connect = false adds none");
        assert_eq!(value(&seen, "tcp_connections", &[("state", "established")]), queue);
        assert_eq!(find(&seen, "probe_success", &[]), None, "nothing was tried");
        waiting.push(TcpStream::connect(at).expect("a place in the queue"));
    }
    let drops = value(&look(&mut *tcp).await, "tcp_listener_drops_total", &[]);
    let overflows = value(&look(&mut *tcp).await, "node_netstat_TcpExt_ListenOverflows", &[]);
    while waiting.len() < 5 {
        waiting.push(TcpStream::connect(at).expect("a place in the queue"));
    }
    TcpStream::connect_timeout(&at, Duration::from_millis(50)).expect_err("no place");
    let mut connecting = sampler("tcp", &format!("url = \"{at}\""));
    let full = look(&mut *connecting).await;
    assert_eq!((value(&full, "tcp_listener_backlog", &[]), value(&full, "probe_success", &[])), (5.0, 0.0));
    let words = format!("{at}: its queue is full: what listens there accepts nobody. Does it hang?");
    assert_eq!(fact(&full, "connect"), words);
    assert!(value(&full, "tcp_listener_drops_total", &[]) > drops, "{full:?}");
    assert!(value(&full, "node_netstat_TcpExt_ListenOverflows", &[]) > overflows, "{full:?}");

    waiting.clear();
    for _ in 0..5 {
        drop(listener.accept().expect("one that waited"));
    }
    let free = look(&mut *connecting).await;
    assert_eq!((value(&free, "tcp_listener_backlog", &[]), value(&free, "probe_success", &[])), (0.0, 1.0));
    assert!((0.0..0.5).contains(&value(&free, "tcp_connect_duration_seconds", &[])));
}

#[tokio::test]
async fn whose_the_port_is_is_told_and_whether_that_is_right() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let us = std::process::id();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("norse.pid");
    let mut by_file = sampler("tcp", &format!("url = \"{at}\"\nconnect = false\npid_file = \"{}\"", file.display()));
    let missing = look(&mut *by_file).await;
    assert_eq!(find(&missing, "tcp_listener_owner_matches", &[]), None);
    assert!(missing.not_supported[0].1.as_str().contains("norse.pid: No such file"), "{:?}", missing.not_supported);
    for (pid, matches) in [(us, 1.0), (1, 0.0)] {
        std::fs::write(&file, format!("{pid}\n")).expect("written");
        let seen = look(&mut *by_file).await;
        assert_eq!(value(&seen, "tcp_listener_owner_matches", &[]), matches, "{pid}");
        assert!(fact(&seen, "listener").starts_with(&format!("process {us} (")), "{}", fact(&seen, "listener"));
    }
    let mut by_unit = sampler("tcp", &format!("url = \"{at}\"\nunit = \"norse\""));
    let wrong = look(&mut *by_unit).await;
    assert_eq!(value(&wrong, "tcp_listener_owner_matches", &[]), 0.0, "we are no unit of that name");
    let words = fact(&wrong, "WRONG OWNER");
    assert!(words.starts_with("port ") && words.ends_with(", not by norse.service"), "{words}");
    drop(listener);

    let (_held, at) = refusing();
    let gone = complaint(&mut *sampler("tcp", &format!("url = \"{at}\"\nunit = \"norse\""))).await;
    let words = format!("{at} refused the connection: nobody listens there. Is the service running?");
    assert_eq!((gone.what.as_str(), gone.answered), (words.as_str(), false));
    let gone = measured(gone);
    assert_eq!((value(&gone, "probe_success", &[]), value(&gone, "tcp_listening", &[])), (0.0, 0.0));
    let nobody = look(&mut *sampler("tcp", &format!("url = \"{at}\"\nconnect = false\nunit = \"norse\""))).await;
    assert_eq!(value(&nobody, "tcp_listening", &[]), 0.0);
    assert_eq!(fact(&nobody, "listener"), "nobody");
    assert_eq!(find(&nobody, "tcp_listener_owner_matches", &[]), None, "nobody is neither right nor wrong");
}

#[tokio::test]
async fn through_a_proxy_that_refuses_and_comes_back() {
    let Some(proxy) = peer::start_with("slow-proxy", &[("UPSTREAM", "127.0.0.1:9")]) else { return };
    let mut tcp = sampler("tcp", &format!("url = \"{}\"", proxy.env("PROXY_ADDR")));
    let mode = |proxy: &Peer, mode: &str| assert!(proxy.exec(&[&format!("mode={mode}")]).status.success(), "{mode}");
    for _ in 0..2 {
        mode(&proxy, "blackhole");
        let seen = look(&mut *tcp).await;
        assert_eq!(value(&seen, "probe_success", &[]), 1.0, "it accepts");
        assert!(fact(&seen, "listener").contains("(python3)"), "{:?}", seen.facts);
        mode(&proxy, "refuse");
        let refused = complaint(&mut *tcp).await;
        assert!(refused.what.as_str().contains("refused the connection: nobody listens there"));
        without_a_duration(refused);
    }
}

/// Who is not reached took no time, rather than a long one.
fn without_a_duration(failure: Failure) {
    let seen = measured(failure);
    assert_eq!(value(&seen, "probe_success", &[]), 0.0);
    assert_eq!(find(&seen, "tcp_connect_duration_seconds", &[]), None, "{seen:?}");
}

#[tokio::test]
async fn a_pulled_cable_is_silence_and_a_missing_route_is_no_way() {
    let Some(far) = peer::start("netns") else { return };
    let ip = far.env("NETNS_IP").to_owned();
    let mut tcp = sampler("tcp", &format!("url = \"tcp://{ip}:9\""));
    assert_eq!(
        complaint(&mut *tcp).await.what.as_str(),
        format!("{ip}:9 refused the connection. Is the service running?")
    );
    for _ in 0..2 {
        assert!(far.cable("down"));
        let start = RealClock.now().mono;
        let cut = complaint(&mut *tcp).await;
        let words = format!("{ip}:9: no connection within 2.00 s. Is the host up, the port open?");
        assert_eq!((cut.what.as_str(), cut.answered), (words.as_str(), false));
        without_a_duration(cut);
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(10));
        assert!(far.cable("up"));
        // The far side's address may have to be asked for anew.
        let start = RealClock.now().mono;
        while !complaint(&mut *tcp).await.what.as_str().contains("refused the connection") {
            assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "it never comes back");
        }
    }
    drop(far);
    let mut nowhere = sampler("tcp", "url = \"255.255.255.255:9\"");
    let unreachable = complaint(&mut *nowhere).await;
    assert!(unreachable.what.as_str().contains("255.255.255.255:9 is unreachable: "));
    without_a_duration(unreachable);
}
