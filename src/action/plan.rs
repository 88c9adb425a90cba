//! What an action would do, before anybody agrees: where, who, what, how far it reaches, how to undo it, what it is
//! based on, how it will be judged. Bound to identities, with a digest. Plain data.

use super::manager::{Manager, Serving};
use super::relied::ReliedOn;
use super::traffic::Traffic;
use super::verify::{Check, Expect};
use crate::base::{Clean, Fault, Mono, Now, Support, Ulid, Unit};
use crate::sys::entry::EntryId;
use crate::sys::files;
use crate::sys::held::FileId;
use crate::sys::held_process::ProcessId;
use crate::sys::host::{Host, Login};
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How heavy the prompt is (safety.md 4.2). Declared per action; only ever raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Danger {
    /// Reading and navigation: no prompt.
    C0,
    /// Reversible, nobody notices: `y`.
    C1,
    /// Users may notice, can be undone: the verb is typed.
    C2,
    /// Data at stake, irreversible, many targets: host and target are typed, and a reason.
    C3,
}

impl Danger {
    /// One heavier; C3 stays.
    pub const fn raised(self) -> Self {
        match self {
            Self::C0 => Self::C1,
            Self::C1 => Self::C2,
            Self::C2 | Self::C3 => Self::C3,
        }
    }

    /// How long the prompt is on screen, untouched, before it takes an answer.
    pub const fn arm_delay(self) -> Duration {
        Duration::from_millis(match self {
            Self::C0 => 0,
            Self::C1 => 400,
            Self::C2 => 800,
            Self::C3 => 1_500,
        })
    }

    /// How long the prompt stays open.
    pub const fn expires(self) -> Duration {
        Duration::from_secs(match self {
            Self::C0 | Self::C1 | Self::C2 => 60,
            Self::C3 => 120,
        })
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// First line of every prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Where {
    /// The host, by identity.
    pub host: Host,
    /// The profile's badge, such as `PROD`.
    pub environment: Clean,
}

/// What will be done, for people and for the runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct What {
    /// The action's name in the profile; part of the journal.
    pub action: String,
    /// The kind and its version, such as `config_set@1`.
    pub kind: String,
    /// Heading of the prompt.
    pub title: Clean,
    /// What is typed at C2.
    pub verb: Clean,
    /// What is typed at C3: `host/target`.
    pub target: Clean,
    /// Exact commands or diff, one line each, never abbreviated.
    pub lines: Vec<Clean>,
    /// The kind's own part of the plan.
    pub work: Value,
}

/// How it can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// The way.
    How(Clean),
    /// There is none.
    Irreversible,
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::How(how) => fmt::Display::fmt(how, f),
            Self::Irreversible => f.write_str("IRREVERSIBLE"),
        }
    }
}

/// A value that the plan rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Precondition {
    /// In words.
    pub label: Clean,
    /// As shown.
    pub value: Clean,
    /// How old it was when the plan was made.
    pub age: Duration,
    /// For a metric: what is asked again before the first effect.
    pub metric: Option<Metric>,
}

/// A metric that a plan rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// A plain selector.
    pub query: String,
    /// For display.
    pub unit: Unit,
    /// When the plan was made, in the metric's base unit; `None` where it was unknown then, and that was let pass.
    pub planned: Option<f64>,
    /// Share of the planned value by which a fresh one may differ.
    pub tolerance: f64,
    /// What it must be whatever was planned.
    #[serde(default)]
    pub expect: Option<Expect>,
}

impl Metric {
    /// True while `fresh` is still what the plan rests on: who let pass that nothing was known did not know this.
    pub fn holds(&self, fresh: f64) -> bool {
        let Some(planned) = self.planned else { return !fresh.is_finite() };
        let expected = self.expect.is_none_or(|expect| expect.holds(None, fresh) == Some(true));
        expected && (fresh - planned).abs() <= self.tolerance * planned.abs()
    }
}

/// Something that will be changed, by identity and not only by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A file.
    File {
        /// Its real, absolute path.
        path: PathBuf,
        /// Which file, in which state.
        id: FileId,
    },
    /// A service of a manager.
    Unit {
        /// The manager, and the service's name there.
        manager: Manager,
        /// The run that served when the plan was made.
        serving: Option<Serving>,
        /// What else was so then.
        identity: BTreeMap<String, String>,
    },
    /// A file or a folder, whatever is in it.
    Entry {
        /// Its absolute path.
        path: PathBuf,
        /// Which one.
        id: EntryId,
    },
    /// A process.
    Process {
        /// Which one.
        id: ProcessId,
    },
    /// A program that is run, with its arguments.
    Program {
        /// As it is run.
        argv: Vec<String>,
    },
    /// Switches of the kernel, and what they said.
    Switches {
        /// By path.
        values: BTreeMap<PathBuf, String>,
    },
    /// Something that a server has.
    Server {
        /// Server and thing, as everybody who means the same names them.
        name: String,
        /// Which server it was when the plan was made.
        identity: BTreeMap<String, String>,
    },
    /// This console session: its mode.
    Session,
}

impl Target {
    /// The names by which a person knows it, and whether each is a path.
    pub fn names(&self) -> Vec<(String, bool)> {
        let path = |path: &PathBuf| (path.to_string_lossy().into_owned(), true);
        match self {
            Self::File { path: file, .. } | Self::Entry { path: file, .. } => vec![path(file)],
            Self::Switches { values } => values.keys().map(path).collect(),
            Self::Program { argv } => argv.iter().map(|word| (word.clone(), false)).collect(),
            Self::Unit { .. } | Self::Process { .. } | Self::Server { .. } | Self::Session => Vec::new(),
        }
    }
}

/// What a supervisord's own process is called in the identity of its programs.
pub const SUPERVISORD: &str = "supervisord";

impl Target {
    /// The name under which it is locked; equal for everybody who means the same thing.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } | Self::Entry { path, .. } => file_name(path),
            Self::Unit { manager, identity, .. } => {
                let service = manager.service();
                // A server that can be reached in two ways is one: by its process, where that is known.
                let server = identity.get(SUPERVISORD).map(|process| format!("{SUPERVISORD} {process}"));
                format!("unit:{}:{}", server.unwrap_or_else(|| service.address()), service.unit())
            }
            Self::Process { id } => format!("process:{}", id.pid),
            Self::Program { argv } => format!("program:{}", argv.join(" ")),
            Self::Switches { values } => {
                let paths: Vec<String> = values.keys().map(|path| path.display().to_string()).collect();
                format!("switches:{}", paths.join(" "))
            }
            Self::Server { name, .. } => name.clone(),
            Self::Session => "session".to_owned(),
        }
    }

    /// The names that are locked for it: several switches are each their own.
    fn locks(&self) -> Vec<String> {
        match self {
            Self::Switches { values } => values.keys().map(|path| file_name(path)).collect(),
            other => vec![other.name()],
        }
    }
}

/// What stands before a path in the name of a file or a folder.
const FILE: &str = "file:";

fn file_name(path: &Path) -> String {
    format!("{FILE}{}", path.display())
}

/// How the effect will be judged, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    /// What must come true.
    pub checks: Vec<Check>,
    /// Work must go on: without it nothing is proven.
    pub traffic: Traffic,
    /// Time limit after the effect.
    pub within: Duration,
    /// Samplers of the profile that the runner runs itself.
    pub samplers: Vec<String>,
    /// The profile they come from, as the console was given it.
    pub profile: String,
}

/// A complete proposal. Serialised as `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// This proposal; consumed by being accepted once.
    pub id: Ulid,
    /// When it was made.
    pub made: Now,
    /// What, exactly.
    pub what: What,
    /// How heavy the prompt is, after raising.
    pub danger: Danger,
    /// Why the danger was raised.
    pub raised: Vec<Clean>,
    /// Who ought to do it.
    pub support: Support,
    /// On which host.
    pub place: Where,
    /// On whose behalf.
    pub who: Login,
    /// Blast radius, in numbers.
    pub hits: Vec<Clean>,
    /// The way back.
    pub undo: Undo,
    /// What it rests on.
    pub based_on: Vec<Precondition>,
    /// The backup that it relies on, if its profile names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relied: Option<ReliedOn>,
    /// What it changes, by identity.
    pub targets: Vec<Target>,
    /// For how long the kind's own proof must hold.
    pub settle: Duration,
    /// By which metrics it is judged.
    pub judging: Option<Judging>,
}

/// The kind of the plan that arms the console.
pub const ARM: &str = "arm@1";
/// The kind of the plan that takes a procedure over.
const TAKE_OVER: &str = "take_over@1";

impl Plan {
    /// Arming the console, as a plan through the same gate: C1, no runner.
    pub fn arm(id: Ulid, place: Where, who: Login, now: Now) -> Self {
        let minutes = super::mode::IDLE.as_secs() / 60;
        Self {
            id,
            made: now,
            what: What {
                action: "arm".to_owned(),
                kind: ARM.to_owned(),
                title: Clean::from("Arm this console"),
                verb: Clean::from("arm"),
                target: crate::clean!("{}/console", place.host.name),
                lines: vec![crate::clean!("actions may be confirmed from this console for {minutes} idle minutes")],
                work: Value::Null,
            },
            danger: Danger::C1,
            raised: Vec::new(),
            support: Support::L0,
            place,
            who,
            hits: vec![Clean::from("this console only; nothing runs by itself")],
            undo: Undo::How(Clean::from("press the same key again")),
            based_on: Vec::new(),
            relied: None,
            targets: vec![Target::Session],
            settle: Duration::ZERO,
            judging: None,
        }
    }

    /// Taking over a procedure that another login has left, as a plan through the same gate: C2, no runner.
    pub fn take_over(id: Ulid, (run, title, from): (Ulid, &Clean, &Clean), place: Where, who: Login, now: Now) -> Self {
        let mut plan = Self::arm(id, place, who, now);
        plan.what = What {
            action: run.to_string(),
            kind: TAKE_OVER.to_owned(),
            title: Clean::from("Take a procedure over"),
            verb: Clean::from("takeover"),
            target: crate::clean!("{}/procedure", plan.place.host.name),
            lines: vec![title.clone(), crate::clean!("left by {from}; what they found is looked at again")],
            work: Value::Null,
        };
        (plan.danger, plan.support) = (Danger::C2, Support::L1);
        plan.hits = vec![crate::clean!("this procedure only; {from} can look at it, not go on with it")];
        plan.undo = Undo::How(crate::clean!("leave it: {from} can take it back"));
        plan
    }

    /// The run that is taken over, for a plan that takes one over.
    pub fn takes_over(&self) -> Option<Ulid> {
        (self.what.kind == TAKE_OVER).then(|| self.what.action.parse().ok()).flatten()
    }

    /// True for the plan that arms the console.
    pub fn is_arming(&self) -> bool {
        self.what.kind == ARM
    }

    /// What must be typed; a single `y` up to C1.
    pub fn expected(&self) -> &str {
        match self.danger {
            Danger::C0 | Danger::C1 => "y",
            Danger::C2 => self.what.verb.as_str(),
            Danger::C3 => self.what.target.as_str(),
        }
    }

    /// SHA-256 over the canonical JSON of everything that is decided (not the id and the time).
    pub fn digest(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("id");
            fields.remove("made");
        }
        files::sha256(canonical(&value).as_bytes())
    }

    /// Every query that must be answered fresh by the runner's own samplers.
    pub fn queries(&self) -> Vec<String> {
        let based = self.based_on.iter().filter_map(|row| Some(row.metric.as_ref()?.query.clone()));
        let judged = self.judging.iter().flat_map(|judging| {
            judging.checks.iter().map(|check| check.query.clone()).chain([judging.traffic.query.clone()])
        });
        let mut all: Vec<String> = based.chain(judged).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The names to lock, in the one order that everybody uses.
    pub fn locks(&self) -> Vec<String> {
        let mut names: Vec<String> = self.targets.iter().flat_map(Target::locks).collect();
        names.sort();
        names
    }

    /// The names of the folders in which its files lie, up to the root, as whoever acts on one of them locks it.
    pub fn folders(&self) -> Vec<String> {
        let own = self.locks();
        let paths = own.iter().filter_map(|name| name.strip_prefix(FILE));
        let above = paths.flat_map(|path| Path::new(path).ancestors().skip(1).map(file_name));
        let mut names: Vec<String> = above.filter(|name| !own.contains(name)).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// JSON with sorted keys and no spaces.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            let rows: Vec<String> = sorted
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", rows.join(","))
        }
        Value::Array(rows) => format!("[{}]", rows.iter().map(canonical).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

/// What planning may look at: the console's own store, behind a seam.
pub trait Readings {
    /// The value of an expression that gives one row, with the age of the oldest that it rests on.
    ///
    /// # Errors
    /// When nothing matches, more than one series does, or the value is stale or unknown.
    fn reading(&self, query: &str) -> Result<(f64, Duration), Fault>;
    /// The points of the last `window`, oldest first; gaps are left out.
    fn recent(&self, query: &str, window: Duration) -> Vec<(Mono, f64)>;
    /// The values of a label among the rows of an expression, each once: that of the highest row first.
    fn labels(&self, query: &str, label: &str) -> Vec<Clean>;
}
