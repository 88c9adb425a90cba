//! Parts of dates in UTC, by the proleptic Gregorian calendar.

use super::super::function::DatePart;

const DAY: i64 = 24 * 60 * 60;

/// The part of the date of a time in seconds since the epoch; fractions are cut off.
pub(super) fn part(part: DatePart, time: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "saturates far beyond every calendar; NaN is the epoch")]
    let seconds = (time as i64).clamp(-DAY * 366 * 200_000_000, DAY * 366 * 200_000_000);
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let number = match part {
        DatePart::Minute => second / 60 % 60,
        DatePart::Hour => second / 3600,
        DatePart::DayOfWeek => (days + 4).rem_euclid(7),
        DatePart::DayOfMonth => day,
        DatePart::DayOfYear => days - days_before(year, 1) + 1,
        DatePart::DaysInMonth => {
            let next = if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
            next - days_before(year, month)
        }
        DatePart::Month => month,
        DatePart::Year => year,
    };
    number as f64
}

/// Year, month and day of a day since the epoch. (H. Hinnant, "chrono-compatible low-level date algorithms".)
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days from the epoch to the first of a month.
const fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
