//! `tcp`: connects to a port; for a port of this host also its queue, its connections and whose it is.
//! ```toml
//! [samplers.port]
//! kind = "tcp"
//! url  = "127.0.0.1:8080"          # or tcp://host:port
//! unit = "norse.service"           # who ought to hold it; or pid_file = "/run/norse.pid"
//! connect = true                   # the default; false only looks, and no connection ever disturbs the service
//! ```
//! `probe_success`, `probe_duration_seconds`, `probe_dns_lookup_time_seconds` as the blackbox exporter; `tcp_connect_duration_seconds`,
//! `tcp_listening`, `tcp_listener_backlog` with `_limit` and `_somaxconn` (connections), `tcp_listener_drops_total`, `tcp_listener_owner_matches`
//! (0, 1), `tcp_connections{state}`, `tcp_peer_connections{peer}` (the ten largest), `node_netstat_TcpExt_ListenOverflows` and `_ListenDrops` (whole host).

use crate::base::{Body, Clean, Clock, Failure, Fault, Now, Observation, Point, PointKind};
use crate::clean;
use crate::samplers::blocking::{PROCESSES, Worker};
use crate::samplers::dial::{CONNECT, Dialer, Line, Trouble};
use crate::samplers::tcp::listener::{self, Owner, Seen, Wanted};
use crate::samplers::tcp::sock_diag::{STATES, Socket};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::clock::RealClock;
use core::net::IpAddr;
use core::time::Duration;
use serde::Deserialize;
use std::path::PathBuf;

/// To a port of this host: longer than this a connection waits only for a place in a full queue, and a second is the
/// shortest interval.
const NEAR: Duration = Duration::from_millis(800);
/// After a search for the holder that found nobody so many looks go without one.
const PATIENCE: u32 = 12;
/// Other ends that are named; the rest is one series.
const PEERS: usize = 10;

/// The kind.
pub struct Tcp;

impl Kind for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn about(&self) -> &'static str {
        "connects to a port: round trip; of a local one its queue, connections and holder"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(TcpSampler::new(body)?))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["probe_", "tcp_", "node_netstat_TcpExt_ListenDrops", "node_netstat_TcpExt_ListenOverflows"]
            .map(str::to_owned)
            .into()
    }
}

/// What is only known of a listener of this host.
const LISTENER: [&str; 6] = [
    "tcp_listening",
    "tcp_listener_backlog",
    "tcp_listener_backlog_limit",
    "tcp_listener_drops_total",
    "tcp_listener_owner_matches",
    "tcp_listener_somaxconn",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    #[serde(default = "yes")]
    connect: bool,
    unit: Option<String>,
    pid_file: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

struct TcpSampler {
    dialer: Dialer,
    connect: bool,
    owner: Option<Owner>,
    worker: Worker<Result<Seen, Clean>>,
    /// Who held the port when it was last known.
    held_by: Vec<u32>,
    /// Looks until a fruitless search is repeated.
    patience: u32,
}

impl TcpSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let config: Config = body.read()?;
        let (dialer, _) = Dialer::new(body, &config.url, &["tcp"])?;
        let owner = match (config.unit, config.pid_file) {
            (Some(_), Some(_)) => {
                return Err(body.fault_at("pid_file", "`unit` and `pid_file` both say who ought to hold the port."));
            }
            (Some(unit), None) if unit.is_empty() || unit.contains('/') => {
                return Err(body.fault_at("unit", "`unit` is no unit's name.").hint("For example norse.service."));
            }
            (Some(unit), None) => Some(Owner::Unit(if unit.contains('.') { unit } else { unit + ".service" })),
            (None, Some(path)) if !path.is_absolute() => {
                return Err(body.fault_at("pid_file", "`pid_file` does not begin with `/`."));
            }
            (None, path) => path.map(Owner::PidFile),
        };
        let worker = Worker::new(&PROCESSES);
        Ok(Self { dialer, connect: config.connect, owner, worker, held_by: Vec::new(), patience: 0 })
    }

    /// In words too, and first: who holds the port instead.
    fn say_wrong_owner(&self, seen: &mut Observation) {
        let wrong = |point: &Point| point.key.name.as_str() == "tcp_listener_owner_matches" && point.value == 0.0;
        let Some(owner) = self.owner.as_ref().filter(|_| seen.points.iter().any(wrong)) else { return };
        let holder = seen.facts.iter().find(|(name, _)| name.as_str() == "listener").map(|(_, holder)| holder.clone());
        let holder = holder.unwrap_or_else(|| Clean::from("another process"));
        let port = self.dialer.port();
        seen.facts.insert(0, (Clean::from("WRONG OWNER"), clean!("port {port} is held by {holder}, not by {owner}")));
    }

    async fn look(&mut self, now: Now, at: &[IpAddr], ours: bool) -> Result<Seen, Clean> {
        let (port, at) = (self.dialer.port(), at.to_vec());
        if !ours {
            let look = move || listener::look_away(port, &at);
            return self.worker.run(now.mono, look).await.map_err(|stuck| clean!("{stuck}"))?;
        }
        let held_by = core::mem::take(&mut self.held_by);
        let wanted = Wanted { port, at, owner: self.owner.clone(), held_by, search: self.patience == 0 };
        let seen =
            self.worker.run(now.mono, move || listener::look(&wanted)).await.map_err(|stuck| clean!("{stuck}"))?;
        self.patience = match seen.as_ref().map(|seen| &seen.holders) {
            Ok(Some(Err(_))) => self.patience.checked_sub(1).unwrap_or(PATIENCE),
            _ => 0,
        };
        if let Ok(Some(Ok(held_by))) = seen.as_ref().map(|seen| &seen.holders) {
            self.held_by.clone_from(held_by);
        }
        seen
    }
}

impl Sampler for TcpSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let place = self.dialer.place().clone();
            let at: Vec<IpAddr> = match self.dialer.addresses().await {
                Ok(found) => found.iter().map(core::net::SocketAddr::ip).collect(),
                Err(trouble) => return Err(trouble.failure(&place).with(self.unheard())),
            };
            let ours = at.iter().all(|ip| listener::is_ours(*ip));
            // Before the connection, so that our own is not counted.
            let seen = self.look(now, &at, ours).await;
            let begun = RealClock.now().mono;
            let line = match &seen {
                _ if !self.connect => None,
                Ok(seen) if seen.is_full() => Some(Err(Trouble::Full)),
                _ => Some(self.dialer.dial(if ours { NEAR } else { CONNECT }).await),
            };
            let took = RealClock.now().mono.since(begun);
            let line = line.as_ref().map(|line| (line.as_ref(), took));
            let mut outcome = observation(&place, ours, line, seen)?;
            self.say_wrong_owner(&mut outcome);
            if self.dialer.address_is_old() {
                outcome
                    .facts
                    .push((Clean::from("address"), Clean::from("last known: the name service does not answer")));
            }
            Ok(outcome)
        })
    }

    fn unheard(&self) -> Vec<Point> {
        let down = || Point::gauge("probe_success", &[("instance", self.dialer.place().as_str())], 0.0);
        self.connect.then(down).into_iter().collect()
    }
}

/// `line`: what came of connecting, where that is done, and how long that took.
fn observation(
    place: &Clean,
    ours: bool,
    line: Option<(Result<&Line, &Trouble>, Duration)>,
    seen: Result<Seen, Clean>,
) -> Result<Observation, Failure> {
    let mut out = Observation::default();
    let gauge = |name: &str, value| Point::gauge(name, &[("instance", place.as_str())], value);
    match line {
        Some((Ok(line), _)) => out.points.extend([
            gauge("probe_success", 1.0),
            gauge("probe_duration_seconds", (line.lookup + line.connect).as_secs_f64()),
            gauge("probe_dns_lookup_time_seconds", line.lookup.as_secs_f64()),
            gauge("tcp_connect_duration_seconds", line.connect.as_secs_f64()),
        ]),
        Some((Err(_), took)) => {
            out.points.extend([gauge("probe_success", 0.0), gauge("probe_duration_seconds", took.as_secs_f64())]);
        }
        None => {}
    }
    let failure = match line {
        // Where the listener can be seen its queue goes on being measured: it is what tells why nobody gets in.
        Some((Err(trouble @ (Trouble::Silent(_) | Trouble::Full)), _))
            if seen.as_ref().is_ok_and(|seen| !seen.listeners.is_empty()) =>
        {
            out.facts.push((Clean::from("connect"), Clean::text(trouble.sentence(place))));
            None
        }
        Some((Err(trouble), _)) => Some(refined(trouble, place, ours, &seen)),
        Some((Ok(_), _)) | None => None,
    };
    match seen {
        Ok(seen) => tell(&mut out, place, ours, &seen),
        Err(why) if line.is_none() => return Err(Failure::unreachable(format!("{place}: {why}."))),
        Err(why) => out.not_supported.push((Clean::from("tcp_connections"), why)),
    }
    match failure {
        Some(failure) => Err(failure.with(out.points)),
        None => Ok(out),
    }
}

/// The sentence of a connection that failed, with what the look knows.
fn refined(trouble: &Trouble, place: &Clean, ours: bool, seen: &Result<Seen, Clean>) -> Failure {
    match (trouble, seen) {
        (Trouble::Refused, Ok(seen)) if ours && seen.listeners.is_empty() => Failure::unreachable(format!(
            "{place} refused the connection: nobody listens there. Is the service running?"
        )),
        _ => trouble.failure(place),
    }
}

fn tell(out: &mut Observation, place: &Clean, ours: bool, seen: &Seen) {
    let instance = ("instance", place.as_str());
    let gauge = |name: &str, value: f64| Point::gauge(name, &[instance], value);
    let connections = STATES.iter().zip(&seen.states).filter(|(state, _)| **state != "listen");
    out.points.extend(
        connections
            .map(|(state, count)| Point::gauge("tcp_connections", &[instance, ("state", state)], f64::from(*count))),
    );
    out.points.extend(
        peers(seen)
            .into_iter()
            .map(|(peer, count)| Point::gauge("tcp_peer_connections", &[instance, ("peer", &peer)], f64::from(count))),
    );
    if seen.cut {
        out.facts.push((Clean::from("connections"), Clean::from("more than are counted")));
    }
    if !ours {
        let why = clean!("{place} is on another host");
        let names = LISTENER.iter().map(|name| (Clean::from(*name), why.clone()));
        out.not_supported.extend(names);
        return;
    }
    let untyped = |name: &str, value| Point { key: gauge(name, 0.0).key, value, kind: PointKind::Untyped };
    out.points.push(gauge("tcp_listening", f64::from(u8::from(!seen.listeners.is_empty()))));
    out.points.extend(seen.overflows.map(|count| untyped("node_netstat_TcpExt_ListenOverflows", count)));
    out.points.extend(seen.drops.map(|count| untyped("node_netstat_TcpExt_ListenDrops", count)));
    out.points.extend(seen.somaxconn.map(|most| gauge("tcp_listener_somaxconn", most)));
    if seen.listeners.is_empty() {
        out.facts.push((Clean::from("listener"), Clean::from("nobody")));
        let why = clean!("nobody listens at {place}");
        out.not_supported.push((Clean::from("tcp_listener_owner_matches"), why));
        return;
    }
    let sum = |of: fn(&Socket) -> f64| seen.listeners.iter().map(of).sum::<f64>();
    out.points.push(gauge("tcp_listener_backlog", sum(|socket| f64::from(socket.waiting))));
    out.points.push(gauge("tcp_listener_backlog_limit", sum(|socket| f64::from(socket.limit))));
    if seen.listeners.iter().all(|socket| socket.drops.is_some()) {
        let drops = sum(|socket| socket.drops.map_or(0.0, f64::from));
        out.points.push(Point::counter("tcp_listener_drops_total", &[instance], drops));
    } else {
        let why = Clean::from("this kernel does not count them by socket");
        out.not_supported.push((Clean::from("tcp_listener_drops_total"), why));
    }
    out.facts.extend(seen.holder.clone().map(|holder| (Clean::from("listener"), holder)));
    match (&seen.matches, &seen.holders) {
        (Some(Ok(matches)), _) => out.points.push(gauge("tcp_listener_owner_matches", f64::from(u8::from(*matches)))),
        (Some(Err(why)), _) | (None, Some(Err(why))) => {
            out.not_supported.push((Clean::from("tcp_listener_owner_matches"), why.clone()));
        }
        _ => {}
    }
}

/// The other ends with most connections, and all others together.
fn peers(seen: &Seen) -> Vec<(String, u32)> {
    let mut peers: Vec<(IpAddr, u32)> = seen.peers.iter().map(|(peer, count)| (*peer, *count)).collect();
    peers.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
    let rest: u32 = peers.iter().skip(PEERS).map(|(_, count)| count).sum();
    let named = peers.iter().take(PEERS).map(|(peer, count)| (peer.to_string(), *count));
    named.chain((rest > 0).then(|| ("others".to_owned(), rest))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::tcp::sock_diag::LISTEN;

    fn fault(config: &str) -> Option<String> {
        let body = Body::parse("p.toml", config).expect("parses");
        TcpSampler::new(&body).err().map(|fault| fault.to_string())
    }

    #[test]
    fn a_bad_configuration_says_where_and_what() {
        for (config, what) in [
            ("url = \"http://x:1\"", "p.toml:1:7: `url` begins with http://, expected tcp://."),
            ("url = \"x:1\"\nunit = \"a/b\"", "p.toml:2:8: `unit` is no unit's name. For example norse.service."),
            ("url = \"x:1\"\npid_file = \"x\"", "p.toml:2:12: `pid_file` does not begin with `/`."),
            (
                "url = \"x:1\"\nunit = \"a\"\npid_file = \"/x\"",
                "p.toml:3:12: `unit` and `pid_file` both say who ought to hold the port.",
            ),
        ] {
            assert_eq!(fault(config).as_deref(), Some(what));
        }
    }

    #[test]
    fn the_largest_peers_are_named_and_the_rest_is_one() {
        let mut seen = Seen::default();
        seen.peers.extend((0..13_u8).map(|last| (IpAddr::from([10, 0, 0, last]), u32::from(last) + 1)));
        let peers = peers(&seen);
        assert_eq!(peers.first(), Some(&("10.0.0.12".to_owned(), 13)));
        assert_eq!((peers.len(), peers.last()), (11, Some(&("others".to_owned(), 6))));
    }

    #[test]
    fn a_full_queue_is_measured_while_nobody_gets_in_and_nothing_else_hides_a_failure() {
        let place = Clean::from("127.0.0.1:8080");
        let socket = |waiting| Socket {
            state: LISTEN,
            local: [127, 0, 0, 1].into(),
            remote: [0, 0, 0, 0].into(),
            waiting,
            limit: 4,
            uid: 0,
            inode: 9,
            drops: None,
        };
        let full = || Ok(Seen { listeners: vec![socket(5), socket(3)], ..Seen::default() });
        let tried = |trouble, seen| observation(&place, true, Some((Err(trouble), NEAR)), seen);
        let silent = Trouble::Silent(NEAR);
        let seen = tried(&silent, full()).expect("an observation");
        let of = |points: &[Point], name: &str| {
            points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
        };
        let value = |name: &str| of(&seen.points, name);
        assert_eq!((value("probe_success"), value("tcp_listener_backlog")), (Some(0.0), Some(8.0)));
        assert_eq!(value("tcp_listener_drops_total"), None, "not zero");
        assert_eq!(
            seen.facts[0].1.as_str(),
            "127.0.0.1:8080: no connection within 800 ms. Is the host up, the port open?"
        );
        assert!(tried(&silent, Ok(Seen::default())).is_err());
        let refused = tried(&Trouble::Refused, full()).expect_err("a failure");
        assert_eq!(
            (of(&refused.seen.points, "probe_success"), of(&refused.seen.points, "tcp_listening")),
            (Some(0.0), Some(1.0))
        );
    }
}
