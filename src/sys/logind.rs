//! Whether what outlives the console outlives its login too: what systemd does with what a session leaves behind, from
//! its own files alone.

use super::host::user_name;
use crate::base::Clean;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that says that systemd runs here (sd_booted(3)).
const BOOTED: &str = "run/systemd/system";
/// Where logind's settings are, a later one before an earlier one.
const PLACES: [&str; 4] = ["etc", "run", "usr/local/lib", "usr/lib"];

/// Whether systemd runs here.
pub fn booted() -> bool {
    Path::new("/").join(BOOTED).is_dir()
}

/// Why no systemd can be asked here, as sd_booted(3) tells it.
pub fn absent(root: &Path) -> Option<Clean> {
    if root.join(BOOTED).is_dir() {
        return None;
    }
    let first = fs::read(root.join("proc/1/comm")).unwrap_or_default();
    let first = Some(Clean::text(first.trim_ascii())).filter(|name| !name.as_str().is_empty());
    Some(first.map_or_else(
        || Clean::from("systemd does not run here"),
        |name| crate::clean!("systemd does not run here (PID 1 is {name})"),
    ))
}

/// The folder of this login's own manager, where that answers and goes on after the login: `XDG_RUNTIME_DIR`.
pub fn lasting_manager() -> Option<PathBuf> {
    let runtime = super::paths::runtime_dir()?;
    let user = user_name(rustix::process::geteuid().as_raw());
    let answers = runtime.join("systemd/private").symlink_metadata().is_ok();
    (booted() && answers && lingers(Path::new("/"), &user)).then_some(runtime)
}

/// Why a process that is left behind ends when this login logs out, if so: only where no lasting manager keeps it.
pub fn ends_with_login() -> Option<Clean> {
    let uid = rustix::process::geteuid();
    if uid.is_root() || !booted() || lasting_manager().is_some() {
        return None;
    }
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    ends(Path::new("/"), &group, &user_name(uid.as_raw()))
}

fn lingers(root: &Path, user: &Clean) -> bool {
    root.join("var/lib/systemd/linger").join(user.as_str()).exists()
}

fn ends(root: &Path, group: &str, user: &Clean) -> Option<Clean> {
    let within = |what: &str| group.lines().any(|line| line.contains(what));
    // The login's own manager ends with its last session, and with it all that is in it.
    let why = if within("/user@") {
        if lingers(root, user) { None } else { Some("its user manager") }
    } else if within("/session-") && kills(root, user) {
        Some("KillUserProcesses")
    } else {
        None
    }?;
    Some(crate::clean!(
        "its runner ends when {user} logs out ({why}): stay until it is over, or first `loginctl enable-linger {user}`"
    ))
}

/// Whether logind ends what a session of this user leaves behind.
fn kills(root: &Path, user: &Clean) -> bool {
    let text = settings(root);
    let last = |key: &str| {
        let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('='));
        values.next_back().map(str::trim)
    };
    let names = |key: &str| last(key).map(|list| list.split_whitespace().any(|name| name == user.as_str()));
    // What was built in stands as a comment in the file that ships; systemd's own is yes.
    let built_in = || last("#KillUserProcesses").unwrap_or("yes");
    let yes = ["yes", "true", "on", "1", "y", "t"];
    let kill = yes.contains(&last("KillUserProcesses").unwrap_or_else(built_in).to_ascii_lowercase().as_str());
    let excluded = names("KillExcludeUsers").unwrap_or(user.as_str() == "root");
    let only = last("KillOnlyUsers").is_none_or(str::is_empty) || names("KillOnlyUsers") == Some(true);
    kill && only && !excluded
}

/// The main file, and after it the drop-ins by name, each from the first place that has it, as systemd reads them.
fn settings(root: &Path) -> String {
    let of = |place: &&str| root.join(place).join("systemd");
    let main = PLACES.iter().find_map(|place| fs::read_to_string(of(place).join("logind.conf")).ok());
    let mut drop_ins = std::collections::BTreeMap::new();
    for place in &PLACES {
        for entry in fs::read_dir(of(place).join("logind.conf.d")).into_iter().flatten().flatten() {
            drop_ins.entry(entry.file_name()).or_insert_with(|| entry.path());
        }
    }
    let more = drop_ins.values().filter(|path| path.extension().is_some_and(|end| end == "conf"));
    let more = more.filter_map(|path| fs::read_to_string(path).ok());
    main.into_iter().chain(more).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "0::/user.slice/user-1000.slice/session-3.scope\n";
    const MANAGER: &str = "0::/user.slice/user-1000.slice/user@1000.service/tmux.scope\n";

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_a_session_leaves_ends_where_logind_is_told_so_or_says_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let kills = |user: &str| ends(root, SESSION, &Clean::text(user)).is_some();
        assert!(kills("oncall"), "what systemd does where nobody has said anything");
        put(root, "usr/lib/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n#KillExcludeUsers=root\n");
        assert!(!kills("oncall"), "what was built in");
        put(root, "etc/systemd/logind.conf", "[Login]\nKillUserProcesses = yes\n");
        assert!(kills("oncall") && !kills("root"));
        put(root, "usr/lib/systemd/logind.conf.d/90-site.conf", "[Login]\nKillUserProcesses=no\n");
        assert!(!kills("oncall"), "a later one counts");
        put(root, "etc/systemd/logind.conf.d/90-site.conf", "[Login]\nKillOnlyUsers=build\n");
        assert!(!kills("oncall") && kills("build"), "one of the site stands for the one of the same name that ships");
        put(root, "run/systemd/logind.conf.d/95.conf", "[Login]\nKillOnlyUsers=\nKillExcludeUsers=build ops\n");
        assert!(kills("oncall") && !kills("build"));
        assert_eq!(ends(root, "0::/system.slice/x.service\n", &Clean::from("oncall")), None);
    }

    #[test]
    fn a_user_manager_ends_with_its_last_session_unless_it_lingers() {
        let dir = tempfile::tempdir().unwrap();
        let said = || ends(dir.path(), MANAGER, &Clean::from("oncall")).map(|said| said.to_string());
        assert_eq!(
            said().unwrap(),
            "its runner ends when oncall logs out (its user manager): stay until it is over, or first `loginctl \
             enable-linger oncall`"
        );
        put(dir.path(), "var/lib/systemd/linger/oncall", "");
        assert_eq!(said(), None);
    }
}
