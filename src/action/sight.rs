//! Looks at a target after the effect or after a crash. Nothing keeps a disk or a server from never answering: a look is
//! waited for only while it shows a sign of life, and its limits are of the real clock.

use super::kinds::{self, Kind, Proof, Settled};
use super::lifecycle::Run;
use super::plan::Plan;
use crate::base::{Clean, Fault};
use crate::sys::aside::{Behind, OneAtATime, aside};
use crate::sys::clock::RealClock;
use core::time::Duration;

/// A target must show something of itself: a large tree is slow to look through, and only what is silent for so long hangs.
pub const SILENCE: Duration = Duration::from_secs(2);

/// The looks of one run at its effect: while one of them hangs no other is begun.
#[derive(Debug, Default)]
pub struct Proving {
    looks: OneAtATime<Option<Proof>>,
    hangs: bool,
}

impl Proving {
    /// Whether the effect is there, as [`Kind::proof_of`] says; unseen while its target shows no sign of life for
    /// `silence`, or once `unwanted`.
    pub fn look(
        &mut self,
        (kind, plan, run): (&'static dyn Kind, &Plan, &Run),
        silence: Duration,
        unwanted: &dyn Fn() -> bool,
    ) -> Option<Proof> {
        let (plan, run) = (plan.clone(), run.clone());
        let seen = self.looks.aside(silence, unwanted, move || kind.proof_of(&plan, &run, &RealClock));
        self.hangs = seen == Err(Behind::Silent);
        seen.unwrap_or_else(|behind| Some(Proof::Unseen(unseen(behind, silence))))
    }

    /// Whether the last look found no sign of life: then nothing more is asked of the target.
    pub const fn hangs(&self) -> bool {
        self.hangs
    }
}

/// What the target says of a run that did not report its end, as [`Kind::settled`].
///
/// # Errors
/// It cannot be observed, or shows no sign of life.
pub fn settled(plan: &Plan) -> Result<Settled, Fault> {
    of_kind(kinds::of(plan)?, plan, SILENCE)
}

fn of_kind(kind: &'static dyn Kind, plan: &Plan, silence: Duration) -> Result<Settled, Fault> {
    let theirs = plan.clone();
    aside(silence, &|| false, move || kind.settled(&theirs))
        .unwrap_or_else(|behind| Err(Fault::new(unseen(behind, silence))))
}

fn unseen(behind: Behind, silence: Duration) -> Clean {
    match behind {
        Behind::Silent => crate::clean!("its target showed no sign of life for {} s.", silence.as_secs_f64()),
        Behind::Unwanted => Clean::from("the operator ended the look at its target."),
        Behind::Broken => Clean::from("the look at its target broke off."),
    }
}
