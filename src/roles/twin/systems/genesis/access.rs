//! Who may read the metrics, and how often: a bearer key that changes, of which the one before still holds for a
//! period, and limits for what all of this host ask together.

use super::super::file_again;
use crate::base::Mono;
use crate::sys::files::hex;
use crate::sys::random::bits;
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

/// A key holds so long, and as long again as the one before. A day in the real system.
const PERIOD: Duration = Duration::from_mins(5);
/// What the limits count over.
const MINUTE: Duration = Duration::from_mins(1);

/// The keys, and the file from which the console takes the present one.
#[derive(Debug)]
pub(in crate::roles::twin::systems) struct Keys {
    file: PathBuf,
    present: String,
    before: Option<String>,
    changed: Mono,
}

impl Keys {
    /// A new key, as at each start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn new(file: PathBuf, now: Mono) -> io::Result<Self> {
        let mut keys = Self { file, present: String::new(), before: None, changed: now };
        keys.change(now)?;
        keys.before = None;
        Ok(keys)
    }

    fn change(&mut self, now: Mono) -> io::Result<()> {
        self.before = Some(core::mem::replace(&mut self.present, hex(&bits().to_be_bytes())));
        self.changed = now;
        file_again(&self.file, self.present.as_bytes())
    }

    /// Changes the key when its period is over; a file that cannot be written keeps the old one in use there.
    pub(super) fn turn(&mut self, now: Mono) {
        if now.since(self.changed) >= PERIOD {
            let _best_effort = self.change(now);
        }
    }

    /// Neither the key in the file nor the one before it holds any longer.
    pub(super) fn forget(&mut self) {
        self.before = None;
        self.present = hex(&bits().to_be_bytes());
    }

    /// Where the console reads it.
    #[cfg(test)]
    pub(in crate::roles::twin::systems) fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// Whether this key opens.
    pub(in crate::roles::twin::systems) fn open(&self, key: &str) -> bool {
        key == self.present || self.before.as_deref() == Some(key)
    }

    /// Until the next change.
    pub(super) fn left(&self, now: Mono) -> Duration {
        PERIOD.saturating_sub(now.since(self.changed))
    }
}

/// So many requests a minute, and no more.
#[derive(Debug)]
pub(super) struct Limit {
    most: usize,
    asked: VecDeque<Mono>,
}

impl Limit {
    pub(super) fn new(most: usize) -> Self {
        Self { most, asked: VecDeque::new() }
    }

    /// Counts a request, or says after how many seconds one may ask again.
    pub(super) fn ask(&mut self, now: Mono) -> Result<(), u64> {
        while self.asked.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            self.asked.pop_front();
        }
        match self.asked.front() {
            Some(first) if self.asked.len() >= self.most => {
                Err(MINUTE.saturating_sub(now.since(*first)).as_secs().saturating_add(1))
            }
            _ => {
                self.asked.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u64) -> Mono {
        Mono(at * 1_000_000_000)
    }

    #[test]
    fn the_key_before_holds_for_one_period_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let mut keys = Keys::new(file.clone(), second(0)).unwrap();
        let read = || std::fs::read_to_string(&file).unwrap();
        let first = read();
        assert!(keys.open(&first) && !keys.open("") && !keys.open("guessed"));
        keys.turn(second(299));
        assert_eq!((read(), keys.left(second(299))), (first.clone(), Duration::from_secs(1)));
        keys.turn(second(300));
        let second_one = read();
        assert!(second_one != first && keys.open(&first) && keys.open(&second_one));
        keys.turn(second(600));
        assert!(!keys.open(&first) && keys.open(&second_one) && keys.open(&read()));
        keys.forget();
        assert!(!keys.open(&second_one) && !keys.open(&read()), "nobody was told");
    }

    #[test]
    fn one_request_too_many_is_told_when_to_come_again() {
        let mut limit = Limit::new(3);
        assert!((0..3).all(|at| limit.ask(second(at)).is_ok()));
        assert_eq!(limit.ask(second(10)), Err(51));
        assert_eq!(limit.ask(second(60)), Ok(()), "the first one is a minute old");
        assert_eq!(limit.ask(second(60)), Err(2));
    }
}
