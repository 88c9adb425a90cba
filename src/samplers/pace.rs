//! How much longer than asked the pauses between attempts are, and what watching costs us: pure arithmetic.
//! Nothing watched may suffer from being watched: above 5 % of a core for ten seconds all intervals are lengthened.

use crate::base::Mono;
use core::time::Duration;

/// What `--gentle` multiplies all intervals by.
const GENTLE: u32 = 5;
/// Above this share of a core watching costs too much.
const HOT: f64 = 0.05;
/// For so long, until it is believed.
const HOT_FOR: Duration = Duration::from_secs(10);
/// Below this share an earlier lengthening is taken back by half.
const COOL: f64 = 0.02;
/// For so long.
const COOL_FOR: Duration = Duration::from_secs(60);
/// Not longer than so many times, for its own cost.
const MOST: u32 = 8;

/// The factor in force, and since when the cost asks for another.
#[derive(Debug)]
pub(crate) struct Pace {
    /// What was asked for, or what the cap on attempts a second makes necessary.
    base: u32,
    /// What our own cost adds to it.
    own: u32,
    hot: Option<Mono>,
    cool: Option<Mono>,
}

impl Pace {
    /// `rate` is how many attempts a second the profile asks for, `cap` how many there may be.
    pub(crate) fn new(gentle: bool, rate: f64, cap: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let crowd = (rate / cap.max(1) as f64).ceil().clamp(1.0, 1_000.0) as u32;
        Self { base: if gentle { crowd.max(GENTLE) } else { crowd }, own: 1, hot: None, cool: None }
    }

    /// What every interval is multiplied by.
    pub(crate) fn factor(&self) -> u32 {
        self.base * self.own
    }

    /// Takes a new reading of our own share of a core; true when the factor changed.
    pub(crate) fn note(&mut self, now: Mono, share: f64) -> bool {
        let long = |since: Option<Mono>, span| since.is_some_and(|since| now.since(since) >= span);
        self.hot = (share > HOT).then(|| self.hot.unwrap_or(now));
        self.cool = (share < COOL).then(|| self.cool.unwrap_or(now));
        if long(self.hot, HOT_FOR) && self.own < MOST {
            self.own *= 2;
            self.hot = Some(now);
            return true;
        }
        if long(self.cool, COOL_FOR) && self.own > 1 {
            self.own /= 2;
            self.cool = Some(now);
            return true;
        }
        false
    }

    /// Why intervals are longer than the profile says: a word for the first line and a sentence; `None` when they are not.
    pub(crate) fn why(&self, gentle: bool) -> Option<(&'static str, String)> {
        let factor = self.factor();
        let (word, why) = match (self.own > 1, gentle) {
            _ if factor == 1 => return None,
            (true, _) => ("own cost", "our own cost was above 5 % of a core for 10 s"),
            (false, true) if self.base == GENTLE => ("--gentle", "--gentle"),
            (false, _) => ("50 a second", "the profile asks for more than 50 attempts a second"),
        };
        Some((word, format!("all intervals ×{factor}: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pace: &mut Pace, from: u64, seconds: u64, share: f64) -> u64 {
        for at in from..from + seconds {
            pace.note(Mono(at * 1_000_000_000), share);
        }
        from + seconds
    }

    #[test]
    fn ten_hot_seconds_double_the_intervals_and_a_cool_minute_halves_them() {
        let mut pace = Pace::new(false, 3.0, 50);
        let at = run(&mut pace, 0, 10, 0.06);
        assert_eq!(pace.factor(), 1, "nine seconds are not ten");
        let at = run(&mut pace, at, 1, 0.06);
        assert_eq!(pace.factor(), 2);
        let at = run(&mut pace, at, 1, 0.04);
        let at = run(&mut pace, at, 10, 0.06);
        assert_eq!(pace.factor(), 2, "a cooler second begins anew");
        let at = run(&mut pace, at, 300, 0.5);
        assert_eq!(pace.factor(), 8, "there is an end");
        let at = run(&mut pace, at, 61, 0.01);
        assert_eq!(pace.factor(), 4);
        run(&mut pace, at, 300, 0.03);
        assert_eq!(pace.factor(), 4, "between the two nothing changes");
    }

    #[test]
    fn more_than_the_cap_is_spread_and_said() {
        let crowd = Pace::new(false, 500.0, 50);
        assert_eq!(crowd.factor(), 10);
        assert_eq!(
            crowd.why(false).as_ref().map(|(_, text)| text.as_str()),
            Some("all intervals ×10: the profile asks for more than 50 attempts a second")
        );
        assert_eq!(Pace::new(true, 1.0, 50).why(true), Some(("--gentle", "all intervals ×5: --gentle".to_owned())));
        assert_eq!(Pace::new(false, 50.0, 50).why(false), None);
    }
}
