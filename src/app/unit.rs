//! A unit of systemd that has failed, with or without a profile that names it: its journal, and a restart through the
//! gate.

use super::model::{Model, Overlay, Scroll};
use super::{Effect, prompt};
use crate::base::{Clean, Fault, Freshness, Reading};
use crate::store::Selector;
use std::sync::Arc;

/// What stands before a unit's name in the name of the action that restarts it.
const RESTART: &str = "restart:";
/// Series that name a unit that has failed, and its label.
const TOLD: [(&str, &str, &str); 2] =
    [("systemd_unit_state", "state", "failed"), ("watchkeeper_discovered", "kind", "unit")];

/// The journal of a unit on screen.
#[derive(Debug)]
pub struct UnitView {
    /// With its suffix.
    pub unit: Clean,
    /// The newest lines, oldest first, or why there are none; `None` until they have been read.
    pub journal: Option<Result<Vec<Clean>, Fault>>,
    /// Where its reader stands.
    pub scroll: Scroll,
}

/// The units that have failed, as samplers tell it now.
pub fn failed(model: &Model) -> Vec<Clean> {
    let now = model.now.mono;
    let mut units = Vec::new();
    for (metric, label, wanted) in TOLD {
        for id in model.store.select(&Selector::metric(metric)) {
            let key = model.store.key(id);
            let is = key.label(label).is_some_and(|found| found.as_str() == wanted);
            let reading = model.store.reading(id, now);
            let live = matches!(reading, Reading::Value { value, freshness, .. } if value > 0.0 && freshness < Freshness::Stale);
            if let Some(name) = key.label("name").filter(|_| is && live) {
                units.push(name.clone());
            }
        }
    }
    units.sort();
    units.dedup();
    units
}

/// The unit that the alert on the strip or in detail is about, when no action is declared for it: the first that failed.
pub fn meant(model: &Model) -> Option<Clean> {
    let rule = match &model.overlay {
        Overlay::Detail(detail) => detail.rule,
        Overlay::None => model.current_alert()?.id.rule,
        _ => return None,
    };
    let rule = model.book.rule(rule).filter(|rule| rule.remedy().is_none())?;
    let of_units = |selector: &Selector| {
        selector.metric_name().is_some_and(|name| name.contains("systemd_unit"))
            || selector.equals("kind") == Some("unit")
    };
    rule.expr.selectors().iter().any(of_units).then(|| failed(model).into_iter().next()).flatten()
}

/// The action that restarts this unit.
pub fn restart(unit: &str) -> Arc<str> {
    format!("{RESTART}{unit}").into()
}

/// The unit that an action of this name restarts.
pub fn restarted(action: &str) -> Option<&str> {
    action.strip_prefix(RESTART)
}

/// Shows its journal.
pub fn show(model: &mut Model, unit: Clean) -> Vec<Effect> {
    let view = UnitView { unit: unit.clone(), journal: None, scroll: Scroll::default() };
    model.open(Overlay::Unit(Box::new(view)));
    vec![Effect::Journal(unit)]
}

/// Its journal has been read. A reader begins with the newest line.
pub fn read(model: &mut Model, unit: &Clean, journal: Result<Vec<Clean>, Fault>) {
    if let Overlay::Unit(view) = &mut model.overlay
        && view.unit == *unit
    {
        view.journal = Some(journal);
        view.scroll.by(isize::MAX);
    }
}

/// Plans the restart of the unit on screen.
pub fn plan(model: &mut Model) -> Vec<Effect> {
    let Overlay::Unit(view) = &model.overlay else { return Vec::new() };
    let action = restart(view.unit.as_str());
    prompt::plan(model, action)
}
