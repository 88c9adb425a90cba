//! `redis`: state, queues and streams of a Redis server (or what speaks like one), over one connection.
//! ```toml
//! [samplers.redis]
//! kind     = "redis"
//! url      = "redis://127.0.0.1:6379/0"          # or redis+unix:///run/redis/redis.sock
//! user     = "watch"                             # an ACL user
//! password = { env = "REDIS_PASSWORD" }
//! lists    = ["jobs"]                            # redis_key_size: elements
//! streams  = ["events"]                          # redis_stream_*: length; per group pending, lag, consumers, ages
//! patterns = ["cache:*"]                         # redis_keys_count: counted with SCAN, 5,000 keys a sample for all together
//! ```
//! Names as redis_exporter gives them, from INFO: clients, memory and disk sizes (bytes), counters, replication (s);
//! redis_up is 0 when the server is silent or refuses.

use crate::base::{Body, Clean, Clock, Failure, Fault, Mono, Now, Observation, Point};
use crate::samplers::logins::Logins;
use crate::samplers::redis::keys::{Keys, tell};
use crate::samplers::redis::link::{Link, refusal, refused};
use crate::samplers::redis::text::Info;
use crate::samplers::resolve::Names;
use crate::samplers::wire::{self, Address, Allowance};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::clock::RealClock;
use crate::sys::secret::{Given, Secret};
use core::time::Duration;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, Value, cmd,
};
use serde::Deserialize;

/// Names in one list of the profile.
const KEYS: usize = 100;
/// 1 when the server answered.
const UP: &str = "redis_up";

/// The kind.
pub struct Redis;

impl Kind for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn about(&self) -> &'static str {
        "a Redis server: queues, streams, memory, replication"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(RedisSampler::new(body)?))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["redis_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    user: Option<String>,
    #[serde(default)]
    lists: Vec<String>,
    #[serde(default)]
    streams: Vec<String>,
    #[serde(default)]
    patterns: Vec<String>,
}

struct RedisSampler {
    address: Address,
    place: Clean,
    db: i64,
    user: Option<String>,
    /// By its own key: then sentences may name it, as no part of a URL.
    named: bool,
    password: Option<Given>,
    keys: Keys,
    names: Names,
    logins: Logins,
    allowance: Allowance,
    /// Taken out for the time of an attempt: one that is cut off closes it, so that no late answer is mistaken.
    link: Option<Link>,
    /// What the last server called itself, and the one before.
    run_id: Option<Clean>,
    run_id_before: Option<Clean>,
}

impl RedisSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let mut rest = body.clone();
        let password = Given::take(&mut rest, "password")?;
        let config: Config = rest.read()?;
        let wrong = |what: &str| {
            let hint = "For example redis://127.0.0.1:6379/0 or redis+unix:///run/redis/redis.sock.";
            body.fault_at("url", what).hint(hint)
        };
        if config.url.starts_with("rediss:") {
            return Err(wrong("`url` asks for TLS, which this kind does not speak."));
        }
        // The crate's own words would quote the URL.
        let info = config.url.as_str().into_connection_info();
        let info: ConnectionInfo = info.map_err(|_| wrong("`url` is no address of a Redis server."))?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Address::Host(host.clone(), *port),
            ConnectionAddr::Unix(path) => Address::Path(path.clone()),
            _ => return Err(wrong("`url` is no address of a Redis server.")),
        };
        let settings = info.redis_settings();
        let in_url = settings.password().map(|word| Secret::new(word.to_owned()));
        for (key, names) in [("lists", &config.lists), ("streams", &config.streams), ("patterns", &config.patterns)] {
            if names.len() > KEYS || names.iter().any(String::is_empty) {
                return Err(body.fault_at(key, format!("`{key}` takes up to {KEYS} names, none of them empty.")));
            }
        }
        Ok(Self {
            place: address.place(),
            address,
            db: settings.db(),
            named: config.user.is_some(),
            user: config.user.or_else(|| settings.username().map(str::to_owned)),
            password: password.or(in_url.map(|word| Given::Text(word.reveal().to_owned()))),
            keys: Keys::new(settings.db(), config.lists, config.streams, config.patterns),
            names: Names::new(),
            logins: Logins::new(),
            allowance: Allowance::default(),
            link: None,
            run_id: None,
            run_id_before: None,
        })
    }
}

impl Sampler for RedisSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move { self.attempt(now.mono).await.map_err(|failure| failure.with(self.unheard())) })
    }

    fn unheard(&self) -> Vec<Point> {
        vec![Point::gauge(UP, &[], 0.0)]
    }
}

impl RedisSampler {
    async fn attempt(&mut self, now: Mono) -> Result<Observation, Failure> {
        self.allowance.renew();
        let kept = self.link.take();
        let fresh = kept.is_none();
        let mut link = match kept {
            Some(link) => link,
            None => self.connect(now).await?,
        };
        let mut seen = self.look(&mut link).await;
        if let Err(error) = &seen
            && !fresh
            && !self.allowance.is_spent()
            && (error.is_connection_dropped() || error.is_io_error())
        {
            // The server may have closed the waiting connection long ago; only a new one tells.
            link = self.connect(now).await?;
            seen = self.look(&mut link).await;
        }
        let seen = seen.map_err(|error| self.failure(&error))?;
        self.allowance.forget();
        self.link = Some(link);
        Ok(seen)
    }

    async fn connect(&mut self, now: Mono) -> Result<Link, Failure> {
        let wire = wire::connect(&self.address, &self.names, &self.allowance).await?;
        let plain = RedisConnectionInfo::default().set_skip_set_lib_name();
        // The deadline of the attempt is the limit of each answer.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connected = MultiplexedConnection::new_with_config(&plain, wire, config).await;
        let (connection, driver) = connected.map_err(|error| self.failure(&error))?;
        let mut link = Link { connection, driver: tokio::spawn(driver) };
        if let Some(given) = &self.password {
            let word = self.logins.secret(now, self.place.as_str(), given).await?;
            let mut login = cmd("AUTH");
            if let Some(user) = &self.user {
                login.arg(user);
            }
            login.arg(word.reveal());
            link.ask::<Value>(&login).await.map_err(|error| self.failure(&error))?;
        }
        if self.db != 0 {
            link.ask::<Value>(cmd("SELECT").arg(self.db)).await.map_err(|error| self.failure(&error))?;
        }
        // So that its owner can tell who asks; an old or strict server may refuse.
        match link.ask::<Value>(cmd("CLIENT").arg("SETNAME").arg("watchkeeper")).await {
            Err(error) if !refused(&error) => return Err(self.failure(&error)),
            _ => {}
        }
        Ok(link)
    }

    async fn look(&mut self, link: &mut Link) -> Result<Observation, RedisError> {
        let begun = RealClock.now().mono;
        let text: String = link.ask(&cmd("INFO")).await?;
        let took = RealClock.now().mono.since(begun);
        let info = Info::parse(&text);
        let mut seen = Observation::default();
        seen.points.push(Point::gauge(UP, &[], 1.0));
        seen.points.push(Point::gauge("redis_answer_seconds", &[], took.as_secs_f64()));
        info.tell(&mut seen);
        self.note_run(info.text("run_id"), &mut seen);
        let slow = link.ask::<f64>(cmd("SLOWLOG").arg("LEN")).await;
        tell(&mut seen, "redis_slowlog_length", &[], slow)?;
        self.keys.look(link, &mut seen, info.clock()).await?;
        Ok(seen)
    }

    /// A new run of the server is told for as long as we run: its counters began again.
    fn note_run(&mut self, run_id: Option<&str>, seen: &mut Observation) {
        let Some(run_id) = run_id.map(Clean::text) else { return };
        let before = self.run_id.replace(run_id.clone()).filter(|before| *before != run_id);
        self.run_id_before = before.or(self.run_id_before.take());
        seen.facts.extend(self.run_id_before.clone().map(|before| (Clean::from("run_id before its restart"), before)));
    }

    fn failure(&self, error: &RedisError) -> Failure {
        let place = &self.place;
        let user = self.user.as_deref().filter(|_| self.named);
        if self.allowance.is_spent() {
            return wire::too_much(place);
        }
        if refused(error) {
            return refusal(place, user, error.code().unwrap_or(""), error.detail().unwrap_or(""));
        }
        // Redis says why it takes nobody before it is asked, and the crate does not pass that on.
        let first = self.allowance.first_words();
        let line = first.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        match line.split_first() {
            Some((b'-', said)) => {
                let said = String::from_utf8_lossy(said);
                let (code, detail) = said.split_once(' ').unwrap_or((&said, ""));
                refusal(place, user, code, detail)
            }
            Some((kind, _)) if !b"+:$*".contains(kind) || error.kind() == ErrorKind::Parse => {
                Failure::answered(format!("{place} does not speak Redis' protocol. Is it the right port?"))
            }
            _ => wire::closed(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(config: &str) -> Option<String> {
        let body = Body::parse("p.toml", config).expect("parses");
        RedisSampler::new(&body).err().map(|fault| fault.to_string())
    }

    #[test]
    fn a_bad_table_is_placed_and_never_quotes_the_url() {
        let hint = "For example redis://127.0.0.1:6379/0 or redis+unix:///run/redis/redis.sock.";
        for (config, said) in [
            ("url = 'http://:hunter22@x/'", format!("p.toml:1:7: `url` is no address of a Redis server. {hint}")),
            ("url = 'rediss://x/'", format!("p.toml:1:7: `url` asks for TLS, which this kind does not speak. {hint}")),
            (
                "url = 'redis://x'\nlists = ['']",
                "p.toml:2:9: `lists` takes up to 100 names, none of them empty.".to_owned(),
            ),
            ("url = 'redis://x'\nlist = 'a'", "p.toml:2:1: unknown key `list`. Did you mean `lists`?".to_owned()),
        ] {
            assert_eq!(fault(config).as_deref(), Some(&*said), "{config}");
        }
        let good = Body::parse("p.toml", "url = 'redis+unix:///run/r.sock?db=3'").expect("parses");
        let sampler = RedisSampler::new(&good).expect("valid");
        assert_eq!((sampler.place.as_str(), sampler.db), ("/run/r.sock", 3));
    }
}
