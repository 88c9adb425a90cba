//! `command`: one program with its arguments, never a shell unless the profile says so.
//!
//! ```toml
//! [actions.rotate-keys]
//! kind    = "command"
//! argv    = ["/usr/local/bin/rotate", "--keep", "{keep}"]        # {name} of `params`; a whole argument or a part of one
//! params  = { keep = { int = [1, 30], value = 7 } }              # int = [least, most], one_of = [...], matches = "regex"
//! preview = ["/usr/local/bin/rotate", "--dry-run", "--keep", "{keep}"]   # what it prints is shown; it must change nothing
//! ok_exit = [0]                                                  # other exit codes are failures
//! timeout = "60s"                                                # then SIGTERM, after 10 s SIGKILL to its whole group
//! kill    = "never"                                              # or: it may take as long as it takes
//! undo    = "run it again with the old keys"                     # without it the danger is raised
//! # script = "…"                                                 # instead of argv: for /bin/sh, shown in full, one heavier
//! ```

use super::{Draft, Kind, Settled, StepError, to_work, work};
use crate::action::doing::{self, Doing, PATIENCE};
use crate::action::lifecycle::Run;
use crate::action::params::Params;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context, duration};
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::program::{Ended, Order};
use crate::sys::secret::hide;
use crate::sys::trust::{Owners, helper};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const KEYS: &[&str] = &["argv", "script", "params", "preview", "ok_exit", "timeout", "kill", "undo"];
/// Programs that read one of their arguments as a script.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];
/// Lines of a preview that are shown.
const PREVIEW: usize = 20;

/// The kind.
#[derive(Debug)]
pub struct Command;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    argv: Vec<String>,
    ok_exit: Vec<i32>,
    patience: Duration,
    spare: bool,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kill {
    Group,
    Never,
}

impl Work {
    fn order(&self) -> Order {
        let mut words = self.argv.iter().cloned();
        let program = words.next().unwrap_or_default().into();
        Order { program, args: words.collect(), env: Vec::new(), spare: self.spare }
    }
}

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "runs one program with its arguments, never through a shell unless the profile says so"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let argv: Option<Vec<String>> = body.take("argv")?;
        let script: Option<String> = body.take("script")?;
        let params = Params::take(body, cx.given)?;
        let preview: Option<Vec<String>> = body.take("preview")?;
        let ok_exit: Vec<i32> = body.take("ok_exit")?.unwrap_or_else(|| vec![0]);
        let timeout: Option<String> = body.take("timeout")?;
        let patience = timeout.map_or(Ok(PATIENCE), |text| duration(&text, body))?;
        let kill: Kill = body.take("kill")?.unwrap_or(Kill::Group);
        let undo: Option<String> = body.take("undo")?;
        cx.done(body, &[COMMON, KEYS].concat())?;
        let mut raise = Vec::new();
        let argv = match (argv, script) {
            (Some(argv), None) => filled(&table, &params, &argv, &mut raise)?,
            (None, Some(script)) => {
                raise.push(Clean::from("a shell reads it"));
                vec!["/bin/sh".to_owned(), "-c".to_owned(), script]
            }
            _ => return Err(table.fault("a command needs either `argv` or `script`.")),
        };
        if !argv.first().is_some_and(|program| program.starts_with('/')) {
            return Err(table.fault_at("argv", "the program is not named by its whole path."));
        }
        // Refused before the prompt by the rule that would refuse it behind it.
        let program = argv.first().map_or_else(PathBuf::new, PathBuf::from);
        if let Some(fault) = helper(&program, Owners::effective())?.distrust {
            return Err(fault);
        }
        if undo.is_none() {
            raise.push(Clean::from("nobody has said how to take it back"));
        }
        let mut lines = shown(&argv);
        if let Some(preview) = preview.filter(|_| cx.previews()) {
            let preview = params.fill(&preview)?;
            let mut words = preview.iter().cloned();
            let order =
                Order { program: words.next().unwrap_or_default().into(), args: words.collect(), ..Order::default() };
            let said = doing::look(&order, cx.clock)?;
            lines.extend(
                scrub(&hide(&String::from_utf8_lossy(&said)))
                    .lines()
                    .take(PREVIEW)
                    .map(|line| crate::clean!("  {line}")),
            );
        }
        let program = argv.first().cloned().unwrap_or_default();
        let target = program.rsplit('/').next().unwrap_or_default().to_owned();
        let undo = undo.map_or(Undo::How(Clean::from("not declared")), |how| Undo::How(Clean::text(how)));
        let targets = vec![Target::Program { argv: argv.clone() }];
        let work = to_work(&Work { argv, ok_exit, patience, spare: kill == Kill::Never })?;
        let (hits, based_on) = (Vec::new(), Vec::new());
        Ok(Draft { lines, work, target, hits, undo, based_on, targets, raise, settle: Duration::ZERO })
    }

    fn differences(&self, _: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        Ok(Vec::new())
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["run"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let ran = doing.program(&work.order(), work.patience)?;
        let said = ran.stdout.last_line().or_else(|| ran.stderr.last_line());
        let said = said.map_or_else(String::new, |line| format!(": {line}"));
        match ran.ended {
            Ended::Code(code) if work.ok_exit.contains(&code) => Ok(crate::clean!("ended with exit code {code}{said}")),
            // What it had done by then nobody can say.
            ended => Err(StepError::Unknown(Fault::new(format!("it ended with {ended}{said}.")))),
        }
    }

    fn settled(&self, _: &Plan) -> Result<Settled, Fault> {
        Ok(Settled::Other(Clean::from("what a command leaves cannot be seen from here; look at what it is for")))
    }
}

/// The arguments with their values, of which none is in what a shell reads.
fn filled(table: &Body, params: &Params, argv: &[String], raise: &mut Vec<Clean>) -> Result<Vec<String>, Fault> {
    let filled = params.fill(argv)?;
    let Some(script) = script_of(argv) else { return Ok(filled) };
    raise.push(Clean::from("a shell reads it"));
    if filled.get(script) == argv.get(script) {
        return Ok(filled);
    }
    Err(table
        .fault_at("argv", "a parameter within what a shell reads could become a command of its own.")
        .hint("Put it behind, and let the script read it as \"$1\"."))
}

/// Which argument a shell reads as a script, if any does.
fn script_of(argv: &[String]) -> Option<usize> {
    let shell = |word: &String| SHELLS.contains(&word.rsplit('/').next().unwrap_or_default());
    let flag = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.contains('c');
    let at = argv.iter().position(shell)?;
    let flag = argv.iter().skip(at + 1).position(flag)?;
    Some(at + flag + 2).filter(|script| *script < argv.len())
}

/// Each argument as it is, so that none hides in another: those with unusual characters in quotes.
pub fn shown(argv: &[String]) -> Vec<Clean> {
    let plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._:/@=+,%-".contains(c));
    let word = |word: &String| if plain(word) { word.clone() } else { format!("{word:?}") };
    let words: Vec<String> = argv.iter().map(word).collect();
    match argv {
        [program, flag, script] if program == "/bin/sh" && flag == "-c" => {
            ["/bin/sh -c, the whole script:"].into_iter().chain(script.lines()).map(Clean::text).collect()
        }
        _ => vec![Clean::text(words.join(" "))],
    }
}
