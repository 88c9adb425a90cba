//! Which series there are: identities that are never given to another series, an index by metric name, and the
//! label sets, each held once.

use super::drops::Drops;
use super::selector::Selector;
use crate::base::{Clean, Labels, Mono, PointKind, SeriesKey};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What one series costs beside its points, apart from its text.
const SERIES_COST: usize = 512;
/// What a label costs apart from its text: two counted texts and their places.
const LABEL_COST: usize = 96;

/// A handle on a series. It never comes to mean another one: after eviction it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId {
    slot: u32,
    life: u32,
}

impl SeriesId {
    /// The handle as a number.
    pub fn bits(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.life)
    }

    /// The handle that has this number.
    pub fn of_bits(bits: u64) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Self { slot: half(bits >> 32), life: half(bits) }
    }
}

#[derive(Debug)]
pub(super) struct Series {
    /// As its source names it.
    pub(super) key: SeriesKey,
    /// As an expression sees it: with a `job` where the source says none.
    pub(super) full: SeriesKey,
    pub(super) kind: PointKind,
    /// The sampler's place in the store.
    pub(super) feed: usize,
    /// Column in the sampler's blocks.
    pub(super) column: usize,
    /// The last value, and when it was seen.
    pub(super) value: f64,
    pub(super) seen: Mono,
    /// Its first value.
    pub(super) born: Mono,
    /// When a counter that is younger than its sampler is known to have been absent, so zero.
    pub(super) zero: Option<Mono>,
    pub(super) drops: Drops,
}

#[derive(Debug, Default)]
struct Slot {
    life: u32,
    series: Option<Series>,
}

#[derive(Debug, Default)]
pub(super) struct Catalog {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_name: HashMap<Clean, Vec<SeriesId>>,
    sets: HashSet<Labels>,
    /// Rises whenever a series comes or goes.
    pub(super) generation: u64,
}

impl Catalog {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The key with its label set shared, the same with this `job` unless it has its own or there is none, and what
    /// the sets cost that were not known before.
    pub(super) fn share(&mut self, key: &SeriesKey, job: Option<&str>) -> (SeriesKey, SeriesKey, usize) {
        let (labels, own) = self.intern(Arc::clone(&key.labels));
        let (full, more) = match job.filter(|_| key.label("job").is_none()) {
            Some(job) => {
                let at = labels.partition_point(|(name, _)| name.as_str() < "job");
                let mut pairs = labels.to_vec();
                pairs.insert(at.min(pairs.len()), (Clean::text("job"), Clean::text(job)));
                self.intern(pairs.into())
            }
            None => (Arc::clone(&labels), 0),
        };
        let of = |labels| SeriesKey { name: key.name.clone(), labels };
        (of(labels), of(full), own + more)
    }

    fn intern(&mut self, labels: Labels) -> (Labels, usize) {
        if let Some(known) = self.sets.get(&labels) {
            return (Arc::clone(known), 0);
        }
        self.sets.insert(Arc::clone(&labels));
        let cost = cost_of_set(&labels);
        (labels, cost)
    }

    /// Lets label sets go that nobody has any more; returns what they cost.
    pub(super) fn forget_sets(&mut self) -> usize {
        let mut freed = 0;
        self.sets.retain(|set| {
            let used = Arc::strong_count(set) > 1;
            freed += if used { 0 } else { cost_of_set(set) };
            used
        });
        freed
    }

    /// Takes a series in; `None` when handles have run out.
    pub(super) fn add(&mut self, series: Series) -> Option<SeriesId> {
        let slot = if let Some(slot) = self.free.pop() {
            slot
        } else {
            let slot = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(Slot::default());
            slot
        };
        let place = self.slots.get_mut(usize::try_from(slot).ok()?)?;
        let id = SeriesId { slot, life: place.life };
        self.by_name.entry(series.key.name.clone()).or_default().push(id);
        place.series = Some(series);
        self.generation += 1;
        Some(id)
    }

    pub(super) fn get(&self, id: SeriesId) -> Option<&Series> {
        let slot = self.slots.get(usize::try_from(id.slot).ok()?)?;
        slot.series.as_ref().filter(|_| slot.life == id.life)
    }

    pub(super) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Series> {
        let slot = self.slots.get_mut(usize::try_from(id.slot).ok()?)?;
        slot.series.as_mut().filter(|_| slot.life == id.life)
    }

    /// Every series that was last seen before `limit` leaves, and is handed back.
    pub(super) fn expire(&mut self, limit: Mono) -> Vec<Series> {
        let mut gone = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.series.as_ref().is_some_and(|series| series.seen < limit) {
                gone.extend(slot.series.take());
                slot.life = slot.life.wrapping_add(1);
                self.free.extend(u32::try_from(at));
            }
        }
        for series in &gone {
            if let Some(ids) = self.by_name.get_mut(&series.key.name) {
                let slots = &self.slots;
                ids.retain(|id| {
                    usize::try_from(id.slot)
                        .ok()
                        .and_then(|at| slots.get(at))
                        .is_some_and(|slot| slot.life == id.life && slot.series.is_some())
                });
                if ids.is_empty() {
                    self.by_name.remove(&series.key.name);
                }
            }
        }
        self.generation += u64::from(!gone.is_empty());
        gone
    }

    /// The matching series, in the order of their keys.
    pub(super) fn select(&self, selector: &Selector) -> Vec<SeriesId> {
        let mut found: Vec<(&SeriesKey, SeriesId)> =
            self.matching(selector).map(|(id, series)| (&series.key, id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The matching series, in no order.
    pub(super) fn matching<'a>(&'a self, selector: &'a Selector) -> impl Iterator<Item = (SeriesId, &'a Series)> {
        let name = selector.metric_name();
        let named = name.into_iter().flat_map(|name| self.named(name));
        let ids = named.chain(name.is_none().then(|| self.by_name.values().flatten()).into_iter().flatten());
        let found = ids.filter_map(|id| self.get(*id).map(|series| (*id, series)));
        found.filter(|(_, series)| selector.matches(&series.full))
    }

    /// Every series of a metric, in no order.
    pub(super) fn named(&self, metric: &str) -> impl Iterator<Item = &SeriesId> {
        self.by_name.get(metric).into_iter().flatten()
    }

    /// The metrics that there are, in no order.
    pub(super) fn metrics(&self) -> impl Iterator<Item = &Clean> {
        self.by_name.keys()
    }
}

/// What a series costs beside its points and its label sets.
pub(super) fn cost_of(key: &SeriesKey) -> usize {
    SERIES_COST + key.name.as_str().len()
}

fn cost_of_set(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| name.as_str().len() + value.as_str().len() + LABEL_COST).sum()
}
