//! What a login may do: the line at the start, and the rows of the list of actions.

use crate::desk::{Desk, who};
use crossterm::event::KeyCode;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use watchkeeper::action::plan::Danger;
use watchkeeper::action::right::{Need, Right};
use watchkeeper::action::rights::Rights;
use watchkeeper::app::survey::{Bar, Offer};
use watchkeeper::app::{Effect, Msg};
use watchkeeper::base::{Fault, Observation, Point, Support};
use watchkeeper::config::{Profile, ProfileRef, SearchPath, load_profile};
use watchkeeper::roles::setup::known_kinds;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::host::Login;

#[test]
fn at_the_start_one_line_says_what_this_login_may_run_and_what_the_rest_lacks() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(3);
    desk.send(Msg::Rights(vec![("reduce-batch-size".into(), Right::May), ("put-back".into(), Right::May)]));
    assert!(desk.screen().contains("oncall (L1) may run all 2 actions of this profile."), "{}", desk.screen());
    let rule = "oncall ALL=(root) NOPASSWD: /usr/bin/systemctl restart -- a.service";
    let lacks = |need: Need| Right::without(need, Fault::new("sudo does not let this login."));
    desk.send(Msg::Rights(vec![("restart-a".into(), lacks(Need::Sudo(rule.into())))]));
    assert!(!desk.screen().contains("sudo"), "what is being said is not talked over, and this comes after it");
    desk.pass(15_000);
    let screen = flat(&desk);
    let said = format!("oncall (L1) may run 2 of 3 actions; 1 lacks the sudo rule `{rule}`; a lists them all.");
    assert!(screen.contains(&said), "the whole rule: {screen}");
    desk.pass(15_000);
    let polkit = |verb| Right::unknown(Need::Polkit("b.service".into(), verb), Fault::new("polkit does not answer."));
    let asking = Right::unknown(Need::Asking, Fault::new("whoever is asked decides."));
    desk.send(Msg::Rights(vec![
        ("restart-a-too".into(), lacks(Need::Sudo(rule.into()))),
        ("restart-b".into(), polkit("restart")),
        ("stop-b".into(), polkit("stop")),
        ("start-b".into(), polkit("start")),
        ("cancel".into(), asking),
        ("heavy".into(), lacks(Need::Level(Support::L2))),
    ]));
    let screen = flat(&desk);
    let said = "may run 2 of 9 actions; 3 may lack the polkit rule `systemd1.manage-units` for b.service: restart, start, \
                stop; 2 lack a rule of their own; 1 needs L2; of 1 whoever is asked decides; a lists them all.";
    assert!(screen.contains(said), "each rule once, and where there is no room for all the last are counted: {screen}");
    let mut desk = Desk::demo(80, 24);
    let lacks = lacks(Need::PolkitAction("org.freedesktop.systemd1.reload-daemon"));
    desk.send(Msg::Rights(vec![("more-files".into(), lacks.clone()), ("more-memory".into(), lacks)]));
    let said = "oncall (L1) may run 0 of 2 actions; 2 lack the polkit rule `systemd1.reload-daemon`; a lists them all.";
    assert!(flat(&desk).contains(said), "{}", desk.screen());
}

/// The screen as one line.
fn flat(desk: &Desk) -> String {
    desk.screen().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A shipped profile with these settings.
fn shipped(name: &str, settings: &str, folder: &Path) -> Profile {
    let file = folder.join("profile.toml");
    fs::write(&file, format!("extends = [\"{name}\"]\ntitle = \"{name}\"\n\n[settings]\n{settings}\n")).unwrap();
    let profile = load_profile(&ProfileRef::Path(file), &SearchPath::detect(&|_| None), &known_kinds()).unwrap();
    assert_eq!(profile.faults, []);
    profile
}

/// A program that always says no, by this name and with this exit code.
fn refuser(folder: &Path, name: &str, code: u8) -> String {
    let program = folder.join(name);
    fs::write(&program, format!("#!/bin/sh\nexit {code}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.display().to_string()
}

/// The console of a shipped profile at its start, for a login that is neither root nor let in by anybody.
fn started((name, also): (&str, &str), program: &str, folder: &Path) -> Desk {
    let unit = format!("{{ kind = \"systemd\", unit = \"{name}.service\", {program} }}");
    let profile = shipped(name, &format!("manager = {unit}\n{}", also.replace("UNIT", &unit)), folder);
    let login = Login { login: "oncall".into(), uid: 1_000, user: "oncall".into(), ..who() };
    let rights = Rights::new(&login, Support::L1, &RealClock);
    let found = profile.actions.iter().map(|spec| (spec.name.clone(), rights.of(&spec.kind, &spec.body)));
    let found: Vec<_> = found.collect();
    let mut desk = Desk::over(&profile, (80, 24));
    desk.send(Msg::Rights(found));
    desk
}

fn fits_with_its_rule(name: &str, also: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (pkcheck, sudo) = (refuser(folder.path(), "pkcheck", 1), refuser(folder.path(), "sudo", 1));
    let polkit = started((name, also), &format!("pkcheck = [\"{pkcheck}\"]"), folder.path());
    let screen = flat(&polkit);
    assert!(screen.contains(" need L2; ") && screen.ends_with("a lists them all."), "{screen}");
    assert!(screen.contains(&format!("the polkit rule `systemd1.manage-units` for {name}.service: ")), "{screen}");
    let screen = polkit.screen();
    let lines: Vec<&str> = screen.lines().collect();
    insta::assert_snapshot!(format!("rights_of_{name}"), lines[lines.len() - 3..].join("\n"));
    let program = format!("systemctl = [\"{sudo}\", \"-n\", \"/usr/bin/systemctl\"]");
    let screen = flat(&started((name, also), &program, folder.path()));
    assert!(screen.contains(" the sudo rule `oncall ALL=(root) NOPASSWD: /usr/bin/systemctl "), "{screen}");
    assert!(screen.ends_with("a lists them all."), "{screen}");
}

#[test]
fn the_line_at_the_start_of_cerebellar_norse_is_not_cut() {
    fits_with_its_rule("cerebellar-norse", "compact = \"/nonexistent/compact\"\nkernel-root = \"/nonexistent\"");
}

#[test]
fn the_line_at_the_start_of_genesis_is_not_cut() {
    fits_with_its_rule("genesis", "by_unit = UNIT");
}

#[test]
fn the_line_at_the_start_of_planar_is_not_cut() {
    fits_with_its_rule("planar", "systemd = UNIT");
}

#[test]
fn a_row_that_is_blocked_says_by_what_and_the_selected_one_says_all() {
    let action = |name: &str| {
        format!(
            "[actions.{name}]\nkind = \"command\"\ntitle = \"Do {name}\"\nverb = \"perform\"\ndanger = \"C2\"\n\
             argv = [\"/usr/bin/true\"]\nundo = \"none\"\n"
        )
    };
    let mut desk = Desk::of(&["a", "b", "c", "d"].map(action).concat(), (80, 24));
    desk.press(KeyCode::Char('a'));
    desk.send(Msg::Surveying);
    let polkit = "polkit.addRule(function(a, s) { if (a.id == \"org.freedesktop.systemd1.manage-units\" && \
                  a.lookup(\"unit\") == \"cerebellar-norse.service\" && a.lookup(\"verb\") == \"restart\" && \
                  s.user == \"oncall\") return \"yes\"; });";
    let denied = Fault::new("polkit does not let this login `restart cerebellar-norse.service`.")
        .hint(format!("Its rule, in /etc/polkit-1/rules.d: {polkit}"));
    let blocked = |bar, fault| Offer::NotNow(bar, fault);
    desk.send(Msg::Surveyed("a".into(), blocked(Bar::NotPermitted, denied)));
    desk.send(Msg::Surveyed("b".into(), blocked(Bar::Precondition, Fault::new("the queue is 7, and must be 0."))));
    desk.send(Msg::Surveyed("c".into(), blocked(Bar::CoolingDown, Fault::new("cooling down: it was done 3 s ago."))));
    desk.send(Msg::Surveyed("d".into(), Offer::Can(Danger::C2, Support::L1)));
    let screen = desk.screen();
    let row = |title: &str, word: &str| screen.lines().any(|line| line.contains(title) && line.contains(word));
    assert!(row("Do a", "not permitted") && row("Do b", "precondition") && row("Do c", "cooling down"), "{screen}");
    assert!(row("Do d", "C2"), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn a_failed_unit_is_asked_for_once_and_counts_in_the_line_and_tells_its_rule_in_the_list() {
    let profile = "[samplers.units]\nkind = \"systemd\"\n\n[[panes]]\ntitle = \"Failed units\"\nkind = \"sparkline\"\n\
                   query = 'node_systemd_units{state=\"failed\"}'\n";
    let mut desk = Desk::of(profile, (80, 24));
    let labels = [("name", "orders.service"), ("type", "service"), ("state", "failed")];
    let seen = |desk: &mut Desk| {
        let points = vec![Point::gauge("systemd_unit_state", &labels, 1.0)];
        desk.told("units", Ok(Observation { points, ..Observation::default() }))
    };
    let asked = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::UnitRights(restarts) => Some(restarts.iter().map(ToString::to_string).collect::<Vec<_>>()),
            _ => None,
        })
    };
    assert_eq!(asked(&seen(&mut desk)), Some(vec!["restart:orders.service".to_owned()]));
    assert_eq!(asked(&seen(&mut desk)), None, "once");
    let fault = Fault::new("polkit does not let this login `restart orders.service`.").hint("Its rule: so and so.");
    let right = Right::without(Need::Polkit("orders.service".into(), "restart"), fault.clone());
    desk.send(Msg::Rights(vec![("restart:orders.service".into(), right)]));
    let screen = flat(&desk);
    let said = "oncall (L1) may restart 0 of 1 failed unit; 1 lacks the polkit rule `systemd1.manage-units` for \
                orders.service: restart; a lists them all.";
    assert!(screen.contains(said), "{screen}");
    let effects = desk.press(KeyCode::Char('a'));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Survey)), "{effects:?}");
    desk.send(Msg::Surveyed("restart:orders.service".into(), Offer::NotNow(Bar::NotPermitted, fault)));
    let screen = flat(&desk);
    assert!(screen.contains("failed, not permitted") && screen.contains("Its rule: so and so."), "{screen}");
}
