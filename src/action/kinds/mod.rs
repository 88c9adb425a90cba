//! One file per kind of action: its configuration, how it plans, what it re-observes, its steps, and how a crash is
//! judged. A new kind is that file and one line in [`KINDS`]. Called by `prepare` and the runner.

pub mod backup_remove;
pub mod command;
pub mod config_restore;
pub mod config_set;
pub mod file_backup;
pub mod file_owner;
pub mod file_restore;
pub mod file_set_aside;
pub mod http_call;
pub mod lmdb_backup;
pub mod lmdb_check;
pub mod lmdb_clear_readers;
pub mod lmdb_grow;
pub mod lmdb_set_aside;
pub mod log_rotate;
#[cfg(feature = "postgres")]
pub mod postgres_cancel;
#[cfg(feature = "postgres")]
pub mod postgres_explain;
#[cfg(feature = "postgres")]
pub mod postgres_index;
#[cfg(feature = "postgres")]
pub mod postgres_setting;
pub mod process_signal;
#[cfg(feature = "redis")]
pub mod redis_clear;
pub mod service;
pub mod service_drop_in;
pub mod sqlite_backup;
pub mod sysfs_write;

use super::doing::Doing;
use super::lifecycle::Run;
use super::plan::{Danger, Plan, Precondition, Target, Undo};
use super::prepare::Context;
use crate::base::{Body, Clean, Clock, Fault};
use core::time::Duration;
use serde_json::Value;

/// What a kind adds to a plan.
#[derive(Debug)]
pub struct Draft {
    /// Exact commands or diff.
    pub lines: Vec<Clean>,
    /// The kind's own part, read back by its steps.
    pub work: Value,
    /// What is typed at C3 after the host.
    pub target: String,
    /// Numbers for HITS.
    pub hits: Vec<Clean>,
    /// The way back.
    pub undo: Undo,
    /// What was observed and the plan rests on.
    pub based_on: Vec<Precondition>,
    /// By identity.
    pub targets: Vec<Target>,
    /// Why the danger must be raised, if anything showed.
    pub raise: Vec<Clean>,
    /// For how long the kind's own proof must hold before it counts.
    pub settle: Duration,
}

/// How a step failed.
#[derive(Debug)]
pub enum StepError {
    /// It certainly did not take place.
    Failed(Fault),
    /// It may have taken place.
    Unknown(Fault),
    /// It only looked, took place, and could not say what it was asked.
    Unsaid(Fault),
}

impl StepError {
    /// Why, whatever it means for the effect.
    pub fn fault(self) -> Fault {
        match self {
            Self::Failed(fault) | Self::Unknown(fault) | Self::Unsaid(fault) => fault,
        }
    }

    /// The same with more to say of what it may have left.
    #[must_use]
    pub fn also(self, more: &str) -> Self {
        let more = more.trim_start_matches([';', ' ']);
        match self {
            Self::Unknown(fault) if !more.is_empty() => Self::Unknown(with(fault, more)),
            Self::Unsaid(fault) if !more.is_empty() => Self::Unsaid(with(fault, more)),
            other => other,
        }
    }
}

/// A fault with more in its hint.
fn with(fault: Fault, more: &str) -> Fault {
    let hint = fault.hint.as_ref().map_or_else(String::new, |hint| format!("{hint} "));
    fault.hint(format!("{hint}Also, {more}"))
}

/// What the kind's own look at its target says of the effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is there: what it must not change to while it settles, and what was seen.
    Holds(String, Clean),
    /// Not yet, and why.
    NotYet(Clean),
    /// It cannot come any more.
    Broken(Clean),
    /// It could not be looked at.
    Unseen(Clean),
}

/// What a look at the target says about a run that did not report its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// As the plan would leave it.
    Done(Clean),
    /// As it was before.
    NotDone(Clean),
    /// Neither.
    Other(Clean),
}

impl Settled {
    /// What was seen, in words.
    pub const fn what(&self) -> &Clean {
        let (Self::Done(what) | Self::NotDone(what) | Self::Other(what)) = self;
        what
    }
}

/// Of what is done at once: what is not there after the step does not come by itself.
impl From<Result<Settled, Fault>> for Proof {
    fn from(settled: Result<Settled, Fault>) -> Self {
        match settled {
            Ok(Settled::Done(said)) => Self::Holds(String::new(), said),
            Ok(Settled::NotDone(said) | Settled::Other(said)) => Self::Broken(said),
            Err(fault) => Self::Unseen(Clean::text(fault.to_string())),
        }
    }
}

/// A family of actions.
pub trait Kind: Sync {
    /// The name in `kind = "…"`.
    fn name(&self) -> &'static str;
    /// Raised whenever plans of this kind mean something new.
    fn version(&self) -> u32;
    /// One line for help and references.
    fn about(&self) -> &'static str;
    /// No action of this kind is lighter.
    fn least_danger(&self) -> Danger;
    /// The same, for what it has drafted.
    fn least_danger_of(&self, _work: &Value) -> Danger {
        self.least_danger()
    }
    /// The server that a plan of this kind asks, if any: it decides, and the list of actions says what it answered.
    fn asks(&self) -> Option<&'static str> {
        None
    }
    /// Looks at the targets and says what would be done. No effects. `body` has lost the keys common to all kinds.
    ///
    /// # Errors
    /// Any reason not to offer the plan.
    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault>;
    /// Looks again, under the lock: what differs from the plan; nothing when it still holds.
    ///
    /// # Errors
    /// What could not be observed.
    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault>;
    /// Makes the way back durable and reads it back; false where there is nothing to keep. The operator may end it.
    ///
    /// # Errors
    /// Then nothing may follow.
    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault>;
    /// The names of the effects, in order.
    fn steps(&self, plan: &Plan) -> Vec<&'static str>;
    /// Carries one out; what was done, in words.
    ///
    /// # Errors
    /// Whether it certainly did not take place, or may have.
    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError>;
    /// The operator ended it after some of its steps and before this one: undoes what must not stay half-way, such as a
    /// service that was stopped to be started again; what was done, in words.
    fn ended(&self, _before: &str, _plan: &Plan, _doing: &Doing<'_>) -> Option<Clean> {
        None
    }
    /// Looks whether the effect is there, read-only; `None` where the kind has nothing of its own to look at.
    fn proof(&self, _plan: &Plan, _clock: &dyn Clock) -> Option<Proof> {
        None
    }
    /// The same with what the run itself has kept.
    fn proof_of(&self, plan: &Plan, _run: &Run, clock: &dyn Clock) -> Option<Proof> {
        self.proof(plan, clock)
    }
    /// Whether [`Kind::proof`] looks at anything for this plan. Where not, and no metric is declared, the prompt says how
    /// that ends.
    fn proves(&self, _plan: &Plan) -> bool {
        true
    }
    /// Whether its program is never ended, however long it takes and whoever asks for it.
    fn spares(&self, _plan: &Plan) -> bool {
        false
    }
    /// What the target itself says of what came of it, once that is judged `good` or not: a few lines for the screen, more
    /// of them for the run's `out.log`. Read-only.
    fn evidence(&self, _plan: &Plan, _good: bool, _doing: &Doing<'_>) -> Vec<Clean> {
        Vec::new()
    }
    /// The way back from what such a plan does: the kind of its plan, and the table without the keys that all have.
    fn way_back(&self, _plan: &Plan) -> Option<(&'static str, super::back::Table)> {
        None
    }
    /// For how long [`Kind::proof`] is waited for at least, where the plan's metrics say less.
    fn within(&self, _plan: &Plan) -> Duration {
        Duration::ZERO
    }
    /// Whether what it did stays until somebody takes it back; false where it is done once and its trace goes by itself, as
    /// a cache fills again.
    fn lasts(&self) -> bool {
        true
    }
    /// After a crash: read-only.
    ///
    /// # Errors
    /// When it cannot be observed.
    fn settled(&self, plan: &Plan) -> Result<Settled, Fault>;
}

/// Every kind there is.
pub static KINDS: &[&dyn Kind] = &[
    &backup_remove::BackupRemove,
    &command::Command,
    &config_restore::ConfigRestore,
    &config_set::ConfigSet,
    &file_backup::FileBackup,
    &file_owner::FileOwner,
    &file_restore::FileRestore,
    &file_set_aside::FileSetAside,
    &http_call::HttpCall,
    &lmdb_backup::LmdbBackup,
    &lmdb_check::LmdbCheck,
    &lmdb_clear_readers::LmdbClearReaders,
    &lmdb_grow::LmdbGrow,
    &lmdb_set_aside::LmdbSetAside,
    &log_rotate::LogRotate,
    #[cfg(feature = "postgres")]
    &postgres_cancel::PostgresCancel,
    #[cfg(feature = "postgres")]
    &postgres_explain::PostgresExplain,
    #[cfg(feature = "postgres")]
    &postgres_index::PostgresIndex,
    #[cfg(feature = "postgres")]
    &postgres_setting::PostgresSetting,
    &process_signal::ProcessSignal,
    #[cfg(feature = "redis")]
    &redis_clear::RedisClear,
    &service_drop_in::ServiceDropIn,
    &service::RELOAD,
    &service::RESET_FAILED,
    &service::RESTART,
    &service::START,
    &service::STOP,
    &sqlite_backup::SqliteBackup,
    &sysfs_write::SysfsWrite,
];

/// Kinds that were left out of this program, each with the feature that builds it.
pub static NOT_BUILT: &[(&str, &str)] = &[
    #[cfg(not(feature = "postgres"))]
    ("postgres_cancel", "postgres"),
    #[cfg(not(feature = "postgres"))]
    ("postgres_explain", "postgres"),
    #[cfg(not(feature = "postgres"))]
    ("postgres_index", "postgres"),
    #[cfg(not(feature = "postgres"))]
    ("postgres_setting", "postgres"),
    #[cfg(not(feature = "redis"))]
    ("redis_clear", "redis"),
];

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

/// The kind's own part of a plan.
///
/// # Errors
/// When it is not as this version writes it.
pub fn work<T: serde::de::DeserializeOwned>(plan: &Plan) -> Result<T, Fault> {
    T::deserialize(&plan.what.work).map_err(|error| Fault::new(format!("the plan's own part cannot be read: {error}.")))
}

/// The same, for a plan.
///
/// # Errors
/// When it cannot be written.
pub fn to_work(work: &impl serde::Serialize) -> Result<Value, Fault> {
    serde_json::to_value(work).map_err(|error| Fault::new(format!("this plan cannot be written: {error}.")))
}

/// The kind of a plan, in the version that made it.
///
/// # Errors
/// When this program does not know it.
pub fn of(plan: &Plan) -> Result<&'static dyn Kind, Fault> {
    let known = |kind: &&&'static dyn Kind| format!("{}@{}", kind.name(), kind.version()) == plan.what.kind;
    KINDS.iter().find(known).copied().ok_or_else(|| {
        Fault::new(format!("this version cannot carry out plans of kind `{}`.", Clean::text(&plan.what.kind)))
    })
}
