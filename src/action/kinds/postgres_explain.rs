//! `postgres_explain`: how a PostgreSQL server would go about one statement, or, where declared, how it went about it. In
//! a transaction that can change nothing, and that is rolled back. The answer is kept with the run.
//!
//! ```toml
//! [actions.explain-orders]
//! kind     = "postgres_explain"
//! url      = "postgres://watch@127.0.0.1/app"            # or postgres:///app?host=/run/postgresql; sslmode=disable
//! password = { file = "/etc/watchkeeper/postgres" }      # a file of mode 0600
//! query    = "SELECT * FROM orders WHERE symbol = {symbol}"   # one statement; {name} of `params`, as a quoted text
//! params   = { symbol = { matches = "[A-Z]{1,10}", value = "BTC" } }
//! # or statement = "{id}": the statement of this `queryid` in pg_stat_statements, as it was seen, its values left open; never
//! # carried out. params = { id = { int = [-9223372036854775808, 9223372036854775807], value = 0, ask = true,
//! #   offer = { query = "pg_stat_statements_mean_seconds", label = "queryid" } } }
//! analyze  = true                                        # carries it out to measure it: SELECT only, one heavier
//! timeout  = "5s"                                        # then the server stops it
//! ca       = "/etc/ssl/postgres-ca.pem"                  # of another host, instead of the system's authorities
//! server_name = "db.internal"                            # the name in the certificate, where `url` has an address
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::params::{Params, is_name};
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::postgres::{self, Server};
use crate::action::prepare::{COMMON, Context, duration};
use crate::action::remote::LOOK;
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::net::postgres::{Row, literal};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const KEYS: &[&str] = &["query", "statement", "params", "analyze", "timeout"];
/// For the server, when the profile does not say.
const PATIENCE: Duration = Duration::from_secs(5);
/// A statement is shown whole, so it is not longer, in bytes.
const LONGEST: usize = 4 << 10;
/// Lines of the answer among the steps; all of it is in the run's output.
const SHOWN: usize = 12;

/// The kind.
#[derive(Debug)]
pub struct PostgresExplain;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    server: Server,
    sql: String,
    patience: Duration,
    /// `sql` is a statement whose values are open.
    #[serde(default)]
    open: bool,
}

impl Kind for PostgresExplain {
    fn name(&self) -> &'static str {
        "postgres_explain"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "asks a PostgreSQL server how it goes about one statement; changes nothing"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn asks(&self) -> Option<&'static str> {
        Some("PostgreSQL")
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let server = Server::take(body)?;
        let params = Params::take(body, cx.given)?;
        let query: Option<String> = body.take("query")?;
        let statement: Option<String> = body.take("statement")?;
        let analyze = body.take("analyze")?.unwrap_or(false);
        let timeout: Option<String> = body.take("timeout")?;
        let patience = timeout.map_or(Ok(PATIENCE), |text| duration(&text, body))?;
        body.done(&[COMMON, KEYS, postgres::KEYS].concat())?;
        let query = match (query, statement) {
            (Some(query), None) => query,
            (None, Some(id)) if !analyze => {
                let id =
                    params.whole(&id).map_err(|fault| table.fault_at("statement", fault.to_string()))?.unwrap_or(&id);
                let id: i64 = id.parse().map_err(|_| table.fault_at("statement", "a `queryid` is a whole number."))?;
                cx.read()?;
                return open((server, id, patience));
            }
            (None, Some(_)) => {
                return Err(table.fault_at("analyze", "a statement with open values is not carried out."));
            }
            _ => return Err(table.fault("one of `query` and `statement` is needed.")),
        };
        if breaks_out(&query) {
            return Err(table
                .fault_at(
                    "query",
                    "a parameter stands as a quoted text of its own: not within quotes, `$` or comments.",
                )
                .hint("Write symbol = {symbol}, without quotes around it."));
        }
        let query = params.put(query.trim(), &|value| Ok(literal(value)));
        let query = query.map_err(|fault| table.fault_at("query", fault.to_string()))?;
        can_be_explained(&query).map_err(|what| table.fault_at("query", what))?;
        if analyze && first(&query) != "SELECT" {
            return Err(table.fault_at("query", "`analyze` carries the statement out: it is for SELECT only."));
        }
        cx.read()?;
        let options = if analyze { "ANALYZE, BUFFERS" } else { "COSTS" };
        let work = Work { server, sql: format!("EXPLAIN ({options}) {query}"), patience, open: false };
        let mut draft = draft(&work, if analyze { "one statement is carried out and rolled back" } else { NOTHING })?;
        if analyze {
            let load = "the statement is carried out, with all its load and whatever its functions do";
            draft.raise.push(Clean::from(load));
        }
        Ok(draft)
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        Ok(postgres::differences(plan, &work.server.which()?.target("", BTreeMap::new())))
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["explain"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let answer = work::<Work>(plan).and_then(|work| work.ask()).map_err(StepError::Failed)?;
        doing.note(&(answer.join("\n") + "\n"));
        let shown: Vec<&str> = answer.iter().map(|line| line.trim()).take(SHOWN).collect();
        let more = if answer.len() > SHOWN { " | … (all of it is in the output)" } else { "" };
        Ok(crate::clean!("{}{more}", scrub(&shown.join(" | "))))
    }

    fn proof(&self, _: &Plan, _: &dyn Clock) -> Option<Proof> {
        // It was to change nothing, and its step has the answer.
        Some(Proof::Holds(String::new(), Clean::from("answered")))
    }

    fn settled(&self, _: &Plan) -> Result<Settled, Fault> {
        Ok(Settled::NotDone(Clean::from("nothing was to change; ask again")))
    }
}

/// What happens, where only the plan is asked for.
const NOTHING: &str = "nothing is carried out";

fn draft(work: &Work, ways: &str) -> Result<Draft, Fault> {
    let (which, raise) = (work.server.which()?, work.server.raise()?);
    Ok(Draft {
        lines: work.sql.lines().map(Clean::text).collect(),
        target: which.database.clone(),
        hits: vec![crate::clean!("{ways}; at most {} s", work.patience.as_secs())],
        undo: Undo::How(Clean::from("nothing to undo: BEGIN READ ONLY, then ROLLBACK")),
        based_on: vec![which.row()],
        targets: vec![which.target(&format!("explain {}", which.database), BTreeMap::new())],
        work: to_work(work)?,
        raise,
        settle: Duration::ZERO,
    })
}

/// A statement that was seen, as the server keeps it: with `$1` where a value stood.
fn open((server, id, patience): (Server, i64, Duration)) -> Result<Draft, Fault> {
    let schema = "SELECT quote_ident(n.nspname) AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
        WHERE e.extname = 'pg_stat_statements'";
    let cell = |rows: &[Row], name: &str| rows.first().map(|row| postgres::cell(row, name).to_owned());
    let schema = cell(&server.look(schema)?, "name").ok_or_else(|| {
        Fault::new("the extension pg_stat_statements is missing in this database.").hint("Mend it: CREATE EXTENSION.")
    })?;
    let asked = format!(
        "SELECT query FROM {schema}.pg_stat_statements WHERE queryid = {id} AND dbid = (SELECT oid FROM pg_database \
        WHERE datname = current_database()) ORDER BY calls DESC LIMIT 1"
    );
    let query = cell(&server.look(&asked)?, "query").ok_or_else(|| {
        Fault::new(format!("no statement {id} is known to pg_stat_statements in this database."))
            .hint("It keeps the most frequent ones: choose one that is seen now. Those of other logins need pg_read_all_stats.")
    })?;
    let query = query.trim().trim_end_matches(';').to_owned();
    can_be_explained(&query).map_err(Fault::new)?;
    let mut draft = draft(&Work { server, sql: query, patience, open: true }, NOTHING)?;
    draft.lines.insert(0, Clean::from("EXPLAIN (COSTS), whatever the values"));
    draft.based_on.push(postgres::row("queryid", crate::clean!("{id}")));
    Ok(draft)
}

fn first(query: &str) -> String {
    query.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

/// Why not, if it cannot.
fn can_be_explained(query: &str) -> Result<(), &'static str> {
    if query.len() > LONGEST || scrub(query) != query {
        return Err("the statement has up to 4 KiB, and holds no secret: it is shown.");
    }
    if !["SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE"].contains(&first(query).as_str()) {
        return Err("this statement cannot be explained: it begins with none of SELECT, WITH, INSERT, UPDATE, DELETE.");
    }
    Ok(())
}

/// Whether a parameter stands where its own quotes would end those around it.
fn breaks_out(query: &str) -> bool {
    let mut within = None;
    let mut named = false;
    for (at, letter) in query.char_indices() {
        match (within, letter) {
            (Some(quote), _) if quote == letter => within = None,
            (None, '\'' | '"') => within = Some(letter),
            (_, '{') => {
                let name = query.get(at + 1..).and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
                let here = name.is_some_and(is_name);
                if here && within.is_some() {
                    return true;
                }
                named |= here;
            }
            _ => {}
        }
    }
    named && (query.contains('$') || query.contains("/*") || query.contains("\\'"))
}

impl Work {
    fn ask(&self) -> Result<Vec<String>, Fault> {
        let before = format!("SET LOCAL statement_timeout = {}", self.patience.as_millis());
        let secret = self.server.secret()?;
        let (database, limit) = (self.server.database()?, self.patience + LOOK);
        if self.open {
            database.explain_open(secret.as_ref(), &before, &self.sql, limit)
        } else {
            database.ask_one(secret.as_ref(), &before, &self.sql, limit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_never_stands_where_its_quotes_would_end_others() {
        for good in
            ["SELECT {x}", "SELECT 'a', {x}", "SELECT '{1,2}'::int[] = {x}", "SELECT 'it''s' || {x}", "SELECT '$1'"]
        {
            assert!(!breaks_out(good), "{good}");
        }
        let bad = ["SELECT '{x}'", "SELECT \"{x}\"", "SELECT $$ {x} $$", "SELECT 1 /* {x} */", "SELECT E'\\'{x}'"];
        for bad in bad {
            assert!(breaks_out(bad), "{bad}");
        }
    }
}
