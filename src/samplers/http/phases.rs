//! Where the time of one HTTP attempt goes, and what its connection is. reqwest tells neither, but lets us stand at
//! four places: our resolver, a layer around its connector, and of TLS the first question (the session store) and
//! the check of the certificate.

use crate::base::{Clock, Mono};
use crate::samplers::resolve::Names;
use crate::sys::clock::RealClock;
use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tower_layer::Layer;
use tower_service::Service;

/// Shared by one fetcher and what stands at its four places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<Marks>>);

/// What was seen. A phase that did not take place has no time: a kept connection needs no name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// Of this attempt, all its connections together.
    pub(crate) resolve: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    pub(crate) redirects: u32,
    /// Of the connection in use, until the next one.
    pub(crate) connected: Option<Mono>,
    pub(crate) certificate: Option<Certificate>,
    dialling: Dialling,
}

/// The certificates that the server showed.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// When the first of them ends, in seconds since 1970.
    pub(crate) ends: Option<u64>,
    /// What is wrong with them, where that is not looked at.
    pub(crate) doubt: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Dialling {
    since: Mono,
    looked_up: Duration,
    greeted: Option<Mono>,
}

fn now() -> Mono {
    RealClock.now().mono
}

impl Trace {
    pub(crate) fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the last attempt, but not its connection.
    pub(crate) fn begin(&self) {
        let mut marks = self.marks();
        *marks = Marks { connected: marks.connected, certificate: marks.certificate.take(), ..Marks::default() };
    }

    fn dial(&self) {
        let mut marks = self.marks();
        marks.dialling = Dialling { since: now(), ..Dialling::default() };
        (marks.connected, marks.certificate) = (None, None);
    }

    fn looked_up(&self, took: Duration) {
        let mut marks = self.marks();
        *marks.resolve.get_or_insert_default() += took;
        marks.dialling.looked_up += took;
    }

    fn connected(&self) {
        let (end, mut marks) = (now(), self.marks());
        let Dialling { since, looked_up, greeted } = marks.dialling;
        let open = greeted.unwrap_or(end);
        *marks.connect.get_or_insert_default() += open.since(since).saturating_sub(looked_up);
        if greeted.is_some() {
            *marks.tls.get_or_insert_default() += end.since(open);
        }
        marks.connected = Some(end);
    }
}

/// The resolver of one fetcher: times each lookup, and leads to `host` whatever name the certificate carries.
#[derive(Debug)]
pub(crate) struct Resolver {
    pub(crate) names: Names,
    pub(crate) host: Option<String>,
    pub(crate) trace: Trace,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.host.clone().unwrap_or_else(|| name.as_str().to_owned());
        let (names, trace) = (self.names.clone(), self.trace.clone());
        Box::pin(async move {
            if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
                return Ok(Box::new(core::iter::once(SocketAddr::new(ip, 0))) as Addrs);
            }
            let start = now();
            let found = names.look_up(&host).await;
            trace.looked_up(now().since(start));
            Ok(Box::new(found?.into_iter()) as Addrs)
        })
    }
}

/// Around reqwest's connector.
impl<S> Layer<S> for Trace {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed { inner, trace: self.clone() }
    }
}

/// A connector whose beginning and end are noted.
#[derive(Clone, Debug)]
pub(crate) struct Timed<S> {
    inner: S,
    trace: Trace,
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.trace.dial();
        let (connecting, trace) = (self.inner.call(request), self.trace.clone());
        Box::pin(async move {
            let connection = connecting.await?;
            trace.connected();
            Ok(connection)
        })
    }
}

/// Stores no session: with a resumed one the server would not show its certificate, which may be a new one.
/// It is asked once before each handshake, and that is the moment at which TLS begins.
impl ClientSessionStore for Trace {
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.marks().dialling.greeted.get_or_insert_with(now);
        None
    }

    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_is_no_part_of_connecting_and_each_attempt_has_phases_of_its_own() {
        let trace = Trace::default();
        trace.dial();
        trace.looked_up(Duration::from_secs(3_600));
        assert!(trace.kx_hint(&ServerName::try_from("x.internal").expect("a name")).is_none());
        trace.connected();
        let marks = trace.marks().clone();
        assert_eq!((marks.resolve, marks.connect), (Some(Duration::from_secs(3_600)), Some(Duration::ZERO)));
        assert!(marks.tls.is_some() && marks.connected.is_some());
        trace.begin();
        let marks = trace.marks().clone();
        assert_eq!((marks.resolve, marks.connect, marks.tls), (None, None, None));
        assert!(marks.connected.is_some(), "the connection is still there");
    }
}
