//! `config_set`: sets keys of a TOML, JSON, .env or INI file in place, then restarts what reads it. Only the bytes of the
//! values change, so comments, order and line ends stay; several keys are one edit, one backup, one restart.
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
use crate::action::config_text::Format;
use crate::action::config_text::allowed::{self, Limits};
use crate::action::config_text::edit::{Row, edited, here, secret_shown, side};
use crate::action::config_text::wanted::Wanted;
use crate::action::doing::Doing;
use crate::action::files::{free, seen};
use crate::action::lifecycle::Run;
use crate::action::linked;
use crate::action::manager::{CHECKS, Checks, Manager, Serving, Verb};
use crate::action::params::Params;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::action::validator::Validator;
use crate::base::{Body, Clean, Clock, Fault, Ulid};
use crate::sys::files;
use crate::sys::held::{Broken, FileId, Held, LIMIT};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So much more must be free than the file takes, in bytes: a value may be longer.
const SPARE: u64 = 4096;

/// The kind.
#[derive(Debug)]
pub struct ConfigSet;

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
