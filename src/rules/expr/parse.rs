//! Text to plan. The one module that knows the parser crate, so that it can be replaced.

use super::function::Function;
use super::pattern;
use super::plan::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Card, Matching, Node, Plan, Select, Shift, Subquery,
};
use super::scan::Scan;
use super::source::Millis;
use crate::base::{Clean, Fault};
use crate::store::{MatchOp, Matcher, Selector};
use core::time::Duration;
use promql_parser::label::{self, Labels, Matchers};
use promql_parser::parser::{self, AtModifier, BinModifier, LabelModifier, Offset, VectorMatchCardinality};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Our tree is no deeper; whoever walks it recurses, on a stack of 2 MiB.
const DEEPEST: usize = 250;
/// Patterns in one text: each may take a MiB while the parser holds it.
const MOST_PATTERNS: usize = 100;

/// A parsed expression. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expr(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: Clean,
    plan: Node,
    selectors: Vec<Selector>,
    longest: Duration,
}

impl Expr {
    /// Reads a `PromQL` text.
    ///
    /// # Errors
    /// What is wrong with it, with `Fault::at` holding the line and column where that is known (file name empty).
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let scan = Scan::new(text)?;
        if let Some(fault) = scan.refused() {
            return Err(fault);
        }
        check_patterns(&scan)?;
        let parsed = parser::parse(&scan.readable()).map_err(|error| explain(&scan, &error))?;
        let plan = Reader { scan: &scan }.node(parsed, 0)?;
        Ok(Self::of(Clean::text(text), plan))
    }

    fn of(text: Clean, plan: Node) -> Self {
        let mut selectors = Vec::new();
        plan.walk(&mut |node| selectors.extend(node.select().map(|select| select.selector.clone())));
        let longest = Duration::from_millis(u64::try_from(reach(&plan)).unwrap_or_default());
        Self(Arc::new(Parsed { text, plan, selectors, longest }))
    }

    /// A part of it, under the text of the whole.
    #[must_use]
    pub fn part(&self, plan: Node) -> Self {
        Self::of(self.text().clone(), plan)
    }

    /// As it was written.
    pub fn text(&self) -> &Clean {
        &self.0.text
    }

    /// What it does, as a tree.
    pub fn plan(&self) -> &Node {
        &self.0.plan
    }

    /// Every selector in it, in the order of the text.
    pub fn selectors(&self) -> &[Selector] {
        &self.0.selectors
    }

    /// The longest span back that it looks at: range, offset and sub-query together; zero for an instant selector.
    pub fn longest_window(&self) -> Duration {
        self.0.longest
    }

    /// The selector, when the whole expression is one plain instant selector.
    pub fn plain_selector(&self) -> Option<&Selector> {
        match self.0.plan.plan() {
            Plan::Select(select) if select.shift == Shift::default() => Some(&select.selector),
            _ => None,
        }
    }
}

/// How far back a node looks, in milliseconds. An absolute time (`@ 1609746000`) is no span.
fn reach(node: &Node) -> Millis {
    match node.plan() {
        Plan::Select(select) => select.shift.offset.max(0),
        Plan::Range(select, range) => range.saturating_add(select.shift.offset).max(0),
        Plan::Subquery(sub) => sub.range.saturating_add(sub.shift.offset).max(0).saturating_add(reach(&sub.of)),
        _ => node.children().into_iter().map(reach).max().unwrap_or_default(),
    }
}

/// Compiles every pattern under our limit before the parser compiles it under its own.
fn check_patterns(scan: &Scan<'_>) -> Result<(), Fault> {
    for (count, (at, quoted)) in scan.patterns().enumerate() {
        if count == MOST_PATTERNS {
            return Err(scan.fault(at, &format!("these are more than {MOST_PATTERNS} patterns in one expression.")));
        }
        let Ok(parser::Expr::StringLiteral(literal)) = parser::parse(quoted) else { continue };
        pattern::compile(&literal.val)
            .map_err(|error| scan.fault(at, &format!("this is no regular expression: {error}.")))?;
    }
    Ok(())
}

/// The parser's message as a sentence, with a place where one can be found.
fn explain(scan: &Scan<'_>, error: &str) -> Fault {
    let error = error.trim_end_matches('.');
    if error == "invalid promql query" {
        return scan.misplaced().unwrap_or_else(|| Fault::new("this is no PromQL."));
    }
    let named = error.split('\'').nth(1).unwrap_or_default();
    let at = if error.contains("function") || error.contains("in call to") {
        error.rsplit('\'').nth(1).and_then(|name| scan.call(name))
    } else {
        scan.word(named).filter(|_| !named.is_empty())
    };
    let what = format!("this is no PromQL: {error}.");
    let fault = at.map_or_else(|| Fault::new(&what), |at| scan.fault(at, &what));
    match error.strip_prefix("unknown function") {
        Some(_) => match nearest(named) {
            Some(known) => fault.hint(format!("Is `{known}` meant?")),
            None => fault,
        },
        None => fault,
    }
}

/// The function whose name is written most alike.
fn nearest(name: &str) -> Option<&'static str> {
    let alike = |known: &str| known.chars().zip(name.chars()).filter(|(a, b)| a == b).count();
    let close = |known: &&'static str| known.len().abs_diff(name.len()) <= 2 && alike(known) + 2 >= known.len();
    super::function::FUNCTIONS.iter().map(|(known, _)| *known).filter(close).max_by_key(|known| alike(known))
}

struct Reader<'a> {
    scan: &'a Scan<'a>,
}

impl Reader<'_> {
    fn node(&self, from: parser::Expr, depth: usize) -> Result<Node, Fault> {
        if depth > DEEPEST {
            return Err(Fault::new(format!("this expression is nested deeper than {DEEPEST} levels.")));
        }
        let below = |expr: Box<parser::Expr>| self.below(*expr, depth);
        let plan = match from {
            parser::Expr::Paren(paren) => return self.node(*paren.expr, depth + 1),
            parser::Expr::NumberLiteral(number) => Plan::Number(number.val),
            parser::Expr::StringLiteral(text) => Plan::Text(text.val.into()),
            parser::Expr::VectorSelector(select) => Plan::Select(self.select(select)?),
            parser::Expr::MatrixSelector(matrix) => Plan::Range(self.select(matrix.vs)?, millis(matrix.range)),
            parser::Expr::Subquery(sub) => Plan::Subquery(Subquery {
                of: below(sub.expr)?,
                range: millis(sub.range),
                step: sub.step.map(millis).filter(|step| *step > 0),
                shift: shift(sub.offset.as_ref(), sub.at.as_ref()),
            }),
            parser::Expr::Unary(unary) => Plan::Negate(below(unary.expr)?),
            parser::Expr::Binary(binary) => self.binary(binary, depth)?,
            parser::Expr::Aggregate(aggregate) => self.aggregate(aggregate, depth)?,
            parser::Expr::Call(call) => self.call(call, depth)?,
            parser::Expr::Extension(_) => return Err(Fault::new("this is no PromQL.")),
        };
        Ok(Node::new(plan))
    }

    // A function for each, so that a level of nesting takes little of the stack.

    fn below(&self, expr: parser::Expr, depth: usize) -> Result<Box<Node>, Fault> {
        self.node(expr, depth + 1).map(Box::new)
    }

    fn binary(&self, binary: parser::BinaryExpr, depth: usize) -> Result<Plan, Fault> {
        let sign = binary.op.to_string();
        let op = BinaryOp::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&sign)).map(|(_, op)| *op);
        let op = op.ok_or_else(|| self.refuse(&sign, &format!("the operator `{sign}`")))?;
        let modifier = binary.modifier.unwrap_or_default();
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(self.refuse("fill", "`fill`"));
        }
        let as_bool = modifier.return_bool;
        let matching = self.matching(modifier)?;
        let (left, right) = (self.below(*binary.lhs, depth)?, self.below(*binary.rhs, depth)?);
        Ok(Plan::Binary(Binary { op, as_bool, matching, left, right }))
    }

    fn aggregate(&self, aggregate: parser::AggregateExpr, depth: usize) -> Result<Plan, Fault> {
        let name = aggregate.op.to_string();
        let op = AggregateOp::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        let op = op.map(|(_, op)| *op).ok_or_else(|| self.refuse(&name, &format!("`{name}`")))?;
        let (without, labels) = match aggregate.modifier {
            Some(LabelModifier::Exclude(labels)) => (true, self.labels(labels)?),
            Some(LabelModifier::Include(labels)) => (false, self.labels(labels)?),
            None => (false, Vec::new()),
        };
        let param = aggregate.param.map(|param| self.below(*param, depth)).transpose()?;
        self.check_param(op, param.as_deref())?;
        Ok(Plan::Aggregate(Aggregate { op, without, labels, param, of: self.below(*aggregate.expr, depth)? }))
    }

    fn call(&self, call: parser::Call, depth: usize) -> Result<Plan, Fault> {
        let name = call.func.name;
        let Some(function) = Function::parse(name) else {
            return Err(self.refuse(name, &format!("the function `{name}`")));
        };
        let args = call.args.args.into_iter().map(|arg| self.node(*arg, depth + 1));
        Ok(Plan::Call(Call { function, args: args.collect::<Result<_, _>>()? }))
    }

    fn refuse(&self, word: &str, construct: &str) -> Fault {
        self.scan.refuse(self.scan.call(word).unwrap_or_default(), construct)
    }

    /// The label of `count_values` is a text; the parser checks the other parameters.
    fn check_param(&self, op: AggregateOp, param: Option<&Node>) -> Result<(), Fault> {
        let kind = param.map(Node::kind);
        let fits = match op {
            AggregateOp::CountValues => matches!(param.map(Node::plan), Some(Plan::Text(_))),
            _ => kind.is_none_or(|kind| kind == super::plan::Kind::Scalar),
        };
        let name = AggregateOp::NAMES.iter().find(|(_, known)| *known == op).map_or("", |(name, _)| name);
        let at = self.scan.call(name).unwrap_or_default();
        if fits {
            Ok(())
        } else {
            Err(self.scan.fault(at, &format!("the first argument of `{name}` is of the wrong type.")))
        }
    }

    fn select(&self, from: parser::VectorSelector) -> Result<Select, Fault> {
        let Matchers { matchers, or_matchers } = from.matchers;
        if !or_matchers.is_empty() {
            return Err(self.refuse("or", "`or` between matchers"));
        }
        let mut name = from.name.map(Clean::text);
        let mut kept = Vec::with_capacity(matchers.len());
        for matcher in matchers {
            self.check_label(&matcher.name)?;
            if name.is_none() && matcher.name == "__name__" && matches!(matcher.op, label::MatchOp::Equal) {
                name = Some(Clean::text(matcher.value));
            } else {
                kept.push(self.matcher(&matcher)?);
            }
        }
        Ok(Select::new(Selector { name, matchers: kept }, shift(from.offset.as_ref(), from.at.as_ref())))
    }

    fn matcher(&self, from: &label::Matcher) -> Result<Matcher, Fault> {
        let compile = || {
            pattern::compile(&from.value).map_err(|error| {
                let at = self.scan.word(&from.value).unwrap_or_default();
                self.scan.fault(at, &format!("this is no regular expression: {error}."))
            })
        };
        let op = match &from.op {
            label::MatchOp::Equal => MatchOp::Equal,
            label::MatchOp::NotEqual => MatchOp::NotEqual,
            label::MatchOp::Re(_) => MatchOp::Like(compile()?),
            label::MatchOp::NotRe(_) => MatchOp::Unlike(compile()?),
        };
        Ok(Matcher { label: Clean::text(&from.name), value: Clean::text(&from.value), op })
    }

    fn matching(&self, from: BinModifier) -> Result<Matching, Fault> {
        let (on, labels) = match from.matching {
            Some(LabelModifier::Include(labels)) => (true, self.labels(labels)?),
            Some(LabelModifier::Exclude(labels)) => (false, self.labels(labels)?),
            None => (false, Vec::new()),
        };
        let (card, include) = match from.card {
            VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => (Card::One, Vec::new()),
            VectorMatchCardinality::ManyToOne(labels) => (Card::GroupLeft, self.labels(labels)?),
            VectorMatchCardinality::OneToMany(labels) => (Card::GroupRight, self.labels(labels)?),
        };
        Ok(Matching { on, labels, card, include })
    }

    fn labels(&self, from: Labels) -> Result<Vec<Clean>, Fault> {
        let labels = from.labels.into_iter().map(|label| self.check_label(&label).map(|()| Clean::text(label)));
        labels.collect()
    }

    /// Type and unit labels are an experiment of Prometheus.
    fn check_label(&self, label: &str) -> Result<(), Fault> {
        if matches!(label, "__type__" | "__unit__") {
            return Err(self.refuse(label, &format!("the label `{label}`")));
        }
        Ok(())
    }
}

fn shift(offset: Option<&Offset>, at: Option<&AtModifier>) -> Shift {
    let offset = match offset {
        None => 0,
        Some(Offset::Pos(span)) => millis(*span),
        Some(Offset::Neg(span)) => -millis(*span),
    };
    let at = at.map(|at| match at {
        AtModifier::Start => At::Start,
        AtModifier::End => At::End,
        AtModifier::At(time) => At::Time(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        }),
    });
    Shift { offset, at }
}

/// Never so long that a sum of a few could overflow.
fn millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX).min(Millis::MAX / 64)
}
