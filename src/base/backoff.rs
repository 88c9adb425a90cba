//! When to try again after failures: full jitter, so that many samplers never knock together.

use core::time::Duration;

/// Base of the exponential growth.
const BASE: Duration = Duration::from_secs(1);
/// No pause is longer.
pub const CAP: Duration = Duration::from_secs(60);

/// Pause before the next attempt: `random(0, min(60 s, 1 s × 2^failures))`. `random` lies in 0..1.
pub fn full_jitter(failures: u32, random: f64) -> Duration {
    let ceiling = BASE.saturating_mul(1_u32.checked_shl(failures.min(30)).unwrap_or(u32::MAX)).min(CAP);
    ceiling.mul_f64(random.clamp(0.0, 1.0))
}

/// A small seeded generator (SplitMix64) for jitter; not for secrets.
#[derive(Clone, Debug)]
pub struct Jitter(pub u64);

impl Jitter {
    /// The next number in 0..1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
        {
            (self.next() >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a generator without end, used for single numbers")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pause_is_never_above_its_ceiling(failures in 0_u32..1_000, random in 0.0_f64..1.0) {
            let pause = full_jitter(failures, random);
            prop_assert!(pause <= Duration::from_secs(60));
            prop_assert!(pause.as_secs_f64() <= 2_f64.powi(i32::try_from(failures.min(6)).unwrap_or(6)));
        }

        #[test]
        fn jitter_stays_below_one(seed in any::<u64>()) {
            let mut jitter = Jitter(seed);
            for _ in 0..50 { let x = jitter.unit(); prop_assert!((0.0..1.0).contains(&x)); }
        }
    }
}
