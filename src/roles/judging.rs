//! The book of a profile: the bands of its panes, its rule files, what explains what. A rule that cannot be read is a
//! fault and leaves the others.

use super::rule_check;
use super::setup::policy;
use crate::base::{Clean, Fault};
use crate::config::{InhibitSpec, Profile};
use crate::rules::{Book, BookOptions, Inhibit, Matchers, RuleFile};

/// The book of this profile, with the faults of what could not be read.
pub fn book(profile: &Profile, bands: RuleFile) -> (Book, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut files = vec![bands];
    for spec in &profile.judging.files {
        if spec.text.is_none() && spec.named.is_none() && !spec.path.exists() {
            continue;
        }
        let text = spec.text.map_or_else(|| rule_check::text(&spec.path), |text| Ok(text.to_owned()));
        let read =
            text.map(|text| RuleFile::parse(&spec.path.to_string_lossy(), &profile.judging.settings.fill_known(&text)));
        match (read, &spec.named) {
            (Ok(file), _) => {
                faults.extend(file.broken.iter().map(|(_, fault)| fault.clone()));
                faults.extend(file.unknown.iter().cloned());
                files.push(file);
            }
            (Err(fault), Some(place)) => {
                let what = format!("the rule file {}: {}", spec.path.display(), fault.what);
                faults.push(Fault { what: Clean::text(what), hint: fault.hint, ..place.clone() });
            }
            (Err(fault), None) => faults.push(fault),
        }
    }
    let mut inhibitions = Vec::new();
    for spec in &profile.judging.inhibit {
        match inhibit(spec) {
            Ok(row) => inhibitions.push(row),
            Err(fault) => faults.push(fault),
        }
    }
    let interval = rule_check::interval(profile);
    let options = BookOptions { interval, inhibit: inhibitions, policy: policy(profile), ..BookOptions::default() };
    (Book::new(files, options), faults)
}

fn inhibit(spec: &InhibitSpec) -> Result<Inhibit, Fault> {
    let matchers = |key: &str, texts: &[String]| {
        Matchers::parse(&texts.join(", ")).map_err(|fault| {
            let placed = spec.body.fault_at(key, fault.what.as_str());
            Fault { hint: fault.hint, ..placed }
        })
    };
    Ok(Inhibit {
        source: matchers("source_matchers", &spec.source_matchers)?,
        target: matchers("target_matchers", &spec.target_matchers)?,
        equal: spec.equal.iter().map(Clean::text).collect(),
    })
}
