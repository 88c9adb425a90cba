//! A connected byte stream: TCP or a Unix socket, there within two seconds or a sentence that says why not.

use crate::base::{Clean, Fault};
use crate::clean;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// For the name and all its addresses together.
const CONNECT: Duration = Duration::from_secs(2);
/// More addresses of one name are not tried.
const ADDRESSES: usize = 4;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name or an address, and a port.
    Host(String, u16),
    /// A Unix socket.
    Path(PathBuf),
}

impl Address {
    /// As sentences name it.
    pub fn place(&self) -> Clean {
        match self {
            Self::Host(host, port) if host.contains(':') => clean!("[{host}]:{port}"),
            Self::Host(host, port) => clean!("{host}:{port}"),
            Self::Path(path) => Clean::text(path.as_os_str().as_encoded_bytes()),
        }
    }

    /// True where a name must be looked up, which may hang.
    pub fn is_named(&self) -> bool {
        matches!(self, Self::Host(host, _) if !is_localhost(host) && host.parse::<IpAddr>().is_err())
    }

    /// True where nothing of a talk leaves this host.
    pub fn is_here(&self) -> bool {
        match self {
            Self::Host(host, _) => is_localhost(host) || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
            Self::Path(_) => true,
        }
    }
}

/// Any byte stream.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}
/// An open one.
pub(crate) struct Stream(Box<dyn Bytes>);

impl Stream {
    pub(crate) fn new(bytes: impl Bytes + 'static) -> Self {
        Self(Box::new(bytes))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Connects.
pub(crate) async fn connect(address: &Address) -> Result<Stream, Fault> {
    let opening = async {
        match address {
            Address::Path(path) => UnixStream::connect(path).await.map(Stream::new),
            Address::Host(host, port) => dial(host, *port).await,
        }
    };
    match timeout(CONNECT, opening).await {
        Ok(opened) => opened.map_err(|error| sentence(&address.place(), &error)),
        Err(_) => Err(Fault::new(format!("{}: no connection within 2 s.", address.place()))
            .hint("Is the host up, the port open?")),
    }
}

async fn dial(host: &str, port: u16) -> Result<Stream, Error> {
    let mut last = Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream.set_nodelay(true).map(|()| Stream::new(stream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if is_localhost(host) {
        // RFC 6761: always the loopback; no name service is asked.
        return Ok([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(|ip: IpAddr| (ip, port).into()).into());
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let found = tokio::net::lookup_host((host, port)).await;
    found.map(|found| found.take(ADDRESSES).collect()).map_err(|error| Error::new(ErrorKind::NotConnected, error))
}

fn is_localhost(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
}

/// What went wrong with a stream.
pub(crate) fn sentence(place: &Clean, error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            Fault::new(format!("{place} refused the connection.")).hint("Is the service running?")
        }
        ErrorKind::NotConnected => Fault::new(format!("the name in {place} has no address: {error}.")),
        ErrorKind::NotFound => Fault::new(format!("{place} does not exist.")).hint("Is the service running?"),
        ErrorKind::PermissionDenied => {
            Fault::new(format!("{place} may not be opened by this login.")).hint("Run as a user or group that may.")
        }
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => {
            Fault::new(format!("{place} closed the connection before its answer was whole."))
        }
        _ => Fault::new(format!("{place}: {error}.")),
    }
}
