//! The committed tables: each item of a guide, what of the profile makes it true, and what shows that it is. They are
//! written from the profiles and the rows, never by hand.

use crate::ids::{SYSTEMS, ids};
use crate::parts::{Parts, parts};
use crate::row::{Row, Rows, each};
use std::fs;

/// Set, it writes them.
const WRITE: &str = "WATCHKEEPER_WRITE_COVERAGE";

fn shown(row: &Row) -> String {
    let mut by: Vec<String> = Vec::new();
    let mut add = |count: usize, what: &str| {
        if count > 0 {
            by.push(if count == 1 { what.to_owned() } else { format!("{count} × {what}") });
        }
    };
    add(usize::from(row.view.is_some()), "the first view");
    add(row.panes.len(), "a pane and its legend");
    add(row.find.len(), "a search and what its page says");
    add(each(row.steps.as_ref()).count(), "the steps of a page");
    add(each(row.levels.as_ref()).count(), "levels at their edges");
    add(row.rules.len(), "a rule test");
    add(row.lines.len(), "a line of a log");
    add(each(row.plan.as_ref()).count(), "a plan at the stand-in");
    add(row.reads.len(), "a series at the stand-in");
    add(row.facts.len(), "a fact at the stand-in");
    add(row.figures.len(), "a figure over a window");
    add(usize::from(row.every.is_some()), "how often it looks");
    add(each(row.contact.as_ref()).count(), "a card");
    add(usize::from(row.timers.is_some()), "two clocks");
    by.extend(each(row.test.as_ref()).map(|test| format!("`{test}`")));
    by.join(", ")
}

fn table(system: &str, known: &[String], parts: &Parts, rows: &Rows) -> String {
    let mut text = format!(
        "# {system}: {} of {} items are shown by a test\n\n\
         Written from `profiles/{system}`, whose parts bear the ids of the items in comments, and from `{system}.toml`; not by hand:\n\
         `{WRITE}=1 cargo test --test coverage tables` writes it.\n\n\
         | Item | What makes it true | What shows it |\n|---|---|---|\n",
        known.iter().filter(|id| rows.contains_key(*id)).count(),
        known.len(),
    );
    text.extend(known.iter().map(|id| {
        let by = parts.get(id).into_iter().flatten().map(|part| format!("{} `{}`", part.kind, part.name));
        let by: Vec<String> = by.map(|by| by.replace('|', "\\|")).collect();
        let shown = rows.get(id).map(shown).unwrap_or_default();
        format!("| {id} | {} | {shown} |\n", by.join(", "))
    }));
    text
}

#[test]
fn the_tables_are_those_that_the_profiles_and_the_rows_make() {
    for (system, prefix, sections) in SYSTEMS {
        let rows = fs::read_to_string(format!("tests/coverage/{system}.toml")).expect("reads");
        let rows: Rows = toml::from_str(&rows).expect("TOML");
        let (known, parts) = (ids(prefix, sections), parts(system, prefix));
        let text = table(system, &known, &parts, &rows);
        let file = format!("tests/coverage/{system}.md");
        if std::env::var_os(WRITE).is_some() {
            fs::write(&file, &text).expect("writes");
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        let differs = committed.lines().zip(text.lines()).find(|(is, made)| is != made);
        assert!(
            committed == text,
            "{file} is not what is made: {differs:?}; {WRITE}=1 cargo test --test coverage tables"
        );
    }
}
