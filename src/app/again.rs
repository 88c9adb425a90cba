//! Done actions of a procedure that is taken up again are looked at again, read-only: by what their plans were judged by,
//! and by the record of their runs. What holds no more has regressed; nothing is ever run again by itself.

use super::model::Model;
use super::pane::Pane;
use super::procedures::Procedures;
use crate::action::verify::{Check, FRESH, median};
use crate::base::time::Age;
use crate::base::{Clean, Freshness, Level, Mono, Now, Reading, Ulid};
use crate::clean;
use crate::procedure::Step;
use crate::procedure::document::Look;
use crate::procedure::walk::Standing;
use crate::rules::expr::Expr;
use core::time::Duration;

/// All of it takes no longer (safety.md 4.4).
pub const LIMIT: Duration = Duration::from_secs(10);
/// A median of fewer values is none.
const FEW: usize = 3;

/// What a look found: whether it still holds, `None` where that cannot be told, and what was seen.
pub type Found = (Option<bool>, Clean);

/// One done action.
#[derive(Debug)]
pub struct Again {
    /// Its item.
    pub item: usize,
    /// What the look at its run's record found; `None` while that is under way.
    pub record: Option<Found>,
    /// What its plan was judged by.
    pub(super) series: Vec<Series>,
    /// What came of it, and when.
    pub told: Option<(Found, Now)>,
}

/// One value that proved it then.
#[derive(Debug)]
pub(super) struct Series {
    check: Check,
    pub(super) look: Look,
    seen: Vec<(Mono, f64)>,
}

impl Again {
    /// Of this item, by these checks, and by a record that is still to come unless it was `found`.
    pub fn new(item: usize, checks: Vec<Check>, found: Option<Found>) -> Self {
        let series = |check: Check| {
            let look = Look { label: check.label.clone(), expr: Expr::parse(&check.query).ok()?, unit: check.unit };
            Some(Series { check, look, seen: Vec::new() })
        };
        Self { item, record: found, series: checks.into_iter().filter_map(series).collect(), told: None }
    }

    /// Whether it still holds; `None` where that cannot be told, or not yet.
    pub fn holds(&self) -> Option<bool> {
        self.told.as_ref().and_then(|((holds, _), _)| *holds)
    }

    /// What came of it, for the screen.
    pub fn sentence(&self, now: Mono) -> Clean {
        let Some(((holds, text), when)) = &self.told else {
            return "Looked at again since it was taken up: not known yet.".into();
        };
        let word = match holds {
            Some(true) => "still so",
            Some(false) => "no more so",
            None => "cannot be told",
        };
        clean!("Looked at again {} ago: {word}: {text}", Age(now.since(when.mono)))
    }

    /// What can be said so far; `None` while more may come.
    fn judge(&self, over: bool) -> Option<Found> {
        let found: Vec<Option<Found>> = self.series.iter().map(|series| series.judge(over)).collect();
        let late = || (None, "its target did not answer in time".into());
        let record = self.record.clone().or_else(|| over.then(late));
        let all: Vec<Option<Found>> = core::iter::once(record).chain(found).collect();
        let broken = all.iter().flatten().find(|(holds, _)| *holds == Some(false));
        if broken.is_some() || all.iter().any(Option::is_none) {
            return broken.cloned();
        }
        // By either it is proved; what can only not be told does not take that away.
        let holds = all.iter().flatten().any(|(holds, _)| *holds == Some(true));
        let wanted = if holds { Some(true) } else { None };
        let said = all.iter().flatten().filter(|(found, _)| *found == wanted).map(|(_, text)| text.as_str());
        Some((wanted, Clean::text(said.collect::<Vec<_>>().join("; "))))
    }
}

impl Series {
    fn take(&mut self, pane: Option<&Pane>, since: Mono, now: Mono) {
        let Some(shown) = pane.and_then(|pane| pane.headline.as_ref()).map(|metric| &metric.shown) else { return };
        let Reading::Value { value, seen, .. } = &shown.reading else { return };
        let new = *seen > since && self.seen.last().is_none_or(|(last, _)| seen > last);
        if new && shown.freshness(now) == Freshness::Live {
            self.seen.push((*seen, *value));
        }
    }

    fn judge(&self, over: bool) -> Option<Found> {
        let Check { label, unit, expect, before, .. } = &self.check;
        if self.seen.len() < FRESH && !over {
            return None;
        }
        let after = median(self.seen.iter().map(|(_, value)| *value)).filter(|_| self.seen.len() >= FEW);
        let Some(after) = after else {
            return Some((None, clean!("{label}: {} of {FEW} fresh values", self.seen.len())));
        };
        let holds = expect.holds(*before, after);
        let must = if holds == Some(false) { clean!(", not {}", expect.stands(*unit)) } else { Clean::default() };
        Some((holds, clean!("{label} is {}{must}", unit.show(after))))
    }
}

/// What a look at the record of a run has found.
pub(super) fn seen(model: &mut Model, run: Ulid, item: usize, found: Found) {
    let Some(working) = model.procedures.walk_mut(run) else { return };
    if let Some(again) = working.again.iter_mut().find(|again| again.item == item) {
        again.record = Some(found);
    }
}

/// Judges what has come since; what is certain is told to the walk. Returns the steps to keep.
pub(super) fn tick(model: &mut Model) -> Vec<(Ulid, Vec<Step>)> {
    let now = model.now;
    let mut moved = Vec::new();
    let mut told = None;
    let Procedures { walks, looks, .. } = &mut model.procedures;
    for working in walks.iter_mut().filter(|working| working.walk.standing == Standing::Running) {
        // It is counted from its being taken up.
        let since = working.walk.why.1.mono;
        let over = now.mono.since(since) >= LIMIT;
        let mut news = false;
        for again in working.again.iter_mut().filter(|again| again.told.is_none()) {
            for series in &mut again.series {
                let pane = looks.get(&(series.look.expr.text().clone(), false));
                series.take(pane, since, now.mono);
            }
            let Some((holds, text)) = again.judge(over) else { continue };
            let steps = holds.map(|holds| working.walk.seen_again(again.item, holds, &text, now)).unwrap_or_default();
            moved.push((working.walk.id, steps));
            again.told = Some(((holds, text), now));
            news = true;
        }
        if news && working.again.iter().all(|again| again.told.is_some()) {
            told = Some(summary(&working.walk.document.items, &working.again));
        }
    }
    if let Some((text, level)) = told {
        model.session.say(text, level, now);
    }
    moved.retain(|(_, steps)| !steps.is_empty());
    moved
}

/// Which of them hold, which do not, and of which it cannot be told.
fn summary(items: &[crate::procedure::document::Item], all: &[Again]) -> (Clean, Level) {
    let of = |wanted: Option<bool>, alone: bool| {
        let told = all.iter().filter_map(|again| Some((again.item, &again.told.as_ref()?.0)));
        let named = told.filter(|(_, (holds, _))| *holds == wanted).filter_map(|(at, (_, text))| {
            let title = &items.get(at)?.title;
            Some(if alone { format!("\"{title}\"") } else { format!("\"{title}\" ({text})") })
        });
        named.collect::<Vec<_>>().join(", ")
    };
    let (lost, held, unknown) = (of(Some(false), false), of(Some(true), true), of(None, false));
    let parts = [
        (lost.as_str(), "REGRESSED, and current again; nothing was run: "),
        (held.as_str(), "still so: "),
        (unknown.as_str(), "cannot be told: "),
    ];
    let said = parts.iter().filter(|(named, _)| !named.is_empty()).map(|(named, word)| format!("{word}{named}"));
    let level = if !lost.is_empty() || !unknown.is_empty() { Level::Warning } else { Level::Ok };
    (clean!("Done actions, looked at again: {}.", said.collect::<Vec<_>>().join(" \u{b7} ")), level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::verify::Expect;
    use crate::base::Unit;

    fn falls(values: usize, value: f64) -> Series {
        let check = Check {
            label: "queue".into(),
            query: "queue".to_owned(),
            unit: Unit::Count,
            expect: Expect::Falls,
            before: Some(100.0),
        };
        let mut again = Again::new(0, vec![check], None);
        let mut series = again.series.remove(0);
        series.seen = (1..=values).map(|at| (Mono(u64::try_from(at).unwrap()), value)).collect();
        series
    }

    fn again(record: Option<Found>, series: Series) -> Again {
        Again { item: 0, record, series: vec![series], told: None }
    }

    #[test]
    fn by_either_it_is_proved_and_what_is_certain_to_be_broken_waits_for_nothing() {
        let held = || Some((Some(true), "the file holds the new values".into()));
        let broken = Some((Some(false), Clean::from("the file is as it was before")));
        assert_eq!(again(broken.clone(), falls(0, 0.0)).judge(false), broken);
        assert_eq!(again(held(), falls(9, 50.0)).judge(false), None, "nine of ten");
        let text = "the file holds the new values; queue is 50";
        assert_eq!(again(held(), falls(10, 50.0)).judge(false), Some((Some(true), text.into())));
        let text = "queue is 99, not fall by 5 % or more";
        assert_eq!(again(held(), falls(10, 99.0)).judge(false), Some((Some(false), text.into())));
        let (holds, text) = again(held(), falls(2, 99.0)).judge(true).unwrap();
        assert_eq!((holds, text.as_str()), (Some(true), "the file holds the new values"), "two values are too few");
        let (holds, text) = again(None, falls(2, 99.0)).judge(true).unwrap();
        assert_eq!(holds, None);
        assert_eq!(text.as_str(), "its target did not answer in time; queue: 2 of 3 fresh values");
    }
}
