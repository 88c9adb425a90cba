//! `lmdb_grow`: gives an LMDB environment a larger map, by the way its program sets the size (a running program keeps
//! the size that it began with), and looks at the map of the program afterwards. Sizes never shrink in place.
//! Long because a growth by a setting and one by a commit are planned, carried out and judged side by side.
//!
//! ```toml
//! [actions.grow-data]
//! kind      = "lmdb_grow"
//! path      = "/var/lib/app/data"
//! how       = "setting"             # the program sets its size: change that and restart; or "write_commit": it takes
//!                                   # what is stored: stop it, store the size by a commit, start it
//! to        = "20GiB"               # without it twice what is used, or a week of `growth` more, to the next 64 MiB
//! by        = "100MiB"            # instead of `to`: so much more than the limit that counts, which is the program's own
//!                                   # map where it runs, else what is stored; the plan shows both figures
//! growth    = "deriv(lmdb_used_bytes[1h])"   # bytes a second
//! cap       = "1TiB"                # never larger
//! setting   = { file = "/etc/app/app.toml", key = "db.map_mb", unit = "MiB", format = "toml" }
//! validate  = ["/usr/bin/app", "--check", "{file}"]     # of how = "setting" alone, with cannot_check, port and health:
//! port      = 8080                                       # as of config_set
//! service   = { kind = "systemd", unit = "app.service" }   # without it the program must be stopped already
//! backup_to = "/var/backups/app"    # a compacting copy first; without it the danger rises
//! override_room = true              # the disk or a quota may have less room than the map: then the prompt says so, is one
//!                                   # level heavier and wants host/target typed; without it that is refused
//! map_full  = { log = "/var/log/app/*.log", matches = "MDB_MAP_FULL|-30792", for = "60s" }   # no new line of it may say
//!                                   # so for so long once the program is up again; without it nothing is claimed of that
//! ```

use super::config_set::{self, ConfigSet, Work as EditWork};
use super::service::SETTLE;
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back;
use crate::action::config_text::edit::{Row, edited};
use crate::action::config_text::{Format, Scalar};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::lmdb::copy::Copying;
use crate::action::lmdb::full::{self, MapFull};
use crate::action::lmdb::identity::{self, Identity};
use crate::action::lmdb::limits::{Told, Wanted, obstacles};
use crate::action::lmdb::size;
use crate::action::manager::{CHECKS, Checks, Manager, Serving, Verb};
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::action::validator::Validator;
use crate::base::{Body, Clean, Clock, Fault, Unit};
use crate::sys::files;
use crate::sys::held::Held;
use crate::sys::lmdb::child::{Answer, Stop, Task, ask};
use crate::sys::lmdb::outside::{Mapper, Outside};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const KEYS: &[&str] =
    &["path", "how", "to", "by", "growth", "cap", "setting", "override_room", "service", "backup_to", full::KEY];

/// The kind.
#[derive(Debug)]
pub struct LmdbGrow;

/// How the program gets its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// From a value in its configuration.
    Setting,
    /// From what is stored.
    WriteCommit,
}

/// The value that names the size.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    file: PathBuf,
    key: String,
    unit: String,
    format: Option<Format>,
    /// What `config_set` takes besides: it judges the new file, and what must hold of the service afterwards.
    #[serde(skip)]
    judged: (Option<Validator>, Checks),
}

/// The table of an action.
struct Declared {
    path: PathBuf,
    how: How,
    to: Option<String>,
    by: Option<String>,
    cap: Option<String>,
    growth: Option<String>,
    setting: Option<Setting>,
    override_room: bool,
    service: Option<Manager>,
    backup_to: Option<PathBuf>,
    full: Option<MapFull>,
}

impl Declared {
    fn take(body: &mut Body) -> Result<Self, Fault> {
        let table = body.clone();
        let (path, how) = (body.need("path")?, body.need("how")?);
        let [to, by] = [body.take::<String>("to")?, body.take::<String>("by")?];
        let [cap, growth] = [body.take("cap")?, body.take("growth")?];
        let mut setting: Option<Setting> = body.take("setting")?;
        let override_room = body.take("override_room")?.unwrap_or(false);
        let (service, backup_to): (Option<Manager>, _) = (body.take("service")?, body.take("backup_to")?);
        let full = MapFull::take(body)?;
        if full.is_some() && service.is_none() {
            return Err(table.fault_at(full::KEY, "`map_full` is of the log of the program that `service` names."));
        }
        let mut keys = [COMMON, KEYS].concat();
        if let Some(setting) = &mut setting {
            setting.judged = (Validator::take(body)?, Checks::take(body)?);
            keys.extend(CHECKS);
        }
        body.done(&keys)?;
        match (how, &setting, &service) {
            (How::Setting, Some(_), Some(_)) | (How::WriteCommit, None, _) => {}
            (How::Setting, ..) => return Err(table.fault_at("how", "`setting` and `service` are missing here.")),
            (How::WriteCommit, ..) => return Err(table.fault_at("setting", "`setting` belongs to how = \"setting\".")),
        }
        if to.is_some() && by.is_some() {
            return Err(table.fault_at("by", "either `to` or `by`, not both."));
        }
        Ok(Self { path, how, to, by, cap, growth, setting, override_room, service, backup_to, full })
    }
}

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    id: Identity,
    to: u64,
    how: How,
    service: Option<Manager>,
    copying: Option<Copying>,
    /// The part of `config_set`.
    config: Option<Value>,
    /// The program was seen with another size than the stored one: it may not take what is stored.
    own_size: bool,
    /// What its log must no longer say.
    #[serde(default)]
    full: Option<MapFull>,
    /// There was not the room for all of it, and the prompt said so.
    #[serde(default)]
    overridden: bool,
}

impl Kind for LmdbGrow {
    fn name(&self) -> &'static str {
        "lmdb_grow"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "gives an LMDB environment a larger map, with its program stopped or restarted"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let Declared { path, how, to, by, cap, growth: query, setting, override_room, service, backup_to, full } =
            Declared::take(body)?;
        cx.read()?;
        let (seen, id) = identity::look(&path)?;
        let (mappers, _) = seen.mappers();
        let proposed = to.is_none() && by.is_none();
        let growth = query.filter(|_| proposed).map_or(Ok(0.0), |query| growth(&query, cx))?;
        let above = above(how, &id, &mappers);
        let wanted = Wanted { to, by, cap, above, growth };
        let to = wanted.size(&seen)?;
        let Told { unknown, short } = obstacles(&seen, &mappers, to, override_room)?;
        if service.is_none() {
            identity::unused(&seen).map_err(|fault| fault.hint("Stop the program first, or name its `service`."))?;
        }
        let copying = backup_to
            .map(|folder| Copying::plan((&id, seen.meta.used()), (folder, true), run.dir().join("copy.json"), cx));
        let own_size = mappers.iter().any(|it| it.bytes != seen.meta.map_size);
        let (copying, overridden) = (copying.transpose()?, short.is_some());
        let work = Work { id, to, how, service, copying, config: None, own_size, full, overridden };
        let (mut draft, config) = match setting {
            Some(setting) => by_setting(setting, &work, run, cx)?,
            None => (by_commit(&work, cx)?, None),
        };
        said(&mut draft, &work, &seen, &mappers);
        if wanted.by.is_some() {
            let [from, more, to] = [above, to - above, to].map(size::exact);
            let whose = if mappers.iter().any(|it| it.bytes == above) { "mapped" } else { "stored" };
            draft.hits.insert(0, crate::clean!("{from} {whose} + {more} = {to}"));
        }
        if growth > 0.0 {
            draft.hits.push(crate::clean!("it grows by {} a day", Unit::Bytes.show(growth * 86_400.0)));
        }
        draft.hits.extend(unknown);
        if let Some(short) = short {
            draft.raise.push(crate::clean!("overridden: {}", short.as_str().trim_end_matches('.')));
        }
        if let Some(full) = &work.full {
            draft.lines.push(full.line());
            draft.settle = draft.settle.max(full.quiet);
        }
        draft.work = to_work(&Work { config, ..work })?;
        Ok(draft)
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let (seen, mut found) = work.id.differences()?;
        found.extend(obstacles(&seen, &[], work.to, work.overridden).err().map(|fault| Clean::text(fault.to_string())));
        match (work.how, &work.service, unit(plan)) {
            (How::Setting, ..) => found.extend(ConfigSet.differences(&inner(plan, &work), clock)?),
            (How::WriteCommit, Some(manager), Some(before)) => {
                found.extend(manager.differences(Verb::Stop, before, clock)?);
            }
            (How::WriteCommit, ..) => {
                found.extend(identity::unused(&seen).err().map(|fault| Clean::text(fault.to_string())));
            }
        }
        Ok(found)
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        let work: Work = work(plan)?;
        if let Some(copying) = &work.copying {
            let (seen, _) = work.id.differences()?;
            let made = copying.make(&work.id, seen.meta.used(), doing);
            work.id.keep_owners()?;
            made.map_err(Stop::into_fault)?;
        }
        if work.how == How::Setting { ConfigSet.backup(&inner(plan, &work), doing) } else { Ok(work.copying.is_some()) }
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        match work::<Work>(plan) {
            Ok(Work { how: How::Setting, .. }) => vec!["edit", "restart"],
            Ok(Work { service: Some(_), .. }) => vec!["stop", "grow", "start"],
            _ => vec!["grow"],
        }
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let done = carried_out(name, (plan, &work), doing);
        let up = matches!(name, "restart" | "start") && !matches!(done, Err(StepError::Failed(_)));
        if let Some(full) = work.full.filter(|_| up) {
            // Without it nobody can tell, and the end says so.
            let _best_effort = full.begin(doing.run);
        }
        done
    }

    fn ended(&self, before: &str, plan: &Plan, doing: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok()?;
        if work.how == How::Setting {
            return ConfigSet.ended(before, &inner(plan, &work), doing);
        }
        let manager = work.service.as_ref().filter(|_| matches!(before, "grow" | "start"))?;
        Some(start(manager, doing))
    }

    fn proof_of(&self, plan: &Plan, run: &Run, clock: &dyn Clock) -> Option<Proof> {
        let proof = self.proof(plan, clock)?;
        let Proof::Holds(id, said) = proof else { return Some(proof) };
        let Some(full) = work::<Work>(plan).ok()?.full else { return Some(Proof::Holds(id, said)) };
        Some(match full.new_line(run) {
            Ok(None) => Proof::Holds(id, said),
            Ok(Some(line)) => Proof::Broken(crate::clean!("{said}; but its log says again: {line}")),
            Err(fault) => Proof::Unseen(crate::clean!(
                "{said}; whether its log says again that the map is full is unknown: {fault}"
            )),
        })
    }

    fn evidence(&self, plan: &Plan, good: bool, _: &Doing<'_>) -> Vec<Clean> {
        let full = work::<Work>(plan).ok().and_then(|work| work.full).filter(|_| good);
        full.iter().map(MapFull::kept_quiet).collect()
    }

    fn proof(&self, plan: &Plan, clock: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        let serving = match (work.how, &work.service) {
            (How::Setting, _) => ConfigSet.proof(&inner(plan, &work), clock),
            (How::WriteCommit, Some(manager)) => Some(manager.proof(Verb::Start, None, clock)),
            (How::WriteCommit, None) => None,
        };
        let run = match serving {
            None => String::new(),
            Some(Proof::Holds(run, _)) => run,
            Some(other) => return Some(other),
        };
        Some(mapped(&work, run))
    }

    fn within(&self, plan: &Plan) -> Duration {
        match work::<Work>(plan) {
            Ok(work) if work.how == How::Setting => ConfigSet.within(&inner(plan, &work)),
            _ => Duration::ZERO,
        }
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok().filter(|work: &Work| work.how == How::Setting)?;
        ConfigSet.way_back(&inner(plan, &work))
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        if work.how == How::Setting {
            return ConfigSet.settled(&inner(plan, &work));
        }
        let (seen, now) = identity::look(&work.id.path)?;
        let stored = size::exact(now.map);
        // Between its stop and its start the service is down, whatever is stored.
        let down = work.service.as_ref().and_then(|manager| {
            let up = manager.proof(Verb::Start, None, &crate::sys::clock::RealClock);
            (!matches!(up, Proof::Holds(..)))
                .then(|| crate::clean!("{} does not run: start it", manager.service().unit()))
        });
        let open = if identity::unused(&seen).is_ok() { "nobody has it open" } else { "it is open" };
        Ok(match down {
            Some(down) => Settled::Other(crate::clean!("the stored size is {stored}; {down}")),
            None if now.map == work.to => Settled::Done(crate::clean!("the stored size is {stored}; {open}")),
            None if now.map == work.id.map => {
                Settled::NotDone(crate::clean!("the stored size is still {stored}; {open}"))
            }
            None => Settled::Other(crate::clean!("the stored size is {stored}; {open}")),
        })
    }
}

/// One of its steps.
fn carried_out(name: &str, (plan, work): (&Plan, &Work), doing: &Doing<'_>) -> Result<Clean, StepError> {
    match (name, &work.service) {
        ("edit" | "restart", _) => ConfigSet.step(name, &inner(plan, work), doing),
        ("stop", Some(manager)) => {
            let before = unit(plan).ok_or_else(|| StepError::Failed(Fault::new("the plan names no service.")))?;
            manager.carry_out(Verb::Stop, before, doing).map_err(|error| match error {
                StepError::Failed(fault) => StepError::Failed(fault),
                // It may be on its way down, and nothing else would start it.
                unknown => and_start(unknown, manager, doing),
            })
        }
        ("start", Some(manager)) => manager.service().apply(Verb::Start, &Doing { stops: &|| false, ..*doing }),
        ("grow", None) => grow(work),
        ("grow", Some(manager)) => grow(work).map_err(|error| and_start(error, manager, doing)),
        _ => Err(StepError::Failed(Fault::new(format!("there is no step `{}`.", Clean::text(name))))),
    }
}

/// After a step that broke the service is asked to run: that is how the plan leaves it.
fn and_start(error: StepError, manager: &Manager, doing: &Doing<'_>) -> StepError {
    let after = start(manager, doing);
    let failed = matches!(error, StepError::Failed(_));
    let fault = Fault::new(format!("{} Then: {after}", error.fault()));
    if failed { StepError::Failed(fault) } else { StepError::Unknown(fault) }
}

/// The service is asked to run, whoever wants what to end: the stop was ours.
fn start(manager: &Manager, doing: &Doing<'_>) -> Clean {
    match manager.service().apply(Verb::Start, &Doing { stops: &|| false, ..*doing }) {
        Ok(said) => said,
        Err(error) => Clean::text(error.fault().to_string()),
    }
}

/// The service as the plan found it.
fn unit(plan: &Plan) -> Option<(Option<&Serving>, &BTreeMap<String, String>)> {
    plan.targets.iter().find_map(|target| match target {
        Target::Unit { serving, identity, .. } => Some((serving.as_ref(), identity)),
        _ => None,
    })
}

/// A size must be larger than this to be one that helps: what the program takes is the stored size, or its own.
fn above(how: How, id: &Identity, mappers: &[Mapper]) -> u64 {
    let maps = mappers.iter().map(|it| it.bytes);
    match how {
        How::WriteCommit => maps.max().unwrap_or(0).max(id.map),
        How::Setting => maps.min().unwrap_or(id.map),
    }
}

/// Bytes a second.
fn growth(query: &str, cx: &Context<'_>) -> Result<f64, Fault> {
    let unknown = |fault: &Fault| Fault::new(format!("`growth`: {fault}")).hint("Say `to`, or leave `growth` out.");
    cx.readings.reading(query).map(|(value, _)| value).map_err(|fault| unknown(&fault))
}

/// The edit of a plan that grows by a setting.
pub(super) fn edit_of(plan: &Plan) -> Option<EditWork> {
    serde_json::from_value(work::<Work>(plan).ok()?.config?).ok()
}

/// What `config_set` is to be given of this plan.
fn inner(plan: &Plan, work: &Work) -> Plan {
    let mut plan = plan.clone();
    plan.what.work = work.config.clone().unwrap_or_default();
    plan
}

/// By the value that names the size; `config_set` does it.
fn by_setting(it: Setting, work: &Work, run: &Run, cx: &Context<'_>) -> Result<(Draft, Option<Value>), Fault> {
    let here = |what: String| Fault::new(what).at(it.file.to_string_lossy(), 0, 0);
    let key = Clean::text(&it.key);
    let unit = size::unit(&it.unit)?;
    if !work.to.is_multiple_of(unit) {
        return Err(here(format!("`{key}` counts {}: {} is no whole number of them.", it.unit, size::exact(work.to))));
    }
    let unknown = || here("its name does not say its format.".to_owned()).hint("Add format = \"toml\".");
    let format = it.format.or_else(|| Format::of(&it.file)).ok_or_else(unknown)?;
    let held = Held::open(&it.file)?;
    let text = core::str::from_utf8(held.bytes()).map_err(|_| here("is not UTF-8.".to_owned()))?;
    let found = format.find(text, &it.key, &Scalar::Int(0), &it.file)?;
    let Some(Scalar::Int(from)) = found.and_then(|spot| spot.value) else {
        return Err(here(format!("`{key}` is no whole number here.")));
    };
    let to = i64::try_from(work.to / unit).map_err(|_| here("the size is too large.".to_owned()))?;
    if to <= from {
        return Err(here(format!("`{key}` is {from} {} already: {to} is no growth.", it.unit)));
    }
    let set = vec![Row { key: it.key.clone(), from: Some(Scalar::Int(from)), to: Some(Scalar::Int(to)) }];
    let after = files::sha256(&edited(format, held.bytes(), &set, &it.file)?);
    let part = config_set::Work {
        link: None,
        file: it.file,
        set,
        restart: work.service.clone(),
        format,
        after,
        kept: None,
        validate: it.judged.0,
        checks: it.judged.1,
        old: Vec::new(),
    };
    let mut draft = config_set::drafted((part, &held), run, cx)?;
    let config = core::mem::take(&mut draft.work);
    Ok((draft, Some(config)))
}

/// By a commit, between a stop and a start.
fn by_commit(work: &Work, cx: &Context<'_>) -> Result<Draft, Fault> {
    let mut draft = Draft {
        lines: vec![crate::clean!("store {} by a commit that leaves no key", size::exact(work.to))],
        work: Value::Null,
        target: String::new(),
        hits: Vec::new(),
        undo: Undo::Irreversible,
        based_on: Vec::new(),
        targets: Vec::new(),
        raise: Vec::new(),
        settle: Duration::ZERO,
    };
    if let Some(manager) = &work.service {
        let part = manager.draft(Verb::Stop, cx.login, cx.clock)?;
        draft.lines.insert(0, part.line);
        draft.lines.push(manager.service().line(Verb::Start));
        draft.based_on.push(part.based_on);
        draft.targets.push(part.target);
        draft.hits.extend(part.hits);
        draft.raise.extend(part.raise);
        draft.settle = SETTLE;
    }
    Ok(draft)
}

/// What both ways have in common.
fn said(draft: &mut Draft, work: &Work, seen: &Outside, mappers: &[Mapper]) {
    let (from, to) = (size::exact(work.id.map), size::exact(work.to));
    draft.lines.insert(0, crate::clean!("{}   {from} → {to}", work.id.data.display()));
    draft.target = work.id.name();
    draft.based_on.insert(0, identity::based_on(seen));
    draft.targets.push(work.id.target());
    let mut hits = vec![identity::fill(seen)];
    if !mappers.is_empty() {
        hits.push(Clean::text(identity::who(mappers)));
    }
    hits.extend(match (work.how, &work.service) {
        (How::Setting, _) => None,
        (How::WriteCommit, None) => {
            Some(Clean::from("nobody has it open: whether the program takes this size cannot be told at the end"))
        }
        (How::WriteCommit, Some(_)) if work.own_size => Some(Clean::from(
            "the program maps another size than is stored: if it sets its own, the end is UNVERIFIED, for this is no help",
        )),
        (How::WriteCommit, Some(_)) => Some(Clean::from("a program that sets a size of its own is not helped by this")),
    });
    draft.hits.splice(0..0, hits);
    let shrinks = "no size shrinks in place";
    draft.undo = match (&work.copying, work.how, &draft.undo) {
        (None, How::Setting, Undo::How(how)) => {
            draft.raise.push(Clean::from("no copy of the data is made first"));
            Undo::How(crate::clean!("{how}; {shrinks}, so what it has grown to by then stays"))
        }
        (None, ..) => Undo::Irreversible,
        (Some(copying), how, _) => {
            let there = copying.path();
            let folder = there.parent().unwrap_or(&there);
            draft.lines.insert(0, crate::clean!("a compacting copy first, into {}", folder.display()));
            let setting = if how == How::Setting { "put its setting back and " } else { "" };
            Undo::How(crate::clean!("{shrinks}: {setting}start it on the copy, with the old size"))
        }
    };
}

/// Stores the size, as the owner, while nobody has it open; looked at afterwards.
fn grow(work: &Work) -> Result<Clean, StepError> {
    let id = &work.id;
    let (before, found) = id.differences().map_err(StepError::Failed)?;
    if !found.is_empty() {
        let found: Vec<&str> = found.iter().map(Clean::as_str).collect();
        return Err(StepError::Failed(Fault::new(format!("{}.", found.join("; ")))));
    }
    identity::unused(&before).map_err(StepError::Failed)?;
    let answer = ask(&id.place(), Task::StoreSize(work.to), &mut |_| Ok(()));
    let kept = id.keep_owners().map_err(StepError::Unknown)?;
    match answer {
        Ok(Answer::Stored) => {}
        Ok(other) => return Err(StepError::Unknown(Fault::new(format!("the LMDB child answered {other:?}.")))),
        // What a commit has written stays although its sync failed: what is stored decides.
        Err(Stop::Refused(fault)) if identity::look(&id.path).is_ok_and(|(_, now)| now.map != work.to) => {
            return Err(StepError::Failed(fault));
        }
        Err(Stop::Refused(fault) | Stop::Silent(fault)) => return Err(StepError::Unknown(fault)),
    }
    let (after, now) = identity::look(&id.path).map_err(StepError::Unknown)?;
    if now.map != work.to || after.meta.main.entries != before.meta.main.entries {
        let (stored, entries) = (size::exact(now.map), after.meta.main.entries);
        return Err(StepError::Unknown(Fault::new(format!("the stored size is {stored} with {entries} entries."))));
    }
    // Who came in between keeps the old size, and is not to be helped by writing on.
    identity::unused(&after)
        .map_err(|fault| StepError::Unknown(fault.hint("It may have the old size: restart it.")))?;
    let kept = kept.map_or_else(String::new, |what| format!("; {what}"));
    Ok(crate::clean!("{} stores {}{kept}", id.data.display(), size::exact(now.map)))
}

/// Judges by the maps of those who have it open.
fn mapped(work: &Work, run: String) -> Proof {
    let seen = match identity::look(&work.id.path) {
        Ok((seen, _)) => seen,
        Err(fault) => return Proof::Unseen(Clean::text(fault.to_string())),
    };
    let stored = seen.meta.map_size;
    if work.how == How::WriteCommit && stored < work.to {
        return Proof::Broken(crate::clean!("the stored size is {}", size::exact(stored)));
    }
    let (mappers, hidden) = seen.mappers();
    let who = Clean::text(identity::who(&mappers));
    match mappers.iter().map(|it| it.bytes).min() {
        None if work.service.is_none() => {
            Proof::Unseen(crate::clean!("{} is stored, and nobody has it open", size::exact(stored)))
        }
        None if hidden => Proof::Unseen(Clean::from("the maps of other users' processes are hidden from this login")),
        None => Proof::NotYet(Clean::from("no process has it open yet")),
        Some(least) if least >= work.to => Proof::Holds(run, who),
        Some(_) if work.own_size && work.how == How::WriteCommit => {
            Proof::Unseen(crate::clean!("{who}: it sets its own size; change that, or tell its engineers"))
        }
        Some(_) => Proof::NotYet(crate::clean!("{who}, not {}: the program sets its own size", size::exact(work.to))),
    }
}
