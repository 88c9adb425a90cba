//! Broken files and broken sources: each is a sentence on the screen, and the rest goes on.

use crate::desk::{Desk, clock_of, row_with};
use crate::harness::{Pty, only_our_sequences};
use crate::server::{Server, say, serve};
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;

/// Answers nobody should give.
fn bad_server() -> Server {
    serve(|path, stream| match path {
        "/words" => say(stream, "200 OK", "Content-Type: text/html\r\n", "<html>Welcome!</html>"),
        "/big" => {
            let line = b"big_value 1\n".repeat(1_000);
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunk = [format!("{:x}\r\n", line.len()).as_bytes(), &line, b"\r\n"].concat();
            // Ten megabytes, as far as anybody wants to read them.
            stream.write_all(head.as_bytes()).is_ok() && (0..850).all(|_| stream.write_all(&chunk).is_ok())
        }
        "/loop" => say(stream, "302 Found", "Location: /loop\r\n", ""),
        _ => say(stream, "200 OK", "", "{\"status\": \"fine\", \"depth\": 7}"),
    })
}

/// A port of this host on which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn broken_profile(desk: &Desk, server: &Server) -> PathBuf {
    let (at, folder, closed) = (&server.at, desk.path().display(), closed_port());
    desk.write("cut.mdb", [0_u8; 100]);
    let pane = |title: &str, query: &str| {
        format!("[[panes]]\ntitle = \"{title}\"\nkind = \"sparkline\"\nquery = \"{query}\"\n")
    };
    let http = |name: &str, url: String| {
        format!(
            "[samplers.{name}]\nkind = \"http\"\nurl = \"{url}\"\nevery = \"1s\"\n\
            json = [{{ pointer = \"/depth\", metric = \"{name}_value\" }}]\n"
        )
    };
    let parts = [
        "title = \"Broken in many ways\"\nenvironment = \"test\"\ncolour = \"red\"\n".to_owned(),
        "[samplers.host]\nkind = \"host\"\n".to_owned(),
        http("fine", format!("http://{at}/fine")),
        http("refused", format!("http://127.0.0.1:{closed}/health")),
        http("words", format!("http://{at}/words")),
        http("loop", format!("http://{at}/loop")),
        format!("[samplers.big]\nkind = \"scrape\"\nurl = \"http://{at}/big\"\nevery = \"1s\"\n"),
        format!("[samplers.cut]\nkind = \"lmdb\"\npath = \"{folder}/cut.mdb\"\nevery = \"1s\"\n"),
        "[samplers.odd]\nkind = \"htpp\"\nurl = \"http://localhost/\"\n".to_owned(),
        format!("[logs.gone]\nkind = \"file\"\npath = \"{folder}/gone.log\"\n"),
        pane("Healthy", "fine_value"),
        pane("CPU busy", "watchkeeper_host_cpu_busy_ratio"),
        pane("Refused", "refused_value"),
        pane("Words", "words_value"),
        pane("Loop", "loop_value"),
        pane("Big", "big_value"),
        "[[panes]]\ntitle = \"Store\"\nkind = \"lmdb\"\n".to_owned(),
        "[[panes]]\ntitle = \"Bad unit\"\nkind = \"sparkline\"\nquery = \"x\"\nunit = \"furlongs\"\n".to_owned(),
        "[[panes]]\ntitle = \"Bad query\"\nkind = \"sparkline\"\nquery = \"rate(x[5m])\"\n".to_owned(),
        "[[panes]]\ntitle = \"Gone\"\nkind = \"log\"\nsource = \"gone\"\n".to_owned(),
    ];
    desk.write("broken.toml", parts.join("\n"))
}

fn start(desk: &Desk, profile: &str) -> Pty {
    let mut spec = desk.spec(&["--profile", profile]);
    spec.size = (120, 40);
    Pty::spawn(&spec)
}

fn leave(mut pty: Pty) {
    pty.send("q");
    pty.wait("no sheet", |screen, _| !screen.contents().contains("FAULTS"));
    pty.send("q");
    assert_eq!(pty.status(), 0);
    only_our_sequences(&pty.raw()).unwrap();
    pty.assert_restored();
}

#[test]
fn many_wrongs_at_once_are_sentences_and_the_rest_goes_on() {
    let (desk, server) = (Desk::new(), bad_server());
    let profile = broken_profile(&desk, &server);
    let pty = start(&desk, profile.to_str().unwrap());
    for sentence in [
        "/health refused the connection.",
        "/words ",
        "redirects more than 3 times",
        "sent more than 1 MiB",
        "gone.log: no such file yet.",
        "cut.mdb is cut short",
    ] {
        pty.wait_for(sentence);
    }
    let first = clock_of(&pty.text()).unwrap();
    pty.wait("healthy values, seconds later", |screen, _| {
        let value = row_with(screen, "Healthy").is_some_and(|row| row.contains("7 ") && !row.contains("STALE"));
        value && clock_of(&screen.contents()).is_some_and(|now| now.abs_diff(first) >= 3)
    });
    pty.send("\r");
    pty.wait_for("FAULTS");
    for sentence in [
        "broken.toml:3:1: unknown key `colour`.",
        "unknown sampler kind `htpp`. Did you mean `http`?",
        "furlongs",
        "WK001 `Bad query`: `rate` wants a counter",
    ] {
        pty.wait_for(sentence);
    }
    leave(pty);
}

#[test]
fn an_unreadable_profile_leaves_the_host_and_the_reason() {
    let desk = Desk::new();
    let broken = desk.write("syntax.toml", "title = \"x\"\n[samplers.\n");
    let missing = desk.path().join("missing.toml");
    for (profile, place, sentence) in
        [(&broken, "syntax.toml:2:", "expected"), (&missing, "missing.toml", "no such file")]
    {
        let pty = start(&desk, profile.to_str().unwrap());
        for text in ["this host", "CPU busy", "Memory used"] {
            pty.wait_for(text);
        }
        pty.send("\r");
        pty.wait_for("FAULTS");
        pty.wait_for(place);
        pty.wait(sentence, |screen, _| screen.contents().to_lowercase().contains(sentence));
        leave(pty);
    }
}

#[test]
fn validate_names_every_fault_and_its_place() {
    let (desk, server) = (Desk::new(), bad_server());
    let profile = broken_profile(&desk, &server);
    let output = desk.run(&["validate", profile.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    for what in ["unknown key `colour`", "unknown sampler kind `htpp`", "furlongs", "WK001 `Bad query`"] {
        let line = said.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}:\n{said}"));
        let place = line.strip_prefix(profile.to_str().unwrap()).and_then(|rest| rest.strip_prefix(':')).unwrap();
        let mut numbers = place.split(':').map(|part| part.parse::<u32>().is_ok());
        assert_eq!([numbers.next(), numbers.next()], [Some(true); 2], "no line and column: {line}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");

    let good = desk.write("good.toml", "title = \"Good\"\nenvironment = \"test\"\n[samplers.host]\nkind = \"host\"\n");
    let output = desk.run(&["validate", good.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("no fault"), "{said}");
    assert_eq!(desk.run(&["validate"]).status.code(), Some(0), "the host's own profile");
    assert_ne!(desk.run(&["validate", "/nowhere/at/all.toml"]).status.code(), Some(0));
}

#[test]
fn validate_notes_a_unit_that_systemd_does_not_know_here_and_it_is_no_fault() {
    let desk = Desk::new();
    let answer =
        "#!/bin/sh\ncase \"$*\" in *gone.service) echo LoadState=not-found;; *) echo LoadState=loaded;; esac\n";
    let systemctl = desk.write("systemctl", answer);
    std::fs::set_permissions(&systemctl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let action = |name: &str| {
        format!(
            "[actions.{name}]\nkind = \"service_restart\"\nverb = \"restart\"\ndanger = \"C2\"\n\
             service = {{ kind = \"systemd\", unit = \"{name}.service\", systemctl = [{systemctl:?}] }}\n"
        )
    };
    let profile = desk.write("p.toml", format!("title = \"X\"\n{}{}", action("gone"), action("here")));
    let output = desk.run(&["validate", profile.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("p.toml:6:38: the unit `gone.service` is unknown here."), "{said}");
    assert!(said.contains("no fault") && !said.contains("here.service` is unknown"), "{said}");
}

#[test]
fn validate_says_what_is_meant_once_and_shows_how_it_is_written() {
    let desk = Desk::new();
    for (text, told) in [
        ("rules = \"rules.yaml\"", "1:9: `rules` is a list of files. Write for example rules = [\"rules.yaml\"]."),
        ("extends = \"host\"", "1:11: `extends` is a list of profiles. Write for example extends = [\"host\"]."),
        (
            "[samplers.h]\nkind = \"host\"\nevery = 5",
            "3:9: invalid type: integer `5`, expected a length of time in quotes, for example \"5s\" or \"1m 30s\".",
        ),
        ("[samplers.h]\nkind = \"host\"\nevry = \"5s\"", "3:1: unknown key `evry`. Did you mean `every`?"),
        (
            "[[panes]]\ntitle = \"x\"\nkind = \"sparkline\"\nquery = \"${nosetting}\"",
            "4:9: `${nosetting}` is not set here. No setting is: write `nosetting = …` under [settings], \
             or `$${nosetting}` for the text itself.",
        ),
        (
            "[samplers.h]\nkind = \"http\"\nurl = \"http://127.0.0.1/\"\nneeds = \"x\"",
            "4:9: `x` does not begin with `/`.",
        ),
        (
            "[samplers.h]\nkind = \"http\"\nurl = \"http://127.0.0.1/\"\nneeds = \"/nowhere\"\nstatus = [999]",
            "5:10: 999 is no HTTP status, expected 200 to 599.",
        ),
    ] {
        let profile = desk.write("p.toml", format!("{text}\n"));
        let output = desk.run(&["validate", profile.to_str().unwrap()]);
        let said = String::from_utf8(output.stdout).unwrap().replace(profile.to_str().unwrap(), "p.toml");
        let faults: Vec<&str> = said.lines().filter(|line| line.starts_with("p.toml:")).collect();
        assert!(matches!(&faults[..], [one] if one.contains(told)), "{text}:\n{said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
    }
}
