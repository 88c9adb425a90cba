//! One WebSocket connection that is kept between samples: a task reads it and counts, and pings when it is asked to.
//! Messages are counted, never kept.

use crate::base::{Clean, Clock, Failure, Mono};
use crate::clean;
use crate::samplers::json;
use crate::samplers::websocket::opening::{self, Opener, Stream};
use crate::samplers::websocket::sequence::Sequence;
use crate::sys::clock::RealClock;
use core::time::Duration;
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

/// A peer that takes nothing for so long is lost.
const SEND: Duration = Duration::from_secs(2);
/// For the farewell.
const CLOSING: Duration = Duration::from_secs(1);
/// Messages whose number is looked for, in any second: more are counted only.
const READ: u32 = 2_000;
/// And bytes of them.
const READ_BYTES: usize = 4 << 20;
/// Different close codes that are counted apart.
const CODES: usize = 32;

/// The counts of every connection so far, and the state of the present one.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) state: State,
    pub(crate) opened: u64,
    pub(crate) connect: Duration,
    pub(crate) since: Mono,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) last_message: Option<Mono>,
    pub(crate) sequence: Sequence,
    /// Messages whose number was not looked for, since they came too fast.
    pub(crate) unread: u64,
    pub(crate) closes: BTreeMap<u16, u64>,
    pub(crate) last_close: Option<Clean>,
    pub(crate) ping: Ping,
    /// A second, how many numbers were looked for in it, and in how many bytes.
    pub(crate) window: (u64, u32, usize),
}

/// The ping under way, and the last that came back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ping {
    pub(crate) number: u64,
    pub(crate) sent: Option<Mono>,
    /// Taken out once it was told.
    pub(crate) round_trip: Option<Duration>,
}

/// Of the present connection.
#[derive(Clone, Debug, Default)]
pub(crate) enum State {
    #[default]
    Opening,
    Open,
    Ended(Failure),
}

/// What the task and the sampler share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    tally: Mutex<Tally>,
    /// The sampler wants a ping.
    asked: Notify,
    /// Something changed that the sampler may wait for.
    pub(crate) told: Notify,
}

/// The running task; dropped, it ends and the connection with it.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What to send at the beginning and where to look for numbers.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    pub(crate) subscribe: Vec<String>,
    /// RFC 6901.
    pub(crate) sequence: Option<String>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the task send a ping, unless one is under way.
    pub(crate) fn ping(&self) {
        self.asked.notify_one();
    }

    /// Opens a connection in a task of its own.
    pub(crate) fn start(self: &Arc<Self>, opener: Opener, headers: HeaderMap, manners: Arc<Manners>) -> Task {
        {
            let mut tally = self.lock();
            tally.state = State::Opening;
            tally.ping = Ping { number: tally.ping.number, ..Ping::default() };
            tally.sequence.restart();
        }
        let shared = Arc::clone(self);
        Task(tokio::spawn(async move {
            let failure = match opener.open(headers).await {
                Ok((stream, took)) => shared.keep(stream, took, opener.place(), &manners).await,
                Err(failure) => failure,
            };
            shared.lock().state = State::Ended(failure);
            shared.told.notify_one();
        }))
    }

    /// Lives on an open connection until it ends.
    async fn keep(&self, mut stream: Stream, took: Duration, place: &Clean, manners: &Manners) -> Failure {
        {
            let mut tally = self.lock();
            tally.state = State::Open;
            tally.opened += 1;
            tally.connect = took;
            tally.since = RealClock.now().mono;
        }
        self.told.notify_one();
        let (code, what) = self.converse(&mut stream, manners).await;
        let mut tally = self.lock();
        if tally.closes.len() < CODES || tally.closes.contains_key(&code) {
            *tally.closes.entry(code).or_default() += 1;
        }
        tally.last_close = Some(clean!("{code} ({}): it {what}", opening::meaning(code)));
        Failure::unreachable(format!("{place} {what}."))
    }

    /// Why the connection ended, as a close code and words.
    async fn converse(&self, stream: &mut Stream, manners: &Manners) -> (u16, String) {
        for text in &manners.subscribe {
            if let Err(end) = send(stream, Message::text(text.as_str())).await {
                return end;
            }
        }
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(Message::Close(frame))) => {
                        let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                        farewell(stream).await;
                        let reason = if reason.is_empty() { reason } else { format!(": \"{}\"", Clean::text(&reason)) };
                        return (code, format!("closed the connection with {code} ({}){reason}", opening::meaning(code)));
                    }
                    Some(Ok(message)) => self.take(&message, manners),
                    Some(Err(error)) => return opening::ended(Some(&error)),
                    None => return opening::ended(None),
                },
                () = self.asked.notified() => {
                    if let Some(number) = self.next_ping()
                        && let Err(end) = send(stream, Message::Ping(opening::ping(number))).await
                    {
                        return end;
                    }
                }
            }
        }
    }

    fn next_ping(&self) -> Option<u64> {
        let mut tally = self.lock();
        if tally.ping.sent.is_some() {
            return None;
        }
        tally.ping.number += 1;
        tally.ping.sent = Some(RealClock.now().mono);
        Some(tally.ping.number)
    }

    fn take(&self, message: &Message, manners: &Manners) {
        let now = RealClock.now().mono;
        if let Message::Pong(payload) = message {
            let mut tally = self.lock();
            if *payload == opening::ping(tally.ping.number)
                && let Some(sent) = tally.ping.sent.take()
            {
                tally.ping.round_trip = Some(now.since(sent));
                self.told.notify_one();
            }
            return;
        }
        if !matches!(message, Message::Text(_) | Message::Binary(_)) {
            return;
        }
        let mut tally = self.lock();
        tally.messages += 1;
        tally.bytes += message.len() as u64;
        tally.last_message = Some(now);
        if let Some(pointer) = &manners.sequence {
            if tally.may_read(now, message.len()) {
                drop(tally);
                // Without the lock: a parse may take a while.
                let number = number(message, pointer);
                let mut tally = self.lock();
                if let Some(number) = number {
                    tally.sequence.saw(number);
                }
            } else {
                tally.unread += 1;
                tally.sequence.restart();
            }
        }
    }
}

impl Tally {
    fn may_read(&mut self, now: Mono, length: usize) -> bool {
        let second = now.0 / 1_000_000_000;
        if self.window.0 != second {
            self.window = (second, 0, 0);
        }
        let (_, messages, bytes) = &mut self.window;
        if *messages >= READ || bytes.saturating_add(length) > READ_BYTES {
            return false;
        }
        *messages += 1;
        *bytes += length;
        true
    }
}

/// The number at this place of a JSON message.
fn number(message: &Message, pointer: &str) -> Option<u64> {
    let bytes = match message {
        Message::Text(text) => text.as_bytes(),
        Message::Binary(bytes) => bytes.as_ref(),
        _ => return None,
    };
    let value = json::parse(bytes).ok()?;
    let found = value.pointer(pointer)?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

async fn send(stream: &mut Stream, message: Message) -> Result<(), (u16, String)> {
    match timeout(SEND, stream.send(message)).await {
        Ok(Ok(())) => Ok(()),
        // Why the peer went is told by what it sent before it did.
        Ok(Err(Error::Io(_) | Error::AlreadyClosed | Error::ConnectionClosed)) => Ok(()),
        Ok(Err(error)) => Err(opening::ended(Some(&error))),
        Err(_) => Err((1006, "takes nothing any more".to_owned())),
    }
}

/// Lets the answer to a close frame go out, and the peer end the connection.
async fn farewell(stream: &mut Stream) {
    let ending = async { while let Some(Ok(_)) = stream.next().await {} };
    // A peer that does not end it is left.
    let _ended = timeout(CLOSING, ending).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_and_their_numbers_read_up_to_a_rate() {
        let shared = Shared::default();
        let manners = Manners { subscribe: Vec::new(), sequence: Some("/data/seq".to_owned()) };
        let say = |text: String| shared.take(&Message::text(text), &manners);
        for seq in [1, 2, 5] {
            say(format!(r#"{{"data": {{"seq": {seq}}}}}"#));
        }
        say(r#"{"data": {"seq": "6"}}"#.to_owned());
        say("{\"hello\": 1}".to_owned());
        say("[".repeat(1000));
        shared.take(&Message::Ping(opening::ping(1)), &manners);
        {
            let tally = shared.lock();
            assert_eq!((tally.messages, tally.sequence.numbered, tally.sequence.missing), (6, 4, 2));
        }
        (0..30_000_u64).for_each(|seq| say(format!(r#"{{"data": {{"seq": {}}}}}"#, seq + 7)));
        let tally = shared.lock();
        assert_eq!(tally.messages, 30_006);
        assert!(tally.unread > 0 && tally.sequence.numbered + tally.unread == 30_004, "{tally:?}");
        assert_eq!(tally.sequence.gaps, 1, "what was not read is no gap");
    }

    #[test]
    fn four_mebibytes_a_second_are_parsed_and_no_more() {
        let mut tally = Tally::default();
        let mut read = |second: u64, length| tally.may_read(Mono(second * 1_000_000_000), length);
        assert!(read(1, 3 << 20) && read(1, 1 << 20));
        assert!(!read(1, 1) && !read(2, READ_BYTES + 1) && read(2, READ_BYTES));
    }

    #[test]
    fn a_pong_counts_only_for_the_ping_under_way() {
        let shared = Shared::default();
        assert_eq!((shared.next_ping(), shared.next_ping()), (Some(1), None));
        shared.take(&Message::Pong(opening::ping(9)), &Manners::default());
        assert!(shared.lock().ping.round_trip.is_none());
        shared.take(&Message::Pong(opening::ping(1)), &Manners::default());
        assert!(shared.lock().ping.round_trip.is_some());
        assert_eq!(shared.next_ping(), Some(2));
        assert_eq!(shared.lock().messages, 0, "neither is a message");
    }
}
