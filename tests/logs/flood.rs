//! More lines than anyone can read: what is shown and what was dropped add up exactly.

use super::bench::Bench;
use std::io::Write as _;

#[test]
fn shown_and_dropped_are_all_that_was_offered() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"");
    bench.follow("app.log");
    let mut file = bench.append("app.log");
    let mut offered = 0_u64;
    for burst in [10_u64, 300_000, 999, 5_000] {
        let text = (offered..offered + burst)
            .map(|n| format!("a line of the flood, number {n}\n"))
            .collect::<Vec<_>>()
            .concat();
        file.write_all(text.as_bytes()).expect("writes");
        offered += burst;
        let last = format!("a line of the flood, number {}", offered - 1);
        bench.until("the newest", |bench| bench.has(&last));
    }
    let shown = u64::try_from(bench.shown().len()).expect("small");
    assert_eq!(shown + bench.dropped, offered);
    file.write_all(&vec![b'\n'; 3_000_000]).expect("writes");
    file.write_all(b"the end\n").expect("writes");
    offered += 3_000_001;
    bench.until("the end", |bench| bench.has("the end"));
    assert_eq!(u64::try_from(bench.shown().len()).expect("small") + bench.dropped, offered);
    assert!(bench.dropped > 0, "the mailbox is smaller than the flood");
}
