//! The journal against whoever changes it: every byte, every line, every cut.

use crate::support::{Fixed, session};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use watchkeeper::base::backoff::Jitter;
use watchkeeper::journal::{Anchor, Event, Journal, Record, show, verify, verify_against};

fn write(dir: &Path, records: usize) {
    let journal = Journal::open(dir, session(), Arc::new(Fixed)).unwrap();
    for n in 1..records {
        let mut record = Record::new(if n % 2 == 0 { Event::Shown } else { Event::ConfigLoad });
        record.act = Some(format!("step-{n}"));
        record.args = vec!["caf\u{e9} \u{9b}31m \u{202e}".to_owned()];
        // Its queue is bounded.
        if n % 100 == 0 {
            journal.append_durable(record).unwrap();
        } else {
            journal.append(record);
        }
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

/// A thousand edits of ten thousand records with `WATCHKEEPER_LONG`.
#[test]
fn of_many_records_no_edit_at_random_goes_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let (records, edits) = if std::env::var_os("WATCHKEEPER_LONG").is_some() { (10_000, 1_000) } else { (1_000, 20) };
    write(dir.path(), records);
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let mut random = Jitter(16);
    let mut up_to = |limit: usize| usize::try_from(random.next()).unwrap_or(usize::MAX) % limit;
    for _ in 0..edits {
        let path = &files[up_to(files.len())];
        let good = fs::read(path).unwrap();
        let (at, mut bad) = (up_to(good.len()), good.clone());
        let what = match up_to(3) {
            0 => std::mem::replace(&mut bad[at], b'!' + u8::try_from(up_to(90)).unwrap()),
            1 => bad.remove(at),
            _ => {
                bad.insert(at, b'0');
                0
            }
        };
        fs::write(path, &bad).unwrap();
        assert!(bad == good || !verify(dir.path()).unwrap().intact(), "byte {at}, which was {what}");
        fs::write(path, &good).unwrap();
    }
    let verdict = verify(dir.path()).unwrap();
    assert!(verdict.intact() && verdict.records == u64::try_from(records).unwrap(), "{verdict:?}");
}

#[test]
fn an_end_that_was_cut_off_is_found_whenever_one_anchor_of_it_survives() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), 20);
    let good = fs::read_to_string(file(dir.path())).unwrap();
    let (seq, hash) = verify(dir.path()).unwrap().head.unwrap();
    let anchor = |text: &str| text.parse::<Anchor>().unwrap();
    let of_the_last = [anchor(&format!("{seq}:{hash}"))];
    assert!(verify_against(dir.path(), &of_the_last).unwrap().intact());
    assert_eq!(anchor(&format!("{seq}, {}", hash.to_uppercase())), of_the_last[0], "as a console says it");
    for kept in 1..20 {
        let cut: Vec<&str> = good.lines().take(kept).collect();
        fs::write(file(dir.path()), cut.join("\n") + "\n").unwrap();
        assert!(verify(dir.path()).unwrap().intact(), "a shorter chain holds by itself");
        let verdict = verify_against(dir.path(), &of_the_last).unwrap();
        assert!(
            verdict.breaks[0].what.as_str().starts_with("record 20, which an anchor names, is gone"),
            "{verdict:?}"
        );
    }
    // Written anew as a whole.
    fs::remove_dir_all(dir.path()).unwrap();
    write(dir.path(), 21);
    let verdict = verify_against(dir.path(), &[anchor(&format!("7:{}", "ab".repeat(32)))]).unwrap();
    assert_eq!(verdict.breaks[0].what.as_str(), "is not the record that its anchor names");
    for wrong in ["", "7", "7:ab", "x:y", &format!("-1:{}", "a".repeat(64)), &format!("7:{}", "g".repeat(64))] {
        assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
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
