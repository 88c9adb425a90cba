//! Whole screens as text, drawn from a scripted stream of samples under a scripted clock.
#![cfg(test)]

mod alerts;
mod answers;
mod desk;
mod genesis;
mod gpu;
mod incident;
mod insight;
mod logs;
mod planar;
mod procedures;
mod rights;
mod shipped;
mod sizes;
mod spans;
mod tables;
mod views;

use core::time::Duration;
use crossterm::event::KeyCode;
use desk::Desk;
use serde_json::json;
use watchkeeper::action::fresh_start;
use watchkeeper::action::mode::Mode;
use watchkeeper::action::plan::Danger;
use watchkeeper::action::prompt::Extent;
use watchkeeper::app::survey::{Answer, Bar, Offer};
use watchkeeper::app::{Effect, Mark, Msg};
use watchkeeper::base::{Clean, Failure, Fault, Observation, Point, Support, Ulid};
use watchkeeper::clean;
use watchkeeper::term::Input;

#[test]
fn triage_when_all_is_quiet() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn triage_while_latency_is_critical() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.incident(41);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn triage_spreads_on_a_larger_screen() {
    let mut desk = Desk::demo(120, 40);
    desk.quiet(30);
    desk.incident(41);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn panes_drop_by_priority_on_the_smallest_screen() {
    let mut desk = Desk::demo(60, 15);
    desk.incident(41);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn a_screen_that_is_too_small_still_tells_the_alert() {
    let mut desk = Desk::demo(20, 5);
    desk.incident(41);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn ascii_shows_the_same_in_its_own_letters() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    let screen = desk.ascii();
    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!(screen);
}

#[test]
fn before_the_first_answer_nothing_is_claimed() {
    let desk = Desk::demo(80, 24);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn what_is_stale_says_so_and_why() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.refused(41);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn the_list_of_actions_says_what_can_be_done_now_and_why_the_rest_cannot() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(3);
    let effects = desk.press(KeyCode::Char('a'));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Survey)), "{effects:?}");
    assert!(desk.screen().contains("Reduce batch size") && desk.screen().contains('…'), "{}", desk.screen());
    desk.send(Msg::Surveying);
    desk.send(Msg::Surveyed("reduce-batch-size".into(), Offer::Can(Danger::C2, Support::L1)));
    assert!(desk.screen().lines().any(|line| line.contains("Reduce batch size") && line.contains("C2")));
    let fault = Fault::new("GPU memory is 12.0 s old; a plan rests on values of at most 10 s.");
    desk.send(Msg::Surveyed("reduce-batch-size".into(), Offer::NotNow(Bar::Precondition, fault)));
    insta::assert_snapshot!(desk.screen());
    // What a server says is told with its age.
    let asked = |desk: &mut Desk, said| {
        let answer = Answer { server: "PostgreSQL", at: desk.model.now.mono, said };
        desk.send(Msg::Surveyed("reduce-batch-size".into(), Offer::Server(Box::new(answer))));
        desk.pass(3_000);
        desk.screen()
    };
    let screen = asked(&mut desk, Ok((Danger::C2, Support::L1, "primary 15.7".into())));
    let said = "PostgreSQL was asked 3s ago, and lets this login do it: primary 15.7.";
    assert!(
        screen.contains(said) && screen.lines().any(|line| line.contains("Reduce batch size") && line.contains("C2")),
        "{screen}"
    );
    let screen = asked(&mut desk, Err(Fault::new("127.0.0.1:5432 refused the connection.")));
    let said = "Not now; PostgreSQL was asked 3s ago: 127.0.0.1:5432 refused";
    assert!(
        screen.contains(said) && screen.lines().any(|line| line.contains("Reduce") && line.contains("not now")),
        "{screen}"
    );
    // What was said before the next look begins is not shown as if it were now.
    desk.send(Msg::Surveying);
    assert!(!desk.screen().contains("not now") && desk.screen().contains('…'), "{}", desk.screen());
    // Once the list is left nothing more is asked.
    let effects = desk.press(KeyCode::Esc);
    assert!(matches!(effects[..], [Effect::SurveyOver]), "{effects:?}");
    assert!(!desk.press(KeyCode::Esc).iter().any(|effect| matches!(effect, Effect::SurveyOver)), "once");
}

#[test]
fn what_is_late_says_since_when_and_why() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.refused(2);
    let screen = desk.screen();
    assert!(screen.contains("LATE"), "{screen}");
    assert!(screen.contains("since 03:12:30: 127.0.0.1:4711"), "{screen}");
}

#[test]
fn a_value_of_a_failed_attempt_is_live_and_its_pane_says_why_it_failed() {
    let profile = "[samplers.x]\nkind = \"host\"\n\n[[panes]]\ntitle = \"Page\"\nkind = \"sparkline\"\n\
                   query = \"probe_success\"\n";
    let mut desk = Desk::of(profile, (80, 24));
    let point = |value| Point::gauge("probe_success", &[], value);
    desk.says("x", Ok(Observation { points: vec![point(1.0)], ..Observation::default() }));
    desk.pass(1_000);
    desk.says("x", Err(Failure::answered("page answered 503.").with([point(0.0)])));
    desk.pass(200);
    let screen = desk.screen();
    let row = screen.lines().find(|line| line.contains("Page")).unwrap();
    assert!(!row.contains("LATE") && !row.contains("STALE") && row.contains('0'), "{screen}");
    assert!(screen.contains(": page answered 503."), "{screen}");
}

#[test]
fn a_profile_without_panes_says_how_to_write_one() {
    let desk = Desk::of("title = \"bare\"\n", (80, 24));
    let screen = desk.screen();
    assert!(screen.contains("This profile has no panes.") && screen.contains("describe panes"), "{screen}");
}

#[test]
fn a_metrics_name_says_its_unit_and_a_gpu_has_a_number() {
    let profile = "[samplers.x]\nkind = \"host\"\n\n[[panes]]\ntitle = \"Lookup\"\nkind = \"sparkline\"\n\
                   query = \"probe_dns_lookup_time_seconds\"\n\n[[panes]]\ntitle = \"Most\"\n\
                   kind = \"sparkline\"\nquery = \"max(probe_dns_lookup_time_seconds) * 1\"\nunit = \"count\"\n\n\
                   [[panes]]\ntitle = \"Longest\"\nkind = \"sparkline\"\n\
                   query = \"max(probe_dns_lookup_time_seconds)\"\n\n[[panes]]\ntitle = \"Card\"\nkind = \"gpu\"\ngpu = 0\n";
    let mut desk = Desk::of(profile, (80, 24));
    let point = |value| Point::gauge("probe_dns_lookup_time_seconds", &[], value);
    desk.says("x", Ok(Observation { points: vec![point(0.002)], ..Observation::default() }));
    desk.pass(200);
    let screen = desk.screen();
    assert_eq!(screen.matches("2.00 ms").count(), 2, "the name's unit, also within an expression: {screen}");
    assert!(screen.contains(" 0.00200 "), "the unit that is given wins: {screen}");
}

#[test]
fn a_paused_screen_says_so_and_its_values_age() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.key(' ');
    desk.incident(4);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn help_lists_the_keys_in_use() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(3);
    desk.key('?');
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn a_zoomed_log_scrolls_and_counts_what_is_new() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(90);
    for _ in 0..5 {
        desk.tab();
    }
    desk.key('z');
    desk.key('k');
    desk.key('k');
    desk.quiet(2);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn a_plan_in_observe_is_a_preview() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.planned();
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn without_a_profile_a_failed_unit_opens_its_journal_and_is_restarted_through_the_gate() {
    let profile = "[samplers.units]\nkind = \"systemd\"\n\n[[panes]]\ntitle = \"Failed units\"\nkind = \"sparkline\"\n\
                   query = 'node_systemd_units{state=\"failed\"}'\nbands = { warning = 1, critical = 1000 }\n";
    let mut desk = Desk::of(profile, (80, 24));
    let labels = [("name", "orders.service"), ("type", "service"), ("state", "failed")];
    for _ in 0..20 {
        let points = vec![
            Point::gauge("node_systemd_units", &[("state", "failed")], 1.0),
            Point::gauge("systemd_unit_state", &labels, 1.0),
        ];
        desk.says("units", Ok(Observation { points, ..Observation::default() }));
    }
    desk.press(KeyCode::Char('a'));
    assert!(desk.screen().contains("orders.service: its journal, its restart"), "{}", desk.screen());
    let effects = desk.press(KeyCode::Enter);
    assert!(
        matches!(&effects[..], [Effect::Journal(unit), Effect::SurveyOver] if unit.as_str() == "orders.service"),
        "{effects:?}"
    );
    desk.press(KeyCode::Esc);
    // Straight from the alert.
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Journal(_)]), "{effects:?}\n{}", desk.screen());
    let lines = (1..40).map(|n| Clean::text(format!("2026-11-20T03:12:{n:02}+0000 h orders[7]: line {n}")));
    desk.send(Msg::JournalRead("orders.service".into(), Ok(lines.collect())));
    insta::assert_snapshot!(desk.screen());
    let effects = desk.press(KeyCode::Enter);
    let planned = effects;
    desk.press(KeyCode::Esc);
    desk.press(KeyCode::Esc);
    desk.pass(3_600_000);
    desk.press(KeyCode::Char('a'));
    assert!(desk.screen().contains("no unit is known to have failed"), "an old state is none: {}", desk.screen());
    let effects = planned;
    assert!(
        matches!(&effects[..], [Effect::Plan(request)] if &*request.action == "restart:orders.service"),
        "{effects:?}"
    );
}

#[test]
fn who_is_asked_for_a_value_gives_one_that_fits_before_there_is_a_plan() {
    let profile = "[actions.trim]\nkind = \"command\"\ntitle = \"Trim the queue\"\nverb = \"trim\"\ndanger = \"C2\"\n\
                   argv = [\"/usr/bin/trim\", \"--keep={keep}\", \"{queue}\"]\nundo = \"none\"\n\
                   params = { keep = { int = [1, 30], value = 7, ask = true }, \
                   queue = { one_of = [\"orders\", \"mails\"], value = \"orders\", ask = true } }\n";
    let mut desk = Desk::of(profile, (80, 24));
    desk.press(KeyCode::Char('a'));
    assert!(matches!(desk.press(KeyCode::Enter)[..], [Effect::SurveyOver]), "asked first");
    desk.key('5');
    assert!(desk.press(KeyCode::Enter).is_empty(), "75 is too many");
    desk.press(KeyCode::Tab);
    desk.press(KeyCode::Down);
    insta::assert_snapshot!(desk.screen());
    desk.press(KeyCode::Tab);
    desk.press(KeyCode::Backspace);
    desk.press(KeyCode::Backspace);
    desk.key('9');
    let effects = desk.press(KeyCode::Enter);
    let [Effect::Plan(request)] = &effects[..] else { panic!("{effects:?}") };
    let given: Vec<String> = request.given.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(given, ["keep=9", "queue=mails"]);
}

#[test]
fn what_is_above_the_login_is_shown_with_whom_to_call() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.press(KeyCode::Char('a'));
    desk.send(Msg::Surveyed("reduce-batch-size".into(), Offer::Can(Danger::C2, Support::L2)));
    assert!(desk.screen().contains("needs L2"), "{}", desk.screen());
    desk.key('a');
    desk.planned_as(|plan| plan.support = Support::L2);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn a_plan_when_armed_asks_for_its_verb() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.planned();
    desk.shown();
    desk.pass(2_000);
    desk.type_text("redu");
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn the_heaviest_prompt_asks_for_its_reason_and_shows_what_is_typed_last() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.planned_as(|plan| plan.danger = Danger::C3);
    desk.shown();
    desk.pass(4_000);
    let watchkeeper::app::Overlay::Prompt(prompt) = &desk.model.overlay else { panic!("no prompt") };
    let expected = prompt.plan().expected().to_owned();
    desk.type_text(&expected);
    desk.pass(200);
    desk.enter();
    desk.type_text("because");
    let screen = desk.screen();
    assert!(screen.contains("Reason: at least 8 characters") && screen.contains("> because_"), "{screen}");
    desk.type_text(&format!("{} and the end of it", " on and on".repeat(8)));
    let screen = desk.screen();
    assert!(screen.contains("and the end of it_") && screen.contains("Enter runs it"), "{screen}");
}

#[test]
fn a_verified_run_shows_before_and_after() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.verified();
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn after_a_restart_that_left_its_unit_failed_a_key_resets_and_starts_it_and_whom_to_call_is_named() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.left_failed("inference.service");
    insta::assert_snapshot!(desk.screen());
    desk.key('c');
    assert!(matches!(desk.model.overlay, watchkeeper::app::Overlay::Contacts(_)), "{}", desk.screen());
    desk.key('c');
    desk.press(KeyCode::Esc);
    desk.model.overlay = watchkeeper::app::Overlay::Run;
    let planned = |effects: &[Effect]| match effects {
        [Effect::Plan(request)] => request.action.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(planned(&desk.press(KeyCode::Char('R'))), fresh_start::name(Ulid(42)));
    assert!(desk.screen().contains("Reset and start inference.service"), "{}", desk.screen());
    // Where the profile has an action for it, that one.
    desk.press(KeyCode::Esc);
    desk.model.overlay = watchkeeper::app::Overlay::Run;
    desk.model.identity.fresh_starts.insert("inference.service".into(), "start-it-again".into());
    assert_eq!(planned(&desk.press(KeyCode::Char('R'))), "start-it-again");
}

#[test]
fn after_a_run_that_went_well_nothing_is_to_be_reset() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.verified();
    assert!(!desk.screen().contains("R plans"), "{}", desk.screen());
    desk.pass(10);
    assert!(desk.press(KeyCode::Char('R')).is_empty());
    assert!(desk.screen().contains("Only an action that left its unit failed"), "{}", desk.screen());
}

#[test]
fn an_effect_is_marked_in_every_chart_with_what_was_before_and_after() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.verified();
    desk.press(KeyCode::Esc);
    desk.quiet(20);
    insta::assert_snapshot!(desk.screen());
}

#[test]
fn esc_from_the_way_back_that_an_outcome_offers_leads_back_to_the_outcome() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.verified();
    desk.pass(2_000);
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(effects[..], [Effect::Plan(_)]), "{effects:?}");
    assert!(!desk.screen().contains("Every value is as wanted."), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    assert!(desk.screen().contains("Every value is as wanted."), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    assert!(!desk.screen().contains("Every value is as wanted."), "{}", desk.screen());
}

#[test]
fn ctrl_c_asks_what_becomes_of_a_running_action_and_only_t_ends_it() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.pass(1_000);
    desk.running();
    let lines =
        vec!["intent recorded".into(), "copied 3 of 12 files".into(), Clean::text("\u{1b}[2Jcopied 4 of 12 files")];
    desk.send(Msg::Output(lines));
    let effects = desk.interrupt();
    assert!(effects.is_empty(), "{effects:?}");
    insta::assert_snapshot!(desk.screen());
    let effects = desk.press(KeyCode::Char('k'));
    assert!(effects.is_empty() && !desk.screen().contains("terminate"), "kept: {}", desk.screen());
    // Who only observes keeps or detaches; ending it is an act.
    let armed = core::mem::replace(&mut desk.model.session.mode, Mode::Observe);
    desk.interrupt();
    assert!(desk.screen().contains("t ARMED only"), "{}", desk.screen());
    let effects = desk.press(KeyCode::Char('t'));
    assert!(
        effects.is_empty() && desk.screen().contains("Only an armed console ends it"),
        "{effects:?} {}",
        desk.screen()
    );
    desk.model.session.mode = armed;
    desk.interrupt();
    let effects = desk.press(KeyCode::Char('t'));
    assert!(matches!(effects[..], [Effect::Record(_), Effect::Stop(plan)] if plan.0 == 42), "{effects:?}");
    desk.send(Msg::NotStopped(Fault::new("no space left.")));
    assert!(desk.screen().contains("was not asked to end it: no space left."), "{}", desk.screen());
    // Who may not begin it may not end it either.
    desk.model.session.support = Support::L0;
    desk.interrupt();
    let effects = desk.press(KeyCode::Char('t'));
    assert!(effects.is_empty() && desk.screen().contains("Ending it needs support level L1."), "{}", desk.screen());
    desk.interrupt();
    assert!(matches!(desk.press(KeyCode::Char('d'))[..], [Effect::Quit]), "detached");
}

#[test]
fn of_a_program_that_is_never_ended_t_says_that_it_goes_on() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    desk.confirmed();
    desk.pass(1_000);
    desk.running();
    let file = json!({ "real": "/x", "dev": 1, "ino": 2, "size": 3, "written": [4, 5], "changed": [6, 7] });
    let patience = json!({ "secs": 60, "nanos": 0 });
    let what = &mut desk.model.run.as_mut().unwrap().plan.what;
    what.kind = "command@1".to_owned();
    what.work = json!({ "argv": ["/x"], "ok_exit": [0], "patience": patience, "spare": true, "file": file });
    desk.interrupt();
    let effects = desk.press(KeyCode::Char('t'));
    assert!(matches!(effects[..], [Effect::Record(_), Effect::Stop(_)]), "nothing begins after it: {effects:?}");
    assert!(desk.screen().contains("Its program is never ended and goes on"), "{}", desk.screen());
}

/// The words on the screen without the frame, each line's blanks at the ends and the line breaks.
fn joined(screen: &str) -> String {
    screen.lines().map(|line| line.trim_matches(['│', ' '])).collect()
}

#[test]
fn a_plan_is_told_to_its_last_word_or_is_not_whole() {
    let mut desk = Desk::demo(80, 40);
    desk.incident(41);
    desk.arm();
    let tail = "the-last-word-of-the-plan";
    let long = format!("{}{tail}", "/a-folder-with-a-name".repeat(30));
    desk.planned_as(|plan| plan.what.lines = vec![Clean::text(&long)]);
    assert_eq!(desk.extent(), Extent::End, "{}", desk.screen());
    assert!(joined(&desk.screen()).contains(tail), "{}", desk.screen());
    desk.model.size = (80, 18);
    assert_eq!(desk.extent(), Extent::Cut, "WHERE, WHAT and UNDO do not stand together");
}

#[test]
fn where_a_plan_is_longer_than_the_screen_the_rest_is_read_to_its_end_before_it_can_be_confirmed() {
    let mut desk = Desk::demo(60, 16);
    desk.incident(41);
    desk.arm();
    desk.planned_as(|plan| plan.hits = (1..=12).map(|at| clean!("effect {at} of it")).collect());
    assert_eq!(desk.extent(), Extent::Begun, "{}", desk.screen());
    let effects = desk.send(Msg::Shown(Extent::Begun));
    let [Effect::Fence(id), ..] = effects[..] else { panic!("{effects:?}") };
    desk.send(Msg::Input(desk.model.now.mono, Input::Fence(id)));
    let top = desk.screen();
    for stays in ["WHERE", "WHAT", "UNDO", " more, arrows scroll"] {
        assert!(top.contains(stays), "{stays}: {top}");
    }
    desk.pass(10_000);
    assert!(!desk.screen().contains("  armed │"), "armed unread: {}", desk.screen());
    desk.press(KeyCode::End);
    let end = desk.screen();
    for stays in ["WHERE", "WHAT", "UNDO", "BASED ON"] {
        assert!(end.contains(stays), "{stays}: {end}");
    }
    desk.shown();
    desk.pass(2_000);
    insta::assert_snapshot!(desk.screen());
    // A larger terminal shows another picture, which is proven anew.
    desk.send(Msg::Input(desk.model.now.mono, Input::Resize(120, 40)));
    desk.model.size = (120, 40);
    assert_eq!(desk.extent(), Extent::End);
    assert!(desk.screen().contains("waiting for the display"), "{}", desk.screen());
}

#[test]
fn an_effect_stands_in_the_picture_of_an_alert_too() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.press(KeyCode::Char('d'));
    assert!(!desk.screen().contains('┆'), "{}", desk.screen());
    let at = desk.model.now.mono - Duration::from_secs(20);
    desk.model.board.mark(Mark { at, title: "Reduce batch size".into() });
    desk.pass(2_000);
    assert!(desk.screen().contains('┆'), "{}", desk.screen());
}

#[test]
fn the_text_to_type_is_never_cut() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.arm();
    let target = format!("gpu-07/{}/production.toml", "a-folder/".repeat(9));
    desk.planned_as(|plan| {
        plan.danger = Danger::C3;
        plan.what.target = Clean::text(&target);
        plan.what.title = Clean::text(format!("Reduce the {} size", "very ".repeat(20)));
    });
    assert_eq!(desk.extent(), Extent::End, "{}", desk.screen());
    assert!(joined(&desk.screen()).contains(&target), "{}", desk.screen());
}

#[test]
fn long_names_cut_neither_mode_nor_pause_nor_value() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk.model.identity.host = Clean::text("a-host-name.".repeat(8));
    desk.model.identity.title = Clean::text("a title ".repeat(9));
    desk.model.board.panes[0].title = Clean::text("A title of more than fifty columns for one latency");
    desk.model.session.faults = vec![Fault::new("the theme is gone.")];
    desk.key(' ');
    let screen = desk.screen();
    let lines: Vec<&str> = screen.lines().collect();
    for word in ["DEMO", "OBSERVE", "PAUSED 0:00", "1 fault", "03:12:41 UTC", "a-host"] {
        assert!(lines[0].contains(word), "{word}: {}", lines[0]);
    }
    assert!(lines[3].contains("14.2 µs CRITICAL  0s"), "{}", lines[3]);
    assert!(lines[3].contains("A title of more…"), "{}", lines[3]);
}

#[test]
fn in_a_narrow_pane_words_of_levels_are_whole_and_names_are_cut_before_the_mark_of_our_figures() {
    for size in [(80, 24), (60, 15)] {
        let mut desk = Desk::demo(size.0, size.1);
        desk.incident(41);
        for (pane, title) in desk.model.board.panes.iter_mut().zip([
            "Latency of all requests (default)",
            "The card of this host (default)",
            "Orders that wait to be worked on (default)",
            "Map of the orders' store (default)",
        ]) {
            pane.title = Clean::text(title);
        }
        let screen = desk.screen();
        let marks = if size.0 == 80 { ["… (def)", "… (default)"] } else { ["requests (default)"; 2] };
        assert!(marks.iter().all(|mark| screen.contains(mark)), "{screen}");
        let cut = |word: &str, whole: &str| screen.matches(word).count() > screen.matches(whole).count();
        assert!(screen.contains("CRITICAL") && !cut("CRIT", "CRITICAL"), "{screen}");
        insta::assert_snapshot!(format!("narrow_{}x{}", size.0, size.1), screen);
    }
}

#[test]
fn a_calm_strip_is_green_only_when_all_is_known() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    let strip = |desk: &Desk| desk.screen().lines().nth(1).unwrap_or_default().to_owned();
    assert_eq!(strip(&desk), " no alert: every value with a band is OK");
    desk.model.session.faults = vec![Fault::new(format!("the profile's {} is gone.", "very ".repeat(20)))];
    let told = strip(&desk);
    assert!(told.starts_with(" the profile's very"), "{told}");
    assert!(told.ends_with("Enter 1 fault in our files"), "{told}");
    desk.model.session.faults.clear();
    for pane in &mut desk.model.board.panes {
        for metric in pane.headline.iter_mut().chain(&mut pane.beside) {
            metric.bands = None;
        }
    }
    assert_eq!(strip(&desk), " no alert: there is no rule, and no value has a band");
}

#[test]
fn an_alert_without_data_says_so_before_its_limit() {
    let mut desk = Desk::demo(60, 15);
    desk.incident(41);
    desk.refused(41);
    let screen = desk.screen();
    let strip = screen.lines().nth(1).unwrap_or_default();
    assert!(strip.contains("14.2 µs  no data for 41s"), "{strip}");
}

#[test]
fn a_long_notice_is_read_to_its_end() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    let text = format!("No plan: {}the end.", "one thing or another is not as it was, ".repeat(4));
    desk.model.session.say(Clean::text(text), watchkeeper::base::Level::Warning, desk.model.now);
    assert!(desk.screen().ends_with("the end."), "{}", desk.screen());
}

#[test]
fn one_of_several_is_named_and_has_its_own_total() {
    let mut desk = Desk::demo(120, 24);
    desk.stores(&[("a", 0.2, 1e6), ("b", 0.97, 2e9), ("c", f64::NAN, 3e12)]);
    let screen = desk.screen();
    assert!(screen.contains("LMDB used  /b"), "{screen}");
    assert!(screen.contains("/ 1.86 GiB"), "{screen}");
    for _ in 0..10 {
        desk.stores(&[("a", 0.2, 1e6), ("b", 0.97, 2e9), ("c", f64::NAN, 3e12)]);
    }
    let screen = desk.screen();
    assert!(screen.lines().nth(1).is_some_and(|strip| strip.contains("LMDB used  /b 97 %")), "{screen}");
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    let mut desk = Desk::demo(120, 40);
    desk.hostile();
    let screen = desk.screen();
    let bad: Vec<char> =
        screen.chars().filter(|c| *c != '\n' && (c.is_control() || ('\u{200b}'..='\u{202e}').contains(c))).collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(screen.contains('␛'), "what was removed is shown as a mark");
}

#[test]
fn nothing_below_a_sheet_shines_through() {
    use ratatui::style::Modifier;
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.incident(41);
    desk.planned();
    let cells = desk.cells();
    let text = |y: u16| (11..70).map(|x| cells[(x, y)].symbol()).collect::<String>();
    let what = (0..24).find(|y| text(*y).contains("/etc/cerebellar-norse")).expect("the plan is shown");
    let odd = (11..40).find(|x| cells[(*x, what)].modifier != Modifier::empty());
    assert_eq!(odd, None, "plain text keeps its style over whatever lay there");
}

#[test]
fn a_journal_that_was_changed_is_told_in_the_first_line_of_every_screen() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.model.session.trail.broken = Some(Fault::new("the journal was changed."));
    assert!(desk.screen().lines().next().unwrap().contains("JOURNAL BROKEN"), "{}", desk.screen());
}
