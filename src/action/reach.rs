//! How far the actions of a console reach: the world, or nothing but a stand-in. A rehearsal is built with the latter
//! alone, so there is no way from it to a real target.

use super::manager::Manager;
use super::plan::{Plan, Target};
use crate::base::{Clean, Fault};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

/// What may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything that the login may change.
    World,
    /// Only what belongs to a stand-in.
    Within(StandIn),
}

/// A stand-in system: its folder, with files, programs and sockets, and its ports on the loopback interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    folder: PathBuf,
    ports: BTreeSet<u16>,
}

/// How a runner is told, in its environment: the folder of a stand-in, and its ports with commas between them.
pub const VARIABLES: [&str; 2] = ["WATCHKEEPER_WITHIN", "WATCHKEEPER_WITHIN_PORTS"];

/// Keys of a plan's own part whose text is compared, sent or shown, and never opened.
const TEXTS: [&str; 7] = ["pointer", "equals", "matches", "sql", "body", "prefix", "key"];

impl Reach {
    /// What a runner's environment says, by the names of its variables.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let [folder, ports] = VARIABLES.map(variable);
        let ports = ports.and_then(|ports| ports.into_string().ok()).unwrap_or_default();
        let ports = ports.split(',').filter_map(|port| port.parse().ok());
        folder.map_or(Self::World, |folder| Self::Within(StandIn::new(folder.into(), ports)))
    }

    /// What the environment of a runner must say.
    pub(super) fn variables(&self) -> Vec<(OsString, OsString)> {
        let Self::Within(stand_in) = self else { return Vec::new() };
        let ports: Vec<String> = stand_in.ports.iter().map(u16::to_string).collect();
        let values = [stand_in.folder.clone().into(), ports.join(",").into()];
        VARIABLES.iter().map(OsString::from).zip(values).collect()
    }

    /// Whether every target of a plan may be changed, and all else that it names lies in reach: where it copies to, what
    /// it runs, whom it asks.
    ///
    /// # Errors
    /// What lies beyond, and what would have been done.
    pub fn allows(&self, plan: &Plan) -> Result<(), Fault> {
        let Self::Within(stand_in) = self else { return Ok(()) };
        let mut named = Named::default();
        stand_in.sweep(&plan.what.work, &mut named);
        let target = plan.targets.iter().find(|target| !stand_in.has(target, named.asked > 0));
        let beyond = target.map(|target| Clean::text(target.name())).or(named.beyond);
        beyond.map_or(Ok(()), |what| {
            Err(Fault::new(format!(
                "this is a rehearsal: {what} is no part of the stand-in, and nothing else is reached."
            ))
            .hint("Override the item with what you would have seen."))
        })
    }
}

/// What a plan names besides its targets.
#[derive(Default)]
struct Named {
    /// Paths and addresses that belong to the stand-in.
    places: usize,
    /// Addresses of them.
    asked: usize,
    /// The first that does not.
    beyond: Option<Clean>,
}

impl StandIn {
    /// In this folder, which is named without links, and on these ports.
    pub fn new(folder: PathBuf, ports: impl IntoIterator<Item = u16>) -> Self {
        Self { folder, ports: ports.into_iter().collect() }
    }

    /// Whether a target belongs to it; `asked` is whether the plan itself names an address of it.
    fn has(&self, target: &Target, asked: bool) -> bool {
        match target {
            Target::File { path, .. } | Target::Entry { path, .. } => self.holds(path),
            Target::Unit { manager: Manager::Systemd(_) | Manager::Container(_), .. } => false,
            Target::Unit { manager, .. } => {
                let mut named = Named::default();
                self.sweep(&serde_json::to_value(manager).unwrap_or_default(), &mut named);
                named.places > 0 && named.beyond.is_none()
            }
            Target::Program { argv } => {
                let mut named = Named::default();
                for arg in argv {
                    self.text(arg, &mut named);
                }
                argv.first().is_some_and(|program| self.holds(Path::new(program))) && named.beyond.is_none()
            }
            Target::Switches { values } => !values.is_empty() && values.keys().all(|path| self.holds(path)),
            // A server is named by what it says of itself: the plan has its address.
            Target::Server { .. } => asked,
            // Of a number nobody can tell whose process it is.
            Target::Process { .. } => false,
            Target::Session => true,
        }
    }

    fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.folder) && !path.components().any(|part| part == Component::ParentDir)
    }

    /// Every text in a plan's own part that is a path or an address.
    fn sweep(&self, value: &Value, named: &mut Named) {
        match value {
            Value::String(text) => self.text(text, named),
            Value::Array(all) => all.iter().for_each(|value| self.sweep(value, named)),
            Value::Object(all) => {
                // Who is asked by an address is not asked by the socket that is written beside it.
                let by_url = all.get("url").is_some_and(Value::is_string) && all.contains_key("program");
                let opened = |key: &str| !(TEXTS.contains(&key) || by_url && key == "path");
                all.iter().filter(|(key, _)| opened(key)).for_each(|(_, value)| self.sweep(value, named));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &str, named: &mut Named) {
        let text = text.trim_start_matches(['"', '\'']);
        let path = if text.starts_with('/') { Some(text) } else { text.split_once("=/").map(|(_, rest)| rest) };
        let ours = match (text.split_once("://"), path) {
            (Some((_, rest)), _) => self.answers(rest),
            (None, Some(path)) if text.starts_with('/') => self.holds(Path::new(path.trim_end_matches(['"', '\'']))),
            (None, Some(path)) => self.holds(&Path::new("/").join(path)),
            (None, None) if text.parse::<SocketAddr>().is_ok() => self.answers(text),
            (None, None) => return,
        };
        if ours {
            named.places += 1;
            named.asked += usize::from(text.contains("://"));
        } else {
            named.beyond.get_or_insert_with(|| Clean::text(text));
        }
    }

    /// What follows `scheme://`: one of its ports by the number of the loopback interface, or a socket in its folder. A
    /// name may be anybody's.
    fn answers(&self, rest: &str) -> bool {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains("host") {
            return false;
        }
        let authority = place.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        match host.parse::<SocketAddr>() {
            Ok(address) => address.ip().is_loopback() && self.ports.contains(&address.port()),
            Err(_) => host.is_empty() && self.holds(Path::new(place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn beyond(work: &Value) -> Option<String> {
        let stand_in = StandIn::new("/tmp/demo-1".into(), [4711, 4712]);
        let mut named = Named::default();
        stand_in.sweep(work, &mut named);
        assert!(named.beyond.is_some() || named.places > 0, "{work}");
        named.beyond.map(|what| what.to_string())
    }

    #[test]
    fn whatever_a_plan_names_lies_in_the_folder_or_answers_on_a_port_of_the_stand_in() {
        for ours in [
            json!({ "path": "/tmp/demo-1/data", "to": "/tmp/demo-1/backups", "name": "data.backup" }),
            json!({ "url": "http://127.0.0.1:4711/health", "expect": { "json": [{ "pointer": "/state" }] } }),
            json!({ "url": "postgresql://ops:x@127.0.0.1:4712/app" }),
            json!({ "url": "redis://[::1]:4712/0", "prefix": "/cache" }),
            json!({ "url": "unix:///tmp/demo-1/redis.sock" }),
            json!({ "kind": "supervisor", "program": "x", "path": "/var/run/supervisor.sock", "url": "http://127.0.0.1:4711/RPC2" }),
            json!({ "validate": ["/tmp/demo-1/run/check", "--config=/tmp/demo-1/etc/a.toml"] }),
        ] {
            assert_eq!(beyond(&ours), None, "{ours}");
        }
        for (theirs, what) in [
            (json!({ "path": "/tmp/demo-1/data", "to": "/etc/backups" }), "/etc/backups"),
            (json!({ "path": "/tmp/demo-1/../../etc/passwd" }), "/tmp/demo-1/../../etc/passwd"),
            (json!({ "path": "/tmp/demo-10/data" }), "/tmp/demo-10/data"),
            (json!({ "url": "http://127.0.0.1:8080/health" }), "http://127.0.0.1:8080/health"),
            (json!({ "url": "http://localhost:4711/" }), "http://localhost:4711/"),
            (json!({ "url": "https://nobody.example.test:4711/" }), "https://nobody.example.test:4711/"),
            (json!({ "url": "http://127.0.0.1:4711@db:4711/" }), "http://127.0.0.1:4711@db:4711/"),
            (json!({ "url": "postgresql://127.0.0.1:4712/app?host=db" }), "postgresql://127.0.0.1:4712/app?host=db"),
            (json!({ "url": "unix:///run/redis.sock" }), "unix:///run/redis.sock"),
            (json!({ "address": "127.0.0.1:5432" }), "127.0.0.1:5432"),
            (
                json!({ "kind": "supervisor", "program": "x", "path": "/var/run/supervisor.sock" }),
                "/var/run/supervisor.sock",
            ),
            (json!({ "validate": ["/usr/sbin/nginx", "-t"] }), "/usr/sbin/nginx"),
            (json!({ "argv": ["/tmp/demo-1/run/x", "--to=/etc/x"] }), "--to=/etc/x"),
        ] {
            assert_eq!(beyond(&theirs).as_deref(), Some(what), "{theirs}");
        }
    }

    #[test]
    fn a_runner_is_told_the_whole_stand_in() {
        let within = Reach::Within(StandIn::new("/tmp/demo-1".into(), [4711, 4712]));
        let told: std::collections::HashMap<OsString, OsString> = within.variables().into_iter().collect();
        assert_eq!(Reach::of(|name| told.get(&OsString::from(name)).cloned()), within);
        assert_eq!(Reach::of(|_| None), Reach::World);
        assert!(Reach::World.variables().is_empty());
    }
}
