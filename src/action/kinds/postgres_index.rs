//! `postgres_index`: an index of a PostgreSQL table, created without stopping writers (CONCURRENTLY), and one at a time.
//! Where that fails the server leaves an INVALID index behind: it is found and said. The way back drops the very index
//! that a run has made, valid or not; it is offered after each run.
//!
//! ```toml
//! [actions.index-orders]
//! kind     = "postgres_index"
//! url      = "postgres://ops@127.0.0.1/app"              # or postgres:///app?host=/run/postgresql; sslmode=disable
//! password = { file = "/etc/watchkeeper/postgres" }      # a file of mode 0600
//! table    = "public.orders"                             # with its schema
//! name     = "idx_orders_symbol_status"
//! columns  = ["symbol", "status"]
//! unique   = true                                        # false when absent
//! method   = "btree"                                     # or hash, gin, gist, brin, spgist
//! drop     = true                                        # drops it instead (CONCURRENTLY), valid or not
//! # of     = "index-orders"                              # the same, of the very index that this action's newest run made
//! timeout  = "4h"                                        # waited for; the server goes on by itself
//! ca       = "/etc/ssl/postgres-ca.pem"                  # of another host, instead of the system's authorities
//! server_name = "db.internal"                            # the name in the certificate, where `url` has an address
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::left::unrecorded;
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::postgres::{self, Server, Which, cell, row};
use crate::action::prepare::{COMMON, Context, duration};
use crate::action::remote;
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::net::postgres::{Row, literal, name};
use crate::sys::net::talk::Lost;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const KEYS: &[&str] = &["table", "name", "columns", "unique", "method", "drop", "of", "timeout"];
const METHODS: [&str; 6] = ["btree", "hash", "gin", "gist", "brin", "spgist"];
/// Columns of one index.
const COLUMNS: usize = 32;
/// An index may take so long, when the profile does not say.
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);
/// Waiting for others is what CONCURRENTLY does: no limit of the server's may break it off half-way.
const BEFORE: &str = "SET search_path = pg_catalog; SET statement_timeout = 0; SET lock_timeout = 0";

/// The kind.
#[derive(Debug)]
pub struct PostgresIndex;

/// This kind's part of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Work {
    server: Server,
    schema: String,
    table: String,
    index: String,
    columns: Vec<String>,
    unique: bool,
    method: String,
    drop: bool,
    patience: Duration,
}

/// The database in the identity of an index: the cluster has several.
const DATABASE: &str = "database";

/// What there is of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Absent,
    Valid,
    Invalid,
}

impl Kind for PostgresIndex {
    fn name(&self) -> &'static str {
        "postgres_index"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "creates or drops an index of a PostgreSQL table without stopping writers"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn asks(&self) -> Option<&'static str> {
        Some("PostgreSQL")
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let (work, of) = Work::take(body, cx)?;
        let (which, now) = (work.server.which()?, work.look()?);
        work.fits(&which, &now)?;
        of.map_or(Ok(()), |of| work.was_made_by(&of, (&which, &now), cx))?;
        let mut raise = work.server.raise()?;
        let undo = if !work.drop {
            Clean::text(Work { drop: true, ..work.clone() }.sql())
        } else if is(&now) == Is::Valid {
            raise.push(Clean::from("the index is valid: whoever uses it gets slower"));
            crate::clean!("by hand, create it again: {}", cell(&now, "definition"))
        } else {
            Clean::from("none is needed: an INVALID index serves nobody")
        };
        let (rows, size) = (cell(&now, "rows"), cell(&now, "size"));
        let about = if rows == "-1" { "never analysed".to_owned() } else { format!("about {rows} rows") };
        Ok(Draft {
            lines: vec![Clean::text(work.sql())],
            target: format!("{}/{}.{}", which.database, work.schema, work.index),
            hits: vec![crate::clean!(
                "table {}.{}: {about}, {size}, read twice; writers go on",
                work.schema,
                work.table
            )],
            undo: Undo::How(undo),
            based_on: vec![
                row("index", crate::clean!("{}", is(&now).word())),
                row(
                    "older transactions",
                    crate::clean!("{} of more than 60 s: it waits for them", cell(&now, "older")),
                ),
                which.row(),
            ],
            // Of one cluster only one is built at a time, whatever its table.
            targets: vec![which.target("index", identity(&which, &now))],
            work: to_work(&work)?,
            raise,
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let (which, now) = (work.server.which()?, work.look()?);
        let mut differences = postgres::differences(plan, &which.target("", identity(&which, &now)));
        if cell(&now, "building") != "0" {
            differences.push(Clean::from("another index is being built on this server"));
        }
        Ok(differences)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        vec![if work::<Work>(plan).is_ok_and(|work| work.drop) { "drop" } else { "create" }]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let done = work.server.act(BEFORE, &work.sql(), work.patience);
        let begun = !work.drop && !matches!(done, Err(Lost::Before(_)));
        let unrecorded = if begun { work.keep_which(doing) } else { String::new() };
        let Err(refused) = done.map_err(remote::lost)? else {
            return Ok(crate::clean!("{}{unrecorded}", Clean::text(work.sql())));
        };
        // Of what is done in several transactions a part may stand.
        let error = match work.look().map(|now| is(&now)) {
            Ok(Is::Absent) if !work.drop => StepError::Failed(refused.fault),
            Ok(Is::Valid) if work.drop => StepError::Failed(refused.fault),
            Ok(Is::Invalid) => StepError::Unknown(refused.fault.hint(LEFT)),
            Ok(_) => StepError::Unknown(refused.fault),
            Err(fault) => StepError::Unknown(refused.fault.hint(format!("What it left cannot be seen: {fault}"))),
        };
        Err(error.also(&unrecorded))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok().filter(|work: &Work| !work.drop)?;
        let (table, of) = (format!("{}.{}", work.schema, work.table), Some(plan.what.action.clone().into()));
        let rows = [("table", Some(table.into())), ("name", Some(work.index.into())), ("of", of), back::run(plan)];
        let mut table = back::table(rows);
        table.extend(work.server.table());
        Some(("postgres_index", table))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        Some(match work.look() {
            Ok(now) if is(&now) == work.goal() => Proof::Holds(String::new(), Clean::from(is(&now).word())),
            Ok(now) if cell(&now, "building") != "0" => Proof::NotYet(Clean::from("it is still being built")),
            Ok(now) => Proof::Broken(Clean::from(is(&now).word())),
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let now = work.look()?;
        let said = Clean::from(is(&now).word());
        Ok(match is(&now) {
            found if found == work.goal() => Settled::Done(said),
            _ if cell(&now, "building") != "0" => Settled::Other(crate::clean!("{said}; the server still builds one")),
            Is::Absent => Settled::NotDone(said),
            Is::Valid if work.drop => Settled::NotDone(said),
            _ => Settled::Other(crate::clean!("{said}. {LEFT}")),
        })
    }
}

/// What to do with one.
const LEFT: &str = "An INVALID index was left behind: it costs writers and serves nobody. Drop it: the same action with `drop = true`.";

impl Is {
    const fn word(self) -> &'static str {
        match self {
            Self::Absent => "there is no such index",
            Self::Valid => "the index is there and valid",
            Self::Invalid => "the index is there and INVALID",
        }
    }
}

fn is(now: &Row) -> Is {
    match (cell(now, "index"), cell(now, "valid")) {
        ("", _) => Is::Absent,
        (_, "1") => Is::Valid,
        _ => Is::Invalid,
    }
}

fn identity(which: &Which, now: &Row) -> BTreeMap<String, String> {
    let fields = ["table", "index", "valid"].map(|name| (name.to_owned(), cell(now, name).to_owned()));
    fields.into_iter().chain([(DATABASE.to_owned(), which.database.clone())]).collect()
}

impl Work {
    fn take(body: &mut Body, cx: &Context<'_>) -> Result<(Self, Option<Of>), Fault> {
        let table = body.clone();
        let server = Server::take(body)?;
        let timeout: Option<String> = body.take("timeout")?;
        let whole: String = body.need("table")?;
        let Some((schema, named)) = whole.split_once('.') else {
            return Err(table
                .fault_at("table", "`table` is named with its schema.")
                .hint("For example public.orders."));
        };
        let of = body.take("of")?.map(|action| Of::read(action, body)).transpose()?;
        let drop = body.take("drop")?.unwrap_or(of.is_some());
        if of.is_some() && !drop {
            return Err(table.fault_at("drop", "what a run has made is dropped: `of` goes with drop = true."));
        }
        let work = Self {
            server,
            schema: schema.to_owned(),
            table: named.to_owned(),
            index: body.need("name")?,
            columns: body.take("columns")?.unwrap_or_default(),
            unique: body.take("unique")?.unwrap_or(false),
            method: body.take("method")?.unwrap_or_else(|| "btree".to_owned()),
            drop,
            patience: timeout.map_or(Ok(PATIENCE), |text| duration(&text, &table))?,
        };
        body.done(&[COMMON, KEYS, postgres::KEYS].concat())?;
        let plain = |text: &str| {
            let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            (1..=63).contains(&text.len()) && text.bytes().all(named)
        };
        let names = [("table", &work.schema), ("table", &work.table), ("name", &work.index)];
        let columns = work.columns.iter().map(|column| ("columns", column));
        if let Some((key, bad)) = names.into_iter().chain(columns).find(|(_, name)| !plain(name)) {
            let what = format!("`{}` is no plain name: up to 63 letters, digits and _.", Clean::text(bad));
            return Err(table.fault_at(key, what));
        }
        if !METHODS.contains(&work.method.as_str()) {
            return Err(table.fault_at("method", format!("`method` is one of {}.", METHODS.join(", "))));
        }
        if !drop && !(1..=COLUMNS).contains(&work.columns.len()) {
            return Err(table.fault(format!("an index needs `columns`: 1 to {COLUMNS} of them.")));
        }
        cx.read()?;
        Ok((work, of))
    }

    /// Keeps the number of the index that was begun, whatever has become of it: under the lock there was none of that
    /// name. What is to be said of that.
    fn keep_which(&self, doing: &Doing<'_>) -> String {
        let kept = self.look().and_then(|now| match cell(&now, "index") {
            "" => Ok(()),
            index => back::keep(doing.run, &index),
        });
        kept.err().as_ref().map(unrecorded).unwrap_or_default()
    }

    /// Refuses any other index than the one that the run has made.
    fn was_made_by(&self, of: &Of, (which, now): (&Which, &Row), cx: &Context<'_>) -> Result<(), Fault> {
        let here = |target: &Target| match target {
            Target::Server { identity, .. } => {
                identity.get("system") == Some(&which.system) && identity.get(DATABASE) == Some(&which.database)
            }
            _ => false,
        };
        let names = |work: &Self| [&work.schema, &work.table, &work.index].map(Clone::clone);
        let run = of.find(cx.state, "postgres_index", |run, plan| {
            let made: Self = work(plan).ok()?;
            (!made.drop && names(&made) == names(self) && plan.targets.iter().any(here)).then_some(run)
        })?;
        if back::kept::<String>(&run)? == cell(now, "index") {
            return Ok(());
        }
        Err(Fault::new(format!("{} was made anew since by {}.", self.index, of.others())).hint("Decide by hand."))
    }

    const fn goal(&self) -> Is {
        if self.drop { Is::Absent } else { Is::Valid }
    }

    fn sql(&self) -> String {
        let (schema, index) = (name(&self.schema), name(&self.index));
        if self.drop {
            return format!("DROP INDEX CONCURRENTLY {schema}.{index}");
        }
        let columns: Vec<String> = self.columns.iter().map(|column| name(column)).collect();
        let unique = if self.unique { "UNIQUE " } else { "" };
        let (table, method, columns) = (name(&self.table), &self.method, columns.join(", "));
        format!("CREATE {unique}INDEX CONCURRENTLY {index} ON {schema}.{table} USING {method} ({columns})")
    }

    /// The table, the index of that name, and what else goes on, in one row.
    fn look(&self) -> Result<Row, Fault> {
        let columns: Vec<String> = self.columns.iter().map(|column| literal(column)).collect();
        let columns = if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") };
        let sql = format!(
            "SELECT t.oid AS table, t.relkind AS kind, t.reltuples::bigint AS rows, \
             pg_size_pretty(pg_table_size(t.oid)) AS size, pg_has_role(t.relowner, 'USAGE')::int AS owner, \
             (SELECT count(*) FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped \
              AND attname IN ({columns})) AS columns, x.oid AS index, i.indrelid AS of, \
             (i.indisvalid AND i.indisready)::int AS valid, pg_get_indexdef(i.indexrelid) AS definition, \
             (SELECT count(*) FROM pg_constraint WHERE conindid = x.oid) AS constraints, \
             (SELECT count(*) FROM pg_stat_progress_create_index) AS building, \
             (SELECT count(*) FROM pg_stat_activity WHERE xact_start < now() - interval '60 s') AS older \
             FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace \
             LEFT JOIN pg_class x ON x.relnamespace = n.oid AND x.relname = {} \
             LEFT JOIN pg_index i ON i.indexrelid = x.oid WHERE n.nspname = {} AND t.relname = {}",
            literal(&self.index),
            literal(&self.schema),
            literal(&self.table)
        );
        let found = self.server.look(&sql)?.into_iter().next();
        found.ok_or_else(|| Fault::new(format!("there is no table {}.{}.", self.schema, self.table)))
    }

    /// Every reason not to offer it.
    fn fits(&self, which: &Which, now: &Row) -> Result<(), Fault> {
        let (table, index) = (format!("{}.{}", self.schema, self.table), &self.index);
        let wrong = |what: String| Err(Fault::new(what));
        if which.in_recovery {
            return Err(Fault::new("this server is a standby: it takes no changes.").hint("Name its primary in `url`."));
        }
        if !matches!(cell(now, "kind"), "r" | "m") {
            return wrong(format!("{table} is no plain table: nothing is done CONCURRENTLY to it."));
        }
        if cell(now, "owner") != "1" {
            return Err(Fault::new(format!("{table} belongs to another role.")).hint("Log in as its owner."));
        }
        if cell(now, "building") != "0" {
            return Err(Fault::new("another index is being built on this server.").hint("Wait for its end."));
        }
        if !cell(now, "index").is_empty() && cell(now, "of") != cell(now, "table") {
            return wrong(format!("{index} is something else than an index of {table}."));
        }
        match (is(now), self.drop) {
            (Is::Valid, false) => wrong(format!("nothing would change: {} is there.", cell(now, "definition"))),
            (Is::Invalid, false) => Err(Fault::new(format!("{index} is INVALID.")).hint(LEFT)),
            (Is::Absent, true) => wrong(format!("there is no index {index} to drop.")),
            (_, true) if cell(now, "constraints") != "0" => {
                wrong(format!("{index} keeps a constraint: it goes only with that."))
            }
            (Is::Absent, false) if cell(now, "columns") != self.columns.len().to_string() => {
                wrong(format!("{table} has not all of the columns {}.", self.columns.join(", ")))
            }
            _ => Ok(()),
        }
    }
}
