//! Markdown as people write it, section by section of the CommonMark specification, in our own words: every text opens,
//! nothing in it is live but what a typed block makes so, and a fault behind it stands at its very line and column.

use crate::any::opens;
use proptest::prelude::*;
use watchkeeper::procedure::document::Live;
use watchkeeper::procedure::parse::KINDS;
use watchkeeper::procedure::{Document, parse};

/// One text for each thing that Markdown knows, the odd cases of it among them.
const TEXTS: &[&str] = &[
    // Tabs.
    "\tstands\tindented\t\tby a tab\n",
    "  - an entry\n\n\tits second paragraph\n",
    ">\t\tquoted, and indented twice\n",
    "-\t\tan entry that is code\n",
    "#\tA heading behind a tab\n",
    "*\t*\t*\t\n",
    // Escapes and entities.
    "\\# no heading, \\* no entry, \\` no code, \\[no\\](link), \\\\ \\q\n",
    "a line that ends in a backslash\\\nand goes on\n",
    "`\\`` and ``\\` and <https://example.org/?a=\\*>\n",
    "&amp; &copy; &AElig; &#35; &#x22; &#0; &nosuch; &#99999999; &\n",
    "&#42;no star&#42; and &#9;no tab\n",
    "[a](/b%20c&auml; \"&quot;\")\n",
    // Precedence, rules.
    "- `one\n- two`\n",
    "***\n---\n___\n",
    "+++\n",
    "--\n**\n__\n",
    " ***\n  ***\n   ***\n    ***\n",
    "_ _ _ _ a\n\na------\n\n---a---\n",
    "- entry\n***\n- entry\n",
    "Heading or rule\n---\nsecond\n",
    "* a\n* * *\n* b\n",
    // Headings.
    "# one\n## two\n### three\n#### four\n##### five\n###### six\n####### none\n",
    "#no heading\n\n#5 none\n\n\\## none\n",
    "# a *b* \\*c\\* #\n## d ##   \n### e ### f\n#\n## ##\n",
    "First\n=====\n\nSecond\n------\n\nover two\nlines\n====\n",
    "    no heading\n    ---\n\na\n    ---\n",
    "> a\n-----\n\n- a\n-----\n\n`b\n----\n`\n",
    "\n====\n",
    "## named {#the-name}\n## named too {#the-name .class key=value}\n",
    // Code.
    "    indented\n      more\n\n    again\n",
    "1.  entry\n\n        code of it\n",
    "paragraph\n    that goes on\n",
    "```\n<\n >\n```\n",
    "~~~\na\n```\nb\n~~~~\n",
    "````\na\n```\n``````\n",
    "```\nnever closed\n",
    "> ```\n> closed by the end of the quote\n\nout of it\n",
    "   ```\n   aaa\n  aaa\naaa\n   ```\n",
    "```rust ignore startline=3 $%@#$\nfn main() {}\n```\n",
    "~~~ aa ``` ~~~\nx\n~~~\n",
    "`````\n\n```\naaa\n",
    "```yaml\ncheck: action\nrun = \"x\"\n```\n",
    "    ```check\n    query = 'up'\n    ```\n",
    // HTML.
    "<table><tr><td>\n<pre>\n**Hello**,\n\n_world_.\n</pre>\n</td></tr></table>\n",
    "<!-- ```check\nquery = 'up'\n``` -->\n",
    "<script>\n```action\nrun = \"x\"\n```\n</script>\n",
    "<?php\n\n  echo '>';\n\n?>\nokay\n",
    "<![CDATA[\nfunction x() {}\n]]>\n",
    "a <b attr='x'>c</b> <!-- d --> <e/> <f\n",
    // References and paragraphs.
    "[foo]: /url \"title\"\n\n[foo]\n",
    "[foo]: \n   /url  \n           'the title'  \n\n[Foo*bar\\]]:my_(url) 'x'\n",
    "[foo]: /url 'title\n\nwith blank line'\n\n[foo]\n",
    "[a]: b\n# [a]\n[c]: d\n> [a]\n",
    "first\nline\n\n\n\n   second    \nline  \nbroken\n",
    "  \n\n\n  only this  \n\n\n",
    // Quotes.
    "> # a\n> b\n> c\n",
    ">a\n>b\nc\n===\n",
    "> - a\n- b\n\n>     code\n\n    code\n",
    ">\n> \n>  a\n>\n\n> b\n>> c\n>>> d\ne\n",
    "> > > a\nb\n\n> 1. > c\nd\n",
    // Lists.
    "- a\n\n b\n\n-    c\n\n     d\n",
    "123456789. ok\n\n1234567890. none\n\n0. ok\n\n003. ok\n\n-1. none\n",
    "-\n  a\n-\n  ```\n  b\n  ```\n-\n      c\n-\n\n  d\n",
    "* a\n  *\n* b\n\n*\n\n+ c\n",
    "1.  a\n    b\n\n        c\n\n    > d\n",
    "- a\n - b\n  - c\n   - d\n    - e\n",
    "- - - a\n1. - 2. b\n- # c\n- d\n  ---\n  e\n",
    "- a\n+ b\n\n1. c\n2) d\n",
    "- a\n- ```\n  b\n\n\n  ```\n- c\n",
    "* a\n  > b\n  ```\n  c\n  ```\n* d\n",
    // Inline.
    "`` a ` b `` and ` `` ` and ` a` and `\u{a0}b\u{a0}` and `not closed\n",
    "*a* _b_ **c** __d__ ***e*** a * b* a*\"c\"*d _a_b **a*b** *a**b*\n",
    "*foo [bar* baz] **foo\"*bar*\"foo** __foo, __bar__, baz__\n",
    "[l](</my uri>) [m](<b)c>) [n](a\nb) [o](\\(a\\)) [p]((a(b))) [q](a(b\n",
    "[![a](b)](c) ![d *e*][f] ![g] [h][]\n\n[f]: x\n[h]: y\n",
    "<https://example.org> <made-up:x> <a@b.example> <not a link> <>\n",
    "a  \nb\\\nc\nd  \n",
    "hello $.;'there \u{3c7}\u{3c1}\u{1f600} e\u{301} \u{202e}x \u{200b}\n",
    // Tables, and what looks like front matter.
    "| a | b |\n|---|:-:|\n| `c \\| d` | e |\n| f |\n\ng | h\n- | -\ni | j\n",
    "---\ntitle: of another tool\n---\n\ntext\n",
    "a\r\nb\r\n\r\n## c\r\n\r\n- d\r\n",
    "\u{feff}# behind a mark\n",
];

/// What is put behind a text: a block with one fault.
const BEHIND: &str = "\n\n## Behind {#behind}\n\n```action\nrun = \"x\"\nrunn = \"y\"\n```\n";

/// Typed blocks that a text really has: a line that begins one.
fn is_typed(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start_matches([' ', '\t', '>', '-', '*', '+', '.', ')', '0', '1', '2', '3']);
        let info = line.trim_start_matches(['`', '~']);
        line.len() >= info.len() + 3 && KINDS.iter().any(|kind| info.trim_start().starts_with(kind))
    })
}

/// Whether something in it senses, acts, waits, asks or calls.
fn is_typed_live(document: &Document) -> bool {
    let plain = |live: &Live| matches!(live, Live::Read | Live::Command(_) | Live::Challenge(_));
    document.items.iter().any(|item| !plain(&item.live))
}

/// Opens it; false when the text behind it became part of it.
fn stands(text: &str) -> bool {
    opens(text);
    let document = parse("x", "x.md", text);
    assert!(is_typed(text) || !is_typed_live(&document), "{text:?}\n{:#?}", document.items);
    let whole = format!("{text}{BEHIND}");
    let document = parse("x", "x.md", &whole);
    let line = whole.lines().position(|line| line == "runn = \"y\"").expect("the line") + 1;
    let told: Vec<String> = document.faults.iter().map(ToString::to_string).collect();
    let Some(item) = document.items.iter().find(|item| matches!(item.live, Live::Broken)) else { return false };
    assert!(
        told.iter().any(|told| told.starts_with(&format!("x.md:{line}:1: unknown key `runn`"))),
        "line {line} of {whole:?}\n{told:#?}"
    );
    assert!(usize::try_from(item.line).expect("small") <= line, "{item:?}");
    true
}

#[test]
fn every_kind_of_markdown_opens_and_what_stands_behind_it_has_its_line() {
    let swallowed: Vec<&&str> = TEXTS.iter().filter(|text| !stands(text)).collect();
    // A fence or a block of HTML that is never closed takes all that follows.
    assert!(swallowed.len() <= 6, "{swallowed:#?}");
    assert!(TEXTS.len() > 80);
}

#[test]
fn every_kind_of_markdown_opens_in_a_quote_and_in_a_list_and_cut_anywhere() {
    for text in TEXTS {
        let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
        let listed: String = text
            .lines()
            .enumerate()
            .map(|(at, line)| format!("{}{line}\n", if at == 0 { "1. " } else { "   " }))
            .collect();
        for text in [quoted, listed] {
            let _swallowed = stands(&text);
        }
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let _swallowed = stands(text.get(..at).expect("a boundary"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_in_any_order_and_with_any_line_lost_open(
        texts in prop::collection::vec(prop::sample::select(TEXTS), 1..8),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..4)
    ) {
        let whole = texts.concat();
        let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for at in lost {
            if !lines.is_empty() {
                lines.remove(at.index(lines.len()));
            }
        }
        let text = lines.concat();
        // What two of them make together may well be a block of ours.
        opens(&text);
        let _swallowed = is_typed(&text) || stands(&text);
    }
}
