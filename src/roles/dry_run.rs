//! `watchkeeper run ACTION --dry-run`: the plan as the prompt would show it, then the way of the runner by an executor that
//! stops before the first effect. Without a name it lists the profile's actions. What changes something is confirmed in a console alone.

use super::collect::Collector;
use super::planning::planned;
use super::probe::Eyes;
use super::session::reference;
use super::setup;
use super::validate::written;
use crate::action;
use crate::action::act::carry_out;
use crate::action::dry_run::DryRun;
use crate::action::params::Asked;
use crate::action::plan::{Plan, Where};
use crate::action::prepare::Depth;
use crate::action::prompt::rows;
use crate::action::refused::Refused;
use crate::app::readings::Snapshot;
use crate::base::{Clean, Clock, Fault};
use crate::config::profile::{ActionSpec, Trust};
use crate::config::{Profile, SearchPath, load_profile};
use crate::rules::expr::Expr;
use crate::sys::clock::RealClock;
use crate::sys::host::{Host, Login};
use crate::sys::paths;
use core::time::Duration;
use std::io::Write;
use std::path::PathBuf;

/// What a plan rests on is waited for so long; a baseline wants several answers.
const READINGS: Duration = Duration::from_secs(6);
/// Answers that a baseline needs.
const ANSWERS: u32 = 5;

/// `watchkeeper run …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The action's name; without one the profile's actions are listed
    action: Option<String>,
    /// Profile whose actions these are: a file, a folder, or a name on the search path [default: this host]
    #[arg(long, value_name = "PROFILE", default_value = "host")]
    profile: String,
    /// Show the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// A value of a parameter that the operator is asked for
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    given: Vec<(Clean, Clean)>,
}

/// Prints the plan. Exit status 1 when the action cannot be offered now: the reason goes to standard error.
///
/// # Errors
/// When the profile cannot be had, there is no such action, or the output is gone.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = load_profile(&reference(&ask.profile), &search, &setup::known_kinds())?;
    let Some(name) = &ask.action else { return list(&profile, out) };
    let spec = profile.actions.iter().find(|action| *action.name == **name).ok_or_else(|| {
        let names: Vec<&str> = profile.actions.iter().map(|action| &*action.name).collect();
        Fault::new(format!("{} has no action `{name}`.", ask.profile)).hint(if names.is_empty() {
            "It has none.".to_owned()
        } else {
            format!("It has: {}.", names.join(", "))
        })
    })?;
    if !ask.dry_run {
        return Err(Fault::new(format!("`{name}` is confirmed in a console, where its plan is seen."))
            .hint("Open the console and press `a`, or add --dry-run to see the plan."));
    }
    // A plan runs what the profile says for a preview, and asks managers by the profile's own commands.
    if let Trust::DisplayOnly(fault) = &profile.trust {
        return Err(fault.clone());
    }
    let asked = Asked::of(&spec.body);
    if let Some((name, _)) = ask.given.iter().find(|(name, _)| !asked.iter().any(|asked| asked.name == *name)) {
        let names: Vec<&str> = asked.iter().map(|asked| asked.name.as_str()).collect();
        return Err(
            Fault::new(format!("nobody is asked for `{name}`.")).hint(format!("Asked for: {}.", names.join(", ")))
        );
    }
    let refused = match plan((&ask.profile, &ask.given), &profile, spec) {
        Ok(gone) => {
            written(out, &text(&gone))?;
            gone.refused
        }
        Err(fault) => Some(Clean::text(fault.to_string())),
    };
    let Some(why) = refused else { return Ok(0) };
    written(&mut std::io::stderr().lock(), &[format!("{name} cannot be done now: {why}")]).map(|()| 1)
}

/// A plan, and what its runner would do.
struct Gone {
    plan: Plan,
    told: Vec<Clean>,
    refused: Option<Clean>,
}

/// The runner's way through a plan, with the runner's eyes.
fn go(plan: Plan) -> Result<Gone, Fault> {
    let eyes = Box::new(Eyes::open(&plan)?);
    let mut dry = DryRun::new(&plan, paths::lock_dirs(), &RealClock, eyes)?;
    carry_out(&mut dry);
    let (told, refused) = (dry.told().to_vec(), dry.refused().cloned());
    drop(dry);
    Ok(Gone { plan, told, refused })
}

fn list(profile: &Profile, out: &mut dyn Write) -> Result<u8, Fault> {
    let line = |action: &ActionSpec| format!("{:24} {:20} {}", action.name, action.kind, action.title);
    let lines: Vec<String> = profile.actions.iter().map(line).collect();
    let none = || vec!["This profile has no action.".to_owned()];
    written(out, &if lines.is_empty() { none() } else { lines }).map(|()| 0)
}

fn pair(text: &str) -> Result<(Clean, Clean), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let (name, shown) = (Clean::text(name), Clean::text(value));
    // What is shown in another form would be given in that form.
    if shown.as_str() != value {
        return Err(format!("{shown} stands for characters that cannot be shown"));
    }
    Ok((name, shown))
}

fn plan((reference, given): (&str, &[(Clean, Clean)]), profile: &Profile, spec: &ActionSpec) -> Result<Gone, Fault> {
    let queries = action::queries::queries(&spec.body);
    let parsed: Vec<Expr> = queries.iter().filter_map(|query| Expr::parse(query).ok()).collect();
    let selectors: Vec<_> = parsed.iter().flat_map(|expr| expr.selectors().to_vec()).collect();
    let mut said = Vec::new();
    let mut collector = Collector::start(Some(reference), &selectors, &mut |text| said.push(text.to_owned()))?;
    let now = if selectors.is_empty() { RealClock.now() } else { collector.until(ANSWERS, READINGS) };
    let readings = Snapshot::take(&collector.store, &queries, now);
    let place = Where { host: Host::current(), environment: profile.environment.clone() };
    // Where no state can be kept there are no earlier runs either.
    let state = paths::state_dir().unwrap_or_else(|| PathBuf::from("/nonexistent"));
    let plan = planned(spec, &state, (&place, &Login::current()), (reference, &readings), (Depth::Preview, given));
    let gone = plan.map_err(Refused::fault).and_then(go);
    // Last: whoever leaves starts no program any more, and a plan asks managers and previews by programs.
    collector.leave();
    gone
}

/// As the prompt has it, one paragraph a line.
fn text(gone: &Gone) -> Vec<String> {
    let plan = &gone.plan;
    let head = format!("{}   danger {}, not done: a dry run", plan.what.title, plan.danger);
    let rows = rows(plan, RealClock.now().mono).into_iter().flat_map(|(label, lines)| {
        lines.into_iter().enumerate().map(move |(at, line)| format!("{:9}{line}", if at == 0 { label } else { "" }))
    });
    let typed = format!("{:9}{}", "TYPE", plan.expected());
    let then = gone.told.iter().enumerate();
    let then = then.map(|(at, line)| format!("{:9}{line}", if at == 0 { "THEN" } else { "" }));
    [head].into_iter().chain(rows).chain([typed]).chain(then).collect()
}
