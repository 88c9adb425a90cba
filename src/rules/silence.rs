//! Silences: alerts that some matchers mean are muted for a while, for a reason. Other than an acknowledgement, which
//! belongs to one alert and ends with it, a silence ends with its time, whatever the alerts do.

use super::matchers::Matchers;
use crate::base::{Clean, Fault, Now, Wall};
use core::time::Duration;

/// A silence lasts no longer.
pub const LONGEST: Duration = Duration::from_hours(4);

/// One silence.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Silence {
    /// Unique in a profile's state.
    pub id: u64,
    /// Which alerts.
    pub matchers: Matchers,
    /// Why.
    pub reason: Clean,
    /// Login that made it.
    pub by: Clean,
    /// When.
    pub at: Now,
    /// For how long, at most [`LONGEST`].
    pub lasts: Duration,
    /// Somebody ended it before its time; kept until then, so that other consoles learn of it.
    #[serde(default)]
    pub ended: bool,
}

impl Silence {
    /// A silence from now on. Its number comes from the moment.
    ///
    /// # Errors
    /// A time of zero or above [`LONGEST`], or no reason.
    pub fn new(matchers: Matchers, reason: Clean, by: Clean, lasts: Duration, now: Now) -> Result<Self, Fault> {
        if lasts.is_zero() || lasts > LONGEST {
            return Err(Fault::new("a silence lasts longer than nothing and at most 4 hours.")
                .hint("What should never alert is mended in its rule."));
        }
        if reason.as_str().trim().is_empty() {
            return Err(Fault::new("a silence needs a reason.").hint("Who comes next must know why nothing is heard."));
        }
        let id = u64::try_from(now.wall.0).unwrap_or(now.mono.0);
        Ok(Self { id, matchers, reason, by, at: now, lasts, ended: false })
    }

    /// How much of it is left; `None` when it is over. By the clock that nobody sets.
    pub fn left(&self, now: Now) -> Option<Duration> {
        self.lasts.min(LONGEST).checked_sub(now.since(self.at)).filter(|left| !left.is_zero() && !self.ended)
    }

    /// When it ends by the wall clock of now.
    pub fn until(&self, now: Now) -> Wall {
        now.wall.ahead(self.left(now).unwrap_or_default())
    }

    /// Its time has come, whether or not somebody ended it.
    pub fn is_past(&self, now: Now) -> bool {
        now.since(self.at) >= self.lasts.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Mono;

    fn at(seconds: u64, wall: i64) -> Now {
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(wall * 1_000_000_000) }
    }

    #[test]
    fn a_silence_counts_down_by_the_clock_that_nobody_sets() {
        let matchers = Matchers::parse("alertname=A").expect("parses");
        let hour = Duration::from_hours(1);
        let silence =
            Silence::new(matchers.clone(), "deploy".into(), "ada".into(), hour, at(100, 1_000)).expect("fits");
        assert_eq!(silence.left(at(160, 1_060)), Some(Duration::from_mins(59)));
        // The wall clock was set back a day, then ahead a day.
        assert_eq!(silence.left(at(160, -85_340)), Some(Duration::from_mins(59)));
        assert_eq!(silence.left(at(160, 87_460)), Some(Duration::from_mins(59)));
        assert_eq!(silence.left(at(3_700, 4_600)), None);
        assert_eq!(silence.until(at(160, 1_060)), Wall(4_600_000_000_000));
        let ended = Silence { ended: true, ..silence };
        assert_eq!((ended.left(at(160, 1_060)), ended.is_past(at(160, 1_060))), (None, false));
        for lasts in [Duration::ZERO, LONGEST + Duration::from_secs(1)] {
            assert!(Silence::new(matchers.clone(), "deploy".into(), "ada".into(), lasts, at(0, 0)).is_err());
        }
        assert!(Silence::new(matchers, " ".into(), "ada".into(), hour, at(0, 0)).is_err());
    }
}
