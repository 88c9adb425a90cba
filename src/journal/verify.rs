//! Reads the trail back: files in order, each line against its own hash and the one before.
//! Whoever holds the files can rewrite all of them or cut the end; that takes anchors elsewhere to notice.

use super::chain::{self, GENESIS};
use super::record::LINE;
use crate::base::{Clean, Fault};
use crate::sys::files;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file is never larger by much more than one record.
const LIMIT: u64 = 32 * 1024 * 1024;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The file's name.
    pub file: Clean,
    /// From 1; 0 for the whole file.
    pub line: usize,
    /// In words.
    pub what: Clean,
}

/// What was told elsewhere of a record: to the system log, or by a console that was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The record's number.
    pub seq: u64,
    /// Its hash: 64 hexadecimal digits.
    pub hash: String,
}

impl core::str::FromStr for Anchor {
    type Err = String;

    /// `NUMBER:HASH`; or with a comma and a space, as a console says it.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once([':', ',']).map(|(seq, hash)| (seq.trim().parse().ok(), hash.trim()));
        match parts {
            Some((Some(seq), hash)) if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Ok(Self { seq, hash: hash.to_ascii_lowercase() })
            }
            _ => Err("an anchor is a record's number, a colon, and its hash of 64 hexadecimal digits".to_owned()),
        }
    }
}

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Files read.
    pub files: usize,
    /// Records that are intact and in their place.
    pub records: u64,
    /// What is wrong.
    pub breaks: Vec<Break>,
    /// What is odd but accounted for: a line torn by a crash, a file left after a failed sync.
    pub notes: Vec<Break>,
    /// Number and hash of the last record: what an anchor would name.
    pub head: Option<(u64, String)>,
}

impl Verdict {
    /// True when every record is intact and in its place.
    pub fn intact(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// Where a file's chain ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// With this record.
    Whole { seq: u64, hash: String },
    /// With this record, and the beginning of another.
    Torn { seq: u64, hash: String, bytes: usize },
    /// With something that is no intact record; its digest.
    Broken { digest: String },
}

/// The files of a journal, by number.
pub(super) fn segments(dir: &Path) -> Result<Vec<(u64, PathBuf)>, Fault> {
    let entries = std::fs::read_dir(dir).map_err(|error| files::fault("list", dir, &error))?;
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Where the chain of an open file ends, without reading all of it.
pub(super) fn tail_of(path: &Path, file: &File) -> Result<Tail, Fault> {
    use std::os::unix::fs::FileExt;
    let read = || {
        let length = file.metadata()?.len();
        // A whole line and a torn one fit in this.
        let window = 2 * u64::try_from(LINE).unwrap_or(u64::MAX);
        let mut bytes = vec![0; usize::try_from(length.min(window)).unwrap_or(0)];
        file.read_exact_at(&mut bytes, length.saturating_sub(window))?;
        Ok(bytes)
    };
    read().map(|bytes| tail(&bytes)).map_err(|error| files::fault("read", path, &error))
}

fn tail(bytes: &[u8]) -> Tail {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (whole, torn) = bytes.split_at(end);
    let last = whole.strip_suffix(b"\n").unwrap_or(whole).rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    match chain::open(last) {
        Ok(link) if torn.is_empty() => Tail::Whole { seq: link.seq, hash: link.hash },
        Ok(link) => Tail::Torn { seq: link.seq, hash: link.hash, bytes: torn.len() },
        Err(_) => Tail::Broken { digest: files::sha256(last) },
    }
}

/// Verifies every file of the journal in `dir`.
///
/// # Errors
/// Only when the folder or a file cannot be read; what is wrong inside is in the verdict.
pub fn verify(dir: &Path) -> Result<Verdict, Fault> {
    verify_against(dir, &[])
}

/// The same, and that it still has the records that these anchors name: a chain that was written anew as a whole, or whose
/// end was cut off, holds by itself.
///
/// # Errors
/// As [`verify`].
pub fn verify_against(dir: &Path, anchors: &[Anchor]) -> Result<Verdict, Fault> {
    let anchors = anchors.iter().map(|anchor| (anchor.seq, anchor.hash.clone())).collect();
    let mut walk = Walk { anchors, ..Walk::default() };
    for (number, path) in segments(dir)? {
        walk.file(number, &path, &files::read(&path, LIMIT)?);
    }
    let mut verdict = walk.verdict;
    if let Some((file, line, bytes)) = walk.torn {
        let what =
            crate::clean!("the last line is torn ({bytes} bytes): a record was being written when its writer ended");
        verdict.breaks.push(Break { file, line, what });
    }
    verdict.head = walk.last;
    verdict.breaks.extend(walk.anchors.keys().map(|seq| Break {
        file: "journal".into(),
        line: 0,
        what: crate::clean!("record {seq}, which an anchor names, is gone: the end was cut off"),
    }));
    Ok(verdict)
}

/// Verifies the newest `count` records, back to where the newest chain begins: for the start of a console. The number of
/// the newest file comes too.
///
/// # Errors
/// As [`verify`].
pub fn verify_newest(dir: &Path, count: usize) -> Result<(Verdict, u64), Fault> {
    let mut all = segments(dir)?;
    let newest = all.last().map_or(0, |(number, _)| *number);
    let (mut window, mut lines) = (Vec::new(), 0);
    while let Some((number, path)) = all.pop().filter(|_| lines < count) {
        let bytes = if number == newest { settled(&path)? } else { files::read(&path, LIMIT)? };
        lines += memchr::memchr_iter(b'\n', &bytes).count();
        let begins = bytes.split(|byte| *byte == b'\n').next().is_some_and(begins_a_chain);
        window.push((number, path, bytes));
        if begins {
            break;
        }
    }
    let mut walk = Walk::default();
    let mut skip = lines.saturating_sub(count);
    for (at, (number, path, bytes)) in window.iter().rev().enumerate() {
        if at == 0 {
            walk.within((*number, path), bytes, skip);
        } else {
            walk.file(*number, path, bytes);
        }
        skip = 0;
    }
    walk.verdict.head = walk.last;
    Ok((walk.verdict, newest))
}

/// A file that is being appended to, between two records.
fn settled(path: &Path) -> Result<Vec<u8>, Fault> {
    let file = File::open(path).map_err(|error| files::fault("open", path, &error))?;
    // Where it cannot be locked its last line may look torn, which is no break here.
    let _best_effort = rustix::fs::flock(&file, rustix::fs::FlockOperation::LockShared);
    files::read(path, LIMIT)
}

/// Whether this first record of a file begins a new chain because the one before it was found broken.
fn begins_a_chain(line: &[u8]) -> bool {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    value.get("res").and_then(|res| res.get("why")).and_then(Value::as_str) == Some("broken")
}

#[derive(Default)]
struct Walk {
    verdict: Verdict,
    number: u64,
    /// The last record seen.
    last: Option<(u64, String)>,
    /// The hash of the record before it, for a file that was left after a failed sync.
    before: Option<(u64, String)>,
    /// Anchors whose records have not come yet.
    anchors: BTreeMap<u64, String>,
    /// The end of the file before, if it has no line feed.
    torn: Option<(Clean, usize, usize)>,
}

impl Walk {
    fn file(&mut self, number: u64, path: &Path, bytes: &[u8]) {
        let file = Clean::text(path.file_name().unwrap_or_default().as_encoded_bytes());
        if number != self.number + 1 {
            self.wrong(&file, 0, crate::clean!("{} is missing before it", count(number - self.number - 1)));
            self.last = None;
        }
        self.number = number;
        self.verdict.files += 1;
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default();
        for (at, line) in lines.iter().enumerate() {
            self.line(&file, at + 1, line);
        }
        if lines.is_empty() && rest.is_empty() {
            self.wrong(&file, 0, Clean::from("is empty: its first record is gone"));
        }
        if !rest.is_empty() {
            self.torn = Some((file, lines.len() + 1, rest.len()));
        }
    }

    /// The end of the first file that is looked at: its first line there is taken as it is, if it is a record at all.
    fn within(&mut self, (number, path): (u64, &Path), bytes: &[u8], skip: usize) {
        let file = Clean::text(path.file_name().unwrap_or_default().as_encoded_bytes());
        self.number = number;
        self.verdict.files += 1;
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let rest = lines.pop().unwrap_or_default();
        for (at, line) in lines.iter().enumerate().skip(skip) {
            match (at == skip, chain::open(line)) {
                (true, Ok(link)) => {
                    self.verdict.records += 1;
                    self.last = Some((link.seq, link.hash));
                }
                (true, Err(what)) => self.wrong(&file, at + 1, Clean::from(what)),
                // Never as the first of a file: that is what the line above was.
                (false, _) => self.line(&file, at.max(1) + 1, line),
            }
        }
        if !rest.is_empty() {
            self.torn = Some((file, lines.len() + 1, rest.len()));
        }
    }

    fn line(&mut self, file: &Clean, at: usize, line: &[u8]) {
        let link = match chain::open(line) {
            Ok(link) => link,
            Err(what) => {
                self.torn = None;
                return self.wrong(file, at, Clean::from(what));
            }
        };
        let fits = if at == 1 { self.first(file, line, &link) } else { self.follows(&link) };
        let anchored = self.anchors.remove(&link.seq).is_none_or(|hash| hash == link.hash);
        let held = if anchored { Ok(()) } else { Err(Clean::from("is not the record that its anchor names")) };
        if let Err(what) = fits.and(held) {
            self.wrong(file, at, what);
        } else {
            self.verdict.records += 1;
        }
        self.before = self.last.replace((link.seq, link.hash));
    }

    fn follows(&self, link: &chain::Link) -> Result<(), Clean> {
        match &self.last {
            Some((seq, hash)) if *hash == link.prev && link.seq == seq + 1 => Ok(()),
            Some((seq, _)) => Err(crate::clean!("does not follow record {seq}: something was removed, added or moved")),
            None => Err(Clean::from("does not follow the record before it")),
        }
    }

    /// The first record of a file: continues the file before, or says why it cannot.
    fn first(&mut self, file: &Clean, line: &[u8], link: &chain::Link) -> Result<(), Clean> {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        if value.get("ev").and_then(Value::as_str) != Some("journal.open") {
            return Err(Clean::from("is not the first record of a file"));
        }
        let res = value.get("res");
        let why = res.and_then(|res| res.get("why")).and_then(Value::as_str).unwrap_or("").to_owned();
        let torn = self.torn.take();
        if self.number == 1 {
            let right = link.seq == 1 && link.prev == GENESIS;
            return if right { Ok(()) } else { Err(Clean::from("is not the first record of a journal")) };
        }
        if why == "broken" {
            return Err(Clean::from("starts a new chain: the one before it was found broken"));
        }
        if let Some((file, line, bytes)) = torn {
            let named = res.and_then(|res| res.get("bytes")).and_then(Value::as_u64) == u64::try_from(bytes).ok();
            if why != "torn" || !named {
                return Err(crate::clean!("does not account for the torn line {line} of {file}"));
            }
            let what =
                crate::clean!("{bytes} bytes of a record whose writer ended; the trail goes on in the next file");
            self.verdict.notes.push(Break { file, line, what });
        }
        let left = |known: &Option<(u64, String)>| {
            known.as_ref().is_some_and(|(seq, hash)| *hash == link.prev && link.seq == seq + 1)
        };
        if left(&self.last) {
            return Ok(());
        }
        if why.starts_with("sync of ") && left(&self.before) {
            let what = Clean::from("continues before the last record of the file before it, whose sync had failed");
            self.verdict.notes.push(Break { file: file.clone(), line: 1, what });
            return Ok(());
        }
        Err(Clean::from("does not continue the file before it: its end was removed or changed"))
    }

    fn wrong(&mut self, file: &Clean, line: usize, what: Clean) {
        self.verdict.breaks.push(Break { file: file.clone(), line, what });
    }
}

fn count(files: u64) -> String {
    if files == 1 { "a file".to_owned() } else { format!("{files} files") }
}
