//! A unit of systemd, through `systemctl`: what it says of a unit comes as `key=value` from `show`, never from its
//! status text; `restart` is one job, and its exit code is the job's result (systemctl(1)).

use super::drop_in::{InForce, Setting, sources};
use super::permission::{Wish, is_sudo, of_polkit, of_sudo};
use super::systemd_group as group;
use super::systemd_journal as journal;
use super::systemd_unit::{Shown, last_exit, not_loaded, obstacle, patience};
use super::{Kin, Look, Service, Serving, Standing, Told, Verb, plain_name};
use crate::action::doing::{self, Doing, quoted};
use crate::action::kinds::StepError;
use crate::action::right::Right;
use crate::base::{Clean, Clock, Fault};
use crate::sys::files;
use crate::sys::host::Login;
use crate::sys::program::{Ended, Order};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What `show` is asked for.
const PROPERTIES: &str = "Id,LoadState,LoadError,ActiveState,SubState,Result,Job,NeedDaemonReload,CanStart,CanStop,CanReload,\
RefuseManualStart,RefuseManualStop,StartLimitBurst,StartLimitIntervalUSec,RequiredBy,BoundBy,ConsistsOf,TriggeredBy,\
TimeoutStartUSec,TimeoutStopUSec,ControlGroup,KillMode,FragmentPath,DropInPaths,InvocationID,InactiveExitTimestampMonotonic,MainPID,ExecMainStartTimestampMonotonic,NRestarts,ExecMainCode,\
ExecMainStatus";
/// The host's own.
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// So many that stop with it make a restart heavier.
const MANY: usize = 5;
/// A job may take this long where the unit cannot be seen: twice the stop that is usual (90 s).
const JOB: Duration = Duration::from_secs(180);
/// A unit's file is never larger.
const UNIT_FILE: u64 = 1024 * 1024;
/// Reading every unit's files may take this long.
const RELOAD: Duration = Duration::from_secs(90);

/// `{ kind = "systemd", unit = "x.service" }`; with `user = true` a unit of this login's own manager. A login that
/// needs sudo for it says `systemctl = ["/usr/bin/sudo", "-n", "/usr/bin/systemctl"]`, and `journalctl` likewise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Systemd {
    /// With its suffix.
    pub unit: String,
    /// Of this login's own manager.
    #[serde(default)]
    pub user: bool,
    /// The program, with what stands before its own arguments.
    #[serde(default = "systemctl")]
    pub systemctl: Vec<String>,
    /// The program that reads its journal, likewise.
    #[serde(default = "journalctl")]
    pub journalctl: Vec<String>,
    /// The program that asks polkit, likewise: a login that is not root and has no sudo before `systemctl` needs a rule.
    #[serde(default = "pkcheck")]
    pub pkcheck: Vec<String>,
    /// How long a job of it may take; without it what the unit's own time limits add up to.
    #[serde(default)]
    pub timeout: Option<jiff::SignedDuration>,
}

fn systemctl() -> Vec<String> {
    vec![SYSTEMCTL.to_owned()]
}

fn journalctl() -> Vec<String> {
    vec!["/usr/bin/journalctl".to_owned()]
}

fn pkcheck() -> Vec<String> {
    vec!["/usr/bin/pkcheck".to_owned()]
}

impl Systemd {
    fn order(&self, args: &[&str]) -> Order {
        let scope = if self.user { "--user" } else { "--system" };
        let flags = [scope, "--no-ask-password", "--no-pager"];
        let own = flags.iter().chain(args).chain(&["--"]).map(|arg| (*arg).to_owned()).chain([self.unit.clone()]);
        self.program(&self.systemctl, own)
    }

    /// One of its programs, with what stands before its own arguments.
    pub(super) fn program(&self, program: &[String], own: impl Iterator<Item = String>) -> Order {
        let mut words = program.iter().cloned();
        Order {
            program: words.next().unwrap_or_default().into(),
            args: words.chain(own).collect(),
            env: if self.user { crate::sys::process::inherited_texts(&["XDG_RUNTIME_DIR"]) } else { Vec::new() },
            spare: false,
        }
    }

    fn show(&self, clock: &dyn Clock) -> Result<Shown, Fault> {
        self.shown(PROPERTIES, clock)
    }

    fn shown(&self, properties: &str, clock: &dyn Clock) -> Result<Shown, Fault> {
        let said = doing::look(&self.order(&["show", "--property", properties]), clock).map_err(|fault| {
            // Of a program that is not there it says itself where.
            if fault.at.is_some() {
                return fault;
            }
            let why = self.absent().map_or(fault.what.clone(), |absent| crate::clean!("{absent}."));
            Fault { what: crate::clean!("the unit `{}` cannot be looked at: {why}", self.unit), ..fault }
        })?;
        Ok(Shown::of(&String::from_utf8_lossy(&said)))
    }

    /// Whether systemd knows no such unit.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn is_unknown(&self, clock: &dyn Clock) -> Result<bool, Fault> {
        self.show(clock).map(|shown| shown.get("LoadState") == "not-found")
    }

    /// Why this host's systemd cannot be asked, where it does not run. Called otherwise, another systemd is meant.
    pub fn absent(&self) -> Option<Clean> {
        let own = self.systemctl.last().is_some_and(|program| *program == SYSTEMCTL);
        if own { crate::sys::logind::absent(Path::new("/")) } else { None }
    }

    /// The declared time of a job.
    fn declared(&self) -> Option<Duration> {
        self.timeout.and_then(|timeout| Duration::try_from(timeout).ok())
    }
}

impl Service for Systemd {
    fn unit(&self) -> &str {
        &self.unit
    }

    fn address(&self) -> String {
        if self.user { "systemd --user".to_owned() } else { "systemd".to_owned() }
    }

    fn check(&self) -> Result<(), Fault> {
        plain_name(&self.unit, "\\")?;
        for (name, program) in
            [("systemctl", &self.systemctl), ("journalctl", &self.journalctl), ("pkcheck", &self.pkcheck)]
        {
            if !program.first().is_some_and(|program| program.starts_with('/')) {
                return Err(Fault::new(format!("`{name}` must begin with an absolute path.")));
            }
        }
        if self.timeout.is_some() && self.declared().is_none_or(|timeout| timeout.is_zero()) {
            return Err(Fault::new("`timeout` of a service must be longer than nothing."));
        }
        if self.unit.contains('.') {
            return Ok(());
        }
        Err(Fault::new(format!("`{}` has no suffix.", self.unit)).hint(format!("Write `{}.service`.", self.unit)))
    }

    fn look(&self, verb: Verb, clock: &dyn Clock) -> Result<Look, Fault> {
        let shown = self.show(clock)?;
        let get = |name: &str| shown.get(name);
        let pid: u32 = get("MainPID").parse().unwrap_or(0);
        let (active, sub) = (get("ActiveState"), get("SubState"));
        let standing = standing(active);
        let process = if pid > 0 { format!(", process {pid}") } else { String::new() };
        let result = match (standing, sub) {
            (Standing::Failed, _) => format!(", {}", last_exit(&shown)),
            // Between two of its crashes: how it ended last comes first.
            (_, "auto-restart") => format!(", again and again: {}", last_exit(&shown)),
            _ => String::new(),
        };
        let serving = (standing == Standing::Running)
            .then(|| Serving { pid, id: format!("{} restarts {}", get("InvocationID"), get("NRestarts")) });
        let with = goes_with(&shown);
        let mut hits = vec![crate::clean!("{} restarted by systemd {} times so far", self.unit, get("NRestarts"))];
        if let Some(longest) = shown.longest(verb, self.declared()) {
            hits.push(longest);
        }
        if !with.is_empty() {
            let units = if with.len() == 1 { "1 unit goes".to_owned() } else { format!("{} units go", with.len()) };
            hits.push(crate::clean!("{units} with it: {}", with.join(" ")));
        }
        if !get("TriggeredBy").is_empty() {
            hits.push(crate::clean!("it can be started again by {}", get("TriggeredBy")));
        }
        let mut raise = Vec::new();
        if with.len() >= MANY && verb != Verb::Reload && verb != Verb::ResetFailed {
            raise.push(crate::clean!("{} units stop with it", with.len()));
        }
        if get("NeedDaemonReload") == "yes" {
            hits.push(Clean::from(
                "its unit file has changed on disk: systemd uses the old one until `systemctl daemon-reload`, or with daemon_reload = true",
            ));
        }
        let mut obstacle = obstacle(&self.unit, verb, &shown);
        if verb == Verb::ResetFailed && standing != Standing::Failed && !shown.is_limited() && obstacle.is_none() {
            match self.used_up(&shown, clock) {
                Err(unknown) => hits.push(unknown),
                Ok(used_up) => obstacle = (!used_up).then(|| self.nothing_to_reset(active)),
            }
        }
        Ok(Look {
            standing,
            said: crate::clean!("{active} ({sub}){process}{result}"),
            serving,
            identity: ["FragmentPath", "DropInPaths", "ActiveState", "NeedDaemonReload"]
                .map(|name| (name.to_owned(), get(name).to_owned()))
                .into_iter()
                .chain(written(&shown))
                .collect(),
            hits,
            raise,
            obstacle,
            doubt: None,
        })
    }

    fn kin(&self, clock: &dyn Clock) -> Result<Kin, Fault> {
        let shown = self.show(clock)?;
        let number = |name: &str| shown.get(name).parse::<u64>().ok().filter(|number| *number > 0);
        // It begins before its main process does where that is a child of what systemd started.
        let since = number("InactiveExitTimestampMonotonic").map(Duration::from_micros);
        Ok(Kin {
            pid: number("MainPID").and_then(|pid| u32::try_from(pid).ok()),
            group: Some(shown.get("ControlGroup").to_owned()).filter(|group| !group.is_empty()),
            since: since.map(crate::sys::listeners::with_sleep),
        })
    }

    fn left(&self, clock: &dyn Clock) -> Result<Option<Clean>, Fault> {
        group::left(|| self.show(clock))
    }

    fn right(&self, verb: Verb, login: &Login, clock: &dyn Clock) -> Right {
        self.granted(self.order(&[verb.word()]), Wish::Unit(verb, &self.unit), login, clock)
    }

    fn line(&self, verb: Verb) -> Clean {
        let user = if self.user { " --user" } else { "" };
        crate::clean!("{}{user} {verb} {}", quoted(&self.systemctl), self.unit)
    }

    fn outlook(&self, verb: Verb, clock: &dyn Clock) -> (Vec<Clean>, Vec<Clean>) {
        let Ok(shown) = self.show(clock) else { return Default::default() };
        if verb == Verb::Stop {
            return (group::would_be_left(&shown).into_iter().collect(), vec![]);
        }
        let Some((burst, interval)) = shown.start_limit().filter(|_| verb.starts()) else { return Default::default() };
        let window = shown.get("StartLimitIntervalUSec");
        match journal::starts(self, interval, clock) {
            Err(fault) => (
                vec![crate::clean!("systemd allows {burst} starts in {window}; how many are left is unknown: {fault}")],
                vec![],
            ),
            Ok(starts) if starts >= burst => {
                let then =
                    if verb == Verb::Restart { "it would be stopped and not started" } else { "it would not start" };
                let why = crate::clean!(
                    "started {starts} times in the last {window}, and systemd allows {burst}: {then}; reset-failed first, or wait"
                );
                (vec![], vec![why])
            }
            Ok(starts) => {
                (vec![crate::clean!("start {} of the {burst} that systemd allows in {window}", starts + 1)], vec![])
            }
        }
    }

    fn told(&self, before: Option<&Serving>, good: bool, clock: &dyn Clock) -> Told {
        let Ok(shown) = self.show(clock) else { return Told::default() };
        let run = shown.get("InvocationID");
        // Of a run that was there before nothing new is to be told.
        let known = before.is_some_and(|before| before.id.split(' ').next() == Some(run));
        if run.is_empty() || known { Told::default() } else { journal::told(self, run, good, clock) }
    }

    fn apply(&self, verb: Verb, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let limit = self.show(doing.clock).map_or(JOB, |shown| patience(&shown, verb));
        let ran = doing.program(&self.order(&[verb.word()]), self.declared().unwrap_or(limit))?;
        match ran.ended {
            Ended::Code(0) => Ok(crate::clean!("systemd has done `{verb} {}`", self.unit)),
            ended => Err(StepError::Failed(self.refused(verb, ran.stderr.first_line(), ended, doing.clock))),
        }
    }
}

impl Systemd {
    fn nothing_to_reset(&self, active: &str) -> Fault {
        let what = format!("there is nothing to reset: {} is {active}, and systemd still starts it.", self.unit);
        Fault::new(what).hint("It is for a unit that failed, or has no start left.")
    }

    /// Whether its journal has as many starts as systemd allows.
    ///
    /// # Errors
    /// That nobody knows, in words for HITS.
    fn used_up(&self, shown: &Shown, clock: &dyn Clock) -> Result<bool, Clean> {
        let Some((burst, interval)) = shown.start_limit() else { return Ok(false) };
        let window = shown.get("StartLimitIntervalUSec");
        let unknown =
            |fault| crate::clean!("systemd allows {burst} starts in {window}; how many are left is unknown: {fault}");
        journal::starts(self, interval, clock).map(|starts| starts >= burst).map_err(unknown)
    }
}

fn standing(active: &str) -> Standing {
    match active {
        "active" | "reloading" => Standing::Running,
        "activating" | "deactivating" => Standing::Changing,
        "failed" => Standing::Failed,
        _ => Standing::Stopped,
    }
}

/// The units that stop with it.
fn goes_with(shown: &Shown) -> Vec<&str> {
    let names = ["RequiredBy", "BoundBy", "ConsistsOf"].into_iter().flat_map(|name| shown.get(name).split(' '));
    names.filter(|name| !name.is_empty()).collect()
}

/// The unit's file and drop-ins, each with a digest of what is written in it: systemd may have read them again since.
fn written(shown: &Shown) -> impl Iterator<Item = (String, String)> {
    let files = shown.get("DropInPaths").split(' ').chain([shown.get("FragmentPath")]);
    files.filter(|path| !path.is_empty()).map(|path| {
        let digest = files::read(Path::new(path), UNIT_FILE).map(|bytes| files::sha256(&bytes));
        let digest = digest.ok().and_then(|digest| Some(digest.get(..12)?.to_owned()));
        (format!("what is written in {path}"), digest.unwrap_or_else(|| "not readable".to_owned()))
    })
}

impl Systemd {
    /// What is in force of these settings, and, where `whence`, which file says it. Read-only.
    ///
    /// # Errors
    /// When the unit cannot be seen.
    pub fn in_force(&self, settings: &[Setting], whence: bool, clock: &dyn Clock) -> Result<InForce, Fault> {
        const OWN: &str = "Id,LoadState,FragmentPath,DropInPaths,EnvironmentFiles,NeedDaemonReload";
        let names: Vec<&str> = [OWN].into_iter().chain(settings.iter().map(Setting::property)).collect();
        let shown = self.shown(&names.join(","), clock)?;
        if shown.get("LoadState") != "loaded" {
            return Err(not_loaded(&self.unit, &shown, ""));
        }
        let drop_ins = shown.get("DropInPaths").split(' ').filter(|path| !path.is_empty());
        let files: Vec<&str> = drop_ins.clone().chain([shown.get("FragmentPath")]).collect();
        // Whoever may look at a unit may not always read its files.
        let cat = if whence { doing::look(&self.order(&["cat"]), clock).unwrap_or_default() } else { Vec::new() };
        Ok(InForce {
            id: shown.get("Id").to_owned(),
            values: settings.iter().map(|setting| (setting.clone(), setting.now(&shown))).collect(),
            sources: sources(&String::from_utf8_lossy(&cat), &files),
            drop_ins: drop_ins.map(PathBuf::from).collect(),
            variable_files: shown.get("EnvironmentFiles").to_owned(),
            stale: shown.get("NeedDaemonReload") == "yes",
        })
    }

    /// The line that reads every unit's files again.
    pub fn reload_line(&self) -> Clean {
        let user = if self.user { " --user" } else { "" };
        crate::clean!("{}{user} daemon-reload", quoted(&self.systemctl))
    }

    fn reload_order(&self) -> Order {
        let scope = if self.user { "--user" } else { "--system" };
        let own = [scope, "--no-ask-password", "daemon-reload"].map(str::to_owned);
        self.program(&self.systemctl, own.into_iter())
    }

    /// Whether this login may have systemd read every unit's files again, and by which rule it would.
    pub fn right_to_read_files(&self, login: &Login, clock: &dyn Clock) -> Right {
        self.granted(self.reload_order(), Wish::ReadFiles, login, clock)
    }

    /// What sudo says where `order` goes through it, else polkit.
    fn granted(&self, order: Order, wish: Wish<'_>, login: &Login, clock: &dyn Clock) -> Right {
        if is_sudo(&order) {
            return of_sudo(order, &wish.words(), login, clock);
        }
        // Root and the login's own manager ask nobody.
        if self.user || login.uid == 0 {
            return Right::May;
        }
        of_polkit(&self.program(&self.pkcheck, core::iter::empty()), wish, login, clock)
    }

    /// Has systemd read every unit's files again.
    ///
    /// # Errors
    /// As [`Service::apply`].
    pub fn reload_files(&self, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let ran = doing.program(&self.reload_order(), RELOAD)?;
        match ran.ended {
            Ended::Code(0) => Ok(Clean::from("systemd has read the files of its units again")),
            ended => {
                let said = ran.stderr.first_line().unwrap_or_else(|| crate::clean!("{ended}"));
                Err(StepError::Failed(Fault::new(format!("`daemon-reload` was not done: {said}."))))
            }
        }
    }

    /// Why a job failed: systemctl(1) says it first and then what to read; the way out of a used-up start limit is ours.
    fn refused(&self, verb: Verb, said: Option<Clean>, ended: Ended, clock: &dyn Clock) -> Fault {
        let unit = &self.unit;
        let said = said.unwrap_or_else(|| crate::clean!("{ended}"));
        let fault = Fault::new(format!("`{verb} {unit}` was not done: {}.", said.as_str().trim_end_matches('.')));
        let Ok(shown) = self.show(clock) else { return fault };
        if shown.is_limited() {
            return fault.hint(format!("{unit} was started too often: reset-failed, then start it."));
        }
        let Some((burst, interval)) = shown.start_limit().filter(|_| verb.starts()) else { return fault };
        match journal::starts(self, interval, clock) {
            Ok(starts) if starts >= burst => fault.hint(format!(
                "Its journal has {starts} starts in {}, and systemd allows {burst}: if that is why, reset-failed, then start it.",
                shown.get("StartLimitIntervalUSec")
            )),
            _ => fault,
        }
    }
}
