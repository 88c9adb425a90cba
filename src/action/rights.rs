//! What this login may not do at all, and by which rule: told at the start, before anybody relies on it. Looks only.

use super::manager::{Manager, Verb};
use crate::base::{Body, Clean, Clock, Fault, Support};
use crate::sys::files::may_write;
use std::path::{Path, PathBuf};

/// The verbs of the kinds that ask a manager.
const VERBS: [Verb; 5] = [Verb::Restart, Verb::Start, Verb::Stop, Verb::Reload, Verb::ResetFailed];

/// The right that this login lacks for an action of this kind and table; `None` where nothing is known to be lacking.
pub fn lacking(kind: &str, body: &Body, granted: Support, clock: &dyn Clock) -> Option<Fault> {
    let named = kind.strip_prefix("service_").map(|word| word.replace('_', "-"));
    let verb = VERBS.into_iter().find(|verb| Some(verb.word()) == named.as_deref());
    let mut body = body.clone();
    let needed = body.take::<Support>("support").ok().flatten().unwrap_or_default();
    if needed > granted {
        return Some(Fault::new(format!("it needs support level {needed}.")));
    }
    // A table that cannot be read is told by the plan.
    let manager = |body: &mut Body, key| body.take::<Manager>(key).ok().flatten();
    let asked = match verb {
        Some(verb) => manager(&mut body, "service").map(|manager| (manager, verb)),
        None => manager(&mut body, "restart").map(|manager| (manager, Verb::Restart)),
    };
    let denied = asked.and_then(|(manager, verb)| manager.service().lacks(verb, clock));
    denied.or_else(|| body.take::<PathBuf>("file").ok().flatten().and_then(|file| unwritable(&file)))
}

/// A file is replaced, so its folder is what must be writable.
fn unwritable(file: &Path) -> Option<Fault> {
    let folder = file.parent().filter(|folder| folder.is_dir())?;
    let shown = Clean::text(folder.as_os_str().as_encoded_bytes());
    (!may_write(folder)).then(|| {
        Fault::new(format!("this login may not write in {shown}."))
            .hint("Start the console as a user who may, or through sudo.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::RealClock;

    #[test]
    fn what_a_login_lacks_is_told_with_its_rule() {
        let lacking = |kind: &str, text: &str| {
            let body = Body::parse("p.toml", text).expect("TOML");
            lacking(kind, &body, Support::L1, &RealClock).map(|fault| fault.to_string())
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
        assert_eq!(lacking("config_set", "file = \"/nonexistent/x\""), None, "the plan tells that");
        assert_eq!(lacking("command", "support = \"L2\"").as_deref(), Some("it needs support level L2."));
        assert_eq!(lacking("command", "argv = [\"/bin/true\"]"), None);
        assert!(lacking("config_set", "file = \"/proc/self/x\"").is_some_and(|said| said.contains("/proc/self")));
    }
}
