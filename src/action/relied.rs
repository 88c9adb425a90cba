//! A backup that an action relies on: which one is the newest, and whether it is as young as its profile wants. One that
//! is not makes the prompt heavier, for more is at stake; where the action makes a backup itself, that is only said.

use super::plan::Precondition;
use super::prepare::duration;
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, Wall};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    folder: PathBuf,
    of: String,
    max_age: String,
}

/// `backup = { folder = "/var/backups", of = "index", max_age = "24h" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relied {
    folder: PathBuf,
    /// What its name begins with.
    of: String,
    max_age: Duration,
}

/// What a plan relies on: looked at again before the first effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReliedOn {
    which: Relied,
    /// When it was written, and its name; `None` where there was none.
    newest: Option<(Wall, Clean)>,
    /// Whether it was as its profile wants it.
    good: bool,
}

impl ReliedOn {
    /// What is worse now than the plan says. A newer one, made meanwhile, is no harm.
    pub fn difference(&self, now: Wall) -> Option<Clean> {
        let (row, wrong, seen) = self.which.look(now);
        let newer = seen.newest.as_ref().map(|(at, _)| *at) > self.newest.as_ref().map(|(at, _)| *at);
        if !newer && seen.newest != self.newest {
            let was = self.newest.as_ref().map(|(_, name)| name.as_str()).unwrap_or_default();
            return Some(crate::clean!("the newest backup of {} was {was} and is {}", self.which.of, row.value));
        }
        wrong.filter(|_| self.good)
    }
}

impl Relied {
    /// Takes the key `backup`.
    ///
    /// # Errors
    /// A path that is relative, a name that is a path, no duration.
    pub fn take(body: &mut Body) -> Result<Option<Self>, Fault> {
        let here = body.clone();
        let Some(Table { folder, of, max_age }) = body.take("backup")? else { return Ok(None) };
        if !folder.is_absolute() {
            return Err(here.fault_at("backup", "`folder` is an absolute path."));
        }
        if of.is_empty() || of.contains('/') {
            return Err(here.fault_at("backup", "`of` is what the name of the backup begins with, such as \"index\"."));
        }
        Ok(Some(Self { folder, of, max_age: duration(&max_age, &here)? }))
    }

    /// Looks at it for a plan: adds its row, and what is wrong with it.
    pub fn tell(&self, now: Wall, based_on: &mut Vec<Precondition>, troubles: &mut Vec<Clean>) -> ReliedOn {
        let (row, wrong, on) = self.look(now);
        based_on.push(row);
        troubles.extend(wrong);
        on
    }

    /// How the newest one stands, what is wrong with it, if anything is, and what a plan keeps of it.
    pub fn look(&self, now: Wall) -> (Precondition, Option<Clean>, ReliedOn) {
        let of = crate::clean!("backup of {}", self.of);
        let wanted = Age(self.max_age);
        let newest = self.newest();
        let (value, wrong) = match &newest {
            None => {
                let none = crate::clean!("none in {}", self.folder.display());
                (none.clone(), Some(crate::clean!("{of}: {none}, and its profile wants one of the last {wanted}")))
            }
            Some((at, name)) => match u64::try_from(now.0.saturating_sub(at.0)).map(Duration::from_nanos) {
                Err(_) => {
                    let ahead = crate::clean!("{name} is from the future: its age is unknown");
                    (ahead.clone(), Some(ahead))
                }
                Ok(age) => {
                    let old = (age > self.max_age).then(|| {
                        crate::clean!(
                            "the newest {of} is {} old, and its profile wants one of the last {wanted}",
                            Age(age)
                        )
                    });
                    (crate::clean!("{name}, {} old", Age(age)), old)
                }
            },
        };
        let on = ReliedOn { which: self.clone(), newest, good: wrong.is_none() };
        (Precondition { label: of, value, age: Duration::ZERO, metric: None }, wrong, on)
    }

    /// By the time it was written: a copy that keeps the times of what it copies has its list beside it.
    fn newest(&self) -> Option<(Wall, Clean)> {
        let found = std::fs::read_dir(&self.folder).ok()?.filter_map(Result::ok).filter_map(|entry| {
            let name = entry.file_name();
            let ours = name.as_encoded_bytes().starts_with(self.of.as_bytes());
            let written =
                ours.then(|| entry.metadata()).and_then(|about| about.and_then(|about| about.modified()).ok())?;
            let at = i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
            Some((at, name))
        });
        let (at, name) = found.max()?;
        Some((Wall(at), Clean::text(name.as_encoded_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::SystemTime;

    fn relied(text: &str) -> Result<Option<Relied>, Fault> {
        Relied::take(&mut Body::parse("p.toml", text)?)
    }

    #[test]
    fn the_newest_of_that_name_counts_and_one_that_is_too_old_or_absent_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let table = format!("backup = {{ folder = \"{}\", of = \"index\", max_age = \"24h\" }}", dir.path().display());
        let relied = relied(&table).unwrap().unwrap();
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let now = Wall(i64::try_from(hours(1_000_000).as_nanos()).unwrap());
        let look = || {
            let (row, wrong, _) = relied.look(now);
            (row.value.to_string(), wrong.map(|wrong| wrong.to_string()))
        };
        let make = |name: &str, ago: u64| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + hours(1_000_000 - ago)).unwrap();
        };
        make("other.backup", 1);
        let wrong = look().1.unwrap();
        assert!(wrong.contains("none in ") && wrong.ends_with("its profile wants one of the last 24h"), "{wrong}");
        make("index.backup-1", 90);
        make("index.backup-2", 30);
        let old = "the newest backup of index is 30h old, and its profile wants one of the last 24h";
        assert_eq!(look(), ("index.backup-2, 30h old".to_owned(), Some(old.to_owned())));
        make("index.backup-2.sha256", 3);
        assert_eq!(look(), ("index.backup-2.sha256, 3h old".to_owned(), None));
    }

    #[test]
    fn what_a_plan_relied_on_may_be_followed_by_a_newer_one_and_must_not_be_gone_or_grow_too_old() {
        let dir = tempfile::tempdir().unwrap();
        let table = format!("backup = {{ folder = \"{}\", of = \"index\", max_age = \"24h\" }}", dir.path().display());
        let relied = relied(&table).unwrap().unwrap();
        let hour = |hour: u64| Duration::from_secs(hour * 3_600);
        let at = |hours: u64| Wall(i64::try_from(hour(hours).as_nanos()).unwrap());
        let make = |name: &str, hours: u64| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + hour(hours)).unwrap();
        };
        let remove = |name: &str| std::fs::remove_file(dir.path().join(name)).unwrap();
        let differs = |on: &ReliedOn, hours| on.difference(at(hours)).map(|what| what.to_string());
        let none = relied.look(at(100)).2;
        make("index-1", 90);
        let first = relied.look(at(100)).2;
        assert_eq!((differs(&none, 100), differs(&first, 101)), (None, None), "one that came is no harm");
        assert!(differs(&first, 115).unwrap().contains("the newest backup of index is 25h old"));
        make("index-2", 95);
        let second = relied.look(at(100)).2;
        assert_eq!(differs(&first, 100), None);
        remove("index-2");
        assert_eq!(differs(&second, 100).unwrap(), "the newest backup of index was index-2 and is index-1, 10h old");
        remove("index-1");
        assert!(differs(&second, 100).unwrap().contains("was index-2 and is none in "));
        assert_eq!(differs(&none, 100), None, "what was not there is not missed");
        // It came back under a time that is no other: it is that one.
        make("index-2", 95);
        let old = relied.look(at(200)).2;
        assert_eq!((differs(&second, 101), differs(&old, 201)), (None, None), "too old then, and said so");
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for wrong in [
            "backup = { folder = \"backups\", of = \"index\", max_age = \"24h\" }",
            "backup = { folder = \"/b\", of = \"\", max_age = \"24h\" }",
            "backup = { folder = \"/b\", of = \"a/b\", max_age = \"24h\" }",
            "backup = { folder = \"/b\", of = \"a\", max_age = \"soon\" }",
            "backup = { folder = \"/b\", of = \"a\" }",
        ] {
            assert!(relied(wrong).is_err(), "{wrong}");
        }
        assert!(relied("").unwrap().is_none());
    }
}
