//! `service_drop_in`: one file beside a unit of systemd that sets variables of its environment and limits, then a reload of
//! systemd's files. What else the file sets stays; nobody else's file is touched. With `of` the way back.
//!
//! ```toml
//! [actions.more-files]
//! kind    = "service_drop_in"
//! service = { kind = "systemd", unit = "app.service" }
//! limits  = { LimitNOFILE = 65536, MemoryMax = "4G", CPUQuota = "150%" }   # from a fixed list, with types
//! environment = { PYTHONASYNCIODEBUG = "1" }   # no secrets: everybody can read a drop-in
//! restart = true                       # most of it counts from the next start only; else that is left to somebody
//! name    = "50-watchkeeper.conf"      # those with a later name win
//! runtime = false                      # true: below /run, gone with the next boot
//! # folder = "/etc/systemd/system": another one of systemd's own; needed for user = true
//!
//! [actions.as-many-files-as-before]
//! kind    = "service_drop_in"
//! service = { kind = "systemd", unit = "app.service" }
//! of      = "more-files"               # puts back what its newest run found, or takes the file away
//! restart = true
//! ```

use super::service::SETTLE;
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::config_text::Scalar;
use crate::action::doing::Doing;
use crate::action::files::seen;
use crate::action::lifecycle::Run;
use crate::action::manager::drop_in_file as file;
use crate::action::manager::{
    Change, InForce, Manager, Part, Serving, Setting, Systemd, Verb, comes_after, content, looks_secret, said,
};
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::files;
use crate::sys::held::{FileId, LIMIT};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const KEYS: &[&str] = &["service", "limits", "environment", "restart", "name", "runtime", "folder", "of"];

/// The kind.
#[derive(Debug)]
pub struct ServiceDropIn;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    service: Systemd,
    path: PathBuf,
    /// The file as it will be; `None` when it is taken away.
    content: Option<String>,
    /// The file as it is; `None` when there is none.
    before: Option<FileId>,
    changes: Vec<Change>,
    restart: bool,
}

impl Kind for ServiceDropIn {
    fn name(&self) -> &'static str {
        "service_drop_in"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "sets variables and limits of a unit of systemd in a file of its own, or takes them back"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let Manager::Systemd(service) = body.need("service")? else {
            return Err(table.fault_at("service", "only units of systemd have drop-ins."));
        };
        let restart: bool = body.take("restart")?.unwrap_or(false);
        let of: Option<String> = body.take("of")?;
        if let Some(of) = of {
            let of = Of::read(of, body)?;
            // Where the file is and what it set the run itself knows.
            cx.done(body, &[COMMON, &["service", "restart", "of"]].concat())?;
            let (work, now) = taken_back(&of, service, restart, cx)?;
            return drafted(&work, &now, run, cx);
        }
        let values = values(body)?;
        let path = file::place(body, &service)?;
        cx.done(body, &[COMMON, KEYS].concat())?;
        let (work, now) = set(service, path, (values, restart), cx)?;
        drafted(&work, &now, run, cx)
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let mut found = file::differences(&work.path, work.before.as_ref())?;
        found.extend(work.service.in_force(&work.settings(), false, clock)?.differences(&work.changes));
        if work.restart
            && let Some((serving, identity)) = unit(plan)
        {
            found.extend(work.manager().differences(Verb::Restart, (serving, identity), clock)?);
        }
        Ok(found)
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok()?;
        let of = Some(plan.what.action.clone().into());
        let service = back::value(&work.manager());
        let restart = Some(work.restart.into());
        Some((
            "service_drop_in",
            back::table([("service", service), ("of", of), back::run(plan), ("restart", restart)]),
        ))
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        let work: Work = work(plan)?;
        match file::held(&work.path)? {
            None => Ok(false),
            Some(held) => {
                files::private_dir(&doing.run.backup_dir())?;
                held.backup(&kept(doing.run, &work.path)).map(|()| true)
            }
        }
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        match work::<Work>(plan) {
            Ok(Work { restart: true, .. }) => vec!["write", "reload", "restart"],
            _ => vec!["write", "reload"],
        }
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        match name {
            "write" => file::put(&work.path, work.before.as_ref(), work.content.as_deref()),
            "reload" => work.service.reload_files(doing),
            "restart" => {
                // That its files have changed is our own doing: what it does not do is compared with how it is now.
                let now = work.manager().service().look(Verb::Restart, doing.clock).map_err(StepError::Failed)?;
                let serving = unit(plan).and_then(|(serving, _)| serving);
                work.manager().carry_out(Verb::Restart, (serving, &now.identity), doing)
            }
            _ => Err(StepError::Failed(Fault::new(format!("there is no step `{}`.", Clean::text(name))))),
        }
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok().filter(|_| before != "write")?;
        let (path, unit) = (work.path.display(), &work.service.unit);
        Some(if before == "reload" {
            crate::clean!("{path} counts from the next daemon-reload on, unless it is taken back")
        } else {
            crate::clean!("{unit} runs on without it until its next start")
        })
    }

    fn evidence(&self, plan: &Plan, good: bool, doing: &Doing<'_>) -> Vec<Clean> {
        match work::<Work>(plan) {
            Ok(work) if work.restart => {
                work.manager().evidence(unit(plan).and_then(|(serving, _)| serving), good, doing)
            }
            _ => Vec::new(),
        }
    }

    fn proof(&self, plan: &Plan, clock: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        let proof = work.holds(clock);
        let (Proof::Holds(_, set), true) = (&proof, work.restart) else { return Some(proof) };
        let serving = unit(plan).and_then(|(serving, _)| serving);
        Some(match work.manager().proof(Verb::Restart, serving, clock) {
            Proof::Holds(id, runs) => match work.reaches(clock) {
                Some(other) => other,
                None => Proof::Holds(id, set.join("; ", &runs)),
            },
            other => other,
        })
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let now = file::held(&work.path)?.map(|held| held.id().sha256.clone());
        let path = work.path.display();
        if now == work.content.as_ref().map(|text| files::sha256(text.as_bytes())) {
            return Ok(match work.holds(&crate::sys::clock::RealClock) {
                Proof::Holds(_, said) => Settled::Done(said),
                Proof::NotYet(said) | Proof::Broken(said) | Proof::Unseen(said) => Settled::Other(said),
            });
        }
        Ok(if now == work.before.map(|id| id.sha256) {
            Settled::NotDone(crate::clean!("{path} is as it was before"))
        } else {
            Settled::Other(crate::clean!("{path} was changed by somebody else"))
        })
    }
}

impl Work {
    fn settings(&self) -> Vec<Setting> {
        self.changes.iter().map(|change| change.setting.clone()).collect()
    }

    fn manager(&self) -> Manager {
        Manager::Systemd(self.service.clone())
    }

    /// What the restarted process itself has otherwise than planned, such as from a file of variables. One that has written
    /// over its environment, or is not to be seen, says nothing.
    fn reaches(&self, clock: &dyn Clock) -> Option<Proof> {
        let kin = self.manager().service().kin(clock).ok()?;
        self.changes.iter().find_map(|change| {
            let Setting::Variable(name) = &change.setting else { return None };
            let value = kin.variable(name).filter(|value| Some(value) != change.to.as_ref())?;
            let (is, wanted) = (said(Some(&value)), said(change.to.as_ref()));
            Some(Proof::Broken(crate::clean!("{name} is {is} in the process of {}, not {wanted}", self.service.unit)))
        })
    }

    /// Whether systemd has it as planned: it reads the file, or no longer does, and every value is the new one.
    fn holds(&self, clock: &dyn Clock) -> Proof {
        let now = match self.service.in_force(&self.settings(), true, clock) {
            Ok(now) => now,
            Err(fault) => return Proof::Unseen(Clean::text(fault.to_string())),
        };
        let (unit, path) = (&self.service.unit, self.path.display());
        if now.drop_ins.contains(&self.path) != self.content.is_some() {
            let how = if self.content.is_some() { "does not read" } else { "still reads" };
            return Proof::Broken(crate::clean!("systemd {how} {path} for {unit}"));
        }
        for change in &self.changes {
            let value = now.value(&change.setting);
            if value != change.to {
                let by = now.sources.get(&change.setting).filter(|file| Path::new(file) != self.path);
                let by = by.map_or_else(String::new, |file| format!(": {file} says so"));
                let (label, is, wanted) = (change.setting.label(), said(value.as_ref()), said(change.to.as_ref()));
                return Proof::Broken(crate::clean!("{label} of {unit} is {is}, not {wanted}{by}"));
            }
        }
        let all: Vec<String> = self
            .changes
            .iter()
            .map(|change| format!("{} is {}", change.setting.label(), said(change.to.as_ref())))
            .collect();
        Proof::Holds(String::new(), crate::clean!("{unit}: {}", all.join(", ")))
    }
}

/// The values that a table declares.
fn values(body: &mut Body) -> Result<Vec<(Setting, String)>, Fault> {
    let table = body.clone();
    let limits: BTreeMap<String, Scalar> = body.take("limits")?.unwrap_or_default();
    let variables: BTreeMap<String, String> = body.take("environment")?.unwrap_or_default();
    let at = |key: &str, fault: Fault| table.fault_at(key, fault.to_string());
    let limits = limits.iter().map(|(key, value)| Setting::limit(key, value).map_err(|fault| at("limits", fault)));
    let variables = variables.iter();
    let variables =
        variables.map(|(name, value)| Setting::variable(name, value).map_err(|fault| at("environment", fault)));
    let all = limits.chain(variables).collect::<Result<Vec<_>, Fault>>()?;
    if all.is_empty() {
        return Err(table.fault("a drop-in needs `limits` or `environment`."));
    }
    Ok(all)
}

/// What a table declares, against what is there.
fn set(
    service: Systemd,
    path: PathBuf,
    (values, restart): (Vec<(Setting, String)>, bool),
    cx: &Context<'_>,
) -> Result<(Work, InForce), Fault> {
    let settings: Vec<Setting> = values.iter().map(|(setting, _)| setting.clone()).collect();
    let now = look(&service, &settings, cx)?;
    file::trusted(&path)?;
    let before = file::held(&path)?;
    let old = before.as_ref().map(|held| file::ours(&path, held.bytes())).transpose()?;
    let late = settings.iter().find_map(|setting| {
        let file = now.sources.get(setting)?;
        comes_after(Path::new(file), &path).then_some((setting, file))
    });
    if let Some((setting, file)) = late {
        return Err(Fault::new(format!("{} is set by {file}, which systemd reads after this one.", setting.label()))
            .hint("Give the drop-in a later `name`, or change that file."));
    }
    let new = content(old, &values);
    let changes = values.into_iter().map(|(setting, to)| {
        let from = now.value(&setting);
        Change { setting, from, to: Some(to) }
    });
    let changes: Vec<Change> = changes.collect();
    if let Some(change) = changes.iter().find(|change| change.from.as_deref().is_some_and(looks_secret)) {
        return Err(Fault::new(format!(
            "{} looks like a secret as it is now: it is not shown.",
            change.setting.label()
        )));
    }
    if changes.iter().all(|change| change.from == change.to) {
        return Err(Fault::new(format!("nothing would change: {} has all of it already.", service.unit)));
    }
    let before = before.map(|held| held.id().clone());
    Ok((Work { service, path, content: Some(new), before, changes, restart }, now))
}

/// What the run that is taken back found, against what is there.
fn taken_back(of: &Of, service: Systemd, restart: bool, cx: &Context<'_>) -> Result<(Work, InForce), Fault> {
    let (then, done) = of.find(cx.state, "service_drop_in", |run, plan| {
        let done: Work = work(plan).ok()?;
        (done.service.unit == service.unit).then_some((run, done))
    })?;
    let now = look(&service, &done.settings(), cx)?;
    file::trusted(&done.path)?;
    let (found, path) = (file::held(&done.path)?, done.path.display());
    let digest = found.as_ref().map(|held| held.id().sha256.clone());
    if digest == done.before.as_ref().map(|id| id.sha256.clone()) {
        return Err(Fault::new(format!("there is nothing to take back: {path} is as it was before.")));
    }
    if digest != done.content.as_ref().map(|text| files::sha256(text.as_bytes())) {
        return Err(Fault::new(format!("{path} was changed since by {}.", of.others())).hint("Decide by hand."));
    }
    let content = match &done.before {
        None => None,
        Some(id) => {
            let (kept, text) = (kept(&then, &done.path), files::read(&kept(&then, &done.path), LIMIT)?);
            if files::sha256(&text) != id.sha256 {
                return Err(Fault::new(format!("the backup {} is not what was saved.", kept.display())));
            }
            Some(file::ours(&done.path, &text)?.to_owned())
        }
    };
    let changes = done.changes.into_iter().map(|change| {
        let from = now.value(&change.setting);
        Change { from, to: change.from, setting: change.setting }
    });
    let (changes, before) = (changes.collect(), found.map(|held| held.id().clone()));
    Ok((Work { service, path: done.path, content, before, changes, restart }, now))
}

/// What is in force, of a unit that may have a drop-in.
fn look(service: &Systemd, settings: &[Setting], cx: &Context<'_>) -> Result<InForce, Fault> {
    let manager = Manager::Systemd(service.clone());
    manager.service().check()?;
    if !service.unit.ends_with(".service") {
        return Err(Fault::new(format!("{} is no service: its limits stand elsewhere.", service.unit)));
    }
    let now = service.in_force(settings, true, cx.clock)?;
    if now.id != service.unit {
        return Err(
            Fault::new(format!("{} is another name of {}.", service.unit, Clean::text(&now.id))).hint("Name that one.")
        );
    }
    Ok(now)
}

fn kept(run: &Run, path: &Path) -> PathBuf {
    run.backup_dir().join(path.file_name().unwrap_or_default())
}

fn unit(plan: &Plan) -> Option<(Option<&Serving>, &BTreeMap<String, String>)> {
    plan.targets.iter().find_map(|target| match target {
        Target::Unit { serving, identity, .. } => Some((serving.as_ref(), identity)),
        _ => None,
    })
}

/// A plan that leaves what `work` says.
fn drafted(work: &Work, now: &InForce, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
    let doubtful = work.service.right_to_read_files(cx.login, cx.clock).doubt()?;
    let (part, restart) = part(work, cx)?;
    let unit = &work.service.unit;
    let path = work.path.display();
    let mut hits = hits(work, now);
    let mut raise = Vec::new();
    hits.extend(part.hits);
    hits.extend(doubtful);
    raise.extend(part.raise);
    if now.stale {
        raise.push(crate::clean!(
            "files of {unit} were changed by somebody else: the reload brings that into force too"
        ));
    }
    let undo = match &work.before {
        None => format!("remove {path} and reload"),
        Some(_) => format!("put {} back and reload", kept(run, &work.path).display()),
    };
    let mut targets = vec![part.target];
    targets.extend(work.before.clone().map(|id| Target::File { path: work.path.clone(), id }));
    let seen = work.changes.iter().map(|change| seen(change.setting.label(), said(change.from.as_ref())));
    let based_on = seen.chain([part.based_on]).collect();
    Ok(Draft {
        lines: lines(work, now, restart),
        target: unit.clone(),
        hits,
        undo: Undo::How(Clean::text(undo)),
        based_on,
        targets,
        raise,
        settle: if work.restart { SETTLE } else { Duration::ZERO },
        work: to_work(work)?,
    })
}

/// The unit as it is, and how it is restarted where it is to be.
fn part(work: &Work, cx: &Context<'_>) -> Result<(Part, Option<Clean>), Fault> {
    let manager = work.manager();
    if work.restart {
        let part = manager.draft(Verb::Restart, cx.login, cx.clock)?;
        let line = part.line.clone();
        return Ok((part, Some(line)));
    }
    let look = manager.service().look(Verb::ResetFailed, cx.clock)?;
    let (based_on, standing) = (seen(&work.service.unit, look.said), look.standing);
    let target = Target::Unit { manager, serving: look.serving, identity: look.identity };
    Ok((Part { target, line: Clean::default(), based_on, standing, hits: Vec::new(), raise: Vec::new() }, None))
}

/// The file as it will be, each value before and after, and what follows.
fn lines(work: &Work, now: &InForce, restart: Option<Clean>) -> Vec<Clean> {
    let path = work.path.display();
    let mut lines = match &work.content {
        None => vec![crate::clean!("remove {path}")],
        Some(text) => {
            [crate::clean!("{path}")].into_iter().chain(text.lines().map(|line| crate::clean!("  {line}"))).collect()
        }
    };
    for change in &work.changes {
        let source = now.sources.get(&change.setting).map_or("no file says it", String::as_str);
        let (label, from, to) = (change.setting.label(), said(change.from.as_ref()), said(change.to.as_ref()));
        lines.push(crate::clean!("{label}   {from} ({source}) → {to}"));
    }
    lines.push(crate::clean!("then  {}", work.service.reload_line()));
    lines.extend(restart.map(|restart| crate::clean!("then  {restart}")));
    lines
}

/// When each setting counts, and what else the reload and the unit's own files do.
fn hits(work: &Work, now: &InForce) -> Vec<Clean> {
    let unit = &work.service.unit;
    let of = |live: bool| {
        let these = work.changes.iter().filter(move |change| change.setting.is_live() == live);
        these.map(|change| change.setting.label()).collect::<Vec<_>>().join(", ")
    };
    let (later, live) = (of(false), of(true));
    let mut hits = Vec::new();
    if !later.is_empty() {
        let when = if work.restart { "this restart" } else { "the next restart" };
        hits.push(crate::clean!("{later}: from {when} of {unit} on"));
    }
    if !live.is_empty() {
        hits.push(crate::clean!("{live}: from the reload on"));
    }
    hits.push(Clean::from("the reload reads every unit's files again"));
    let variables = work.changes.iter().any(|change| matches!(change.setting, Setting::Variable(_)));
    if variables && !now.variable_files.is_empty() {
        hits.push(crate::clean!("a variable of the same name wins in {}", now.variable_files));
    }
    hits
}
