//! The service's HTTP endpoint: GET and HEAD on a handful of paths, HTTP/1.1 on the loopback.

use core::convert::Infallible;
use core::time::Duration;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections served at a time; more wait in the kernel.
const CONNECTIONS: usize = 32;
/// A connection that asks nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(30);

/// Prometheus' text format.
pub(super) const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// JSON.
pub(super) const JSON: &str = "application/json";

/// Answers a path: content type and body; `None` for a path that there is not.
pub(super) type Answer = dyn Fn(&str) -> Option<(&'static str, String)>;

/// Serves for ever. Must run on a `LocalSet`.
pub(super) async fn serve(listener: TcpListener, answer: Rc<Answer>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, say: give those in flight time to end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let answer = Rc::clone(&answer);
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request| {
                let response = respond(&request, &*answer);
                async move { Ok::<_, Infallible>(response) }
            });
            // A connection that breaks is the client's affair.
            let _best_effort = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(IDLE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(permit);
        });
    }
}

fn respond(request: &Request<Incoming>, answer: &Answer) -> Response<Full<Bytes>> {
    let (status, kind, body) = if request.method() == Method::GET || request.method() == Method::HEAD {
        match answer(request.uri().path()) {
            Some((kind, body)) => (StatusCode::OK, kind, body),
            None => (StatusCode::NOT_FOUND, JSON, r#"{"error":"no such path"}"#.to_owned()),
        }
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, JSON, r#"{"error":"GET or HEAD only"}"#.to_owned())
    };
    let built = Response::builder().status(status).header(CONTENT_TYPE, kind).body(Full::new(Bytes::from(body)));
    built.unwrap_or_else(|_| Response::new(Full::new(Bytes::new())))
}
