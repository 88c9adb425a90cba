//! What was counted of each source: lines by level, lines that were dropped, matches of each pattern. Counters only
//! rise, so that `rate()` and `increase()` say what happens per minute.

use super::captured::{Captured, Numbers, Saying};
use super::matching::LogPatterns;
use crate::base::{Clean, LogLevel, LogLine, Observation, Point};
use crate::sys::news::News;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines, by source and level.
pub const LINES: &str = "log_lines_total";
/// Lines that could not be kept for the reader, by source.
pub const DROPPED: &str = "log_lines_dropped_total";
/// Lines that match a pattern, by pattern and source.
pub const MATCHES: &str = "log_pattern_matches_total";
/// Every name.
pub const NAMES: [&str; 3] = [LINES, DROPPED, MATCHES];

const LEVELS: [(Option<LogLevel>, &str); 6] = [
    (Some(LogLevel::Error), "error"),
    (Some(LogLevel::Warn), "warn"),
    (Some(LogLevel::Info), "info"),
    (Some(LogLevel::Debug), "debug"),
    (Some(LogLevel::Trace), "trace"),
    (None, "none"),
];

#[derive(Debug, Default)]
struct Counts {
    source: Arc<str>,
    /// This login may not read it: what was not counted is not zero.
    refused: bool,
    levels: [u64; LEVELS.len()],
    dropped: u64,
    /// By the pattern's number.
    matches: Vec<u64>,
    /// By the pattern's number and the place of the metric in it.
    numbers: BTreeMap<(usize, usize), Numbers>,
}

/// The newest text of each fact, by its name.
type Said = BTreeMap<Clean, Clean>;

/// The counters of all sources.
#[derive(Debug, Default)]
pub struct Tally {
    patterns: LogPatterns,
    counts: Mutex<Vec<Counts>>,
    said: Mutex<Said>,
    /// A line has come that a pattern calls a warning or an error.
    news: Arc<News>,
}

impl Tally {
    /// Counters of these sources, for these patterns: all begin at zero, so that the first match is a rise.
    pub fn new<'a>(patterns: LogPatterns, sources: impl IntoIterator<Item = &'a Arc<str>>) -> Self {
        let tally = Self { patterns, ..Self::default() };
        sources.into_iter().for_each(|source| tally.count(source, core::iter::empty(), 0));
        tally
    }

    /// What it looks for.
    pub fn patterns(&self) -> &LogPatterns {
        &self.patterns
    }

    /// Counts what one look at a source gave; marks of our own are no lines of it. Lines that were dropped before
    /// anybody understood them are counted as such: no pattern was looked for in them.
    pub fn count<'a>(&self, source: &Arc<str>, lines: impl Iterator<Item = &'a LogLine>, dropped: u64) {
        let mut levels = [0_u64; LEVELS.len()];
        let mut matches = vec![0_u64; self.patterns.all().len()];
        let mut said = Vec::new();
        for line in lines.filter(|line| !line.marker) {
            let at = LEVELS.iter().position(|(level, _)| *level == line.level);
            at.and_then(|at| levels.get_mut(at)).into_iter().for_each(|count| *count += 1);
            for at in self.patterns.matches(source, line.message.as_str()) {
                matches.get_mut(at).into_iter().for_each(|count| *count += 1);
                said.push((at, self.patterns.groups(at, line.message.as_str())));
            }
        }
        let bad = said.iter().filter_map(|(at, _)| self.patterns.all().get(*at));
        let bad = bad.map(|pattern| pattern.level).any(|level| level >= LogLevel::Warn);
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|counts| counts.source == *source).unwrap_or_else(|| {
            all.push(Counts { source: Arc::clone(source), matches: vec![0; matches.len()], ..Counts::default() });
            all.len() - 1
        });
        let Some(counts) = all.get_mut(at) else { return };
        counts.dropped += dropped;
        for (at, places) in said {
            let sayings = self.patterns.all().get(at).into_iter().flat_map(|pattern| &pattern.sayings);
            // The first place that has the group: another alternative may match before it.
            let take = |saying: &Saying| places.iter().find_map(|groups| saying.take(groups));
            let told = sayings.filter_map(|saying| Some((saying.fact.clone(), take(saying)?)));
            self.said.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
            let captured =
                self.patterns.all().get(at).into_iter().flat_map(|pattern| pattern.captured.iter().enumerate());
            for ((row, captured), groups) in captured.filter_map(|one| Some((one, places.first()?))) {
                counts.numbers.entry((at, row)).or_default().take(captured, groups);
            }
        }
        counts.levels.iter_mut().zip(levels).for_each(|(count, more)| *count += more);
        counts.matches.iter_mut().zip(matches).for_each(|(count, more)| *count += more);
        drop(all);
        if bad {
            self.news.tell();
        }
    }

    /// Says whether this login may read a source; of one that it may not nothing is told.
    pub(super) fn refuse(&self, source: &Arc<str>, refused: bool) {
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter_mut().filter(|counts| counts.source == *source).for_each(|counts| counts.refused = refused);
    }

    /// Told when a line has come that a pattern calls a warning or an error: its counter should not wait for its turn.
    pub const fn news(&self) -> &Arc<News> {
        &self.news
    }

    /// The names of every series there may be.
    pub fn names(&self) -> Vec<String> {
        let captured = self.patterns.all().iter().flat_map(|pattern| &pattern.captured);
        NAMES.map(str::to_owned).into_iter().chain(captured.flat_map(Captured::names)).collect()
    }

    /// The counters as points, and what lines have said since it was last asked. A pattern shows for the sources that it
    /// is meant for.
    pub fn observe(&self) -> Observation {
        let mut seen = Observation::default();
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        seen.facts = said.iter().map(|(name, said)| (name.clone(), said.clone())).collect();
        drop(said);
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for counts in all.iter_mut().filter(|counts| !counts.refused) {
            let source = ("source", &*counts.source);
            for ((_, level), count) in LEVELS.iter().zip(counts.levels) {
                seen.points.push(Point::counter(LINES, &[source, ("level", level)], count as f64));
            }
            seen.points.push(Point::counter(DROPPED, &[source], counts.dropped as f64));
            for (pattern, count) in self.patterns.all().iter().zip(&counts.matches) {
                if pattern.sources.is_empty() || pattern.sources.contains(&counts.source) {
                    let labels = [source, ("pattern", pattern.name.as_str())];
                    seen.points.push(Point::counter(MATCHES, &labels, *count as f64));
                }
            }
            for ((at, row), numbers) in &mut counts.numbers {
                let captured = self.patterns.all().get(*at).and_then(|pattern| pattern.captured.get(*row));
                seen.points.extend(captured.map(|captured| numbers.look(captured, &counts.source)).unwrap_or_default());
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogPattern, LooksFor};
    use futures_util::FutureExt as _;

    #[test]
    fn lines_are_counted_by_level_and_by_pattern() {
        let pattern = |name: &str, sources: &[&str]| LogPattern {
            name: Clean::text(name),
            looks_for: LooksFor::Text("full".to_owned()),
            level: LogLevel::Error,
            entry: None,
            captured: Vec::new(),
            sayings: Vec::new(),
            sources: sources.iter().map(|source| Arc::from(*source)).collect(),
        };
        let patterns = LogPatterns::new(vec![pattern("any", &[]), pattern("db", &["db"])]).expect("compiles");
        let (web, db): (Arc<str>, Arc<str>) = ("web".into(), "db".into());
        let tally = Tally::new(patterns, [&web, &db]);
        let line = |text: &str, level, marker| LogLine { time: None, level, message: Clean::text(text), marker };
        let lines = [
            line("map full", Some(LogLevel::Error), false),
            line("on", None, false),
            line("full: rotated here", None, true),
        ];
        let told = || tally.news().wait().now_or_never().is_some();
        tally.count(&db, lines[1..].iter(), 0);
        assert!(!told(), "no pattern knows these");
        tally.count(&db, lines[..1].iter(), 7);
        assert!(told());
        let points = tally.observe().points;
        let value = |name: &str, labels: &[(&str, &str)]| {
            let wanted = Point::counter(name, labels, 0.0).key;
            points.iter().find(|point| point.key == wanted).map(|point| point.value)
        };
        assert_eq!(value(LINES, &[("source", "db"), ("level", "error")]), Some(1.0));
        assert_eq!(value(LINES, &[("source", "db"), ("level", "none")]), Some(1.0));
        assert_eq!(value(DROPPED, &[("source", "db")]), Some(7.0));
        assert_eq!(value(MATCHES, &[("source", "db"), ("pattern", "db")]), Some(1.0));
        assert_eq!(value(MATCHES, &[("source", "web"), ("pattern", "any")]), Some(0.0), "before anything came");
        assert_eq!(value(MATCHES, &[("source", "web"), ("pattern", "db")]), None);
        let told =
            |tally: &Tally| tally.observe().points.iter().any(|point| point.key.label("source") == Some(&"db".into()));
        tally.refuse(&db, true);
        assert!(!told(&tally), "nobody has counted zero");
        tally.refuse(&db, false);
        assert!(told(&tally));
    }

    #[test]
    fn the_newest_text_of_a_group_is_a_fact_and_what_is_strange_in_it_is_shown() {
        let pattern = LogPattern {
            name: "missing".into(),
            looks_for: LooksFor::Regex("ModuleNotFoundError|No module named '(?<module>[^']*)'".to_owned()),
            level: LogLevel::Error,
            entry: None,
            captured: Vec::new(),
            sayings: vec![Saying { group: "module".to_owned(), fact: "missing module".into() }],
            sources: Vec::new(),
        };
        let bot: Arc<str> = "bot".into();
        let tally = Tally::new(LogPatterns::new(vec![pattern]).expect("compiles"), [&bot]);
        assert_eq!(tally.observe().facts, []);
        let say = |text: &str| {
            let line = LogLine { time: None, level: None, message: Clean::text(text), marker: false };
            tally.count(&bot, [&line].into_iter(), 0);
            tally.observe().facts
        };
        let fact = |text: &str| vec![("missing module".into(), Clean::text(text))];
        assert_eq!(say("ModuleNotFoundError: No module named 'ccxt'"), fact("ccxt"), "behind another alternative");
        assert_eq!(say("another line"), fact("ccxt"), "it stays");
        assert_eq!(say("No module named ''"), fact("ccxt"), "nothing is no name");
        assert_eq!(say("No module named 'numpy'"), fact("numpy"));
        let long = say(&format!("No module named '{}'", "x".repeat(300)));
        assert!(long[0].1.as_str().len() < 230 && long[0].1.as_str().ends_with("<+100 bytes>"), "{long:?}");
    }
}
