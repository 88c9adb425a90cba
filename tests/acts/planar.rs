//! Actions of the shipped profile of Planar, as it declares them, at a site that says where things are.

use crate::lmdb::{lab, succeeded};
use crate::peer;
use crate::scene::Scene;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use watchkeeper::action::plan::{Danger, Plan};
use watchkeeper::base::Fault;
use watchkeeper::config::{ProfileRef, SearchPath, load_profile};
use watchkeeper::roles::setup::known_kinds;

/// The plan of one of its actions, with these settings of a site.
fn planned(scene: &Scene, action: &str, settings: &str) -> Result<Plan, Fault> {
    let file = scene.path("site.toml");
    let site = format!("title = \"T\"\nenvironment = \"test\"\nextends = [\"planar\"]\n[settings]\n{settings}\n");
    fs::write(&file, site).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let profile = load_profile(&ProfileRef::Path(file), &SearchPath::default(), &known_kinds()).unwrap();
    assert_eq!(profile.faults, []);
    scene.plan_of(profile.actions.iter().find(|spec| *spec.name == *action).unwrap())
}

#[test]
fn a_map_grows_by_a_hundred_mib_and_beyond_the_room_of_its_disk_only_for_who_types_its_target() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let manager = "{ kind = \"commands\", unit = \"planar\", status = [\"/bin/true\"], restart = [\"/bin/true\"] }";
    let [file, copies] = ["map.toml", "copies"].map(|name| lab.scene.path(name).display().to_string());
    let settings = format!(
        "manager = {manager}\nlmdb = \"{}\"\nmap_file = \"{file}\"\nbackups = \"{copies}\"\nmode = \"paper\"",
        lab.db.display()
    );
    let by = |mib: u64| {
        let grown = lab.peer.exec(&["grow", &(mib << 20).to_string()]);
        assert!(grown.status.success(), "{grown:?}");
        fs::write(&file, format!("map_mb = {mib}\n")).unwrap();
        let _holding = lab.peer.holding(&["hold"]);
        planned(&lab.scene, "grow-map-by", &settings).unwrap()
    };
    let plan = by(1024);
    let hits: Vec<&str> = plan.hits.iter().map(watchkeeper::base::Clean::as_str).collect();
    assert!(hits.contains(&"1 GiB mapped + 100 MiB = 1124 MiB"), "{hits:?}");
    let lines: Vec<&str> = plan.what.lines.iter().map(watchkeeper::base::Clean::as_str).collect();
    assert!(lines.iter().any(|line| line.contains("map_mb   1024 → 1124")), "{lines:?}");
    assert!(!lines.concat().contains("mapsize"), "no call of the bot's own: {lines:?}");
    assert_eq!((plan.danger, plan.expected(), plan.raised.len()), (Danger::C2, "grow", 0), "{:?}", plan.raised);

    let disk = rustix::fs::statvfs(&lab.db).unwrap();
    let more = ((disk.f_bavail * disk.f_frsize) >> 20) + 4096;
    if more >= (1 << 20) - 100 {
        return peer::skip("quota", "the disk has more room than the largest map");
    }
    let plan = by(more);
    let [raised] = &plan.raised[..] else { panic!("{:?}", plan.raised) };
    assert!(raised.as_str().starts_with("overridden: the file may grow by "), "{raised}");
    assert_eq!(plan.danger, Danger::C3);
    let typed = plan.expected();
    assert!(typed.contains('/') && typed == plan.what.target.as_str(), "a word is typed, not the verb: {typed}");
}

#[test]
fn a_conda_environment_is_set_aside_by_whoever_types_its_path_and_comes_back() {
    let scene = Scene::new();
    let root = scene.path("planar");
    let paths = [".CondaPkg", "Python/.CondaPkg"].map(|name| root.join(name));
    for path in &paths {
        fs::create_dir_all(path.join("env")).unwrap();
        fs::write(path.join("env/python"), path.display().to_string()).unwrap();
    }
    for path in &paths {
        let settings = format!("root = \"{}\"\nconda = \"{}\"", root.display(), path.display());
        let plan = planned(&scene, "set-conda-aside", &settings).unwrap();
        assert_eq!(plan.danger, Danger::C3);
        assert!(plan.expected().ends_with(&path.display().to_string()), "{}", plan.expected());
        succeeded(scene.act(plan.clone()));
        let there = paths.each_ref().map(|path| path.exists());
        assert_eq!(there, paths.each_ref().map(|other| other != path), "this one and no other");
        succeeded(scene.act(scene.way_back(&plan).unwrap()));
        assert_eq!(fs::read_to_string(path.join("env/python")).unwrap(), path.display().to_string());
    }
}
