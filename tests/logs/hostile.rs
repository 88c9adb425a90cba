//! The corpus of hostile text through every format, behind the head of each: only printable text comes out, and what
//! a line hides becomes visible.

use super::corpus::{bytes, texts};
use watchkeeper::base::Clean;
use watchkeeper::logs::fold::template;
use watchkeeper::logs::{Filter, Format, field, strip};

const HEADS: [&str; 14] = [
    "",
    "2026-11-21T03:12:47Z ERROR ",
    "[2026-11-21T03:12:47Z ERROR a::b] ",
    "2026-11-21T03:12:47.1Z  WARN a::b: ",
    "2026-11-21 03:12:47,123 - a.b - WARNING - ",
    "ERROR:root:",
    "time=2026-11-21T03:12:47Z level=info msg=",
    "Nov 21 03:12:47 web1 sshd[42]: ",
    "<165>1 2026-11-21T03:12:47.003Z web1 app 77 ID47 - ",
    "┌ Warning: ",
    "│   key = ",
    "10.0.0.1 - ada [21/Nov/2026:03:12:47 +0000] \"GET /",
    "2026/11/21 03:12:47 [crit] 7#9: ",
    "E1121 03:12:47.123456   17 a.go:12] ",
];

/// Cleaning once more changes nothing: it is clean.
fn is_clean(text: &Clean) -> bool {
    Clean::text(text.as_str()) == *text
}

#[test]
fn nothing_but_printable_text_comes_out_of_any_format() {
    let all = bytes("h");
    assert!(all.len() > 60);
    let filter = Filter::parse("level=error route=\"/x\" -~h.d").expect("understood");
    for (_, format) in Format::NAMES {
        for (head, text) in HEADS.iter().flat_map(|head| all.iter().map(move |text| (head, text))) {
            for raw in [[head.as_bytes(), text].concat(), [text, head.as_bytes()].concat()] {
                let (entry, line) = (format.entry(&raw, 0), format.read(&raw, 0));
                assert!(is_clean(&entry.text) && is_clean(&entry.message) && is_clean(&line.message), "{raw:?}");
                assert!(entry.fields.iter().all(|(name, value)| is_clean(name) && is_clean(value)), "{raw:?}");
                assert_eq!(entry.text, Clean::text(strip(&raw).0), "nothing of it is lost");
                let _others = (filter.passes(&line), field(&line, "a"), template(line.message.as_str()));
            }
        }
    }
}

#[test]
fn nothing_but_printable_text_comes_out_of_json() {
    for text in texts("j") {
        let all = serde_json::json!({ "time": text, "level": text, "msg": text, text.as_str(): text, "fields": { "x": [text] } });
        for raw in [all.to_string(), format!("{} {all} {}", text.replace(['{', '\n'], ""), text.replace('\n', ""))] {
            for format in [Format::Json, Format::Auto] {
                let (entry, line) = (format.entry(raw.as_bytes(), 0), format.read(raw.as_bytes(), 0));
                assert!(is_clean(&entry.message) && is_clean(&line.message), "{raw:?}");
                assert!(entry.fields.iter().all(|(name, value)| is_clean(name) && is_clean(value)), "{raw:?}");
            }
        }
    }
}
