//! The φ-quantile of numbers.

use core::cmp::Ordering;

/// NaN comes first, and is equal to itself.
pub(super) fn nan_first(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// The φ-quantile, interpolated between neighbours. Reorders the numbers; to sort them all would cost most of a window.
pub(super) fn quantile(phi: f64, numbers: &mut [f64]) -> f64 {
    if numbers.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    let top = numbers.len() - 1;
    let rank = phi * top as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= rank <= top")]
    let lower = (rank.floor() as usize).min(top);
    let weight = rank - rank.floor();
    let (_, low, above) = numbers.select_nth_unstable_by(lower, |a, b| nan_first(*a, *b));
    let next = above.iter().copied().min_by(|a, b| nan_first(*a, *b)).unwrap_or(*low);
    *low * (1.0 - weight) + next * weight
}
