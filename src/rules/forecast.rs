//! Time to a threshold: when a value that rises or falls steadily reaches its limit, with a 95 % interval, or nothing.
//! The slope is Theil's and Sen's, the interval Sen's; sources and formulas stand at [`forecast`] and [`Slopes`].

use super::deviation::median;
use crate::base::Mono;
use core::time::Duration;

/// Points that are looked at; more are thinned out evenly.
const POINTS: usize = 120;
/// Fewer points, or a shorter span, tell nothing.
const LEAST_POINTS: usize = 12;
const LEAST_SPAN: Duration = Duration::from_mins(1);
/// Nothing is foretold beyond this, nor beyond so many times the observed span.
const HORIZON: Duration = Duration::from_hours(48);
const REACH: f64 = 60.0;
/// Kendall's tau of a steady course is at least this.
const STEADY: f64 = 0.5;
/// Half of the points lie nearer to the line than this share of the rise.
const NEAR: f64 = 0.1;
/// The interval is no wider than this share of the time.
const SURE: f64 = 0.5;
/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.96;

/// When a limit will be reached, if nothing changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The limit, in the value's base unit.
    pub limit: f64,
    /// From now.
    pub after: Duration,
    /// Half of the 95 % interval; the wider side.
    pub margin: Duration,
}

/// When the course of `points` (oldest first) reaches `limit`, seen from `now`. `None` unless the fit is good: a
/// steady course towards the limit, points near their line also at its end, and an interval worth saying. The whole
/// span is tried first, then its last quarter, then its last sixteenth, so that a new trend need not outlast the old;
/// but not one that has turned back before, as a sawtooth does.
///
/// Slope: the median of the slopes of all pairs of points, which up to 29 % of outliers do not move (Theil 1950;
/// Sen 1968, "Estimates of the regression coefficient based on Kendall's tau", JASA 63).
pub fn forecast(points: &[(Mono, f64)], limit: f64, now: Mono) -> Option<Forecast> {
    let points: Vec<(Mono, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let span = last.since(first);
    let newest = median(points.iter().rev().take(3).map(|(_, value)| *value).collect())?;
    [1, 4, 16].into_iter().find_map(|part| {
        let (earlier, recent) = points.split_at(points.partition_point(|(at, _)| *at < last - span / part));
        let recent = thinned(recent, now);
        let line = fit(&recent)?;
        let held = (newest - line.base).abs() <= line.tolerance() && !line.was_passed(earlier);
        line.reaches(limit).filter(|_| held)
    })
}

/// At most [`POINTS`] of them, evenly, the newest among them; seconds before now, and value.
fn thinned(points: &[(Mono, f64)], now: Mono) -> Vec<(f64, f64)> {
    let last = points.len().saturating_sub(1);
    let count = points.len().min(POINTS);
    let picked = (0..count).filter_map(|at| points.get(last * at / count.saturating_sub(1).max(1)));
    picked.map(|(at, value)| (-now.since(*at).as_secs_f64(), *value)).collect()
}

/// A line that fits, with what is known of its slope.
struct Line {
    slope: f64,
    /// The slopes that enclose the true one at 95 %.
    interval: (f64, f64),
    /// The value now.
    base: f64,
    /// Half of the points lie nearer.
    spread: f64,
    span: f64,
}

fn fit(points: &[(f64, f64)]) -> Option<Line> {
    let span = points.last()?.0 - points.first()?.0;
    if points.len() < LEAST_POINTS || span < LEAST_SPAN.as_secs_f64() {
        return None;
    }
    let slopes = Slopes::of(points)?;
    let slope = slopes.at(0.5).filter(|slope| *slope != 0.0)?;
    let base = median(points.iter().map(|(x, y)| y - slope * x).collect())?;
    let residuals: Vec<f64> = points.iter().map(|(x, y)| y - slope * x - base).collect();
    let spread = median(residuals.iter().map(|residual| residual.abs()).collect())?;
    let line = Line { slope, interval: slopes.interval(autocorrelation(&residuals))?, base, spread, span };
    let good = slopes.tau.abs() >= STEADY
        && spread <= NEAR * slope.abs() * span
        && ends_on_line(&residuals, line.tolerance())
        && goes_on(points, slope);
    good.then_some(line)
}

impl Line {
    /// What lies within this of the line lies on it.
    fn tolerance(&self) -> f64 {
        (4.0 * self.spread).max(0.05 * self.slope.abs() * self.span)
    }

    /// Whether values before its beginning were beyond it: the course has turned back once.
    fn was_passed(&self, earlier: &[(Mono, f64)]) -> bool {
        let sign = self.slope.signum();
        let begin = sign * (self.base - self.slope * self.span) + 2.0 * self.tolerance();
        let beyond = earlier.iter().filter(|(_, value)| sign * value > begin).count();
        beyond * 20 > earlier.len()
    }

    fn reaches(&self, limit: f64) -> Option<Forecast> {
        let after = |slope: f64| Some((limit - self.base) / slope).filter(|after| *after > 0.0);
        let ahead = after(self.slope)?;
        let margin = (after(self.interval.0)? - ahead).abs().max((after(self.interval.1)? - ahead).abs());
        let within = ahead <= HORIZON.as_secs_f64().min(REACH * self.span) && margin <= SURE * ahead;
        let seconds = |of: f64| Duration::try_from_secs_f64(of).ok();
        within.then_some(())?;
        Some(Forecast { limit, after: seconds(ahead)?, margin: seconds(margin)? })
    }
}

/// The newest tenth lies on the line too: after a plateau it does not.
fn ends_on_line(residuals: &[f64], tolerance: f64) -> bool {
    let tail = residuals.len() - (residuals.len() / 10).max(5).min(residuals.len());
    let newest = residuals.get(tail..).unwrap_or_default().to_vec();
    median(newest).is_some_and(|off| off.abs() <= tolerance)
}

/// The later half rises about as fast as the whole.
fn goes_on(points: &[(f64, f64)], slope: f64) -> bool {
    let later = points.get(points.len() / 2..).and_then(Slopes::of).and_then(|slopes| slopes.at(0.5));
    later.is_some_and(|later| (0.5..=2.0).contains(&(later / slope)))
}

/// The slopes of all pairs, sorted, and what Kendall's statistic says of them. The interval comes from the order
/// statistics of the slopes under the normal approximation of Kendall's S with ties (Sen 1968; Gilbert 1987,
/// "Statistical Methods for Environmental Pollution Monitoring", 16.5), its variance inflated by (1 + r) / (1 - r) for
/// the lag-1 autocorrelation r of the residuals, since neighbouring samples are not independent.
struct Slopes {
    sorted: Vec<f64>,
    /// Kendall's tau-b with the time, which has no ties.
    tau: f64,
    /// Standard deviation of Kendall's S.
    deviation: f64,
}

impl Slopes {
    fn of(points: &[(f64, f64)]) -> Option<Self> {
        let mut sorted = Vec::with_capacity(points.len() * points.len() / 2);
        for (at, (x, y)) in points.iter().enumerate() {
            let later = points.get(at + 1..).unwrap_or_default();
            sorted.extend(later.iter().filter(|(next, _)| next > x).map(|(next, value)| (value - y) / (next - x)));
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let (pairs, count) = (sorted.len() as f64, points.len() as f64);
        let falling = sorted.partition_point(|slope| *slope < 0.0) as f64;
        let rising = pairs - sorted.partition_point(|slope| *slope <= 0.0) as f64;
        let mut values: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
        values.sort_unstable_by(f64::total_cmp);
        let ties: f64 = values
            .chunk_by(|a, b| a == b)
            .map(|tied| tied.len() as f64)
            .map(|tied| tied * (tied - 1.0) * (2.0 * tied + 5.0))
            .sum();
        let variance = (count * (count - 1.0) * (2.0 * count + 5.0) - ties) / 18.0;
        let tau = (rising - falling) / (pairs * (rising + falling)).sqrt();
        (variance > 0.0 && tau.is_finite()).then(|| Self { sorted, tau, deviation: variance.sqrt() })
    }

    /// The slope at this share of all; a median lies at one half.
    fn at(&self, share: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=last")]
        let rank = (share * last as f64).clamp(0.0, last as f64).round() as usize;
        self.sorted.get(rank).copied()
    }

    /// The slopes that enclose the true one at 95 %, for residuals with this autocorrelation.
    fn interval(&self, autocorrelation: f64) -> Option<(f64, f64)> {
        let inflated = self.deviation * ((1.0 + autocorrelation) / (1.0 - autocorrelation)).sqrt();
        let half = Z * inflated / self.sorted.len() as f64 / 2.0;
        Some((self.at(0.5 - half)?, self.at(0.5 + half)?))
    }
}

/// Lag-1 autocorrelation, 0–0.99; what is negative counts as none.
fn autocorrelation(residuals: &[f64]) -> f64 {
    let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let products: f64 = residuals.iter().zip(residuals.iter().skip(1)).map(|(a, b)| a * b).sum();
    if squares > 0.0 { (products / squares).clamp(0.0, 0.99) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::backoff::Jitter;
    use proptest::prelude::*;

    const NOW: Mono = Mono(1_000_000_000_000_000);

    /// One point a second, the newest now.
    fn course(count: u32, value: impl Fn(f64) -> f64) -> Vec<(Mono, f64)> {
        let at = |back: u32| NOW - Duration::from_secs(u64::from(back));
        (0..count).rev().map(|back| (at(back), value(f64::from(count - 1 - back)))).collect()
    }

    fn told(points: &[(Mono, f64)], limit: f64) -> Option<(u64, u64)> {
        forecast(points, limit, NOW).map(|found| (found.after.as_secs(), found.margin.as_secs()))
    }

    #[test]
    fn a_line_reaches_its_limit_when_it_says() {
        let rising = course(600, |x| 0.5 + x * 0.0005);
        assert_eq!(told(&rising, 1.0), Some((401, 0)));
        let falling = course(600, |x| 1_000.0 - x);
        assert_eq!(told(&falling, 0.0), Some((401, 0)));
    }

    #[test]
    fn what_goes_nowhere_or_away_or_is_there_already_is_silent() {
        assert_eq!(told(&course(600, |_| 0.9), 1.0), None, "flat");
        assert_eq!(told(&course(600, |x| 0.9 - x * 1e-4), 1.0), None, "away from the limit");
        assert_eq!(told(&course(600, |x| 0.9 + x * 1e-3), 1.0), None, "reached");
        assert_eq!(told(&course(40, |x| 0.5 + x * 1e-3), 1.0), None, "too short");
        assert_eq!(told(&course(600, |x| 0.5 + x * 1e-7), 1.0), None, "beyond the horizon");
        assert_eq!(told(&[], 1.0), None);
        assert_eq!(told(&course(600, |_| f64::NAN), 1.0), None);
    }

    #[test]
    fn a_sawtooth_and_a_wave_are_silent_wherever_they_stand() {
        for teeth in [1.3, 1.6, 2.2, 3.4, 5.5, 9.1, 20.7, 5.98, 16.0] {
            let saw = course(1_200, |x| 0.2 + 0.5 * (x / 1_200.0 * teeth).fract());
            assert_eq!(told(&saw, 1.0), None, "{teeth} teeth");
        }
        for waves in [1.0, 1.75, 2.5, 4.0] {
            let wave = course(1_200, |x| 0.5 + 0.2 * (x / 1_200.0 * waves * core::f64::consts::TAU).sin());
            assert_eq!(told(&wave, 1.0), None, "{waves} waves");
        }
    }

    #[test]
    fn one_point_in_five_may_be_wild() {
        let wild = course(500, |x| if x % 5.0 == 2.0 { x + (x * 7.3).sin() * 900.0 } else { x });
        let (after, margin) = told(&wild, 999.0).expect("the others rise");
        assert!((490..=510).contains(&after) && margin < 60, "{after} ± {margin}");
    }

    #[test]
    fn a_reset_is_not_extrapolated() {
        let grown = course(600, |x| if x < 590.0 { 0.3 + x * 0.001 } else { 0.1 + (x - 590.0) * 0.001 });
        assert_eq!(told(&grown, 1.0), None);
        let full = course(600, |x| (0.3 + x * 0.001).min(0.7));
        assert_eq!(told(&full, 1.0), None, "it has stopped");
    }

    #[test]
    fn a_new_trend_is_told_soon() {
        let late = course(2_400, |x| 0.2 + (x - 2_000.0).max(0.0) * 0.0005);
        let (after, margin) = told(&late, 1.0).expect("the last quarter or sixteenth rises");
        assert!((1_150..1_260).contains(&after) && margin < 100, "{after} ± {margin}");
    }

    #[test]
    fn steps_of_a_coarse_value_are_a_trend_with_an_interval() {
        let coarse = course(900, |x| ((0.60 + x * 0.0002) * 100.0).round() / 100.0);
        let (after, margin) = told(&coarse, 1.0).expect("it rises");
        assert!((1_000..1_230).contains(&after) && margin > 0 && margin < 300, "{after} ± {margin}");
    }

    proptest! {
        #[test]
        fn an_exact_line_is_recovered(slope in 1e-4_f64..10.0, base in -100.0_f64..100.0, ahead in 10.0_f64..3_000.0) {
            let points = course(400, |x| base + slope * x);
            let limit = base + slope * (399.0 + ahead);
            let found = forecast(&points, limit, NOW).expect("a line");
            prop_assert!((found.after.as_secs_f64() - ahead).abs() < 1e-3 * ahead + 1e-3, "{found:?}");
            prop_assert!(found.margin.as_secs_f64() < 1e-2 * ahead + 1e-2);
        }

        #[test]
        fn outliers_do_not_move_it(seed: u64, wild in 1.0_f64..1e6) {
            let mut jitter = Jitter(seed);
            let noisy: Vec<f64> = (0..400).map(|_| if jitter.unit() < 0.2 { (jitter.unit() - 0.5) * wild } else { 0.0 }).collect();
            let points: Vec<(Mono, f64)> = course(400, |x| x).into_iter().zip(&noisy).map(|((at, y), wild)| (at, 100.0 + y + wild)).collect();
            if let Some(found) = forecast(&points, 999.0, NOW) {
                prop_assert!((found.after.as_secs_f64() - 500.0).abs() <= 25.0, "{found:?}");
            }
        }

        #[test]
        fn noise_is_silent(seed: u64, size in 1e-3_f64..10.0) {
            let mut jitter = Jitter(seed);
            let noise: Vec<f64> = (0..600).map(|_| jitter.unit() * size).collect();
            let points: Vec<(Mono, f64)> = course(600, |_| 0.0).into_iter().zip(noise).map(|((at, _), y)| (at, y)).collect();
            for limit in [size, size * 1.5, 0.0, -size] {
                prop_assert_eq!(forecast(&points, limit, NOW), None);
            }
        }

        #[test]
        fn no_points_make_it_fail(points in prop::collection::vec((any::<u64>(), any::<f64>()), 0..200), limit: f64) {
            let mut points: Vec<(Mono, f64)> = points.into_iter().map(|(at, y)| (Mono(at), y)).collect();
            points.sort_by_key(|(at, _)| *at);
            if let Some(found) = forecast(&points, limit, NOW) {
                prop_assert!(found.after <= HORIZON && found.margin <= found.after);
            }
        }
    }
}
