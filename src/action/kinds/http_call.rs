//! `http_call`: one request to a server of HTTP, sent once. Redirects are not followed and the certificate is looked at.
//! A request that was sent and not answered may have had its effect: it is never sent again.
//!
//! ```toml
//! [actions.drain-node]
//! kind    = "http_call"
//! method  = "POST"                                     # GET, HEAD, PUT, DELETE; POST and PATCH are one heavier
//! url     = "https://127.0.0.1:8443/nodes/{node}/drain" # {name} of `params`; no secret belongs here
//! params  = { node = { one_of = ["a1", "a2"], value = "a1" } }   # as for `command`
//! headers = { X-Request-Source = "watchkeeper", X-Api-Key = { file = "/etc/watchkeeper/key" } }
//! bearer  = { file = "/etc/watchkeeper/token" }        # a file of mode 0600; read when it is sent, never shown
//! body    = '{"wait": true, "node": "{node}"}'         # as JSON when it is JSON, unless `headers` say otherwise
//! expect  = { status = [200, 202], json = [{ pointer = "/state", equals = "draining" }] }   # or matches = "regex"; note_below = 10 beside it only says so
//! check   = { url = "https://127.0.0.1:8443/nodes/{node}", json = [{ pointer = "/state", equals = "drained" }] }
//!                                                      # looked at with GET until it holds; without it nothing is proven
//! proof   = "answer"                                   # or: the answer that `expect` describes is itself what was wanted
//! stable_for = "5s"                                    # for so long the check must hold
//! timeout = "10s"                                      # for the answer
//! undo    = "call undrain"                             # without it the danger is raised
//! ca      = "/etc/app/ca.pem"                          # instead of the system's authorities
//! server_name = "admin.internal"                       # the name in the certificate, where `url` has an address
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::expect::{Expect, is_refusal};
use crate::action::lifecycle::Run;
use crate::action::params::Params;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context, duration};
use crate::action::remote::{self, LOOK, file_of, kept, secret};
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::aside::slow;
use crate::sys::net::http::{Answer, Ask, LONGEST, Site};
use crate::sys::net::talk::Lost;
use crate::sys::net::tls::Tls;
use crate::sys::secret::Given;
use core::time::Duration;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

const KEYS: &[&str] = &[
    "method",
    "url",
    "params",
    "headers",
    "bearer",
    "body",
    "expect",
    "check",
    "proof",
    "stable_for",
    "timeout",
    "undo",
];
/// Of `expect`, and of `check` with its `url`.
const EXPECT: &[&str] = &["status", "json"];
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"];
/// HTTP's own, set by what is asked.
const NOT_HERE: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "authorization",
];
/// A body is shown whole, so it is not longer, in bytes.
const BODY: usize = 4 << 10;
/// For the answer, when the profile does not say.
const ANSWER: Duration = Duration::from_secs(10);

/// The kind.
#[derive(Debug)]
pub struct HttpCall;

/// One request, as a plan keeps it: secrets only by their files.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    secrets: BTreeMap<String, PathBuf>,
    bearer: Option<PathBuf>,
    body: String,
    tls: Tls,
}

/// What shows afterwards that it worked.
#[derive(Debug, Serialize, Deserialize)]
struct Check {
    url: String,
    expect: Expect,
    /// Whether it held before: then it proves nothing. `None` where it could not be looked at.
    held: Option<bool>,
}

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    request: Request,
    expect: Expect,
    check: Option<Check>,
    /// The expected answer is the effect.
    #[serde(default)]
    answer: bool,
    patience: Duration,
}

/// What proves it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProofBy {
    Answer,
}

impl Kind for HttpCall {
    fn name(&self) -> &'static str {
        "http_call"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "sends one declared HTTP request, once, and compares the answer with what is expected"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let params = Params::take(body, cx.given)?;
        let request = Request::take(body, &params)?;
        let expect = match body.take_table("expect")? {
            Some(mut rows) => {
                let expect = Expect::take(&mut rows)?;
                rows.done(EXPECT)?;
                expect
            }
            None => Expect::default(),
        };
        let check = check(body, &params)?;
        let by: Option<ProofBy> = body.take("proof")?;
        let answer = matches!(by, Some(ProofBy::Answer));
        if answer && (check.is_some() || !expect.asks()) {
            let what = "`proof` needs an `expect` that says something of the answer, and no `check`.";
            return Err(table.fault_at("proof", what));
        }
        let settle = cx.stable_for(body)?.unwrap_or_default();
        let timeout: Option<String> = body.take("timeout")?;
        let patience = timeout.map_or(Ok(ANSWER), |text| duration(&text, body))?;
        let undo: Option<String> = body.take("undo")?;
        body.done(&[COMMON, KEYS, remote::TLS].concat())?;
        let site = request.site().map_err(|fault| table.fault_at("url", fault.to_string()))?;
        let elsewhere = check.as_ref().map(|check| Site::parse(&check.url, request.tls.clone())).transpose()?;
        if elsewhere.is_some_and(|check| request.has_secret() && !check.is_of(&site)) {
            let what = "`check` asks another server than `url`, and would tell it the secret.";
            return Err(table.fault_at("check", what).hint("Name the same host and port, by https where `url` does."));
        }
        cx.read()?;
        let mut work = Work { request, expect, check, answer, patience };
        let mut based_on = Vec::new();
        // Who only opens the list of actions talks with nobody.
        if cx.previews() {
            work.reach()?;
            based_on.push(row(site.place(), Clean::from("answers")));
            based_on.extend(work.look_before());
        }
        let raise = work.raise(&site, undo.is_none());
        Ok(Draft {
            lines: work.lines(),
            target: Clean::identifier(site.place().as_str()).0.to_string(),
            hits: vec![crate::clean!("one request to {}", site.place())],
            undo: Undo::How(undo.map_or(Clean::from("not declared"), Clean::text)),
            based_on,
            targets: vec![Target::Server { name: format!("http:{}", site.resource()), identity: BTreeMap::new() }],
            work: to_work(&work)?,
            raise,
            settle,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        // What would fail before the request is sent fails before anything is recorded as begun.
        let work: Work = work(plan)?;
        work.reach()?;
        let Some(check) = &work.check else { return Ok(Vec::new()) };
        let seen = work.look(check);
        let said = match (check.held, holds(&seen)) {
            (was, is) if was == is => return Ok(Vec::new()),
            (_, Some(true)) => "the check holds now: somebody else may have done it",
            (_, Some(false)) => "the check does not hold now",
            (_, None) => "the check cannot be looked at now",
        };
        Ok(vec![Clean::from(said)])
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["call"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let answer = work.request.send(work.patience).map_err(remote::lost)?;
        doing.note(&format!("{}\n{}\n", answer.status, String::from_utf8_lossy(&answer.body)));
        work.expect.judge(&answer).map_err(|why| {
            let fault = Fault::new(format!("{why}."));
            if is_refusal(answer.status) { StepError::Failed(fault) } else { StepError::Unknown(fault) }
        })
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        if work.answer {
            // Its step failed unless the answer was as expected.
            return Some(Proof::Holds(String::new(), Clean::from("the answer was as expected")));
        }
        let check = work.check.as_ref()?;
        if check.held == Some(true) {
            return Some(Proof::Unseen(Clean::from("the check held before the call as well: it proves nothing.")));
        }
        Some(match slow(LOOK, || work.look(check)) {
            Ok(Ok(said)) => Proof::Holds(String::new(), said),
            Ok(Err(why)) => Proof::NotYet(why),
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn proves(&self, plan: &Plan) -> bool {
        work::<Work>(plan).is_ok_and(|work| work.answer || work.check.is_some())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let Some(check) = work.check.as_ref().filter(|check| check.held != Some(true)) else {
            let what = "whether the request was carried out cannot be seen from here; look at what it is for";
            return Ok(Settled::Other(Clean::from(what)));
        };
        Ok(match slow(LOOK, || work.look(check))? {
            Ok(said) => Settled::Done(crate::clean!("the check holds: {said}")),
            Err(why) => {
                Settled::Other(crate::clean!("the check does not hold ({why}); the request may have been sent"))
            }
        })
    }
}

impl Request {
    fn take(body: &mut Body, params: &Params) -> Result<Self, Fault> {
        let table = body.clone();
        let method: String = body.need("method")?;
        if !METHODS.contains(&method.as_str()) {
            return Err(
                table.fault_at("method", format!("`{}` is none of {}.", Clean::text(method), METHODS.join(", ")))
            );
        }
        let url: String = body.need("url")?;
        let url = filled(&table, "url", params, &url)?;
        let given: BTreeMap<String, Given> = body
            .take("headers")
            .map_err(|_| {
                table.fault_at("headers", "`headers` is no table of texts and places of secrets.").hint(remote::HINT)
            })?
            .unwrap_or_default();
        let (mut headers, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for (name, given) in given {
            let known = HeaderName::from_bytes(name.as_bytes()).ok();
            let Some(known) = known.filter(|known| !NOT_HERE.contains(&known.as_str())) else {
                return Err(table.fault_at("headers", format!("`{}` cannot be a header here.", Clean::text(name))));
            };
            match given {
                Given::Text(text) if is_secret_name(&name) || scrub(&text) != text => {
                    let what = format!("`{known}` looks like a secret, and would be shown.");
                    return Err(table.fault_at("headers", what).hint(remote::HINT));
                }
                Given::Text(text) => drop(headers.insert(name, plain(&table, params, &known, &text)?)),
                kept @ Given::Kept(_) => {
                    let path = file_of(kept).map_err(|what| table.fault_at("headers", what).hint(remote::HINT))?;
                    secrets.insert(name, path);
                }
            }
        }
        let text: String = body.take("body")?.unwrap_or_default();
        let form = headers.iter().any(|(name, kind)| name.eq_ignore_ascii_case("content-type") && is_form(kind));
        let put = |value: &str| if form { Ok(encoded(value)) } else { in_json(value) };
        let text = params.put(&text, &put).map_err(|fault| table.fault_at("body", fault.to_string()))?;
        if text.len() > BODY || (!text.is_empty() && ["GET", "HEAD"].contains(&method.as_str())) {
            return Err(table.fault_at("body", format!("a body has up to {BODY} bytes, and GET and HEAD have none.")));
        }
        if scrub(&text) != text {
            return Err(table
                .fault_at("body", "the body looks as if it held a secret, and would be shown.")
                .hint("Secrets go into `bearer` or `headers`, by their files."));
        }
        Ok(Self { method, url, headers, secrets, bearer: kept(body, "bearer")?, body: text, tls: remote::tls(body)? })
    }

    fn site(&self) -> Result<Site, Fault> {
        Site::parse(&self.url, self.tls.clone())
    }

    /// With its secrets, read now.
    fn ask(&self) -> Result<Ask, Fault> {
        let bad = |name: &str| Fault::new(format!("`{name}` holds what no header can: a line break?"));
        let named = |name: &str| HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name));
        let mut headers = Vec::new();
        for (name, text) in &self.headers {
            headers.push((named(name)?, HeaderValue::from_str(text).map_err(|_| bad(name))?));
        }
        let bearer = self.bearer.iter().map(|path| (AUTHORIZATION, "Bearer ", path));
        let others = self.secrets.iter().map(|(name, path)| named(name).map(|name| (name, "", path)));
        for row in bearer.map(Ok).chain(others) {
            let (name, before, path) = row?;
            let text = format!("{before}{}", secret(path)?.reveal());
            let mut value = HeaderValue::from_str(&text).map_err(|_| bad(name.as_str()))?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        let json = serde_json::from_str::<serde::de::IgnoredAny>(&self.body).is_ok();
        if json && !headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        }
        let method = Method::from_bytes(self.method.as_bytes());
        let method = method.map_err(|_| Fault::new("the plan's method is none."))?;
        Ok(Ask { method, headers, body: self.body.clone(), most: LONGEST })
    }

    fn send(&self, limit: Duration) -> Result<Answer, Lost> {
        let ask = self.ask().map_err(Lost::Before)?;
        self.site().map_err(Lost::Before)?.ask(ask, limit)
    }

    fn has_secret(&self) -> bool {
        self.bearer.is_some() || !self.secrets.is_empty()
    }
}

impl Work {
    /// The secrets can be read and the server is there, with a good certificate.
    fn reach(&self) -> Result<(), Fault> {
        self.request.ask()?;
        self.request.site()?.reach(LOOK)
    }

    fn look(&self, check: &Check) -> Result<Result<Clean, Clean>, Fault> {
        let request =
            Request { method: "GET".to_owned(), url: check.url.clone(), body: String::new(), ..self.request.clone() };
        request.send(LOOK).map(|answer| check.expect.judge(&answer)).map_err(Lost::fault)
    }

    /// What the check says before anything is done.
    fn look_before(&mut self) -> Option<Precondition> {
        let seen = self.look(self.check.as_ref()?);
        let check = self.check.as_mut()?;
        check.held = holds(&seen);
        let said = match seen {
            Ok(Ok(said)) => crate::clean!("holds already, so it can prove nothing: {said}"),
            Ok(Err(why)) => why,
            Err(fault) => Clean::text(fault.to_string()),
        };
        Some(row(Clean::from("check"), said))
    }

    fn raise(&self, site: &Site, no_undo: bool) -> Vec<Clean> {
        let mut raise = Vec::new();
        let method = &self.request.method;
        if ["POST", "PATCH"].contains(&method.as_str()) {
            raise.push(crate::clean!("a {method} may do its work once more each time it is sent"));
        }
        if no_undo {
            raise.push(Clean::from("nobody has said how to take it back"));
        }
        if site.is_open() && self.request.has_secret() {
            raise.push(Clean::from("its secret goes over the network unencrypted"));
        }
        raise
    }

    fn lines(&self) -> Vec<Clean> {
        let request = &self.request;
        let mut lines = vec![crate::clean!("{} {}", request.method, request.url)];
        let kept = |path: &PathBuf| format!("<kept in {}>", path.display());
        lines.extend(request.headers.iter().map(|(name, text)| crate::clean!("  {name}: {text}")));
        lines.extend(request.secrets.iter().map(|(name, path)| crate::clean!("  {name}: {}", kept(path))));
        lines.extend(request.bearer.iter().map(|path| crate::clean!("  authorization: Bearer {}", kept(path))));
        lines.extend(request.body.lines().map(|line| crate::clean!("  {line}")));
        lines.push(crate::clean!("expected: {}", self.expect.words()));
        lines.extend(self.check.iter().map(|check| crate::clean!("then GET {}: {}", check.url, check.expect.words())));
        lines
    }
}

fn row(label: Clean, value: Clean) -> Precondition {
    Precondition { label, value, age: Duration::ZERO, metric: None }
}

fn check(body: &mut Body, params: &Params) -> Result<Option<Check>, Fault> {
    let Some(mut rows) = body.take_table("check")? else { return Ok(None) };
    let table = rows.clone();
    let (expect, url) = (Expect::take(&mut rows)?, rows.need::<String>("url")?);
    rows.done(&[EXPECT, &["url"]].concat())?;
    let url = filled(&table, "url", params, &url)?;
    Site::parse(&url, Tls::default()).map_err(|fault| table.fault_at("url", fault.to_string()))?;
    Ok(Some(Check { url, expect, held: None }))
}

/// Whether a check holds; `None` where it could not be looked at.
fn holds(seen: &Result<Result<Clean, Clean>, Fault>) -> Option<bool> {
    seen.as_ref().ok().map(Result::is_ok)
}

/// A URL with its parameters, none of which can become another part of it.
fn filled(table: &Body, key: &str, params: &Params, url: &str) -> Result<String, Fault> {
    let form = |value: &str| match value {
        // A path's own words for here and above.
        "." | ".." => Err(Fault::new(format!("`{value}` is no name in a URL."))),
        _ => Ok(encoded(value)),
    };
    let url = params.put(url, &form).map_err(|fault| table.fault_at(key, fault.to_string()))?;
    if scrub(&url) != url {
        return Err(table
            .fault_at(key, "the URL looks as if it held a secret, and would be shown.")
            .hint("Send it by `bearer` or `headers`, from its file."));
    }
    Ok(url)
}

/// A value that stays one in a URL and in a form.
fn encoded(value: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let letter = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(letter).collect()
}

fn is_form(kind: &str) -> bool {
    kind.trim().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
}

fn plain(table: &Body, params: &Params, name: &HeaderName, text: &str) -> Result<String, Fault> {
    let text = params.put(text, &|value| Ok(value.to_owned())).map_err(|f| table.fault_at("headers", f.to_string()))?;
    if HeaderValue::from_str(&text).is_err() || !text.is_ascii() {
        return Err(table.fault_at("headers", format!("`{name}` holds what no header can: a line break?")));
    }
    Ok(text)
}

/// A value that cannot end the text of a JSON document that it stands in.
fn in_json(value: &str) -> Result<String, Fault> {
    if value.contains(['"', '\\']) {
        return Err(Fault::new(format!(
            "the value `{}` would break out of its place in the body.",
            Clean::text(value)
        )));
    }
    Ok(value.to_owned())
}
