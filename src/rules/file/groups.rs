//! Groups and rules of a rule file. Format: prometheus.io/docs/prometheus/latest/configuration/recording_rules.

use super::Fields;
use super::yaml::{self, Node, Spot};
use crate::base::{Clean, Fault, Place, Unit};
use crate::rules::expr::Expr;
use crate::rules::rule::{Alerting, Group, Judge, Rule, RuleFile, RuleKind};
use crate::rules::template::Template;
use core::time::Duration;
use std::collections::HashSet;
use std::sync::Arc;

/// More rules of one file than this are not read.
const MOST_RULES: usize = 10_000;
/// The annotation that names the action that mends an alert.
const REMEDY: &str = "remedy";
/// The annotation that names the procedure that answers an alert.
const PAGE: &str = "procedure";
/// The annotation that names the unit of the value: `seconds`.
const UNIT: &str = "unit";

impl RuleFile {
    /// Reads a rule file, as far as it can be read: what cannot is in `broken`, each with its place.
    pub fn parse(file: &str, text: &str) -> Self {
        let mut out = Self { file: Clean::text(file), ..Self::default() };
        let mut reader = Reader { file, text, out: &mut out, count: 0 };
        if let Err(fault) = reader.file() {
            out.broken.push((Clean::default(), fault));
        }
        out
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    out: &'a mut RuleFile,
    count: usize,
}

impl Reader<'_> {
    fn file(&mut self) -> Result<(), Fault> {
        let root = yaml::read(self.file, self.text)?;
        let fields = Fields::open(self.file, &root, "rule file")?;
        let groups = fields.list("groups")?;
        self.strange(&fields, &Clean::default());
        let mut names = HashSet::new();
        for node in groups {
            match self.group(node) {
                Ok(mut group) => {
                    while !names.insert(group.name.clone()) {
                        let what = format!("a group `{}` stands above already.", group.name);
                        let spot = node.spot;
                        let fault = Fault::new(what).at(self.file, spot.line, spot.column).hint("Rename one of them.");
                        self.out.broken.push((group.name.clone(), fault));
                        group.name = crate::clean!("{} (again)", group.name);
                    }
                    self.out.groups.push(group);
                }
                Err(fault) => self.out.broken.push((Clean::default(), fault)),
            }
        }
        Ok(())
    }

    /// A group with a wrong setting keeps its rules: what is wrong stands among the broken.
    fn group(&mut self, node: &Node) -> Result<Group, Fault> {
        let fields = Fields::open(self.file, node, "group")?;
        let name = fields.text("name")?.filter(|name| !name.is_empty());
        let name = Clean::text(name.ok_or_else(|| fields.fault(fields.spot(), "a group needs a `name`."))?);
        let mut keep = |fault: Fault| self.out.broken.push((name.clone(), fault));
        let interval = fields.length("interval").unwrap_or_else(|fault| {
            keep(fault);
            None
        });
        let offset = fields.length("query_offset").unwrap_or_else(|fault| {
            keep(fault);
            None
        });
        let limit = fields.whole("limit").unwrap_or_else(|fault| {
            keep(fault);
            None
        });
        let labels = labels(&fields, "labels").unwrap_or_else(|fault| {
            keep(fault);
            Vec::new()
        });
        let nodes = fields.list("rules")?;
        self.strange(&fields, &name);
        let mut group = Group {
            name,
            interval: interval.filter(|interval| !interval.is_zero()),
            offset: offset.unwrap_or_default(),
            limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0),
            rules: Vec::new(),
        };
        let mut seen = HashSet::new();
        for node in nodes {
            self.count += 1;
            if self.count > MOST_RULES {
                let what = format!("a file holds at most {MOST_RULES} rules; the rest is not read.");
                let fault = fields.fault(node.spot, what).hint("Split it into several files.");
                self.out.broken.push((group.name.clone(), fault));
                break;
            }
            match self.rule(node, &labels) {
                Ok(rule) if seen.insert(identity(&rule)) => group.rules.push(rule),
                Ok(rule) => {
                    let fault = fields.fault(node.spot, format!("the same rule `{}` stands above already.", rule.name));
                    self.out.broken.push((rule.name, fault.hint("Remove one of them.")));
                }
                Err((name, fault)) => self.out.broken.push((name, fault)),
            }
        }
        Ok(group)
    }

    fn rule(&mut self, node: &Node, shared: &[(Clean, Template)]) -> Result<Rule, (Clean, Fault)> {
        let nameless = |fault| (Clean::default(), fault);
        let fields = Fields::open(self.file, node, "rule").map_err(nameless)?;
        let record = fields.text("record").map_err(nameless)?;
        let alert = fields.text("alert").map_err(nameless)?;
        let (key, name) = match (record, alert) {
            (Some(name), None) => ("record", name),
            (None, Some(name)) => ("alert", name),
            (Some(name), Some(_)) => {
                let fault = fields.fault(fields.key_spot("alert"), "a rule has `record` or `alert`, not both.");
                return Err((Clean::text(name), fault.hint("Write two rules.")));
            }
            (None, None) => {
                let fault = fields.fault(fields.spot(), "a rule needs `alert` or `record`.");
                let fault = match fields.unknown().into_iter().find(|key| key.slip) {
                    Some(slip) => slip.fault,
                    None => fault,
                };
                return Err((Clean::default(), fault));
            }
        };
        let name_spot = fields.get(key).map_or(fields.spot(), |node| node.spot);
        let name = Clean::text(name);
        let named = |fault| (name.clone(), fault);
        let expr = self.expr(&fields).map_err(named)?;
        let mut rule = Rule {
            name: name.clone(),
            place: Some(self.place(name_spot)),
            expr_place: fields.get("expr").map(|node| self.place(node.spot)),
            expr,
            labels: shared.to_vec(),
            kind: RuleKind::Recording,
        };
        for (label, value) in labels(&fields, "labels").map_err(named)? {
            rule.labels.retain(|(known, _)| *known != label);
            rule.labels.push((label, value));
        }
        rule.kind = kind(&fields, record.is_some(), &name).map_err(named)?;
        let unknown = fields.unknown();
        if let Some(at) = unknown.iter().position(|key| key.slip) {
            return Err((
                name,
                unknown.into_iter().nth(at).map_or_else(|| Fault::new("unknown key."), |key| key.fault),
            ));
        }
        self.out.unknown.extend(unknown.into_iter().map(|key| key.fault));
        Ok(rule)
    }

    fn place(&self, spot: Spot) -> Place {
        Place { file: Clean::text(self.file), line: spot.line, column: spot.column }
    }

    /// The expression; a fault of it stands where in the file the parser stumbled.
    fn expr(&self, fields: &Fields<'_>) -> Result<Expr, Fault> {
        let text = fields.text("expr")?.filter(|text| !text.trim().is_empty());
        let missing = || fields.fault(fields.spot(), "a rule needs an `expr`.");
        let (text, node) = text.zip(fields.get("expr")).ok_or_else(missing)?;
        Expr::parse(text).map_err(|mut fault| {
            let inside = fault.at.take().filter(|at| at.column > 0).and_then(|at| offset(text, at.line, at.column));
            let spot = inside.map_or(node.spot, |offset| node.spot_within(self.text, offset));
            fault.at(self.file, spot.line, spot.column)
        })
    }

    /// Keys that nobody knows, of what is not a rule: a slip is an error row, the rest is for the linter.
    fn strange(&mut self, fields: &Fields<'_>, name: &Clean) {
        for key in fields.unknown() {
            if key.slip {
                self.out.broken.push((name.clone(), key.fault));
            } else {
                self.out.unknown.push(key.fault);
            }
        }
    }
}

/// How many characters of a text lie before a place; lines and columns count from 1.
pub fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let skipped = usize::try_from(line).ok()?.checked_sub(1)?;
    let before: usize = text.split('\n').take(skipped).map(|line| line.chars().count() + 1).sum();
    Some(before + usize::try_from(column).ok()?.checked_sub(1)?)
}

fn kind(fields: &Fields<'_>, recording: bool, name: &Clean) -> Result<RuleKind, Fault> {
    let hold = fields.length("for")?;
    let keep = fields.length("keep_firing_for")?;
    let annotations = labels(fields, "annotations")?;
    if !recording {
        let told = |key: &str| {
            let of = annotations.iter().find(|(known, _)| known.as_str() == key);
            of.map(|(_, text)| Arc::from(text.raw().as_str()))
        };
        // Prometheus has no such field: whatever else a foreign file says there is only a text.
        let unit = told(UNIT).and_then(|unit| Unit::parse(&unit));
        return Ok(RuleKind::Alerting(Alerting {
            judge: Judge::Rows,
            hold: hold.unwrap_or(Duration::ZERO),
            keep: keep.unwrap_or(Duration::ZERO),
            unit,
            words: None,
            remedy: told(REMEDY),
            page: told(PAGE),
            annotations,
        }));
    }
    if !is_metric_name(name.as_str()) {
        let spot = fields.get("record").map_or(fields.spot(), |node| node.spot);
        let fault = fields.fault(spot, format!("`{name}` is no name of a metric."));
        return Err(fault.hint("Letters, digits, `_` and `:`; no digit first."));
    }
    let strange =
        [("for", hold.is_some()), ("keep_firing_for", keep.is_some()), ("annotations", !annotations.is_empty())];
    match strange.into_iter().find(|(_, there)| *there) {
        Some((key, _)) => Err(fields.fault(fields.key_spot(key), format!("a rule with `record` has no `{key}`."))),
        None => Ok(RuleKind::Recording),
    }
}

fn labels(fields: &Fields<'_>, key: &'static str) -> Result<Vec<(Clean, Template)>, Fault> {
    let pair = |(name, text): (&yaml::Key, &str)| {
        if is_label_name(&name.text) {
            return Ok((Clean::text(&name.text), Template::parse(text)));
        }
        let noun = if key == "labels" { "a label" } else { "an annotation" };
        let fault = fields.fault(name.spot, format!("`{}` is no name of {noun}.", name.text));
        Err(fault.hint("Letters, digits and `_`; no digit first; not `__name__`."))
    };
    fields.texts(key)?.into_iter().map(pair).collect()
}

/// What makes two rules the same.
fn identity(rule: &Rule) -> (bool, Clean, Clean, Vec<(Clean, Clean)>) {
    let labels = rule.labels.iter().map(|(name, value)| (name.clone(), value.raw().clone())).collect();
    (matches!(rule.kind, RuleKind::Recording), rule.name.clone(), rule.expr.text().clone(), labels)
}

fn is_metric_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

fn is_label_name(text: &str) -> bool {
    is_metric_name(text) && !text.contains(':') && text != "__name__"
}
