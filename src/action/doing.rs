//! What a step of an action works with: its run's folder, the clock, and programs of others whose outputs are kept in
//! the run's `out.log`, with no secret in them.

use super::kinds::StepError;
use super::lifecycle::Run;
use crate::base::scrub::scrub;
use crate::base::{Clean, Clock, Fault};
use crate::sys::aside::within;
use crate::sys::program::{Ended, Order, Refusal};
use crate::sys::run::{Left, Overdue, Ran, Stopped, Watching, run, run_watched};
use crate::sys::secret::hide;
use core::time::Duration;
use std::io::Write;

/// A program of an action may take this long when the profile does not say.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A look at a target may take this long.
pub const LOOK: Duration = Duration::from_secs(5);

/// The step under way.
#[derive(Clone, Copy)]
pub struct Doing<'a> {
    /// Whose.
    pub run: &'a Run,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Tells what is going on, for the screen: `3 of 12 files`.
    pub tell: &'a dyn Fn(Clean),
    /// Whether the operator wants it to end.
    pub stops: &'a dyn Fn() -> bool,
    /// Takes what lives on although it was killed: the target stays locked until that is gone.
    pub left: &'a dyn Fn(Left),
}

impl Doing<'_> {
    /// Runs a program and keeps what it says. A program that was ended because its time was over, or that cannot be
    /// ended, may have had its effect.
    ///
    /// # Errors
    /// [`StepError::Failed`] when it was not started, [`StepError::Unknown`] when it did not end by itself.
    pub fn program(&self, order: &Order, patience: Duration) -> Result<Ran, StepError> {
        self.watched(order, patience, false)
    }

    /// The same for a program that starts a service: what it leaves running once it has ended in time stays.
    ///
    /// # Errors
    /// As [`Self::program`].
    pub fn program_that_leaves(&self, order: &Order, patience: Duration) -> Result<Ran, StepError> {
        self.watched(order, patience, true)
    }

    fn watched(&self, order: &Order, patience: Duration, leaves: bool) -> Result<Ran, StepError> {
        let name = name(order);
        let says = |line: Clean| (self.tell)(Clean::text(scrub(&hide(line.as_str()))));
        let spares = |why| {
            let line = match why {
                Overdue::Late => crate::clean!("{name} takes longer than {} s; it is never ended", patience.as_secs()),
                Overdue::Unwanted => crate::clean!("{name} was to end; it is never ended, and goes on"),
            };
            // In the record, where the screen shows it too until the program says something.
            self.note(&format!("{line}\n"));
            says(line);
        };
        let watching = Watching { says: &says, stops: self.stops, spares: &spares, leaves };
        let ran = run_watched(order, patience, &watching, self.clock).map_err(|stopped| match stopped {
            Stopped::Refused(Refusal::Forbidden(fault) | Refusal::Impossible(fault)) => StepError::Failed(fault),
            Stopped::Unkillable(left) => {
                let what = format!("{name} is unkillable: process {} is in state {}.", left.pid, left.state);
                (self.left)(left);
                StepError::Unknown(Fault::new(what).hint("Its target stays locked until that process is gone."))
            }
        })?;
        self.keep(&ran);
        if ran.stopped {
            let ended = ran.ended;
            return Err(StepError::Unknown(Fault::new(format!("{name} was ended by the operator ({ended})."))));
        }
        if ran.timed_out {
            let (limit, ended) = (patience.as_secs(), ran.ended);
            return Err(StepError::Unknown(Fault::new(format!("{name} did not end within {limit} s ({ended})."))));
        }
        Ok(ran)
    }

    fn keep(&self, ran: &Ran) {
        for kept in [&ran.stdout, &ran.stderr] {
            self.note(&String::from_utf8_lossy(&kept.bytes()));
        }
    }

    /// Keeps what a server or a program said, with no secret in it. Best effort: a full disk must not stop a run
    /// half-way.
    pub fn note(&self, text: &str) {
        let log = self.run.dir().join("out.log");
        let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(log) else { return };
        let _best_effort = file.write_all(scrub(&hide(text)).as_bytes());
    }
}

/// Runs a program that only looks, with [`LOOK`] for its time; what it printed.
///
/// # Errors
/// It was not started, did not end in time, or ended badly: then with its last line.
pub fn look(order: &Order, clock: &dyn Clock) -> Result<Vec<u8>, Fault> {
    well(order, clock).map(|ran| ran.stdout.bytes())
}

/// The same with all that it printed.
///
/// # Errors
/// As [`look`].
pub fn well(order: &Order, clock: &dyn Clock) -> Result<Ran, Fault> {
    let ran = look_at(order, clock)?;
    match ran.ended {
        Ended::Code(0) => Ok(ran),
        ended => Err(Fault::new(format!("{} ended with {ended}{}.", name(order), last_words(&ran)))),
    }
}

/// The same where a bad end says something too: how it ended, and all that it printed.
///
/// # Errors
/// It was not started, or did not end in time.
pub fn look_at(order: &Order, clock: &dyn Clock) -> Result<Ran, Fault> {
    let limit = within(LOOK);
    let ran = run(order, limit, clock).map_err(|stopped| match stopped {
        Stopped::Refused(Refusal::Forbidden(fault) | Refusal::Impossible(fault)) => fault,
        Stopped::Unkillable(left) => Fault::new(format!("{} hangs as process {}.", name(order), left.pid)),
    })?;
    if ran.timed_out {
        return Err(Fault::new(format!("{} did not answer within {} s.", name(order), limit.as_secs())));
    }
    Ok(ran)
}

/// A program and its arguments on one line, so that none hides in another: those with unusual characters in quotes.
pub fn quoted(argv: &[String]) -> Clean {
    let plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._:/@=+,%-".contains(c));
    let word = |word: &String| if plain(word) { word.clone() } else { format!("{word:?}") };
    Clean::text(argv.iter().map(word).collect::<Vec<String>>().join(" "))
}

/// What it said last, after a colon; nothing when it said nothing.
pub fn last_words(ran: &Ran) -> String {
    let said = ran.stderr.last_line().or_else(|| ran.stdout.last_line());
    said.map_or_else(String::new, |line| format!(": {line}"))
}

fn name(order: &Order) -> Clean {
    Clean::text(order.program.as_os_str().as_encoded_bytes())
}
