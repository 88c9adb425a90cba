//! A file far larger than any memory of ours: opened at once, read at its end, searched whole. Most of it is a hole,
//! so that the disk holds little of it; reading it costs the same.

use super::spine::Desk;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watchkeeper::logs::reader::From;
use watchkeeper::logs::search::{Find, Sweep};

const SIZE: u64 = 1024 * 1024 * 1024;

/// Five rare lines in a gigabyte.
pub(crate) fn sparse(path: &std::path::Path) {
    let file = fs::File::create(path).expect("makes");
    for part in 0..5 {
        file.write_at(b"\na rare NEEDLE-7f3a9c here\n", SIZE / 5 * part + 1_000).expect("writes");
    }
    let end: String = (0..5_000).map(|n| format!("the end, line {n}\n")).collect();
    file.write_at(format!("\n{end}END-OF-LOG\n").as_bytes(), SIZE).expect("writes");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a hang guard")]
fn a_gigabyte_opens_at_its_end_and_all_of_it_is_searched() {
    let mut desk = Desk::new();
    sparse(&desk.dir.path().join("big.log"));
    let begun = Instant::now();
    desk.follow(&["big.log"]);
    desk.until("its end", || desk.gather.status().span.1 > SIZE);
    let page = desk.page(From::End, 40, 0);
    assert_eq!(page.rows.last().map(|row| row.line.message.to_string()).as_deref(), Some("END-OF-LOG"));
    assert!(page.rows.len() == 40 && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let find = Arc::new(Find::new("NEEDLE-7f3a9c").expect("compiles"));
    let end = desk.gather.status().span.1;
    let sweep = Sweep::start(find, desk.gather.strands(), end, Arc::clone(&desk.bell)).expect("starts");
    desk.until("the whole", || sweep.progress().done);
    assert_eq!((sweep.progress().count, sweep.progress().fault), (5, None));
}
