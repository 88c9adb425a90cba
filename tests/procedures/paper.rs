//! Documents as plain text: the card for paper, and the reading with its faults.

use unicode_width::UnicodeWidthStr;
use watchkeeper::procedure::lint::lint;
use watchkeeper::procedure::{paper, parse};

const GPU: &str = include_str!("../../profiles/demo/procedures/gpu-memory.md");
const CRITICAL: &str = include_str!("../../profiles/cerebellar-norse/procedures/critical-failure.md");

#[test]
fn a_card_has_a_box_a_blank_and_the_way_on_for_every_item_on_two_sheets_of_80_columns() {
    let lines = paper::card(&parse("gpu-memory", "gpu-memory.md", GPU));
    let text = lines.join("\n");
    for wanted in [
        "GPU memory full",
        "CRITICAL, time box 5 min, answers GpuFull, InferenceLatencyHigh",
        " 1. [ ] The card is full",
        "CHECK GPU memory in use > 90 % seen: ____________",
        "IF NOT: The card has room: this is not the cause. Go to 8.",
        "ACTION reduce-batch-size",
        "WAIT GPU memory in use < 85 %, for 5 s, at most 60 s",
        "   7. [ ] The queue drains",
        "EXPECT 1024 → 512 seen: ____________",
        "CALL L2: GPU memory",
        "Begun ______________ UTC",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert_eq!(text.matches('\u{c}').count(), 1, "two sheets\n{text}");
    for line in &lines {
        assert!(line.trim_start_matches('\u{c}').width() <= 80, "{line}");
    }
}

#[test]
fn what_is_known_by_heart_stands_first() {
    let lines = paper::card(&parse("critical-failure", "x.md", CRITICAL));
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap_or(usize::MAX);
    assert!(
        at("BY HEART") < at("  [ ] Stop the service") && at("  [ ] Stop the service") < at(" 1. [ ] "),
        "{lines:#?}"
    );
}

#[test]
fn a_handbook_lists_what_is_in_it_and_begins_a_sheet_for_each() {
    let documents = [parse("a", "a.md", GPU), parse("b", "b.md", CRITICAL)];
    let lines = paper::handbook(&documents);
    assert_eq!(lines.iter().filter(|line| line.starts_with("  1. ") || line.starts_with("  2. ")).count(), 2);
    assert!(lines.iter().any(|line| line.starts_with("\u{c}Critical failure")), "{lines:#?}");
}

#[test]
fn a_fault_is_shown_below_the_item_at_whose_line_it_stands() {
    let text = "# T\n\n## A\nfirst\n\n## B\n```action\nrunn = \"x\"\n```\n\n## C\nlast\n";
    let lines = paper::show(&parse("t", "t.md", text));
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap_or(usize::MAX);
    assert!(at(" 2. B") < at("!! t.md:8:1: unknown key `runn`") && at("!! t.md:8:1") < at(" 3. C"), "{lines:#?}");
    assert!(at("BROKEN this part cannot be read") < at(" 3. C") && at("runn = \"x\"") < at(" 3. C"), "{lines:#?}");
}

#[test]
fn the_template_of_a_new_procedure_is_without_a_fault_and_clean() {
    let document = parse("new", "new.md", include_str!("../../src/roles/procedure_template.md"));
    assert_eq!(document.faults, []);
    let found: Vec<String> = lint(&document, &|_| None).iter().map(ToString::to_string).collect();
    assert_eq!(found, [""; 0]);
}
