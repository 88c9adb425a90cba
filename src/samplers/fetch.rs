//! One HTTP GET with every cap of the house: connect 2 s, body 1 MiB, decompressed 4 MiB, three redirects on the
//! same host. What goes wrong becomes a sentence: where, what, hint. `http` and `scrape` share it; the notifier
//! POSTs through it, without any redirect.

use super::resolve::{NameFault, Names};
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Failure, Fault};
use crate::clean;
use crate::sys::clock::RealClock;
use core::error::Error;
use core::time::Duration;
use flate2::read::MultiGzDecoder;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use std::io::{self, Read};

const CONNECT: Duration = Duration::from_secs(2);
const BODY: usize = 1 << 20;
const DECOMPRESSED: u64 = 4 << 20;
const REDIRECTS: usize = 3;

/// Asks one URL. Its connection is kept between requests, so that a steady watch costs no handshakes.
/// Not `Debug`: the URL may hold a password.
pub struct Fetcher {
    url: Url,
    place: Clean,
    /// A POST that is redirected would arrive as a GET, or somewhere else: neither is a delivery.
    redirects: bool,
    names: Names,
    client: Option<Client>,
    /// True once an answer has come: a connection may be waiting for the next request.
    warm: bool,
}

/// A 2xx answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    /// From the start until the head of the answer was here; includes connecting, when that was needed.
    pub(crate) first_byte: Duration,
    /// From there until the last byte.
    pub(crate) rest: Duration,
}

/// A POST that was not taken.
#[derive(Debug)]
pub struct Undelivered {
    /// Why, as a sentence.
    pub what: Clean,
    /// Nobody answered, or the answer says that it may go better later (5xx, 408, 429).
    pub again: bool,
}

/// A redirect that is not followed, as the end of a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Fetcher {
    /// Reads the URL; opens nothing. `body` places the fault.
    pub(crate) fn new(body: &Body, url: &str) -> Result<Self, Fault> {
        let url = Url::parse(url).map_err(|error| {
            body.fault_at("url", format!("`url` cannot be read: {error}."))
                .hint("For example http://127.0.0.1:8080/health.")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = Clean::text(url.scheme());
            return Err(body.fault_at("url", format!("`url` begins with {scheme}://, expected http:// or https://.")));
        }
        let place = place(&url, url.path());
        Ok(Self { url, place, redirects: true, names: Names::new(), client: None, warm: false })
    }

    /// The same for POSTs. Sentences name host and port only: the path of a webhook is often its secret.
    ///
    /// # Errors
    /// As [`Fetcher::new`].
    pub fn posting(body: &Body, url: &str) -> Result<Self, Fault> {
        let fetcher = Self::new(body, url)?;
        let place = place(&fetcher.url, "/");
        Ok(Self { place, redirects: false, ..fetcher })
    }

    /// Host, port and path, as sentences name it: no user, password or query.
    pub fn place(&self) -> &Clean {
        &self.place
    }

    /// What follows asks for another page of the same server, over the same connection. Each part of the path is one
    /// name, whatever it holds.
    pub(crate) fn turn_to(&mut self, path: &[&str], query: &[(&str, &str)]) {
        if let Ok(mut segments) = self.url.path_segments_mut() {
            segments.clear().extend(path);
        }
        self.url.set_query(None);
        if !query.is_empty() {
            self.url.query_pairs_mut().extend_pairs(query);
        }
        self.place = place(&self.url, self.url.path());
    }

    /// True while the address in use is an old one, since the name service does not answer.
    pub(crate) fn address_is_old(&self) -> bool {
        self.names.stale()
    }

    /// Asks once. Anything but a whole 2xx answer is a failure. Cancel-safe.
    pub(crate) async fn get(&mut self, accept: &'static str) -> Result<Answer, Failure> {
        let request = self.client()?.get(self.url.clone());
        let request = request.header(ACCEPT, accept).header(ACCEPT_ENCODING, "gzip, identity;q=0.5");
        let start = RealClock.now().mono;
        let mut response = self.send(request).await?;
        let head = RealClock.now().mono;
        let status = response.status();
        if !status.is_success() {
            return Err(self.bad(status));
        }
        let raw = self.read(&mut response).await?;
        let rest = RealClock.now().mono.since(head);
        let body = match header(&response, CONTENT_ENCODING).as_str() {
            "" | "identity" => raw,
            "gzip" | "x-gzip" => self.unzip(&raw)?,
            other => return Err(self.answered(format!("is packed as {}, which was not asked for", Clean::text(other)))),
        };
        let content_type = header(&response, CONTENT_TYPE);
        Ok(Answer { status, content_type, body, first_byte: head.since(start), rest })
    }

    /// Posts once; what the answer says beside its status is not read. Cancel-safe. The HTTP status of a 2xx answer.
    ///
    /// # Errors
    /// Why it was not taken, and whether trying again may help.
    pub async fn post(&mut self, headers: &HeaderMap, body: Vec<u8>) -> Result<u16, Undelivered> {
        let unanswered = |failure: Failure| Undelivered { what: failure.what, again: true };
        let client = self.client().map_err(|failure| Undelivered { what: failure.what, again: false })?;
        let request = client.post(self.url.clone()).headers(headers.clone()).body(body);
        let status = self.send(request).await.map_err(unanswered)?.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let again =
            status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let failure = if status.is_redirection() {
            self.answered(format!("answered {}: it redirects, which is not followed", status.as_u16()))
        } else {
            self.bad(status)
        };
        Err(Undelivered { what: failure.what, again })
    }

    fn client(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = build(&self.url, &self.names, self.redirects).map_err(|error| self.failure(&error))?;
        Ok(self.client.insert(client).clone())
    }

    async fn send(&mut self, request: RequestBuilder) -> Result<Response, Failure> {
        let again = request.try_clone().filter(|_| self.warm);
        let mut sent = request.send().await;
        if let (Err(error), Some(again)) = (&sent, again)
            && error.is_request()
            && !error.is_connect()
            && !error.is_timeout()
            && !error.is_redirect()
        {
            // The server may have closed the waiting connection just now; only a fresh one tells.
            sent = again.send().await;
        }
        self.warm = sent.is_ok();
        sent.map_err(|error| self.failure(&error))
    }

    /// A failure of the kind "it answered, but", as `PLACE what.`
    pub(crate) fn answered(&self, what: impl AsRef<str>) -> Failure {
        Failure::answered(format!("{} {}.", self.place, what.as_ref()))
    }

    async fn read(&self, response: &mut Response) -> Result<Vec<u8>, Failure> {
        let too_long = || self.answered("sent more than 1 MiB, reading stopped");
        if response.content_length().is_some_and(|length| length > BODY as u64) {
            return Err(too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > BODY {
                return Err(too_long());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unzip(&self, raw: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        match MultiGzDecoder::new(raw).take(DECOMPRESSED + 1).read_to_end(&mut body) {
            Err(_) => Err(self.answered("sent gzip that cannot be unpacked")),
            Ok(_) if body.len() as u64 > DECOMPRESSED => {
                Err(self.answered("unpacks to more than 4 MiB, reading stopped"))
            }
            Ok(_) => Ok(body),
        }
    }

    fn bad(&self, status: StatusCode) -> Failure {
        let reason = status.canonical_reason().unwrap_or("");
        let answer = format!("{} answered {} {reason}", self.place, status.as_u16());
        let answer = answer.trim_end();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::not_permitted(format!("{answer}. It wants a login that the profile does not give."))
            }
            StatusCode::NOT_FOUND => Failure::answered(format!("{answer}. Is the path right?")),
            _ => Failure::answered(format!("{answer}.")),
        }
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let place = &self.place;
        if let Some(refused) = cause::<Refused>(error) {
            return self.answered(&refused.0);
        }
        if let Some(NameFault(what)) = cause::<NameFault>(error) {
            return Failure::unreachable(format!("{place}: {what}."));
        }
        if error.is_connect() && error.is_timeout() {
            return Failure::unreachable(format!("{place}: no connection within 2 s. Is the host up, the port open?"));
        }
        if let Some(io) = cause::<io::Error>(error) {
            return match io.kind() {
                io::ErrorKind::ConnectionRefused => {
                    Failure::unreachable(format!("{place} refused the connection. Is the service running?"))
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                    Failure::unreachable(format!("{place} closed the connection before its answer was whole."))
                }
                _ => Failure::unreachable(format!("{place}: {}.", scrub(&io.to_string()))),
            };
        }
        if error.is_body() || error.is_decode() {
            return Failure::unreachable(format!("{place} closed the connection before its answer was whole."));
        }
        let last = core::iter::successors(error.source(), |cause| (*cause).source()).last();
        let what = last.map_or_else(|| "the request failed".to_owned(), |cause| scrub(&cause.to_string()));
        Failure::unreachable(format!("{place}: {what}."))
    }
}

fn build(url: &Url, names: &Names, redirects: bool) -> reqwest::Result<Client> {
    // Fails when a provider is there already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut client = Client::builder()
        .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .no_gzip()
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(1)
        .dns_resolver(names.clone());
    if url.scheme() == "http" {
        // Without TLS there is no reason to load the system's certificates.
        client = client.tls_certs_only(core::iter::empty());
    }
    client.redirect(if redirects { Policy::custom(follow) } else { Policy::none() }).build()
}

fn follow(attempt: Attempt<'_>) -> Action {
    let first = attempt.previous().first();
    let from = first.and_then(Url::host_str).unwrap_or_default();
    let to = attempt.url().host_str().unwrap_or_default();
    let scheme = attempt.url().scheme();
    let refused = if from != to {
        format!("redirects to another host ({}), which is not followed", Clean::text(to))
    } else if first.is_none_or(|first| first.scheme() != scheme) {
        // Up to https there are no certificates loaded, down to http a password would be readable.
        let scheme = Clean::text(scheme);
        format!("redirects to {scheme}: write {scheme}:// in its url")
    } else if attempt.previous().len() > REDIRECTS {
        format!("redirects more than {REDIRECTS} times")
    } else {
        return attempt.follow();
    };
    attempt.error(Refused(refused))
}

fn place(url: &Url, path: &str) -> Clean {
    let host = url.host_str().unwrap_or_default();
    let path = if path == "/" { "" } else { path };
    match url.port() {
        Some(port) => clean!("{host}:{port}{path}"),
        None => clean!("{host}{path}"),
    }
}

fn header(response: &Response, name: HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    core::iter::successors(error.source(), |cause| (*cause).source()).find_map(<dyn Error>::downcast_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(url: &str) -> Result<Fetcher, String> {
        let body = Body::parse("p.toml", "url = \"x\"\n").expect("parses");
        Fetcher::new(&body, url).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_place_names_no_user_password_or_query() {
        let place = |url| new(url).map(|fetcher| fetcher.place().to_string());
        assert_eq!(place("http://joe:hunter2@127.0.0.1:8080/health?token=x"), Ok("127.0.0.1:8080/health".into()));
        assert_eq!(place("https://example.org/"), Ok("example.org".into()));
        assert_eq!(place("http://[::1]:9/x"), Ok("[::1]:9/x".into()));
    }

    #[test]
    fn another_page_of_the_same_server_is_named_by_its_parts() {
        let mut fetcher = new("http://joe:hunter2@127.0.0.1:8080/api?x=1").expect("a URL");
        fetcher.turn_to(&["api", "queues", "/"], &[("name", "^a b$")]);
        assert_eq!(fetcher.place().as_str(), "127.0.0.1:8080/api/queues/%2F");
        assert_eq!(fetcher.url.query(), Some("name=%5Ea+b%24"));
    }

    #[test]
    fn a_bad_url_is_placed_and_explained() {
        let fault = new("ftp://joe:hunter2@x/").err().unwrap_or_default();
        assert_eq!(fault, "p.toml:1:7: `url` begins with ftp://, expected http:// or https://.");
        assert!(new("8080/metrics").is_err_and(|fault| fault.contains("For example http://")));
    }
}
