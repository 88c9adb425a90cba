//! What a panic does: in a contained piece of work only a report; anywhere else the terminal is restored first,
//! a sentence follows, programs that samplers run end, and the process ends with status 101.

use super::guard;
use crate::base::{Clean, Clock};
use crate::clean;
use crate::sys::clock::RealClock;
use crate::sys::group;
use crate::sys::signal::exit_now;
use core::cell::Cell;
use core::time::Duration;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::path::{Path, PathBuf};

/// The exit status after a panic.
const STATUS: i32 = 101;

std::thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<Clean>> = const { Cell::new(None) };
}

/// Installs the hook. Reports go to `reports`, an existing directory (mode 0600, no values of variables).
pub fn install_panic_hook(reports: PathBuf) {
    set_hook(Box::new(move |info| panicked(info, &reports)));
}

/// Runs a piece of work that may panic without ending the console: a pane, a sampler.
///
/// # Errors
/// Where it panicked.
pub fn contain<R>(work: impl FnOnce() -> R) -> Result<R, Clean> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    result.map_err(|_| PLACE.take().unwrap_or_default())
}

/// Marks the calling thread for its whole life: something else catches what panics in it (a runtime's worker).
pub fn contain_thread() {
    CONTAINED.set(true);
}

fn panicked(info: &PanicHookInfo<'_>, reports: &Path) {
    let contained = CONTAINED.get();
    if !contained {
        guard::restore();
    }
    let place = match info.location() {
        Some(at) => clean!("{}:{}:{}", at.file(), at.line(), at.column()),
        None => Clean::default(),
    };
    let report = write_report(info, &place, reports);
    PLACE.set(Some(place.clone()));
    if contained {
        return;
    }
    let report = report.map_or_else(Clean::default, |path| clean!(" Report: {path}"));
    let text = format!("watchkeeper: internal error at {place}; the terminal was restored.{report}\n");
    if !guard::is_hung_up() {
        let deadline = RealClock.now().mono + Duration::from_millis(100);
        guard::write_within(rustix::stdio::stderr().as_fd(), text.as_bytes(), deadline);
    }
    group::end_all();
    exit_now(STATUS);
}

/// A literal message is the program's own; a formatted one may hold values, so only its place is told.
fn write_report(info: &PanicHookInfo<'_>, place: &Clean, reports: &Path) -> Option<Clean> {
    let now = RealClock.now();
    let path = reports.join(format!("panic-{}-{}.txt", now.wall.0, crate::sys::process::pid()));
    let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(formatted, withheld)");
    let thread = std::thread::current();
    let report = format!(
        "watchkeeper {}\nat {place}\nmessage {}\nthread {}\ntime {}\n",
        env!("CARGO_PKG_VERSION"),
        Clean::text(message),
        Clean::text(thread.name().unwrap_or("unnamed")),
        now.wall.rfc3339(),
    );
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).ok()?;
    file.write_all(report.as_bytes()).ok()?;
    Some(Clean::text(path.to_string_lossy().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_is_an_error_and_leaves_the_mark_as_it_was() {
        assert_eq!(contain(|| 7).unwrap(), 7);
        assert!(contain(|| -> u8 { panic!("on purpose") }).is_err());
        assert!(!CONTAINED.get());
    }
}
