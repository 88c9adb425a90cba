//! Beginnings, ends and bad input: each is a sentence, and the rest goes on.

use super::bench::Bench;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use watchkeeper::base::LogLevel;
use watchkeeper::logs::{Format, LogSource};

#[test]
fn of_a_file_that_was_there_the_end_is_shown() {
    let mut bench = Bench::new(10_000);
    let old = (0..1_000).map(|n| format!("old {n}\n")).collect::<Vec<_>>().concat();
    bench.write("app.log", old.as_bytes());
    bench.write("app.log", b"half a li");
    bench.follow("app.log");
    bench.until("the end", |bench| bench.has("old 999"));
    assert_eq!(bench.shown().len(), 200);
    assert_eq!(bench.shown().first().map(String::as_str), Some("old 800"));
    bench.write("app.log", b"ne\n");
    bench.until("its other half", |bench| bench.has("half a line"));
    assert_eq!(bench.marks(), 0);
}

#[test]
fn only_what_says_no_time_and_was_there_is_no_news() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"old\n2026-11-21T03:12:47Z old too\n  under it\nhalf ");
    bench.follow("app.log");
    bench.until("what was there", |bench| bench.has("  under it"));
    assert_eq!(bench.unseen, 2, "a line that says its time is counted by that");
    bench.write("app.log", b"a line\nnew\n");
    bench.until("what is new", |bench| bench.has("new"));
    assert_eq!(bench.unseen, 2);
}

#[test]
fn a_file_and_its_folder_may_come_late_and_go() {
    let mut bench = Bench::new(1_000);
    let there = LogSource { name: "there".into(), ..bench.source("there.log") };
    bench.write("there.log", b"");
    bench.follow_all(vec![bench.source("late/*.log"), there]);
    bench.until("a sentence", |bench| bench.failure.is_some());
    let sentence = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(sentence.contains("late/*.log: no such directory yet."), "{sentence}");
    bench.write("there.log", b"the other goes on\n");
    bench.until("the other", |bench| bench.has("the other goes on"));
    fs::create_dir(bench.path("late")).expect("makes a folder");
    bench.until("another sentence", |bench| {
        bench.failure.as_ref().is_some_and(|fault| fault.to_string().contains("no such file yet"))
    });
    bench.write("late/app.log", b"first\nsecond\n");
    bench.until("its first lines", |bench| bench.has("second") && bench.failure.is_none());
    fs::remove_dir_all(bench.path("late")).expect("goes");
    bench.until("a sentence again", |bench| bench.failure.is_some());
    fs::create_dir(bench.path("late")).expect("makes a folder");
    bench.write("late/app.log", b"third\n");
    bench.until("it is back", |bench| bench.has("third") && bench.failure.is_none());
    assert_eq!(bench.shown().iter().filter(|line| *line == "first").count(), 1);
}

#[test]
fn what_is_no_file_is_a_sentence() {
    let mut bench = Bench::new(1_000);
    fs::create_dir(bench.path("folder")).expect("makes a folder");
    bench.follow("folder");
    bench.until("a sentence", |bench| bench.failure.is_some());
    let sentence = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(sentence.contains("folder: this is no regular file."), "{sentence}");
}

#[test]
fn hostile_bytes_come_out_as_text() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"");
    bench.follow("app.log");
    let mut file = bench.append("app.log");
    for hostile in [
        b"\x1b]52;c;aGk=\x07 clip\n".as_slice(),
        b"nul \0 here\n",
        b"bad \xff\xfe utf8\n",
        "bidi \u{202E}gnp.exe\n".as_bytes(),
        b"over\rwrite\n",
        b"\x9b31m c1\n",
        b"\n",
    ] {
        file.write_all(hostile).expect("writes");
    }
    file.write_all(&vec![b'x'; 40_000]).expect("writes");
    file.write_all(b"\nlast\n").expect("writes");
    bench.until("all", |bench| bench.has("last"));
    let shown = bench.shown();
    assert_eq!(shown.len(), 9);
    assert!(shown.iter().flat_map(|line| line.chars()).all(|c| !c.is_control() && c != '\u{202E}'));
    assert_eq!(shown.get(1).map(String::as_str), Some("nul ␀ here"));
    assert_eq!(shown.get(2).map(String::as_str), Some("bad \\xFF\\xFE utf8"));
    assert!(shown.get(7).is_some_and(|line| line.ends_with("x<+23616 bytes>")));
}

#[test]
fn a_line_waits_for_its_end_and_json_is_understood() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"");
    let source = LogSource { format: Format::Json, ..bench.source("app.log") };
    bench.follow_all(vec![source]);
    let mut file = bench.append("app.log");
    file.write_all(b"{\"level\":\"error\",\"msg\":\"ma").expect("writes");
    file.write_all(b"p full\",\"used\":1}\n{\"level\":\"in").expect("writes");
    bench.until("the whole line", |bench| bench.has("map full used=1"));
    assert_eq!(bench.lines.len(), 1);
    assert_eq!(bench.lines.first().and_then(|line| line.level), Some(LogLevel::Error));
}

#[test]
fn dropping_the_follower_ends_its_thread_at_once() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"one\n");
    bench.follow("app.log");
    bench.until("one", |bench| bench.has("one"));
    bench.stop();
    bench.until("the thread lets go", |bench| Arc::strong_count(&bench.mailbox) == 1);
}

#[test]
fn of_too_many_files_the_newest_are_followed_and_none_is_read_twice() {
    let mut bench = Bench::new(1_000);
    let name = |n: u64| format!("{n:02}.log");
    for n in 0..40 {
        bench.write(&name(n), format!("old {n}\n").repeat(300).as_bytes());
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + n);
        bench.append(&name(n)).set_modified(at).expect("sets its time");
    }
    bench.follow("*.log");
    bench.until("the newest", |bench| bench.has("old 39"));
    let sentence = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(sentence.contains("40 files match; the 32 that changed last are followed."), "{sentence}");
    for n in 0..6 {
        bench.write(&name(n), format!("late {n}\n").as_bytes());
        bench.until("each in its turn", |bench| bench.has(&format!("late {n}")));
    }
    // By now these had to make place.
    for n in 8..10 {
        bench.write(&name(n), format!("late {n}\n").as_bytes());
        bench.until("each in its turn", |bench| bench.has(&format!("late {n}")));
    }
    let shown = bench.shown();
    assert!(
        (0..6).chain(8..10).all(|n| shown.iter().filter(|line| **line == format!("late {n}")).count() == 1),
        "{shown:?}"
    );
    assert!(shown.iter().filter(|line| *line == "old 0").count() < 200, "its end is enough");
    assert!(!bench.has("old 8") && !bench.has("old 20"), "history is not news: {shown:?}");
}
