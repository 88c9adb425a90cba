//! Opens one TCP connection, its name looked up within the house's limits, and tells the reasons why not apart:
//! refused, no answer, no way there, no such name. `tcp`, `websocket` and the burst share it.

use super::resolve::{NameFault, Names};
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Failure, Fault};
use crate::clean;
use crate::sys::clock::RealClock;
use core::net::SocketAddr;
use core::time::Duration;
use reqwest::Url;
use std::io;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For all addresses of a name together.
pub(crate) const CONNECT: Duration = Duration::from_secs(2);
/// More addresses of one name are not tried.
const ADDRESSES: usize = 4;

/// One peer to connect to.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    host: String,
    port: u16,
    /// Host and port, and the path where there is one; as sentences name it.
    place: Clean,
    names: Names,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    /// Of the name; zero for an address.
    pub(crate) lookup: Duration,
    /// The handshake of the address that answered.
    pub(crate) connect: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Trouble {
    Name(String),
    Refused,
    /// Nothing came back for so long.
    Silent(Duration),
    /// Its queue has no place: a try would only wait, and take one.
    Full,
    /// The system's words.
    NoWay(String),
    Other(String),
}

impl Dialer {
    /// Reads a URL; `url` may go without a scheme where only one is possible. `body` places the fault.
    pub(crate) fn new(body: &Body, url: &str, schemes: &[&str]) -> Result<(Self, Url), Fault> {
        let bare = format!("{}://{url}", schemes.first().copied().unwrap_or_default());
        let full = if url.contains("://") { url } else { &bare };
        let example = schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
        let parsed = Url::parse(full).map_err(|error| {
            body.fault_at("url", format!("`url` cannot be read: {error}."))
                .hint(format!("For example {}://127.0.0.1:8080.", schemes.first().copied().unwrap_or_default()))
        })?;
        if !schemes.contains(&parsed.scheme()) {
            let scheme = Clean::text(parsed.scheme());
            return Err(body.fault_at("url", format!("`url` begins with {scheme}://, expected {example}.")));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(body.fault_at("url", "`url` names a user, which has no meaning here."));
        }
        let (Some(host), Some(port)) =
            (parsed.host_str().filter(|host| !host.is_empty()), parsed.port_or_known_default())
        else {
            return Err(body.fault_at("url", "`url` names no host and port.").hint("For example 127.0.0.1:8080."));
        };
        let path = if parsed.path() == "/" { "" } else { parsed.path() };
        let shown = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let place = clean!("{shown}{path}");
        Ok((Self { host: host.to_owned(), port, place, names: Names::new() }, parsed))
    }

    /// Host, port and path: no query.
    pub(crate) fn place(&self) -> &Clean {
        &self.place
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// True while the address in use is an old one, since the name service does not answer.
    pub(crate) fn address_is_old(&self) -> bool {
        self.names.stale()
    }

    /// The addresses of the host, at most four. Cancel-safe.
    pub(crate) async fn addresses(&self) -> Result<Vec<SocketAddr>, Trouble> {
        let literal = self.host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = literal.parse() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let found = self.names.look_up(&self.host).await.map_err(|NameFault(what)| Trouble::Name(scrub(&what)))?;
        Ok(found.into_iter().map(|address| SocketAddr::new(address.ip(), self.port)).take(ADDRESSES).collect())
    }

    /// Connects within `limit`, which all addresses share; the name's own limit comes before it. Cancel-safe.
    pub(crate) async fn dial(&self, limit: Duration) -> Result<Line, Trouble> {
        let start = RealClock.now().mono;
        let addresses = self.addresses().await?;
        let looked_up = RealClock.now().mono;
        let mut trouble = None;
        for (at, address) in addresses.iter().enumerate() {
            let begun = RealClock.now().mono;
            let others = u32::try_from(addresses.len() - at).unwrap_or(1);
            let share = limit.saturating_sub(begun.since(looked_up)) / others;
            let told = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let connect = RealClock.now().mono.since(begun);
                    return Ok(Line { stream, lookup: looked_up.since(start), connect });
                }
                Ok(Err(error)) => Trouble::of(&error, limit),
                Err(_) => Trouble::Silent(limit),
            };
            // The first address is the one that its resolver prefers: what is wrong with it counts.
            trouble.get_or_insert(told);
        }
        Err(trouble.unwrap_or_else(|| Trouble::Name(format!("the name {} has no address", Clean::text(&self.host)))))
    }
}

impl Trouble {
    pub(crate) fn of(error: &io::Error, limit: Duration) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::TimedOut => Self::Silent(limit),
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
                Self::NoWay(scrub(&error.to_string()))
            }
            _ => Self::Other(scrub(&error.to_string())),
        }
    }

    /// As a sentence about `place`.
    pub(crate) fn sentence(&self, place: &Clean) -> String {
        match self {
            Self::Name(what) => format!("{place}: {what}."),
            Self::Refused => format!("{place} refused the connection. Is the service running?"),
            Self::Silent(limit) => {
                let limit = crate::base::Unit::Seconds.show(limit.as_secs_f64());
                format!("{place}: no connection within {limit}. Is the host up, the port open?")
            }
            Self::Full => format!("{place}: its queue is full: what listens there accepts nobody. Does it hang?"),
            Self::NoWay(what) => format!("{place} is unreachable: {what}. Is there a route to it?"),
            Self::Other(what) => format!("{place}: {what}."),
        }
    }

    pub(crate) fn failure(&self, place: &Clean) -> Failure {
        Failure::unreachable(self.sentence(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(url: &str, schemes: &[&str]) -> Result<String, String> {
        let body = Body::parse("p.toml", "url = \"x\"\n").expect("parses");
        let made = Dialer::new(&body, url, schemes);
        made.map(|(dialer, _)| format!("{} {}", dialer.place(), dialer.port())).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_place_names_no_query_and_the_port_may_be_the_schemes_own() {
        assert_eq!(new("127.0.0.1:8080", &["tcp"]), Ok("127.0.0.1:8080 8080".to_owned()));
        assert_eq!(new("tcp://[::1]:9", &["tcp"]), Ok("[::1]:9 9".to_owned()));
        assert_eq!(new("wss://x.example/feed?token=hunter2", &["ws", "wss"]), Ok("x.example/feed 443".to_owned()));
    }

    #[test]
    fn a_bad_url_is_placed_and_explained_and_shows_no_password() {
        for (url, fault) in [
            ("udp://x:9", "p.toml:1:7: `url` begins with udp://, expected tcp://."),
            ("tcp://x", "p.toml:1:7: `url` names no host and port. For example 127.0.0.1:8080."),
            ("tcp://joe:hunter2@x:9", "p.toml:1:7: `url` names a user, which has no meaning here."),
        ] {
            assert_eq!(new(url, &["tcp"]).err().as_deref(), Some(fault));
        }
    }

    #[test]
    fn the_systems_errors_are_four_different_sentences() {
        use rustix::io::Errno;
        let place = Clean::from("x:1");
        let said = |errno: Errno| Trouble::of(&errno.into(), CONNECT).sentence(&place);
        for errno in [Errno::HOSTUNREACH, Errno::NETUNREACH, Errno::NETDOWN, Errno::ADDRNOTAVAIL] {
            assert!(said(errno).starts_with("x:1 is unreachable: "), "{}", said(errno));
        }
        assert_eq!(said(Errno::CONNREFUSED), "x:1 refused the connection. Is the service running?");
        assert_eq!(said(Errno::TIMEDOUT), "x:1: no connection within 2.00 s. Is the host up, the port open?");
        assert_eq!(said(Errno::ACCESS), "x:1: Permission denied (os error 13).");
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_reached_is_told_apart_from_one_that_refuses() {
        let body = Body::parse("p.toml", "").expect("parses");
        let dial = async |url: &str| {
            let (dialer, _) = Dialer::new(&body, url, &["tcp"]).expect("a URL");
            dialer.dial(CONNECT).await.map(drop).map_err(|trouble| trouble.sentence(dialer.place()))
        };
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = free.local_addr().expect("bound");
        assert_eq!(dial(&at.to_string()).await, Ok(()));
        drop(free);
        // Held, so that nobody else comes to listen there.
        let held = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
        let held = held.expect("a socket");
        rustix::net::bind(&held, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let at: SocketAddr = rustix::net::getsockname(&held).expect("bound").try_into().expect("of the internet");
        assert_eq!(dial(&at.to_string()).await, Err(format!("{at} refused the connection. Is the service running?")));
        // A broadcast address has no way to it for TCP on any host.
        let wide = dial("255.255.255.255:9").await.expect_err("no way");
        assert!(wide.starts_with("255.255.255.255:9 is unreachable: "), "{wide}");
    }
}
