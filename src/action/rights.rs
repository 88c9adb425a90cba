//! What a login may do at all, and by which rule: told at the start, before anybody relies on it. Looks only.

use super::kinds::{self, sysfs_write};
use super::manager::{Manager, Verb};
use super::right::{Need, Right};
use crate::base::{Body, Clean, Clock, Fault, Support};
use crate::sys::files::may_write;
use crate::sys::host::Login;
use core::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The verbs of the kinds that ask a manager.
const VERBS: [Verb; 5] = [Verb::Restart, Verb::Start, Verb::Stop, Verb::Reload, Verb::ResetFailed];

/// What is known of one login's rights; a manager is asked once for the same.
pub struct Rights<'a> {
    login: &'a Login,
    granted: Support,
    clock: &'a dyn Clock,
    asked: RefCell<BTreeMap<String, Right>>,
}

impl<'a> Rights<'a> {
    /// Those of this login, to which so much support is granted.
    pub fn new(login: &'a Login, granted: Support, clock: &'a dyn Clock) -> Self {
        Self { login, granted, clock, asked: RefCell::default() }
    }

    /// Whether it may do an action of this kind and table.
    pub fn of(&self, kind: &str, body: &Body) -> Right {
        let mut body = body.clone();
        let needed = body.take::<Support>("support").ok().flatten().unwrap_or_default();
        if needed > self.granted {
            let fault = Fault::new(format!("it needs support level {needed}."));
            return Right::without(Need::Level(needed), fault);
        }
        let asked = asked_for(kind, &mut body).map_or(Right::May, |asked| self.at(&asked));
        if matches!(asked, Right::Lacks(_)) {
            return asked;
        }
        match of_files(kind, &mut body, self.login.uid) {
            Some(fault) => Right::without(Need::Files, fault),
            None if decided_elsewhere(kind) => Right::unknown(Need::Asking, Fault::new("whoever is asked decides.")),
            None => asked,
        }
    }

    fn at(&self, asked: &Asked) -> Right {
        let (manager, login, clock) = (&asked.manager, self.login, self.clock);
        let once = |what: &str, ask: &dyn Fn() -> Right| {
            let key = format!("{what} {manager:?}");
            let known = self.asked.borrow().get(&key).cloned();
            known.unwrap_or_else(|| {
                let right = ask();
                self.asked.borrow_mut().insert(key, right.clone());
                right
            })
        };
        let files = match manager {
            Manager::Systemd(unit) if asked.reads_files => once("files", &|| unit.right_to_read_files(login, clock)),
            _ => Right::May,
        };
        let done =
            asked.verb.map_or(Right::May, |verb| once(verb.word(), &|| manager.service().right(verb, login, clock)));
        done.and(files)
    }
}

/// What a manager is asked for.
struct Asked {
    manager: Manager,
    verb: Option<Verb>,
    /// It is to read the files of its services again.
    reads_files: bool,
}

/// What an action of this kind and table asks which manager for. A table that cannot be read is told by the plan.
fn asked_for(kind: &str, body: &mut Body) -> Option<Asked> {
    let named = kind.strip_prefix("service_").map(|word| word.replace('_', "-"));
    let is_set = |body: &mut Body, key: &str| body.take::<bool>(key).ok().flatten().unwrap_or(false);
    let reads_files = kind == "service_drop_in" || is_set(body, "daemon_reload");
    let mut manager = |key: &str| body.take::<Manager>(key).ok().flatten();
    let (manager, verb) = if let Some(verb) = VERBS.into_iter().find(|verb| Some(verb.word()) == named.as_deref()) {
        (manager("service")?, Some(verb))
    } else {
        match kind {
            "lmdb_grow" => (manager("service")?, Some(Verb::Stop)),
            "log_rotate" => {
                let mut reopen = body.take::<BTreeMap<String, Manager>>("reopen").ok().flatten()?;
                (reopen.remove("reload")?, Some(Verb::Reload))
            }
            "service_drop_in" => (manager("service")?, is_set(body, "restart").then_some(Verb::Restart)),
            _ => (manager("restart")?, Some(Verb::Restart)),
        }
    };
    Some(Asked { manager, verb, reads_files })
}

/// Whether somebody else decides that and nobody can be asked: a server that is not ours, the owner of a process.
fn decided_elsewhere(kind: &str) -> bool {
    kinds::kind(kind).is_some_and(|known| known.asks().is_some() || known.name() == "process_signal")
}

/// What owners and modes of the files say of an action of this kind, for this user.
fn of_files(kind: &str, body: &mut Body, uid: u32) -> Option<Fault> {
    let mut take = |key| body.take::<PathBuf>(key).ok().flatten();
    let (file, path, to) = (take("file"), take("path"), take("to").or_else(|| take("backup_to")));
    let in_folder = |path: &Path| path.parent().and_then(unwritable);
    let denied = match kind {
        "sysfs_write" => {
            let switches = path.iter().flat_map(|path| sysfs_write::switches(&path.to_string_lossy())).flatten();
            switches.into_iter().find_map(|switch| unwritable(&switch))
        }
        // What a login gives away it must own as root does: the kernel lets nobody else.
        "file_owner" => (uid != 0).then(|| refused("only root may give files to somebody else")),
        "file_set_aside" | "file_restore" | "log_rotate" => path.as_deref().and_then(in_folder),
        "file_backup" => to.as_deref().and_then(unwritable),
        "sqlite_backup" => {
            path.as_deref().and_then(|path| not_theirs(path, uid)).or_else(|| unwritable(to.as_deref()?))
        }
        "lmdb_backup" | "lmdb_check" | "lmdb_clear_readers" | "lmdb_grow" | "lmdb_set_aside" => {
            let data = path.map(|path| if path.is_dir() { path.join("data.mdb") } else { path });
            data.and_then(|data| not_theirs(&data, uid)).or_else(|| to.as_deref().and_then(unwritable))
        }
        _ => None,
    };
    denied.or_else(|| file.as_deref().and_then(in_folder))
}

/// What is there and may not be written to. A file is replaced, so its folder is what must be writable.
fn unwritable(place: &Path) -> Option<Fault> {
    let shown = Clean::text(place.as_os_str().as_encoded_bytes());
    let which = if place.is_dir() { "in" } else { "to" };
    (place.exists() && !may_write(place)).then(|| refused(&format!("this login may not write {which} {shown}")))
}

/// A data base is opened with the rights of its owner, which only that login and root have.
fn not_theirs(data: &Path, uid: u32) -> Option<Fault> {
    let owner = std::fs::metadata(data).ok()?.uid();
    let shown = Clean::text(data.as_os_str().as_encoded_bytes());
    (uid != 0 && uid != owner)
        .then(|| refused(&format!("{shown} belongs to user {owner}: it acts with that login's rights")))
}

fn refused(what: &str) -> Fault {
    Fault::new(format!("{what}.")).hint("Start the console as a user who may, or through sudo.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;

    #[test]
    fn what_a_login_lacks_is_told_with_its_rule() {
        let lacking = |kind: &str, text: &str| {
            let body = Body::parse("p.toml", text).expect("TOML");
            let right = Rights::new(&Login::current(), Support::L1, &RealClock).of(kind, &body);
            right.lacks().map(|lack| lack.fault.to_string())
        };
        let through = |program: &str| {
            format!(
                "service = {{ kind = \"systemd\", unit = \"a.service\", systemctl = [\"{program}\", \"-n\", \"/bin/false\"] }}"
            )
        };
        // Nobody has a sudo here: a program of that name that always says no.
        let dir = tempfile::tempdir().expect("a folder");
        let sudo = dir.path().join("sudo");
        std::os::unix::fs::symlink("/bin/false", &sudo).expect("links");
        let said = lacking("service_restart", &through(&sudo.to_string_lossy())).expect("lacks it");
        assert!(said.starts_with("sudo does not let this login `restart a.service`. Its rule:"), "{said}");
        assert!(said.contains(&format!("{} ALL=(root) NOPASSWD: ", Login::current().user)), "{said}");
        let drop_in = lacking("service_drop_in", &through(&sudo.to_string_lossy())).expect("lacks it");
        assert!(drop_in.starts_with("sudo does not let this login `daemon-reload`. Its rule:"), "{drop_in}");
        let restarts = through(&sudo.to_string_lossy()) + "\nrestart = true";
        let said = lacking("service_drop_in", &restarts).expect("lacks it");
        assert!(said.starts_with("sudo does not let this login `restart a.service`."), "{said}");
        assert_eq!(lacking("config_set", "file = \"/nonexistent/x\""), None, "the plan tells that");
        assert_eq!(lacking("command", "support = \"L2\"").as_deref(), Some("it needs support level L2."));
        assert_eq!(lacking("command", "argv = [\"/bin/true\"]"), None);
        assert!(lacking("config_set", "file = \"/proc/self/x\"").is_some_and(|said| said.contains("/proc/self")));
    }

    #[test]
    fn owners_and_modes_of_files_say_what_a_login_may() {
        let dir = tempfile::tempdir().expect("a folder");
        let (data, place) = (dir.path().join("data.mdb"), dir.path().display());
        std::fs::write(&data, "").expect("writes");
        // Root may although it is not the owner: where we are root, another one is.
        for path in [data.as_path(), dir.path()] {
            let _only_root_may = std::os::unix::fs::chown(path, Some(4_321), None);
        }
        let own = std::fs::metadata(&data).expect("there").uid();
        let lacks = |kind: &str, text: &str, uid: u32| {
            of_files(kind, &mut Body::parse("p.toml", text).expect("TOML"), uid).map(|fault| fault.to_string())
        };
        let here = format!("path = \"{place}\"");
        for kind in ["lmdb_backup", "lmdb_check", "lmdb_clear_readers", "lmdb_grow", "lmdb_set_aside", "sqlite_backup"]
        {
            let said = lacks(kind, &here, own + 1).unwrap_or_else(|| panic!("{kind}"));
            assert!(said.contains(&format!("belongs to user {own}")), "{said}");
            assert_eq!((lacks(kind, &here, own), lacks(kind, &here, 0)), (None, None), "{kind}");
        }
        assert!(lacks("file_owner", &here, 1000).is_some_and(|said| said.starts_with("only root may give files")));
        assert_eq!(lacks("file_owner", &here, 0), None);
        // Not even root writes to this one, nor makes a file in that folder.
        let said = lacks("sysfs_write", "path = \"/proc/sys/kernel/ostype\"", 0).expect("lacks it");
        assert!(said.contains("may not write to /proc/sys/kernel/ostype"), "{said}");
        for kind in ["file_set_aside", "file_restore", "log_rotate"] {
            let said = lacks(kind, "path = \"/proc/self/x\"", 0).unwrap_or_else(|| panic!("{kind}"));
            assert!(said.contains("may not write in /proc/self"), "{said}");
            assert_eq!(lacks(kind, &format!("path = \"{place}/x\""), own), None, "{kind}");
        }
        assert!(lacks("file_backup", "to = \"/proc/self\"", 0).is_some());
        assert_eq!(lacks("postgres_cancel", "", 1000), None, "its server decides");
        let elsewhere = ["postgres_cancel", "redis_clear", "process_signal"];
        assert!(elsewhere.into_iter().all(decided_elsewhere));
        assert!(!decided_elsewhere("file_owner") && !decided_elsewhere("command"));
    }
}
