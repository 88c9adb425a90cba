//! Functions of one number.

use super::super::function::Each;
use core::f64::consts::PI;

/// The function's value.
pub(super) fn each(function: Each, x: f64) -> f64 {
    match function {
        Each::Abs => x.abs(),
        Each::Acos => x.acos(),
        Each::Acosh => x.acosh(),
        Each::Asin => x.asin(),
        Each::Asinh => x.asinh(),
        Each::Atan => x.atan(),
        Each::Atanh => x.atanh(),
        Each::Ceil => x.ceil(),
        Each::Cos => x.cos(),
        Each::Cosh => x.cosh(),
        Each::Deg => x * 180.0 / PI,
        Each::Exp => x.exp(),
        Each::Floor => x.floor(),
        Each::Ln => x.ln(),
        Each::Log10 => x.log10(),
        Each::Log2 => x.log2(),
        Each::Rad => x * PI / 180.0,
        Each::Sgn if x < 0.0 => -1.0,
        Each::Sgn if x > 0.0 => 1.0,
        Each::Sgn => x,
        Each::Sin => x.sin(),
        Each::Sinh => x.sinh(),
        Each::Sqrt => x.sqrt(),
        Each::Tan => x.tan(),
        Each::Tanh => x.tanh(),
    }
}

/// Rounded to a multiple of `nearest`, a half upwards.
pub(super) fn rounded(x: f64, nearest: f64) -> f64 {
    let inverse = 1.0 / nearest;
    (x * inverse + 0.5).floor() / inverse
}

/// The larger of two; NaN when one is NaN, unless the other is infinity.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The smaller of two; NaN when one is NaN, unless the other is minus infinity.
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}
