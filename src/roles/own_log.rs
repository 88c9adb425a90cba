//! Our own log: tracing into tui-logger's buffer, without its thread (100 wake-ups a second), and the newest lines in a
//! small file for a support bundle, written by a thread that nobody waits for.

use super::effects::worker;
use crate::base::scrub::scrub;
use crate::base::{Clean, Clock};
use crate::sys::clock::RealClock;
use crate::sys::secret::hide;
use core::fmt;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::{File, rename};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// In the state folder: the newest lines of all consoles, and the file of the older ones.
pub const FILES: [&str; 2] = ["own.log", "own.log.1"];
/// A file is not longer, in bytes, by more than one line.
const LARGEST: u64 = 128 * 1024;
/// Lines that wait for the disk; what comes while there are so many is in no file.
const WAITING: usize = 256;

/// Collects events from now on; the loop moves them before it draws. A state folder gets the file.
pub fn start(state: Option<&Path>) {
    tui_logger::set_default_level(tui_logger::LevelFilter::Info);
    let kept = state.and_then(Kept::start);
    // A second console in one process, as in tests, keeps the first one's log.
    let _already = tracing_subscriber::registry().with(tui_logger::TuiTracingSubscriberLayer).with(kept).try_init();
}

/// What takes lines for the file.
struct Kept(SyncSender<String>);

impl Kept {
    fn start(state: &Path) -> Option<Self> {
        let (lines, taken) = sync_channel(WAITING);
        let folder = state.to_owned();
        worker("own-log", move || write(&folder, &taken)).ok().map(|()| Self(lines))
    }
}

impl<S: Subscriber> Layer<S> for Kept {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if *about.level() > Level::INFO {
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        let line = format!("{} {} {}: {}", RealClock.now().wall.rfc3339(), about.level(), about.target(), said.0);
        // Nobody waits for a disk; the screen has the line all the same.
        let _full = self.0.try_send(line);
    }
}

/// The message, then other fields.
#[derive(Default)]
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text =
            if field.name() == "message" { format!("{value:?}") } else { format!(" {}={value:?}", field.name()) };
        self.0.push_str(&text);
    }
}

/// Until the last console of this process is gone.
fn write(folder: &Path, lines: &Receiver<String>) {
    while let Ok(line) = lines.recv() {
        let more: Vec<String> = core::iter::once(line).chain(lines.try_iter()).collect();
        // It would be told in this very log.
        let _lost = append(folder, &more);
    }
}

/// Appends to the newest file; a full one becomes the older one.
fn append(folder: &Path, lines: &[String]) -> io::Result<()> {
    let [newest, older] = FILES.map(|name| folder.join(name));
    let mut file = open(&newest)?;
    if file.metadata()?.len() >= LARGEST {
        rename(&newest, older)?;
        file = open(&newest)?;
    }
    let text: String = lines.iter().map(|line| format!("{}\n", Clean::text(scrub(&hide(line))))).collect();
    file.write_all(text.as_bytes())
}

fn open(path: &PathBuf) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_holds_the_newest_lines_and_no_secret_and_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let line = |n: usize| format!("2026 WARN console: number {n} password=hunter2\u{1b}[31m {}", "x".repeat(200));
        for n in 0..2_000 {
            append(folder.path(), &[line(n)]).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let [newest, older] = FILES.map(read);
        assert!(newest.contains("number 1999 ") && older.len() as u64 >= LARGEST);
        assert!([&newest, &older].iter().all(|text| (text.len() as u64) < LARGEST + 1_000));
        assert!(!newest.contains("hunter2") && !newest.contains('\u{1b}'), "{newest}");
        let mode = fs::metadata(folder.path().join(FILES[0])).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(append(&folder.path().join("gone"), &[line(1)]).is_err(), "a folder is never made");
        fs::remove_file(folder.path().join(FILES[0])).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), folder.path().join(FILES[0])).unwrap();
        assert!(append(folder.path(), &[line(1)]).is_err() && !folder.path().join("elsewhere").exists());
    }
}
