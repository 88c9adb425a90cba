//! Least squares and smoothing over the points of a window.

use super::super::source::Millis;
use super::sum::Sum;

/// Slope a second, and the value at `origin`.
pub(super) fn linear(points: &[(Millis, f64)], origin: Millis) -> Option<(f64, f64)> {
    let first = points.first()?.1;
    if points.iter().skip(1).all(|point| point.1 == first) {
        // A NaN differs from itself: it takes the long way to NaN.
        return Some(if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) });
    }
    let (mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) =
        (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for (at, y) in points {
        let x = at.saturating_sub(origin) as f64 / 1000.0;
        x_sum.add(x);
        y_sum.add(*y);
        xy_sum.add(x * y);
        xx_sum.add(x * x);
    }
    let count = points.len() as f64;
    let [x, y, xy, xx] = [x_sum, y_sum, xy_sum, xx_sum].map(|sum| sum.sum + sum.lost);
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    Some((slope, y / count - slope * x / count))
}

/// Double exponential smoothing (Holt): the smoothed last value.
pub(super) fn smoothed(points: &[(Millis, f64)], smoothing: f64, trend: f64) -> Option<f64> {
    let [first, second, ..] = points else { return None };
    let (mut before, mut level) = (0.0, first.1);
    let mut slope = second.1 - first.1;
    for (index, (_, value)) in points.iter().skip(1).enumerate() {
        if index > 0 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        (before, level) = (level, next);
    }
    Some(level)
}
