//! Each hazard that the guides and the facts behind the profiles name, in the real console: what is wrong, with its number
//! or its reason, stands on the screen before anybody can act on it.

use crate::desk::{Desk, eventually, row_with};
use crate::harness::{Pty, Spec};
use crate::peer;
use crate::server::{say, serve};
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use watchkeeper::procedure::parse;
use watchkeeper::sys::lmdb::{Change, Env};

/// Steps in the order of the guides, in their own commands.
const CRITICAL: &str = include_str!("../procedures/originals/cn-critical-failure.md");
const CORRUPTION: &str = include_str!("../procedures/originals/cn-data-corruption.md");
const LEAK: &str = include_str!("../procedures/originals/cn-memory-leak.md");
const LATENCY: &str = include_str!("../procedures/originals/cn-latency.md");

/// The text of the screen on one line, without frames: what stands side by side is read one column after the other.
pub(crate) fn flat(text: &str) -> String {
    let mut columns: Vec<String> = Vec::new();
    for line in text.lines() {
        for (at, part) in line.split('│').enumerate() {
            if columns.len() <= at {
                columns.push(String::new());
            }
            columns[at].extend([part, " "]);
        }
    }
    columns.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn says(pty: &Pty, part: &str) {
    pty.wait(part, |screen, _| flat(&screen.contents()).contains(part));
}

/// A console on 120×40 with these arguments.
pub(crate) fn console(desk: &Desk, args: &[&str]) -> Pty {
    let mut spec = desk.spec(args);
    spec.size = (120, 40);
    Pty::spawn(&spec)
}

/// A console on a profile of these lines; `@` is the desk's folder.
pub(crate) fn on_lines(desk: &Desk, lines: &str) -> Pty {
    let text = format!("title = \"hazard\"\nenvironment = \"test\"\n{lines}");
    let profile = desk.write("hazard/profile.toml", text.replace('@', desk.path().to_str().unwrap()));
    console(desk, &["--profile", profile.parent().unwrap().to_str().unwrap()])
}

/// A shipped profile at its stand-in, and the stand-in's folder.
fn at_twin(desk: &Desk, system: &str) -> (Pty, PathBuf) {
    let pty = console(desk, &["demo", "--system", system]);
    let folder = eventually("the stand-in's folder", || {
        let entry = fs::read_dir(desk.path().join("t")).unwrap().flatten().next()?;
        entry.path().join("profile.toml").exists().then(|| entry.path())
    });
    (pty, folder)
}

/// From the panes to the list of actions with this one selected: why it cannot be done now stands below it.
fn select(pty: &Pty, title: &str) {
    pty.wait("the panes", |screen, _| row_with(screen, " UTC").is_some());
    pty.send("a");
    pty.wait_for("ACTIONS");
    let row = RefCell::new(None);
    loop {
        pty.wait("the next row", |screen, _| {
            // The words behind it come and go by themselves.
            let title = |row: String| Some(row.split("▸ ").nth(1)?.split("  ").next()?.to_owned());
            let now = row_with(screen, "▸ ").and_then(title);
            let moved = now.is_some() && now != *row.borrow();
            if moved {
                row.replace(now);
            }
            moved
        });
        if row.borrow().as_ref().is_some_and(|row| row.contains(title)) {
            return;
        }
        pty.send("j");
    }
}

/// The procedure of this text is opened and gone down to an item, which shows what is dangerous about it.
fn told_at(text: &str, item: &str, hazard: &str) {
    let desk = Desk::new();
    desk.write("hazard/procedures/guide.md", text);
    let pty = on_lines(&desk, "[samplers.host]\nkind = \"host\"\n");
    let document = parse("guide", "guide.md", text);
    let at = document.items.iter().position(|known| known.title.as_str() == item).unwrap();
    pty.wait("the panes", |screen, _| row_with(screen, " UTC").is_some());
    pty.send("p");
    pty.wait_for("PROCEDURES");
    pty.send("\r");
    pty.wait_for("not begun");
    pty.send("j".repeat(at));
    says(&pty, hazard);
}

#[test]
fn a_backup_that_has_no_room_is_refused_with_the_bytes_that_are_missing() {
    told_at(
        CRITICAL,
        "Keep the state",
        "HAZARD: `/var/lib/cerebellar-norse` is copied before anybody looks at the free space.",
    );
    let desk = Desk::new();
    desk.write("data/state", vec![7; 3 << 20]);
    let tiny = desk.write("tiny/.keep", "").parent().unwrap().to_owned();
    let mount = format!("mount -t tmpfs -o size=1m,mode=755 none {} && exec \"$@\"", tiny.display());
    let may = Command::new("unshare").args(["--mount", "sh", "-c", &mount, "sh", "true"]).status();
    if !may.is_ok_and(|may| may.success()) {
        return peer::skip("a mount", "no file system can be mounted here");
    }
    let place = desk.path().to_str().unwrap();
    let profile = "title = \"hazard\"\nenvironment = \"test\"\n[actions.keep]\nkind = \"file_backup\"\n\
                   title = \"Back up the state\"\npath = \"@/data\"\nto = \"@/tiny\"\nverb = \"copy\"\ndanger = \"C2\"\n";
    desk.write("hazard/profile.toml", profile.replace('@', place));
    let inner = desk.spec(&["--profile", &format!("{place}/hazard")]);
    let args = ["--mount", "sh", "-c", &mount, "sh"].map(str::to_owned).into_iter();
    let args = args.chain([inner.program.to_str().unwrap().to_owned()]).chain(inner.args);
    let spec = Spec { program: "unshare".into(), args: args.collect(), size: (120, 40), ..desk.spec(&[]) };
    let pty = Pty::spawn(&Spec { env: inner.env, ..spec });
    select(&pty, "Back up the state");
    says(&pty, "1.00 MiB are free");
    says(&pty, " bytes are missing.");
}

#[test]
fn what_is_removed_before_its_backup_was_looked_at_is_held_back() {
    told_at(
        CORRUPTION,
        "Remove the models",
        "HAZARD: `/var/lib/cerebellar-norse/models/` is removed before anybody looks at the backup.",
    );
    let desk = Desk::new();
    let (pty, folder) = at_twin(&desk, "cerebellar-norse");
    for file in fs::read_dir(folder.join("backup/models")).unwrap().flatten() {
        fs::remove_file(file.path()).unwrap();
    }
    pty.wait_for("Processing Latency");
    eventually("the reason, with the size of the backup", || {
        select(&pty, "Set the models aside");
        let told = RefCell::new(String::new());
        pty.wait("whether it can be done", |screen, _| {
            let row = row_with(screen, "▸ Set the models aside").unwrap_or_default();
            told.replace(flat(&screen.contents()));
            row.contains("precondition") || row.contains("C3")
        });
        pty.send("\x1b");
        pty.wait("the panes", |screen, _| row_with(screen, "ACTIONS").is_none());
        told.borrow().contains("backup of the models is 0 B, and must be").then_some(())
    });
}

#[test]
fn an_edit_whose_old_value_is_not_there_stops_with_the_value_that_is() {
    told_at(CRITICAL, "Reduced capacity", "is edited by a pattern, and no step reads it again.");
    let desk = Desk::new();
    let (pty, _) = at_twin(&desk, "cerebellar-norse");
    select(&pty, "Lower learning rate 0.01 to 0.0001");
    says(&pty, "`neural.learning_rate` is 0.001, not 0.01 as the action expects.");
}

/// A value of a file as a gauge, beside rules.
fn with_rules(desk: &Desk, metric: &str, rules: &str) -> Pty {
    desk.write("value", "0.5\n");
    desk.write("hazard/rules.yaml", format!("groups:\n- name: g\n  interval: 1s\n  rules:\n{rules}"));
    let sampler = format!(
        "[samplers.value]\nkind = \"file\"\npath = \"@/value\"\nparse = \"number\"\nmetric = \"{metric}\"\nevery = \"1s\"\n"
    );
    on_lines(desk, &sampler)
}

/// The sheet of what is wrong with our files says this.
fn fault_says(pty: &Pty, part: &str) {
    pty.wait("the panes", |screen, _| row_with(screen, " UTC").is_some());
    pty.send("!");
    pty.wait_for("FAULTS IN OUR FILES");
    says(pty, part);
}

#[test]
fn an_alert_that_fires_while_training_goes_well_is_told_before_it_does() {
    let rule = "  - alert: NeuralConvergenceFailure\n    expr: rate(training_loss[10m]) > 0\n    for: 15m\n    labels: {severity: major}\n";
    let desk = Desk::new();
    let pty = with_rules(&desk, "training_loss", rule);
    fault_says(&pty, "WK001 `NeuralConvergenceFailure`: ");
    says(&pty, "training_loss");
}

#[test]
fn a_severity_without_a_row_counts_as_major_and_says_so() {
    let rule = "  - alert: Odd\n    expr: load > 10\n    labels: {severity: sev2}\n";
    let desk = Desk::new();
    let pty = with_rules(&desk, "load", rule);
    fault_says(&pty, "severity `sev2` has no row in the escalation matrix; it counts as MAJOR.");
}

#[test]
fn a_hole_between_bands_is_told_with_its_edges() {
    let desk = Desk::new();
    desk.write("value", "15\n");
    let lines = "[samplers.value]\nkind = \"file\"\npath = \"@/value\"\nparse = \"number\"\nmetric = \"load\"\n\
                 [[panes]]\ntitle = \"Load\"\nkind = \"sparkline\"\nquery = \"load\"\nunit = \"count\"\n\
                 bands = { normal = [0, 10], warning = 20, critical = 30 }\n";
    let pty = on_lines(&desk, lines);
    fault_says(&pty, "nothing is said of 10 to 20");
}

#[test]
fn a_threshold_that_the_histogram_cannot_tell_is_named_with_its_bound() {
    let rule = "  - alert: Slow\n    expr: histogram_quantile(0.95, rate(wait_seconds_bucket[5m])) > 0.00001\n    labels: {severity: major}\n";
    let desk = Desk::new();
    let buckets = "wait_seconds_bucket{le=\"0.0001\"} 5\nwait_seconds_bucket{le=\"0.001\"} 9\nwait_seconds_bucket{le=\"+Inf\"} 9\n\
                   wait_seconds_sum 1\nwait_seconds_count 9\n";
    let page = format!("# TYPE wait_seconds histogram\n{buckets}");
    let server = serve(move |_, stream| say(stream, "200 OK", "Content-Type: text/plain\r\n", &page));
    desk.write("hazard/rules.yaml", format!("groups:\n- name: g\n  rules:\n{rule}"));
    let lines = format!("[samplers.app]\nkind = \"scrape\"\nurl = \"http://{}/metrics\"\nevery = \"1s\"\n", server.at);
    let pty = on_lines(&desk, &lines);
    fault_says(&pty, "WK003 `Slow`: ");
    says(&pty, "100 µs");
}

#[test]
fn a_map_that_was_grown_from_outside_shows_how_much_of_it_the_process_does_not_have() {
    let desk = Desk::new();
    let (pty, folder) = at_twin(&desk, "planar");
    let store = folder.join("data/lmdb");
    eventually("the bot's environment", || store.join("data.mdb").exists().then_some(()));
    // What an outside growth is: a larger size, stored by a commit. The bot keeps the map that it made at its start.
    let mut env = Env::open(&store, 192 << 20).unwrap();
    env.write(&[Change::Put(b".watch", b"1"), Change::Delete(b".watch")]).unwrap();
    drop(env);
    zoom(&pty, "LMDB of the bot");
    says(&pty, "of the process 64.0 MiB");
    says(&pty, "stored 192 MiB");
    says(&pty, "stored less mapped 128 MiB");
}

/// One pane on the whole screen.
fn zoom(pty: &Pty, title: &str) {
    pty.wait("the panes", |screen, _| row_with(screen, " UTC").is_some());
    // Behind the last view stand all of them.
    let view = |text: &str| text.lines().find(|line| line.starts_with("─ ") && line.contains('/')).map(str::to_owned);
    while let Some(before) = view(&pty.text()) {
        pty.send("V");
        pty.wait("another view", |screen, _| view(&screen.contents()).is_none_or(|now| now != before));
    }
    pty.send("z");
    for _ in 0..60 {
        let top = RefCell::new(String::new());
        pty.wait("a pane", |screen, _| {
            top.replace(screen.contents());
            true
        });
        if row(&top.borrow(), "▸").contains(title) {
            return;
        }
        let before = row(&top.borrow(), "▸");
        pty.send("\t");
        pty.wait("the next pane", |screen, _| row(&screen.contents(), "▸") != before);
    }
    panic!("no pane {title}:\n{}", pty.text());
}

fn row(text: &str, part: &str) -> String {
    text.lines().find(|line| line.contains(part)).unwrap_or_default().to_owned()
}

#[test]
fn a_process_whose_name_has_sixteen_letters_is_found_and_a_search_by_name_is_not_believed() {
    told_at(LEAK, "Watch it", "HAZARD: `cerebellar-norse` has 16 characters; the kernel keeps 15 of a process's name.");
    let desk = Desk::new();
    let (pty, folder) = at_twin(&desk, "cerebellar-norse");
    eventually("its name, as the kernel keeps it", || {
        let pid = fs::read_to_string(folder.join("run/cerebellar-norse.pid")).ok()?;
        let name = fs::read_to_string(format!("/proc/{}/comm", pid.trim())).ok()?;
        (name.trim() == "cerebellar-nors").then_some(())
    });
    zoom(&pty, "Limits of the process");
    says(&pty, "processes 1");
}

#[test]
fn a_restart_says_what_its_exit_listener_would_do() {
    if !rustix::process::geteuid().is_root() {
        return peer::skip("root", "the profile names the owner of the manager's socket");
    }
    let Some(peer) = peer::start("supervisord") else { return };
    let desk = Desk::new();
    let socket = peer.env("SUPERVISOR_SOCKET").to_owned();
    let more = Path::new(&socket).with_file_name("more");
    let script = "printf \"READY\\n\"; read event; exec sleep 1000";
    let listener = format!(
        "[eventlistener:genesis_exit]\ncommand=sh -c '{script}'\nevents=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL\nautorestart=false\n"
    );
    fs::write(more.join("genesis_exit.conf"), listener).unwrap();
    fs::write(more.join("genesis.conf"), "[program:genesis]\ncommand=sleep 100000\nstartsecs=0\n").unwrap();
    peer.exec(&["update"]);
    // Until it runs a restart is refused.
    eventually("the listener", || {
        let said = peer.exec(&["status", "genesis_exit"]).stdout;
        String::from_utf8_lossy(&said).contains("RUNNING").then_some(())
    });
    let lines =
        format!("extends = [\"genesis\"]\n[settings]\nsupervisor_socket = \"{socket}\"\nsupervisor_owner = \"root\"\n");
    let pty = on_lines(&desk, &lines);
    select(&pty, "Restart the engine");
    pty.send("\r");
    says(&pty, "its event listener genesis_exit closes all positions and cancels all orders");
    says(&pty, "open positions unknown");
    // What a restart ends is kept before it, by an action that the prompt names.
    says(&pty, "`save-evidence` keeps the logs before it");
}

#[test]
fn a_number_in_another_unit_and_a_second_copy_of_the_service_are_told_where_they_stand() {
    told_at(LATENCY, "Processing time", "HAZARD: ");
    told_at(LEAK, "Look for the leak", "starts the service once more.");
}

#[test]
fn a_map_that_was_asked_for_in_the_wrong_unit_is_more_than_the_cap() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("lmdb")).unwrap();
    drop(Env::open(&desk.path().join("lmdb"), 1 << 20).unwrap().write(&[Change::Put(b"key", b"value")]));
    let lines = "[actions.grow]\nkind = \"lmdb_grow\"\ntitle = \"Grow the map\"\nverb = \"grow\"\ndanger = \"C2\"\npath = \"@/lmdb\"\n\
                 how = \"write_commit\"\nto = \"164TiB\"\n";
    let pty = on_lines(&desk, lines);
    select(&pty, "Grow the map");
    says(&pty, "164 TiB is more than the cap");
}

#[test]
fn a_port_that_another_process_holds_is_not_taken_for_the_service() {
    let desk = Desk::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    desk.write("pid", std::os::unix::process::parent_id().to_string());
    let lines = format!(
        "[samplers.port]\nkind = \"tcp\"\nurl = \"127.0.0.1:{port}\"\npid_file = \"@/pid\"\nconnect = false\nevery = \"1s\"\n\
         [[panes]]\ntitle = \"Port\"\nkind = \"facts\"\nsampler = \"port\"\n"
    );
    let pty = on_lines(&desk, &lines);
    says(&pty, "WRONG OWNER");
    says(&pty, &format!("port {port} is held by process {}", std::process::id()));
}
