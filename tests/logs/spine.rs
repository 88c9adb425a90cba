//! Reading for oneself while the follower's engine lays the lines: rotations are marked, nothing is lost or doubled,
//! and what is written is found by a search that began before.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use watchkeeper::logs::reader::{From, Gather, Lines, Page, Reader, Want};
use watchkeeper::logs::search::{Find, Sweep};
use watchkeeper::logs::{Follower, Format, LogSource};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

const GUARD: Duration = Duration::from_mins(1);

pub(crate) struct Desk {
    pub(crate) dir: TempDir,
    pub(crate) bell: Arc<Bell>,
    pub(crate) gather: Arc<Gather>,
    follower: Option<Follower>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let bell = Arc::new(Bell::default());
        let gather = Arc::new(Gather::new(Arc::clone(&bell)));
        Self { dir: tempfile::tempdir().expect("a folder"), bell, gather, follower: None }
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file =
            fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join(name)).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
    }

    pub(crate) fn follow(&mut self, patterns: &[&str]) {
        let source = |pattern: &&str| {
            let pattern = self.dir.path().join(pattern).to_string_lossy().into_owned();
            LogSource { name: pattern.as_str().into(), pattern, format: Format::Plain }
        };
        let sources = patterns.iter().map(source).collect();
        let follower = Follower::lay(sources, Arc::clone(&self.gather), Arc::new(RealClock)).expect("starts");
        self.follower = Some(follower);
    }

    pub(crate) fn page(&self, from: From, back: usize, ahead: usize) -> Page {
        Reader::new(self.gather.strands()).page(&Want { id: 0, from, back, ahead })
    }

    /// All lines, those of ours too.
    pub(crate) fn all(&self) -> Vec<String> {
        let page = self.page(From::Start, 0, usize::MAX);
        page.rows.iter().map(|row| row.line.message.to_string()).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a hang guard")]
    pub(crate) fn until(&self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < GUARD, "{what}: {:?}", self.gather.status());
            self.bell.wait(Duration::from_millis(20), false);
        }
    }
}

#[test]
fn rotations_of_both_kinds_are_marked_and_no_line_is_lost_or_doubled() {
    let mut desk = Desk::new();
    desk.append("app.log", "old 1\nold 2\n");
    desk.follow(&["app.log"]);
    desk.until("the old lines", || desk.all().len() == 2);
    for round in 0..5 {
        let lines = desk.all().len();
        desk.append("app.log", &format!("line {round}\n"));
        desk.until("the new line", || desk.all().len() == lines + 1);
        fs::rename(desk.dir.path().join("app.log"), desk.dir.path().join(format!("app.log.{}", 9 - round)))
            .expect("renames");
        desk.append("app.log", &format!("new {round}\n"));
        desk.until("the mark and a line", || desk.all().len() == lines + 3);
    }
    let all = desk.all();
    let ours: Vec<&String> = all.iter().filter(|line| line.contains("rotated here")).collect();
    let theirs: Vec<&String> = all.iter().filter(|line| !line.contains("rotated here")).collect();
    let wanted: Vec<String> = ["old 1".to_owned(), "old 2".to_owned()]
        .into_iter()
        .chain((0..5).flat_map(|round| [format!("line {round}"), format!("new {round}")]))
        .collect();
    assert_eq!((ours.len(), theirs), (5, wanted.iter().collect()));
    fs::File::create(desk.dir.path().join("app.log")).expect("empties");
    desk.append("app.log", "after\n");
    let emptied = |line: &String| line.contains("emptied by its owner");
    desk.until("the mark and the line after", || {
        let all = desk.all();
        all.iter().any(emptied) && all.last().is_some_and(|line| line == "after")
    });
    assert!(!desk.all().iter().any(|line| line == "new 4"), "what is gone is not shown");
}

#[test]
fn several_files_come_in_one_row_and_a_line_that_has_not_ended_is_shown_as_it_is() {
    let mut desk = Desk::new();
    desk.append("a.log", "a1\na2");
    desk.append("b.log", "b1\n");
    desk.follow(&["a.log", "b.log"]);
    desk.until("both", || desk.gather.status().sources.len() == 2);
    desk.append("b.log", "b2\n");
    desk.until("the second", || desk.all().contains(&"b2".to_owned()));
    desk.append("a.log", "!\na3");
    desk.until("its other half", || desk.all().contains(&"a2!".to_owned()));
    desk.until("the open line", || desk.all().contains(&"a3".to_owned()));
    assert_eq!(desk.all(), ["a1", "b1", "b2", "a2!", "a3"]);
    let page = desk.page(From::End, 2, 0);
    assert!(page.rows.last().is_some_and(|row| row.open) && page.rows[0].source == 0);
}

#[test]
fn a_search_finds_what_was_there_and_what_is_written_later() {
    let mut desk = Desk::new();
    let text: String =
        (0..200_000).map(|n| if n % 50_000 == 7 { "a Needle\n".to_owned() } else { format!("hay {n}\n") }).collect();
    desk.append("app.log", &text);
    desk.follow(&["app.log"]);
    desk.until("the file", || desk.gather.status().span.1 > 0);
    let find = Arc::new(Find::new("needle$").expect("compiles"));
    let end = desk.gather.status().span.1;
    let sweep = Sweep::start(find, desk.gather.strands(), end / 2, Arc::clone(&desk.bell)).expect("starts");
    desk.until("all four", || sweep.progress().done);
    assert_eq!(sweep.progress().count, 4);
    desk.append("app.log", "one more needle\n");
    desk.until("one more", || {
        sweep.grown();
        sweep.progress().count == 5
    });
    let mut place = 0;
    for rank in 1..=5 {
        let watchkeeper::logs::search::Step::Hit(hit) = sweep.hits(|hits| hits.at_or_after(place)) else {
            panic!("no hit {rank}")
        };
        assert_eq!(sweep.hits(|hits| hits.rank(hit)), Some(rank));
        let row = desk.page(From::At(hit), 0, 1).rows.remove(0);
        assert!(row.place == hit && row.line.message.as_str().to_lowercase().ends_with("needle"), "{row:?}");
        place = hit + 1;
    }
}
