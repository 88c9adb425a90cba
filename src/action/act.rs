//! The one order of effects: lock, accepted, re-observe, backup, intent, the kind's steps, verify, outcome, release.
//! It is a sentence over [`Executor`], so that a scripted one can prove it.

use super::kinds::StepError;
use super::lifecycle::{End, Outcome};
use super::verify::{Seen, Verdict};
use crate::base::{Clean, Fault};
use core::time::Duration;

/// Who carries out each part: `execute::Real`; `dry_run::DryRun`, which only looks; a scripted one in tests.
pub trait Executor {
    /// Takes the locks of all targets.
    ///
    /// # Errors
    /// Who holds one.
    fn lock(&mut self) -> Result<(), Fault>;
    /// Consumes the plan: only the first caller may go on.
    ///
    /// # Errors
    /// It was consumed before.
    fn accept(&mut self) -> Result<(), Fault>;
    /// Looks at everything again that the plan rests on.
    ///
    /// # Errors
    /// The plan is stale: what differs, or cannot be observed.
    fn observe(&mut self) -> Result<(), Fault>;
    /// Makes the way back durable.
    ///
    /// # Errors
    /// It could not be written or read back.
    fn backup(&mut self) -> Result<(), Fault>;
    /// Records durably that the first effect follows.
    ///
    /// # Errors
    /// Nothing durable could be written.
    fn intent(&mut self) -> Result<(), Fault>;
    /// Whether the operator wants it to end: then no further effect begins.
    fn stops(&self) -> bool;
    /// It wants that before this effect: leaves nothing half-way that a broken effect would not leave either; what was
    /// done for that, if anything.
    fn ended(&mut self, before: &'static str) -> Option<Clean>;
    /// The names of the effects, in order.
    fn steps(&self) -> Vec<&'static str>;
    /// One effect.
    ///
    /// # Errors
    /// Whether it certainly did not take place, or may have.
    fn step(&mut self, name: &'static str) -> Result<Clean, StepError>;
    /// Observes until it can be judged or the time is over.
    fn verify(&mut self) -> Verdict;
    /// Records how it ended.
    fn outcome(&mut self, end: &End);
    /// Lets the targets go, once nothing lives any more that could not be ended: that may still have effects.
    fn release(&mut self);
}

/// The runner's own eyes: samplers that it runs itself.
pub trait Probe: Send {
    /// Points that came since the last call and answer one of the plan's queries. Waits until some have come, at most
    /// `limit`; returns empty only after that.
    fn points(&mut self, limit: Duration) -> Vec<Seen>;
    /// Why samplers that feed this query give nothing now, a sentence each.
    fn troubles(&self, _query: &str) -> Vec<Clean> {
        Vec::new()
    }
}

/// Carries out one accepted plan, once.
pub fn carry_out(executor: &mut dyn Executor) -> End {
    let end = match prepare(executor) {
        Err(fault) => End { outcome: Outcome::Refused, reason: Clean::text(fault.to_string()), executed: false },
        Ok(()) => effects(executor),
    };
    executor.outcome(&end);
    executor.release();
    end
}

/// Everything before the first effect.
fn prepare(executor: &mut dyn Executor) -> Result<(), Fault> {
    executor.lock()?;
    executor.accept()?;
    executor.observe()?;
    executor.backup()?;
    executor.intent()
}

fn effects(executor: &mut dyn Executor) -> End {
    let mut done: Vec<&str> = Vec::new();
    for name in executor.steps() {
        if executor.stops() {
            let mut reason = crate::clean!("ended by the operator before {name} ({}).", before(&done));
            if let Some(then) = executor.ended(name) {
                reason = reason.join(" Then: ", &then);
            }
            return End { outcome: Outcome::Failed, reason, executed: false };
        }
        let failed = match executor.step(name) {
            Ok(_) => {
                done.push(name);
                continue;
            }
            Err(StepError::Failed(fault)) => (Outcome::Failed, "failed", fault),
            Err(StepError::Unknown(fault)) => (Outcome::Indeterminate, "may or may not have taken place", fault),
            Err(StepError::Unsaid(fault)) => {
                return End { outcome: Outcome::Unverified, reason: Clean::text(fault.to_string()), executed: true };
            }
        };
        let (outcome, how, fault) = failed;
        return End { outcome, reason: crate::clean!("{name} {how} ({}). {fault}", before(&done)), executed: false };
    }
    let (outcome, reason) = match executor.verify() {
        Verdict::Verified => {
            (Outcome::Succeeded, Clean::from("executed, and it worked: what was to be checked holds."))
        }
        Verdict::Failed(why) => (Outcome::Failed, crate::clean!("executed, but it did not help: {why}")),
        Verdict::Unverified(why) | Verdict::Waiting(why) => {
            (Outcome::Unverified, crate::clean!("executed; whether it helped cannot be told: {why}"))
        }
    };
    End { outcome, reason, executed: true }
}

fn before(done: &[&str]) -> String {
    if done.is_empty() { "nothing before it".to_owned() } else { format!("done before it: {}", done.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does nothing but remember; breaks where it is told to.
    #[derive(Default)]
    struct Scripted {
        said: Vec<&'static str>,
        breaks: &'static str,
        unknown: bool,
        /// The operator ends it after this.
        ends: &'static str,
    }

    impl Scripted {
        fn say(&mut self, what: &'static str) -> Result<(), Fault> {
            self.said.push(what);
            if self.breaks == what { Err(Fault::new(format!("{what} broke."))) } else { Ok(()) }
        }
    }

    impl Executor for Scripted {
        fn lock(&mut self) -> Result<(), Fault> {
            self.say("lock")
        }
        fn accept(&mut self) -> Result<(), Fault> {
            self.say("accepted")
        }
        fn observe(&mut self) -> Result<(), Fault> {
            self.say("re-observe")
        }
        fn backup(&mut self) -> Result<(), Fault> {
            self.say("backup")
        }
        fn intent(&mut self) -> Result<(), Fault> {
            self.say("intent")
        }
        fn stops(&self) -> bool {
            self.said.last() == Some(&self.ends)
        }
        fn ended(&mut self, before: &'static str) -> Option<Clean> {
            self.said.push("ended");
            Some(crate::clean!("made good before {before}"))
        }
        fn steps(&self) -> Vec<&'static str> {
            vec!["edit", "restart"]
        }
        fn step(&mut self, name: &'static str) -> Result<Clean, StepError> {
            let unknown = self.unknown;
            let wrap = |fault| if unknown { StepError::Unknown(fault) } else { StepError::Failed(fault) };
            self.say(name).map(|()| Clean::from(name)).map_err(wrap)
        }
        fn verify(&mut self) -> Verdict {
            match self.say("verify") {
                Ok(()) => Verdict::Verified,
                Err(_) => Verdict::Failed("no fall".into()),
            }
        }
        fn outcome(&mut self, end: &End) {
            self.said.push("outcome");
            self.said.push(end.outcome.word());
        }
        fn release(&mut self) {
            self.said.push("release");
        }
    }

    fn run(breaks: &'static str, unknown: bool) -> (String, End) {
        let mut scripted = Scripted { breaks, unknown, ..Scripted::default() };
        let end = carry_out(&mut scripted);
        (scripted.said.join(", "), end)
    }

    #[test]
    fn effects_come_in_their_order() {
        let (said, end) = run("", false);
        assert_eq!(
            said,
            "lock, accepted, re-observe, backup, intent, edit, restart, verify, outcome, VERIFIED, release"
        );
        assert!(end.executed);
    }

    /// What stood before the first effect, in order.
    fn before_the_first_effect(said: &str) -> Vec<&str> {
        said.split(", ").take_while(|said| !["edit", "restart"].contains(said)).collect()
    }

    #[test]
    fn the_plan_is_consumed_the_way_back_kept_and_the_intent_durable_before_the_first_effect() {
        let (said, _) = run("", false);
        let before = before_the_first_effect(&said);
        assert!(before.contains(&"lock") && before.contains(&"accepted"), "{said}");
        assert_eq!(before.last(), Some(&"intent"), "{said}");
        assert!(before.contains(&"backup") && before.contains(&"re-observe"), "{said}");
    }

    #[test]
    fn a_refused_plan_is_told_with_its_reason_and_lets_its_targets_go() {
        let (said, end) = run("re-observe", false);
        assert!(said.ends_with("outcome, REFUSED, release"), "{said}");
        assert_eq!((end.outcome, end.executed, end.reason.as_str()), (Outcome::Refused, false, "re-observe broke."));
    }

    #[test]
    fn nothing_is_touched_unless_everything_before_it_holds() {
        assert_eq!(run("lock", false).0, "lock, outcome, REFUSED, release");
        assert_eq!(run("accepted", false).0, "lock, accepted, outcome, REFUSED, release");
        assert_eq!(run("re-observe", false).0, "lock, accepted, re-observe, outcome, REFUSED, release");
        assert_eq!(run("backup", false).0, "lock, accepted, re-observe, backup, outcome, REFUSED, release");
        assert_eq!(run("intent", false).0, "lock, accepted, re-observe, backup, intent, outcome, REFUSED, release");
    }

    #[test]
    fn the_operator_ends_it_between_two_effects() {
        let mut scripted = Scripted { ends: "edit", ..Scripted::default() };
        let end = carry_out(&mut scripted);
        assert_eq!(
            scripted.said.join(", "),
            "lock, accepted, re-observe, backup, intent, edit, ended, outcome, FAILED, release"
        );
        assert_eq!(
            end.reason.as_str(),
            "ended by the operator before restart (done before it: edit). Then: made good before restart"
        );
    }

    #[test]
    fn a_broken_step_ends_it_and_says_what_was_done() {
        let (said, end) = run("restart", false);
        assert_eq!(said, "lock, accepted, re-observe, backup, intent, edit, restart, outcome, FAILED, release");
        assert_eq!(end.reason.as_str(), "restart failed (done before it: edit). restart broke.");
        assert!(!end.executed);
        assert_eq!(run("restart", true).1.outcome, Outcome::Indeterminate);
        assert_eq!(run("verify", false).1.outcome, Outcome::Failed);
    }
}
