//! A calculation: figures that are typed, and what comes of them and of what is observed. Pure: the text of each result
//! is PromQL in which `$name` stands for a figure; `app` asks it of the store.

use super::saying::number;
use super::walk::Found;
use crate::base::{Clean, Fault, Level, Unit};
use crate::clean;
use crate::rules::Bands;
use crate::rules::expr::Expr;
use std::sync::Arc;

/// What is typed, and what is worked out of it.
#[derive(Clone, Debug)]
pub struct Calculate {
    /// What its first result is called in conditions and in actions' parameters.
    pub name: Arc<str>,
    /// In the order in which they are asked for.
    pub inputs: Vec<Figure>,
    /// The first is the answer.
    pub results: Vec<Outcome>,
}

/// A figure that is typed.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What stands for it in the results: `$name`.
    pub name: Arc<str>,
    /// What the engineer calls it.
    pub label: Clean,
    /// The least and the most.
    pub range: (f64, f64),
    /// For display.
    pub unit: Unit,
    /// What is offered.
    pub offer: Offer,
}

/// What is offered for a figure.
#[derive(Clone, Debug)]
pub enum Offer {
    /// Nothing.
    None,
    /// Always this.
    Value(f64),
    /// What this answers when the form is opened, if it lies in the range.
    Query(Expr),
}

/// Something that is worked out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the engineer calls it.
    pub label: Clean,
    /// PromQL with figures in it.
    pub text: Arc<str>,
    /// For display.
    pub unit: Unit,
    /// Levels.
    pub bands: Option<Bands>,
}

/// One result as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Worked {
    /// What it is.
    pub label: Clean,
    /// Its value, or why there is none.
    pub value: Result<f64, Clean>,
    /// With its unit.
    pub shown: Clean,
    /// Of its bands; UNKNOWN without a value.
    pub level: Level,
    /// Whether it has bands at all.
    pub judged: bool,
}

impl Calculate {
    /// The figures that these texts are.
    ///
    /// # Errors
    /// Which is none, and why.
    pub fn figures(&self, typed: &[Clean]) -> Result<Vec<f64>, (usize, Clean)> {
        let read = |(at, figure): (usize, &Figure)| {
            let text = typed.get(at).map(Clean::as_str).unwrap_or_default();
            figure.read(text).map_err(|why| (at, why))
        };
        self.inputs.iter().enumerate().map(read).collect()
    }

    /// Everything that it asks of the store.
    pub fn exprs(&self) -> Vec<Expr> {
        let most: Vec<f64> = self.inputs.iter().map(|figure| figure.range.1).collect();
        let offered = self.inputs.iter().filter_map(|figure| match &figure.offer {
            Offer::Query(expr) => Some(expr.clone()),
            Offer::None | Offer::Value(_) => None,
        });
        self.results.iter().filter_map(|result| result.expr(&self.inputs, &most).ok()).chain(offered).collect()
    }

    /// What is kept of it.
    ///
    /// # Errors
    /// Why its answer is not known.
    pub fn found(&self, figures: &[f64], worked: &[Worked]) -> Result<Found, Clean> {
        let first = worked.first().ok_or("nothing was worked out.")?;
        let value = first.value.clone().map_err(|why| clean!("{} is unknown: {why}", first.label))?;
        let typed = self.inputs.iter().zip(figures);
        let typed: Vec<Clean> =
            typed.map(|(figure, value)| clean!("{} {}", figure.label, figure.shown(*value))).collect();
        let given: Vec<&str> = typed.iter().map(Clean::as_str).collect();
        let text = clean!("{} of {}", first.sentence(), given.join(", "));
        let results = worked.iter().map(Worked::sentence);
        let lines = typed.iter().cloned().chain(results).collect();
        Ok(Found { text, lines, value: Some(value) })
    }
}

impl Figure {
    /// The figure that a text is.
    ///
    /// # Errors
    /// It is no number, or out of range.
    pub fn read(&self, text: &str) -> Result<f64, Clean> {
        let (least, most) = self.range;
        match number(text, self.unit) {
            Some(value) if (least..=most).contains(&value) => Ok(value),
            Some(_) => Err(clean!("{}: between {} and {}.", self.label, self.shown(least), self.shown(most))),
            None => Err(clean!("{}: that is no number.", self.label)),
        }
    }

    /// How a value is shown: a count to its last digit.
    fn shown(&self, value: f64) -> String {
        if self.unit == Unit::Count { plain(value) } else { self.unit.show(value) }
    }

    /// How a value is typed.
    pub fn typed(&self, value: f64) -> Clean {
        match self.unit {
            Unit::Ratio => clean!("{} %", plain(value * 100.0)),
            Unit::Percent => clean!("{} %", plain(value)),
            _ => Clean::text(plain(value)),
        }
    }

    /// What may be typed: `1 to 100,000`, and in which unit.
    pub fn about(&self) -> Clean {
        let (least, most) = self.range;
        let base = match self.unit {
            Unit::Count | Unit::Ratio | Unit::Percent => String::new(),
            unit => format!(", in {}", unit.name().replace('_', " ")),
        };
        clean!("{} to {}{base}", self.shown(least), self.shown(most))
    }
}

impl Outcome {
    /// The expression with the figures in it.
    ///
    /// # Errors
    /// It is no PromQL, or names a figure that is none.
    pub fn expr(&self, inputs: &[Figure], figures: &[f64]) -> Result<Expr, Fault> {
        let text = filled(&self.text, |name| {
            let at = inputs.iter().position(|figure| *figure.name == *name)?;
            // A negative one must not become part of what stands before it.
            figures.get(at).map(|value| format!("({value:e})"))
        })?;
        Expr::parse(&text)
    }

    /// As it stands with this value.
    pub fn worked(&self, value: Result<f64, Clean>) -> Worked {
        let value = value.and_then(|value| if value.is_finite() { Ok(value) } else { Err("it is no number.".into()) });
        let level = match (&value, &self.bands) {
            (Err(_), _) => Level::Unknown,
            (Ok(_), None) => Level::Ok,
            (Ok(value), Some(bands)) => bands.level(*value),
        };
        let shown = value.as_ref().map_or_else(|_| "?".to_owned(), |value| self.unit.show(*value));
        Worked { label: self.label.clone(), value, shown: Clean::text(shown), level, judged: self.bands.is_some() }
    }
}

impl Worked {
    /// `map size 1.20 GiB WARNING`, `share unknown: no sampler gives this series`.
    pub fn sentence(&self) -> Clean {
        match &self.value {
            Ok(_) if self.judged => clean!("{} {} {}", self.label, self.shown, self.level),
            Ok(_) => clean!("{} {}", self.label, self.shown),
            Err(why) => clean!("{} unknown: {why}", self.label),
        }
    }
}

/// A text with what stands for each `$name`. Names that stand for nothing are a fault, at their place.
pub(super) fn filled(text: &str, figure: impl Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, behind) = after.split_at(end);
        if name.is_empty() {
            out.push('$');
        } else {
            let column = text.len() - rest.len() + before.len();
            let column = text.get(..column).map_or(0, |before| before.chars().count()) + 1;
            out += &figure(name).ok_or_else(|| {
                Fault::new(format!("no input is called `{name}`.")).at("", 1, u32::try_from(column).unwrap_or(0))
            })?;
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// A number as people type it, without a unit.
pub fn plain(value: f64) -> String {
    format!("{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, range: (f64, f64), unit: Unit) -> Figure {
        Figure { name: name.into(), label: Clean::text(name), range, unit, offer: Offer::None }
    }

    fn outcome(text: &str, bands: Option<Bands>) -> Outcome {
        Outcome { label: "map".into(), text: text.into(), unit: Unit::Bytes, bands }
    }

    #[test]
    fn a_figure_stands_whole_wherever_its_name_does() {
        let inputs = [figure("a", (-9.0, 9.0), Unit::Count), figure("ab", (0.0, 9.0), Unit::Count)];
        let expr = outcome("10-$a*$ab", None).expr(&inputs, &[-2.0, 0.5]).expect("parses");
        assert_eq!(expr.text().as_str(), "10-(-2e0)*(5e-1)");
        let fault = outcome("1 + $b", None).expr(&inputs, &[1.0, 1.0]).expect_err("no such figure");
        assert_eq!(fault.to_string(), "1:5: no input is called `b`.");
        let expr = outcome("up{job=~\"x$\"}", None).expr(&inputs, &[1.0, 1.0]).expect("parses");
        assert!(expr.text().as_str().ends_with("x$\"}"), "{}", expr.text());
    }

    #[test]
    fn what_is_typed_is_in_range_and_a_share_is_typed_in_percent() {
        let days = figure("days", (1.0, 30.0), Unit::Count);
        assert_eq!(days.read(" 7 "), Ok(7.0));
        assert_eq!(days.read("31").expect_err("too many").as_str(), "days: between 1 and 30.");
        assert_eq!(days.read("").expect_err("nothing").as_str(), "days: that is no number.");
        let share = figure("share", (0.0, 1.0), Unit::Ratio);
        assert_eq!(share.read(share.typed(0.25).as_str()), Ok(0.25));
    }

    #[test]
    fn an_unknown_result_has_its_reason_and_is_never_kept_as_a_figure() {
        let calculate = Calculate {
            name: "map".into(),
            inputs: vec![figure("days", (1.0, 30.0), Unit::Count)],
            results: vec![outcome("$days", Some(Bands::limits(10.0, 20.0)))],
        };
        let of = |value| calculate.results[0].worked(value);
        let why = calculate.found(&[7.0], &[of(Err("no sampler gives this series.".into()))]).expect_err("unknown");
        assert_eq!(why.as_str(), "map is unknown: no sampler gives this series.");
        assert!(calculate.found(&[7.0], &[of(Ok(f64::NAN))]).is_err(), "not a number");
        let found = calculate.found(&[7.0], &[of(Ok(1_048_576.0))]).expect("known");
        assert_eq!(found.text.as_str(), "map 1.00 MiB CRITICAL of days 7");
        assert_eq!(found.value, Some(1_048_576.0));
    }
}
