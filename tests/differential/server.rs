//! A real Prometheus server: points go in by remote write, answers come out of its query API, over one connection.

use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use watchkeeper::rules::expr::{Millis, Track};

/// The bits that Prometheus writes where a series ends.
pub(crate) const STALE: u64 = 0x7FF0_0000_0000_0002;
/// The server gives a query up after 30 s.
const HANG: Duration = Duration::from_secs(120);
/// Bytes of one literal piece of a snappy block.
const PIECE: usize = 65_536;

/// A connection that is kept.
pub(crate) struct Server {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Server {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(HANG)).expect("a socket");
        Self { stream: BufReader::new(stream), address: address.to_owned() }
    }

    /// Writes points; stale markers go as such.
    pub(crate) fn write(&mut self, tracks: &[Track]) {
        for some in tracks.chunks(100) {
            let body = snappy(&request(some));
            let kind = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n";
            let (status, said) = self.post("/api/v1/write", kind, &body);
            assert!((200..300).contains(&status), "remote write: {status} {}", String::from_utf8_lossy(&said));
        }
    }

    /// The server's answer at one moment.
    pub(crate) fn instant(&mut self, expr: &str, at: Millis) -> Json {
        self.ask("/api/v1/query", &format!("query={}&time={}&stats=all", escaped(expr), seconds(at)))
    }

    /// The server's answer at every step of a range.
    pub(crate) fn range(&mut self, expr: &str, (start, end): (Millis, Millis), step: Millis) -> Json {
        let (start, end, step) = (seconds(start), seconds(end), seconds(step));
        self.ask(
            "/api/v1/query_range",
            &format!("query={}&start={start}&end={end}&step={step}&stats=all", escaped(expr)),
        )
    }

    fn ask(&mut self, path: &str, form: &str) -> Json {
        let (_, body) = self.post(path, "Content-Type: application/x-www-form-urlencoded\r\n", form.as_bytes());
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)))
    }

    fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let message = [head.as_bytes(), body].concat();
        self.stream.get_mut().write_all(&message).expect("the server reads");
        let status = self.line().split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line().to_ascii_lowercase();
            match line.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("transfer-encoding", value)) => chunked = value == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        (status, if chunked { self.chunks() } else { self.bytes(length) })
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the whole answer");
        bytes
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line(), 16).expect("a length");
            all.extend(self.bytes(length));
            self.line();
            if length == 0 {
                return all;
            }
        }
    }
}

fn seconds(at: Millis) -> String {
    format!("{}.{:03}", at / 1_000, at % 1_000)
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A block of literals: larger than it need be, and as valid. <https://github.com/google/snappy>
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, bytes.len() as u64);
    for piece in bytes.chunks(PIECE) {
        out.push(61 << 2);
        out.extend(u16::try_from(piece.len() - 1).expect("one piece").to_le_bytes());
        out.extend(piece);
    }
    out
}

/// The protocol buffer `prometheus.WriteRequest`.
fn request(tracks: &[Track]) -> Vec<u8> {
    let mut out = Vec::new();
    for track in tracks {
        let mut labels: Vec<(&str, &str)> =
            track.key.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        labels.push(("__name__", track.key.name.as_str()));
        labels.sort_unstable();
        let mut series = Vec::new();
        for (name, value) in labels {
            let mut pair = Vec::new();
            field(&mut pair, 1, name.as_bytes());
            field(&mut pair, 2, value.as_bytes());
            field(&mut series, 1, &pair);
        }
        for (at, value) in &track.points {
            let mut sample = vec![1 << 3 | 1];
            sample.extend(value.to_le_bytes());
            sample.push(2 << 3);
            varint(&mut sample, u64::try_from(*at).expect("after 1970"));
            field(&mut series, 2, &sample);
        }
        field(&mut out, 1, &series);
    }
    out
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    let seven = |value: u64| u8::try_from(value & 0x7F).expect("seven bits");
    while value >= 0x80 {
        out.push(seven(value) | 0x80);
        value >>= 7;
    }
    out.push(seven(value));
}
