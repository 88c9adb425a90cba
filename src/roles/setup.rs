//! From a profile to what the console runs: panes with their watches, sampler jobs, log sources.
//! A part that cannot be built becomes a fault; the rest goes on.

use super::action_check;
use super::handbook;
use super::judging;
use super::logs::{self, Source};
use super::marks;
use super::named;
use super::notify::Webhook;
use crate::action::kinds;
use crate::action::manager::Manager;
use crate::action::params::Asked;
use crate::app::{Board, Changes, Identity, Pane, View};
use crate::base::{Clean, Fault, Support};
use crate::config::{ActionSpec, KnownKinds, PaneSpec, Part, Profile, SamplerSpec, Trust, ViewSpec};
use crate::logs::{LogPatterns, LogSource, StreamSource, Tally};
use crate::procedure::Document;
use crate::rules::{Alerting, Book, Group, Judge, Policy, Rule, RuleFile, RuleKind};
use crate::samplers::kinds::files;
use crate::samplers::{self, Job};
use crate::store::Store;
use crate::ui::panes;
use core::time::Duration;
use std::sync::{Arc, LazyLock};

/// A band that says no other must be crossed this long before its alert fires.
const HOLD: Duration = Duration::from_secs(3);

/// The group of the rules that panes' bands are.
const BANDS: &str = "bands";

/// Everything that a profile asks for.
pub struct Setup {
    /// Panes.
    pub board: Board,
    /// Alerts.
    pub book: Book,
    /// The badge.
    pub identity: Identity,
    /// Samplers to run.
    pub jobs: Vec<Job>,
    /// Logs to follow.
    pub sources: Vec<LogSource>,
    /// Logs that are no files.
    pub streams: Vec<StreamSource>,
    /// What deserves a colour in them.
    pub patterns: Arc<LogPatterns>,
    /// What is counted in them.
    pub tally: Arc<Tally>,
    /// Who is told of alerts; only files that passed the rules of trust may send anything.
    pub webhook: Option<Webhook>,
    /// What listens for what may explain an alert.
    pub changes: Changes,
    /// What can be worked through.
    pub procedures: Vec<Arc<Document>>,
    /// What could not be built.
    pub faults: Vec<Fault>,
}

/// Every kind that a profile may name, from the registries.
pub fn known_kinds() -> KnownKinds<'static> {
    static NAMES: LazyLock<[Vec<&'static str>; 4]> = LazyLock::new(|| {
        [
            samplers::KINDS.iter().map(|kind| kind.name()).collect(),
            panes::KINDS.iter().map(|kind| kind.name()).collect(),
            kinds::KINDS.iter().map(|kind| kind.name()).collect(),
            logs::KINDS.iter().map(|(name, ..)| *name).collect(),
        ]
    });
    let [samplers, panes, actions, logs] = &*NAMES;
    KnownKinds { samplers, logs, panes, actions }
}

/// Builds everything. Declares the samplers to the store.
pub fn setup(profile: &Profile, host: Clean, store: &mut Store) -> Setup {
    let mut faults = profile.faults.clone();
    let mut keep = |result: Result<Pane, Fault>| result.map_err(|fault| faults.push(fault)).ok();
    let mut built: Vec<Pane> = profile.screen.panes.iter().filter_map(|spec| keep(pane(spec))).collect();
    let (book, broken) = judging::book(profile, bands(&mut built));
    faults.extend(broken);
    let jobs = jobs(profile, store, &mut faults);
    let (changes, deaf) = marks::changes(profile);
    faults.extend(deaf);
    let (sources, streams) = read_logs(profile, &mut faults);
    let (patterns, odd) = logs::patterns(profile);
    faults.extend(odd);
    let names = sources.iter().map(|file| &file.name).chain(streams.iter().map(|stream| &stream.name));
    let tally = Arc::new(Tally::new(patterns.clone(), names));
    if !profile.logs.is_empty() {
        store.declare(&logs::SAMPLER.into(), logs::EVERY, false);
        store.expect(&logs::SAMPLER.into(), tally.names());
    }
    let webhook = webhook(profile).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    faults.extend(named::dangling(profile));
    faults.extend(action_check::faults(profile));
    let procedures = procedures(profile, (&book, store), &mut faults);
    faults.extend(named::led_nowhere(profile, &book, &procedures));
    faults.retain(|fault| !profile.judging.settings.follows(fault));
    let identity = identity(profile, host);
    let views = views(profile, &built, &mut faults);
    Setup {
        board: Board::new(built).viewing(views),
        book,
        identity,
        jobs,
        sources,
        streams,
        patterns: Arc::new(patterns),
        tally,
        webhook,
        changes,
        procedures,
        faults,
    }
}

/// What is observed: the profile's samplers, its markers, and the console itself.
fn jobs(profile: &Profile, store: &mut Store, faults: &mut Vec<Fault>) -> Vec<Job> {
    let mut jobs = Vec::new();
    for spec in &profile.samplers {
        let here = spec.needs.as_ref().is_none_or(|path| path.exists());
        // Where what it needs is absent only its table is read.
        match if here { runnable(spec, profile).and_then(|()| job(spec)) } else { job(spec) } {
            Ok(_) if !here => {}
            Ok(job) => {
                declare(spec, job.every, store);
                jobs.push(job);
            }
            Err(fault) => faults.extend(further(spec, fault)),
        }
    }
    if let Some(job) = marks::job(profile) {
        store.declare(&job.name, job.every, false);
        store.expect(&job.name, [files::MODIFIED.to_owned()].into());
        jobs.push(job);
    }
    store.declare(&samplers::OWN.into(), samplers::OWN_EVERY, false);
    store.expect(&samplers::OWN.into(), samplers::own_gives());
    jobs
}

/// Tells the store of a sampler and of what it can give.
pub(super) fn declare(spec: &SamplerSpec, every: Duration, store: &mut Store) {
    store.declare(&spec.name, every, spec.simulated);
    if let Some(kind) = samplers::kind(&spec.kind) {
        store.expect(&spec.name, kind.gives(&spec.body));
        store.expect_label(&spec.name, kind.label(&spec.body));
    }
}

fn identity(profile: &Profile, host: Clean) -> Identity {
    let actions = profile.actions.iter().map(|action| (Arc::clone(&action.name), action.title.clone())).collect();
    let level = |action: &ActionSpec| {
        let level = action.body.clone().take::<Support>("support").ok().flatten();
        (Arc::clone(&action.name), level.unwrap_or_default())
    };
    let asked = |action: &ActionSpec| (Arc::clone(&action.name), Asked::of(&action.body));
    // A kind that takes another action back says of which.
    let back = |action: &ActionSpec| {
        let of = action.body.clone().take::<String>("of").ok().flatten()?;
        Some((Arc::from(of), Arc::clone(&action.name)))
    };
    let fresh_start = |action: &ActionSpec| {
        let mut body = action.body.clone();
        let resets = action.kind == "service_start" && body.take::<bool>("reset_failed").ok().flatten()?;
        let service = body.take::<Manager>("service").ok().flatten().filter(|_| resets)?;
        Some((service.service().unit().to_owned(), Arc::clone(&action.name)))
    };
    Identity {
        host,
        title: profile.title.clone(),
        environment: profile.environment.clone(),
        actions,
        levels: profile.actions.iter().map(level).collect(),
        asked: profile.actions.iter().map(asked).collect(),
        ways_back: profile.actions.iter().filter_map(back).collect(),
        fresh_starts: profile.actions.iter().filter_map(fresh_start).collect(),
    }
}

/// The profile's procedures. One that is at fault, or that others may write to, is only read.
fn procedures(profile: &Profile, (book, store): (&Book, &Store), faults: &mut Vec<Fault>) -> Vec<Arc<Document>> {
    let read = profile.procedures.specs.iter().zip(handbook::documents(profile)).map(|(spec, mut document)| {
        faults.extend(handbook::unset_beside(spec, &document));
        if let Trust::DisplayOnly(fault) = &spec.trust {
            document.faults.push(fault.clone());
        }
        faults.extend(document.faults.iter().cloned());
        faults.extend(handbook::dangling(&document, profile, book, store));
        handbook::answers(&mut document, book);
        Arc::new(document)
    });
    read.collect()
}

/// The logs of a profile: files, and what is none.
fn read_logs(profile: &Profile, faults: &mut Vec<Fault>) -> (Vec<LogSource>, Vec<StreamSource>) {
    let (mut files, mut streams) = (Vec::new(), Vec::new());
    for spec in &profile.logs {
        match logs::source(spec, profile) {
            Ok(Source::File(file)) => files.push(file),
            Ok(Source::Stream(stream)) => streams.push(stream),
            Err(fault) => faults.push(fault),
        }
    }
    (files, streams)
}

fn webhook(profile: &Profile) -> Result<Option<Webhook>, Fault> {
    let read = profile.people.notify.as_ref().map(Webhook::read).transpose()?;
    match (&read, &profile.trust) {
        (Some(_), Trust::DisplayOnly(fault)) => {
            let what = Clean::text(format!("{} Until then nobody is told of alerts.", fault.what));
            Err(Fault { what, ..fault.clone() })
        }
        _ => Ok(read),
    }
}

/// Severity words, matrix and contacts of a profile, over what ships.
pub fn policy(profile: &Profile) -> Policy {
    let people = &profile.people;
    Policy::new(&people.words, &people.rows, people.contacts.clone())
}

/// The profile's views; a title that no pane has is a fault, and a view of which no pane is left would be empty.
fn views(profile: &Profile, built: &[Pane], faults: &mut Vec<Fault>) -> Vec<View> {
    let titles = profile.names(Part::Pane);
    let view = |spec: &ViewSpec| {
        let names: Vec<String> = spec.panes.iter().map(ToString::to_string).collect();
        faults.extend(named::unknown(&spec.body, ("panes", "pane"), &names, &titles));
        View { title: spec.title.clone(), panes: spec.panes.clone() }
    };
    let mut views: Vec<View> = profile.screen.views.iter().map(view).collect();
    views.retain(|view| built.iter().any(|pane| view.panes.contains(&pane.title)));
    views
}

fn pane(spec: &PaneSpec) -> Result<Pane, Fault> {
    let kind = panes::kind(&spec.kind).ok_or_else(|| spec.body.fault(format!("unknown pane kind `{}`.", spec.kind)))?;
    let mut pane = kind.build(&spec.title, &spec.body)?;
    pane.optional = spec.optional;
    pane.absent.clone_from(&spec.absent);
    Ok(pane)
}

/// Bands are sugar for rules: every value with bands is one, named by its pane; an alert offers the pane's action.
fn bands(panes: &mut [Pane]) -> RuleFile {
    let mut rules = Vec::new();
    for pane in panes {
        let (title, action) = (pane.title.clone(), pane.action.clone());
        let headline = pane.headline.as_mut().map(|metric| (true, metric));
        for (head, metric) in headline.into_iter().chain(pane.beside.iter_mut().map(|metric| (false, metric))) {
            let Some(bands) = metric.bands else { continue };
            metric.rule = Some(rules.len());
            let alerting = Alerting {
                judge: Judge::Bands(bands),
                hold: bands.hold().unwrap_or(if bands.is_state() { Duration::ZERO } else { HOLD }),
                keep: Duration::ZERO,
                annotations: Vec::new(),
                unit: Some(metric.unit),
                words: metric.words.clone(),
                remedy: action.clone(),
                page: None,
            };
            rules.push(Rule {
                name: if head { title.clone() } else { title.join(" ", &metric.label) },
                place: None,
                expr_place: None,
                expr: metric.expr.clone(),
                labels: Vec::new(),
                kind: RuleKind::Alerting(alerting),
            });
        }
    }
    let group = Group { name: Clean::from(BANDS), interval: None, offset: Duration::ZERO, limit: 0, rules };
    RuleFile { file: Clean::default(), groups: vec![group], ..RuleFile::default() }
}

/// Whoever may write to a profile must not name programs that run as whoever looks, nor servers that are told secrets
/// of whoever looks.
fn runnable(spec: &SamplerSpec, profile: &Profile) -> Result<(), Fault> {
    let names = spec.kind == "command" || spec.body.clone().take::<Vec<String>>("systemctl").ok().flatten().is_some();
    match &profile.trust {
        Trust::DisplayOnly(fault) if names || spec.body.refers() => {
            let does = if names { "runs no program" } else { "is given no secret" };
            let what = Clean::text(format!("{} The sampler `{}` {does} until then.", fault.what, spec.name));
            Err(Fault { what, ..fault.clone() })
        }
        _ => Ok(()),
    }
}

/// One sampler of the profile, ready to run.
///
/// # Errors
/// An unknown kind or a fault in its table.
pub fn job(spec: &SamplerSpec) -> Result<Job, Fault> {
    if [samplers::OWN, logs::SAMPLER].contains(&&*spec.name) {
        return Err(spec
            .body
            .fault(format!("`{}` is what the console tells of itself.", spec.name))
            .hint("Choose another name."));
    }
    let kind =
        samplers::kind(&spec.kind).ok_or_else(|| spec.body.fault(format!("unknown sampler kind `{}`.", spec.kind)))?;
    let every = spec.every.unwrap_or_else(|| kind.every());
    let sampler = kind.build(&spec.body)?;
    Ok(Job { name: Arc::clone(&spec.name), sampler, every, timeout: spec.timeout })
}

/// A fault in the table of a sampler, and those that show when its key is left out. What is said of the table as a
/// whole, such as that a key is missing, may follow from that: it is left out.
fn further(spec: &SamplerSpec, first: Fault) -> Vec<Fault> {
    let mut body = spec.body.clone();
    let mut faults = vec![first];
    while let Some(rest) = faults.last().and_then(|fault| body.without(fault)) {
        body = rest;
        match samplers::kind(&spec.kind).map(|kind| kind.build(&body)) {
            Some(Err(fault)) if body.without(&fault).is_some() => faults.push(fault),
            _ => break,
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Limits;

    #[test]
    fn every_fault_of_a_table_of_a_sampler_is_told_at_once() {
        let text = "[samplers.a]\nkind = \"tcp\"\nur = \"127.0.0.1:1\"\nconnect = \"yes\"\nretry = 1\n\
                    [samplers.b]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                    headers = { a = 1 }\nbodyy = \"x\"\n[samplers.c]\nkind = \"tcp\"\n";
        let profile = Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses");
        let setup = setup(&profile, "h".into(), &mut Store::new(Limits::default()));
        let places: Vec<(u32, u32)> =
            setup.faults.iter().filter_map(|fault| fault.at.as_ref()).map(|at| (at.line, at.column)).collect();
        let faults: Vec<String> = setup.faults.iter().map(Fault::to_string).collect();
        let mut lines: Vec<u32> = places.iter().map(|(line, _)| *line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [3, 4, 5, 9, 10, 11], "{faults:#?}");
    }

    #[test]
    fn a_name_that_nothing_bears_is_a_fault_where_it_stands() {
        let text = r#"
[samplers.metrics]
kind = "host"
[logs.app]
kind = "file"
path = "/x/*.log"
[[panes]]
title = "Load"
kind = "sparkline"
query = "node_load1"
action = "reduce-batchsize"
[[panes]]
title = "Log"
kind = "log"
source = "ap"
[[views]]
title = "Health"
panes = ["Load", "Lod"]
[[views]]
title = "Empty"
panes = ["Lod"]
[actions.reduce-batch-size]
kind = "config_set"
verify_samplers = ["metrics", "metrisc"]
"#;
        let profile = Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses");
        let setup = setup(&profile, "h".into(), &mut Store::new(Limits::default()));
        assert_eq!(
            setup.board.view_shown().as_ref().map(Clean::as_str),
            Some("Health 1/1"),
            "the other would be empty"
        );
        let faults: Vec<String> = setup.faults.iter().map(Fault::to_string).collect();
        assert_eq!(
            faults,
            [
                "p.toml:11:10: no action of this profile is called `reduce-batchsize`. Did you mean `reduce-batch-size`?",
                "p.toml:15:10: no log of this profile is called `ap`. Did you mean `app`?",
                "p.toml:24:19: no sampler of this profile is called `metrisc`. Did you mean `metrics`?",
                "p.toml:22:1: `verb` is missing here.",
                "p.toml:18:9: no pane of this profile is called `Lod`. Did you mean `Load`?",
                "p.toml:21:9: no pane of this profile is called `Lod`. Did you mean `Load`?",
            ]
        );
    }

    #[test]
    fn a_part_that_is_at_fault_is_there_by_name() {
        let text = r#"
[samplers.metrics]
kind = "host"
every = 5
[logs.app]
kind = "fil"
[actions.restart]
kind = "service_restrt"
[[panes]]
title = "Q"
kind = "sparklin"
[[panes]]
title = "Told"
kind = "facts"
sampler = "metrics"
[[panes]]
title = "Load"
kind = "sparkline"
query = "node_load1"
action = "restart"
[[panes]]
title = "Log"
kind = "log"
source = "app"
[[views]]
title = "Health"
panes = ["Q", "Told"]
[[markers]]
log = "app"
contains = "x"
[[patterns]]
name = "x"
text = "x"
sources = ["app"]
"#;
        let profile = Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses");
        let built = setup(&profile, "h".into(), &mut Store::new(Limits::default()));
        let lines: Vec<u32> = built.faults.iter().filter_map(|fault| fault.at.as_ref()).map(|at| at.line).collect();
        assert_eq!(lines, [4, 6, 8, 11], "{:#?}", built.faults);
    }

    #[test]
    fn the_table_of_an_action_is_read_and_nothing_that_it_names_is_looked_at() {
        let action = |name: &str, rest: &str| {
            format!("[actions.{name}]\nkind = \"file_backup\"\nverb = \"backup\"\npath = \"/nonexistent/x\"\n{rest}\n")
        };
        let text = action("good", "danger = \"C1\"\nto = \"/nonexistent/y\"")
            + &action("danger", "danger = \"C9\"\nto = \"/y\"")
            + &action("key", "danger = \"C1\"\nto = \"/y\"\nstoped = 1")
            + &action("type", "danger = \"C1\"\nto = 5");
        let profile = Profile::parse("t", "p.toml", &text, &known_kinds()).expect("parses");
        let faults = setup(&profile, "h".into(), &mut Store::new(Limits::default())).faults;
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        assert!(faults[0].starts_with("p.toml:11:10: unknown value `C9`"), "{faults:#?}");
        assert_eq!(faults[1], "p.toml:19:1: unknown key `stoped`. Did you mean `stopped`?");
        assert!(faults[2].starts_with("p.toml:25:6: invalid type: integer `5`"), "{faults:#?}");
        assert_eq!(faults.len(), 3);
    }

    #[test]
    fn a_profile_that_is_not_trusted_tells_nobody() {
        let text = "[notify]\nurl = \"http://127.0.0.1:9/\"\n";
        let mut profile = Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses");
        let setup = |profile: &Profile| setup(profile, "h".into(), &mut Store::new(Limits::default()));
        assert!(setup(&profile).webhook.is_some());
        profile.trust = Trust::DisplayOnly(Fault::new("others may write to this file.").at("p.toml", 0, 0));
        let built = setup(&profile);
        assert!(built.webhook.is_none());
        let faults: Vec<String> = built.faults.iter().map(Fault::to_string).collect();
        assert_eq!(faults, ["p.toml: others may write to this file. Until then nobody is told of alerts."]);
    }

    #[test]
    fn a_profile_that_is_not_trusted_names_no_program_that_runs() {
        let text = "[samplers.a]\nkind = \"command\"\nargv = [\"/bin/true\"]\n[samplers.b]\nkind = \"host\"\n\
                    [samplers.c]\nkind = \"http\"\nurl = \"http://127.0.0.1:9/\"\nheaders = { A = { env = \"HOME\" } }\n";
        let mut profile = Profile::parse("t", "p.toml", text, &known_kinds()).expect("parses");
        let setup = |profile: &Profile| setup(profile, "h".into(), &mut Store::new(Limits::default()));
        let names = |built: &Setup| built.jobs.iter().map(|job| job.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&setup(&profile)), ["a", "b", "c"]);
        profile.trust = Trust::DisplayOnly(Fault::new("others may write to this file.").at("p.toml", 0, 0));
        let built = setup(&profile);
        assert_eq!(names(&built), ["b"], "what looks stays alive");
        assert!(
            ["`a` runs no program", "`c` is given no secret"]
                .iter()
                .all(|said| built.faults.iter().any(|fault| fault.to_string().contains(said))),
            "{:?}",
            built.faults
        );
    }
}
