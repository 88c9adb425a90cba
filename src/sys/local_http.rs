//! One request over HTTP/1.0 to a daemon's Unix socket, and its whole answer: no redirect, no chunks, bounded in size and
//! time, and only where the kernel says that root, this login or a declared one answers. Blocks the caller.

use super::files::fault;
use super::host::user_name;
use super::secret::Secret;
use super::socket::{Peer, connect, peer};
use crate::base::{Clean, Clock, Fault, Mono};
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A daemon that does not take a connection within this time is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// No answer is longer.
const MOST: usize = 4 << 20;

/// Where a daemon is, and who may be behind it.
pub struct Door<'a> {
    /// Its socket.
    pub path: &'a Path,
    /// The login that may answer besides root and ours.
    pub owner: Option<&'a str>,
    /// What it asks for.
    pub login: Option<(&'a str, Secret)>,
    /// What to do where there is no socket.
    pub missing: &'a str,
    /// What to do where this login may not connect.
    pub rights: &'a str,
}

/// What is asked.
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// From `/` on.
    pub target: &'a str,
    /// With its type.
    pub body: Option<(&'a str, &'a str)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
    /// Who answered.
    pub peer: Peer,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Stop {
    /// The request did not go out whole: nothing was done.
    NotSent(Fault),
    /// It went out, and what became of it was not said.
    NoAnswer(Fault),
}

impl Stop {
    /// The reason alone.
    pub fn into_fault(self) -> Fault {
        match self {
            Self::NotSent(fault) | Self::NoAnswer(fault) => fault,
        }
    }
}

/// Asks, and waits for the end of the answer at most `limit`.
///
/// # Errors
/// Whether the request may have had its effect.
pub fn ask(door: &Door<'_>, request: &Request<'_>, limit: Duration, clock: &dyn Clock) -> Result<Answer, Stop> {
    let start = clock.now().mono;
    let mut stream = connect(door.path, CONNECT).map_err(|error| Stop::NotSent(closed(door, &error)))?;
    let system = |doing: &str, error: &std::io::Error| fault(doing, door.path, error);
    let peer = peer(&stream).map_err(|error| Stop::NotSent(system("see who answers at", &error)))?;
    stranger(door, peer).map_or(Ok(()), |fault| Err(Stop::NotSent(fault)))?;
    let sent = stream.set_write_timeout(Some(CONNECT)).and_then(|()| stream.write_all(head(door, request).as_bytes()));
    // Part of it may have gone out; it says its own length, so a part is nothing.
    sent.map_err(|error| Stop::NotSent(system("write to", &error)))?;
    let raw = receive(&mut stream, door.path, (start, limit), clock).map_err(Stop::NoAnswer)?;
    let broken = || Stop::NoAnswer(Fault::new(format!("{} sent no whole answer of HTTP.", door.path.display())));
    let (status, body) = parts(&raw).ok_or_else(broken)?;
    Ok(Answer { status, body, peer })
}

/// Why there is no connection.
fn closed(door: &Door<'_>, error: &std::io::Error) -> Fault {
    let path = door.path.display();
    match error.kind() {
        ErrorKind::NotFound => Fault::new(format!("there is no socket {path}.")).hint(door.missing),
        ErrorKind::PermissionDenied => Fault::new(format!("this login may not connect to {path}.")).hint(door.rights),
        ErrorKind::ConnectionRefused => {
            Fault::new(format!("nobody listens at {path}: what is there was left behind.")).hint(door.missing)
        }
        _ => fault("connect to", door.path, error),
    }
}

fn stranger(door: &Door<'_>, peer: Peer) -> Option<Fault> {
    let ours = rustix::process::geteuid().as_raw();
    if peer.uid == 0 || peer.uid == ours {
        return None;
    }
    let name = user_name(peer.uid);
    if door.owner == Some(name.as_str()) {
        return None;
    }
    let what = format!("{} is answered by a program of {name}, not of root or this login.", door.path.display());
    Some(Fault::new(what).hint(format!("If that is as it should be, say owner = \"{name}\".")))
}

fn head(door: &Door<'_>, request: &Request<'_>) -> String {
    let Request { method, target, body } = request;
    let login = door.login.as_ref().map(|(user, password)| {
        let word = base64(format!("{user}:{}", password.reveal()).as_bytes());
        format!("Authorization: Basic {word}\r\n")
    });
    let kind = body.map(|(kind, _)| format!("Content-Type: {kind}\r\n"));
    let (login, kind, body) = (login.unwrap_or_default(), kind.unwrap_or_default(), body.map_or("", |(_, body)| body));
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n{login}{kind}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn receive(
    stream: &mut UnixStream,
    path: &Path,
    (start, limit): (Mono, Duration),
    clock: &dyn Clock,
) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let left = limit.checked_sub(clock.now().mono.since(start)).filter(|left| *left > Duration::from_millis(1));
        let left =
            left.ok_or_else(|| Fault::new(format!("{} did not answer within {} s.", path.display(), limit.as_secs())))?;
        match stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut chunk)) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend(chunk.get(..n).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(fault("read from", path, &error)),
        }
        if all.len() > MOST {
            return Err(Fault::new(format!("{} sent more than {} MiB.", path.display(), MOST >> 20)));
        }
    }
}

/// Status and body; `None` when it is no answer of HTTP, or not whole.
fn parts(raw: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = raw.windows(4).position(|at| at == b"\r\n\r\n")?;
    let (head, body) = (core::str::from_utf8(raw.get(..end)?).ok()?, raw.get(end + 4..)?);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("Content-Length") && value.parse() != Ok(body.len()) {
            return None;
        }
        // Nobody may send this in HTTP/1.0; whoever does sends no plain body.
        if name.eq_ignore_ascii_case("Transfer-Encoding") {
            return None;
        }
    }
    Some((status, body.to_vec()))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).flat_map(|group| {
        let at = |place: usize| group.get(place).copied().map_or(0, u32::from);
        let word = (at(0) << 16) | (at(1) << 8) | at(2);
        let letter = move |place: usize| LETTERS.get((word >> (18 - 6 * place)) as usize & 63).copied().unwrap_or(b'=');
        let kept = group.len() + 1;
        (0..4).map(move |place| char::from(if place < kept { letter(place) } else { b'=' }))
    });
    groups.collect()
}

/// A socket by its real path: equal for everybody who means the same one.
pub fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// What a daemon said in a few words: the first line of an answer.
pub fn words(body: &[u8]) -> Clean {
    Clean::text(body.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;
    use std::os::unix::net::UnixListener;

    /// What was asked of a daemon that answers with `answer`, and what came of it.
    fn asked(answer: &'static str, login: Option<(&str, Secret)>) -> (String, Result<Answer, Stop>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..n]).into_owned()
        });
        let door = Door { path: &path, owner: None, login, missing: "", rights: "" };
        let request = Request { method: "POST", target: "/RPC2", body: Some(("text/xml", "<a/>")) };
        let came = ask(&door, &request, Duration::from_secs(5), &RealClock);
        (server.join().unwrap(), came)
    }

    #[test]
    fn a_request_goes_out_and_its_answer_comes_whole() {
        let login = Some(("joe", Secret::new("hunter2222".to_owned())));
        let (request, came) = asked("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes", login);
        let came = came.unwrap();
        assert_eq!((came.status, came.body.as_slice(), came.peer.pid), (200, b"yes".as_slice(), std::process::id()));
        assert!(request.starts_with("POST /RPC2 HTTP/1.0\r\n"), "{request}");
        assert!(request.contains("\r\nAuthorization: Basic am9lOmh1bnRlcjIyMjI=\r\n"), "{request}");
        assert!(request.ends_with("Content-Length: 4\r\n\r\n<a/>"), "{request}");
    }

    #[test]
    fn an_answer_that_is_not_whole_leaves_it_unknown() {
        for answer in ["HTTP/1.0 200 OK\r\nContent-Length: 30\r\n\r\nyes", "", "SSH-2.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"]
        {
            assert!(matches!(asked(answer, None).1, Err(Stop::NoAnswer(_))), "{answer}");
        }
    }

    #[test]
    fn a_socket_that_is_not_there_or_left_behind_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let door = Door { path: &path, owner: None, login: None, missing: "Start it.", rights: "" };
        let request = Request { method: "GET", target: "/", body: None };
        let said = || match ask(&door, &request, Duration::from_secs(1), &RealClock) {
            Err(Stop::NotSent(fault)) => fault.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(said().contains("there is no socket") && said().contains("Start it."), "{}", said());
        drop(UnixListener::bind(&path).unwrap());
        assert!(said().contains("nobody listens"), "{}", said());
    }

    #[test]
    fn who_may_not_connect_is_told_what_is_lacking() {
        let door = Door { path: Path::new("/s"), owner: None, login: None, missing: "", rights: "Join its group." };
        let said = closed(&door, &ErrorKind::PermissionDenied.into()).to_string();
        assert_eq!(said, "this login may not connect to /s. Join its group.");
    }

    #[test]
    fn only_root_this_login_and_a_declared_one_may_answer() {
        let path = Path::new("/s");
        let door = |owner| Door { path, owner, login: None, missing: "", rights: "" };
        let of = |uid| Peer { pid: 1, uid };
        assert!(stranger(&door(None), of(0)).is_none());
        assert!(stranger(&door(None), of(rustix::process::geteuid().as_raw())).is_none());
        assert!(stranger(&door(Some("daemon")), of(1)).is_none());
        let said = stranger(&door(Some("bin")), of(1)).unwrap().to_string();
        assert!(said.contains("a program of daemon") && said.contains("owner = \"daemon\""), "{said}");
    }
}
