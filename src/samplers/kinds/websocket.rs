//! `websocket`: keeps one connection and looks at what comes over it; messages are counted, never kept.
//! ```toml
//! [samplers.feed]
//! kind = "websocket"
//! url  = "wss://stream.example/feed"
//! subscribe = ['{"method": "SUBSCRIBE", "params": ["trades"]}']   # text frames sent after each connect
//! sequence = "/data/seq"                                           # JSON pointer to a running number
//! headers = { X-Key = { env = "FEED_KEY" } }                       # "text", { env = "NAME" } or { file = "/path" }; as does
//! bearer = { file = "/etc/watchkeeper/feed.token" }
//! ```
//! `websocket_up`, `_connect_duration_seconds`, `_ping_round_trip_seconds`, `_messages_total`, `_messages_per_second`, `_received_bytes_total`, `_last_message_age_seconds`
//! (before the first: since the connect), `_sequence_{gaps,missing,duplicates,out_of_order}_total`, `_closes_total{code}`, `_reconnects_total`. A peer that neither pongs nor speaks fails.

use crate::base::{Body, Clean, Clock, Failure, Fault, Mono, Now, Observation, Point, Unit};
use crate::clean;
use crate::samplers::blocking::{LOGINS, Worker};
use crate::samplers::websocket::line::{Manners, Ping, Shared, State, Tally, Task};
use crate::samplers::websocket::opening::Opener;
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::clock::RealClock;
use core::time::Duration;
use http::HeaderMap;
use serde::Deserialize;
use std::sync::Arc;
use tokio::time::timeout;

/// A sample waits so long for its pong; one that comes later is told by the next.
const PONG: Duration = Duration::from_millis(800);
/// Without a pong and without a message for so long, the connection is given up.
const LOST: Duration = Duration::from_secs(10);
/// Text frames after a connect, and the length of each.
const FRAMES: usize = 64;
const FRAME: usize = 64 << 10;

/// The kind.
pub struct Websocket;

impl Kind for Websocket {
    fn name(&self) -> &'static str {
        "websocket"
    }

    fn about(&self) -> &'static str {
        "keeps one WebSocket: round trip, messages, gaps, closes"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(WebsocketSampler::new(body)?))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["websocket_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    subscribe: Vec<String>,
    sequence: Option<String>,
}

struct WebsocketSampler {
    opener: Opener,
    manners: Arc<Manners>,
    secrets: Worker<Result<HeaderMap, Clean>>,
    shared: Arc<Shared>,
    task: Option<Task>,
    /// When messages were last counted, and how many there were.
    before: Option<(Mono, u64)>,
}

impl WebsocketSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let whole = body;
        let mut body = body.clone();
        let url: String = body.need("url")?;
        let mut opener = Opener::new(whole, &url)?;
        opener.take_secrets(&mut body)?;
        let config: Config = body.read()?;
        if config.subscribe.len() > FRAMES || config.subscribe.iter().any(|frame| frame.len() > FRAME) {
            return Err(
                whole.fault_at("subscribe", format!("`subscribe` has more than {FRAMES} frames or one above 64 KiB."))
            );
        }
        if let Some(pointer) = config.sequence.as_ref().filter(|pointer| !pointer.starts_with('/')) {
            let what = format!("the JSON pointer `{}` does not begin with `/`.", Clean::text(pointer));
            return Err(whole.fault_at("sequence", what).hint("For example /data/seq."));
        }
        let manners = Arc::new(Manners { subscribe: config.subscribe, sequence: config.sequence });
        let secrets = Worker::new(&LOGINS);
        Ok(Self { opener, manners, secrets, shared: Arc::default(), task: None, before: None })
    }

    /// Waits until the connection is open, beginning it when there is none.
    async fn open(&mut self, now: Now) -> Result<(), Failure> {
        if self.task.is_none() {
            let opener = self.opener.clone();
            let place = self.opener.place();
            let read = self.secrets.run(now.mono, move || opener.secrets()).await;
            let headers = read
                .map_err(|stuck| Failure::unreachable(format!("{place}: its secrets cannot be read: {stuck}.")))?
                .map_err(|why| Failure::unreachable(format!("{place}: {why}")))?;
            self.task = Some(self.shared.start(self.opener.clone(), headers, Arc::clone(&self.manners)));
        }
        loop {
            let state = self.shared.lock().state.clone();
            match state {
                State::Open => return Ok(()),
                State::Ended(failure) => {
                    self.task = None;
                    return Err(failure);
                }
                State::Opening => self.shared.told.notified().await,
            }
        }
    }

    /// Pings and waits a while. The ping as it then stands, and whether it was under way before.
    async fn ping(&self) -> (Ping, bool) {
        let before = self.shared.lock().ping;
        let wanted = if before.sent.is_some() { before.number } else { before.number + 1 };
        self.shared.ping();
        let back = async {
            loop {
                {
                    let tally = self.shared.lock();
                    let came = tally.ping.number >= wanted && tally.ping.sent.is_none();
                    if came || matches!(tally.state, State::Ended(_)) {
                        return;
                    }
                }
                self.shared.told.notified().await;
            }
        };
        // What is not back by now is told as such.
        let _back = timeout(PONG, back).await;
        (self.shared.lock().ping, before.sent.is_some())
    }
}

impl WebsocketSampler {
    async fn attempt(&mut self, now: Now) -> Result<Observation, Failure> {
        self.open(now).await?;
        let (ping, was_under_way) = self.ping().await;
        let now = RealClock.now().mono;
        let mut tally = self.shared.lock();
        if let State::Ended(failure) = &tally.state {
            let failure = failure.clone();
            drop(tally);
            self.task = None;
            return Err(failure);
        }
        let silent = ping.sent.filter(|sent| tally.last_message.is_none_or(|last| last < *sent));
        if let Some(sent) = silent.filter(|_| was_under_way) {
            let age = now.since(sent);
            let lost = age >= LOST;
            drop(tally);
            if lost {
                self.task = None;
            }
            let hint = if lost { "The connection is given up." } else { "Does it hang?" };
            let (place, since) = (self.opener.place(), RealClock.now().wall.back(age).hms());
            return Err(Failure::unreachable(format!("{place}: no pong and no message since {since} UTC. {hint}")));
        }
        let before = self.before.replace((now, tally.messages));
        let mut seen = observation(self.opener.place(), &mut tally, now, before);
        drop(tally);
        if self.manners.sequence.is_some() {
            self.number(&mut seen);
        }
        if self.opener.dialer().address_is_old() {
            seen.facts.push((Clean::from("address"), Clean::from("last known: the name service does not answer")));
        }
        Ok(seen)
    }
}

impl Sampler for WebsocketSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move { self.attempt(now).await.map_err(|failure| failure.with(self.unheard())) })
    }

    fn unheard(&self) -> Vec<Point> {
        let place = self.opener.place();
        let mut points = counts(place, &self.shared.lock());
        points.push(Point::gauge("websocket_up", &[("instance", place.as_str())], 0.0));
        points
    }
}

impl WebsocketSampler {
    /// Adds what the running numbers say.
    fn number(&self, seen: &mut Observation) {
        let tally = self.shared.lock();
        let sequence = &tally.sequence;
        let counts = [
            ("websocket_sequence_gaps_total", sequence.gaps),
            ("websocket_sequence_missing_total", sequence.missing),
            ("websocket_sequence_duplicates_total", sequence.duplicates),
            ("websocket_sequence_out_of_order_total", sequence.out_of_order),
        ];
        if sequence.numbered == 0 {
            let pointer = self.manners.sequence.as_deref().unwrap_or_default();
            let why = clean!("no message had a number at {pointer} so far");
            seen.not_supported.extend(counts.map(|(name, _)| (Clean::from(name), why.clone())));
            return;
        }
        let instance = [("instance", self.opener.place().as_str())];
        seen.points.extend(counts.map(|(name, count)| Point::counter(name, &instance, count as f64)));
        if tally.unread > 0 {
            let what = clean!("of {} messages, which came too fast, the number was not read", tally.unread);
            seen.facts.push((Clean::from("sequence"), what));
        }
    }
}

/// What is counted from the first connection on, whatever becomes of it.
fn counts(place: &Clean, tally: &Tally) -> Vec<Point> {
    let instance = ("instance", place.as_str());
    let counter = |name: &str, count: u64| Point::counter(name, &[instance], count as f64);
    let closes = tally.closes.iter().map(|(code, count)| {
        let code = code.to_string();
        Point::counter("websocket_closes_total", &[instance, ("code", &code)], *count as f64)
    });
    [
        counter("websocket_messages_total", tally.messages),
        counter("websocket_received_bytes_total", tally.bytes),
        counter("websocket_reconnects_total", tally.opened.saturating_sub(1)),
    ]
    .into_iter()
    .chain(closes)
    .collect()
}

fn observation(place: &Clean, tally: &mut Tally, now: Mono, before: Option<(Mono, u64)>) -> Observation {
    let instance = ("instance", place.as_str());
    let gauge = |name: &str, value| Point::gauge(name, &[instance], value);
    let mut out = Observation::default();
    let last = tally.last_message.unwrap_or(tally.since);
    out.points.extend([
        gauge("websocket_up", 1.0),
        gauge("websocket_connect_duration_seconds", tally.connect.as_secs_f64()),
        gauge("websocket_last_message_age_seconds", now.since(last).as_secs_f64()),
    ]);
    out.points.extend(counts(place, tally));
    let rate = before.and_then(|(then, count)| {
        let passed = now.since(then).as_secs_f64();
        (passed > 0.0).then(|| tally.messages.saturating_sub(count) as f64 / passed)
    });
    out.points.extend(rate.map(|rate| gauge("websocket_messages_per_second", rate)));
    match (tally.ping.sent, tally.ping.round_trip.take()) {
        (_, Some(took)) => out.points.push(gauge("websocket_ping_round_trip_seconds", took.as_secs_f64())),
        (Some(sent), None) => {
            let age = Unit::Seconds.show(now.since(sent).as_secs_f64());
            out.facts.push((Clean::from("pong"), clean!("to the ping of {age} ago: not here yet")));
        }
        (None, None) => {}
    }
    if tally.last_message.is_none() {
        let age = Unit::Seconds.show(now.since(tally.since).as_secs_f64());
        out.facts.push((Clean::from("messages"), clean!("none since it connected {age} ago")));
    }
    out.facts.extend(tally.last_close.clone().map(|what| (Clean::from("last close"), what)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_configuration_says_where_and_what() {
        for (config, what) in [
            ("url = \"http://x/\"", "p.toml:1:7: `url` begins with http://, expected ws:// or wss://."),
            (
                "url = \"ws://x/\"\nsequence = \"seq\"",
                "p.toml:2:12: the JSON pointer `seq` does not begin with `/`. For example /data/seq.",
            ),
            ("url = \"ws://x/\"\nsubscribes = []", "p.toml:2:1: unknown key `subscribes`. Did you mean `subscribe`?"),
            ("url = \"ws://joe:hunter2@x/\"", "p.toml:1:7: `url` names a user, which has no meaning here."),
        ] {
            let body = Body::parse("p.toml", config).expect("parses");
            let fault = WebsocketSampler::new(&body).err().map(|fault| fault.to_string());
            assert_eq!(fault.as_deref(), Some(what));
        }
    }

    #[test]
    fn a_mute_peer_ages_from_the_connect_and_an_older_round_trip_is_not_made_up() {
        let second = Duration::from_secs(1);
        let mut tally = Tally { since: Mono(0) + second * 10, opened: 3, ..Tally::default() };
        tally.ping.sent = Some(Mono(0) + second * 21);
        tally.closes.insert(1011, 2);
        let now = Mono(0) + second * 22;
        let seen = observation(&Clean::from("x:1"), &mut tally, now, Some((Mono(0) + second * 17, 0)));
        let value =
            |name: &str| seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value);
        assert_eq!(value("websocket_last_message_age_seconds"), Some(12.0));
        assert_eq!(value("websocket_ping_round_trip_seconds"), None);
        assert_eq!(value("websocket_messages_per_second"), Some(0.0));
        assert_eq!((value("websocket_reconnects_total"), value("websocket_closes_total")), (Some(2.0), Some(2.0)));
        assert_eq!(seen.facts[0].1.as_str(), "to the ping of 1.00 s ago: not here yet");
        assert_eq!(seen.facts[1].1.as_str(), "none since it connected 12.0 s ago");

        // One that came after its sample had ended is told by the next sample, and by no other.
        tally.ping.round_trip = Some(second * 2);
        let mut told = || observation(&Clean::from("x:1"), &mut tally, now, None).facts.len();
        assert_eq!([told(), told()], [1, 2]);
    }
}
