//! Numbers that cannot fit the unit of what they are compared with.

use super::found;
use super::table::UNIT_SLIP;
use crate::base::Unit;
use crate::procedure::check::condition;
use crate::procedure::document::{Document, Expect, Look, Subject};
use crate::rules::lint::{Found, promised};

/// Endings that name no base unit, what they say, and a number below which nobody measures in them.
const FOREIGN: &[(&str, &str, f64)] = &[
    ("_ns", "nanoseconds", 1_000.0),
    ("_nanos", "nanoseconds", 1_000.0),
    ("_nanoseconds", "nanoseconds", 1_000.0),
    ("_us", "microseconds", 1.0),
    ("_micros", "microseconds", 1.0),
    ("_microseconds", "microseconds", 1.0),
    ("_ms", "milliseconds", 0.1),
    ("_millis", "milliseconds", 0.1),
    ("_milliseconds", "milliseconds", 0.1),
];

/// Every condition whose number is of another scale.
pub(super) fn check(document: &Document) -> Vec<Found> {
    let slips = document.items.iter().filter_map(|item| {
        let condition = condition(&item.live)?;
        let (Subject::Query(look), Expect::Number(_, number)) = (&condition.of, &condition.expect) else { return None };
        slip(look, *number).map(|what| found(document, item, UNIT_SLIP, what))
    });
    slips.collect()
}

fn slip(look: &Look, number: f64) -> Option<String> {
    let size = number.abs();
    let name = look.expr.selectors().iter().find_map(|selector| selector.metric_name()).unwrap_or_default();
    let foreign = FOREIGN.iter().find(|(ending, ..)| name.ends_with(ending));
    if let Some((_, words, least)) = foreign {
        if look.unit == Unit::Seconds {
            return Some(format!("`{name}` is in {words} by its name, but is compared as seconds."));
        }
        if size > 0.0 && size < *least {
            return Some(format!("`{name}` is in {words} by its name: {number} of them is next to nothing."));
        }
        return None;
    }
    if let Some(unit) = promised(&look.expr).filter(|unit| *unit != look.unit && look.unit != Unit::Count) {
        return Some(format!("`{name}` gives {unit} by its name, but is compared as {}.", look.unit));
    }
    let unit = promised(&look.expr).unwrap_or(look.unit);
    match unit {
        Unit::Ratio if size > 1.5 => Some(format!("a ratio goes from 0 to 1; {number} is no share of it.")),
        Unit::Percent if size > 0.0 && size < 1.0 => {
            Some(format!("the value goes from 0 to 100; {number} is less than 1 %."))
        }
        Unit::Bytes if size >= 1e9 && size % 1e6 == 0.0 => {
            Some(format!("{number} bytes are written in 1000s, and are {}.", Unit::Bytes.show(number)))
        }
        Unit::Seconds if size >= 1e6 => Some(format!("{number} seconds are {} days.", (size / 86_400.0).round())),
        _ => None,
    }
}
