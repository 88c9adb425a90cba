//! The store of series: who gives what, readings as they stand, points for charts. A tick that gave nothing is a
//! gap, and so is a pause longer than the sampler promised: no chart can draw a line across what was not seen.

use super::catalog::{Catalog, Series, SeriesId};
use super::feed::{Feed, SamplerHealth, refusal};
use super::selector::Selector;
use crate::base::body::misspelt;
use crate::base::{Clean, Failure, Freshness, Mono, PointKind, Reading, SeriesKey, Unknown};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The series that says whether a sampler answers: 1 or 0 at every attempt.
pub const UP: &str = "up";

/// What the store may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In all.
    pub bytes: usize,
    /// Older points are not kept.
    pub age: Duration,
    /// One sampler has no more; the rest is counted in its health.
    pub series_per_sampler: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 * 1024 * 1024, age: Duration::from_hours(1), series_per_sampler: 2_000 }
    }
}

/// What the store holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of blocks and identities.
    pub bytes: usize,
    /// Series.
    pub series: usize,
    /// Ticks that left before their age, for lack of room.
    pub evicted_ticks: u64,
}

/// Series with gaps, and the health of who gives them.
#[derive(Debug)]
pub struct Store {
    pub(super) limits: Limits,
    pub(super) feeds: Vec<Feed>,
    by_sampler: HashMap<Arc<str>, usize>,
    by_rule: HashMap<Arc<str>, usize>,
    pub(super) catalog: Catalog,
    pub(super) bytes: usize,
    pub(super) revision: u64,
    pub(super) evicted_ticks: u64,
    /// When old blocks and old series were looked for last.
    pub(super) pruned: Mono,
    pub(super) swept: Mono,
    pub(super) up: SeriesKey,
    nobody: (SeriesKey, Arc<str>),
}

/// A sampler that feeds a query, or a rule that records what the query looks at.
#[derive(Clone, Copy, Debug)]
pub struct Feeder<'a> {
    /// Its name.
    pub name: &'a Arc<str>,
    /// How it is doing.
    pub health: &'a SamplerHealth,
    /// Since when what it gives is held; `None` while it has given nothing.
    pub since: Option<Mono>,
    /// Its ticks had to leave before their age.
    pub evicting: bool,
    /// What is wanted of it comes with a failed attempt too, as its `up` does.
    pub told_failing: bool,
    /// When all of it came that stood when it last answered well; a failed attempt may have told it since.
    pub came: Option<Mono>,
}

impl Feeder<'_> {
    /// When it last gave what is wanted of it.
    pub fn last(&self) -> Option<Mono> {
        let attempt = if self.told_failing { self.health.last_attempt } else { self.health.last_good };
        self.came.filter(|_| !self.told_failing).or(attempt.map(|at| at.mono))
    }
}

/// Who gives a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makers {
    /// Samplers and rules that give it, or say that they will.
    pub known: Vec<Arc<str>>,
    /// Samplers of which nobody knows what they give, and that have not answered yet.
    pub possible: Vec<Arc<str>>,
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            feeds: Vec::new(),
            by_sampler: HashMap::new(),
            by_rule: HashMap::new(),
            catalog: Catalog::default(),
            bytes: 0,
            revision: 0,
            evicted_ticks: 0,
            pruned: Mono::default(),
            swept: Mono::default(),
            up: SeriesKey::new(UP, &[]),
            nobody: (SeriesKey::new("", &[]), Arc::from("")),
        }
    }

    /// Announces a sampler before its first sample, so that its silence can be seen.
    pub fn declare(&mut self, sampler: &Arc<str>, interval: Duration, simulated: bool) {
        self.revision += 1;
        let at = self.feed_index(sampler);
        if let Some(feed) = self.feeds.get_mut(at) {
            feed.health.interval = interval;
            feed.health.simulated = simulated;
        }
    }

    /// What a sampler can give: names, and beginnings of names that end in `_`. Then its silence explains the lack of
    /// nothing else.
    pub fn expect(&mut self, sampler: &Arc<str>, gives: Vec<String>) {
        let at = self.feed_index(sampler);
        if let Some(feed) = self.feeds.get_mut(at) {
            feed.gives = gives;
        }
    }

    /// A label that each series of this sampler's own has with this value, besides `job`.
    pub fn expect_label(&mut self, sampler: &Arc<str>, label: Option<(&'static str, Clean)>) {
        let at = self.feed_index(sampler);
        if let Some(feed) = self.feeds.get_mut(at) {
            feed.label = label;
        }
    }

    /// Announces a rule that records before its first evaluation: how often it is evaluated, and the names of what it
    /// records.
    pub fn declare_rule(&mut self, rule: &Arc<str>, every: Duration, makes: Vec<String>) {
        self.revision += 1;
        let at = self.rule_index(rule);
        if let Some(feed) = self.feeds.get_mut(at) {
            feed.health.interval = every;
            feed.gives = makes;
        }
    }

    /// The series that a selector means, in the order of their keys. Valid until [`Store::generation`] changes.
    pub fn select(&self, selector: &Selector) -> Vec<SeriesId> {
        self.catalog.select(selector)
    }

    /// Changes whenever a series comes or goes.
    pub fn generation(&self) -> u64 {
        self.catalog.generation
    }

    /// Changes whenever anything was taken in: as long as it stays, every question has the same answer.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Name and labels; an empty name when the series was evicted.
    pub fn key(&self, id: SeriesId) -> &SeriesKey {
        self.catalog.get(id).map_or(&self.nobody.0, |series| &series.key)
    }

    /// Name and labels as an expression sees them: with the sampler as `job`, unless the series has its own or a rule
    /// recorded it.
    pub fn full_key(&self, id: SeriesId) -> &SeriesKey {
        self.catalog.get(id).map_or(&self.nobody.0, |series| &series.full)
    }

    /// The sampler that gives this series, or the rule that records it; an empty name when it was evicted.
    pub fn sampler_of(&self, id: SeriesId) -> &Arc<str> {
        self.found(id).map_or(&self.nobody.1, |(_, feed)| &feed.name)
    }

    /// How the sampler of this series is doing, or the rule that records it.
    pub fn health_of(&self, id: SeriesId) -> Option<&SamplerHealth> {
        self.found(id).map(|(_, feed)| &feed.health)
    }

    /// The type of a metric, as its source says; `None` while there is no series of it.
    pub fn kind_of(&self, metric: &str) -> Option<PointKind> {
        let mut kinds = self.catalog.named(metric).filter_map(|id| self.catalog.get(*id)).map(|series| series.kind);
        let first = kinds.next()?;
        if first == PointKind::Untyped { kinds.find(|kind| *kind != first).or(Some(first)) } else { Some(first) }
    }

    /// Every metric that there is a series of, in no order.
    pub fn metrics(&self) -> impl Iterator<Item = &Clean> {
        self.catalog.metrics()
    }

    /// The metric that comes here, or that a sampler says it gives, and that this name was probably meant for.
    pub fn similar(&self, metric: &str) -> Option<&str> {
        let told = self.feeds.iter().flat_map(|feed| &feed.gives).filter(|name| !name.ends_with('_'));
        let names: Vec<&str> = self.metrics().map(Clean::as_str).chain(told.map(String::as_str)).collect();
        misspelt(metric, &names)
    }

    /// Who gives a metric, or may: nobody at all means that it does not come here.
    pub fn makers(&self, metric: &str) -> Makers {
        let mut makers = Makers::default();
        let giving = self.giving(metric);
        for (at, feed) in self.feeds.iter().enumerate() {
            if giving.contains(&at) || feed.is_to_give(metric) || metric == UP && !feed.recorded {
                makers.known.push(Arc::clone(&feed.name));
            } else if feed.may_give() {
                makers.possible.push(Arc::clone(&feed.name));
            }
        }
        makers
    }

    /// Who feeds these selectors: whoever gives a series of theirs or is to give their metric; if nobody is known,
    /// whoever may. In the order of the samplers.
    pub fn feeders(&self, selectors: &[Selector]) -> Vec<Feeder<'_>> {
        // Per feed, whether anything is wanted of it that a failed attempt does not give.
        let mut wanted: BTreeMap<usize, bool> = BTreeMap::new();
        let mut came: BTreeMap<usize, Mono> = BTreeMap::new();
        for selector in selectors {
            let mut nobody = true;
            for (_, series) in self.catalog.matching(selector) {
                let feed = self.feeds.get(series.feed);
                let told = feed.is_some_and(|feed| feed.tells_failing(series.column));
                nobody = false;
                *wanted.entry(series.feed).or_default() |= !told;
                // One that was not there any more when it last answered well says nothing of the others.
                let good = feed.and_then(|feed| feed.health.last_good).map(|good| good.mono);
                if good.is_none_or(|good| series.seen >= good) {
                    came.entry(series.feed).and_modify(|came| *came = series.seen.min(*came)).or_insert(series.seen);
                }
            }
            let Some(metric) = selector.metric_name().filter(|metric| *metric != UP) else { continue };
            let to_give = self.feeds.iter().enumerate().filter(|(_, feed)| feed.is_to_give(metric)).map(|(at, _)| at);
            let meant = |at: &usize| self.feeds.get(*at).is_some_and(|feed| self.is_meant(feed, selector));
            for at in self.giving(metric).into_iter().chain(to_give).filter(meant) {
                nobody = false;
                *wanted.entry(at).or_default() |= !self.tells_failing(at, metric);
            }
            let may = |feed: &Feed| nobody && feed.may_give() && self.is_meant(feed, selector);
            let may = self.feeds.iter().enumerate().filter(|(_, feed)| may(feed));
            wanted.extend(may.map(|(at, _)| (at, true)));
        }
        let of = |(at, values): (usize, bool)| Some(self.feeder(self.feeds.get(at)?, !values, came.get(&at).copied()));
        wanted.into_iter().filter_map(of).collect()
    }

    /// Whether a series that the selector means may be this feed's. A sampler that it names as `job`, or by a label that
    /// all series of one sampler have, feeds it alone, however seldom others give the same metric.
    fn is_meant(&self, feed: &Feed, selector: &Selector) -> bool {
        let asked = selector.equals("job").filter(|name| self.by_sampler.contains_key(*name));
        asked.is_none_or(|name| *feed.name == *name) && feed.may_be_meant(selector)
    }

    fn feeder<'a>(&self, feed: &'a Feed, told_failing: bool, came: Option<Mono>) -> Feeder<'a> {
        let since = self.held_since(feed, told_failing);
        Feeder { name: &feed.name, health: &feed.health, since, evicting: feed.evicted, told_failing, came }
    }

    /// Whether the last failed attempt of this sampler gave the metric.
    fn tells_failing(&self, feed: usize, metric: &str) -> bool {
        let told = self.feeds.get(feed).map(|feed| &feed.told_failing).into_iter().flatten();
        let of = |column: &usize| self.feeds.get(feed)?.columns.get(*column).copied().flatten();
        told.filter_map(of).filter_map(|id| self.catalog.get(id)).any(|series| series.key.name.as_str() == metric)
    }

    /// The feeds that give a series of the metric.
    fn giving(&self, metric: &str) -> BTreeSet<usize> {
        self.catalog.named(metric).filter_map(|id| self.catalog.get(*id)).map(|series| series.feed).collect()
    }

    /// The value as it stands, with its age judged at `now`.
    pub fn reading(&self, id: SeriesId, now: Mono) -> Reading {
        let Some((series, feed)) = self.found(id) else { return Reading::Unknown(Unknown::NoSuchSeries) };
        if let Some(lack) = feed.lacks.reading(series.key.name.as_str(), series.seen) {
            return lack;
        }
        if feed.health.last_good.is_some_and(|good| series.seen < good.mono) {
            return Reading::Unknown(Unknown::NoSuchSeries);
        }
        // What the failed attempt itself says is as it should be, as is its `up`.
        let told = feed.tells_failing(series.column)
            && feed.health.last_attempt.is_some_and(|attempt| series.seen == attempt.mono);
        let failing = feed.health.failure.as_ref().filter(|_| !told).map(|failure| failure.what.clone());
        let every = if told { feed.health.promised() } else { feed.health.interval };
        let freshness = Freshness::judge(now.since(series.seen), every, failing.is_some());
        Reading::Value { value: series.value, seen: series.seen, freshness, failing }
    }

    /// When the series last had a value.
    pub fn seen(&self, id: SeriesId) -> Option<Mono> {
        self.found(id).map(|(series, _)| series.seen)
    }

    /// Why there is no series that a selector means: what to show when a selection is empty. A sampler that it names as
    /// `job` explains the lack alone.
    pub fn absence(&self, selector: &Selector) -> Reading {
        let metric = selector.metric_name();
        if let Some(why) = metric.and_then(|name| self.refused(name)) {
            return refusal(why);
        }
        if metric.is_some_and(|name| self.not_supported(name).is_some()) {
            return Reading::NotSupported;
        }
        let meant = |feed: &&Feed| self.is_meant(feed, selector);
        let quiet = |feed: &&Feed| feed.health.last_good.is_none();
        let known = |feed: &&Feed| metric.is_none_or(|name| feed.gives(name));
        // Who is known to give it explains its lack; else anyone may whose metrics nobody knows beforehand.
        let any = self.feeds.iter().filter(meant).any(|feed| known(&feed));
        let silent = || {
            let feeds = self.feeds.iter().filter(meant).filter(quiet);
            feeds.filter(move |feed| if any { known(feed) } else { feed.gives.is_empty() }).map(|feed| &feed.health)
        };
        match silent().find_map(|health| health.failure.as_ref()) {
            Some(failure) => Reading::Unknown(Failure::reason(failure)),
            None if silent().next().is_some() => Reading::Unknown(Unknown::NotYet),
            None => Reading::Unknown(Unknown::NoSuchSeries),
        }
    }

    /// The reason when a sampler says that this host cannot give the metric.
    pub fn not_supported(&self, metric: &str) -> Option<&Clean> {
        let said = self.feeds.iter().flat_map(|feed| &feed.lacks.not_supported);
        said.into_iter().find(|(name, _)| name.as_str() == metric).map(|(_, why)| why)
    }

    /// The reason when a sampler says that this login may not look at the metric.
    pub fn refused(&self, metric: &str) -> Option<&Clean> {
        let said = self.feeds.iter().flat_map(|feed| &feed.lacks.refused);
        said.into_iter().find(|(name, _)| name.as_str() == metric).map(|(_, why)| why)
    }

    /// Everything of which a sampler says that this login may not look at it: sampler, metric, reason.
    pub fn all_refused(&self) -> impl Iterator<Item = (&Arc<str>, &Clean, &Clean)> {
        self.feeds.iter().flat_map(|feed| feed.lacks.refused.iter().map(|(name, why)| (&feed.name, name, why)))
    }

    /// Everything of which a sampler says that this host or its source cannot give it: sampler, metric, reason.
    pub fn all_not_supported(&self) -> impl Iterator<Item = (&Arc<str>, &Clean, &Clean)> {
        self.feeds.iter().flat_map(|feed| feed.lacks.not_supported.iter().map(|(name, why)| (&feed.name, name, why)))
    }

    /// The ticks of the series' sampler in `from..=to`, oldest first; `None` is a gap.
    pub fn points(&self, id: SeriesId, from: Mono, to: Mono) -> impl Iterator<Item = (Mono, Option<f64>)> + '_ {
        self.found(id).into_iter().flat_map(move |(series, feed)| {
            let (column, born) = (series.column, series.born);
            let oldest = from.max(self.oldest(feed));
            feed.blocks
                .iter()
                .skip_while(move |block| block.end().is_none_or(|end| end < oldest))
                .flat_map(move |block| block.points(column, oldest, Mono(to.0.saturating_add(1))))
                .map(move |(at, value)| (at, value.filter(|_| at >= born)))
        })
    }

    /// How a sampler is doing.
    pub fn sampler(&self, name: &str) -> Option<&SamplerHealth> {
        self.by_sampler.get(name).and_then(|at| self.feeds.get(*at)).map(|feed| &feed.health)
    }

    /// Every sampler that was declared or has spoken, in that order.
    pub fn samplers(&self) -> impl Iterator<Item = (&Arc<str>, &SamplerHealth)> {
        self.feeds.iter().filter(|feed| !feed.recorded).map(|feed| (&feed.name, &feed.health))
    }

    /// What the store may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is held, and what the caps have cost.
    pub fn usage(&self) -> Usage {
        Usage { bytes: self.bytes, series: self.catalog.len(), evicted_ticks: self.evicted_ticks }
    }

    /// A series and who gives it.
    pub(super) fn found(&self, id: SeriesId) -> Option<(&Series, &Feed)> {
        self.catalog.get(id).and_then(|series| Some((series, self.feeds.get(series.feed)?)))
    }

    /// Nothing older is handed out of this feed.
    pub(super) fn oldest(&self, feed: &Feed) -> Mono {
        feed.last_tick().map_or(Mono::default(), |last| last - self.limits.age)
    }

    pub(super) fn feed_index(&mut self, sampler: &Arc<str>) -> usize {
        if let Some(at) = self.by_sampler.get(sampler) {
            return *at;
        }
        self.by_sampler.insert(Arc::clone(sampler), self.feeds.len());
        self.feeds.push(Feed { name: Arc::clone(sampler), ..Feed::default() });
        self.feeds.len() - 1
    }

    pub(super) fn rule_index(&mut self, rule: &Arc<str>) -> usize {
        if let Some(at) = self.by_rule.get(rule) {
            return *at;
        }
        self.by_rule.insert(Arc::clone(rule), self.feeds.len());
        self.feeds.push(Feed { name: Arc::clone(rule), recorded: true, ..Feed::default() });
        self.feeds.len() - 1
    }

    /// Lets the oldest blocks go until `need` bytes fit; false when they cannot. A sampler's only block stays
    /// while it is written, and leaves when `full_too` and it is full.
    pub(super) fn make_room(&mut self, need: usize, full_too: bool) -> bool {
        while self.bytes + need > self.limits.bytes {
            let oldest = self.feeds.iter_mut().filter_map(|feed| feed.oldest_end(full_too).map(|end| (end, feed)));
            let Some((_, feed)) = oldest.min_by_key(|(end, _)| *end) else { return false };
            if let Some(block) = feed.blocks.pop_front() {
                self.bytes -= block.bytes();
                self.evicted_ticks += u64::try_from(block.rows()).unwrap_or(0);
                feed.evicted = true;
            }
        }
        true
    }
}
