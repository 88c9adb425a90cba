//! Services of a real systemd, with `systemctl` itself as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, copied_script, told};
use std::fs;
use std::path::Path;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::Danger;

struct Lab {
    peer: Peer,
    scene: Scene,
    prefix: String,
}

fn lab() -> Option<Lab> {
    let peer = peer::start("systemd")?;
    let scene = Scene::new();
    let script = copied_script(scene.dir.path(), "systemd.sh");
    let dir = Path::new(peer.env("SYSTEMD_UNIT_DIR")).parent().unwrap().display().to_string();
    let prefix = format!("systemctl = [\"{}\", \"exec\", \"{dir}\", \"systemctl\"]", script.display());
    Some(Lab { peer, scene, prefix })
}

impl Lab {
    fn unit(&self, name: &str, service: &str) {
        let text = format!("[Unit]\nDefaultDependencies=no\n[Service]\n{service}\n");
        fs::write(Path::new(self.peer.env("SYSTEMD_UNIT_DIR")).join(name), text).unwrap();
        self.systemctl(&["daemon-reload"]);
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn says(&self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", "--value", "-p", property, unit])
    }

    fn table(&self, unit: &str) -> String {
        format!("service = {{ kind = \"systemd\", unit = \"{unit}\", {} }}\n", self.prefix)
    }
}

#[test]
fn a_service_is_restarted_once_and_stays_up() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    let before = lab.says("good.service", "InvocationID");
    let plan = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    assert_eq!(plan.danger, Danger::C2, "whatever the profile says");
    assert!(plan.what.lines[0].as_str().ends_with("systemctl restart good.service"), "{:?}", plan.what.lines);
    let (end, progress) = lab.scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_ne!(lab.says("good.service", "InvocationID"), before);
}
