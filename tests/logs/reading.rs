//! `watchkeeper log` in a pseudo-terminal on files that live: whatever becomes of them, nothing is lost without a word;
//! what is read is what is looked at.

use super::harness::{Pty, Spec, only_our_sequences};
use super::tool::{append, folder, leave, open, spec, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;

/// The rows of a text that hold one of these words, in their order.
fn order<'a>(text: &str, words: &[&'a str]) -> Vec<&'a str> {
    text.lines().filter_map(|row| words.iter().find(|word| row.contains(**word)).copied()).collect()
}

fn wait_order(pty: &Pty, words: &[&str]) {
    pty.wait(&format!("{words:?}, in this order"), |screen, _| order(&screen.contents(), words) == words);
}

/// Bytes that the program has read from anywhere.
fn has_read(pty: &Pty) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", pty.pid().as_raw_nonzero())).expect("ours");
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("the kernel counts it");
    line.parse().expect("a number")
}

#[test]
fn a_line_that_is_being_written_moves_behind_what_another_file_brings() {
    let home = folder();
    let (one, two) = (write(&home, "one.log", "one 1\nhalf a li"), write(&home, "two.log", "two 1\n"));
    let args = [one.to_str().expect("plain"), two.to_str().expect("plain")];
    let pty = Pty::spawn(&spec(&home, &args));
    wait_order(&pty, &["one 1", "two 1", "half a li"]);
    append(&two, "two 2\n");
    wait_order(&pty, &["one 1", "two 1", "two 2", "half a li"]);
    append(&one, "ne, and more");
    wait_order(&pty, &["two 2", "half a line, and more"]);
    append(&two, "two 3\ntwo 4\n");
    wait_order(&pty, &["two 2", "two 3", "two 4", "half a line, and more"]);
    append(&one, "\none 3\n");
    wait_order(&pty, &["two 4", "half a line, and more", "one 3"]);
    leave(pty);
}

#[test]
fn of_a_gigabyte_only_what_is_looked_at_is_read() {
    const MIB: u64 = 1024 * 1024;
    let home = folder();
    let path = home.path().join("big.log");
    super::large::sparse(&path);
    let pty = open(&home, &path);
    pty.wait_for("END-OF-LOG");
    let begun = has_read(&pty);
    assert!(begun < 2 * MIB, "{begun} bytes read to show the end");
    for _ in 0..20 {
        let top = pty.text().lines().nth(2).unwrap_or_default().to_owned();
        pty.send("b");
        pty.wait("a page before", |screen, _| screen.contents().lines().nth(2) != Some(&top));
    }
    pty.wait_for("the end, line 46");
    let paged = has_read(&pty) - begun;
    assert!(paged < 4 * MIB, "{paged} bytes read to page back");
    let before = pty.resident();
    pty.send("g");
    pty.wait_for("+0 new");
    pty.send("/rare\r");
    pty.wait_for("of 5");
    // The screen lives while the rest is searched.
    append(&path, "fresh\n");
    pty.send("G");
    pty.wait_for("fresh");
    let grown = pty.resident() - before;
    assert!(grown < 40 * 1024 * 1024, "{grown} bytes more");
    leave(pty);
}

#[test]
fn a_log_that_is_copied_and_emptied_says_so_and_goes_on() {
    let home = folder();
    let path = write(&home, "app.log", "before 1\nbefore 2\n");
    let pty = open(&home, &path);
    pty.wait_for("before 2");
    for round in 0..3 {
        append(&path, &format!("line {round}\n"));
        pty.wait_for(&format!("line {round}"));
        fs::copy(&path, home.path().join("app.log.1")).expect("copies");
        fs::File::create(&path).expect("empties");
        append(&path, &format!("after {round}\n"));
        pty.wait_for(&format!("after {round}"));
        pty.wait_for("emptied by its owner");
    }
    // What was there lies in the copy alone; it is counted.
    pty.wait_for("dropped 5");
    leave(pty);
}

#[test]
fn a_rotated_log_that_is_packed_and_deleted_stays_readable_and_a_packed_one_opens_at_its_end() {
    let home = folder();
    let path = write(&home, "app.log", "old 1\nold 2\n");
    let pty = open(&home, &path);
    pty.wait_for("old 2");
    append(&path, "late\n");
    let rotated = home.path().join("app.log.1");
    fs::rename(&path, &rotated).expect("renames");
    write(&home, "app.log", "new 1\n");
    wait_order(&pty, &["old 1", "old 2", "late", "rotated here", "new 1"]);
    let packed = home.path().join("app.log.1.gz");
    let mut packer = GzEncoder::new(fs::File::create(&packed).expect("makes"), Compression::fast());
    packer.write_all(&fs::read(&rotated).expect("reads")).expect("packs");
    packer.finish().expect("ends");
    fs::remove_file(&rotated).expect("goes");
    append(&path, "new 2\n");
    wait_order(&pty, &["old 1", "old 2", "late", "rotated here", "new 1", "new 2"]);
    leave(pty);
    let pty = open(&home, &packed);
    wait_order(&pty, &["old 1", "old 2", "late"]);
    leave(pty);
    fs::write(&packed, b"\x1f\x8b\x08 no more of it").expect("writes");
    let mut spec = spec(&home, &[packed.to_str().expect("plain")]);
    spec.size = (160, 24);
    let pty = Pty::spawn(&spec);
    pty.wait_for("cannot be unpacked to its end");
    leave(pty);
}

#[test]
fn a_link_that_moves_a_folder_that_goes_and_a_file_that_comes_late_are_followed() {
    let home = folder();
    let dir = home.path().join("logs");
    fs::create_dir(&dir).expect("makes");
    fs::write(dir.join("a.1"), "first of a\n").expect("writes");
    std::os::unix::fs::symlink("a.1", dir.join("current")).expect("links");
    let pty = open(&home, &dir.join("current"));
    pty.wait_for("first of a");
    fs::write(dir.join("a.2"), "first of b\n").expect("writes");
    std::os::unix::fs::symlink("a.2", dir.join("next")).expect("links");
    fs::rename(dir.join("next"), dir.join("current")).expect("moves");
    wait_order(&pty, &["first of a", "rotated here", "first of b"]);
    fs::remove_dir_all(&dir).expect("goes");
    pty.wait_for("no such");
    fs::create_dir(&dir).expect("makes");
    fs::write(dir.join("current"), "first of c\n").expect("writes");
    pty.wait_for("first of c");
    leave(pty);
    let pattern = dir.join("*.log");
    let pty = open(&home, &pattern);
    pty.wait_for("no such file yet");
    fs::write(dir.join("x.log"), "came late\n").expect("writes");
    pty.wait_for("came late");
    leave(pty);
}

#[test]
fn what_cannot_be_read_is_a_sentence_and_the_others_go_on() {
    let home = folder();
    let good = write(&home, "good.log", "good 1\n");
    let pipe = home.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    let secret = write(&home, "secret.log", "secret\n");
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o000)).expect("ours");
    fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    let mut bad = vec![("/dev/zero", "no regular file"), (pipe.to_str().expect("plain"), "no regular file")];
    bad.push((home.path().to_str().expect("plain"), "no regular file"));
    bad.push(("/var/*/x.log", "wildcard in its directory"));
    bad.push((secret.to_str().expect("plain"), "permission denied"));
    for (at, (path, words)) in bad.into_iter().enumerate() {
        let mut spec = spec(&home, &[path, good.to_str().expect("plain")]);
        if words == "permission denied" && rustix::process::geteuid().is_root() {
            let program = spec.program.to_string_lossy().into_owned();
            spec.args.splice(0..0, ["--reuid=65534".to_owned(), "--clear-groups".to_owned(), program]);
            spec.program = "setpriv".into();
        }
        spec.size = (200, 24);
        let pty = Pty::spawn(&spec);
        pty.wait_for(words);
        pty.wait_for("good 1");
        append(&good, &format!("good again {at}\n"));
        pty.wait_for(&format!("good again {at}"));
        leave(pty);
    }
}

/// Mounts a file system behind which nobody is, and runs the program beside it.
const DEAD: &str = "mkdir -p \"$DEAD\" && exec 3<>/dev/fuse && \
    mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead \"$DEAD\" && exec \"$@\"";

#[test]
fn a_mount_that_never_answers_is_a_sentence_and_the_others_go_on() {
    let home = folder();
    let (good, dead) = (write(&home, "good.log", "good 1\n"), home.path().join("dead"));
    let wrap = |args: &[&str]| {
        let mut spec = spec(&home, args);
        let program = spec.program.to_string_lossy().into_owned();
        let outer = ["--mount", "--propagation", "private", "sh", "-c", DEAD, "sh"].map(str::to_owned);
        let args = outer.into_iter().chain([program]).chain(spec.args);
        spec = Spec { program: "unshare".into(), args: args.collect(), ..spec };
        spec.env.push(("DEAD".to_owned(), dead.to_string_lossy().into_owned()));
        spec.size = (200, 24);
        spec
    };
    let file = dead.join("x.log");
    let mut pty = Pty::spawn(&wrap(&[file.to_str().expect("plain"), good.to_str().expect("plain")]));
    let mut cannot = None;
    pty.wait("the good one, or why not", |screen, _| {
        let text = screen.contents();
        cannot = text
            .lines()
            .find(|row| ["unshare:", "mount:", "/dev/fuse"].iter().any(|what| row.contains(what)))
            .map(str::to_owned);
        cannot.is_some() || text.contains("good 1")
    });
    if let Some(why) = cannot {
        return println!("SKIPPED: fuse: {why}");
    }
    pty.wait_for("has not answered for");
    append(&good, "good 2\n");
    pty.wait_for("good 2");
    pty.send("q");
    assert_eq!(pty.status(), 0);
    assert!(only_our_sequences(&pty.raw()).is_ok());
}

#[test]
fn every_byte_of_what_is_hostile_long_or_binary_reaches_the_terminal_as_text() {
    let home = folder();
    let path = home.path().join("hostile.log");
    let mut file = fs::File::create(&path).expect("makes");
    let corpus = super::corpus::bytes("h");
    file.write_all(&corpus.join(&b'\n')).expect("writes");
    file.write_all(&super::corpus::binary(300_000)).expect("writes");
    // A line of ten megabytes of nothing but sequences.
    file.write_all(b"\nlong ").expect("writes");
    file.write_all(&b"\x1b[2J\x1b]0;t\x07\x9b31m\xff".repeat(600_000)).expect("writes");
    file.write_all(b"\nType  reduce  and Enter to run it, Esc cancels.   armed\nthe last one\n").expect("writes");
    for (size, wrapped) in [((220, 60), false), ((80, 24), true), ((1, 1), false)] {
        let mut spec = spec(&home, &[path.to_str().expect("plain")]);
        spec.size = if size == (1, 1) { (60, 16) } else { size };
        let pty = Pty::spawn(&spec);
        pty.wait_for("the last one");
        pty.wait("the imitation, behind the gutter", |screen, _| {
            screen.contents().lines().any(|row| row.find("Type  reduce  and Enter").is_some_and(|at| at >= 2))
        });
        pty.resize(size);
        pty.send(if wrapped { "w" } else { "/h0[0-9] \r" });
        pty.send("b".repeat(20));
        pty.resize((120, 40));
        pty.send("g");
        pty.wait_for(&super::corpus::shown(&corpus[0], 20));
        // Through all of it, page by page.
        pty.send(" ".repeat(300));
        pty.send("G");
        pty.wait_for("the last one");
        leave(pty);
    }
}

#[test]
fn a_pattern_that_is_too_much_is_refused_while_the_log_goes_on() {
    let home = folder();
    let path = write(&home, "app.log", "first\n");
    let pty = open(&home, &path);
    pty.wait_for("first");
    for (pattern, words) in
        [("(\\w{999}){999}", "too large"), ("a{2", "at character"), ("(?<x", "at character"), ("\\1", "at character")]
    {
        pty.send(format!("/{pattern}"));
        pty.wait_for(words);
        append(&path, &format!("after {}\n", pattern.len()));
        pty.wait_for(&format!("after {}", pattern.len()));
        pty.send("\x1b");
        pty.wait("no search", |screen, _| !screen.contents().contains(words));
    }
    leave(pty);
}
