//! Where samplers keep what they want to know again at the next start: `memory` in the state folder, a file for each
//! sampler of a profile on this machine.

use super::session::{Options, state_dir};
use crate::samplers::{Job, Remembering};
use crate::sys::files;
use crate::sys::host::Host;

/// The jobs, each with its file. Why there is no folder for them is told when the journal is opened.
pub(super) fn remembering(jobs: Vec<Job>, options: &Options, (host, profile): (&Host, &str)) -> Vec<Job> {
    let Ok(state) = state_dir(options) else { return jobs };
    let with = |Job { name, sampler, every, timeout }| {
        let digest = files::sha256(format!("{}\n{profile}\n{name}", host.machine_id).as_bytes());
        let file = state.join("memory").join(format!("{}.json", digest.get(..16).unwrap_or(&digest)));
        Job { sampler: Remembering::wrap(sampler, file), name, every, timeout }
    };
    jobs.into_iter().map(with).collect()
}
