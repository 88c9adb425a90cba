//! What may explain an alert beside the series: the files that the profile's actions change, and its deploy markers.
//! Files are looked at by a sampler of their own, off the loop, and so have history and health as any series.

use crate::app::Changes;
use crate::base::Fault;
use crate::base::body::nearest;
use crate::config::{Marker, Part, Profile};
use crate::samplers::kinds::files;
use crate::samplers::{Job, Kind as _};
use std::path::PathBuf;
use std::sync::Arc;

/// The sampler's name, unless the profile has one of this name.
const SAMPLER: &str = "files";

/// The sampler for all files that are worth looking at, if there are any.
pub(super) fn job(profile: &Profile) -> Option<Job> {
    let named = |spec: &crate::config::ActionSpec| spec.body.clone().take::<PathBuf>("file").ok().flatten();
    let mut config: Vec<PathBuf> = profile.actions.iter().filter_map(named).filter(|file| file.is_absolute()).collect();
    config.sort();
    config.dedup();
    let files = |marker: &Marker| if let Marker::File(path) = marker { Some(path.clone()) } else { None };
    let deploy: Vec<PathBuf> = profile.markers.iter().filter_map(files).collect();
    let taken = profile.samplers.iter().any(|sampler| &*sampler.name == SAMPLER);
    let wanted = !taken && config.len() + deploy.len() > 0;
    wanted.then(|| Job {
        name: Arc::from(SAMPLER),
        sampler: files::watch(config, deploy),
        every: files::Files.every(),
        timeout: None,
    })
}

/// What listens for deploys in the logs, and the markers that name a log which the profile does not have.
pub(super) fn changes(profile: &Profile) -> (Changes, Vec<Fault>) {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for marker in &profile.markers {
        let Marker::Line { log, contains, body } = marker else { continue };
        lines.push((Arc::clone(log), contains.clone()));
        let logs = profile.names(Part::Log);
        if !logs.contains(&&**log) {
            let fault = body.fault_at("log", format!("no log of this profile is called `{log}`."));
            faults.push(if logs.is_empty() { fault } else { fault.hint(nearest(log, logs.into_iter())) });
        }
    }
    (Changes::new(lines), faults)
}
