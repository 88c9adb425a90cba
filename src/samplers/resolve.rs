//! Names to addresses without stopping anything: two lookup threads for all, two seconds each; when the name
//! service is silent the last good addresses go on, marked.

use super::blocking::{NAMES, Worker};
use crate::base::Clock;
use crate::sys::clock::RealClock;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex, PoisonError};

const LIMIT: Duration = Duration::from_secs(2);

type Found = io::Result<Vec<SocketAddr>>;

/// The resolver of one sampler.
#[derive(Clone, Debug)]
pub(crate) struct Names(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    worker: tokio::sync::Mutex<Worker<Found>>,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    host: String,
    addresses: Vec<SocketAddr>,
    stale: bool,
}

/// A name that gave no address, as a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NameFault(pub(crate) String);

impl Names {
    pub(crate) fn new() -> Self {
        let worker = tokio::sync::Mutex::new(Worker::new(&NAMES));
        Self(Arc::new(Inner { worker, last: Mutex::default() }))
    }

    /// The addresses of a host, each with port 0.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, NameFault> {
        match host.parse() {
            Ok(ip) => Ok(vec![at(ip)]),
            Err(_) => self.0.look_up(host).await,
        }
    }

    /// True while the last good address stands in for a lookup that failed.
    pub(crate) fn stale(&self) -> bool {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner).stale
    }

    /// The addresses of a host; their port is 0.
    pub(crate) async fn look_up(&self, host: &str) -> Result<Vec<SocketAddr>, NameFault> {
        self.0.look_up(host).await
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = inner.look_up(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Inner {
    async fn look_up(&self, host: &str) -> Result<Vec<SocketAddr>, NameFault> {
        if host.eq_ignore_ascii_case("localhost") {
            // RFC 6761: always the loopback; no name service is asked.
            return Ok(vec![at(Ipv4Addr::LOCALHOST.into()), at(Ipv6Addr::LOCALHOST.into())]);
        }
        let owned = host.to_owned();
        let ask = move || (owned.as_str(), 0).to_socket_addrs().map(Iterator::collect);
        let mut worker = self.worker.lock().await;
        let trouble = match tokio::time::timeout(LIMIT, worker.run(RealClock.now().mono, ask)).await {
            Ok(Ok(Ok(addresses))) => return Ok(self.remember(host, addresses)),
            Ok(Ok(Err(error))) => format!("the name {host} is not known ({error})"),
            Ok(Err(stuck)) => format!("the name service is not answering for {host}: {stuck}"),
            Err(_) => format!("the name service did not answer for {host} within 2 s"),
        };
        self.recall(host).ok_or(NameFault(trouble))
    }

    fn remember(&self, host: &str, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Last { host: host.to_owned(), addresses: addresses.clone(), stale: false };
        addresses
    }

    fn recall(&self, host: &str) -> Option<Vec<SocketAddr>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.host == host && !last.addresses.is_empty();
        last.stale = known;
        known.then(|| last.addresses.clone())
    }
}

fn at(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_service_that_fails_leaves_the_last_address_marked() {
        let names = Names::new();
        let good = vec![at(Ipv4Addr::new(192, 0, 2, 7).into())];
        names.0.remember("no-such-host.invalid", good.clone());
        assert!(!names.stale());
        assert_eq!(names.look_up("no-such-host.invalid").await.ok(), Some(good));
        assert!(names.stale());
        let fault = names.look_up("other-host.invalid").await.expect_err("never seen").to_string();
        assert!(fault.contains("other-host.invalid"), "{fault}");
    }

    #[tokio::test]
    async fn localhost_needs_no_name_service() {
        let addresses = Names::new().look_up("localhost").await.expect("built in");
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    }
}
