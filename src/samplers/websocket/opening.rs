//! Opens a WebSocket within the house's limits, and has a sentence for every way in which it or its peer can fail.
//! `websocket` and the burst share it.

use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Failure, Fault};
use crate::samplers::blocking::{LOGINS, Worker};
use crate::samplers::dial::{CONNECT, Dialer};
use crate::samplers::http::fault::handshake;
use crate::samplers::http::tls;
use crate::sys::clock::RealClock;
use crate::sys::secret::{Given, Secret};
use core::time::Duration;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::Url;
use rustls::ClientConfig;
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

/// TLS and the change of protocol together.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// The largest frame and message that is taken.
const MESSAGE: usize = 1 << 20;

/// An open WebSocket.
pub(crate) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where to, and what to say at the door.
#[derive(Clone)]
pub(crate) struct Opener {
    dialer: Dialer,
    url: Url,
    headers: Vec<(HeaderName, Given)>,
    bearer: Option<Given>,
}

impl Opener {
    /// Reads the address; opens nothing. `body` places the fault.
    pub(crate) fn new(body: &Body, url: &str) -> Result<Self, Fault> {
        let (dialer, mut url) = Dialer::new(body, url, &["ws", "wss"])?;
        url.set_fragment(None);
        Ok(Self { dialer, url, headers: Vec::new(), bearer: None })
    }

    /// Takes `headers` and `bearer` out of a table.
    pub(crate) fn take_secrets(&mut self, body: &mut Body) -> Result<(), Fault> {
        self.bearer = Given::take(body, "bearer")?;
        let Some(mut table) = body.take_table("headers")? else { return Ok(()) };
        for key in table.keys() {
            let own = ["host", "connection", "upgrade"].iter().any(|own| key.eq_ignore_ascii_case(own));
            let name = HeaderName::from_bytes(key.as_bytes());
            let (Ok(name), false) = (name, own || key.to_ascii_lowercase().starts_with("sec-websocket-")) else {
                return Err(table.fault_at(&key, format!("`{}` cannot be set as a header.", Clean::text(&key))));
            };
            self.headers.extend(Given::take(&mut table, &key)?.map(|value| (name, value)));
        }
        Ok(())
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub(crate) fn place(&self) -> &Clean {
        self.dialer.place()
    }

    /// Reads the secrets now. Blocking: they may be kept in files.
    pub(crate) fn secrets(&self) -> Result<HeaderMap, Clean> {
        let mut read = HeaderMap::new();
        let bearer = self.bearer.iter().map(|given| (AUTHORIZATION, "Bearer ", given));
        let headers = self.headers.iter().map(|(name, given)| (name.clone(), "", given));
        for (name, before, given) in headers.chain(bearer) {
            let value = given.secret().map_err(|fault| Clean::text(fault.to_string()))?;
            let value = Secret::new(value.reveal().trim().to_owned());
            let mut value = HeaderValue::from_str(&format!("{before}{}", value.reveal()))
                .map_err(|_| crate::clean!("the value for the header `{name}` holds what no header may hold."))?;
            value.set_sensitive(true);
            read.insert(name, value);
        }
        Ok(read)
    }

    /// Connects and changes the protocol; also how long that took, the name's look-up included. Cancel-safe.
    pub(crate) async fn open(&self, headers: HeaderMap) -> Result<(Stream, Duration), Failure> {
        let place = self.place();
        let secure = if self.url.scheme() == "wss" { Some(self.secure().await?) } else { None };
        let mut request = self.url.as_str().into_client_request().map_err(|error| self.refused(&error))?;
        request.headers_mut().extend(headers);
        let agent = HeaderValue::from_static(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let start = RealClock.now().mono;
        let line = self.dialer.dial(CONNECT).await.map_err(|trouble| trouble.failure(place))?;
        // A ping is small and must not wait for company.
        drop(line.stream.set_nodelay(true));
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(0)
            .max_write_buffer_size(256 << 10)
            .max_message_size(Some(MESSAGE))
            .max_frame_size(Some(MESSAGE));
        let opening = client_async_tls_with_config(request, line.stream, Some(config), secure);
        match timeout(HANDSHAKE, opening).await {
            Ok(Ok((stream, _))) => Ok((stream, RealClock.now().mono.since(start))),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(Failure::unreachable(format!(
                "{place} took the connection and did not answer within 2 s. Does it hang?"
            ))),
        }
    }

    /// TLS, made once for all: the authorities of the system are read on a thread for that.
    async fn secure(&self) -> Result<Connector, Failure> {
        static MADE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        static MAKER: Mutex<Worker<Result<ClientConfig, Fault>>> = Mutex::const_new(Worker::new(&LOGINS));
        let place = self.place();
        if let Some(made) = MADE.get() {
            return Ok(Connector::Rustls(Arc::clone(made)));
        }
        let unread = |why: &str| Failure::unreachable(format!("{place}: certificates cannot be read: {why}."));
        let make = async { MAKER.lock().await.run(RealClock.now().mono, tls::plain).await };
        let made = timeout(HANDSHAKE, make).await.map_err(|_| unread("the disk does not answer"))?;
        let made = made.map_err(|stuck| unread(&stuck.to_string()))?;
        let made = made.map_err(|fault| Failure::unreachable(format!("{place}: {fault}")))?;
        Ok(Connector::Rustls(Arc::clone(MADE.get_or_init(|| Arc::new(made)))))
    }

    /// Why there is no WebSocket.
    fn refused(&self, error: &Error) -> Failure {
        let place = self.place();
        match error {
            Error::Http(response) => refused_by_status(place, response.status()),
            Error::Io(error) if let Some(tls) = handshake(error) => {
                // The way to mend it is that of `http`, which has keys for it.
                let doubt = tls::doubt(tls);
                Failure::answered(format!("{place}: {}.", doubt.split(';').next().unwrap_or(&doubt)))
            }
            Error::Io(error) if !broken_off(error) => {
                Failure::unreachable(format!("{place}: {}.", scrub(&error.to_string())))
            }
            Error::Io(_) | Error::Protocol(ProtocolError::HandshakeIncomplete) => {
                Failure::unreachable(format!("{place} closed the connection before its answer was whole."))
            }
            Error::Protocol(what) => {
                Failure::answered(format!("{place} speaks no WebSocket: {}.", scrub(&what.to_string())))
            }
            other => Failure::answered(format!("{place} speaks no WebSocket: {}.", scrub(&other.to_string()))),
        }
    }
}

fn refused_by_status(place: &Clean, status: StatusCode) -> Failure {
    let reason = status.canonical_reason().unwrap_or("");
    let answer = format!("{place} answered {} {reason}", status.as_u16());
    let answer = answer.trim_end();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Failure::not_permitted(format!("{answer}. It wants a login that the profile does not give."))
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Failure::answered(format!("{answer}."))
        }
        _ => Failure::answered(format!("{answer} to the request for a WebSocket. Is the path right?")),
    }
}

fn broken_off(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionReset | Kind::ConnectionAborted | Kind::UnexpectedEof | Kind::BrokenPipe)
}

/// How an open connection ended: the close code that says it (of RFC 6455, 1006 where nothing was said), and words.
pub(crate) fn ended(error: Option<&Error>) -> (u16, String) {
    match error {
        None | Some(Error::ConnectionClosed | Error::AlreadyClosed) => (1006, "closed the connection".to_owned()),
        Some(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
            (1009, "sent a message of more than 1 MiB".to_owned())
        }
        Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
            (1006, "broke the connection off without a word".to_owned())
        }
        Some(Error::Protocol(what)) => {
            (1002, format!("broke the rules of the protocol ({})", scrub(&what.to_string())))
        }
        Some(Error::Utf8(_)) => (1007, "sent text that is not UTF-8".to_owned()),
        Some(Error::Io(error)) if broken_off(error) => (1006, "broke the connection off without a word".to_owned()),
        Some(other) => (1006, format!("is lost: {}", scrub(&other.to_string()))),
    }
}

/// What a close code means.
pub(crate) fn meaning(code: u16) -> &'static str {
    match CloseCode::from(code) {
        CloseCode::Normal => "normal",
        CloseCode::Away => "going away",
        CloseCode::Protocol => "protocol error",
        CloseCode::Unsupported => "unsupported data",
        CloseCode::Status => "no code given",
        CloseCode::Abnormal => "broken off",
        CloseCode::Invalid => "invalid text",
        CloseCode::Policy => "against its policy",
        CloseCode::Size => "message too big",
        CloseCode::Extension => "extension missing",
        CloseCode::Error => "internal error",
        CloseCode::Restart => "service restarts",
        CloseCode::Again => "try again later",
        _ if (3000..5000).contains(&code) => "a code of the service's own",
        _ => "a code without meaning",
    }
}

/// The bytes of a ping, so that its pong is known from an older one.
pub(crate) fn ping(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opener(config: &str) -> Result<Opener, String> {
        let mut body = Body::parse("p.toml", config).expect("parses");
        let make = |body: &mut Body| {
            let mut opener = Opener::new(body, "ws://127.0.0.1:1/feed?token=hunter2")?;
            opener.take_secrets(body).map(|()| opener)
        };
        make(&mut body).map_err(|fault: Fault| fault.to_string())
    }

    #[test]
    fn secrets_become_headers_that_never_show() {
        let opener = opener("bearer = \"abc-very-secret\"\nheaders = { X-Key = \"key-very-secret\" }").expect("valid");
        let headers = opener.secrets().expect("read");
        assert_eq!(headers.get("authorization").map(HeaderValue::as_bytes), Some(b"Bearer abc-very-secret".as_slice()));
        assert_eq!(headers.get("x-key").map(HeaderValue::as_bytes), Some(b"key-very-secret".as_slice()));
        assert!(!format!("{headers:?}").contains("secret"), "{headers:?}");
        assert_eq!(crate::sys::secret::hide("it said key-very-secret"), "it said <redacted>");
        assert_eq!(opener.place().as_str(), "127.0.0.1:1/feed");
    }

    #[test]
    fn a_header_that_is_the_protocols_own_is_refused() {
        for (config, what) in [
            ("headers = { Upgrade = \"x\" }", "p.toml:1:23: `Upgrade` cannot be set as a header."),
            ("headers = { \"a b\" = \"x\" }", "p.toml:1:21: `a b` cannot be set as a header."),
            (
                "bearer = 7",
                "p.toml:1:10: `bearer` is neither a text nor a place of one. Write \"…\", { env = \"NAME\" } or { file = \"/path\" }.",
            ),
        ] {
            assert_eq!(opener(config).err().as_deref(), Some(what));
        }
        let missing = opener("bearer = { env = \"NO_SUCH_VARIABLE_HERE\" }").expect("valid").secrets();
        assert!(missing.is_err_and(|what| what.as_str().contains("NO_SUCH_VARIABLE_HERE")));
    }

    #[test]
    fn every_code_has_words() {
        assert_eq!(
            [1000, 1006, 1011, 4001, 999].map(meaning),
            ["normal", "broken off", "internal error", "a code of the service's own", "a code without meaning"]
        );
    }
}
