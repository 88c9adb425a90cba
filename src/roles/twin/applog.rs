//! A service's log, rotated by rename as real services do it; that of the demo's service is JSON, one object a line.

use crate::base::{Mono, Now};
use core::time::Duration;
use serde_json::{Map, Value};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file is rotated at this size or age, whichever comes first.
const MAX_BYTES: u64 = 1 << 20;
const MAX_AGE: Duration = Duration::from_mins(2);
/// Rotated files kept: `app.log.1` is the youngest.
const KEPT: u32 = 3;

/// The open log.
#[derive(Debug)]
pub(super) struct AppLog {
    path: PathBuf,
    file: File,
    bytes: u64,
    opened: Mono,
}

impl AppLog {
    /// Opens `app.log` in `folder` for appending.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn open(folder: &Path, now: Mono) -> io::Result<Self> {
        Self::at(folder.join("app.log"), now)
    }

    /// Opens this file for appending.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn at(path: PathBuf, now: Mono) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        Ok(Self { bytes: file.metadata()?.len(), path, file, opened: now })
    }

    /// Writes one line. `fields` follow time, level and message.
    ///
    /// # Errors
    /// What the system said; the line is lost then, the next one tries again.
    pub(super) fn line(&mut self, now: Now, level: &str, message: &str, fields: &[(&str, Value)]) -> io::Result<()> {
        let mut object = Map::new();
        object.insert("time".to_owned(), now.wall.rfc3339().into());
        object.insert("level".to_owned(), level.into());
        object.insert("message".to_owned(), message.into());
        object.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut line = Value::Object(object).to_string();
        line.push('\n');
        self.write(now, &line)
    }

    /// Writes whole lines, each with its end.
    ///
    /// # Errors
    /// As [`AppLog::line`].
    pub(super) fn write(&mut self, now: Now, line: &str) -> io::Result<()> {
        if self.bytes >= MAX_BYTES || now.mono.since(self.opened) >= MAX_AGE {
            self.rotate(now.mono)?;
        }
        self.file.write_all(line.as_bytes())?;
        self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(0));
        Ok(())
    }

    fn rotate(&mut self, now: Mono) -> io::Result<()> {
        let old = |number: u32| self.path.with_extension(format!("log.{number}"));
        for number in (1..KEPT).rev() {
            match std::fs::rename(old(number), old(number.saturating_add(1))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, old(1))?;
        self.file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        self.bytes = 0;
        self.opened = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Wall;

    fn at(second: u64) -> Now {
        Now { mono: Mono(second * 1_000_000_000), wall: Wall(1_795_230_767_000_000_000) }
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_an_object_with_time_level_and_message() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = AppLog::open(folder.path(), at(0).mono).unwrap();
        log.line(at(1), "WARN", "queue \"deep\"\n", &[("queue_depth", 1204.into())]).unwrap();
        let found = lines(&folder.path().join("app.log"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["time"], "2026-11-21T03:12:47.000000Z");
        assert_eq!(found[0]["level"], "WARN");
        assert_eq!(found[0]["message"], "queue \"deep\"\n");
        assert_eq!(found[0]["queue_depth"], 1204);
    }

    #[test]
    fn it_rotates_by_age_and_keeps_three() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = AppLog::open(folder.path(), at(0).mono).unwrap();
        for turn in 0..6_u64 {
            log.line(at(turn * 120), "INFO", &turn.to_string(), &[]).unwrap();
            log.line(at(turn * 120 + 119), "INFO", "still the same file", &[]).unwrap();
        }
        let first = |name: &str| lines(&folder.path().join(name)).first().map(|line| line["message"].clone());
        assert_eq!(first("app.log"), Some("5".into()));
        assert_eq!(first("app.log.1"), Some("4".into()));
        assert_eq!(first("app.log.3"), Some("2".into()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn it_rotates_by_size_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.log"), vec![b'\n'; 1 << 20]).unwrap();
        let mut log = AppLog::open(folder.path(), at(0).mono).unwrap();
        log.line(at(1), "INFO", "new", &[]).unwrap();
        assert_eq!(lines(&folder.path().join("app.log")).len(), 1);
        assert_eq!(std::fs::metadata(folder.path().join("app.log.1")).unwrap().len(), 1 << 20);
    }
}
