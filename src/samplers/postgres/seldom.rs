//! What the catalogues told, kept between the minutes at which they are asked.

use crate::base::{Clean, Mono, Observation};
use crate::clean;
use crate::samplers::postgres::sql::SELDOM;
use core::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
/// Older answers are not passed on as if they were of now.
const STALE: Duration = Duration::from_secs(180);

/// When each question of [`SELDOM`] was asked last, and what it told.
pub(crate) struct Seldom {
    told: Vec<Option<(Mono, Observation)>>,
    cluster: Option<Clean>,
}

impl Seldom {
    pub(crate) fn new() -> Self {
        Self { told: SELDOM.iter().map(|_| None).collect(), cluster: None }
    }

    /// Forgets everything when the sample so far tells of another cluster than the last.
    pub(crate) fn of(&mut self, seen: &Observation) {
        let cluster = seen.facts.iter().find(|(fact, _)| fact.as_str() == "system_identifier");
        let Some((_, cluster)) = cluster else { return };
        if self.cluster.replace(cluster.clone()).is_some_and(|before| before != *cluster) {
            self.told.fill_with(|| None);
        }
    }

    pub(crate) fn is_due(&self, at: usize, now: Mono) -> bool {
        self.kept(at).is_none_or(|(last, _)| now.since(*last) >= MINUTE)
    }

    pub(crate) fn keep(&mut self, at: usize, now: Mono, told: Observation) {
        if let Some(place) = self.told.get_mut(at) {
            *place = Some((now, told));
        }
    }

    fn kept(&self, at: usize) -> Option<&(Mono, Observation)> {
        self.told.get(at).and_then(Option::as_ref)
    }

    /// Passes on what is young enough, and says why the rest is not there.
    pub(crate) fn tell(&self, now: Mono, seen: &mut Observation) {
        for (at, ask) in SELDOM.iter().enumerate() {
            match self.kept(at) {
                Some((last, told)) if now.since(*last) < STALE => {
                    seen.points.extend(told.points.iter().cloned());
                    seen.facts.extend(told.facts.iter().cloned());
                    seen.lack_too(told);
                }
                Some((last, _)) => {
                    let age = now.since(*last).as_secs();
                    ask.refuse(&clean!("not asked for {age} s: the server is too slow"), seen);
                }
                None => ask.refuse(&Clean::from("not asked yet: the server is slow"), seen),
            }
        }
        let oldest = self.told.iter().flatten().map(|(last, _)| now.since(*last)).max().unwrap_or_default();
        seen.facts.push((Clean::from("catalogues"), clean!("asked once a minute, last {} s ago", oldest.as_secs())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Point;

    #[test]
    fn an_answer_of_the_catalogues_ends_after_three_minutes_and_with_its_cluster() {
        let at = |seconds: u64| Mono(seconds * 1_000_000_000);
        let sample = |seldom: &mut Seldom, cluster: &'static str, now| {
            let mut seen = Observation::default();
            seen.facts.push((Clean::from("system_identifier"), Clean::from(cluster)));
            seldom.of(&seen);
            seldom.tell(now, &mut seen);
            let why = seen.not_supported.first().map(|(_, why)| why.to_string()).unwrap_or_default();
            (seen.points.len(), why)
        };
        let mut seldom = Seldom::new();
        let slow = "not asked yet: the server is slow".to_owned();
        assert_eq!(sample(&mut seldom, "a", at(1)), (0, slow.clone()));
        for (ask, _) in SELDOM.iter().enumerate() {
            let points = vec![Point::gauge("pg_database_size_bytes", &[], 1.0)];
            seldom.keep(ask, at(1), Observation { points, ..Observation::default() });
        }
        assert!(!seldom.is_due(0, at(60)) && seldom.is_due(0, at(61)));
        assert_eq!(sample(&mut seldom, "a", at(180)), (SELDOM.len(), String::new()));
        assert_eq!(sample(&mut seldom, "a", at(181)), (0, "not asked for 180 s: the server is too slow".to_owned()));
        assert_eq!(sample(&mut seldom, "b", at(100)), (0, slow));
        assert!(seldom.is_due(0, at(100)));
    }
}
