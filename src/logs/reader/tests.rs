//! Rows by time against all lines sorted at once.

use crate::base::{Mono, Now, Wall};
use crate::logs::reader::{Body, From, Lines as _, Reader, Row, Strands, Want};
use proptest::prelude::*;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

/// 2026-11-21T03:00:00Z
const BEGAN: i64 = 1_795_230_000;

struct Desk {
    strands: Arc<Strands>,
    files: Vec<(File, Arc<Body>, u64)>,
}

impl Desk {
    fn new(sources: usize) -> Self {
        let file = || {
            let file = tempfile::tempfile().expect("a file");
            let body = Arc::new(Body::file(file.try_clone().expect("a second one")));
            (file, body, 0)
        };
        let files = (0..sources).map(|_| file()).collect();
        Self { strands: Strands::by_time(Wall((BEGAN + 1_000_000) * 1_000_000_000)), files }
    }

    fn write(&mut self, source: usize, text: &str) {
        let (file, body, at) = &mut self.files[source];
        file.write_all(text.as_bytes()).expect("writes");
        let len = u64::try_from(text.len()).expect("small");
        let number = u16::try_from(source).expect("few");
        let spine = self.strands.spine(number);
        spine.lock().expect("sound").lay(number, body, (*at, len), 1);
        *at += len;
    }

    fn tick(&self, seconds: u64) {
        let now = Now { mono: Mono(seconds * 1_000_000_000), wall: Wall((BEGAN + 1_000_000) * 1_000_000_000) };
        let _settles = self.strands.tick(now);
    }

    fn texts(&self) -> Vec<String> {
        texts(&page(&mut Reader::new(Arc::clone(&self.strands)), From::Start, 0, 9_999))
    }
}

fn page(reader: &mut Reader, from: From, back: usize, ahead: usize) -> Vec<Row> {
    let page = reader.page(&Want { id: 0, from, back, ahead });
    assert!(page.fault.is_none() && page.rows.windows(2).all(|pair| pair[0].next == pair[1].place), "{page:?}");
    page.rows
}

fn texts(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.line.message.to_string()).collect()
}

/// The same moment on different clocks.
fn line(second: i64, zone: i64, what: &str) -> String {
    let clock = jiff::Timestamp::from_second(BEGAN + second + zone * 3_600).expect("in range").to_string();
    let zone = if zone == 0 { "Z".to_owned() } else { format!("{zone:+03}:00") };
    format!("{}{zone} {what}", clock.trim_end_matches('Z'))
}

#[test]
fn three_files_on_three_clocks_are_one_row_and_a_trace_stays_with_its_line() {
    let mut desk = Desk::new(3);
    for (source, second, zone, what) in
        [(0, 1, 0, "a1"), (0, 5, 0, "a5"), (1, 2, 2, "b2"), (1, 5, 2, "b5"), (2, 3, -5, "c3")]
    {
        desk.write(source, &format!("{}\n", line(second, zone, what)));
        if what == "b2" {
            desk.write(source, "  under b2\n");
        }
    }
    let ends: Vec<String> =
        desk.texts().iter().map(|text| text.rsplit(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(ends, ["a1", "b2", "b2", "c3", "a5", "b5"]);
}

#[test]
fn a_line_that_comes_late_finds_its_place_for_two_seconds_and_then_stands_behind() {
    let mut desk = Desk::new(2);
    let write = |desk: &mut Desk, source: usize, second: i64| {
        desk.write(source, &format!("{}\n", line(second, 0, &second.to_string())));
    };
    write(&mut desk, 0, 10);
    write(&mut desk, 0, 20);
    desk.tick(1);
    write(&mut desk, 1, 15);
    desk.tick(2);
    let seconds = |desk: &Desk| -> Vec<String> {
        desk.texts().iter().map(|text| text.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!((seconds(&desk), desk.strands.span().1), (vec!["10".into(), "15".into(), "20".into()], 0));
    desk.tick(8);
    write(&mut desk, 1, 30);
    desk.tick(9);
    assert_eq!(seconds(&desk), ["10", "15", "20", "30"]);
    let settled = desk.strands.span().1;
    assert!(settled > 0 && settled < desk.strands.span().2, "what has just come is not settled");
    // Older than what was settled.
    write(&mut desk, 1, 5);
    assert_eq!(seconds(&desk), ["10", "15", "20", "30", "5"]);
}

proptest! {
    #[test]
    fn the_row_is_what_sorting_all_lines_gives(
        strands in prop::collection::vec(prop::collection::vec((0_i64..4, prop::bool::weighted(0.8), 0_i64..3), 0..40), 2..4),
        at in 0_u64..4_000,
    ) {
        let mut desk = Desk::new(strands.len());
        let mut all = Vec::new();
        for (source, lines) in strands.iter().enumerate() {
            let first = lines.iter().position(|(_, says, _)| *says);
            let mut known = first.map(|first| lines[..=first].iter().map(|(step, ..)| step).sum());
            let mut second = 0;
            for (number, (step, says, zone)) in lines.iter().enumerate() {
                second += step;
                known = if *says { Some(second) } else { known };
                let what = format!("{source}.{number}");
                let text = if *says { line(second, *zone, &what) } else { what };
                desk.write(source, &format!("{text}\n"));
                all.push((known.unwrap_or(1_000_000), text));
            }
        }
        all.sort_by_key(|(key, _)| *key);
        let sorted: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
        let mut reader = Reader::new(Arc::clone(&desk.strands));
        prop_assert_eq!(texts(&page(&mut reader, From::At(at), 999, 999)), sorted.clone());
        prop_assert_eq!(texts(&page(&mut reader, From::End, 999, 0)), sorted.clone());
        prop_assert_eq!(texts(&page(&mut Reader::new(Arc::clone(&desk.strands)), From::Start, 0, 999)), sorted);
    }

    #[test]
    fn clocks_that_jump_lose_and_double_nothing_and_every_way_shows_one_row(
        strands in prop::collection::vec(prop::collection::vec(0_i64..60, 0..60), 2..4),
        at in 0_u64..6_000,
    ) {
        let mut desk = Desk::new(strands.len());
        for (source, lines) in strands.iter().enumerate() {
            for (number, second) in lines.iter().enumerate() {
                desk.write(source, &format!("{}\n", line(*second, 0, &format!("{source}.{number}"))));
            }
        }
        let mut reader = Reader::new(Arc::clone(&desk.strands));
        let rows = page(&mut reader, From::Start, 0, 999);
        prop_assert_eq!(rows.len(), strands.iter().map(Vec::len).sum::<usize>());
        for (source, lines) in strands.iter().enumerate() {
            let own = rows.iter().filter(|row| usize::from(row.source) == source);
            let numbers: Vec<usize> = own.filter_map(|row| row.line.message.as_str().rsplit('.').next()?.parse().ok()).collect();
            prop_assert_eq!(numbers, (0..lines.len()).collect::<Vec<_>>());
        }
        prop_assert_eq!(page(&mut Reader::new(Arc::clone(&desk.strands)), From::At(at), 999, 999), rows.clone());
        prop_assert_eq!(page(&mut reader, From::End, 999, 0), rows.clone());
        // Where a strand's lines are in the row, and back.
        for (place, row) in rows.iter().map(|row| (row.place, row)) {
            let parts = reader.between(place, row.next).expect("reads");
            prop_assert_eq!(parts.iter().map(|(_, extents)| extents.iter().map(|extent| extent.len).sum::<u64>()).sum::<u64>(), row.next - place);
            let (strand, extents) = &parts[0];
            prop_assert_eq!((usize::from(row.source), reader.places(*strand, vec![extents[0].at]).expect("reads")), (*strand, vec![place]));
        }
    }
}
