//! The Unix socket of a daemon that speaks HTTP: only where the kernel says that root, this login or a declared one
//! answers.

use super::stream::Stream;
use crate::base::{Clean, Fault};
use crate::sys::files::fault;
use crate::sys::host::user_name;
use core::time::Duration;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A daemon that does not take a connection within this time is not there.
const CONNECT: Duration = Duration::from_secs(2);

/// Where a daemon is, and who may be behind it.
#[derive(Clone, Debug)]
pub struct Door {
    /// Its socket.
    pub path: PathBuf,
    /// The login that may answer besides root and ours.
    pub owner: Option<String>,
    /// What to do where there is no socket.
    pub missing: &'static str,
    /// What to do where this login may not connect.
    pub rights: &'static str,
}

/// Who answers at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process; 0 when it lives in another name space of processes.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

impl Door {
    /// Connects, and looks who answers before anything is said.
    pub(super) async fn open(&self) -> Result<(Stream, Peer), Fault> {
        let opened = timeout(CONNECT, UnixStream::connect(&self.path)).await;
        let stream = opened.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())).map_err(|error| self.closed(&error))?;
        let peer = stream.peer_cred().map_err(|error| fault("see who answers at", &self.path, &error))?;
        let peer = Peer { pid: peer.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0), uid: peer.uid() };
        let place = Clean::text(self.path.as_os_str().as_encoded_bytes());
        stranger(&place, peer, self.owner.as_deref()).map_or(Ok((Stream::new(stream), peer)), Err)
    }

    /// Why there is no connection.
    fn closed(&self, error: &Error) -> Fault {
        let path = self.path.display();
        match error.kind() {
            ErrorKind::NotFound => Fault::new(format!("there is no socket {path}.")).hint(self.missing),
            ErrorKind::PermissionDenied => {
                Fault::new(format!("this login may not connect to {path}.")).hint(self.rights)
            }
            ErrorKind::ConnectionRefused => {
                Fault::new(format!("nobody listens at {path}: what is there was left behind.")).hint(self.missing)
            }
            _ => fault("connect to", &self.path, error),
        }
    }
}

/// Why this one may not answer at `place`: it is neither root, nor this login, nor the declared one.
pub fn stranger(place: &Clean, peer: Peer, owner: Option<&str>) -> Option<Fault> {
    let name = user_name(peer.uid);
    let ours = rustix::process::geteuid().as_raw();
    if peer.uid == 0 || peer.uid == ours || owner == Some(name.as_str()) {
        return None;
    }
    let what = format!("{place} is answered by a program of {name}, not of root or this login.");
    Some(Fault::new(what).hint(format!("If that is as it should be, say owner = \"{name}\".")))
}

/// A socket by its real path: equal for everybody who means the same one.
pub fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::net::http::{Answer, Ask, LONGEST, Site};
    use crate::sys::net::talk::Lost;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    fn door(path: &Path) -> Door {
        Door { path: path.into(), owner: None, missing: "Start it.", rights: "Join its group." }
    }

    fn ask(door: Door) -> Result<Answer, Lost> {
        let ask = Ask { method: http::Method::POST, headers: Vec::new(), body: "<a/>".into(), most: LONGEST };
        Site::behind(door, "/RPC2?x=1").unwrap().ask(ask, Duration::from_secs(5))
    }

    /// What was asked of a daemon that answers with `answer`, and what came of it.
    fn asked(answer: &'static str) -> (String, Result<Answer, Lost>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            while !request.ends_with(b"<a/>") {
                let n = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..n]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request).into_owned()
        });
        let came = ask(door(&path));
        (server.join().unwrap(), came)
    }

    #[test]
    fn an_answer_comes_whole_however_its_end_is_told() {
        for answer in [
            "HTTP/1.0 200 OK\r\n\r\nyes",
            "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\ny\r\n2\r\nes\r\n0\r\n\r\n",
        ] {
            let (request, came) = asked(answer);
            let came = came.unwrap();
            assert_eq!((came.status, came.body.as_slice()), (200, b"yes".as_slice()), "{answer}");
            assert_eq!(came.peer.unwrap().pid, std::process::id());
            assert!(request.starts_with("POST /RPC2?x=1 HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("\r\nhost: localhost\r\n"), "{request}");
        }
    }

    #[test]
    fn an_answer_that_is_not_whole_leaves_it_unknown() {
        for answer in ["HTTP/1.0 200 OK\r\nContent-Length: 30\r\n\r\nyes", "", "SSH-2.0\r\n\r\n", "HTTP/1.0 200 OK\r\n"]
        {
            assert!(matches!(asked(answer).1, Err(Lost::After(_))), "{answer}");
        }
    }

    #[test]
    fn a_socket_that_is_not_there_or_left_behind_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let said = || match ask(door(&path)) {
            Err(Lost::Before(fault)) => fault.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(said().contains("there is no socket") && said().contains("Start it."), "{}", said());
        drop(UnixListener::bind(&path).unwrap());
        assert!(said().contains("nobody listens"), "{}", said());
    }

    #[test]
    fn who_may_not_connect_is_told_what_is_lacking() {
        let said = door(Path::new("/s")).closed(&ErrorKind::PermissionDenied.into()).to_string();
        assert_eq!(said, "this login may not connect to /s. Join its group.");
    }

    #[test]
    fn only_root_this_login_and_a_declared_one_may_answer() {
        let of = |uid, owner| stranger(&"/s".into(), Peer { pid: 1, uid }, owner);
        assert!(of(0, None).is_none());
        assert!(of(rustix::process::geteuid().as_raw(), None).is_none());
        assert!(of(1, Some("daemon")).is_none());
        let said = of(1, Some("bin")).unwrap().to_string();
        assert!(said.contains("a program of daemon") && said.contains("owner = \"daemon\""), "{said}");
    }
}
