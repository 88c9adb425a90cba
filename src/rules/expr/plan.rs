//! An expression as a tree, free of the parser crate: what the evaluator computes and the linter walks.
//! Parentheses are gone; a metric's name written in braces stands in [`Selector::name`].

use super::function::Function;
use super::source::Millis;
use crate::base::Clean;
use crate::store::{Matcher, Selector};
use core::hash::{Hash, Hasher};
use std::collections::hash_map::DefaultHasher;
use std::sync::Arc;

/// The type of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Scalar,
    /// A text.
    Text,
    /// An instant vector.
    Vector,
    /// A range vector.
    Matrix,
}

/// One node of the tree, with what was found out about it when it was built.
#[derive(Clone, Debug)]
pub struct Node {
    plan: Plan,
    kind: Kind,
    fixed: bool,
    digest: u128,
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Plan {
    /// `1.5`.
    Number(f64),
    /// `"text"`.
    Text(Arc<str>),
    /// `up{job="api"}`.
    Select(Select),
    /// `up[5m]`.
    Range(Select, Millis),
    /// `expr[1h:1m]`.
    Subquery(Subquery),
    /// `rate(…)`.
    Call(Call),
    /// `sum by (job) (…)`.
    Aggregate(Aggregate),
    /// `a / b`.
    Binary(Binary),
    /// `-a`.
    Negate(Box<Node>),
}

/// Which series, and where in time.
#[derive(Clone, Debug)]
pub struct Select {
    /// Which series.
    pub selector: Selector,
    /// Where in time.
    pub shift: Shift,
    digest: u128,
}

/// How a selector or sub-query is moved in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shift {
    /// `offset`, in milliseconds; negative looks ahead.
    pub offset: Millis,
    /// `@`.
    pub at: Option<At>,
}

/// What stands after `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// A time in milliseconds.
    Time(Millis),
    /// `start()` of the query.
    Start,
    /// `end()` of the query.
    End,
}

/// An expression evaluated over a span.
#[derive(Clone, Debug)]
pub struct Subquery {
    /// What is evaluated.
    pub of: Box<Node>,
    /// The span, in milliseconds.
    pub range: Millis,
    /// The step, in milliseconds; `None` is the evaluator's default.
    pub step: Option<Millis>,
    /// Where in time.
    pub shift: Shift,
}

/// A function with its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function.
    pub function: Function,
    /// As many and of such kinds as the function wants.
    pub args: Vec<Node>,
}

/// An aggregation.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// `without` instead of `by`.
    pub without: bool,
    /// The labels of `by` or `without`.
    pub labels: Vec<Clean>,
    /// `k` of `topk`, φ of `quantile`, the label of `count_values`.
    pub param: Option<Box<Node>>,
    /// What is aggregated.
    pub of: Box<Node>,
}

/// An operator between two expressions.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
    /// `bool` stands after a comparison.
    pub as_bool: bool,
    /// How rows of two vectors find each other.
    pub matching: Matching,
    /// What stands left of it.
    pub left: Box<Node>,
    /// What stands right of it.
    pub right: Box<Node>,
}

/// How rows of two vectors find each other.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    /// `on` instead of `ignoring`.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<Clean>,
    /// `group_left` or `group_right`.
    pub card: Card,
    /// The labels that `group_left` or `group_right` takes from the one side.
    pub include: Vec<Clean>,
}

/// How many rows of each side may find each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Card {
    /// One and one.
    #[default]
    One,
    /// `group_left`: many left, one right.
    GroupLeft,
    /// `group_right`: one left, many right.
    GroupRight,
}

/// The aggregations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as PromQL names it")]
pub enum AggregateOp {
    Avg,
    Bottomk,
    Count,
    CountValues,
    Group,
    LimitRatio,
    Limitk,
    Max,
    Min,
    Quantile,
    Stddev,
    Stdvar,
    Sum,
    Topk,
}

impl AggregateOp {
    /// Every aggregation with its name.
    pub const NAMES: &[(&str, Self)] = &[
        ("avg", Self::Avg),
        ("bottomk", Self::Bottomk),
        ("count", Self::Count),
        ("count_values", Self::CountValues),
        ("group", Self::Group),
        ("limit_ratio", Self::LimitRatio),
        ("limitk", Self::Limitk),
        ("max", Self::Max),
        ("min", Self::Min),
        ("quantile", Self::Quantile),
        ("stddev", Self::Stddev),
        ("stdvar", Self::Stdvar),
        ("sum", Self::Sum),
        ("topk", Self::Topk),
    ];
}

/// The operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named as PromQL names it, see NAMES")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    AtLeast,
    AtMost,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// Every operator as it is written.
    pub const NAMES: &[(&str, Self)] = &[
        ("+", Self::Add),
        ("-", Self::Sub),
        ("*", Self::Mul),
        ("/", Self::Div),
        ("%", Self::Mod),
        ("^", Self::Pow),
        ("atan2", Self::Atan2),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        (">", Self::Greater),
        ("<", Self::Less),
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("and", Self::And),
        ("or", Self::Or),
        ("unless", Self::Unless),
    ];

    /// `==`, `>` and the like.
    pub const fn compares(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::Greater | Self::Less | Self::AtLeast | Self::AtMost)
    }

    /// `and`, `or`, `unless`.
    pub const fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// As it is written.
    pub fn sign(self) -> &'static str {
        Self::NAMES.iter().find(|(_, op)| *op == self).map_or("", |(sign, _)| sign)
    }
}

impl Select {
    pub(super) fn new(selector: Selector, shift: Shift) -> Self {
        let mut both = Both::default();
        selector.name.hash(&mut both);
        for Matcher { label, value, op } in &selector.matchers {
            (label, value, core::mem::discriminant(op)).hash(&mut both);
        }
        let digest = both.digest();
        Self { selector, shift, digest }
    }

    /// Equal for equal selectors, wherever in time.
    pub(super) const fn digest(&self) -> u128 {
        self.digest
    }
}

impl Node {
    pub(super) fn new(plan: Plan) -> Self {
        let mut node = Self { kind: plan.kind(), fixed: plan.fixed(), digest: 0, plan };
        node.digest = node.plan.digest();
        node
    }

    /// What it does.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The type of its value.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether its value is the same at every step of a query.
    pub(super) const fn fixed(&self) -> bool {
        self.fixed
    }

    /// Equal for equal sub-expressions.
    pub(super) const fn digest(&self) -> u128 {
        self.digest
    }

    /// The nodes directly below, from left to right.
    pub fn children(&self) -> Vec<&Self> {
        match &self.plan {
            Plan::Number(_) | Plan::Text(_) | Plan::Select(_) | Plan::Range(..) => Vec::new(),
            Plan::Subquery(sub) => vec![&*sub.of],
            Plan::Call(call) => call.args.iter().collect(),
            Plan::Aggregate(aggregate) => {
                aggregate.param.iter().map(|param| &**param).chain([&*aggregate.of]).collect()
            }
            Plan::Binary(binary) => vec![&*binary.left, &*binary.right],
            Plan::Negate(of) => vec![&**of],
        }
    }

    /// The same with what `change` makes of the nodes directly below.
    #[must_use]
    pub fn with_children(&self, change: &mut dyn FnMut(&Self) -> Self) -> Self {
        let mut plan = self.plan.clone();
        let below: Vec<&mut Self> = match &mut plan {
            Plan::Number(_) | Plan::Text(_) | Plan::Select(_) | Plan::Range(..) => Vec::new(),
            Plan::Subquery(sub) => vec![&mut *sub.of],
            Plan::Call(call) => call.args.iter_mut().collect(),
            Plan::Aggregate(aggregate) => vec![&mut *aggregate.of],
            Plan::Binary(binary) => vec![&mut *binary.left, &mut *binary.right],
            Plan::Negate(of) => vec![&mut **of],
        };
        for child in below {
            *child = change(child);
        }
        Self::new(plan)
    }

    /// The selector, when it is one.
    pub const fn select(&self) -> Option<&Select> {
        match &self.plan {
            Plan::Select(select) | Plan::Range(select, _) => Some(select),
            _ => None,
        }
    }

    /// Calls `visit` for this node and all below it, in the order of the text.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}

impl Plan {
    fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Scalar,
            Self::Text(_) => Kind::Text,
            Self::Select(_) | Self::Aggregate(_) => Kind::Vector,
            Self::Range(..) | Self::Subquery(_) => Kind::Matrix,
            Self::Call(call) => match call.function {
                Function::End
                | Function::MaxOf
                | Function::MinOf
                | Function::Pi
                | Function::QueryRange
                | Function::Scalar
                | Function::Start
                | Function::Step
                | Function::Time => Kind::Scalar,
                _ => Kind::Vector,
            },
            Self::Binary(binary) => {
                let scalar = |node: &Node| node.kind == Kind::Scalar;
                if scalar(&binary.left) && scalar(&binary.right) { Kind::Scalar } else { Kind::Vector }
            }
            Self::Negate(of) => of.kind,
        }
    }

    fn fixed(&self) -> bool {
        match self {
            Self::Number(_) | Self::Text(_) => true,
            Self::Select(select) | Self::Range(select, _) => select.shift.at.is_some(),
            Self::Subquery(sub) => sub.shift.at.is_some(),
            Self::Call(call) => !call.function.reads_time() && call.args.iter().all(Node::fixed),
            Self::Aggregate(aggregate) => {
                aggregate.of.fixed && aggregate.param.as_ref().is_none_or(|param| param.fixed)
            }
            Self::Binary(binary) => binary.left.fixed && binary.right.fixed,
            Self::Negate(of) => of.fixed,
        }
    }

    fn digest(&self) -> u128 {
        let mut both = Both::default();
        core::mem::discriminant(self).hash(&mut both);
        match self {
            Self::Number(number) => number.to_bits().hash(&mut both),
            Self::Text(text) => text.hash(&mut both),
            Self::Select(select) => (select.digest, select.shift).hash(&mut both),
            Self::Range(select, range) => (select.digest, select.shift, range).hash(&mut both),
            Self::Subquery(sub) => (sub.of.digest, sub.range, sub.step, sub.shift).hash(&mut both),
            Self::Call(call) => {
                call.function.hash(&mut both);
                call.args.iter().for_each(|arg| arg.digest.hash(&mut both));
            }
            Self::Aggregate(aggregate) => {
                (aggregate.op, aggregate.without, &aggregate.labels).hash(&mut both);
                (aggregate.param.as_ref().map(|param| param.digest), aggregate.of.digest).hash(&mut both);
            }
            Self::Binary(binary) => {
                let Matching { on, labels, card, include } = &binary.matching;
                (binary.op, binary.as_bool, on, labels, card, include).hash(&mut both);
                (binary.left.digest, binary.right.digest).hash(&mut both);
            }
            Self::Negate(of) => of.digest.hash(&mut both),
        }
        both.digest()
    }
}

/// Two hashes at once: 128 bits, so that two sub-expressions are taken for one another never in practice.
struct Both(DefaultHasher, DefaultHasher);

impl Default for Both {
    fn default() -> Self {
        let mut second = DefaultHasher::new();
        second.write_u8(1);
        Self(DefaultHasher::new(), second)
    }
}

impl Both {
    fn digest(&self) -> u128 {
        u128::from(self.0.finish()) << 64 | u128::from(self.1.finish())
    }
}

impl Hasher for Both {
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }
}
