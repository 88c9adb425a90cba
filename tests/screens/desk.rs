//! A console without a terminal: the real model, panes and profile; samples, lines, keys and time from a script.
//! Long because all that a screen test can let happen is a method here.

use core::time::Duration;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use watchkeeper::action::lifecycle::{End, Outcome, Progress, State, Step};
use watchkeeper::action::mode::Mode;
use watchkeeper::action::plan::{Danger, Plan, Precondition, Target, Undo, What, Where};
use watchkeeper::action::prompt::Extent;
use watchkeeper::action::verify::Comparison;
use watchkeeper::app::{self, Effect, LogDesk, Model, Msg, Overlay, Request, Session};
use watchkeeper::base::time::Zone;
use watchkeeper::base::{
    Clean, Failure, LogLevel, LogLine, Mono, Now, Observation, Point, Sample, Support, Ulid, Unit, Wall,
};
use watchkeeper::config::{self, Depth, Profile, SearchPath, Theme};
use watchkeeper::input::Keymap;
use watchkeeper::logs::LogBatch;
use watchkeeper::roles::setup;
use watchkeeper::rules::{Book, BookOptions, Group, Inhibit, Matchers, RuleFile};
use watchkeeper::store::{History, Limits, LogStore, Store};
use watchkeeper::sys::host::{Host, Login};
use watchkeeper::term::Input;
use watchkeeper::ui;

/// 03:12:00 UTC on 21 November 2026, an hour after boot.
const START: Now = Now { mono: Mono(3_600_000_000_000), wall: Wall(1_795_230_720_000_000_000) };

pub(crate) struct Desk {
    pub(crate) model: Model,
    theme: Theme,
    now: Now,
    line: u32,
    /// Share in use of `/var`.
    room: f64,
}

impl Desk {
    pub(crate) fn demo(width: u16, height: u16) -> Self {
        Self::demo_with(width, height, &[])
    }

    /// The demo with these pieces of its profile written otherwise.
    pub(crate) fn demo_with(width: u16, height: u16, changes: &[(&str, &str)]) -> Self {
        let text = include_str!("../../profiles/demo/profile.toml").replace("@DIR@", "/demo").replace("@PORT@", "4711");
        // Its rules are not read here: another alert, that stays quiet, stands for the one that they make.
        let text = text.replace("GpuFull", "Host swap");
        let text = changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "the profile has no {from}");
            text.replace(from, to)
        });
        Self::of(&text, (width, height))
    }

    /// A console of this profile.
    pub(crate) fn of(text: &str, (width, height): (u16, u16)) -> Self {
        let profile = Profile::parse("demo", "profile.toml", text, &setup::known_kinds()).expect("a profile");
        Self::over(&profile, (width, height))
    }

    /// The same of one that has been loaded.
    pub(crate) fn over(profile: &Profile, (width, height): (u16, u16)) -> Self {
        let mut store = Store::new(Limits::default());
        let setup = setup::setup(profile, "gpu-07".into(), &mut store);
        assert_eq!(setup.faults, [], "the profile has no fault");
        let search = SearchPath::default();
        let (theme, _) = config::load_theme("default", Depth::Mono, &search);
        let (layers, _) = config::load_keymap("default", &search);
        let (keymap, faults) = Keymap::merge(&layers);
        assert_eq!(faults, []);
        let mut logs = LogStore::default();
        for source in &setup.sources {
            logs.declare(&source.name);
        }
        let model = Model {
            now: START,
            size: (width, height),
            identity: setup.identity,
            store,
            history: History::default(),
            logs,
            book: setup.book,
            log_desk: LogDesk::new(&setup.board.panes, setup.patterns, Zone { east: 7_200 }),
            board: setup.board,
            changes: setup.changes,
            overlay: Overlay::None,
            session: Session::new(Mode::Observe, Support::L1, "oncall".into(), Vec::new()),
            procedures: app::Procedures::new(setup.procedures),
            run: None,
            keymap,
        };
        Self { model, theme, now: START, line: 0, room: 0.31 }
    }

    /// The profile's own bands and these rules judge; each pair is a row of `[[inhibit]]`.
    pub(crate) fn judge_by(&mut self, rules: &str, inhibit: &[(&str, &str)]) {
        let bands = self.model.book.rules().map(|(_, rule, _)| rule.clone()).collect();
        let bands = Group { name: "bands".into(), interval: None, offset: Duration::ZERO, limit: 0, rules: bands };
        let bands = RuleFile { groups: vec![bands], ..RuleFile::default() };
        let matchers = |text: &str| Matchers::parse(text).expect("matchers");
        let row = |(source, target): &(&str, &str)| Inhibit {
            source: matchers(source),
            target: matchers(target),
            equal: Vec::new(),
        };
        let policy = self.model.book.policy().clone();
        let options = BookOptions { inhibit: inhibit.iter().map(row).collect(), policy, ..BookOptions::default() };
        self.model.book = Book::new(vec![bands, RuleFile::parse("rules.yaml", rules)], options);
    }

    pub(crate) fn screen(&self) -> String {
        self.draw(false)
    }

    pub(crate) fn ascii(&self) -> String {
        self.draw(true)
    }

    pub(crate) fn cells(&self) -> Buffer {
        let (width, height) = self.model.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        ui::draw(&self.model, &self.theme, false, &mut buffer);
        buffer
    }

    /// The same with colours.
    pub(crate) fn coloured(&self, depth: Depth) -> Buffer {
        let (theme, _) = config::load_theme("default", depth, &SearchPath::default());
        let (width, height) = self.model.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        ui::draw(&self.model, &theme, false, &mut buffer);
        buffer
    }

    /// How much of an open prompt's plan can be seen.
    pub(crate) fn extent(&self) -> Extent {
        let (width, height) = self.model.size;
        ui::draw(&self.model, &self.theme, false, &mut Buffer::empty(Rect::new(0, 0, width, height)))
    }

    fn draw(&self, ascii: bool) -> String {
        ui::text::lines(&self.model, &self.theme, ascii).join("\n")
    }

    pub(crate) fn send(&mut self, msg: Msg) -> Vec<Effect> {
        app::update(&mut self.model, msg, self.now)
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now.mono = self.now.mono + Duration::from_millis(ms);
        self.now.wall.0 += i64::try_from(ms * 1_000_000).unwrap();
        self.send(Msg::Tick);
    }

    /// `seconds` of healthy samples, one a second.
    pub(crate) fn quiet(&mut self, seconds: u32) {
        for second in 0..seconds {
            let swing = f64::from(second % 5);
            self.tick(&[7.1e-6 + swing * 1e-7, 0.70, 20.0 + swing, 0.41 + f64::from(second) * 0.001]);
            if second % 3 == 0 {
                self.log(LogLevel::Info, "step done in 7.2 µs");
            }
        }
    }

    /// `seconds` in which nothing at all is bad, and every disk has room.
    pub(crate) fn calm(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.room = 0.1;
            self.tick(&[7.1e-6, 0.70, 20.0, 0.41]);
        }
    }

    /// `seconds` of the incident.
    pub(crate) fn incident(&mut self, seconds: u32) {
        for second in 0..seconds {
            let at = f64::from(second);
            self.tick(&[10.2e-6 + at * 1e-7, 0.961, 500.0 + at * 17.0, 0.86 + at * 0.001]);
            match second % 4 {
                0 => self.log(LogLevel::Warn, "allocator: pool 96 % used, 1 retry"),
                2 => self.log(LogLevel::Error, "CUDA_ERROR_OUT_OF_MEMORY in cudaMallocAsync (612 MiB)"),
                _ => {}
            }
        }
    }

    /// What a sampler saw now, every second.
    pub(crate) fn says(&mut self, sampler: &str, outcome: Result<Observation, Failure>) {
        self.told(sampler, outcome);
        self.pass(600);
    }

    /// The same, at this very moment; what is asked of the world then.
    pub(crate) fn told(&mut self, sampler: &str, outcome: Result<Observation, Failure>) -> Vec<Effect> {
        let sample = self.sample(sampler, 1, outcome);
        self.send(Msg::Samples(vec![sample]))
    }

    /// What a sampler with this interval in seconds gives as a series of its own name.
    pub(crate) fn every(&mut self, every: u64, name: &str, value: Result<f64, &str>) {
        let seen = |value| Observation { points: vec![Point::gauge(name, &[], value)], ..Observation::default() };
        let sample = self.sample(name, every, value.map(seen).map_err(Failure::unreachable));
        self.send(Msg::Samples(vec![sample]));
    }

    /// A sampler fails and is asked again after so many seconds only.
    pub(crate) fn fails_until(&mut self, seconds: u64, name: &str, why: &str) {
        let mut sample = self.sample(name, 1, Err(Failure::unreachable(why)));
        sample.next_in = Duration::from_secs(seconds);
        self.send(Msg::Samples(vec![sample]));
    }

    /// A second in which LMDB environments, by folder, have this share used of this size.
    pub(crate) fn stores(&mut self, stores: &[(&str, f64, f64)]) {
        self.pass(1_000);
        let of = |(folder, share, size): &(&str, f64, f64)| {
            let path = format!("/{folder}");
            let labels = [("kind", "lmdb"), ("path", path.as_str())];
            [
                Point::gauge("lmdb_used_ratio", &labels, *share),
                Point::gauge("lmdb_used_bytes", &labels, share * size),
                Point::gauge("lmdb_map_size_bytes", &labels, *size),
            ]
        };
        let points = stores.iter().flat_map(of).collect();
        let sample = self.sample("store", 2, Ok(Observation { points, ..Observation::default() }));
        self.send(Msg::Samples(vec![sample]));
    }

    /// A second in which the sampler of the card sees this.
    pub(crate) fn card(&mut self, outcome: Result<Observation, Failure>) {
        self.pass(1_000);
        let sample = self.sample("gpu", 1, outcome);
        self.send(Msg::Samples(vec![sample]));
    }

    /// `seconds` in which the service refuses every connection.
    pub(crate) fn refused(&mut self, seconds: u64) {
        for second in 0..seconds {
            self.pass(1_000);
            for sampler in ["metrics", "gpu"] {
                let why = "127.0.0.1:4711 refused the connection. Is the service running?";
                let mut sample = self.sample(sampler, 1, Err(Failure::unreachable(why)));
                sample.next_in = Duration::from_secs(if second + 1 == seconds { 8 } else { 1 });
                self.send(Msg::Samples(vec![sample]));
            }
        }
    }

    fn tick(&mut self, [latency, memory, queue, lmdb]: &[f64; 4]) {
        self.pass(1_000);
        let quantile = |q: &str, factor: f64| Point {
            key: watchkeeper::base::SeriesKey::new("inference_latency_seconds", &[("quantile", q)]),
            value: latency * factor,
            kind: watchkeeper::base::PointKind::Summary,
        };
        let gpu = |name: &str, value| Point::gauge(name, &[("gpu", "0"), ("modelName", "SIMULATED 24 GB card")], value);
        let metrics = vec![
            quantile("0.5", 0.7),
            quantile("0.95", 1.0),
            quantile("0.99", 1.5),
            Point::gauge("queue_depth", &[], *queue),
            Point::gauge("queue_arrivals_per_second", &[], 412.0),
            Point::gauge("queue_completions_per_second", &[], 395.0),
        ];
        let card = vec![
            gpu("DCGM_FI_DEV_GPU_UTIL", 97.0),
            gpu("DCGM_FI_DEV_FB_TOTAL", 24_576.0),
            gpu("DCGM_FI_DEV_FB_USED", 24_576.0 * memory),
            gpu("DCGM_FI_DEV_FB_USED_PERCENT", *memory),
            gpu("DCGM_FI_DEV_GPU_TEMP", 71.0),
            gpu("DCGM_FI_DEV_POWER_USAGE", 348.0),
        ];
        let size = 1_073_741_824.0;
        let store = vec![
            Point::gauge("lmdb_used_ratio", &[], *lmdb),
            Point::gauge("lmdb_used_bytes", &[], size * lmdb),
            Point::gauge("lmdb_map_size_bytes", &[], size),
            Point::gauge("lmdb_readers", &[], 3.0),
            Point::gauge("lmdb_entries", &[], 182_004.0),
        ];
        let host = vec![
            Point::gauge("watchkeeper_host_cpu_busy_ratio", &[], 0.64),
            Point::gauge("watchkeeper_host_memory_used_ratio", &[], 0.41),
            Point::gauge("watchkeeper_host_swap_used_ratio", &[], 0.0),
            Point::gauge(
                "watchkeeper_host_filesystem_used_ratio",
                &[("mountpoint", "/")],
                if self.room < 0.3 { 0.2 } else { 0.72 },
            ),
            Point::gauge("watchkeeper_host_filesystem_used_ratio", &[("mountpoint", "/var")], self.room),
            Point::gauge("node_load1", &[], 1.9),
            Point::gauge("watchkeeper_host_pressure_ratio", &[("resource", "cpu")], 0.004),
        ];
        let samples = [("metrics", 1, metrics), ("gpu", 1, card), ("store", 2, store), ("host", 1, host)].map(
            |(name, every, points)| self.sample(name, every, Ok(Observation { points, ..Observation::default() })),
        );
        self.send(Msg::Samples(samples.into()));
    }

    fn sample(&self, sampler: &str, every: u64, outcome: Result<Observation, Failure>) -> Sample {
        let interval = Duration::from_secs(every);
        Sample {
            sampler: sampler.into(),
            seen: self.now,
            took: Duration::from_millis(2),
            interval,
            next_in: interval,
            outcome,
        }
    }

    fn log(&mut self, level: LogLevel, message: &str) {
        self.line += 1;
        let line = LogLine {
            time: Some(self.now.wall),
            level: Some(level),
            message: Clean::text(format!("{message} step={}", self.line)),
            marker: false,
        };
        let batch = LogBatch { source: "app".into(), lines: vec![(self.now, line)], dropped: 0, failure: None };
        self.send(Msg::Logs(vec![batch]));
    }

    pub(crate) fn press(&mut self, code: KeyCode) -> Vec<Effect> {
        let key = Input::Key(KeyEvent::new(code, KeyModifiers::NONE));
        self.send(Msg::Input(self.now.mono, key))
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&mut self) -> Vec<Effect> {
        let key = Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        self.send(Msg::Input(self.now.mono, key))
    }

    /// The runner is at its second step.
    pub(crate) fn running(&mut self) {
        let mut progress = Progress::new(self.model.run.as_ref().expect("a run").plan.id, 4_242);
        progress.state = State::Running;
        progress.steps = vec![Step { at: self.now, what: "intent recorded".into() }];
        progress.waiting = Some("copying".into());
        self.send(Msg::Progress(Box::new(progress)));
    }

    pub(crate) fn key(&mut self, c: char) {
        self.press(KeyCode::Char(c));
    }

    pub(crate) fn tab(&mut self) {
        self.press(KeyCode::Tab);
    }

    pub(crate) fn enter(&mut self) {
        self.press(KeyCode::Enter);
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.key(c);
        }
    }

    /// The frame with the prompt went to the writer, and the terminal answered its fence; where not all of the plan
    /// stands on it, its end was looked at too.
    pub(crate) fn shown(&mut self) {
        loop {
            let extent = self.extent();
            let effects = self.send(Msg::Shown(extent));
            let id = effects.iter().find_map(|effect| if let Effect::Fence(id) = effect { Some(*id) } else { None });
            self.send(Msg::Input(self.now.mono, Input::Fence(id.expect("a fence"))));
            if extent == Extent::End {
                return;
            }
            self.press(KeyCode::End);
        }
    }

    pub(crate) fn arm(&mut self) {
        self.press(KeyCode::Char('A'));
        let plan = Plan::arm(Ulid(7), place(), who(), self.now);
        self.send(Msg::ArmingPlanned(Box::new(plan)));
        self.shown();
        self.pass(500);
        self.key('y');
        assert!(matches!(self.model.session.mode, Mode::Armed { .. }));
        self.pass(10);
        self.model.session.notice = None;
    }

    /// Enter on the alert, and the planner's answer.
    pub(crate) fn planned(&mut self) -> Vec<Effect> {
        self.planned_as(|_| ())
    }

    /// The same with a plan that was changed.
    pub(crate) fn planned_as(&mut self, change: impl FnOnce(&mut Plan)) -> Vec<Effect> {
        let effects = self.press(KeyCode::Enter);
        assert!(matches!(effects[..], [Effect::Plan(_), ..]), "{effects:?}");
        let mut plan = plan(self.now);
        change(&mut plan);
        let request = Request::of("reduce-batch-size");
        self.send(Msg::Planned(request, Ok(Box::new(plan))))
    }

    /// Planned, shown, and the verb typed in time.
    pub(crate) fn confirmed(&mut self) {
        self.planned();
        self.shown();
        self.pass(2_000);
        self.type_text("reduce");
        self.pass(200);
        self.enter();
    }

    pub(crate) fn verified(&mut self) {
        let plan = self.model.run.as_ref().expect("a run").plan.id;
        let step = |what: &'static str| Step { at: self.now, what: what.into() };
        let mut progress = Progress::new(plan, 4_242);
        progress.state = State::Over;
        progress.steps = vec![
            step("took the lock of 2 targets"),
            step("identity is as in the plan"),
            step("backup read back by digest; intent is on disk"),
            step("performance.batch_size is 512"),
            step("inference restarted: process 811, before 794"),
        ];
        progress.comparisons = vec![
            row("latency p95", Unit::Seconds, 14.2e-6, 7.3e-6),
            row("GPU memory", Unit::Mebibytes, 23_617.0, 16_990.0),
        ];
        progress.end =
            Some(End { outcome: Outcome::Succeeded, reason: "Every value is as wanted.".into(), executed: true });
        (progress.effect, progress.ended) = (Some(self.now), Some(self.now));
        self.send(Msg::Progress(Box::new(progress)));
    }

    /// Its restart did not come up, and the start limit is hit.
    pub(crate) fn left_failed(&mut self, unit: &str) {
        let plan = self.model.run.as_ref().expect("a run").plan.id;
        let mut progress = Progress::new(plan, 4_242);
        progress.state = State::Over;
        progress.steps = vec![Step { at: self.now, what: "systemd has done `restart`".into() }];
        let service = serde_json::json!({ "kind": "systemd", "unit": unit });
        progress.failed = Some(serde_json::from_value(service).expect("a unit"));
        let reason = Clean::text(format!("{unit} is failed (failed), start-limit-hit."));
        progress.end = Some(End { outcome: Outcome::Failed, reason, executed: true });
        (progress.effect, progress.ended) = (Some(self.now), Some(self.now));
        self.send(Msg::Progress(Box::new(progress)));
        self.pass(10);
    }

    /// Every field that foreign text can reach, with text that would harm a terminal.
    pub(crate) fn hostile(&mut self) {
        const TEXT: &str = "\u{1b}]52;c;aGk=\u{7}\u{202e}x\u{200b}\rOK\u{9b}31m";
        self.quiet(3);
        self.log(LogLevel::Error, TEXT);
        self.pass(1_000);
        let sample = self.sample("metrics", 1, Err(Failure::answered(TEXT)));
        self.send(Msg::Samples(vec![sample]));
        let labels = vec![
            Point::gauge("watchkeeper_host_filesystem_used_ratio", &[("mountpoint", TEXT)], 0.99),
            Point::gauge("watchkeeper_host_filesystem_used_ratio", &[("mountpoint", "/")], 0.1),
        ];
        let sample = self.sample("host", 1, Ok(Observation { points: labels, ..Observation::default() }));
        self.send(Msg::Samples(vec![sample]));
        self.model.identity.host = Clean::text(TEXT);
        self.model.session.say(Clean::text(TEXT), watchkeeper::base::Level::Warning, self.now);
    }
}

fn row(label: &'static str, unit: Unit, before: f64, after: f64) -> Comparison {
    Comparison { label: label.into(), unit, before: Some(before), after: Some(after), fresh: 10, met: Some(true) }
}

pub(crate) fn place() -> Where {
    let host = Host { name: "gpu-07".into(), machine_id: "3f9c41ab77d0".into(), boot_id: "b1".into(), ssh_key: None };
    Where { host, environment: "demo".into() }
}

pub(crate) fn who() -> Login {
    Login {
        login_uid: Some(1_000),
        login: "oncall".into(),
        uid: 0,
        user: "root".into(),
        sudo_uid: None,
        tty: Some("pts/3".into()),
        ssh: None,
    }
}

fn plan(now: Now) -> Plan {
    let file = "/etc/cerebellar-norse/production.toml";
    Plan {
        id: Ulid(42),
        made: now,
        what: What {
            action: "reduce-batch-size".to_owned(),
            kind: "config_set@1".to_owned(),
            title: "Reduce batch size".into(),
            verb: "reduce".into(),
            target: "gpu-07/production.toml".into(),
            lines: vec![
                file.into(),
                "performance.batch_size   1024 → 512".into(),
                "then  restart inference through its supervisor".into(),
            ],
            work: serde_json::Value::Null,
        },
        danger: Danger::C2,
        raised: Vec::new(),
        support: Support::L1,
        place: place(),
        who: who(),
        hits: vec!["1 file, 1 unit, about 2 s without service".into()],
        undo: Undo::How("put the backup back and restart".into()),
        based_on: vec![Precondition {
            label: "GPU memory".into(),
            value: "23.1 GiB".into(),
            age: Duration::from_secs(1),
            metric: None,
        }],
        relied: None,
        targets: vec![Target::Session],
        settle: Duration::ZERO,
        judging: None,
    }
}
