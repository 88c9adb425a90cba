//! One GET over plain HTTP/1.1 to an address, and its answer: no name is looked up, no redirect followed, nothing kept;
//! bounded in size and time. Blocks the caller.

use crate::base::{Clean, Clock, Fault, Mono};
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};

/// Of an answer so many bytes are taken.
const MOST: usize = 256 * 1024;

/// `http://ADDRESS:PORT/PATH`, where the address is one, or `localhost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    host: String,
    at: Vec<SocketAddr>,
    target: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// Its body, as far as it was taken.
    pub body: Vec<u8>,
}

impl Place {
    /// Reads a URL.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn parse(url: &str) -> Result<Self, Fault> {
        let bad = |why: &str| Fault::new(format!("`{}` {why}", Clean::text(url)));
        if url.len() > 2_000 || url.bytes().any(|byte| !(b'!'..=b'~').contains(&byte)) {
            return Err(bad("is no URL of plain characters."));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| bad("does not begin with http://."))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        if host.contains('@') {
            return Err(bad("holds a login: a secret does not belong in a URL."));
        }
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let hint = "An address such as 127.0.0.1:8080 or [::1]:8080, or localhost: names are not looked up.";
        let at = addresses(host).ok_or_else(|| bad("names no address.").hint(hint))?;
        Ok(Self { host: host.to_owned(), at, target })
    }
}

fn addresses(host: &str) -> Option<Vec<SocketAddr>> {
    if let Ok(at) = host.parse::<SocketAddr>() {
        return Some(vec![at]);
    }
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = plain.parse::<IpAddr>() {
        return Some(vec![SocketAddr::new(ip, 80)]);
    }
    let port = match host.strip_prefix("localhost")? {
        "" => 80,
        port => port.strip_prefix(':')?.parse().ok()?,
    };
    Some([IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(|ip| SocketAddr::new(ip, port)).into())
}

/// Asks, and takes the answer within `limit`.
///
/// # Errors
/// Why there is none.
pub fn get(place: &Place, limit: Duration, clock: &dyn Clock) -> Result<Answer, Fault> {
    let start = clock.now().mono;
    let late = || Fault::new(format!("no answer within {limit:?}."));
    let mut stream = connect(place, (start, limit), clock)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: watchkeeper/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        place.target,
        place.host,
        env!("CARGO_PKG_VERSION")
    );
    let sent = stream.set_write_timeout(Some(limit)).and_then(|()| stream.write_all(request.as_bytes()));
    sent.map_err(|error| Fault::new(format!("it does not take a request: {error}.")))?;
    let (mut raw, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    while raw.len() < MOST && !is_whole(&raw) {
        let left = left(start, limit, clock).ok_or_else(late)?;
        match stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut chunk)) {
            Ok(0) => break,
            Ok(n) => raw.extend(chunk.get(..n).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(Fault::new(format!("it broke off: {error}."))),
        }
    }
    parts(&raw).ok_or_else(|| Fault::new("what came back is no whole answer of HTTP."))
}

fn connect(place: &Place, (start, limit): (Mono, Duration), clock: &dyn Clock) -> Result<TcpStream, Fault> {
    let mut said = Fault::new("it has no address.");
    for at in &place.at {
        let Some(left) = left(start, limit, clock) else { break };
        match TcpStream::connect_timeout(at, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => said = Fault::new(format!("no connection to {at}: {error}.")),
        }
    }
    Err(said)
}

fn left(start: Mono, limit: Duration, clock: &dyn Clock) -> Option<Duration> {
    limit.checked_sub(clock.now().mono.since(start)).filter(|left| *left > Duration::from_millis(1))
}

/// Its head, and where the body begins.
fn head(raw: &[u8]) -> Option<(&str, &[u8])> {
    let end = raw.windows(4).position(|at| at == b"\r\n\r\n")?;
    Some((core::str::from_utf8(raw.get(..end)?).ok()?, raw.get(end + 4..)?))
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Whether no more can come, for servers that keep the connection open all the same.
fn is_whole(raw: &[u8]) -> bool {
    let Some((head, body)) = head(raw) else { return false };
    match field(head, "Content-Length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => field(head, "Transfer-Encoding").is_some() && chunks(body).is_some(),
    }
}

fn parts(raw: &[u8]) -> Option<Answer> {
    let (head, body) = head(raw)?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let length = field(head, "Content-Length").and_then(|length| length.parse::<usize>().ok());
    let body = match (field(head, "Transfer-Encoding"), length) {
        (Some(how), _) if how.eq_ignore_ascii_case("chunked") => chunks(body)?,
        (Some(_), _) => return None,
        // Beyond what is taken it is cut; short of that it must be whole.
        (None, Some(length)) if body.len() < length && raw.len() < MOST => return None,
        (None, length) => body.get(..length.unwrap_or(body.len())).unwrap_or(body).to_vec(),
    };
    Some(Answer { status, body })
}

/// A body in pieces, each after its length in hexadecimal; `None` until the last, empty one.
fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let end = rest.windows(2).position(|at| at == b"\r\n")?;
        let length = core::str::from_utf8(rest.get(..end)?).ok()?.split(';').next()?.trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(all);
        }
        let from = end + 2;
        all.extend(rest.get(from..from.checked_add(length)?)?);
        rest = rest.get(from + length..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;
    use std::net::TcpListener;

    /// What a server was asked that answers with `answer` and stays open when it is to, and what came of it.
    fn asked(answer: &'static str, stays: bool) -> (String, Result<Answer, Fault>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/health?full=1", listener.local_addr().unwrap());
        let (over, told) = std::sync::mpsc::sync_channel::<()>(0);
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            if stays {
                let _over = told.recv();
            }
            String::from_utf8_lossy(&request[..n]).into_owned()
        });
        let came = get(&Place::parse(&url).unwrap(), Duration::from_secs(20), &RealClock);
        drop(over);
        (server.join().unwrap(), came)
    }

    #[test]
    fn an_answer_comes_whole_however_its_end_is_told() {
        for (answer, stays) in [
            ("HTTP/1.1 503 No\r\n\r\nnot yet", false),
            ("HTTP/1.1 503 No\r\nContent-Length: 7\r\n\r\nnot yet", true),
            ("HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n4;x=y\r\nnot \r\n3\r\nyet\r\n0\r\n\r\n", true),
        ] {
            let (request, came) = asked(answer, stays);
            assert_eq!(came.unwrap(), Answer { status: 503, body: b"not yet".to_vec() }, "{answer}");
            assert!(request.starts_with("GET /health?full=1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        }
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        for answer in ["", "SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes", "HTTP/1.1 200 OK\r\n"]
        {
            assert!(asked(answer, false).1.unwrap_err().to_string().contains("no whole answer"), "{answer}");
        }
    }

    #[test]
    fn silence_and_a_closed_port_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let said = |limit| get(&place, Duration::from_millis(limit), &RealClock).unwrap_err().to_string();
        assert_eq!(said(50), "no answer within 50ms.");
        drop(listener);
        assert!(said(5_000).starts_with("no connection to 127.0.0.1:"), "{}", said(5_000));
    }

    #[test]
    fn only_addresses_are_asked_and_nothing_secret_is_in_them() {
        let at = |url: &str| Place::parse(url).map(|place| (place.at.len(), place.at[0].to_string(), place.target));
        assert_eq!(at("http://127.0.0.1:8080/a?b#c").unwrap(), (1, "127.0.0.1:8080".into(), "/a?b".into()));
        assert_eq!(at("http://[::1]/").unwrap(), (1, "[::1]:80".into(), "/".into()));
        assert_eq!(at("http://localhost:90").unwrap(), (2, "127.0.0.1:90".into(), "/".into()));
        for url in [
            "https://127.0.0.1/",
            "http://db/",
            "http://a:b@127.0.0.1/",
            "http://127.0.0.1/\r\nX: y",
            "http://127.0.0.1:x/",
            "/x",
        ] {
            assert!(at(url).is_err(), "{url}");
        }
    }
}
