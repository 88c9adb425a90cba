//! Expands a template. What fails shows as it was written; the rest goes on.

use super::Scope;
use super::functions::{Function, index};
use super::parse::{Command, Node, Operand, Pipeline};
use super::value::{Val, labels_from, labels_of};
use crate::base::clean::LINE_LIMIT;
use std::rc::Rc;

/// Nodes and calls of one expansion.
const MOST_STEPS: usize = 20_000;
/// Queries of one expansion: each may be as dear as a rule.
const MOST_QUERIES: usize = 20;

/// Something could not be expanded.
#[derive(Debug)]
pub(super) struct Fail;

/// What a node asks its surroundings to do.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// One expansion.
pub(super) struct Run<'a, 'b> {
    scope: &'a mut Scope<'b>,
    variables: Vec<(String, Val)>,
    out: String,
    steps: usize,
    queries: usize,
}

pub(super) fn run(nodes: &[Node], scope: &mut Scope<'_>) -> String {
    let variables = [
        ("$", Val::Root),
        ("$labels", labels_from(scope.labels)),
        ("$externalLabels", labels_from(scope.external)),
        ("$value", Val::Float(scope.value)),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
    let mut run = Run { scope, variables, out: String::new(), steps: 0, queries: 0 };
    // A `break` outside of every range ends nothing.
    let _flow: Flow = run.nodes(nodes, &Val::Root);
    run.out
}

impl Run<'_, '_> {
    pub(super) fn at(&self) -> i64 {
        self.scope.at
    }

    pub(super) fn query(&mut self, text: &str) -> Result<Val, Fail> {
        self.queries += 1;
        if self.queries > MOST_QUERIES {
            return Err(Fail);
        }
        let rows = (self.scope.query)(text).map_err(|_| Fail)?;
        Ok(Val::Samples(rows.into_iter().map(Rc::new).collect()))
    }

    /// Enough is enough: what has been written so far stays.
    fn spent(&mut self) -> bool {
        self.steps += 1;
        self.steps > MOST_STEPS || self.out.len() > LINE_LIMIT
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Val) -> Flow {
        for node in nodes {
            if self.spent() {
                return Flow::Break;
            }
            let flow = match node {
                Node::Text(text) | Node::Raw(text) => {
                    self.out += text;
                    Flow::On
                }
                Node::Print(pipeline, raw) => {
                    self.print(pipeline, raw, dot);
                    Flow::On
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
                Node::If(raw, arms, otherwise) => self.choose(raw, arms, otherwise, dot, false),
                Node::With(raw, arms, otherwise) => self.choose(raw, arms, otherwise, dot, true),
                Node::Range(raw, over, body, otherwise) => self.range(raw, over, body, otherwise, dot),
            };
            if flow != Flow::On {
                return flow;
            }
        }
        Flow::On
    }

    fn print(&mut self, pipeline: &Pipeline, raw: &str, dot: &Val) {
        let value = self.pipeline(pipeline, dot);
        match value.ok().and_then(|value| if pipeline.names.is_empty() { value.show() } else { Some(String::new()) }) {
            Some(text) => self.out += &text,
            None => self.out += raw,
        }
    }

    fn choose(&mut self, raw: &str, arms: &[(Pipeline, Vec<Node>)], otherwise: &[Node], dot: &Val, with: bool) -> Flow {
        let kept = self.variables.len();
        let mut flow = None;
        for (head, body) in arms {
            match self.pipeline(head, dot) {
                Ok(value) if value.truth() => {
                    flow = Some(self.nodes(body, if with { &value } else { dot }));
                    break;
                }
                Ok(_) => {}
                Err(Fail) => {
                    self.out += raw;
                    flow = Some(Flow::On);
                    break;
                }
            }
        }
        let flow = flow.unwrap_or_else(|| self.nodes(otherwise, dot));
        self.variables.truncate(kept);
        flow
    }

    fn range(&mut self, raw: &str, over: &Pipeline, body: &[Node], otherwise: &[Node], dot: &Val) -> Flow {
        let kept = self.variables.len();
        let Ok(items) = self.commands(over, dot).and_then(|value| items(&value)) else {
            self.out += raw;
            return Flow::On;
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, item) in items {
            match &over.names[..] {
                [] => {}
                [one] => self.variables.push((one.clone(), item.clone())),
                [first, second, ..] => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), item.clone()));
                }
            }
            let flow = self.nodes(body, &item);
            self.variables.truncate(kept);
            if flow == Flow::Break || self.spent() {
                break;
            }
        }
        Flow::On
    }

    /// Its value, given to its variables where it has some.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Val) -> Result<Val, Fail> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.names {
            match self.variables.iter_mut().rev().find(|(known, _)| known == name && !pipeline.fresh) {
                Some((_, held)) => *held = value.clone(),
                None => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Val) -> Result<Val, Fail> {
        let mut piped = None;
        for command in &pipeline.commands {
            if self.spent() {
                return Err(Fail);
            }
            piped = Some(match (command, piped) {
                (Command::Value(operand), None) => self.operand(operand, dot)?,
                (Command::Value(_), Some(_)) => return Err(Fail),
                (Command::Call(function, args), last) => self.call(*function, args, last, dot)?,
            });
        }
        piped.ok_or(Fail)
    }

    fn call(&mut self, function: Function, args: &[Operand], last: Option<Val>, dot: &Val) -> Result<Val, Fail> {
        let mut values = Vec::with_capacity(args.len() + 1);
        for arg in args {
            let value = self.operand(arg, dot)?;
            // `and` and `or` stop at the argument that decides.
            let decided = match function {
                Function::And => !value.truth(),
                Function::Or => value.truth(),
                _ => false,
            };
            if decided {
                return Ok(value);
            }
            values.push(value);
        }
        values.extend(last);
        function.call(&values, self)
    }

    fn operand(&mut self, operand: &Operand, dot: &Val) -> Result<Val, Fail> {
        match operand {
            Operand::Literal(literal) => Ok(literal.value()),
            Operand::Dot => Ok(dot.clone()),
            Operand::Variable(name) => {
                let held = self.variables.iter().rev().find(|(known, _)| known == name);
                held.map(|(_, value)| value.clone()).ok_or(Fail)
            }
            Operand::Call(function) => self.call(*function, &[], None, dot),
            Operand::Nested(pipeline) => self.pipeline(pipeline, dot),
            Operand::Field(of, name) => {
                let of = self.operand(of, dot)?;
                self.field(&of, name)
            }
        }
    }

    fn field(&self, of: &Val, name: &str) -> Result<Val, Fail> {
        match (of, name) {
            (Val::Root, "Labels") => Ok(labels_from(self.scope.labels)),
            (Val::Root, "ExternalLabels") => Ok(labels_from(self.scope.external)),
            (Val::Root, "Value") => Ok(Val::Float(self.scope.value)),
            (Val::Sample(row), "Labels") => Ok(labels_of(row)),
            (Val::Sample(row), "Value") => Ok(Val::Float(row.value)),
            (Val::Labels(_) | Val::Args(_), _) => index(of, &Val::text(name)),
            _ => Err(Fail),
        }
    }
}

/// Keys and elements in the order that Go visits them.
fn items(of: &Val) -> Result<Vec<(Val, Val)>, Fail> {
    let numbered = |at: usize| i64::try_from(at).map_or(Val::Nil, Val::Int);
    match of {
        Val::Nil => Ok(Vec::new()),
        Val::Labels(labels) => {
            Ok(labels.iter().map(|(name, value)| (Val::text(name), Val::Text(Rc::clone(value)))).collect())
        }
        Val::Samples(rows) => {
            Ok(rows.iter().enumerate().map(|(at, row)| (numbered(at), Val::Sample(Rc::clone(row)))).collect())
        }
        Val::Args(args) => Ok(args.iter().map(|(name, value)| (Val::text(name), value.clone())).collect()),
        Val::Int(count) => {
            let count = (*count).clamp(0, i64::try_from(MOST_STEPS).unwrap_or(0));
            Ok((0..count).map(|at| (Val::Int(at), Val::Int(at))).collect())
        }
        _ => Err(Fail),
    }
}
