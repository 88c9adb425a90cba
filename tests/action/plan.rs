//! From a profile's table to a plan: what it says, what it refuses, what makes it heavier.

use crate::support::{Scene, Store, Temper, plan};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use watchkeeper::action::lifecycle::{Earlier, End, Outcome};
use watchkeeper::action::plan::{Danger, Plan, Target};
use watchkeeper::action::queries::queries;
use watchkeeper::action::reach::{Reach, StandIn};
use watchkeeper::action::verify::Expect;
use watchkeeper::base::Body;

#[test]
fn a_plan_says_where_what_and_on_what_it_rests() {
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let text = |rows: &[watchkeeper::base::Clean]| rows.iter().map(ToString::to_string).collect::<Vec<_>>();
    let config = scene.config().display().to_string();
    let lines = text(&plan.what.lines);
    assert_eq!(lines[..2], [config.clone(), "performance.batch_size   1024 → 512".into()]);
    assert!(lines[2].starts_with("then  restart inference  through /"), "{}", lines[2]);
    assert_eq!(text(&plan.hits), ["1 file, 1 unit, about 2 s without service", "inference restarted 0 times so far"]);
    let based: Vec<String> = plan.based_on.iter().map(|row| format!("{} = {}", row.label, row.value)).collect();
    assert_eq!(
        based,
        ["performance.batch_size = 1024", "inference = running as process 4000", "GPU memory = 23.1 GiB"]
    );
    assert!(plan.undo.to_string().starts_with("put back the backup "), "{}", plan.undo);
    assert_eq!((plan.danger, plan.expected()), (Danger::C2, "reduce"));
    let judging = plan.judging.as_ref().unwrap();
    assert_eq!((judging.checks[0].before, judging.traffic.before), (Some(14.2e-6), Some(100.0)));
    assert_eq!(plan.queries().len(), 3);
    assert_eq!(scene.content(), crate::support::CONFIG, "planning changes nothing");
}

#[test]
fn the_digest_holds_everything_but_id_and_time_and_survives_the_file() {
    let scene = Scene::new(Temper::Restarts);
    let plan = scene.plan();
    let again = scene.plan();
    assert_ne!(plan.id, again.id);
    let back: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(back.digest(), plan.digest());
    assert_eq!(back, plan);
    let mut changed = plan.clone();
    changed.judging.as_mut().unwrap().checks[0].before = Some(14.200_000_1e-6);
    assert_ne!(changed.digest(), plan.digest());
}

#[test]
fn what_is_not_as_declared_is_refused_before_any_prompt() {
    let scene = Scene::new(Temper::Restarts);
    let profile = scene.profile();
    let fault = |from: &str, to: &str| {
        let text = profile.replace(from, to);
        assert_ne!(text, profile, "{from}");
        scene.prepare(&text, &Store::default(), &[]).expect_err(to).to_string()
    };
    for (from, to, says) in [
        ("from = 1024", "from = 2048", "`performance.batch_size` is 1024, not 2048 as the action expects."),
        ("to = 512", "to = 1024", "would not change"),
        ("to = 512", "to = \"512\"", "change its type"),
        ("performance.batch_size", "performance.batch", "there is no value"),
        ("production.toml", "missing.toml", "No such file"),
        ("unit = \"inference\"", "unit = \"-x\"", "no unit name"),
        ("unit = \"inference\"", "unit = \"a\\nb\"", "no unit name"),
        ("unit = \"inference\"", "unit = \"other\"", "is not running"),
        ("supervisor.sock", "nobody.sock", "cannot reach the manager"),
        ("verb = \"reduce\"", "verb = \"y\"", "cannot be the verb"),
        ("traffic = \"steps_total\"", "", "needs `traffic`"),
        ("traffic = \"steps_total\"", "traffic = \"sum(steps_total)\"", "this adds counters up"),
        ("verify_within = \"60s\"", "verify_within = \"soon\"", "no duration"),
        ("support = \"L1\"", "suport = \"L1\"", "unknown key `suport`. Did you mean `support`?"),
        ("DCGM_FI_DEV_FB_USED", "NO_SUCH", "no series matches"),
        ("max_age = \"10s\"", "tolerance = 25", "`tolerance = 25` is no share"),
    ] {
        let said = fault(from, to);
        assert!(said.contains(says), "{to}: {said}");
    }
    let old = Store { age: Duration::from_secs(41), ..Store::default() };
    let said = scene.prepare(&profile, &old, &[]).unwrap_err().to_string();
    assert!(said.contains("GPU memory is 41.0 s old"), "{said}");
}

#[test]
fn what_a_plan_looks_at_is_known_beforehand() {
    let scene = Scene::new(Temper::Restarts);
    let body = Body::parse("p.toml", &scene.profile()).unwrap();
    assert_eq!(queries(&body), scene.plan().queries());
    let profile = scene.profile();
    let blind = profile.lines().filter(|line| !line.contains("verify") && !line.contains("expect") && *line != "]");
    let said = scene.prepare(&blind.collect::<Vec<_>>().join("\n"), &Store::default(), &[]).unwrap_err().to_string();
    assert!(said.contains("`based_on` needs `verify`"), "{said}");
}

#[test]
fn a_link_is_shown_with_where_it_leads_and_a_hard_link_is_refused() {
    let scene = Scene::new(Temper::Restarts);
    let real = scene.dir.path().join("real.toml");
    fs::rename(scene.config(), &real).unwrap();
    symlink(&real, scene.config()).unwrap();
    let plan = scene.prepare(&scene.profile(), &Store::default(), &[]).unwrap();
    assert_eq!(plan.what.lines[0].as_str(), format!("{} → {}", scene.config().display(), real.display()));
    fs::remove_file(scene.config()).unwrap();
    fs::hard_link(&real, scene.config()).unwrap();
    let said = scene.prepare(&scene.profile(), &Store::default(), &[]).unwrap_err().to_string();
    assert!(said.contains("2 hard links"), "{said}");
}

#[test]
fn the_third_in_ten_minutes_is_heavier_and_shows_the_earlier_ones() {
    let scene = Scene::new(Temper::Restarts);
    let earlier = |plan: Plan| Earlier { plan, end: None };
    let two = [earlier(scene.plan()), earlier(scene.plan())];
    let plan3 = scene.prepare(&scene.profile(), &Store::default(), &two).unwrap();
    assert_eq!(plan3.danger, Danger::C3);
    assert_eq!(
        plan3.raised[0].as_str(),
        "number 3 of its kind in 10 minutes: not ended, not ended; rather hand it on to the next support level"
    );
    assert_eq!(plan3.expected(), "gpu-07/production.toml");
    let others = [earlier(scene.plan()), earlier(plan(Danger::C2))];
    assert_eq!(scene.prepare(&scene.profile(), &Store::default(), &others).unwrap().danger, Danger::C2);
}

#[test]
fn danger_is_raised_never_lowered() {
    let scene = Scene::new(Temper::Restarts);
    let light = scene.profile().replace("danger = \"C2\"", "danger = \"C1\"");
    assert_eq!(scene.prepare(&light, &Store::default(), &[]).unwrap().danger, Danger::C2);
    let strange = scene.dir.path().join("prod uction.toml");
    fs::rename(scene.config(), &strange).unwrap();
    let profile = scene.profile().replace("/production.toml", "/prod uction.toml");
    let plan = scene.prepare(&profile, &Store::default(), &[]).unwrap();
    assert_eq!(plan.danger, Danger::C3);
    assert!(plan.expected().contains("<U+0020>"), "{}", plan.expected());
}

/// The scene's profile with this in the row that it rests on, and a line of its own.
fn with(scene: &Scene, row: &str, line: &str) -> String {
    let profile = scene.profile();
    assert!(profile.contains("based_on = [ {"));
    format!("{line}{}", profile.replacen("based_on = [ {", &format!("based_on = [ {{ {row}"), 1))
}

#[test]
fn what_must_be_so_and_is_not_is_told_with_its_value() {
    let scene = Scene::new(Temper::Restarts);
    let store = Store::default();
    let plan = |row: &str| scene.prepare(&with(&scene, row, ""), &store, &[]).map_err(|fault| fault.to_string());
    let said = plan("expect = { below = 1 },").unwrap_err();
    assert!(said.starts_with("GPU memory is ") && said.contains(", and must be below 1"), "{said}");
    let good = plan("expect = { above = 1 },").unwrap();
    let metric = good.based_on.iter().find_map(|row| row.metric.as_ref()).unwrap();
    assert!(
        metric.holds(metric.planned.unwrap()) && !metric.holds(0.5),
        "it is asked for again before the first effect"
    );
    assert!(plan("expect = \"falls\",").unwrap_err().contains("not a change"));
}

#[test]
fn a_value_beyond_what_is_seen_makes_the_prompt_heavier_where_the_profile_says_so() {
    let scene = Scene::new(Temper::Restarts);
    let (store, light) = (Store::default(), scene.plan().danger);
    let plan = |row: &str, param: &str| {
        let profile = with(&scene, row, &format!("params = {{ size = {{ {param} }} }}\n"));
        scene.prepare(&profile, &store, &[]).map_err(|fault| fault.to_string())
    };
    let heavier = "expect = { at_least = \"{size}\" }, otherwise = \"heavier\",";
    let expect = |plan: &Plan| plan.based_on.iter().find_map(|row| row.metric.as_ref()).unwrap().expect;
    let within = plan(heavier, "int = [1, 99999], value = 23654").unwrap();
    assert_eq!((within.danger, expect(&within)), (light, Some(Expect::AtLeast(23_654.0))), "{:?}", within.raised);
    for beyond in ["int = [1, 99999], value = 23655", "matches = '[0-9]+kB', value = \"24kB\""] {
        let beyond = plan(heavier, beyond).unwrap();
        assert_eq!(
            (beyond.danger, expect(&beyond)),
            (light.raised(), None),
            "only that it stays so is asked for again"
        );
        let said = beyond.raised[0].as_str();
        assert!(said.starts_with("GPU memory is ") && said.contains(", and should be at least "), "{said}");
    }
    let refused = plan("expect = { at_least = \"{size}\" },", "int = [1, 99999], value = 23655").unwrap_err();
    assert!(refused.contains(", and must be at least "), "{refused}");
    for (row, why) in [
        ("otherwise = \"heavier\",", "that is missing"),
        ("expect = { below = 1 }, otherwise = \"lighter\",", "unknown value `lighter`"),
        ("expect = { at_most = \"{sise}\" },", "`{sise}` is no parameter"),
        ("expect = { at_most = \"much\" },", "`much` is no number"),
        ("expect = { bellow = 1 },", "unknown variant `bellow`, expected one of"),
    ] {
        let said = plan(row, "int = [1, 9], value = 1").unwrap_err();
        assert!(said.starts_with("profile.toml:") && said.contains(why), "{said}");
    }
}

#[test]
fn what_is_unknown_and_let_pass_is_shown_as_such_and_makes_the_prompt_heavier() {
    let scene = Scene::new(Temper::Restarts);
    let store = Store::default();
    let before = scene.plan().danger;
    let plan = |row: &str| scene.prepare(&with(&scene, row, ""), &store, &[]).map_err(|fault| fault.to_string());
    let row = "label = \"open positions\", query = 'nobody_knows' }, {";
    assert!(plan(row).is_err(), "without a word of its profile the unknown stops it");
    let plan = plan(&format!("may_be_unknown = true, {row}")).unwrap();
    assert_eq!(plan.danger, before.raised());
    assert_eq!(plan.raised[0].as_str(), "open positions is unknown, and its profile lets that pass");
    let unknown = plan.based_on.iter().find(|row| row.label.as_str() == "open positions").unwrap();
    assert!(unknown.value.as_str().starts_with("unknown: "), "{unknown:?}");
    let metric = unknown.metric.as_ref().unwrap();
    assert!(!metric.holds(1.0) && metric.holds(f64::NAN), "once it is known it is another plan: {metric:?}");
}

#[test]
fn what_was_done_a_moment_ago_cools_down() {
    let scene = Scene::new(Temper::Restarts);
    let store = Store::default();
    let done = |outcome| Earlier { plan: scene.plan(), end: Some(End { outcome, reason: "x".into(), executed: true }) };
    let profile = with(&scene, "", "cooldown = \"5m\"\n");
    let said = scene.prepare(&profile, &store, &[done(Outcome::Failed)]).unwrap_err().to_string();
    assert!(said.starts_with("cooling down: it was done 0 s ago."), "{said}");
    assert!(scene.prepare(&profile, &store, &[done(Outcome::Refused)]).is_ok(), "what was refused was not done");
    assert!(scene.prepare(&profile, &store, &[]).is_ok());
    let said = scene.prepare(&profile.replace("5m", "11m"), &store, &[]).unwrap_err().to_string();
    assert!(said.contains("10 minutes at most"), "{said}");
}

#[test]
fn a_profile_that_points_beyond_its_stand_in_is_refused_in_a_rehearsal_whatever_it_points_with() {
    let scene = Scene::new(Temper::Restarts);
    let own = scene.dir.path().canonicalize().unwrap();
    let other = tempfile::tempdir().unwrap();
    let place = |path: &Path| path.to_str().unwrap().to_owned();
    fs::write(own.join("state.bin"), "x").unwrap();
    fs::create_dir(own.join("copies")).unwrap();
    let reach = Reach::Within(StandIn::new(own.clone(), []));
    let copy = |path: &str, to: &str| {
        let profile = format!("verb = \"copy\"\ndanger = \"C1\"\npath = \"{path}\"\nto = \"{to}\"\n");
        let plan = scene.prepare_of("file_backup", &profile, &Store::default(), &[]).unwrap();
        assert_eq!(Reach::World.allows(&plan), Ok(()));
        reach.allows(&plan).map_err(|fault| fault.to_string())
    };
    let (state, copies, beyond) = (place(&own.join("state.bin")), place(&own.join("copies")), place(other.path()));
    assert_eq!(copy(&state, &copies), Ok(()));
    let why = copy("/etc/hosts", &copies).unwrap_err();
    assert!(why.starts_with("this is a rehearsal: file:/etc/hosts is no part of the stand-in"), "{why}");
    let why = copy(&state, &beyond).unwrap_err();
    assert!(why.starts_with(&format!("this is a rehearsal: {beyond} is no part of the stand-in")), "{why}");
    // The program that would look at the new file runs on the real system.
    let profile = format!("validate = [\"/bin/true\", \"{{file}}\"]\n{}", scene.profile());
    let plan = scene.prepare(&profile, &Store::default(), &[]).unwrap();
    let why = reach.allows(&plan).unwrap_err().to_string();
    assert!(why.starts_with("this is a rehearsal: /bin/true is no part of the stand-in"), "{why}");
}

#[test]
fn a_rehearsal_reaches_nothing_beyond_the_folder_of_its_stand_in() {
    let scene = Scene::new(Temper::Restarts);
    let mut plan = scene.plan();
    let own = scene.dir.path().to_owned();
    let within = |folder: &Path| Reach::Within(StandIn::new(folder.to_owned(), []));
    assert_eq!(within(&own).allows(&plan), Ok(()));
    for folder in [own.join("deeper"), "/srv".into()] {
        let why = within(&folder).allows(&plan).unwrap_err().to_string();
        assert!(why.contains("this is a rehearsal: ") && why.contains("is no part of the stand-in"), "{why}");
    }
    // By a way round.
    let within = within(&own);
    for target in &mut plan.targets {
        if let Target::File { path, .. } = target {
            *path = own.join("../elsewhere/production.toml");
        }
    }
    assert!(within.allows(&plan).is_err());
    for beyond in [
        Target::Program { argv: vec!["/bin/true".into()] },
        Target::Server { name: "redis at 127.0.0.1:6379".into(), identity: BTreeMap::new() },
        Target::Switches { values: BTreeMap::new() },
    ] {
        plan.targets = vec![beyond];
        assert!(within.allows(&plan).is_err(), "{:?}", plan.targets);
    }
}
