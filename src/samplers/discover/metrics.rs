//! Asks ports at the loopback for metrics, one after the other and each seldom. Only where that was asked for.

use super::ports::Port;
use crate::base::{Body, Clock, Fault, Mono};
use crate::samplers::http::fetch::Fetcher;
use crate::samplers::scrape::text;
use crate::sys::clock::RealClock;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use tokio::time::timeout;

/// More ports are not asked in one look.
const MOST: usize = 20;
/// How long one port is waited for.
const EACH: Duration = Duration::from_millis(400);
/// How long a look asks in all.
const ALL: Duration = Duration::from_millis(1_500);
/// An answer, or none, holds for so long.
const AGAIN: Duration = Duration::from_secs(300);
const ACCEPT: &str = "text/plain;version=0.0.4, */*;q=0.1";

/// What was answered so far.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By port: its socket, whether it answers, and since when that is known.
    answers: HashMap<u16, (u64, bool, Mono)>,
}

impl Metrics {
    /// Asks the ports whose turn it is; those that answer, and how many are still to be asked.
    pub(super) async fn ask(&mut self, now: Mono, ports: &[Port]) -> (BTreeSet<u16>, usize) {
        let mut wanted: Vec<&Port> = ports.iter().filter(|port| port.may_be_asked()).collect();
        self.answers.retain(|number, (socket, ..)| {
            wanted.iter().any(|port| port.at.port() == *number && port.inode == *socket)
        });
        wanted.retain(|port| self.answers.get(&port.at.port()).is_none_or(|(.., at)| now.since(*at) >= AGAIN));
        let (began, mut asked) = (RealClock.now().mono, 0);
        for port in &wanted {
            if asked == MOST || RealClock.now().mono.since(began) > ALL {
                break;
            }
            asked += 1;
            let answers = timeout(EACH, answers(port.near())).await.unwrap_or(false);
            self.answers.insert(port.at.port(), (port.inode, answers, now));
        }
        let answering = self.answers.iter().filter(|(_, (_, answers, _))| *answers).map(|(number, _)| *number);
        (answering.collect(), wanted.len() - asked)
    }
}

/// Whether this address answers with text that holds metrics.
async fn answers(at: SocketAddr) -> bool {
    let fetcher =
        || -> Result<Fetcher, Fault> { Fetcher::new(&Body::parse("discovery", "")?, &format!("http://{at}/metrics")) };
    let Ok(mut fetcher) = fetcher() else { return false };
    let Ok(answer) = fetcher.get(ACCEPT).await else { return false };
    // A page of words may hold a line that reads as a metric.
    let page = text::parse(&answer.body, 1_000);
    !answer.content_type.contains("html") && !page.points.is_empty() && page.bad_lines == 0
}
