//! What a Nagios plugin says (monitoring-plugins.org guidelines): the text of its first line, and performance data
//! `'label'=value[UOM];warn;crit;min;max` behind `|`, brought to base units. Pure.

use crate::base::Clean;

/// More are not taken.
pub(crate) const MOST: usize = 200;

/// What a plugin said.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// The first line, without its data.
    pub(crate) text: Clean,
    /// Its measurements.
    pub(crate) data: Vec<Datum>,
    /// Pieces of data that could not be read, or were beyond the cap.
    pub(crate) unread: usize,
}

/// One measurement.
#[derive(Debug, PartialEq)]
pub(crate) struct Datum {
    pub(crate) label: Clean,
    pub(crate) measure: Measure,
    /// In the base unit; `None` where the plugin says `U`: it could not be determined.
    pub(crate) value: Option<f64>,
    /// Bounds by name, in the base unit: `warning_above`, `warning_below`, …, `min`, `max`.
    pub(crate) bounds: Vec<(&'static str, f64)>,
}

/// What a unit of measurement stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Plain,
    Seconds,
    Bytes,
    Ratio,
    Counter,
}

/// Reads the whole output. Data may follow `|` on the first line, and again after a `|` further down.
pub(crate) fn read(output: &[u8]) -> Said {
    let mut said = Said::default();
    let mut lines = output.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let (text, data) = split(first);
    said.text = Clean::text(text.trim_ascii());
    said.take(data);
    let mut inside = false;
    for line in lines {
        if inside {
            said.take(line);
        } else if line.contains(&b'|') {
            inside = true;
            said.take(split(line).1);
        }
    }
    said
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b'|') {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
        None => (line, &[]),
    }
}

impl Said {
    fn take(&mut self, data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (label, behind) = label(rest);
            let (fields, next) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
            rest = next.trim_start();
            match datum(&label, fields).filter(|_| self.data.len() < MOST) {
                Some(datum) => self.data.push(datum),
                None => self.unread += 1,
            }
        }
    }
}

/// The label, and what stands behind its `=`; a label in quotes may hold blanks, and `''` for a quote.
fn label(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('\'') else {
        return match text.split_once('=') {
            Some((label, behind)) if !label.contains(char::is_whitespace) => (label.to_owned(), behind),
            // A word without a value.
            _ => (String::new(), text),
        };
    };
    let mut label = String::new();
    let mut rest = quoted;
    while let Some((part, behind)) = rest.split_once('\'') {
        label.push_str(part);
        if let Some(more) = behind.strip_prefix('\'') {
            label.push('\'');
            rest = more;
        } else {
            return behind.strip_prefix('=').map_or((String::new(), behind), |value| (label, value));
        }
    }
    (String::new(), "")
}

fn datum(label: &str, fields: &str) -> Option<Datum> {
    let mut fields = fields.split(';');
    let value = fields.next()?;
    if label.is_empty() || value.is_empty() {
        return None;
    }
    let (number, unit) = number_and_unit(value);
    let (measure, factor) = if value == "U" { (Measure::Plain, 1.0) } else { base(unit)? };
    let value = if value == "U" { None } else { Some(number? * factor) };
    let mut bounds = Vec::new();
    for (name_above, name_below) in [("warning_above", "warning_below"), ("critical_above", "critical_below")] {
        range(fields.next().unwrap_or(""), factor, name_above, name_below, &mut bounds);
    }
    for name in ["min", "max"] {
        bounds.extend(finite(number_and_unit(fields.next().unwrap_or("")).0).map(|bound| (name, bound * factor)));
    }
    Some(Datum { label: Clean::text(label), measure, value, bounds })
}

/// `10` (0 to 10 is good), `10:`, `~:10`, `10:20`. `@10:20` is bad inside, which two bounds cannot say.
fn range(text: &str, factor: f64, above: &'static str, below: &'static str, into: &mut Vec<(&'static str, f64)>) {
    if text.is_empty() || text.starts_with('@') {
        return;
    }
    let (start, end) = text.split_once(':').unwrap_or(("", text));
    into.extend(finite(number_and_unit(end).0).map(|bound| (above, bound * factor)));
    into.extend(finite(number_and_unit(start).0).map(|bound| (below, bound * factor)));
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}

/// Some plugins write a comma for the point.
fn number_and_unit(text: &str) -> (Option<f64>, &str) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.,".contains(c))).unwrap_or(text.len());
    // An exponent, which the guidelines do not know but plugins write.
    let tail = text.get(end..).unwrap_or("");
    let exponent = tail.strip_prefix(['e', 'E']).map_or(0, |more| {
        let digits = more.trim_start_matches(['+', '-']);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 { 0 } else { 1 + (more.len() - digits.len()) + count }
    });
    let (number, unit) = text.split_at_checked(end + exponent).unwrap_or((text, ""));
    (finite(number.replace(',', ".").parse().ok()), unit)
}

/// What a unit stands for and its factor to the base unit; powers of 1024 as plugins use them.
fn base(unit: &str) -> Option<(Measure, f64)> {
    const KIBI: f64 = 1024.0;
    Some(match unit {
        "" => (Measure::Plain, 1.0),
        "s" => (Measure::Seconds, 1.0),
        "ms" => (Measure::Seconds, 1e-3),
        "us" | "µs" => (Measure::Seconds, 1e-6),
        "ns" => (Measure::Seconds, 1e-9),
        "%" => (Measure::Ratio, 0.01),
        "c" => (Measure::Counter, 1.0),
        "B" => (Measure::Bytes, 1.0),
        "KB" | "kB" | "KiB" => (Measure::Bytes, KIBI),
        "MB" | "MiB" => (Measure::Bytes, KIBI * KIBI),
        "GB" | "GiB" => (Measure::Bytes, KIBI * KIBI * KIBI),
        "TB" | "TiB" => (Measure::Bytes, KIBI * KIBI * KIBI * KIBI),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(data: &str) -> Datum {
        let mut said = read(format!("OK|{data}").as_bytes());
        assert_eq!((said.data.len(), said.unread), (1, 0), "{data}");
        said.data.remove(0)
    }

    #[test]
    fn a_plugin_of_the_guidelines_is_read() {
        let output = "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n\
            /var/log 819 MB (84%); | '/boot space'=68MB;88;93;0;98 \n/home=69357MB;253404;253409;0;253414\n'it''s'=1c";
        let said = read(output.as_bytes());
        assert_eq!(said.text.as_str(), "DISK OK - free space: / 3326 MB (56%);");
        let labels: Vec<&str> = said.data.iter().map(|datum| datum.label.as_str()).collect();
        assert_eq!(labels, ["/", "/boot space", "/home", "it's"]);
        let mib = 1_048_576.0;
        let bounds = [("warning_above", 5948.0), ("critical_above", 5958.0), ("min", 0.0), ("max", 5968.0)];
        assert_eq!(said.data[0].bounds, bounds.map(|(name, bound)| (name, bound * mib)));
        assert_eq!((said.data[0].measure, said.data[0].value), (Measure::Bytes, Some(2643.0 * mib)));
        assert_eq!((said.data[3].measure, said.unread), (Measure::Counter, 0));
    }

    #[test]
    fn units_become_base_units() {
        for (data, measure, value) in [
            ("a=250ms", Measure::Seconds, 0.25),
            ("a=3us", Measure::Seconds, 3e-6),
            ("a=50%", Measure::Ratio, 0.5),
            ("a=2KB", Measure::Bytes, 2048.0),
            ("a=-1,5", Measure::Plain, -1.5),
            ("a=1.5e3s", Measure::Seconds, 1500.0),
        ] {
            let datum = one(data);
            assert_eq!((datum.measure, datum.value), (measure, Some(value)), "{data}");
        }
        assert_eq!(one("a=U;1").value, None, "undetermined is not zero");
    }

    #[test]
    fn ranges_become_bounds() {
        assert_eq!(
            one("a=1;10:20;~:30").bounds,
            [("warning_above", 20.0), ("warning_below", 10.0), ("critical_above", 30.0)]
        );
        assert_eq!(one("a=1s;@1:2;5:").bounds, [("critical_below", 5.0)]);
        assert_eq!(one("a=1;;;;").bounds, []);
    }

    #[test]
    fn what_is_no_data_is_counted() {
        for data in ["word", "a=", "=1", "a=1parsec", "a=x", "'open=1", "a=1e999"] {
            let said = read(format!("OK|{data}").as_bytes());
            assert_eq!((said.data.len(), said.unread), (0, 1), "{data}");
        }
        let many = "a=1 ".repeat(MOST + 5);
        let said = read(format!("OK|{many}").as_bytes());
        assert_eq!((said.data.len(), said.unread), (MOST, 5));
    }

    proptest! {
        #[test]
        fn any_output_is_survived(output in proptest::collection::vec(any::<u8>(), 0..300), data in "[ '=;:@~|a0-9.%c]{0,60}") {
            drop(read(&output));
            drop(read(format!("x|{data}").as_bytes()));
        }
    }
}
