//! An HTTP server of few words for answers that no decent server gives.

use core::net::SocketAddr;
use rustix::net::{AddressFamily, SocketType};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// An address that refuses: held, so that nobody else comes to listen there, but not listened at.
pub(crate) fn refusing() -> (OwnedFd, SocketAddr) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let at = rustix::net::getsockname(&socket).expect("bound").try_into().expect("of the internet");
    (socket, at)
}

/// A listening server; its threads end with the test process.
pub(crate) struct Server {
    /// `127.0.0.1:PORT`.
    pub(crate) at: String,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

/// Answers each request with what `answer` writes for its path; the connection stays open while that says true.
pub(crate) fn serve(answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound").to_string();
    let server = Server { at, requests: Arc::default(), connections: Arc::default() };
    let (requests, connections) = (Arc::clone(&server.requests), Arc::clone(&server.connections));
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            connections.fetch_add(1, Ordering::SeqCst);
            let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
            thread::spawn(move || converse(stream, &*answer, &requests));
        }
    });
    server
}

fn converse(mut stream: TcpStream, answer: &dyn Fn(&str, &mut TcpStream) -> bool, requests: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        requests.fetch_add(1, Ordering::SeqCst);
        if !answer(first.split(' ').nth(1).unwrap_or(""), &mut stream) {
            return;
        }
    }
}

/// Writes a whole answer with its length.
pub(crate) fn say(stream: &mut TcpStream, status: &str, headers: &str, body: impl AsRef<[u8]>) -> bool {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_ok()
}

impl Server {
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A server that sees the whole head of a request, over TLS if told so; the answer is written as it is, and the
/// connection stays open for the next request.
pub(crate) fn serve_heads(
    tls: Option<Arc<ServerConfig>>,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound").to_string();
    let server = Server { at, requests: Arc::default(), connections: Arc::default() };
    let (requests, connections) = (Arc::clone(&server.requests), Arc::clone(&server.connections));
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            connections.fetch_add(1, Ordering::SeqCst);
            let (answer, requests, tls) = (Arc::clone(&answer), Arc::clone(&requests), tls.clone());
            thread::spawn(move || match tls {
                Some(tls) => {
                    let session = ServerConnection::new(tls).expect("a configuration");
                    converse_heads(StreamOwned::new(session, stream), &*answer, &requests);
                }
                None => converse_heads(stream, &*answer, &requests),
            });
        }
    });
    server
}

fn converse_heads(mut stream: impl Read + Write, answer: &dyn Fn(&str) -> String, requests: &AtomicUsize) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.extend(byte);
        if head.ends_with(b"\r\n\r\n") {
            requests.fetch_add(1, Ordering::SeqCst);
            let text = answer(&String::from_utf8_lossy(&head));
            if stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_err() {
                return;
            }
            head.clear();
        }
    }
}

/// A whole answer as text.
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}
