//! What is judged: rule files, how often, and what explains what: `rules`, `interval`, `[[inhibit]]`,
//! and which lines of logs are counted: `[[patterns]]`.

use super::Lasting;
use crate::base::{Body, Fault};
use core::time::Duration;
use std::path::{Path, PathBuf};

/// The rule file that is read when a profile names none, beside its file.
const DEFAULT: &str = "rules.yaml";
/// Rules are judged no more often: samplers bring nothing new.
const FASTEST: Duration = Duration::from_secs(1);

/// What a profile says about judging.
#[derive(Clone, Debug, Default)]
pub struct Judging {
    /// Rule files, those of extended profiles first.
    pub files: Vec<RuleFileSpec>,
    /// How often groups are evaluated that do not say their own.
    pub interval: Option<Duration>,
    /// `[[inhibit]]`.
    pub inhibit: Vec<InhibitSpec>,
    /// `[[patterns]]`, those of extended profiles first: this floor does not know them.
    pub patterns: Vec<Body>,
}

/// One rule file.
#[derive(Clone, Debug)]
pub struct RuleFileSpec {
    /// Where it is: relative names are of the profile's folder.
    pub path: PathBuf,
    /// A fault without a sentence at the place that names it; `None` for the one that is read when it is there.
    pub named: Option<Fault>,
}

/// `[[inhibit]]`, as Alertmanager has it.
#[derive(Clone, Debug)]
pub struct InhibitSpec {
    /// Matchers of the cause.
    pub source_matchers: Vec<String>,
    /// Matchers of what it explains.
    pub target_matchers: Vec<String>,
    /// Labels that both have in common.
    pub equal: Vec<String>,
    /// The table, to place a fault of a matcher.
    pub body: Body,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct InhibitTable {
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    #[serde(default)]
    equal: Vec<String>,
}

impl Judging {
    /// Takes the four keys out of a file; a broken row is a fault and leaves the others. `path` is the file's own;
    /// what is built in has none, and no rule files.
    pub(super) fn read(file: &mut Body, path: Option<&Path>, faults: &mut Vec<Fault>) -> Self {
        let mut judging = Self::default();
        let mut keep = |fault: Fault| faults.push(fault);
        let place = file.fault_at("rules", "");
        let folder = path.map(|path| path.parent().unwrap_or(Path::new("")));
        match (file.take::<Vec<String>>("rules"), folder) {
            (Ok(Some(names)), Some(folder)) => {
                let spec = |name: String| RuleFileSpec { path: folder.join(name), named: Some(place.clone()) };
                judging.files = names.into_iter().map(spec).collect();
            }
            (Ok(None), Some(folder)) => {
                judging.files.push(RuleFileSpec { path: folder.join(DEFAULT), named: None });
            }
            (Ok(_), None) => {}
            (Err(fault), _) => keep(fault),
        }
        let too_often = file.fault_at("interval", "rules are judged once a second at most.");
        match file.take::<Lasting>("interval") {
            Ok(Some(every)) if every.0 < FASTEST => keep(too_often.hint("Write at least `1s`.")),
            Ok(every) => judging.interval = every.map(|every| every.0),
            Err(fault) => keep(fault),
        }
        match file.take_array("inhibit") {
            Ok(rows) => {
                for row in rows {
                    match inhibit(row) {
                        Ok(row) => judging.inhibit.push(row),
                        Err(fault) => keep(fault),
                    }
                }
            }
            Err(fault) => keep(fault),
        }
        match file.take_array("patterns") {
            Ok(rows) => judging.patterns = rows,
            Err(fault) => keep(fault),
        }
        judging
    }

    /// Lays a file over what it extends: its rule files and rows come after, its interval counts.
    pub(super) fn put(&mut self, over: Self) {
        self.files.extend(over.files);
        self.interval = over.interval.or(self.interval);
        self.inhibit.extend(over.inhibit);
        self.patterns.extend(over.patterns);
    }
}

fn inhibit(body: Body) -> Result<InhibitSpec, Fault> {
    let InhibitTable { source_matchers, target_matchers, equal } = body.read()?;
    Ok(InhibitSpec { source_matchers, target_matchers, equal, body })
}
