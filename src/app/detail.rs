//! One alert or rule under the eye: what is asked of the store for it, anew each second while it is open.

use super::alerts::{self, Row, finding};
use super::answer;
use super::excerpt::{self, Looked};
use super::model::{Model, Overlay, Scroll};
use crate::base::time::Span;
use crate::base::{Clean, Level, Mono, SeriesKey};
use crate::clean;
use crate::rules::expr::{Coverage, Evaluator, Expr, Semantics, Value};
use crate::rules::finding::{AlertId, RuleHealth};
use crate::rules::live::{Live, WallOffset};
use crate::rules::rule::{Judge, Rule};
use crate::rules::threshold::threshold;
use core::time::Duration;

/// Columns of the picture.
const COLUMNS: u32 = 96;
/// What one of them covers.
const COLUMN: Duration = Duration::from_secs(5);

/// An open detail view.
#[derive(Debug, Default)]
pub struct Detail {
    /// The rule's place in the book.
    pub rule: usize,
    /// Which of its alerts; `None` shows the rule itself.
    pub alert: Option<AlertId>,
    /// Where the reader stands.
    pub scroll: Scroll,
    /// The course of what is judged, newest last; `None` is a gap.
    pub course: Vec<Option<f64>>,
    /// Effects of actions in it: so many columns left of the newest one.
    pub effects: Vec<u16>,
    /// The threshold that belongs into the picture.
    pub limit: Option<f64>,
    /// How much of the window was recorded, when that is less than asked.
    pub coverage: Option<Coverage>,
    /// The value now of each row of what is judged, the first ones.
    pub values: Vec<(Clean, f64)>,
    /// Why it does not fire.
    pub why_not: Clean,
    /// The line of a log that it is about.
    pub line: Option<Clean>,
    /// Up to where the logs were looked through for it.
    looked: Looked,
}

/// Values of a rule that are listed at most.
const VALUES: usize = 5;

/// Opens the detail of the alert or rule that is meant here, or closes it.
pub fn show(model: &mut Model) {
    let meant = match &model.overlay {
        Overlay::Detail(_) => return model.back(),
        Overlay::Alerts(list) => {
            let rows = alerts::rows(&model.book, &list.unfolded);
            match list.row(&rows) {
                Some(Row::Rule(rule)) => Some((*rule, None)),
                Some(Row::Broken(at)) => {
                    let text = model.book.broken().nth(*at).map(|(_, fault)| clean!("{fault}")).unwrap_or_default();
                    return model.session.say(text, Level::Warning, model.now);
                }
                Some(row) => alerts::meant(&model.book, row).into_iter().next().map(|id| (id.rule, Some(id))),
                None => None,
            }
        }
        _ => answer::subject(model).into_iter().next().map(|id| (id.rule, Some(id))),
    };
    let Some((rule, alert)) = meant else {
        return model.session.say("No alert is firing; the list has every rule.".into(), Level::Note, model.now);
    };
    model.open(Overlay::Detail(Box::new(Detail { rule, alert, ..Detail::default() })));
    refresh(model);
}

/// Asks the store anew for what the open detail shows.
pub fn refresh(model: &mut Model) {
    let Overlay::Detail(detail) = &mut model.overlay else { return };
    let mut detail = core::mem::take(detail);
    detail.ask(model);
    model.overlay = Overlay::Detail(detail);
}

/// The text of the detail for the clipboard.
pub fn copied(model: &Model, detail: &Detail) -> Vec<Clean> {
    let Some(rule) = model.book.rule(detail.rule) else { return Vec::new() };
    let mut lines = vec![rule.name.clone(), rule.expr.text().clone()];
    if let Some(id) = &detail.alert {
        lines.extend(id.key.labels.iter().map(|(name, value)| clean!("{name}={value}")));
        if let Some(found) = finding(&model.book, id) {
            lines.push(clean!("{} since {}", found.state.word(), model.clock_zone(found.since.wall)));
        }
        let annotations = ["summary", "description", "runbook_url"];
        lines.extend(annotations.iter().filter_map(|name| model.book.annotation(id, name)));
        lines.extend(detail.line.clone());
    }
    lines
}

impl Detail {
    fn ask(&mut self, model: &Model) {
        let Some(rule) = model.book.rule(self.rule) else { return };
        if self.alert.is_none() {
            // A quiet rule that finds something is looked at as that.
            let found = model.book.findings().iter().find(|found| found.id.rule == self.rule);
            self.alert = found.map(|found| found.id.clone());
        }
        let (of, limit) = judged(rule, self.alert.as_ref().and_then(|id| finding(&model.book, id)).map(|it| it.level));
        self.limit = limit;
        let live = Live::new(&model.store, model.now, &mut WallOffset::default());
        let mut evaluator = Evaluator::new(Semantics::Console);
        let now = live.now();
        self.coverage = None;
        self.values.clear();
        if let Ok(answer) = evaluator.instant(&of, &live, now) {
            self.coverage = answer.coverage;
            self.values = match answer.value {
                Value::Vector(rows) => rows.into_iter().take(VALUES).map(|row| (labels(&row.key), row.value)).collect(),
                Value::Scalar(value) => vec![(Clean::default(), value)],
                _ => Vec::new(),
            };
        }
        self.why_not = why_not(model, self, rule);
        // Once found it stays, however much the log has said since.
        let found = self.alert.as_ref().and_then(|id| finding(&model.book, id));
        let line = found.and_then(|found| excerpt::counted(model, found, &mut self.looked));
        self.line = line.or_else(|| self.line.take());
        let step = i64::try_from(COLUMN.as_millis()).unwrap_or(1);
        let begin = now.div_euclid(step) * step - step * i64::from(COLUMNS - 1);
        let Ok(answer) = evaluator.range(&of, &live, (begin, now), COLUMN) else { return };
        let Value::Matrix(tracks) = answer.value else { return };
        let meant = |key: &SeriesKey| {
            self.alert.as_ref().is_none_or(|id| {
                id.key.labels.iter().all(|(name, value)| key.label(name.as_str()).is_none_or(|known| known == value))
            })
        };
        let mut course = vec![None; usize::try_from(COLUMNS).unwrap_or(0)];
        for (at, value) in tracks.iter().filter(|track| meant(&track.key)).take(1).flat_map(|track| &track.points) {
            let column = usize::try_from((at - begin).div_euclid(step)).ok();
            if let Some(slot) = column.and_then(|column| course.get_mut(column)) {
                *slot = Some(*value);
            }
        }
        let back = |at: Mono| {
            let column = (live.millis(at) - begin).div_euclid(step);
            u16::try_from(i64::from(COLUMNS) - 1 - column).ok()
        };
        self.effects = model.board.marks.iter().filter_map(|mark| back(mark.at)).collect();
        self.course = if course.iter().any(Option::is_some) { course } else { Vec::new() };
    }
}

/// Labels as `PromQL` writes them, without braces.
pub fn labels(key: &SeriesKey) -> Clean {
    let all: Vec<String> = key.labels.iter().map(|(name, value)| format!("{name}={:?}", value.as_str())).collect();
    Clean::text(all.join(" "))
}

/// Why it does not fire, as a sentence.
fn why_not(model: &Model, detail: &Detail, rule: &Rule) -> Clean {
    if let Some(sentence) = model.book.health(detail.rule).and_then(RuleHealth::sentence) {
        return sentence;
    }
    let held = detail.alert.as_ref().and_then(|id| model.book.progress(id));
    if let Some((held, hold)) = held {
        return clean!("its condition holds since {}; it fires after {}", Span(held), Span(hold));
    }
    let unit = rule.unit();
    let Some((_, number)) = detail.values.first() else {
        return Clean::text("what it looks at gives no row now");
    };
    let value = unit.show(*number);
    match (rule.bands(), threshold(&rule.expr)) {
        (Some(bands), _) if bands.level(*number) > Level::Unknown => {
            clean!("{value} is bad, and not for long enough yet")
        }
        (Some(bands), _) => match bands.limit(Level::Warning) {
            Some(limit) => clean!("{value} is in its band; it is judged bad from {} on", unit.show(limit)),
            None => clean!("{value} is in its band"),
        },
        (None, Some(found)) => clean!("{value} is not {} {}", found.op.sign(), unit.show(found.limit)),
        (None, None) => Clean::text("its condition holds, and not for long enough"),
    }
}

/// What a rule measures, and the limit that belongs into its picture.
fn judged(rule: &Rule, level: Option<Level>) -> (Expr, Option<f64>) {
    match rule.alerting().map(|alerting| &alerting.judge) {
        Some(Judge::Bands(bands)) => {
            let level = level.filter(|level| bands.limit(*level).is_some()).unwrap_or(Level::Critical);
            (rule.expr.clone(), bands.limit(level))
        }
        _ => match threshold(&rule.expr) {
            Some(found) => (found.of, Some(found.limit)),
            None => (rule.expr.clone(), None),
        },
    }
}
