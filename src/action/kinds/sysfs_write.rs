//! `sysfs_write`: one value into switches of the kernel, such as a cap of the CPU frequency or memory compaction. Each
//! old value is kept with the run.
//!
//! ```toml
//! [actions.cap-frequency]
//! kind  = "sysfs_write"
//! path  = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq"    # one `*` in one part; below /sys or /proc/sys
//! value = "1800000"
//!
//! [actions.free-frequency]
//! kind  = "sysfs_write"
//! path  = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq"
//! back  = "cap-frequency"           # what the newest run of this action on this path found, instead of value
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::files;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where switches are.
const ROOTS: [&str; 2] = ["/sys/", "/proc/sys/"];
/// More are not written at once.
const MOST: usize = 1_024;
/// A value is not longer, in bytes.
const LONGEST: usize = 64;

/// The kind.
#[derive(Debug)]
pub struct SysfsWrite;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: String,
    value: String,
    /// What each said; empty for those that can only be written.
    before: BTreeMap<PathBuf, String>,
    /// What each is to say, where that is not `value`: a way back.
    #[serde(default)]
    each: BTreeMap<PathBuf, String>,
}

impl Work {
    fn wanted(&self, path: &Path) -> &str {
        self.each.get(path).unwrap_or(&self.value)
    }

    /// In words: one value, or that it is each one's old value.
    fn words(&self) -> Clean {
        if self.each.is_empty() { Clean::text(&self.value) } else { Clean::from("its old value") }
    }

    /// What would be written.
    fn lines(&self, was: &Clean) -> Vec<Clean> {
        let mut values: Vec<&String> = self.each.values().collect();
        values.sort();
        values.dedup();
        match values.as_slice() {
            [] => vec![crate::clean!("{}   {was} → {}", self.path, self.value)],
            [value] => vec![crate::clean!("{}   {was} → {value}", self.path)],
            _ => {
                let line = |(path, value): (&PathBuf, &String)| {
                    let old = self.before.get(path).map_or("", String::as_str);
                    crate::clean!("{}   {} → {value}", path.display(), Clean::text(old))
                };
                self.each.iter().map(line).collect()
            }
        }
    }
}

impl Kind for SysfsWrite {
    fn name(&self) -> &'static str {
        "sysfs_write"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "writes one value into switches of the kernel and keeps the old ones"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let path: String = body.need("path")?;
        let back: Option<String> = body.take("back")?;
        let back = back.map(|action| Of::read(action, body)).transpose()?;
        let value: String = if back.is_some() { "as before".to_owned() } else { body.need("value")? };
        body.done(&[COMMON, &["path", "value", "back"]].concat())?;
        if value.is_empty() || value.len() > LONGEST || value.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            return Err(table.fault_at("value", "a switch takes one line of up to 64 plain characters."));
        }
        cx.read()?;
        let before = look(&path).map_err(|what| table.fault_at("path", what))?;
        let each = back.map_or_else(|| Ok(BTreeMap::new()), |back| found_by(&back, &path, &before, cx))?;
        let work = Work { path, value, before: before.clone(), each };
        let (first, old) = before.first_key_value().map(|(path, old)| (path.clone(), old.clone())).unwrap_or_default();
        if before.iter().all(|(path, old)| old == work.wanted(path)) {
            let is = work.words();
            return Err(Fault::new(format!("nothing would change: {} is {is} already.", first.display())));
        }
        let only_written = before.values().all(String::is_empty);
        let undo = if only_written {
            Undo::Irreversible
        } else {
            Undo::How(crate::clean!("write the old values back: {}", run.backup_dir().join("values").display()))
        };
        let told = if only_written { "can only be written".to_owned() } else { old };
        let differ = before.values().any(|old| *old != told);
        let was = if differ && !only_written { Clean::from("each its own") } else { Clean::text(&told) };
        let based_on = Precondition {
            label: Clean::text(first.as_os_str().as_encoded_bytes()),
            value: Clean::text(told),
            age: Duration::ZERO,
            metric: None,
        };
        let name = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Draft {
            lines: work.lines(&was),
            target: name,
            hits: vec![crate::clean!("{} of the kernel", counted(before.len()))],
            undo,
            based_on: vec![based_on],
            targets: vec![Target::Switches { values: before.clone() }],
            work: to_work(&work)?,
            raise: Vec::new(),
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let now = look(&work.path).map_err(Fault::new)?;
        let all: std::collections::BTreeSet<&PathBuf> = now.keys().chain(work.before.keys()).collect();
        let differs = all.into_iter().filter(|path| now.get(*path) != work.before.get(*path));
        let say = |value: Option<&String>| Clean::text(value.map_or("nothing", String::as_str));
        Ok(differs
            .map(|path| crate::clean!("{}: {} → {}", path.display(), say(work.before.get(path)), say(now.get(path))))
            .collect())
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        let work: Work = work(plan)?;
        files::private_dir(&doing.run.backup_dir())?;
        let lines = work.before.iter().map(|(path, value)| format!("{}\t{value}\n", path.display()));
        let (to, text) = (doing.run.backup_dir().join("values"), lines.collect::<String>());
        files::create_exclusive(&to, 0o600, text.as_bytes())?;
        if files::read(&to, 1 << 20)? == text.as_bytes() {
            Ok(true)
        } else {
            Err(Fault::new(format!("{} does not read back as it was written.", to.display())))
        }
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["write"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        for (done, path) in work.before.keys().enumerate() {
            (doing.tell)(crate::clean!("{done} of {}", counted(work.before.len())));
            write(path, work.wanted(path)).map_err(|error| {
                let fault = files::fault("write to", path, &error);
                let fault = fault.hint(format!("{} were written before it.", counted(done)));
                if done == 0 { StepError::Failed(fault) } else { StepError::Unknown(fault) }
            })?;
        }
        Ok(crate::clean!("{} written", counted(work.before.len())))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok().filter(|work: &Work| work.before.values().all(|old| !old.is_empty()))?;
        let of = Some(plan.what.action.clone().into());
        Some(("sysfs_write", back::table([("path", Some(work.path.into())), ("back", of), back::run(plan)])))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        // What can only be written says nothing of itself.
        if work.before.values().all(String::is_empty) {
            return None;
        }
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let now = look(&work.path).map_err(Fault::new)?;
        let at = now.iter().filter(|(path, value)| *value == work.wanted(path)).count();
        let path = &work.path;
        Ok(if at == now.len() {
            Settled::Done(crate::clean!("{path} is {} everywhere", work.words()))
        } else if now == work.before {
            Settled::NotDone(crate::clean!("{path} is as it was before"))
        } else {
            Settled::Other(crate::clean!(
                "{path} is {} in {at} of {}: the kernel took no more",
                work.words(),
                now.len()
            ))
        })
    }
}

/// What the run that is taken back found in each of these switches.
fn found_by(
    of: &Of,
    path: &str,
    now: &BTreeMap<PathBuf, String>,
    cx: &Context<'_>,
) -> Result<BTreeMap<PathBuf, String>, Fault> {
    let done = of.find(cx.state, "sysfs_write", |_, plan| work(plan).ok().filter(|done: &Work| done.path == path))?;
    for (path, is) in now {
        let old = done.before.get(path).filter(|old| !old.is_empty());
        let old = old.ok_or_else(|| Fault::new(format!("what {} said before is not known.", path.display())))?;
        if is != done.wanted(path) && is != old {
            return Err(Fault::new(format!("{} was changed since by {}.", path.display(), of.others()))
                .hint(format!("It was {} before: decide by hand.", Clean::text(old))));
        }
    }
    Ok(done.before)
}

fn counted(switches: usize) -> String {
    if switches == 1 { "1 switch".to_owned() } else { format!("{switches} switches") }
}

fn write(path: &Path, value: &str) -> std::io::Result<()> {
    // In one call: the kernel takes each as a whole value.
    std::fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// Every switch of this path.
pub(in crate::action) fn switches(path: &str) -> Result<Vec<PathBuf>, String> {
    let below = ROOTS.iter().any(|root| path.starts_with(root)) && !path.contains("/../");
    if !below || path.matches('*').count() > 1 {
        return Err("a switch is below /sys or /proc/sys, with at most one `*`.".to_owned());
    }
    let found: Vec<PathBuf> = match path.split_once('*') {
        None => vec![PathBuf::from(path)],
        Some((before, after)) => {
            let (dir, prefix) = before.rsplit_once('/').unwrap_or(("", before));
            let (suffix, rest) = after.split_once('/').map_or((after, ""), |(suffix, rest)| (suffix, rest));
            let entries = std::fs::read_dir(dir).map_err(|error| format!("{dir} cannot be listed: {error}."))?;
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let fits = |name: &String| {
                name.len() >= prefix.len() + suffix.len() && name.starts_with(prefix) && name.ends_with(suffix)
            };
            let whole = |name| {
                let part = Path::new(dir).join(name);
                if rest.is_empty() { part } else { part.join(rest) }
            };
            names.filter(fits).map(whole).filter(|path| path.exists()).collect()
        }
    };
    if found.is_empty() || found.len() > MOST {
        return Err(format!("{path} names {}; from 1 to {MOST} are written.", counted(found.len())));
    }
    Ok(found)
}

/// The same, and what each says.
fn look(path: &str) -> Result<BTreeMap<PathBuf, String>, String> {
    let says = |path: PathBuf| {
        let meta = std::fs::metadata(&path).map_err(|error| format!("{} cannot be seen: {error}.", path.display()))?;
        if !meta.is_file() {
            return Err(format!("{} is no switch.", path.display()));
        }
        // Of one that can only be written there is no old value.
        let value = std::fs::read_to_string(&path).map(|text| text.trim().to_owned()).unwrap_or_default();
        Ok((path, value))
    };
    switches(path)?.into_iter().map(says).collect()
}
