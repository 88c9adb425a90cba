//! What becomes of texts, and where faults stand.

use super::*;
use crate::base::{Clean, Severity, Unit};
use crate::procedure::document::{Answer, Comparison, Expect, Item, Live, Subject, Told};
use core::time::Duration;

const WHOLE: &str = r#"+++
title = "GPU memory"
symptoms = ["CUDA_ERROR 719"]
alerts = ["CudaMemoryHigh"]
time_box = "5m"
severity = "critical"
memory = ["stop"]
order = "the map is looked at first"
+++
# Card is full

Read this first.

## Stop the intake {#stop}
Nobody trades now.

- one
- two

```action
run = "stop-intake"
set = { seconds = 5, mode = "soft" }
failed = "the queue still grows"
go = "call"
```

## Memory below 85 %

```check
query = 'cuda_used_bytes / cuda_total_bytes'
expect = "< 85 %"
hold = "10s"
show = [{ label = "p95", query = 'latency_seconds' }]
```

- [ ] Port 8080 … free
- [x] Replicas: 3 of 3
- [ ] Look at the fans

```bash
# Count the files
ls | wc -l
```
Then wait.

---

## How many cards?
```ask
name = "cards"
number = [1, 8]
```

## More than four
```when
answer = "cards"
expect = "> 4"
```

### Sleep
```wait
for = "60s"
```
```wait
query = 'up'
expect = "== 1"
at_most = "2m"
```

## Call {#call}
```escalate
to = "L2"
say = "the card is full"
```
"#;

fn read(text: &str) -> Document {
    parse("file", "procedures/x.md", text)
}

fn faults(text: &str) -> Vec<String> {
    read(text).faults.iter().map(ToString::to_string).collect()
}

fn item<'a>(document: &'a Document, id: &str) -> &'a Item {
    document.items.iter().find(|item| &*item.id == id).unwrap_or_else(|| unreachable!("{id}: {:#?}", document.items))
}

#[test]
fn a_document_becomes_items_in_the_order_of_its_text() {
    let document = read(WHOLE);
    assert_eq!(document.faults, []);
    let seen: Vec<(&str, u8, usize)> = document.items.iter().map(|item| (&*item.id, item.depth, item.page)).collect();
    let expected = [
        ("stop", 2, 0),
        ("memory-below-85", 2, 0),
        ("port-8080", 3, 0),
        ("replicas", 3, 0),
        ("look-at-the-fans", 3, 0),
        ("count-the-files", 3, 0),
        ("how-many-cards", 2, 1),
        ("more-than-four", 2, 1),
        ("sleep", 3, 1),
        ("wait-up", 4, 1),
        ("call", 2, 1),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        (document.title.as_str(), &*document.id, document.time_box),
        ("GPU memory", "file", Some(Duration::from_mins(5)))
    );
    assert_eq!(document.severity, Some(Severity::Critical));
    assert_eq!(document.about, [Clean::from("Read this first.")]);
    let stop = item(&document, "stop");
    assert!(stop.memory && stop.line == 14, "{}", stop.line);
    assert_eq!(stop.prose, ["Nobody trades now.", "- one", "- two"].map(Clean::from));
    assert_eq!(
        (stop.go.as_deref(), stop.failed.as_ref().map(Clean::as_str)),
        (Some("call"), Some("the queue still grows"))
    );
    let Live::Action(run, set) = &stop.live else { unreachable!("{:?}", stop.live) };
    assert_eq!((&**run, set.len()), ("stop-intake", 2));
    assert!(set.contains(&("seconds".into(), "5".into())), "{set:?}");
    assert_eq!(item(&document, "count-the-files").prose, [Clean::from("Then wait.")]);
}

#[test]
fn conditions_carry_the_unit_of_their_value() {
    let document = read(WHOLE);
    let Live::Check(condition) = &item(&document, "memory-below-85").live else { unreachable!() };
    let Subject::Query(look) = &condition.of else { unreachable!() };
    assert_eq!((look.unit, condition.hold), (Unit::Ratio, Duration::from_secs(10)));
    assert_eq!(condition.expect, Expect::Number(Comparison::Less, 0.85));
    assert_eq!(item(&document, "memory-below-85").show.first().map(|look| look.unit), Some(Unit::Seconds));
    let Live::Ask(ask) = &item(&document, "how-many-cards").live else { unreachable!() };
    assert_eq!(ask.kind, Answer::Number(1.0, 8.0, Unit::Count));
    let Live::When(condition) = &item(&document, "more-than-four").live else { unreachable!() };
    assert_eq!(condition.expect, Expect::Number(Comparison::More, 4.0));
    let Live::Wait(wait) = &item(&document, "wait-up").live else { unreachable!() };
    assert_eq!((wait.at_most, wait.until.is_some()), (Duration::from_mins(2), true));
    let Live::Challenge(response) = &item(&document, "port-8080").live else { unreachable!() };
    assert_eq!(response.as_ref().map(Clean::as_str), Some("free"));
    assert!(matches!(&item(&document, "look-at-the-fans").live, Live::Challenge(None)));
}

#[test]
fn a_fault_stands_where_the_document_has_it() {
    let cases = [
        (
            "# T\n\n## A\n```check\nquery = 'up'\nexpct = \"== 1\"\n```\n",
            "x.md:6:1: unknown key `expct`. Did you mean `expect`?",
        ),
        ("## A\n\n- x\n\n  ```check\n  query = 'sum(up'\n  expect = \"== 1\"\n  ```\n", "x.md:6:"),
        ("> ## A\n> ```check\n> query = 'up'\n> expect = \"about 1\"\n> ```\n", "x.md:4:13: an expectation begins"),
        ("## A\n```wait\nquery = 'up'\nexpect = \"== 1\"\n```\n", "at_most` is missing"),
        ("## A\n```wait\nfor = \"soon\"\n```\n", "x.md:3:7: `for` is no length of time"),
        ("## A\n```ask\nname = \"x\"\n```\n", "one of `choices`, `number`, `typed`, `text = true` and `paste`"),
        (
            "## A\n```ask\nname = \"x\"\ntyped = \"GO\"\nchoices = [\"go\"]\n```\n",
            "x.md:5:11: the word that is typed is none",
        ),
        ("## A\n```ask\nname = \"x\"\ntyped = \"GO\"\ntext = true\n```\n", "x.md:4:9: a word that is typed has"),
        ("## A\n```ask\nname = \"x\"\nnumber = [0, 1]\nnot_production = true\n```\n", "x.md:5:18: it is of the name"),
        (
            "## A\n```ask\nname = \"x\"\ntyped = \"GO\"\n```\n## B\n```when\nanswer = \"x\"\nis = \"go\"\n```\n",
            "`go` is no answer to `x`",
        ),
        ("## A\n```action\nrun = \"\"\n```\n", "x.md:3:7: `run` is empty"),
        ("## A\n```escalate\nto = 5\n```\n", "x.md:3:6: invalid type"),
        ("## A\n```check\nquery = 'up'\nexpect = \"== 1\"\n```\n", ""),
        (
            "+++\ntime_box = \"soon\"\nsevrity = \"major\"\n+++\n",
            "x.md:3:1: unknown key `sevrity`. Did you mean `severity`?",
        ),
        ("+++\nseverity = \"huge\"\n+++\n", "x.md:2:12: unknown value `huge`"),
        ("+++\ntitle = 'x'\n# A\n", "x.md:1:1: the front matter that begins here has no end."),
        ("+++\nmemory = [\"stopp\"]\n+++\n## Stop\n", "x.md:2:10: no item is called `stopp`. Did you mean `stop`?"),
        ("## A {#a}\n## B {#a}\n", "x.md:2: `{#a}` stands here for the second time."),
        (
            "## A\n```check\nquery = 'up'\nexpect = \"== 1\"\ngo = \"b1\"\n```\n## B\n",
            "x.md:5:6: no item is called `b1`. Did you mean `b`?",
        ),
        (
            "## A\n## B\n```check\nquery = 'up'\nexpect = \"== 1\"\ngo = \"a\"\n```\n",
            "x.md:6:6: `a` is no later item than `b`: that goes in a circle.",
        ),
        ("## A\n```when\nanswer = \"x\"\nis = \"yes\"\n```\n", "x.md:3:10: no question before this one is called `x`."),
        (
            "## A\n```ask\nname = \"x\"\nchoices = [\"yes\", \"no\"]\n```\n## B\n```when\nanswer = \"x\"\nis = \"yess\"\n```\n",
            "x.md:8:10: `yess` is no answer to `x`. Did you mean `yes`?",
        ),
        ("## A\n```check\nquery = 'up'\n", "`expect` is missing"),
        (
            "## A\n```check\nquery = 'up'\n",
            "x.md:2:1: this block has no end: all that follows is part of it. Write ``` below",
        ),
        (
            "- a\n\n  ~~~~sh\n  ls\n  ~~~\n",
            "x.md:3:3: this block has no end: all that follows is part of it. Write ~~~~ below",
        ),
        ("> ```sh\n> ls\n> ```\n\n```awk\n{}\n```\n\n    code\n", ""),
        (
            "## A\n```chek\nquery = 'up'\n```\n",
            "x.md:2:4: `chek` is no kind of block: this one is only read. Did you mean `check`?",
        ),
        ("## A\n``` Ask\n```\n", "x.md:2:5: `Ask` is no kind of block: this one is only read. Did you mean `ask`?"),
        ("## A\n\n```ask\n```\n", "x.md:3:1: `name` is missing"),
        ("## A\n```check\nquery = 'x_seconds'\nexpect = \"< 10 %\"\n```\n", "x.md:4:16: `%` is no unit of seconds."),
    ];
    for (text, expected) in cases {
        let faults = faults(text);
        if expected.is_empty() {
            assert!(faults.is_empty(), "{faults:?}");
        } else {
            assert!(faults.iter().any(|fault| fault.contains(expected)), "{text}\n{faults:#?}");
        }
    }
}

#[test]
fn a_broken_block_is_shown_and_everything_else_too() {
    let document =
        read("# T\n## A\ntext\n```action\nrunn = \"x\"\n```\n## B\n```check\nquery = 'up'\nexpect = \"== 1\"\n```\n");
    assert_eq!(document.faults.len(), 2, "{:?}", document.faults);
    let broken = item(&document, "a");
    assert!(matches!(broken.live, Live::Broken));
    assert_eq!(broken.prose, ["text", "runn = \"x\""].map(Clean::from));
    assert!(matches!(item(&document, "b").live, Live::Check(_)));
}

#[test]
fn a_guide_that_was_never_written_for_us_opens_as_it_is() {
    let text = "---\ntitle: Old guide\ntags: [a]\n---\nIntro with [a link](https://docs.rs/x).\n\n# Disk\n\n1. look\n2. clean\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```console\n$ df -h\nFilesystem Size\n$ du -sh /var\n```\n\n```yaml\nkey: value\n```\n\nSteps\n-----\n<b>bold</b> & *em*\n\n    $ reboot\n\n# Second\n\nSame\n----\n\nSame\n----\n";
    let document = read(text);
    assert_eq!(document.faults, []);
    assert_eq!(document.title.as_str(), "Old guide");
    let ids: Vec<&str> = document.items.iter().map(|item| &*item.id).collect();
    assert_eq!(ids, ["df-h", "steps", "reboot", "second", "same", "same-2"]);
    let Live::Command(lines) = &item(&document, "df-h").live else { unreachable!() };
    assert_eq!(lines, &["df -h", "du -sh /var"].map(Clean::from));
    let prose: Vec<&str> =
        document.about.iter().chain(document.items.iter().flat_map(|item| &item.prose)).map(Clean::as_str).collect();
    let expected = [
        "Front matter of another tool, not used here: `tags`.",
        "Intro with a link (https://docs.rs/x).",
        "1. look",
        "2. clean",
        "a | b",
        "1 | 2",
        "    Filesystem Size",
        "    key: value",
        "<b>bold</b> & em",
    ];
    assert_eq!(prose, expected);
}

#[test]
fn a_document_above_one_mebibyte_is_shown_as_far_as_that_and_says_so() {
    let text = format!("# Big\n## First\n{}", "words and words\n\n".repeat(700_000));
    let document = read(&text);
    assert_eq!(document.faults.len(), 1);
    assert!(document.faults.iter().all(|fault| fault.to_string().contains("more than 1 MiB")), "{:?}", document.faults);
    let shown: usize = document.items.iter().flat_map(|item| &item.prose).map(|line| line.as_str().len() + 2).sum();
    assert!(shown > LONGEST - 64 && shown <= LONGEST, "{shown}");
}

#[test]
fn what_is_nested_without_end_is_read_in_bounded_time_and_room() {
    for text in [
        "> ".repeat(20_000) + "x",
        "- ".repeat(20_000) + "x",
        "[".repeat(50_000),
        "![".repeat(50_000) + &"](x)".repeat(50_000),
        "*a_".repeat(30_000),
        "`".repeat(1_000) + &"` ".repeat(20_000),
        "# a\n".repeat(20_000),
        "```check\n```\n".repeat(20_000),
        "<a ".repeat(50_000),
        "&".repeat(100_000),
        "\\\n".repeat(50_000),
        "- [ ] x\n".repeat(20_000),
    ] {
        let document = read(&text);
        let (items, faults) = (document.items.len(), document.faults.len());
        assert!(items <= MOST_ITEMS && faults <= MOST_FAULTS + 2, "{items} {faults}");
    }
}

#[test]
fn front_matter_of_another_tool_gives_its_title_and_what_is_not_used_is_named() {
    for (yaml, title, unused) in [
        ("title: Old guide\nauthor: Ada\ntags:\n  - a\n- b\n# note: none\n", "Old guide", vec!["author", "tags"]),
        ("title: \"Disk: full\" # ours\n", "Disk: full", vec![]),
        ("layout: post\ntitle: >-\n  Disk is\n  full\ndate: 2026-11-29\n", "Disk is full", vec!["layout", "date"]),
        ("title:\n", "Steps", vec![]),
    ] {
        let document = read(&format!("---\n{yaml}---\n# Steps\n\n## One\n"));
        assert_eq!((document.title.as_str(), document.faults.len()), (title, 0), "{yaml}");
        let named: Vec<&str> = document.unused.0.iter().map(Clean::as_str).collect();
        assert_eq!((named, document.unused.1), (unused.clone(), 2), "{yaml}");
        assert_eq!(document.about.len(), usize::from(!unused.is_empty()), "{:?}", document.about);
    }
    let document = read("---\nonly a rule above\n---\n");
    assert_eq!(document.unused.0, [], "two rules across the page");
}

const FIGURES: &str = "## How large\n\n```calculate\nname = \"mib\"\ninputs = [\n  { name = \"symbols\", number = [1, 1000], value = 50 },\n\
    { name = \"days\", number = [1, 30] },\n]\nresults = [\n  { label = \"map\", query = \"ceil(vector($symbols * $days))\" },\n]\n```\n\n\
    ## Grow\n\n```action\nrun = \"grow\"\nset = { mib = \"$mib\" }\n```\n\n\
    ## Large\n\n```when\nanswer = \"mib\"\nexpect = \"> 1000\"\n```\n";

#[test]
fn a_calculation_has_typed_figures_and_its_answer_serves_later_items() {
    let document = read(FIGURES);
    assert_eq!(document.faults, []);
    let Live::Calculate(it) = &item(&document, "how-large").live else { unreachable!() };
    assert_eq!((&*it.name, it.inputs.len(), it.results.len()), ("mib", 2, 1));
    assert_eq!(it.inputs[0].range, (1.0, 1000.0));
}

#[test]
fn what_is_wrong_with_a_calculation_is_told_at_its_place() {
    let told = |from: &str, to: &str| {
        assert!(FIGURES.contains(from), "{from}");
        let faults: Vec<String> = read(&FIGURES.replace(from, to)).faults.iter().map(ToString::to_string).collect();
        faults.first().cloned().unwrap_or_default()
    };
    for (from, to, expected) in [
        ("$symbols *", "$symbol *", "x.md:10:41: no input is called `symbol`. Did you mean `symbols`?"),
        ("$days))", "$days)", "x.md:10:"),
        ("value = 50", "value = 5000", "what is offered lies outside of `number`."),
        ("[1, 30]", "[30, 1]", "write the least and the most"),
        ("name = \"days\"", "name = \"symbols\"", "a second input is called `symbols`."),
        ("label = \"map\"", "lable = \"map\"", "x.md:10:"),
        (
            "results = [\n  { label = \"map\", query = \"ceil(vector($symbols * $days))\" },\n]",
            "",
            "a calculation has one to 6 `results`, here are 0.",
        ),
        ("\"$mib\"", "\"$mb\"", "no question before this one is called `mb`. Did you mean `mib`?"),
        ("answer = \"mib\"", "answer = \"mb\"", "no question before this one is called `mb`."),
    ] {
        let fault = told(from, to);
        assert!(fault.contains(expected), "{from} -> {to}: {fault}");
    }
}

#[test]
fn a_fact_is_a_condition_of_its_own_and_its_keys_go_together() {
    let of = |block: &str| parse("x", "x.md", &format!("## A\n```check\n{block}\n```\n"));
    let document = of("sampler = \"address\"\nfact = \"outgoing\"\nis = \"10.0.0.7\"");
    assert_eq!(document.faults, []);
    let Some(Live::Check(condition)) = document.items.first().map(|item| &item.live) else { unreachable!() };
    let told = Told { label: "outgoing".into(), sampler: "address".into(), fact: "outgoing".into() };
    assert!(matches!(&condition.of, Subject::Fact(found) if *found == told));
    assert_eq!(condition.expect, Expect::Text("10.0.0.7".into()));
    for (block, wanted) in [
        ("fact = \"a\"", "x.md:3:1: `sampler` is missing here."),
        ("sampler = \"a\"", "x.md:3:11: `sampler` goes with `fact`."),
        ("sampler = \"a\"\nfact = \"b\"\nexpect = \"< 5\"", "`expect` is of a number, and a `fact` is a text."),
        ("is = \"b\"", "`is` goes with `answer`, the name of a question, or with `fact`."),
    ] {
        let faults: Vec<String> = of(block).faults.iter().map(ToString::to_string).collect();
        assert!(faults.iter().any(|fault| fault.contains(wanted)), "{block}: {faults:?}");
    }
}

#[test]
fn what_is_pasted_has_a_form_and_nothing_compares_with_it() {
    let ask = |rest: &str| read(&format!("## Say\n\n```ask\nname = \"said\"\n{rest}\n```\n"));
    let Live::Ask(of) = &item(&ask("paste = \"stacks\""), "say").live.clone() else { unreachable!() };
    assert_eq!(of.kind, Answer::Pasted(crate::procedure::pasted::Form::Stacks));
    let fault = ask("paste = \"stack\"").faults[0].to_string();
    assert!(fault.contains("`stack` is nothing that is pasted. Did you mean `stacks`?"), "{fault}");
    let fault = ask("paste = \"lines\"\ntext = true").faults[0].to_string();
    assert!(fault.contains("one of `choices`, `number`, `typed`, `text = true` and `paste`"), "{fault}");
    let text = "## Say\n\n```ask\nname = \"said\"\npaste = \"lines\"\n```\n\n## Then\n\n```when\nanswer = \"said\"\nis = \"x\"\n```\n";
    assert!(read(text).faults[0].to_string().contains("the answer to `said` is pasted."), "{:?}", read(text).faults);
}

#[test]
fn words_that_facts_stand_for_are_known_to_the_items_that_hold_them() {
    let fill = "+++\n[fill]\nNAME = { sampler = \"logs\", fact = \"module\" }\n+++\n";
    let document = parse(
        "x",
        "x.md",
        &format!("{fill}## A\n```julia\nadd(\"NAME\")\n```\n## B\nno NAMES\n## C\n```bash\necho NAME\n```\n"),
    );
    assert_eq!(document.faults, []);
    let words: Vec<usize> = document.items.iter().map(|item| item.beside.fill.len()).collect();
    assert_eq!(words, [1, 0, 0, 1], "a block of commands is an item of its own");
    for (row, wanted) in [
        ("na = { sampler = \"a\", fact = \"b\" }", "`na` is no word to fill in"),
        ("NAME = { sampler = \"a\" }", "fact"),
        ("NAME = \"a\"", "x.md:3:8: invalid type: string, expected a table with `sampler` and `fact`"),
    ] {
        let faults: Vec<String> = parse("x", "x.md", &format!("+++\n[fill]\n{row}\n+++\n## A\n"))
            .faults
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(faults.iter().any(|fault| fault.contains(wanted)), "{row}: {faults:?}");
    }
}
