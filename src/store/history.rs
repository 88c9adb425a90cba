//! History by the minute: least, mean and most of a value, for two days, beyond the life of a console. This is the pure
//! part: values become minutes, minutes become bytes and back. `roles` keeps the bytes in files.

use crate::base::{Clean, Mono, Wall};
use core::time::Duration;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Older minutes are not kept.
pub const KEPT: Duration = Duration::from_hours(48);
/// No more values are kept; of the others nothing is.
pub const MOST: usize = 128;
const MINUTE: i64 = 60_000_000_000;
/// Every record begins with it; its last character is the version.
const MAGIC: &[u8; 4] = b"WKm1";
/// Magic, length of the rows, first bytes of their SHA-256.
const HEAD: usize = 4 + 4 + 8;
const ROW: usize = 8 + 4 + 4 + 3 * 8;
/// A record is no longer: many minutes of all values that may wait.
const LONGEST: usize = 64 * MOST * ROW;

/// Which value: the first bytes of the SHA-256 of its expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The tag of a text.
    pub fn of(text: &str) -> Self {
        Self(digest(text.as_bytes()))
    }
}

/// One minute of one value, of which something was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minute {
    /// Minutes since the Unix epoch.
    pub number: u32,
    /// How many values were seen; not 0.
    pub count: u32,
    /// The least of them, in base units.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The most.
    pub max: f64,
}

impl Minute {
    /// When it began.
    pub fn start(&self) -> Wall {
        Wall(i64::from(self.number) * MINUTE)
    }

    /// Takes the same minute, seen by somebody else or in another part, in.
    fn merge(&mut self, other: &Self) {
        let (own, more) = (f64::from(self.count), f64::from(other.count));
        self.mean += (other.mean - self.mean) * (more / (own + more));
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
    }
}

/// A minute to be kept in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept {
    /// Of which value.
    pub tag: Tag,
    /// The minute.
    pub minute: Minute,
}

impl Kept {
    /// The day to whose file it belongs, in UTC: `2026-11-21`.
    pub fn day(&self) -> String {
        self.minute.start().rfc3339().chars().take(10).collect()
    }
}

/// The last two days of the values that panes show, by the minute.
#[derive(Debug, Default)]
pub struct History {
    minutes: HashMap<Tag, Vec<Minute>>,
    /// Minutes that are not over.
    open: BTreeMap<(u32, Tag), Minute>,
    /// Which observation of a value was taken in last.
    seen: HashMap<Clean, (Tag, Mono)>,
    keeps_simulated: bool,
    last: u32,
}

impl History {
    /// An empty history. Values of stand-ins are kept too in a demo, whose state goes with it.
    pub fn new(keeps_simulated: bool) -> Self {
        Self { keeps_simulated, ..Self::default() }
    }

    /// Whether a value of a stand-in belongs here.
    pub fn keeps_simulated(&self) -> bool {
        self.keeps_simulated
    }

    /// Takes a value in that was seen at this time, once. What is no finite number is no value.
    pub fn note(&mut self, text: &Clean, value: f64, seen: Mono, at: Wall) {
        let Some(number) = number(at).filter(|_| value.is_finite()) else { return };
        let full = self.seen.len() >= MOST;
        let tag = match self.seen.get_mut(text) {
            Some((_, last)) if *last >= seen => return,
            Some((tag, last)) => {
                *last = seen;
                *tag
            }
            None if full => return,
            None => {
                let tag = Tag::of(text.as_str());
                self.seen.insert(text.clone(), (tag, seen));
                tag
            }
        };
        let new = Minute { number, count: 1, min: value, mean: value, max: value };
        self.open.entry((number, tag)).and_modify(|minute| minute.merge(&new)).or_insert(new);
    }

    /// The minutes that are over by now: they belong to the history from here on, and into a file.
    pub fn close(&mut self, now: Wall) -> Vec<Kept> {
        let Some(now) = number(now).filter(|now| *now != self.last) else { return Vec::new() };
        self.last = now;
        let (mut over, mut open) = (Vec::new(), BTreeMap::new());
        for ((number, tag), minute) in core::mem::take(&mut self.open) {
            if number == now {
                open.insert((number, tag), minute);
            } else {
                over.push(Kept { tag, minute });
            }
        }
        self.open = open;
        self.take(&over);
        self.forget(now);
        over
    }

    /// Takes minutes in that were kept; the same minute twice becomes one.
    pub fn take(&mut self, rows: &[Kept]) {
        for Kept { tag, minute } in rows {
            if self.minutes.len() >= MOST && !self.minutes.contains_key(tag) {
                continue;
            }
            let known = self.minutes.entry(*tag).or_default();
            match known.binary_search_by_key(&minute.number, |known| known.number) {
                Ok(at) => {
                    if let Some(known) = known.get_mut(at) {
                        known.merge(minute);
                    }
                }
                Err(at) => known.insert(at, *minute),
            }
        }
    }

    /// The minutes of a value that began in `from..to`, oldest first. A minute without a value is not there.
    pub fn points(&self, text: &str, from: Wall, to: Wall) -> &[Minute] {
        let all = self.minutes.get(&Tag::of(text)).map(Vec::as_slice).unwrap_or_default();
        let place = |at: Wall| all.partition_point(|minute| minute.start() < at);
        all.get(place(from)..place(to)).unwrap_or_default()
    }

    fn forget(&mut self, now: u32) {
        let oldest = now.saturating_sub(u32::try_from(KEPT.as_secs() / 60).unwrap_or(u32::MAX));
        self.minutes.retain(|_, minutes| {
            // Not at every call: a hundredth more than needed may stay.
            if minutes.first().is_some_and(|first| first.number + 30 < oldest) {
                minutes.retain(|minute| minute.number >= oldest);
            }
            !minutes.is_empty()
        });
    }
}

/// What could be read of a file.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// The minutes in it.
    pub rows: Vec<Kept>,
    /// So many bytes from the beginning are whole records; what follows is damaged.
    pub whole: usize,
}

/// Rows as one record, or as several when they are many.
pub fn encode(rows: &[Kept]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + rows.len() * ROW);
    for rows in rows.chunks(LONGEST / ROW) {
        let mut body = Vec::with_capacity(rows.len() * ROW);
        for Kept { tag, minute } in rows {
            body.extend(tag.0.to_le_bytes());
            body.extend(minute.number.to_le_bytes());
            body.extend(minute.count.to_le_bytes());
            body.extend([minute.min, minute.mean, minute.max].into_iter().flat_map(f64::to_le_bytes));
        }
        out.extend(MAGIC);
        out.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(digest(&body).to_le_bytes());
        out.extend(body);
    }
    out
}

/// Reads records until the first that is damaged or not whole: nothing from there on is believed.
pub fn decode(bytes: &[u8]) -> Decoded {
    let mut found = Decoded::default();
    while let Some(body) = bytes.get(found.whole..).and_then(record) {
        found.rows.extend(body.chunks_exact(ROW).filter_map(row));
        found.whole += HEAD + body.len();
    }
    found
}

/// The rows of the record that stands at the beginning, if it is whole.
fn record(bytes: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (check, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length).filter(|body| magic == MAGIC && !body.is_empty() && body.len() <= LONGEST)?;
    (body.len() % ROW == 0 && digest(body) == u64::from_le_bytes(*check)).then_some(body)
}

fn row(bytes: &[u8]) -> Option<Kept> {
    let (tag, rest) = bytes.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let mut values = rest.chunks_exact(8).filter_map(|value| value.try_into().ok().map(f64::from_le_bytes));
    let minute = Minute {
        number: u32::from_le_bytes(*number),
        count: u32::from_le_bytes(*count),
        min: values.next()?,
        mean: values.next()?,
        max: values.next()?,
    };
    Some(Kept { tag: Tag(u64::from_le_bytes(*tag)), minute })
}

fn number(at: Wall) -> Option<u32> {
    u32::try_from(at.0.div_euclid(MINUTE)).ok()
}

fn digest(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn kept(text: &str, number: u32, value: f64) -> Kept {
        let minute = Minute { number, count: 2, min: value - 1.0, mean: value, max: value + 1.0 };
        Kept { tag: Tag::of(text), minute }
    }

    fn all<'a>(history: &'a History, text: &str) -> &'a [Minute] {
        history.points(text, Wall(0), Wall(i64::MAX))
    }

    #[test]
    fn values_become_minutes_and_a_minute_without_a_value_is_a_gap() {
        let mut history = History::default();
        let text = Clean::from("node_load1");
        let mut kept = Vec::new();
        for second in 0..300 {
            let at = Wall(second * SECOND);
            let seen = Mono(u64::try_from(second).expect("positive") * 1_000_000_000 + 1);
            // In the third minute nothing is seen; a value that is looked at twice counts once.
            if !(120..180).contains(&second) {
                history.note(&text, (second % 60) as f64, seen, at);
                history.note(&text, 1e9, seen, at);
            }
            history.note(&text, f64::INFINITY, Mono(u64::MAX), at);
            kept.extend(history.close(at));
        }
        let numbers: Vec<u32> = kept.iter().map(|row| row.minute.number).collect();
        assert_eq!(numbers, [0, 1, 3], "the fifth is not over");
        let minute = Minute { number: 3, count: 60, min: 0.0, mean: 29.5, max: 59.0 };
        assert_eq!(all(&history, "node_load1").last(), Some(&minute));
        assert_eq!(history.points("node_load1", Wall(60 * SECOND), Wall(180 * SECOND)).len(), 1);
        assert!(all(&history, "node_load5").is_empty());
    }

    #[test]
    fn a_minute_seen_by_two_consoles_is_one() {
        let mut history = History::default();
        history.take(&[kept("a", 7, 1.0), kept("a", 9, 5.0), kept("a", 8, 2.0), kept("a", 7, 3.0)]);
        let merged = Minute { number: 7, count: 4, min: 0.0, mean: 2.0, max: 4.0 };
        assert_eq!(all(&history, "a").first(), Some(&merged));
        assert_eq!(all(&history, "a").iter().map(|minute| minute.number).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn two_days_are_kept_of_so_many_values() {
        let mut history = History::default();
        for value in 0..MOST + 20 {
            let text = Clean::text(format!("m{value}"));
            history.note(&text, 1.0, Mono(1), Wall(0));
        }
        assert_eq!(history.close(Wall(MINUTE)).len(), MOST);
        let text = Clean::from("m0");
        for minute in 1..6_000_u32 {
            history.note(&text, 1.0, Mono(u64::from(minute) + 1), Wall(i64::from(minute) * MINUTE));
            history.close(Wall(i64::from(minute) * MINUTE));
        }
        assert!((2_880..=2_912).contains(&all(&history, "m0").len()), "{}", all(&history, "m0").len());
        assert!(all(&history, "m1").is_empty() && history.minutes.len() == 1);
    }

    #[test]
    fn a_day_is_named_in_utc() {
        assert_eq!(kept("a", 29_920_512, 0.0).day(), "2026-11-21");
    }

    #[test]
    fn wherever_a_file_is_cut_what_is_read_is_true_and_the_rest_is_told() {
        let records = [vec![kept("a", 1, 1.5), kept("b", 1, -7.0)], vec![kept("a", 2, 2.5)], vec![kept("b", 3, 1e-9)]];
        let bytes: Vec<u8> = records.iter().flat_map(|rows| encode(rows)).collect();
        let ends: Vec<usize> = records
            .iter()
            .scan(0, |end, rows| {
                *end += encode(rows).len();
                Some(*end)
            })
            .collect();
        for cut in 0..=bytes.len() {
            let read = decode(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(read.rows, records[..whole].concat(), "cut at {cut}");
            assert_eq!(read.whole, ends[..whole].last().copied().unwrap_or(0));
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            let read = decode(&bytes);
            let whole = ends.iter().filter(|end| **end <= at).count();
            assert_eq!(read.rows, records[..whole].concat(), "byte {at} changed");
        }
    }

    proptest! {
        #[test]
        fn any_rows_come_back_and_any_bytes_are_survived(
            rows in prop::collection::vec((any::<u64>(), any::<u32>(), any::<u32>(), any::<[i32; 3]>()), 0..200),
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let rows: Vec<Kept> = rows.into_iter().map(|(tag, number, count, [min, mean, max])| Kept {
                tag: Tag(tag),
                minute: Minute { number, count, min: min.into(), mean: mean.into(), max: max.into() },
            }).collect();
            let mut bytes = encode(&rows);
            let whole = bytes.len();
            bytes.extend(&noise);
            prop_assert_eq!(decode(&bytes), Decoded { rows, whole });
            prop_assert_eq!(decode(&noise), Decoded::default());
        }
    }
}
