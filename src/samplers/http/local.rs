//! HTTP to a daemon beside us: over its Unix socket or a plain URL, a fresh connection each time, no redirect, 1 MiB
//! of answer at most. What goes wrong becomes a sentence: where, what, hint.

use crate::base::{Body, Clean, Clock, Failure, Fault};
use crate::clean;
use crate::samplers::http::fault;
use crate::samplers::logins::Logins;
use crate::sys::clock::RealClock;
use crate::sys::secret::Given;
use core::error::Error;
use core::time::Duration;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode, Url};
use std::io;
use std::path::PathBuf;

const CONNECT: Duration = Duration::from_secs(2);
const BODY: usize = 1 << 20;

/// A daemon's door. Not `Debug`: it may hold a password.
pub(crate) struct Daemon {
    base: Url,
    socket: Option<PathBuf>,
    place: Clean,
    login: Option<(String, Given)>,
    logins: Logins,
    client: Option<Client>,
}

impl Daemon {
    /// Over a Unix socket.
    pub(crate) fn at_socket(body: &Body, path: PathBuf) -> Result<Self, Fault> {
        let place = clean!("{}", path.display());
        if !path.is_absolute() {
            return Err(body.fault_at("path", format!("`{place}` does not begin with `/`.")));
        }
        let base = Url::parse("http://localhost/").map_err(|error| body.fault(error.to_string()))?;
        Ok(Self { base, socket: Some(path), place, login: None, logins: Logins::new(), client: None })
    }

    /// At a URL with an address: no name service is asked.
    pub(crate) fn at_url(body: &Body, url: &str) -> Result<Self, Fault> {
        let hint = "For example http://127.0.0.1:9001.";
        let bad = |what: String| body.fault_at("url", what).hint(hint);
        let mut base = Url::parse(url).map_err(|error| bad(format!("`url` cannot be read: {error}.")))?;
        let Some(host) = base.host_str().filter(|_| base.scheme() == "http") else {
            return Err(bad("`url` does not begin with http://.".to_owned()));
        };
        if !base.username().is_empty() || base.password().is_some() {
            return Err(body
                .fault_at("url", "a login does not belong into `url`.")
                .hint("Write `user` and `password`."));
        }
        let named = host.parse::<core::net::IpAddr>().is_err() && !host.starts_with('[');
        if named && host != "localhost" {
            return Err(body.fault_at("url", "`url` names a host.").hint("Write the address of the host."));
        }
        let place = base.port().map_or_else(|| clean!("{host}"), |port| clean!("{host}:{port}"));
        if named {
            // RFC 6761: always the loopback.
            let address = core::net::Ipv4Addr::LOCALHOST.into();
            base.set_ip_host(address).map_err(|()| body.fault_at("url", "`url` cannot be read."))?;
        }
        Ok(Self { base, socket: None, place, login: None, logins: Logins::new(), client: None })
    }

    /// The same with a user and a password, read anew for each request.
    pub(crate) fn with(self, login: Option<(String, Given)>) -> Self {
        Self { login, ..self }
    }

    /// `None` when the daemon does not have it (404).
    pub(crate) async fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.ask(Method::GET, path, None).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            (status, _) if !status.is_success() => Err(self.answered(format!("answered {status}"))),
            (_, body) => Ok(Some(body)),
        }
    }

    pub(crate) async fn post(&mut self, path: &str, kind: &'static str, body: String) -> Result<Vec<u8>, Failure> {
        match self.ask(Method::POST, path, Some((kind, body))).await? {
            (status, _) if !status.is_success() => Err(self.answered(format!("answered {status}"))),
            (_, body) => Ok(body),
        }
    }

    /// A failure of the kind "it answered, but".
    pub(crate) fn answered(&self, what: impl AsRef<str>) -> Failure {
        Failure::answered(format!("{} {}.", self.place, what.as_ref()))
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(&'static str, String)>,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        let url = self.base.join(path).map_err(|_| self.answered("cannot be asked that way"))?;
        let mut request = self.client()?.request(method, url);
        if let Some((user, password)) = &self.login {
            let now = RealClock.now().mono;
            let password = self.logins.secret(now, self.place.as_str(), password).await?;
            request = request.basic_auth(user, Some(password.reveal()));
        }
        if let Some((kind, body)) = body {
            request = request.header(reqwest::header::CONTENT_TYPE, kind).body(body);
        }
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            let login = self.login.as_ref().map(|(user, _)| user.as_str());
            return Err(fault::no_entry(&format!("{} answered {status}", self.place), status, login));
        }
        let mut whole = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if whole.len() + piece.len() > BODY {
                return Err(self.answered("sent more than 1 MiB, reading stopped"));
            }
            whole.extend_from_slice(&piece);
        }
        Ok((status, whole))
    }

    fn client(&mut self) -> Result<Client, Failure> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        // Fails when a provider is there already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut client = Client::builder()
            .user_agent(concat!("watchkeeper/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(0)
            .tls_certs_only(core::iter::empty())
            .redirect(Policy::none());
        if let Some(socket) = &self.socket {
            client = client.unix_socket(socket.clone());
        }
        let client = client.build().map_err(|error| self.failure(&error))?;
        Ok(self.client.insert(client).clone())
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let place = &self.place;
        if error.is_timeout() {
            return Failure::unreachable(format!("{place}: no connection within 2 s. Is the daemon alive?"));
        }
        match cause::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) => {
                Failure::unreachable(format!("{place} does not exist. Is the daemon running, its socket elsewhere?"))
            }
            Some(io::ErrorKind::ConnectionRefused) => {
                Failure::unreachable(format!("{place} refused the connection. Is the daemon running?"))
            }
            Some(io::ErrorKind::PermissionDenied) => {
                let hint = "See whose it is: ls -l; its group may use it.";
                Failure::not_permitted(format!("{place}: this login may not connect. {hint}"))
            }
            Some(_) | None if !error.is_connect() => {
                Failure::unreachable(format!("{place} closed the connection before its answer was whole."))
            }
            _ => Failure::unreachable(format!("{place} cannot be connected.")),
        }
    }
}

fn cause<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    core::iter::successors(error.source(), |cause| (*cause).source()).find_map(<dyn Error>::downcast_ref)
}
