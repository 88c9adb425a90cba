//! The form of what an action's table names, whatever its kind: services, paths and queries. None of them is looked at.

use super::manager::Manager;
use super::queries::written;
use crate::base::{Body, Clean, Fault};
use crate::rules::expr::Expr;
use std::path::Path;

/// Keys that hold the path of something here.
const PATHS: [&str; 8] = ["file", "path", "pid_file", "reads_as_toml", "ca", "below", "backup_to", "sqlite"];

/// The first name in it that cannot be one.
pub(super) fn check(kind: &str, body: &Body) -> Result<(), Fault> {
    for (key, manager) in managers(body) {
        manager.service().check().map_err(|fault| body.placed(key, fault))?;
    }
    // What is set aside is given a name there, and what grows a size.
    let folder = kind.ends_with("_backup").then_some("to");
    for key in PATHS.into_iter().chain(folder) {
        let text = body.clone().take::<String>(key).ok().flatten();
        // A text that is a parameter becomes a path later.
        if let Some(text) = text.filter(|text| !text.starts_with('{') && !Path::new(text).is_absolute()) {
            let what = format!("`{}` is not an absolute path.", Clean::text(&text));
            return Err(body.fault_at(key, what).hint("Write all of it, from / on."));
        }
    }
    for (key, query) in written(body) {
        Expr::parse(&query).map_err(|fault| {
            let what = format!("`{}` is no PromQL: {}", Clean::text(&query), fault.what);
            Fault { hint: fault.hint, ..body.fault_at(key, what) }
        })?;
    }
    Ok(())
}

/// The services that a table names, each with its key.
pub fn managers(body: &Body) -> Vec<(&'static str, Manager)> {
    let own =
        ["service", "restart", "stopped"].into_iter().filter_map(|key| Some((key, body.clone().take(key).ok()??)));
    let reopen = body.clone().take_table("reopen").ok().flatten();
    let reload = reopen.and_then(|mut how| how.take("reload").ok().flatten());
    own.chain(reload.map(|manager| ("reopen", manager))).collect()
}
