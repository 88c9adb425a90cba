//! An HTTP server of few words for answers that no decent server gives.

use core::net::SocketAddr;
use rustix::net::{AddressFamily, SocketType};
use std::io::{BufRead, BufReader, Write};
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
