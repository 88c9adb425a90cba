//! `postgres`: what a PostgreSQL server (13 or newer) is doing, by one read-only session called `watchkeeper`.
//! ```toml
//! [samplers.database]
//! kind         = "postgres"
//! url          = "postgres://watch@127.0.0.1/app"      # or postgres:///app?host=/run/postgresql
//! password     = { file = "/etc/watchkeeper/postgres" }
//! sslmode      = "prefer"                              # disable, prefer, require, verify-full
//! ca           = "/etc/ssl/postgres-ca.pem"            # for verify-full
//! show_queries = false                                 # texts of statements among the facts
//! ```
//! Names as postgres_exporter gives them (`pg_*`, seconds and bytes), `postgres_*` beside; catalogues once a minute, and
//! absent when they could not be asked for three. pg_up is 0 when the server is silent or turns everybody away. A login
//! that is refused says nothing of the server: then `postgres_login_refused` is 1 and there is no pg_up.

use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Failure, Fault, Mono, Now, Observation, Point};
use crate::clean;
use crate::samplers::blocking::{LOGINS, Worker};
use crate::samplers::logins::Logins;
use crate::samplers::postgres::seldom::Seldom;
use crate::samplers::postgres::session::{Refused, Server, Session, is_end, refusal, tls};
use crate::samplers::postgres::sql::{ALL, Ask, IDENTITY, OFTEN, SELDOM};
use crate::samplers::wire::{self, Address};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::clock::RealClock;
use crate::sys::secret::{Given, Secret};
use core::error::Error as _;
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, Error, SimpleQueryRow};

/// When a sample has taken so long, what may wait does: questions of the minute, then all others.
const PATIENCE: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(2);

const CERTIFICATES: u64 = 1 << 20;
/// 1 when the server answered.
const UP: &str = "pg_up";
/// 1 when it did, and does not let this login look.
const REFUSED: &str = "postgres_login_refused";

/// The kind.
pub struct Postgres;

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn about(&self) -> &'static str {
        "a PostgreSQL server: sessions, locks, slow statements, replication, sizes"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(PostgresSampler::new(body)?))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["pg_".to_owned(), "postgres_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    sslmode: Option<Mode>,
    ca: Option<PathBuf>,
    #[serde(default)]
    show_queries: bool,
}

/// libpq's words.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

struct PostgresSampler {
    server: Server,
    database: Config,
    password: Option<Given>,
    logins: Logins,
    ca: Option<PathBuf>,
    reader: Worker<io::Result<Vec<u8>>>,
    show_queries: bool,
    /// Taken out for the time of an attempt: one that is cut off ends it.
    session: Option<Session>,
    seldom: Seldom,
    life: Life,
}

/// What earlier samples saw of the server itself.
#[derive(Default)]
struct Life {
    started: Option<String>,
    restarts: u32,
    cluster: Option<Clean>,
    cluster_before: Option<Clean>,
}

/// One answer to [`IDENTITY`].
struct Identity {
    row: BTreeMap<String, String>,
    version: u32,
}

impl PostgresSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let mut rest = body.clone();
        let password = Given::take(&mut rest, "password")?;
        let table: Table = rest.read()?;
        let wrong = |what: &str| {
            let hint = "For example postgres://watch@127.0.0.1/app or postgres:///app?host=/run/postgresql.";
            body.fault_at("url", what).hint(hint)
        };
        // The crate's own words may quote the URL.
        let mut database: Config =
            table.url.parse().map_err(|_| wrong("`url` is no address of a PostgreSQL database."))?;
        let address = match (database.get_hosts(), database.get_ports()) {
            ([Host::Tcp(host)], ports) => Address::Host(host.clone(), ports.first().copied().unwrap_or(5432)),
            ([Host::Unix(folder)], ports) => {
                let port = ports.first().copied().unwrap_or(5432);
                Address::Path(folder.join(format!(".s.PGSQL.{port}")))
            }
            ([], _) => return Err(wrong("`url` names no host.")),
            _ => return Err(wrong("`url` names more than one host. Give each its own sampler.")),
        };
        if let Some(word) = database.get_password() {
            drop(Secret::new(String::from_utf8_lossy(word).into_owned()));
        }
        let mode = table.sslmode.unwrap_or(match database.get_ssl_mode() {
            SslMode::Disable => Mode::Disable,
            SslMode::Require => Mode::Require,
            _ => Mode::Prefer,
        });
        if (mode == Mode::VerifyFull) != table.ca.is_some() {
            let what = "`sslmode = \"verify-full\"` and `ca` want each other.";
            let hint = "The file holds the certificates (PEM) that the server's must be signed by.";
            let key = if table.ca.is_some() { "ca" } else { "sslmode" };
            return Err(body.fault_at(key, what).hint(hint));
        }
        database.application_name("watchkeeper").ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
        Ok(Self {
            server: Server::new(address),
            database,
            password,
            logins: Logins::new(),
            ca: table.ca,
            reader: Worker::new(&LOGINS),
            show_queries: table.show_queries,
            session: None,
            seldom: Seldom::new(),
            life: Life::default(),
        })
    }
}

impl Sampler for PostgresSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            self.attempt(now.mono).await.map_err(|failure| {
                let told = if failure.not_permitted { vec![refused(true)] } else { self.unheard() };
                failure.with(told)
            })
        })
    }

    fn unheard(&self) -> Vec<Point> {
        vec![Point::gauge(UP, &[], 0.0)]
    }
}

fn refused(is: bool) -> Point {
    Point::gauge(REFUSED, &[], f64::from(u8::from(is)))
}

/// Why a sample gave nothing.
enum Trouble {
    Asking(Error),
    Wrong(Failure),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Asking(error)
    }
}

impl PostgresSampler {
    async fn attempt(&mut self, now: Mono) -> Result<Observation, Failure> {
        self.server.allowance.renew();
        let kept = self.session.take().filter(|session| !session.is_closed());
        let fresh = kept.is_none();
        let mut session = match kept {
            Some(session) => session,
            None => self.open(now).await?,
        };
        let mut seen = self.look(&mut session, now).await;
        if let Err(Trouble::Asking(error)) = &seen
            && !fresh
            && !self.server.allowance.is_spent()
            && (session.is_closed() || error.as_db_error().is_none_or(|_| is_end(error)))
        {
            // The server may have ended the waiting session long ago; only a new one tells.
            drop(session);
            session = self.open(now).await?;
            seen = self.look(&mut session, now).await;
        }
        match seen {
            Ok(seen) => {
                self.server.allowance.forget();
                self.session = Some(session);
                Ok(seen)
            }
            Err(Trouble::Asking(error)) => Err(self.failure(&error)),
            Err(Trouble::Wrong(failure)) => Err(failure),
        }
    }

    async fn open(&mut self, now: Mono) -> Result<Session, Failure> {
        let place = self.server.address.place();
        if let Some(given) = &self.password {
            let word = self.logins.secret(now, place.as_str(), given).await?;
            self.database.password(word.reveal());
        }
        if self.database.get_ssl_mode() != SslMode::Disable && (self.server.tls.is_none() || self.ca.is_some()) {
            let roots = match self.ca.clone() {
                None => None,
                Some(path) => {
                    let shown = clean!("{}", path.display());
                    let read = self.reader.run(now, move || certificates(&path)).await;
                    let read = read.map_err(|stuck| Failure::unreachable(format!("{shown}: {stuck}.")))?;
                    Some(read.map_err(|error| Failure::not_permitted(format!("{shown} cannot be read: {error}.")))?)
                }
            };
            let made = tls(roots.as_deref());
            let wrong = |what| Failure::not_permitted(format!("{place}: its certificates cannot be used: {what}."));
            self.server.tls = Some(made.map_err(wrong)?);
        }
        match self.server.open(&self.database).await {
            Ok(session) => Ok(session),
            Err(Refused::Failure(failure)) => Err(failure),
            Err(Refused::Server(error)) => Err(self.failure(&error)),
        }
    }

    async fn look(&mut self, session: &mut Session, now: Mono) -> Result<Observation, Trouble> {
        let begun = RealClock.now().mono;
        let rows = session.ask(IDENTITY).await?;
        let answered = RealClock.now().mono.since(begun);
        let identity = self.identify(&rows).map_err(Trouble::Wrong)?;
        let mut seen = Observation::default();
        seen.points.extend([Point::gauge(UP, &[], 1.0), refused(false)]);
        seen.points.push(Point::gauge("postgres_answer_seconds", &[], answered.as_secs_f64()));
        identity.tell(&mut seen);
        for ask in OFTEN {
            if RealClock.now().mono.since(begun) > LIMIT {
                ask.refuse(&Clean::from("not asked this time: the server is too slow"), &mut seen);
            } else {
                self.put(session, &identity, ask, &mut seen).await?;
            }
        }
        self.seldom.of(&seen);
        for (at, ask) in SELDOM.iter().enumerate() {
            if self.seldom.is_due(at, now) && RealClock.now().mono.since(begun) < PATIENCE {
                let mut told = Observation::default();
                self.put(session, &identity, ask, &mut told).await?;
                self.seldom.keep(at, now, told);
            }
        }
        self.seldom.tell(now, &mut seen);
        self.life.note(&identity, &mut seen);
        Ok(seen)
    }

    /// Asks one question, if this server and this login can answer it.
    async fn put(
        &self,
        session: &mut Session,
        identity: &Identity,
        ask: &Ask,
        seen: &mut Observation,
    ) -> Result<(), Error> {
        let login = identity.get("login");
        let grant = clean!("this login sees \"<insufficient privilege>\" there; mend with GRANT pg_monitor TO {login}");
        if ask.monitors && identity.get("monitors") != "1" {
            seen.refuse(ask.gives, &grant);
            return Ok(());
        }
        if !ask.versions.contains(&identity.version) {
            ask.refuse(&clean!("PostgreSQL {} does not tell it", identity.get("version")), seen);
            return Ok(());
        }
        let Some(sql) = ask.text(self.show_queries, identity.row.get("statements").map(String::as_str)) else {
            let database = identity.get("database");
            let why = clean!("the extension pg_stat_statements is missing in {database}; mend with CREATE EXTENSION");
            ask.refuse(&why, seen);
            return Ok(());
        };
        match session.ask(&sql).await {
            Ok(rows) => {
                for row in &rows {
                    ask.read(&cells(row), seen);
                }
            }
            Err(error) if is_end(&error) => return Err(error),
            Err(error) => {
                let Some(said) = error.as_db_error() else { return Err(error) };
                let why = match said.code().code() {
                    "42501" => {
                        seen.refuse(ask.gives, &clean!("{}; mend with GRANT pg_monitor TO {login}", said.message()));
                        return Ok(());
                    }
                    "57014" => Clean::from("the server did not answer within 0.8 s"),
                    "55P03" => Clean::from("the server did not get a lock within 0.1 s"),
                    _ => clean!("the server said: {}", scrub(said.message())),
                };
                ask.refuse(&why, seen);
            }
        }
        Ok(())
    }

    fn identify(&self, rows: &[SimpleQueryRow]) -> Result<Identity, Failure> {
        let place = self.server.address.place();
        let row: BTreeMap<String, String> = rows
            .iter()
            .flat_map(cells)
            .filter_map(|(column, value)| Some((column.to_owned(), value?.to_owned())))
            .collect();
        let version = row.get("version_num").and_then(|number| number.parse().ok()).unwrap_or(0);
        let identity = Identity { row, version };
        if !ALL.contains(&version) {
            let version = identity.get("version");
            return Err(Failure::answered(format!("{place} is PostgreSQL {version}; 13 or newer is understood.")));
        }
        if identity.get("read_only") != "on" {
            return Err(Failure::answered(format!("{place} gave a session that may write; nothing was asked of it.")));
        }
        Ok(identity)
    }

    fn failure(&self, error: &Error) -> Failure {
        let place = self.server.address.place();
        if self.server.allowance.is_spent() {
            return wire::too_much(&place);
        }
        if let Some(said) = error.as_db_error() {
            return refusal(&place, &self.database, said.code().code(), said.message());
        }
        let first = self.server.allowance.first_words();
        if first.first().is_some_and(|byte| !b"RENSv".contains(byte)) {
            let what = format!("{place} does not speak PostgreSQL's protocol. Is it the right port?");
            return Failure::answered(what);
        }
        let cause = core::iter::successors(error.source(), |cause| (*cause).source()).last();
        let words = cause.map_or_else(|| error.to_string(), ToString::to_string);
        let from_io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
        match from_io.map(io::Error::kind) {
            _ if error.is_closed() => wire::closed(&place),
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => {
                wire::closed(&place)
            }
            _ if words.contains("password missing") => {
                Failure::not_permitted(format!("{place} wants a password. Give `password` in the profile."))
            }
            _ if words.contains("does not support TLS") => {
                Failure::answered(format!("{place} does not offer TLS, which `sslmode` asks for."))
            }
            _ => Failure::unreachable(format!("{place}: {}.", scrub(&words))),
        }
    }
}

/// The beginning of a file; certificates are never so many.
fn certificates(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(CERTIFICATES).read_to_end(&mut pem)?;
    Ok(pem)
}

fn cells(row: &SimpleQueryRow) -> Vec<(&str, Option<&str>)> {
    row.columns().iter().enumerate().map(|(at, column)| (column.name(), row.get(at))).collect()
}

impl Identity {
    fn get(&self, column: &str) -> &str {
        self.row.get(column).map_or("", String::as_str)
    }

    fn tell(&self, seen: &mut Observation) {
        for (column, metric) in
            [("in_recovery", "pg_replication_is_replica"), ("started", "pg_postmaster_start_time_seconds")]
        {
            seen.points.extend(self.get(column).parse().ok().map(|value| Point::gauge(metric, &[], value)));
        }
        let role = if self.get("in_recovery") == "1" { "standby" } else { "primary" };
        for (fact, said) in [
            ("version", self.get("version")),
            ("role", role),
            ("database", self.get("database")),
            ("session", "read-only"),
        ] {
            seen.facts.push((Clean::from(fact), Clean::text(said)));
        }
    }
}

impl Life {
    /// Tells of restarts, and of another cluster at the same address, for as long as we run.
    fn note(&mut self, identity: &Identity, seen: &mut Observation) {
        let started = identity.get("started").to_owned();
        let before = self.started.replace(started.clone());
        self.restarts += u32::from(before.is_some_and(|before| before != started));
        if self.restarts > 0 {
            seen.facts.push((Clean::from("restarts while watched"), clean!("{}", self.restarts)));
        }
        let cluster = seen.facts.iter().find(|(fact, _)| fact.as_str() == "system_identifier");
        if let Some(cluster) = cluster.map(|(_, said)| said.clone()) {
            let before = self.cluster.replace(cluster.clone()).filter(|before| *before != cluster);
            self.cluster_before = before.or(self.cluster_before.take());
        }
        let before = self.cluster_before.clone();
        seen.facts.extend(before.map(|before| (Clean::from("system_identifier before"), before)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(config: &str) -> Option<String> {
        let body = Body::parse("p.toml", config).expect("parses");
        PostgresSampler::new(&body).err().map(|fault| fault.to_string())
    }

    #[test]
    fn a_bad_table_is_placed_and_never_quotes_the_url() {
        let hint = "For example postgres://watch@127.0.0.1/app or postgres:///app?host=/run/postgresql.";
        for (config, said) in [
            (
                "url = 'postgres://joe:hunter22@x:y/'",
                format!("p.toml:1:7: `url` is no address of a PostgreSQL database. {hint}"),
            ),
            ("url = 'postgres:///app'", format!("p.toml:1:7: `url` names no host. {hint}")),
            (
                "url = 'postgres://a,b/app'",
                format!("p.toml:1:7: `url` names more than one host. Give each its own sampler. {hint}"),
            ),
            (
                "url = 'postgres://a/app'\nsslmode = 'verify-full'",
                "p.toml:2:11: `sslmode = \"verify-full\"` and `ca` want each other. \
                 The file holds the certificates (PEM) that the server's must be signed by."
                    .to_owned(),
            ),
            (
                "url = 'postgres://a/app'\nsslmode = 'requite'",
                "p.toml:2:11: unknown value `requite`. Did you mean `require`?".to_owned(),
            ),
        ] {
            assert_eq!(fault(config).as_deref(), Some(&*said), "{config}");
        }
        for (url, place) in [
            ("postgres://watch@h/app", "h:5432"),
            ("postgres://watch@h:6000/app?sslmode=require", "h:6000"),
            ("postgres:///app?host=/run/postgresql&port=5433", "/run/postgresql/.s.PGSQL.5433"),
        ] {
            let body = Body::parse("p.toml", &format!("url = '{url}'")).expect("parses");
            let sampler = PostgresSampler::new(&body).expect("valid");
            assert_eq!(sampler.server.address.place().as_str(), place);
        }
    }

    #[test]
    fn a_restart_and_another_cluster_are_told_for_good() {
        let mut life = Life::default();
        let mut told = |started: &str, cluster: &'static str| {
            let row = [("started".to_owned(), started.to_owned())].into();
            let mut seen = Observation::default();
            seen.facts.push((Clean::from("system_identifier"), Clean::from(cluster)));
            life.note(&Identity { row, version: 150_000 }, &mut seen);
            seen.facts.iter().skip(1).map(|(fact, said)| format!("{fact}={said}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told("1", "a"), "");
        assert_eq!(told("1", "a"), "");
        assert_eq!(told("2", "a"), "restarts while watched=1");
        assert_eq!(told("3", "b"), "restarts while watched=2 system_identifier before=a");
        assert_eq!(told("3", "b"), "restarts while watched=2 system_identifier before=a");
    }
}
