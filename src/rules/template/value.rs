//! Values of a template while it runs, and how Go prints them.

use super::printf::shortest;
use crate::rules::expr::Row;
use std::rc::Rc;

/// A value. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Val {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    /// `$labels`: sorted by name.
    Labels(Rc<[(String, Rc<str>)]>),
    /// One row of a query.
    Sample(Rc<Row>),
    /// The rows of a query.
    Samples(Rc<[Rc<Row>]>),
    /// What `args` makes.
    Args(Rc<[(String, Val)]>),
    /// The dot of the whole template.
    Root,
}

impl Val {
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// The name of its type in Go, for messages of `printf`.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Labels(_) => "map[string]string",
            Self::Sample(_) => "*template.sample",
            Self::Samples(_) => "template.queryResult",
            Self::Args(_) => "map[string]interface {}",
            Self::Root => "struct",
        }
    }

    /// Whether `if` takes it for true: what is not the zero of its type.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(yes) => *yes,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Labels(labels) => !labels.is_empty(),
            Self::Samples(samples) => !samples.is_empty(),
            Self::Args(args) => !args.is_empty(),
            Self::Sample(_) | Self::Root => true,
        }
    }

    /// As `%v` prints it; `None` for what has no readable form.
    pub(super) fn show(&self) -> Option<String> {
        Some(match self {
            Self::Nil => "<no value>".to_owned(),
            Self::Bool(yes) => yes.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => shortest(*number),
            Self::Text(text) => text.to_string(),
            Self::Labels(labels) => {
                let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Self::Args(args) => {
                let pairs: Option<Vec<String>> =
                    args.iter().map(|(name, value)| Some(format!("{name}:{}", value.show()?))).collect();
                format!("map[{}]", pairs?.join(" "))
            }
            Self::Sample(_) | Self::Samples(_) | Self::Root => return None,
        })
    }

    /// The number that it is, or that its text says.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Text(text) => number(text),
            _ => None,
        }
    }
}

/// A text as Go's ParseFloat reads it.
fn number(text: &str) -> Option<f64> {
    let bare = text.trim_start_matches(['+', '-']);
    let named =
        bare.eq_ignore_ascii_case("inf") || bare.eq_ignore_ascii_case("infinity") || bare.eq_ignore_ascii_case("nan");
    (named || bare.starts_with(|c: char| c.is_ascii_digit() || c == '.')).then(|| text.parse().ok()).flatten()
}

/// Labels of a series as a map.
pub(super) fn labels_of(row: &Row) -> Val {
    let labels = crate::rules::evaluate::labels_of(&row.key);
    labels_from(&labels)
}

/// Pairs as a map.
pub(super) fn labels_from<T: AsRef<str>>(pairs: &[(T, T)]) -> Val {
    let mut labels: Vec<(String, Rc<str>)> =
        pairs.iter().map(|(name, value)| (name.as_ref().to_owned(), Rc::from(value.as_ref()))).collect();
    labels.sort();
    Val::Labels(labels.into())
}
