//! `command`: runs a program and reads what it says. Never a shell; others must not be able to write the program.
//! ```toml
//! [samplers.raid]
//! kind  = "command"
//! argv  = ["/usr/lib/nagios/plugins/check_raid", "-v"]
//! name  = "raid"                         # the label `command`; else the program's file name
//! env   = { TOKEN = { file = "/etc/raid.token" } }
//! parse = "nagios"                       # "exit_code" (default), "number", "key_value", "value_key", "json", "toml", "lines"
//! ```
//! Another exit code than 0 is a failure, but for those in `ok_exit = [0, 3]`; of a plugin CRITICAL and UNKNOWN are.
//! `number` needs `metric = "…"`, `json` and `toml` need rows `json = […]` as in `http`, `lines` rows as in `file`:
//! `lines = [{ matches = '^[-+U]', metric = "git_submodules_differ" }]` counts the lines that match. Gives command_success (0, 1), command_exit_code (128 and the
//! number of the signal that killed it, as shells say) and command_duration_seconds also of a failure; command_value{key}
//! of `key_value` (`key=value`) and of `value_key` (a number, then its key, as `du` and `wc` print), command_perfdata (also _seconds, _bytes, _ratio, _total, and each with _limit).

use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::documents::Format;
use crate::samplers::exec::{Ran, Runner};
use crate::samplers::lines::{Found, LineRow, Lines};
use crate::samplers::logins::Logins;
use crate::samplers::perfdata::{self, Datum, Measure};
use crate::samplers::pick::{Pick, Row, metric_name, plain_number};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::clock::RealClock;
use crate::sys::program::{Ended, Order};
use crate::sys::secret::{Given, Secret};
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A little less than an attempt may take, so that the sentence is ours.
const LIMIT: Duration = Duration::from_millis(4_800);
/// Rows of `key_value` beyond this are not taken.
const ROWS: usize = 200;

/// The kind.
pub struct Command;

impl Kind for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn about(&self) -> &'static str {
        "runs a program: its exit code, a number, JSON, key=value lines or Nagios performance data"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(CommandSampler::new(body)?))
    }

    fn gives(&self, body: &Body) -> Vec<String> {
        let Ok(config) = body.read::<Config>() else { return Vec::new() };
        let lines = Lines::metrics(config.lines.unwrap_or_default());
        let named = Pick::metrics(config.json.unwrap_or_default()).chain(lines).chain(config.metric);
        named.chain(["command_".to_owned()]).collect()
    }

    fn label(&self, body: &Body) -> Option<(&'static str, Clean)> {
        let config = body.read::<Config>().ok()?;
        Some(("command", name(&config)?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    argv: Vec<String>,
    name: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, Given>,
    #[serde(default)]
    parse: Parse,
    metric: Option<String>,
    #[serde(alias = "toml")]
    json: Option<Vec<Row>>,
    lines: Option<Vec<LineRow>>,
    ok_exit: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Parse {
    #[default]
    ExitCode,
    Number,
    Json,
    Toml,
    KeyValue,
    ValueKey,
    Lines,
    Nagios,
}

/// How to read it, with what that needs.
enum Reader {
    ExitCode,
    Number(String),
    Document(Format, Vec<Pick>),
    Pairs(Pair),
    Lines(Lines),
    Nagios,
}

/// How a line holds a key and its value.
#[derive(Clone, Copy, PartialEq)]
enum Pair {
    /// `key=value`.
    KeyFirst,
    /// A value, blanks, and the key to the end of the line.
    ValueFirst,
}

impl Pair {
    /// Key and value of a line; `None` when it holds no two.
    fn split(self, row: &[u8]) -> Option<(&[u8], &[u8])> {
        let at = row.iter().position(|byte| match self {
            Self::KeyFirst => *byte == b'=',
            Self::ValueFirst => byte.is_ascii_whitespace(),
        })?;
        let (first, rest) = row.split_at_checked(at)?;
        let (first, second) = (first.trim_ascii(), rest.get(1..)?.trim_ascii());
        Some(if self == Self::KeyFirst { (first, second) } else { (second, first) })
    }

    fn name(self) -> &'static str {
        if self == Self::KeyFirst { "key=value" } else { "a value and its key" }
    }
}

/// Without its arguments, which may hold what nobody else is to read.
fn name(config: &Config) -> Option<Clean> {
    let program = config.argv.first()?;
    Some(Clean::text(config.name.as_deref().unwrap_or_else(|| program.rsplit('/').next().unwrap_or(program))))
}

struct CommandSampler {
    order: Order,
    env: BTreeMap<String, Given>,
    logins: Logins,
    name: Clean,
    reader: Reader,
    ok_exit: Vec<u8>,
    runner: Runner,
    /// Goes through lines.
    worker: Worker<Vec<Found>>,
}

impl CommandSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let config: Config = body.read()?;
        let Some((program, args)) = config.argv.split_first() else {
            return Err(body.fault_at("argv", "`argv` names no program."));
        };
        if !program.starts_with('/') {
            let what = format!("`{}` does not begin with `/`.", Clean::text(program));
            return Err(body.fault_at("argv", what).hint("Name the program by its whole path; no shell looks for it."));
        }
        if let Some(name) = config.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            return Err(body.fault_at("env", format!("`{}` is no name of a variable.", Clean::text(name))));
        }
        if config.argv.iter().any(|word| word.contains('\0')) {
            return Err(body.fault_at("argv", "a word of `argv` holds a NUL, which no program can be given."));
        }
        if config.ok_exit.as_ref().is_some_and(|codes| codes.is_empty() || config.parse == Parse::Nagios) {
            let what =
                "`ok_exit` lists exit codes, and does not go with `parse = \"nagios\"`, whose codes have a meaning.";
            return Err(body.fault_at("ok_exit", what));
        }
        let name = name(&config).unwrap_or_default();
        Ok(Self {
            name,
            order: Order { program: program.into(), args: args.to_vec(), env: Vec::new(), spare: false },
            env: config.env,
            logins: Logins::new(),
            reader: reader(body, config.parse, config.metric, config.json, config.lines)?,
            ok_exit: config.ok_exit.unwrap_or_else(|| vec![0]),
            runner: Runner::new(),
            worker: Worker::new(&LOCAL_FILES),
        })
    }

    async fn run(&mut self, now: Now, seen: &mut Observation) -> Result<(), Failure> {
        let mut order = self.order.clone();
        let given = self.env.values().cloned().collect();
        // A text in the profile is a secret where its name says so: `LANG` is none.
        let values = self.logins.read(now.mono, self.name.as_str(), given, Given::read).await?;
        for (name, value) in self.env.keys().zip(values) {
            let pair = format!("{name}={}", value.reveal());
            if scrub(&pair) != pair {
                drop(Secret::new(value.reveal().to_owned()));
            }
            order.env.push((name.clone(), value.reveal().to_owned()));
        }
        let start = RealClock.now().mono;
        let ran = self.runner.run(now.mono, &order, LIMIT).await;
        let took = RealClock.now().mono.since(start);
        // What could not be started took no time; what was stopped took so long at least.
        if ran.is_ok() || took >= LIMIT {
            seen.points.push(self.gauge("command_duration_seconds", &[], took.as_secs_f64()));
        }
        let ran = ran?;
        let found = match &self.reader {
            Reader::Lines(lines) => {
                let (lines, text) = (lines.clone(), ran.stdout.bytes.clone());
                let found = self.worker.run(now.mono, move || lines.find(&text)).await;
                found.map_err(|stuck| Failure::unreachable(format!("the lines of {}: {stuck}.", self.name)))?
            }
            _ => Vec::new(),
        };
        self.tell(&ran, found, seen)
    }

    fn success(&self, good: bool) -> Point {
        self.gauge("command_success", &[], f64::from(u8::from(good)))
    }

    fn gauge(&self, name: &str, labels: &[(&str, &str)], value: f64) -> Point {
        Point::gauge(name, &[&[("command", self.name.as_str())], labels].concat(), value)
    }

    fn tell(&self, ran: &Ran, found: Vec<Found>, seen: &mut Observation) -> Result<(), Failure> {
        let code = match ran.ended {
            Ended::Code(code) => code,
            Ended::Signal(signal) => signal.saturating_add(128),
        };
        seen.points.push(self.gauge("command_exit_code", &[], f64::from(code)));
        self.check(ran)?;
        let output = ran.stdout.bytes.as_slice();
        match &self.reader {
            Reader::ExitCode => {
                let said = ran.stdout.first_line().or_else(|| ran.stderr.first_line());
                seen.facts.extend(said.map(|said| (Clean::from("says"), said)));
            }
            Reader::Number(metric) => {
                let number = plain_number(output).ok_or_else(|| self.bad("does not print one number"))?;
                seen.points.push(self.gauge(metric, &[], number));
            }
            Reader::Document(format, picks) => {
                let document = format.read(output).map_err(|what| self.bad(&format!("prints what is {what}")))?;
                let labels = [("command", self.name.as_str())];
                Pick::take(picks, &document, &self.name, &labels, seen).map_err(|what| self.bad(&what))?;
            }
            Reader::Pairs(pair) => self.pairs(*pair, output, seen)?,
            Reader::Lines(lines) => lines.put(found, &self.name, &[("command", self.name.as_str())], seen),
            Reader::Nagios => self.nagios(code, output, seen)?,
        }
        if ran.left_others {
            let what = "processes that held its output open were ended with it";
            seen.facts.push((Clean::from("left behind"), Clean::from(what)));
        }
        Ok(())
    }

    /// What failed has printed nothing to be believed.
    fn check(&self, ran: &Ran) -> Result<(), Failure> {
        let good = match (&self.reader, ran.ended) {
            (Reader::Nagios, Ended::Code(code)) => (0..=3).contains(&code),
            (_, Ended::Code(code)) => self.ok_exit.iter().any(|good| i32::from(*good) == code),
            _ => false,
        };
        if !good {
            let said = ran.stderr.first_line().or_else(|| ran.stdout.first_line());
            let said = said.map_or_else(String::new, |said| format!(": {}", said.as_str().trim_end_matches('.')));
            return Err(self.bad(&format!("failed ({}){said}", ran.ended)));
        }
        if ran.stdout.beyond > 0 && !matches!(self.reader, Reader::ExitCode) {
            return Err(self.bad("prints more than 1 MiB"));
        }
        Ok(())
    }

    fn bad(&self, what: &str) -> Failure {
        Failure::answered(format!("{} {what}.", self.name))
    }

    fn pairs(&self, pair: Pair, output: &[u8], seen: &mut Observation) -> Result<(), Failure> {
        let rows = output.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let (mut taken, mut beyond) = (BTreeMap::new(), 0_usize);
        for row in rows.filter(|row| !row.starts_with(b"#")) {
            let bad = || self.bad(&format!("prints a line that is not {}", pair.name()));
            let (key, value) = pair.split(row).ok_or_else(bad)?;
            if taken.len() < ROWS {
                // Of a key that comes twice, the later one counts.
                taken.insert(Clean::text(key), value);
            } else {
                beyond += 1;
            }
        }
        for (key, value) in taken {
            match plain_number(value) {
                Some(number) => seen.points.push(self.gauge("command_value", &[("key", key.as_str())], number)),
                None => seen.facts.push((key, Clean::text(value))),
            }
        }
        if beyond > 0 {
            seen.facts.push((Clean::from("not taken"), clean!("{beyond} lines beyond {ROWS} keys")));
        }
        Ok(())
    }

    fn nagios(&self, code: i32, output: &[u8], seen: &mut Observation) -> Result<(), Failure> {
        let said = perfdata::read(output);
        let state = match code {
            0 => "OK",
            1 => "WARNING",
            2 => "CRITICAL",
            _ => "UNKNOWN",
        };
        seen.facts.extend(
            [("state", Clean::from(state)), ("says", said.text.clone())].map(|(name, said)| (Clean::from(name), said)),
        );
        for datum in &said.data {
            self.datum(datum, seen);
        }
        if said.unread > 0 {
            let what = clean!("{} pieces of performance data", said.unread);
            seen.facts.push((Clean::from("not taken"), what));
        }
        let text = said.text.as_str().trim_end_matches('.');
        match code {
            0 | 1 => Ok(()),
            _ if text.is_empty() => Err(self.bad(&format!("says {state}"))),
            _ => Err(self.bad(&format!("says {state}: {text}"))),
        }
    }

    fn datum(&self, datum: &Datum, seen: &mut Observation) {
        let name = match datum.measure {
            Measure::Plain => "command_perfdata",
            Measure::Seconds => "command_perfdata_seconds",
            Measure::Bytes => "command_perfdata_bytes",
            Measure::Ratio => "command_perfdata_ratio",
            Measure::Counter => "command_perfdata_total",
        };
        let label = datum.label.as_str();
        match datum.value {
            Some(value) => {
                let mut point = self.gauge(name, &[("label", label)], value);
                if datum.measure == Measure::Counter {
                    point.kind = crate::base::PointKind::Counter;
                }
                seen.points.push(point);
            }
            None => seen.not_supported.push((clean!("{name} {label}"), clean!("{} could not determine it", self.name))),
        }
        let limit = match datum.measure {
            Measure::Plain | Measure::Counter => "command_perfdata_limit",
            Measure::Seconds => "command_perfdata_limit_seconds",
            Measure::Bytes => "command_perfdata_limit_bytes",
            Measure::Ratio => "command_perfdata_limit_ratio",
        };
        let points = datum.bounds.iter();
        seen.points
            .extend(points.map(|(bound, value)| self.gauge(limit, &[("label", label), ("bound", bound)], *value)));
    }
}

fn reader(
    body: &Body,
    parse: Parse,
    metric: Option<String>,
    rows: Option<Vec<Row>>,
    lines: Option<Vec<LineRow>>,
) -> Result<Reader, Fault> {
    if metric.is_some() && parse != Parse::Number {
        return Err(body.fault_at("metric", "`metric` goes with `parse = \"number\"` only."));
    }
    if rows.is_some() && !matches!(parse, Parse::Json | Parse::Toml) {
        return Err(body.fault_at("json", "`json` goes with `parse = \"json\"` and `\"toml\"` only."));
    }
    if lines.is_some() && parse != Parse::Lines {
        return Err(body.fault_at("lines", "`lines` goes with `parse = \"lines\"` only."));
    }
    let picks = |format: Format| {
        let needs = format!("`parse = \"{}\"` needs `json = [{{ pointer = \"/…\", metric = \"…\" }}]`.", format.name());
        let picks = Pick::check(body, "json", rows.ok_or_else(|| body.fault(needs))?)?;
        Ok(Reader::Document(format, picks))
    };
    Ok(match parse {
        Parse::ExitCode => Reader::ExitCode,
        Parse::KeyValue => Reader::Pairs(Pair::KeyFirst),
        Parse::ValueKey => Reader::Pairs(Pair::ValueFirst),
        Parse::Nagios => Reader::Nagios,
        Parse::Number => {
            let missing = || body.fault("`parse = \"number\"` needs `metric`: the name of the number.");
            Reader::Number(metric_name(body, "metric", metric.ok_or_else(missing)?)?)
        }
        Parse::Json => picks(Format::Json)?,
        Parse::Toml => picks(Format::Toml)?,
        Parse::Lines => {
            let missing = || body.fault("`parse = \"lines\"` needs `lines = [{ matches = '…', metric = \"…\" }]`.");
            Reader::Lines(Lines::check(body, lines.ok_or_else(missing)?)?)
        }
    })
}

impl Sampler for CommandSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let mut seen = Observation::default();
            let told = self.run(now, &mut seen).await;
            seen.points.push(self.success(told.is_ok()));
            match told {
                Ok(()) => Ok(seen),
                Err(failure) => Err(failure.with(seen.points)),
            }
        })
    }

    fn unheard(&self) -> Vec<Point> {
        vec![self.success(false)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_table_says_where_and_what() {
        for (config, fault) in [
            ("argv = []", "p.toml:1:8: `argv` names no program."),
            (
                "argv = [\"ls\"]",
                "p.toml:1:8: `ls` does not begin with `/`. Name the program by its whole path; no shell looks for it.",
            ),
            ("argv = [\"/bin/ls\"]\nmetric = \"x\"", "p.toml:2:10: `metric` goes with `parse = \"number\"` only."),
            (
                "argv = [\"/bin/ls\"]\nparse = \"number\"\nmetric = \"1x\"",
                "p.toml:3:10: `1x` is no metric name. Letters, digits, `_` and `:`; no digit first.",
            ),
            (
                "argv = [\"/bin/ls\"]\nok_exit = [3]\nparse = \"nagios\"",
                "p.toml:2:11: `ok_exit` lists exit codes, and does not go with `parse = \"nagios\"`, whose codes have a meaning.",
            ),
            ("argv = [\"/bin/ls\"]\nenv = { \"A=B\" = \"x\" }", "p.toml:2:7: `A=B` is no name of a variable."),
        ] {
            let body = Body::parse("p.toml", config).expect("TOML");
            assert_eq!(Command.build(&body).err().map(|fault| fault.to_string()).as_deref(), Some(fault));
        }
    }

    #[test]
    fn it_says_what_it_can_give() {
        let body = Body::parse("p.toml", "argv = [\"/bin/ls\"]\nparse = \"number\"\nmetric = \"x\"").expect("TOML");
        assert_eq!(Command.gives(&body), ["x", "command_"]);
    }
}
