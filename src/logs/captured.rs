//! Numbers that lines of a pattern say: a group of its expression becomes a metric, other groups its labels.

use crate::base::{Clean, Point};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Looks that a summary tells of: five minutes, of one look in two seconds; less while bad lines ask for more of them.
const LOOKS: usize = 150;
/// Numbers of one metric in that time; beyond it the oldest go first.
const NUMBERS: usize = 10_000;
/// Sets of labels of one metric: what comes after is told together, its labels `other`.
const SETS: usize = 100;
const QUANTILES: [(f64, &str); 4] = [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99"), (1.0, "1")];

/// What is taken out of the lines of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    /// The group that is the number.
    pub group: String,
    /// The metric's name.
    pub metric: String,
    /// What the number is multiplied by, to be of the metric's unit.
    pub scale: f64,
    /// What several lines of one look become.
    pub shape: Shape,
    /// Groups that are labels.
    pub labels: Vec<String>,
}

/// A text that lines say, told as a fact: the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// The group that is the text.
    pub group: String,
    /// The fact's name.
    pub fact: Clean,
}

/// A longer text is cut.
const SAID: usize = 200;

impl Saying {
    /// What a line says, if it says it.
    pub(super) fn take(&self, found: &regex::Captures<'_>) -> Option<Clean> {
        let said = found.name(&self.group)?.as_str();
        let end = said.char_indices().nth(SAID).map_or(said.len(), |(at, _)| at);
        let (kept, rest) = said.split_at_checked(end)?;
        Some(Clean::cut(kept, rest.len())).filter(|said| !said.as_str().is_empty())
    }
}

/// What several numbers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A gauge: the largest since the last look; absent where no line came.
    Max,
    /// A gauge: the newest since the last look; absent where no line came.
    Last,
    /// A summary as Prometheus has it: quantiles of the last five minutes, `_sum` and `_count` of all time.
    Summary,
}

impl Captured {
    /// The names of the series that it gives.
    pub fn names(&self) -> Vec<String> {
        match self.shape {
            Shape::Max | Shape::Last => vec![self.metric.clone()],
            Shape::Summary => ["", "_sum", "_count"].map(|end| format!("{}{end}", self.metric)).to_vec(),
        }
    }
}

/// The numbers of one metric of one source, by its labels.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    sets: BTreeMap<Vec<String>, Set>,
}

#[derive(Debug, Default)]
struct Set {
    /// Since the last look.
    new: Option<f64>,
    /// Of each look, the oldest first.
    looks: VecDeque<Vec<f64>>,
    kept: usize,
    sum: f64,
    count: u64,
}

impl Numbers {
    /// Takes what a line says. What is no number, or not finite, is passed over.
    pub(super) fn take(&mut self, of: &Captured, found: &regex::Captures<'_>) {
        let text = |group: &str| found.name(group).map(|group| group.as_str());
        let number = text(&of.group).and_then(|text| text.replace([',', '_'], "").parse::<f64>().ok());
        let Some(number) = number.map(|number| number * of.scale).filter(|number| number.is_finite()) else { return };
        let mut labels: Vec<String> =
            of.labels.iter().map(|group| text(group).unwrap_or_default().to_owned()).collect();
        if self.sets.len() >= SETS && !self.sets.contains_key(&labels) {
            labels = vec!["other".to_owned(); labels.len()];
        }
        let set = self.sets.entry(labels).or_default();
        set.new = Some(match of.shape {
            Shape::Max => set.new.map_or(number, |old| old.max(number)),
            Shape::Last | Shape::Summary => number,
        });
        if of.shape == Shape::Summary {
            (set.sum, set.count) = (set.sum + number, set.count.saturating_add(1));
            if set.looks.is_empty() {
                set.looks.push_back(Vec::new());
            }
            // Of one look too: a flood would fill memory before the next.
            if let Some(look) = set.looks.back_mut().filter(|look| look.len() < NUMBERS) {
                look.push(number);
                set.kept = set.kept.saturating_add(1);
            }
        }
    }

    /// What there is to tell of one look; the next one begins.
    pub(super) fn look(&mut self, of: &Captured, source: &Arc<str>) -> Vec<Point> {
        let mut points = Vec::new();
        for (texts, set) in &mut self.sets {
            let mut labels = vec![("source", &**source)];
            labels.extend(of.labels.iter().map(String::as_str).zip(texts.iter().map(String::as_str)));
            match of.shape {
                Shape::Max | Shape::Last => {
                    points.extend(set.new.take().map(|number| Point::named(&of.metric, &labels, number)));
                }
                Shape::Summary => points.extend(set.summary(&of.metric, &labels)),
            }
        }
        points
    }
}

impl Set {
    fn summary(&mut self, metric: &str, labels: &[(&str, &str)]) -> Vec<Point> {
        let mut all: Vec<f64> = self.looks.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let mut points = vec![
            Point::counter(&format!("{metric}_sum"), labels, self.sum),
            Point::counter(&format!("{metric}_count"), labels, self.count as f64),
        ];
        for (quantile, word) in QUANTILES.into_iter().filter(|_| !all.is_empty()) {
            let mut labels = labels.to_vec();
            labels.push(("quantile", word));
            points.push(Point::gauge(metric, &labels, rank(&all, quantile)));
        }
        self.looks.push_back(Vec::new());
        while self.looks.len() > LOOKS || self.kept > NUMBERS && self.looks.len() > 1 {
            self.kept = self.kept.saturating_sub(self.looks.pop_front().map_or(0, |look| look.len()));
        }
        points
    }
}

/// The nearest-rank quantile of sorted numbers: always one that was seen.
fn rank(sorted: &[f64], quantile: f64) -> f64 {
    let wanted = quantile * sorted.len() as f64;
    let reached = |(at, _): &(usize, &f64)| at.saturating_add(1) as f64 >= wanted;
    sorted.iter().enumerate().find(reached).map_or(f64::NAN, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(shape: Shape, labels: &[&str]) -> Captured {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Captured { group: "ms".into(), metric: "blocked_seconds".into(), scale: 0.001, shape, labels }
    }

    fn seen(of: &Captured, numbers: &mut Numbers, lines: &[&str]) -> Vec<String> {
        let regex = regex::Regex::new(r"(?<task>\w+) took (?<ms>\S+) ms").expect("compiles");
        lines.iter().filter_map(|line| regex.captures(line)).for_each(|found| numbers.take(of, &found));
        let points = numbers.look(of, &"app".into());
        let shown = |point: &Point| {
            let labels: Vec<String> = point.key.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}{{{}}} {}", point.key.name, labels.join(","), point.value)
        };
        points.iter().map(shown).collect()
    }

    #[test]
    fn a_gauge_tells_what_came_since_the_last_look_and_nothing_where_nothing_came() {
        let (max, last) = (captured(Shape::Max, &["task"]), captured(Shape::Last, &[]));
        let lines = ["a took 75 ms", "a took 60 ms", "b took 1,250 ms", "a took long ms"];
        let mut numbers = Numbers::default();
        let expected = ["blocked_seconds{source=app,task=a} 0.075", "blocked_seconds{source=app,task=b} 1.25"];
        assert_eq!(seen(&max, &mut numbers, &lines), expected);
        assert_eq!(seen(&max, &mut numbers, &[]), Vec::<String>::new());
        assert_eq!(seen(&last, &mut Numbers::default(), &lines), ["blocked_seconds{source=app} 1.25"]);
    }

    #[test]
    fn a_summary_has_the_quantiles_of_its_window_and_counts_that_only_rise() {
        let (of, mut numbers) = (captured(Shape::Summary, &[]), Numbers::default());
        let lines: Vec<String> = (1..=100).map(|ms| format!("a took {ms} ms")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let told = seen(&of, &mut numbers, &lines);
        let value = |told: &[String], name: &str| -> f64 {
            let line = told.iter().find(|line| line.starts_with(name)).expect("told");
            line.rsplit(' ').next().and_then(|text| text.parse().ok()).expect("a number")
        };
        let p95 = "blocked_seconds{quantile=0.95,source=app}";
        assert!((value(&told, p95) - 0.095).abs() < 1e-12, "by hand: the 95th of 100: {told:?}");
        assert!((value(&told, "blocked_seconds_count") - 100.0).abs() < f64::EPSILON);
        for _ in 0..LOOKS {
            seen(&of, &mut numbers, &[]);
        }
        let later = seen(&of, &mut numbers, &[]);
        assert_eq!(later.len(), 2, "the window is empty, and no quantile is made up: {later:?}");
        assert!((value(&later, "blocked_seconds_sum") - 5.05).abs() < 1e-9);
    }

    #[test]
    fn neither_many_labels_nor_many_numbers_grow_without_end() {
        let (of, mut numbers) = (captured(Shape::Summary, &["task"]), Numbers::default());
        for at in 0..3 {
            let lines: Vec<String> = (0..30_000).map(|n| format!("t{} took {n} ms", n % 300 + at)).collect();
            seen(&of, &mut numbers, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        assert_eq!(numbers.sets.len(), SETS + 1);
        assert!(
            numbers.sets.contains_key(&vec!["other".to_owned()]),
            "what has no place of its own is told all the same"
        );
        let one = captured(Shape::Summary, &[]);
        let mut numbers = Numbers::default();
        for _ in 0..20 {
            let lines: Vec<String> = (0..2_000).map(|n| format!("a took {n} ms")).collect();
            seen(&one, &mut numbers, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let kept: usize = numbers.sets.values().map(|set| set.looks.iter().map(Vec::len).sum::<usize>()).sum();
        assert!(kept <= NUMBERS, "{kept}");
    }
}
