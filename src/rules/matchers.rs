//! Matchers of alerts as Alertmanager writes them: `severity="warning"`, `alertname=~"Gpu.*"`. All of them must hold;
//! the label `alertname` is the rule's name, and an absent label counts as the empty text.

use super::expr::Expr;
use crate::base::{Clean, Fault, SeriesKey};
use crate::clean;
use crate::store::Selector;

/// The label that holds the name of an alert.
pub const ALERTNAME: &str = "alertname";

/// Which alerts are meant, with the text that says so.
#[derive(Clone, Debug)]
pub struct Matchers {
    text: Clean,
    selector: Selector,
}

impl Matchers {
    /// Reads matchers, separated by commas, in braces or without.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let inner = text.trim();
        let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner);
        let hint = "Write for example alertname=\"HighLatency\", instance=~\"db.*\".";
        if inner.trim().is_empty() {
            return Err(Fault::new("there is no matcher.").hint(hint));
        }
        let written: Vec<String> = split(inner).iter().map(|one| quoted(one)).collect();
        let written = written.join(", ");
        let wrong = |why: &str| Fault::new(format!("`{inner}` is no list of matchers: {why}")).hint(hint);
        // With a name, since a selector without one may not fit everything: matchers of alerts may (`team!~"web.*"`).
        let parsed = Expr::parse(&format!("alert{{{written}}}")).map_err(|fault| wrong(fault.what.as_str()))?;
        let selector = parsed.plain_selector().ok_or_else(|| wrong("it says more than that."))?;
        let selector = Selector { name: None, matchers: selector.matchers.clone() };
        Ok(Self { text: Clean::text(written), selector })
    }

    /// Exactly one alert: its name and all its labels.
    pub fn exactly(name: &Clean, key: &SeriesKey) -> Self {
        let value = |text: &Clean| text.as_str().replace('\\', "\\\\").replace('"', "\\\"");
        let labels = key.labels.iter().filter(|(label, _)| label.as_str() != ALERTNAME);
        let labels = labels.map(|(label, text)| format!(", {label}=\"{}\"", value(text)));
        let text = format!("{ALERTNAME}=\"{}\"{}", value(name), labels.collect::<String>());
        Self::parse(&text).unwrap_or_else(|_| Self { text: clean!("{text}"), selector: none() })
    }

    /// As they are written.
    pub const fn text(&self) -> &Clean {
        &self.text
    }

    /// Whether an alert of this name may be meant, whatever its other labels are.
    pub fn may_mean(&self, name: &str) -> bool {
        self.selector.may_have(ALERTNAME, name)
    }

    /// The one name that is meant, if it says so.
    pub fn name(&self) -> Option<&str> {
        self.selector.equals(ALERTNAME)
    }

    /// Whether an alert with these labels, `alertname` among them, is meant.
    pub fn matches(&self, labels: &SeriesKey) -> bool {
        self.selector.matches(labels)
    }
}

/// A selector that means nothing: a name that no alert has.
fn none() -> Selector {
    Selector::metric("\u{0}")
}

/// At commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begun) = (Vec::new(), 0);
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, ',') => {
                parts.push(text.get(begun..at).unwrap_or_default());
                begun = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(begun..).unwrap_or_default());
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Alertmanager takes a value without quotes too.
fn quoted(one: &str) -> String {
    let op = ["=~", "!~", "!=", "="].into_iter().filter_map(|op| one.find(op).map(|at| (at, op)));
    let Some((at, op)) = op.min_by_key(|(at, op)| (*at, core::cmp::Reverse(op.len()))) else { return one.to_owned() };
    let (label, value) =
        (one.get(..at).unwrap_or_default().trim(), one.get(at + op.len()..).unwrap_or_default().trim());
    if value.starts_with(['"', '\'', '`']) { format!("{label}{op}{value}") } else { format!("{label}{op}\"{value}\"") }
}

/// The labels that matchers see: an alert's own and its name.
pub fn labels_of(name: &Clean, key: &SeriesKey) -> SeriesKey {
    let own = key.labels.iter().filter(|(label, _)| label.as_str() != ALERTNAME);
    let mut labels: Vec<(Clean, Clean)> = own.cloned().chain([(Clean::from(ALERTNAME), name.clone())]).collect();
    labels.sort();
    SeriesKey { name: Clean::default(), labels: labels.into() }
}

impl PartialEq for Matchers {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl serde::Serialize for Matchers {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for Matchers {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Clean::deserialize(from)?;
        Self::parse(text.as_str()).map_err(|fault| serde::de::Error::custom(fault.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(labels: &[(&str, &str)]) -> SeriesKey {
        labels_of(&"HighLatency".into(), &SeriesKey::new("", labels))
    }

    #[test]
    fn matchers_read_as_alertmanager_writes_them() {
        for (text, meant) in [
            ("alertname=HighLatency", true),
            (r#"{alertname="HighLatency",instance=~"db.*"}"#, true),
            (r#"alertname="HighLatency", instance="db1""#, false),
            (r#"alertname=~"High.*", instance!="db1""#, true),
            (r#"alertname!~"High.*""#, false),
            (r#"alertname=HighLatency, rack="""#, true),
            ("note='a, b=c'", false),
        ] {
            let matchers = Matchers::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(matchers.matches(&alert(&[("instance", "db2")])), meant, "{text}");
        }
        for text in ["", "{}", "alertname", "=x", "instance=~\"(\""] {
            assert!(Matchers::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_alert_is_meant_exactly_and_its_matchers_read_back() {
        let key = SeriesKey::new("", &[("path", "a\\b \"c\", d"), ("instance", "x")]);
        let matchers = Matchers::exactly(&"Latency p95".into(), &key);
        assert!(matchers.matches(&labels_of(&"Latency p95".into(), &key)));
        assert!(!matchers.matches(&labels_of(&"Latency p95".into(), &SeriesKey::new("", &[("instance", "x")]))));
        assert_eq!(Matchers::parse(matchers.text().as_str()).as_ref(), Ok(&matchers));
    }
}
