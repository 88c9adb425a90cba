//! Hostile text through every field that foreign text can reach: not one byte of it gets to the terminal but as
//! printable text, and what was removed is seen.

use crate::corpus::{bytes, shown, texts};
use crate::desk::{Desk, row_with};
use crate::harness::{Pty, Spec, only_our_sequences};
use crate::server::{Server, say, serve};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use watchkeeper::logs::strip;

const SIZE: (u16, u16) = (220, 140);

/// A TOML string on one line, which may be a key, too.
pub(crate) fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '\u{301}' => c.to_string(),
        ' '..='~' if !matches!(c, '"' | '\\') => c.to_string(),
        _ => format!("\\U{:08X}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

pub(crate) fn start(mut spec: Spec) -> Pty {
    spec.size = SIZE;
    Pty::spawn(&spec)
}

/// Leaves, and judges every byte that came.
pub(crate) fn judge(mut pty: Pty) {
    pty.send("q");
    assert_eq!(pty.status(), 0);
    if let Err(what) = only_our_sequences(&pty.raw()) {
        panic!("{what}");
    }
    pty.assert_restored();
}

pub(crate) fn close_sheet(pty: &Pty, heading: &str) {
    pty.send("q");
    pty.wait("no sheet", |screen, _| !screen.contents().contains(heading));
}

/// Waits until each text is seen as it should be.
pub(crate) fn wait_for_all(pty: &Pty, texts: &[impl AsRef<[u8]>], most: usize) {
    for text in texts {
        pty.wait_for(&shown(text, most));
    }
}

/// Metrics with hostile label values, JSON with hostile words, and answers that fail with hostile words in them.
pub(crate) fn hostile_server() -> Server {
    let mut page = String::new();
    for (at, text) in texts("v").iter().enumerate() {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        writeln!(page, "hostile{{at=\"{at:02}\",text=\"{text}\"}} 2\nhostile{{at=\"{at:02}\",text=\"tame\"}} 1")
            .unwrap();
    }
    let facts: serde_json::Map<String, serde_json::Value> =
        texts("j").into_iter().enumerate().map(|(at, text)| (format!("f{at}"), text.into())).collect();
    let facts = serde_json::Value::Object(facts).to_string();
    let garbage = bytes("g").join(&b'\n');
    serve(move |path, stream| match path {
        "/metrics" => say(stream, "200 OK", "Content-Type: text/plain\r\n", &page),
        "/facts" => say(stream, "200 OK", "Content-Type: application/json\r\n", &facts),
        "/away" => say(stream, "302 Found", "Location: http://\u{202e}evil\u{200b}.example/\u{9b}2J\r\n", ""),
        "/far" => say(stream, "302 Found", "Location: http://evil.example/%1b[2J\r\n", ""),
        "/packed" => say(stream, "200 OK", "Content-Encoding: \u{9b}31m\u{202e}x\r\n", "x"),
        "/typed" => say(stream, "200 OK", "Content-Type: text/\x1b]0;t\x07html\r\n", &garbage),
        "/status" => say(stream, "500 \x1b]0;title\x07 \u{202e}", "X-Odd: \x1b[2J\r\n", &garbage),
        _ => say(stream, "200 OK", "Content-Type: text/plain\r\n", &garbage),
    })
}

pub(crate) fn pane(title: &str, query: &str, more: &str) -> String {
    format!("[[panes]]\ntitle = {}\nkind = \"sparkline\"\nquery = {}\n{more}\n", quoted(title), quoted(query))
}

#[test]
fn titles_labels_and_label_values() {
    let (desk, server) = (Desk::new(), hostile_server());
    let mut profile = format!(
        "title = {}\nenvironment = {}\n[samplers.m]\nkind = \"scrape\"\nurl = \"http://{}/metrics\"\n",
        quoted("p\x1b]0;x\x07\u{202e}rofile"),
        quoted("e\x1b[31m\u{200b}nv"),
        server.at
    );
    let facts: Vec<String> =
        (0..texts("j").len()).map(|at| format!("{{ pointer = \"/f{at}\", fact = \"f{at}\" }}")).collect();
    let pointers = texts("x")
        .iter()
        .map(|text| format!("{{ pointer = {}, metric = \"none\" }}", quoted(&format!("/{text}"))))
        .collect::<Vec<_>>();
    writeln!(
        profile,
        "[samplers.f]\nkind = \"http\"\nevery = \"1s\"\nurl = \"http://{}/facts\"\njson = [{}, {}]",
        server.at,
        facts.join(", "),
        pointers.join(", ")
    )
    .unwrap();
    for (at, (title, label)) in texts("t").iter().zip(texts("l")).enumerate() {
        let query = quoted(&format!("hostile{{at=\"{at:02}\"}}"));
        let beside = format!(
            "beside = [{{ label = {}, query = {query} }}, {{ label = \"v\", query = {query} }}]",
            quoted(&label)
        );
        profile.push_str(&pane(title, &format!("hostile{{at=\"{at:02}\"}}"), &beside));
    }
    let path = desk.write("profile.toml", profile);
    // Where the kernel allows it, the host has a hostile name, too.
    let mut spec = desk.spec(&["--profile", path.to_str().unwrap()]);
    if spec.args.first().is_some_and(|first| first == "--mount") {
        spec.args.insert(0, "--uts".to_owned());
        let script = spec.args.iter_mut().find(|argument| argument.starts_with("mount ")).unwrap();
        *script = format!("printf 'h\\033]0;x\\007\\302\\233' > /proc/sys/kernel/hostname && {script}");
    }
    let named = spec.args.first().is_some_and(|first| first == "--uts");
    let pty = start(spec);
    if named {
        pty.wait_for("h␛]0;x␇");
    }
    pty.wait_for("p␛]0;x␇<U+202E>rofile");
    // A badge has twelve columns.
    pty.wait_for("E␛[31M<U+20");
    wait_for_all(&pty, &texts("t"), 24);
    wait_for_all(&pty, &texts("l"), 20);
    wait_for_all(&pty, &texts("v"), 20);
    // Each pane alone, on the whole screen.
    pty.send("z");
    for text in texts("t").iter().skip(1) {
        pty.send("\t");
        pty.wait_for(&shown(text, 60));
    }
    judge(pty);
}

#[test]
fn log_lines_and_file_names() {
    let desk = Desk::new();
    let no_breaks = |text: Vec<u8>| text.into_iter().filter(|byte| *byte != b'\n').collect::<Vec<u8>>();
    let plain: Vec<Vec<u8>> = bytes("p").into_iter().map(no_breaks).collect();
    desk.write("plain.log", [plain.join(&b'\n'), b"\n".to_vec()].concat());
    // Colours are read and taken out; every other sequence becomes visible.
    let plain: Vec<Vec<u8>> = plain.iter().map(|line| strip(line).0.into_owned()).collect();
    let json = texts("j").into_iter().map(|text| {
        let line =
            serde_json::json!({ "time": "2026-01-01T00:00:00Z", "level": text, "message": text, text.as_str(): text });
        format!("{line}\n")
    });
    desk.write("json.log", json.collect::<String>());
    std::fs::create_dir(desk.path().join("names")).unwrap();
    let mut profile = "title = \"Logs\"\nenvironment = \"test\"\n".to_owned();
    for (name, path, format) in [
        ("plain", "plain.log", "plain"),
        ("json", "json.log", "json"),
        ("auto", "plain.log", "auto"),
        ("names", "names/*", "plain"),
        ("missing", "gone \u{1b}[2J\u{202e}x\u{9b}31m.log", "plain"),
    ] {
        let path = desk.path().join(path);
        writeln!(
            profile,
            "[logs.{name}]\nkind = \"file\"\npath = {}\nformat = \"{format}\"",
            quoted(path.to_str().unwrap())
        )
        .unwrap();
        writeln!(profile, "[[panes]]\ntitle = \"log {name}\"\nkind = \"log\"\nsource = \"{name}\"").unwrap();
    }
    let said = quoted(desk.path().join("plain.log").to_str().unwrap());
    writeln!(profile, "[logs.said]\nkind = \"command\"\nargv = [\"/bin/cat\", {said}]\nrestart = false").unwrap();
    writeln!(profile, "[[panes]]\ntitle = \"log said\"\nkind = \"log\"\nsource = \"said\"").unwrap();
    let path = desk.write("profile.toml", profile);
    let pty = start(desk.spec(&["--profile", path.to_str().unwrap()]));
    pty.wait_for("gone ␛[2J<U+202E>x");
    pty.wait_for("log plain");
    // One log after the other on the whole screen; a long line is there with its beginning.
    pty.send("z");
    wait_for_all(&pty, &plain, 60);
    imitates_no_prompt(&pty);
    pty.send("\t");
    wait_for_all(&pty, &texts("j"), 20);
    pty.send("\t");
    pty.wait_for("log auto");
    wait_for_all(&pty, &plain, 60);
    imitates_no_prompt(&pty);
    pty.send("\t");
    pty.wait_for("log names");
    rotate_hostile_names(&desk, &pty);
    pty.send("\t\t");
    pty.wait_for("log said");
    wait_for_all(&pty, &plain, 60);
    pty.wait_for("--- cat ended, exit code 0");
    judge(pty);
}

/// A line that looks like our prompt stands behind the time that every line of a log has.
fn imitates_no_prompt(pty: &Pty) {
    pty.wait("the imitation, as a line of the log", |screen, _| {
        ["Type  reduce  and Enter to run it", "│ > reduce_"].iter().all(|words| {
            row_with(screen, words).is_some_and(|row| {
                let before = row.split(words).next().unwrap_or_default().trim_start_matches([' ', '│', '▸']);
                let time = before.get(..8).unwrap_or_default().as_bytes();
                time.len() == 8 && time[2] == b':' && time[5] == b':'
            })
        })
    });
}

/// Files with hostile names are rotated while they are followed: the marker in the log names them.
fn rotate_hostile_names(desk: &Desk, pty: &Pty) {
    let fits = |name: &Vec<u8>| name.len() < 200 && !name.contains(&b'/') && !name.contains(&0);
    let names: Vec<Vec<u8>> = bytes("n").into_iter().filter(fits).collect();
    assert!(names.len() > 50);
    // A source follows 32 files at once.
    for some in names.chunks(25) {
        let paths: Vec<_> = some
            .iter()
            .map(|name| desk.path().join("names").join(std::ffi::OsString::from_vec(name.clone())))
            .collect();
        for (path, name) in paths.iter().zip(some) {
            std::fs::write(path, [b"before ", &name[..3], b"\n"].concat()).unwrap();
        }
        for name in some {
            pty.wait_for(&format!("before {}", String::from_utf8_lossy(&name[..3])));
        }
        for (path, name) in paths.iter().zip(some) {
            let mut old = path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(path, old).unwrap();
            std::fs::write(path, [b"after ", &name[..3], b"\n"].concat()).unwrap();
        }
        for name in some {
            pty.wait_for(&format!("after {}", String::from_utf8_lossy(&name[..3])));
            pty.wait_for(&shown(name, 40));
        }
        std::fs::remove_dir_all(desk.path().join("names")).unwrap();
        std::fs::create_dir(desk.path().join("names")).unwrap();
    }
}

#[test]
fn alerts_and_the_consoles_own_log() {
    let (desk, server) = (Desk::new(), hostile_server());
    let mut profile = format!(
        "title = \"Alerts\"\nenvironment = \"test\"\n[samplers.m]\nkind = \"scrape\"\nevery = \"1s\"\nurl = \"http://{}/metrics\"\n",
        server.at
    );
    for (at, title) in texts("t").iter().enumerate() {
        let action = format!("bands = {{ warning = 1.2, critical = 1.5 }}\naction = \"a{at}\"");
        profile.push_str(&pane(title, &format!("hostile{{at=\"{at:02}\"}}"), &action));
        let file = desk.path().join(format!("f{at:02}"));
        writeln!(
            profile,
            "[actions.a{at}]\nkind = \"config_set\"\ntitle = {}\nfile = {}",
            quoted(&texts("a")[at]),
            quoted(file.to_str().unwrap())
        )
        .unwrap();
    }
    let path = desk.write("profile.toml", profile);
    let pty = start(desk.spec(&["--profile", path.to_str().unwrap()]));
    let count = texts("t").len();
    pty.wait(&format!("{count} alerts"), |screen, _| row_with(screen, &format!("/{count}")).is_some());
    let titles = texts("t");
    let mut seen = BTreeSet::new();
    for _ in 0..count {
        // A row may be read while it is being written: only a title that is whole and new counts.
        let title = |screen: &vt100::Screen| {
            let text = screen.contents();
            let row = text.lines().nth(1).unwrap_or_default();
            titles.iter().find(|text| !seen.contains(*text) && row.contains(&shown(text, 20))).cloned()
        };
        let mut found = None;
        pty.wait("another alert, with its marks", |screen, _| {
            found = title(screen);
            found.is_some()
        });
        seen.extend(found);
        pty.send(".");
    }
    assert_eq!(seen.len(), count, "{seen:?}");
    pty.send("L");
    pty.wait_for("OWN LOG");
    pty.wait_for("is FIRING at CRITICAL");
    close_sheet(&pty, "OWN LOG");
    judge(pty);
}
