//! A state folder, a document of four items, and the consoles that share them.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use watchkeeper::base::{Clean, Clock, Now, Ulid, Unit, Wall};
use watchkeeper::procedure::document::{Beside, Comparison, Condition, Document, Expect, Item, Live, Look, Subject};
use watchkeeper::procedure::walk::{Said, Senses, Sight, Walk};
use watchkeeper::roles::procedures::{Found, Holder, Keeper, Source, open_runs};
use watchkeeper::rules::expr::Expr;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::host::Host;

pub(crate) const TEXT: &str = "# LMDB full\n\n## Look\n\n## Grow\n\n## See\n\n## Say\n";
pub(crate) const RUN: Ulid = Ulid(42);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn now() -> Now {
    RealClock.now()
}

pub(crate) fn later(by: Duration) -> Now {
    let now = now();
    Now { mono: now.mono + by, wall: now.wall.ahead(by) }
}

pub(crate) fn boot() -> Clean {
    Host::current().boot_id
}

pub(crate) fn us(login: &'static str) -> Holder {
    Holder::current(login.into(), Some("pts/3".into()), boot(), now())
}

pub(crate) fn keeper(state: &Path, login: &'static str) -> Keeper {
    Keeper::new(state, us(login))
}

fn item(id: &str, live: Live) -> Item {
    Item {
        id: id.into(),
        title: Clean::text(id),
        prose: Vec::new(),
        code: Vec::new(),
        depth: 2,
        page: 0,
        line: 1,
        memory: false,
        live,
        show: Vec::new(),
        beside: Beside::default(),
        failed: None,
        go: None,
        valid_for: SECOND * 60,
        watch: None,
    }
}

pub(crate) fn document() -> Arc<Document> {
    let look = Look { label: "used".into(), expr: Expr::parse("up").unwrap(), unit: Unit::Ratio };
    let expect = Expect::Number(Comparison::Less, 0.85);
    let below = Condition { of: Subject::Query(look), expect, hold: Duration::ZERO };
    let items = vec![
        item("look", Live::Challenge(None)),
        item("grow", Live::Action("grow".into(), Vec::new())),
        item("see", Live::Check(below)),
        item("say", Live::Challenge(None)),
    ];
    Arc::new(Document {
        id: "lmdb-full".into(),
        title: "LMDB full".into(),
        file: "lmdb.md".into(),
        sha256: String::new(),
        symptoms: Vec::new(),
        alerts: Vec::new(),
        consequences: Vec::new(),
        time_box: None,
        severity: None,
        read_only: false,
        order: None,
        unused: (Vec::new(), 0),
        about: Vec::new(),
        items,
        faults: Vec::new(),
    })
}

/// Begins the run and keeps it.
pub(crate) fn begin(keeper: &mut Keeper, run: Ulid) -> Walk {
    let (walk, steps) = Walk::begin(run, document(), &"oncall".into(), now());
    keeper.begin(run, Source::of(&walk.document, TEXT.to_owned()), &steps, now()).unwrap();
    walk
}

/// Says it and keeps that.
pub(crate) fn say(walk: &mut Walk, keeper: &mut Keeper, said: Said) {
    let steps = walk.say(said, &"oncall".into(), now()).unwrap();
    keeper.append(walk.id, &steps, now()).unwrap();
}

/// Sees always this.
pub(crate) struct Always(pub bool);

impl Senses for Always {
    fn see(&mut self, _: &Condition) -> Sight {
        Sight { text: "84 %".into(), holds: Some(self.0), seen: now().mono }
    }
}

/// What a next console finds.
pub(crate) fn found(state: &Path) -> Vec<Found> {
    let (found, faults) = open_runs(state, &boot(), now());
    assert_eq!(faults, []);
    found
}

pub(crate) const fn hour(of: i64) -> Wall {
    Wall(of * 3_600_000_000_000)
}
