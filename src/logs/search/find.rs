//! A pattern as it is typed: linear time whatever it is, bounded in size, small letters find both cases.

use crate::base::Fault;
use crate::clean;
use core::ops::Range;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use regex::{Regex, RegexBuilder};

/// A longer pattern is no search of a person.
const LONGEST: usize = 1_024;
/// Bytes of a compiled pattern, and of the automaton that it may build while it runs.
const COMPILED: usize = 1024 * 1024;
const AUTOMATON: usize = 4 * 1024 * 1024;
const NESTED: u32 = 50;
/// Marks in one shown line.
const MARKS: usize = 64;

/// A compiled pattern, for bytes in files and for text on the screen.
#[derive(Clone, Debug)]
pub struct Find {
    text: String,
    pub(super) matcher: RegexMatcher,
    shown: Regex,
}

impl Find {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn new(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault::new(format!("a pattern has at most {LONGEST} bytes.")));
        }
        let insensitive = !has_capital(text);
        let shown = RegexBuilder::new(text)
            .case_insensitive(insensitive)
            .size_limit(COMPILED)
            .dfa_size_limit(AUTOMATON)
            .nest_limit(NESTED)
            .build()
            .map_err(|error| sentence(&error))?;
        let matcher = RegexMatcherBuilder::new()
            .case_insensitive(insensitive)
            .size_limit(COMPILED)
            .dfa_size_limit(AUTOMATON)
            .nest_limit(NESTED)
            .line_terminator(Some(b'\n'))
            .build(text)
            .map_err(|error| {
                Fault::new(clean!("this pattern cannot be searched for: {}.", one_line(&error.to_string())))
            })?;
        Ok(Self { text: text.to_owned(), matcher, shown })
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it stands in a shown text, as byte ranges; the first ones where there are many.
    pub fn marks(&self, text: &str) -> Vec<Range<usize>> {
        self.shown.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).take(MARKS).collect()
    }
}

/// A capital that stands for itself: `\S` is none.
fn has_capital(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let capital = c.is_uppercase() && !escaped;
        escaped = c == '\\' && !escaped;
        capital
    })
}

/// The engine shows the place with a caret below the pattern; a line of ours has room for its number.
fn sentence(error: &regex::Error) -> Fault {
    let regex::Error::Syntax(told) = error else {
        return Fault::new("this pattern is too large to search for.").hint("Repeat less in it.");
    };
    let column =
        told.lines().find(|line| line.trim() == "^" || line.contains('^') && line.trim_matches(['^', ' ']).is_empty());
    let place = column.and_then(|line| line.find('^')).map(|at| at.saturating_sub(3));
    let what = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let at = place.map_or(String::new(), |at| format!(" at character {at}"));
    Fault::new(clean!("no regular expression{at}: {what}."))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_letters_find_both_cases_and_capitals_only_themselves() {
        let found = |pattern: &str, text: &str| !Find::new(pattern).expect("compiles").marks(text).is_empty();
        assert!(found("needle", "a NEEDLE") && found("Needle", "a Needle") && found(r"\S+le", "NEEDLE"));
        assert!(!found("Needle", "a needle"));
    }

    #[test]
    fn a_pattern_that_is_none_says_where_and_a_huge_one_is_refused() {
        let fault = |pattern: &str| Find::new(pattern).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault("ab(c"), "no regular expression at character 3: unclosed group.");
        assert!(fault(r"(\w{1000}){1000}").contains("too large"));
        assert!(fault(&"x".repeat(2_000)).contains("at most"));
        assert!(fault(&"(".repeat(500)).contains("character"));
        assert_eq!(fault("a.*b|c+?"), "");
    }
}
