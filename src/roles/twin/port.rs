//! The service's port on the loopback: kept by the supervisor while no service listens on it, so that a restart
//! finds it again, and open to connections before the service is up, so that the first question is answered late, not refused.

use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType, bind, listen, socket_with};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;

/// Connections that may wait for the service.
const BACKLOG: i32 = 64;

/// Keeps the port without listening: connections are refused.
///
/// # Errors
/// What the system said: the port is taken, no loopback.
pub(crate) fn reserve(port: u16) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Both options on both sockets let one user's reservation and listener share the port.
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    Ok(socket)
}

/// Listens on the port; 0 picks a free one.
///
/// # Errors
/// As [`reserve`].
pub(crate) fn bind_loopback(port: u16) -> io::Result<TcpListener> {
    let socket = reserve(port)?;
    listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_reserved_port_refuses_until_someone_listens_on_it() {
        let first = bind_loopback(0).unwrap();
        let port = first.local_addr().unwrap().port();
        let _kept = reserve(port).unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        drop(first);
        let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _second = bind_loopback(port).unwrap();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}
