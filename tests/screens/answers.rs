//! What is pasted into a procedure, what is worked out in one, and the whole of it as a document.

use crate::desk::Desk;
use crossterm::event::KeyCode;
use insta::assert_snapshot;
use std::sync::Arc;
use watchkeeper::app::{Effect, Msg, Procedures, Request};
use watchkeeper::base::{Clean, Observation, Point, Ulid};
use watchkeeper::procedure::walk::State;
use watchkeeper::procedure::{Step, parse};
use watchkeeper::term::Input;

const PROFILE: &str = r#"
title = "Orders"
environment = "test"
[samplers.app]
kind = "host"
[[panes]]
title = "Load"
kind = "sparkline"
query = "node_load1"
[actions.grow]
kind = "command"
title = "Grow the map"
verb = "grow"
danger = "C2"
argv = ["/usr/bin/grow", "{mib}"]
undo = "none"
params = { mib = { int = [1, 100000], value = 64, ask = true } }
"#;

/// A console with this procedure begun.
fn begun(text: &str, size: (u16, u16)) -> Desk {
    let mut desk = Desk::of(PROFILE, size);
    let document = Arc::new(parse("page", "page.md", text));
    assert_eq!(document.faults, []);
    desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
    desk.key('p');
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    desk.send(Msg::WalkBegun(document, Ok(Ulid(9))));
    desk.pass(200);
    desk
}

fn paste(desk: &mut Desk, text: &str) {
    let input = Input::Paste { text: Clean::text(text), lines: Clean::lines(text), left_out: 0 };
    desk.send(Msg::Input(desk.model.now.mono, input));
}

fn found(effects: &[Effect]) -> &Step {
    let steps = effects.iter().find_map(|effect| match effect {
        Effect::KeepSteps(_, steps) => steps.iter().find(|step| step.who.is_some()),
        _ => None,
    });
    steps.expect("a step is kept")
}

fn saw(value: f64) -> Observation {
    let points = vec![Point::gauge("map_bytes", &[], value), Point::gauge("node_load1", &[], 1.0)];
    Observation { points, ..Observation::default() }
}

const STACKS: &str = "# Deep look\n\n## Flame graph\n\nPaste them.\n\n```ask\nname = \"stacks\"\npaste = \"stacks\"\n```\n\n\
                      ## Then\n\n- [ ] What is hot … a name\n";

/// As a profiler writes them: a wide path, a narrow one, and a frame with an escape sequence in its name.
fn folded() -> String {
    let mut text = "main;loop;parse;utf8 620\nmain;loop;send 240\nmain;loop 4\nmain;gc 96\n".to_owned();
    text += "main;\u{1b}]52;c;eA==\u{7};evil\u{202e}name 40\n";
    text
}

#[test]
fn folded_stacks_are_pasted_and_shown_as_a_tree_the_widest_first() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = begun(STACKS, size);
        desk.press(KeyCode::Enter);
        paste(&mut desk, &folded());
        assert!(desk.screen().contains("1000 samples in 5 stacks"), "{}", desk.screen());
        let effects = desk.press(KeyCode::Enter);
        let step = found(&effects);
        assert_eq!(step.found.lines.len(), 5, "all of it is kept with the walk: {step:?}");
        desk.key('k');
        desk.key('v');
        assert_snapshot!(format!("a_tree_of_stacks_{}", size.0), desk.screen());
        let screen = desk.screen();
        let at = |name: &str| screen.find(name).unwrap_or_else(|| panic!("{name}: {screen}"));
        assert!(at("loop") < at("parse;utf8") && at("parse;utf8") < at("send") && at("send") < at("gc"), "{screen}");
        assert!(screen.contains("86.4 %") && screen.contains("620"), "shares and samples: {screen}");
        assert!(screen.contains("␛]52;c;eA==␇;evil<U+202E>name"), "what was hostile is seen: {screen}");
        assert!(!screen.contains('\u{1b}') && !screen.contains('\u{202e}'), "hostile text is clean");
        desk.press(KeyCode::Esc);
        assert!(desk.screen().contains("86.4 %"), "the first rows stand below the list too: {}", desk.screen());
    }
}

#[test]
fn what_is_no_stack_is_refused_and_can_be_taken_away_again() {
    let mut desk = begun(STACKS, (80, 24));
    desk.press(KeyCode::Enter);
    paste(&mut desk, "hello\nworld");
    assert!(desk.screen().contains("no line of it is a stack"), "{}", desk.screen());
    paste(&mut desk, &folded());
    desk.press(KeyCode::Backspace);
    assert!(desk.press(KeyCode::Enter).is_empty() && desk.screen().contains("answer is needed"), "{}", desk.screen());
    let long = (0..30_000).map(|n| format!("main;f{n} 1\n")).collect::<Vec<_>>().concat();
    paste(&mut desk, &long);
    let screen = desk.screen();
    assert!(screen.contains("20000 samples in 20000 stacks") && screen.contains("more did not fit"), "{screen}");
}

#[test]
fn on_a_narrow_screen_deep_rows_are_cut_with_a_mark() {
    let mut desk = begun(STACKS, (60, 15));
    desk.press(KeyCode::Enter);
    let deep = (0..12).map(|n| format!("a_function_with_a_long_name_{n};")).collect::<Vec<_>>().concat();
    paste(&mut desk, &format!("{deep}left 5\n{deep}right 4\n"));
    desk.press(KeyCode::Enter);
    desk.key('k');
    desk.key('v');
    let screen = desk.screen();
    assert!(screen.lines().any(|line| line.contains("a_function") && line.contains('…')), "{screen}");
    assert!(screen.contains("55.6 %") && screen.contains("left"), "{screen}");
}

const FIGURES: &str = "# How large\n\n## How much is enough\n\n```calculate\nname = \"mib\"\ninputs = [\n\
    { name = \"symbols\", number = [1, 1000], value = 50 },\n\
    { name = \"frame\", label = \"timeframe\", number = [1, 86400], unit = \"seconds\", value = 60 },\n\
    { name = \"used\", number = [0, 1e12], unit = \"bytes\", query = \"map_bytes / 2\" },\n]\nresults = [\n\
    { label = \"map in MiB\", query = \"ceil(vector($symbols * 86400 / $frame * 365 * 48 / 2^20))\" },\n\
    { label = \"of the map\", query = \"$symbols * 86400 / $frame * 365 * 48 / map_bytes\", unit = \"ratio\", \
      bands = { warning = 0.8, critical = 1.0 } },\n]\n```\n\n## Grow it\n\n```action\nrun = \"grow\"\n\
    set = { mib = \"$mib\" }\n```\n";

#[test]
fn a_calculation_shows_what_comes_of_it_while_it_is_typed() {
    for size in [(80, 24), (120, 40)] {
        let mut desk = begun(FIGURES, size);
        desk.says("app", Ok(saw(1_073_741_824.0)));
        desk.press(KeyCode::Enter);
        let screen = desk.screen();
        assert!(screen.contains("map in MiB 1,204") && screen.contains("CRITICAL"), "{screen}");
        assert!(screen.contains("536870912"), "what is observed is offered: {screen}");
        desk.press(KeyCode::Backspace);
        assert_snapshot!(format!("figures_at_work_{}", size.0), desk.screen());
        assert!(
            desk.screen().contains("map in MiB 121 ") || desk.screen().contains("map in MiB 121\n"),
            "{}",
            desk.screen()
        );
        assert!(!desk.screen().contains("CRITICAL"), "{}", desk.screen());
        desk.press(KeyCode::Backspace);
        assert!(desk.screen().contains("Nothing comes of it"), "{}", desk.screen());
        desk.key('x');
        desk.press(KeyCode::Enter);
        assert!(desk.screen().contains("symbols: that is no number."), "{}", desk.screen());
        desk.press(KeyCode::Backspace);
        desk.type_text("5000");
        desk.press(KeyCode::Enter);
        assert!(desk.screen().contains("symbols: between 1 and 1000."), "{}", desk.screen());
    }
}

#[test]
fn what_was_worked_out_is_kept_with_its_figures_and_is_the_value_of_a_later_action() {
    let mut desk = begun(FIGURES, (120, 40));
    desk.says("app", Ok(saw(1_073_741_824.0)));
    desk.press(KeyCode::Enter);
    let effects = desk.press(KeyCode::Enter);
    let step = found(&effects);
    let said = "map in MiB 1,204 of symbols 50, timeframe 60.0 s, used 512 MiB";
    assert_eq!(step.text.as_str(), said);
    let lines: Vec<&str> = step.found.lines.iter().map(Clean::as_str).collect();
    assert_eq!(
        lines,
        ["symbols 50", "timeframe 60.0 s", "used 512 MiB", "map in MiB 1,204", "of the map 117 % CRITICAL"]
    );
    assert_eq!(step.found.value, Some(1204.0));
    let effects = desk.press(KeyCode::Enter);
    let [Effect::Plan(Request { given, .. })] = &effects[..] else { panic!("{effects:?}\n{}", desk.screen()) };
    assert_eq!(given, &[("mib".into(), "1204".into())]);
}

#[test]
fn a_series_that_is_missing_is_unknown_with_its_reason_and_nothing_is_kept() {
    let text = FIGURES.replace("ceil(vector(", "ceil(map_bytes * 0 + (");
    let mut desk = begun(&text, (120, 40));
    desk.press(KeyCode::Enter);
    let screen = desk.screen();
    assert!(screen.contains("nothing to offer: "), "{screen}");
    desk.tab();
    desk.tab();
    desk.type_text("7");
    let screen = desk.screen();
    assert!(screen.contains("map in MiB unknown: "), "{screen}");
    assert!(!screen.contains("map in MiB 0") && !screen.contains("OK"), "{screen}");
    assert!(desk.press(KeyCode::Enter).is_empty(), "nothing is kept");
    assert!(desk.screen().contains("map in MiB is unknown: "), "{}", desk.screen());
    assert_eq!(desk.model.procedures.walks[0].walk.marks[0].state, State::Open);
}

const SECRETS: &str = include_str!("procedures/secrets.toml");

#[test]
fn a_bug_report_has_its_six_headings_and_no_secret() {
    let text = include_str!("../../profiles/planar/procedures/bug-report.md").replace("${mode}", "paper");
    let mut desk = begun(&text, (120, 40));
    for (sampler, name, fact) in [
        ("julia", "says", "julia version 1.11.7"),
        ("commit", "says", "8c41d07 2026-11-14"),
        ("system", "kernel", "Linux 6.12.9"),
    ] {
        let facts = vec![(name.into(), fact.into())];
        desk.told(sampler, Ok(Observation { facts, ..Observation::default() }));
    }
    let pasted = format!("ERROR: LoadError\n\n# no heading\n```\n{SECRETS}");
    for answer in ["unit", pasted.as_str(), "it trades", "it stops", pasted.as_str(), pasted.as_str()] {
        desk.press(KeyCode::Enter);
        if answer.contains('\n') {
            paste(&mut desk, answer);
        } else {
            desk.type_text(answer);
        }
        desk.press(KeyCode::Enter);
    }
    desk.key('W');
    assert!(desk.screen().contains("page-2026-11-21T0312Z.md"), "{}", desk.screen());
    let effects = desk.press(KeyCode::Enter);
    let saved = effects.iter().find_map(|effect| match effect {
        Effect::Save(path, lines) => Some((path.to_string(), lines)),
        _ => None,
    });
    let (path, lines) = saved.expect("it is written");
    assert_eq!(path, "page-2026-11-21T0312Z.md");
    let headings: Vec<&str> = lines.iter().map(Clean::as_str).filter(|line| line.starts_with('#')).collect();
    let six = ["Environment", "Steps to reproduce", "Expected", "Actual", "Errors", "Configuration"];
    assert_eq!(headings[0], "# Report a bug");
    assert_eq!(headings[1..], six.map(|title| format!("## {title}")), "what was pasted makes no heading");
    let all = lines.iter().map(Clean::as_str).collect::<Vec<_>>().join("\n");
    for secret in ["K3Y-f1xture-0001", "S3CRET-f1xture-0002", "PASSPHR4SE-f1xture-0003"] {
        assert!(SECRETS.contains(secret) && !all.contains(secret), "{secret}: {all}");
    }
    for said in ["LoadError", "it stops", "<redacted>", "julia version 1.11.7", "8c41d07 2026-11-14", "Linux 6.12.9"] {
        assert!(all.contains(said), "{said}: {all}");
    }
    assert!(all.is_ascii(), "safe to look at with cat");
}
