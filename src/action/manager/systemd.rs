//! A unit of systemd, through `systemctl`: what it says of a unit comes as `key=value` from `show`, never from its
//! status text; `restart` is one job, and its exit code is the job's result (systemctl(1)).

use super::{Look, Service, Serving, Standing, Verb, plain_name};
use crate::action::doing::{self, Doing};
use crate::action::kinds::StepError;
use crate::base::{Clean, Clock, Fault};
use crate::sys::program::{Ended, Order};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What `show` is asked for.
const PROPERTIES: &str = "Id,LoadState,LoadError,ActiveState,SubState,Result,Job,NeedDaemonReload,CanStart,CanStop,CanReload,\
RefuseManualStart,RefuseManualStop,StartLimitBurst,StartLimitIntervalUSec,RequiredBy,BoundBy,ConsistsOf,TriggeredBy,\
TimeoutStopUSec,FragmentPath,DropInPaths,InvocationID,MainPID,ExecMainStartTimestampMonotonic,NRestarts,ExecMainCode,\
ExecMainStatus";
/// So many that stop with it make a restart heavier.
const MANY: usize = 5;
/// What may let a login in that is not root (action org.freedesktop.systemd1.manage-units).
const POLKIT: &str = "/usr/share/polkit-1/actions/org.freedesktop.systemd1.policy";
/// A job may take this long: longer than the longest stop that is usual (90 s).
const JOB: Duration = Duration::from_secs(180);

/// `{ kind = "systemd", unit = "x.service" }`; with `user = true` a unit of this login's own manager. A login that
/// needs sudo for it says `systemctl = ["/usr/bin/sudo", "-n", "/usr/bin/systemctl"]`.
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
}

fn systemctl() -> Vec<String> {
    vec!["/usr/bin/systemctl".to_owned()]
}

impl Systemd {
    fn order(&self, args: &[&str]) -> Order {
        let scope = if self.user { "--user" } else { "--system" };
        let flags = [scope, "--no-ask-password", "--no-pager"];
        let own = flags.iter().chain(args).chain(&["--"]).map(|arg| (*arg).to_owned()).chain([self.unit.clone()]);
        let mut words = self.systemctl.iter().cloned();
        Order {
            program: words.next().unwrap_or_default().into(),
            args: words.chain(own).collect(),
            env: if self.user { crate::sys::process::inherited_texts(&["XDG_RUNTIME_DIR"]) } else { Vec::new() },
            spare: false,
        }
    }

    fn show(&self, clock: &dyn Clock) -> Result<BTreeMap<String, String>, Fault> {
        let said = doing::look(&self.order(&["show", "--property", PROPERTIES]), clock)?;
        let text = String::from_utf8_lossy(&said);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
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
        if !self.systemctl.first().is_some_and(|program| program.starts_with('/')) {
            return Err(Fault::new("`systemctl` must begin with an absolute path."));
        }
        if self.unit.contains('.') {
            return Ok(());
        }
        Err(Fault::new(format!("`{}` has no suffix.", self.unit)).hint(format!("Write `{}.service`.", self.unit)))
    }

    fn look(&self, verb: Verb, clock: &dyn Clock) -> Result<Look, Fault> {
        let shown = self.show(clock)?;
        let get = |name: &str| shown.get(name).map_or("", String::as_str);
        let pid: u32 = get("MainPID").parse().unwrap_or(0);
        let (active, sub) = (get("ActiveState"), get("SubState"));
        let standing = match active {
            "active" | "reloading" => Standing::Running,
            "activating" | "deactivating" => Standing::Changing,
            "failed" => Standing::Failed,
            _ => Standing::Stopped,
        };
        let process = if pid > 0 { format!(", process {pid}") } else { String::new() };
        let result = if standing == Standing::Failed { format!(", {}", last_exit(&get)) } else { String::new() };
        let serving = (standing == Standing::Running)
            .then(|| Serving { pid, id: format!("{} restarts {}", get("InvocationID"), get("NRestarts")) });
        let of = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), get(name).to_owned())).collect();
        let with: Vec<&str> = ["RequiredBy", "BoundBy", "ConsistsOf"]
            .iter()
            .flat_map(|name| get(name).split(' '))
            .filter(|name| !name.is_empty())
            .collect();
        let mut hits = vec![crate::clean!("{} restarted by systemd {} times so far", self.unit, get("NRestarts"))];
        let limit = (get("StartLimitBurst"), get("StartLimitIntervalUSec"));
        if limit.0 != "0" && limit.1 != "0" && matches!(verb, Verb::Restart | Verb::Start) {
            hits.push(crate::clean!("systemd allows {} starts in {}, this one counts", limit.0, limit.1));
        }
        if !with.is_empty() {
            hits.push(crate::clean!("{} units go with it: {}", with.len(), with.join(" ")));
        }
        if !get("TriggeredBy").is_empty() {
            hits.push(crate::clean!("it can be started again by {}", get("TriggeredBy")));
        }
        let mut raise = Vec::new();
        if with.len() >= MANY && verb != Verb::Reload && verb != Verb::ResetFailed {
            raise.push(crate::clean!("{} units stop with it", with.len()));
        }
        if get("NeedDaemonReload") == "yes" {
            hits.push(Clean::from("its unit file has changed on disk: systemd uses the old one until daemon-reload"));
        }
        Ok(Look {
            standing,
            said: crate::clean!("{active} ({sub}){process}{result}"),
            serving,
            identity: of(&["FragmentPath", "DropInPaths", "ActiveState", "NeedDaemonReload"]),
            hits,
            raise,
            obstacle: obstacle(&self.unit, verb, &get),
            doubt: None,
        })
    }

    fn lacks(&self, verb: Verb, clock: &dyn Clock) -> Option<Fault> {
        let order = self.order(&[verb.word()]);
        if order.program.file_name().is_some_and(|name| name == "sudo") {
            // It says by its exit code whether it would, and asks nobody for a password.
            let own: Vec<String> = order.args.iter().filter(|arg| *arg != "-n").cloned().collect();
            let args = ["-n", "-l", "--"].map(str::to_owned).into_iter().chain(own.clone()).collect();
            let may = doing::look(&Order { args, ..order }, clock);
            return may.err().map(|_| {
                Fault::new(format!("sudo does not let this login `{verb} {}`.", self.unit))
                    .hint(format!("Its rule: LOGIN ALL=(root) NOPASSWD: {}", own.join(" ")))
            });
        }
        let asks = self.user || rustix::process::geteuid().is_root() || Path::new(POLKIT).exists();
        (!asks).then(|| {
            Fault::new(format!("this login may not `{verb} {}`: it is not root, and there is no polkit.", self.unit))
                .hint("Let sudo do it: systemctl = [\"/usr/bin/sudo\", \"-n\", \"/usr/bin/systemctl\"].")
        })
    }

    fn line(&self, verb: Verb) -> Clean {
        let user = if self.user { " --user" } else { "" };
        crate::clean!("{}{user} {verb} {}", self.systemctl.join(" "), self.unit)
    }

    fn apply(&self, verb: Verb, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let ran = doing.program(&self.order(&[verb.word()]), JOB)?;
        match ran.ended {
            Ended::Code(0) => Ok(crate::clean!("systemd has done `{verb} {}`", self.unit)),
            ended => {
                let said = ran.stderr.last_line().unwrap_or_else(|| crate::clean!("{ended}"));
                Err(StepError::Failed(Fault::new(format!("`{verb} {}` was not done: {said}", self.unit))))
            }
        }
    }
}

/// Why this cannot be asked of the unit (facts of systemd.unit(5)).
fn obstacle<'a>(unit: &str, verb: Verb, get: &impl Fn(&'a str) -> &'a str) -> Option<Fault> {
    let load = get("LoadState");
    if load != "loaded" {
        let why = get("LoadError");
        let why = if why.is_empty() { String::new() } else { format!(" ({})", Clean::text(why)) };
        return Some(Fault::new(format!("{unit} is {}{why}.", Clean::text(load))));
    }
    if verb == Verb::ResetFailed {
        return None;
    }
    if !get("Job").is_empty() && get("Job") != "0" {
        return Some(Fault::new(format!("a job of {unit} is under way already.")).hint("Wait for it."));
    }
    let (starts, stops) = match verb {
        Verb::Restart => (true, true),
        Verb::Start => (true, false),
        Verb::Stop => (false, true),
        Verb::Reload | Verb::ResetFailed => (false, false),
    };
    let refuses = |start: bool| {
        let (can, refuse) = if start { ("CanStart", "RefuseManualStart") } else { ("CanStop", "RefuseManualStop") };
        get(can) == "no" || get(refuse) == "yes"
    };
    if starts && refuses(true) || stops && refuses(false) {
        return Some(Fault::new(format!("{unit} refuses to be started or stopped by hand.")));
    }
    if verb == Verb::Reload && get("CanReload") != "yes" {
        return Some(Fault::new(format!("{unit} cannot reload.")).hint("Restart it."));
    }
    if starts && get("Result") == "start-limit-hit" {
        return Some(
            Fault::new(format!("{unit} was started too often and is refused by systemd until its failure is reset."))
                .hint("Look at why it failed, then reset-failed and start."),
        );
    }
    None
}

/// How the last run ended: `exit-code, exit code 203 (cannot execute)`.
fn last_exit<'a>(get: &impl Fn(&'a str) -> &'a str) -> String {
    let status = get("ExecMainStatus");
    let meaning = match status {
        "203" => " (cannot execute)",
        "217" => " (no such user)",
        "226" => " (name space)",
        _ => "",
    };
    match get("ExecMainCode") {
        "1" => format!("{}, exit code {status}{meaning}", get("Result")),
        "2" | "3" => {
            let name = status.parse().map_or_else(|_| status.to_owned(), crate::sys::program::signal_name);
            format!("{}, killed by {name}", get("Result"))
        }
        _ => get("Result").to_owned(),
    }
}
