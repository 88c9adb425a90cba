//! Files over files: what a profile extends comes first, its own parts replace those of the same name.

use super::builtin::{self, Origin};
use super::layer::{Extends, Layer};
use super::{Handbook, KnownKinds, Profile, Source, Trust};
use crate::base::{Body, Clean, Fault};
use core::fmt::Write;
use sha2::{Digest, Sha256};

/// How deep `extends` may go.
const DEPTH_LIMIT: usize = 4;

/// Finds the text of a profile by name.
pub(super) type Fetch<'a> = dyn Fn(&str) -> Result<Origin, Fault> + 'a;

pub(super) struct Merge<'a> {
    known: &'a KnownKinds<'a>,
    fetch: &'a Fetch<'a>,
    profile: Profile,
    /// The files from the top to the one being read.
    chain: Vec<String>,
}

impl<'a> Merge<'a> {
    /// Reads a profile and everything that it extends.
    pub(super) fn run(top: &Origin, known: &'a KnownKinds<'a>, fetch: &'a Fetch<'a>) -> Result<Profile, Fault> {
        let mut profile = Profile::empty(&top.name, Vec::new());
        profile.path.clone_from(&top.path);
        let mut merge = Merge { known, fetch, profile, chain: Vec::new() };
        merge.add(top)?;
        Ok(merge.profile)
    }

    fn add(&mut self, origin: &Origin) -> Result<(), Fault> {
        let layer = Layer::read(Body::parse(&origin.file, &origin.text)?, origin.path.as_deref(), self.known);
        self.chain.push(origin.file.clone());
        for base in &layer.extends {
            self.extend(base);
        }
        self.chain.pop();
        if let Some(fault) = &origin.distrust {
            let what = format!("{} The profile's actions are for display only.", fault.what);
            let fault = Fault { what: Clean::text(what), ..fault.clone() };
            self.profile.faults.push(fault.clone());
            if self.profile.trust == Trust::Trusted {
                self.profile.trust = Trust::DisplayOnly(fault);
            }
        }
        self.profile.sources.push(Source { file: Clean::text(&origin.file), sha256: sha256(&origin.text) });
        replace(&mut self.profile.procedures.specs, origin.procedures.clone(), |spec| spec.id.clone());
        self.profile.faults.extend(origin.faults.iter().cloned());
        self.put(layer);
        Ok(())
    }

    /// A base that cannot be had is a fault of the file that names it.
    fn extend(&mut self, base: &Extends) {
        let placed = |what: String| Fault { what: Clean::text(what), ..base.place.clone() };
        if self.chain.len() > DEPTH_LIMIT {
            let what = format!("`{}` is extended more than {DEPTH_LIMIT} deep; it is left out.", base.name);
            return self.profile.faults.push(placed(what));
        }
        // A user's own `host` extends the built-in `host`.
        let past_files = |found: Origin| builtin::profile(&base.name).unwrap_or(found);
        let found = (self.fetch)(&base.name)
            .map(|found| if self.chain.contains(&found.file) { past_files(found) } else { found });
        match found {
            Ok(found) if self.chain.contains(&found.file) => {
                let what = format!("`{}` extends itself by way of this line; it is left out.", base.name);
                self.profile.faults.push(placed(what));
            }
            Ok(found) if self.profile.sources.iter().any(|source| source.file.as_str() == found.file) => {}
            Ok(found) => {
                if let Err(fault) = self.add(&found) {
                    self.profile.faults.push(fault);
                }
            }
            Err(fault) => {
                self.profile.faults.push(placed(format!("`{}` cannot be extended: {fault}", base.name)));
            }
        }
    }

    fn put(&mut self, layer: Layer) {
        let profile = &mut self.profile;
        if self.chain.is_empty() {
            // Whose system it is, and what texts may do on it, only its own file says.
            let specs = core::mem::take(&mut profile.procedures.specs);
            profile.procedures = Handbook { specs, ..layer.handbook };
            profile.title = layer.title.unwrap_or_else(|| profile.title.clone());
            profile.environment = layer.environment.unwrap_or_else(|| profile.environment.clone());
        }
        replace(&mut profile.samplers, layer.samplers, |spec| spec.name.clone());
        replace(&mut profile.logs, layer.logs, |spec| spec.name.clone());
        replace(&mut profile.actions, layer.actions, |spec| spec.name.clone());
        profile.panes.extend(layer.panes);
        profile.markers.extend(layer.markers);
        profile.people.put(layer.people);
        profile.judging.put(layer.judging);
        profile.faults.extend(layer.faults);
    }
}

/// Puts each new part in the place of the old one with its name, or at the end.
fn replace<T, K: PartialEq>(all: &mut Vec<T>, new: Vec<T>, name: impl Fn(&T) -> K) {
    for part in new {
        match all.iter_mut().find(|old| name(old) == name(&part)) {
            Some(old) => *old = part,
            None => all.push(part),
        }
    }
}

/// SHA-256 in hex.
pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}
