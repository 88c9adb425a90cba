//! Hostile text out of files that the console reads about itself: profile, keymap, theme; and in what fails.

use crate::corpus::{bytes, texts};
use crate::desk::{Desk, row_with};
use crate::harness::{Pty, Spec, only_our_sequences};
use crate::hostile::{close_sheet, hostile_server, judge, pane, quoted, start, wait_for_all};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Actions, keys, faults: what a profile, a keymap and a theme can say.
#[test]
fn plans_keys_and_faults() {
    let desk = Desk::new();
    let pty = start(plans_keys_and_faults_spec(&desk));
    pty.wait_for("OBSERVE");
    pty.send("?");
    pty.wait_for("KEYS");
    wait_for_all(&pty, &texts("k")[..14], 20);
    close_sheet(&pty, "KEYS");
    pty.send("a");
    pty.wait_for("ACTIONS");
    wait_for_all(&pty, &texts("a"), 60);
    pty.send("\r");
    pty.wait_for("Only a preview");
    wait_for_all(&pty, &texts("h"), 60);
    for text in ["via ssh from 1.2.3.4␛[2J<U+202E>:5<9B>6", r"from \u001B[31m", r"to \u001B]0;"] {
        pty.wait_for(text);
    }
    close_sheet(&pty, "Only a preview");
    // The others' files are not there: their names come in a sentence.
    for at in 1..texts("a").len() {
        pty.send(format!("a{}\r", "j".repeat(at)));
        pty.wait("no plan for this one", |screen, _| {
            row_with(screen, "No plan: ").is_some_and(|row| row.contains(&format!("f{at:02}")))
        });
    }
    pty.send("\r");
    pty.wait_for("FAULTS");
    let said = pages(&pty);
    // The sheet shows a thousand lines: of the keymap's rows only some.
    let kinds = [("u", 99), ("s", 99), ("w", 99), ("r", 30), ("o", 30), ("m", 99)];
    let tags = |(of, most)| {
        texts(of).iter().take(most).filter_map(|text| text.get(..3).map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut tags: Vec<String> = kinds.into_iter().flat_map(tags).collect();
    tags.retain(|tag| !said.contains(tag));
    assert!(tags.is_empty(), "no fault told about {tags:?}\n{said}");
    close_sheet(&pty, "FAULTS");
    judge(pty);
}

/// All pages of the open sheet, each once it has stood still.
fn pages(pty: &Pty) -> String {
    let sheet = || pty.text().lines().filter(|line| line.contains('│')).map(|line| format!("{line}\n")).collect();
    let mut all = vec![String::new()];
    loop {
        let mut last = String::new();
        let turned = (0..60).find_map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            let before = core::mem::replace(&mut last, sheet());
            (last == before && all.last() != Some(&last)).then(|| last.clone())
        });
        match turned {
            Some(page) => all.push(page),
            None => return all.concat(),
        }
        pty.send("\x1b[6~");
    }
}

fn plans_keys_and_faults_spec(desk: &Desk) -> Spec {
    let path = hostile_profile(desk);
    hostile_keymap(desk);
    let theme: String =
        texts("m").iter().map(|text| format!("{} = {{ fg = {} }}\n", quoted(text), quoted(text))).collect();
    desk.write("home/.config/watchkeeper/themes/odd.toml", theme);
    let mut spec = desk.spec(&["--profile", path.to_str().unwrap(), "--keymap", "odd", "--theme", "odd"]);
    spec.env.push(("SSH_CONNECTION".to_owned(), "1.2.3.4\x1b[2J\u{202e} 5\u{9b}6 7 8".to_owned()));
    spec
}

/// Actions with hostile words in all they say, unknown keys, unknown kinds, impossible names.
fn hostile_profile(desk: &Desk) -> PathBuf {
    let mut profile = "title = \"Plans\"\nenvironment = \"test\"\n".to_owned();
    for text in texts("u") {
        writeln!(profile, "{} = 1", quoted(&text)).unwrap();
    }
    let (from, to) = (quoted("from \x1b[31m"), quoted("to \x1b]0;x\x07"));
    desk.write("real.toml", format!("k = {from}\n"));
    let all: Vec<String> = texts("h").iter().map(|text| quoted(text)).collect();
    for (at, title) in texts("a").iter().enumerate() {
        // The first can be planned, the others' files are not there.
        let (name, hits) = if at == 0 { ("real.toml", &all[..]) } else { (&*texts("f")[at], &all[..1]) };
        let file = quoted(&format!("{}/{name}", desk.path().display()));
        let (title, hits) = (quoted(title), hits.join(", "));
        writeln!(
            profile,
            "[actions.a{at}]\nkind = \"config_set\"\ntitle = {title}\nverb = \"reduce\"\ndanger = \"C2\"\nfile = {file}\n\
            hits = [{hits}]\nset = [{{ key = \"k\", from = {from}, to = {to} }}]"
        )
        .unwrap();
    }
    for (at, text) in texts("s").iter().enumerate() {
        writeln!(profile, "[samplers.s{at}]\nkind = {}", quoted(text)).unwrap();
    }
    for text in texts("w") {
        writeln!(profile, "[samplers.{}]\nkind = \"host\"", quoted(&text)).unwrap();
    }
    desk.write("profile.toml", profile)
}

/// Keys with hostile descriptions, unknown commands, unknown keys.
fn hostile_keymap(desk: &Desk) {
    let rows = [
        "? help",
        "enter open",
        "a actions",
        "A arm",
        "space pause",
        "z zoom",
        "tab focus-next",
        "L own-log",
        "esc back",
        "ctrl-l redraw",
        "ctrl-z suspend",
        "q quit",
        "shift-tab focus-previous",
        ". next-alert",
    ];
    let mut keymap = "everywhere = [\n".to_owned();
    for (row, text) in rows.iter().zip(texts("k")) {
        let (key, command) = row.split_once(' ').unwrap();
        writeln!(keymap, "{{ on = \"{key}\", run = \"{command}\", desc = {} }},", quoted(&text)).unwrap();
    }
    for (run, on) in texts("r").iter().zip(texts("o")).take(30) {
        let (run, on) = (quoted(run), quoted(&on));
        writeln!(keymap, "{{ on = \"x\", run = {run} }},\n{{ on = {on}, run = \"help\" }},").unwrap();
    }
    desk.write("home/.config/watchkeeper/keymaps/odd.toml", keymap + "]\n");
}

#[test]
fn failures_and_files_that_cannot_be_read() {
    let (desk, server) = (Desk::new(), hostile_server());
    let mut profile = "title = \"Failures\"\nenvironment = \"test\"\n".to_owned();
    for (at, path) in ["away", "far", "packed", "typed", "status", "words\u{1b}[2J\u{202e}"].iter().enumerate() {
        writeln!(
            profile,
            "[samplers.h{at}]\nkind = \"http\"\nevery = \"1s\"\nurl = {}\njson = [{{ pointer = \"/x\", metric = \"m{at}\" }}]",
            quoted(&format!("http://{}/{path}", server.at))
        )
        .unwrap();
        profile.push_str(&pane(&format!("pane {at}"), &format!("m{at}"), ""));
    }
    writeln!(profile, "[samplers.g]\nkind = \"scrape\"\nevery = \"1s\"\nurl = \"http://{}/garbage\"", server.at)
        .unwrap();
    profile.push_str(&pane("garbage", "garbage", ""));
    let lmdb = desk.path().join("l\u{1b}]0;x\u{7}\u{202e}.mdb");
    writeln!(
        profile,
        "[samplers.l]\nkind = \"lmdb\"\nevery = \"1s\"\npath = {}\n[[panes]]\ntitle = \"lmdb\"\nkind = \"lmdb\"",
        quoted(lmdb.to_str().unwrap())
    )
    .unwrap();
    // Its own name is hostile, too, and it is broken in a second console.
    let path = desk.write("p\u{1b}]0;x\u{7}\u{202e}.toml", profile);
    let pty = start(desk.spec(&["--profile", path.to_str().unwrap()]));
    for text in [
        "/away",
        "/far redirects to another host",
        "/packed is not JSON",
        "/typed: ",
        "/status: ",
        "/words%1B[2J%E2%80%AE is not JSON",
        "/garbage shows no metrics",
        "l␛]0;x␇<U+202E>.mdb does not exist",
    ] {
        pty.wait_for(text);
    }
    judge(pty);
    desk.write("p\u{1b}]0;x\u{7}\u{202e}.toml", texts("t").join("\n= \u{1b}[2J"));
    let pty = start(desk.spec(&["--profile", path.to_str().unwrap()]));
    pty.wait_for("CPU busy");
    pty.send("\r");
    pty.wait_for("FAULTS");
    pty.wait_for("p␛]0;x␇<U+202E>.toml");
    close_sheet(&pty, "FAULTS");
    judge(pty);

    // What `validate` says goes to a terminal as well.
    for text in bytes("t") {
        let path = desk.write("bad.toml", [b"title = \"", &text[..], b"\"\n"].concat());
        let output = desk.run(&["validate", path.to_str().unwrap()]);
        let said = [output.stdout, output.stderr].concat();
        only_our_sequences(&said).unwrap_or_else(|what| panic!("{what}: {}", String::from_utf8_lossy(&said)));
    }
}
