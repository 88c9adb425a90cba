//! What one round of samplers has seen, as data: samplers, readings, panes, alerts, and the worst level of them.

use super::take::UNKNOWN;
use crate::app::{Metric, Pane};
use crate::base::{Clean, Freshness, Level, Now, PointKind, Reading, SeriesKey, Unit, Unknown};
use crate::clean;
use crate::config::{Profile, SamplerSpec};
use crate::roles::logs::SAMPLER as LOGS;
use crate::roles::setup::Setup;
use crate::rules::{Book, Finding};
use crate::samplers::OWN;
use crate::store::{SamplerHealth, Selector, SeriesId, Store, UP};
use core::time::Duration;
use std::sync::Arc;

/// Everything that a snapshot tells.
pub(super) struct Picture {
    pub(super) samplers: Vec<Sampled>,
    pub(super) readings: Vec<Row>,
    pub(super) panes: Vec<Shown>,
    pub(super) alerts: Vec<Alert>,
    /// What is wrong with the profile.
    pub(super) faults: Vec<Clean>,
}

/// One sampler.
pub(super) struct Sampled {
    pub(super) name: Arc<str>,
    pub(super) kind: Clean,
    /// Which peer: its URL without user and query, its path, or nothing.
    pub(super) source: Clean,
    pub(super) freshness: Freshness,
    pub(super) age: Option<Duration>,
    pub(super) took: Duration,
    pub(super) interval: Duration,
    pub(super) simulated: bool,
    pub(super) failure: Option<Clean>,
    pub(super) dropped_series: u64,
    pub(super) facts: Vec<(Clean, Clean)>,
}

/// One series.
pub(super) struct Row {
    pub(super) key: SeriesKey,
    pub(super) kind: Option<&'static str>,
    pub(super) unit: Option<Unit>,
    pub(super) said: Said,
    pub(super) sampler: Arc<str>,
}

/// What can be said of a value. Zero, unknown, stale and not supported are four things.
pub(super) enum Said {
    Value {
        value: f64,
        level: Level,
        freshness: Freshness,
        age: Duration,
        failing: Option<Clean>,
    },
    NotSupported(Clean),
    /// This login may not look at it.
    Refused(Clean),
    Unknown(Clean),
}

/// One value of a pane.
pub(super) struct Shown {
    pub(super) pane: Clean,
    pub(super) label: Clean,
    pub(super) query: Clean,
    pub(super) unit: Unit,
    pub(super) which: Option<Clean>,
    pub(super) said: Said,
}

/// An alert that is pending or up.
pub(super) struct Alert {
    pub(super) name: Clean,
    pub(super) labels: SeriesKey,
    pub(super) state: &'static str,
    pub(super) level: Level,
    pub(super) value: f64,
}

impl Picture {
    /// Takes it out of what the samplers have given.
    pub(super) fn new(profile: &Profile, store: &Store, setup: &Setup, now: Now) -> Self {
        let Setup { board, book, .. } = setup;
        let samplers: Vec<Sampled> = store
            .samplers()
            // Nobody follows logs for a picture: that nothing is counted is no fault.
            .filter(|(name, health)| ***name != *LOGS || health.last_attempt.is_some())
            .map(|(name, health)| sampled(name, health, profile.samplers.iter().find(|spec| spec.name == *name), now))
            .collect();
        let metrics = || board.panes.iter().flat_map(Pane::metrics);
        let mut readings = Vec::new();
        let mut names: Vec<&Clean> = store.metrics().collect();
        names.sort();
        for name in names {
            // What its source has stopped giving while it answers well is over, and no fault: a phase of a new connection.
            let over = |id: &SeriesId| store.reading(*id, now.mono) == Reading::Unknown(Unknown::NoSuchSeries);
            let here = store.select(&Selector::metric(name.as_str())).into_iter().filter(|id| !over(id));
            readings.extend(here.map(|id| row(store, id, metrics(), now)));
        }
        for (sampler, name, why) in store.all_not_supported() {
            readings.push(Row::without(name, sampler, Said::NotSupported(why.clone())));
        }
        for (sampler, name, why) in store.all_refused() {
            readings.push(Row::without(name, sampler, Said::Refused(clean!("{why}."))));
        }
        let order = |name: &Arc<str>| samplers.iter().position(|sampler| sampler.name == *name);
        readings.sort_by(|a, b| order(&a.sampler).cmp(&order(&b.sampler)).then_with(|| a.key.name.cmp(&b.key.name)));
        let panes = board.panes.iter().filter(|pane| pane.stands()).flat_map(|pane| {
            let value = move |metric: &Metric| shown(&pane.title, metric, now);
            pane.metrics().map(value)
        });
        let alerts = book.findings().iter().filter_map(|finding| alert(book, finding));
        let faults = setup.faults.iter().map(|fault| Clean::text(fault.to_string())).collect();
        Self { panes: panes.collect(), alerts: alerts.collect(), samplers, readings, faults }
    }

    /// The worst level: of every reading, sampler, pane and alert. Of what a fault left out nothing is known. A reading
    /// that this login may not look at counts where a pane shows it: else no login without rights would ever see OK.
    pub(super) fn level(&self) -> Level {
        let may = |row: &&Row| !matches!(row.said, Said::Refused(_));
        let readings = self.readings.iter().filter(may).map(|row| row.said.level());
        let panes = self.panes.iter().map(|shown| shown.said.level());
        let samplers = self.samplers.iter().map(Sampled::level);
        let alerts = self.alerts.iter().filter(|alert| alert.state != "PENDING").map(|alert| alert.level);
        let faults = self.faults.iter().map(|_| Level::Unknown);
        readings.chain(panes).chain(samplers).chain(alerts).chain(faults).max().unwrap_or_default()
    }

    /// The exit status: that of monitoring plugins.
    pub(super) fn status(&self) -> u8 {
        match self.level() {
            Level::Ok | Level::Note => 0,
            Level::Warning | Level::BelowNormal => 1,
            Level::Critical => 2,
            Level::Unknown => UNKNOWN,
        }
    }
}

impl Sampled {
    /// It is of the profile, not what the console tells of itself.
    pub(super) fn is_source(&self) -> bool {
        ![OWN, LOGS].contains(&&*self.name)
    }

    /// OK while it answers, UNKNOWN else: what it answers has levels of its own.
    pub(super) fn level(&self) -> Level {
        if self.freshness <= Freshness::Late && self.failure.is_none() { Level::Ok } else { Level::Unknown }
    }
}

impl Row {
    /// Of a metric that a sampler does not give.
    fn without(name: &Clean, sampler: &Arc<str>, said: Said) -> Self {
        Self {
            key: SeriesKey::new(name.as_str(), &[]),
            kind: None,
            unit: Unit::of_values(name.as_str()),
            said,
            sampler: Arc::clone(sampler),
        }
    }
}

impl Said {
    /// The level that may be told: a stale value has none, and what is not supported worries nobody.
    pub(super) fn level(&self) -> Level {
        match self {
            Self::Value { level, freshness: Freshness::Live | Freshness::Late, .. } => *level,
            Self::Value { .. } | Self::Refused(_) | Self::Unknown(_) => Level::Unknown,
            Self::NotSupported(_) => Level::Ok,
        }
    }

    /// The word for how far it may be believed.
    pub(super) fn freshness(&self) -> &'static str {
        match self {
            Self::Value { freshness, .. } => freshness.word(),
            Self::NotSupported(_) => "NOT SUPPORTED",
            Self::Refused(_) | Self::Unknown(_) => Freshness::Unknown.word(),
        }
    }

    /// Why it is not LIVE.
    pub(super) fn reason(&self) -> Option<&Clean> {
        match self {
            Self::Value { failing, .. } => failing.as_ref(),
            Self::NotSupported(why) | Self::Refused(why) | Self::Unknown(why) => Some(why),
        }
    }
}

fn sampled(name: &Arc<str>, health: &SamplerHealth, spec: Option<&SamplerSpec>, now: Now) -> Sampled {
    let age = health.last_good.map(|good| now.mono.since(good.mono));
    let freshness = match (&health.failure, age) {
        (Some(failure), _) if failure.answered => Freshness::Failed,
        (failure, Some(age)) => Freshness::judge(age, health.interval, failure.is_some()),
        (_, None) => Freshness::Unknown,
    };
    let silent = || Clean::from("no answer has come yet.");
    let failure = match &health.failure {
        Some(failure) => Some(failure.what.clone()),
        None => age.is_none().then(silent),
    };
    Sampled {
        name: Arc::clone(name),
        kind: spec.map_or_else(Clean::default, |spec| Clean::text(&spec.kind)),
        source: spec.map_or_else(Clean::default, source),
        freshness,
        age,
        took: health.took,
        interval: health.interval,
        simulated: health.simulated,
        failure,
        dropped_series: health.dropped_series,
        // Words of an earlier answer would read as if they were of this one.
        facts: if health.failure.is_none() { health.facts.clone() } else { Vec::new() },
    }
}

/// Where a sampler looks, without what may be secret in it.
fn source(spec: &SamplerSpec) -> Clean {
    let mut body = spec.body.clone();
    let mut text = |key: &str| body.take::<String>(key).ok().flatten();
    if let Some(url) = text("url") {
        let plain = url.split(['?', '#']).next().unwrap_or_default();
        let bare = plain.split_once("://").map(|(scheme, rest)| {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            format!("{scheme}://{}{path}", authority.rsplit_once('@').map_or(authority, |(_, host)| host))
        });
        return Clean::text(bare.unwrap_or_else(|| plain.to_owned()));
    }
    ["path", "unit", "command"].into_iter().find_map(text).map_or_else(Clean::default, Clean::text)
}

fn row<'a>(store: &Store, id: SeriesId, metrics: impl Iterator<Item = &'a Metric>, now: Now) -> Row {
    let key = store.key(id);
    let sampler = Arc::clone(store.sampler_of(id));
    let failure = store.health_of(id).and_then(|health| health.failure.as_ref());
    let up = key.name.as_str() == UP;
    let said = match store.reading(id, now.mono) {
        // Whether the sampler answers is known, but not whether all is well with what it looks at.
        Reading::Value { value, seen, .. } if up && failure.is_some() => Said::Value {
            value,
            level: Level::Unknown,
            freshness: if failure.is_some_and(|it| it.answered) { Freshness::Failed } else { Freshness::Unknown },
            age: now.mono.since(seen),
            failing: failure.map(|it| it.what.clone()),
        },
        Reading::Value { value, seen, freshness, failing } => {
            let level = metrics.filter_map(|metric| judged(metric, key, value)).max().unwrap_or(Level::Ok);
            Said::Value { value, level, freshness, age: now.mono.since(seen), failing }
        }
        Reading::NotSupported => Said::NotSupported(
            store.not_supported(key.name.as_str()).cloned().unwrap_or_else(|| Clean::from("not offered here.")),
        ),
        Reading::Unknown(why) => unknown(&why),
    };
    let kind = store.kind_of(key.name.as_str()).map(PointKind::word);
    Row { key: key.clone(), kind, unit: Unit::of_values(key.name.as_str()), said, sampler }
}

/// The level that a pane gives this series; `None` when the pane is about something else.
fn judged(metric: &Metric, key: &SeriesKey, value: f64) -> Option<Level> {
    let bands = metric.bands.as_ref()?;
    metric.expr.plain_selector().filter(|selector| selector.matches(key)).map(|_| bands.level(value))
}

fn shown(pane: &Clean, metric: &Metric, now: Now) -> Shown {
    let said = match &metric.shown.reading {
        Reading::Value { value, seen, failing, .. } => Said::Value {
            value: *value,
            level: metric.bands.map_or(Level::Ok, |bands| bands.level(*value)),
            freshness: metric.shown.freshness(now.mono),
            age: now.mono.since(*seen),
            failing: failing.clone(),
        },
        Reading::NotSupported => Said::NotSupported(Clean::from("this host does not offer it.")),
        Reading::Unknown(why) => unknown(why),
    };
    Shown {
        pane: pane.clone(),
        label: metric.label.clone(),
        query: metric.expr.text().clone(),
        unit: metric.unit,
        which: metric.shown.which.clone(),
        said,
    }
}

fn unknown(why: &Unknown) -> Said {
    match why {
        Unknown::NotYet => Said::Unknown("no answer has come yet.".into()),
        Unknown::NoSuchSeries => Said::Unknown("no sampler gives this series.".into()),
        Unknown::Empty => Said::Unknown("the expression has no value now.".into()),
        Unknown::Failed(what) => Said::Unknown(what.clone()),
        Unknown::NotPermitted(what) => Said::Refused(what.clone()),
    }
}

fn alert(book: &Book, finding: &Finding) -> Option<Alert> {
    use crate::rules::FindingState::{Firing, NoData, Pending};
    if !matches!(finding.state, Firing | NoData | Pending) {
        return None;
    }
    let rule = book.rule(finding.id.rule)?;
    Some(Alert {
        name: rule.name.clone(),
        labels: finding.id.key.clone(),
        state: finding.state.word(),
        level: finding.level,
        value: finding.value,
    })
}
