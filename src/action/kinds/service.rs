//! `service_restart`, `service_start`, `service_stop`, `service_reload`, `service_reset_failed`: one job of the manager
//! that runs the service.
//!
//! ```toml
//! [actions.restart-inference]
//! kind       = "service_restart"
//! service    = { kind = "systemd", unit = "inference.service" }
//! stable_for = "10s"               # it must run so long, unchanged, before it counts as restarted or started
//! # No stop is lighter than C3. A start or a stop that did something is taken back by the other one, which is offered
//! # after it; or by an action of that kind with of = "ACTION". For restart, start and reload:
//! validate   = ["/usr/sbin/nginx", "-t"]    # must exit 0, before the prompt and again under the lock; else it is refused
//! cannot_check = [64, "unknown option"]        # exit codes and words of one that cannot say: no pass, and no fault found
//! reads_as_toml = "/etc/app/app.toml"          # must read as TOML; then that is enough where the program cannot say
//! port       = 8080                # a process of this very run of the service must listen on it
//! health     = { url = "http://127.0.0.1:8080/health", status = [200], json = [{ pointer = "/status", equals = "healthy" }], within = "30s" } # and bearer = { file = "/etc/app/key" }
//! # url: by address, names are not looked up; https too, then with ca = "/path" and server_name = "…" as http_call has them
//! reset_failed = true              # for service_start: its failed state and its start limit are reset first
//! daemon_reload = true             # systemd reads the files of its units again first, for one that was changed on disk
//! # user = true: of this login's own systemd; systemctl = ["/usr/bin/sudo", "-n", "/usr/bin/systemctl"]: through sudo, and
//! # journalctl likewise; pkcheck = ["/usr/bin/pkcheck"]: asks polkit whether a login without either may
//! # timeout = "5m": for its job, instead of what the unit's own time limits add up to
//! # { kind = "unix_socket", path = "/run/x.sock", unit = "x" }: a supervisor that takes lines: restart, start, stop
//!
//! [actions.restart-genesis]
//! kind    = "service_restart"
//! service = { kind = "supervisor", program = "genesis", path = "/var/run/supervisor.sock" }   # of a group: "pair:0"
//! # url = "http://127.0.0.1:9001" instead of path: its [inet_http_server] on this host
//! # owner = "genesis": supervisord runs as that login; user = "joe", password = { file = "/path" }: its socket asks for them
//! # update = true: a restart takes up what was changed in the program's section, as `supervisorctl update` does
//! # reload_signal = "HUP" (USR1, USR2, WINCH): what service_reload sends; without it there is no reload
//! # listener = "emergency", listener_does = "closes all positions": the event listener that acts when the program dies; it
//! # is looked at first and told of in the prompt, which is one heavier
//! #
//! # service = { kind = "container", name = "genesis-trading", path = "/var/run/docker.sock" }   # Docker or Podman
//! # owner and reload_signal as above; without --rm; one with a health check counts once that has passed
//!
//! [actions.restart-bot]
//! kind     = "service_restart"
//!
//! [actions.restart-bot.service]                       # a service that has only commands, each an argv, never a shell
//! kind     = "commands"
//! unit     = "bot"                                    # its name on the prompt
//! status   = ["/usr/local/bin/bot", "status"]         # exit code 0: it runs, 1 and 2: it died, 3: it is stopped
//! restart  = ["/usr/local/bin/bot", "restart"]        # start, stop, reload alike; one that is not declared is refused
//! pid_file = "/run/bot.pid"                           # or pid_after = "pid ": the number that status prints after this;
//! # without either no other run can be told from this one: then start, restart and reload end UNVERIFIED at best
//! # up = "bot is up", down = "bot is down": a line of status that begins so decides, not its exit code
//! # a login that needs sudo: restart = ["/usr/bin/sudo", "-n", "/usr/local/bin/bot", "restart"]; so too
//! # ["/usr/bin/sudo", "-n", "/usr/bin/supervisorctl", "restart", "bot"], with pid_after = "RUNNING   pid "
//! # timeout = "60s"; what a command that ended in time leaves running stays
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::left::unrecorded;
use crate::action::lifecycle::Run;
use crate::action::manager::{CHECKS, Checks, Look, Manager, Part, Serving, Standing, Verb};
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::action::right::Right;
use crate::base::{Body, Clean, Clock, Fault};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A service that came up stays up for so long before that counts: for some types of unit "done" comes right after the
/// fork, even when the program cannot run.
pub const SETTLE: Duration = Duration::from_secs(10);

/// One kind for each verb.
#[derive(Debug)]
pub struct Services(Verb);

/// `service_restart`.
pub static RESTART: Services = Services(Verb::Restart);
/// `service_start`.
pub static START: Services = Services(Verb::Start);
/// `service_stop`.
pub static STOP: Services = Services(Verb::Stop);
/// `service_reload`.
pub static RELOAD: Services = Services(Verb::Reload);
/// `service_reset_failed`.
pub static RESET_FAILED: Services = Services(Verb::ResetFailed);

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    service: Manager,
    #[serde(default)]
    checks: Checks,
    #[serde(default)]
    settle: Duration,
    /// Whether systemd reads its files again first.
    #[serde(default)]
    files: bool,
    /// Whether the service stands otherwise than a start or a stop leaves it: else there is nothing to take back.
    #[serde(default)]
    changes: bool,
    /// Whether its failure is reset first.
    #[serde(default)]
    reset: bool,
}

/// The step before the verb, where it is declared.
const FILES: &str = "daemon-reload";
/// The step right before a start, where it is declared.
const RESET: &str = "reset-failed";

impl Kind for Services {
    fn name(&self) -> &'static str {
        match self.0 {
            Verb::Restart => "service_restart",
            Verb::Start => "service_start",
            Verb::Stop => "service_stop",
            Verb::Reload => "service_reload",
            Verb::ResetFailed => "service_reset_failed",
        }
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        match self.0 {
            Verb::Restart => "restarts a service and watches it stay up",
            Verb::Start => "starts a service and watches it stay up",
            Verb::Stop => "stops a service",
            Verb::Reload => "has a service read its configuration again",
            Verb::ResetFailed => "clears the failed state and the start limit of a service",
        }
    }

    fn least_danger(&self) -> Danger {
        match self.0 {
            Verb::ResetFailed => Danger::C1,
            Verb::Restart | Verb::Start | Verb::Reload => Danger::C2,
            // Nobody is served until somebody starts it again.
            Verb::Stop => Danger::C3,
        }
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let service: Manager = body.need("service")?;
        let settle = cx.stable_for(body)?.unwrap_or(match self.0 {
            Verb::Restart | Verb::Start => SETTLE,
            Verb::Stop | Verb::Reload | Verb::ResetFailed => Duration::ZERO,
        });
        let mut keys = [COMMON, &["service", "stable_for"]].concat();
        let mut of = None;
        if self.other_way().is_some() {
            of = body.take("of")?.map(|action| Of::read(action, body)).transpose()?;
            keys.push("of");
        }
        let reset = matches!(self.0, Verb::Start) && body.take("reset_failed")?.unwrap_or(false);
        if matches!(self.0, Verb::Start) {
            keys.push("reset_failed");
        }
        let (mut checks, mut reload, mut doubtful) = (Checks::default(), None, None);
        if self.is_checked() {
            checks = Checks::take(body)?;
            (reload, doubtful) = reloaded(&service, body, cx)?.unzip();
            keys.extend(CHECKS.iter().chain(&["daemon_reload"]));
        }
        cx.done(body, &keys)?;
        of.map_or(Ok(()), |of| self.still_as_left(&of, &service, cx))?;
        let (part, resets) = self.part(&service, reset, cx)?;
        // Who only opens the list of actions runs no validator.
        let (validated, waived) = if cx.previews() { checks.validated(cx.clock)? } else { (None, None) };
        let (first, then) = checks.lines();
        let unit = service.service().unit().to_owned();
        let changes = self.changes(part.standing);
        let undo = self.undo(&unit, changes);
        Ok(Draft {
            work: to_work(&Work { service, checks, settle, files: reload.is_some(), changes, reset })?,
            lines: first.into_iter().chain(reload).chain(resets).chain([part.line]).chain(then).collect(),
            target: unit,
            hits: part.hits.into_iter().chain(doubtful.flatten()).collect(),
            undo: Undo::How(Clean::text(undo)),
            based_on: [part.based_on].into_iter().chain(validated).collect(),
            targets: vec![part.target],
            raise: part.raise.into_iter().chain(waived).collect(),
            settle,
        })
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let Some((serving, identity)) = before(plan) else { return Err(Fault::new("the plan names no service.")) };
        let mut found = work.service.differences(self.asked(work.reset), (serving, identity), clock)?;
        found.extend(match work.checks.validated(clock) {
            Err(fault) => Some(Clean::text(fault.to_string())),
            // What the prompt said is no difference.
            Ok((_, waived)) => waived.filter(|why| !plan.raised.contains(why)),
        });
        Ok(found)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        let (files, reset) = work::<Work>(plan).map_or((false, false), |work| (work.files, work.reset));
        files.then_some(FILES).into_iter().chain(reset.then_some(RESET)).chain([self.0.word()]).collect()
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let before = before(plan).ok_or_else(|| StepError::Failed(Fault::new("the plan names no service.")))?;
        match &work.service {
            Manager::Systemd(unit) if name == FILES => unit.reload_files(doing),
            service if name == RESET && work.reset => service.service().apply(Verb::ResetFailed, doing),
            service if work.files || work.reset => {
                // What our own reload or reset has changed is no sign of a restart that was not done.
                let now = service.service().look(self.0, doing.clock).map_err(StepError::Failed)?;
                self.done(service, service.carry_out(self.0, (before.0, &now.identity), doing), doing)
            }
            service => self.done(service, service.carry_out(self.0, before, doing), doing),
        }
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let (_, kind) = self.other_way()?;
        let work: Work = work(plan).ok().filter(|work: &Work| work.changes)?;
        let of = Some(plan.what.action.clone().into());
        Some((kind, back::table([("service", back::value(&work.service)), ("of", of), back::run(plan)])))
    }

    fn proof(&self, plan: &Plan, clock: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        let proof = work.service.proof(self.0, before(plan).and_then(|(serving, _)| serving), clock);
        Some(work.checks.proof(proof, &work.service, clock))
    }

    fn evidence(&self, plan: &Plan, good: bool, doing: &Doing<'_>) -> Vec<Clean> {
        let serving = before(plan).and_then(|(serving, _)| serving);
        work::<Work>(plan).map_or_else(|_| Vec::new(), |work| work.service.evidence(serving, good, doing))
    }

    fn within(&self, plan: &Plan) -> Duration {
        // Good for so long at the end of the time that it may take to become so.
        work::<Work>(plan).map_or(Duration::ZERO, |work| work.checks.within() + work.settle)
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let clock = crate::sys::clock::RealClock;
        Ok(match self.proof(plan, &clock) {
            // It runs as before, whether it has read its files again or not.
            Some(Proof::Holds(_, said)) if matches!(self.0, Verb::Reload) => Settled::Other(said),
            Some(Proof::Holds(_, said)) => Settled::Done(said),
            // Half of a restart is no "as before".
            Some(Proof::NotYet(said)) if self.differences(plan, &clock)?.is_empty() => Settled::NotDone(said),
            Some(Proof::NotYet(said)) => Settled::Other(said),
            Some(Proof::Broken(said) | Proof::Unseen(said)) => Settled::Other(said),
            None => return Err(Fault::new("the plan names no service.")),
        })
    }
}

/// The line of a reload of systemd's files where the table declares one, and why it may not be granted.
fn reloaded(service: &Manager, body: &mut Body, cx: &Context<'_>) -> Result<Option<(Clean, Option<Clean>)>, Fault> {
    let table = body.clone();
    match (body.take::<bool>("daemon_reload")?.unwrap_or(false), service) {
        (false, _) => Ok(None),
        (true, Manager::Systemd(unit)) => {
            let doubtful = unit.right_to_read_files(cx.login, cx.clock).doubt()?;
            Ok(Some((crate::clean!("first  {}", unit.reload_line()), doubtful)))
        }
        (true, _) => Err(table.fault_at("daemon_reload", "only systemd reads files of units.")),
    }
}

impl Services {
    /// The kind whose runs this one takes back, and which takes back those of this one.
    const fn other_way(&self) -> Option<(Verb, &'static str)> {
        match self.0 {
            Verb::Start => Some((Verb::Stop, "service_stop")),
            Verb::Stop => Some((Verb::Start, "service_start")),
            Verb::Restart | Verb::Reload | Verb::ResetFailed => None,
        }
    }

    const fn changes(&self, now: Standing) -> bool {
        match self.0 {
            Verb::Start => matches!(now, Standing::Stopped | Standing::Failed),
            Verb::Stop => matches!(now, Standing::Running | Standing::Changing),
            Verb::Restart | Verb::Reload | Verb::ResetFailed => true,
        }
    }

    fn undo(&self, unit: &str, changes: bool) -> String {
        match self.0 {
            Verb::Start | Verb::Stop if !changes => format!("none is needed: {unit} is so already"),
            Verb::Restart => format!("a restart cannot be taken back; if {unit} does not come up, its log says why"),
            Verb::Start => format!("stop {unit}"),
            Verb::Stop => format!("start {unit}"),
            Verb::Reload => {
                format!("a reload cannot be taken back: put back the configuration, then reload {unit} again")
            }
            Verb::ResetFailed => "nothing runs otherwise than before: only the record of the failure goes".to_owned(),
        }
    }

    /// What must be possible when the plan begins.
    const fn asked(&self, reset: bool) -> Verb {
        if reset { Verb::ResetFailed } else { self.0 }
    }

    /// The service in the plan, and the line of the reset before its start: without one systemd would refuse the start of
    /// what was started too often.
    fn part(&self, service: &Manager, reset: bool, cx: &Context<'_>) -> Result<(Part, Option<Clean>), Fault> {
        let mut part = service.draft(self.asked(reset), cx.login, cx.clock)?;
        if !reset {
            return Ok((part, None));
        }
        if part.standing == Standing::Running {
            let (unit, said) = (service.service().unit(), &part.based_on.value);
            return Err(Fault::new(format!("there is nothing to reset and start: {unit} is {said}.")));
        }
        match service.service().right(self.0, cx.login, cx.clock) {
            Right::May => {}
            Right::Unknown(lack) => part.hits.push(Clean::text(lack.fault.to_string())),
            Right::Lacks(lack) => return Err(lack.fault),
        }
        let first = core::mem::replace(&mut part.line, service.service().line(self.0));
        Ok((part, Some(crate::clean!("first  {first}"))))
    }

    /// Refuses a service that is not as the run has left it that is taken back.
    fn still_as_left(&self, of: &Of, service: &Manager, cx: &Context<'_>) -> Result<(), Fault> {
        let Some((verb, kind)) = self.other_way() else { return Ok(()) };
        let this = |other: &Manager| {
            let (one, other) = (service.service(), other.service());
            (one.address(), one.unit()) == (other.address(), other.unit())
        };
        let run = of.find(cx.state, kind, |run, plan| {
            work(plan).ok().filter(|done: &Work| done.changes && this(&done.service)).map(|_| run)
        })?;
        service.service().check()?;
        let Look { standing, serving, said, .. } = service.service().look(self.0, cx.clock)?;
        let unit = service.service().unit();
        if !self.changes(standing) {
            return Err(Fault::new(format!("there is nothing to take back: {unit} is {said}.")));
        }
        if verb == Verb::Start && back::kept::<Option<Serving>>(&run)? != serving {
            return Err(Fault::new(format!("{unit} was started anew since by {}.", of.others()))
                .hint("Stop it by its own action if it must not run."));
        }
        Ok(())
    }

    /// After its job: which run began with a start, for its way back to end that one and no other.
    fn done(&self, service: &Manager, done: Result<Clean, StepError>, doing: &Doing<'_>) -> Result<Clean, StepError> {
        if !matches!(self.0, Verb::Start) || matches!(done, Err(StepError::Failed(_))) {
            return done;
        }
        let look = service.service().look(self.0, doing.clock);
        let kept = look.and_then(|look| back::keep(doing.run, &look.serving));
        let unrecorded = kept.err().as_ref().map(unrecorded).unwrap_or_default();
        done.map(|said| crate::clean!("{said}{unrecorded}")).map_err(|error| error.also(&unrecorded))
    }

    /// Whether the service runs afterwards, so that more than its manager's word can be asked for.
    const fn is_checked(&self) -> bool {
        matches!(self.0, Verb::Restart | Verb::Start | Verb::Reload)
    }
}

fn before(plan: &Plan) -> Option<(Option<&Serving>, &std::collections::BTreeMap<String, String>)> {
    plan.targets.iter().find_map(|target| match target {
        Target::Unit { serving, identity, .. } => Some((serving.as_ref(), identity)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Ulid;
    use crate::sys::clock::RealClock;

    #[test]
    fn a_start_that_may_have_been_and_was_not_recorded_says_that_nobody_can_take_it_back() {
        let mut body = Body::parse(
            "p.toml",
            "service = { kind = \"commands\", unit = \"bot\", status = [\"/bin/true\"], start = [\"/bin/true\"] }",
        )
        .unwrap();
        let service: Manager = body.need("service").unwrap();
        let folder = tempfile::tempdir().unwrap();
        // There is no folder of this run, so nothing can be kept in it.
        let run = Run::of(&folder.path().join("gone"), Ulid(1));
        let doing = Doing { run: &run, clock: &RealClock, tell: &|_| {}, stops: &|| false, left: &|_| {} };
        let lost = Err(StepError::Unknown(Fault::new("it did not say.").hint("Look at it.")));
        let said = Services(Verb::Start).done(&service, lost, &doing).unwrap_err().fault().to_string();
        assert!(said.starts_with("it did not say. Look at it. Also, it cannot be taken back from here"), "{said}");
        let refused = Err(StepError::Failed(Fault::new("it was refused.")));
        let said = Services(Verb::Start).done(&service, refused, &doing).unwrap_err().fault().to_string();
        assert_eq!(said, "it was refused.", "what was not begun leaves nothing");
    }
}
