//! JUnit XML, as CI servers read it: a suite a file, a case a test. Written by hand: forty lines against a crate with
//! a tree of its own.

use super::report::{Outcome, told};
use core::fmt::Write;

/// The whole document.
pub(super) fn xml(outcomes: &[Outcome]) -> String {
    let failures = |outcome: &Outcome| outcome.cases.iter().filter(|case| !case.failures.is_empty()).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let tests: usize = outcomes.iter().map(|outcome| outcome.cases.len()).sum();
    let failed: usize = outcomes.iter().map(failures).sum();
    line(
        &mut out,
        format_args!("<testsuites name=\"watchkeeper test rules\" tests=\"{tests}\" failures=\"{failed}\">"),
    );
    for outcome in outcomes {
        let (name, tests, failed) = (escape(outcome.file.as_str()), outcome.cases.len(), failures(outcome));
        line(&mut out, format_args!("  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">"));
        for case in &outcome.cases {
            let case_name = escape(case.name.as_str());
            let at = case.line.map(|line| format!(" line=\"{line}\"")).unwrap_or_default();
            let head = format!("    <testcase classname=\"{name}\" name=\"{case_name}\" file=\"{name}\"{at}");
            if case.failures.is_empty() {
                line(&mut out, format_args!("{head}/>"));
                continue;
            }
            line(&mut out, format_args!("{head}>"));
            for failure in &case.failures {
                let text = escape(&told(failure).join("\n"));
                let message = escape(&failure.what);
                line(&mut out, format_args!("      <failure message=\"{message}\">{text}</failure>"));
            }
            line(&mut out, format_args!("    </testcase>"));
        }
        line(&mut out, format_args!("  </testsuite>"));
    }
    line(&mut out, format_args!("</testsuites>"));
    out
}

fn line(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, "{text}");
}

/// Text and attribute values; what XML 1.0 cannot hold becomes a mark.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&apos;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
        out
    })
}
