//! Makes a plan from an action of a profile and what is observed now. No effects; reads files and asks managers, so
//! it runs beside the console's loop, never in it.

use super::back;
use super::cooldown::{cooled_down, same};
use super::form;
use super::kinds::{self, Draft, Kind};
use super::lifecycle::{Earlier, Run};
use super::lmdb::size;
use super::lookalike;
use super::params::{self, Params};
use super::plan::{Danger, Judging, Metric, Plan, Precondition, Readings, Undo, What, Where};
use super::refused::Refused;
use super::relied::Relied;
use super::traffic::{self, Traffic, is_counter};
use super::verify::{BASELINE, Check, Expect, FRESH, median, pace};
use crate::base::body::nearest;
use crate::base::{Body, Clean, Clock, Fault, Mono, Support, Ulid, Unit};
use crate::sys::host::{Host, Login};
use core::time::Duration;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Actions of the last ten minutes count towards "again and again".
pub const AGAIN: Duration = Duration::from_secs(600);
/// This many earlier ones make the next one heavier.
const AGAIN_COUNT: usize = 2;
/// Baseline when the profile does not say.
const WINDOW: Duration = Duration::from_secs(60);
/// A reading may be this old when the profile does not say.
const MAX_AGE: Duration = Duration::from_secs(10);
/// By this share a reading may have changed before the first effect, when the profile does not say.
const TOLERANCE: f64 = 0.25;
/// Time for verification when the profile does not say.
const WITHIN: Duration = Duration::from_secs(60);

/// The keys that every action's table may have, for "did you mean".
pub const COMMON: &[&str] = &[
    "title",
    "verb",
    "support",
    "danger",
    "hits",
    "based_on",
    "verify",
    "verify_samplers",
    "verify_within",
    "baseline",
    "cooldown",
    "backup",
    "confirm",
    "traffic",
];

/// What planning may look at.
pub struct Context<'a> {
    /// This host.
    pub host: &'a Host,
    /// This login.
    pub login: &'a Login,
    /// The profile's badge.
    pub environment: &'a Clean,
    /// The profile as the console was given it: a name or a path. The runner loads its samplers from there.
    pub profile: &'a str,
    /// Current values.
    pub readings: &'a dyn Readings,
    /// Runs of the last ten minutes ([`super::lifecycle::earlier`]).
    pub earlier: &'a [Earlier],
    /// Where runs are kept.
    pub state: &'a Path,
    /// Values that the operator gave, by parameter.
    pub given: &'a [(Clean, Clean)],
    /// The new plan's id.
    pub id: Ulid,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// How far it may go.
    pub depth: Depth,
}

/// How far planning goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The table is read, and nothing is looked at.
    Table,
    /// What is there is looked at; no program is run that shows what would be done: somebody only opens the list.
    Look,
    /// All that the prompt shows.
    Preview,
}

/// What ends planning once the table has been read.
fn table_is_good() -> Fault {
    Fault::new("its table can be read.")
}

/// What is wrong with the table of an action, by itself, with its place; with [`Depth::Table`] nothing of what it names
/// is looked at.
pub fn check(kind: &str, body: &Body, cx: &Context<'_>) -> Option<Fault> {
    let planned = prepare("", kind, &Clean::default(), body, cx).err().filter(|fault| *fault != table_is_good());
    let wrong = planned.or_else(|| form::check(kind, body).err())?;
    Some(Fault { at: wrong.at.or_else(|| body.fault("").at), ..wrong })
}

/// Every query has a value: for whoever only reads tables.
pub struct Any;

impl Readings for Any {
    fn reading(&self, _: &str) -> Result<(f64, Duration), Fault> {
        Ok((0.0, Duration::ZERO))
    }

    fn recent(&self, _: &str, _: Duration) -> Vec<(Mono, f64)> {
        Vec::new()
    }

    fn labels(&self, _: &str, _: &str) -> Vec<Clean> {
        Vec::new()
    }
}

impl Context<'_> {
    /// Whether programs may be run that show what would be done.
    pub fn previews(&self) -> bool {
        self.depth == Depth::Preview
    }

    /// A kind has taken its keys: what is left is unknown. Whoever only reads the table goes no further.
    ///
    /// # Errors
    /// An unknown key; or that the table has been read, and no more was asked for.
    pub fn done(&self, body: &Body, keys: &[&str]) -> Result<(), Fault> {
        body.done(keys)?;
        self.read()
    }

    /// All that the table says by itself was judged, and what follows looks at what it names.
    ///
    /// # Errors
    /// That the table has been read, and no more was asked for.
    pub fn read(&self) -> Result<(), Fault> {
        if self.depth == Depth::Table { Err(table_is_good()) } else { Ok(()) }
    }

    /// The key `stable_for`: for how long what was done must hold.
    ///
    /// # Errors
    /// No duration.
    pub fn stable_for(&self, body: &mut Body) -> Result<Option<Duration>, Fault> {
        let text: Option<String> = body.take("stable_for")?;
        text.map(|text| duration(&text, body)).transpose()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BasedOn {
    label: Clean,
    query: String,
    #[serde(default)]
    unit: Unit,
    max_age: Option<String>,
    tolerance: Option<f64>,
    /// What it must be, else nothing is done: `{ below = … }`, `{ at_least = "{name}" }`.
    expect: Option<Value>,
    /// What becomes of it where it is not so.
    #[serde(default)]
    otherwise: Otherwise,
    /// Nothing known of it stops nobody, and makes the prompt heavier.
    #[serde(default)]
    may_be_unknown: bool,
}

/// Where a plan rests on something that is not as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Otherwise {
    /// It is not made.
    #[default]
    Refused,
    /// Its prompt is heavier by one.
    Heavier,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyRow {
    label: Clean,
    query: String,
    #[serde(default)]
    unit: Unit,
    expect: Expect,
}

/// Plans one action of a profile. `body` is its table without `kind` and `title`.
///
/// # Errors
/// Every reason not to offer it, as a sentence: an unknown key, a target that is not as declared, a stale value.
pub fn prepare(name: &str, kind: &str, title: &Clean, body: &Body, cx: &Context<'_>) -> Result<Plan, Fault> {
    prepare_or_why(name, kind, title, body, cx).map_err(Refused::fault)
}

/// The same, and of which kind the reason is.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_or_why(name: &str, kind: &str, title: &Clean, body: &Body, cx: &Context<'_>) -> Result<Plan, Refused> {
    let given = [cx.given, &params::offered(body, cx.given, cx.readings)].concat();
    match with_values((name, kind, title), body, &Context { given: &given, ..*cx }) {
        Err(fault) => Err(Refused::Precondition(fault)),
        Ok((_, Some(fault))) => Err(Refused::CoolingDown(fault)),
        Ok((plan, None)) => Ok(plan),
    }
}

/// Name, kind and title of an action.
type Named<'a> = (&'a str, &'a str, &'a Clean);

/// The same once every parameter that is offered something has it; beside the plan, that it was done a moment ago.
fn with_values((name, kind, title): Named<'_>, body: &Body, cx: &Context<'_>) -> Result<(Plan, Option<Fault>), Fault> {
    let known = kinds::kind(kind).ok_or_else(|| unknown(kind, body))?;
    let mut body = body.clone();
    let made = cx.clock.now();
    let verb: String = body.need("verb")?;
    check_verb(&verb, &body)?;
    let support: Support = body.take("support")?.unwrap_or(Support::L1);
    let declared: Danger = body.need("danger")?;
    let hits: Vec<Clean> = body.take("hits")?.unwrap_or_default();
    let (mut based_on, mut waived) = based_on(&mut body, cx)?;
    let relied = Relied::take(&mut body)?;
    let word = confirm(&mut body, cx)?;
    let cooldown = cooldown(&mut body)?;
    let judging = judging(&mut body, cx)?;
    observable(&based_on, judging.as_ref(), &body)?;
    let mut draft = known.draft(&mut body, &Run::of(cx.state, cx.id), cx)?;
    // Making one is what mends it.
    let troubles = if known.name().ends_with("_backup") { &mut draft.hits } else { &mut waived };
    let relied = relied.map(|relied| relied.tell(made.wall, &mut based_on, troubles));
    let cooling = cooled_down(cooldown, name, &draft, cx).err();
    let declared = if word.is_some() { Danger::C3 } else { declared };
    let (danger, raised) = danger(known, declared, (&draft, waived), name, cx);
    let typed = word.as_ref().unwrap_or(&draft.target);
    based_on.splice(0..0, draft.based_on);
    let mut plan = Plan {
        id: cx.id,
        made,
        what: What {
            action: name.to_owned(),
            kind: format!("{}@{}", known.name(), known.version()),
            title: title.clone(),
            verb: Clean::text(&verb),
            target: Clean::identifier(format!("{}/{typed}", cx.host.name)).0,
            lines: lookalike::by_number(draft.lines, &draft.targets),
            work: draft.work,
        },
        danger,
        raised,
        support,
        place: Where { host: cx.host.clone(), environment: cx.environment.clone() },
        who: cx.login.clone(),
        hits: hits.into_iter().chain(draft.hits).collect(),
        undo: draft.undo,
        based_on,
        relied,
        targets: draft.targets,
        settle: draft.settle,
        judging,
    };
    plan.undo = undo(&plan);
    if plan.judging.is_none() && !known.proves(&plan) {
        plan.hits
            .push(Clean::from("nobody has declared a check of its effect: even when all goes well it ends UNVERIFIED"));
    }
    Ok((plan, cooling))
}

/// The way back, and whether it is offered once this is done.
fn undo(plan: &Plan) -> Undo {
    match &plan.undo {
        Undo::How(how) if back::has(plan) => Undo::How(crate::clean!("{how}; offered afterwards")),
        undo => undo.clone(),
    }
}

/// Metrics that a plan rests on are observed again, by samplers that its verification names.
fn observable(based_on: &[Precondition], judging: Option<&Judging>, body: &Body) -> Result<(), Fault> {
    if based_on.iter().any(|row| row.metric.is_some()) && judging.is_none() {
        return Err(body
            .fault("`based_on` needs `verify` with its samplers.")
            .hint("The runner observes again what a plan rests on, with samplers of its own."));
    }
    Ok(())
}

/// What is typed behind the host instead of the target: a word, or the value of a parameter.
fn confirm(body: &mut Body, cx: &Context<'_>) -> Result<Option<String>, Fault> {
    let table = body.clone();
    let Some(text) = body.take::<String>("confirm")? else { return Ok(None) };
    let params = Params::take(&mut body.clone(), cx.given)?;
    let word = params.whole(&text)?.map_or_else(|| text.clone(), str::to_owned);
    if word.is_empty() || Clean::identifier(word.as_bytes()).1 {
        return Err(table.fault_at("confirm", "a word that can be typed: letters, digits and . _ : @ / -"));
    }
    Ok(Some(word))
}

fn unknown(kind: &str, body: &Body) -> Fault {
    if let Some((name, feature)) = kinds::NOT_BUILT.iter().find(|(name, _)| *name == kind) {
        let fault = body.fault(format!("the kind of action `{name}` was not built into this program."));
        return fault.hint(format!("Build it with `--features {feature}`."));
    }
    let names = kinds::KINDS.iter().map(|kind| kind.name());
    body.fault(format!("unknown kind of action `{}`.", Clean::text(kind))).hint(nearest(kind, names))
}

/// The verb is typed by hand: lower-case letters and `-`, at least four of them, so that no single key is one.
fn check_verb(verb: &str, body: &Body) -> Result<(), Fault> {
    let plain = verb.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !verb.starts_with('-');
    if plain && (4..=32).contains(&verb.len()) {
        return Ok(());
    }
    Err(body
        .fault(format!("`{}` cannot be the verb.", Clean::text(verb)))
        .hint("Use 4 to 32 letters a-z, such as `restart`."))
}

/// What the plan rests on, and what of it is unknown or not as it should be, and let pass.
fn based_on(body: &mut Body, cx: &Context<'_>) -> Result<(Vec<Precondition>, Vec<Clean>), Fault> {
    let table = body.clone();
    let rows: Vec<BasedOn> = body.take("based_on")?.unwrap_or_default();
    let (mut known, mut waived) = (Vec::new(), Vec::new());
    for mut row in rows {
        let expect = row.expect.take().map(|expect| expected(expect, &table, cx)).transpose()?;
        let limit = row.max_age.as_deref().map_or(Ok(MAX_AGE), |text| duration(text, body))?;
        let tolerance = row.tolerance.unwrap_or(TOLERANCE);
        if !(0.0..=1.0).contains(&tolerance) {
            return Err(body
                .fault(format!("`tolerance = {tolerance}` is no share."))
                .hint("From 0 to 1: 0.2 allows a fifth more or less than planned."));
        }
        if row.otherwise == Otherwise::Heavier && expect.is_none() {
            return Err(table.fault_at(
                "based_on",
                "`otherwise` says what becomes of a value that is not as `expect` says: that is missing.",
            ));
        }
        let (value, age) = match reading(&row, limit, cx) {
            Err(why) if row.may_be_unknown => {
                waived.push(crate::clean!("{} is unknown, and its profile lets that pass", row.label));
                let value = crate::clean!("unknown: {}", why.what);
                let metric = Metric { query: row.query, unit: row.unit, planned: None, tolerance, expect };
                known.push(Precondition { label: row.label, value, age: Duration::ZERO, metric: Some(metric) });
                continue;
            }
            other => other?,
        };
        let shown = Clean::text(row.unit.show(value));
        // Whoever only reads tables has no values.
        let looked = cx.depth != Depth::Table;
        let broken = expect.filter(|expect| looked && expect.holds(None, value) != Some(true));
        match (broken, row.otherwise) {
            (None, _) => {}
            (Some(expect), Otherwise::Refused) => {
                let what = format!("{} is {shown}, and must be {}.", row.label, expect.stands(row.unit));
                return Err(Fault::new(what).hint("Its profile asks for that before this is done."));
            }
            (Some(expect), Otherwise::Heavier) => {
                waived.push(crate::clean!("{} is {shown}, and should be {}", row.label, expect.stands(row.unit)));
            }
        }
        // What is not so already is not asked for again: only that it stays as it is.
        let expect = expect.filter(|_| broken.is_none());
        let metric = Metric { query: row.query, unit: row.unit, planned: Some(value), tolerance, expect };
        known.push(Precondition { label: row.label, value: shown, age, metric: Some(metric) });
    }
    Ok((known, waived))
}

/// An expectation, with the value of the parameter that its bound names: a number, or a size such as `28GB`.
fn expected(mut expect: Value, table: &Body, cx: &Context<'_>) -> Result<Expect, Fault> {
    let params = Params::take(&mut table.clone(), cx.given)?;
    let wrong = |what: String| table.fault_at("based_on", what);
    let number = |text: &str| {
        text.parse().ok().filter(|value: &f64| value.is_finite()).or_else(|| Some(size::parse(text).ok()? as f64))
    };
    for bound in expect.as_object_mut().into_iter().flat_map(|rows| rows.iter_mut().map(|(_, bound)| bound)) {
        let Value::String(text) = &*bound else { continue };
        let value = params.whole(text).map_err(|fault| wrong(fault.what.to_string()))?.unwrap_or(text);
        let value =
            number(value).ok_or_else(|| wrong(format!("`{}` is no number: a bound is one.", Clean::text(value))));
        *bound = Value::from(value?);
    }
    match Expect::deserialize(expect) {
        Ok(Expect::Falls | Expect::Rises | Expect::FallsOrBelow(_)) => {
            Err(wrong("what a plan rests on is a value, not a change.".to_owned())
                .hint("Write expect = { below = 1 }, at_most, at_least or above."))
        }
        Ok(expect) => Ok(expect),
        Err(error) => Err(wrong(format!("`expect` cannot be read: {error}."))),
    }
}

/// A value that a plan may rest on.
fn reading(row: &BasedOn, limit: Duration, cx: &Context<'_>) -> Result<(f64, Duration), Fault> {
    let (value, age) = cx.readings.reading(&row.query)?;
    if !value.is_finite() {
        return Err(Fault::new(format!("{} is no number: a plan cannot rest on it.", row.label)));
    }
    if age > limit {
        let (age, limit) = (age.as_secs_f64(), limit.as_secs_f64());
        let what = format!("{} is {age:.1} s old; a plan rests on values of at most {limit} s.", row.label);
        return Err(Fault::new(what).hint("Wait for a fresh value, or look at why it does not come."));
    }
    Ok((value, age))
}

/// For how long the same is not done again.
fn cooldown(body: &mut Body) -> Result<Option<Duration>, Fault> {
    let Some(text) = body.take::<String>("cooldown")? else { return Ok(None) };
    let cooldown = duration(&text, body)?;
    if cooldown > AGAIN {
        let most = AGAIN.as_secs() / 60;
        return Err(body.fault_at("cooldown", format!("earlier runs are looked at for {most} minutes at most.")));
    }
    Ok(Some(cooldown))
}

fn judging(body: &mut Body, cx: &Context<'_>) -> Result<Option<Judging>, Fault> {
    let rows: Vec<VerifyRow> = body.take("verify")?.unwrap_or_default();
    let samplers: Option<Vec<String>> = body.take("verify_samplers")?;
    let traffic = traffic::take(body)?;
    let within: Option<String> = body.take("verify_within")?;
    let window: Option<String> = body.take("baseline")?;
    let within = within.map_or(Ok(WITHIN), |text| duration(&text, body))?;
    let window = window.map_or(Ok(WINDOW), |text| duration(&text, body))?;
    if rows.is_empty() {
        return Ok(None);
    }
    let Some(traffic::Declared { query, label }) = traffic else {
        return Err(body
            .fault("`verify` needs `traffic`: without work nothing is proven.")
            .hint("Name a series of requests a second, or a counter ending in _total."));
    };
    let Some(samplers) = samplers.filter(|names| !names.is_empty()) else {
        return Err(body
            .fault("`verify` needs `verify_samplers`: the runner observes by itself.")
            .hint("Name the samplers that give the verified series."));
    };
    let enough = |query: &str| Some(cx.readings.recent(query, window)).filter(|points| points.len() >= BASELINE);
    // As many of the newest as are wanted afterwards: who acts soon after an alert must not be told that calm values
    // from before it were what he mended.
    let newest = |points: Vec<(Mono, f64)>| median(points.into_iter().rev().take(FRESH).map(|(_, value)| value));
    let checks = rows.into_iter().map(|row| {
        let before = enough(&row.query).and_then(newest);
        Check { label: row.label, query: row.query, unit: row.unit, expect: row.expect, before }
    });
    let checks = checks.collect();
    let counter = is_counter(&query);
    let before = enough(&query).and_then(|points| pace(&points, counter)).filter(|pace| pace.is_finite());
    let traffic = Traffic { query, counter, label, before };
    Ok(Some(Judging { checks, traffic, within, samplers, profile: cx.profile.to_owned() }))
}

/// Only ever raised: by the kind, by what is unknown, by names that had to be escaped, by impatience.
fn danger(
    kind: &dyn Kind,
    declared: Danger,
    (draft, waived): (&Draft, Vec<Clean>),
    name: &str,
    cx: &Context<'_>,
) -> (Danger, Vec<Clean>) {
    let mut danger = declared.max(kind.least_danger_of(&draft.work));
    let mut raised = [draft.raise.clone(), waived].concat();
    if Clean::identifier(draft.target.as_bytes()).1 || lookalike::any(&draft.targets) {
        raised.push(Clean::from("a name holds unusual characters"));
    }
    if draft.undo == Undo::Irreversible {
        raised.push(Clean::from("there is no way back"));
    }
    let same = same(name, draft, cx);
    if same.len() >= AGAIN_COUNT {
        let ends: Vec<&str> =
            same.iter().map(|run| run.end.as_ref().map_or("not ended", |end| end.outcome.word())).collect();
        raised.push(crate::clean!(
            "number {} of its kind in 10 minutes: {}; rather hand it on to the next support level",
            same.len() + 1,
            ends.join(", ")
        ));
    }
    for _ in &raised {
        danger = danger.raised();
    }
    (danger, raised)
}

/// A duration of a profile: `10s`, `800ms`, `2m`.
///
/// # Errors
/// No duration, or zero.
pub fn duration(text: &str, body: &Body) -> Result<Duration, Fault> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .filter(|span| !span.is_zero())
        .ok_or_else(|| {
            body.fault(format!("`{}` is no duration.", Clean::text(text))).hint("Write it like `10s` or `2m`.")
        })
}
