//! `redis_clear`: removes the keys of one key space of a Redis server: those that begin with a text. Never a whole
//! database. What was cached is fetched again from where it comes from: expect load there. There is no way back.
//!
//! ```toml
//! [actions.clear-cache]
//! kind     = "redis_clear"
//! url      = "redis://127.0.0.1:6379/0"                 # rediss:// with TLS; redis+unix:///run/redis/redis.sock?db=1
//! prefix   = "cache:"                                   # what the keys begin with; no pattern, at least 2 letters
//! most     = 100000                                     # with more such keys it is refused; the default
//! user     = "operator"                                 # an ACL user; its rights want +info +scan +unlink
//! password = { file = "/etc/watchkeeper/redis" }        # a file of mode 0600
//! timeout  = "60s"
//! ca       = "/etc/redis/ca.pem"                        # with rediss://, instead of the system's authorities
//! server_name = "cache.internal"                        # the name in the certificate, where `url` has an address
//! ```
//! That the hit rate recovers is for `verify` to see, with the series of a `redis` sampler.

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::{Doing, PATIENCE};
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context, duration};
use crate::action::remote::{self, LOOK, kept, secret};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::aside::slow;
use crate::sys::net::redis::{Cleared, Login, Seen, Server};
use crate::sys::net::tls::Tls;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

const KEYS: &[&str] = &["url", "prefix", "most", "user", "password", "timeout"];
/// More keys are not removed when the profile does not say.
const MOST: u64 = 100_000;
/// A cache goes on while it is planned: so many percent more keys, and ten, are still the same.
const MORE: u64 = 25;

/// The kind.
#[derive(Debug)]
pub struct RedisClear;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    url: String,
    tls: Tls,
    user: Option<String>,
    password: Option<PathBuf>,
    prefix: String,
    most: u64,
    /// Keys when it was planned; nothing where nobody counted.
    keys: Option<u64>,
    patience: Duration,
}

impl Kind for RedisClear {
    fn name(&self) -> &'static str {
        "redis_clear"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "removes the keys of one key space of a Redis server"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn asks(&self) -> Option<&'static str> {
        Some("Redis")
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let mut work = Work::take(body, cx)?;
        let server = work.server()?;
        // To count the keys is to look through all of them: not for a list of actions.
        let greeted = server.greet(&work.login()?, &work.prefix, LOOK)?;
        let seen = if cx.previews() { work.look()? } else { greeted };
        work.keys = seen.keys;
        work.fits(&seen)?;
        let count = work.keys.map_or_else(|| "the".to_owned(), |keys| keys.to_string());
        let (prefix, db, place) = (&work.prefix, server.db(), server.place());
        let raise = (server.is_open() && work.password.is_some())
            .then(|| Clean::from("its password goes over the network unencrypted"));
        Ok(Draft {
            lines: vec![crate::clean!(
                "SCAN and UNLINK of {count} keys that begin with {prefix:?} in db{db} of {place}"
            )],
            target: format!("{place}/db{db}/{prefix}"),
            hits: vec![crate::clean!("{count} keys; whoever reads them next asks where they come from")],
            undo: Undo::Irreversible,
            based_on: based_on(&work, &seen),
            targets: vec![Target::Server { name: work.lock(&seen, db), identity: identity(&seen) }],
            work: to_work(&work)?,
            raise: raise.into_iter().collect(),
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let seen = work.look()?;
        let planned = plan.targets.iter().find_map(|target| match target {
            Target::Server { identity, .. } => Some(identity),
            _ => None,
        });
        let now = identity(&seen);
        let mut differences: Vec<Clean> = planned
            .into_iter()
            .flatten()
            .filter_map(|(name, was)| {
                let is = now.get(name).map_or("", String::as_str);
                (is != was).then(|| crate::clean!("{name} was {was} and is {is}"))
            })
            .collect();
        let (was, is) = (work.keys.unwrap_or(0), seen.keys.unwrap_or(0));
        if is == 0 || is > was + was * MORE / 100 + 10 {
            differences.push(crate::clean!("keys that begin with {:?} were {was} and are {is}", work.prefix));
        }
        Ok(differences)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["clear"]
    }

    fn step(&self, _: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let server = work.server().map_err(StepError::Failed)?;
        let login = work.login().map_err(StepError::Failed)?;
        match server.clear(&login, &work.prefix, work.patience).map_err(remote::lost)? {
            Cleared::Keys(gone) => Ok(crate::clean!("{gone} keys removed")),
            Cleared::Refused(0, fault) => Err(StepError::Failed(fault)),
            Cleared::Refused(gone, fault) => {
                Err(StepError::Unknown(fault.hint(format!("{gone} keys were removed before it."))))
            }
        }
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        let before = work.keys.unwrap_or(0);
        Some(match slow(LOOK, || work.look()).map(|seen| seen.keys.unwrap_or(0)) {
            Ok(now) if now < before => Proof::Holds(String::new(), crate::clean!("{before} keys before, {now} now")),
            Ok(now) => {
                Proof::NotYet(crate::clean!("{before} keys before, {now} now: they come back as fast as they go"))
            }
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn lasts(&self) -> bool {
        false
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let (before, now) = (work.keys.unwrap_or(0), slow(LOOK, || work.look())?.keys.unwrap_or(0));
        let said = crate::clean!("{before} keys began with {:?} before, {now} do now", work.prefix);
        Ok(if now == 0 {
            Settled::Done(said)
        } else if now >= before {
            Settled::NotDone(said)
        } else {
            Settled::Other(said)
        })
    }
}

impl Work {
    fn take(body: &mut Body, cx: &Context<'_>) -> Result<Self, Fault> {
        let table = body.clone();
        let timeout: Option<String> = body.take("timeout")?;
        let work = Self {
            url: body.need("url")?,
            prefix: body.need("prefix")?,
            most: body.take("most")?.unwrap_or(MOST),
            user: body.take("user")?,
            password: kept(body, "password")?,
            tls: remote::tls(body)?,
            keys: None,
            patience: timeout.map_or(Ok(PATIENCE), |text| duration(&text, &table))?,
        };
        body.done(&[COMMON, KEYS, remote::TLS].concat())?;
        let plain = work.prefix.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || !(2..=128).contains(&work.prefix.len()) || work.prefix.contains(['*', '?']) {
            return Err(table
                .fault_at("prefix", "`prefix` is what keys begin with: 2 to 128 plain characters, no pattern.")
                .hint("A whole database is never cleared from here."));
        }
        work.server().map_err(|fault| table.fault_at("url", fault.to_string()))?;
        cx.read()?;
        Ok(work)
    }

    fn server(&self) -> Result<Server, Fault> {
        Server::parse(&self.url, self.tls.clone())
    }

    fn login(&self) -> Result<Login, Fault> {
        let password = self.password.as_deref().map(secret).transpose()?;
        Ok(Login { user: self.user.clone(), password })
    }

    fn look(&self) -> Result<Seen, Fault> {
        self.server()?.look(&self.login()?, Some(&self.prefix), LOOK)
    }

    /// Every reason not to offer it.
    fn fits(&self, seen: &Seen) -> Result<(), Fault> {
        let field = |name: &str| seen.info.get(name).map_or("", String::as_str);
        if field("role") != "master" {
            return Err(Fault::new("this server is a replica: it takes no changes.").hint("Name its master in `url`."));
        }
        if field("cluster_enabled") == "1" {
            return Err(Fault::new("this server is one of a cluster: it has only a part of the keys."));
        }
        match self.keys {
            Some(0) => Err(Fault::new(format!("nothing would change: no key begins with {:?}.", self.prefix))),
            Some(keys) if keys > self.most => {
                let what =
                    format!("{keys} keys begin with {:?}, and at most {} may go at once.", self.prefix, self.most);
                Err(Fault::new(what).hint("Choose a narrower `prefix`, or raise `most`."))
            }
            _ => Ok(()),
        }
    }

    /// Whoever means the same keys, by whatever address, means the same run of the server.
    fn lock(&self, seen: &Seen, db: i64) -> String {
        let run = seen.info.get("run_id").map_or("", String::as_str);
        format!("redis:{run}:db{db}:{}", self.prefix)
    }
}

/// Which server it is; another one, or another role, is not what was agreed to.
fn identity(seen: &Seen) -> BTreeMap<String, String> {
    let fields = ["run_id", "role"];
    fields.iter().filter_map(|name| Some(((*name).to_owned(), seen.info.get(*name)?.clone()))).collect()
}

fn based_on(work: &Work, seen: &Seen) -> Vec<Precondition> {
    let row = |label: &str, value: Clean| Precondition {
        label: Clean::text(label),
        value,
        age: Duration::ZERO,
        metric: None,
    };
    let number = |name: &str| seen.info.get(name)?.parse::<u64>().ok();
    let mut rows: Vec<Precondition> = work.keys.map(|keys| row("keys", crate::clean!("{keys}"))).into_iter().collect();
    if let (Some(hits), Some(misses)) = (number("keyspace_hits"), number("keyspace_misses")) {
        let all = hits.saturating_add(misses);
        let rate = hits.saturating_mul(100).checked_div(all);
        let rate = rate.map_or_else(
            || Clean::from("nobody has read yet"),
            |rate| crate::clean!("{rate} % of {all} reads since the server began"),
        );
        rows.push(row("hit rate", rate));
    }
    let version = seen.info.get("redis_version").map_or("", String::as_str);
    rows.push(row("server", crate::clean!("{} {version}", seen.info.get("role").map_or("", String::as_str))));
    rows
}
