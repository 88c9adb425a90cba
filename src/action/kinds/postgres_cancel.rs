//! `postgres_cancel`: stops what one session of a PostgreSQL server is at: of those that fit the one that has been at it
//! longest, and only while it is at the same statement as when it was shown.
//!
//! ```toml
//! [actions.stop-report]
//! kind     = "postgres_cancel"
//! url      = "postgres://ops@127.0.0.1/app"              # or postgres:///app?host=/run/postgresql; sslmode=disable
//! password = { file = "/etc/watchkeeper/postgres" }      # a file of mode 0600
//! user     = "reports"                                   # whose; each of these four narrows the choice
//! application = "nightly"
//! query    = "^SELECT .* FROM orders"                    # a regular expression of PostgreSQL over the statement
//! blocking = true                                        # only a session that others wait for
//! older_than = "5m"                                      # at it for at least so long; "1m" when absent
//! terminate = true                                       # ends the whole session, also an idle transaction; one heavier
//! ca       = "/etc/ssl/postgres-ca.pem"                  # of another host, instead of the system's authorities
//! server_name = "db.internal"                            # the name in the certificate, where `url` has an address
//! ```
//! The login's rights want `pg_monitor` and `pg_signal_backend`.

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::postgres::{self, Server, cell, row};
use crate::action::prepare::{COMMON, Context, duration};
use crate::action::remote::{LOOK, said};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::files::sha256;
use crate::sys::net::postgres::{Row, literal};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const KEYS: &[&str] = &["user", "application", "query", "blocking", "older_than", "terminate"];
/// At it for so long, when the profile does not say.
const OLD: Duration = Duration::from_secs(60);
/// What is told of a session. Since when it is at it: its statement, or its transaction where it is idle in one.
const SESSION: &str = "SELECT pid, backend_start, coalesce(CASE WHEN state = 'active' THEN query_start ELSE xact_start END, \
    query_start) AS since, state, usename, application_name, datname, query, \
    (SELECT count(*) FROM pg_stat_activity AS waits WHERE a.pid = ANY (pg_blocking_pids(waits.pid))) AS waiting, \
    round(extract(epoch FROM now() - coalesce(CASE WHEN state = 'active' THEN query_start ELSE xact_start END, \
    query_start))) AS seconds, coalesce((pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')) \
    AND (SELECT rolsuper FROM pg_roles WHERE oid = usesysid) <= (SELECT rolsuper FROM pg_roles WHERE rolname = \
    current_user), false)::int AS may FROM pg_stat_activity AS a \
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// The kind.
#[derive(Debug)]
pub struct PostgresCancel;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    server: Server,
    terminate: bool,
    pid: u32,
    backend_start: String,
    since: String,
}

impl Kind for PostgresCancel {
    fn name(&self) -> &'static str {
        "postgres_cancel"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "stops the statement of one session of a PostgreSQL server, or ends the session"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn asks(&self) -> Option<&'static str> {
        Some("PostgreSQL")
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let server = Server::take(body)?;
        let terminate = body.take("terminate")?.unwrap_or(false);
        let chosen = choice(body, terminate)?;
        cx.done(body, &[COMMON, KEYS, postgres::KEYS].concat())?;
        let (which, fitting) = (server.which()?, server.look(&chosen)?);
        let Some(session) = fitting.first() else {
            return Err(Fault::new("no session fits: there is nothing to stop."));
        };
        if cell(session, "query") == "<insufficient privilege>" {
            return Err(Fault::new("this login may not see what that session is at.").hint("GRANT pg_monitor to it."));
        }
        if cell(session, "may") != "1" {
            let whose = said(cell(session, "usename"));
            let fault = Fault::new(format!("this login may not stop a session of {whose}."));
            return Err(fault.hint("GRANT pg_signal_backend to it; a superuser's session only another one stops."));
        }
        let (pid, since) = (cell(session, "pid"), cell(session, "seconds"));
        let function = if terminate { "pg_terminate_backend" } else { "pg_cancel_backend" };
        let mut raise = server.raise()?;
        if terminate {
            raise.push(Clean::from("the whole session is ended, not only its statement"));
        }
        let waiting = cell(session, "waiting");
        let work = Work {
            pid: pid.parse().map_err(|_| Fault::new("the server's answer names no process."))?,
            backend_start: cell(session, "backend_start").to_owned(),
            since: cell(session, "since").to_owned(),
            server,
            terminate,
        };
        let who = ["usename", "application_name", "datname"].map(|name| cell(session, name));
        Ok(Draft {
            lines: vec![crate::clean!("SELECT {function}({pid})"), crate::clean!("  {}", said(cell(session, "query")))],
            target: format!("{}/{pid}", which.database),
            hits: vec![crate::clean!("1 of {} sessions that fit; {waiting} wait for it", fitting.len())],
            undo: Undo::Irreversible,
            based_on: vec![
                row("session", crate::clean!("{pid} of {} ({}) in {}", who[0], who[1], who[2])),
                row("at it", crate::clean!("{since} s, {}", cell(session, "state"))),
                which.row(),
            ],
            targets: vec![which.target(&format!("backend {pid}"), identity(session))],
            work: to_work(&work)?,
            raise,
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let which = work.server.which()?;
        let Some(session) = work.session()? else {
            return Ok(vec![crate::clean!("the session {} has ended", work.pid)]);
        };
        Ok(postgres::differences(plan, &which.target("", identity(&session))))
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["stop"]
    }

    fn step(&self, _: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let function = if work.terminate { "pg_terminate_backend" } else { "pg_cancel_backend" };
        // In one statement with the look, so that it is not another one's turn in between.
        let sql = format!(
            "SELECT {function}(pid) AS told FROM ({SESSION}) AS sessions WHERE pid = {} AND backend_start = {} \
             AND since = {}",
            work.pid,
            literal(&work.backend_start),
            literal(&work.since)
        );
        let rows = work.server.step(&sql, LOOK)?;
        match rows.first().map(|row| cell(row, "told")) {
            Some("t") => Ok(crate::clean!("session {} was told to stop", work.pid)),
            Some(_) => Err(StepError::Failed(Fault::new("the server could not tell the session to stop."))),
            None => Err(StepError::Failed(Fault::new("the session is not at that statement any more."))),
        }
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        Some(match work.stopped() {
            Ok((true, said)) => Proof::Holds(String::new(), said),
            Ok((false, said)) => Proof::NotYet(said),
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn lasts(&self) -> bool {
        false
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        Ok(match work.stopped()? {
            (true, said) => Settled::Done(said),
            (false, said) => Settled::NotDone(said),
        })
    }
}

impl Work {
    fn session(&self) -> Result<Option<Row>, Fault> {
        let by = format!("{SESSION} AND pid = {} AND backend_start = {}", self.pid, literal(&self.backend_start));
        self.server.look(&by).map(|rows| rows.into_iter().next())
    }

    /// Whether it is at that statement no more (its session is gone, where it is to be ended).
    fn stopped(&self) -> Result<(bool, Clean), Fault> {
        let Some(session) = self.session()? else {
            return Ok((true, crate::clean!("the session {} has ended", self.pid)));
        };
        let state = cell(&session, "state");
        let same = cell(&session, "since") == self.since && !(state == "idle" || state.ends_with("(aborted)"));
        let said = crate::clean!("the session {} is {state}", self.pid);
        Ok((!self.terminate && !same, if same { crate::clean!("{said}, and at the same") } else { said }))
    }
}

/// The session and what it is at.
fn identity(session: &Row) -> BTreeMap<String, String> {
    let fields = ["pid", "backend_start", "since", "usename", "datname"];
    let mut identity: BTreeMap<String, String> =
        fields.iter().map(|name| ((*name).to_owned(), cell(session, name).to_owned())).collect();
    identity.insert("statement (SHA-256)".to_owned(), sha256(cell(session, "query").as_bytes()));
    identity
}

/// The sessions that a table means, the longest first.
fn choice(body: &mut Body, terminate: bool) -> Result<String, Fault> {
    let table = body.clone();
    let older: Option<String> = body.take("older_than")?;
    let older = older.map_or(Ok(OLD), |text| duration(&text, &table))?;
    let mut sql = format!("SELECT * FROM ({SESSION}) AS sessions WHERE seconds >= {}", older.as_secs());
    for (key, column, operator) in
        [("user", "usename", "="), ("application", "application_name", "="), ("query", "query", "~")]
    {
        let Some(text) = body.take::<String>(key)? else { continue };
        if text.is_empty() || text.chars().any(char::is_control) || text.len() > 512 {
            return Err(table.fault_at(key, format!("`{key}` is one line of up to 512 bytes.")));
        }
        sql = format!("{sql} AND {column} {operator} {}", literal(&text));
    }
    if body.take("blocking")?.unwrap_or(false) {
        sql.push_str(" AND waiting > 0");
    }
    // An idle session has no statement that could be stopped.
    sql.push_str(if terminate { " AND state <> 'idle'" } else { " AND state = 'active'" });
    sql.push_str(" ORDER BY seconds DESC, pid");
    Ok(sql)
}
