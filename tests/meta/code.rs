//! Rules over one Rust file. Each is a function from a file to its breaches, and each has a test that breaks it once.

use crate::floors::{AMBIENT, ASYNC, CRATES, FLOORS, PURE_FILES, REGISTRIES, ROOT_MACROS, UNSAFE, floor};
use crate::source::{Path, Source};

/// Lines of code in a file before its header must say why.
const FILE: usize = 400;
/// Lines of code in a function.
const FUNCTION: usize = 60;
/// Lines of code in a function of a front page, where no logic lives.
const FRONT_PAGE_FUNCTION: usize = 12;
/// Fields of a struct.
const FIELDS: usize = 15;
/// Header lines of a file. A `mod.rs` is a front page and may say more; so may a kind, whose header is its reference.
const HEADER: usize = 3;
const KIND_HEADER: usize = 60;
const FRONT_PAGE_HEADER: usize = 15;
/// The words that answer why a file or function is longer than the aim.
const ANSWER: &str = "Long because";

fn breach(source: &Source, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", source.path)
}

fn is_pure(source: &Source) -> bool {
    PURE_FILES.contains(&source.path.as_str()) || source.floor().and_then(floor).is_some_and(|floor| floor.pure)
}

/// A module imports only from lower floors.
pub(crate) fn floors(source: &Source) -> Vec<String> {
    let Some(here) = source.floor().filter(|floor| *floor != "lib") else { return Vec::new() };
    let Some(row) = floor(here) else {
        return vec![breach(source, 1, &format!("`{here}` is no floor of the table in tests/meta/floors.rs."))];
    };
    let ours = source.paths.iter().filter(|path| path.segments.len() > 1 && path.segments[0] == "crate");
    ours.filter_map(|path| {
        let first = path.segments[1].as_str();
        let target = ROOT_MACROS.iter().find(|(name, _)| *name == first).map_or(first, |(_, floor)| *floor);
        if target == here || row.imports.contains(&target) {
            return None;
        }
        let known = FLOORS.iter().any(|floor| floor.name == target);
        let what = if known { "is not below" } else { "is no floor, seen from" };
        Some(breach(source, path.line, &format!("`{}`: `{target}` {what} `{here}`.", path.text())))
    })
    .collect()
}

/// A crate is named only on its floors, and every crate has a row.
pub(crate) fn crates(source: &Source) -> Vec<String> {
    let Some(here) = source.floor() else { return Vec::new() };
    source
        .paths
        .iter()
        .filter(|path| path.segments.len() > 1)
        .filter_map(|path| {
            let (name, floors) = CRATES.iter().find(|(name, _)| *name == path.segments[0])?;
            let allowed = floors.contains(&"*") || floors.contains(&here);
            (!allowed)
                .then(|| breach(source, path.line, &format!("`{}`: `{name}` belongs to {floors:?}.", path.text())))
        })
        .collect()
}

/// Clock, files, sockets, threads, processes and the environment only where the table says; nowhere in pure code.
pub(crate) fn ambient(source: &Source) -> Vec<String> {
    let Some(here) = source.floor() else { return Vec::new() };
    let pure = is_pure(source);
    source
        .paths
        .iter()
        .filter_map(|path| {
            let (prefix, floors) = AMBIENT
                .iter()
                .filter(|(prefix, _)| starts_with(path, prefix))
                .max_by_key(|(prefix, _)| prefix.len())?;
            let allowed = floors.contains(&"*") || (floors.contains(&here) && !pure);
            (!allowed)
                .then(|| breach(source, path.line, &format!("`{}`: `{prefix}` belongs to {floors:?}.", path.text())))
        })
        .collect()
}

fn starts_with(path: &Path, prefix: &str) -> bool {
    let mut segments = path.segments.iter();
    prefix.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
}

/// `async` and `unsafe` only on their floors; no queue without a bound anywhere.
pub(crate) fn words(source: &Source) -> Vec<String> {
    let Some(here) = source.floor() else { return Vec::new() };
    let wrong = |word: &str| match word {
        "async" | "await" if !ASYNC.contains(&here) || is_pure(source) => Some(format!("belongs to {ASYNC:?}.")),
        "unsafe" if !UNSAFE.contains(&here) => Some(format!("belongs to {UNSAFE:?}.")),
        "unbounded_channel" | "UnboundedSender" | "UnboundedReceiver" => Some("has no bound.".to_owned()),
        _ => None,
    };
    let found = source.words.iter();
    found.filter_map(|(word, line)| wrong(word).map(|why| breach(source, *line, &format!("`{word}` {why}")))).collect()
}

/// No glob import outside tests.
pub(crate) fn globs(source: &Source) -> Vec<String> {
    if source.path.starts_with("tests/") {
        return Vec::new();
    }
    let globs =
        source.paths.iter().filter(|path| path.segments.len() > 1 && path.segments.ends_with(&["*".to_owned()]));
    globs.map(|path| breach(source, path.line, &format!("`{}` is a glob import.", path.text()))).collect()
}

/// Every file opens with one to three `//!` lines (a front page may say more).
pub(crate) fn header(source: &Source) -> Vec<String> {
    let header = source.header();
    let is_kind = REGISTRIES.iter().any(|(folder, _)| source.path.starts_with(folder));
    let limit = match source.path.rsplit('/').next() {
        Some("mod.rs" | "lib.rs") => FRONT_PAGE_HEADER,
        _ if is_kind => KIND_HEADER,
        _ => HEADER,
    };
    let lines = header.iter().filter(|line| !line.contains(ANSWER)).count();
    match lines {
        0 => vec![breach(source, 1, "opens without a `//!` line that says what it is.")],
        lines if lines > limit => {
            vec![breach(source, 1, &format!("its header has {lines} lines; the aim is {limit}."))]
        }
        _ => Vec::new(),
    }
}

/// File, function and struct sizes. A header line with "Long because" answers for the whole file.
pub(crate) fn sizes(source: &Source) -> Vec<String> {
    let mut breaches = Vec::new();
    let answered = source.header().iter().any(|line| line.contains(ANSWER));
    let long = |what: &str, size: usize, aim: usize| {
        format!("{what} has {size} lines of code; the aim is {aim} (or a `//! {ANSWER} …` line in the header).")
    };
    if !answered && source.code.len() > FILE {
        breaches.push(breach(source, 1, &long("the file", source.code.len(), FILE)));
    }
    let front_page = source.path.starts_with("src/") && source.path.ends_with("/mod.rs");
    let aim = if front_page { FRONT_PAGE_FUNCTION } else { FUNCTION };
    for function in source.functions.iter().filter(|function| !answered && function.size > aim) {
        breaches.push(breach(source, function.line, &long(&format!("`fn {}`", function.name), function.size, aim)));
    }
    for item in source.structs.iter().filter(|item| item.size > FIELDS) {
        let what = format!("`struct {}` has {} fields; the aim is {FIELDS}.", item.name, item.size);
        breaches.push(breach(source, item.line, &what));
    }
    breaches
}

/// Where a process that stays may be started: by the guard that ends it, and in a pseudo-terminal that does the same.
const STARTERS: [&str; 2] = ["tests/peers/running.rs", "tests/pty/harness.rs"];
const STARTS: &str = concat!(".spawn", "()");

/// What a test starts goes with it, however it ends.
pub(crate) fn guards(source: &Source) -> Vec<String> {
    if !source.path.starts_with("tests/") || STARTERS.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let starts = source.text.lines().enumerate().filter(|(_, line)| line.contains(STARTS));
    starts.map(|(at, _)| breach(source, at + 1, "a process without `Running`, which ends it with its test.")).collect()
}

type Rule = fn(&Source) -> Vec<String>;

/// Every rule above, with the sentence that it holds.
pub(crate) const RULES: &[(&str, Rule)] = &[
    ("a module imports only from lower floors", floors),
    ("a crate is named only on its floors", crates),
    ("the ambient world is touched only where the table says", ambient),
    ("async, unsafe and queues keep to their places", words),
    ("no glob imports outside tests", globs),
    ("every file says what it is", header),
    ("files, functions and structs keep their size", sizes),
    ("what a test starts ends with it", guards),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule finds the first text, at this place, and lets the second pass.
    fn breaks(rule: Rule, path: &str, bad: &str, place: &str, good: &str) {
        let found = rule(&Source::parse(path, bad).expect("parses"));
        assert!(found.first().is_some_and(|first| first.contains(place)), "{path}: {bad}: {found:?}");
        let found = rule(&Source::parse(path, good).expect("parses"));
        assert!(found.is_empty(), "{path}: {good}: {found:?}");
    }

    #[test]
    fn a_process_that_a_test_leaves_behind_is_found() {
        let bad = format!("fn f() {{\n Command::new(\"x\"){STARTS}.unwrap(); }}");
        let good = "fn f() { Running::start(&mut Command::new(\"x\"), a(), b()); thread::spawn(|| 1); }";
        breaks(guards, "tests/x/main.rs", &bad, "main.rs:2: a process", good);
    }

    #[test]
    fn an_import_from_above_is_found() {
        breaks(
            floors,
            "src/store/ring.rs",
            "\nuse crate::{base::Clean, ui::draw};",
            "ring.rs:2: `crate::ui::draw`",
            "use crate::base::Clean;",
        );
        breaks(
            floors,
            "src/base/x.rs",
            "fn f() { super::super::sys::go() }",
            "`sys` is not below",
            "fn f() { super::unit::go() }",
        );
        breaks(
            floors,
            "src/base/x.rs",
            "fn f() { m!(watchkeeper::rules::Book) }",
            "`rules` is not below",
            "use crate::clean;",
        );
        breaks(
            floors,
            "src/term/x.rs",
            "use crate::helpers::x;",
            "`helpers` is no floor",
            "#[cfg(test)] mod tests { use crate::ui; }",
        );
        let util = Source::parse("src/util/x.rs", "").expect("parses");
        assert!(floors(&util)[0].contains("`util` is no floor"));
    }

    #[test]
    fn a_crate_out_of_place_is_found() {
        breaks(
            crates,
            "src/ui/x.rs",
            "use crossterm::event::KeyEvent;",
            "`crossterm` belongs",
            "use ratatui::text::Span;",
        );
        breaks(
            crates,
            "src/app/x.rs",
            "fn f() { tokio::spawn(g()); }",
            "`tokio` belongs",
            "fn f() { serde_json::json!({}); }",
        );
    }

    #[test]
    fn the_ambient_world_out_of_place_is_found() {
        breaks(
            ambient,
            "src/rules/x.rs",
            "use std::time::{Duration, Instant};",
            "`std::time::Instant`",
            "use std::time::Duration;",
        );
        breaks(ambient, "src/app/x.rs", "fn f() { std::fs::read(p); }", "`std::fs`", "use std::collections::BTreeMap;");
        breaks(ambient, "src/action/plan.rs", "use std::fs;", "`std::fs`", "use std::sync::Arc;");
        breaks(ambient, "src/term/x.rs", "use std::process::Command;", "`std::process`", "use std::thread;");
        breaks(ambient, "src/roles/x.rs", "use std::process::exit;", "`std::process`", "use std::process::ExitCode;");
        breaks(ambient, "src/config/x.rs", "fn f() { std::env::var(\"A\") }", "`std::env`", "use std::fs::read;");
    }

    #[test]
    fn async_unsafe_and_unbounded_queues_are_found() {
        breaks(words, "src/store/x.rs", "async fn f() {}", "`async`", "fn f() {} // async");
        breaks(words, "src/ui/x.rs", "fn f() { g().await }", "`await`", "fn f() { let s = \"await\"; }");
        breaks(words, "src/term/x.rs", "fn f() { unsafe { g() } }", "`unsafe`", "fn f() { g() }");
        breaks(
            words,
            "src/samplers/x.rs",
            "fn f() { mpsc::unbounded_channel() }",
            "no bound",
            "async fn f() { mpsc::channel(1) }",
        );
    }

    #[test]
    fn a_glob_import_is_found() {
        breaks(
            globs,
            "src/ui/x.rs",
            "use ratatui::prelude::*;",
            "`ratatui::prelude::*`",
            "#[cfg(test)] mod tests { use super::*; }",
        );
    }

    #[test]
    fn a_missing_or_long_header_is_found() {
        breaks(header, "src/ui/x.rs", "use a::b;", "without a `//!`", "//! What it is.\nuse a::b;");
        breaks(header, "src/ui/x.rs", &"//! line\n".repeat(4), "4 lines", &"//! line\n".repeat(3));
        breaks(header, "src/ui/panes/x.rs", &"//! line\n".repeat(61), "61 lines", &"//! line\n".repeat(60));
        breaks(header, "src/ui/mod.rs", &"//! line\n".repeat(16), "16 lines", &"//! line\n".repeat(15));
    }

    #[test]
    fn sizes_out_of_bounds_are_found() {
        let body = |lines| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines));
        breaks(sizes, "src/ui/x.rs", &body(59), "`fn f` has 61", &body(58));
        breaks(sizes, "src/ui/mod.rs", &body(11), "`fn f` has 13", &body(10));
        breaks(
            sizes,
            "src/ui/x.rs",
            &"const A: u8 = 1;\n".repeat(401),
            "the file has 401",
            &"const A: u8 = 1;\n// why\n\n".repeat(400),
        );
        breaks(sizes, "src/ui/x.rs", &body(70), "the aim is 60", &format!("//! {ANSWER} it is a table.\n{}", body(70)));
        let fields = |count| {
            format!("struct S {{ {} }}", (0..count).map(|n| format!("f{n}: Map<u8, u8>, ")).collect::<String>())
        };
        breaks(sizes, "src/app/x.rs", &fields(16), "`struct S` has 16 fields", &fields(15));
    }
}
