//! The end of an evaluation: names that were to be dropped are dropped, rows that become one are merged or refused.

use super::super::source::Millis;
use super::super::value::{Row, Track, Value};
use super::frame::{Computed, Frame, Grid, is_present};
use super::labels;
use super::relabel::clash;
use super::run::Run;
use crate::base::{Clean, Fault, SeriesKey};
use std::collections::{HashMap, HashSet};

/// The value at one moment.
pub(super) fn instant(computed: Computed) -> Result<Value, Fault> {
    match computed {
        Computed::Scalar(numbers) => Ok(Value::Scalar(numbers.first().copied().unwrap_or(f64::NAN))),
        Computed::Text(text) => Ok(Value::Text(Clean::text(&*text))),
        Computed::Vector(frame) => {
            let check = frame.may_clash();
            let mut known = HashSet::new();
            let mut rows = Vec::new();
            for (row, (key, value)) in frame.keys.rows.iter().zip(&frame.values).enumerate() {
                if !is_present(*value) {
                    continue;
                }
                let key = final_key(&frame, row, key);
                if check && !known.insert(key.clone()) {
                    return Err(clash(&key));
                }
                rows.push(Row { key, value: *value });
            }
            Ok(Value::Vector(rows))
        }
    }
}

impl Run<'_> {
    /// The values at every step: rows by their labels.
    pub(super) fn matrix(&mut self, computed: Computed, grid: Grid) -> Result<Value, Fault> {
        let frame = match computed {
            Computed::Vector(frame) => frame,
            Computed::Scalar(numbers) => self.frame(vec![labels::empty()], grid, numbers),
            Computed::Text(_) => {
                return Err(Fault::new("a text has no range: only numbers and instant vectors have."));
            }
        };
        let mut tracks: Vec<Track> = Vec::new();
        let mut places: HashMap<SeriesKey, usize> = HashMap::new();
        for (row, (key, cells)) in frame.keys.rows.iter().zip(frame.rows()).enumerate() {
            let points: Vec<(Millis, f64)> =
                grid.times().zip(cells.iter().copied()).filter(|(_, value)| is_present(*value)).collect();
            if points.is_empty() {
                continue;
            }
            let key = final_key(&frame, row, key);
            let next = tracks.len();
            let place = *places.entry(key.clone()).or_insert(next);
            match tracks.get_mut(place) {
                None => tracks.push(Track { key, points }),
                Some(track) => {
                    track.points.extend(points);
                    track.points.sort_by_key(|(time, _)| *time);
                    if track.points.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
                        return Err(clash(&key));
                    }
                }
            }
        }
        tracks.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Value::Matrix(tracks))
    }
}

pub(super) fn final_key(frame: &Frame, row: usize, key: &SeriesKey) -> SeriesKey {
    if frame.drops_name(row) { labels::nameless(key.clone()) } else { key.clone() }
}

impl Frame {
    /// Whether two rows may end under one key.
    pub(super) fn may_clash(&self) -> bool {
        let distinct = self.keys.distinct.get_or_init(|| {
            let mut known = HashSet::with_capacity(self.keys.rows.len());
            self.keys.rows.iter().all(|key| known.insert(&key.labels))
        });
        !distinct
    }
}
