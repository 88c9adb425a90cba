//! The two sides of `or`: while the source of one gives nothing, the other counts alone, and who is missing is told.
//! A side that rests on no source (`or vector(0)`) stands in for nobody: absence never becomes its number.

use super::expr::Expr;
use super::expr::plan::{Binary, BinaryOp, Node, Plan};
use crate::base::Clean;
use crate::store::Selector;

/// What of an expression counts now.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// Without the sides that give nothing; `None` while all of it counts.
    left: Option<Expr>,
    /// Who is missing, and why.
    pub missing: Option<Clean>,
    /// What is missing is a condition of its own, not a second source of one value: whether it holds is not known.
    pub unknown: bool,
}

/// What is asked of selectors.
pub(super) trait Sources {
    /// Those of a part that must have data.
    fn needed(&self, part: &Node) -> Vec<Selector>;
    /// Whether anybody here can give it.
    fn can(&self, selector: &Selector) -> bool;
    /// Who of those behind these has given nothing for longer than it is believed, and why.
    fn gone(&mut self, selectors: &[Selector]) -> Option<Clean>;
}

impl Sides {
    pub(super) fn of(expr: &Expr, sources: &mut dyn Sources) -> Self {
        let mut sides = Self::default();
        let mut has_or = false;
        expr.plan().walk(&mut |node| has_or |= either(node).is_some());
        if has_or {
            let plan = sides.reduce(expr.plan(), sources);
            sides.left = sides.missing.is_some().then(|| expr.part(plan));
        }
        sides
    }

    /// What is to be asked.
    pub fn expr<'a>(&'a self, whole: &'a Expr) -> &'a Expr {
        self.left.as_ref().unwrap_or(whole)
    }

    fn reduce(&mut self, node: &Node, sources: &mut dyn Sources) -> Node {
        let Some(binary) = either(node) else { return node.with_children(&mut |child| self.reduce(child, sources)) };
        let sides = [&binary.left, &binary.right].map(|side| self.reduce(side, sources));
        let needed = sides.each_ref().map(|side| sources.needed(side));
        if needed.iter().any(|of| of.is_empty() || !of.iter().all(|selector| sources.can(selector))) {
            return rebuilt(node, sides);
        }
        let gone = needed.map(|of| sources.gone(&of));
        let [left, right] = sides;
        match gone {
            [Some(why), None] => self.leave(&left, right, why),
            [None, Some(why)] => self.leave(&right, left, why),
            _ => rebuilt(node, [left, right]),
        }
    }

    fn leave(&mut self, side: &Node, other: Node, why: Clean) -> Node {
        self.unknown |= is_condition(side);
        self.missing.get_or_insert(why);
        other
    }
}

fn rebuilt(node: &Node, sides: [Node; 2]) -> Node {
    let mut sides = sides.into_iter();
    node.with_children(&mut |child| sides.next().unwrap_or_else(|| child.clone()))
}

fn either(node: &Node) -> Option<&Binary> {
    match node.plan() {
        Plan::Binary(binary) if binary.op == BinaryOp::Or => Some(binary),
        _ => None,
    }
}

/// It answers only where something holds: that it has no row says something.
fn is_condition(side: &Node) -> bool {
    let mut found = false;
    side.walk(&mut |node| {
        found |= matches!(node.plan(), Plan::Binary(binary) if binary.op.compares() && !binary.as_bool
            || matches!(binary.op, BinaryOp::And | BinaryOp::Unless));
    });
    found
}
