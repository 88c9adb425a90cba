//! `config_set`: sets keys of a TOML, JSON, .env or INI file in place, then restarts what reads it. Only the bytes of the
//! values change, so comments, order and line ends stay; several keys are one edit, one backup, one restart.
//! Long because what is planned, edited, proven and taken back is one and the same list of keys.
//!
//! ```toml
//! [actions.reduce-batch-size]
//! kind    = "config_set"
//! file    = "/etc/app/production.toml"                   # of a link the file is edited that it leads to, and shown
//! format  = "toml"                                       # json, env, ini, supervisor; by the file's name where it says it
//! set     = [{ key = "performance.batch_size", from = 1024, to = 512 }]   # without `from`: whatever stands there
//! # format "supervisor": single variables of a program of supervisord, key = "program:app.environment.NAME"
//! # { key = "…", to = true, absent = "add" }: a key that is not there is added, its table too (not in JSON)
//! # of several keys some may have their new value already, and are shown so; one of them must change
//! restart = { kind = "systemd", unit = "app.service" }
//! params  = { size = { int = [1, 4096], value = 512, ask = true } }       # then to = "{size}": the operator gives it
//! validate = ["/usr/sbin/nginx", "-t", "-c", "{file}"]   # must end with 0 on the new file before it takes its place
//! cannot_check = [64, "unknown option"]                 # exit codes and words of one that cannot say: then heavier
//! limits  = { "performance.device" = { one_of = ["cpu", "cuda"] }, "neural.sparsity" = { float = [0.01, 0.5] } }
//! # what a key may be set to, where `set` leaves that to the operator; `int = [1, 9]`; { by = "pool" }: by that action alone
//! port    = 8080                                         # after the restart, as of service_restart; health likewise
//! ```

use super::service::SETTLE;
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back;
use crate::action::backups;
use crate::action::config_text::allowed::{self, Limits};
use crate::action::config_text::{Format, Scalar, Spot};
use crate::action::doing::Doing;
use crate::action::files::{free, seen};
use crate::action::lifecycle::Run;
use crate::action::linked;
use crate::action::manager::{CHECKS, Checks, Manager, Serving, Verb, looks_secret};
use crate::action::params::Params;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::action::validator::Validator;
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Body, Clean, Clock, Fault, Ulid};
use crate::sys::files;
use crate::sys::held::{Broken, FileId, Held, LIMIT};
use crate::sys::secret::hide;
use core::ops::Range;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So much more must be free than the file takes, in bytes: a value may be longer.
const SPARE: u64 = 4096;

/// The kind.
#[derive(Debug)]
pub struct ConfigSet;

/// One key to set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Dotted path.
    pub key: String,
    /// What must be there; nothing where the key is added.
    pub from: Option<Scalar>,
    /// What will be there; nothing where a key that was added is taken out again.
    pub to: Option<Scalar>,
}

/// One key as a profile has it: without `from` whatever stands there, if it has the type of `to`. The key may be a
/// parameter as well.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    key: String,
    from: Option<Scalar>,
    to: Scalar,
    absent: Option<Absent>,
}

/// What is done where there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Absent {
    Add,
}

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) file: PathBuf,
    /// The link by which it was named.
    #[serde(default)]
    pub(super) link: Option<PathBuf>,
    pub(super) set: Vec<Row>,
    pub(super) restart: Option<Manager>,
    pub(super) format: Format,
    /// Digest of the content that it leaves.
    pub(super) after: String,
    /// Where that content is kept; without it the file is edited.
    #[serde(default)]
    pub(super) kept: Option<PathBuf>,
    /// What judges the new file before it takes its place.
    #[serde(default)]
    pub(super) validate: Option<Validator>,
    /// What must hold of the service afterwards.
    #[serde(default)]
    pub(super) checks: Checks,
    /// Edits whose backups of this file are removed, for there are newer ones enough.
    #[serde(default)]
    pub(super) old: Vec<Ulid>,
}

impl Kind for ConfigSet {
    fn name(&self) -> &'static str {
        "config_set"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "sets values of a TOML, JSON, .env or INI file in place and restarts the unit that reads it"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let named: PathBuf = body.need("file")?;
        let set: Vec<Wanted> = body.need("set")?;
        let given: Option<Format> = body.take("format")?;
        let restart: Option<Manager> = body.take("restart")?;
        let limits: Limits = body.take("limits")?.unwrap_or_default();
        let params = Params::take(body, cx.given)?;
        let validate = Validator::take(body)?;
        let checks = Checks::take(body)?;
        if restart.is_none() && checks.within_the_run() {
            return Err(body.fault("`port` and `health` are of the service that `restart` names."));
        }
        body.done(&[COMMON, CHECKS, &["file", "set", "format", "restart", "params", "limits"]].concat())?;
        let format = given.or_else(|| Format::of(&named)).ok_or_else(|| {
            let what = format!("the name of {} does not say its format.", named.display());
            table.fault_at("file", what).hint("Add format = \"toml\", \"json\", \"env\", \"ini\" or \"supervisor\".")
        })?;
        for row in &set {
            row.check(&params).map_err(|fault| table.placed("set", fault))?;
        }
        cx.read()?;
        let (file, link) = linked::resolved(named)?;
        let held = Held::open(&file)?;
        let text = (held.bytes(), file.as_path());
        let rows = set.into_iter().map(|row| row.filled(&params, format, text)?.seen(format, text));
        let set = rows.collect::<Result<Vec<Row>, Fault>>()?;
        if let Some(row) = set.iter().find(|row| row.is_secret()) {
            return Err(Fault { at: here(&file, "").at, ..secret_shown(&row.key) });
        }
        for row in &set {
            let within = row.to.as_ref().map_or(Ok(()), |to| allowed::check(&limits, &row.key, to));
            within.map_err(|fault| table.fault_at("set", fault.to_string()))?;
        }
        let after = files::sha256(&edited(format, held.bytes(), &set, &file)?);
        let old = backups::too_many(cx.state, &file);
        drafted((Work { file, link, set, restart, format, after, kept: None, validate, checks, old }, &held), run, cx)
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let Work { file, link, .. } = work(plan)?;
        let elsewhere = link.filter(|link| !linked::leads(link, &file));
        let mut found: Vec<Clean> =
            elsewhere.iter().map(|link| crate::clean!("{} leads elsewhere now", link.display())).collect();
        for target in &plan.targets {
            match target {
                Target::File { path, id } => {
                    let now = Held::open(path)?;
                    found.extend(
                        id.differences(now.id()).iter().map(|what| crate::clean!("{}: {what}", path.display())),
                    );
                }
                Target::Unit { manager, serving, identity } => {
                    found.extend(manager.differences(Verb::Restart, (serving.as_ref(), identity), clock)?);
                }
                Target::Entry { .. }
                | Target::Process { .. }
                | Target::Program { .. }
                | Target::Switches { .. }
                | Target::Server { .. }
                | Target::Session => {}
            }
        }
        Ok(found)
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        let (work, held) = open(plan)?;
        files::private_dir(&doing.run.backup_dir())?;
        held.backup(&doing.run.backup_of(&work.file)).map(|()| true)
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        match work::<Work>(plan) {
            Ok(Work { restart: Some(_), .. }) => vec!["edit", "restart"],
            _ => vec!["edit"],
        }
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let wanted: Work = work(plan).map_err(StepError::Failed)?;
        match (name, &wanted.restart) {
            ("edit", _) => edit(plan, doing),
            ("restart", Some(manager)) => {
                manager.carry_out(Verb::Restart, unit(plan).unwrap_or((None, &BTreeMap::new())), doing)
            }
            _ => Err(StepError::Failed(Fault::new(format!("there is no step `{}`.", Clean::text(name))))),
        }
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let manager = work::<Work>(plan).ok().and_then(|work| work.restart).filter(|_| before == "restart")?;
        let unit = manager.service().unit();
        Some(crate::clean!("{unit} takes the new values when it starts the next time, unless they are put back"))
    }

    fn proof(&self, plan: &Plan, clock: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        let (path, digest) = (work.file.display(), Held::open(&work.file).map(|held| held.id().sha256.clone()));
        match digest {
            Err(fault) => return Some(Proof::Unseen(Clean::text(fault.to_string()))),
            Ok(digest) if digest != work.after => {
                return Some(Proof::Broken(crate::clean!("{path} no longer holds the new values")));
            }
            Ok(_) => {}
        }
        let manager = work.restart?;
        Some(work.checks.proof(manager.proof(Verb::Restart, served(plan), clock), &manager, clock))
    }

    fn proves(&self, plan: &Plan) -> bool {
        // That the file reads back says nothing of its effect.
        work::<Work>(plan).is_ok_and(|work| work.restart.is_some())
    }

    fn evidence(&self, plan: &Plan, good: bool, doing: &Doing<'_>) -> Vec<Clean> {
        let manager = work::<Work>(plan).ok().and_then(|work| work.restart);
        manager.map_or_else(Vec::new, |manager| manager.evidence(served(plan), good, doing))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work = work::<Work>(plan).ok()?;
        let (of, named) = (Some(plan.what.action.clone().into()), work.link.unwrap_or(work.file));
        Some(("config_restore", back::table([("of", of), back::run(plan), ("file", back::value(&named))])))
    }

    fn within(&self, plan: &Plan) -> Duration {
        work::<Work>(plan).map_or(Duration::ZERO, |work| work.checks.within() + plan.settle)
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let now = Held::open(&work.file)?;
        let (path, digest) = (work.file.display(), &now.id().sha256);
        Ok(if *digest == work.after {
            Settled::Done(crate::clean!("{path} holds the new values"))
        } else if before(plan).is_some_and(|id| id.sha256 == *digest) {
            Settled::NotDone(crate::clean!("{path} is as it was before"))
        } else {
            Settled::Other(crate::clean!("{path} was changed by somebody else"))
        })
    }
}

/// A plan that leaves what `work` says in the file that is held.
pub(super) fn drafted((mut work, held): (Work, &Held), run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
    let validator = work.validate.as_mut().filter(|_| cx.previews());
    let waived = validator.and_then(|validator| validator.waived_for(&work.file, work.format, cx.clock));
    let Work { file, set, restart, .. } = &work;
    held.replaceable()?;
    room(file, held)?;
    let mut lines = vec![match &work.link {
        Some(link) => crate::clean!("{} → {}", link.display(), file.display()),
        None => Clean::text(file.as_os_str().as_encoded_bytes()),
    }];
    lines.extend(set.iter().map(Row::line));
    let mut based_on: Vec<Precondition> = set.iter().map(|row| seen(&row.key, side(row.from.as_ref()))).collect();
    let mut targets = vec![Target::File { path: file.clone(), id: held.id().clone() }];
    let mut hits = Vec::new();
    let backup = run.backup_of(file);
    let mut undo = format!("put back the backup {}", backup.display());
    let (unknown, mut raise): (Vec<Precondition>, Vec<Clean>) = waived.into_iter().unzip();
    based_on.extend(unknown);
    lines.extend(work.validate.as_ref().map(Validator::line));
    if let Some(manager) = restart {
        let part = manager.draft(Verb::Restart, cx.login, cx.clock)?;
        lines.push(crate::clean!("then  {}", part.line));
        lines.extend(work.checks.lines().1);
        undo = format!("{undo}, then restart {}", manager.service().unit());
        targets.push(part.target);
        based_on.push(part.based_on);
        hits.extend(part.hits);
        raise.extend(part.raise);
    }
    hits.extend(backups::told(cx.state, file, &work.old));
    let target = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let odd = |path: &PathBuf| Clean::identifier(path.as_os_str().as_encoded_bytes()).1;
    if work.link.as_ref().is_some_and(odd) && !odd(file) {
        raise.push(Clean::from("a name holds unusual characters"));
    }
    let settle = restart.as_ref().map_or(Duration::ZERO, |_| SETTLE);
    let work = to_work(&work)?;
    Ok(Draft { lines, work, target, hits, undo: Undo::How(Clean::text(undo)), based_on, targets, raise, settle })
}

/// Refuses where the folder cannot hold the new file beside the old one.
fn room(file: &Path, held: &Held) -> Result<(), Fault> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let need = (held.bytes().len() as u64).saturating_add(SPARE);
    match free(folder)? {
        left if left < need => {
            let what = format!(
                "there is no room for the new file in {}: {} bytes are missing.",
                folder.display(),
                need - left
            );
            Err(here(file, what).hint("Make room there first."))
        }
        _ => Ok(()),
    }
}

/// A value as the plan tells it.
fn side(value: Option<&Scalar>) -> Clean {
    value.map_or(Clean::from("absent"), |value| Clean::text(value.to_string()))
}

/// The service as the plan found it.
fn unit(plan: &Plan) -> Option<(Option<&Serving>, &BTreeMap<String, String>)> {
    plan.targets.iter().find_map(|target| match target {
        Target::Unit { serving, identity, .. } => Some((serving.as_ref(), identity)),
        _ => None,
    })
}

/// The run that served then.
fn served(plan: &Plan) -> Option<&Serving> {
    unit(plan)?.0
}

fn before(plan: &Plan) -> Option<&FileId> {
    plan.targets.iter().find_map(|target| match target {
        Target::File { id, .. } => Some(id),
        _ => None,
    })
}

/// The file, held, and still exactly the one of the plan.
fn open(plan: &Plan) -> Result<(Work, Held), Fault> {
    let work: Work = work(plan)?;
    let held = Held::open(&work.file)?;
    match before(plan) {
        Some(id) if id == held.id() => Ok((work, held)),
        _ => Err(Fault::new(format!("{} is no longer the file of the plan.", work.file.display()))),
    }
}

fn edit(plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
    let (work, held) = open(plan).map_err(StepError::Failed)?;
    let content = match &work.kept {
        None => edited(work.format, held.bytes(), &work.set, &work.file),
        Some(kept) => files::read(kept, LIMIT),
    };
    let content = content.map_err(StepError::Failed)?;
    if files::sha256(&content) != work.after {
        return Err(StepError::Failed(Fault::new("the edit would not be the one that was confirmed.")));
    }
    let judged = |file: &Path| work.validate.as_ref().map_or(Ok(()), |validator| validator.check(file, doing.clock));
    held.replace_if(&content, &judged).map_err(|broken| match broken {
        Broken::Untouched(fault) => StepError::Failed(fault),
        Broken::Unknown(fault) => StepError::Unknown(fault),
    })?;
    // Only now: this edit's own backup was read back before it.
    let removed = backups::remove(doing.run, &work.file, &work.old);
    Ok(crate::clean!("{} written and read back{removed}", work.file.display()))
}

/// The content with every row set; only the bytes of those values differ.
///
/// # Errors
/// Not UTF-8, not of its format, a key that is absent or no plain value, another old value, another type, no change.
pub fn edited(format: Format, bytes: &[u8], set: &[Row], file: &Path) -> Result<Vec<u8>, Fault> {
    let text = utf8(bytes, file)?;
    if set.is_empty() {
        return Err(here(file, "`set` names no key."));
    }
    if let Some(Row { key, from, .. }) = set.first().filter(|_| set.iter().all(|row| row.from == row.to)) {
        let (key, value) = (Clean::text(key), side(from.as_ref()));
        return Err(here(file, format!("`{key}` would not change: it is {value} before and after.")));
    }
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    for row in set {
        if let (Some(from), Some(to)) = (&row.from, &row.to) {
            let range = find(format, text, row, (from, to), file)?;
            let old = text.get(range.clone()).unwrap_or("");
            cuts.push((range.clone(), if from == to { old.to_owned() } else { format.write(to, old)? }));
        }
    }
    cuts.sort_by_key(|(span, _)| span.start);
    if cuts.iter().zip(cuts.iter().skip(1)).any(|((a, _), (b, _))| a.end > b.start) {
        return Err(here(file, "`set` names a key twice."));
    }
    let mut out = text.to_owned();
    for (span, new) in cuts.iter().rev() {
        out.replace_range(span.clone(), new);
    }
    for row in set {
        let Some(to) = &row.to else {
            return Err(here(file, format!("`{}` is not taken out by an edit.", Clean::text(&row.key))));
        };
        if row.from.is_none() {
            out = format.add(&out, &row.key, to, file)?;
        }
    }
    for row in set {
        let like = row.to.as_ref().unwrap_or(&Scalar::Bool(false));
        let again = format.find(&out, &row.key, like, file)?.and_then(|spot| spot.value);
        if again != row.to {
            return Err(here(file, format!("`{}` does not read back as it was set.", Clean::text(&row.key))));
        }
    }
    Ok(out.into_bytes())
}

/// Why a key is not set from here.
fn secret_shown(key: &str) -> Fault {
    let what = format!("`{}` looks like a secret: it would stand in the plan and on the screen.", Clean::text(key));
    Fault::new(what).hint("Change it by hand.")
}

fn here(file: &Path, what: impl AsRef<str>) -> Fault {
    Fault::new(what).at(file.to_string_lossy(), 0, 0)
}

fn utf8<'a>(bytes: &'a [u8], file: &Path) -> Result<&'a str, Fault> {
    core::str::from_utf8(bytes).map_err(|_| here(file, "is not UTF-8."))
}

/// Where the value stands that `row` means, if it is what the row says.
fn find(
    format: Format,
    text: &str,
    row: &Row,
    (from, to): (&Scalar, &Scalar),
    file: &Path,
) -> Result<Range<usize>, Fault> {
    let key = Clean::text(&row.key);
    let spot = format.find(text, &row.key, from, file)?;
    let Spot { range, value } = spot.ok_or_else(|| here(file, format!("there is no value `{key}`.")))?;
    if core::mem::discriminant(from) != core::mem::discriminant(to) {
        return Err(here(file, format!("`{key}` would change its type: {from} → {to}.")));
    }
    if value.as_ref() == Some(from) {
        return Ok(range);
    }
    let real = value.as_ref().map_or_else(|| text.get(range).unwrap_or("").to_owned(), Scalar::to_string);
    let real = if row.is_secret() { "another one".to_owned() } else { scrub(&hide(&real)) };
    let what = format!("`{key}` is {}, not {from} as the action expects.", Clean::text(real));
    Err(if value.as_ref() == Some(to) {
        here(file, what).hint("It already has the new value.")
    } else {
        here(file, what).hint("Decide which is right before anything is changed.")
    })
}

impl Row {
    /// As the plan tells it.
    fn line(&self) -> Clean {
        let (key, from, to) = (&self.key, side(self.from.as_ref()), side(self.to.as_ref()));
        if self.from == self.to {
            crate::clean!("{key}   {to}, as it is already")
        } else {
            crate::clean!("{key}   {from} → {to}")
        }
    }

    /// Whether either value is one that must not be shown. Numbers and switches are none, whatever they are called.
    fn is_secret(&self) -> bool {
        let name = self.key.rsplit('.').next().unwrap_or_default();
        [&self.from, &self.to].into_iter().flatten().any(|value| match value {
            Scalar::Text(text) => is_secret_name(name) || looks_secret(text),
            Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_) => false,
        })
    }
}

impl Wanted {
    /// What of it can be refused before the file is seen.
    fn check(&self, params: &Params) -> Result<(), Fault> {
        let key = params.whole(&self.key)?.unwrap_or(&self.key).to_owned();
        // A value that is given is judged once it is given.
        if let Scalar::Text(text) = &self.to
            && params.whole(text)?.is_some()
        {
            return Ok(());
        }
        let row = Row { key, from: self.from.clone(), to: Some(self.to.clone()) };
        if row.is_secret() { Err(secret_shown(&self.key)) } else { Ok(()) }
    }

    /// With the parameter that is to be set, in the type of what stands there.
    fn filled(self, params: &Params, format: Format, (bytes, file): (&[u8], &Path)) -> Result<Self, Fault> {
        let key = params.whole(&self.key)?.map_or(self.key, str::to_owned);
        let this = Self { key, ..self };
        let Scalar::Text(text) = &this.to else { return Ok(this) };
        let Some(value) = params.whole(text)? else { return Ok(this) };
        let text = Scalar::Text(value.to_owned());
        let typed = match (value.parse(), value.parse(), value.parse()) {
            (Ok(number), ..) => Scalar::Int(number),
            (_, Ok(switch), _) => Scalar::Bool(switch),
            (.., Ok(number)) => Scalar::Float(number),
            _ => text.clone(),
        };
        let here = format.find(utf8(bytes, file)?, &this.key, &typed, file)?.and_then(|spot| spot.value);
        let to = if matches!(here, Some(Scalar::Text(_))) { text } else { typed };
        Ok(Self { to, ..this })
    }

    /// With what stands there now: that may be its new value already.
    fn seen(self, format: Format, (bytes, file): (&[u8], &Path)) -> Result<Row, Fault> {
        let Self { key, from, to, absent } = self;
        let text = utf8(bytes, file)?;
        let spot = format.find(text, &key, &to, file)?;
        if spot.is_none() && absent == Some(Absent::Add) {
            return Ok(Row { key, from: None, to: Some(to) });
        }
        if from.is_some() {
            let done = spot.and_then(|spot| spot.value).filter(|value| *value == to);
            return Ok(Row { key, from: done.or(from), to: Some(to) });
        }
        let none = || here(file, format!("there is no value `{}`.", Clean::text(&key)));
        let Spot { range, value } = spot.ok_or_else(none)?;
        let old = text.get(range).unwrap_or("");
        let old = if is_secret_name(&key) { Clean::from("a secret") } else { Clean::text(scrub(&hide(old))) };
        let from =
            value.ok_or_else(|| here(file, format!("`{}` would change its type: {old} → {to}.", Clean::text(&key))))?;
        Ok(Row { key, from: Some(from), to: Some(to) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "# tuned 2026-03-01\r\n[performance]\r\nbatch_size = 1_024  # was 512 until March\r\ncuda_streams=4\r\n\r\n[memory]\r\npool = \"20GB\"\r\nlimits = { soft = 0.5, hard = 0.9 }\r\n";

    fn row(key: &str, from: Scalar, to: Scalar) -> Row {
        Row { key: key.into(), from: Some(from), to: Some(to) }
    }

    fn set(rows: &[Row]) -> Result<String, String> {
        edited(Format::Toml, FILE.as_bytes(), rows, Path::new("/etc/p.toml"))
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn only_the_bytes_of_the_values_change() {
        let rows = [
            row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512)),
            row("performance.cuda_streams", Scalar::Int(4), Scalar::Int(2)),
            row("memory.pool", Scalar::Text("20GB".into()), Scalar::Text("16GB".into())),
            row("memory.limits.hard", Scalar::Float(0.9), Scalar::Float(0.8)),
        ];
        let wanted = FILE.replace("1_024", "512").replace("=4", "=2").replace("20GB", "16GB").replace("0.9", "0.8");
        assert_eq!(set(&rows).unwrap(), wanted);
    }

    #[test]
    fn a_key_that_is_not_there_is_added_and_nothing_else_changes() {
        let add = |key: &str, to| Row { key: key.into(), from: None, to: Some(to) };
        let rows = [
            add("performance.pooled", Scalar::Bool(true)),
            row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512)),
            add("training.checkpointing", Scalar::Bool(true)),
            add("training.every", Scalar::Int(5)),
            add("performance.pool", Scalar::Text("20GB".into())),
            add("name", Scalar::Text("a".into())),
        ];
        let wanted = FILE
            .replace("1_024", "512")
            .replace("cuda_streams=4\r\n", "cuda_streams=4\r\npooled = true\r\npool = \"20GB\"\r\n")
            .replace("# tuned", "name = \"a\"\r\n# tuned")
            + "\r\n[training]\r\ncheckpointing = true\r\nevery = 5\r\n";
        assert_eq!(set(&rows).unwrap(), wanted);
        let fault = |key: &str| set(&[add(key, Scalar::Int(1))]).unwrap_err();
        assert!(fault("memory.limits.x").contains("no table of its own"), "{}", fault("memory.limits.x"));
        assert!(fault("performance.batch_size").contains("is there already"), "{}", fault("performance.batch_size"));
    }

    #[test]
    fn what_is_not_as_declared_stops_for_a_decision() {
        let int = |from, to| set(&[row("performance.batch_size", Scalar::Int(from), Scalar::Int(to))]).unwrap_err();
        assert_eq!(
            int(2048, 512),
            "/etc/p.toml: `performance.batch_size` is 1024, not 2048 as the action expects. Decide which is right before anything is changed."
        );
        assert_eq!(
            int(2048, 1024),
            "/etc/p.toml: `performance.batch_size` is 1024, not 2048 as the action expects. It already has the new value."
        );
        assert_eq!(
            int(1024, 1024),
            "/etc/p.toml: `performance.batch_size` would not change: it is 1024 before and after."
        );
        let one = |key: &str, from, to| set(&[row(key, from, to)]).unwrap_err();
        assert!(
            one("performance.batch", Scalar::Int(1), Scalar::Int(2)).contains("there is no value `performance.batch`")
        );
        assert!(one("performance", Scalar::Int(1), Scalar::Int(2)).contains("there is no value"));
        assert!(
            one("performance.batch_size", Scalar::Int(1024), Scalar::Text("512".into())).contains("change its type")
        );
        assert!(
            one("performance.batch_size", Scalar::Float(1024.0), Scalar::Float(512.0)).contains("is 1024, not 1024.0")
        );
        let twice = row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512));
        assert!(set(&[twice.clone(), twice]).unwrap_err().contains("names a key twice"));
        assert!(set(&[]).unwrap_err().contains("names no key"));
    }

    #[test]
    fn of_several_keys_some_may_have_their_new_value_already_but_not_all() {
        let same = row("performance.cuda_streams", Scalar::Int(4), Scalar::Int(4));
        let changes = row("performance.batch_size", Scalar::Int(1024), Scalar::Int(512));
        assert_eq!(set(&[same.clone(), changes.clone()]).unwrap(), FILE.replace("1_024", "512"));
        assert_eq!(
            [&same, &changes].map(|row| row.line().to_string()),
            ["performance.cuda_streams   4, as it is already", "performance.batch_size   1024 → 512"]
        );
        let wanted = |from: Option<i64>| Wanted {
            key: "performance.cuda_streams".into(),
            from: from.map(Scalar::Int),
            to: Scalar::Int(4),
            absent: None,
        };
        let seen = |from| wanted(from).seen(Format::Toml, (FILE.as_bytes(), Path::new("/x"))).unwrap();
        assert_eq!([seen(Some(8)), seen(None)], [same.clone(), same.clone()]);
        let moved = row("performance.batch_size", Scalar::Int(9), Scalar::Int(9));
        assert!(set(&[moved, changes]).unwrap_err().contains("is 1024, not 9 as the action expects"));
        assert!(set(&[same]).unwrap_err().contains("would not change: it is 4 before and after"));
    }

    #[test]
    fn what_looks_like_a_secret_is_known_by_its_name_or_shape_and_numbers_are_none() {
        let text = |text: &str| Scalar::Text(text.into());
        assert!(row("db.password", text("a"), text("b")).is_secret());
        assert!(row("db.url", text("postgres://a:hunter22@h/x"), text("postgres://h/x")).is_secret());
        assert!(!row("max_tokens", Scalar::Int(1), Scalar::Int(2)).is_secret());
        assert!(!row("memory.pool", text("20GB"), text("16GB")).is_secret());
        let real =
            edited(Format::Toml, b"password = \"hunter22\"", &[row("password", text("a"), text("b"))], Path::new("/x"));
        assert!(!real.unwrap_err().to_string().contains("hunter"));
    }

    #[test]
    fn files_that_are_no_clean_toml_are_refused() {
        let rows = [row("a", Scalar::Int(1), Scalar::Int(2))];
        let edit = |bytes: &[u8]| edited(Format::Toml, bytes, &rows, Path::new("/x")).unwrap_err().to_string();
        assert!(edit(b"a = 1\n\xff").contains("not UTF-8"));
        assert!(edit(b"a = 1\na = 1\n").starts_with("/x:2: duplicate key"), "{}", edit(b"a = 1\na = 1\n"));
        assert!(edit(b"[a").starts_with("/x:1:"));
    }

    proptest! {
        #[test]
        fn any_value_reads_back_and_its_surroundings_stay(from in any::<i64>(), to in ".{0,20}", comment in "[ -~]{0,30}") {
            let text = format!("# {comment}\nn = {from} # {comment}\ns = \"x\"\nlast = true");
            let rows = [row("s", Scalar::Text("x".into()), Scalar::Text(to.clone()))];
            match edited(Format::Toml, text.as_bytes(), &rows, Path::new("/x")) {
                Ok(bytes) => {
                    let out = String::from_utf8(bytes).unwrap();
                    let head = format!("# {comment}\nn = {from} # {comment}\ns = ");
                    prop_assert!(out.starts_with(&head) && out.ends_with("\nlast = true"));
                    let like = Scalar::Text(String::new());
                    let spot = Format::Toml.find(&out, "s", &like, Path::new("/x")).unwrap().unwrap();
                    prop_assert_eq!(spot.value, Some(Scalar::Text(to.clone())));
                }
                Err(_) => prop_assert_eq!(to.as_str(), "x"),
            }
        }
    }
}
