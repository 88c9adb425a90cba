//! `file_restore`: puts a copy of a file or a tree back. It is built beside what it replaces, held against its list of
//! digests and read back; then both change places at once, and the old one is kept under a name of its own.
//!
//! ```toml
//! [actions.put-state-back]
//! kind    = "file_restore"
//! path    = "/var/lib/app"                     # what is replaced, or missing
//! from    = "/var/backups/app.backup-*"        # a copy; with `*` at its end the newest that has a list
//! list    = true                               # false: a copy of somebody else's, without a list of digests
//! stopped = { kind = "systemd", unit = "app.service" }    # must not run meanwhile
//! ```
//!
//! Of one short file the differing lines are shown, and one whose name says TOML or JSON must be that. One file from a
//! copy without a list keeps the owner and mode of what it replaces, as with `cp`.

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::config_text::{Format, Scalar};
use crate::action::doing::Doing;
use crate::action::files::{
    LIST_LIMIT, Teller, copyable, counted, diff, name_of, path_of, room, seen, stamped, stopped, touched,
};
use crate::action::left::{Left, Part};
use crate::action::lifecycle::Run;
use crate::action::manager::Manager;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::entry::{Entry, EntryId};
use crate::sys::files;
use crate::sys::held::Broken;
use crate::sys::tree::{Listed, Place, Survey, beginning, copy, read_back, read_list, remove, survey, take_on};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Of a longer text no difference is shown, in bytes.
const LONGEST: usize = 64 * 1024;

/// The kind.
#[derive(Debug)]
pub struct FileRestore;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    /// What is there now.
    old: Option<EntryId>,
    /// And what it holds. Of a file the plan shows the difference; into a tree its service may still write, which is kept.
    was: Option<Survey>,
    /// Its name afterwards.
    kept: String,
    from: PathBuf,
    /// Of the copy.
    survey: Survey,
    /// Digest of its list.
    list: Option<String>,
    /// It takes on owner and mode of the old one.
    like_old: bool,
    stopped: Option<Manager>,
    /// What the run left that this takes back.
    #[serde(default)]
    left: Option<Left>,
}

/// A copy that was found, and what its list says.
struct Source {
    entry: Entry,
    list: Option<(String, Vec<Listed>)>,
    survey: Survey,
}

impl Source {
    /// Opens a copy in a folder that others may not change, and holds it against its list.
    fn open(from: &Path, listed: bool, around: (u64, u64)) -> Result<Self, Fault> {
        // What lies beside what it replaces is as safe from others as that is.
        let beside = Place::around(from).ok().filter(|place| place.id().is_ok_and(|id| id == around));
        let place = beside.map_or_else(|| Place::trusted(from.parent().unwrap_or(Path::new("/"))), Ok)?;
        let entry = Entry::open(from)?;
        let (survey, found) = survey(&entry, Some(around))?;
        if found.holds {
            return Err(Fault::new(format!("{} would be put back into itself.", from.display())));
        }
        copyable(from, &found)?;
        if !listed {
            return Ok(Self { entry, list: None, survey });
        }
        let name = name_of(from)?;
        let list = format!("{name}.sha256");
        if !place.has(&list) {
            return Err(Fault::new(format!("{} has no list of digests: it is no backup.", from.display()))
                .hint("Where it is a copy of somebody else's, say `list = false`."));
        }
        let bytes = place.read(&list, LIST_LIMIT)?;
        let (head, rows) = read_list(&name, &bytes)?;
        if head.shape != survey.shape {
            let what = "is not as its list says: a name, a size, an owner, a mode or a link differs.";
            return Err(Fault::new(format!("{} {what}", from.display())));
        }
        Ok(Self { entry, list: Some((files::sha256(&bytes), rows)), survey })
    }

    /// One file that is a configuration by its name must be one; what it changes is shown.
    fn preview(&self, path: &Path, old: Option<&Entry>) -> Result<Vec<Clean>, Fault> {
        if self.entry.id().folder {
            return Ok(Vec::new());
        }
        let text = |entry: &Entry| Ok::<_, Fault>(String::from_utf8(beginning(entry, LONGEST + 1)?).ok());
        let short = |text: &String| text.len() <= LONGEST;
        let new = text(&self.entry)?;
        if let (Some(format), Some(new)) = (Format::of(path), new.as_ref().filter(|new| short(new))) {
            format.find(new, "any", &Scalar::Bool(true), self.entry.path())?;
        }
        let old = old.map(text).transpose()?.flatten();
        Ok(match (old.filter(short), new.filter(short)) {
            (Some(old), Some(new)) => diff(&old, &new),
            _ => Vec::new(),
        })
    }

    fn digest(&self) -> Option<String> {
        self.list.as_ref().map(|(digest, _)| digest.clone())
    }
}

impl Work {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn part(&self) -> String {
        format!(".{}.part", self.kept)
    }

    /// What stands at `path` and is not as the plan says.
    fn other(&self, place: &Place) -> Result<Option<Clean>, Fault> {
        let now = if place.has(&self.name()) { Some(Entry::open(&self.path)?.id().clone()) } else { None };
        Ok((now != self.old).then(|| crate::clean!("{} is another one now", self.path.display())))
    }

    fn build(&self, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let place = Place::around(&self.path).map_err(StepError::Failed)?;
        let build = || {
            let source = Source::open(&self.from, self.list.is_some(), place.id()?)?;
            let changed = touched(&self.from, &self.survey, &source.survey);
            if let Some(what) = changed.first() {
                return Err(Fault::new(format!("{what}.")));
            }
            let mut teller = Teller::new(doing, "copied", &self.survey);
            let copied = copy(&source.entry, &place, &self.part(), &mut |done| teller.tell(done))?;
            let rows = source.list.map_or_else(|| copied.rows.clone(), |(_, rows)| rows);
            let mut teller = Teller::new(doing, "read back", &self.survey);
            let built = Entry::open(&self.path.with_file_name(self.part()))?;
            read_back(&built, &rows, &mut |done| teller.tell(done))?;
            if survey(&built, None)?.0.shape != self.survey.shape {
                return Err(Fault::new("what was built differs from the copy: an owner, a mode or a link."));
            }
            if self.like_old {
                take_on(&place, &self.part(), &Entry::open(&self.path)?)?;
            }
            Ok(rows.len())
        };
        match build() {
            Ok(files) => Ok(crate::clean!("{files} files built beside, each as the backup says")),
            Err(fault) => Err(StepError::Failed(self.cleared(&place, fault))),
        }
    }

    fn cleared(&self, place: &Place, fault: Fault) -> Fault {
        match remove(place, &self.part()) {
            Ok(()) => fault,
            Err(left) => fault.hint(left.to_string()),
        }
    }

    fn exchange(&self, run: &Run) -> Result<Clean, StepError> {
        let place = Place::around(&self.path).map_err(StepError::Failed)?;
        let done = match &self.old {
            Some(old) => place.replace(&self.name(), old, &self.part(), &self.kept),
            None => place.rename(&self.part(), &self.name()),
        };
        match done {
            Ok(()) if self.old.is_some() => {
                let kept = self.path.with_file_name(&self.kept);
                let left = Left::keep(run, &[(Part::Put, &self.path), (Part::Aside, &kept)]);
                Ok(crate::clean!("{} is put back; the old one is {}{left}", self.path.display(), kept.display()))
            }
            Ok(()) => {
                let left = Left::keep(run, &[(Part::Put, &self.path)]);
                Ok(crate::clean!("{} is put back; there was none{left}", self.path.display()))
            }
            Err(Broken::Untouched(fault)) => Err(StepError::Failed(self.cleared(&place, fault))),
            Err(Broken::Unknown(fault)) => Err(StepError::Unknown(fault)),
        }
    }

    /// Whether what stands at `path` is as the copy is.
    fn restored(&self) -> Result<bool, Fault> {
        let (now, _) = survey(&Entry::open(&self.path)?, None)?;
        Ok(now.shape == self.survey.shape || self.like_old && now.bytes == self.survey.bytes)
    }

    fn draft(self, source: &Source, place: &Place, cx: &Context<'_>) -> Result<Draft, Fault> {
        let (path, from, kept) = (self.path.display(), self.from.display(), self.path.with_file_name(&self.kept));
        let mut lines = vec![crate::clean!("put back {path}"), crate::clean!("    from {from}")];
        let folder = source.entry.id().folder;
        let old = self.old.as_ref().map(|_| Entry::open(&self.path)).transpose()?;
        let mut hits = vec![crate::clean!("put back: {}", counted(&source.survey, folder))];
        let undo = if let Some(was) = &self.was {
            lines.push(crate::clean!("the old to {}", kept.display()));
            hits.push(crate::clean!("replaced: {}", counted(was, folder)));
            hits.push(Clean::from("who has the old one open goes on with it"));
            crate::clean!("move {path} away and rename {} to it", kept.display())
        } else {
            hits.push(crate::clean!("there is no {path} now"));
            crate::clean!("remove {path}")
        };
        lines.extend(source.preview(&self.path, old.as_ref())?);
        let listed =
            if self.list.is_some() { "as its list says; contents are checked before the exchange" } else { "no list" };
        let mut based_on = vec![
            seen(self.from.to_string_lossy(), Clean::from(listed)),
            seen(place.path().to_string_lossy(), room(place, &source.survey)?),
        ];
        based_on.extend(stopped(self.stopped.as_ref(), cx.clock)?);
        let raise = if self.list.is_some() { Vec::new() } else { vec![Clean::from("the copy has no list of digests")] };
        // What is missing is bound by its name: it must still be missing.
        let id = self.old.clone().unwrap_or_else(|| source.entry.id().clone());
        Ok(Draft {
            lines,
            target: self.name(),
            hits,
            undo: Undo::How(undo),
            based_on,
            targets: vec![Target::Entry { path: self.path.clone(), id }],
            work: to_work(&self)?,
            raise,
            settle: Duration::ZERO,
        })
    }
}

impl Kind for FileRestore {
    fn name(&self) -> &'static str {
        "file_restore"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "puts a copy of a file or a tree back, and keeps what it replaces"
    }

    fn least_danger(&self) -> Danger {
        Danger::C3
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path = path_of(body, "path")?;
        let from = path_of(body, "from")?;
        let listed = body.take("list")?.unwrap_or(true);
        let stopped: Option<Manager> = body.take("stopped")?;
        let of = body.take("of")?.map(|action| Of::read(action, body)).transpose()?;
        cx.done(body, &[COMMON, &["path", "from", "list", "stopped"]].concat())?;
        let place = Place::around(&path)?;
        let name = name_of(&path)?;
        let from = newest(from, listed)?;
        let source = Source::open(&from, listed, place.id()?)?;
        let left = of.map(|of| Left::of(&of, cx.state, &["file_restore"], &[&path, &from])).transpose()?;
        left.as_ref().map_or(Ok(()), Left::untouched)?;
        let was = if place.has(&name) { Some(replaced(&path, &from, &source)?) } else { None };
        place.writable()?;
        let (old, was) = was.map_or((None, None), |(id, survey)| (Some(id), Some(survey)));
        let like_old = !listed && old.is_some() && !source.entry.id().folder;
        let kept = stamped(&name, "before-restore", cx.clock, cx.id);
        let (survey, list) = (source.survey.clone(), source.digest());
        Work { path, old, was, kept, from, survey, list, like_old, stopped, left }.draft(&source, &place, cx)
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        stopped(work.stopped.as_ref(), clock)?;
        if let Some(touched) = work.left.as_ref().map(Left::differences).transpose()?.filter(|found| !found.is_empty())
        {
            return Ok(touched);
        }
        let place = Place::around(&work.path)?;
        let source = Source::open(&work.from, work.list.is_some(), place.id()?)?;
        let mut found = touched(&work.from, &work.survey, &source.survey);
        if source.digest() != work.list {
            found.push(crate::clean!("the list of {} changed", work.from.display()));
        }
        found.extend(work.other(&place)?);
        if let Some(was) = work.was.as_ref().filter(|_| found.is_empty() && !source.entry.id().folder) {
            found.extend(touched(&work.path, was, &survey(&Entry::open(&work.path)?, None)?.0));
        }
        if found.is_empty() {
            room(&place, &source.survey)?;
        }
        Ok(found)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["build", "exchange"]
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        if name == "build" { work.build(doing) } else { work.exchange(doing.run) }
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok()?;
        let (path, of) = (("path", back::value(&work.path)), ("of", Some(plan.what.action.clone().into())));
        if work.old.is_none() {
            // There was none: what was put back is set aside.
            return Some((
                "file_set_aside",
                back::table([path, ("below", back::value(&work.path.parent()?)), of, back::run(plan)]),
            ));
        }
        let from = ("from", back::value(&work.path.with_file_name(&work.kept)));
        let stopped = ("stopped", work.stopped.as_ref().and_then(back::value));
        Some(("file_restore", back::table([path, from, ("list", Some(false.into())), stopped, of, back::run(plan)])))
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok().filter(|_| before == "exchange")?;
        let place = Place::around(&work.path).ok()?;
        Some(Clean::text(work.cleared(&place, Fault::new("what was built is removed.")).to_string()))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(match self.settled(plan) {
            Ok(Settled::Done(said)) => Proof::Holds(String::new(), said),
            // It may have been written to by its service already.
            Ok(Settled::Other(said)) => Proof::Unseen(said),
            Ok(Settled::NotDone(said)) => Proof::Broken(said),
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let place = Place::around(&work.path)?;
        let left = if place.has(&work.part()) { format!("; {} is left", work.part()) } else { String::new() };
        let (path, kept) = (work.path.display(), &work.kept);
        if work.other(&place)?.is_none() {
            return Ok(Settled::NotDone(crate::clean!("{path} is as it was before{left}")));
        }
        let kept_is_old = match &work.old {
            Some(old) => Entry::open(&work.path.with_file_name(kept)).is_ok_and(|entry| entry.id() == old),
            None => true,
        };
        Ok(if place.has(&work.name()) && kept_is_old && work.restored()? {
            let old = if work.old.is_some() { format!("the old one is {kept}") } else { "there was none".to_owned() };
            Settled::Done(crate::clean!("{path} is as the backup is; {old}"))
        } else {
            Settled::Other(crate::clean!("{path} is another one than before, but not as the backup is{left}"))
        })
    }
}

/// What would be replaced, if it may be.
fn replaced(path: &Path, from: &Path, source: &Source) -> Result<(EntryId, Survey), Fault> {
    let entry = Entry::open(path)?;
    let id = entry.id().clone();
    entry.replaceable()?;
    let word = |folder| if folder { "a folder" } else { "a file" };
    if id.folder != source.entry.id().folder {
        let what = format!("{} is {}, the copy is {}.", path.display(), word(id.folder), word(!id.folder));
        return Err(Fault::new(what));
    }
    let around = Place::around(from)?.id()?;
    let (was, found) = survey(&entry, Some(around))?;
    if found.holds {
        return Err(Fault::new(format!("{} lies inside of what it would replace.", from.display())));
    }
    if !id.folder && found.outside.is_some() {
        return Err(Fault::new(format!("{} has other names (hard links).", path.display()))
            .hint("They would keep the old content."));
    }
    Ok((id, was))
}

/// The copy that is meant.
fn newest(from: PathBuf, listed: bool) -> Result<PathBuf, Fault> {
    let name = name_of(&from)?;
    let Some(with) = name.strip_suffix('*').filter(|_| listed) else { return Ok(from) };
    let place = Place::trusted(from.parent().unwrap_or(Path::new("/")))?;
    let lists = place.beginning(with)?;
    let newest = lists.iter().rev().find_map(|list| list.strip_suffix(".sha256"));
    newest.map(|name| place.path().join(name)).ok_or_else(|| {
        Fault::new(format!("there is no backup {}.", from.display())).hint("A copy without its list is none.")
    })
}
