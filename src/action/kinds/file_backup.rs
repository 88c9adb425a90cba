//! `file_backup`: a copy of a file or a whole tree, with owners, modes, attributes, times, holes and links; links are not
//! followed. It is built under a hidden name, read back by digest, and only then named; the list of digests comes last
//! (`sha256sum -c` reads it): a copy without its list is no backup.
//!
//! ```toml
//! [actions.back-up-state]
//! kind    = "file_backup"
//! path    = "/var/lib/app"                # a file, or a folder with everything in it
//! to      = "/var/backups"                # a folder that only root or this login may change; not inside of `path`
//! stopped = { kind = "systemd", unit = "app.service" }    # must not run meanwhile
//! ```
//! A file that is written to meanwhile ends it, and nothing is kept: a copy is of one moment. Of a log that goes on, copy what
//! rotation has left, or run `/bin/cp` as a `command`.

use super::backup_remove;
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back;
use crate::action::doing::Doing;
use crate::action::files::{
    LIST_LIMIT, Teller, copyable, counted, name_of, path_of, room, seen, stamped, stopped, touched,
};
use crate::action::left::{Left, Part};
use crate::action::lifecycle::Run;
use crate::action::manager::Manager;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault, Unit};
use crate::sys::entry::{Entry, EntryId};
use crate::sys::held::Broken;
use crate::sys::tree::{Head, Place, Survey, copy, read_back, read_list, remove, survey, write_list};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How to mend that something was written to while it was copied.
const MEANWHILE: &str =
    "Nothing was kept. Name what writes there as `stopped`; of a log that goes on, copy what rotation has left.";

/// The kind.
#[derive(Debug)]
pub struct FileBackup;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    id: EntryId,
    to: PathBuf,
    /// The copy's, in `to`.
    name: String,
    survey: Survey,
    stopped: Option<Manager>,
}

/// A copy by its name in a folder: hidden until it is whole, and a backup only with its list.
pub(super) struct Named<'a> {
    pub(super) to: &'a Path,
    pub(super) name: &'a str,
}

impl Named<'_> {
    pub(super) fn list(&self) -> String {
        format!("{}.sha256", self.name)
    }

    pub(super) fn part(&self) -> String {
        format!(".{}.part", self.name)
    }

    pub(super) fn list_part(&self) -> String {
        format!(".{}.part", self.list())
    }

    pub(super) fn whole(&self) -> PathBuf {
        self.to.join(self.name)
    }

    /// Best effort after a failure: what is left is said.
    pub(super) fn clear(&self, place: &Place, fault: Fault) -> StepError {
        let gone = remove(place, &self.part()).and_then(|()| remove(place, &self.list_part()));
        StepError::Failed(match gone {
            Ok(()) => fault,
            Err(left) => fault.hint(format!("{left}")),
        })
    }

    pub(super) fn publish(&self, run: &Run) -> Result<Clean, StepError> {
        let place = Place::trusted(self.to).map_err(StepError::Failed)?;
        match place.rename(&self.part(), self.name) {
            Ok(()) => {}
            Err(Broken::Untouched(fault)) => return Err(self.clear(&place, fault)),
            Err(Broken::Unknown(fault)) => return Err(StepError::Unknown(fault)),
        }
        place.rename(&self.list_part(), &self.list()).map_err(|broken| {
            let (Broken::Untouched(fault) | Broken::Unknown(fault)) = broken;
            StepError::Unknown(fault)
        })?;
        let (copy, list) = (self.whole(), self.to.join(self.list()));
        let left = Left::keep(run, &[(Part::Put, &copy), (Part::Put, &list)]);
        Ok(crate::clean!("{} and its list are in place{left}", copy.display()))
    }

    /// Whether it is there as its list says, whose head must pass.
    pub(super) fn settled(&self, meant: impl Fn(&Head) -> bool) -> Result<Settled, Fault> {
        let place = Place::trusted(self.to)?;
        let copy = self.whole();
        let copy = copy.display();
        if !place.has(&self.list()) {
            return Ok(if place.has(self.name) {
                Settled::Other(crate::clean!("{copy} has no list: it is no backup; remove it"))
            } else if place.has(&self.part()) {
                let part = self.to.join(self.part());
                let what = crate::clean!("there is no backup; half of one is left: remove {}", part.display());
                Settled::NotDone(what)
            } else {
                Settled::NotDone(crate::clean!("there is no {copy}"))
            });
        }
        let (head, rows) = read_list(self.name, &place.read(&self.list(), LIST_LIMIT)?)?;
        let (now, _) = survey(&Entry::open(&self.whole())?, None)?;
        Ok(if meant(&head) && now.shape == head.shape {
            let files = if rows.len() == 1 { "1 file".to_owned() } else { format!("{} files", rows.len()) };
            Settled::Done(crate::clean!("{copy} is whole: {files} and the list"))
        } else {
            Settled::Other(crate::clean!("{copy} is not as its list says"))
        })
    }
}

impl Work {
    fn named(&self) -> Named<'_> {
        Named { to: &self.to, name: &self.name }
    }

    fn head(&self) -> Head {
        Head { shape: self.survey.shape.clone(), bytes: self.survey.bytes }
    }

    fn copy(&self, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let place = Place::trusted(&self.to).map_err(StepError::Failed)?;
        let entry = Entry::open(&self.path).map_err(StepError::Failed)?;
        let mut teller = Teller::new(doing, "copied", &self.survey);
        let copied = copy(&entry, &place, &self.named().part(), &mut |done| teller.tell(done))
            .and_then(|copied| {
                let list = write_list(&self.name, &self.head(), &copied.rows);
                place.create(&self.named().list_part(), &list).map(|()| copied.rows.len())
            })
            .and_then(|files| {
                // A file that came, went or was written to between others is in no copy of one moment.
                let (now, _) = survey(&entry, None)?;
                let moved = touched(&self.path, &self.survey, &now);
                moved
                    .first()
                    .map_or(Ok(files), |what| Err(Fault::new(format!("{what} while it was copied.")).hint(MEANWHILE)))
            });
        let files = copied.map_err(|fault| self.named().clear(&place, fault))?;
        Ok(crate::clean!("{files} files, {} copied", Unit::Bytes.show(self.survey.bytes as f64)))
    }

    fn read_back(&self, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let place = Place::trusted(&self.to).map_err(StepError::Failed)?;
        let mut teller = Teller::new(doing, "read back", &self.survey);
        let read = || {
            let (_, rows) = read_list(&self.name, &place.read(&self.named().list_part(), LIST_LIMIT)?)?;
            let copy = Entry::open(&self.to.join(self.named().part()))?;
            read_back(&copy, &rows, &mut |done| teller.tell(done))?;
            let (now, _) = survey(&copy, None)?;
            let same = now.shape == self.survey.shape;
            let what = "the copy differs from what was copied: an owner, a mode or a link.";
            if same { Ok(rows.len()) } else { Err(Fault::new(what)) }
        };
        let mut read = read;
        let files = read().map_err(|fault| self.named().clear(&place, fault))?;
        Ok(crate::clean!("{files} files read back: each is as it was written"))
    }
}

impl Kind for FileBackup {
    fn name(&self) -> &'static str {
        "file_backup"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "copies a file or a whole tree as it is, reads it back, and puts a list of digests beside it"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path = path_of(body, "path")?;
        let to = path_of(body, "to")?;
        let manager: Option<Manager> = body.take("stopped")?;
        cx.done(body, &[COMMON, &["path", "to", "stopped"]].concat())?;
        let service = stopped(manager.as_ref(), cx.clock)?;
        let (entry, place) = (Entry::open(&path)?, Place::trusted(&to)?);
        place.writable()?;
        let (survey, found) = survey(&entry, Some(place.id()?))?;
        if found.holds {
            let what = format!("{} is inside of {}: a copy would hold itself.", to.display(), path.display());
            return Err(Fault::new(what));
        }
        copyable(&path, &found)?;
        let room = room(&place, &survey)?;
        let base = name_of(&path)?;
        let name = stamped(&base, "backup", cx.clock, cx.id);
        let mut hits = vec![counted(&survey, entry.id().folder), Clean::from("what is copied is not changed")];
        hits.extend(before(&place, &base, &survey));
        let copy = to.join(&name);
        let lines = vec![
            crate::clean!("copy {}", path.display()),
            crate::clean!("  to {}", copy.display()),
            crate::clean!("list {}.sha256", copy.display()),
        ];
        let mut based_on = vec![
            seen(path.to_string_lossy(), crate::clean!("inode {}, untouched since this look", entry.id().ino)),
            seen(to.to_string_lossy(), room),
        ];
        based_on.extend(service);
        let id = entry.id().clone();
        let undo = Undo::How(Clean::from("remove the copy and its list"));
        let work = Work { path: path.clone(), id: id.clone(), to, name, survey, stopped: manager };
        Ok(Draft {
            lines,
            target: base,
            hits,
            undo,
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
        let (entry, place) = (Entry::open(&work.path)?, Place::trusted(&work.to)?);
        if *entry.id() != work.id {
            return Ok(vec![crate::clean!("{} is another one now", work.path.display())]);
        }
        let (now, _) = survey(&entry, None)?;
        let found = touched(&work.path, &work.survey, &now);
        if found.is_empty() {
            room(&place, &now)?;
        }
        Ok(found)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["copy", "read back", "publish"]
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        match name {
            "copy" => work.copy(doing),
            "read back" => work.read_back(doing),
            _ => work.named().publish(doing.run),
        }
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        work::<Work>(plan).ok().map(|work| backup_remove::way_back(plan, &work.named().whole()))
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok().filter(|_| before != "copy")?;
        let place = Place::trusted(&work.to).ok()?;
        Some(removed(work.named().clear(&place, Fault::new("what was copied is removed."))))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let head = work.head();
        work.named().settled(|listed| *listed == head)
    }
}

/// What clearing says.
pub(super) fn removed(said: StepError) -> Clean {
    Clean::text(said.fault().to_string())
}

/// What the newest backup before this one held; a much smaller one is worth a look.
pub(super) fn before(place: &Place, base: &str, now: &Survey) -> Option<Clean> {
    let lists = place.beginning(&format!("{base}.backup-")).ok()?;
    let name = lists.iter().rev().find_map(|list| list.strip_suffix(".sha256"))?;
    let (head, _) = read_list(name, &place.read(&format!("{name}.sha256"), LIST_LIMIT).ok()?).ok()?;
    let then = Unit::Bytes.show(head.bytes as f64);
    Some(if now.bytes.saturating_mul(5) <= head.bytes.saturating_mul(4) {
        crate::clean!("a fifth smaller than the backup before it, or more: {name} held {then}")
    } else {
        crate::clean!("the backup before it is {name}, {then}")
    })
}
