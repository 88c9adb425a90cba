//! Logs that are no files: programs that end, hang and flood, the kernel's own log, a real systemd's journal.

use super::bench::Bench;
use super::peer;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use watchkeeper::base::{Clock, LogLevel};
use watchkeeper::logs::{Boots, CommandLine, Feed, Format, Journal, StreamSource, Streams};
use watchkeeper::sys::clock::RealClock;

fn start(bench: &Bench, feeds: Vec<Feed>) -> Streams {
    let source = |feed| StreamSource { name: "app".into(), feed, format: Format::Auto };
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    Streams::start(feeds.into_iter().map(source).collect(), &bench.mailbox, &clock).expect("starts")
}

fn script(bench: &Bench, name: &str, text: &str) -> String {
    fs::set_permissions(bench.dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let path = bench.path(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writes");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("ours");
    path.display().to_string()
}

fn marks(bench: &Bench) -> Vec<String> {
    bench.lines.iter().filter(|line| line.marker).map(|line| line.message.to_string()).collect()
}

#[test]
fn a_program_that_ends_is_told_and_started_again() {
    let mut bench = Bench::new(1_000);
    let count = bench.path("count");
    let text = format!(
        "echo x >> {0}; n=$(wc -l < {0}); echo \"run $n\"; echo 'half a line'; printf 'ERROR the end' ; printf 'bad \\033[2J news\\n' >&2; exit 3",
        count.display()
    );
    let argv = vec![script(&bench, "logger", &text)];
    let streams = start(&bench, vec![Feed::Command(CommandLine { argv, again: true })]);
    bench.until("its second life", |bench| bench.has("run 2") && marks(bench).len() >= 2);
    drop(streams);
    let first = bench.lines.first().map(|line| line.message.to_string());
    assert_eq!(first.as_deref(), Some("run 1"));
    assert!(bench.lines.iter().any(|line| line.level == Some(LogLevel::Error) && line.message.as_str() == "the end"));
    assert!(bench.has("bad ␛[2J news"), "what it says on standard error is shown, and clean: {:?}", bench.shown());
    let mark = marks(&bench).first().cloned().unwrap_or_default();
    assert!(mark.starts_with("logger ended, exit code 3: bad ␛[2J news; started again in "), "{mark}");
    let told = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(told.contains("logger ended, exit code 3") && told.contains("started again"), "{told}");
}

#[test]
fn a_program_that_is_to_run_once_runs_once_and_one_that_is_missing_is_a_sentence() {
    let mut bench = Bench::new(1_000);
    let argv = vec![script(&bench, "once", "echo one")];
    let streams = start(&bench, vec![Feed::Command(CommandLine { argv, again: false })]);
    bench.until("its end", |bench| !marks(bench).is_empty());
    bench.until("its thread goes", |bench| Arc::strong_count(&bench.mailbox) == 1);
    assert_eq!(
        (bench.shown(), marks(&bench), bench.failure.clone()),
        (vec!["one".to_owned()], vec!["once ended, exit code 0".to_owned()], None)
    );
    drop(streams);
    let argv = vec!["/no/such/program".to_owned()];
    let _streams = start(&bench, vec![Feed::Command(CommandLine { argv, again: true })]);
    bench.until("a sentence", |bench| bench.failure.is_some());
    let told = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(told.contains("/no/such/program"), "{told}");
}

#[test]
fn dropping_the_streams_ends_their_programs_and_threads_at_once() {
    let mut bench = Bench::new(1_000);
    let pid = bench.path("pid");
    let argv = vec![script(&bench, "forever", &format!("echo $$ > {}; echo up; exec sleep 1000", pid.display()))];
    let streams = start(&bench, vec![Feed::Command(CommandLine { argv, again: true }), Feed::Kernel]);
    bench.until("it is up", |bench| bench.has("up"));
    drop(streams);
    bench.until("the threads go", |bench| Arc::strong_count(&bench.mailbox) == 1);
    let pid = fs::read_to_string(pid).expect("written");
    bench.until("the program goes", |_| {
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    });
}

#[test]
fn of_a_flood_through_a_pipe_shown_and_dropped_are_all_that_was_offered() {
    let mut bench = Bench::new(1_000);
    let argv = vec![script(&bench, "flood", "exec seq 1 300000")];
    let _streams = start(&bench, vec![Feed::Command(CommandLine { argv, again: false })]);
    bench.until("its end", |bench| bench.has("300000") && !marks(bench).is_empty());
    assert_eq!(u64::try_from(bench.shown().len()).expect("small") + bench.dropped, 300_000);
}

#[test]
fn the_kernel_s_log_comes_with_times_and_levels_or_says_why_not() {
    let mut bench = Bench::new(1_000);
    let _streams = start(&bench, vec![Feed::Kernel]);
    bench.until("lines or a sentence", |bench| !bench.lines.is_empty() || bench.failure.is_some());
    let said = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(!bench.lines.is_empty() || said.contains("/dev/kmsg"), "{said}");
    assert!(bench.lines.iter().filter(|line| !line.marker).all(|line| line.time.is_some() && line.level.is_some()));
    assert!(bench.lines.len() <= 201 && bench.dropped == 0, "history is not news");
}

fn journal(unit: &str) -> Journal {
    Journal {
        unit: Some(unit.to_owned()),
        user: false,
        priority: None,
        boot: Boots::All,
        this_run: false,
        journalctl: vec!["/usr/bin/journalctl".to_owned()],
        systemctl: vec!["/usr/bin/systemctl".to_owned()],
    }
}

#[test]
fn what_journalctl_says_of_missing_rights_is_said_and_it_goes_on_behind_its_cursor() {
    let mut bench = Bench::new(1_000);
    let (args, count) = (bench.path("args"), bench.path("count"));
    let entry = r#"{"__CURSOR":"c;$n","PRIORITY":"4","SYSLOG_IDENTIFIER":"web","_PID":"7","MESSAGE":"entry $n"}"#;
    let text = format!(
        "echo \"$@\" >> {args}; echo x >> {count}; n=$(wc -l < {count}); cat <<E\n{entry}\nE\n\
         echo 'Hint: You are currently not seeing messages from other users and the system.' >&2\n\
         echo \"      Users in groups 'adm', 'systemd-journal' can see all messages.\" >&2\n\
         echo '      Pass -q to turn off this notice.' >&2\nexit 1",
        args = args.display(),
        count = count.display()
    );
    let journalctl = vec![script(&bench, "journalctl", &text)];
    let _streams = start(&bench, vec![Feed::Journal(Journal { journalctl, ..journal("web.service") })]);
    bench.until("the hint", |bench| {
        bench.failure.as_ref().is_some_and(|fault| {
            fault.to_string()
                == "You are currently not seeing messages from other users and the system. Users in groups 'adm', \
                    'systemd-journal' can see all messages."
        }) || !marks(bench).is_empty()
    });
    bench.until("its second life", |bench| bench.has("web[7]: entry 2"));
    let args = fs::read_to_string(args).expect("written");
    let lines: Vec<&str> = args.lines().collect();
    assert!(lines[0].contains("--follow") && lines[0].contains("--lines=200"), "{args}");
    assert!(lines[0].ends_with("--unit=web.service"), "{args}");
    assert!(lines[1].contains("--no-tail --after-cursor=c;1") && !lines[1].contains("--lines"), "{args}");
    let mark = marks(&bench).first().cloned().unwrap_or_default();
    assert!(mark.starts_with("journalctl ended, exit code 1: "), "{mark}");
}

struct Lab {
    peer: peer::Peer,
    journal: Journal,
}

fn lab(bench: &Bench, unit: &str) -> Option<Lab> {
    let peer = peer::start("systemd")?;
    fs::set_permissions(bench.dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    for name in ["systemd.sh", "lib.sh"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
        fs::copy(from, bench.path(name)).expect("copied");
        fs::set_permissions(bench.path(name), PermissionsExt::from_mode(0o755)).expect("ours");
    }
    let dir = PathBuf::from(peer.env("SYSTEMD_UNIT_DIR")).parent().expect("a folder").display().to_string();
    let script = bench.path("systemd.sh").display().to_string();
    let inside = |name: &str| vec![script.clone(), "exec".to_owned(), dir.clone(), name.to_owned()];
    let journalctl =
        vec!["/usr/bin/journalctl".to_owned(), "-D".to_owned(), peer.env("SYSTEMD_JOURNAL_DIR").to_owned()];
    let journal = Journal { journalctl, systemctl: inside("systemctl"), ..journal(unit) };
    Some(Lab { peer, journal })
}

impl Lab {
    fn unit(&self, name: &str, service: &str) {
        let text = format!("[Unit]\nDefaultDependencies=no\n[Service]\n{service}\n");
        fs::write(Path::new(self.peer.env("SYSTEMD_UNIT_DIR")).join(name), text).expect("written");
        self.systemctl(&["daemon-reload"]);
    }

    fn systemctl(&self, words: &[&str]) {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_real_journal_is_followed_by_unit_priority_and_run_and_survives_journalctl() {
    let mut bench = Bench::new(10_000);
    let Some(lab) = lab(&bench, "app.service") else { return };
    let say = "ExecStart=/bin/sh -c 'echo \"<6>run of $$INVOCATION_ID\"; echo \"<3>bad thing\"; exec sleep 1000'";
    lab.unit("app.service", say);
    lab.unit("other.service", "ExecStart=/bin/sh -c 'echo other; exec sleep 1000'");
    lab.systemctl(&["start", "app.service", "other.service"]);
    lab.systemctl(&["restart", "app.service"]);
    let runs = |bench: &Bench| bench.shown().iter().filter(|line| line.contains("run of ")).count();
    // All runs, only this unit.
    {
        let _streams = start(&bench, vec![Feed::Journal(lab.journal.clone())]);
        bench.until("both runs", |bench| runs(bench) == 2);
        bench.until("the error", |bench| bench.lines.iter().any(|line| line.level == Some(LogLevel::Error)));
        assert!(!bench.shown().iter().any(|line| line.contains("other")), "{:?}", bench.shown());
        assert!(bench.lines.iter().all(|line| line.time.is_some() && line.level.is_some()));
    }
    // The current run alone, and then the next one, marked.
    bench.lines.clear();
    {
        let _streams = start(&bench, vec![Feed::Journal(Journal { this_run: true, ..lab.journal.clone() })]);
        bench.until("this run", |bench| bench.shown().iter().any(|line| line.contains("bad thing")));
        assert_eq!(runs(&bench), 1, "{:?}", bench.shown());
        lab.systemctl(&["restart", "app.service"]);
        bench.until("the next run", |bench| runs(bench) == 2);
        assert_eq!(marks(&bench), ["a new run of the unit begins here"]);
    }
    // Errors alone.
    bench.lines.clear();
    let errors = Journal { priority: Some("err".to_owned()), ..lab.journal.clone() };
    let _streams = start(&bench, vec![Feed::Journal(errors)]);
    bench.until("three errors", |bench| bench.shown().len() == 3);
    assert!(bench.shown().iter().all(|line| line.ends_with("bad thing")), "{:?}", bench.shown());
    // journalctl dies: nothing is lost, nothing doubled.
    kill_children("journalctl");
    bench.until("it is told", |bench| !marks(bench).is_empty());
    lab.systemctl(&["restart", "app.service"]);
    bench.until("the fourth", |bench| bench.shown().len() == 4);
    assert!(
        marks(&bench)[0].starts_with("journalctl ended, killed by SIGKILL; started again in "),
        "{:?}",
        marks(&bench)
    );
}

#[test]
fn a_journal_that_this_login_may_not_read_is_a_sentence_and_the_others_go_on() {
    const NOBODY: &str = "65534";
    let mut bench = Bench::new(10_000);
    let setpriv = Path::new("/usr/bin/setpriv");
    if !rustix::process::geteuid().is_root() || !setpriv.exists() {
        eprintln!("skipped: only root can read as somebody else, by setpriv");
        return;
    }
    let Some(lab) = lab(&bench, "app.service") else { return };
    lab.unit("app.service", "ExecStart=/bin/sh -c 'echo \"<3>bad thing\"; exec sleep 1000'");
    lab.systemctl(&["start", "app.service"]);
    // The real reader, on the real files as journald makes them, as a login without rights to them.
    let mut journalctl: Vec<String> =
        ["/usr/bin/setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"].map(str::to_owned).to_vec();
    journalctl.extend(lab.journal.journalctl.iter().cloned());
    let refused = Journal { journalctl, ..lab.journal.clone() };
    {
        let _streams = start(&bench, vec![Feed::Journal(refused)]);
        bench.until("a sentence", |bench| bench.failure.is_some());
        let said = bench.failure.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains("insufficient permissions") || said.contains("not seeing messages"), "{said}");
        assert!(bench.shown().is_empty(), "{:?}", bench.shown());
    }
    let _streams = start(&bench, vec![Feed::Journal(lab.journal.clone())]);
    bench.until("whoever may read it does", |bench| bench.shown().iter().any(|line| line.contains("bad thing")));
}

/// Kills the children of this process that run this program.
fn kill_children(name: &str) {
    let me = std::process::id().to_string();
    for entry in fs::read_dir("/proc").expect("lists").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
        let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if command.split('\0').next().is_some_and(|program| program.ends_with(name)) && parent.as_deref() == Some(&me) {
            let pid = entry.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
            rustix::process::kill_process(pid.expect("a number"), rustix::process::Signal::KILL).expect("killed");
        }
    }
}
