//! A Redis server, for actions: which one it is, how many keys begin so, and clearing those. Never a whole server.

use super::stream::{Address, connect, sentence};
use super::talk::{Lost, Sent, talk};
use super::tls::Tls;
use crate::base::{Clean, Fault};
use crate::sys::secret::Secret;
use core::time::Duration;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    Value, cmd,
};
use std::collections::BTreeMap;
use tokio::task::JoinHandle;

/// Keys that one `SCAN` looks at, and so about as many as one `UNLINK` takes.
const SCAN: usize = 1_000;

/// Where a server is, and which of its databases.
#[derive(Clone, Debug)]
pub struct Server {
    address: Address,
    host: String,
    db: i64,
    tls: Option<Tls>,
}

/// As whom we come.
#[derive(Clone, Default)]
pub struct Login {
    /// An ACL user.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
}

/// What a look shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Fields of `INFO`.
    pub info: BTreeMap<String, String>,
    /// Keys that begin so, where they were counted.
    pub keys: Option<u64>,
}

/// What the server says to clearing.
#[derive(Debug)]
pub enum Cleared {
    /// So many keys went.
    Keys(u64),
    /// It refused; so many had gone before.
    Refused(u64, Fault),
}

struct Link {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    place: Clean,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Server {
    /// Reads `redis://host:port/db`, `rediss://…` or `redis+unix:///path?db=1`.
    ///
    /// # Errors
    /// What is no such address, or holds a login: that would be shown.
    pub fn parse(url: &str, tls: Tls) -> Result<Self, Fault> {
        let wrong = |what: &str| {
            Fault::new(what).hint("For example redis://127.0.0.1:6379/0 or redis+unix:///run/redis/redis.sock.")
        };
        let (plain, tls) = match url.strip_prefix("rediss://") {
            Some(rest) => (format!("redis://{rest}"), Some(tls)),
            None => (url.to_owned(), None),
        };
        // The crate's own words would quote the URL.
        let info =
            plain.as_str().into_connection_info().map_err(|_| wrong("`url` is no address of a Redis server."))?;
        let settings = info.redis_settings();
        if settings.username().is_some() || settings.password().is_some() {
            return Err(wrong("`url` holds a login: it would be part of the plan. Give `user` and `password`."));
        }
        let (address, host) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (Address::Host(host.clone(), *port), host.clone()),
            ConnectionAddr::Unix(path) => (Address::Path(path.clone()), String::new()),
            _ => return Err(wrong("`url` is no address of a Redis server.")),
        };
        Ok(Self { address, host, db: settings.db(), tls })
    }

    /// As sentences name it.
    pub fn place(&self) -> Clean {
        self.address.place()
    }

    /// The number of the database.
    pub const fn db(&self) -> i64 {
        self.db
    }

    /// True where others may listen in.
    pub fn is_open(&self) -> bool {
        self.tls.is_none() && !self.address.is_here()
    }

    /// Looks at the server, and counts the keys that begin with `prefix`. Read-only.
    ///
    /// # Errors
    /// Why nobody answers, or what is refused.
    pub fn look(&self, login: &Login, prefix: Option<&str>, limit: Duration) -> Result<Seen, Fault> {
        let (server, login, prefix) = (self.clone(), login.clone(), prefix.map(str::to_owned));
        let looked = talk(self.place().as_str(), limit, async move |_| {
            let mut link = server.open(&login).await?;
            let info = link.info().await?;
            let keys = match prefix {
                Some(prefix) => Some(link.count(&prefix).await.map_err(|error| link.fault(&error))?),
                None => None,
            };
            Ok(Seen { info, keys })
        });
        looked.map_err(Lost::fault)
    }

    /// Whether it answers, takes the login, and lets it look through its keys and remove such: asks for a few of them, and
    /// counts none. A server that does not tell what it would let him do is not asked further.
    ///
    /// # Errors
    /// As [`Server::look`], or what the login may not do.
    pub fn greet(&self, login: &Login, prefix: &str, limit: Duration) -> Result<Seen, Fault> {
        let (server, login, prefix) = (self.clone(), login.clone(), prefix.to_owned());
        let looked = talk(self.place().as_str(), limit, async move |_| {
            let mut link = server.open(&login).await?;
            let info = link.info().await?;
            link.scan(0, &prefix).await.map_err(|error| link.fault(&error))?;
            let user = login.user.as_deref().unwrap_or("default");
            let mut rehearsal = cmd("ACL");
            rehearsal.arg("DRYRUN").arg(user).arg("UNLINK").arg(format!("{prefix}1"));
            match link.ask::<String>(&rehearsal).await {
                Ok(said) if said != "OK" => {
                    let what = format!("{} does not let this login remove such keys.", link.place);
                    Err(Fault::new(what).hint(format!("It says: {}.", Clean::text(said.trim_end_matches('.')))))
                }
                _ => Ok(Seen { info, keys: None }),
            }
        });
        looked.map_err(Lost::fault)
    }

    /// Removes the keys that begin with `prefix`.
    ///
    /// # Errors
    /// Whether any may be gone when it broke off.
    pub fn clear(&self, login: &Login, prefix: &str, limit: Duration) -> Result<Cleared, Lost> {
        let (server, login, prefix) = (self.clone(), login.clone(), prefix.to_owned());
        talk(self.place().as_str(), limit, async move |sent| server.open(&login).await?.clear(&prefix, &sent).await)
    }

    async fn open(&self, login: &Login) -> Result<Link, Fault> {
        let place = self.place();
        let stream = connect(&self.address).await?;
        let stream = match &self.tls {
            Some(tls) => tls.over(stream, &self.host, &place).await?,
            None => stream,
        };
        let plain = RedisConnectionInfo::default().set_skip_set_lib_name();
        // The deadline of the talk is the limit of each answer.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let made = MultiplexedConnection::new_with_config(&plain, stream, config).await;
        let (connection, driver) = made.map_err(|error| fault(&place, &error))?;
        let mut link = Link { connection, driver: tokio::spawn(driver), place };
        if let Some(password) = &login.password {
            let mut auth = cmd("AUTH");
            if let Some(user) = &login.user {
                auth.arg(user);
            }
            auth.arg(password.reveal());
            link.ask::<Value>(&auth).await.map_err(|error| link.fault(&error))?;
        }
        if self.db != 0 {
            link.ask::<Value>(cmd("SELECT").arg(self.db)).await.map_err(|error| link.fault(&error))?;
        }
        Ok(link)
    }
}

impl Link {
    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection).await
    }

    fn fault(&self, error: &RedisError) -> Fault {
        fault(&self.place, error)
    }

    async fn info(&mut self) -> Result<BTreeMap<String, String>, Fault> {
        let text: String = self.ask(&cmd("INFO")).await.map_err(|error| self.fault(&error))?;
        let info = text.lines().filter_map(|line| line.trim_end().split_once(':'));
        Ok(info.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    async fn scan(&mut self, cursor: u64, prefix: &str) -> Result<(u64, Vec<Vec<u8>>), RedisError> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{}*", literal(prefix))).arg("COUNT").arg(SCAN);
        self.ask(&scan).await
    }

    async fn count(&mut self, prefix: &str) -> Result<u64, RedisError> {
        let (mut cursor, mut count) = (0, 0);
        loop {
            let (next, keys) = self.scan(cursor, prefix).await?;
            count += u64::try_from(keys.len()).unwrap_or(u64::MAX);
            cursor = next;
            if cursor == 0 {
                return Ok(count);
            }
        }
    }

    async fn clear(&mut self, prefix: &str, sent: &Sent) -> Result<Cleared, Fault> {
        let (mut cursor, mut gone) = (0, 0);
        loop {
            let (next, keys) = self.scan(cursor, prefix).await.map_err(|error| self.fault(&error))?;
            // A pattern is the server's business; what is removed is ours.
            let keys: Vec<Vec<u8>> = keys.into_iter().filter(|key| key.starts_with(prefix.as_bytes())).collect();
            if !keys.is_empty() {
                sent.mark();
                match self.ask::<u64>(cmd("UNLINK").arg(&keys)).await {
                    Ok(more) => gone += more,
                    Err(error) if refused(&error) => return Ok(Cleared::Refused(gone, self.fault(&error))),
                    Err(error) => return Err(self.fault(&error)),
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(Cleared::Keys(gone));
            }
        }
    }
}

/// A text as a pattern that only matches itself.
fn literal(text: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '^' | '\\');
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// The server answered, and said no.
fn refused(error: &RedisError) -> bool {
    !error.is_connection_dropped() && !error.is_io_error() && error.code().is_some()
}

fn fault(place: &Clean, error: &RedisError) -> Fault {
    if !refused(error) {
        let broken = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        return sentence(place, &broken);
    }
    let (code, said) = (error.code().unwrap_or_default(), Clean::text(error.detail().unwrap_or_default()));
    match code {
        "NOAUTH" => Fault::new(format!("{place} wants a password.")).hint("Give `password` in the profile."),
        "WRONGPASS" => Fault::new(format!("{place} refuses this login.")).hint("Mend `user`, `password`."),
        "NOPERM" => {
            Fault::new(format!("{place} does not let this user do that: {said}.")).hint("Mend its rights (ACL).")
        }
        "READONLY" => Fault::new(format!("{place} is a replica: it takes no changes.")).hint("Name its master."),
        _ => Fault::new(format!("{place} answered: {} {said}.", Clean::text(code))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_only_itself() {
        assert_eq!(literal("a*[b]?\\^:"), "a\\*\\[b\\]\\?\\\\\\^:");
    }

    #[test]
    fn an_address_without_a_login_is_taken_and_others_are_told_why_not() {
        let parse = |url: &str| {
            let server = Server::parse(url, Tls::default()).map_err(|fault| fault.what.to_string())?;
            Ok::<_, String>((server.place().to_string(), server.db(), server.is_open()))
        };
        assert_eq!(parse("redis://127.0.0.1:6390/3"), Ok(("127.0.0.1:6390".into(), 3, false)));
        assert_eq!(parse("redis://nobody.example.test"), Ok(("nobody.example.test:6379".into(), 0, true)));
        assert_eq!(parse("rediss://nobody.example.test"), Ok(("nobody.example.test:6379".into(), 0, false)));
        assert_eq!(parse("redis+unix:///run/r.sock?db=2"), Ok(("/run/r.sock".into(), 2, false)));
        assert_eq!(parse("http://x"), Err("`url` is no address of a Redis server.".into()));
        assert!(parse("redis://:hunter22@x").is_err_and(|said| said.contains("holds a login") && !said.contains("22")));
    }
}
