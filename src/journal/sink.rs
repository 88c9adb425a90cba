//! The files of the journal: the newest one locked, a line appended and synced, the next one begun when it is full, torn
//! or its sync has failed. Behind the last record there is always room that a full disk cannot take.

use super::chain::{self, GENESIS};
use super::record::{Event, Record, Session};
use super::verify::{Tail, segments, tail_of};
use super::writer::Receipt;
use crate::base::{Fault, Now};
use crate::sys::files;
use rustix::fs::{CWD, FallocateFlags, FlockOperation, Mode, OFlags, fallocate, fdatasync, flock, fstat, openat};
use rustix::io::Errno;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that is larger is continued in a new one.
const SEGMENT: u64 = 16 * 1024 * 1024;
/// Room that is kept behind the last record, in bytes: on a full disk the trail goes on in it.
const RESERVE: u64 = 256 * 1024;

/// The files.
pub(super) struct Sink {
    pub(super) dir: PathBuf,
    pub(super) session: Session,
    /// A file with records that are not synced yet.
    pub(super) dirty: Option<File>,
    /// Bytes behind the last record that are ours although the disk is full.
    pub(super) reserve: Option<u64>,
    /// What was found broken when a record was to be appended, until it is told.
    pub(super) broken: Option<String>,
}

/// The newest file, locked, and where its chain ends.
struct Head {
    file: File,
    path: PathBuf,
    length: u64,
    seq: u64,
    hash: String,
}

impl Drop for Head {
    fn drop(&mut self) {
        // A descriptor kept for a later sync shares the lock: let go of it by word, not by closing.
        let _best_effort = flock(&self.file, FlockOperation::Unlock);
    }
}

impl Sink {
    pub(super) fn append(&mut self, record: &Record, at: Now, durable: bool) -> Result<Receipt, Fault> {
        let mut head = self.head(at, None)?;
        match self.write(&mut head, record, at, durable) {
            Err(Stop::Sync(error)) => {
                // Its pages may be lost although a second sync would succeed: continue elsewhere, say why, write again.
                self.dirty = None;
                let why = format!("sync of {} failed: {error}", name(&head.path));
                let mut next = self.head(at, Some((head, &why)))?;
                self.write(&mut next, record, at, durable).map_err(|stop| stop.fault(&next.path))
            }
            other => other.map_err(|stop| stop.fault(&head.path)),
        }
    }

    /// Begins a new chain that names the head of the one that was found broken; not where somebody has gone on from
    /// file `newest` meanwhile.
    pub(super) fn renew(&mut self, at: Now, newest: u64, found: &str) -> Result<(), Fault> {
        let Some((number, path)) = segments(&self.dir)?.pop().filter(|(number, _)| *number == newest) else {
            return Ok(());
        };
        let file = open_locked(&path)?;
        let head = match tail_of(&path, &file)? {
            Tail::Whole { seq, hash } | Tail::Torn { seq, hash, .. } => json!({ "seq": seq, "hash": hash }),
            Tail::Broken { digest } => json!({ "sha256": digest }),
        };
        let res = json!({ "after": name(&path), "why": "broken", "head": head, "found": found });
        self.dirty = None;
        self.start(number + 1, at, &Start { seq: 0, hash: GENESIS.to_owned(), res }).map(|_| ())
    }

    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        match self.dirty.take() {
            None => Ok(()),
            Some(file) => fdatasync(&file).map_err(|errno| files::fault("sync", &self.dir, &errno.into())),
        }
    }

    fn write(&mut self, head: &mut Head, record: &Record, at: Now, durable: bool) -> Result<Receipt, Stop> {
        let seq = head.seq + 1;
        self.reserve = keep_room(head);
        let line = chain::seal(&record.body(&self.session, at, seq, &head.hash), &head.hash) + "\n";
        if let Err(error) = head.file.write_all(line.as_bytes()) {
            // Whole lines only; should this fail too, the torn line is named by the next file.
            let _best_effort = head.file.set_len(head.length);
            return Err(Stop::Write(error));
        }
        if durable {
            fdatasync(&head.file).map_err(|errno| Stop::Sync(errno.into()))?;
            self.dirty = None;
        } else {
            self.dirty = head.file.try_clone().ok();
        }
        let link = chain::open(line.trim_end().as_bytes()).map_err(|what| Stop::Write(std::io::Error::other(what)))?;
        head.length += u64::try_from(line.len()).unwrap_or(0);
        head.seq = link.seq;
        head.hash.clone_from(&link.hash);
        Ok(Receipt { seq, hash: link.hash })
    }

    /// Locks the newest file, or starts the next one; `abandon` leaves the newest although it looks whole.
    fn head(&mut self, at: Now, abandon: Option<(Head, &str)>) -> Result<Head, Fault> {
        if let Some((left, why)) = abandon {
            let number = segments(&self.dir)?.last().map_or(0, |(number, _)| *number);
            let (seq, hash) = (left.seq, left.hash.clone());
            let start = Start { seq, hash, res: json!({ "after": name(&left.path), "seq": seq, "why": why }) };
            let next = self.start(number + 1, at, &start)?;
            drop(left);
            return next.ok_or_else(|| Fault::new("the journal's next file was taken by somebody else."));
        }
        for _ in 0..64 {
            let Some((number, path)) = segments(&self.dir)?.pop() else {
                let start = Start { seq: 0, hash: GENESIS.to_owned(), res: json!({ "why": "first file" }) };
                if let Some(head) = self.start(1, at, &start)? {
                    return Ok(head);
                }
                continue;
            };
            let file = open_locked(&path)?;
            if segments(&self.dir)?.last().is_none_or(|(newest, _)| *newest != number) {
                continue;
            }
            let length = file.metadata().map_err(|error| files::fault("look at", &path, &error))?.len();
            let (seq, hash, res) = match tail_of(&path, &file)? {
                Tail::Whole { seq, hash } if length < SEGMENT => return Ok(Head { file, path, length, seq, hash }),
                Tail::Whole { seq, hash } => (seq, hash, json!({ "after": name(&path), "seq": seq, "why": "full" })),
                Tail::Torn { seq, hash, bytes } => {
                    (seq, hash, json!({ "after": name(&path), "seq": seq, "why": "torn", "bytes": bytes }))
                }
                Tail::Broken { digest } => {
                    self.broken = Some(format!("the last record of {} is none any more", name(&path)));
                    (0, GENESIS.to_owned(), json!({ "after": name(&path), "why": "broken", "sha256": digest }))
                }
            };
            if let Some(head) = self.start(number + 1, at, &Start { seq, hash, res })? {
                return Ok(head);
            }
        }
        Err(Fault::new("the journal's files change faster than they can be locked."))
    }

    /// Creates file `number` with its first record. `None` when somebody else did.
    fn start(&mut self, number: u64, at: Now, start: &Start) -> Result<Option<Head>, Fault> {
        let path = self.dir.join(format!("{number:08}.jsonl"));
        // A file of the journal is never without its first record.
        let record = Record::new(Event::Open).res(start.res.clone());
        let body = record.body(&self.session, at, start.seq + 1, &start.hash);
        let line = chain::seal(&body, &start.hash) + "\n";
        let made = files::try_publish(&path, line.as_bytes());
        if !made.map_err(|error| files::fault("create", &path, &error))? {
            return Ok(None);
        }
        let file = open_locked(&path)?;
        match tail_of(&path, &file)? {
            Tail::Whole { seq, hash } => {
                let length = file.metadata().map_err(|error| files::fault("look at", &path, &error))?.len();
                Ok(Some(Head { file, path, length, seq, hash }))
            }
            _ => Ok(None),
        }
    }
}

/// Keeps [`RESERVE`] behind the end of the file, without changing its length. What is left of it when the disk gives no
/// more; `None` while it does, and where the file system has no such thing.
fn keep_room(head: &Head) -> Option<u64> {
    let room = |blocks: i64| (u64::try_from(blocks).unwrap_or(0) * 512).saturating_sub(head.length);
    let left = fstat(&head.file).map_or(0, |stat| room(stat.st_blocks));
    if left >= RESERVE / 2 {
        return None;
    }
    match fallocate(&head.file, FallocateFlags::KEEP_SIZE, head.length, RESERVE) {
        Err(Errno::NOSPC | Errno::DQUOT) => Some(left),
        Ok(()) | Err(_) => None,
    }
}

/// How a new file begins.
struct Start {
    seq: u64,
    hash: String,
    res: serde_json::Value,
}

enum Stop {
    Write(std::io::Error),
    Sync(std::io::Error),
}

impl Stop {
    fn fault(self, path: &Path) -> Fault {
        match self {
            // Its reserve is used up too: as much as that is kept behind the end once there is room.
            Self::Write(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                let folder = path.parent().unwrap_or(path).display().to_string();
                let hint = format!("{RESERVE} bytes are missing there: make room on the file system of {folder}.");
                files::fault("append to", path, &error).hint(hint)
            }
            Self::Write(error) => files::fault("append to", path, &error),
            Self::Sync(error) => files::fault("sync", path, &error),
        }
    }
}

/// Opens a file of the journal for appending and locks it until closed.
fn open_locked(path: &Path) -> Result<File, Fault> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = openat(CWD, path, flags, Mode::empty()).and_then(|fd| {
        flock(&fd, FlockOperation::LockExclusive)?;
        let stat = fstat(&fd)?;
        Ok((fd, stat))
    });
    let (fd, stat) = open.map_err(|errno| files::fault("open", path, &errno.into()))?;
    let own = stat.st_uid == rustix::process::geteuid().as_raw();
    if !own || stat.st_nlink != 1 || stat.st_mode & 0o022 != 0 || stat.st_mode & 0o170_000 != 0o100_000 {
        return Err(Fault::new("the journal's file is linked, writable by others or not ours.")
            .at(path.to_string_lossy(), 0, 0)
            .hint("Move it aside; a new one is started."));
    }
    Ok(File::from(fd))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::session;
    use super::super::verify;
    use super::*;

    fn sink(dir: &Path) -> Sink {
        Sink { dir: dir.to_owned(), session: session(), dirty: None, reserve: None, broken: None }
    }

    fn put(sink: &mut Sink, n: usize) {
        for _ in 0..n {
            sink.append(&Record::new(Event::Shown), Now::default(), false).unwrap();
        }
    }

    #[test]
    fn after_a_failed_sync_the_trail_goes_on_in_a_new_file_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = sink(dir.path());
        put(&mut sink, 2);
        let mut head = sink.head(Now::default(), None).unwrap();
        let before = (head.seq, head.hash.clone());
        sink.write(&mut head, &Record::new(Event::Intent), Now::default(), false)
            .unwrap_or_else(|_| panic!("not written"));
        (head.seq, head.hash) = before;
        let mut next = sink.head(Now::default(), Some((head, "sync of 00000001.jsonl failed: EIO"))).unwrap();
        sink.write(&mut next, &Record::new(Event::Intent), Now::default(), true)
            .unwrap_or_else(|_| panic!("not written"));
        drop(next);
        put(&mut sink, 1);
        let verdict = verify(dir.path()).unwrap();
        assert!(verdict.intact(), "{verdict:?}");
        assert_eq!((verdict.files, verdict.notes.len()), (2, 1));
    }

    #[test]
    fn a_torn_line_is_left_alone_and_accounted_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = sink(dir.path());
        put(&mut sink, 3);
        let first = dir.path().join("00000001.jsonl");
        let bytes = std::fs::read(&first).unwrap();
        std::fs::write(&first, &bytes[..bytes.len() - 10]).unwrap();
        assert!(!verify(dir.path()).unwrap().intact(), "a torn end alone is a break");
        put(&mut sink, 1);
        let verdict = verify(dir.path()).unwrap();
        assert!(verdict.intact(), "{verdict:?}");
        assert_eq!((verdict.files, verdict.notes.len()), (2, 1));
        assert_eq!(std::fs::read(&first).unwrap().len(), bytes.len() - 10);
    }

    #[test]
    fn a_broken_end_starts_a_new_chain_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = sink(dir.path());
        put(&mut sink, 3);
        let first = dir.path().join("00000001.jsonl");
        let text = std::fs::read_to_string(&first).unwrap();
        std::fs::write(&first, text.replacen("\"seq\":4", "\"seq\":9", 1)).unwrap();
        put(&mut sink, 1);
        let verdict = verify(dir.path()).unwrap();
        let whats: Vec<&str> = verdict.breaks.iter().map(|found| found.what.as_str()).collect();
        assert_eq!(
            whats,
            ["was changed: its hash does not fit", "starts a new chain: the one before it was found broken"]
        );
    }

    /// A small file system of its own; `None` where that cannot be had.
    fn small() -> Option<tempfile::TempDir> {
        let dir = tempfile::tempdir().unwrap();
        let options = c"size=1m,mode=700";
        let done = rustix::mount::mount("tmpfs", dir.path(), "tmpfs", rustix::mount::MountFlags::empty(), options);
        if done.is_err() {
            println!("SKIPPED: mount: a file system cannot be mounted here");
            return None;
        }
        Some(dir)
    }

    #[test]
    fn on_a_full_disk_the_trail_goes_on_in_its_reserve_and_says_so() {
        let Some(dir) = small() else { return };
        let mut sink = sink(dir.path());
        put(&mut sink, 2);
        assert_eq!(sink.reserve, None);
        let filler = vec![0; 2 * 1024 * 1024];
        let full = File::create(dir.path().join("filler")).unwrap().write_all(&filler);
        assert!(full.is_err(), "the disk is full");
        let mut written = 0;
        let said = loop {
            match sink.append(&Record::new(Event::Intent), Now::default(), true) {
                Ok(_) => written += 1,
                Err(fault) => break fault.to_string(),
            }
        };
        assert!(said.contains("262144 bytes are missing there: make room on "), "{said}");
        // Half of the reserve is always there when the disk fills up; a record has some 500 bytes.
        assert!((200..1_000).contains(&written), "{written}");
        assert!(sink.reserve.is_some_and(|left| left < 4_096), "{:?}", sink.reserve);
        std::fs::remove_file(dir.path().join("filler")).unwrap();
        put(&mut sink, 1);
        assert_eq!(sink.reserve, None);
        assert!(verify(dir.path()).unwrap().intact());
        rustix::mount::unmount(dir.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mut sink = sink(dir.path());
        put(&mut sink, 1);
        let first = dir.path().join("00000001.jsonl");
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&first, std::fs::Permissions::from_mode(0o622)).unwrap();
        assert!(sink.append(&Record::new(Event::Shown), Now::default(), false).is_err());
    }

    #[test]
    fn the_newest_records_are_verified_from_anywhere_and_a_new_chain_is_a_new_beginning() {
        use super::super::verify::verify_newest;
        let dir = tempfile::tempdir().unwrap();
        let mut sink = sink(dir.path());
        put(&mut sink, 30);
        let newest = |count| verify_newest(dir.path(), count).unwrap();
        for count in [1, 2, 10, 31, 1_000] {
            let (verdict, number) = newest(count);
            assert!(verdict.intact() && number == 1, "{count}: {verdict:?}");
            assert_eq!(verdict.records, u64::try_from(count.min(31)).unwrap());
        }
        let first = dir.path().join("00000001.jsonl");
        let text = std::fs::read_to_string(&first).unwrap();
        std::fs::write(&first, text.replacen("\"seq\":20", "\"seq\":21", 1)).unwrap();
        assert!(newest(5).0.intact(), "further back than it looks");
        let (verdict, number) = newest(1_000);
        assert_eq!(
            (verdict.breaks[0].line, verdict.breaks[0].what.as_str()),
            (20, "was changed: its hash does not fit")
        );
        sink.renew(Now::default(), number, "it").unwrap();
        sink.renew(Now::default(), number, "it").unwrap();
        put(&mut sink, 3);
        let (verdict, number) = newest(1_000);
        assert!(verdict.intact() && number == 2 && verdict.records == 4, "once: {verdict:?}");
        let text = std::fs::read_to_string(dir.path().join("00000002.jsonl")).unwrap();
        assert!(text.contains(r#""why":"broken""#) && text.contains(r#""head":{"seq":31,"hash":""#), "{text}");
        assert!(!verify(dir.path()).unwrap().intact(), "all of it stays what it is");
    }
}
