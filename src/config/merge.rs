//! Files over files: what a profile extends comes first, its own parts replace those of the same name, its own settings
//! are filled in everywhere.

use super::builtin::{self, Origin};
use super::layer::Layer;
use super::{Handbook, KnownKinds, Profile, Source, Trust};
use crate::base::{Body, Clean, Fault, Settings};
use core::fmt::Write;
use sha2::{Digest, Sha256};

/// How deep `extends` may go.
const DEPTH_LIMIT: usize = 4;

/// Finds the text of a profile by name.
pub(super) type Fetch<'a> = dyn Fn(&str) -> Result<Origin, Fault> + 'a;

pub(super) struct Merge<'a> {
    fetch: &'a Fetch<'a>,
    /// What was read, a profile after what it extends.
    read: Vec<(Origin, Body)>,
    /// Name and file of each from the top to the one being read.
    chain: Vec<(String, String)>,
    profile: Profile,
}

impl<'a> Merge<'a> {
    /// Reads a profile and everything that it extends.
    pub(super) fn run(top: Origin, known: &KnownKinds<'_>, fetch: &'a Fetch<'a>) -> Result<Profile, Fault> {
        let mut profile = Profile::empty(&top.name, Vec::new());
        profile.path.clone_from(&top.path);
        let mut merge = Merge { fetch, read: Vec::new(), chain: Vec::new(), profile };
        merge.add(top)?;
        let (mut settings, read) = (Settings::default(), core::mem::take(&mut merge.read));
        let mut bodies = Vec::new();
        for (origin, mut body) in read {
            match body.take_table("settings") {
                Ok(rows) => merge.profile.faults.extend(rows.map(|rows| settings.put(rows)).unwrap_or_default()),
                Err(fault) => merge.profile.faults.push(fault),
            }
            bodies.push((origin, body));
        }
        merge.profile.faults.extend(settings.resolve());
        let last = bodies.len().saturating_sub(1);
        for (at, (origin, mut body)) in bodies.into_iter().enumerate() {
            let unset = settings.fill(&mut body);
            settings.note_unset(&unset);
            merge.profile.faults.extend(unset);
            let layer = Layer::read(body, origin.rules_beside.as_ref(), known);
            merge.put(origin, layer, &settings, at == last);
        }
        merge.profile.judging.settings = settings;
        Ok(merge.profile)
    }

    /// Reads a file after what it extends. A base that cannot be had is a fault of the file that names it.
    fn add(&mut self, origin: Origin) -> Result<(), Fault> {
        let mut body = Body::parse(&origin.file, &origin.text)?;
        let names = body.take_texts("extends").unwrap_or_else(|fault| {
            let what = "`extends` is a list of profiles.".into();
            self.profile.faults.push(Fault { what, ..fault }.hint("Write for example extends = [\"host\"]."));
            Vec::new()
        });
        self.chain.push((origin.name.clone(), origin.file.clone()));
        for (name, place) in names {
            match self.base(&name) {
                Ok(Some(found)) => {
                    if let Err(fault) = self.add(found) {
                        self.profile.faults.push(fault);
                    }
                }
                Ok(None) => {}
                Err(fault) => self.profile.faults.push(Fault { at: place.at, ..fault }),
            }
        }
        self.chain.pop();
        self.read.push((origin, body));
        Ok(())
    }

    /// The profile of this name; `None` when it is in already.
    fn base(&self, name: &str) -> Result<Option<Origin>, Fault> {
        if self.chain.len() > DEPTH_LIMIT {
            let what = format!("`{name}` is extended more than {DEPTH_LIMIT} deep; it is left out.");
            return Err(Fault::new(what).hint("Let a profile nearer to the first extend it."));
        }
        let open = |found: &Origin| self.chain.iter().position(|(_, file)| *file == found.file);
        // A user's own `host` extends the built-in `host`.
        let past_files = |found: Origin| builtin::profile(name).unwrap_or(found);
        let found = (self.fetch)(name)
            .map(|found| if open(&found).is_some() { past_files(found) } else { found })
            .map_err(|fault| Fault::new(format!("`{name}` cannot be extended: {fault}")))?;
        if let Some(first) = open(&found) {
            let round = self.chain.iter().skip(first).map(|(name, _)| name.as_str()).chain([name]);
            let round: Vec<String> = round.map(|name| format!("`{name}`")).collect();
            let what = format!("`{name}` extends itself, {}; it is left out.", round.join(" by way of "));
            return Err(Fault::new(what).hint(format!("Take `{name}` out of this list.")));
        }
        let known = self.read.iter().any(|(origin, _)| origin.file == found.file);
        Ok((!known).then_some(found))
    }

    fn put(&mut self, origin: Origin, layer: Layer, settings: &Settings, own: bool) {
        let profile = &mut self.profile;
        if let Some(fault) = origin.distrust {
            let what = format!("{} The profile's actions are for display only.", fault.what);
            let fault = Fault { what: Clean::text(what), ..fault };
            profile.faults.push(fault.clone());
            if profile.trust == Trust::Trusted {
                profile.trust = Trust::DisplayOnly(fault);
            }
        }
        let (file, sha256) = (Clean::text(&origin.file), sha256(&origin.text));
        profile.sources.push(Source { file, sha256, broken: layer.broken });
        let filled = origin.procedures.into_iter().map(|spec| spec.filled(settings)).collect();
        replace(&mut profile.procedures.specs, filled, |spec| spec.id.clone());
        profile.faults.extend(origin.faults);
        if own {
            // Whose system it is, and what texts may do on it, only its own file says.
            let specs = core::mem::take(&mut profile.procedures.specs);
            profile.procedures = Handbook { specs, ..layer.handbook };
            profile.title = layer.title.unwrap_or_else(|| profile.title.clone());
            profile.environment = layer.environment.unwrap_or_else(|| profile.environment.clone());
        }
        replace(&mut profile.samplers, layer.samplers, |spec| spec.name.clone());
        replace(&mut profile.logs, layer.logs, |spec| spec.name.clone());
        replace(&mut profile.actions, layer.actions, |spec| spec.name.clone());
        profile.screen.panes.extend(layer.panes);
        // Whoever extends has the first word: its own views come first, and one of the same title takes the other's place.
        let titles: Vec<Clean> = layer.views.iter().map(|view| view.title.clone()).collect();
        profile.screen.views.retain(|old| !titles.contains(&old.title));
        profile.screen.views.splice(0..0, layer.views);
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
