//! A PostgreSQL server, for actions: looks in a read-only transaction, and one statement that has an effect.

use super::stream::{Address, Stream, connect, sentence};
use super::talk::{Lost, Sent, talk};
use super::tls::{Tls, doubt};
use crate::base::{Clean, Fault};
use crate::sys::secret::Secret;
use core::time::Duration;
use std::collections::BTreeMap;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A look asks no longer, in milliseconds; and waits no longer for a lock.
const STATEMENT: u32 = 2_500;
const LOCK: u32 = 500;

/// What a statement with open places is called while it is looked at.
const OPEN: &str = "watchkeeper";

/// One row by its columns; what is null is absent.
pub type Row = BTreeMap<String, String>;

/// What the server said no with: then the statement had no effect that it would tell of.
#[derive(Clone, Debug)]
pub struct Refused {
    /// SQLSTATE.
    pub code: String,
    /// In words.
    pub fault: Fault,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub struct Database {
    config: Config,
    address: Address,
    host: String,
    tls: Option<Tls>,
}

impl Database {
    /// Reads `postgres://user@host/database` or `postgres:///database?host=/run/postgresql`. To another host the talk
    /// is encrypted and its certificate looked at, unless the URL says `sslmode=disable`.
    ///
    /// # Errors
    /// What is no such address, or holds a password: that would be shown.
    pub fn parse(url: &str, tls: Tls) -> Result<Self, Fault> {
        let wrong = |what: &str| {
            Fault::new(what).hint("For example postgres://ops@127.0.0.1/app or postgres:///app?host=/run/postgresql.")
        };
        // The crate's own words may quote the URL.
        let mut config: Config = url.parse().map_err(|_| wrong("`url` is no address of a PostgreSQL database."))?;
        if config.get_password().is_some() {
            return Err(wrong("`url` holds a password: it would be part of the plan. Give `password`."));
        }
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let (address, host) = match config.get_hosts() {
            [Host::Tcp(host)] => (Address::Host(host.clone(), port), host.clone()),
            [Host::Unix(folder)] => (Address::Path(folder.join(format!(".s.PGSQL.{port}"))), String::new()),
            [] => return Err(wrong("`url` names no host.")),
            _ => return Err(wrong("`url` names more than one host.")),
        };
        let encrypted = match config.get_ssl_mode() {
            SslMode::Disable => false,
            SslMode::Require => true,
            _ => !address.is_here(),
        };
        config.application_name("watchkeeper");
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        Ok(Self { config, address, host, tls: encrypted.then_some(tls) })
    }

    /// As sentences name it.
    pub fn place(&self) -> Clean {
        self.address.place()
    }

    /// True where others may listen in.
    pub fn is_open(&self) -> bool {
        self.tls.is_none() && !self.address.is_here()
    }

    /// Asks in a transaction that can change nothing. Names are looked up in the catalogue alone.
    ///
    /// # Errors
    /// Why nobody answers, or what is refused.
    pub fn look(&self, password: Option<&Secret>, sql: &str, limit: Duration) -> Result<Vec<Row>, Fault> {
        let limits = format!(
            "SET LOCAL statement_timeout = {STATEMENT}; SET LOCAL lock_timeout = {LOCK}; \
             SET LOCAL search_path = pg_catalog; {sql}"
        );
        self.look_as_it_is(password, &limits, limit)
    }

    /// The same with no setting of ours: for who looks at settings.
    ///
    /// # Errors
    /// As [`Database::look`].
    pub fn look_as_it_is(&self, password: Option<&Secret>, sql: &str, limit: Duration) -> Result<Vec<Row>, Fault> {
        let sql = format!("BEGIN READ ONLY; {sql}; COMMIT");
        let (database, password) = (self.clone(), password.cloned());
        let looked = talk(self.place().as_str(), limit, async move |_| {
            let (client, driver) = database.open(password.as_ref()).await?;
            let rows = client.simple_query(&sql).await.map(rows).map_err(|error| database.fault(&error));
            driver.abort();
            rows
        });
        looked.map_err(Lost::fault)
    }

    /// Asks one statement with the settings of `before` in a transaction that can change nothing: the server takes no
    /// second one behind it. The first column of each row.
    ///
    /// # Errors
    /// As [`Database::look`].
    pub fn ask_one(
        &self,
        password: Option<&Secret>,
        before: &str,
        sql: &str,
        limit: Duration,
    ) -> Result<Vec<String>, Fault> {
        let sql = sql.to_owned();
        self.explained(password, before, limit, async move |client| client.query(&sql, &[]).await)
    }

    /// How the server would go about a statement whose values are open (`$1`): by the plan that fits any of them. The server
    /// takes no second statement behind it, and carries out nothing.
    ///
    /// # Errors
    /// As [`Database::look`].
    pub fn explain_open(
        &self,
        password: Option<&Secret>,
        before: &str,
        statement: &str,
        limit: Duration,
    ) -> Result<Vec<String>, Fault> {
        let before = format!("SET LOCAL plan_cache_mode = force_generic_plan; {before}");
        let prepare = format!("PREPARE {OPEN} AS {statement}");
        self.explained(password, &before, limit, async move |client| {
            client.execute(&prepare, &[]).await?;
            let places = format!(
                "SELECT coalesce(cardinality(parameter_types), 0) FROM pg_catalog.pg_prepared_statements WHERE name = '{OPEN}'"
            );
            let places: i32 = client.query_one(&places, &[]).await?.try_get(0)?;
            client.query(&explain_open(places), &[]).await
        })
    }

    /// The first column of each row of what `ask` asks, in a transaction that can change nothing, and is rolled back.
    fn explained(
        &self,
        password: Option<&Secret>,
        before: &str,
        limit: Duration,
        ask: impl AsyncFnOnce(&Client) -> Result<Vec<tokio_postgres::Row>, Error> + Send + 'static,
    ) -> Result<Vec<String>, Fault> {
        let (database, password) = (self.clone(), password.cloned());
        let before = format!("BEGIN READ ONLY; {before}");
        let asked = talk(self.place().as_str(), limit, async move |_| {
            let (client, driver) = database.open(password.as_ref()).await?;
            let asking = async {
                client.batch_execute(&before).await?;
                let rows = ask(&client).await?;
                client.batch_execute("ROLLBACK").await?;
                rows.iter().map(|row| row.try_get::<_, String>(0)).collect::<Result<Vec<_>, _>>()
            };
            let rows = asking.await.map_err(|error| database.fault(&error));
            driver.abort();
            rows
        });
        asked.map_err(Lost::fault)
    }

    /// Carries out one statement, outside of any transaction, after the settings of `before`.
    ///
    /// # Errors
    /// Whether it may have been carried out when it broke off. What the server refused is no error here.
    pub fn act(
        &self,
        password: Option<&Secret>,
        before: &str,
        sql: &str,
        limit: Duration,
    ) -> Result<Result<Vec<Row>, Refused>, Lost> {
        let (database, password) = (self.clone(), password.cloned());
        let (before, sql) = (before.to_owned(), sql.to_owned());
        talk(self.place().as_str(), limit, async move |sent: Sent| {
            let (client, driver) = database.open(password.as_ref()).await?;
            client.batch_execute(&before).await.map_err(|error| database.fault(&error))?;
            sent.mark();
            let done = client.simple_query(&sql).await;
            driver.abort();
            match done {
                Ok(messages) => Ok(Ok(rows(messages))),
                Err(error) => match refusal(&error) {
                    Some(code) => Ok(Err(Refused { code, fault: database.fault(&error) })),
                    None => Err(database.fault(&error)),
                },
            }
        })
    }

    async fn open(&self, password: Option<&Secret>) -> Result<(Client, JoinHandle<()>), Fault> {
        let stream = connect(&self.address).await?;
        let mut config = self.config.clone();
        if let Some(password) = password {
            config.password(password.reveal());
        }
        let Some(tls) = &self.tls else { return self.greet(stream, NoTls, &config).await };
        let name = tls.server_name.as_deref().unwrap_or(&self.host);
        let made = MakeTlsConnect::<Stream>::make_tls_connect(&mut MakeRustlsConnect::new(tls.open()?), name);
        let made = made.map_err(|error| Fault::new(format!("{}: {error}.", self.place())))?;
        self.greet(stream, made, &config).await
    }

    async fn greet<T>(&self, stream: Stream, tls: T, config: &Config) -> Result<(Client, JoinHandle<()>), Fault>
    where
        T: TlsConnect<Stream>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = config.connect_raw(stream, tls).await.map_err(|error| self.fault(&error))?;
        // What it says at its end is said to whoever asks next.
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }

    fn fault(&self, error: &Error) -> Fault {
        let place = self.place();
        let Some(said) = error.as_db_error() else {
            if error.is_closed() {
                return sentence(&place, &std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(bad) = core::error::Error::source(error).and_then(of_tls) {
                return Fault::new(format!("{place}: {}.", doubt(bad)));
            }
            let inner = core::error::Error::source(error).map(|inner| format!(": {inner}")).unwrap_or_default();
            return Fault::new(format!("{place}: {error}{inner}."));
        };
        let message = Clean::text(said.message());
        match said.code().code() {
            "28P01" => {
                Fault::new(format!("{place} refuses this login.")).hint("Mend the user in `url`, or `password`.")
            }
            "28000" => Fault::new(format!("{place} does not let this login in: {message}.")).hint("Mend pg_hba.conf."),
            "3D000" => Fault::new(format!("{place}: {message}.")).hint("Mend the end of `url`."),
            "42501" => {
                Fault::new(format!("{place}: this login may not do that: {message}.")).hint("Grant it the right.")
            }
            "57014" => Fault::new(format!("{place} did not answer in time, and was told to stop.")),
            code => Fault::new(format!("{place} answered {}: {message}.", Clean::text(code))),
        }
    }
}

/// What explains a statement that was prepared, with nothing in so many open places.
fn explain_open(places: i32) -> String {
    let open = vec!["NULL"; usize::try_from(places).unwrap_or(0)];
    let open = if open.is_empty() { String::new() } else { format!("({})", open.join(", ")) };
    format!("EXPLAIN (COSTS) EXECUTE {OPEN}{open}")
}

/// What is wrong with the server's TLS, where that is it.
fn of_tls<'a>(error: &'a (dyn core::error::Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref()
}

/// The code of what the server refused; nothing where the talk itself broke: a server that ends a session (57P, 08)
/// does not say how far it came.
fn refusal(error: &Error) -> Option<String> {
    let code = error.as_db_error()?.code().code();
    (!code.starts_with("57P") && !code.starts_with("08")).then(|| code.to_owned())
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<Row> {
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let cells = |row: &tokio_postgres::SimpleQueryRow| {
        let named = row.columns().iter().enumerate();
        named.filter_map(|(at, column)| Some((column.name().to_owned(), row.get(at)?.to_owned()))).collect()
    };
    rows.map(|row| cells(&row)).collect()
}

/// A text as SQL reads it back.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A name as SQL reads it back.
pub fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_names_cannot_end_what_they_stand_in() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\' OR 1"), "E'a\\\\'' OR 1'");
        assert_eq!(name("a\"; DROP"), "\"a\"\"; DROP\"");
    }

    #[test]
    fn another_host_is_spoken_to_with_a_certificate_unless_the_url_says_otherwise() {
        let open = |url: &str| Database::parse(url, Tls::default()).map(|found| (found.tls.is_some(), found.is_open()));
        assert_eq!(open("postgres://ops@nobody.example.test/app").ok(), Some((true, false)));
        assert_eq!(open("postgres://ops@nobody.example.test/app?sslmode=disable").ok(), Some((false, true)));
        assert_eq!(open("postgres://ops@127.0.0.1/app").ok(), Some((false, false)));
        assert_eq!(open("postgres:///app?host=/run/postgresql").ok(), Some((false, false)));
        let said = open("postgres://ops:hunter22@h/app").expect_err("a password").to_string();
        assert!(said.starts_with("`url` holds a password") && !said.contains("hunter"), "{said}");
        assert!(open("postgres://").is_err_and(|said| said.to_string().contains("names no host")));
    }
}
