//! What changed before an alert: the largest robust deviations of series from their baseline, files that were
//! written, restarts and deploys, as one list of sentences with the most telling first. What began earlier and went
//! further is more telling than what followed; the alert's own series tell least of why.

use super::deviation::{Course, Deviation, Restart};
use crate::base::time::Age;
use crate::base::{Clean, Mono, Now, SeriesKey, Unit, Wall};
use crate::clean;
use crate::store::{Selector, SeriesId, Store};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What lies further back than this explains nothing.
pub const WINDOW: Duration = Duration::from_mins(15);
/// Deviations told at most, and marks.
const MOST: usize = 5;
/// Series looked at, at most.
const SERIES: usize = 5_000;
/// A mark loses this much of its weight (by e) for so long before the first deviation.
const FADING: f64 = 600.0;
/// Deviations that follow the first one by a third of the whole story lose (by e), but never faster than this.
const FOLLOWING: f64 = 5.0;
/// Two series of one sampler whose courses agree so well tell the same.
const SAME: f64 = 0.97;

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A configuration file was written.
    Config,
    /// A deploy marker.
    Deploy,
    /// Something was restarted, came up or went away.
    Restart,
    /// A series left its baseline.
    Series,
}

/// One sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it happened, or began.
    pub at: Now,
    /// The whole sentence, with its time relative to the alert.
    pub text: Clean,
    /// How telling it is, 0–1; the list is sorted by it.
    pub weight: f64,
    /// What it is.
    pub kind: ChangeKind,
}

/// Something that happened at one moment, seen outside the series.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When.
    pub at: Now,
    /// What, as the end of a sentence: `/etc/x.toml was written (owner deploy)`.
    pub text: Clean,
    /// Its kind.
    pub kind: ChangeKind,
}

/// How a series is known to the operator.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its name on the screen.
    pub name: Clean,
    /// Its unit.
    pub unit: Unit,
    /// Which way is worse, if it has bands: true when that is down.
    pub worse_is_low: Option<bool>,
}

/// The alert to be explained.
pub struct Case<'a> {
    /// When its condition first held.
    pub begun: Now,
    /// When it fired.
    pub fired: Now,
    /// Whether a series belongs to the alert itself.
    pub own: &'a dyn Fn(&SeriesKey) -> bool,
    /// The name of a series that is on the screen.
    pub known: &'a dyn Fn(&SeriesKey) -> Option<Known>,
    /// What else happened, in any order.
    pub marks: &'a [Mark],
}

/// A deviation with its place in the story.
struct Found {
    id: SeriesId,
    deviation: Deviation,
    known: Option<Known>,
    own: bool,
    weight: f64,
}

/// What changed before the alert, the most telling first.
pub fn changes(store: &Store, case: &Case<'_>) -> Vec<Change> {
    let mut restarts: BTreeMap<Arc<str>, Restart> = BTreeMap::new();
    let mut found: Vec<Found> = Vec::new();
    let mut recorded = case.fired.mono;
    for id in store.select(&Selector::default()).into_iter().take(SERIES) {
        let key = store.key(id);
        let course = Course::of(store, id, (case.fired.mono - WINDOW, case.fired.mono));
        recorded = recorded.min(course.begin().unwrap_or(recorded));
        if let Some(restart) = course.restart(key) {
            let best = restarts.entry(Arc::clone(store.sampler_of(id))).or_insert(restart);
            *best = restart.min(*best);
        }
        if is_clockwork(key) {
            continue;
        }
        let known = (case.known)(key);
        let unit = known.as_ref().map_or_else(|| unit_of(key), |known| known.unit);
        if let Some(deviation) = course.deviation(unit, case.begun.mono) {
            found.push(Found { id, deviation, own: (case.own)(key), known, weight: 0.0 });
        }
    }
    let first = weigh(&mut found, case);
    let told = distinct(store, found);
    let mut list: Vec<Change> = told.iter().map(|found| sentence(store, found, case)).collect();
    let restarts = restarts.into_iter().map(|(sampler, Restart { at, text, .. })| {
        let at = Now { mono: at, wall: earlier(case.fired.wall, case.fired.mono.since(at)) };
        Mark { at, text: clean!("{sampler}: {text}"), kind: ChangeKind::Restart }
    });
    let mut marks: Vec<Change> = restarts
        .chain(written(store, case.fired))
        .chain(case.marks.iter().cloned())
        .filter(|mark| mark.at.mono <= case.fired.mono && case.fired.mono.since(mark.at.mono) <= WINDOW)
        .map(|mark| weighed(&mark, first, recorded, case.fired))
        .collect();
    sort(&mut marks);
    marks.truncate(MOST);
    list.extend(marks);
    sort(&mut list);
    list
}

/// The files that were written within the window: the times that the `files` sampler saw, and whose they are.
fn written(store: &Store, fired: Now) -> Vec<Mark> {
    let mut marks = Vec::new();
    for id in store.select(&Selector::metric("watchkeeper_file_modified_timestamp_seconds")) {
        let key = store.key(id);
        let (Some(path), Some(role)) = (key.label("path"), key.label("role")) else { continue };
        let health = store.sampler(store.sampler_of(id));
        let facts = health.map(|health| health.facts.as_slice()).unwrap_or_default();
        let owner = facts.iter().find(|(name, _)| name == path).map(|(_, owner)| clean!(" (owner {owner})"));
        let (kind, word) =
            if role.as_str() == "deploy" { (ChangeKind::Deploy, "deploy marker ") } else { (ChangeKind::Config, "") };
        let mut times: Vec<f64> =
            store.points(id, fired.mono - WINDOW, fired.mono).filter_map(|(_, value)| value).collect();
        times.dedup();
        // What was written before anybody looked is only told while it is all that is known of the file.
        if times.len() > 1 {
            times.remove(0);
        }
        for time in times {
            let back = Duration::try_from_secs_f64(fired.wall.0 as f64 / 1e9 - time);
            let Ok(back) = back else { continue };
            let at = Now { mono: fired.mono - back, wall: earlier(fired.wall, back) };
            let text = clean!("{word}{path} was written{}", owner.clone().unwrap_or_default());
            marks.push(Mark { at, text, kind });
        }
    }
    marks
}

/// Gives each deviation its weight; returns when the story began: with the first value that grew worse, else the
/// first on the screen, else the first.
fn weigh(found: &mut [Found], case: &Case<'_>) -> Option<Mono> {
    let onset =
        |least: f64| found.iter().filter(|found| shown(found) >= least).map(|found| found.deviation.onset).min();
    let first = onset(1.0).or_else(|| onset(0.5)).or_else(|| onset(0.0));
    let begin = first.unwrap_or(case.begun.mono);
    let fading = (case.fired.mono.since(begin).as_secs_f64() / 3.0).max(FOLLOWING);
    for found in found {
        let lag = found.deviation.onset.since(begin).as_secs_f64();
        found.weight = found.deviation.strength() * relevance(found) * (-lag / fading).exp();
    }
    first
}

/// What the profile's author put on the screen tells more than what merely exists; a value that grew better, or the
/// alert's own, less.
fn relevance(found: &Found) -> f64 {
    if found.own { shown(found) / 2.0 } else { shown(found) }
}

fn shown(found: &Found) -> f64 {
    let rose = found.deviation.to > found.deviation.from;
    match found.known.as_ref().map(|known| known.worse_is_low) {
        Some(Some(low)) if low != rose => 1.0,
        Some(Some(_)) => 0.2,
        Some(None) if rose => 0.7,
        // More load, more memory, more errors are what hurts; less of something is rarely why.
        Some(None) => 0.4,
        None => 0.15,
    }
}

/// The strongest, each thing once: neither two series of one metric nor two that move as one.
fn distinct(store: &Store, mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let mut told: Vec<Found> = Vec::new();
    for candidate in found {
        let key = store.key(candidate.id);
        let same = told.iter().any(|known| {
            store.key(known.id).name == key.name
                || store.sampler_of(known.id) == store.sampler_of(candidate.id)
                    && known.deviation.agreement(&candidate.deviation) > SAME
        });
        if !same {
            told.push(candidate);
        }
        if told.len() == MOST {
            break;
        }
    }
    told
}

fn sentence(store: &Store, found: &Found, case: &Case<'_>) -> Change {
    let key = store.key(found.id);
    let name = found.known.as_ref().map_or_else(|| plain_name(store, key), |known| known.name.clone());
    let Deviation { from, to, onset, rate, .. } = &found.deviation;
    let unit = match (&found.known, *rate) {
        (_, true) => per_second(found.known.as_ref().map_or_else(|| unit_of(key), |known| known.unit)),
        (Some(known), false) => known.unit,
        (None, false) => unit_of(key),
    };
    let verb = if to > from { "rose" } else { "fell" };
    let back = case.fired.mono.since(*onset);
    let made_up = store.health_of(found.id).is_some_and(|health| health.simulated);
    let mark = if made_up { " SIMULATED" } else { "" };
    let text = clean!("{name} {verb} {} → {}{mark}, {}", unit.show(*from), unit.show(*to), before(back));
    let at = Now { mono: *onset, wall: earlier(case.fired.wall, back) };
    Change { at, text, weight: found.weight, kind: ChangeKind::Series }
}

/// A mark as a change. What happened long before the first deviation explains it less; what happened after it is
/// rather a consequence; what happened before anything was recorded was followed by what was seen as usual.
fn weighed(mark: &Mark, first: Option<Mono>, recorded: Mono, fired: Now) -> Change {
    let own = match mark.kind {
        ChangeKind::Config => 1.0,
        ChangeKind::Deploy => 0.95,
        ChangeKind::Restart | ChangeKind::Series => 0.9,
    };
    let origin = first.unwrap_or(fired.mono);
    // Data comes once in a while: a mark may be seen a little after what it caused.
    let after = mark.at.mono.since(origin) > Duration::from_secs(3);
    let faded = (-origin.since(mark.at.mono).as_secs_f64() / FADING).exp();
    let unseen = first.is_some() && mark.at.mono < recorded;
    let weight = own * faded * if after { 0.4 } else { 1.0 } * if unseen { 0.3 } else { 1.0 };
    let text = clean!("{}: {}", before(fired.mono.since(mark.at.mono)), mark.text);
    Change { at: mark.at, text, weight, kind: mark.kind }
}

fn sort(list: &mut [Change]) {
    list.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.at.mono.cmp(&b.at.mono)));
}

fn before(back: Duration) -> Clean {
    if back < Duration::from_secs(1) { "at the alert".into() } else { clean!("{} before", Age(back)) }
}

fn earlier(wall: Wall, back: Duration) -> Wall {
    Wall(wall.0.saturating_sub(i64::try_from(back.as_nanos()).unwrap_or(i64::MAX)))
}

/// Series that only say what time it is, which build runs, or how things are numbered.
fn is_clockwork(key: &SeriesKey) -> bool {
    let name = key.name.as_str();
    ["_time_seconds", "_timestamp_seconds", "uptime_seconds", "_build_info", "_id"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// The metric's name with the values of the labels that tell it from the others of that name.
fn plain_name(store: &Store, key: &SeriesKey) -> Clean {
    let ids = store.select(&Selector::metric(key.name.as_str()));
    let tells = |name: &Clean, value: &Clean| ids.iter().any(|id| store.key(*id).label(name.as_str()) != Some(value));
    let labels = key.labels.iter().filter(|(name, value)| tells(name, value)).take(3);
    labels.fold(key.name.clone(), |name, (_, value)| name.join(" ", value))
}

fn unit_of(key: &SeriesKey) -> Unit {
    Unit::of_values(key.name.as_str()).unwrap_or(Unit::Count)
}

/// The unit of a counter's rate. Seconds in a second are a share.
const fn per_second(unit: Unit) -> Unit {
    match unit {
        Unit::Bytes => Unit::BytesPerSecond,
        Unit::Seconds => Unit::Ratio,
        _ => Unit::PerSecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Observation, Point, Sample};

    fn at(second: u64) -> Now {
        let nanos = second * 1_000_000_000;
        Now { mono: Mono(nanos), wall: Wall(1_795_230_720_000_000_000 + i64::try_from(nanos).unwrap()) }
    }

    type Course = fn(f64) -> f64;

    /// A store of 400 seconds in which each metric has the value that the function gives.
    fn store(metrics: &[(&str, Course)]) -> Store {
        let mut store = Store::new(crate::store::Limits::default());
        for second in 0..400_u32 {
            let points =
                metrics.iter().map(|(name, value)| Point::gauge(name, &[], value(f64::from(second)))).collect();
            let outcome = Ok(Observation { points, ..Observation::default() });
            let (seen, interval) = (at(1_000 + u64::from(second)), Duration::from_secs(1));
            store.ingest(&Sample {
                sampler: "app".into(),
                seen,
                took: Duration::ZERO,
                interval,
                next_in: interval,
                outcome,
            });
        }
        store
    }

    fn told(store: &Store, marks: &[Mark]) -> Vec<String> {
        let known = |key: &SeriesKey| {
            let name = key.name.clone();
            (key.name.as_str() != "hidden").then_some(Known { name, unit: Unit::Count, worse_is_low: Some(false) })
        };
        let own = |key: &SeriesKey| key.name.as_str() == "latency";
        let case = Case { begun: at(1_396), fired: at(1_399), own: &own, known: &known, marks };
        changes(store, &case).iter().map(|change| change.text.as_str().to_owned()).collect()
    }

    fn restless(x: f64) -> f64 {
        10.0 + (x * 12.9898).sin() * 3.0
    }

    #[test]
    fn what_began_first_comes_first_and_noise_does_not_come() {
        let store = store(&[
            ("memory", |x| if x < 380.0 { 60.0 } else { 96.0 }),
            ("queue", |x| if x < 388.0 { restless(x) } else { 500.0 }),
            ("latency", |x| if x < 392.0 { 5.0 } else { 14.0 }),
            ("noise", restless),
            ("drift", |x| x * 2.0),
        ]);
        assert_eq!(
            told(&store, &[]),
            ["memory rose 60 → 96, 19s before", "queue rose 10.1 → 500, 11s before", "latency rose 5 → 14, 7s before"]
        );
    }

    #[test]
    fn a_mark_before_the_story_leads_it_and_one_within_it_follows() {
        let store = store(&[
            ("memory", |x| if x < 380.0 { 60.0 } else { 96.0 }),
            ("app_start_time_seconds", |x| if x < 378.0 { 1.0 } else { 2_000.0 }),
        ]);
        let mark = |second, text: &'static str, kind| Mark { at: at(second), text: text.into(), kind };
        let marks = [
            mark(1_377, "version 7 is deployed", ChangeKind::Deploy),
            mark(1_395, "late.toml was written", ChangeKind::Config),
            mark(1_100, "old.toml was written", ChangeKind::Config),
            mark(400, "ancient.toml was written", ChangeKind::Config),
        ];
        assert_eq!(
            told(&store, &marks),
            [
                "22s before: version 7 is deployed",
                "21s before: app: the process was restarted",
                "memory rose 60 → 96, 19s before",
                "4m before: old.toml was written",
                "4s before: late.toml was written",
            ]
        );
    }

    #[test]
    fn a_gauge_that_always_rises_is_told_by_where_it_went_and_never_as_a_rate() {
        let mut store = store(&[
            ("resident_bytes", |x| if x < 385.0 { x } else { 385.0 + (x - 385.0) * 500.0 }),
            ("last_txn_id", |x| if x < 385.0 { x } else { 385.0 + (x - 385.0) * 500.0 * (1.0 + x % 3.0) }),
            ("cooling", |x| if x < 385.0 { x * 500.0 } else { 192_500.0 + (x - 385.0) }),
        ]);
        assert_eq!(told(&store, &[]), ["resident_bytes rose 385 → 7,385, 13s before"]);
        store.declare(&"app".into(), Duration::from_secs(1), true);
        assert_eq!(told(&store, &[]), ["resident_bytes rose 385 → 7,385 SIMULATED, 13s before"]);
    }

    #[test]
    fn a_counter_is_told_by_its_rate_and_one_thing_once() {
        let store = store(&[
            ("errors_total", |x| if x < 390.0 { x } else { 390.0 + (x - 390.0) * 50.0 }),
            ("used", |x| if x < 385.0 { 10.0 + x % 2.0 } else { 40.0 + x % 2.0 }),
            ("hidden", |x| if x < 385.0 { 90.0 - x % 2.0 } else { 60.0 - x % 2.0 }),
        ]);
        assert_eq!(told(&store, &[]), ["used rose 11 → 41, 14s before", "errors_total rose 1/s → 50/s, 8s before"]);
    }
}
