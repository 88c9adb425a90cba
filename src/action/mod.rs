//! Actions: the only place that changes the world (safety.md 4.2, 4.3). `prepare` makes a [`plan::Plan`]; [`gate::Gate`]
//! asks the operator; [`launch::Launcher`] hands an accepted plan to a runner; the runner carries it out by
//! [`act::carry_out`] and tells how it goes in its run folder ([`lifecycle::Run`]); `verify` judges by the metric.
//! [`dry_run::DryRun`] goes the same way and stops before the first effect.
//! A new kind of action is one file in `kinds/` and one line in [`kinds::KINDS`].
//! Pure: `plan`, `mode`, `prompt`, `gate`, `verify`, `act`. Called by `app` (plans, gate) and `roles` (everything).

pub mod act;
pub mod again;
pub mod back;
pub mod backups;
pub mod cannot;
pub mod config_text;
mod cooldown;
pub mod docs;
pub mod doing;
pub mod dry_run;
pub mod execute;
pub mod expect;
pub mod files;
pub mod follow;
pub mod form;
pub mod fresh_start;
pub mod gate;
pub mod kinds;
pub mod late;
pub mod launch;
pub mod left;
pub mod lifecycle;
mod linked;
mod lmdb;
pub mod locks;
mod lookalike;
pub mod manager;
pub mod mode;
pub mod params;
pub mod plan;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod prepare;
pub mod program_file;
pub mod prompt;
pub mod queries;
pub mod reach;
pub mod record;
pub mod recover;
pub mod refused;
pub mod relied;
pub mod remote;
pub mod right;
pub mod rights;
pub mod sight;
pub mod traffic;
pub mod validator;
pub mod verify;
