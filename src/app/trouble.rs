//! Why a source gives nothing new, in a sentence that says since when.

use crate::base::time::Zone;
use crate::base::{Clean, Failure, Freshness, Mono, Now, Unknown};
use crate::clean;
use crate::store::{Feeder, SamplerHealth, Selector, Store};

/// What is wrong with a sampler now: its failure with since when it fails, or since when it has not answered.
/// `None` while its last attempt was good and is not late.
pub fn of(health: &SamplerHealth, now: Mono, zone: Zone) -> Option<Clean> {
    if let Some(failure) = &health.failure {
        return Some(sentence(failure, health.last_good, zone));
    }
    let good = health.last_good?;
    let late = Freshness::judge(now.since(good.mono), health.interval, false) > Freshness::Live;
    late.then(|| clean!("no answer since {}.", good.wall.hms_in(zone)))
}

/// A failure with since when: the moment of the last good answer. One that tells it itself stays as it is.
pub fn sentence(failure: &Failure, last_good: Option<Now>, zone: Zone) -> Clean {
    let what = &failure.what;
    match last_good {
        _ if what.as_str().contains("since ") => what.clone(),
        Some(good) => clean!("since {}: {what}", good.wall.hms_in(zone)),
        None => what.clone(),
    }
}

/// Why nothing is known, as a sentence.
pub fn why(unknown: &Unknown) -> Clean {
    match unknown {
        Unknown::NotYet => Clean::text("Waiting for the first answer."),
        Unknown::NoSuchSeries => Clean::text("No sampler gives this series."),
        Unknown::Empty => Clean::text("The expression has no value now."),
        Unknown::Failed(why) | Unknown::NotPermitted(why) => why.clone(),
    }
}

/// Why a metric is not to be had here, by the sampler that would give it.
pub(super) fn not_offered(store: &Store, selectors: &[Selector]) -> Option<Clean> {
    let why = selectors.iter().filter_map(Selector::metric_name).find_map(|name| store.not_supported(name))?;
    Some(clean!("Not offered here: {why}."))
}

/// The first trouble among those who feed an expression; last that of one whose failed attempt gave what is wanted.
pub(super) fn among(feeders: &[Feeder<'_>], now: Mono, zone: Zone) -> Option<Clean> {
    let told = |is: bool| feeders.iter().filter(move |feeder| feeder.told_failing == is);
    told(false).chain(told(true)).find_map(|feeder| of(feeder.health, now, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Wall;
    use core::time::Duration;

    fn at(second: u64) -> Now {
        Now { mono: Mono(second * 1_000_000_000), wall: Wall(i64::try_from(second * 1_000_000_000).expect("small")) }
    }

    #[test]
    fn a_failure_says_since_when_once() {
        let refused = Failure::unreachable("refused.");
        assert_eq!(sentence(&refused, Some(at(62)), Zone::UTC).as_str(), "since 00:01:02: refused.");
        assert_eq!(sentence(&refused, None, Zone::UTC).as_str(), "refused.");
        let told = Failure::unreachable("no answer within 1.00 s, since 00:00:07 UTC.");
        assert_eq!(sentence(&told, Some(at(5)), Zone::UTC), told.what);
    }

    #[test]
    fn who_gives_nothing_is_named_before_who_fails_and_tells() {
        let interval = Duration::from_secs(1);
        let failure = Some(Failure::answered("503."));
        let bad = SamplerHealth { interval, failure, last_good: Some(at(10)), ..SamplerHealth::default() };
        let late = SamplerHealth { interval, last_good: Some(at(11)), ..SamplerHealth::default() };
        let names = ["bad".into(), "late".into()];
        let of = |name, health, told_failing| Feeder {
            name,
            health,
            since: None,
            evicting: false,
            told_failing,
            came: None,
        };
        let feeders = [of(&names[0], &bad, true), of(&names[1], &late, false)];
        assert_eq!(among(&feeders, at(20).mono, Zone::UTC).expect("late").as_str(), "no answer since 00:00:11.");
        assert_eq!(among(&feeders, at(12).mono, Zone::UTC).expect("bad").as_str(), "since 00:00:10: 503.");
    }

    #[test]
    fn a_silence_without_a_failure_says_since_when_and_a_good_source_nothing() {
        let interval = Duration::from_secs(1);
        let health = SamplerHealth { interval, last_good: Some(at(10)), ..SamplerHealth::default() };
        assert_eq!(of(&health, at(13).mono, Zone::UTC), None);
        assert_eq!(of(&health, at(14).mono, Zone::UTC).expect("late").as_str(), "no answer since 00:00:10.");
        assert_eq!(of(&SamplerHealth::default(), at(14).mono, Zone::UTC), None);
    }
}
