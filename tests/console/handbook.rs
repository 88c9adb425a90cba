//! Procedures that are not as they should be, in the real console: each is told in a sentence at its line, opens all the
//! same, and stands in the way of no other; and one that is, begun from the command line.

use crate::desk::{Desk, row_with};
use crate::harness::Pty;

const GOOD: &str =
    "# Good\n\n## Look at it {#look}\n\n- [ ] Lamp … green\n\n## Call {#call}\n\n```escalate\nto = \"L2\"\n```\n";
/// An action of no profile, and a condition over a metric that nobody makes.
const NAMES: &str = "# Names\n\n## Boot {#boot}\n\n```action\nrun = \"reboot-it\"\n```\n\n## Queue {#queue}\n\n```check\n\
    query = 'queue_dept'\nunit = \"count\"\nexpect = \"< 5\"\n```\n";
/// Branches in a circle.
const ROUND: &str = "# Round\n\n## One {#one}\n\n```action\nrun = \"x\"\ngo = \"two\"\n```\n\n## Two {#two}\n\n```action\n\
    run = \"x\"\ngo = \"one\"\n```\n";

/// The desk and the path of a profile with all of them, and one of ten megabytes.
fn handbook() -> (Desk, String) {
    let desk = Desk::new();
    desk.write("book/profile.toml", "title = \"book\"\nenvironment = \"test\"\n[samplers.host]\nkind = \"host\"\n");
    for (name, text) in [("good", GOOD), ("names", NAMES), ("round", ROUND)] {
        desk.write(&format!("book/procedures/{name}.md"), text);
    }
    let big = format!("# Big\n\n## First\n\n{}", "words and words and words\n\n".repeat(10_000_000 / 27));
    desk.write("book/procedures/big.md", big);
    let profile = desk.path().join("book").to_str().unwrap().to_owned();
    (desk, profile)
}

fn console(desk: &Desk, args: &[&str]) -> Pty {
    let mut spec = desk.spec(args);
    spec.size = (160, 48);
    Pty::spawn(&spec)
}

/// Opens a procedure by its title, from the list.
fn open(pty: &Pty, title: &str) {
    pty.send("p");
    pty.wait_for("PROCEDURES");
    pty.send(title);
    pty.wait_for("1 of 4");
    pty.send("\r");
    pty.wait("it", |screen, _| row_with(screen, "PROCEDURES").is_none() && row_with(screen, title).is_some());
}

/// One level back: what shows this is gone.
fn back(pty: &Pty, shows: &str) {
    pty.send("\x1b");
    pty.wait("the panes", |screen, _| row_with(screen, shows).is_none());
}

/// From a procedure that the list has opened.
fn back_from_the_list(pty: &Pty) {
    pty.send("\x1b");
    pty.wait_for("PROCEDURES");
    back(pty, "PROCEDURES");
}

#[test]
fn a_procedure_is_begun_from_the_command_line_and_what_is_wrong_with_its_neighbours_is_told_by_line() {
    let (desk, profile) = handbook();
    let mut pty = console(&desk, &["procedure", "run", "good", "--profile", &profile]);
    pty.wait("it at work", |screen, _| {
        row_with(screen, "step ").is_some_and(|row| row.contains("Good")) && row_with(screen, "Lamp").is_some()
    });
    back(&pty, "Lamp");
    pty.send("!");
    pty.wait("every sentence", |screen, _| {
        let text = screen.contents().replace(['\n', '│'], " ");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        [
            "big.md: this document has more than 1 MiB: only its beginning is shown.",
            "names.md:3: the profile has no action `reboot-it`.",
            "names.md:9: no sampler of the profile makes the metric `queue_dept`.",
            "round.md:14:6: `one` is no later item than `two`: that goes in a circle.",
        ]
        .iter()
        .all(|told| text.contains(told))
    });
    back(&pty, "round.md:14:6");
    for title in ["Round", "Big"] {
        open(&pty, title);
        pty.wait_for("HAS FAULTS: only to read");
        pty.send("\r");
        pty.wait_for("It has faults and can only be read");
        back_from_the_list(&pty);
    }
    // Names that nobody has leave a text live: the item alone cannot do what it says.
    open(&pty, "Names");
    pty.send("\r");
    pty.wait_for("step 1 of 2");
    pty.send("\r");
    pty.wait_for("No plan: the profile has no action `reboot-it`.");
    pty.send("o");
    pty.wait_for("OVERRIDE: ");
    pty.send("nobody has it\r");
    pty.wait_for("cannot be told");
    back_from_the_list(&pty);
    open(&pty, "Good");
    pty.wait_for("step 1 of");
    back_from_the_list(&pty);
    pty.send("q");
    assert_eq!(pty.status(), 0);
}

#[test]
fn a_procedure_that_the_profile_lacks_is_named_with_the_nearest_before_the_terminal_is_taken() {
    let (desk, profile) = handbook();
    let ran = desk.run(&["procedure", "run", "goood", "--profile", &profile]);
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success() && ran.stdout.is_empty(), "{told}");
    let wanted = "the profile has no procedure `goood`. Did you mean `good`?";
    let mut pty = console(&desk, &["procedure", "run", "goood", "--profile", &profile]);
    pty.wait_for(wanted);
    assert_ne!(pty.status(), 0);
}
