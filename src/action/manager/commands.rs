//! A service that declared commands start, stop and look at, as init scripts do: whether it is up the exit code of its
//! status says (LSB), or a line of it. Which run it is only a declared process number can tell.

use super::permission::{is_sudo, of_sudo};
use super::{Look, Service, Serving, Standing, Verb, plain_name};
use crate::action::doing::{self, Doing, PATIENCE, last_words, quoted};
use crate::action::kinds::StepError;
use crate::action::right::{Need, Right};
use crate::base::{Clean, Clock, Fault};
use crate::sys::child::lives_since;
use crate::sys::files;
use crate::sys::host::Login;
use crate::sys::program::{Ended, Order};
use crate::sys::run::Ran;
use crate::sys::trust::{Owners, helper};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `{ kind = "commands", unit = "bot", status = ["/usr/local/bin/bot", "status"], … }`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Its name on the prompt, and that of its lock.
    pub unit: String,
    /// Changes nothing; says whether it is up.
    pub status: Vec<String>,
    /// Starts it.
    pub start: Option<Vec<String>>,
    /// Stops it.
    pub stop: Option<Vec<String>>,
    /// Both.
    pub restart: Option<Vec<String>>,
    /// Has it read its configuration again.
    pub reload: Option<Vec<String>>,
    /// A line of status that begins so says that it is up.
    pub up: Option<String>,
    /// A line of status that begins so says that it is down.
    pub down: Option<String>,
    /// Where its process number stands.
    pub pid_file: Option<PathBuf>,
    /// After which its status prints its process number.
    pub pid_after: Option<String>,
    /// How long a command may take.
    pub timeout: Option<String>,
}

impl Commands {
    /// The command of a verb, or why there is none.
    fn argv(&self, verb: Verb) -> Result<&[String], Fault> {
        let unit = &self.unit;
        let argv = match verb {
            Verb::Restart => &self.restart,
            Verb::Start => &self.start,
            Verb::Stop => &self.stop,
            Verb::Reload => &self.reload,
            Verb::ResetFailed => {
                let what = format!("{unit} has no failed state to clear: its commands keep none.");
                return Err(Fault::new(what).hint("Look at why it failed, then start it."));
            }
        };
        argv.as_deref().ok_or_else(|| {
            Fault::new(format!("the profile declares no command that does `{verb}` for {unit}."))
                .hint(format!("Say {verb} = [\"/path/of/program\", …] in its table."))
        })
    }

    fn patience(&self) -> Result<Duration, Fault> {
        let Some(text) = &self.timeout else { return Ok(PATIENCE) };
        let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        span.filter(|span| !span.is_zero()).ok_or_else(|| {
            Fault::new(format!("`{}` is no duration.", Clean::text(text))).hint("Write it like `10s` or `2m`.")
        })
    }

    /// Up or down, as declared.
    fn standing(&self, ran: &Ran) -> Result<Standing, Fault> {
        let unclear = |what: &str| {
            let (unit, ended, said) = (&self.unit, ran.ended, last_words(ran));
            Fault::new(format!("the status of {unit} {what} ({ended}{said}).")).hint("Run it by hand and see.")
        };
        if let (Some(up), Some(down)) = (&self.up, &self.down) {
            let has = |beginning: &String| lines(ran).iter().any(|line| line.starts_with(beginning.as_str()));
            return match (has(up), has(down)) {
                (true, false) => Ok(Standing::Running),
                (false, true) => Ok(Standing::Stopped),
                (true, true) => Err(unclear("says both that it is up and that it is down")),
                (false, false) => Err(unclear("says neither that it is up nor that it is down")),
            };
        }
        match ran.ended {
            Ended::Code(0) => Ok(Standing::Running),
            Ended::Code(1 | 2) => Ok(Standing::Failed),
            Ended::Code(3) => Ok(Standing::Stopped),
            Ended::Code(_) | Ended::Signal(_) => Err(unclear("does not say whether it is up")),
        }
    }

    /// The run that is up now, or why that cannot be told.
    fn serving(&self, ran: &Ran) -> Result<Serving, Clean> {
        let (pid, place) = match (&self.pid_file, &self.pid_after) {
            (Some(path), _) => (number_in(path), Clean::text(path.as_os_str().as_encoded_bytes())),
            (None, Some(before)) => (number_after(&lines(ran), before), Clean::from("its status")),
            (None, None) => {
                return Err(Clean::from("neither pid_file nor pid_after is declared: one run looks like another"));
            }
        };
        let pid = pid.ok_or_else(|| crate::clean!("{place} names no process: which run it is cannot be told"))?;
        let started =
            lives_since(pid).ok_or_else(|| crate::clean!("{place} names process {pid}, which does not live"))?;
        Ok(Serving { pid, id: format!("started at tick {started}") })
    }
}

fn lines(ran: &Ran) -> Vec<String> {
    let text = String::from_utf8_lossy(&ran.stdout.bytes()).into_owned();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

fn number_in(path: &Path) -> Option<u32> {
    let text = files::read(path, 64).ok()?;
    core::str::from_utf8(&text).ok()?.trim().parse().ok().filter(|pid| *pid > 1)
}

fn number_after(lines: &[String], before: &str) -> Option<u32> {
    lines.iter().find_map(|line| {
        let rest = line.split_once(before)?.1.trim_start();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|pid| *pid > 1)
    })
}

fn order(argv: &[String]) -> Order {
    let mut words = argv.iter().cloned();
    Order { program: words.next().unwrap_or_default().into(), args: words.collect(), ..Order::default() }
}

impl Service for Commands {
    fn unit(&self) -> &str {
        &self.unit
    }

    fn address(&self) -> String {
        "commands".to_owned()
    }

    fn check(&self) -> Result<(), Fault> {
        plain_name(&self.unit, "")?;
        let all = [("start", &self.start), ("stop", &self.stop), ("restart", &self.restart), ("reload", &self.reload)];
        let all = all.into_iter().filter_map(|(name, argv)| Some((name, argv.as_ref()?)));
        for (name, argv) in all.chain([("status", &self.status)]) {
            if !argv.first().is_some_and(|program| program.starts_with('/')) {
                return Err(Fault::new(format!("`{name}` must begin with the whole path of a program.")));
            }
            if argv.iter().any(|word| word.contains(char::is_control)) {
                return Err(Fault::new(format!("`{name}` holds a line break or another control character.")));
            }
        }
        let blank = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
        if self.up.is_some() != self.down.is_some() || [&self.up, &self.down, &self.pid_after].into_iter().any(blank) {
            let what = "`up` and `down` are said both or not at all; none of them nor `pid_after` is empty.";
            return Err(Fault::new(what).hint("Without them the exit code of `status` decides."));
        }
        match (&self.pid_file, &self.pid_after) {
            (Some(_), Some(_)) => return Err(Fault::new("`pid_file` and `pid_after` name two places of one number.")),
            (Some(path), None) if !path.is_absolute() => {
                return Err(Fault::new(format!("{} is not an absolute path.", path.display())));
            }
            _ => {}
        }
        self.patience().map(drop)
    }

    fn look(&self, verb: Verb, clock: &dyn Clock) -> Result<Look, Fault> {
        let ran = doing::look_at(&order(&self.status), clock)?;
        let standing = self.standing(&ran)?;
        let word = match standing {
            Standing::Running => "up",
            Standing::Failed => "dead (it left its pid or lock file)",
            Standing::Changing | Standing::Stopped => "stopped",
        };
        let (serving, doubt) = match (standing, self.serving(&ran)) {
            (Standing::Running, Ok(serving)) => (Some(serving), None),
            (Standing::Running, Err(doubt)) => (None, Some(doubt)),
            _ => (None, None),
        };
        let process = serving.as_ref().map_or_else(String::new, |it| format!(", process {}", it.pid));
        let hits = doubt.iter().filter(|_| verb != Verb::Stop);
        Ok(Look {
            standing,
            said: crate::clean!("{word}{process}"),
            hits: hits.map(|doubt| crate::clean!("it will not count as verified: {doubt}")).collect(),
            identity: [("state".to_owned(), word.to_owned())].into(),
            raise: Vec::new(),
            obstacle: self.obstacle(verb, standing),
            serving,
            doubt,
        })
    }

    fn right(&self, verb: Verb, login: &Login, clock: &dyn Clock) -> Right {
        // A verb without a command is told by the look at it.
        let Ok(argv) = self.argv(verb) else { return Right::May };
        let order = order(argv);
        let fault = match helper(&order.program, Owners::effective()) {
            Ok(helper) => helper.distrust,
            Err(fault) => Some(fault),
        };
        match fault {
            Some(fault) => Right::without(Need::Program, fault),
            None if is_sudo(&order) => of_sudo(order, &format!("{verb} {}", self.unit), login, clock),
            None => Right::May,
        }
    }

    fn line(&self, verb: Verb) -> Clean {
        self.argv(verb).map_or_else(|_| Clean::from(verb.word()), quoted)
    }

    fn apply(&self, verb: Verb, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let argv = self.argv(verb).map_err(StepError::Failed)?;
        let patience = self.patience().map_err(StepError::Failed)?;
        let ran = doing.program_that_leaves(&order(argv), patience)?;
        let said = last_words(&ran);
        let fault = match ran.ended {
            Ended::Code(0) => return Ok(crate::clean!("its command ended with exit code 0{said}")),
            ended => Fault::new(format!("`{verb} {}` was not done: its command ended with {ended}{said}.", self.unit)),
        };
        // What it had done by then a look can tell where a start, a stop or another run would show.
        let shows = matches!(verb, Verb::Start | Verb::Stop)
            || verb == Verb::Restart && (self.pid_file.is_some() || self.pid_after.is_some());
        Err(if shows { StepError::Failed(fault) } else { StepError::Unknown(fault) })
    }
}

impl Commands {
    /// Why this cannot be asked of it.
    fn obstacle(&self, verb: Verb, standing: Standing) -> Option<Fault> {
        let unit = &self.unit;
        if let Err(fault) = self.argv(verb) {
            return Some(fault);
        }
        let fault = |what: &str, hint: &str| Some(Fault::new(format!("{unit} is {what}.")).hint(hint));
        match (verb, standing) {
            (Verb::Start, Standing::Running) => {
                fault("up already: there is nothing to start", "To start it anew, restart it.")
            }
            (Verb::Stop, Standing::Stopped) => {
                fault("stopped already: there is nothing to stop", "Nothing needs to be done.")
            }
            (Verb::Reload, Standing::Stopped | Standing::Failed) => {
                fault("not up", "Only what runs can read its configuration again.")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(more: &str) -> Commands {
        toml::from_str(&format!("unit = \"bot\"\n{more}")).unwrap()
    }

    #[test]
    fn a_table_that_could_mean_something_else_is_refused() {
        for more in [
            "status = [\"bot\", \"status\"]",
            "status = []",
            "status = [\"/bin/true\", \"a\\nb\"]",
            "status = [\"/bin/true\"]\nrestart = [\"bot\"]",
            "status = [\"/bin/true\"]\nup = \"up\"",
            "status = [\"/bin/true\"]\nup = \"up\"\ndown = \" \"",
            "status = [\"/bin/true\"]\npid_file = \"run\"",
            "status = [\"/bin/true\"]\npid_file = \"/run/x\"\npid_after = \"pid\"",
            "status = [\"/bin/true\"]\ntimeout = \"soon\"",
        ] {
            assert!(commands(more).check().is_err(), "{more}");
        }
        for unit in ["", "-x", "a b", "a\nb", "../x"] {
            let it = Commands { unit: unit.into(), ..commands("status = [\"/bin/true\"]") };
            assert!(it.check().is_err(), "{unit:?}");
        }
        assert!(commands("status = [\"/bin/true\"]\nup = \"up\"\ndown = \"down\"\ntimeout = \"2m\"").check().is_ok());
    }

    #[test]
    fn a_number_is_read_after_the_declared_words_alone() {
        let lines = ["bot 17 is up".to_owned(), "bot has pid  4711.".to_owned()];
        assert_eq!(number_after(&lines, "pid"), Some(4_711));
        assert_eq!(number_after(&lines, "bot"), Some(17), "the first line that has one");
        assert_eq!(number_after(&["pid 1".to_owned()], "pid"), None, "never the first process of all");
        assert_eq!(number_after(&["pid -5".to_owned()], "pid"), None);
    }
}
