//! Any text opens: no panic, bounded, every fault inside the document.

use proptest::prelude::*;
use std::time::{Duration, Instant};
use watchkeeper::procedure::lint::lint;
use watchkeeper::procedure::parse;

/// Pieces that documents are made of, good and bad.
const PIECES: &[&str] = &[
    "# T\n",
    "## A {#a}\n",
    "## A\n",
    "### B {#",
    "text ",
    "\n\n",
    "---\n",
    "+++\n",
    "title = \"x\"\n",
    "memory = [\"a\"]\n",
    "```check\n",
    "```action\n",
    "```wait\n",
    "```ask\n",
    "```when\n",
    "```escalate\n",
    "```bash\n",
    "```\n",
    "~~~\n",
    "query = 'up'\n",
    "query = 'sum(up'\n",
    "expect = \"< 10 us\"\n",
    "expect = \"==\"\n",
    "run = \"x\"\n",
    "for = \"5s\"\n",
    "name = \"n\"\n",
    "choices = [\"a\", \"b\"]\n",
    "answer = \"n\"\n",
    "is = \"a\"\n",
    "to = \"L2\"\n",
    "go = \"a\"\n",
    "show = [{ query = 'up' }]\n",
    "- [ ] x … y\n",
    "- [x] : = \n",
    "  - [ ] z\n",
    "> ",
    "> - ",
    "1. ",
    "    $ ls\n",
    "| a | b |\n|---|---|\n",
    "<b>",
    "[a](b)",
    "![",
    "\\",
    "`",
    "$ rm -rf /x\n",
    "cp a a.bak; systemctl start x\n",
    "sed -i 's/a/b/' /etc/x\n",
    "$(date",
    "\u{202e}",
    "\u{feff}",
    "\r\n",
    "\0",
    "é",
    "\t",
    "&amp;",
    "\"",
    "'",
];

pub(crate) fn opens(text: &str) {
    let document = parse("x", "x.md", text);
    let lines = u32::try_from(text.matches('\n').count() + 2).expect("short");
    for fault in &document.faults {
        let at = fault.at.as_ref().expect("a place");
        assert!(at.line <= lines, "{fault} of {lines} lines in {text:?}");
    }
    let mut last = 0;
    for item in &document.items {
        assert!(item.line >= last && item.line <= lines, "{item:?}");
        last = item.line;
        assert!(!item.id.is_empty());
        assert_eq!(document.items.iter().filter(|other| other.id == item.id).count(), 1, "{}", item.id);
    }
    let _found = lint(&document, &|_| None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        opens(&text);
    }

    #[test]
    fn no_mixture_of_what_documents_are_made_of_makes_it_panic(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)
    ) {
        opens(&pieces.concat());
    }
}

#[test]
fn no_cut_and_no_lost_line_of_a_shipped_document_makes_it_panic() {
    let text = include_str!("../../profiles/demo/procedures/gpu-memory.md");
    for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)).step_by(7) {
        let (head, tail) = text.split_at(at);
        opens(head);
        opens(tail);
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for lost in 0..lines.len() {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != lost);
        opens(&kept.map(|(_, line)| *line).collect::<String>());
    }
}

fn took(text: &str) -> Duration {
    let begun = Instant::now();
    let _document = parse("x", "x.md", text);
    begun.elapsed()
}

#[test]
fn a_kibibyte_takes_a_millisecond_at_most() {
    let bombs = [
        "> ".repeat(30_000),
        "- ".repeat(30_000),
        "[".repeat(60_000),
        "*a_".repeat(30_000),
        "```check\n```\n".repeat(5_000),
        "- [ ] x … y\n".repeat(5_000),
        "# a\ntext\n".repeat(8_000),
    ];
    for text in bombs {
        let kib = u32::try_from(text.len() / 1024).expect("short");
        // This is an unoptimised build on a busy machine.
        assert!(
            took(&text) < Duration::from_millis(12) * kib,
            "{kib} KiB of {:?}",
            text.chars().take(12).collect::<String>()
        );
    }
}

#[test]
fn twice_the_blocks_take_twice_the_time() {
    let shipped = include_str!("../../profiles/demo/procedures/gpu-memory.md");
    let body = shipped.rsplit("+++\n").next().expect("a body").replace(" {#write-down}", "").replace(" {#call}", "");
    let least = |times: usize| (0..12).map(|_| took(&body.repeat(times))).min().expect("some");
    let (few, many) = (least(2), least(8));
    assert!(many < few * 10, "{few:?}, {many:?}");
}

/// The figures of reading and linting the largest documents.
#[test]
fn the_largest_document_and_two_thousand_items_are_read_and_linted_in_bounded_time() {
    let item = |n: usize| {
        format!("## Item {n}\n\nWhat is known of it.\n\n```bash\nsystemctl restart unit-{n}\ncp /a/{n} /b\n```\n\n")
    };
    let many: String = (0..1_000).map(item).collect();
    let huge = "## A\n\nwords and words\n\n".repeat(10 * 1024 * 1024 / 23);
    for (name, text, items) in [("2,000 items", &many, 2_000), ("10 MB", &huge, 2_000)] {
        let begun = Instant::now();
        let document = parse("x", "x.md", text);
        let read = begun.elapsed();
        let begun = Instant::now();
        let found = lint(&document, &|_| None).len();
        let linted = begun.elapsed();
        println!(
            "{name}: {} bytes, {} items read in {read:?}, {found} lints in {linted:?}",
            text.len(),
            document.items.len()
        );
        assert_eq!(document.items.len(), items, "{name}");
        // An unoptimised build on a busy machine.
        assert!(read < Duration::from_secs(20) && linted < Duration::from_secs(20), "{name}: {read:?}, {linted:?}");
    }
    let told: Vec<String> = parse("x", "x.md", &huge).faults.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|told| told.contains("more than 1 MiB")), "{told:?}");
}
