//! The way to one source: its client, the secrets and certificates it needs, its kept connection. Opened when it is
//! first asked; nothing here looks into an answer.

use crate::base::{Clean, Clock, Failure, Fault, Mono};
use crate::samplers::blocking::{LOGINS, Worker};
use crate::samplers::http::access::{Access, Login};
use crate::samplers::http::fault::{self, Refused};
use crate::samplers::http::phases::{Resolver, Trace};
use crate::samplers::resolve::Names;
use crate::sys::clock::RealClock;
use core::time::Duration;
use reqwest::header::{CONNECTION, HeaderName};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use rustls::ClientConfig;

const CONNECT: Duration = Duration::from_secs(2);
const REDIRECTS: usize = 3;
/// A connection is used so long: then a new one shows the name, the way and the certificate anew.
const RECONNECT: Duration = Duration::from_secs(60);
/// Not `Debug`: the URL may hold a password.
pub(crate) struct Transport {
    pub(crate) url: Url,
    pub(crate) access: Access,
    pub(crate) redirects: bool,
    pub(crate) reconnect: Duration,
    pub(crate) names: Names,
    pub(crate) trace: Trace,
    /// Attempts that ended because no connection came about in time.
    pub(crate) timeouts: u32,
    opening: Worker<Result<Opened, Fault>>,
    ready: Option<(Client, Login)>,
    /// True once an answer has come: a connection may be waiting for the next request.
    warm: bool,
}

/// What the secrets and certificates of a source were read into.
struct Opened {
    tls: Option<ClientConfig>,
    login: Login,
}

impl Transport {
    pub(crate) fn new(url: Url) -> Self {
        Self {
            url,
            access: Access::default(),
            redirects: true,
            reconnect: RECONNECT,
            names: Names::new(),
            trace: Trace::default(),
            timeouts: 0,
            opening: Worker::new(&LOGINS),
            ready: None,
            warm: false,
        }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The login that the profile gives: its user where that is no part of a URL, else nothing.
    pub(crate) fn login(&self) -> Option<&str> {
        let in_url = !self.url.username().is_empty() || self.url.password().is_some();
        self.access.user().or((in_url || self.access.has_login()).then_some(""))
    }

    /// Sends one request. `place` names it in sentences.
    pub(crate) async fn request(
        &mut self,
        method: &Method,
        accept: &[(HeaderName, &'static str)],
        body: Option<&str>,
        place: &Clean,
    ) -> Result<Response, Failure> {
        let (client, login) = self.ready(place).await?;
        let mut request = login.on(client.request(method.clone(), self.target()));
        for (name, value) in accept {
            request = request.header(name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let age = self.trace.marks().connected.map_or(Duration::ZERO, |since| now().since(since));
        // What may not be sent twice gets a connection that nobody has closed meanwhile.
        let last = age >= self.reconnect || !repeats(method);
        if last {
            request = request.header(CONNECTION, "close");
        }
        self.send(request, last, place).await
    }

    /// The URL under the name that the certificate carries; the resolver leads to the real host.
    fn target(&self) -> Url {
        let mut url = self.url.clone();
        if let Some(name) = &self.access.tls.server_name {
            // It was checked when it was read; the scheme has hosts.
            let _same = url.set_host(Some(name));
        }
        url
    }

    /// The client and the login, made when they are first needed.
    pub(crate) async fn ready(&mut self, place: &Clean) -> Result<(Client, Login), Failure> {
        if let Some(ready) = &self.ready {
            return Ok(ready.clone());
        }
        let opened = if self.is_https() || self.access.has_login() {
            self.open_login(place).await?
        } else {
            Opened { tls: None, login: Login::default() }
        };
        let client = self.build(opened.tls).map_err(|error| fault::failure(place, &error))?;
        Ok(self.ready.insert((client, opened.login)).clone())
    }

    /// Reads secrets and certificates, on a thread for what may hang.
    async fn open_login(&mut self, place: &Clean) -> Result<Opened, Failure> {
        let (access, trace, https) = (self.access.clone(), self.trace.clone(), self.is_https());
        let open = move || {
            let tls = https.then(|| access.tls.open(&trace)).transpose()?;
            Ok(Opened { tls, login: access.login()? })
        };
        match self.opening.run(now(), open).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(fault)) => Err(Failure::unreachable(format!("{place} is not asked: {fault}"))),
            Err(stuck) => Err(Failure::unreachable(format!("{place}: its login cannot be read: {stuck}."))),
        }
    }

    /// True when the login in its file is another one than was sent; from now on it is used.
    pub(crate) async fn new_login(&mut self) -> bool {
        if !self.access.may_change() {
            return false;
        }
        let Ok(opened) = self.open_login(&Clean::default()).await else { return false };
        let Some((_, login)) = &mut self.ready else { return false };
        let changed = !login.is(&opened.login);
        *login = opened.login;
        changed
    }

    /// Sends a request of this client; `last` when it asks to close its connection.
    pub(crate) async fn send(
        &mut self,
        request: RequestBuilder,
        last: bool,
        place: &Clean,
    ) -> Result<Response, Failure> {
        let (client, request) = request.build_split();
        let request = request.map_err(|error| fault::failure(place, &error))?;
        let again = request.try_clone().filter(|again| self.warm && repeats(again.method()));
        let mut sent = client.execute(request).await;
        if let (Err(error), Some(again)) = (&sent, again)
            && error.is_request()
            && !error.is_connect()
            && !error.is_timeout()
            && !error.is_redirect()
        {
            // The server may have closed the waiting connection just now; only a fresh one tells.
            sent = client.execute(again).await;
        }
        self.warm = sent.is_ok() && !last;
        if sent.as_ref().is_err_and(reqwest::Error::is_timeout) {
            self.timeouts += 1;
        }
        sent.map_err(|error| fault::failure(place, &error))
    }

    fn build(&self, tls: Option<ClientConfig>) -> reqwest::Result<Client> {
        // Fails when a provider is there already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let host = self.access.tls.server_name.as_ref().and_then(|_| self.url.host_str()).map(str::to_owned);
        let client = Client::builder()
            .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .no_gzip()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(1)
            .connector_layer(self.trace.clone())
            .dns_resolver(Resolver { names: self.names.clone(), host, trace: self.trace.clone() });
        let client = match tls {
            Some(tls) => client.tls_backend_preconfigured(tls),
            // Without TLS there is no reason to load the system's certificates.
            None => client.tls_certs_only(core::iter::empty()),
        };
        let trace = self.trace.clone();
        let policy = move |attempt: Attempt<'_>| follow(attempt, &trace);
        client.redirect(if self.redirects { Policy::custom(policy) } else { Policy::none() }).build()
    }
}

fn follow(attempt: Attempt<'_>, trace: &Trace) -> Action {
    let first = attempt.previous().first();
    let from = first.and_then(Url::host_str).unwrap_or_default();
    let (to, scheme) = (attempt.url().host_str().unwrap_or_default(), attempt.url().scheme());
    let port = attempt.url().port_or_known_default();
    let refused = if from != to {
        format!("redirects to another host ({}), which is not followed", Clean::text(to))
    } else if first.is_none_or(|first| first.scheme() != scheme) {
        // Up to https there are no certificates loaded, down to http a password would be readable.
        let scheme = Clean::text(scheme);
        format!("redirects to {scheme}: write {scheme}:// in its url")
    } else if first.is_none_or(|first| first.port_or_known_default() != port) {
        // Another port is another service, perhaps another user's: it shall not learn a token in a header.
        format!("redirects to another port ({}), which is not followed", port.unwrap_or_default())
    } else if attempt.previous().len() > REDIRECTS {
        format!("redirects more than {REDIRECTS} times")
    } else {
        trace.marks().redirects += 1;
        return attempt.follow();
    };
    attempt.error(Refused(refused))
}

/// True for what may be sent twice: it changes nothing.
fn repeats(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn now() -> Mono {
    RealClock.now().mono
}
