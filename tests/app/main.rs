//! The pure core: what keys, answers and time make of the console, without a terminal.
#![cfg(test)]

#[expect(dead_code, reason = "the screens use more of the desk")]
#[path = "../screens/desk.rs"]
mod desk;

use core::time::Duration;
use crossterm::event::KeyCode;
use desk::Desk;
use watchkeeper::action::back;
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::lifecycle::{End, Outcome, Progress, Run, State};
use watchkeeper::action::mode::Mode;
use watchkeeper::action::plan::Plan;
use watchkeeper::action::prompt::Extent;
use watchkeeper::action::recover::{Standing, Unresolved};
use watchkeeper::app::effect::{Effect, Entry};
use watchkeeper::app::run::Ended;
use watchkeeper::app::survey::Done;
use watchkeeper::app::{Msg, Overlay, Pane, Request, Shown, prompt, update};
use watchkeeper::base::{Fault, Now, Support, Ulid, Wall};
use watchkeeper::clean;

fn launched(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Launch(_)))
}

fn incident() -> Desk {
    let mut desk = Desk::demo(80, 24);
    desk.incident(41);
    desk
}

/// Armed, the plan on screen, `reduce` typed.
fn typed() -> Desk {
    let mut desk = incident();
    desk.arm();
    desk.planned();
    desk.shown();
    desk.pass(2_000);
    desk.type_text("reduce");
    desk.pass(200);
    desk
}

#[test]
fn the_right_verb_after_the_delay_launches_once() {
    let mut desk = typed();
    assert!(launched(&desk.press(KeyCode::Enter)));
    assert!(!launched(&desk.press(KeyCode::Enter)), "a second Enter finds the plan consumed");
}

#[test]
fn a_display_that_takes_nothing_lets_nothing_through() {
    let mut desk = typed();
    desk.send(Msg::Stalled(true));
    for _ in 0..20 {
        desk.pass(1_000);
        desk.type_text("reduce");
        desk.pass(200);
        assert!(!launched(&desk.press(KeyCode::Enter)));
    }
}

#[test]
fn the_answer_to_another_wish_is_not_shown() {
    let mut desk = incident();
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Esc);
    desk.send(Msg::Planned(Request::of("reduce-batch-size"), Err(Fault::new("late"))));
    assert!(matches!(desk.model.overlay, Overlay::None), "Esc went back, the late answer stays away");
    desk.press(KeyCode::Enter);
    desk.send(Msg::Planned(Request::of("another"), Err(Fault::new("not mine"))));
    assert!(matches!(desk.model.overlay, Overlay::Planning(..)), "still waits for its own answer");
}

#[test]
fn keys_typed_beyond_a_refusal_are_no_commands() {
    let mut desk = typed();
    let effects = desk.press(KeyCode::Esc);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::DiscardInput)));
    let named = effects.iter().any(|effect| match effect {
        Effect::Record(Entry::Refused { act, .. }) => act.as_str().starts_with("reduce-batch-size ("),
        _ => false,
    });
    assert!(named, "{effects:?}");
    let effects = desk.press(KeyCode::Char('q'));
    assert!(effects.is_empty(), "{effects:?}");
    desk.pass(10);
    assert!(matches!(desk.press(KeyCode::Char('q'))[..], [Effect::Quit]));
}

#[test]
fn a_prompt_is_recorded_when_it_is_shown_and_not_before() {
    let mut desk = incident();
    desk.arm();
    let shown = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Record(Entry::Prompted { .. })));
    desk.planned();
    assert!(shown(&desk.send(Msg::Shown(Extent::End))));
    assert!(!shown(&desk.send(Msg::Shown(Extent::End))));
}

#[test]
fn a_plan_that_was_only_looked_at_is_recorded_with_its_actions_name() {
    let mut desk = incident();
    let effects = desk.planned();
    let recorded = effects.iter().any(|effect| match effect {
        Effect::Record(Entry::Previewed { act, .. }) => act.as_str().starts_with("reduce-batch-size ("),
        _ => false,
    });
    assert!(recorded, "{effects:?}");
}

#[test]
fn the_chosen_alert_stays_chosen_when_the_list_is_sorted_anew() {
    let mut desk = incident();
    desk.key('.');
    let chosen = desk.model.current_alert().map(|alert| alert.id.clone());
    assert_ne!(chosen, desk.model.alerts().first().map(|alert| alert.id.clone()));
    desk.incident(5);
    assert_eq!(desk.model.current_alert().map(|alert| alert.id.clone()), chosen);
}

#[test]
fn a_pause_holds_the_picture_and_not_the_alerts() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(30);
    desk.key(' ');
    desk.incident(41);
    let held = desk.model.board.shown()[0].headline.as_ref().map(|metric| metric.shown.reading.clone());
    let live = desk.model.board.panes[0].headline.as_ref().map(|metric| metric.shown.reading.clone());
    assert_ne!(held, live);
    assert!(!desk.model.alerts().is_empty());
    desk.key(' ');
    assert_eq!(desk.model.board.shown().len(), desk.model.board.panes.len());
}

#[test]
fn an_action_is_found_by_its_words_and_esc_shows_all_of_them_again() {
    let mut desk = incident();
    desk.press(KeyCode::Char('a'));
    desk.press(KeyCode::Char('/'));
    desk.type_text("MAP grow");
    let screen = desk.screen();
    assert!(screen.contains("Find MAP grow_") && screen.contains("Esc shows all"), "{screen}");
    assert!(screen.contains("▸ Grow") && !screen.contains("Reduce batch size"), "{screen}");
    let effects = desk.press(KeyCode::Enter);
    assert!(
        matches!(&effects[..], [Effect::Plan(wanted), Effect::SurveyOver] if *wanted.action == *"grow-map"),
        "{effects:?}"
    );
    desk.press(KeyCode::Esc);
    desk.press(KeyCode::Char('a'));
    desk.press(KeyCode::Char('/'));
    desk.type_text("no such thing");
    assert!(desk.screen().contains("No action has these words."), "{}", desk.screen());
    assert!(desk.press(KeyCode::Enter).is_empty(), "there is nothing to plan");
    desk.press(KeyCode::Esc);
    assert!(desk.screen().contains("Reduce batch size") && !desk.screen().contains("Find "), "{}", desk.screen());
}

#[test]
fn a_key_of_the_panes_that_does_nothing_in_a_list_says_so() {
    let mut desk = incident();
    desk.press(KeyCode::Char('a'));
    assert!(desk.press(KeyCode::Char('z')).is_empty());
    let screen = desk.screen();
    assert!(screen.contains("z (zoom) does nothing here. Esc goes back."), "{screen}");
}

#[test]
fn esc_goes_back_one_level_and_never_leaves() {
    let mut desk = incident();
    desk.key('z');
    desk.key('?');
    assert!(desk.press(KeyCode::Esc).is_empty());
    assert!(desk.model.board.zoomed && matches!(desk.model.overlay, Overlay::None));
    assert!(desk.press(KeyCode::Esc).is_empty());
    assert!(!desk.model.board.zoomed);
    assert!(desk.press(KeyCode::Esc).is_empty());
}

#[test]
fn arming_lapses_after_fifteen_minutes_without_a_key_and_says_so() {
    let mut desk = incident();
    desk.arm();
    desk.pass(15 * 60 * 1_000 + 1_000);
    assert_eq!(desk.model.session.mode.word(), "OBSERVE");
    assert!(desk.model.session.notice.is_some());
}

#[test]
fn what_panes_show_is_kept_by_the_minute_once_and_never_what_a_stand_in_made_up() {
    let mut desk = Desk::demo(80, 24);
    let start = desk.model.now;
    desk.quiet(119);
    let at = |seconds: u64| Now {
        mono: start.mono + Duration::from_secs(seconds),
        wall: Wall(start.wall.0 + i64::try_from(seconds * 1_000_000_000).unwrap()),
    };
    let mut kept = Vec::new();
    for seconds in 119..125 {
        let effects = update(&mut desk.model, Msg::Tick, at(seconds));
        kept.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::KeepMinutes(rows) => Some(rows),
            _ => None,
        }));
    }
    let metrics: Vec<_> = desk.model.board.panes.iter().flat_map(Pane::metrics).collect();
    let of = |simulated: bool| {
        let shown = |shown: &Shown| shown.simulated == simulated && shown.reading.usable().is_some();
        let some = metrics.iter().find(|metric| shown(&metric.shown));
        some.map(|metric| metric.expr.text().to_string()).expect("such a value")
    };
    let minutes = |desk: &Desk, text: &str| desk.model.history.points(text, Wall(0), Wall(i64::MAX)).to_vec();
    let real = minutes(&desk, &of(false));
    assert_eq!(real.iter().map(|minute| minute.count).collect::<Vec<_>>(), [59, 60], "{real:?}");
    assert!(minutes(&desk, &of(true)).is_empty());
    assert_eq!(kept.len(), 1, "once a minute");
    let mut next = Desk::demo(80, 24);
    next.send(Msg::History(kept.concat(), Vec::new()));
    assert_eq!(minutes(&next, &of(false)), real[1..]);
}

#[test]
fn lints_stand_among_the_faults_of_our_files() {
    let mut desk = Desk::demo(80, 24);
    let rule = "{alert: Rising, expr: 'rate(queue_depth[1m]) > 0', labels: {severity: page-me}}";
    desk.judge_by(&format!("groups: [{{name: g, rules: [{rule}]}}]"), &[]);
    desk.quiet(35);
    let faults: Vec<String> = desk.model.session.faults.iter().map(ToString::to_string).collect();
    let lints: Vec<&str> =
        faults.iter().filter_map(|fault| fault.split(' ').nth(1)).filter(|id| id.starts_with("WK")).collect();
    assert_eq!(lints, ["WK001", "WK004"], "{faults:?}");
}

#[test]
fn what_is_typed_while_a_plan_is_made_is_no_command() {
    let mut desk = incident();
    desk.press(KeyCode::Enter);
    desk.type_text("reduce");
    desk.press(KeyCode::Enter);
    assert!(matches!(desk.model.overlay, Overlay::Planning(..)), "it still waits for its plan");
    desk.press(KeyCode::Esc);
    assert!(matches!(desk.model.overlay, Overlay::None));
}

#[test]
fn where_nothing_can_be_recorded_a_plan_is_shown_to_be_done_by_hand() {
    let mut desk = incident();
    desk.arm();
    desk.model.session.trail.unrecorded = Some(Fault::new("the disk is full."));
    desk.planned();
    let screen = desk.screen();
    assert!(screen.contains("the disk is full.") && screen.contains("by hand"), "{screen}");
    let copied = desk.press(KeyCode::Char('y'));
    assert!(matches!(&copied[..], [Effect::Copy(lines)] if lines.len() == 3), "{copied:?}");
    assert!(!launched(&desk.press(KeyCode::Enter)));
}

#[test]
fn a_runner_that_was_not_started_leaves_its_plan_on_screen() {
    let mut desk = typed();
    assert!(launched(&desk.press(KeyCode::Enter)));
    desk.send(Msg::Launched(Err(Fault::new("the journal's disk did not answer within 2 s."))));
    assert!(desk.model.run.is_none());
    let screen = desk.screen();
    assert!(screen.contains("did not answer") && screen.contains("1024 → 512"), "{screen}");
    desk.pass(10);
    assert!(matches!(&desk.press(KeyCode::Char('y'))[..], [Effect::Copy(_)]));
}

/// A run that an earlier console has left behind, as it stands now.
fn left(desk: &Desk, id: u128, standing: Standing) -> Unresolved {
    let mut plan = Plan::arm(Ulid(id), desk::place(), desk::who(), desk.model.now);
    plan.what.kind = "config_set@1".into();
    plan.what.action = "reduce-batch-size".into();
    plan.what.title = "Reduce batch size".into();
    Unresolved { run: Run::at("/nonexistent".as_ref()), plan, progress: None, standing }
}

#[test]
fn what_an_earlier_console_left_unknown_is_settled_before_anything_else_is_planned() {
    let mut desk = incident();
    desk.arm();
    let unknown = Standing::Unknown(Settled::Other("production.toml was changed by somebody else".into()));
    let runs = vec![left(&desk, 1, unknown), left(&desk, 2, Standing::Attach { pid: 1 })];
    desk.model.run = None;
    desk.send(Msg::Recovered(runs, Vec::new()));
    let screen = desk.screen();
    for text in ["OUTCOME UNKNOWN", "production.toml was changed by somebody", "mark it as done", "plan it again, as"] {
        assert!(screen.contains(text), "{text}: {screen}");
    }
    // It stands in the way of the next plan, and Esc does not settle it.
    desk.press(KeyCode::Esc);
    assert!(matches!(desk.model.overlay, Overlay::None));
    desk.model.run = None;
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(desk.model.overlay, Overlay::OpenRuns(_)) && effects.is_empty(), "{effects:?}");
    // Nor does a step of a procedure get past it.
    desk.press(KeyCode::Esc);
    let effects = prompt::plan_with(&mut desk.model, Request::of("reduce-batch-size"));
    assert!(matches!(desk.model.overlay, Overlay::OpenRuns(_)) && effects.is_empty(), "{effects:?}");
    // Not by who may not do what it did.
    let granted = core::mem::replace(&mut desk.model.session.support, Support::L0);
    assert!(desk.press(KeyCode::Enter).is_empty() && desk.screen().contains("needs support level L1"));
    desk.model.session.support = granted;
    // Marked, with a reason and not without.
    desk.press(KeyCode::Enter);
    assert!(desk.press(KeyCode::Enter).is_empty(), "a reason is needed");
    desk.type_text("looked at it: it is done");
    let effects = desk.press(KeyCode::Enter);
    let said =
        matches!(&effects[..], [Effect::Settle { plan: Ulid(1), reason }] if reason.as_str().starts_with("looked"));
    assert!(said, "{effects:?}");
    desk.send(Msg::Settled(Ulid(1), Err(Fault::new("no room."))));
    assert_eq!(desk.model.session.open_runs.len(), 1, "what is not written down is not settled");
    desk.send(Msg::Settled(Ulid(1), Ok(())));
    assert!(matches!(desk.model.overlay, Overlay::None));
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Plan(_)]), "{effects:?}");
}

#[test]
fn an_end_that_nobody_saw_is_told_to_the_next_console() {
    let mut desk = incident();
    let end = End { outcome: Outcome::Failed, reason: "It did not come up.".into(), executed: true };
    let at = desk.model.now.wall;
    let said = desk.send(Msg::EndedAlone(vec![Ended { title: "Restart it".into(), at, end }]));
    let told = clean!(
        "Restart it: FAILED at {}, while no console followed it. It did not come up.",
        desk.model.clock_zone(at)
    );
    assert!(matches!(&said[..], [Effect::Log(text)] if *text == told), "{said:?}");
    assert!(desk.screen().contains("Restart it: FAILED at "), "{}", desk.screen());
}

#[test]
fn a_run_of_an_earlier_console_is_planned_again_as_things_stand_now_and_never_run_by_itself() {
    let mut desk = incident();
    desk.model.identity.ways_back.insert("reduce-batch-size".into(), "put-it-back".into());
    desk.send(Msg::Recovered(vec![left(&desk, 1, Standing::NothingDone)], Vec::new()));
    desk.press(KeyCode::Down);
    desk.press(KeyCode::Down);
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Plan(wanted)] if *wanted.action == *"reduce-batch-size"), "{effects:?}");
    desk.press(KeyCode::Esc);
    desk.press(KeyCode::Up);
    let effects = desk.press(KeyCode::Enter);
    let at = format!("{:?} {effects:?}", desk.model.overlay);
    assert!(matches!(&effects[..], [Effect::Plan(wanted)] if *wanted.action == *"put-it-back"), "{at}");
}

#[test]
fn an_older_run_is_taken_back_by_its_own_way_and_not_by_the_one_for_the_newest() {
    let mut desk = incident();
    desk.model.identity.ways_back.insert("reduce-batch-size".into(), "put-it-back".into());
    let mut open = left(&desk, 1, Standing::Unknown(Settled::Other("half of it".into())));
    open.plan.what.kind = "file_set_aside@1".into();
    open.plan.what.work = serde_json::json!({
        "path": "/srv/app/index", "aside": "index.set-aside-1", "id": { "dev": 1, "ino": 2, "folder": true }
    });
    desk.send(Msg::Recovered(vec![open], Vec::new()));
    desk.press(KeyCode::Down);
    let effects = desk.press(KeyCode::Enter);
    let own = back::name(Ulid(1));
    assert!(matches!(&effects[..], [Effect::Plan(wanted)] if *wanted.action == *own), "{effects:?}");
}

#[test]
fn a_console_that_is_disarmed_tells_the_runner_until_its_first_effect() {
    for (state, told) in [(None, true), (Some(State::Accepted), true), (Some(State::Intent), false)] {
        let mut desk = typed();
        desk.press(KeyCode::Enter);
        desk.send(Msg::Launched(Ok(())));
        let plan = desk.model.run.as_ref().unwrap().plan.id;
        if let Some(state) = state {
            let mut progress = Progress::new(plan, 1);
            progress.state = state;
            desk.send(Msg::Progress(Box::new(progress)));
        }
        desk.pass(2_000);
        let effects = desk.press(KeyCode::Char('A'));
        let disarms = |effect: &Effect| matches!(effect, Effect::Disarm(of) if *of == plan);
        assert!(!matches!(desk.model.session.mode, Mode::Armed { .. }), "{state:?} {effects:?}");
        assert_eq!(effects.iter().any(disarms), told, "{state:?} {effects:?}");
    }
}

#[test]
fn what_was_done_and_can_be_taken_back_stands_on_the_list_of_actions_whoever_did_it() {
    let mut desk = incident();
    let mut plan = Plan::arm(Ulid(9), desk::place(), desk::who(), desk.model.now);
    plan.what.title = "Set the index aside".into();
    plan.what.kind = "file_set_aside@1".into();
    plan.what.work = serde_json::json!({
        "path": "/srv/app/index", "aside": "index.set-aside-1", "id": { "dev": 1, "ino": 2, "folder": true }
    });
    desk.send(Msg::Done(vec![Done { plan: Box::new(plan), at: desk.model.now.wall }]));
    desk.press(KeyCode::Char('a'));
    assert!(desk.screen().contains("Take back: Set the index aside"), "{}", desk.screen());
    for _ in 0..9 {
        desk.press(KeyCode::Down);
    }
    let effects = desk.press(KeyCode::Enter);
    let back = back::name(Ulid(9));
    assert!(
        matches!(&effects[..], [Effect::Plan(wanted), Effect::SurveyOver] if *wanted.action == *back),
        "{effects:?}"
    );
    assert!(desk.screen().contains("Take back: Set the index aside"), "{}", desk.screen());
}

#[test]
fn the_way_back_is_offered_once_a_run_is_over() {
    let mut desk = typed();
    desk.press(KeyCode::Enter);
    desk.send(Msg::Launched(Ok(())));
    desk.model.identity.ways_back.insert("reduce-batch-size".into(), "put-it-back".into());
    assert!(!desk.screen().contains("the way back"));
    desk.verified();
    assert!(desk.screen().contains("Enter plans the way back"), "{}", desk.screen());
    desk.pass(10);
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(&effects[..], [Effect::Plan(wanted)] if *wanted.action == *"put-it-back"), "{effects:?}");
}
