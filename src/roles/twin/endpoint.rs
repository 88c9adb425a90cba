//! The services' HTTP endpoint on the loopback: HTTP/1.1, with TLS where it is asked for.

use core::convert::Infallible;
use core::time::Duration;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections served at a time; more wait in the kernel.
const CONNECTIONS: usize = 32;
/// A connection that asks nothing for so long is closed; a handshake takes no longer either.
const IDLE: Duration = Duration::from_secs(30);

/// Prometheus' text format.
pub(super) const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// JSON.
pub(super) const JSON: &str = "application/json";

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// The content type.
    pub(super) kind: &'static str,
    /// The body.
    pub(super) body: String,
    /// Seconds after which one may ask again.
    pub(super) again: Option<u64>,
    /// Where else the page is.
    pub(super) to: Option<&'static str>,
    /// How long it takes; the connection is held meanwhile.
    pub(super) after: Duration,
}

impl Reply {
    /// A good answer.
    pub(super) fn new(kind: &'static str, body: String) -> Self {
        Self { status: 200, kind, body, again: None, to: None, after: Duration::ZERO }
    }

    /// A refusal in JSON.
    pub(super) fn refused(status: u16, error: &str) -> Self {
        Self { status, ..Self::new(JSON, format!("{{\"error\":\"{error}\"}}")) }
    }

    /// It is there.
    pub(super) fn moved(to: &'static str) -> Self {
        Self { status: 308, to: Some(to), ..Self::new(JSON, String::new()) }
    }

    /// No such path.
    pub(super) fn missing() -> Self {
        Self::refused(404, "no such path")
    }
}

/// Answers a request by its head; no body is read.
pub(super) type Answer = dyn Fn(&Request<Incoming>) -> Reply;

/// Answers GET and HEAD by the path: content type and body; `None` for a path that there is not.
pub(super) fn pages(request: &Request<Incoming>, page: impl Fn(&str) -> Option<(&'static str, String)>) -> Reply {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Reply::refused(405, "GET or HEAD only");
    }
    page(request.uri().path()).map_or_else(Reply::missing, |(kind, body)| Reply::new(kind, body))
}

/// Serves for ever; its connections end with it. Must run on a `LocalSet`.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, answer: Rc<Answer>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    let mut talks = JoinSet::new();
    loop {
        while talks.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, say: give those in flight time to end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (answer, tls) = (Rc::clone(&answer), tls.clone());
        talks.spawn_local(async move {
            match tls {
                None => talk(TokioIo::new(stream), answer).await,
                Some(tls) => {
                    // Who cannot shake hands is the client's affair, as is a connection that breaks.
                    if let Ok(Ok(stream)) = tokio::time::timeout(IDLE, tls.accept(stream)).await {
                        talk(TokioIo::new(stream), answer).await;
                    }
                }
            }
            drop(permit);
        });
    }
}

/// One connection.
async fn talk(stream: impl Read + Write + Unpin, answer: Rc<Answer>) {
    let service = service_fn(move |request| {
        let reply = answer(&request);
        async move {
            if !reply.after.is_zero() {
                tokio::time::sleep(reply.after).await;
            }
            Ok::<_, Infallible>(respond(reply))
        }
    });
    let mut builder = http1::Builder::new();
    let connection = builder.timer(TokioTimer::new()).header_read_timeout(IDLE).serve_connection(stream, service);
    // A connection that breaks is the client's affair.
    let _best_effort = connection.await;
}

fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = Response::builder().status(status).header(CONTENT_TYPE, reply.kind);
    if let Some(seconds) = reply.again {
        builder = builder.header(RETRY_AFTER, seconds);
    }
    if let Some(to) = reply.to {
        builder = builder.header(LOCATION, to);
    }
    builder.body(Full::new(Bytes::from(reply.body))).unwrap_or_else(|_| Response::new(Full::new(Bytes::new())))
}
