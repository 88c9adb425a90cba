//! `postgres_setting`: one setting of a PostgreSQL server, by ALTER SYSTEM and a reload, with the value that it had and
//! whether it waits for a restart. What was set by hand in a file, on the command line or for a role is not overwritten
//! unseen. The way back is a plan of the same kind with `put_back`: it is offered after each run, and may be an action.
//!
//! ```toml
//! [actions.slow-query-log]
//! kind     = "postgres_setting"
//! url      = "postgres://ops@127.0.0.1/app"              # or postgres:///app?host=/run/postgresql; sslmode=disable
//! password = { file = "/etc/watchkeeper/postgres" }      # a file of mode 0600
//! setting  = "log_min_duration_statement"
//! value    = 100                                         # a number in the setting's own unit, true or false, or a text
//! range    = [0, 60000]                                  # a number needs it
//! # one_of = ["none", "ddl"]                             # instead of `range`: a text needs it
//! ca       = "/etc/ssl/postgres-ca.pem"                  # of another host, instead of the system's authorities
//! server_name = "db.internal"                            # the name in the certificate, where `url` has an address
//!
//! [actions.slow-query-log-back]
//! kind     = "postgres_setting"
//! url      = "postgres://ops@127.0.0.1/app"
//! setting  = "log_min_duration_statement"
//! put_back = "slow-query-log"                            # as the newest run of that action found it
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::postgres::{self, Server, Which, cell, row};
use crate::action::prepare::{COMMON, Context};
use crate::action::remote::LOOK;
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::files;
use crate::sys::net::postgres::{Row, literal};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const KEYS: &[&str] = &["setting", "value", "range", "one_of", "put_back"];
/// A text is not longer, in bytes.
const LONGEST: usize = 128;
/// Reloads all processes of the server.
const RELOAD: &str = "SELECT pg_reload_conf() AS told";

/// The kind.
#[derive(Debug)]
pub struct PostgresSetting;

/// A setting as the server has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Had {
    running: String,
    /// What ALTER SYSTEM wrote before; nothing where it never did.
    written: Option<String>,
    unit: String,
    source: String,
}

/// This kind's part of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Work {
    server: Server,
    system: String,
    setting: String,
    /// What is written; nothing takes out what is.
    write: Option<String>,
    /// What the server has afterwards.
    wanted: String,
    had: Had,
    /// It takes effect when the server is started the next time.
    restart: bool,
    /// It is the way back.
    back: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a setting is true or false, a number or a text")]
enum Value {
    Switch(bool),
    Number(f64),
    Text(String),
}

impl Kind for PostgresSetting {
    fn name(&self) -> &'static str {
        "postgres_setting"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "sets one setting of a PostgreSQL server and keeps what it was"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn asks(&self) -> Option<&'static str> {
        Some("PostgreSQL")
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let server = Server::take(body)?;
        let setting: String = body.need("setting")?;
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        if setting.is_empty() || setting.len() > 63 || !setting.bytes().all(named) {
            return Err(table.fault_at("setting", "`setting` is no name of a setting: lower-case letters, digits, _."));
        }
        let back: Option<String> = body.take("put_back")?;
        let back = back.map(|action| Of::read(action, body)).transpose()?;
        let value = if back.is_some() { None } else { Some(declared(body)?) };
        cx.done(body, &[COMMON, KEYS, postgres::KEYS].concat())?;
        let (which, now) = (server.which()?, asked(&server, &setting)?);
        may_write(&server, &setting)?;
        let had = had(&server, &setting, &now, back.is_some())?;
        let restart = cell(&now, "context") == "postmaster";
        let (system, wanted) = (which.system.clone(), String::new());
        let mut work = Work { server, system, setting, write: None, wanted, had, restart, back: back.is_some() };
        match (value, back) {
            (Some(value), _) => {
                let value = value.fits(&now).map_err(|what| table.fault_at("value", what))?;
                (work.write, work.wanted) = (Some(value.clone()), value);
            }
            (None, Some(back)) => work.take_back(&back, cx)?,
            (None, None) => {}
        }
        if same(&work.wanted, &work.had.running) && as_written(work.write.as_ref(), work.had.written.as_ref()) {
            return Err(Fault::new(format!("nothing would change: {} is {} already.", work.setting, work.had.running)));
        }
        work.drafted(&which)
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let (which, now) = (work.server.which()?, asked(&work.server, &work.setting)?);
        let had = had(&work.server, &work.setting, &now, work.back)?;
        Ok(postgres::differences(plan, &which.target("", identity(&had))))
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        let work: Work = work(plan)?;
        files::private_dir(&doing.run.backup_dir())?;
        let to = doing.run.backup_dir().join("setting.json");
        let text = to_work(&BTreeMap::from([(&work.setting, &work.had)]))?.to_string();
        files::create_exclusive(&to, 0o600, text.as_bytes())?;
        if files::read(&to, 1 << 16)? == text.as_bytes() {
            Ok(true)
        } else {
            Err(Fault::new(format!("{} does not read back as it was written.", to.display())))
        }
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["write", "reload"]
    }

    fn step(&self, name: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        if name == "write" {
            work.server.step(&work.sql(), LOOK)?;
            return Ok(Clean::text(work.sql()));
        }
        let told = work.server.step(RELOAD, LOOK)?;
        match told.first().map(|row| cell(row, "told")) {
            Some("t") => Ok(Clean::from("the server was told to read its configuration again")),
            _ => {
                let fault = Fault::new("the server could not be told to read its configuration again.");
                Err(StepError::Failed(fault.hint("What was written comes with its next reload.")))
            }
        }
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok().filter(|_| before == "reload")?;
        Some(crate::clean!("what is written for {} comes with the next reload, unless it is put back", work.setting))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok()?;
        let of = Some(plan.what.action.clone().into());
        let mut table = back::table([("setting", Some(work.setting.into())), ("put_back", of), back::run(plan)]);
        table.extend(work.server.table());
        Some(("postgres_setting", table))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        Some(match asked(&work.server, &work.setting) {
            Ok(now) if same(cell(&now, "setting"), &work.wanted) => {
                Proof::Holds(String::new(), crate::clean!("{} is {}", work.setting, work.wanted))
            }
            Ok(now) if cell(&now, "pending_restart") == "t" => {
                Proof::Unseen(crate::clean!("{} is written, and waits for a restart of the server.", work.setting))
            }
            Ok(now) => Proof::NotYet(crate::clean!("{} is still {}", work.setting, cell(&now, "setting"))),
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let now = asked(&work.server, &work.setting)?;
        let (is, name) = (cell(&now, "setting"), &work.setting);
        if same(is, &work.wanted) && !same(&work.wanted, &work.had.running) {
            return Ok(Settled::Done(crate::clean!("{name} is {is}")));
        }
        let written = written(&work.server, name).ok();
        Ok(match written {
            Some(written) if as_written(written.as_ref(), work.had.written.as_ref()) && is == work.had.running => {
                Settled::NotDone(crate::clean!("{name} is {is} as before, and nothing else is written"))
            }
            Some(Some(written)) => Settled::Other(crate::clean!("{name} is {is}, and {written} is written for it")),
            _ => Settled::Other(crate::clean!("{name} is {is}; something else may be written and wait for a reload")),
        })
    }
}

impl Work {
    fn sql(&self) -> String {
        let name = &self.setting;
        self.write.as_ref().map_or_else(
            || format!("ALTER SYSTEM RESET {name}"),
            |value| format!("ALTER SYSTEM SET {name} = {}", literal(value)),
        )
    }

    /// What an earlier run found, if nobody has changed it since.
    fn take_back(&mut self, of: &Of, cx: &Context<'_>) -> Result<(), Fault> {
        let name = &self.setting;
        let then = of.find(cx.state, "postgres_setting", |_, plan| {
            work(plan).ok().filter(|then: &Self| then.setting == *name && then.system == self.system)
        });
        let then = then.map_err(|fault| fault.hint(format!("Looked for: {name} of this very server.")))?;
        if as_written(self.had.written.as_ref(), then.had.written.as_ref()) {
            return Err(Fault::new(format!("there is nothing to take back: {name} is as it was before.")));
        }
        if !as_written(self.had.written.as_ref(), then.write.as_ref()) {
            return Err(Fault::new(format!("{name} was changed since by {}.", of.others()))
                .hint(format!("It was {} before: decide by hand.", then.had.running)));
        }
        (self.write, self.wanted) = (then.had.written, then.had.running);
        Ok(())
    }

    fn drafted(self, which: &Which) -> Result<Draft, Fault> {
        let (name, had, unit) = (&self.setting, &self.had, &self.had.unit);
        let mut raise = self.server.raise()?;
        if self.restart {
            raise.push(Clean::from("it takes effect only when the server is started the next time"));
        }
        let back = Self { write: had.written.clone(), ..self.clone() };
        let says = crate::clean!("{} {unit} ({})", had.running, had.source);
        Ok(Draft {
            lines: vec![
                Clean::text(self.sql()),
                Clean::from(RELOAD),
                crate::clean!("  {name}: {} → {} {unit}", had.running, self.wanted),
            ],
            target: format!("{}/{name}", which.database),
            hits: vec![Clean::from("every database and session of this server")],
            undo: Undo::How(crate::clean!("{}, reload", back.sql())),
            based_on: vec![row(name, says), which.row()],
            targets: vec![which.target(&format!("setting {name}"), identity(had))],
            work: to_work(&self)?,
            raise,
            settle: Duration::ZERO,
        })
    }
}

fn identity(had: &Had) -> BTreeMap<String, String> {
    let written = had.written.clone().unwrap_or_else(|| "nothing".to_owned());
    let rows = [("value", had.running.clone()), ("written by ALTER SYSTEM", written), ("source", had.source.clone())];
    rows.map(|(name, value)| (name.to_owned(), value)).into()
}

fn asked(server: &Server, setting: &str) -> Result<Row, Fault> {
    let sql = format!(
        "SELECT setting, unit, vartype, min_val, max_val, enumvals::text AS enumvals, context, source, sourcefile, \
         pending_restart FROM pg_catalog.pg_settings WHERE name = {}",
        literal(setting)
    );
    let found = server.look_as_it_is(&sql)?.into_iter().next();
    found.ok_or_else(|| Fault::new(format!("this server has no setting {setting}, or hides it from this login.")))
}

/// Whether the server would let this login write the setting and have the configuration read again. Which others it may
/// set is known since PostgreSQL 15; before, only a superuser may.
fn may_write(server: &Server, setting: &str) -> Result<(), Fault> {
    let sql = "SELECT current_user AS login, current_setting('is_superuser')::bool::int AS super, \
         has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE')::int AS reloads, \
         (current_setting('server_version_num')::int >= 150000)::int AS grants";
    let row = server.look(sql)?.into_iter().next().unwrap_or_default();
    let (yes, login) = (|key| cell(&row, key) == "1", Clean::identifier(cell(&row, "login")).0);
    if yes("super") {
        return Ok(());
    }
    if !yes("grants") {
        return Err(Fault::new(format!(
            "{login} may not ALTER SYSTEM on this server: before PostgreSQL 15 only a superuser may."
        )));
    }
    let may =
        server.look(&format!("SELECT has_parameter_privilege({}, 'ALTER SYSTEM')::int AS may", literal(setting)))?;
    let mut lacks = Vec::new();
    if may.first().is_none_or(|row| cell(row, "may") != "1") {
        lacks.push(format!("GRANT ALTER SYSTEM ON PARAMETER {setting} TO \"{login}\""));
    }
    if !yes("reloads") {
        lacks.push(format!("GRANT EXECUTE ON FUNCTION pg_reload_conf() TO \"{login}\""));
    }
    if lacks.is_empty() {
        return Ok(());
    }
    let fault = Fault::new(format!("{login} may not set {setting} for the whole server."));
    Err(fault.hint(format!("A superuser of it can say: {}", lacks.join("; "))))
}

/// What ALTER SYSTEM wrote, read or not; only a superuser sees it.
fn written(server: &Server, setting: &str) -> Result<Option<String>, Fault> {
    let files = format!(
        "SELECT setting FROM pg_file_settings WHERE name = {} AND sourcefile LIKE '%/postgresql.auto.conf'",
        literal(setting)
    );
    Ok(server.look(&files)?.first().map(|row| cell(row, "setting").to_owned()))
}

/// What the server has, where ALTER SYSTEM decides it. The way `back` may meet what waits for a restart.
fn had(server: &Server, setting: &str, now: &Row, back: bool) -> Result<Had, Fault> {
    let (source, file) = (cell(now, "source"), cell(now, "sourcefile"));
    if cell(now, "context") == "internal" {
        return Err(Fault::new("this setting is part of the server: nobody can set it."));
    }
    let (running, unit) = (cell(now, "setting").to_owned(), cell(now, "unit").to_owned());
    if cell(now, "pending_restart") == "t" {
        if back {
            let (written, source) = (written(server, setting)?, "ALTER SYSTEM, waits for a restart".to_owned());
            return Ok(Had { running, written, unit, source });
        }
        return Err(Fault::new("a change of this setting waits for a restart of the server already."));
    }
    let ours = match source {
        "default" => false,
        "configuration file" if file.is_empty() => {
            return Err(Fault::new("this login may not see where the value comes from.")
                .hint("GRANT pg_read_all_settings to it."));
        }
        "configuration file" => file.ends_with("/postgresql.auto.conf"),
        other => {
            let other = Clean::text(other);
            return Err(Fault::new(format!("the value comes from the {other}: ALTER SYSTEM would not change it.")));
        }
    };
    let written = ours.then(|| running.clone());
    let source = if ours { "ALTER SYSTEM" } else { source };
    Ok(Had { running, written, unit, source: source.to_owned() })
}

/// Equal as the server writes them: 1 and 1.0 are the same number.
fn same(one: &str, other: &str) -> bool {
    let numbers = one.parse::<f64>().ok().zip(other.parse::<f64>().ok());
    one == other || numbers.is_some_and(|(one, other)| one == other)
}

fn as_written(one: Option<&String>, other: Option<&String>) -> bool {
    one.zip(other).map_or(one.is_none() && other.is_none(), |(one, other)| same(one, other))
}

/// The keys `value`, `range` and `one_of`.
fn declared(body: &mut Body) -> Result<Value, Fault> {
    let table = body.clone();
    let wrong = |what: String| Err(table.fault_at("value", what));
    let value: Value = body
        .take("value")
        .map_err(|_| table.fault_at("value", "`value` is neither a number, a switch nor a text."))?
        .ok_or_else(|| table.fault("`value` is missing here, or `put_back`."))?;
    let range: Option<(f64, f64)> = body.take("range")?;
    let one_of: Option<Vec<String>> = body.take("one_of")?;
    match (&value, range, one_of) {
        (Value::Switch(_), None, None) => {}
        (Value::Number(number), Some((least, most)), None) if (least..=most).contains(number) => {}
        (Value::Number(number), Some((least, most)), None) => {
            return wrong(format!("`value` is {number}, expected a number from {least} to {most}."));
        }
        (Value::Text(text), None, Some(known)) if known.contains(text) => {
            let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b',');
            if !plain || text.len() > LONGEST {
                return wrong(format!("a text is up to {LONGEST} plain characters, and no list."));
            }
        }
        (Value::Text(text), None, Some(known)) => {
            return wrong(format!("`value` is `{}`, expected one of {}.", Clean::text(text), known.join(", ")));
        }
        (Value::Number(_), _, _) => return wrong("a number needs its `range`, and nothing else.".to_owned()),
        (Value::Text(_), _, _) => return wrong("a text needs its `one_of`, and nothing else.".to_owned()),
        (Value::Switch(_), _, _) => return wrong("true and false need no `range` and no `one_of`.".to_owned()),
    }
    Ok(value)
}

impl Value {
    /// As the server writes it, when it is of the setting's type and the server takes it.
    fn fits(&self, now: &Row) -> Result<String, String> {
        let kind = cell(now, "vartype");
        let wrong = || Err(format!("the setting is of type {kind}, which this value is not."));
        match (self, kind) {
            (Self::Switch(on), "bool") => Ok(if *on { "on" } else { "off" }.to_owned()),
            (Self::Number(number), "integer" | "real") if kind == "real" || number.fract() == 0.0 => {
                let limit = |name: &str| cell(now, name).parse::<f64>().ok();
                match (limit("min_val"), limit("max_val")) {
                    (Some(least), Some(most)) if !(least..=most).contains(number) => {
                        Err(format!("the server takes {least} to {most}, not {number}."))
                    }
                    _ => Ok(number.to_string()),
                }
            }
            (Self::Text(text), "string") => Ok(text.clone()),
            (Self::Text(text), "enum") => {
                let known = cell(now, "enumvals").trim_matches(['{', '}']);
                let found = known.split(',').any(|known| known.trim_matches('"') == text);
                if found { Ok(text.clone()) } else { Err(format!("the server takes one of {}.", Clean::text(known))) }
            }
            _ => wrong(),
        }
    }
}
