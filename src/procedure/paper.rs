//! A document as plain text: as it was read, with its faults at their lines, and as a card for paper with blanks for the
//! values. Lines of at most 80 columns.

use super::check::condition;
use super::document::{Answer, Comparison, Condition, Document, Expect, Item, Live, Look, Subject};
use crate::base::{Clean, Fault};
use core::time::Duration;
use unicode_width::UnicodeWidthStr;

/// Columns of paper.
const WIDE: usize = 80;
/// Lines of a sheet.
const HIGH: usize = 60;
/// Where a value is written.
const BLANK: &str = "____________";

/// As it was read: every item with what it does, every fault below the item that it belongs to.
pub fn show(document: &Document) -> Vec<String> {
    let mut out = head(document);
    let begins = |at: usize| document.items.get(at).map_or(u32::MAX, |item| item.line);
    let own = |from: u32, until: u32| {
        let within = move |fault: &&Fault| fault.at.as_ref().is_none_or(|at| (from..until).contains(&at.line));
        document.faults.iter().filter(move |fault| fault.at.is_some() && within(fault))
    };
    out.extend(own(0, begins(0)).flat_map(|fault| wrap(&fault.to_string(), "!! ", "   ")));
    for (at, item) in document.items.iter().enumerate() {
        if item.page > 0 && at > 0 && document.items.get(at - 1).is_some_and(|last| last.page != item.page) {
            out.extend([String::new(), format!("--- page {} ---", item.page + 1)]);
        }
        out.push(String::new());
        out.extend(wrap(
            item.title.as_str(),
            &format!("{}{:>2}. ", indent(item), at + 1),
            &format!("{}    ", indent(item)),
        ));
        out.extend(below(document, item, false));
        out.extend(own(item.line.max(1), begins(at + 1)).flat_map(|fault| wrap(&fault.to_string(), "!! ", "   ")));
    }
    out
}

/// As a card for paper: what must be known by heart first, a box and a blank for every item. A form feed begins each
/// sheet but the first.
pub fn card(document: &Document) -> Vec<String> {
    let mut sheet = Sheet { out: Vec::new(), used: 0 };
    sheet.put(head(document));
    sheet.put(vec![
        String::new(),
        "Begun ______________ UTC   by ____________________   host ____________________".to_owned(),
    ]);
    let by_heart: Vec<&Item> = document.items.iter().filter(|item| item.memory).collect();
    if !by_heart.is_empty() {
        let lines = by_heart.iter().flat_map(|item| wrap(item.title.as_str(), "  [ ] ", "      "));
        sheet.put([String::new(), "BY HEART, BEFORE READING ON".to_owned()].into_iter().chain(lines).collect());
    }
    for (at, item) in document.items.iter().enumerate() {
        if at > 0 && document.items.get(at - 1).is_some_and(|last| last.page != item.page) {
            sheet.turn(document);
        }
        let head = format!("{}{:>2}. [ ] ", indent(item), at + 1);
        let mut lines = vec![String::new()];
        lines.extend(wrap(item.title.as_str(), &head, &" ".repeat(head.len())));
        lines.extend(below(document, item, true));
        if sheet.used + lines.len() > HIGH {
            sheet.turn(document);
        }
        sheet.put(lines);
    }
    sheet.put(vec![
        String::new(),
        "Ended ______________ UTC   put off: ______________________________________".to_owned(),
    ]);
    sheet.out
}

/// A handbook: what is in it, then every card on sheets of its own.
pub fn handbook(documents: &[Document]) -> Vec<String> {
    let mut out = vec!["HANDBOOK OF PROCEDURES".to_owned(), String::new()];
    for (at, document) in documents.iter().enumerate() {
        let first = format!("{:>3}. ", at + 1);
        out.extend(wrap(document.title.as_str(), &first, "     "));
        if !document.symptoms.is_empty() {
            out.extend(wrap(&list(&document.symptoms), "     when: ", "           "));
        }
    }
    for document in documents {
        let mut lines = card(document);
        if let Some(first) = lines.first_mut() {
            first.insert(0, '\u{c}');
        }
        out.extend(lines);
    }
    out
}

/// Sheets that are being filled.
struct Sheet {
    out: Vec<String>,
    used: usize,
}

impl Sheet {
    fn put(&mut self, lines: Vec<String>) {
        self.used += lines.len();
        self.out.extend(lines);
    }

    fn turn(&mut self, document: &Document) {
        let title = wrap(document.title.as_str(), "", "").into_iter().next().unwrap_or_default();
        self.out.push(format!("\u{c}{title}"));
        self.used = 1;
    }
}

fn head(document: &Document) -> Vec<String> {
    let mut out = wrap(document.title.as_str(), "", "");
    out.extend(wrap(document.file.as_str(), "", ""));
    let mut facts = Vec::new();
    facts.extend(document.severity.map(|severity| severity.word().to_owned()));
    facts.extend(document.time_box.map(|time| format!("time box {}", span(time))));
    if document.read_only {
        facts.push("changes nothing".to_owned());
    }
    if !document.alerts.is_empty() {
        facts.push(format!("answers {}", list(&document.alerts)));
    }
    if !facts.is_empty() {
        out.extend(wrap(&facts.join(", "), "", ""));
    }
    if !document.symptoms.is_empty() {
        out.extend(wrap(&list(&document.symptoms), "when: ", "      "));
    }
    if let Some(order) = &document.order {
        out.extend(wrap(order.as_str(), "order: ", "       "));
    }
    if !document.about.is_empty() {
        out.push(String::new());
        out.extend(document.about.iter().flat_map(|text| wrap(text.as_str(), "", "")));
    }
    out
}

/// What stands below an item's title.
fn below(document: &Document, item: &Item, blanks: bool) -> Vec<String> {
    let pad = format!("{}    ", indent(item));
    let mut lines: Vec<(String, String)> = Vec::new();
    lines.extend(item.prose.iter().map(|text| (String::new(), text.as_str().to_owned())));
    if let Live::Command(commands) = &item.live {
        lines.extend(commands.iter().map(|command| ("$ ".to_owned(), command.as_str().to_owned())));
    } else if let Some((word, text)) = does(item) {
        let text = if blanks && seen(item) { format!("{text} seen: {BLANK}") } else { text };
        lines.push((format!("{word} "), text));
    }
    if let Some(watch) = item.watch.filter(|watch| !watch.is_zero()) {
        lines.push(("WATCH ".to_owned(), format!("for {} it must stay so", span(watch))));
    }
    for look in &item.show {
        let text = if blanks { format!("{} {BLANK}", look.label) } else { look.label.to_string() };
        lines.push(("look: ".to_owned(), text));
    }
    if matches!(item.live, Live::Escalate(_)) && document.items.iter().any(|other| other.go.as_ref() == Some(&item.id))
    {
        lines.push(("ONLY: ".to_owned(), "when a step above sends you here".to_owned()));
    }
    let to = item.go.as_ref().and_then(|go| document.items.iter().position(|other| other.id == *go));
    match (&item.failed, to) {
        (Some(failed), Some(to)) => lines.push(("IF NOT: ".to_owned(), format!("{failed} Go to {}.", to + 1))),
        (Some(failed), None) => lines.push(("IF NOT: ".to_owned(), failed.to_string())),
        (None, Some(to)) => lines.push(("IF NOT: ".to_owned(), format!("go to {}.", to + 1))),
        (None, None) => {}
    }
    let wrapped = lines.iter().flat_map(|(word, text)| {
        let first = format!("{pad}{word}");
        let rest = " ".repeat(first.len());
        wrap(text, &first, &rest)
    });
    wrapped.collect()
}

/// Whether a value is read off.
fn seen(item: &Item) -> bool {
    condition(&item.live).is_some() || matches!(item.live, Live::Challenge(_))
}

/// What makes an item live, in words.
fn does(item: &Item) -> Option<(&'static str, String)> {
    match &item.live {
        Live::Read | Live::Command(_) => None,
        Live::Check(condition) => Some(("CHECK", words(condition))),
        Live::Challenge(Some(response)) => Some(("EXPECT", response.to_string())),
        Live::Challenge(None) => Some(("SAY", "what you see".to_owned())),
        Live::Action(name, set) if set.is_empty() => Some(("ACTION", name.to_string())),
        Live::Action(name, set) => {
            let set: Vec<String> = set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            Some(("ACTION", format!("{name} with {}", set.join(", "))))
        }
        Live::Wait(wait) => Some((
            "WAIT",
            match &wait.until {
                Some(condition) => format!("{}, at most {}", words(condition), span(wait.at_most)),
                None => span(wait.at_most),
            },
        )),
        Live::Ask(ask) => Some((
            "ANSWER",
            match &ask.kind {
                Answer::Choice(choices) => {
                    choices.iter().map(|choice| format!("[ ] {choice}")).collect::<Vec<_>>().join("  ")
                }
                Answer::Number(min, max, unit) => format!("{BLANK} ({} to {})", unit.show(*min), unit.show(*max)),
                Answer::Text => BLANK.to_owned(),
                Answer::Typed(word, others) => {
                    let others = others.iter().map(|other| format!("  [ ] {other}")).collect::<String>();
                    format!("{BLANK} (the word {word}){others}")
                }
                Answer::Pasted(_) => "paste it where this is kept".to_owned(),
            },
        )),
        Live::Calculate(it) => {
            let figures = it.inputs.iter().map(|figure| format!("{} {BLANK} ({})", figure.label, figure.about()));
            let results = it.results.iter().map(|result| format!("{} {BLANK} = {}", result.label, result.text));
            Some(("WORK OUT", figures.chain(results).collect::<Vec<_>>().join("; ")))
        }
        Live::Log(tail) => Some(("LOOK AT", format!("the last {} lines of the log {}", tail.lines, tail.source))),
        Live::When(condition) => Some(("ONLY WHEN", words(condition))),
        Live::Escalate(escalate) => Some((
            "CALL",
            match &escalate.say {
                Some(say) => format!("{}: {say}", escalate.to),
                None => escalate.to.to_string(),
            },
        )),
        Live::Broken => Some(("BROKEN", "this part cannot be read".to_owned())),
    }
}

/// A condition in words: `GPU memory in use < 85 %, for 10 s`.
pub fn words(condition: &Condition) -> String {
    let (of, unit) = match &condition.of {
        Subject::Query(Look { label, unit, .. }) => (label.to_string(), *unit),
        Subject::Answer(name) => (name.to_string(), crate::base::Unit::Count),
        Subject::Fact(told) => (told.label.to_string(), crate::base::Unit::Count),
    };
    let expect = match &condition.expect {
        Expect::Number(comparison, value) => format!("{} {}", sign(*comparison), unit.show(*value)),
        Expect::Text(text) => format!("is {text}"),
        Expect::Known => "is known".to_owned(),
    };
    let hold = if condition.hold.is_zero() { String::new() } else { format!(", for {}", span(condition.hold)) };
    format!("{of} {expect}{hold}")
}

/// As it is written.
pub const fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "<",
        Comparison::AtMost => "<=",
        Comparison::More => ">",
        Comparison::AtLeast => ">=",
        Comparison::Equal => "=",
        Comparison::Differs => "not",
    }
}

/// `90 s`, `5 min`, `1 h 30 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) if seconds == 0 => format!("{} ms", time.as_millis()),
        _ if seconds < 120 || !seconds.is_multiple_of(60) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn list(names: &[Clean]) -> String {
    names.iter().map(Clean::as_str).collect::<Vec<_>>().join(", ")
}

fn indent(item: &Item) -> String {
    " ".repeat(usize::from(item.depth.saturating_sub(2).min(8)) * 2)
}

/// Words in lines of at most [`WIDE`] columns; a word that is longer is cut.
fn wrap(text: &str, first: &str, rest: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut line = first.to_owned();
    let mut bare = true;
    for word in text.split_whitespace() {
        if !bare && line.width() + 1 + word.width() > WIDE {
            out.push(core::mem::replace(&mut line, rest.to_owned()));
            bare = true;
        }
        if !bare {
            line.push(' ');
        }
        for c in word.chars() {
            if line.width() + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) > WIDE {
                out.push(core::mem::replace(&mut line, rest.to_owned()));
            }
            line.push(c);
        }
        bare = false;
    }
    out.push(line);
    out
}
