//! `file_owner`: gives a file or a whole tree to a user and a group. Links are not followed; each old owner and mode is
//! recorded with the run, and `back` puts them back as that record says.
//!
//! ```toml
//! [actions.give-state-back]
//! kind    = "file_owner"
//! path    = "/var/lib/app"
//! owner   = "app"                       # a name of /etc/passwd, or a number
//! group   = "app"                       # the same of /etc/group; when absent, groups stay
//! stopped = { kind = "systemd", unit = "app.service" }    # must not run meanwhile
//!
//! [actions.put-owners-back]
//! kind    = "file_owner"
//! path    = "/var/lib/app"
//! back    = "give-state-back"           # the newest run of this action on this path, instead of owner and group
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::files::{LIST_LIMIT, counted, name_of, path_of, seen, stopped};
use crate::action::lifecycle::Run;
use crate::action::manager::Manager;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault, Mono};
use crate::sys::entry::{Entry, EntryId};
use crate::sys::files;
use crate::sys::host::{group_id, group_name, user_id, user_name};
use crate::sys::tree::{Findings, Given, Owned, Owners, give, owners, read_owners, survey, write_owners};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So many kinds of owners are shown.
const SHOWN: usize = 6;

/// The kind.
#[derive(Debug)]
pub struct FileOwner;

/// Whom everything is given to.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum To {
    /// To one user, and a group if one is named.
    One { uid: u32, gid: Option<u32> },
    /// To whom this record says, of a run that gave it to `uid` and `gid`.
    Record { file: PathBuf, sha256: String, uid: u32, gid: Option<u32> },
}

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    id: EntryId,
    /// Digest of names, inodes, owners and modes.
    owned: String,
    to: To,
    stopped: Option<Manager>,
}

impl To {
    /// What every entry is to get that has not got it.
    fn given(&self, now: &Owners) -> Result<BTreeMap<PathBuf, Given>, Fault> {
        let differs = |owned: &Owned, given: &Given| {
            (owned.uid, owned.gid) != (given.uid, given.gid) || given.mode.is_some_and(|mode| mode != owned.mode)
        };
        let record = match self {
            Self::One { .. } => Owners::new(),
            Self::Record { file, sha256, .. } => {
                let bytes = files::read(file, LIST_LIMIT)?;
                if files::sha256(&bytes) != *sha256 {
                    return Err(Fault::new(format!("the record {} is not what the plan rests on.", file.display())));
                }
                read_owners(&bytes)?
            }
        };
        let wanted = now.iter().filter_map(|(path, owned)| {
            let given = match self {
                Self::One { uid, gid } => {
                    Given { ino: owned.ino, uid: *uid, gid: gid.unwrap_or(owned.gid), mode: None }
                }
                Self::Record { .. } => {
                    let old = record.get(path).filter(|old| old.ino == owned.ino)?;
                    // Only what giving it away took: another mode since is somebody else's doing.
                    let mode = Some(old.mode).filter(|mode| owned.mode | (mode & 0o6000) == *mode);
                    Given { ino: owned.ino, uid: old.uid, gid: old.gid, mode }
                }
            };
            differs(owned, &given).then(|| (path.clone(), given))
        });
        Ok(wanted.collect())
    }

    fn words(&self) -> Clean {
        match self {
            Self::One { uid, gid: Some(gid) } => crate::clean!("{}:{}", user_name(*uid), group_name(*gid)),
            Self::One { uid, gid: None } => crate::clean!("{}, each in its group", user_name(*uid)),
            Self::Record { file, .. } => crate::clean!("whom {} says", file.display()),
        }
    }

    /// A way back is one only from what the run did: nobody else's change is overwritten.
    fn foreign(&self, now: &Owners, given: &BTreeMap<PathBuf, Given>) -> Option<PathBuf> {
        let Self::Record { uid, gid, .. } = self else { return None };
        let theirs = |owned: &Owned| owned.uid != *uid || gid.is_some_and(|gid| gid != owned.gid);
        given.keys().find(|path| now.get(*path).is_some_and(theirs)).cloned()
    }
}

impl Kind for FileOwner {
    fn name(&self) -> &'static str {
        "file_owner"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "gives a file or a whole tree to a user and a group, and records whom it belonged to"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let (table, path) = (body.clone(), path_of(body, "path")?);
        let manager: Option<Manager> = body.take("stopped")?;
        let back: Option<String> = body.take("back")?;
        let back = back.map(|action| Of::read(action, body)).transpose()?;
        let given: (Option<String>, Option<String>) = (body.take("owner")?, body.take("group")?);
        let missing = || table.fault("`owner` is missing here.");
        back.as_ref().map(drop).or(given.0.as_ref().map(drop)).ok_or_else(missing)?;
        cx.done(body, &[COMMON, &["path", "owner", "group", "back", "stopped"]].concat())?;
        // Who is known here is no matter of the table.
        let to = match (&back, given) {
            (Some(of), _) => record_of(of, &path, cx.state)?,
            (None, (owner, group)) => one(&table, &owner.ok_or_else(missing)?, group.as_deref())?,
        };
        let service = stopped(manager.as_ref(), cx.clock)?;
        let entry = Entry::open(&path)?;
        entry.changeable()?;
        let (survey, found) = survey(&entry, None)?;
        allowed(&path, &found)?;
        let now = owners(&entry)?;
        let given = to.given(&now)?;
        if given.is_empty() {
            return Err(Fault::new(format!(
                "nothing would change in {}: it belongs to {}.",
                path.display(),
                to.words()
            )));
        }
        if let Some(other) = to.foreign(&now, &given) {
            let other = if other.as_os_str().is_empty() { path } else { path.join(other) };
            return Err(Fault::new(format!("{} was given to somebody else since.", other.display()))
                .hint("Look who did that, and decide by hand."));
        }
        let name = name_of(&path)?;
        let of_whom = found
            .owners
            .iter()
            .map(|((uid, gid), count)| crate::clean!("{count} of {}:{}", user_name(*uid), group_name(*gid)));
        let mut lines = vec![crate::clean!("give {} to {}", path.display(), to.words())];
        lines.extend(of_whom.take(SHOWN).map(|row| crate::clean!("    now {row}")));
        let mut hits = vec![counted(&survey, entry.id().folder)];
        hits.push(crate::clean!("{} of {} change hands", given.len(), now.len()));
        if found.set_id > 0 && back.is_none() {
            hits.push(crate::clean!("{} that run as their owner or group no longer do", found.set_id));
        }
        let here = seen(path.to_string_lossy(), crate::clean!("inode {}, owners as listed", entry.id().ino));
        let based_on = core::iter::once(here).chain(service).collect();
        let (id, record) = (entry.id().clone(), run.backup_dir().join("owners"));
        let work = Work { path: path.clone(), id: id.clone(), owned: survey.owned, to, stopped: manager };
        Ok(Draft {
            lines,
            target: name,
            hits,
            undo: Undo::How(crate::clean!("give each back to its old owner: {}", record.display())),
            based_on,
            targets: vec![Target::Entry { path, id }],
            work: to_work(&work)?,
            raise: Vec::new(),
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        stopped(work.stopped.as_ref(), clock)?;
        let entry = Entry::open(&work.path)?;
        let path = work.path.display();
        if *entry.id() != work.id {
            return Ok(vec![crate::clean!("{path} is another one now")]);
        }
        let (now, found) = survey(&entry, None)?;
        allowed(&work.path, &found)?;
        let same = now.owned == work.owned;
        Ok(if same { Vec::new() } else { vec![crate::clean!("an entry, an owner or a mode in {path} changed")] })
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok().filter(|work: &Work| matches!(work.to, To::One { .. }))?;
        let (path, back) = (back::value(&work.path), Some(plan.what.action.clone().into()));
        let stopped = work.stopped.as_ref().and_then(back::value);
        Some(("file_owner", back::table([("path", path), ("back", back), back::run(plan), ("stopped", stopped)])))
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        let work: Work = work(plan)?;
        files::private_dir(&doing.run.backup_dir())?;
        let (to, text) = (doing.run.backup_dir().join("owners"), write_owners(&owners(&Entry::open(&work.path)?)?));
        files::create_exclusive(&to, 0o600, &text)?;
        if files::read(&to, LIST_LIMIT)? == text {
            Ok(true)
        } else {
            Err(Fault::new(format!("{} does not read back as it was written.", to.display())))
        }
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["give"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let record = doing.run.backup_dir().join("owners");
        let prepared = || {
            let recorded = read_owners(&files::read(&record, LIST_LIMIT)?)?;
            Ok((Entry::open(&work.path)?, work.to.given(&recorded)?))
        };
        let (entry, given) = prepared().map_err(StepError::Failed)?;
        let (mut done, all, mut last) = (0, given.len(), None::<Mono>);
        let given = give(&entry, &given, &mut done, &mut |done| {
            let now = doing.clock.now().mono;
            if last.is_none_or(|last| now.since(last) >= Duration::from_secs(1)) {
                last = Some(now);
                (doing.tell)(crate::clean!("{done} of {all} entries"));
            }
        });
        match given {
            Ok(()) => Ok(crate::clean!("{done} of {all} entries changed hands")),
            Err(fault) if done == 0 => Err(StepError::Failed(fault)),
            Err(fault) => {
                let hint = format!("{done} of {all} were changed; {} says whose they were.", record.display());
                Err(StepError::Unknown(fault.hint(hint)))
            }
        }
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let entry = Entry::open(&work.path)?;
        let (path, to) = (work.path.display(), work.to.words());
        if survey(&entry, None)?.0.owned == work.owned {
            return Ok(Settled::NotDone(crate::clean!("{path} belongs to whom it belonged before")));
        }
        let now = owners(&entry)?;
        let left = work.to.given(&now)?.len();
        Ok(if left == 0 {
            Settled::Done(crate::clean!("{path}: all {} entries belong to {to}", now.len()))
        } else {
            Settled::Other(crate::clean!("{path}: {left} of {} entries do not belong to {to}", now.len()))
        })
    }
}

/// Refuses what would give away more than the tree.
fn allowed(path: &Path, found: &Findings) -> Result<(), Fault> {
    let whole = |inside: &PathBuf| if inside.as_os_str().is_empty() { path.to_owned() } else { path.join(inside) };
    if !rustix::process::geteuid().is_root() {
        return Err(Fault::new("only root may give files away."));
    }
    if let Some(file) = &found.outside {
        return Err(Fault::new(format!("{} has another name outside of it (hard link).", whole(file).display()))
            .hint("Whoever made that link would get a file that may not be his: look at it first."));
    }
    found
        .device
        .as_ref()
        .map_or(Ok(()), |file| Err(Fault::new(format!("{} is a device: it is not given away.", whole(file).display()))))
}

fn one(table: &Body, owner: &str, group: Option<&str>) -> Result<To, Fault> {
    let none = |key: &str, noun: &str, name: &str| {
        table.fault_at(key, format!("there is no {noun} `{}` on this host.", Clean::text(name)))
    };
    let uid = user_id(owner).ok_or_else(|| none("owner", "user", owner))?;
    let gid = group.map(|name| group_id(name).ok_or_else(|| none("group", "group", name))).transpose()?;
    Ok(To::One { uid, gid })
}

/// What the run that is taken back recorded on this path.
fn record_of(of: &Of, path: &Path, state: &Path) -> Result<To, Fault> {
    let (file, uid, gid) = of.find(state, "file_owner", |run, plan| {
        let done: Work = work(plan).ok()?;
        match done.to {
            To::One { uid, gid } if done.path == path => Some((run.backup_dir().join("owners"), uid, gid)),
            _ => None,
        }
    })?;
    let sha256 = files::sha256(&files::read(&file, LIST_LIMIT)?);
    Ok(To::Record { file, sha256, uid, gid })
}
