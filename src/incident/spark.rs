//! The course of a value in one line of text, with its least, middle and most.

/// From low to high.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const PLAIN: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];
/// Columns of a line at most.
const WIDTH: usize = 60;

/// Least, middle and most of what is finite; `None` when there is nothing.
pub fn figures(values: &[Option<f64>]) -> Option<(f64, f64, f64)> {
    let mut known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    let middle = known.get(known.len() / 2).copied()?;
    let below = known.get((known.len() - 1) / 2).copied()?;
    Some((*known.first()?, f64::midpoint(below, middle), *known.last()?))
}

/// A column a value, oldest first; a blank where there was none. Longer courses are drawn by the mean of neighbours.
pub fn line(values: &[Option<f64>], ascii: bool) -> String {
    let columns = shrink(values);
    let Some((least, _, most)) = figures(&columns) else { return String::new() };
    let letters = if ascii { PLAIN } else { BLOCKS };
    let column = |value: &Option<f64>| {
        let Some(value) = value.filter(|value| value.is_finite()) else { return ' ' };
        let share = if most > least { (value - least) / (most - least) } else { 0.0 };
        let at = (share * 7.0).round().clamp(0.0, 7.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=7 above")]
        letters.get(at as usize).copied().unwrap_or(' ')
    };
    columns.iter().map(column).collect()
}

fn shrink(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let per = values.len().div_ceil(WIDTH).max(1);
    let mean = |part: &[Option<f64>]| {
        let known: Vec<f64> = part.iter().flatten().copied().filter(|value| value.is_finite()).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    values.chunks(per).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_rises_has_gaps_and_keeps_to_its_width() {
        let rising: Vec<Option<f64>> = (0..8).map(|n| Some(f64::from(n))).collect();
        assert_eq!(line(&rising, false), "▁▂▃▄▅▆▇█");
        assert_eq!(line(&rising, true), "_.:-=+*#");
        assert_eq!(line(&[Some(1.0), None, Some(2.0)], true), "_ #");
        assert_eq!(line(&[Some(3.0), Some(3.0)], true), "__");
        assert_eq!(line(&[None, Some(f64::NAN)], true), "");
        let long: Vec<Option<f64>> = (0..1_000).map(|n| Some(f64::from(n))).collect();
        assert!(line(&long, true).len() <= WIDTH);
        assert_eq!(figures(&[Some(5.0), None, Some(1.0), Some(2.0), Some(f64::INFINITY)]), Some((1.0, 2.0, 5.0)));
        assert_eq!(figures(&[Some(1.0), Some(2.0)]), Some((1.0, 1.5, 2.0)));
        assert_eq!(figures(&[]), None);
    }
}
