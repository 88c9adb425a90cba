//! One HTTP/1.1 request over a connection of its own, to a host or through a daemon's socket. Nothing is followed and
//! nothing is sent twice.

use super::door::{Door, Peer};
use super::stream::{Address, Stream, connect};
use super::talk::{Lost, talk};
use super::tls::Tls;
use crate::base::{Clean, Fault};
use core::time::Duration;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

/// An answer is not read further, in bytes.
pub const LONGEST: usize = 1 << 20;

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Site {
    uri: Uri,
    host: String,
    address: Address,
    tls: Option<Tls>,
    door: Option<Door>,
}

/// What is asked there.
pub struct Ask {
    /// Such as `POST`.
    pub method: Method,
    /// Without those that HTTP itself needs. Secrets are among them: this is never shown.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What goes with it.
    pub body: String,
    /// Of the answer so many bytes are read.
    pub most: usize,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// Where it points elsewhere.
    pub location: Option<Clean>,
    /// As much as was wanted.
    pub body: Vec<u8>,
    /// More was not read.
    pub cut: bool,
    /// Who answered through a socket.
    pub peer: Option<Peer>,
}

impl Site {
    /// Reads a URL. `tls` is for `https`.
    ///
    /// # Errors
    /// What about it cannot be asked.
    pub fn parse(url: &str, tls: Tls) -> Result<Self, Fault> {
        let uri: Uri = url.parse().map_err(|error| Fault::new(format!("`url` cannot be read: {error}.")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(Fault::new("`url` names no host.").hint("For example https://127.0.0.1:8443/admin."));
        };
        let tls = match scheme {
            "http" => None,
            "https" => Some(tls),
            other => {
                return Err(Fault::new(format!("`url` begins with {}://, expected https://.", Clean::text(other))));
            }
        };
        if authority.as_str().contains('@') {
            return Err(Fault::new("`url` names a user: it would be shown.").hint("Use `basic` or `bearer`."));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        if let Some(tls) = &tls {
            tls.name(&host)?;
        }
        Ok(Self { address: Address::Host(host.clone(), port), host, tls, uri, door: None })
    }

    /// What a daemon behind a socket has at `target`.
    ///
    /// # Errors
    /// That is none.
    pub fn behind(door: Door, target: &str) -> Result<Self, Fault> {
        let address = Address::Path(door.path.clone());
        Ok(Self { address, door: Some(door), ..Self::parse(&format!("http://localhost{target}"), Tls::default())? })
    }

    /// Host and port.
    pub fn place(&self) -> Clean {
        self.address.place()
    }

    /// Host and port, and the path; no query.
    pub fn resource(&self) -> String {
        format!("{}{}", self.place(), self.uri.path())
    }

    /// Whether both are the same server, spoken to as openly: what one may be told, so may the other.
    pub fn is_of(&self, other: &Self) -> bool {
        let of = |site: &Self| (site.uri.scheme().cloned(), site.place().to_string().to_ascii_lowercase());
        of(self) == of(other)
    }

    /// True where a name must be looked up.
    pub fn is_named(&self) -> bool {
        self.address.is_named()
    }

    /// True where nothing of a talk leaves this host.
    pub fn is_here(&self) -> bool {
        self.address.is_here()
    }

    /// True where others may listen in.
    pub fn is_open(&self) -> bool {
        self.tls.is_none() && !self.is_here()
    }

    /// Connects and looks at the certificate, and asks nothing.
    ///
    /// # Errors
    /// Why nobody is there, or not whom it should be.
    pub fn reach(&self, limit: Duration) -> Result<(), Fault> {
        let site = self.clone();
        talk(self.place().as_str(), limit, async move |_| site.open().await.map(drop)).map_err(Lost::fault)
    }

    /// Asks once.
    ///
    /// # Errors
    /// Whether the request was on its way when it failed.
    pub fn ask(&self, ask: Ask, limit: Duration) -> Result<Answer, Lost> {
        let site = self.clone();
        talk(self.place().as_str(), limit, async move |sent| {
            let place = site.place();
            let lost = |error: hyper::Error| Fault::new(format!("no whole answer came from {place}: {error}."));
            let (most, request) = (ask.most, site.request(ask)?);
            let (stream, peer) = site.open().await?;
            let (mut sender, connection) =
                http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(lost)?;
            let driver = tokio::spawn(connection);
            sender.ready().await.map_err(lost)?;
            sent.mark();
            let answer = read(sender.send_request(request).await.map_err(lost)?, most).await.map_err(lost);
            driver.abort();
            answer.map(|answer| Answer { peer, ..answer })
        })
    }

    async fn open(&self) -> Result<(Stream, Option<Peer>), Fault> {
        if let Some(door) = &self.door {
            return door.open().await.map(|(stream, peer)| (stream, Some(peer)));
        }
        let stream = connect(&self.address).await?;
        let stream = match &self.tls {
            Some(tls) => tls.over(stream, &self.host, &self.place()).await?,
            None => stream,
        };
        Ok((stream, None))
    }

    fn request(&self, ask: Ask) -> Result<Request<Full<Bytes>>, Fault> {
        let fault = |error: http::Error| Fault::new(format!("this request cannot be made: {error}."));
        let target = self.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let host = self.uri.authority().map_or("", http::uri::Authority::as_str);
        let mut request = Request::builder().method(ask.method).uri(target).header(HOST, host);
        request = request.header(USER_AGENT, concat!("watchkeeper/", env!("CARGO_PKG_VERSION")));
        if !ask.body.is_empty() {
            request = request.header(CONTENT_LENGTH, ask.body.len());
        }
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        request.body(Full::from(ask.body)).map_err(fault)
    }
}

async fn read(answer: http::Response<Incoming>, most: usize) -> Result<Answer, hyper::Error> {
    let (head, mut rest) = answer.into_parts();
    let location = head.headers.get(LOCATION).map(|value| Clean::text(value.as_bytes()));
    let (mut body, mut cut) = (Vec::new(), false);
    while let Some(frame) = rest.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = most - body.len();
        body.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            cut = true;
            break;
        }
    }
    Ok(Answer { status: head.status.as_u16(), location, body, cut, peer: None })
}
