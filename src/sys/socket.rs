//! Unix sockets: connecting within a time limit, telling without waiting.

use std::io;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Connects within `limit`. A connect waits on a full backlog and has no timeout of its own, so a thread takes the risk;
/// it ends with the process at the latest.
///
/// # Errors
/// The system's, or that the limit has passed.
pub fn connect(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let (reply, answer) = sync_channel(1);
    let target = path.to_owned();
    std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
        // Whoever asked may have given up.
        let _gone = reply.try_send(UnixStream::connect(target));
    })?;
    answer.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends one datagram, or none: it never waits.
///
/// # Errors
/// Nobody listens, or nobody reads.
pub fn tell(path: &Path, text: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(text.as_bytes(), path).map(drop)
}
