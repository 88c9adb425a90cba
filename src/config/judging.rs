//! What is judged: rule files, how often, and what explains what: `rules`, `interval`, `[[inhibit]]`,
//! and which lines of logs are counted: `[[patterns]]`.

use super::Lasting;
use super::builtin;
use crate::base::{Body, Fault, Settings};
use core::time::Duration;
use std::path::PathBuf;

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
    /// What is filled into rules where they name it.
    pub settings: Settings,
    /// `[[patterns]]`, those of extended profiles first: this floor does not know them.
    pub patterns: Vec<Body>,
}

/// One rule file.
#[derive(Clone, Debug)]
pub struct RuleFileSpec {
    /// Where it is: relative names are of the profile's folder.
    pub path: PathBuf,
    /// Its text, of one in the binary.
    pub text: Option<&'static str>,
    /// A fault without a sentence at the place that names it; `None` for the one that is read when it is there.
    pub named: Option<Fault>,
}

/// Where a profile's rule files lie.
#[derive(Clone, Debug)]
pub(super) enum RulesBeside {
    /// In the folder of its file.
    Folder(PathBuf),
    /// In the binary, under this name.
    BuiltIn(String),
}

impl RulesBeside {
    /// The rule file of this name. One that was not named and is not there is none.
    fn spec(&self, name: &str, named: Option<Fault>) -> Option<RuleFileSpec> {
        match self {
            Self::Folder(folder) => Some(RuleFileSpec { path: folder.join(name), text: None, named }),
            Self::BuiltIn(profile) => {
                let inner = format!("{profile}/{name}");
                let text = builtin::file(&inner);
                (text.is_some() || named.is_some()).then(|| RuleFileSpec {
                    path: format!("built-in {inner}").into(),
                    text,
                    named,
                })
            }
        }
    }
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
    /// Takes the four keys out of a file; a broken row is a fault and leaves the others. What is a text alone has no
    /// rule files.
    pub(super) fn read(file: &mut Body, beside: Option<&RulesBeside>, faults: &mut Vec<Fault>) -> Self {
        let mut judging = Self::default();
        let mut keep = |fault: Fault| faults.push(fault);
        let place = file.fault_at("rules", "");
        match (file.take::<Vec<String>>("rules"), beside) {
            (Ok(Some(names)), Some(beside)) => {
                judging.files = names.iter().filter_map(|name| beside.spec(name, Some(place.clone()))).collect();
            }
            (Ok(None), Some(beside)) => judging.files.extend(beside.spec(DEFAULT, None)),
            (Ok(_), None) => {}
            (Err(fault), _) => {
                let what = "`rules` is a list of files.".into();
                keep(Fault { what, ..fault }.hint("Write for example rules = [\"rules.yaml\"]."));
            }
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
