//! Repeated lines as one: two are alike when they differ in numbers only. A pure view; nothing is thrown away.

use crate::base::LogLine;
use core::ops::Range;

/// A line with its numbers masked: digits, hexadecimal digits of eight letters or more, and what begins with `0x`.
pub fn template(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        if end == 0 {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        mask(word, &mut out);
        rest = after;
    }
    // Fractions and groups of digits are one number.
    for join in ["#.#", "#,#", "#:#", "#-#"] {
        while out.contains(join) {
            out = out.replace(join, "#");
        }
    }
    out
}

fn mask(word: &str, out: &mut String) {
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = word.strip_prefix("0x").is_some_and(hex)
        || word.len() >= 8 && hex(word) && word.bytes().any(|byte| byte.is_ascii_digit());
    if number {
        out.push('#');
        return;
    }
    let mut digits = false;
    for c in word.chars() {
        if c.is_ascii_digit() {
            if !digits {
                out.push('#');
            }
            digits = true;
        } else {
            out.push(c);
            digits = false;
        }
    }
}

/// Runs of lines that are alike, each as the range of its lines; marks of our own stand alone.
pub fn runs<'a>(lines: impl IntoIterator<Item = &'a LogLine>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut last: Option<(Option<crate::base::LogLevel>, String)> = None;
    for (at, line) in lines.into_iter().enumerate() {
        let this = (!line.marker).then(|| (line.level, template(line.message.as_str())));
        match runs.last_mut() {
            Some(run) if this.is_some() && this == last => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
        last = this;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_masked_and_words_are_not() {
        for (text, masked) in [
            ("took 12.5 ms", "took # ms"),
            ("0x7fff12 at 10.0.0.1:80", "# at #"),
            ("id 3f2a9c01-77aa1234 gone", "id # gone"),
            ("worker3 failed", "worker# failed"),
            ("deadbeef facade", "deadbeef facade"),
            ("", ""),
        ] {
            assert_eq!(template(text), masked);
        }
    }

    #[test]
    fn lines_that_differ_in_numbers_only_are_one_run() {
        let lines: Vec<LogLine> = ["retry 1", "retry 2", "retry 30", "done", "retry 4"]
            .map(|text| LogLine { time: None, level: None, message: Clean::text(text), marker: false })
            .into();
        assert_eq!(runs(&lines), [0..3, 3..4, 4..5]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_template(text in any::<String>()) {
            prop_assert!(template(&text).len() <= text.len());
        }
    }
}
