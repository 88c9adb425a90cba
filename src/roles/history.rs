//! Keeps history by the minute in files, one a day: `history/PROFILE/2026-11-21` in the state folder, mode 0600.
//! A thread of its own reads them at the start and appends once a minute; consoles of one profile take turns.

use crate::base::{Clean, Clock, Fault, Wall};
use crate::clean;
use crate::store::history::{KEPT, Kept, decode, encode};
use crate::sys::clock::RealClock;
use crate::sys::files;
use core::time::Duration;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

/// A day's file is no larger; a profile has three of them.
const DAY: u64 = 8 * 1024 * 1024;
/// Minutes that wait for the thread at most.
const WAITING: usize = 4;
/// Rows that wait for another console to let go of a file.
const HELD_BACK: usize = 10_000;
/// How soon a file that another console holds is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What was read, and what has to be said about it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The minutes of the last two days.
    pub rows: Vec<Kept>,
    /// What was damaged or could not be read.
    pub told: Vec<Clean>,
}

/// The thread that keeps history. Dropping it ends the thread.
#[derive(Debug)]
pub struct Keeper {
    queue: SyncSender<Vec<Kept>>,
}

impl Keeper {
    /// Reads what is kept for this profile, hands it to `loaded`, then takes minutes.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(state: &Path, profile: &str, loaded: impl FnOnce(Loaded) + Send + 'static) -> Result<Self, Fault> {
        let root = state.join("history");
        let dir = root.join(folder(profile));
        let (queue, rows) = sync_channel(WAITING);
        let work = move || {
            let now = RealClock.now().wall;
            let opened = files::private_dir(&dir);
            sweep(&root, now);
            let mut read = load(&dir, now);
            read.told.extend(opened.err().map(|fault| clean!("history is not kept: {fault}")));
            loaded(read);
            keep(&mut Files { root, dir, whole: BTreeMap::new(), waiting: Vec::new(), told: None }, &rows);
        };
        let thread = std::thread::Builder::new().name("history".to_owned()).stack_size(512 * 1024);
        match thread.spawn(work) {
            Ok(_detached) => Ok(Self { queue }),
            Err(error) => Err(Fault::new(format!("history is not kept: no thread for it: {error}."))),
        }
    }

    /// Hands minutes over; false when the thread does not keep up or is gone: then they are lost.
    pub fn keep(&self, rows: Vec<Kept>) -> bool {
        self.queue.try_send(rows).is_ok()
    }
}

/// The minutes that are kept of a profile, as far as they can be read.
pub(super) fn kept(state: &Path, profile: &str, now: Wall) -> Vec<Kept> {
    load(&state.join("history").join(folder(profile)), now).rows
}

/// A folder's name for a profile: itself where it is plain, else its end and a digest.
fn folder(profile: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !profile.is_empty() && profile.len() <= 64 && !profile.starts_with('.') && profile.chars().all(plain) {
        return profile.to_owned();
    }
    let digest: String = files::sha256(profile.as_bytes()).chars().take(16).collect();
    let end = Path::new(profile).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let end: String = end.chars().filter(|c| plain(*c)).take(32).collect();
    format!("{}-{digest}", end.trim_start_matches('.'))
}

/// The name of a day's file, and no other.
fn is_day(name: &str) -> bool {
    name.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == name)
}

fn day_of(at: Wall) -> String {
    at.rfc3339().chars().take(10).collect()
}

/// The first day of which something is kept.
fn first_day(now: Wall) -> String {
    day_of(Wall(now.0.saturating_sub(i64::try_from(KEPT.as_nanos()).unwrap_or(i64::MAX))))
}

fn days(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| is_day(name));
    names.sort();
    names
}

/// Removes the files of days that are over, of every profile, and folders that are empty then.
fn sweep(root: &Path, now: Wall) {
    let first = first_day(now);
    for folder in fs::read_dir(root).into_iter().flatten().flatten() {
        let folder = folder.path();
        let old: Vec<String> = days(&folder).into_iter().filter(|day| *day < first).collect();
        for day in &old {
            if let Err(error) = fs::remove_file(folder.join(day)) {
                tracing::warn!(target: "console", "history of {day} cannot be removed: {error}");
            }
        }
        if !old.is_empty() && days(&folder).is_empty() {
            // Another console may be about to write into it.
            let _not_empty = fs::remove_dir(&folder);
        }
    }
}

/// Everything of the last two days.
fn load(dir: &Path, now: Wall) -> Loaded {
    let mut loaded = Loaded::default();
    let (first, oldest) = (first_day(now), now.0.saturating_sub(i64::try_from(KEPT.as_nanos()).unwrap_or(i64::MAX)));
    for day in days(dir).into_iter().filter(|day| *day >= first) {
        let path = dir.join(&day);
        match read(&path) {
            Ok(bytes) => {
                let found = decode(&bytes);
                loaded.rows.extend(found.rows.into_iter().filter(|row| row.minute.start().0 >= oldest));
                let damaged = bytes.len() - found.whole;
                if damaged > 0 {
                    loaded.told.push(dropped(&path, damaged));
                }
            }
            Err(error) => loaded.told.push(clean!("history of {day} is left out: {error}.")),
        }
    }
    loaded
}

fn dropped(path: &Path, bytes: usize) -> Clean {
    clean!("history: the last {bytes} bytes of {} are damaged and were dropped.", path.display())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat(CWD, path, flags, Mode::empty())?);
    // Whoever holds it is appending: then its last record may seem torn. That is told, and it is there the next time.
    let _held = file.try_lock_shared();
    let mut bytes = Vec::new();
    (&file).take(DAY + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > DAY {
        return Err(io::Error::other(format!("it is larger than {DAY} bytes")));
    }
    Ok(bytes)
}

/// The files of one profile, as far as this console has written them.
struct Files {
    root: PathBuf,
    dir: PathBuf,
    /// By day, up to where a file is known to be whole.
    whole: BTreeMap<String, u64>,
    waiting: Vec<Kept>,
    /// What was complained of last: once is enough.
    told: Option<String>,
}

fn keep(files: &mut Files, rows: &Receiver<Vec<Kept>>) {
    loop {
        let next = if files.waiting.is_empty() {
            rows.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            rows.recv_timeout(AGAIN)
        };
        match next {
            Ok(rows) => files.waiting.extend(rows),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return files.flush(),
        }
        files.flush();
    }
}

impl Files {
    /// Appends what waits; what another console holds up goes on waiting.
    fn flush(&mut self) {
        let mut days: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        for row in core::mem::take(&mut self.waiting) {
            days.entry(row.day()).or_default().push(row);
        }
        for (day, rows) in days {
            match self.append(&day, &rows) {
                Ok(true) => self.told = None,
                Ok(false) => self.waiting.extend(rows),
                Err(error) => self.complain(format!("history is not kept: {}: {error}", self.dir.join(&day).display())),
            }
        }
        if self.waiting.len() > HELD_BACK {
            self.waiting.clear();
            self.complain("history is not kept: another console holds the file".to_owned());
        }
    }

    fn complain(&mut self, text: String) {
        if self.told.as_ref() != Some(&text) {
            tracing::warn!(target: "console", "{text}");
            self.told = Some(text);
        }
    }

    /// Appends one record; false when another console holds the file.
    fn append(&mut self, day: &str, rows: &[Kept]) -> io::Result<bool> {
        let path = self.dir.join(day);
        if let Some(row) = rows.last().filter(|_| !self.whole.contains_key(day)) {
            sweep(&self.root, row.minute.start());
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(CWD, &path, flags | OFlags::NONBLOCK, Mode::from_raw_mode(0o600))?);
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(false),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        let end = heal(&mut file, &path, self.whole.get(day).copied().unwrap_or(0))?;
        self.whole.insert(day.to_owned(), end);
        let bytes = encode(rows);
        if end + bytes.len() as u64 > DAY {
            return Err(io::Error::other(format!("it would become larger than {DAY} bytes")));
        }
        if let Err(error) = file.write_all(&bytes) {
            // Half a record would hide what follows it.
            file.set_len(end)?;
            return Err(error);
        }
        self.whole.insert(day.to_owned(), end + bytes.len() as u64);
        Ok(true)
    }
}

/// Looks at what was appended beyond `whole` by others, and cuts off what is no whole record; returns the length.
fn heal(file: &mut File, path: &Path, whole: u64) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if length == whole {
        return Ok(whole);
    }
    // A file that became shorter was written anew.
    let from = if length < whole { 0 } else { whole };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    (&*file).take(DAY + 1).read_to_end(&mut bytes)?;
    let good = decode(&bytes).whole;
    let end = from + good as u64;
    if good < bytes.len() {
        file.set_len(end)?;
        tracing::warn!(target: "console", "{}", dropped(path, bytes.len() - good));
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::{Minute, Tag};
    use std::os::unix::fs::PermissionsExt as _;

    const MINUTES: u32 = 29_920_512;

    fn now() -> Wall {
        Wall(i64::from(MINUTES) * 60_000_000_000)
    }

    fn row(text: &str, back: u32, value: f64) -> Kept {
        let minute = Minute { number: MINUTES - back, count: 1, min: value, mean: value, max: value };
        Kept { tag: Tag::of(text), minute }
    }

    fn console(dir: &Path) -> Files {
        let dir = dir.join("host");
        files::private_dir(&dir).expect("a folder");
        let root = dir.parent().expect("a root").to_owned();
        Files { root, dir, whole: BTreeMap::new(), waiting: Vec::new(), told: None }
    }

    #[test]
    fn what_one_console_keeps_the_next_one_reads() {
        let root = tempfile::tempdir().expect("a folder");
        let mut files = console(root.path());
        let rows = [row("a", 1_500, 1.0), row("a", 2, 2.0), row("b", 1, 3.0)];
        files.waiting.extend(rows);
        files.flush();
        let loaded = load(&files.dir, now());
        assert_eq!(loaded.rows, rows);
        assert!(loaded.told.is_empty(), "{:?}", loaded.told);
        assert_eq!(days(&files.dir), ["2026-11-20", "2026-11-21"]);
        let mode = fs::metadata(files.dir.join("2026-11-21")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_tail_is_told_cut_off_and_hides_nothing_that_comes_later() {
        let whole = encode(&[row("a", 3, 1.0), row("b", 3, 2.0)]);
        let torn = encode(&[row("a", 2, 5.0)]);
        for cut in 0..torn.len() {
            let root = tempfile::tempdir().expect("a folder");
            let mut files = console(root.path());
            let path = files.dir.join("2026-11-21");
            fs::write(&path, [&whole[..], &torn[..cut]].concat()).expect("written");
            let loaded = load(&files.dir, now());
            assert_eq!(loaded.rows.len(), 2, "cut at {cut}");
            let told: Vec<String> = loaded.told.iter().map(Clean::to_string).collect();
            let expected = format!("history: the last {cut} bytes of {} are damaged and were dropped.", path.display());
            assert_eq!(told, if cut == 0 { Vec::new() } else { vec![expected] });
            files.waiting.push(row("a", 1, 7.0));
            files.flush();
            let loaded = load(&files.dir, now());
            assert_eq!((loaded.rows.len(), loaded.told.len()), (3, 0));
            assert_eq!(loaded.rows.last(), Some(&row("a", 1, 7.0)));
        }
    }

    #[test]
    fn two_consoles_take_turns_and_lose_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        let (mut one, mut two) = (console(root.path()), console(root.path()));
        for back in (1..60).rev() {
            one.waiting.push(row("a", back, 1.0));
            two.waiting.push(row("b", back, 2.0));
            one.flush();
            two.flush();
        }
        let path = one.dir.join("2026-11-21");
        let held = File::open(&path).expect("a file");
        held.lock().expect("free");
        one.waiting.push(row("a", 0, 1.0));
        one.flush();
        assert_eq!(one.waiting.len(), 1, "it waits for whoever holds the file");
        drop(held);
        one.flush();
        let loaded = load(&one.dir, now());
        assert_eq!((loaded.rows.len(), loaded.told.len(), one.waiting.len()), (119, 0, 0));
    }

    #[test]
    fn days_that_are_over_go_and_nothing_else_does() {
        let root = tempfile::tempdir().expect("a folder");
        let files = console(root.path());
        for name in ["2026-11-18", "2026-11-19", "2026-11-21", "2026-02-30", "notes"] {
            fs::write(files.dir.join(name), b"").expect("written");
        }
        let other = root.path().join("other");
        fs::create_dir(&other).expect("made");
        fs::write(other.join("2026-01-01"), b"").expect("written");
        sweep(root.path(), now());
        let mut left: Vec<_> =
            fs::read_dir(&files.dir).expect("read").flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, ["2026-02-30", "2026-11-19", "2026-11-21", "notes"]);
        assert!(!other.exists());
    }

    #[test]
    fn a_file_has_a_largest_size_and_a_folder_that_is_gone_stays_gone() {
        let root = tempfile::tempdir().expect("a folder");
        let mut files = console(root.path());
        let many: Vec<Kept> = (0..8_000).map(|n| row(&n.to_string(), 1, 1.0)).collect();
        for _ in 0..40 {
            files.waiting.extend(&many);
            files.flush();
        }
        let length = fs::metadata(files.dir.join("2026-11-21")).expect("a file").len();
        assert!((DAY / 2..=DAY).contains(&length), "{length}");
        assert!(files.told.as_ref().is_some_and(|told| told.contains("larger than")), "{:?}", files.told);
        fs::remove_dir_all(&files.dir).expect("removed");
        files.waiting.push(row("a", 1, 1.0));
        files.flush();
        assert!(!files.dir.exists() && files.waiting.is_empty());
    }

    #[test]
    fn every_profile_has_a_folder_of_its_own() {
        assert_eq!(folder("host"), "host");
        let (a, b) = (folder("/a/profile.toml"), folder("/b/profile.toml"));
        assert!(a != b && a.starts_with("profile-") && !a.contains('/'), "{a} {b}");
        for odd in ["", "..", "../x", "a b", &"x".repeat(300)] {
            let name = folder(odd);
            assert!(!name.is_empty() && !name.starts_with('.') && name.len() <= 64 && !name.contains('/'), "{name}");
        }
    }

    #[test]
    fn the_thread_loads_then_keeps() {
        let state = tempfile::tempdir().expect("a folder");
        let (send, loaded) = sync_channel(1);
        let keeper = Keeper::start(state.path(), "host", move |loaded| {
            let _gone = send.send(loaded.rows.len());
        });
        let keeper = keeper.expect("a thread");
        assert_eq!(loaded.recv_timeout(Duration::from_secs(20)), Ok(0));
        // The thread's clock is the real one: a row of now.
        let number = u32::try_from(RealClock.now().wall.0 / 60_000_000_000).expect("fits");
        let mut kept = row("a", 0, 1.0);
        kept.minute.number = number;
        assert!(keeper.keep(vec![kept]));
        drop(keeper);
        let path = state.path().join("history/host").join(kept.day());
        let expected = encode(&[kept]).len() as u64;
        let begun = RealClock.now().mono;
        while fs::metadata(&path).map_or(0, |meta| meta.len()) < expected {
            assert!(RealClock.now().mono.since(begun) < Duration::from_secs(60), "nothing was written");
            std::thread::yield_now();
        }
    }
}
