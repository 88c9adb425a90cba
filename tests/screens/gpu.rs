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
    ] {
        let mut desk = Desk::demo(120, 40);
        desk.card(outcome);
        let screen = desk.screen();
        assert!(screen.contains(words), "{words}\n{screen}");
    }
}
