//! `[notify]`: where to POST, with which headers, how long to try. Secrets come from the environment or a file.

use super::body::Template;
use crate::base::{Body, Clean, Fault};
use crate::config::Lasting;
use crate::config::schema::NOTIFY;
use crate::samplers::Fetcher;
use crate::sys::lock::{Refusal, TargetLock};
use crate::sys::secret::{Given, Secret};
use core::time::Duration;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::path::PathBuf;

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(15 * 60);
/// Headers that the connection makes itself.
const OURS: [&str; 3] = ["content-length", "host", "transfer-encoding"];

/// A checked table; its secrets are not read yet. Not `Debug`: it may hold some.
#[derive(Clone)]
pub struct Webhook {
    table: Body,
    url: Given,
    headers: Vec<(HeaderName, Given)>,
    template: Template,
    timeout: Duration,
    retry: Duration,
}

/// Ready to be posted to. Not `Debug`: it holds secrets.
pub struct Hook {
    pub(super) fetcher: Fetcher,
    pub(super) headers: HeaderMap,
    pub(super) template: Template,
    pub(super) timeout: Duration,
    /// How long one delivery is tried.
    pub(super) retry: Duration,
    pub(super) turn: Turn,
}

/// Of all consoles that watch the same thing on this host one tells; when it leaves, another does.
pub(super) struct Turn {
    dirs: Vec<PathBuf>,
    target: String,
    lock: Option<TargetLock>,
}

impl Turn {
    /// The process that tells instead of us, if there is one. Without a place for locks everybody tells.
    pub(super) fn other(&mut self) -> Option<Clean> {
        if self.lock.is_none() {
            match TargetLock::take(&self.dirs, &self.target) {
                Ok(lock) => self.lock = Some(lock),
                Err(Refusal::Held(who)) => return Some(who),
                Err(Refusal::Broken(_)) => {}
            }
        }
        None
    }
}

impl Webhook {
    /// Reads the table; opens nothing.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn read(table: &Body) -> Result<Self, Fault> {
        let mut body = table.clone();
        let url = Given::take(&mut body, "url")?.ok_or_else(|| table.fault("`url` is missing here."))?;
        if let Given::Text(url) = &url {
            Fetcher::posting(table, url)?;
        }
        let headers = headers(&mut body)?;
        let template = match body.take::<String>("body")? {
            Some(text) => Template::parse(&text).map_err(|fault| place(table, "body", &fault))?,
            None => Template::default(),
        };
        let lasting = |body: &mut Body, key: &str, usual| {
            body.take::<Lasting>(key).map(|lasting| lasting.map_or(usual, |lasting| lasting.0))
        };
        let timeout = lasting(&mut body, "timeout", TIMEOUT)?;
        if timeout.is_zero() || timeout > LONGEST {
            return Err(table.fault_at("timeout", "an attempt takes more than nothing and at most 60s."));
        }
        let retry = lasting(&mut body, "retry", RETRY)?;
        body.done(&NOTIFY.names())?;
        Ok(Self { table: table.clone(), url, headers, template, timeout, retry })
    }

    /// Reads the secrets. `env` looks a variable up; `locks` are the folders of this host's locks.
    ///
    /// # Errors
    /// Which of them cannot be had, with its place.
    pub fn open(self, env: &dyn Fn(&str) -> Option<String>, locks: Vec<PathBuf>) -> Result<Hook, Fault> {
        let table = &self.table;
        let url = read(table, "url", &self.url, env)?;
        let fetcher = Fetcher::posting(table, url.reveal())?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, given) in self.headers {
            // A header may be a login, even when it stands in the profile.
            let value = Secret::new(read(table, "headers", &given, env)?.reveal().to_owned());
            let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| {
                table.fault_at("headers", format!("the value of `{name}` holds what no header can: a line break?"))
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let turn = Turn { dirs: locks, target: format!("notify:{}", url.reveal()), lock: None };
        Ok(Hook { fetcher, headers, template: self.template, timeout: self.timeout, retry: self.retry, turn })
    }
}

/// The value, or why it cannot be had, told where it stands.
fn read(table: &Body, key: &str, given: &Given, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, Fault> {
    given.read_from(env).map_err(|fault| {
        let placed = place(table, key, &fault);
        if fault.hint.is_none() { placed.hint("Until then nobody is told of alerts.") } else { placed }
    })
}

fn headers(body: &mut Body) -> Result<Vec<(HeaderName, Given)>, Fault> {
    let Some(mut table) = body.take_table("headers")? else { return Ok(Vec::new()) };
    let mut headers = Vec::new();
    for key in table.keys() {
        let name = HeaderName::from_bytes(key.as_bytes()).ok().filter(|name| !OURS.contains(&name.as_str()));
        let name = name.ok_or_else(|| table.fault_at(&key, format!("`{key}` cannot be a header here.")))?;
        headers.extend(Given::take(&mut table, &key)?.map(|given| (name, given)));
    }
    Ok(headers)
}

/// A fault of a value, told where the value stands.
fn place(table: &Body, key: &str, fault: &Fault) -> Fault {
    let inner = fault.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
    let placed = table.fault_at(key, format!("{inner}{}", fault.what));
    Fault { hint: fault.hint.clone().map(|hint| Clean::text(hint.as_str())), ..placed }
}
