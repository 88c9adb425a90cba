//! The block `calculate`: figures that are typed, and what is worked out of them.

use super::block::placed;
use crate::base::body::nearest;
use crate::base::{Body, Clean, Fault, Unit};
use crate::procedure::calculate::{Calculate, Figure, Offer, Outcome};
use crate::rules::Bands;
use crate::rules::expr::Expr;
use crate::rules::lint::promised;

/// Figures and results fit one form.
const MOST: usize = 6;
const INPUT: &[&str] = &["name", "label", "number", "unit", "value", "query"];
const RESULT: &[&str] = &["label", "query", "unit", "bands"];

/// Takes the keys of the block.
pub(super) fn read(rest: &mut Body, whole: &Body) -> Result<Calculate, Fault> {
    let name = rest.need::<String>("name")?;
    if !is_name(&name) {
        return Err(whole.fault_at("name", "a name has letters, digits and `_`.").hint("It stands as `$name`."));
    }
    let mut inputs: Vec<Figure> = Vec::new();
    for row in rest.take_array("inputs")? {
        let figure = input(row.clone())?;
        if inputs.iter().any(|known| known.name == figure.name) {
            return Err(row.fault_at("name", format!("a second input is called `{}`.", figure.name)));
        }
        inputs.push(figure);
    }
    let mut results = Vec::new();
    for row in rest.take_array("results")? {
        results.push(result(row, &inputs)?);
    }
    for (key, count) in [("inputs", inputs.len()), ("results", results.len())] {
        if count == 0 || count > MOST {
            let what = format!("a calculation has one to {MOST} `{key}`, here are {count}.");
            return Err(if count == 0 { whole.fault(what) } else { whole.fault_at(key, what) });
        }
    }
    Ok(Calculate { name: name.into(), inputs, results })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What is misspelt explains what is missing: it comes first.
fn known(row: &Body, keys: &[&str]) -> Result<(), Fault> {
    let mut odd = row.clone();
    for key in keys {
        let _known = odd.take::<serde::de::IgnoredAny>(key);
    }
    odd.done(keys)
}

fn input(mut row: Body) -> Result<Figure, Fault> {
    known(&row, INPUT)?;
    let whole = row.clone();
    let name = row.need::<String>("name")?;
    if !is_name(&name) {
        return Err(whole.fault_at("name", "a name has letters, digits and `_`.").hint("It stands as `$name`."));
    }
    let label = row.take::<String>("label")?.map_or_else(|| Clean::text(name.replace('_', " ")), Clean::text);
    let unit = row.take::<Unit>("unit")?.unwrap_or_default();
    let range = match *row.need::<Vec<f64>>("number")?.as_slice() {
        [least, most] if least < most => (least, most),
        _ => return Err(whole.fault_at("number", "write the least and the most: `number = [0, 100]`.")),
    };
    let offer = match (row.take::<f64>("value")?, row.take::<String>("query")?) {
        (None, None) => Offer::None,
        (Some(value), None) if (range.0..=range.1).contains(&value) => Offer::Value(value),
        (Some(_), None) => return Err(whole.fault_at("value", "what is offered lies outside of `number`.")),
        (None, Some(query)) => Offer::Query(Expr::parse(&query).map_err(|fault| placed(&whole, "query", &fault))?),
        (Some(_), Some(_)) => return Err(whole.fault_at("query", "one thing is offered: `value` or `query`.")),
    };
    Ok(Figure { name: name.into(), label, range, unit, offer })
}

fn result(mut row: Body, inputs: &[Figure]) -> Result<Outcome, Fault> {
    known(&row, RESULT)?;
    let whole = row.clone();
    let label = Clean::text(row.need::<String>("label")?);
    let text = row.need::<String>("query")?;
    let bands = row.take::<Bands>("bands")?;
    let unit = row.take::<Unit>("unit")?;
    let outcome = Outcome { label, text: text.into(), unit: unit.unwrap_or_default(), bands };
    let tried: Vec<f64> = inputs.iter().map(|figure| figure.range.1).collect();
    let expr = outcome.expr(inputs, &tried).map_err(|fault| {
        let named = fault.what.as_str().starts_with("no input");
        let fault = placed(&whole, "query", &fault);
        let asked = fault.what.as_str().split('`').nth(1).unwrap_or_default().to_owned();
        if named { fault.hint(nearest(&asked, inputs.iter().map(|figure| &*figure.name))) } else { fault }
    })?;
    Ok(Outcome { unit: unit.or_else(|| promised(&expr)).unwrap_or_default(), ..outcome })
}
