//! A console over a system of which every second is played, and what is asked of it.

use super::super::{Incident, Part, Run, System, file, lay_out};
use crate::base::{Clean, Clock as _, Failure, Now, Observation, Point, Sample};
use crate::config::{ProfileRef, SearchPath, load_profile};
use crate::roles::logs;
use crate::roles::setup::{self, Setup};
use crate::rules::FindingState;
use crate::samplers::scrape::text;
use crate::store::{Limits, Store};
use crate::sys::clock::RealClock;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// Looks of these kinds are real; the others would see this machine.
const REAL: [&str; 4] = ["command", "file", "lmdb", "sqlite"];

/// When a rollout comes.
const ROLLED_OUT: u64 = 9;

/// What a story has to raise: alerts, each with the procedure that answers it.
pub(super) type Promise = (&'static str, &'static [(&'static str, &'static str)]);

/// A system whose pages are read without a port.
pub(super) trait Played: Part + Sized {
    /// Seconds between looks; it plays on in between. What is recorded is believed for a few seconds only.
    const STEP: u64;
    fn begin(run: Run<'_>) -> Self;
    /// What samplers of these names see: points, or nobody there.
    fn looks(&mut self, now: Now) -> Vec<(&'static str, Option<Vec<Point>>)>;
}

/// A page of metrics.
pub(super) fn page(body: &str) -> Vec<Point> {
    text::parse(body.as_bytes(), 2_000).points
}

/// A console over a system of which every second is played.
pub(super) struct Watch<P> {
    pub(super) folder: TempDir,
    incident: Incident,
    turn: u32,
    pub(super) now: Now,
    /// `None` only between two runs.
    part: Option<P>,
    store: Store,
    setup: Setup,
    real: BTreeSet<Arc<str>>,
    /// How far each file of the logs has been read, by its number.
    read: HashMap<u64, u64>,
    pub(super) raised: BTreeSet<String>,
    runtime: tokio::runtime::Runtime,
}

impl<P: Played> Watch<P> {
    pub(super) fn new(system: System, story: &str) -> Self {
        let incident = Incident::of(system, Some(story)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut now = RealClock.now();
        now.mono.0 += 3_600_000_000_000;
        // Nobody listens there: what asks a port is played.
        let settings = lay_out(folder.path(), incident, &[1; 4], 7, now).unwrap();
        let path = folder.path().join("profile.toml");
        file(&path, crate::roles::demo::system_profile(incident, &settings).as_bytes()).unwrap();
        let search = SearchPath::detect(&|_| None);
        let profile = load_profile(&ProfileRef::Path(path), &search, &setup::known_kinds()).unwrap();
        let mut store = Store::new(Limits::default());
        let setup = setup::setup(&profile, "here".into(), &mut store);
        let real = profile.samplers.iter().filter(|spec| REAL.contains(&&*spec.kind));
        Self {
            incident,
            turn: 0,
            now,
            part: Some(P::begin(Run { folder: folder.path(), incident, seed: 7, turn: 0, began: now })),
            folder,
            store,
            setup,
            real: real.map(|spec| Arc::clone(&spec.name)).collect(),
            read: HashMap::new(),
            raised: BTreeSet::new(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// So many seconds, until it is enough.
    pub(super) fn pass(&mut self, seconds: u64, enough: impl Fn(&BTreeSet<String>) -> bool) {
        for second in 0..seconds {
            if second == ROLLED_OUT && self.turn == 0 {
                self.roll_out();
            }
            for _ in 0..2 {
                self.now.mono.0 += 500_000_000;
                self.now.wall.0 += 500_000_000;
                self.part.as_mut().unwrap().tick(self.now);
            }
            if !second.is_multiple_of(P::STEP) {
                continue;
            }
            self.look(second);
            self.follow();
            self.judge();
            if enough(&self.raised) {
                return;
            }
        }
    }

    /// What a tool that brings a change does.
    fn roll_out(&mut self) {
        let Some(rollout) = &self.incident.story.rollout else { return };
        let file = self.folder.path().join(&rollout.file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(&rollout.from), "{text}");
        fs::write(&file, text.replacen(&rollout.from, &rollout.to, 1)).unwrap();
        self.restart();
    }

    /// What a supervisor does.
    pub(super) fn restart(&mut self) {
        self.turn += 1;
        let Self { incident, turn, now, .. } = *self;
        // What one run holds, the next one needs.
        self.part = None;
        self.part = Some(P::begin(Run { folder: self.folder.path(), incident, seed: 7, turn, began: now }));
    }

    fn look(&mut self, second: u64) {
        let mut seen: HashMap<&str, Option<Vec<Point>>> =
            self.part.as_mut().unwrap().looks(self.now).into_iter().collect();
        for job in &mut self.setup.jobs {
            let every = job.every.max(Duration::from_secs(P::STEP));
            if !second.is_multiple_of(every.as_secs()) {
                continue;
            }
            let outcome = if self.real.contains(&job.name) {
                self.runtime.block_on(job.sampler.observe(self.now))
            } else if let Some(points) = seen.remove(&*job.name) {
                let seen = |points| Observation { points, ..Observation::default() };
                points.map(seen).ok_or_else(|| Failure::unreachable("refused."))
            } else {
                continue;
            };
            self.store.ingest(&sample(&job.name, self.now, every, outcome));
        }
    }

    fn follow(&mut self) {
        for source in &self.setup.sources {
            let folder = Path::new(&source.pattern).parent().unwrap();
            let own = source.pattern.trim_end_matches("*.log");
            for file in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = file.path();
                let name = path.to_str().unwrap();
                let Ok(about) = file.metadata() else { continue };
                let from = self.read.get(&about.ino()).copied().unwrap_or(0);
                if !name.starts_with(own) || !name.contains(".log") || about.len() <= from {
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                let new = bytes.get(usize::try_from(from).unwrap()..).unwrap_or_default();
                let lines: Vec<_> = new
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .map(|line| source.format.read(line, 0))
                    .collect();
                self.setup.tally.count(&source.name, lines.iter(), 0);
                self.read.insert(about.ino(), about.len());
            }
        }
        self.store.ingest(&sample(
            &logs::SAMPLER.into(),
            self.now,
            Duration::from_secs(P::STEP),
            Ok(self.setup.tally.observe()),
        ));
    }

    fn judge(&mut self) {
        self.setup.book.judge(&mut self.store, self.now);
        let book = &self.setup.book;
        let firing = book.findings().iter().filter(|finding| finding.state == FindingState::Firing);
        self.raised.extend(firing.filter_map(|finding| Some(book.rule(finding.id.rule)?.name.to_string())));
    }

    /// The run that is on.
    pub(super) fn part(&self) -> &P {
        self.part.as_ref().unwrap()
    }

    /// How the rules of an alert stand.
    fn stands(&self, alert: &str) -> String {
        let book = &self.setup.book;
        let of = book.rules().filter(|(_, rule, _)| rule.name.as_str() == alert);
        let stand = of.map(|(at, _, health)| {
            let found = book.findings().iter().filter(|found| found.id.rule == at);
            let found: Vec<String> = found.map(|found| format!("{:?} at {}", found.state, found.value)).collect();
            format!("{health:?} {found:?}")
        });
        stand.collect::<Vec<_>>().join(", ")
    }

    /// What an alert says.
    pub(super) fn says(&self, alert: &str) -> Option<Clean> {
        let book = &self.setup.book;
        let of = |at| book.rule(at).is_some_and(|rule| rule.name.as_str() == alert);
        let found = book.findings().iter().find(|found| of(found.id.rule))?;
        book.annotation(&found.id, "summary")
    }

    /// The procedure that answers an alert.
    fn answers(&self, alert: &str) -> Option<&str> {
        let alert = Clean::text(alert);
        self.setup.procedures.iter().find(|document| document.alerts.contains(&alert)).map(|document| &*document.id)
    }
}

fn sample(name: &Arc<str>, now: Now, every: Duration, outcome: Result<Observation, Failure>) -> Sample {
    let took = Duration::from_millis(2);
    Sample { sampler: Arc::clone(name), seen: now, took, interval: every, next_in: every, outcome }
}

/// Plays the story for so many seconds at most.
pub(super) fn keeps<P: Played>(system: System, seconds: u64, (story, promised): Promise) -> Watch<P> {
    let mut watch = Watch::<P>::new(system, story);
    watch.pass(seconds, |raised| promised.iter().all(|(alert, _)| raised.contains(*alert)));
    for (alert, procedure) in promised {
        let stands = || watch.stands(alert);
        assert!(watch.raised.contains(*alert), "{story}: no {alert} in {seconds} s: {}; {:?}", stands(), watch.raised);
        assert_eq!(watch.answers(alert), Some(*procedure), "{story}: {alert}");
    }
    watch
}

/// Nothing that any of the stories promises comes in a quiet run.
pub(super) fn is_quiet<P: Played>(system: System, seconds: u64, promises: &[Promise]) {
    let mut watch = Watch::<P>::new(system, "quiet");
    assert!(watch.setup.faults.is_empty(), "{:?}", watch.setup.faults);
    watch.pass(seconds, |_| false);
    let promised = promises.iter().flat_map(|(_, alerts)| alerts.iter());
    let raised: Vec<&str> = promised.map(|(alert, _)| *alert).filter(|alert| watch.raised.contains(*alert)).collect();
    assert!(raised.is_empty(), "{raised:?} of {:?}", watch.raised);
}

/// Every story but those is promised something.
pub(super) fn all_are_promised(system: System, promises: &[Promise], others: &[&str]) {
    let told = |name: &str| others.contains(&name) || promises.iter().any(|(story, _)| *story == name);
    let left: Vec<&str> = system.stories().iter().map(|story| story.name.as_str()).filter(|name| !told(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}
