//! What the pane of a GPU says besides its numbers, and in their place.

use super::desk::Desk;
use watchkeeper::base::{Failure, Observation, Point};

fn card(values: &[(&str, f64)], facts: &[(&'static str, &'static str)]) -> Observation {
    let point = |(name, value): &(&str, f64)| Point::gauge(&format!("DCGM_FI_DEV_{name}"), &[("gpu", "0")], *value);
    Observation {
        points: values.iter().map(point).collect(),
        facts: facts.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..Observation::default()
    }
}

#[test]
fn power_stands_beside_its_limit_and_what_holds_the_card_back_is_said_in_words() {
    let mut desk = Desk::demo(120, 40);
    let values = [("GPU_UTIL", 97.0), ("POWER_USAGE", 348.0), ("POWER_MGMT_LIMIT", 400.0)];
    desk.card(Ok(card(
        &values,
        &[("GPU 0 throttled", "power cap, too hot (driver)"), ("GPU 1 throttled", "sync boost group")],
    )));
    let screen = desk.screen();
    assert!(screen.contains("power 348 / 400 W"), "{screen}");
    assert!(screen.contains("throttled: power cap, too hot (driver)"), "{screen}");
    assert!(!screen.contains("sync boost"), "another card's:\n{screen}");
    desk.card(Ok(card(&values, &[("GPU 0 throttled", "idle")])));
    assert!(!desk.screen().contains("throttled"), "{}", desk.screen());
}

#[test]
fn a_card_that_is_lost_or_gives_nothing_is_a_sentence() {
    for (outcome, words) in [
        (Err(Failure::unreachable("the NVIDIA driver is not loaded: no module.")), "the NVIDIA driver is not loaded"),
        (Err(Failure::answered("NVIDIA driver mismatch: update.")), "NVIDIA driver mismatch: update."),
        (Err(Failure::answered("GPU 0 X is lost since 03:12:00.")), "GPU 0 X is lost since 03:12:00."),
        (Ok(card(&[], &[("GPU 0 trouble", "X GPU-1 is lost since 03:12:00")])), "X GPU-1 is lost since 03:12:00"),
        (
            Ok(Observation {
                not_supported: vec![("DCGM_FI_DEV_GPU_UTIL".into(), "this GPU does not support it".into())],
                ..Observation::default()
            }),
            "this GPU does not support it",
        ),
        (
            Ok(Observation {
                refused: vec![("DCGM_FI_DEV_GPU_UTIL".into(), "this login may not read it".into())],
                ..Observation::default()
            }),
            "this login may not read it.",
        ),
    ] {
        let mut desk = Desk::demo(120, 40);
        desk.card(outcome);
        let screen = desk.screen();
        assert!(screen.contains(words), "{words}\n{screen}");
    }
}

#[test]
fn a_card_that_is_lost_while_others_answer_is_told_first() {
    let mut desk = Desk::demo(80, 24);
    desk.card(Ok(card(&[("GPU_UTIL", 97.0)], &[])));
    let other = Point::gauge("DCGM_FI_DEV_GPU_UTIL", &[("gpu", "1")], 5.0);
    let facts = vec![("GPU 0 trouble".into(), "X GPU-1 is lost since 03:12:02: last Xid 79".into())];
    desk.card(Ok(Observation { points: vec![other], facts, ..Observation::default() }));
    let screen = desk.screen();
    assert!(screen.contains("X GPU-1 is lost since 03:12:02"), "{screen}");
    assert!(!screen.contains("No sampler gives"), "{screen}");
    assert_eq!(screen.matches("is lost since").count(), 1, "once is enough: {screen}");
}

#[test]
fn a_series_that_left_before_its_sampler_failed_tells_the_failure() {
    let mut desk = Desk::demo(80, 24);
    desk.card(Ok(card(&[("GPU_UTIL", 97.0)], &[])));
    desk.card(Ok(card(&[], &[])));
    desk.card(Err(Failure::unreachable("the driver is gone.")));
    let screen = desk.screen();
    assert!(screen.contains("the driver is gone.") && !screen.contains("No sampler gives"), "{screen}");
}

#[test]
fn a_card_may_be_named_by_its_uuid() {
    let mut desk = Desk::of(
        "[samplers.gpu]\nkind = \"host\"\n\n[[panes]]\ntitle = \"Card\"\nkind = \"gpu\"\ngpu = \"GPU-8f2c\"\n",
        (80, 24),
    );
    let points = [("0", "GPU-1111", 12.0), ("1", "GPU-8f2c", 34.0)]
        .map(|(gpu, uuid, value)| Point::gauge("DCGM_FI_DEV_GPU_UTIL", &[("gpu", gpu), ("UUID", uuid)], value));
    let facts = vec![("GPU 1 throttled".into(), "power cap".into()), ("GPU 0 throttled".into(), "too hot".into())];
    desk.card(Ok(Observation { points: points.into(), facts, ..Observation::default() }));
    let screen = desk.screen();
    assert!(screen.contains("34 %") && !screen.contains("12 %"), "{screen}");
    assert!(screen.contains("throttled: power cap") && !screen.contains("too hot"), "{screen}");
}
