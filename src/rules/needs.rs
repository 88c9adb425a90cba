//! What an expression cannot do without: its selectors apart from those whose absence is an answer, who feeds them,
//! and whether they all speak.

use super::expr::Expr;
use super::expr::function::{Function, Over};
use super::expr::plan::{BinaryOp, Node, Plan};
use super::live::{Feeding, Live, Readiness};
use super::sides::{Sides, Sources};
use crate::base::{Clean, Freshness, Mono};
use crate::clean;
use crate::store::Selector;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Of every rule that records: the name it records under, and what it asks.
pub(super) type Recording = HashMap<Arc<str>, Expr>;

/// Who feeds an expression, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// The selectors that must have data.
    pub(super) selectors: Vec<Selector>,
    /// What of it counts: each `or` without a side that gives nothing.
    pub(super) sides: Sides,
    /// By selector, names of feeders.
    by_selector: Vec<BTreeSet<Arc<str>>>,
    feeders: BTreeMap<Arc<str>, Feeding>,
}

/// What feeds one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Footing {
    /// Who gives nothing, and why; `None` while all do.
    pub(super) silent: Option<Clean>,
    /// Somebody fails; else whoever is silent has not spoken yet, or is late.
    pub(super) fails: bool,
    /// The newest tick of any feeder; `None` when nothing feeds the row: it is new whenever it is looked at.
    pub(super) tick: Option<Mono>,
    /// The oldest of the last ticks of the silent: since then something is missing.
    pub(super) lost: Option<Mono>,
    /// The slowest feeder's interval.
    pub(super) every: Duration,
}

impl Needs {
    /// Looks at who feeds the expression. What a recorded series rests on is what its rule rests on.
    pub(super) fn of(expr: &Expr, resting: &mut Resting<'_>) -> Self {
        let sides = Sides::of(expr, resting);
        let selectors = resting.needed(sides.expr(expr).plan());
        let mut needs = Self { selectors, sides, ..Self::default() };
        for selector in &needs.selectors {
            let mut names = BTreeSet::new();
            for feeding in resting.on(core::slice::from_ref(selector)) {
                names.insert(Arc::clone(&feeding.name));
                needs.feeders.insert(Arc::clone(&feeding.name), feeding);
            }
            needs.by_selector.push(names);
        }
        needs
    }

    /// Looks at the same feeders again.
    pub(super) fn refresh(&mut self, live: &Live<'_>) {
        for feeding in self.feeders.values_mut() {
            if let Some(again) = live.again(feeding) {
                *feeding = again;
            }
        }
    }

    /// What a row with this label `job` rests on: of each selector the feeder of that name where there is one, else
    /// all of them. `None` is the whole expression.
    pub(super) fn footing(&self, job: Option<&str>) -> Footing {
        let mut names: BTreeSet<&Arc<str>> = BTreeSet::new();
        for set in &self.by_selector {
            match job.and_then(|job| set.get(job)) {
                Some(own) => drop(names.insert(own)),
                None => names.extend(set),
            }
        }
        let of = || names.iter().filter_map(|name| self.feeders.get(*name));
        let silent = || of().filter(|feeder| feeder.failing.is_some() || feeder.late);
        Footing {
            silent: silent().next().map(why),
            fails: of().any(|feeder| feeder.failing.is_some()),
            tick: of().filter_map(|feeder| feeder.good).max(),
            lost: silent().map(|feeder| feeder.good.unwrap_or_default()).min(),
            every: of().map(|feeder| feeder.every).max().unwrap_or_default(),
        }
    }
}

/// Who is behind selectors, worked out once for one moment.
#[derive(Debug)]
pub(super) struct Resting<'a> {
    live: &'a Live<'a>,
    recording: &'a Recording,
    /// Of a rule that records, who is behind what counts of it. Empty while that is being worked out: a rule that reads
    /// what it records rests on nothing more for it.
    known: HashMap<Arc<str>, Vec<Feeding>>,
}

impl<'a> Resting<'a> {
    pub(super) fn new(live: &'a Live<'a>, recording: &'a Recording) -> Self {
        Self { live, recording, known: HashMap::new() }
    }

    /// The samplers below these selectors.
    fn on(&mut self, selectors: &[Selector]) -> Vec<Feeding> {
        let mut out = Vec::new();
        for feeding in self.live.feeding(selectors) {
            let Some(below) = self.recording.get(&feeding.name) else {
                out.push(feeding);
                continue;
            };
            if !self.known.contains_key(&feeding.name) {
                self.known.insert(Arc::clone(&feeding.name), Vec::new());
                let sides = Sides::of(below, self);
                let behind = self.on(sides.expr(below).selectors());
                self.known.insert(Arc::clone(&feeding.name), behind);
            }
            out.extend(self.known.get(&feeding.name).into_iter().flatten().cloned());
        }
        out
    }
}

impl Sources for Resting<'_> {
    fn needed(&self, part: &Node) -> Vec<Selector> {
        let mut out = Vec::new();
        needed(part, &|selector| self.can(selector), &mut out);
        out
    }

    fn can(&self, selector: &Selector) -> bool {
        let one = core::slice::from_ref(selector);
        !matches!(self.live.readiness(one, Duration::ZERO), Readiness::NoSuchMetric { .. } | Readiness::Refused { .. })
    }

    fn gone(&mut self, selectors: &[Selector]) -> Option<Clean> {
        let now = self.live.moment_now().mono;
        let gone = |feeder: &Feeding| match feeder.good {
            Some(good) => {
                let failing = feeder.failing.is_some();
                (failing || feeder.late) && Freshness::judge(now.since(good), feeder.every, failing) >= Freshness::Stale
            }
            None => feeder.failing.is_some(),
        };
        self.on(selectors).iter().find(|feeder| gone(feeder)).map(why)
    }
}

/// Why somebody gives nothing.
fn why(feeder: &Feeding) -> Clean {
    match &feeder.failing {
        Some(why) => clean!("{}: {why}", feeder.name),
        None if feeder.good.is_none() => clean!("{} has not answered yet.", feeder.name),
        None => clean!("{} is late.", feeder.name),
    }
}

/// The selectors that must have data for the expression to mean something.
fn needed(node: &Node, makes: &dyn Fn(&Selector) -> bool, out: &mut Vec<Selector>) {
    match node.plan() {
        Plan::Call(call) if matches!(call.function, Function::Absent | Function::Over(Over::Absent)) => {}
        Plan::Binary(binary) if binary.op == BinaryOp::Or => {
            let sides = [&binary.left, &binary.right].map(|side| {
                let mut of = Vec::new();
                needed(side, makes, &mut of);
                of
            });
            let [left, right] = &sides;
            // What one side cannot say here, the other may.
            let can = [left, right].map(|side| side.iter().all(makes));
            match can {
                [false, true] => out.extend_from_slice(right),
                [true | false, false] => out.extend_from_slice(left),
                [true, true] => sides.into_iter().for_each(|mut side| out.append(&mut side)),
            }
        }
        Plan::Binary(binary) if binary.op == BinaryOp::Unless => {
            needed(&binary.left, makes, out);
            let mut right = Vec::new();
            needed(&binary.right, makes, &mut right);
            out.extend(right.into_iter().filter(makes));
        }
        _ => {
            out.extend(node.select().map(|select| select.selector.clone()));
            node.children().into_iter().for_each(|child| needed(child, makes, out));
        }
    }
}
