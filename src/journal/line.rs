//! One record read back: typed where every record has it, as it stands where each event has its own.

use super::show::sentence;
use super::verify::segments;
use crate::base::{Clean, Fault, Mono, Now, Ulid, Wall};
use crate::sys::files;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::path::Path;

/// A file is never larger by much more than one record.
const LIMIT: u64 = 32 * 1024 * 1024;

/// One record as its file has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// When, by the wall clock.
    #[serde(rename = "ts", deserialize_with = "wall")]
    pub at: Wall,
    /// The boot that [`Line::mono`] counts from.
    pub boot: Clean,
    /// When, in nanoseconds of that boot.
    #[serde(rename = "bt_ns")]
    pub mono: Mono,
    /// The machine's id.
    pub host: Clean,
    /// Whose session wrote it.
    pub sess: Ulid,
    /// On whose behalf.
    pub who: Who,
    /// What happened: a name of [`super::EVENTS`], or of a newer program.
    pub ev: Clean,
    /// Action and kind.
    pub act: Option<Clean>,
    /// The plan.
    pub plan: Option<Ulid>,
    /// Targets.
    #[serde(default)]
    pub target: Value,
    /// Exact commands or diff.
    #[serde(default)]
    pub args: Vec<Clean>,
    /// The result.
    #[serde(default)]
    pub res: Value,
}

/// On whose behalf a record was written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Who {
    /// The login's name.
    pub login: Clean,
}

impl Line {
    /// A text of the target.
    pub fn of_target(&self, key: &str) -> Option<Clean> {
        self.target.get(key)?.as_str().map(Clean::text)
    }

    /// A text of the result.
    pub fn of_res(&self, key: &str) -> Option<Clean> {
        self.res.get(key)?.as_str().map(Clean::text)
    }

    /// Both clocks; the monotonic part is zero when the record is of another boot than this.
    pub fn moment(&self, boot: &Clean) -> Now {
        Now { mono: if self.boot == *boot { self.mono } else { Mono::default() }, wall: self.at }
    }

    /// What it says, where its event has a sentence of its own.
    pub fn sentence(&self) -> Option<Clean> {
        sentence(self.ev.as_str(), &self.target, &self.res).map(Clean::text)
    }
}

fn wall<'de, D: Deserializer<'de>>(from: D) -> Result<Wall, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
    Wall::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time"))
}

/// The records of the journal in `dir`, oldest first: from the newest file backwards, until `enough` says of what was
/// read so far that no older file is needed. A line that is no record is left out: `verify` tells of it.
///
/// # Errors
/// When the folder or a file cannot be read.
pub fn back(dir: &Path, enough: &dyn Fn(&[Line]) -> bool) -> Result<Vec<Line>, Fault> {
    let mut all: Vec<Line> = Vec::new();
    for (_, path) in segments(dir)?.into_iter().rev() {
        let bytes = files::read(&path, LIMIT)?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut read: Vec<Line> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        read.append(&mut all);
        all = read;
        if enough(&all) {
            break;
        }
    }
    Ok(all)
}

/// Number and length of the newest file: while both stay, nothing new was recorded.
///
/// # Errors
/// When the folder cannot be read.
pub fn mark(dir: &Path) -> Result<(u64, u64), Fault> {
    let newest = segments(dir)?.pop();
    Ok(newest.map_or((0, 0), |(number, path)| (number, std::fs::metadata(path).map_or(0, |meta| meta.len()))))
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::session;
    use super::super::{Event, Journal, Record};
    use super::*;
    use crate::base::Clock;
    use crate::sys::clock::RealClock;
    use core::time::Duration;
    use std::sync::Arc;

    #[test]
    fn what_was_recorded_is_read_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let begun = RealClock.now();
        let journal = Journal::open(dir.path(), session(), Arc::new(RealClock)).unwrap();
        let mut record = Record::new(Event::AlertAck).res(serde_json::json!({ "note": "on \u{1b} it" }));
        record.target = serde_json::json!({ "alert": "GPU memory" });
        record.plan = Some(Ulid(42));
        journal.append(record);
        assert!(journal.settle(Duration::from_secs(60)));
        let lines = back(dir.path(), &|_| false).unwrap();
        let line = lines.last().unwrap();
        assert_eq!((line.ev.as_str(), line.plan, line.who.login.as_str()), ("alert.ack", Some(Ulid(42)), "oncall"));
        assert_eq!(line.sentence().unwrap().as_str(), "took GPU memory: on ␛ it");
        assert_eq!(line.of_target("alert").unwrap().as_str(), "GPU memory");
        // To the microsecond.
        assert!(line.at.0 + 1_000 > begun.wall.0 && line.mono >= begun.mono);
        assert_eq!(line.moment(&"b007".into()).mono, line.mono);
        assert_eq!(line.moment(&"another".into()).mono, Mono::default());
        let (number, length) = mark(dir.path()).unwrap();
        journal.append(Record::new(Event::SessionEnd));
        assert!(journal.settle(Duration::from_secs(60)));
        let later = mark(dir.path()).unwrap();
        assert!(later.0 == number && later.1 > length);
    }

    #[test]
    fn older_files_are_read_only_while_they_are_needed_and_rubbish_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let text = |name: &str| {
            let journal = Journal::open(&dir.path().join(name), session(), Arc::new(RealClock)).unwrap();
            journal.append(Record::new(Event::SessionEnd));
            assert!(journal.close(Duration::from_secs(60)));
            let path = std::fs::read_dir(dir.path().join(name)).unwrap().next().unwrap().unwrap().path();
            (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap())
        };
        let (name, first) = text("a");
        let name = name.into_string().unwrap();
        let next = name.replacen('1', "2", 1);
        assert_ne!(name, next);
        let both = dir.path().join("both");
        std::fs::create_dir(&both).unwrap();
        std::fs::write(both.join(&name), &first).unwrap();
        std::fs::write(both.join(&next), [&b"{\"v\":1,\n[]\n\n"[..], &first].concat()).unwrap();
        let all = back(&both, &|_| false).unwrap().len();
        assert_eq!(back(&both, &|_| true).unwrap().len() * 2, all);
        assert!(back(&dir.path().join("none"), &|_| true).is_err());
    }
}
