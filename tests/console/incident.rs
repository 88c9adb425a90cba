//! An incident in the real console: opened, noted, worked on, handed over, closed, reported; and over a restart.

use crate::desk::{Desk, demo_folder, eventually, row_with};
use crate::harness::{Pty, Spec};
use crate::shipped::{Part, Wanted};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn is_armed(screen: &vt100::Screen, question: &str) -> bool {
    let full = |row: String| row.trim_end_matches(['│', ' ']).ends_with("  armed");
    row_with(screen, question).is_some() && row_with(screen, "EXPIRES").is_some_and(full)
}

/// The only file of a folder, and its text.
fn only(folder: &Path) -> (PathBuf, String) {
    eventually("a file", || {
        let path = fs::read_dir(folder).ok()?.flatten().next()?.path();
        let text = fs::read_to_string(&path).ok().filter(|text| !text.is_empty())?;
        (!path.to_string_lossy().ends_with(".tmp")).then_some((path, text))
    })
}

fn opened(pty: &Pty) {
    pty.wait("the form", |screen, _| {
        let open = screen.contents().contains("INCIDENT: everything");
        if !open {
            pty.send("i");
        }
        open
    });
}

#[test]
fn an_incident_is_opened_noted_worked_on_handed_over_closed_and_reported() {
    let desk = Desk::new();
    let mut pty = desk.start(&["demo"]);
    let folder = demo_folder(&desk);
    pty.wait("an alert that has lasted", |screen, _| row_with(screen, "answer in 14:3").is_some());
    pty.send("i");
    pty.wait_for("INCIDENT: everything");
    pty.send("\r");
    pty.wait("the clock", |screen, _| row_with(screen, "INCIDENT 0:00:").is_some_and(|row| row.contains(" UTC")));
    pty.send("n");
    pty.wait_for("NOTE: ");
    pty.send("todo: order a larger card");
    pty.wait_for("larger card_");
    pty.send("\r");
    pty.wait_for("follows it up");

    pty.send("a");
    pty.wait_for("ACTIONS");
    pty.send("\r");
    pty.wait_for("Only a preview");
    pty.send("A");
    pty.wait("the arming prompt", |screen, _| is_armed(screen, "to arm"));
    pty.send("y");
    pty.wait("the plan again, armed", |screen, _| is_armed(screen, "Esc cancels."));
    pty.send("reduce");
    pty.wait_for("Enter runs it");
    std::thread::sleep(std::time::Duration::from_millis(250));
    pty.send("\r");
    pty.wait_for("EXECUTED, VERIFIED");
    // An Esc and a letter in one breath are one key.
    pty.send("\x1b");
    pty.wait("the panes", |screen, _| !screen.contents().contains("as expected"));

    pty.send("H");
    pty.wait_for("HANDOVER");
    pty.wait("the clipboard", |_, raw| raw.windows(7).any(|window| window == b"\x1b]52;c;"));
    pty.wait_for("On the clipboard");
    let (path, card) = only(&folder.join("state/handover"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(card.is_ascii() && card.lines().count() <= 12 && card.lines().all(|line| line.len() <= 76), "{card}");
    for part in [
        "INCIDENT ",
        "DONE ",
        "Reduce batch size: VERIFIED latency p95 ",
        "TODO ",
        "order a larger card",
        "CALL ",
        "REPORT ",
    ] {
        assert!(card.contains(part), "{part}:\n{card}");
    }
    pty.send("\x1b");
    pty.wait("the panes", |screen, _| !screen.contents().contains("HANDOVER"));

    pty.send("i");
    pty.wait_for("accepted reduce-batch-size");
    pty.send("x");
    pty.wait_for("CLOSE: ");
    pty.send("batch size halved");
    pty.wait_for("halved_");
    pty.send("\r");
    pty.wait_for("its report:");
    pty.wait("no clock", |screen, _| row_with(screen, "INCIDENT 0:").is_none());
    let reports = folder.join("state/incidents");
    let (_, report) =
        eventually("the whole report", || Some(only(&reports)).filter(|(_, text)| text.contains("Summary")));
    assert!(report.is_ascii(), "{report}");

    let told = desk.run(&["report", "--state", folder.join("state").to_str().unwrap()]);
    let told = String::from_utf8(told.stdout).unwrap();
    for text in [&report, &told] {
        for part in [
            "# Incident: ",
            "- Summary: batch size halved",
            "## Timeline (UTC)",
            "accepted reduce-batch-size",
            "## Actions",
            ": VERIFIED, accepted by",
            "## Follow-ups",
            "order a larger card",
            "batch_size",
            "## Log",
            "CUDA_ERROR_OUT_OF_MEMORY",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(!text.contains("## Silences"), "an empty section is absent:\n{text}");
    }
    pty.send("q");
    assert_eq!(pty.status(), 0);
    desk.assert_nothing_is_left();
}

/// A console whose state stays when it ends: as root the state lies in one place, which is bound to the desk.
pub(crate) fn kept(desk: &Desk, args: &[&str]) -> Spec {
    let mut spec = desk.spec(args);
    let place = desk.path().join("lib");
    fs::create_dir_all(&place).unwrap();
    for arg in spec.args.iter_mut().filter(|arg| arg.starts_with("mount -t tmpfs")) {
        *arg = format!("mount --bind {} /var/lib && exec \"$@\"", place.display());
    }
    spec
}

pub(crate) fn ran(spec: &Spec) -> Output {
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(spec.env.iter().cloned()).output().unwrap()
}

#[test]
fn an_open_incident_survives_the_console_and_its_report_comes_from_the_journal() {
    let desk = Desk::new();
    let mut first = Pty::spawn(&kept(&desk, &[]));
    opened(&first);
    first.send("\x15disk swap\r");
    first.wait_for("INCIDENT 0:00:");
    first.send("n");
    first.wait_for("NOTE: ");
    first.send("disk 3 is out\r");
    first.wait_for("Noted.");
    first.send("q");
    assert_eq!(first.status(), 0);

    let mut second = Pty::spawn(&kept(&desk, &[]));
    second.wait_for("INCIDENT 0:0");
    second.send("i");
    second.wait_for("INCIDENT: disk swap");
    second.wait_for("disk 3 is out");
    second.send("x");
    second.wait_for("CLOSE: ");
    second.send("disk 3 is new\r");
    second.wait_for("its report:");
    second.send("q");
    assert_eq!(second.status(), 0);

    let told = ran(&kept(&desk, &["report", "--ascii"]));
    let told = String::from_utf8(told.stdout).unwrap();
    for part in ["# Incident: disk swap", "disk 3 is out", "- Summary: disk 3 is new"] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    let none = ran(&kept(&desk, &["report", "--incident", "00000000000000000000000001"]));
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("does not tell of incident"));
}

#[test]
fn the_top_of_a_profile_that_is_pasted_into_a_page_is_in_the_report_of_its_incident() {
    let desk = Desk::new();
    let part = Part::of("genesis", &Wanted { panes: &["I/O wait"], samplers: &["host"], ..Wanted::default() });
    let profile = part.lay(&desk, true);
    let mut pty = Pty::spawn(&kept(&desk, &["--profile", profile.to_str().unwrap()]));
    opened(&pty);
    pty.send("\x15slow orders\r");
    pty.wait_for("INCIDENT 0:00:");
    pty.send("p");
    pty.wait_for("Symptom _");
    pty.send("pstats");
    pty.wait_for("▸ CPU profiling");
    pty.send("\r");
    pty.wait_for("not begun");
    pty.send("\r");
    let top: Vec<String> = (1..=20).map(|at| format!("{at} 0.{at:03} engine.py:{at}(execute_order_{at})")).collect();
    let pasted = format!("\x1b[200~{}\x1b[201~", top.join("\r"));
    for (item, answer) in [
        ("Attach to what runs", None),
        ("py-spy record", Some("60 s recorded")),
        ("Where would it start", Some("production: leave it")),
        ("Read a profile", None),
        ("python -c", Some("four lists")),
        ("What it said", Some(pasted.as_str())),
    ] {
        pty.wait(item, |screen, _| row_with(screen, "▶").is_some_and(|row| row.contains(item)));
        pty.send("\r");
        if let Some(answer) = answer {
            pty.wait_for("OBSERVED");
            pty.send(answer);
            pty.send("\r");
        }
    }
    pty.wait("the next item", |screen, _| row_with(screen, "▶").is_some_and(|row| row.contains("As a picture")));
    pty.hang_up();
    assert_eq!(pty.status(), 128 + 1);
    let told = ran(&kept(&desk, &["report", "--ascii"]));
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("# Incident: slow orders"), "{told}");
    let answers = told.split("## Answers").nth(1).unwrap_or_else(|| panic!("{told}"));
    for line in &top {
        assert!(answers.lines().any(|row| row.trim() == line), "{line}:\n{answers}");
    }
}

#[test]
fn a_support_bundle_holds_what_helps_and_no_secret_in_any_form() {
    const SECRETS: [&str; 5] =
        ["canary-in-env/1+x", "canary-in-profile/2+x", "canary-in-file/3+x", "canary-in-url-4", "canary-argument-5"];
    let desk = Desk::new();
    let file = desk.write("token", SECRETS[2]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let profile = format!(
        "title = \"orders\"\n\n[samplers.a]\nkind = \"http\"\nurl = \"http://user:{}@127.0.0.1:1/\"\n\
         # a comment\nheaders = {{ Authorization = \"Bearer {}\", X-Token = {{ file = \"{}\" }} }}\n\n\
         [samplers.b]\nkind = \"command\"\nargv = [\"/bin/true\", \"--token\", \"{}\"]\nnot_a_key = {{ env = \"PLAIN\" }}\n",
        SECRETS[3],
        SECRETS[1],
        file.display(),
        SECRETS[4]
    );
    let profile = desk.write("orders/profile.toml", profile);
    let said: Vec<String> = SECRETS.iter().flat_map(|secret| forms(secret)).collect();
    let record = serde_json::json!({ "seq": 1, "ev": "alert.ack", "args": said, "res": null });
    desk.write("state/journal/00000001.jsonl", record.to_string() + "\n");
    desk.write("state/own.log", format!("2026-11-29T03:12:00Z WARN console: its own word {}\n", said.join(" ")));
    let out = desk.path().join("bundle");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (state, profile, folder) = (path(&desk.path().join("state")), path(&profile), path(&out));
    let mut spec = desk.spec(&["support-bundle", "--out", &folder, "--profile", &profile, "--state", &state]);
    spec.env.push(("ORDERS_PASSWORD".to_owned(), SECRETS[0].to_owned()));
    spec.env.push(("PLAIN".to_owned(), SECRETS[0].to_owned()));
    let made = ran(&spec);
    assert!(made.status.success(), "{made:?}");
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o700);
    let manifest = fs::read_to_string(out.join("MANIFEST")).unwrap();
    assert!(manifest.contains("tar -czf bundle.tar.gz bundle"), "{manifest}");
    let mut count = 0;
    for entry in fs::read_dir(&out).unwrap().flatten() {
        count += 1;
        let name = entry.file_name().into_string().unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(name == "MANIFEST" || manifest.contains(&name), "{name}:\n{manifest}");
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(text.is_ascii(), "{name}");
        for form in &said {
            assert!(!text.contains(form.as_str()), "{form} in {name}:\n{text}");
        }
    }
    assert!(count >= 8, "{manifest}");
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert!(text("profile-1.toml").contains("# a comment") && text("profile-1.toml").contains("<redacted>"));
    assert!(text("versions.txt").contains(env!("CARGO_PKG_VERSION")));
    assert!(text("journal.txt").contains("alert.ack"));
    assert!(text("own-log.txt").contains("console: its own word"), "{}", text("own-log.txt"));
    assert!(text("validate.txt").contains("not_a_key"), "{}", text("validate.txt"));
    let again = ran(&spec);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"), "{again:?}");
}

/// A text as it is, in base 64, and as an address has it.
fn forms(text: &str) -> Vec<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let word = (0..3).fold(0_usize, |word, at| word << 8 | group.get(at).copied().map_or(0, usize::from));
        let letters = [18, 12, 6, 0].map(|shift| char::from(LETTERS[word >> shift & 63]));
        letters[..=group.len()].iter().collect::<String>()
    };
    let base64: String = text.as_bytes().chunks(3).map(group).collect();
    vec![text.to_owned(), base64, text.replace('/', "%2F").replace('+', "%2B")]
}
