//! Byte streams of samplers that keep one connection to a server: TCP or a Unix socket, there within 2 s, and never
//! more than 1 MiB read in one sample.

use super::resolve::{NameFault, Names};
use crate::base::{Clean, Failure};
use crate::clean;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

const CONNECT: Duration = Duration::from_secs(2);
const SAMPLE: usize = 1 << 20;
const FIRST: usize = 200;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Host(String, u16),
    Path(PathBuf),
}

impl Address {
    /// As sentences name it.
    pub(crate) fn place(&self) -> Clean {
        match self {
            Self::Host(host, port) if host.contains(':') => clean!("[{host}]:{port}"),
            Self::Host(host, port) => clean!("{host}:{port}"),
            Self::Path(path) => clean!("{}", path.display()),
        }
    }
}

/// How many bytes may still be read, and what the server said first; shared with the streams that read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    left: AtomicUsize,
    first: Mutex<Vec<u8>>,
}

impl Allowance {
    /// For one sample only.
    #[cfg(feature = "postgres")]
    pub(crate) fn full() -> Self {
        let full = Self::default();
        full.renew();
        full
    }

    /// For another sample.
    pub(crate) fn renew(&self) {
        self.0.left.store(SAMPLE, Ordering::Relaxed);
    }

    /// True when a stream was stopped for it.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.left.load(Ordering::Relaxed) == 0
    }

    /// The first bytes of the newest stream: some servers say why they hang up before anybody asked.
    pub(crate) fn first_words(&self) -> Vec<u8> {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets them: a new stream begins, or the server has proved to be what it should.
    pub(crate) fn forget(&self) {
        self.0.first.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, read: &[u8]) {
        let left = self.0.left.load(Ordering::Relaxed);
        self.0.left.store(left.saturating_sub(read.len()), Ordering::Relaxed);
        let mut first = self.0.first.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FIRST.saturating_sub(first.len()).min(read.len());
        first.extend_from_slice(read.get(..room).unwrap_or_default());
    }
}

/// A connected stream. Shutting it down waits until the server has closed its side too.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: Socket,
    allowance: Allowance,
    said_goodbye: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Connects within 2 s.
pub(crate) async fn connect(address: &Address, names: &Names, allowance: &Allowance) -> Result<Wire, Failure> {
    let place = address.place();
    allowance.forget();
    let wire = |socket| Wire { socket, allowance: allowance.clone(), said_goodbye: false };
    let ways = match address {
        Address::Path(path) => {
            let stream = tokio::time::timeout(CONNECT, UnixStream::connect(path)).await;
            return stream
                .map_err(|_| late(&place))?
                .map(|stream| wire(Socket::Unix(stream)))
                .map_err(|e| sentence(&place, &e));
        }
        Address::Host(host, _) => {
            let known = names.addresses(host).await;
            known.map_err(|NameFault(what)| Failure::unreachable(format!("{place}: {what}.")))?
        }
    };
    let port = if let Address::Host(_, port) = address { *port } else { 0 };
    let connecting = async {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for mut way in ways {
            way.set_port(port);
            match TcpStream::connect(way).await {
                Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    let stream = tokio::time::timeout(CONNECT, connecting).await.map_err(|_| late(&place))?;
    stream.map(|stream| wire(Socket::Tcp(stream))).map_err(|error| sentence(&place, &error))
}

fn late(place: &Clean) -> Failure {
    Failure::unreachable(format!("{place}: no connection within 2 s. Is the host up, the port open?"))
}

/// What went wrong with a stream.
pub(crate) fn sentence(place: &Clean, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Failure::unreachable(format!("{place} refused the connection. Is the service running?"))
        }
        io::ErrorKind::NotFound => Failure::unreachable(format!("{place} does not exist. Is the service running?")),
        io::ErrorKind::PermissionDenied => {
            Failure::not_permitted(format!("{place} may not be opened by this login. Run as a user or group that may."))
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => closed(place),
        _ => Failure::unreachable(format!("{place}: {error}.")),
    }
}

/// The stream ended before an answer was whole.
pub(crate) fn closed(place: &Clean) -> Failure {
    Failure::unreachable(format!("{place} closed the connection before its answer was whole."))
}

/// The allowance of a sample was spent.
pub(crate) fn too_much(place: &Clean) -> Failure {
    Failure::answered(format!("{place} sent more than 1 MiB for one sample, reading stopped."))
}

impl Wire {
    fn raw_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(this.raw_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        this.allowance.take(read);
        if !read.is_empty() && this.allowance.is_spent() {
            // An error comes without bytes.
            buffer.set_filled(before);
            return Poll::Ready(Err(io::Error::other("more than 1 MiB for one sample")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = ready!(match &mut this.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        });
        if wrote.is_err() {
            // Who hung up before it was asked may have said why; nobody else will read it.
            let mut space = [0; FIRST];
            let mut said = ReadBuf::new(&mut space);
            if let Poll::Ready(Ok(())) = this.raw_read(cx, &mut said) {
                this.allowance.take(said.filled());
            }
        }
        Poll::Ready(wrote)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.said_goodbye {
            ready!(match &mut this.socket {
                Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
                Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            })?;
            this.said_goodbye = true;
        }
        // Until the server has closed too, its session is still there.
        let mut space = [0; 512];
        loop {
            let mut rest = ReadBuf::new(&mut space);
            match ready!(this.raw_read(cx, &mut rest)) {
                Ok(()) if !rest.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Wire, TcpStream, Allowance) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let allowance = Allowance::default();
        allowance.renew();
        let address = Address::Host("127.0.0.1".into(), port);
        let wire = connect(&address, &Names::new(), &allowance).await.expect("connects");
        (wire, listener.accept().await.expect("a client").0, allowance)
    }

    #[tokio::test]
    async fn a_flood_is_cut_at_one_mebibyte_and_the_next_sample_has_its_own() {
        let (mut wire, mut server, allowance) = pair().await;
        let flood = tokio::spawn(async move {
            let block = vec![7; 65_536];
            while server.write_all(&block).await.is_ok() {}
        });
        let mut all = Vec::new();
        assert!(wire.read_to_end(&mut all).await.is_err());
        assert!(allowance.is_spent() && all.len() <= SAMPLE, "{}", all.len());
        allowance.renew();
        assert!(wire.read_u8().await.is_ok());
        drop(wire);
        flood.await.expect("ends");
    }

    #[tokio::test]
    async fn a_goodbye_waits_for_the_servers() {
        let (mut wire, mut server, _) = pair().await;
        let mut leaving = tokio::spawn(async move { wire.shutdown().await });
        assert_eq!(server.read_u8().await.ok(), None, "our side is closed");
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut leaving).await.is_err(), "it has not closed");
        drop(server);
        leaving.await.expect("no panic").expect("closed");
    }

    #[tokio::test]
    async fn nobody_there_is_a_sentence() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let what = |address: Address| async move {
            connect(&address, &Names::new(), &Allowance::default()).await.expect_err("nobody").what.to_string()
        };
        let refused = what(Address::Host("127.0.0.1".into(), port)).await;
        assert_eq!(refused, format!("127.0.0.1:{port} refused the connection. Is the service running?"));
        let missing = what(Address::Path("/nonexistent/socket".into())).await;
        assert_eq!(missing, "/nonexistent/socket does not exist. Is the service running?");
        assert_eq!(Address::Host("::1".into(), 9).place().as_str(), "[::1]:9");
    }
}
