//! Rows of several series side by side: one row a value of a label, one column an expression.

use super::asked::{self, Asked, Sight};
use super::form::Line as Typed;
use super::metric::telling;
use super::trouble;
use crate::base::{Clean, Freshness, Mono, SeriesKey, Unit, Unknown, Words};
use crate::rules::Bands;
use crate::rules::expr::{Evaluator, Expr, Track};
use core::time::Duration;

/// More rows are counted, not kept.
const ROWS: usize = 500;

/// As a label it stands for a series with its name and all of its labels.
const NAME: &str = "__name__";

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Above it.
    pub title: Clean,
    /// What it shows of each row.
    pub expr: Expr,
    /// Base unit.
    pub unit: Unit,
    /// What its numbers stand for.
    pub words: Option<Words>,
    /// What marks a cell with a level. It raises no alert.
    pub bands: Option<Bands>,
}

/// One row: its name, and a value for each column that has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The value of the label, or what tells the series from the others.
    pub name: Clean,
    /// In base units, in the order of the columns.
    pub cells: Vec<Option<f64>>,
    /// The course of the first column, oldest first; empty where the table shows none.
    pub course: Vec<Option<f64>>,
}

/// Points of a row's course.
pub const POINTS: u32 = 24;
/// It is asked for no more often.
const COURSE: Duration = Duration::from_secs(2);

/// When the oldest of it was seen, and how far that may be believed; or why there is nothing.
type Believed = Result<(Mono, Freshness), Unknown>;

/// What comes first in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The largest of the first column.
    #[default]
    Descending,
    /// The smallest.
    Ascending,
    /// By the rows' names, numbers by their size.
    Label,
}

/// A table as of the last refresh.
#[derive(Clone, Debug)]
pub struct Table {
    /// The label that names a row; without one, whatever tells its series from the others.
    pub label: Option<Clean>,
    /// From left to right.
    pub columns: Vec<Column>,
    /// What comes first.
    pub order: Order,
    /// What was last seen.
    pub rows: Vec<Line>,
    /// When the oldest of what it shows was seen, and how far that may be believed; or why there is nothing.
    pub believed: Believed,
    /// Why one of its sources gives nothing new, or fails, and since when.
    pub why: Option<Unknown>,
    /// When the newest of what it shows was observed: a window may reach far back.
    pub newest: Option<Mono>,
    /// Made up by a stand-in.
    pub simulated: bool,
    /// How far the course before each row reaches.
    pub chart: Option<Duration>,
    asked: Asked,
    courses: Vec<(Clean, Vec<Option<f64>>)>,
    charted: Option<Mono>,
}

impl Table {
    /// An empty one.
    pub fn new(label: Option<Clean>, columns: Vec<Column>, order: Order) -> Self {
        let believed = Err(Unknown::NotYet);
        Self {
            label,
            columns,
            order,
            rows: Vec::new(),
            believed,
            why: None,
            newest: None,
            simulated: false,
            chart: None,
            asked: Asked::default(),
            courses: Vec::new(),
            charted: None,
        }
    }

    /// The rows whose names have every word that is typed, small or capital.
    pub fn found(&self, find: &Typed) -> Vec<Line> {
        let text = find.text().as_str().to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let has = |row: &&Line| {
            let name = row.name.as_str().to_lowercase();
            words.iter().all(|word| name.contains(word))
        };
        self.rows.iter().filter(has).cloned().collect()
    }

    /// Asks anew, unless it was asked just now.
    pub(super) fn refresh(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator) {
        if !self.asked.due(sight) {
            return;
        }
        let (mut rows, believed) = self.gather(sight, evaluator);
        self.newest = self.seen(sight);
        let first = |row: &Line| row.cells.first().copied().flatten();
        let number = |row: &Line| row.name.as_str().parse::<f64>().ok();
        rows.sort_by(|a, b| {
            let (a_value, b_value) = (first(a), first(b));
            let order = match (a_value, b_value) {
                _ if self.order == Order::Label => match (number(a), number(b)) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    (a, b) => b.is_some().cmp(&a.is_some()),
                },
                (Some(a), Some(b)) if self.order == Order::Ascending => a.total_cmp(&b),
                (Some(a), Some(b)) => b.total_cmp(&a),
                _ => b_value.is_some().cmp(&a_value.is_some()),
            };
            order.then_with(|| a.name.cmp(&b.name))
        });
        rows.truncate(ROWS);
        self.follow(sight, evaluator);
        for row in &mut rows {
            let course = self.courses.iter().find(|(name, _)| *name == row.name);
            row.course = course.map(|(_, course)| course.clone()).unwrap_or_default();
        }
        let of = |column: &Column| {
            let sides = sight.book.sides(&column.expr, &sight.live);
            let feeders = sight.store.feeders(sides.expr(&column.expr).selectors());
            trouble::among(&feeders, sight.now.mono, sight.zone).or_else(|| asked::instead(&sides))
        };
        let mut troubles = self.columns.iter().filter_map(of);
        let trouble = troubles.next().map(Unknown::Failed);
        match (believed.unwrap_or(Err(Unknown::NotYet)), &self.believed) {
            // What stood there keeps its place, without its values.
            (Err(why), Ok((seen, _))) if !self.rows.is_empty() => {
                self.believed = Ok((*seen, Freshness::Stale));
                self.why = trouble.or(Some(why));
            }
            (Err(Unknown::Failed(why)), _) => {
                self.rows = rows;
                self.why = None;
                self.believed = Err(trouble.unwrap_or(Unknown::Failed(why)));
            }
            (believed, _) => {
                self.why = trouble;
                self.rows = rows;
                self.believed = believed;
            }
        }
    }

    /// When the newest of its series had a value.
    fn seen(&self, sight: &Sight<'_>) -> Option<Mono> {
        let selectors = self.columns.iter().flat_map(|column| column.expr.selectors());
        let ids = selectors.flat_map(|selector| sight.store.select(selector));
        ids.filter_map(|id| sight.store.seen(id)).max()
    }

    /// The cells of every column by the names of their rows, and how far all of it may be believed.
    fn gather(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator) -> (Vec<Line>, Option<Believed>) {
        let mut rows: Vec<Line> = Vec::new();
        let mut believed: Option<Believed> = None;
        self.simulated = false;
        for (at, column) in self.columns.iter().enumerate() {
            let (found, fresh, simulated) = asked::rows(&column.expr, sight, evaluator);
            self.simulated |= simulated;
            believed = Some(match (believed.take(), fresh) {
                (None, fresh) => fresh,
                (Some(Ok((seen, worst))), Ok((also, fresh))) => Ok((also.min(seen), fresh.max(worst))),
                (Some(first), _) => first,
            });
            for row in &found {
                let name = self.name(&row.key, &found.iter().map(|row| &row.key));
                let place = rows.iter().position(|known| known.name == name).unwrap_or_else(|| {
                    rows.push(Line { name, cells: vec![None; self.columns.len()], course: Vec::new() });
                    rows.len() - 1
                });
                if let Some(cell) = rows.get_mut(place).and_then(|row| row.cells.get_mut(at)) {
                    *cell = Some(row.value);
                }
            }
        }
        (rows, believed)
    }

    /// Where a moment lies in the courses of the rows: so many points left of the newest one.
    pub fn back(&self, at: Mono) -> Option<u16> {
        let (reach, newest) = (self.chart?, self.charted?);
        let points = newest.since(at).as_millis().checked_div((reach / POINTS).as_millis())?;
        u16::try_from(points).ok().filter(|points| at <= newest && u32::from(*points) < POINTS)
    }

    /// The course of each row, every now and then.
    fn follow(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator) {
        let (Some(reach), Some(column)) = (self.chart, self.columns.first()) else { return };
        let now = sight.now.mono;
        if self.charted.is_some_and(|at| now.since(at) < COURSE.max(reach / POINTS)) {
            return;
        }
        self.charted = Some(now);
        let step = reach / POINTS;
        let begin = now - step * (POINTS - 1);
        let tracks = asked::tracks(&column.expr, sight, evaluator, (begin, step));
        let keys = tracks.iter().map(|track| &track.key);
        let of = |track: &Track| {
            let mut course = vec![None; POINTS as usize];
            for (at, value) in &track.points {
                let since = sight.mono(*at).since(begin).as_millis().checked_div(step.as_millis()).unwrap_or(0);
                let place = usize::try_from(since).ok().and_then(|at| course.get_mut(at));
                if let Some(place) = place {
                    *place = Some(*value).filter(|value| value.is_finite());
                }
            }
            (self.name(&track.key, &keys), course)
        };
        self.courses = tracks.iter().map(of).collect();
    }

    fn name<'a>(&self, key: &SeriesKey, all: &(impl Iterator<Item = &'a SeriesKey> + Clone)) -> Clean {
        match &self.label {
            Some(label) if label.as_str() == NAME => written(key),
            Some(label) => key.label(label.as_str()).cloned().unwrap_or_default(),
            None => telling(all, key).unwrap_or_default(),
        }
    }
}

/// `name{label="value"}`.
fn written(key: &SeriesKey) -> Clean {
    let labels: Vec<String> = key.labels.iter().map(|(name, value)| format!("{name}={:?}", value.as_str())).collect();
    if labels.is_empty() { key.name.clone() } else { crate::clean!("{}{{{}}}", key.name, labels.join(",")) }
}
