//! What a login may do where the real polkit decides: the line at the start, the list of actions, the plan. Each rule that
//! they name is put where they say, and is then asked of systemd itself. The rules' folder is one of this test's own, in
//! the mounts of its systemd alone.

use crate::desk::{Desk, PROGRAM};
use crate::harness::{Pty, Spec};
use crate::operator::sees;
use crate::peer::{self, Peer};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

const POLKIT: &str = "/usr/lib/polkit-1/polkitd";
const UNIT: &str = "[Unit]\nDefaultDependencies=no\n[Service]\n";
const WHOLE: &str = "polkit.addRule(function(a, s) { if (a.id == \"org.freedesktop.systemd1.manage-units\" && \
                     s.user == \"nobody\") return \"yes\"; });";
/// Users that every Debian has.
const ONCALL: &str = "nobody";
const OTHER: &str = "games";

/// What one action of the profile has beside its title.
fn action(name: &str, title: &str, more: &str) -> String {
    format!(
        "[actions.{name}]\nkind = \"service_restart\"\ntitle = \"{title}\"\nverb = \"restart\"\ndanger = \"C2\"\n\
         service = {{ kind = \"systemd\", unit = \"orders.service\" }}\n{more}\n"
    )
}

struct Place {
    peer: Peer,
    desk: Desk,
    program: PathBuf,
    profile: PathBuf,
}

impl Place {
    fn new() -> Option<Self> {
        if !Path::new(POLKIT).exists() {
            peer::skip("polkit", "polkitd is not installed");
            return None;
        }
        let desk = Desk::new();
        let peer = peer::start_with("systemd", &[("SYSTEMD_RW", desk.path().to_str().unwrap())])?;
        let units = Path::new(peer.env("SYSTEMD_UNIT_DIR"));
        let polkit = format!("Type=dbus\nBusName=org.freedesktop.PolicyKit1\nExecStart={POLKIT} --no-debug\n");
        fs::write(units.join("polkit.service"), format!("{UNIT}{polkit}")).unwrap();
        for name in ["orders", "other"] {
            fs::write(units.join(format!("{name}.service")), format!("{UNIT}ExecStart=/bin/sleep 1000\n")).unwrap();
        }
        let profile = "title = \"Orders\"\nenvironment = \"test\"\n\n".to_owned()
            + &action("restart", "Restart orders", "")
            + &action("restart-changed", "Restart changed orders", "daemon_reload = true");
        let (profile, program) = (desk.write("orders.toml", profile), desk.path().join("program"));
        // The program as it is built is not where every login may go.
        fs::copy(PROGRAM, &program).unwrap();
        for (path, mode) in [(desk.path(), 0o755), (&program, 0o755), (&profile, 0o644)] {
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let place = Self { peer, desk, program, profile };
        for login in [ONCALL, OTHER] {
            let home = place.home(login);
            fs::create_dir(&home).unwrap();
            let id = watchkeeper::sys::host::user_id(login);
            chown(home, id, None).unwrap();
        }
        fs::create_dir(place.rules()).unwrap();
        fs::set_permissions(place.rules(), PermissionsExt::from_mode(0o755)).unwrap();
        let rules = place.rules();
        let placed = place.peer.exec(&["mount", "--bind", rules.to_str().unwrap(), "/etc/polkit-1/rules.d"]);
        assert!(placed.status.success(), "{placed:?}");
        place.root(&["daemon-reload"]);
        place.root(&["start", "polkit.service", "orders.service", "other.service"]);
        Some(place)
    }

    fn rules(&self) -> PathBuf {
        self.desk.path().join("rules")
    }

    fn home(&self, login: &str) -> PathBuf {
        self.desk.path().join(login)
    }

    fn root(&self, words: &[&str]) {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        assert!(output.status.success(), "{words:?}: {output:?}");
    }

    /// From now on there are these rules.
    fn rule(&self, text: &str) {
        let path = self.rules().join("50-orders.rules");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        self.root(&["restart", "polkit.service"]);
    }

    /// Words before what a login runs.
    fn as_login(&self, login: &str) -> Vec<String> {
        let home = format!("HOME={}", self.home(login).display());
        ["setpriv", "--reuid", login, "--regid", login_group(login), "--clear-groups", "env", &home]
            .map(str::to_owned)
            .to_vec()
    }

    /// Whether systemd does it for this login.
    fn does(&self, login: &str, words: &[&str]) -> bool {
        let mut all = self.as_login(login);
        all.extend(["systemctl", "--no-ask-password"].iter().chain(words).map(|word| (*word).to_owned()));
        self.peer.exec(&all.iter().map(String::as_str).collect::<Vec<_>>()).status.success()
    }

    /// What the plan of an action says to this login, or why there is none.
    fn plan(&self, login: &str, action: &str) -> String {
        let mut all = self.as_login(login);
        let (program, profile) = (self.program.to_str().unwrap(), self.profile.to_str().unwrap());
        all.extend([program, "run", action, "--dry-run", "--profile", profile].map(str::to_owned));
        let output = self.peer.exec(&all.iter().map(String::as_str).collect::<Vec<_>>());
        flat(&[String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat())
    }

    fn console(&self, login: &str) -> Pty {
        let script = self.peer.script.to_str().unwrap().to_owned();
        let mut words = vec!["exec".to_owned(), self.peer.dir.path().to_str().unwrap().to_owned()];
        words.extend(self.as_login(login));
        words.extend([self.program.to_str().unwrap(), "--profile", self.profile.to_str().unwrap()].map(str::to_owned));
        let mut spec = Spec::new(script).args(words);
        spec.size = (200, 50);
        Pty::spawn(&spec)
    }

    /// The line at the start says `line`, and the list of actions tells of each whether it can be done.
    fn says(&self, login: &str, line: &str, list: [(&str, &str); 2]) {
        let pty = self.console(login);
        let line = format!("{login} (L1) may run {line}");
        sees(&pty, &line, |text| flat(text).contains(&line).then_some(()));
        pty.send("a");
        let row = |text: &str, title: &str, word: &str| {
            text.lines().any(|row| row.contains(&format!(" {title} ")) && row.contains(word))
        };
        sees(&pty, &format!("{list:?}"), |text| list.iter().all(|(title, word)| row(text, title, word)).then_some(()));
    }
}

fn login_group(login: &str) -> &str {
    if login == ONCALL { "nogroup" } else { login }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The rule that a text names.
fn named(text: &str) -> &str {
    let rule = text.find("polkit.addRule(").and_then(|from| text.get(from..)).unwrap_or_else(|| panic!("{text}"));
    let end = rule.find("});").unwrap_or_else(|| panic!("{text}"));
    rule.get(..end + 3).unwrap()
}

#[test]
fn where_the_real_polkit_decides_a_login_is_told_its_rules_and_they_are_right() {
    let Some(place) = Place::new() else { return };
    let (orders, changed) = ("Restart orders", "Restart changed orders");
    let unit = "lack the polkit rule `systemd1.manage-units` for orders.service: restart";
    let nothing = format!("0 of 2 actions; 1 may {unit}; 1 lacks the polkit rule `systemd1.reload-daemon`; a lists");
    let blocked = [(orders, "C2"), (changed, "not permitted")];
    place.says(ONCALL, &nothing, blocked);
    // Of a single unit polkit tells nobody but root: the plan says so, and by which rule it would.
    let plan = place.plan(ONCALL, "restart");
    assert!(plan.contains("whether polkit lets this login `restart orders.service` is unknown"), "{plan}");
    let restart = named(&plan).to_owned();
    let refused = place.plan(ONCALL, "restart-changed");
    assert!(refused.contains("polkit wants a password of this login to `daemon-reload`"), "{refused}");
    let files = named(&refused).to_owned();
    assert!(!place.does(ONCALL, &["restart", "orders.service"]) && !place.does(ONCALL, &["daemon-reload"]));

    place.rule(&restart);
    assert!(place.does(ONCALL, &["restart", "orders.service"]), "{restart}");
    assert!(!place.does(ONCALL, &["restart", "other.service"]) && !place.does(ONCALL, &["stop", "orders.service"]));
    assert!(!place.does(OTHER, &["restart", "orders.service"]));
    place.says(ONCALL, &nothing, blocked);

    place.rule(&format!("{restart}\n{files}\n"));
    assert!(place.does(ONCALL, &["daemon-reload"]), "{files}");
    place.says(ONCALL, &format!("0 of 2 actions; 2 may {unit}; a lists"), [(orders, "C2"), (changed, "C2")]);
    place.says(OTHER, &nothing, blocked);

    place.rule(&format!("{WHOLE}\n{files}\n"));
    place.says(ONCALL, "all 2 actions of this profile.", [(orders, "C2"), (changed, "C2")]);
    let plan = place.plan(ONCALL, "restart-changed");
    assert!(plan.contains("daemon-reload") && !plan.contains("polkit"), "{plan}");
    place.says(OTHER, &nothing, blocked);
}
