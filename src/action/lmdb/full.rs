//! Lines of a log that say that the map is full. After a growth that helped no new one comes; what was said before the
//! program came up again does not count.

use crate::action::back;
use crate::action::files::plain;
use crate::action::lifecycle::Run;
use crate::action::prepare::duration;
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Fault};
use crate::sys::quiet;
use crate::sys::secret::hide;
use core::time::Duration;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The key of the table.
pub(crate) const KEY: &str = "map_full";
/// For so long no line may come, when the profile does not say.
const QUIET: Duration = Duration::from_secs(60);
/// A regular expression is not larger than this when it is built.
const REGEX: usize = 1 << 20;
/// Files of one log.
const FILES: usize = 32;
/// Of each so much is read that is new.
const NEW: u64 = 16 << 20;
/// Characters of a line that are shown.
const SHOWN: usize = 120;

/// What is watched for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MapFull {
    log: PathBuf,
    matches: String,
    /// For so long after the effect.
    pub(crate) quiet: Duration,
}

/// The number of a file: a log that is rotated keeps it.
type Number = (u64, u64);
/// How long each file was.
type Ends = Vec<(Number, u64)>;

/// A file of the log.
struct Part {
    path: PathBuf,
    file: File,
    id: Number,
    end: u64,
}

impl MapFull {
    /// Takes its table out of an action's.
    ///
    /// # Errors
    /// No log, no regular expression, no time.
    pub(crate) fn take(body: &mut Body) -> Result<Option<Self>, Fault> {
        let Some(mut table) = body.take_table(KEY)? else { return Ok(None) };
        let (log, matches): (PathBuf, String) = (table.need("log")?, table.need("matches")?);
        let quiet = table.take::<String>("for")?.map_or(Ok(QUIET), |text| duration(&text, &table))?;
        table.done(&["log", "matches", "for"])?;
        let starred = log.parent().is_some_and(|folder| folder.as_os_str().to_string_lossy().contains('*'));
        if !plain(&log) || log.file_name().is_none() || starred {
            let what = "`log` is an absolute path without `..`, with `*` in its last part only.";
            return Err(table.fault_at("log", what));
        }
        regex(&matches).map_err(|what| table.fault_at("matches", what))?;
        Ok(Some(Self { log, matches, quiet }))
    }

    /// Its line of the plan.
    pub(crate) fn line(&self) -> Clean {
        let (seconds, log) = (self.quiet.as_secs(), self.log.display());
        crate::clean!("then   for {seconds} s no new line of {log} may match {}", Clean::text(&self.matches))
    }

    /// What is told once no such line has come.
    pub(crate) fn kept_quiet(&self) -> Clean {
        crate::clean!("for {} s no new line of {} said that the map is full", self.quiet.as_secs(), self.log.display())
    }

    /// The program is up again: what is there now was said before.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(crate) fn begin(&self, run: &Run) -> Result<(), Fault> {
        let ends: Ends = self.parts()?.into_iter().map(|part| (part.id, part.end)).collect();
        back::keep(run, &ends)
    }

    /// The first line since then that says so.
    ///
    /// # Errors
    /// That nobody can tell.
    pub(crate) fn new_line(&self, run: &Run) -> Result<Option<Clean>, Fault> {
        let ends: Ends = back::kept(run)?;
        let regex = regex(&self.matches).map_err(Fault::new)?;
        let parts = self.parts()?;
        if parts.is_empty() {
            return Err(Fault::new(format!("there is no log {}.", self.log.display())));
        }
        for Part { path, file, id, end } in parts {
            let known = ends.iter().find(|(known, _)| *known == id).map_or(0, |(_, end)| *end);
            // One that was emptied begins anew.
            let from = if known <= end { known } else { 0 };
            if end - from > NEW {
                return Err(Fault::new(format!("{} has grown by too much to be read.", path.display())));
            }
            let line = found(file, from, &regex).map_err(|error| crate::sys::files::fault("read", &path, &error))?;
            if line.is_some() {
                return Ok(line);
            }
        }
        Ok(None)
    }

    /// The log's files as they are now.
    fn parts(&self) -> Result<Vec<Part>, Fault> {
        let name = self.log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = self.log.parent().unwrap_or(Path::new("/"));
        let paths: Vec<PathBuf> = if name.contains('*') {
            let entries =
                std::fs::read_dir(folder).map_err(|error| crate::sys::files::fault("list", folder, &error))?;
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            names.filter(|found| fits(&name, found)).map(|found| folder.join(found)).collect()
        } else {
            vec![self.log.clone()]
        };
        let mut parts = Vec::new();
        for path in paths {
            match quiet::open(&path) {
                Ok((file, about)) => {
                    parts.push(Part { path, file, id: (about.dev(), about.ino()), end: about.len() });
                }
                // Not there yet, or rotated away meanwhile.
                Err(_) if !path.exists() => {}
                Err(refused) => return Err(Fault::new(refused.failure(&path).what)),
            }
        }
        if parts.len() > FILES {
            return Err(Fault::new(format!("{} names {} files, more than {FILES}.", self.log.display(), parts.len())));
        }
        Ok(parts)
    }
}

/// The first line from there on that matches, with no secret in it.
fn found(mut file: File, from: u64, regex: &Regex) -> std::io::Result<Option<Clean>> {
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::new(file.take(NEW));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if regex.is_match(&line) {
            let text = scrub(&hide(&String::from_utf8_lossy(&line)));
            return Ok(Some(Clean::text(text.trim().chars().take(SHOWN).collect::<String>())));
        }
        line.clear();
    }
    Ok(None)
}

fn regex(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(REGEX).build();
    built.map_err(|error| format!("this is no regular expression: {}.", Clean::text(error.to_string())))
}

/// Whether a name is what a name with `*` in it stands for.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_in_a_name() {
        for (pattern, name, is) in [
            ("*.log", "a.log", true),
            ("*.log", ".log", true),
            ("*.log", "a.log.1", false),
            ("app-*-*.log", "app-live-info.log", true),
            ("app-*-*.log", "app-live.log", false),
            ("a.log", "a.log", true),
            ("a.log", "a.logs", false),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(fits(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn only_what_is_new_counts_also_where_the_log_was_rotated_or_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let (log, run) = (dir.path().join("a.log"), Run::at(&dir.path().join("run")));
        std::fs::create_dir(run.dir()).unwrap();
        let watch = MapFull { log: dir.path().join("*.log"), matches: "MDB_MAP_FULL".to_owned(), quiet: QUIET };
        let add = |path: &Path, text: &str| {
            let old = std::fs::read_to_string(path).unwrap_or_default();
            std::fs::write(path, old + text).unwrap();
        };
        let look = || watch.new_line(&run).map(|line| line.map(|line| line.to_string())).map_err(|it| it.to_string());
        assert!(look().unwrap_err().contains("that run did not see what it left"));
        add(&log, "MDB_MAP_FULL before\n");
        watch.begin(&run).unwrap();
        assert_eq!(look(), Ok(None));
        std::fs::rename(&log, dir.path().join("old.log")).unwrap();
        add(&log, "all is well\n");
        assert_eq!(look(), Ok(None), "it is known by its number");
        add(&log, "1 MDB_MAP_FULL password=hunter2\n");
        let said = look().unwrap().unwrap();
        assert!(said.starts_with("1 MDB_MAP_FULL") && !said.contains("hunter2"), "{said}");
        std::fs::write(&log, "").unwrap();
        assert_eq!(look(), Ok(None));
        std::fs::write(dir.path().join("old.log"), "MDB_MAP_FULL").unwrap();
        assert_eq!(look(), Ok(Some("MDB_MAP_FULL".to_owned())), "emptied and written anew");
        std::fs::remove_file(dir.path().join("old.log")).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(look().unwrap_err().contains("there is no log"));
    }
}
