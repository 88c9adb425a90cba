//! Which series there are: identities that are never given to another series, and an index by metric name.

use super::selector::{MatchOp, Selector};
use crate::base::{Clean, Mono, SeriesKey};
use std::collections::HashMap;
use std::sync::Arc;

/// A handle on a series. It never comes to mean another one: after eviction it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId {
    slot: u32,
    life: u32,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) key: SeriesKey,
    /// The sampler's place in the store, and its name.
    pub(super) feed: usize,
    pub(super) sampler: Arc<str>,
    /// Column in the sampler's blocks.
    pub(super) column: usize,
    /// The last value, and when it was seen.
    pub(super) value: f64,
    pub(super) seen: Mono,
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
    /// Rises whenever a series comes or goes.
    pub(super) generation: u64,
}

impl Catalog {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
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
        let mut found: Vec<(&SeriesKey, SeriesId)> = match exact_name(selector) {
            Some(name) => self.pick(selector, self.by_name.get(name).into_iter().flatten()),
            None => self.pick(selector, self.by_name.values().flatten()),
        };
        found.sort();
        found.into_iter().map(|(_, id)| id).collect()
    }

    fn pick<'a>(
        &'a self,
        selector: &Selector,
        ids: impl Iterator<Item = &'a SeriesId>,
    ) -> Vec<(&'a SeriesKey, SeriesId)> {
        ids.filter_map(|id| self.get(*id).map(|series| (series, *id)))
            .filter(|(series, _)| selector.matches_from(&series.key, &series.sampler))
            .map(|(series, id)| (&series.key, id))
            .collect()
    }
}

fn exact_name(selector: &Selector) -> Option<&str> {
    selector.name.as_ref().map(Clean::as_str).or_else(|| {
        let named = selector.matchers.iter().find(|matcher| {
            matcher.label.as_str() == "__name__"
                && matches!(matcher.op, MatchOp::Equal)
                && !matcher.value.as_str().is_empty()
        });
        named.map(|matcher| matcher.value.as_str())
    })
}
