//! Procedures in the real console: the line drops at every step of both emergency procedures, and the end is the same;
//! another login takes one over; its text changes meanwhile; and the demo's story goes through its own.

use crate::desk::{Desk, demo_folder, eventually, row_with};
use crate::story::is_armed;
use crate::walker::{Console, World};
use std::fs;
use watchkeeper::procedure::document::Live;
use watchkeeper::procedure::{Document, parse};

const CRITICAL: (&str, &str) =
    ("critical-failure", include_str!("../../profiles/cerebellar-norse/procedures/critical-failure.md"));
const CORRUPTION: (&str, &str) =
    ("data-corruption", include_str!("../../profiles/cerebellar-norse/procedures/data-corruption.md"));

fn undisturbed((name, text): (&str, &str)) -> World {
    let world = World::new(name, text);
    let console = world.console();
    console.begin();
    console.walk(None);
    console.drop_line();
    world
}

/// The line drops here: with the action just confirmed where the item has one.
fn dropped<'a>(world: &'a World, console: Console<'a>, at: usize) -> Console<'a> {
    let steps = console.step();
    let acts = matches!(console.item(at).live, Live::Action(..));
    let begun = world.plans("action.outcome").len();
    if acts {
        console.act();
        // Its intent may be a moment behind its prompt; most actions take no longer than this.
        console.pty.wait("the intent", |_, _| world.plans("action.intent").len() > begun);
    }
    // Those that a test can catch at work.
    let slow = ["Stop", "Start", "Reduce"].iter().any(|word| console.item(at).title.as_str().starts_with(word));
    // Of this one the outcome is heard before it is gone on with, of the others after it.
    let heard = console.item(at).title.as_str() == "Start";
    console.drop_line();
    assert!(!acts || !slow || world.plans("action.outcome").len() == begun, "too late: it had ended");
    let next = world.console();
    // A quick action may have ended before the line dropped.
    next.told(if acts && !slow { &steps } else { &steps[..1] });
    if heard {
        next.pty.wait_for("VERIFIED");
    }
    next.take_up();
    if acts {
        next.leave_item(at);
    }
    next
}

/// The line drops at every one of these items, from 1, in one and the same walk.
///
/// Not at the last one before the call: what went well is complete then, and no walk is left to be taken up.
fn dropped_at(world: &World, wanted: impl Fn(usize) -> bool) {
    let mut console = world.console();
    console.begin();
    let mut last = 0;
    while let Some(at) = console.current() {
        let more = console.document.items.iter().skip(at).any(|item| !matches!(item.live, Live::Escalate(_)));
        if at > last && wanted(at) && more {
            console = dropped(world, console, at);
            last = at;
        } else {
            console.work(at);
            console.leave_item(at);
        }
    }
    console.drop_line();
}

fn the_end_is_the_same(procedure: (&str, &str)) {
    let (whole, torn) = std::thread::scope(|scope| {
        let whole = scope.spawn(|| undisturbed(procedure));
        let torn = World::new(procedure.0, procedure.1);
        dropped_at(&torn, |_| true);
        (whole.join().unwrap(), torn)
    });
    let end = whole.end();
    assert!(end.done.len() >= 6, "{end:?}");
    assert_eq!(torn.end(), end);
    if std::env::var_os("WATCHKEEPER_LONG").is_none() {
        return;
    }
    for only in 1..=whole.document.items.len() {
        let torn = World::new(procedure.0, procedure.1);
        dropped_at(&torn, |at| at == only);
        assert_eq!(torn.end(), end, "dropped at item {only}");
    }
}

#[test]
fn critical_failure_ends_the_same_when_the_line_drops_at_every_step() {
    the_end_is_the_same(CRITICAL);
}

#[test]
fn data_corruption_ends_the_same_when_the_line_drops_at_every_step() {
    the_end_is_the_same(CORRUPTION);
}

#[test]
fn another_login_looks_on_while_its_console_lives_and_takes_over_armed_and_by_the_word() {
    let world = World::new(CRITICAL.0, CRITICAL.1);
    let first = world.console();
    first.begin();
    first.walk(Some(2));
    let mut spec = world.spec(&[]);
    spec.env.push(("SUDO_UID".to_owned(), "1".to_owned()));
    let second = world.console_of(&spec);
    second.pty.wait_for("Procedure \"Critical failure\"");
    second.open("under way, step 2 of");
    second.pty.send("\r");
    second.pty.wait("who holds it", |screen, _| {
        let row = row_with(screen, "its process lives");
        row.is_some_and(|row| row.contains("works on it (process ")) && screen.contents().contains("PAUSED at step 2")
    });
    second.drop_line();
    assert_eq!(first.current(), Some(2));
    first.drop_line();

    let third = world.console_of(&spec);
    third.pty.wait_for("Procedure \"Critical failure\"");
    third.open("under way, step 2 of");
    third.pty.wait_for("PAUSED at step 2");
    third.pty.send("X");
    third.pty.wait_for(" had it: once Enter has taken it over it can be left.");
    third.pty.send("\r");
    third.pty.wait_for("Only a preview");
    assert!(third.pty.text().contains("Take a procedure over"));
    third.arm_it();
    third.pty.wait("the take-over again, armed", |screen, _| is_armed(screen, "Type  takeover"));
    third.confirm();
    third.pty.wait("the procedure at work", |screen, _| row_with(screen, "PAUSED").is_none());
    third.walk(Some(3));
    let took: Vec<_> = world.journal().into_iter().filter(|record| record["ev"] == "procedure.takeover").collect();
    assert_eq!(took.len(), 1, "{took:?}");
    assert_ne!(took[0]["res"]["from"]["who"], took[0]["res"]["to"]["who"]);
}

#[test]
fn a_run_that_is_left_while_it_is_paused_is_over_for_every_console() {
    let world = World::new(CRITICAL.0, CRITICAL.1);
    let first = world.console();
    first.begin();
    first.walk(Some(2));
    first.drop_line();

    let second = world.console();
    second.told(&[2]);
    second.open("under way, step 2 of");
    second.pty.wait_for("PAUSED at step 2");
    second.pty.send("X");
    second.pty.wait_for("LEAVE: ");
    second.pty.send("another one is worked\r");
    second.pty.wait_for("LEFT");
    second.drop_line();

    let third = world.console();
    third.pty.send("p");
    third.pty.wait_for(third.document.title.as_str());
    assert!(!third.pty.text().contains("under way"), "{}", third.pty.text());
    third.pty.send("\r");
    third.pty.wait_for("not begun");
    let ends: Vec<_> = world.journal().into_iter().filter(|record| record["ev"] == "procedure.end").collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
}

#[test]
fn a_text_that_was_changed_meanwhile_is_shown_and_the_copy_is_gone_on_with() {
    let world = World::new(CRITICAL.0, CRITICAL.1);
    let console = world.console();
    console.begin();
    console.walk(Some(2));
    let steps = console.step();
    console.drop_line();
    let file = world.desk.path().join("signals/procedures/critical-failure.md");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("## Memory of the host", "## Memory of somebody else")).unwrap();
    let console = world.console();
    console.told(&steps[..1]);
    console.open("under way, step");
    console.pty.wait_for("the copy is gone on with");
    console.pty.wait_for("## Memory of somebody else");
    console.pty.send("\r");
    console.pty.wait("the copy", |screen, _| {
        row_with(screen, "PAUSED").is_none() && row_with(screen, " Memory of the host").is_some()
    });
    console.walk(None);
    console.drop_line();
    assert!(!world.end().done.is_empty());
}

#[test]
fn a_text_that_is_changed_under_a_console_at_work_is_told_in_a_sentence_and_nothing_is_lost() {
    let world = World::new(CRITICAL.0, CRITICAL.1);
    let console = world.console();
    console.begin();
    console.walk(Some(2));
    let file = world.desk.path().join("signals/procedures/critical-failure.md");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("## Memory of the host", "## Memory of somebody else")).unwrap();
    console.pty.wait_for("was changed just now: this run goes on by its own copy, nothing of it is lost.");
    console.pty.wait_for("## Memory of somebody else");
    assert_eq!(console.current(), Some(2));
    fs::write(&file, text).unwrap();
    console.pty.wait_for("is as it was again.");
    console.pty.wait("no difference", |screen, _| row_with(screen, "Memory of somebody else").is_none());
    console.walk(None);
    console.drop_line();
    assert!(!world.end().done.is_empty());
}

#[test]
fn a_done_action_that_somebody_took_back_meanwhile_is_current_again_and_only_the_operator_runs_it() {
    let world = World::new(CRITICAL.0, CRITICAL.1);
    let place = |title: &str| world.document.items.iter().position(|item| item.title.as_str() == title).unwrap() + 1;
    let (copy, start) = (place("Back up the state"), place("Start"));
    let console = world.console();
    console.begin();
    console.walk(Some(start));
    console.drop_line();
    let done = world.plans("action.intent").len();
    let backups = || {
        let all = fs::read_dir(world.desk.path().join("world/backups")).unwrap().flatten();
        let stamped = |entry: &fs::DirEntry| entry.file_name().to_str().unwrap().starts_with("data.backup-");
        all.filter(stamped).map(|entry| entry.path()).collect::<Vec<_>>()
    };
    for path in backups() {
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    let console = world.console();
    console.told(&[start]);
    console.take_up();
    console.pty.wait("the action, current again", |screen, _| {
        row_with(screen, "REGRESSED").is_some_and(|row| row.contains(&format!("{copy:>2} Back up the state")))
    });
    assert_eq!(console.current(), Some(copy));
    console.pty.wait("which and why", |screen, _| {
        let text = screen.contents();
        ["nothing was run", "no more so: there is no ", "still so: \"Stop the service\""]
            .iter()
            .all(|part| text.contains(part))
    });
    assert_eq!((world.plans("action.intent").len(), backups().len()), (done, 0), "nothing is run by itself");
    console.walk(None);
    console.drop_line();
    // The one that was taken back, the start and the proof.
    assert_eq!((world.plans("action.intent").len(), backups().len()), (done + 3, 2));
}

fn gpu_memory() -> Document {
    parse("gpu-memory", "gpu-memory.md", include_str!("../../profiles/demo/procedures/gpu-memory.md"))
}

/// From the procedure on screen to its end; this badge is on every screen on the way.
fn through(console: &Console<'_>, badge: &str) {
    let badged = |what: &str| {
        let text = console.pty.text();
        assert!(text.lines().next().is_some_and(|row| row.contains(badge)), "{what}:\n{text}");
    };
    console.pty.wait("both checks ticked", |screen, _| {
        row_with(screen, "▶  3").is_some() && screen.contents().matches("sensed").count() == 2
    });
    badged("the procedure");
    console.pty.send("\r");
    console.pty.wait_for("Only a preview");
    assert!(console.pty.text().contains("performance.batch_size   1024 → 512"));
    badged("the plan");
    console.arm();
    badged("the prompt");
    console.confirm();
    console.leave_item(3);
    console.pty.wait_for("VERIFIED");
    badged("after the action");
    console.walk(None);
    console.pty.wait_for("COMPLETE");
    badged("the end");
}

#[test]
fn the_demo_is_ended_by_the_procedure_of_its_alert() {
    let desk = Desk::new();
    let document = gpu_memory();
    let mut console = Console { pty: desk.start(&["demo"]), document: &document };
    let folder = demo_folder(&desk);
    console.pty.wait("the alert and what answers it", |screen, _| {
        let lasted = row_with(screen, " CRITICAL ").is_some_and(|row| row.contains("answer in 14:3"));
        lasted && screen.contents().contains("Enter procedure")
    });
    console.pty.send("\r");
    through(&console, "DEMO");
    let config = fs::read_to_string(folder.join("etc/production.toml")).unwrap();
    assert!(config.contains("batch_size = 512"), "{config}");
    console.pty.send("\x1b");
    console.pty.wait("the panes", |screen, _| row_with(screen, "COMPLETE").is_none());
    console.pty.send("H");
    console.pty.wait_for("HANDOVER");
    console.pty.wait_for("On the clipboard");
    let card = eventually("the card", || {
        let path = fs::read_dir(folder.join("state/handover")).ok()?.flatten().next()?.path();
        fs::read_to_string(path).ok().filter(|text| text.contains("DONE"))
    });
    assert!(card.contains("Reduce batch size: VERIFIED latency p95 "), "{card}");
    console.pty.send("\x1b");
    console.pty.wait("the panes", |screen, _| row_with(screen, "HANDOVER").is_none());
    console.pty.send("q");
    assert_eq!(console.pty.status(), 0);
    desk.assert_nothing_is_left();
}

#[test]
fn a_rehearsal_takes_the_same_keys_and_says_so_on_every_screen() {
    let desk = Desk::new();
    let document = gpu_memory();
    let mut console = Console { pty: desk.start(&["rehearse", "gpu-memory"]), document: &document };
    console.pty.wait("an alert that has lasted", |screen, _| row_with(screen, "answer in 14:3").is_some());
    through(&console, "REHEARSAL");
    for (keys, text) in [("", "COMPLETE"), ("p", "PROCEDURES"), ("?", "KEYS"), ("a", "ACTIONS"), ("L", "OWN LOG")] {
        console.pty.send(keys);
        console.pty.wait_for(text);
        let screen = console.pty.text();
        assert!(screen.lines().next().is_some_and(|row| row.contains("REHEARSAL")), "{screen}");
        console.pty.send("\x1b");
        console.pty.wait("the panes", |screen, _| row_with(screen, text).is_none());
    }
    console.pty.send("q");
    assert_eq!(console.pty.status(), 0);
    desk.assert_nothing_is_left();
}

#[test]
fn commands_of_a_text_run_through_the_prompt_in_full_and_their_end_comes_back_to_the_item() {
    let text =
        "+++\ntime_box = \"5m\"\n+++\n# Old guide\n\n```bash\n# Count them\necho $((40 + 2)) lines\n```\n\n## Then\n";
    let world = World::new("old-guide", text);
    let console = world.console();
    console.begin();
    console.pty.wait_for("R runs them through the prompt");
    console.pty.send("R");
    console.pty.wait_for("Only a preview");
    for part in ["the whole script:", "echo $((40 + 2)) lines", "a shell reads it"] {
        assert!(console.pty.text().contains(part), "{part}:\n{}", console.pty.text());
    }
    console.arm();
    assert!(world.plans("action.intent").is_empty());
    console.confirm();
    console.pty.wait_for("ended with exit code 0: 42 lines");
    console.pty.send("\r");
    console.pty.wait_for("OBSERVED");
    console.pty.send("42 lines\r");
    assert_eq!(console.leave_item(1), Some(2));
    assert_eq!((world.plans("action.intent").len(), world.plans("action.outcome").len()), (1, 1));
    console.drop_line();
}
