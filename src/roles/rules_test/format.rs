//! Test files: what is to be played, and what is expected. Every piece knows where it stands.

use super::series::{self, MOST_VALUES, Step};
use crate::base::{Clean, Fault, Place, SeriesKey};
use crate::rules::expr::{Expr, Millis};
use crate::rules::file::{Fields, yaml};
use crate::rules::template::one_line;
use core::time::Duration;
use std::rc::Rc;

/// A test file.
#[derive(Debug)]
pub(super) struct TestFile {
    /// Paths and patterns, relative to the file, each with its place.
    pub(super) rule_files: Vec<(String, Place)>,
    /// How often every group is evaluated.
    pub(super) every: Duration,
    /// Groups that are evaluated first, in this order.
    pub(super) order: Vec<String>,
    /// Its tests.
    pub(super) tests: Vec<Test>,
}

/// One test: series, and what must be seen of them.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: Clean,
    pub(super) place: Place,
    pub(super) interval: Duration,
    pub(super) series: Vec<(SeriesKey, Vec<Step>)>,
    pub(super) external: Vec<(Clean, Clean)>,
    pub(super) alerts: Vec<AlertCheck>,
    pub(super) exprs: Vec<ExprCheck>,
}

/// Which alerts of a name fire at a time.
#[derive(Debug)]
pub(super) struct AlertCheck {
    pub(super) place: Place,
    pub(super) at: Duration,
    pub(super) name: Clean,
    pub(super) expected: Vec<Fired>,
}

/// A firing alert: labels without `alertname`, and annotations; both sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fired {
    pub(super) labels: Vec<(Clean, Clean)>,
    pub(super) annotations: Vec<(Clean, Clean)>,
}

/// What an expression gives at a time.
#[derive(Debug)]
pub(super) struct ExprCheck {
    pub(super) place: Place,
    pub(super) at: Duration,
    pub(super) expr: Expr,
    pub(super) expected: Vec<(SeriesKey, f64)>,
}

/// Milliseconds of a span.
pub(super) fn millis(span: Duration) -> Millis {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
}

/// Reads a test file.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub(super) fn read(file: &str, text: &str) -> Result<TestFile, Fault> {
    let root = yaml::read(file, text)?;
    let fields = Fields::open(file, &root, "test file")?;
    let reader = Reader { file, text };
    let every = positive(&fields, "evaluation_interval")?.unwrap_or(Duration::from_secs(60));
    let mut rule_files = Vec::new();
    for node in fields.list("rule_files")? {
        let path = reader.scalar(node, "a path")?;
        rule_files.push((path.to_owned(), reader.place(node)));
    }
    let mut order = Vec::new();
    for node in fields.list("group_eval_order")? {
        order.push(reader.scalar(node, "a group's name")?.to_owned());
    }
    // Every comparison here is as close as two programs can agree.
    let _fuzzy: Option<&str> = fields.text("fuzzy_compare")?;
    let nodes = fields.list("tests")?;
    let mut tests = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        tests.push(reader.test(node, at, every)?);
    }
    known(&fields)?;
    Ok(TestFile { rule_files, every, order, tests })
}

/// A test that says something that nobody understands proves nothing.
fn known(fields: &Fields<'_>) -> Result<(), Fault> {
    match fields.unknown().into_iter().next() {
        Some(key) => Err(key.fault),
        None => Ok(()),
    }
}

fn positive(fields: &Fields<'_>, key: &'static str) -> Result<Option<Duration>, Fault> {
    Ok(fields.length(key)?.filter(|length| !length.is_zero()))
}

impl Reader<'_> {
    fn place(&self, node: &yaml::Node) -> Place {
        Place { file: Clean::text(self.file), line: node.spot.line, column: node.spot.column }
    }

    fn fault(&self, node: &yaml::Node, what: &str) -> Fault {
        Fault::new(format!("{what}.")).at(self.file, node.spot.line, node.spot.column)
    }

    fn scalar<'a>(&self, node: &'a yaml::Node, noun: &str) -> Result<&'a str, Fault> {
        match &node.data {
            yaml::Data::Scalar(scalar) if !scalar.null => Ok(&scalar.text),
            _ => Err(self.fault(node, &format!("this must be {noun}, and it is {}", node.noun()))),
        }
    }

    fn test(&self, node: &Rc<yaml::Node>, at: usize, every: Duration) -> Result<Test, Fault> {
        let fields = Fields::open(self.file, node, "test")?;
        let name = fields.text("name")?.map_or_else(|| format!("test {}", at + 1), str::to_owned);
        let interval = positive(&fields, "interval")?.unwrap_or(every);
        let mut room = MOST_VALUES;
        let mut series = Vec::new();
        for node in fields.list("input_series")? {
            series.push(self.series(node, &mut room)?);
        }
        let external = pairs(&fields, "external_labels")?;
        let _address: Option<&str> = fields.text("external_url")?;
        let mut alerts = Vec::new();
        for node in fields.list("alert_rule_test")? {
            alerts.push(self.alert(node)?);
        }
        let mut exprs = Vec::new();
        for node in fields.list("promql_expr_test")? {
            exprs.push(self.expr(node)?);
        }
        known(&fields)?;
        Ok(Test { name: Clean::text(&name), place: self.place(node), interval, series, external, alerts, exprs })
    }

    fn series(&self, node: &Rc<yaml::Node>, room: &mut usize) -> Result<(SeriesKey, Vec<Step>), Fault> {
        let fields = Fields::open(self.file, node, "series")?;
        let name = fields.get("series").ok_or_else(|| self.fault(node, "a series needs `series`"))?;
        let key = series::key(self.scalar(name, "a series")?).map_err(|what| self.fault(name, &what))?;
        let values = match fields.get("values") {
            Some(node) => series::values(self.scalar(node, "values")?, room).map_err(|what| self.fault(node, &what))?,
            None => Vec::new(),
        };
        known(&fields)?;
        Ok((key, values))
    }

    fn alert(&self, node: &Rc<yaml::Node>) -> Result<AlertCheck, Fault> {
        let fields = Fields::open(self.file, node, "test of an alert")?;
        let name = fields.text("alertname")?.ok_or_else(|| self.fault(node, "a test of an alert needs `alertname`"))?;
        let at = fields.length("eval_time")?.unwrap_or_default();
        let mut expected = Vec::new();
        for node in fields.list("exp_alerts")? {
            let fields = Fields::open(self.file, node, "alert")?;
            let mut labels = pairs(&fields, "exp_labels")?;
            labels.retain(|(label, _)| label.as_str() != "alertname");
            let annotations = pairs(&fields, "exp_annotations")?;
            known(&fields)?;
            expected.push(Fired { labels, annotations });
        }
        known(&fields)?;
        Ok(AlertCheck { place: self.place(node), at, name: Clean::text(name), expected })
    }

    fn expr(&self, node: &Rc<yaml::Node>) -> Result<ExprCheck, Fault> {
        let fields = Fields::open(self.file, node, "test of an expression")?;
        let written = fields.get("expr").ok_or_else(|| self.fault(node, "a test of an expression needs `expr`"))?;
        let text = self.scalar(written, "an expression")?;
        let expr = Expr::parse(text).map_err(|fault| fault_within(&fault, self.file, self.text, text, written))?;
        let at = fields.length("eval_time")?.unwrap_or_default();
        let mut expected = Vec::new();
        for node in fields.list("exp_samples")? {
            let fields = Fields::open(self.file, node, "sample")?;
            let key = match fields.get("labels") {
                Some(node) => series::key(self.scalar(node, "labels")?).map_err(|what| self.fault(node, &what))?,
                None => SeriesKey::new("", &[]),
            };
            if fields.get("histogram").is_some() {
                return Err(self.fault(node, "native histograms are not known here"));
            }
            let value = match fields.get("value") {
                Some(node) => {
                    number(self.scalar(node, "a number")?).ok_or_else(|| self.fault(node, "this is no number"))?
                }
                None => 0.0,
            };
            known(&fields)?;
            expected.push((key, value));
        }
        known(&fields)?;
        expected.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(ExprCheck { place: self.place(node), at, expr, expected })
    }
}

/// A fault of an expression, placed in the file that holds it.
fn fault_within(fault: &Fault, file: &str, file_text: &str, text: &str, node: &yaml::Node) -> Fault {
    let inside = fault.at.as_ref().filter(|at| at.column > 0);
    let offset = inside.and_then(|at| crate::rules::file::offset(text, at.line, at.column));
    let spot = offset.map_or(node.spot, |offset| node.spot_within(file_text, offset));
    fault.clone().at(file, spot.line, spot.column)
}

/// A number as YAML or Go would read it.
fn number(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" => Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" => Some(f64::NAN),
        text => text.parse().ok(),
    }
}

/// Labels or annotations, sorted; an empty one is none.
fn pairs(fields: &Fields<'_>, key: &'static str) -> Result<Vec<(Clean, Clean)>, Fault> {
    let mut pairs: Vec<(Clean, Clean)> =
        fields.texts(key)?.into_iter().map(|(name, text)| (Clean::text(&name.text), one_line(text))).collect();
    pairs.retain(|(_, text)| !text.as_str().is_empty());
    pairs.sort();
    Ok(pairs)
}
