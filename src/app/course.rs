//! The recent course of a value: columns of a chart on a fixed grid of time, for one of a few ranges.

use crate::action::verify::median;
use crate::base::Mono;
use core::time::Duration;
use std::collections::VecDeque;

/// A range is made of so many columns; a screen as wide as that shows each of them.
pub const COLUMNS: u32 = 300;
/// From the beginning of a minute to its last moment.
const ALL_BUT_A_BIT: Duration = Duration::from_nanos(59_999_999_999);
/// Columns on each side of a mark that its medians are of, and how few are none.
const BESIDE: usize = 30;
const FEW: usize = 3;
/// Columns that the cursor goes at once where a chart groups them.
const CURSOR: u32 = 5;
/// Columns kept: a chart whose columns are grouped covers a little more than its range.
const KEPT: usize = 600;

/// How far back charts reach. The board has one for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Range {
    /// The last minutes at two seconds a column: as many as the chart is wide.
    #[default]
    Now,
    /// Ten minutes.
    TenMinutes,
    /// One hour.
    Hour,
    /// Six hours.
    SixHours,
    /// One day.
    Day,
    /// Two days.
    TwoDays,
}

impl Range {
    /// Every range, the narrowest first.
    pub const ALL: [Self; 6] = [Self::Now, Self::TenMinutes, Self::Hour, Self::SixHours, Self::Day, Self::TwoDays];

    /// The word in the heading; empty for [`Range::Now`].
    pub const fn word(self) -> &'static str {
        match self {
            Self::Now => "",
            Self::TenMinutes => "10 m",
            Self::Hour => "1 h",
            Self::SixHours => "6 h",
            Self::Day => "24 h",
            Self::TwoDays => "48 h",
        }
    }

    /// How much time one of its [`COLUMNS`] covers.
    pub const fn column(self) -> Duration {
        Duration::from_secs(match self {
            Self::Now | Self::TenMinutes => 2,
            Self::Hour => 12,
            Self::SixHours => 72,
            Self::Day => 288,
            Self::TwoDays => 576,
        })
    }

    /// How far back it reaches.
    pub const fn span(self) -> Duration {
        self.column().saturating_mul(COLUMNS)
    }

    /// How far the cursor goes: about one column of a chart.
    pub const fn cursor_step(self) -> Duration {
        match self {
            Self::Now => self.column(),
            _ => self.column().saturating_mul(CURSOR),
        }
    }

    /// The next one in this direction; itself at the end.
    #[must_use]
    pub fn step(self, wider: bool) -> Self {
        let (mut all, mut back) = (Self::ALL.into_iter(), Self::ALL.into_iter().rev());
        if wider { all.find(|next| *next > self) } else { back.find(|next| *next < self) }.unwrap_or(self)
    }
}

/// Columns of a chart, newest last; `None` is a gap. Columns stay put until the next one begins.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The range it was made for.
    pub range: Range,
    /// Part of it is history by the minute: each column shows the worst minute in it.
    pub by_minute: bool,
    /// Lower is worse: of several points in a column the lowest shows.
    low: bool,
    columns: VecDeque<Option<f64>>,
    /// Number of the newest column, counted from boot: what was before it is negative.
    newest: i64,
}

impl Course {
    /// An empty course.
    pub fn new(range: Range, low: bool) -> Self {
        Self { range, low, ..Self::default() }
    }

    /// How far back the columns that are kept reach.
    pub fn reaches(&self) -> Duration {
        self.range.column() * u32::try_from(KEPT).unwrap_or(u32::MAX)
    }

    /// Where the columns that are kept begin, or the machine's time.
    pub fn begin(&self, now: Mono) -> Mono {
        let kept = u32::try_from(KEPT - 1).unwrap_or(u32::MAX);
        now.floor(self.range.column()) - self.range.column() * kept
    }

    /// Moves on to the column of `now`; what lies between is a gap until a point comes.
    pub fn advance(&mut self, now: Mono) {
        self.reach(self.number(now, Duration::ZERO));
    }

    fn reach(&mut self, number: i64) {
        if self.columns.is_empty() {
            self.newest = number;
            self.columns.push_back(None);
        }
        let ahead = usize::try_from(number.saturating_sub(self.newest)).unwrap_or(0);
        self.columns.extend((0..ahead.min(KEPT)).map(|_| None));
        self.newest = self.newest.max(number);
        while self.columns.len() > KEPT {
            self.columns.pop_front();
        }
    }

    /// Takes a point into its column, older ones too. The worst of a column shows; what is no number is a gap.
    pub fn add(&mut self, at: Mono, value: f64) {
        self.put(self.number(at, Duration::ZERO), value);
    }

    /// A value stands until the column of the `next` attempt, as long as it is `live`: what comes after is a gap.
    pub fn hold(&mut self, last: Option<(Mono, f64)>, next: Mono, live: Duration) {
        let Some((at, value)) = last else { return };
        let end = self.number(next, Duration::ZERO).min(self.number(at + live, Duration::ZERO).saturating_add(1));
        for number in self.number(at, Duration::ZERO).saturating_add(1)..end {
            self.put(number, value);
        }
    }

    /// Takes the minutes of a history in that lie before the first column with a value: when each began, as time
    /// before `now`, and its value. All columns that a minute reaches into show it.
    pub fn precede(&mut self, now: Mono, minutes: impl Iterator<Item = (Duration, f64)>) {
        let first = self.columns.iter().position(Option::is_some).unwrap_or(self.columns.len());
        let later = i64::try_from(self.columns.len() - first).unwrap_or(i64::MAX);
        let known = self.newest.saturating_add(1).saturating_sub(later);
        for (back, value) in minutes {
            let last = self.number(now, back.saturating_sub(ALL_BUT_A_BIT));
            for number in self.number(now, back)..=last.min(known - 1) {
                self.put(number, value);
                self.by_minute = true;
            }
        }
    }

    /// Puts a value into the column of this number.
    fn put(&mut self, number: i64, value: f64) {
        if value.is_nan() {
            return;
        }
        if self.columns.is_empty() || number > self.newest {
            self.reach(number);
        }
        let Ok(back) = usize::try_from(self.newest - number) else { return };
        if back >= KEPT {
            return;
        }
        while self.columns.len() <= back {
            self.columns.push_front(None);
        }
        let place = self.columns.len() - 1 - back;
        if let Some(slot) = self.columns.get_mut(place) {
            *slot = Some(slot.map_or(value, |known| worse(known, value, self.low)));
        }
    }

    /// Which of several values shows: true when it is the lowest.
    pub fn shows_lowest(&self) -> bool {
        self.low
    }

    /// Whether nothing was ever seen.
    pub fn is_empty(&self) -> bool {
        self.columns.iter().all(Option::is_none)
    }

    /// The columns as they are kept, from the first that has a value.
    pub fn columns(&self) -> Vec<Option<f64>> {
        self.columns.iter().copied().skip_while(Option::is_none).collect()
    }

    /// What a chart of this width draws, newest last: the range fills it, each of its columns being the worst of
    /// some of ours, grouped on a fixed grid.
    pub fn fit(&self, width: u16) -> Vec<Option<f64>> {
        let group = self.group(width);
        let mut out: Vec<(i64, Option<f64>)> = Vec::with_capacity(usize::from(width));
        for (back, value) in (0_i64..).zip(self.columns.iter().rev()) {
            let cell = self.newest.saturating_sub(back).div_euclid(group);
            let count = out.len();
            match out.last_mut() {
                Some((known, slot)) if *known == cell => *slot = either(*slot, *value, self.low),
                _ if count >= usize::from(width) => break,
                _ => out.push((cell, *value)),
            }
        }
        let mut columns: Vec<Option<f64>> = out.into_iter().rev().map(|(_, value)| value).collect();
        let first = columns.iter().position(Option::is_some).unwrap_or(columns.len());
        columns.split_off(first)
    }

    /// How many columns left of the newest one a chart of this width draws this moment; `None` when it is not on it.
    pub fn place(&self, at: Mono, width: u16) -> Option<u16> {
        let group = self.group(width);
        let cell = |number: i64| number.div_euclid(group);
        let back = cell(self.newest).checked_sub(cell(self.number(at, Duration::ZERO)))?;
        u16::try_from(back).ok().filter(|back| *back < width && !self.columns.is_empty())
    }

    /// The value of the column that holds this moment.
    pub fn at(&self, at: Mono) -> Option<f64> {
        let back = usize::try_from(self.newest.checked_sub(self.number(at, Duration::ZERO))?).ok()?;
        self.columns.get(self.columns.len().checked_sub(back + 1)?).copied().flatten()
    }

    /// The medians of the columns just before and just after this moment; `None` where there are too few.
    pub fn around(&self, at: Mono) -> (Option<f64>, Option<f64>) {
        let Ok(after) = usize::try_from(self.newest.saturating_sub(self.number(at, Duration::ZERO))) else {
            return (None, None);
        };
        let middle = |columns: Vec<f64>| median(columns.iter().copied()).filter(|_| columns.len() >= FEW);
        let newest_first = || self.columns.iter().rev();
        let before = newest_first().skip(after + 1).take(BESIDE).flatten().copied().collect();
        let since = newest_first().take(after).skip(after.saturating_sub(BESIDE)).flatten().copied().collect();
        (middle(before), middle(since))
    }

    /// How many of our columns make one of a chart of this width.
    fn group(&self, width: u16) -> i64 {
        match self.range {
            Range::Now => 1,
            _ => i64::from(COLUMNS.div_ceil(u32::from(width.max(1)))),
        }
    }

    /// The number of the column so long before a moment.
    fn number(&self, at: Mono, back: Duration) -> i64 {
        let nanos = i128::from(at.0) - i128::try_from(back.as_nanos()).unwrap_or(i128::MAX);
        let column = i128::try_from(self.range.column().as_nanos()).unwrap_or(i128::MAX);
        i64::try_from(nanos.div_euclid(column)).unwrap_or(i64::MIN)
    }
}

fn worse(a: f64, b: f64, low: bool) -> f64 {
    if low { a.min(b) } else { a.max(b) }
}

fn either(a: Option<f64>, b: Option<f64>, low: bool) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(worse(a, b, low)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u64) -> Mono {
        Mono(at * 1_000_000_000)
    }

    #[test]
    fn a_column_shows_its_worst_and_a_silence_is_a_gap() {
        let mut up = Course::new(Range::Now, false);
        for (at, value) in [(100, 1.0), (101, 5.0), (104, 2.0), (105, f64::NAN)] {
            up.add(second(at), value);
        }
        up.advance(second(107));
        assert_eq!(up.columns(), [Some(5.0), None, Some(2.0), None]);
        assert_eq!(up.fit(2), [Some(2.0), None]);
        let mut down = Course::new(Range::Now, true);
        down.add(second(100), 1.0);
        down.add(second(101), 5.0);
        assert_eq!(down.columns(), [Some(1.0)]);
    }

    #[test]
    fn a_value_stands_until_the_next_and_no_longer_than_it_is_live() {
        let mut course = Course::new(Range::Now, false);
        course.add(second(100), 1.0);
        course.hold(Some((second(100), 1.0)), second(105), Duration::from_secs(11));
        course.add(second(105), 9.0);
        course.hold(None, second(110), Duration::from_secs(11));
        course.add(second(110), 2.0);
        course.hold(Some((second(110), 2.0)), second(130), Duration::from_secs(11));
        course.add(second(130), 3.0);
        let at = |from: usize, to: usize| course.columns()[from..to].to_vec();
        assert_eq!(at(0, 5), [Some(1.0), Some(1.0), Some(9.0), None, None], "a failed attempt ends it");
        assert_eq!(at(5, 11), [Some(2.0); 6]);
        assert_eq!(at(11, 16), [None, None, None, None, Some(3.0)]);
    }

    #[test]
    fn a_range_fills_the_chart_whatever_its_width_and_its_groups_stay_put() {
        let mut course = Course::new(Range::TenMinutes, false);
        for at in 0..1_200 {
            course.add(second(at), at as f64);
        }
        for width in [1, 7, 38, 78, 160, 299, 300, 400] {
            let drawn = course.fit(width);
            assert_eq!(drawn.len(), usize::from(width), "{width}");
            assert_eq!(drawn.last(), Some(&Some(1_199.0)), "{width}");
        }
        let before = course.fit(38);
        course.add(second(1_200), 1_200.0);
        course.add(second(1_201), 1_201.0);
        let after = course.fit(38);
        assert_eq!(before[1..37], after[..36], "one group more, the others as they were");
    }

    #[test]
    fn a_moment_has_its_place_on_the_chart_and_medians_on_both_sides() {
        let mut course = Course::new(Range::Now, false);
        for at in 0..200 {
            course.add(second(at), if at < 100 { 8.0 } else { 2.0 + (at % 4) as f64 / 2.0 });
        }
        assert_eq!(course.place(second(199), 40), Some(0));
        assert_eq!(course.place(second(140), 40), Some(29));
        assert_eq!((course.place(second(100), 40), course.place(second(300), 40)), (None, None));
        assert_eq!(course.around(second(100)), (Some(8.0), Some(3.0)), "the worst of each column");
        assert_eq!(course.around(second(194)).1, None, "two columns are too few");
        assert_eq!(course.around(second(300)), (None, None));
        let mut short = Course::new(Range::Now, false);
        for (at, value) in [(0, 1.0), (2, 2.0), (4, 3.0), (6, 99.0), (8, 5.0), (10, 5.0), (12, 6.0)] {
            short.add(second(at), value);
        }
        assert_eq!(short.around(second(6)), (Some(2.0), Some(5.0)), "its own column is neither");
        let mut wide = Course::new(Range::Hour, false);
        wide.add(second(0), 1.0);
        wide.add(second(3_599), 1.0);
        assert_eq!((wide.place(second(3_599), 60), wide.place(second(1_800), 60)), (Some(0), Some(29)));
    }

    #[test]
    fn an_older_point_finds_its_column_and_one_too_old_none() {
        let mut course = Course::new(Range::Now, false);
        course.add(second(10_000), 1.0);
        course.add(second(9_996), 3.0);
        course.add(second(1), 9.0);
        assert_eq!(course.columns(), [Some(3.0), None, Some(1.0)]);
    }

    #[test]
    fn history_stands_before_what_is_recorded_also_before_boot_and_its_gaps_stay() {
        let mut course = Course::new(Range::Hour, false);
        // The machine came up two minutes ago.
        for at in 60..120 {
            course.add(second(at), 5.0);
        }
        let now = second(120);
        course.advance(now);
        let minutes = [(600, 1.0), (540, 9.0), (240, 3.0), (30, 99.0)];
        course.precede(now, minutes.into_iter().map(|(back, value)| (Duration::from_secs(back), value)));
        let columns = course.columns();
        // Ten minutes at twelve seconds a column, and the one that has just begun.
        assert_eq!(columns.len(), 51);
        assert_eq!(columns[..5], [Some(1.0); 5]);
        assert_eq!(columns[5..10], [Some(9.0); 5]);
        assert_eq!(columns[10..30], [None; 20]);
        assert_eq!(columns[30..35], [Some(3.0); 5]);
        assert_eq!(columns[45..50], [Some(5.0); 5], "what is recorded is not mixed with history");
        assert!(course.by_minute);
    }

    #[test]
    fn ranges_go_from_ten_minutes_to_two_days() {
        let spans: Vec<u64> = Range::ALL.iter().map(|range| range.span().as_secs() / 60).collect();
        assert_eq!(spans, [10, 10, 60, 360, 1_440, 2_880]);
        assert_eq!(Range::Now.step(false), Range::Now);
        assert_eq!(Range::Now.step(true).step(true), Range::Hour);
        assert_eq!(Range::TwoDays.step(true), Range::TwoDays);
        assert_eq!(Range::TwoDays.step(false), Range::Day);
    }
}
