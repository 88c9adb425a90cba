//! Unix sockets: connecting within a time limit, telling without waiting.

use std::io;
use std::os::fd::AsRawFd;
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

/// Who answers at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process; 0 when it lives in another name space of processes.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
}

/// Who answers, as the kernel kept it when the socket was opened for listening.
///
/// # Errors
/// The system's.
pub fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    #[expect(unsafe_code, reason = "rustix takes a process number of 0, which may come, for impossible")]
    // SAFETY: both pointers are to live values of ours, and `length` is the size of the first.
    let done = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast::<libc::c_void>(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Peer { pid: u32::try_from(found.pid).unwrap_or(0), uid: found.uid })
}
