//! Which lines belong together: a trace of Python, Java, Rust or Julia, and whatever is indented under a line.

use crate::base::LogLine;
use core::ops::Range;

/// An entry of more lines is cut into several: nothing grows without a bound.
const MOST: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Line,
    /// `Traceback …`: its last line is not indented.
    Python,
    /// Behind that line: another trace may follow.
    Traced,
    /// `┌ Warning: …`, until `└`.
    Block,
    /// `thread 'x' panicked at …`: its message is the next line.
    Panic,
    /// Frames with numbers follow.
    Frames,
}

/// Tells of each line in turn whether it belongs to the one before.
#[derive(Clone, Debug, Default)]
pub struct Joiner {
    within: Within,
    lines: usize,
}

impl Joiner {
    /// True when this line continues the entry that the last one belongs to.
    pub fn joins(&mut self, line: &LogLine) -> bool {
        let text = line.message.as_str();
        let own = line.marker || line.time.is_some();
        let joins = self.lines > 0 && self.lines < MOST && !own && self.continues(text);
        if !joins {
            self.lines = 0;
        }
        self.lines += 1;
        self.within = self.next(text, joins);
        joins
    }

    fn continues(&self, text: &str) -> bool {
        let bare = text.trim_start();
        let indented = bare.len() < text.len();
        match self.within {
            Within::Python | Within::Panic => true,
            Within::Traced if bare.is_empty() => true,
            Within::Block => text.starts_with(['│', '└']),
            Within::Frames if is_frame(bare) || bare.starts_with("note: ") || bare.starts_with("stack backtrace:") => {
                true
            }
            Within::Frames | Within::Traced | Within::Line => {
                indented && !bare.is_empty()
                    || PYTHON.iter().any(|words| text.starts_with(words))
                    || bare.starts_with("Caused by: ")
                    || bare.starts_with("Suppressed: ")
                    || bare.starts_with("Stacktrace:")
                    || bare.starts_with("stack backtrace:")
                    || text.starts_with("└ @ ")
            }
        }
    }

    fn next(&self, text: &str, joins: bool) -> Within {
        let bare = text.trim_start();
        let trace = bare.contains("Traceback (most recent call last)");
        match self.within {
            _ if trace => Within::Python,
            _ if text.starts_with('┌') => Within::Block,
            Within::Block if joins && !text.starts_with('└') => Within::Block,
            // The last line says what happened; blank and indented ones come before it.
            Within::Python if joins && (bare.is_empty() || bare.len() < text.len()) => Within::Python,
            Within::Python | Within::Traced if joins => Within::Traced,
            _ if bare.starts_with("thread '") && bare.contains("panicked at") => Within::Panic,
            Within::Panic if joins => Within::Frames,
            _ if bare.starts_with("Stacktrace:") || bare.starts_with("stack backtrace:") => Within::Frames,
            Within::Frames if joins => Within::Frames,
            _ => Within::Line,
        }
    }
}

/// What Python writes between two traces that belong together.
const PYTHON: [&str; 3] = [
    "Traceback (most recent call last)",
    "During handling of the above exception",
    "The above exception was the direct cause",
];

/// `12: name`, `[3] name`, `at place`, `@ place`.
fn is_frame(text: &str) -> bool {
    let numbered = text.trim_start_matches(['[', ' ']).trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() > numbered.len() && text.starts_with(|c: char| c.is_ascii_digit() || c == '[');
    digits && (numbered.starts_with(": ") || numbered.starts_with("] "))
        || text.starts_with("at ")
        || text.starts_with("@ ")
}

/// The entries of some lines, each as the range of its lines.
pub fn entries<'a>(lines: impl IntoIterator<Item = &'a LogLine>) -> Vec<Range<usize>> {
    let mut joiner = Joiner::default();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        match found.last_mut() {
            Some(last) if joiner.joins(line) => last.end = at + 1,
            Some(_) => found.push(at..at + 1),
            None => {
                let _first = joiner.joins(line);
                found.push(at..at + 1);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Format;
    use proptest::prelude::*;

    fn sizes(text: &str) -> Vec<usize> {
        let lines: Vec<LogLine> = text.lines().map(|line| Format::Auto.read(line.as_bytes(), 0)).collect();
        entries(&lines).into_iter().map(|entry| entry.len()).collect()
    }

    #[test]
    fn a_trace_stays_with_its_line() {
        let python = "2026-11-21T03:12:47Z ERROR failed\nTraceback (most recent call last):\n  File \"a.py\", line 3, in f\n    \
                      g()\nValueError: no\n\nDuring handling of the above exception, another exception occurred:\n\n\
                      Traceback (most recent call last):\n  File \"b.py\", line 1\nKeyError: 'x'\n2026-11-21T03:12:48Z INFO on\n";
        assert_eq!(sizes(python), [11, 1], "{python}");
        let java = "2026-11-21T03:12:47Z ERROR x\njava.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n\t... 3 more\n\
                    Caused by: java.io.IOException: gone\n\tat a.B.d(B.java:2)\nnext\n";
        assert_eq!(sizes(java), [1, 5, 1]);
        let rust = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nstack backtrace:\n   0: rust_begin_unwind\n             \
                    at /rustc/x.rs:5\nnote: run with `RUST_BACKTRACE=full`\nnext\n";
        assert_eq!(sizes(rust), [6, 1]);
        let julia = "┌ Warning: slow\n│   seconds = 3\n└ @ Main a.jl:3\n[ Info: on\nERROR: LoadError: no\nStacktrace:\n \
                     [1] error(s::String)\n   @ Base ./error.jl:35\n[2] top-level scope\n[ Info: on\n";
        assert_eq!(sizes(julia), [3, 1, 5, 1]);
        assert_eq!(sizes("a\nb\n  under b\n\nc\n"), [1, 2, 1, 1]);
    }

    proptest! {
        #[test]
        fn every_line_is_in_exactly_one_entry(text in prop::collection::vec("(Traceback \\(most recent call last\\):|┌ x|│ y|└ @ z|  at a|Stacktrace:|a|| b)", 0..60)) {
            let lines: Vec<LogLine> = text.iter().map(|line| Format::Plain.read(line.as_bytes(), 0)).collect();
            let found = entries(&lines);
            prop_assert_eq!(found.iter().map(Range::len).sum::<usize>(), lines.len());
            prop_assert!(found.windows(2).all(|pair| matches!(pair, [a, b] if a.end == b.start)));
        }
    }
}
