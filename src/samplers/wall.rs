//! The second wall around secrets: whatever leaves a sampler is searched for each one that was read, in every usual
//! form. The first is that nobody writes one into a text.

use crate::base::{Clean, Failure, Observation, Point, SeriesKey};
use crate::sys::secret::{self, hide_clean};

/// What may leave.
pub(crate) fn hide(outcome: &mut Result<Observation, Failure>) {
    if !secret::any() {
        return;
    }
    match outcome {
        Ok(seen) => hide_seen(seen),
        Err(failure) => {
            hide_clean(&mut failure.what);
            hide_seen(&mut failure.seen);
        }
    }
}

fn hide_seen(seen: &mut Observation) {
    seen.points.iter_mut().for_each(hide_point);
    for (name, text) in seen.facts.iter_mut().chain(&mut seen.not_supported).chain(&mut seen.refused) {
        hide_clean(name);
        hide_clean(text);
    }
}

fn hide_point(point: &mut Point) {
    let key = &mut point.key;
    hide_clean(&mut key.name);
    // A series keeps its labels for life: they are made anew only when there is something to hide.
    let told = |text: &Clean| matches!(secret::hide(text.as_str()), std::borrow::Cow::Owned(_));
    if key.labels.iter().any(|(name, value)| told(name) || told(value)) {
        let mut labels: Vec<(Clean, Clean)> = key.labels.to_vec();
        for (name, value) in &mut labels {
            hide_clean(name);
            hide_clean(value);
        }
        labels.sort();
        *key = SeriesKey { name: key.name.clone(), labels: labels.into() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_sample_tells_a_secret() {
        drop(secret::Secret::new("wall-secret-of-a-sample".to_owned()));
        let text = || Clean::from("a wall-secret-of-a-sample z");
        let key = SeriesKey::new(
            "a_wall-secret-of-a-sample",
            &[("wall-secret-of-a-sample", "x"), ("b", "wall-secret-of-a-sample")],
        );
        let mut seen = Ok(Observation {
            points: vec![Point { key, ..Point::gauge("", &[], 1.0) }, Point::gauge("up", &[("b", "c")], 1.0)],
            facts: vec![(text(), text())],
            not_supported: vec![(text(), text())],
            refused: vec![(text(), text())],
        });
        hide(&mut seen);
        let seen = seen.expect("good");
        let shown = format!("{seen:?}");
        assert!(!shown.contains("wall-secret") && shown.matches("<redacted>").count() == 9, "{shown}");
        assert_eq!(seen.points.get(1), Some(&Point::gauge("up", &[("b", "c")], 1.0)));
        let point = Point::gauge("up", &[("b", "wall-secret-of-a-sample")], 0.0);
        let mut failed = Err(Failure::answered("x says wall-secret-of-a-sample.").with([point]));
        hide(&mut failed);
        let failed = failed.expect_err("bad");
        assert_eq!(failed.what.as_str(), "x says <redacted>.");
        assert_eq!(failed.seen.points, [Point::gauge("up", &[("b", "<redacted>")], 0.0)]);
    }
}
