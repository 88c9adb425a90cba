//! What the kinds that talk with a PostgreSQL server share: how to get there, which server it is, and what a step's end
//! means.

use super::back;
use super::kinds::StepError;
use super::plan::{Plan, Precondition, Target};
use super::remote::{self, LOOK, kept, secret};
use crate::base::{Body, Clean, Fault};
use crate::sys::net::postgres::{Database, Refused, Row};
use crate::sys::net::talk::Lost;
use crate::sys::net::tls::Tls;
use crate::sys::secret::Secret;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The keys that [`Server::take`] takes.
pub const KEYS: &[&str] = &["url", "password", "ca", "server_name"];
/// Which server it is.
const WHICH: &str = "SELECT (SELECT system_identifier FROM pg_control_system()) AS system, \
    pg_is_in_recovery()::int AS in_recovery, current_database() AS database, \
    current_setting('server_version') AS version";

/// How to get to a server; a plan holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    url: String,
    password: Option<PathBuf>,
    tls: Tls,
}

/// Which server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Which {
    /// The cluster's own number, equal on its standbys.
    pub system: String,
    /// True on a standby.
    pub in_recovery: bool,
    /// The name of the database.
    pub database: String,
    /// Such as `15.7`.
    pub version: String,
}

impl Server {
    /// Takes its keys out of a table.
    ///
    /// # Errors
    /// No address, or a secret in the open.
    pub fn take(body: &mut Body) -> Result<Self, Fault> {
        let table = body.clone();
        let server = Self { url: body.need("url")?, password: kept(body, "password")?, tls: remote::tls(body)? };
        server.database().map_err(|fault| table.fault_at("url", fault.to_string()))?;
        Ok(server)
    }

    /// Its keys again, for the table of another plan.
    pub fn table(&self) -> back::Table {
        let password = self.password.as_ref().map(|path| serde_json::json!({ "file": path }));
        let [ca, name] = [back::value(&self.tls.ca), back::value(&self.tls.server_name)];
        let set = |value: Option<serde_json::Value>| value.filter(|value| !value.is_null());
        back::table([
            ("url", Some(self.url.clone().into())),
            ("password", password),
            ("ca", set(ca)),
            ("server_name", set(name)),
        ])
    }

    /// Where it is.
    ///
    /// # Errors
    /// No address.
    pub fn database(&self) -> Result<Database, Fault> {
        Database::parse(&self.url, self.tls.clone())
    }

    /// Its password, read now.
    ///
    /// # Errors
    /// A file that others may read, or that cannot be read.
    pub fn secret(&self) -> Result<Option<Secret>, Fault> {
        self.password.as_deref().map(secret).transpose()
    }

    /// Looks, read-only.
    ///
    /// # Errors
    /// As [`Database::look`].
    pub fn look(&self, sql: &str) -> Result<Vec<Row>, Fault> {
        self.database()?.look(self.secret()?.as_ref(), sql, LOOK)
    }

    /// The same where the session's settings are looked at, so with none of ours.
    ///
    /// # Errors
    /// As [`Database::look`].
    pub fn look_as_it_is(&self, sql: &str) -> Result<Vec<Row>, Fault> {
        self.database()?.look_as_it_is(self.secret()?.as_ref(), sql, LOOK)
    }

    /// Carries out one statement.
    ///
    /// # Errors
    /// As [`Database::act`].
    pub fn act(&self, before: &str, sql: &str, limit: Duration) -> Result<Result<Vec<Row>, Refused>, Lost> {
        let (database, secret) = (self.database().map_err(Lost::Before)?, self.secret().map_err(Lost::Before)?);
        database.act(secret.as_ref(), before, sql, limit)
    }

    /// The same where a refusal proves that nothing was done.
    ///
    /// # Errors
    /// Whether it certainly did not take place, or may have.
    pub fn step(&self, sql: &str, limit: Duration) -> Result<Vec<Row>, StepError> {
        let done = self.act("SET search_path = pg_catalog", sql, limit).map_err(remote::lost)?;
        done.map_err(|refused| StepError::Failed(refused.fault))
    }

    /// Which server it is.
    ///
    /// # Errors
    /// As [`Database::look`].
    pub fn which(&self) -> Result<Which, Fault> {
        let row = self.look(WHICH)?.into_iter().next().unwrap_or_default();
        let cell = |name: &str| row.get(name).cloned().unwrap_or_default();
        let in_recovery = cell("in_recovery") == "1";
        Ok(Which { system: cell("system"), in_recovery, database: cell("database"), version: cell("version") })
    }

    /// Why the danger is raised, for every kind.
    ///
    /// # Errors
    /// No address.
    pub fn raise(&self) -> Result<Vec<Clean>, Fault> {
        let open = self.database()?.is_open() && self.password.is_some();
        Ok(open.then(|| Clean::from("its password goes over the network unencrypted")).into_iter().collect())
    }
}

impl Which {
    /// As a target: `what` of this cluster, with what else identifies it.
    pub fn target(&self, what: &str, mut identity: BTreeMap<String, String>) -> Target {
        identity.insert("system".to_owned(), self.system.clone());
        identity.insert("in_recovery".to_owned(), self.in_recovery.to_string());
        Target::Server { name: format!("postgres:{}:{what}", self.system), identity }
    }

    /// In words.
    pub fn row(&self) -> Precondition {
        let role = if self.in_recovery { "standby" } else { "primary" };
        row("server", crate::clean!("{role} {}, system {}, database {}", self.version, self.system, self.database))
    }
}

/// What differs between the identity in the plan and this one.
pub fn differences(plan: &Plan, now: &Target) -> Vec<Clean> {
    let identity = |target: &Target| match target {
        Target::Server { identity, .. } => identity.clone(),
        _ => BTreeMap::new(),
    };
    let (was, is) = (plan.targets.first().map(identity).unwrap_or_default(), identity(now));
    let names: std::collections::BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let say = |value: Option<&String>| remote::said(value.map_or("nothing", String::as_str));
    let differs = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
    differs.map(|name| crate::clean!("{name} was {} and is {}", say(was.get(name)), say(is.get(name)))).collect()
}

/// A line of BASED ON.
pub fn row(label: &str, value: Clean) -> Precondition {
    Precondition { label: Clean::text(label), value, age: Duration::ZERO, metric: None }
}

/// A column of a row; empty where it is null.
pub fn cell<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}
