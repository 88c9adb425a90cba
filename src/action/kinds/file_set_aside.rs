//! `file_set_aside`: renames a file or a folder in its own folder instead of deleting it.
//!
//! ```toml
//! [actions.set-old-index-aside]
//! kind  = "file_set_aside"
//! path  = "/var/lib/app/index"
//! below = "/var/lib/app"            # nothing outside of it, and not itself
//! # path = "{which}", params = { which = { matches = "/var/lib/app/.+", value = "…", ask = true } }: the operator chooses
//! # to = "old": its new name, which must be free; else one with the time
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::files::{plain, stamped};
use crate::action::left::{Left, Part};
use crate::action::lifecycle::Run;
use crate::action::params::Params;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault, Unit};
use crate::sys::entry::{Entry, EntryId};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The kind.
#[derive(Debug)]
pub struct FileSetAside;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    /// Its new name, in the same folder.
    aside: String,
    id: EntryId,
    /// What the run left that this takes back.
    #[serde(default)]
    left: Option<Left>,
}

impl Work {
    fn to(&self) -> PathBuf {
        self.path.with_file_name(&self.aside)
    }
}

impl Kind for FileSetAside {
    fn name(&self) -> &'static str {
        "file_set_aside"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "renames a file or a folder in its own folder instead of deleting it"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let params = Params::take(body, cx.given)?;
        let path: String = body.need("path")?;
        let whole = params.whole(&path).map_err(|fault| table.placed("path", fault))?;
        let path = PathBuf::from(whole.unwrap_or(&path));
        let below: PathBuf = body.need("below")?;
        let to: Option<String> = body.take("to")?;
        let of = body.take("of")?.map(|action| Of::read(action, body)).transpose()?;
        body.done(&[COMMON, &["path", "below", "to", "params"]].concat())?;
        // Only what comes back may be hidden: it has had that name.
        let begins = |to: &str| to.starts_with('.') && (of.is_none() || to == "." || to == "..");
        if to.as_ref().is_some_and(|to| to.is_empty() || to.contains('/') || begins(to)) {
            return Err(table.fault_at("to", "a new name in the same folder, that does not begin with a dot."));
        }
        check(&path, &below).map_err(|what| table.fault_at("path", what))?;
        cx.read()?;
        let entry = Entry::open(&path)?;
        entry.replaceable()?;
        if entry.is_linked() {
            let what = format!("{} has other names (hard links), which would keep it in use.", path.display());
            return Err(table.fault_at("path", what));
        }
        let kinds = ["file_set_aside", "file_restore"];
        let left = of.map(|of| Left::of(&of, cx.state, &kinds, &[&path])).transpose()?;
        left.as_ref().map_or(Ok(()), Left::untouched)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = to.unwrap_or_else(|| stamped(&name, "set-aside", cx.clock, cx.id));
        if entry.has_beside(&aside) {
            return Err(Fault::new(format!("{} is there already.", Clean::text(&aside))));
        }
        let (id, size) = (entry.id().clone(), entry.size());
        let what = if id.folder { "a folder" } else { "a file" };
        let hits = match size {
            Some((1, bytes)) => crate::clean!("{what}, 1 file, {}", Unit::Bytes.show(bytes as f64)),
            Some((files, bytes)) => crate::clean!("{what}, {files} files, {}", Unit::Bytes.show(bytes as f64)),
            None => crate::clean!("{what} of more than 100,000 entries"),
        };
        let seen = Precondition {
            label: Clean::text(path.as_os_str().as_encoded_bytes()),
            value: crate::clean!("{what}, inode {}", id.ino),
            age: Duration::ZERO,
            metric: None,
        };
        let work = Work { path: path.clone(), aside, id: id.clone(), left };
        let to = work.to();
        Ok(Draft {
            lines: vec![crate::clean!("rename {}", path.display()), crate::clean!("    to {}", to.display())],
            target: name,
            hits: vec![hits, Clean::from("who has it open goes on with it under its new name")],
            undo: Undo::How(crate::clean!("rename {} back", to.display())),
            based_on: vec![seen],
            targets: vec![Target::Entry { path, id }],
            work: to_work(&work)?,
            raise: Vec::new(),
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let now = Entry::open(&work.path)?;
        if *now.id() != work.id {
            return Ok(vec![crate::clean!("{} is another one now", work.path.display())]);
        }
        work.left.as_ref().map_or_else(|| Ok(Vec::new()), Left::differences)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["rename"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let entry = Entry::open(&work.path).map_err(StepError::Failed)?;
        if *entry.id() != work.id {
            let what = format!("{} is another one now.", work.path.display());
            return Err(StepError::Failed(Fault::new(what)));
        }
        entry.rename(&work.aside).map_err(StepError::Failed)?;
        entry.sync_folder().map_err(StepError::Unknown)?;
        let left = Left::keep(doing.run, &[(Part::Aside, &work.to())]);
        Ok(crate::clean!("{} is now {}{left}", work.path.display(), work.to().display()))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok()?;
        let name = work.path.file_name()?.to_str()?.to_owned();
        let (path, below) = (("path", back::value(&work.to())), ("below", back::value(&work.path.parent()?)));
        let of = ("of", Some(plan.what.action.clone().into()));
        Some(("file_set_aside", back::table([path, below, ("to", Some(name.into())), of, back::run(plan)])))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let there = |path: &Path| Entry::open(path).is_ok_and(|entry| entry.id().ino == work.id.ino);
        let (path, to) = (work.path.display(), work.to());
        Ok(match (there(&work.path), there(&to)) {
            (false, true) => Settled::Done(crate::clean!("{path} is set aside as {}", to.display())),
            (true, false) => Settled::NotDone(crate::clean!("{path} is where it was")),
            _ => Settled::Other(crate::clean!("neither {path} nor {} is what the plan meant", to.display())),
        })
    }
}

fn check(path: &Path, below: &Path) -> Result<(), String> {
    if !plain(path) || !plain(below) {
        return Err("`path` and `below` are absolute paths without `..`.".to_owned());
    }
    if below.components().count() < 3 {
        return Err(format!("`below = \"{}\"` is too much: name the folder of one program.", below.display()));
    }
    if path == below || !path.starts_with(below) {
        return Err(format!("{} is not below {}.", path.display(), below.display()));
    }
    Ok(())
}
