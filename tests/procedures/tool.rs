//! `watchkeeper procedure` as a program: what it prints and how it ends.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let command =
        command.arg("procedure").args(args).current_dir(folder).env("HOME", folder).env_remove("XDG_CONFIG_HOME");
    let Output { status, stdout, stderr } = command.output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_new_procedure_lints_clean_shows_prints_and_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    assert_eq!(run(at, &["new", "mine"]).0, Some(0));
    let (code, out, _) = run(at, &["lint", "mine.md"]);
    assert_eq!((code, out.as_str()), (Some(0), "1 procedures; no fault.\n"));
    assert!(run(at, &["show", "mine.md"]).1.contains(" 1. See that it is this"));
    assert!(run(at, &["print", "mine.md"]).1.contains(" 1. [ ] See that it is this"));
    let (code, _, err) = run(at, &["new", "mine.md"]);
    assert!(code == Some(2) && err.contains("is there already"), "{code:?} {err}");
}

#[test]
fn a_fault_and_a_lint_are_a_line_each_and_end_with_status_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "## A\n```action\nrunn = \"x\"\n```\n## B\n```bash\nsystemctl restart x\n```\n";
    std::fs::write(folder.path().join("bad.md"), text).expect("writes");
    let (code, out, _) = run(folder.path(), &["lint", "bad.md"]);
    assert_eq!(code, Some(1));
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("bad.md:3:1: unknown key `runn`")), "{out}");
    assert!(lines.iter().any(|line| line.starts_with("bad.md:6: restart-without-verify ")), "{out}");
    assert!(run(folder.path(), &["lint", "--explain", "unit-slip"]).1.contains("To mend it"));
    let (code, _, err) = run(folder.path(), &["show", "nothing"]);
    assert!(code == Some(2) && err.contains("has no procedure `nothing`"), "{err}");
}

#[test]
fn front_matter_of_another_tool_is_a_lint_that_names_what_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "---\ntitle: Old guide\nauthor: Ada\nseverity: high\n---\n\n## Look\n\nAt it.\n";
    std::fs::write(folder.path().join("old.md"), text).expect("writes");
    let (code, out, _) = run(folder.path(), &["lint", "old.md"]);
    let lint = "old.md:2: foreign-front-matter only `title` of this YAML is used, not `author`, `severity`.\n";
    assert_eq!((code, out.as_str()), (Some(1), lint));
    let out = run(folder.path(), &["show", "old.md"]).1;
    assert!(out.contains("Old guide") && out.contains("not used here: `author`, `severity`."), "{out}");
    assert!(run(folder.path(), &["lint", "--explain", "foreign-front-matter"]).1.contains("+++"));
}

/// A profile that knows every metric that its one sampler makes, with these procedures.
fn profile(at: &Path, documents: &[(&str, &str)]) -> String {
    std::fs::create_dir(at.join("procedures")).expect("a folder");
    std::fs::write(at.join("profile.toml"), "title = \"x\"\n[samplers.host]\nkind = \"host\"\n").expect("writes");
    for (name, text) in documents {
        std::fs::write(at.join("procedures").join(name), text).expect("writes");
    }
    at.join("profile.toml").to_str().expect("text").to_owned()
}

#[test]
fn branches_that_lead_back_to_one_another_are_told_by_name_at_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let step = |id: &str, go: &str| {
        format!("## Step {id} {{#{id}}}\n```action\nrun = \"x\"\nfailed = \"y\"\ngo = \"{go}\"\n```\n")
    };
    let text = [step("one", "two"), step("two", "three"), step("three", "one"), step("four", "four")].concat();
    std::fs::write(folder.path().join("round.md"), text).expect("writes");
    let (code, out, _) = run(folder.path(), &["lint", "round.md"]);
    let wanted = [
        "round.md:17:6: `one` is no later item than `three`: that goes in a circle. Lead on to a later item.",
        "round.md:23:6: `four` is no later item than `four`: that goes in a circle. Lead on to a later item.",
    ];
    let told: Vec<&str> = out.lines().filter(|line| line.contains("circle")).collect();
    assert_eq!((code, told), (Some(1), wanted.to_vec()), "{out}");
    let (code, out, _) = run(folder.path(), &["show", "round.md"]);
    assert!(code == Some(1) && out.contains("Step two") && out.contains("that goes in a circle"), "{out}");
}

#[test]
fn an_action_of_no_profile_and_a_condition_over_no_metric_are_told_by_name_at_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "## A\n```action\nrun = \"reboot-it\"\n```\n## B\n```check\nquery = 'queue_dept'\n\
        unit = \"count\"\nexpect = \"< 8\"\n```\n## C\n```escalate\nto = \"L2\"\n```\n";
    let profile = profile(folder.path(), &[("a.md", text)]);
    let (code, out, _) = run(folder.path(), &["lint", "--profile", &profile]);
    assert_eq!(code, Some(1), "{out}");
    for told in [
        "procedures/a.md:1: the profile has no action `reboot-it`.",
        "procedures/a.md:5: no sampler of the profile makes the metric `queue_dept`.",
    ] {
        assert!(out.lines().any(|line| line.contains(told)), "{told}\n{out}");
    }
}

#[test]
fn a_document_of_ten_megabytes_is_shown_as_far_as_it_is_read_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("# Big\n\n## First\n\n{}", "words and words and words\n\n".repeat(10_000_000 / 27));
    assert!(text.len() > 9_999_000);
    std::fs::write(folder.path().join("big.md"), text).expect("writes");
    let (code, out, _) = run(folder.path(), &["lint", "big.md"]);
    assert!(code == Some(1) && out.contains("big.md: this document has more than 1 MiB: only its beginning"), "{out}");
    let (code, out, _) = run(folder.path(), &["show", "big.md"]);
    assert!(code == Some(1) && out.contains(" 1. First") && out.len() < 3 << 20, "{}", out.len());
}

#[test]
fn a_profile_with_a_folder_of_procedures_is_linted_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    std::fs::create_dir(at.join("procedures")).expect("a folder");
    std::fs::write(at.join("profile.toml"), "title = \"x\"\nextends = [\"host\"]\n").expect("writes");
    std::fs::write(at.join("procedures/a.md"), "## A\n```action\nrun = \"stop\"\n```\n").expect("writes");
    let profile = at.join("profile.toml");
    let (code, out, _) = run(at, &["lint", "--profile", profile.to_str().expect("text")]);
    assert!(code == Some(1) && out.contains("procedures/a.md:1: the profile has no action `stop`"), "{out}");
    let (code, out, _) = run(at, &["print", "--all", "--profile", profile.to_str().expect("text")]);
    assert!(code == Some(0) && out.starts_with("HANDBOOK OF PROCEDURES"), "{out}");
}
