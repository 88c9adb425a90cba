//! The runner: what it refuses, how it ends, and that it ends whatever becomes of its console.

use crate::running::Running;
use crate::support::{
    CONFIG, Deed, LATENCY, Manager, Scene, Script, Stepped, Store, Temper, Twin, WALL, accepted, at, session,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use watchkeeper::action::act::Probe;
use watchkeeper::action::follow::Follow;
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::launch::Launcher;
use watchkeeper::action::lifecycle::{Allowed, End, Outcome, Progress, Run, State};
use watchkeeper::action::plan::Plan;
use watchkeeper::action::prompt::Acceptance;
use watchkeeper::action::reach::Reach;
use watchkeeper::action::recover::{Standing, settle, standing, unresolved};
use watchkeeper::action::verify::Seen;
use watchkeeper::base::{Clock, Support, Wall};
use watchkeeper::journal;
use watchkeeper::roles::runner;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::lock::TargetLock;
use watchkeeper::sys::paths::{journal_dir, lock_dirs};

/// Runs a plan in this process, in stepped time.
fn carry(run: &Run, twin: Twin, deed: Option<Deed>) -> u8 {
    let clock = Arc::new(Stepped::default());
    let shared: Arc<dyn Clock> = clock.clone();
    let deeds = Arc::new(Mutex::new(deed.into_iter().collect()));
    runner::main(run.dir(), &shared, |_| Ok(Box::new(Script { clock, twin, deeds })))
}

fn order(scene: &Scene, plan: Plan) -> Run {
    let run = Run::of(&scene.state(), plan.id);
    run.write_order(&accepted(plan)).unwrap();
    run
}

fn end(run: &Run) -> End {
    run.read().unwrap().unwrap().end.unwrap()
}

/// The events of the journal, in order.
fn events(scene: &Scene) -> Vec<String> {
    let verdict = journal::verify(&journal_dir(&scene.state())).unwrap();
    assert!(verdict.intact(), "{verdict:?}");
    let text = fs::read_to_string(journal_dir(&scene.state()).join("00000001.jsonl")).unwrap();
    let event =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["ev"].as_str().unwrap().to_owned();
    text.lines().map(event).collect()
}

#[test]
fn a_plan_is_carried_out_verified_and_recorded() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 0);
    let progress = run.read().unwrap().unwrap();
    let end = progress.end.clone().unwrap();
    assert_eq!((end.outcome, end.executed, progress.state), (Outcome::Succeeded, true, State::Over));
    assert_eq!(scene.content(), CONFIG.replace("1024", "512"));
    assert_eq!(fs::read_to_string(run.backup_dir().join("production.toml")).unwrap(), CONFIG);
    let latency = &progress.comparisons[0];
    assert_eq!((latency.before, latency.after, latency.met), (Some(14.2e-6), Some(9.1e-6), Some(true)));
    assert_eq!(events(&scene), ["journal.open", "action.intent", "action.outcome"]);
    let said: Vec<String> = progress.steps.iter().map(|step| step.what.to_string()).collect();
    assert_eq!(
        said[..4],
        [
            "target locked, plan taken over",
            "everything is as the plan says",
            "backup written and read back",
            "intent recorded"
        ]
    );
    assert!(said[5].contains("inference restarted as process 4001"), "{said:?}");
}

#[test]
fn a_plan_is_carried_out_once() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 0);
    let told = run.read().unwrap();
    fs::write(scene.config(), CONFIG).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    assert_eq!(run.read().unwrap(), told, "the first runner's status stays");
    assert_eq!(scene.content(), CONFIG);
    assert!(Run::of(&scene.state(), scene.plan().id).write_order(&run.read_order().unwrap()).is_ok());
    assert!(run.write_order(&run.read_order().unwrap()).is_err(), "a plan is handed over once");
}

#[test]
fn whatever_changed_since_the_plan_is_a_refusal_that_says_what() {
    type Change = fn(&Scene);
    let cases: [(&str, Change); 5] = [
        ("content changed", |scene| fs::write(scene.config(), format!("{CONFIG}# by hand\n")).unwrap()),
        ("replaced by another file", |scene| {
            let other = scene.dir.path().join("other");
            fs::write(&other, CONFIG).unwrap();
            fs::rename(other, scene.config()).unwrap();
        }),
        ("owner or mode changed", |scene| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(scene.config(), mode).unwrap();
        }),
        ("restarted meanwhile (process 4000 → 4001)", |scene| {
            scene.manager.restarts.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }),
        ("No such file", |scene| fs::remove_file(scene.config()).unwrap()),
    ];
    for (says, change) in cases {
        let scene = Scene::new(Temper::Restarts);
        let run = order(&scene, scene.plan());
        change(&scene);
        let before = fs::read(scene.config()).ok();
        assert_eq!(carry(&run, Twin::new(scene.config()), None), 3, "{says}");
        let end = end(&run);
        assert_eq!((end.outcome, end.executed), (Outcome::Refused, false));
        assert!(end.reason.as_str().contains(says), "{}", end.reason);
        assert_eq!(fs::read(scene.config()).ok(), before);
        assert_eq!(events(&scene), ["journal.open", "action.refused"]);
    }
}

#[test]
fn a_metric_that_moved_since_the_plan_is_a_refusal_that_names_both_values() {
    // Planned at 23 654 MiB; a quarter more or less holds, unless the profile says otherwise.
    let cases = [
        (29_000.0, "", None),
        (17_000.0, "", Some("plan is stale: GPU memory was 23.1 GiB and is 16.6 GiB now (may differ by 25 %).")),
        (f64::NAN, "", Some("GPU memory was 23.1 GiB and is ")),
        (25_000.0, ", tolerance = 0.05", Some("is 24.4 GiB now (may differ by 5.0 %)")),
        (12_000.0, ", tolerance = 0.5", None),
    ];
    for (memory, tolerance, says) in cases {
        let scene = Scene::new(Temper::Restarts);
        let profile = scene.profile().replacen(", max_age = \"10s\"", tolerance, 1);
        let run = order(&scene, scene.prepare(&profile, &Store::default(), &[]).unwrap());
        let twin = Twin { memory, ..Twin::new(scene.config()) };
        carry(&run, twin, None);
        let end = end(&run);
        match says {
            Some(says) => {
                assert_eq!((end.outcome, end.executed), (Outcome::Refused, false));
                assert!(end.reason.as_str().contains(says), "{}", end.reason);
                assert_eq!(scene.content(), CONFIG);
            }
            None => assert!(end.executed, "{memory}: {}", end.reason),
        }
    }
}

#[test]
fn a_backup_that_is_gone_is_a_refusal() {
    let scene = Scene::new(Temper::Restarts);
    let folder = scene.dir.path().join("backups");
    fs::create_dir(&folder).unwrap();
    let backup = folder.join("index-1");
    let hour_ago = u64::try_from(WALL.0).unwrap() - 3_600_000_000_000;
    let written = std::time::UNIX_EPOCH + Duration::from_nanos(hour_ago);
    let make = || fs::File::create(&backup).unwrap().set_modified(written).unwrap();
    make();
    let relied = format!("backup = {{ folder = \"{}\", of = \"index\", max_age = \"24h\" }}\n", folder.display());
    let plan = || scene.prepare(&format!("{relied}{}", scene.profile()), &Store::default(), &[]).unwrap();
    let run = order(&scene, plan());
    fs::remove_file(&backup).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    let says = "plan is stale: the newest backup of index was index-1 and is none in ";
    assert!(end(&run).reason.as_str().starts_with(says), "{}", end(&run).reason);
    assert_eq!(scene.content(), CONFIG);
    make();
    let run = order(&scene, plan());
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 0, "{}", end(&run).reason);
}

#[test]
fn what_was_unknown_is_looked_for_again_and_is_a_refusal_once_it_is_known() {
    for (query, says) in [(LATENCY, Some("plan is stale: open positions was unknown and is ")), ("nobody_knows", None)]
    {
        let scene = Scene::new(Temper::Restarts);
        let row = format!("label = \"open positions\", query = '{query}', may_be_unknown = true");
        let profile = scene.profile().replacen("based_on = [ {", &format!("based_on = [ {{ {row} }}, {{"), 1);
        let run = order(&scene, scene.prepare(&profile, &Store::default(), &[]).unwrap());
        carry(&run, Twin::new(scene.config()), None);
        let end = end(&run);
        match says {
            Some(says) => assert!(end.reason.as_str().starts_with(says) && !end.executed, "{}", end.reason),
            None => assert!(end.executed, "{}", end.reason),
        }
    }
}

#[test]
fn a_change_after_the_last_look_still_stops_the_edit() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    let config = scene.config();
    let deed = Box::new(move || fs::write(config, "[performance]\nbatch_size = 1024\n").unwrap());
    assert_eq!(carry(&run, Twin::new(scene.config()), Some(deed)), 3);
    assert!(end(&run).reason.as_str().contains("no longer the file of the plan"), "{}", end(&run).reason);
    assert_eq!(scene.content(), "[performance]\nbatch_size = 1024\n");
}

#[test]
fn somebody_else_at_the_target_is_a_refusal_that_names_them() {
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let name = plan.locks()[0].clone();
    let run = order(&scene, plan);
    let lock = TargetLock::take(&lock_dirs(), &name).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    let reason = end(&run).reason;
    assert!(reason.as_str().contains(&format!("process {}", std::process::id())), "{reason}");
    assert!(!run.is_accepted(), "the plan is not consumed");
    drop(lock);
    assert_eq!(scene.content(), CONFIG);
}

#[test]
fn sixteen_racers_for_one_target_carry_out_one() {
    let scene = Scene::new(Temper::Restarts);
    let runs: Vec<Run> = (0..16).map(|_| order(&scene, scene.plan())).collect();
    let codes: Vec<u8> = std::thread::scope(|scope| {
        let config = scene.config();
        let start = |run| {
            let twin = Twin::new(config.clone());
            scope.spawn(move || carry(run, twin, None))
        };
        let racers: Vec<_> = runs.iter().map(start).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let ended = |with: u32| codes.iter().copied().map(u32::from).filter(|code| *code == with).count();
    assert_eq!(ended(0), 1, "{codes:?}");
    assert_eq!(ended(3), 15, "{codes:?}");
    assert_eq!(events(&scene).iter().filter(|event| *event == "action.intent").count(), 1);
    assert_eq!(scene.manager.restarts.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn how_it_ends_when_the_manager_or_the_metric_says_no() {
    type Bend = fn(&mut Twin);
    let cases: [(Temper, Bend, Outcome, &str); 5] = [
        (Temper::SaysNo, |_| {}, Outcome::Failed, "restart failed (done before it: edit). inference was not restarted"),
        (Temper::HangsUp, |_| {}, Outcome::Indeterminate, "restart may or may not have taken place"),
        (Temper::Restarts, |twin| twin.helps = false, Outcome::Failed, "latency p95 did not fall by 5 % or more"),
        // Good while it settles, as after every start, and then no better than before.
        (Temper::Restarts, |twin| twin.lasts = 10, Outcome::Failed, "latency p95 did not fall by 5 % or more"),
        (
            Temper::Restarts,
            |twin| twin.rate = 10.0,
            Outcome::Unverified,
            "latency p95 fell, but so did throughput: 10 ",
        ),
    ];
    for (temper, bend, outcome, says) in cases {
        let scene = Scene::new(temper);
        let run = order(&scene, scene.plan());
        let mut twin = Twin::new(scene.config());
        bend(&mut twin);
        carry(&run, twin, None);
        let end = end(&run);
        assert_eq!(end.outcome, outcome);
        assert!(end.reason.as_str().contains(says), "{}", end.reason);
        assert_eq!(events(&scene), ["journal.open", "action.intent", "action.outcome"]);
        assert_eq!(scene.content(), CONFIG.replace("1024", "512"));
    }
}

#[test]
fn without_a_durable_record_nothing_is_touched() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    fs::create_dir_all(journal_dir(&scene.state())).unwrap();
    fs::create_dir(journal_dir(&scene.state()).join("00000001.jsonl")).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    let progress = run.read().unwrap().unwrap();
    assert_eq!(progress.end.unwrap().outcome, Outcome::Refused);
    assert!(progress.unrecorded.is_some(), "the screen says that the refusal is not in the journal");
    assert_eq!(scene.content(), CONFIG);
}

/// A journal that breaks after the intent and is mended after it was tried some times more.
struct Sick {
    script: Script,
    run: Run,
    journal: PathBuf,
    broken: bool,
    said: Arc<Mutex<Vec<String>>>,
}

impl Probe for Sick {
    fn points(&mut self, limit: Duration) -> Vec<Seen> {
        let told = self.run.read().unwrap().unwrap();
        let (file, aside) = (self.journal.join("00000001.jsonl"), self.journal.join("aside"));
        if told.state == State::Verifying && !self.broken {
            fs::rename(&file, &aside).unwrap();
            fs::create_dir(&file).unwrap();
            self.broken = true;
        }
        if let Some(unrecorded) = told.unrecorded {
            let mut said = self.said.lock().unwrap();
            said.push(unrecorded.to_string());
            if said.len() == 12 {
                fs::remove_dir(&file).unwrap();
                fs::rename(&aside, &file).unwrap();
            }
        }
        self.script.points(limit)
    }
}

#[test]
fn an_outcome_that_the_journal_does_not_take_is_kept_by_its_runner_until_it_does() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    let (clock, said) = (Arc::new(Stepped::default()), Arc::new(Mutex::new(Vec::new())));
    let script = Script { clock: Arc::clone(&clock), twin: Twin::new(scene.config()), deeds: Arc::default() };
    let journal = journal_dir(&scene.state());
    let sick = Sick { script, run: run.clone(), journal, broken: false, said: Arc::clone(&said) };
    let shared: Arc<dyn Clock> = clock;
    assert_eq!(runner::main(run.dir(), &shared, |_| Ok(Box::new(sick))), 0);
    let progress = run.read().unwrap().unwrap();
    assert_eq!((progress.end.unwrap().outcome, progress.unrecorded), (Outcome::Succeeded, None));
    let said = said.lock().unwrap();
    assert!(said.iter().all(|said| said.ends_with("its runner keeps it and tries again")), "{said:?}");
    // 1 + 2 + 4 + 8 seconds, one after another: no try between.
    assert_eq!(said.len(), 15, "{said:?}");
    assert_eq!(events(&scene), ["journal.open", "action.intent", "action.outcome"]);
    let text = fs::read_to_string(journal_dir(&scene.state()).join("00000001.jsonl")).unwrap();
    assert!(text.lines().last().unwrap().contains("\"late\":true"), "{text}");
}

#[test]
fn a_plan_that_was_changed_on_its_way_is_not_carried_out() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    let path = run.dir().join("plan.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"to\": 512", "\"to\": 4")).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    assert_eq!(scene.content(), CONFIG);
    assert!(end(&run).reason.as_str().contains("differs from what was accepted"), "{}", end(&run).reason);
}

#[test]
fn an_order_that_others_could_have_written_is_not_carried_out() {
    use std::os::unix::fs::PermissionsExt;
    type Place = fn(&Scene, &Run) -> PathBuf;
    let places: [(Place, &str); 4] = [
        (|scene, _| scene.state(), "folder"),
        (|scene, _| scene.state().join("actions"), "folder"),
        (|_, run| run.dir().to_owned(), "folder"),
        (|_, run| run.dir().join("plan.json"), "file"),
    ];
    for (place, noun) in places {
        let scene = Scene::new(Temper::Restarts);
        let run = order(&scene, scene.plan());
        let place = place(&scene, &run);
        fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
        assert_eq!(scene.content(), CONFIG);
        let says = format!("{}: others may write to this {noun} (mode 0777)", place.display());
        assert!(end(&run).reason.as_str().contains(&says), "{}", end(&run).reason);
    }
}

#[test]
fn after_a_crash_the_digest_decides_and_nothing_runs_again() {
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let run = order(&scene, plan.clone());
    run.accept(1).unwrap();
    let look = |state: State| {
        let mut progress = Progress::new(plan.id, 1);
        progress.state = state;
        run.write(&progress).unwrap();
        let (found, faults) = unresolved(&scene.state(), &lock_dirs(), RealClock.now().wall);
        assert_eq!((found.len(), faults), (1, Vec::new()));
        found[0].clone()
    };
    assert_eq!(look(State::Prechecked).standing, Standing::NothingDone);
    assert!(matches!(look(State::Running).standing, Standing::Unknown(Settled::NotDone(_))));
    fs::write(scene.config(), CONFIG.replace("1024", "512")).unwrap();
    let done = look(State::Running);
    assert!(matches!(done.standing, Standing::Unknown(Settled::Done(_))));
    assert!(done.sentence().as_str().contains("outcome unknown. Now observed: "), "{}", done.sentence());
    fs::write(scene.config(), "other = 1\n").unwrap();
    assert!(matches!(look(State::Intent).standing, Standing::Unknown(Settled::Other(_))));
    let lock = TargetLock::take(&lock_dirs(), &plan.locks()[0]).unwrap();
    let mut progress = Progress::new(plan.id, std::process::id());
    progress.state = State::Running;
    run.write(&progress).unwrap();
    let (found, _) = unresolved(&scene.state(), &lock_dirs(), RealClock.now().wall);
    assert_eq!(found[0].standing, Standing::Attach { pid: std::process::id() });
    // After a boot the same number at the same target is another process.
    let mut earlier = plan.clone();
    earlier.place.host.boot_id = "the boot before".into();
    let standing = standing(&run, &earlier, Some(&progress), true, &lock_dirs());
    assert!(matches!(standing, Standing::Unknown(_)), "{standing:?}");
    drop(lock);
}

#[test]
fn a_plan_whose_runner_never_begins_is_withdrawn_and_stays_so() {
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let run = order(&scene, plan.clone());
    let mut follow = Follow::new(run.clone(), plan, lock_dirs(), None, at(0));
    assert_eq!((follow.look(at(0)), follow.look(at(9_999))), (None, None));
    let told = follow.look(at(10_000)).unwrap().end.unwrap();
    assert_eq!((told.outcome, told.executed), (Outcome::Refused, false));
    assert!(told.reason.as_str().contains("did not begin within 10 s; nothing was done"), "{}", told.reason);
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3, "a runner that comes late does nothing");
    assert_eq!((scene.content().as_str(), end(&run)), (CONFIG, told));
}

#[test]
fn a_runner_that_died_before_its_first_word_is_noticed() {
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let run = order(&scene, plan.clone());
    run.accept(1).unwrap();
    let mut follow = Follow::new(run, plan, lock_dirs(), None, at(0));
    assert_eq!((follow.look(at(100)), follow.look(at(2_099))), (None, None));
    let told = follow.look(at(2_100)).unwrap().end.unwrap();
    assert_eq!(told.outcome, Outcome::Refused);
    assert_eq!(told.reason.as_str(), "its runner ended before it changed anything.");
}

#[test]
fn an_order_that_never_started_is_told_until_it_is_withdrawn() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    let now = RealClock.now().wall;
    assert_eq!(unresolved(&scene.state(), &lock_dirs(), now), (Vec::new(), Vec::new()), "its runner may yet come");
    let later = Wall(now.0 + 16_000_000_000);
    let (found, _) = unresolved(&scene.state(), &lock_dirs(), later);
    assert_eq!(found[0].standing, Standing::NeverStarted);
    let said = found[0].sentence();
    assert!(said.as_str().ends_with("was accepted but never started; nothing was done."), "{said}");
    assert!(run.withdraw(found[0].plan.id, said).unwrap().is_some());
    assert_eq!(unresolved(&scene.state(), &lock_dirs(), later), (Vec::new(), Vec::new()));
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    assert_eq!(scene.content(), CONFIG);
    fs::write(run.dir().join("plan.json"), "{").unwrap();
    assert_eq!(unresolved(&scene.state(), &lock_dirs(), later).1.len(), 1, "what cannot be read is told");
}

#[test]
fn a_read_only_console_has_no_way_to_start_a_runner() {
    assert!(Launcher::new(true, Reach::World, None, Vec::new(), Vec::new()).is_none());
}

// ---- real processes: this test binary plays console and runner ----

/// Real time, twenty milliseconds a point.
struct Eyes(Twin);

impl Probe for Eyes {
    fn points(&mut self, limit: Duration) -> Vec<Seen> {
        std::thread::park_timeout(limit.min(Duration::from_millis(20)));
        self.0.points(RealClock.now().mono)
    }
}

fn last_argument() -> PathBuf {
    PathBuf::from(std::env::args_os().next_back().unwrap())
}

#[test]
#[ignore = "a role: played by a process of its own"]
fn plays_the_runner() {
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let code = runner::main(&last_argument(), &clock, |plan| {
        let config = plan.what.lines[0].as_str().into();
        Ok(Box::new(Eyes(Twin::new(config))))
    });
    assert_eq!(code, 0);
}

#[test]
#[ignore = "a role: played by a process of its own"]
fn plays_the_console() {
    let state = last_argument();
    let order: Acceptance = serde_json::from_slice(&fs::read(state.join("order.json")).unwrap()).unwrap();
    let args = ["runner::plays_the_runner", "--exact", "--ignored"].map(Into::into).to_vec();
    let env = vec![("DECLARED".into(), "yes".into())];
    let launcher = Launcher::new(false, Reach::World, None, args, env).unwrap();
    launcher.start(&launcher.order(&order, &state).unwrap()).unwrap();
    std::thread::park_timeout(Duration::from_secs(60));
}

#[expect(clippy::disallowed_methods, reason = "the test plays the operator who starts a console")]
fn console(scene: &Scene, plan: Plan) -> (Running, Run) {
    let run = Run::of(&scene.state(), plan.id);
    fs::create_dir_all(scene.state()).unwrap();
    fs::write(scene.state().join("order.json"), serde_json::to_vec(&accepted(plan)).unwrap()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["runner::plays_the_console", "--exact", "--ignored"]).arg(scene.state()).env("SECRET", "hunter2");
    (Running::start(&mut command, Stdio::null(), Stdio::null()), run)
}

/// Waits on the run folder; the limit is only a hang guard.
fn wait_for(run: &Run, what: impl Fn(&Progress) -> bool) -> Progress {
    let start = RealClock.now().mono;
    loop {
        if let Ok(Some(progress)) = run.read()
            && what(&progress)
        {
            return progress;
        }
        assert!(
            RealClock.now().mono.since(start) < Duration::from_secs(120),
            "{:?}: {:?}",
            run.read(),
            fs::read_to_string(run.dir().join("out.log"))
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn proc(pid: u32, name: &str) -> String {
    fs::read_to_string(Path::new("/proc").join(pid.to_string()).join(name)).unwrap()
}

#[test]
fn the_runner_outlives_its_console_and_finishes() {
    let scene = Scene::new(Temper::WaitsForGo);
    let (mut console, run) = console(&scene, scene.plan());
    // Half-way: the file is written, the manager has not answered.
    let half = wait_for(&run, |progress| {
        progress.steps.iter().any(|step| {
            step.what.as_str().contains("written and read back") && step.what.as_str().contains("production.toml")
        })
    });
    isolated(half.pid, console.0.id());
    console.0.kill().unwrap();
    console.0.wait().unwrap();
    let runner = rustix::process::Pid::from_raw(i32::try_from(half.pid).unwrap()).unwrap();
    rustix::process::kill_process(runner, rustix::process::Signal::HUP).unwrap();
    let (found, _) = unresolved(&scene.state(), &lock_dirs(), RealClock.now().wall);
    assert_eq!(found[0].standing, Standing::Attach { pid: half.pid });
    fs::write(scene.dir.path().join("go"), b"").unwrap();
    let over = wait_for(&run, |progress| progress.end.is_some());
    assert_eq!(over.end.unwrap().outcome, Outcome::Succeeded);
    assert_eq!(events(&scene), ["journal.open", "action.intent", "action.outcome"]);
    assert_eq!(scene.content(), CONFIG.replace("1024", "512"));
    assert!(unresolved(&scene.state(), &lock_dirs(), RealClock.now().wall).0.is_empty());
}

/// Own session, no terminal, nothing inherited.
fn isolated(pid: u32, console: u32) {
    let stat = proc(pid, "stat");
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let (parent, session, tty) = (fields[1], fields[3], fields[4]);
    assert_ne!(parent, console.to_string());
    assert_ne!(session, proc(console, "stat").rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap());
    assert_ne!(session, pid.to_string(), "a session's leader could get a terminal");
    assert_eq!(tty, "0");
    assert!(proc(pid, "status").contains("Umask:\t0077"));
    let core = proc(pid, "limits").lines().find(|line| line.starts_with("Max core")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap(), Path::new("/dev/null"));
    let names = |text: String| {
        text.split('\0').filter_map(|row| row.split_once('=').map(|(name, _)| name.to_owned())).collect::<Vec<_>>()
    };
    let mut environment = names(proc(pid, "environ"));
    environment.sort();
    assert_eq!(environment, ["DECLARED", "LANG", "PATH", "TERM"]);
}

#[test]
fn a_killed_runner_leaves_a_truth_behind_and_its_lock_free() {
    let scene = Scene::new(Temper::WaitsForGo);
    let plan = scene.plan();
    let (mut console, run) = console(&scene, plan.clone());
    let half = wait_for(&run, |progress| progress.state == State::Running && progress.steps.len() >= 5);
    let mut follow = Follow::new(run.clone(), plan, lock_dirs(), None, at(0));
    assert!(follow.look(at(0)).unwrap().end.is_none());
    assert_eq!((follow.look(at(1_000)), follow.look(at(9_000))), (None, None), "it works on");
    let runner = rustix::process::Pid::from_raw(i32::try_from(half.pid).unwrap()).unwrap();
    rustix::process::kill_process(runner, rustix::process::Signal::KILL).unwrap();
    let start = RealClock.now().mono;
    loop {
        let (found, _) = unresolved(&scene.state(), &lock_dirs(), RealClock.now().wall);
        if matches!(found[0].standing, Standing::Unknown(Settled::Done(_))) {
            break;
        }
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{found:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert_eq!((follow.look(at(10_000)), follow.look(at(11_999))), (None, None));
    let told = follow.look(at(12_000)).unwrap();
    let end = told.end.unwrap();
    assert_eq!((told.state, end.outcome, end.executed), (State::Over, Outcome::Indeterminate, false));
    assert!(end.reason.as_str().contains("ended without telling the outcome. Now observed: "), "{}", end.reason);
    assert_eq!(events(&scene), ["journal.open", "action.intent"]);
    console.0.kill().unwrap();
    console.0.wait().unwrap();
    fs::write(scene.dir.path().join("go"), b"").unwrap();
    let _manager: &Manager = &scene.manager;
}

#[test]
fn what_the_console_was_allowed_is_looked_at_again_before_the_first_effect() {
    // The clock of these runs begins at one second.
    let ahead = |support| Allowed { until: at(60_000), support };
    for (allowed, why) in [
        (Allowed { until: at(500), ..ahead(Support::L1) }, "the arming of its console was over"),
        (ahead(Support::L0), "this needs support level L1, and its login has L0"),
    ] {
        let scene = Scene::new(Temper::Restarts);
        let plan = scene.plan();
        let run = Run::of(&scene.state(), plan.id);
        run.order(&accepted(plan), Some(allowed)).unwrap();
        assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
        assert!(end(&run).reason.as_str().contains(why), "{:?}", end(&run));
        assert_eq!(
            (scene.content().as_str(), events(&scene)),
            (CONFIG, vec!["journal.open".into(), "action.refused".into()])
        );
    }
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let run = Run::of(&scene.state(), plan.id);
    run.order(&accepted(plan), Some(ahead(Support::L1))).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 0);
}

#[test]
fn a_console_that_was_disarmed_has_no_first_effect_also_where_that_came_before_the_order_or_during_the_last_look() {
    let why = "its console was disarmed before the first effect";
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let run = Run::of(&scene.state(), plan.id);
    run.disarm().unwrap();
    run.write_order(&accepted(plan)).unwrap();
    assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
    assert!(end(&run).reason.as_str().contains(why), "{:?}", end(&run));
    assert!(!run.backup_dir().exists(), "it is not even prepared");
    let run = order(&scene, scene.plan());
    let disarmed = run.clone();
    let deed = Box::new(move || disarmed.disarm().unwrap());
    assert_eq!(carry(&run, Twin::new(scene.config()), Some(deed)), 3);
    assert!(end(&run).reason.as_str().contains(why), "{:?}", end(&run));
    assert_eq!(scene.content(), CONFIG);
    assert!(!events(&scene).contains(&"action.intent".to_owned()), "{:?}", events(&scene));
}

#[test]
fn a_plan_of_another_machine_or_of_the_boot_before_is_stale() {
    for (boot, why) in
        [(true, "plan is stale: the host was booted"), (false, "plan is stale: planned on machine other")]
    {
        let scene = Scene::new(Temper::Restarts);
        let mut plan = scene.plan();
        let host = &mut plan.place.host;
        *if boot { &mut host.boot_id } else { &mut host.machine_id } = "other".into();
        let run = order(&scene, plan);
        assert_eq!(carry(&run, Twin::new(scene.config()), None), 3);
        assert!(end(&run).reason.as_str().starts_with(why), "{:?}", end(&run));
        assert_eq!(scene.content(), CONFIG);
    }
}

#[test]
fn a_person_settles_what_nobody_knows_and_no_runner_is_talked_over() {
    let scene = Scene::new(Temper::Restarts);
    let run = order(&scene, scene.plan());
    run.accept(1).unwrap();
    let mut half = Progress::new(run.read_order().unwrap().plan.id, 1);
    half.state = State::Running;
    run.write(&half).unwrap();
    let journal = journal::Journal::open(&journal_dir(&scene.state()), session(), Arc::new(RealClock)).unwrap();
    let word = (&"ada".into(), &"looked at the file".into());
    let settle = |dirs: &[PathBuf]| settle(&run, word, dirs, &journal, RealClock.now());
    {
        let plan = run.read_order().unwrap().plan;
        let _held = TargetLock::take(&lock_dirs(), &plan.locks()[0]).unwrap();
        half.pid = std::process::id();
        run.write(&half).unwrap();
        let said = settle(&lock_dirs()).unwrap_err().to_string();
        assert!(said.contains("still works on it"), "{said}");
    }
    settle(&lock_dirs()).unwrap();
    let end = end(&run);
    assert_eq!((end.outcome, end.executed), (Outcome::Indeterminate, false));
    assert_eq!(
        end.reason.as_str(),
        format!("settled by ada: looked at the file. Then observed: {} is as it was before", scene.config().display())
    );
    assert!(unresolved(&scene.state(), &lock_dirs(), RealClock.now().wall).0.is_empty());
    assert!(settle(&lock_dirs()).is_err(), "once");
    assert!(journal.close(Duration::from_secs(60)));
    assert_eq!(events(&scene), ["journal.open", "action.settled"]);
}

#[test]
fn as_root_the_trail_is_in_folders_of_those_who_read_logs_and_the_runs_are_root_s_alone() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use watchkeeper::sys::{host, trust};
    let scene = Scene::new(Temper::Restarts);
    let state = scene.dir.path().join("var/watchkeeper");
    let begin = |record| {
        let journal = journal::Journal::open(&journal_dir(&state), session(), Arc::new(RealClock)).unwrap();
        journal.append_durable(journal::Record::new(record)).unwrap();
        assert!(journal.close(Duration::from_secs(10)));
    };
    begin(journal::Event::SessionStart);
    let plan = scene.plan();
    let run = Run::of(&state, plan.id);
    run.write_order(&accepted(plan)).unwrap();
    let about = |path: &Path| {
        let about = fs::symlink_metadata(path).unwrap();
        (about.mode() & 0o7777, about.uid(), about.gid())
    };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let readers = if uid == 0 { (0o750, 0, host::group_id("adm").unwrap_or(0)) } else { (0o700, uid, gid) };
    let trail = journal_dir(&state);
    assert_eq!((about(&state), about(&trail)), (readers, readers));
    assert_eq!(about(&trail.join("00000001.jsonl")), (0o600, uid, gid));
    for own in [state.parent().unwrap(), &state.join("actions"), run.dir()] {
        assert_eq!(about(own), (0o700, uid, gid), "{}", own.display());
    }
    assert_eq!(about(&run.dir().join("plan.json")), (0o600, uid, gid));
    trust::folder(&trail.canonicalize().unwrap(), trust::Owners::effective()).unwrap();
    // Whoever has closed them meant it.
    for folder in [&state, &trail] {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
    }
    begin(journal::Event::SessionEnd);
    assert_eq!((about(&state).0, about(&trail).0), (0o700, 0o700));
}
