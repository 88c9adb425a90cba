//! A burst of probes on demand: a bounded number at a bounded pace, one at a time, of a port, a page or a WebSocket.
//! Its figures and its histogram are those of the probes that were answered; the others are counted as lost.

use super::dial::Dialer;
use super::http::fetch::Fetcher;
use super::websocket::opening::{self, Opener, Stream};
use crate::base::{Body, Clean, Clock, Failure, Fault, Unit};
use crate::clean;
use crate::sys::clock::RealClock;
use core::time::Duration;
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// Probes of one burst.
const MOST: u32 = 1_000;
/// Twenty a second.
const CLOSEST: Duration = Duration::from_millis(50);
/// Between two probes, and for one.
const LONGEST: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_secs(10);
/// Bars of the histogram.
const BINS: usize = 8;

/// What to probe, how often and how fast.
pub struct Burst {
    target: Target,
    /// How many.
    pub count: u32,
    /// From the start of one to the start of the next; a slow one delays those after it.
    pub every: Duration,
    /// For each.
    pub deadline: Duration,
}

enum Target {
    /// Connects.
    Port(Dialer),
    /// Fetches, over one connection where the server keeps it.
    Page(Box<Fetcher>),
    /// Pings, over one connection.
    Socket { opener: Opener, stream: Option<Box<Stream>>, number: u64 },
}

/// How a burst went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Probes begun.
    pub sent: u32,
    /// Of these, without an answer.
    pub lost: u32,
    /// How long each answered one took, in seconds, in order.
    pub took: Vec<f64>,
    /// Why the first was lost.
    pub first_loss: Option<Clean>,
    /// Why it ended before its time.
    pub cut_short: Option<Clean>,
}

/// The figures of the answered probes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Figures {
    pub mean: f64,
    /// Of the sample (n - 1); zero for one probe.
    pub stdev: f64,
    pub min: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// One bar: from, to (both in seconds; the last includes its end) and how many.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Bin {
    pub from: f64,
    pub to: f64,
    pub count: u32,
}

impl Burst {
    /// Reads what is asked for; opens nothing.
    ///
    /// # Errors
    /// An address that is none, or a number out of bounds.
    pub fn new(url: &str, count: u32, every: Duration, deadline: Duration) -> Result<Self, Fault> {
        if !(1..=MOST).contains(&count) {
            return Err(Fault::new(format!("a burst of {count} probes; expected 1 to {MOST}.")));
        }
        let between = |what: &str, value: Duration, least: Duration, most: Duration| {
            let show = |of: Duration| Unit::Seconds.show(of.as_secs_f64());
            let text = || format!("{what} is {}, expected {} to {}.", show(value), show(least), show(most));
            (least..=most).contains(&value).then_some(()).ok_or_else(|| Fault::new(text()))
        };
        between("the time between two probes", every, CLOSEST, LONGEST)?;
        between("the deadline of a probe", deadline, Duration::from_millis(1), DEADLINE)?;
        // There is no file to point into.
        let body = Body::parse("", "")?;
        let target = match url.split_once("://").map(|(scheme, _)| scheme) {
            Some("http" | "https") => Fetcher::new(&body, url).map(|fetcher| Target::Page(Box::new(fetcher))),
            Some("ws" | "wss") => {
                Opener::new(&body, url).map(|opener| Target::Socket { opener, stream: None, number: 0 })
            }
            _ => Dialer::new(&body, url, &["tcp"]).map(|(dialer, _)| Target::Port(dialer)),
        };
        let target = target.map_err(|fault| Fault { at: None, ..fault })?;
        Ok(Self { target, count, every, deadline })
    }

    /// Host, port and path: no user, password or query.
    pub fn place(&self) -> &Clean {
        match &self.target {
            Target::Port(dialer) => dialer.place(),
            Target::Page(fetcher) => fetcher.place(),
            Target::Socket { opener, .. } => opener.place(),
        }
    }

    /// Runs it. Cancel-safe: dropped, it stops. Needs a runtime with its timer and I/O enabled.
    pub async fn run(mut self) -> Outcome {
        let mut out = Outcome::default();
        while out.sent < self.count {
            let start = RealClock.now().mono;
            let took = match timeout(self.deadline, self.target.probe()).await {
                Ok(took) => took,
                Err(_) => {
                    let within = Unit::Seconds.show(self.deadline.as_secs_f64());
                    Err(Failure::unreachable(format!("{}: no answer within {within}.", self.place())))
                }
            };
            out.sent += 1;
            match took {
                Ok(took) => out.took.push(took.as_secs_f64()),
                Err(failure) => {
                    out.lost += 1;
                    if [" answered 429", " answered 418"].iter().any(|asks| failure.what.as_str().contains(asks)) {
                        out.cut_short = Some(clean!("{} asks for fewer requests", self.place()));
                    }
                    out.first_loss.get_or_insert(failure.what);
                }
            }
            if out.cut_short.is_some() || out.sent == self.count {
                break;
            }
            self.target.rest(self.every.saturating_sub(RealClock.now().mono.since(start))).await;
        }
        out
    }
}

impl Target {
    /// Once. How long the answer took; of a WebSocket that of the ping alone, not of the connect.
    async fn probe(&mut self) -> Result<Duration, Failure> {
        match self {
            Self::Port(dialer) => {
                let line = dialer.dial(DEADLINE).await.map_err(|trouble| trouble.failure(dialer.place()))?;
                Ok(line.connect)
            }
            Self::Page(fetcher) => fetcher.get("*/*").await.map(|answer| answer.whole),
            Self::Socket { opener, stream, number } => {
                let open = match stream {
                    Some(open) => open,
                    None => stream.insert(Box::new(opener.open(HeaderMap::new()).await?.0)),
                };
                *number += 1;
                let back = ping(open, *number).await;
                if back.is_err() {
                    *stream = None;
                }
                back.map_err(|what| Failure::unreachable(format!("{} {what}.", opener.place())))
            }
        }
    }

    /// Waits. What comes over an open WebSocket meanwhile is read, or the next pong would stand behind it.
    async fn rest(&mut self, span: Duration) {
        let pause = sleep(span);
        let Self::Socket { stream: Some(open), .. } = self else { return pause.await };
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return,
                message = open.next() => if !matches!(message, Some(Ok(_))) {
                    // The next probe says why, or opens it again.
                    return pause.await;
                },
            }
        }
    }
}

/// One ping and its pong; that of an earlier ping, which came too late, is not taken for it.
async fn ping(stream: &mut Stream, number: u64) -> Result<Duration, String> {
    let wanted = opening::ping(number);
    let start = RealClock.now().mono;
    stream.send(Message::Ping(wanted.clone())).await.map_err(|error| opening::ended(Some(&error)).1)?;
    loop {
        match stream.next().await {
            Some(Ok(Message::Pong(payload))) if payload == wanted => return Ok(RealClock.now().mono.since(start)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(opening::ended(Some(&error)).1),
            None => return Err(opening::ended(None).1),
        }
    }
}

impl Outcome {
    /// The figures; `None` when nothing was answered.
    pub fn figures(&self) -> Option<Figures> {
        let mut sorted = self.took.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let squares: f64 = sorted.iter().map(|took| (took - mean).powi(2)).sum();
        let stdev = if sorted.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| quantile(&sorted, part));
        Some(Figures { mean, stdev, min, p50, p95, p99, max })
    }

    /// Eight bars of equal width from the shortest to the longest; one where all took the same; none without an answer.
    pub fn histogram(&self) -> Vec<Bin> {
        let Some(figures) = self.figures() else { return Vec::new() };
        let bins = if figures.max > figures.min { BINS } else { 1 };
        let width = (figures.max - figures.min) / bins as f64;
        let edge = |at: usize| if at == bins { figures.max } else { figures.min + width * at as f64 };
        (0..bins)
            .map(|at| {
                let (from, to) = (edge(at), edge(at + 1));
                let inside = |took: &&f64| **took >= from && (**took < to || at + 1 == bins);
                let count = u32::try_from(self.took.iter().filter(inside).count()).unwrap_or(u32::MAX);
                Bin { from, to, count }
            })
            .collect()
    }
}

/// Of sorted values, between two of them in proportion.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * sorted.len().saturating_sub(1) as f64;
    // Never negative, and far below where a float skips integers.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
    let below = place.floor() as usize;
    let at = |place: usize| sorted.get(place).or_else(|| sorted.last()).copied().unwrap_or(f64::NAN);
    at(below) + (at(below + 1) - at(below)) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(took: &[f64]) -> Outcome {
        Outcome { took: took.to_vec(), ..Outcome::default() }
    }

    #[test]
    fn the_figures_are_those_of_a_textbook() {
        let took: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let figures = outcome(&took).figures().expect("some");
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(figures.mean, 50.5) && near(figures.stdev, 29.011_491_975_882_016), "{figures:?}");
        assert!(near(figures.p50, 50.5) && near(figures.p95, 95.05) && near(figures.p99, 99.01), "{figures:?}");
        assert_eq!((figures.min, figures.max), (1.0, 100.0));
        let one = outcome(&[2.0]).figures().expect("one");
        assert_eq!((one.mean, one.stdev, one.p99), (2.0, 0.0, 2.0));
        assert_eq!(outcome(&[]).figures(), None);
    }

    #[test]
    fn every_answer_is_in_one_bar() {
        let bins = outcome(&[0.0, 0.1, 0.9, 1.0, 7.9, 8.0]).histogram();
        let counts: Vec<u32> = bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [3, 1, 0, 0, 0, 0, 0, 2]);
        assert_eq!((bins[0].from, bins[7].to), (0.0, 8.0));
        let awkward: Vec<f64> = (0..997).map(|n| f64::from(n) * 0.1 / 3.0).collect();
        assert_eq!(outcome(&awkward).histogram().iter().map(|bin| bin.count).sum::<u32>(), 997);
        assert_eq!(outcome(&[5.0; 4]).histogram(), [Bin { from: 5.0, to: 5.0, count: 4 }]);
        assert_eq!(outcome(&[]).histogram(), []);
    }

    #[test]
    fn a_burst_keeps_its_bounds() {
        let ms = Duration::from_millis;
        let fault = |url: &str, count, every, deadline| {
            Burst::new(url, count, every, deadline).err().map(|fault| fault.to_string())
        };
        for (count, every, deadline, what) in [
            (0, ms(100), ms(100), "a burst of 0 probes; expected 1 to 1000."),
            (1_001, ms(100), ms(100), "a burst of 1001 probes; expected 1 to 1000."),
            (9, ms(49), ms(100), "the time between two probes is 49.0 ms, expected 50.0 ms to 60.0 s."),
            (9, ms(100), ms(11_000), "the deadline of a probe is 11.0 s, expected 1.00 ms to 10.0 s."),
        ] {
            assert_eq!(fault("127.0.0.1:9", count, every, deadline).as_deref(), Some(what));
        }
        let wrong = fault("udp://x:1", 1, ms(100), ms(100));
        assert_eq!(wrong.as_deref(), Some("`url` begins with udp://, expected tcp://."));
        let burst = Burst::new("http://joe:hunter2@127.0.0.1:1/x?token=hunter2", 1, ms(50), ms(1)).expect("valid");
        assert_eq!(burst.place().as_str(), "127.0.0.1:1/x");
    }
}
