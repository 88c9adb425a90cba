//! `watchkeeper log` in a pseudo-terminal: every byte that comes out is judged.

use super::corpus;
use super::harness::{Pty, Spec, only_our_sequences};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchkeeper");

pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("wk").tempdir_in("/tmp").expect("a folder")
}

pub(crate) fn write(dir: &TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).expect("writes");
    path
}

pub(crate) fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
}

fn numbered(lines: usize) -> String {
    (1..=lines)
        .map(|n| format!("2026-11-21T{:02}:{:02}:{:02}Z INFO number {n}\n", 3 + n / 3_600, n / 60 % 60, n % 60))
        .collect()
}

pub(crate) fn spec(home: &TempDir, args: &[&str]) -> Spec {
    let mut spec = Spec::new(PROGRAM).args(["log"]).args(args.iter().copied());
    spec.env.push(("HOME".to_owned(), home.path().to_string_lossy().into_owned()));
    spec
}

pub(crate) fn open(home: &TempDir, path: &Path) -> Pty {
    Pty::spawn(&spec(home, &[path.to_str().expect("plain")]))
}

pub(crate) fn leave(mut pty: Pty) {
    pty.send("q");
    assert_eq!(pty.status(), 0);
    if let Err(what) = only_our_sequences(&pty.raw()) {
        panic!("{what}");
    }
    pty.assert_restored();
}

#[test]
fn it_starts_at_the_end_and_follows_and_scrolling_stops_that() {
    let home = folder();
    let path = write(&home, "app.log", numbered(1_000));
    let pty = open(&home, &path);
    pty.wait_for("number 1000");
    pty.wait_for("following");
    append(&path, "2026-11-21T04:00:00Z ERROR fresh\n");
    pty.wait_for("ERROR fresh");
    pty.send("kkk");
    pty.wait_for("+0 new, G to follow");
    pty.wait("the last line leaves", |screen, _| !screen.contents().contains("ERROR fresh"));
    let before: Vec<String> = pty.text().lines().skip(2).take(10).map(str::to_owned).collect();
    append(&path, &"more\n".repeat(87));
    pty.wait_for("+87 new, G to follow");
    let after: Vec<String> = pty.text().lines().skip(2).take(10).map(str::to_owned).collect();
    assert_eq!(before, after, "a reader's place stays");
    pty.send("g");
    pty.wait("the oldest line", |screen, _| {
        screen.contents().lines().any(|line| line.trim_end().ends_with("number 1"))
    });
    pty.send("G");
    pty.wait("following again", |screen, _| {
        screen.contents().contains("following") && screen.contents().contains("more")
    });
    leave(pty);
}

#[test]
fn a_search_jumps_to_the_nearest_hit_counts_them_and_says_what_is_wrong_with_a_pattern() {
    let home = folder();
    let path = write(&home, "app.log", numbered(5_000));
    let pty = open(&home, &path);
    pty.wait_for("number 5000");
    pty.send("/number 1[0-4]$");
    pty.wait_for("5 of 5");
    pty.wait_for("number 14");
    pty.send("\rN");
    pty.wait_for("4 of 5");
    pty.send("nn");
    pty.wait_for("1 of 5");
    pty.send("/ab(c");
    pty.wait_for("at character 3");
    pty.send("\x1b");
    pty.wait("no search", |screen, _| !screen.contents().contains("character"));
    pty.send("t03:05:30\r");
    pty.wait_for("number 330");
    pty.send("=");
    pty.wait_for("line 330 of 5,000");
    leave(pty);
}

#[test]
fn a_filter_shows_what_passes_says_how_many_and_what_is_wrong_with_it() {
    let home = folder();
    let text: String = (1..=3_000)
        .map(|n| {
            let level = if n % 100 == 0 { "error" } else { "info" };
            format!("{{\"time\":\"2026-11-21T03:12:47Z\",\"level\":\"{level}\",\"msg\":\"step {n}\",\"fields\":{{\"processing_time_ns\":{n}}}}}\n")
        })
        .collect();
    let path = write(&home, "app.log", text);
    let pty = open(&home, &path);
    pty.wait_for("step 3000");
    pty.send("&level=loud");
    pty.wait_for("no level is called `loud`");
    pty.wait_for("1:7");
    pty.send("\x15level=error -\"step 2900\"\r");
    pty.wait_for("shown 29 of 3,000");
    pty.wait("only errors", |screen, _| !screen.contents().contains("step 2999"));
    append(&path, "{\"level\":\"error\",\"msg\":\"fresh\"}\n{\"level\":\"info\",\"msg\":\"calm\"}\n");
    pty.wait_for("shown 30 of 3,002");
    pty.wait("the fresh one", |screen, _| screen.contents().contains("fresh") && !screen.contents().contains("calm"));
    pty.send("d");
    pty.wait_for("\"msg\": \"fresh\"");
    pty.send("\x1b");
    pty.wait("the sheet is gone", |screen, _| !screen.contents().contains(" LINE "));
    pty.send("\x1b");
    pty.wait("all again", |screen, _| screen.contents().contains("calm") && !screen.contents().contains("shown"));
    // Far from the rows at hand.
    append(&path, &"{\"level\":\"info\",\"msg\":\"calm\"}\n".repeat(500));
    pty.send("G");
    pty.wait("only calm lines", |screen, _| !screen.contents().contains("fresh"));
    pty.send("E");
    let at = |screen: &vt100::Screen, word: &str| {
        screen.contents().lines().any(|line| line.starts_with("▸") && line.contains(word))
    };
    pty.wait("the error far above", |screen, _| at(screen, "fresh"));
    pty.send("E");
    pty.wait("the one before", |screen, _| at(screen, "step 3000"));
    pty.send("ee");
    pty.wait_for("No further line at ERROR");
    leave(pty);
}

#[test]
fn lines_fold_are_known_by_patterns_and_are_saved_only_into_a_new_file() {
    let home = folder();
    let mut text: String = (1..=412).map(|n| format!("retry {n} of the store\n")).collect();
    text.push_str("put failed: MDB_MAP_FULL: Environment mapsize limit reached\nlast\n");
    let path = write(&home, "app.log", text);
    let out = home.path().join("saved.txt");
    let pty = open(&home, &path);
    pty.wait("a pattern is marked", |screen, _| screen.contents().contains("\n! put failed"));
    pty.send("f");
    pty.wait_for("×412 retry 412");
    pty.send("fK\r");
    pty.wait_for("lmdb_map_full, entry PL-5.1");
    pty.send("\x1b");
    pty.wait("the sheet is gone", |screen, _| !screen.contents().contains(" LINE "));
    pty.send("vK");
    pty.wait_for("2 lines selected");
    pty.send(format!("s{}\r", out.display()));
    pty.wait_for("2 lines saved to");
    let saved = fs::read_to_string(&out).expect("saved");
    assert_eq!(saved.lines().count(), 2, "{saved}");
    pty.send(format!("s{}\r", out.display()));
    pty.wait_for("is there already; nothing was written");
    pty.send("y");
    pty.wait_for("1 lines offered");
    pty.send("mG");
    pty.wait_for("following");
    pty.send("\"");
    pty.wait("the bookmark", |screen, _| screen.contents().contains("\n▸ retry 412"));
    let mut pty = pty;
    pty.send("q");
    assert_eq!(pty.status(), 0);
    // The one line that was copied, in base64, and nothing else of the kind.
    let raw = String::from_utf8_lossy(&pty.raw()).into_owned();
    assert_eq!(raw.matches("\x1b]").count(), 1, "{raw:?}");
    assert!(raw.contains("\x1b]52;c;cmV0cnkgNDEy"), "{raw:?}");
}

#[test]
fn a_line_that_imitates_a_prompt_stands_behind_its_mark_and_times_show_on_either_clock() {
    let home = folder();
    let fake = "┌ REDUCE BATCH SIZE ─ danger C2 ┐";
    let path = write(&home, "app.log", format!("2026-11-21T03:12:47Z one\n{fake}\n"));
    let mut spec = spec(&home, &[path.to_str().expect("plain")]);
    spec.env.push(("TZ".to_owned(), "CET-1CEST,M3.5.0,M10.5.0/3".to_owned()));
    let pty = Pty::spawn(&spec);
    pty.wait("behind its mark", |screen, _| screen.contents().lines().any(|line| line.starts_with("│ ┌ REDUCE")));
    pty.send("U");
    pty.wait("in UTC", |screen, _| screen.contents().contains("│ 03:12:47 2026-11-21T03:12:47Z one"));
    pty.send("U");
    pty.wait("on the host's clock", |screen, _| screen.contents().contains("│ 04:12:47 2026-11-21T03:12:47Z one"));
    pty.wait("its zone", |screen, _| screen.contents().lines().next().is_some_and(|line| line.contains("+01")));
    leave(pty);
}

#[test]
fn a_pipe_is_read_while_the_keyboard_stays_the_terminal() {
    let home = folder();
    let mut spec = spec(&home, &["-"]);
    spec.script = Some("seq -f 'piped %g' 1 100000 | \"$@\"");
    let mut pty = Pty::spawn(&spec);
    pty.wait_for("piped 100000");
    pty.wait_for("the end");
    pty.send("g");
    pty.wait("its first line", |screen, _| screen.contents().contains("piped 1\n"));
    pty.send("q");
    assert_eq!(pty.status(), 0);
    assert!(only_our_sequences(&pty.raw()).is_ok());
}

#[test]
fn keys_are_alive_while_a_gigabyte_is_searched_and_memory_stays_small() {
    let home = folder();
    let path = home.path().join("big.log");
    super::large::sparse(&path);
    let pty = open(&home, &path);
    pty.wait_for("END-OF-LOG");
    let before = pty.resident();
    pty.send("/NEEDLE-7f3a9c\r");
    // Whatever the search does, these keys are answered.
    pty.send("?");
    pty.wait_for("oldest line, first row");
    pty.send("?");
    pty.wait_for("of 5");
    pty.wait("the end of the search", |screen, _| !screen.contents().contains("searched"));
    let grown = pty.resident() - before;
    assert!(grown < 40 * 1024 * 1024, "{grown} bytes more");
    leave(pty);
}

#[test]
fn hostile_lines_and_rotations_reach_the_terminal_as_text() {
    let home = folder();
    let path = write(&home, "app.log", "first\n");
    let pty = open(&home, &path);
    pty.wait_for("first");
    for text in corpus::bytes("h") {
        let mut file = fs::OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(&text).expect("writes");
        file.write_all(b"\n").expect("writes");
    }
    append(&path, &"x".repeat(10_000_000));
    append(&path, "\nafter the long one\n");
    pty.wait_for("after the long one");
    pty.send("gw");
    pty.wait_for("first");
    pty.send(" ".repeat(40));
    fs::rename(&path, home.path().join("app.log.1")).expect("renames");
    write(&home, "app.log", "in the new file\n");
    pty.send("G");
    pty.wait_for("in the new file");
    pty.wait_for("--- app.log: rotated here");
    leave(pty);
}

#[test]
fn what_cannot_be_read_is_a_sentence() {
    let home = folder();
    let pty = open(&home, home.path());
    pty.wait_for("no regular file");
    leave(pty);
    let pty = open(&home, &home.path().join("late.log"));
    pty.wait_for("no such file yet");
    write(&home, "late.log", "here now\n");
    pty.wait_for("here now");
    leave(pty);
}
