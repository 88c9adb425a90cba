//! The patterns of a profile: what of a log deserves a name, a count per minute and an entry of a guide. All are
//! looked for in one pass over a line, by an engine without backtracking and with bounds on what it may become.

use super::captured::{Captured, Saying};
use crate::base::{Clean, Fault, LogLevel};
use regex::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::sync::Arc;

/// Patterns of one profile, packs included.
pub const MOST: usize = 200;
/// Bytes of one regular expression, as written.
pub const LONGEST: usize = 1_000;
/// Bytes that all of them together may become in memory.
const COMPILED: usize = 4 * 1024 * 1024;
/// More places of one line are not looked at.
const PLACES: usize = 8;
/// Bytes that the engine may use while it looks.
const CACHE: usize = 1024 * 1024;

/// One pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPattern {
    /// Its name: the label `pattern`.
    pub name: Clean,
    /// What it looks for.
    pub looks_for: LooksFor,
    /// How bad a match is.
    pub level: LogLevel,
    /// The entry of a guide, or the procedure, that it opens.
    pub entry: Option<Clean>,
    /// Only in these sources; in all when empty.
    pub sources: Vec<Arc<str>>,
    /// Numbers that its lines say.
    pub captured: Vec<Captured>,
    /// Texts that its lines say.
    pub sayings: Vec<Saying>,
}

/// A regular expression or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LooksFor {
    /// In the syntax of the crate `regex`: no look-around, no back references.
    Regex(String),
    /// These letters.
    Text(String),
}

impl LooksFor {
    fn source(&self) -> String {
        match self {
            Self::Regex(source) => source.clone(),
            Self::Text(text) => regex::escape(text),
        }
    }
}

/// All patterns of a profile, ready to be looked for.
#[derive(Clone, Debug, Default)]
pub struct LogPatterns {
    all: Vec<LogPattern>,
    set: Option<RegexSet>,
    /// Of each pattern that takes something out.
    expressions: Vec<Option<Regex>>,
}

impl LogPatterns {
    /// Of these.
    ///
    /// # Errors
    /// One cannot be read: which, and where in it; or all are too large together.
    pub fn new(all: Vec<LogPattern>) -> Result<Self, Fault> {
        if all.len() > MOST {
            let hint = "Join some of them with `|`.";
            return Err(Fault::new(format!("{} patterns are more than {MOST}.", all.len())).hint(hint));
        }
        for pattern in &all {
            check(pattern.looks_for.source().as_str()).map_err(|fault| Fault {
                what: crate::clean!("the pattern `{}`: {}", pattern.name, fault.what),
                ..fault
            })?;
        }
        let sources = all.iter().map(|pattern| pattern.looks_for.source());
        let set = RegexSetBuilder::new(sources).size_limit(COMPILED).dfa_size_limit(CACHE).build();
        let set =
            set.map_err(|_| Fault::new("the patterns are too large together.").hint("Make some of them simpler."))?;
        let taking = |pattern: &LogPattern| {
            (!pattern.captured.is_empty() || !pattern.sayings.is_empty())
                .then(|| regex(pattern.looks_for.source().as_str()))
                .transpose()
        };
        let expressions = all.iter().map(taking).collect::<Result<_, _>>()?;
        Ok(Self { set: (!all.is_empty()).then_some(set), all, expressions })
    }

    /// Every pattern, as its number says.
    pub fn all(&self) -> &[LogPattern] {
        &self.all
    }

    /// The numbers of the patterns that a line of this source matches, in their order.
    pub fn matches(&self, source: &str, text: &str) -> Vec<usize> {
        let Some(set) = &self.set else { return Vec::new() };
        let found = set.matches(text);
        let here = |at: &usize| {
            let sources = self.all.get(*at).map(|pattern| pattern.sources.as_slice()).unwrap_or_default();
            sources.is_empty() || sources.iter().any(|known| **known == *source)
        };
        found.into_iter().filter(here).collect()
    }

    /// The groups of each place of a line that this pattern matches, where it takes something out.
    pub(super) fn groups<'t>(&self, at: usize, text: &'t str) -> Vec<Captures<'t>> {
        let expression = self.expressions.get(at).and_then(Option::as_ref);
        // A number is that of the first place.
        let words = self.all.get(at).is_some_and(|pattern| !pattern.sayings.is_empty());
        let places = if words { PLACES } else { 1 };
        expression.map(|regex| regex.captures_iter(text).take(places).collect()).unwrap_or_default()
    }

    /// The worst pattern that a line matches: it colours the line and names the entry.
    pub fn worst(&self, source: &str, text: &str) -> Option<&LogPattern> {
        let found = self.matches(source, text).into_iter().filter_map(|at| self.all.get(at));
        found.reduce(|worst, next| if next.level > worst.level { next } else { worst })
    }
}

/// Whether a regular expression may be used: its place is the column of a fault.
///
/// # Errors
/// It is too long, not understood, or becomes too large.
pub fn check(source: &str) -> Result<(), Fault> {
    regex(source).map(drop)
}

/// One regular expression within bounds.
///
/// # Errors
/// As [`check`].
pub fn regex(source: &str) -> Result<Regex, Fault> {
    if source.len() > LONGEST {
        return Err(Fault::new(format!("this expression has {} bytes; {LONGEST} are the most.", source.len())));
    }
    RegexBuilder::new(source).size_limit(COMPILED / 4).dfa_size_limit(CACHE).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            Fault::new("this expression becomes too large.").hint("Make its repetitions smaller.")
        }
        error => {
            let (what, column) = said(&error.to_string());
            let fault = Fault::new(format!("this is no regular expression: {what}."));
            if column > 0 { fault.at("", 1, column) } else { fault }
        }
    })
}

/// What the crate says in several lines, as one, and the column that its caret points to.
fn said(text: &str) -> (String, u32) {
    let what = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let caret = text.lines().find_map(|line| line.find('^').filter(|_| line.trim_matches([' ', '^']).is_empty()));
    // The expression stands four columns in.
    (what, caret.and_then(|at| u32::try_from(at.checked_sub(3)?).ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(name: &str, source: &str, level: LogLevel) -> LogPattern {
        let looks_for = LooksFor::Regex(source.to_owned());
        LogPattern {
            name: Clean::text(name),
            looks_for,
            level,
            entry: None,
            sources: Vec::new(),
            captured: Vec::new(),
            sayings: Vec::new(),
        }
    }

    #[test]
    fn one_pass_finds_every_pattern_of_a_line_in_its_sources() {
        let mut only = pattern("b", "map", LogLevel::Warn);
        only.sources = vec!["db".into()];
        let text = LogPattern { looks_for: LooksFor::Text("a.c".to_owned()), ..pattern("c", "", LogLevel::Error) };
        let all = LogPatterns::new(vec![pattern("a", "ma.", LogLevel::Info), only, text]).expect("compiles");
        assert_eq!(all.matches("db", "a map"), [0, 1]);
        assert_eq!(all.matches("web", "a map"), [0]);
        assert_eq!(all.matches("web", "abc"), Vec::<usize>::new());
        let name = |text| all.worst("db", text).map(|pattern| pattern.name.to_string());
        assert_eq!([name("map a.c"), name("map"), name("x")], [Some("c".into()), Some("b".into()), None]);
        assert_eq!(LogPatterns::default().matches("db", "map"), Vec::<usize>::new());
    }

    #[test]
    fn what_cannot_be_looked_for_says_where_and_why() {
        let fault = |source: &str| check(source).expect_err("refused").to_string();
        assert_eq!(fault("a(b"), "1:2: this is no regular expression: unclosed group.");
        assert!(fault(r"(\w{1000}){1000}").contains("becomes too large"));
        assert!(fault(&"x".repeat(2_000)).contains("2000 bytes"));
        assert!(fault("(?=a)").contains("look-around"), "{}", fault("(?=a)"));
        let named = LogPatterns::new(vec![pattern("gpu", "[", LogLevel::Error)]).expect_err("refused").to_string();
        assert!(named.contains("the pattern `gpu`: this is no regular expression"), "{named}");
        let unknown = crate::logs::packs::pack("cudda").expect_err("refused").to_string();
        assert!(
            unknown.contains("no pack of patterns `cudda`. Is `cuda` meant?") || unknown.contains("cuda"),
            "{unknown}"
        );
    }

    proptest! {
        #[test]
        fn no_expression_takes_long_or_breaks(source in "[a-z(){}*+?|\\[\\]0-9,^$.\\\\]{0,40}") {
            if let Ok(found) = regex(&source) {
                let _match = found.is_match(&"a".repeat(16 * 1024));
            }
        }
    }
}
