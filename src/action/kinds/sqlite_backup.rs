//! `sqlite_backup`: a copy of a SQLite database while its program writes, by SQLite's online backup, with the rights of the
//! database's owner. The copy must pass SQLite's own integrity check; then it is read back, named, and listed as a
//! `file_backup` is, so `file_restore` takes it.
//!
//! ```toml
//! [actions.back-up-orders]
//! kind   = "sqlite_backup"
//! path   = "/var/lib/app/orders.db"
//! to     = "/var/backups"              # only root or this login may change it; the owner must be able to enter it
//! sqlite = "/usr/bin/sqlite3"          # SQLite's own program, as when absent; without it nothing can be done
//! patience = "10m"                     # for the copy, and for the check; 10 minutes when absent
//! ```

use super::backup_remove;
use super::file_backup::{Named, before, removed};
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back;
use crate::action::doing::{Doing, quoted};
use crate::action::files::{name_of, path_of, seen, stamped};
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context, duration};
use crate::base::{Body, Clean, Clock, Fault, Unit};
use crate::sys::entry::{Entry, EntryId};
use crate::sys::host::user_name;
use crate::sys::program::{Ended, Order};
use crate::sys::tree::{Head, Owned, Place, Survey, beginning, copy, owners, read_back, remove, survey};
use crate::sys::tree::{take_on, write_list};
use crate::sys::trust::{Owners, helper};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What every database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Gives a program the rights of another user, of util-linux.
const SETPRIV: &str = "/usr/bin/setpriv";
/// For the copy, and for the check, when the profile does not say.
const PATIENCE: Duration = Duration::from_secs(600);
/// For a lock of the database's program, in milliseconds.
const BUSY: u32 = 10_000;

/// The kind.
#[derive(Debug)]
pub struct SqliteBackup;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    id: EntryId,
    owned: Owned,
    to: PathBuf,
    name: String,
    sqlite: PathBuf,
    patience: Duration,
}

impl Work {
    fn named(&self) -> Named<'_> {
        Named { to: &self.to, name: &self.name }
    }

    /// Where SQLite writes: a folder of the owner's.
    fn stage(&self) -> String {
        format!(".{}.stage", self.name)
    }

    fn staged(&self) -> PathBuf {
        self.to.join(self.stage()).join("copy.db")
    }

    /// SQLite's program, as the owner of the database.
    fn order(&self, words: [String; 3]) -> Order {
        let sqlite = self.sqlite.display().to_string();
        // Settings of whoever runs this are none of the copy's.
        let env = vec![("HOME".to_owned(), "/nonexistent".to_owned())];
        let words = ["-batch".to_owned()].into_iter().chain(words);
        if rustix::process::geteuid().as_raw() == self.owned.uid {
            return Order { program: self.sqlite.clone(), args: words.collect(), env, ..Order::default() };
        }
        let (uid, gid) = (self.owned.uid, self.owned.gid);
        let rights = [format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()];
        let args = rights.into_iter().chain(["--".to_owned(), sqlite]).chain(words).collect();
        Order { program: SETPRIV.into(), args, env, ..Order::default() }
    }

    fn copying(&self) -> Order {
        let (path, to) = (self.path.display(), self.staged());
        let to = to.display();
        self.order([format!("file:{path}?mode=ro"), format!(".timeout {BUSY}"), format!(".backup main '{to}'")])
    }

    fn checking(&self) -> Order {
        let to = self.staged();
        let last = "PRAGMA integrity_check;".to_owned();
        self.order([format!("file:{}?mode=ro&immutable=1", to.display()), ".bail on".to_owned(), last])
    }

    fn run(&self, doing: &Doing<'_>, order: &Order) -> Result<Vec<u8>, Fault> {
        // What a program left that did not end well is in a folder that is removed: nothing of it counts.
        let ran = doing.program(order, self.patience).map_err(StepError::fault)?;
        let said = ran.stderr.last_line().map_or_else(String::new, |line| format!(": {line}"));
        // SQLite's program may end well in spite of an error.
        if ran.ended == Ended::Code(0) && said.is_empty() {
            return Ok(ran.stdout.bytes());
        }
        Err(Fault::new(format!("SQLite ended with {}{said}.", ran.ended)))
    }

    fn copy(&self, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let place = Place::trusted(&self.to).map_err(StepError::Failed)?;
        let made = place.private(&self.stage(), self.owned.uid, self.owned.gid).and_then(|()| {
            (doing.tell)(Clean::from("SQLite copies"));
            self.run(doing, &self.copying())?;
            Entry::open(&self.staged()).and_then(|entry| survey(&entry, None))
        });
        match made {
            Ok((survey, _)) => Ok(crate::clean!("{} copied", Unit::Bytes.show(survey.bytes as f64))),
            Err(fault) => Err(self.cleared(&place, fault)),
        }
    }

    fn check(&self, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let place = Place::trusted(&self.to).map_err(StepError::Failed)?;
        let check = || {
            (doing.tell)(Clean::from("SQLite checks the copy"));
            let said = self.run(doing, &self.checking())?;
            if said.trim_ascii() != b"ok" {
                let first = Clean::text(said.split(|byte| *byte == b'\n').next().unwrap_or_default());
                return Err(Fault::new(format!("the copy does not pass SQLite's integrity check: {first}.")));
            }
            // From here on its owner cannot put another file there.
            place.take_back(&self.stage())?;
            let staged = Entry::open(&self.staged())?;
            let (_, found) = survey(&staged, None)?;
            if owned(&staged)?.uid != self.owned.uid || found.outside.is_some() {
                return Err(Fault::new("the copy was replaced by something else."));
            }
            // Into a file that nobody else has ever had open.
            let rows = copy(&staged, &place, &self.named().part(), &mut |_| !(doing.stops)())?.rows;
            take_on(&place, &self.named().part(), &Entry::open(&self.path)?)?;
            let whole = Entry::open(&self.to.join(self.named().part()))?;
            read_back(&whole, &rows, &mut |_| !(doing.stops)())?;
            let (now, _) = survey(&whole, None)?;
            let head = Head { shape: now.shape, bytes: now.bytes };
            place.create(&self.named().list_part(), &write_list(&self.name, &head, &rows))?;
            remove(&place, &self.stage())
        };
        match check() {
            Ok(()) => Ok(Clean::from("integrity check passed, and read back")),
            Err(fault) => Err(self.cleared(&place, fault)),
        }
    }

    fn cleared(&self, place: &Place, fault: Fault) -> StepError {
        match remove(place, &self.stage()) {
            Ok(()) => self.named().clear(place, fault),
            Err(left) => self.named().clear(place, fault.hint(left.to_string())),
        }
    }
}

impl Kind for SqliteBackup {
    fn name(&self) -> &'static str {
        "sqlite_backup"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "copies a SQLite database while it is written to, checks the copy, and lists its digest"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let (path, to) = (path_of(body, "path")?, path_of(body, "to")?);
        let sqlite: Option<PathBuf> = body.take("sqlite")?;
        let patience: Option<String> = body.take("patience")?;
        body.done(&[COMMON, &["path", "to", "sqlite", "patience"]].concat())?;
        let patience = patience.map_or(Ok(PATIENCE), |text| duration(&text, body))?;
        let sqlite = sqlite.unwrap_or_else(|| "/usr/bin/sqlite3".into());
        for path in [&path, &to] {
            check_name(path)?;
        }
        cx.read()?;
        let (entry, place) = (Entry::open(&path)?, Place::trusted(&to)?);
        let (now, owned) = database(&entry)?;
        programs(&owned, &sqlite)?;
        place.writable()?;
        let room = room(&place, &now, &path)?;
        let base = name_of(&path)?;
        let (id, name) = (entry.id().clone(), stamped(&base, "backup", cx.clock, cx.id));
        let mut hits = vec![crate::clean!("a database of {}", Unit::Bytes.show(now.bytes as f64))];
        hits.push(Clean::from("a long copy keeps its log from being shortened meanwhile"));
        hits.extend(before(&place, &base, &now));
        let work = Work { path: path.clone(), id: id.clone(), owned, to, name, sqlite, patience };
        let copy = work.named().whole();
        let mut lines = vec![shown(&work.copying()), shown(&work.checking())];
        lines.push(crate::clean!("copy it to {0}, list {0}.sha256", copy.display()));
        let owner = crate::clean!("inode {}, of {}", id.ino, user_name(owned.uid));
        let based_on = vec![seen(path.to_string_lossy(), owner), seen(work.to.to_string_lossy(), room)];
        Ok(Draft {
            lines,
            target: base,
            hits,
            undo: Undo::How(Clean::from("remove the copy and its list")),
            based_on,
            targets: vec![Target::Entry { path, id }],
            work: to_work(&work)?,
            raise: Vec::new(),
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let (entry, place) = (Entry::open(&work.path)?, Place::trusted(&work.to)?);
        if *entry.id() != work.id {
            return Ok(vec![crate::clean!("{} is another one now", work.path.display())]);
        }
        let (now, owned) = database(&entry)?;
        programs(&owned, &work.sqlite)?;
        room(&place, &now, &work.path)?;
        let same = owned == work.owned;
        Ok(if same { Vec::new() } else { vec![crate::clean!("owner or mode of {} changed", work.path.display())] })
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["copy", "check", "publish"]
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        match name {
            "copy" => work.copy(doing),
            "check" => work.check(doing),
            _ => work.named().publish(doing.run),
        }
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        work::<Work>(plan).ok().map(|work| backup_remove::way_back(plan, &work.named().whole()))
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok().filter(|_| before != "copy")?;
        let place = Place::trusted(&work.to).ok()?;
        Some(removed(work.cleared(&place, Fault::new("what was copied is removed."))))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        match work.named().settled(|_| true)? {
            Settled::NotDone(_) if Place::trusted(&work.to)?.has(&work.stage()) => {
                let stage = work.to.join(work.stage());
                let what = crate::clean!("there is no backup; half of one is left: remove {}", stage.display());
                Ok(Settled::NotDone(what))
            }
            settled => Ok(settled),
        }
    }
}

/// Paths stand in words of SQLite's own, so they hold nothing that it would read otherwise.
fn check_name(path: &Path) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._@-".contains(c);
    if path.to_str().is_some_and(|text| text.chars().all(plain)) {
        return Ok(());
    }
    let shown = Clean::text(path.as_os_str().as_encoded_bytes());
    Err(Fault::new(format!("{shown} holds characters that SQLite would read otherwise.")))
}

/// What is known of a database without opening it as one.
fn database(entry: &Entry) -> Result<(Survey, Owned), Fault> {
    let path = entry.path().display();
    if entry.id().folder || beginning(entry, MAGIC.len())? != MAGIC {
        return Err(Fault::new(format!("{path} is no SQLite database.")));
    }
    let (now, found) = survey(entry, None)?;
    if found.outside.is_some() {
        return Err(Fault::new(format!("{path} has other names (hard links): its log may be beside another.")));
    }
    Ok((now, owned(entry)?))
}

fn owned(entry: &Entry) -> Result<Owned, Fault> {
    owners(entry)?.remove(Path::new("")).ok_or_else(|| Fault::new("it is gone."))
}

/// Twice the database: what SQLite writes, and what is kept.
fn room(place: &Place, now: &Survey, path: &Path) -> Result<Clean, Fault> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = Path::new(&log).symlink_metadata().map_or(0, |meta| meta.len());
    let all = Survey { on_disk: now.on_disk.saturating_add(log).saturating_mul(2), ..now.clone() };
    crate::action::files::room(place, &all)
}

/// Refuses where the owner's rights cannot be had, or a program is not to be trusted.
fn programs(owned: &Owned, sqlite: &Path) -> Result<(), Fault> {
    let own = rustix::process::geteuid();
    let mut needed = vec![sqlite];
    if own.as_raw() != owned.uid {
        if !own.is_root() {
            let owner = user_name(owned.uid);
            return Err(Fault::new(format!(
                "only {owner}, its owner, or root may copy it: others would leave files of theirs beside it."
            )));
        }
        needed.push(Path::new(SETPRIV));
    }
    for program in needed {
        if let Some(fault) = helper(program, Owners::effective())?.distrust {
            return Err(fault);
        }
    }
    Ok(())
}

fn shown(order: &Order) -> Clean {
    crate::clean!("{} {}", order.program.display(), quoted(&order.args))
}
