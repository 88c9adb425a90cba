//! The journal against whoever changes it: every byte, every line, every cut.

use crate::support::{Fixed, session};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use watchkeeper::journal::{Event, Journal, Record, show, verify};

fn write(dir: &Path, records: usize) {
    let journal = Journal::open(dir, session(), Arc::new(Fixed)).unwrap();
    for n in 1..records {
        let mut record = Record::new(if n % 2 == 0 { Event::Shown } else { Event::ConfigLoad });
        record.act = Some(format!("step-{n}"));
        record.args = vec!["caf\u{e9} \u{9b}31m \u{202e}".to_owned()];
        journal.append(record);
    }
    assert!(journal.close(Duration::from_secs(10)));
}

fn file(dir: &Path) -> std::path::PathBuf {
    dir.join("00000001.jsonl")
}

#[test]
fn twenty_records_verify_and_the_file_is_plain_ascii() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 20);
    let verdict = verify(dir.path()).unwrap();
    assert!(verdict.intact(), "{verdict:?}");
    assert_eq!((verdict.records, verdict.head.unwrap().0), (20, 20));
    let bytes = fs::read(file(dir.path())).unwrap();
    assert!(bytes.iter().all(|byte| matches!(byte, 0x20..=0x7E | b'\n')));
    assert!(show(dir.path(), 5).unwrap().last().unwrap().as_str().contains("step-19"));
}

#[test]
fn every_changed_byte_of_twenty_records_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 20);
    let path = file(dir.path());
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        assert!(!verify(dir.path()).unwrap().intact(), "byte {at} of {}", good.len());
    }
}

#[test]
fn every_truncation_inside_a_record_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 6);
    let path = file(dir.path());
    let good = fs::read(&path).unwrap();
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        // A cut between two records leaves a shorter, intact trail: only an anchor elsewhere could tell.
        let between = length > 0 && good[length - 1] == b'\n';
        assert_eq!(verify(dir.path()).unwrap().intact(), between, "length {length}");
    }
}

#[test]
fn every_removed_swapped_or_doubled_line_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 20);
    let path = file(dir.path());
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let check = |lines: Vec<&str>, what: &str| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        assert!(!verify(dir.path()).unwrap().intact(), "{what}");
    };
    for at in 0..lines.len() {
        let mut bad = lines.clone();
        bad.insert(at, lines[at]);
        check(bad, &format!("line {at} doubled"));
        if at + 1 < lines.len() {
            let mut bad = lines.clone();
            bad.remove(at);
            check(bad, &format!("line {at} removed"));
            let mut bad = lines.clone();
            bad.swap(at, at + 1);
            check(bad, &format!("lines {at} and {} swapped", at + 1));
        }
    }
}

#[test]
fn two_writers_share_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let journal = Journal::open(dir.path(), session(), Arc::new(Fixed)).unwrap();
                for _ in 0..50 {
                    journal.append_durable(Record::new(Event::Intent)).unwrap();
                }
            });
        }
    });
    let verdict = verify(dir.path()).unwrap();
    assert!(verdict.intact(), "{verdict:?}");
    assert_eq!(verdict.records, 101);
}

#[test]
fn a_receipt_means_that_the_record_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), session(), Arc::new(Fixed)).unwrap();
    let receipt = journal.append_durable(Record::new(Event::Intent)).unwrap();
    assert_eq!(verify(dir.path()).unwrap().head, Some((receipt.seq, receipt.hash)));
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(journal.append_durable(Record::new(Event::Intent)).is_err());
    assert!(journal.failing().is_some());
}
