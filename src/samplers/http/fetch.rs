//! One HTTP request with every cap of the house: connect 2 s, body 1 MiB, decompressed 4 MiB, three redirects on the
//! same host and port. What goes wrong becomes a sentence: where, what, hint. `http`, `scrape` and whatever else
//! speaks HTTP share it; the notifier POSTs through it, without any redirect.

use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Failure, Fault, Mono, Unit};
use crate::clean;
use crate::samplers::http::access::Access;
use crate::samplers::http::fault;
use crate::samplers::http::pause::Pause;
use crate::samplers::http::phases::Marks;
use crate::samplers::http::transport::Transport;
use crate::samplers::json;
use crate::sys::clock::RealClock;
use crate::sys::secret::{Secret, hide};
use core::net::SocketAddr;
use core::time::Duration;
use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode, Url, Version};
use std::io::Read;

const BODY: usize = 1 << 20;
const DECOMPRESSED: u64 = 4 << 20;
/// Words of an answer that a sentence quotes, in characters.
const QUOTED: usize = 120;

/// Asks one URL. Its connection is kept between requests, so that a steady watch costs few handshakes.
/// Not `Debug`: the URL may hold a password.
pub struct Fetcher {
    place: Clean,
    way: Transport,
    pause: Pause,
    /// True while an attempt is under way; one that was dropped at its deadline leaves it so.
    open: bool,
    dropped: u32,
    /// When the last attempt began, and the status of its answer.
    begun: Mono,
    status: Option<StatusCode>,
}

/// What to ask.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) accept: &'static str,
    pub(crate) body: Option<String>,
    /// The statuses that are good answers; every 2xx when there is none here.
    pub(crate) good: Vec<u16>,
}

/// A good answer, whole.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) content_type: String,
    /// As the header has it.
    pub(crate) length: Option<u64>,
    pub(crate) body: Vec<u8>,
    pub(crate) peer: Option<SocketAddr>,
    /// From the start to the last byte, and of that what is not one of the phases in `marks`: from the request until
    /// the head of the answer was here, and from there to the end.
    pub(crate) whole: Duration,
    pub(crate) processing: Duration,
    pub(crate) transfer: Duration,
    pub(crate) marks: Marks,
}

/// A POST that was not taken.
#[derive(Debug)]
pub struct Undelivered {
    /// Why, as a sentence.
    pub what: Clean,
    /// Nobody answered, or the answer says that it may go better later (5xx, 408, 429).
    pub again: bool,
}

impl Ask {
    /// A GET for which every 2xx is good.
    pub(crate) fn get(accept: &'static str) -> Self {
        Self { method: Method::GET, accept, body: None, good: Vec::new() }
    }

    fn takes(&self, status: StatusCode) -> bool {
        if self.good.is_empty() { status.is_success() } else { self.good.contains(&status.as_u16()) }
    }
}

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
        remember_secrets(&url);
        let place = place(&url, url.path());
        Ok(Self {
            place,
            way: Transport::new(url),
            pause: Pause::default(),
            open: false,
            dropped: 0,
            begun: Mono(0),
            status: None,
        })
    }

    /// The same with a login and TLS of its own.
    pub(crate) fn access(mut self, access: Access) -> Self {
        self.way.access = access;
        self
    }

    /// The same that follows no redirect, where `follow` is false.
    pub(crate) fn follow(mut self, follow: bool) -> Self {
        self.way.redirects = follow;
        self
    }

    /// The same with a connection of its own for each request, where `fresh` is true.
    pub(crate) fn fresh(mut self, fresh: bool) -> Self {
        if fresh {
            self.way.reconnect = Duration::ZERO;
        }
        self
    }

    /// The same for POSTs: a redirected one would arrive as a GET, or somewhere else, and neither is a delivery.
    /// Sentences name host and port only: the path of a webhook is often its secret.
    ///
    /// # Errors
    /// As [`Fetcher::new`].
    pub fn posting(body: &Body, url: &str) -> Result<Self, Fault> {
        let mut fetcher = Self::new(body, url)?.follow(false);
        fetcher.way.reconnect = Duration::MAX;
        fetcher.place = place(&fetcher.way.url, "/");
        Ok(fetcher)
    }

    /// Host, port and path, as sentences name it: no user, password or query.
    pub fn place(&self) -> &Clean {
        &self.place
    }

    /// True while the address in use is an old one, since the name service does not answer.
    pub(crate) fn address_is_old(&self) -> bool {
        self.way.names.stale()
    }

    /// What follows asks for another page of the same server, over the same connection. Each part of the path is one
    /// name, whatever it holds.
    pub(crate) fn turn_to(&mut self, path: &[&str], query: &[(&str, &str)]) {
        let url = &mut self.way.url;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.place = place(&self.way.url, self.way.url.path());
    }

    pub(crate) fn is_https(&self) -> bool {
        self.way.is_https()
    }

    /// What is doubtful about an answer, as facts: an old address, a certificate that nobody looked at.
    pub(crate) fn doubts(&self, answer: &Answer) -> Vec<(Clean, Clean)> {
        let mut doubts = Vec::new();
        if let Some(certificate) = answer.marks.certificate.as_ref().filter(|_| self.way.access.tls.insecure) {
            let doubt = certificate.doubt.as_deref().unwrap_or("it would pass");
            doubts.push((Clean::from("TLS"), clean!("NOT CHECKED (insecure = true): {doubt}")));
        }
        if self.way.names.stale() {
            doubts.push((Clean::from("address"), Clean::from("last known: the name service does not answer")));
        }
        doubts
    }

    /// True while the source is left alone, since it asked for it.
    pub(crate) fn is_pausing(&self) -> bool {
        self.pause.left(now()).is_some()
    }

    /// Attempts that ended without an answer because their time was over; one that is dropped just now counts.
    pub(crate) fn timeouts(&self) -> u32 {
        self.dropped + self.way.timeouts + u32::from(self.open)
    }

    /// The status of the last attempt's answer, as far as it came; the phases that were passed; the time since it began.
    pub(crate) fn so_far(&self) -> (Option<StatusCode>, Marks, Duration) {
        (self.status, self.way.trace.marks().clone(), now().since(self.begun))
    }

    /// Asks once with GET. Anything but a whole 2xx answer is a failure. Cancel-safe.
    pub(crate) async fn get(&mut self, accept: &'static str) -> Result<Answer, Failure> {
        self.ask(&Ask::get(accept)).await
    }

    /// Asks once. Anything but a whole good answer is a failure. Cancel-safe.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Result<Answer, Failure> {
        if core::mem::take(&mut self.open) {
            self.dropped += 1;
        }
        if let Some(left) = self.pause.left(now()) {
            let left = span(left);
            return Err(self.answered(format!("asked for a pause (429 Too Many Requests), asked again in {left}")));
        }
        self.open = true;
        (self.begun, self.status) = (now(), None);
        let answer = self.attempt(ask).await;
        self.open = false;
        answer
    }

    async fn attempt(&mut self, ask: &Ask) -> Result<Answer, Failure> {
        self.way.trace.begin();
        let start = now();
        let mut response = self.request(ask).await?;
        if response.status() == StatusCode::UNAUTHORIZED && !ask.takes(response.status()) && self.way.new_login().await
        {
            response = self.request(ask).await?;
        }
        let head = now();
        self.status = Some(response.status());
        if !ask.takes(response.status()) {
            return Err(self.bad(response).await);
        }
        let raw = self.read(&mut response).await?;
        let end = now();
        let body = match header(&response, CONTENT_ENCODING).as_str() {
            _ if raw.is_empty() => raw,
            "" | "identity" => raw,
            "gzip" | "x-gzip" => self.unzip(&raw)?,
            other => return Err(self.answered(format!("is packed as {}, which was not asked for", Clean::text(other)))),
        };
        let marks = self.way.trace.marks().clone();
        let before = [marks.resolve, marks.connect, marks.tls].into_iter().flatten().sum();
        Ok(Answer {
            status: response.status(),
            version: response.version(),
            content_type: header(&response, CONTENT_TYPE),
            length: header(&response, CONTENT_LENGTH).parse().ok(),
            body,
            peer: response.remote_addr(),
            whole: end.since(start),
            processing: head.since(start).saturating_sub(before),
            transfer: end.since(head),
            marks,
        })
    }

    /// Posts once; what the answer says beside its status is not read. Cancel-safe. The HTTP status of a 2xx answer.
    ///
    /// # Errors
    /// Why it was not taken, and whether trying again may help.
    pub async fn post(&mut self, headers: &HeaderMap, body: Vec<u8>) -> Result<u16, Undelivered> {
        let unanswered = |failure: Failure| Undelivered { what: failure.what, again: true };
        let (client, _) = self.way.ready(&self.place).await.map_err(unanswered)?;
        let request = client.post(self.way.url.clone()).headers(headers.clone()).body(body);
        let response = self.way.send(request, false, &self.place).await.map_err(unanswered)?;
        let status = response.status();
        if status.is_success() {
            return Ok(status.as_u16());
        }
        let again =
            status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let failure = if status.is_redirection() {
            self.answered(format!("answered {}: it redirects, which is not followed", status.as_u16()))
        } else {
            self.refusal(status, "")
        };
        Err(Undelivered { what: failure.what, again })
    }

    async fn request(&mut self, ask: &Ask) -> Result<Response, Failure> {
        let accept = [(ACCEPT, ask.accept), (ACCEPT_ENCODING, "gzip, identity;q=0.5")];
        self.way.request(&ask.method, &accept, ask.body.as_deref(), &self.place).await
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
        while let Some(chunk) = response.chunk().await.map_err(|error| fault::failure(&self.place, &error))? {
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

    /// An answer with a status that is not good.
    async fn bad(&mut self, mut response: Response) -> Failure {
        let status = response.status();
        let retry_after = header(&response, RETRY_AFTER);
        // Some exchanges say 418 to whoever went on after a 429.
        let banned = status == StatusCode::IM_A_TEAPOT && !retry_after.is_empty();
        if status == StatusCode::TOO_MANY_REQUESTS || banned {
            let pause = span(self.pause.begin(&retry_after, RealClock.now()));
            return self.refusal(status, &format!(": it wants to be left alone, asked again in {pause}"));
        }
        let plain = header(&response, CONTENT_ENCODING).is_empty();
        let told = header(&response, CONTENT_TYPE).contains("json") && plain;
        let body = if told { self.read(&mut response).await.unwrap_or_default() } else { Vec::new() };
        self.refusal(status, &words(&body).unwrap_or_default())
    }

    fn refusal(&self, status: StatusCode, words: &str) -> Failure {
        let reason = status.canonical_reason().unwrap_or("");
        let answer = format!("{} answered {} {reason}", self.place, status.as_u16());
        let answer = answer.trim_end().to_owned() + words;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.way.access.withheld => {
                let why = "It wants a login, which is not sent over plain HTTP where `urls` has several.";
                Failure::not_permitted(format!("{answer}. {why}"))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => fault::no_entry(&answer, status, self.way.login()),
            StatusCode::NOT_FOUND => Failure::answered(format!("{answer}. Is the path right?")),
            _ => Failure::answered(format!("{answer}.")),
        }
    }
}

fn now() -> Mono {
    RealClock.now().mono
}

fn span(of: Duration) -> String {
    Unit::Seconds.show(of.as_secs_f64())
}

fn place(url: &Url, path: &str) -> Clean {
    let host = url.host_str().unwrap_or_default();
    let path = if path == "/" { "" } else { path };
    match url.port() {
        Some(port) => clean!("{host}:{port}{path}"),
        None => clean!("{host}{path}"),
    }
}

/// What a URL holds of secrets is hidden wherever it comes back.
fn remember_secrets(url: &Url) {
    let known = url.query_pairs().filter(|(key, value)| {
        let pair = format!("{key}={value}");
        scrub(&pair) != pair
    });
    // As it stands in the URL, and as it is sent.
    let password = url.password().into_iter().flat_map(|word| [word.to_owned(), decoded(url, word)]);
    for value in password.chain(known.map(|(_, value)| value.into_owned())) {
        drop(Secret::new(value));
    }
}

/// A user or password of a URL without percent signs.
pub(crate) fn decoded(url: &Url, word: &str) -> String {
    let mut url = url.clone();
    // In a query these two mean something else.
    url.set_query(Some(&format!("={}", word.replace('+', "%2B").replace('&', "%26"))));
    url.query_pairs().map(|(_, value)| value.into_owned()).collect()
}

/// The one text of a JSON answer that tells most, as the end of a sentence.
fn words(body: &[u8]) -> Option<String> {
    let value = json::parse(body).ok()?;
    let (key, text) = ["status", "error", "message", "detail"]
        .iter()
        .find_map(|key| Some((*key, value.get(*key)?.as_str().filter(|text| !text.is_empty())?)))?;
    // Hidden before it is cut: half a secret is no known form.
    let text: String = scrub(&hide(text)).chars().take(QUOTED).collect();
    Some(format!(", {key}: {}", Clean::text(text).as_str().trim_end_matches('.')))
}

fn header(response: &Response, name: HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(url: &str) -> Result<Fetcher, String> {
        let body = Body::parse("p.toml", "url = \"x\"\n").expect("parses");
        Fetcher::new(&body, url).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_password_in_a_url_is_hidden_as_it_is_sent_too() {
        drop(new("http://joe:p%40ss%2Bw&rd+%25x@127.0.0.1/"));
        let hidden = |text| hide(text).into_owned();
        assert_eq!(hidden("it got p@ss+w&rd+%x"), "it got <redacted>");
        assert_eq!(hidden("it got p%40ss%2Bw&rd+%25x"), "it got <redacted>");
        let basic = hidden("am9lOnBAc3MrdyZyZCsleA==");
        assert!(basic.contains("<redacted>"), "{basic}");
    }

    #[test]
    fn a_place_names_no_user_password_or_query() {
        let place = |url| new(url).map(|fetcher| fetcher.place().to_string());
        assert_eq!(place("http://joe:hunter2@127.0.0.1:8080/health?token=x"), Ok("127.0.0.1:8080/health".into()));
        assert_eq!(place("https://example.org/"), Ok("example.org".into()));
        assert_eq!(place("http://[::1]:9/x"), Ok("[::1]:9/x".into()));
    }

    #[test]
    fn a_bad_url_is_placed_and_explained() {
        let fault = new("ftp://joe:hunter2@x/").err().unwrap_or_default();
        assert_eq!(fault, "p.toml:1:7: `url` begins with ftp://, expected http:// or https://.");
        assert!(new("8080/metrics").is_err_and(|fault| fault.contains("For example http://")));
    }
}
