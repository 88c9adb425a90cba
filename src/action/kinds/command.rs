//! `command`: one program with its arguments, never a shell unless the profile says so.
//!
//! ```toml
//! [actions.rotate-keys]
//! kind    = "command"
//! argv    = ["/usr/local/bin/rotate", "--keep", "{keep}"]        # {name} of `params`; a whole argument or a part of one
//! params  = { keep = { int = [1, 30], value = 7 } }              # int = [least, most], one_of = [...], matches = "regex"
//! # without a preview nobody sees what it would do: it is C2 at least
//! preview = ["/usr/local/bin/rotate", "--dry-run", "--keep", "{keep}"]   # what it prints is shown; it must change nothing
//! result  = "exit"                                               # it only looks: its exit code is the answer, and changes nothing
//! cannot_check = [64, "unknown option"]                         # of one that only looks: exit codes, words; then UNVERIFIED
//! ok_exit = [0]                                                  # other exit codes are failures
//! secret_env = { TOKEN = { file = "/etc/app/token" } }           # a secret is never an argument: anybody may read those
//! timeout = "60s"                                                # then SIGTERM, after 10 s SIGKILL to its whole group
//! kill    = "never"                                              # or: it may take as long as it takes; so do GPU tools
//! undo    = "run it again with the old keys"                     # without it the danger is raised
//! # the script that python3, bash and their like are given is trusted and bound to the plan as the program is
//! # script = "…"                                                 # instead of argv: for /bin/sh, shown in full, one heavier
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::cannot::{self, CannotCheck};
use crate::action::doing::{self, Doing, PATIENCE, quoted};
use crate::action::lifecycle::Run;
use crate::action::manager::looks_secret;
use crate::action::params::Params;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context, duration};
use crate::action::program_file::{self, ProgramFile, SHELLS, ScriptFile};
use crate::action::remote;
use crate::base::scrub::{is_secret_name, scrub};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::program::{Ended, Order};
use crate::sys::secret::{Given, hide};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const KEYS: &[&str] =
    &["argv", "script", "params", "preview", "ok_exit", "secret_env", "timeout", "kill", "undo", "result", cannot::KEY];
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
    /// Variables, and the file of each.
    #[serde(default)]
    secret_env: BTreeMap<String, PathBuf>,
    patience: Duration,
    spare: bool,
    /// Whether its profile shows beforehand what it would do.
    #[serde(default)]
    previewed: bool,
    /// It changes nothing: its exit code is what was asked for.
    #[serde(default)]
    looks: bool,
    /// What of its answer means that it cannot say.
    #[serde(default)]
    cannot_check: CannotCheck,
    /// Its program's file when the plan was made.
    file: ProgramFile,
    /// The script that an interpreter among its arguments carries out.
    #[serde(default)]
    script: Option<ScriptFile>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kill {
    Group,
    Never,
}

/// What of it counts.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultBy {
    Exit,
}

/// What starts it; secrets are read now.
fn order(argv: &[String], secret_env: &BTreeMap<String, PathBuf>) -> Result<Order, Fault> {
    let mut words = argv.iter().cloned();
    let program = words.next().unwrap_or_default().into();
    let read = |(name, path): (&String, &PathBuf)| Ok((name.clone(), remote::secret(path)?.reveal().to_owned()));
    let env = secret_env.iter().map(read).collect::<Result<_, Fault>>()?;
    Ok(Order { program, args: words.collect(), env, spare: false })
}

impl Work {
    fn order(&self) -> Result<Order, Fault> {
        Ok(Order { spare: self.spare, ..order(&self.argv, &self.secret_env)? })
    }

    /// What its program and its script are now and were not when it was planned.
    fn differences(&self) -> Result<Vec<Clean>, Fault> {
        let program = self.argv.first().map_or(Path::new(""), Path::new);
        let differs = self.file.difference(&ProgramFile::of(program)?);
        let script = match (&self.script, ScriptFile::of(&self.argv)?) {
            (Some(was), Some(is)) => was.difference(&is),
            (None, None) => None,
            (Some(was), None) => Some(crate::clean!("{} is gone", was.path().display())),
            (None, Some(is)) => Some(crate::clean!("{} was not there", is.path().display())),
        };
        Ok(differs.into_iter().chain(script).collect())
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

    fn least_danger_of(&self, work: &serde_json::Value) -> Danger {
        let is = |key: &str| work.get(key).and_then(serde_json::Value::as_bool) == Some(true);
        match (is("looks"), is("previewed")) {
            (true, _) => Danger::C0,
            (_, true) => Danger::C1,
            _ => Danger::C2,
        }
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let argv: Option<Vec<String>> = body.take("argv")?;
        let script: Option<String> = body.take("script")?;
        let params = Params::take(body, cx.given)?;
        let preview: Option<Vec<String>> = body.take("preview")?;
        let ok_exit: Vec<i32> = body.take("ok_exit")?.unwrap_or_else(|| vec![0]);
        let secret_env = secrets(body)?;
        let timeout: Option<String> = body.take("timeout")?;
        let patience = timeout.map_or(Ok(PATIENCE), |text| duration(&text, body))?;
        let kill: Option<Kill> = body.take("kill")?;
        let undo: Option<String> = body.take("undo")?;
        let result: Option<ResultBy> = body.take("result")?;
        let looks = result == Some(ResultBy::Exit);
        let cannot_check = CannotCheck::take(body)?;
        if !looks && cannot_check != CannotCheck::default() {
            let what = "only a program that changes nothing is asked to check.";
            return Err(table.fault_at(cannot::KEY, what).hint("Add result = \"exit\"."));
        }
        body.done(&[COMMON, KEYS].concat())?;
        let mut raise = Vec::new();
        let argv = whole(&table, &params, (argv, script), &mut raise)?;
        open_secret(&argv).map_or(Ok(()), |at| Err(refused(&table, "argv", at)))?;
        let preview = preview.map(|argv| previewing(&table, &params, &argv)).transpose()?;
        cx.read()?;
        // Refused before the prompt by the rule that would refuse it behind it.
        let file = ProgramFile::of(Path::new(argv.first().map_or("", String::as_str)));
        let file = file.map_err(|fault| if looks { cannot_be_asked(&fault) } else { fault })?;
        let script = ScriptFile::of(&argv)?;
        if undo.is_none() && !looks {
            raise.push(Clean::from("nobody has said how to take it back"));
        }
        let mut lines = shown(&argv);
        let previewed = preview.is_some();
        lines.extend(secret_env.iter().map(|(name, path)| crate::clean!("{name} from {}", path.display())));
        if let Some(preview) = preview.filter(|_| cx.previews()) {
            lines.extend(said_by(&order(&preview, &secret_env)?, cx)?);
        }
        let program = argv.first().cloned().unwrap_or_default();
        let target = program.rsplit('/').next().unwrap_or_default().to_owned();
        let none = if looks { "not needed: its profile says that it changes nothing" } else { "not declared" };
        let undo = Undo::How(undo.map_or(Clean::from(none), Clean::text));
        let targets = vec![Target::Program { argv: argv.clone() }];
        let work = to_work(&Work {
            argv,
            ok_exit,
            secret_env,
            patience,
            spare: kill.unwrap_or_else(|| usual_end(&program)) == Kill::Never,
            previewed,
            looks,
            cannot_check,
            file,
            script: script.clone(),
        })?;
        let (hits, based_on) = (Vec::new(), script.iter().map(ScriptFile::row).collect());
        Ok(Draft { lines, work, target, hits, undo, based_on, targets, raise, settle: Duration::ZERO })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        work::<Work>(plan)?.differences()
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["run"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let ran = doing.program(&work.order().map_err(StepError::Failed)?, work.patience)?;
        let said = ran.stdout.last_line().or_else(|| ran.stderr.last_line());
        let late = if ran.overdue { format!(" after more than {} s", work.patience.as_secs()) } else { String::new() };
        let said = late + &said.map_or_else(String::new, |line| format!(": {line}"));
        if let Some(how) = work.cannot_check.of(&ran) {
            return Err(StepError::Unsaid(Fault::new(format!("cannot check: {how}{said}."))));
        }
        match ran.ended {
            Ended::Code(code) if work.ok_exit.contains(&code) => Ok(crate::clean!("ended with exit code {code}{said}")),
            Ended::Code(code) if work.looks => Err(StepError::Failed(Fault::new(format!("exit code {code}{said}.")))),
            // What it had done by then nobody can say.
            ended => Err(StepError::Unknown(Fault::new(format!("it ended with {ended}{said}.")))),
        }
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        // Its step failed unless the exit code was one of the good ones.
        self.proves(plan).then(|| Proof::Holds(String::new(), Clean::from("its exit code is the answer")))
    }

    fn proves(&self, plan: &Plan) -> bool {
        work::<Work>(plan).is_ok_and(|work| work.looks)
    }

    fn spares(&self, plan: &Plan) -> bool {
        work::<Work>(plan).is_ok_and(|work| work.spare)
    }

    fn settled(&self, _: &Plan) -> Result<Settled, Fault> {
        Ok(Settled::Other(Clean::from("what a command leaves cannot be seen from here; look at what it is for")))
    }
}

/// Who cannot be asked says neither yes nor no.
fn cannot_be_asked(why: &Fault) -> Fault {
    Fault::new(format!("cannot check: {why}"))
}

/// What a preview prints, as far as it is shown; some print it all as errors.
fn said_by(preview: &Order, cx: &Context<'_>) -> Result<Vec<Clean>, Fault> {
    let ran = doing::well(preview, cx.clock)?;
    let said = [ran.stdout, ran.stderr].map(|said| scrub(&hide(&String::from_utf8_lossy(&said.bytes()))));
    let lines = said.iter().flat_map(|said| said.lines()).filter(|line| !line.trim().is_empty());
    Ok(lines.take(PREVIEW).map(|line| crate::clean!("  {line}")).collect())
}

/// The variables that carry secrets: `{ NAME = { file = "/path" } }`.
fn secrets(body: &mut Body) -> Result<BTreeMap<String, PathBuf>, Fault> {
    let table = body.clone();
    let given: BTreeMap<String, Given> =
        body.take("secret_env").map_err(|fault| fault.hint(remote::HINT))?.unwrap_or_default();
    let plain = |name: &str| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    if let Some(name) = given.keys().find(|name| name.is_empty() || !plain(name)) {
        return Err(table.fault_at("secret_env", format!("`{}` is no name of a variable.", Clean::text(name))));
    }
    let of = |(name, given)| {
        Ok((name, remote::file_of(given).map_err(|what| table.fault_at("secret_env", what).hint(remote::HINT))?))
    };
    given.into_iter().map(of).collect()
}

/// Which argument looks like a secret: by its own shape, or as the value of a flag that is named like one.
fn open_secret(argv: &[String]) -> Option<usize> {
    // After `--token-file` or `--key-id` comes where or which it is.
    let elsewhere = |flag: &str| ["-file", "-path", "-dir", "-id", "-name"].iter().any(|end| flag.ends_with(end));
    let wants =
        |flag: &String| flag.starts_with("--") && is_secret_name(flag) && !elsewhere(flag) && !flag.contains('=');
    let value = |word: &String| !word.starts_with(['/', '-']);
    (0..argv.len()).find(|at| {
        let (word, before) = (argv.get(*at), at.checked_sub(1).and_then(|before| argv.get(before)));
        word.is_some_and(|word| looks_secret(word) || value(word) && before.is_some_and(wants))
    })
}

fn refused(table: &Body, key: &str, at: usize) -> Fault {
    let what =
        format!("argument {at} looks like a secret: everybody on this host may read the arguments of a program.");
    table
        .fault_at(key, what)
        .hint("Have the program read it from a file or a variable: secret_env = { NAME = { file = \"/path\" } }.")
}

/// What is run: the arguments with their values, or a shell with the script.
fn whole(
    table: &Body,
    params: &Params,
    given: (Option<Vec<String>>, Option<String>),
    raise: &mut Vec<Clean>,
) -> Result<Vec<String>, Fault> {
    let argv = match given {
        (Some(argv), None) => filled(table, params, &argv, raise)?,
        (None, Some(script)) => {
            raise.push(Clean::from("a shell reads it"));
            vec!["/bin/sh".to_owned(), "-c".to_owned(), script]
        }
        _ => return Err(table.fault("a command needs either `argv` or `script`.")),
    };
    if argv.first().is_some_and(|program| program.starts_with('/')) {
        return Ok(argv);
    }
    Err(table.fault_at("argv", "the program is not named by its whole path."))
}

/// The preview with its values, as long as it can be run and shows no secret.
fn previewing(table: &Body, params: &Params, argv: &[String]) -> Result<Vec<String>, Fault> {
    let argv = params.fill(argv).map_err(|fault| table.placed("preview", fault))?;
    if !argv.first().is_some_and(|program| program.starts_with('/')) {
        return Err(table.fault_at("preview", "the program is not named by its whole path."));
    }
    open_secret(&argv).map_or(Ok(argv.clone()), |at| Err(refused(table, "preview", at)))
}

/// The arguments with their values, of which none is in what a shell or another interpreter reads as its code.
fn filled(table: &Body, params: &Params, argv: &[String], raise: &mut Vec<Clean>) -> Result<Vec<String>, Fault> {
    let filled = params.fill(argv).map_err(|fault| table.placed("argv", fault))?;
    let script = script_of(argv);
    if script.is_some() {
        raise.push(Clean::from("a shell reads it"));
    }
    let ssh = argv.first().is_some_and(|program| program.ends_with("/ssh"));
    let Some(code) = script.or_else(|| program_file::code(argv)) else { return Ok(filled) };
    let upto = if ssh { argv.len() } else { code + 1 };
    if (code..upto).all(|at| filled.get(at) == argv.get(at)) {
        return Ok(filled);
    }
    Err(table
        .fault_at("argv", "a parameter within what a shell or an interpreter reads could become a command of its own.")
        .hint("Put it behind, and let the script read it as its argument: \"$1\", sys.argv[1]."))
}

/// Which argument a shell reads as a script, if any does.
fn script_of(argv: &[String]) -> Option<usize> {
    let shell = |word: &String| SHELLS.contains(&word.rsplit('/').next().unwrap_or_default());
    let flag = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.contains('c');
    let at = argv.iter().position(shell)?;
    let flag = argv.iter().skip(at + 1).position(flag)?;
    Some(at + flag + 2).filter(|script| *script < argv.len())
}

/// The command, or the whole script.
fn shown(argv: &[String]) -> Vec<Clean> {
    match argv {
        [program, flag, script] if program == "/bin/sh" && flag == "-c" => {
            ["/bin/sh -c, the whole script:"].into_iter().chain(script.lines()).map(Clean::text).collect()
        }
        _ => vec![quoted(argv)],
    }
}

/// What becomes of a program that takes too long, where its profile does not say: a tool that is killed while it holds a
/// GPU may leave that unusable (safety.md 4.3).
fn usual_end(program: &str) -> Kill {
    let name = program.rsplit('/').next().unwrap_or_default();
    if name.starts_with("nvidia-") || name == "dcgmi" { Kill::Never } else { Kill::Group }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_the_gpu_is_not_killed_for_being_slow() {
        for (program, end) in [
            ("/usr/bin/nvidia-smi", Kill::Never),
            ("/usr/bin/dcgmi", Kill::Never),
            ("/opt/nvidia-smi/clean", Kill::Group),
            ("/bin/true", Kill::Group),
        ] {
            assert!(usual_end(program) == end, "{program}");
        }
    }
}
