//! From the question to the printed answer.

use super::ask::{Ask, When};
use super::moment::Span;
use super::plot::{self, Sheet};
use super::{file, json, table};
use crate::base::{Clean, Clock, Fault, Now};
use crate::roles::collect::Collector;
use crate::roles::validate::written;
use crate::rules::expr::{Answer, Evaluator, Expr, Millis, Plan, Semantics, Source, Value};
use crate::rules::live::{Live, WallOffset};
use crate::sys::clock::RealClock;
use crate::term::Caps;
use core::time::Duration;
use std::io::IsTerminal;

/// Exit status: there is an answer.
const ANSWERED: u8 = 0;
/// Exit status: the answer is empty.
const EMPTY: u8 = 1;
/// Exit status: there is none.
const FAULTY: u8 = 2;

/// So many characters of a long line are shown around a fault.
const SHOWN: usize = 70;
/// Without `--for`, samplers are not waited for longer.
const LONGEST: Duration = Duration::from_secs(15);

/// Why there is no answer, in the words of Prometheus' API and in ours.
struct Refused {
    kind: &'static str,
    fault: Fault,
}

/// Asks, prints, and returns the exit status.
///
/// # Errors
/// Only when the output cannot be written; every other fault is printed here, in the form that was asked for.
pub fn run(ask: &Ask) -> Result<u8, Fault> {
    match answered(ask) {
        Ok((answer, when)) => print(ask, &answer, when),
        Err(Refused { kind, fault }) => {
            if ask.json {
                written(&mut std::io::stdout().lock(), &[json::error(kind, &fault).to_string()])?;
            }
            say(&placed(&ask.expr, &fault))?;
            Ok(FAULTY)
        }
    }
}

fn answered(ask: &Ask) -> Result<(Answer, When), Refused> {
    let bad = |fault| Refused { kind: "bad_data", fault };
    let expr = Expr::parse(&ask.expr).map_err(bad)?;
    let now = RealClock.now().wall.0 / 1_000_000;
    if let Some(path) = &ask.series {
        let table = file::read(path, now).map_err(bad)?;
        let newest = table.span().map_or(now, |(_, newest)| newest);
        let when = ask.when(newest, now).map_err(bad)?;
        return evaluate(ask, &expr, &table, when).map(|answer| (answer, when));
    }
    // A time that cannot be read is told before anything is waited for.
    ask.when(now, now).map_err(bad)?;
    live(ask, &expr)
}

/// Asks the samplers of a profile.
fn live(ask: &Ask, expr: &Expr) -> Result<(Answer, When), Refused> {
    let mut note = |sentence: &str| drop(say(&[format!("watchkeeper: {sentence}")]));
    let bad = |fault| Refused { kind: "bad_data", fault };
    let mut collector = Collector::start(ask.profile.as_deref(), expr.selectors(), &mut note).map_err(bad)?;
    let patience = Patience::of(ask, expr.longest_window());
    if !collector.names().is_empty() {
        note(&patience.sentence(&collector.names()));
    }
    let mut clock = WallOffset::default();
    let mut asked = |collector: &Collector, now: Now| {
        let live = Live::new(&collector.store, now, &mut clock);
        let at = live.millis(live.finished(expr.selectors()).mono);
        let when = ask.when(at, live.now()).map_err(bad)?;
        evaluate(ask, expr, &live, when).map(|answer| (answer, when))
    };
    let mut now = collector.until(patience.answers, patience.limit);
    let mut answer = asked(&collector, now);
    if answer.as_ref().is_ok_and(|(answer, _)| is_empty(&answer.value)) && patience.answers == 1 {
        // Some values are differences of two answers.
        now = collector.until(2, patience.limit);
        answer = asked(&collector, now);
    }
    for failure in collector.failures() {
        note(&failure);
    }
    collector.leave();
    answer
}

/// How long samplers are waited for.
struct Patience {
    answers: u32,
    limit: Duration,
}

impl Patience {
    /// What was asked for; else two answers for what looks back, one for what does not.
    fn of(ask: &Ask, window: Duration) -> Self {
        let range = ask.range.map(|Span(range)| range.min(LONGEST));
        match ask.collect.map(|Span(span)| span).or(range) {
            Some(limit) => Self { answers: u32::MAX, limit },
            None => Self { answers: if window.is_zero() { 1 } else { 2 }, limit: LONGEST },
        }
    }

    fn sentence(&self, names: &str) -> String {
        let limit = span(self.limit);
        match self.answers {
            1 => format!("waiting for an answer of {names}, {limit} at most"),
            2 => format!("waiting for two answers of {names}, {limit} at most"),
            _ => format!("collecting from {names} for {limit}"),
        }
    }
}

/// A span as people write it beside a window: `4 s`, `5 m`, `1 h 30 m`.
fn span(of: Duration) -> String {
    let (hours, minutes, seconds) = (of.as_secs() / 3_600, of.as_secs() / 60 % 60, of.as_secs() % 60);
    let parts = [(hours, "h"), (minutes, "m"), (seconds, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, sign)| format!("{count} {sign}")).collect();
    if parts.is_empty() { format!("{} ms", of.as_millis()) } else { parts.join(" ") }
}

fn evaluate(ask: &Ask, expr: &Expr, source: &dyn Source, when: When) -> Result<Answer, Refused> {
    let mut evaluator = Evaluator::new(if ask.compat { Semantics::Prometheus } else { Semantics::Console });
    match when {
        When::At(at) => evaluator.instant(expr, source, at),
        When::Range { start, end, step } => evaluator.range(expr, source, (start, end), step),
    }
    .map_err(|fault| {
        // What has no value at a moment cannot be asked for over a range: that is a fault of the question.
        let odd = matches!(expr.plan().plan(), Plan::Range(..) | Plan::Subquery(_) | Plan::Text(_));
        let kind = if odd && matches!(when, When::Range { .. }) { "bad_data" } else { "execution" };
        Refused { kind, fault }
    })
}

fn print(ask: &Ask, answer: &Answer, when: When) -> Result<u8, Fault> {
    let at = match when {
        When::At(at) => at,
        When::Range { end, .. } => end,
    };
    let lines = if ask.json { vec![json::success(answer, at).to_string()] } else { text(answer, when, at) };
    written(&mut std::io::stdout().lock(), &lines)?;
    say(&notes(answer))?;
    Ok(if is_empty(&answer.value) { EMPTY } else { ANSWERED })
}

fn text(answer: &Answer, when: When, at: Millis) -> Vec<String> {
    match (&answer.value, when) {
        (value, _) if is_empty(value) => {
            // Nothing on standard output: a program that counts lines counts none.
            Vec::new()
        }
        (Value::Scalar(value), _) => vec![json::number(*value)],
        (Value::Text(text), _) => vec![text.to_string()],
        (Value::Vector(rows), _) => table::rows(rows, at),
        (Value::Matrix(tracks), When::Range { start, end, step }) => match sheet() {
            Some(sheet) => {
                let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
                plot::lines(tracks, (start, end), step, sheet)
            }
            None => table::points(tracks),
        },
        (Value::Matrix(tracks), When::At(_)) => table::points(tracks),
    }
}

/// The terminal to draw on; `None` when the output goes elsewhere.
fn sheet() -> Option<Sheet> {
    let out = std::io::stdout();
    let caps = Caps::detect(&|name| std::env::var(name).ok(), out.is_terminal());
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    (!caps.dumb).then_some(Sheet { width: if size.ws_col == 0 { 80 } else { size.ws_col }, ascii: !caps.utf8 })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Vector(rows) => rows.is_empty(),
        Value::Matrix(tracks) => tracks.is_empty(),
        Value::Scalar(_) | Value::Text(_) => false,
    }
}

/// Some value is none that can be judged.
fn has_no_number(value: &Value) -> bool {
    match value {
        Value::Scalar(value) => !value.is_finite(),
        Value::Vector(rows) => rows.iter().any(|row| !row.value.is_finite()),
        Value::Matrix(tracks) => tracks.iter().flat_map(|track| &track.points).any(|(_, value)| !value.is_finite()),
        Value::Text(_) => false,
    }
}

/// What has to be said about an answer, a line each.
fn notes(answer: &Answer) -> Vec<String> {
    let mut lines = Vec::new();
    if is_empty(&answer.value) {
        lines.push("watchkeeper: no series matches, or no row satisfies the expression.".to_owned());
    }
    if has_no_number(&answer.value) {
        lines.push(
            "info: NaN, +Inf and -Inf come of a division by zero, or of values that are so themselves.".to_owned(),
        );
    }
    let bare = |note: &Clean, word: &str| note.as_str().trim_start_matches(&format!("PromQL {word}: ")).to_owned();
    lines.extend(answer.warnings.iter().map(|note| format!("warning: {}", bare(note, "warning"))));
    lines.extend(answer.infos.iter().map(|note| format!("info: {}", bare(note, "info"))));
    if let Some(coverage) = answer.coverage {
        lines.push(format!("coverage: {} of {}", span(coverage.have), span(coverage.want)));
    }
    lines
}

/// The sentence; under it the line of the expression that it is about, with a mark under the place.
fn placed(expr: &str, fault: &Fault) -> Vec<String> {
    let mut lines = vec![format!("watchkeeper: {fault}")];
    let Some(at) = fault.at.as_ref().filter(|at| at.file.as_str().is_empty() && at.column > 0) else { return lines };
    let bare = Fault { at: None, ..fault.clone() };
    lines = vec![format!("watchkeeper: {bare}")];
    let (line, column) = (usize::try_from(at.line).unwrap_or(1), usize::try_from(at.column).unwrap_or(1));
    let Some(text) = expr.lines().nth(line.saturating_sub(1)) else { return lines };
    let (text, before) = around(text, column - 1);
    lines.push(format!("  {}", Clean::text(text)));
    lines.push(format!("  {}^", " ".repeat(before)));
    lines
}

/// What of a long line stands around a place, and how many characters of that stand before it.
fn around(text: &str, at: usize) -> (String, usize) {
    let skipped = at.saturating_sub(SHOWN / 2);
    let (head, before) = if skipped == 0 { ("", at) } else { ("…", at - skipped + 1) };
    let part: String = text.chars().skip(skipped).take(SHOWN).collect();
    let tail = if text.chars().nth(skipped + SHOWN).is_some() { "…" } else { "" };
    (format!("{head}{part}{tail}"), before)
}

fn say(lines: &[String]) -> Result<(), Fault> {
    written(&mut std::io::stderr().lock(), lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_with_a_column_stands_under_the_expression() {
        let fault = Fault::new("unexpected `)`.").at("", 2, 5);
        assert_eq!(placed("sum(\n  x))", &fault), ["watchkeeper: unexpected `)`.", "    x))", "      ^"]);
        assert_eq!(placed("x", &Fault::new("no.")), ["watchkeeper: no."]);
        let deep = format!("{}é{}", "(".repeat(500), "+1".repeat(300));
        let lines = placed(&deep, &Fault::new("no.").at("", 1, 501));
        assert_eq!(lines[1], format!("  …{}é{}…", "(".repeat(35), "+1".repeat(17)));
        assert_eq!(lines[2], format!("{}^", " ".repeat(38)), "under the é");
        let file = Fault::new("expected a number.").at("f", 3, 4);
        assert_eq!(placed("x", &file), ["watchkeeper: f:3:4: expected a number."]);
    }
}
