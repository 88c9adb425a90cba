//! Names in a profile that lead nowhere: each is a fault where it stands, with the nearest name that leads somewhere.

use crate::app::found::fit;
use crate::base::body::nearest;
use crate::base::{Body, Clean, Fault};
use crate::config::{InhibitSpec, Part, Profile};
use crate::procedure::Document;
use crate::rules::{Book, Matchers, Rule};
use crate::ui::panes::{self, Kind as _};
use std::sync::Arc;

/// Names that nothing in the profile bears: a pane's action and log source, an action's samplers.
pub(super) fn dangling(profile: &Profile) -> Vec<Fault> {
    let [actions, logs, samplers] = [Part::Action, Part::Log, Part::Sampler].map(|part| profile.names(part));
    let one = |body: &Body, key| body.clone().take::<String>(key).ok().flatten().into_iter().collect::<Vec<_>>();
    let mut faults = Vec::new();
    for spec in &profile.screen.panes {
        faults.extend(unknown(&spec.body, ("action", "action"), &one(&spec.body, "action"), &actions));
        if spec.kind == panes::facts::Facts.name() {
            faults.extend(unknown(&spec.body, ("sampler", "sampler"), &one(&spec.body, "sampler"), &samplers));
        }
        if spec.kind == panes::log::Log.name() {
            faults.extend(unknown(&spec.body, ("source", "log"), &one(&spec.body, "source"), &logs));
            let several = spec.body.clone().take::<Vec<String>>("sources").ok().flatten().unwrap_or_default();
            faults.extend(unknown(&spec.body, ("sources", "log"), &several, &logs));
        }
    }
    for spec in &profile.actions {
        let key = "verify_samplers";
        // A list of another type is the action kind's fault to tell.
        let names = spec.body.clone().take::<Vec<String>>(key).ok().flatten().unwrap_or_default();
        faults.extend(unknown(&spec.body, (key, "sampler"), &names, &samplers));
    }
    faults
}

/// A fault for each name that is not among those that are known.
pub(super) fn unknown(body: &Body, (key, noun): (&str, &str), names: &[String], known: &[&str]) -> Vec<Fault> {
    let strange = names.iter().filter(|name| !known.contains(&name.as_str()));
    let fault = |name: &String| {
        let fault = body.fault_at(key, format!("no {noun} of this profile is called `{name}`."));
        if known.is_empty() { fault } else { fault.hint(nearest(name, known.iter().copied())) }
    };
    strange.map(fault).collect()
}

/// What the rules, the patterns and the rows of `[[inhibit]]` name: actions, procedures and alerts.
pub(super) fn led_nowhere(profile: &Profile, book: &Book, documents: &[Arc<Document>]) -> Vec<Fault> {
    let alerts: Vec<&Rule> = book.rules().map(|(_, rule, _)| rule).filter(|rule| !rule.kind.records()).collect();
    let names: Vec<&str> = alerts.iter().map(|rule| rule.name.as_str()).collect();
    let actions = profile.names(Part::Action);
    let mut faults: Vec<Fault> = alerts.iter().filter_map(|rule| no_remedy(rule, &actions)).collect();
    faults.extend(alerts.iter().filter_map(|rule| no_page(rule, documents)));
    for spec in &profile.judging.inhibit {
        faults.extend(no_alert(spec, "source_matchers", &spec.source_matchers, &names));
        faults.extend(no_alert(spec, "target_matchers", &spec.target_matchers, &names));
    }
    faults.extend(profile.judging.patterns.iter().filter_map(|row| no_entry(row, documents)));
    faults
}

/// The rule of a file whose remedy is no action. What a pane names is told at the pane.
fn no_remedy(rule: &Rule, actions: &[&str]) -> Option<Fault> {
    let remedy = rule.remedy().filter(|name| !actions.contains(&&***name))?;
    let place = rule.place.clone()?;
    let what = format!("`{}`: no action of this profile is called `{remedy}`, its remedy.", rule.name);
    let fault = Fault { at: Some(place), ..Fault::new(what) };
    Some(if actions.is_empty() { fault } else { fault.hint(nearest(remedy, actions.iter().copied())) })
}

/// The rule of a file that names a procedure which is not there. A foreign file may have a sentence or an address there.
fn no_page(rule: &Rule, documents: &[Arc<Document>]) -> Option<Fault> {
    let named = |page: &&Arc<str>| page.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let page = rule.page().filter(named)?;
    if documents.iter().any(|document| document.id == *page) {
        return None;
    }
    let what = format!("`{}`: no procedure of this profile is called `{page}`.", rule.name);
    let fault = Fault { at: Some(rule.place.clone()?), ..Fault::new(what) };
    let ids = documents.iter().map(|document| &*document.id);
    Some(if documents.is_empty() { fault.hint("It has none.") } else { fault.hint(nearest(page, ids)) })
}

/// Matchers that no alert of the profile can meet, by its name alone.
fn no_alert(spec: &InhibitSpec, key: &str, texts: &[String], names: &[&str]) -> Option<Fault> {
    // What cannot be read has a fault of its own.
    let matchers = Matchers::parse(&texts.join(", ")).ok()?;
    if names.iter().any(|name| matchers.may_mean(name)) {
        return None;
    }
    let what = format!("no alert of this profile is meant by `{}`.", matchers.text());
    let fault = spec.body.fault_at(key, what);
    let near = matchers.name().filter(|_| !names.is_empty()).map(|name| nearest(name, names.iter().copied()));
    Some(if let Some(near) = near { fault.hint(near) } else { fault })
}

/// An entry that is no procedure, and that no procedure tells of.
fn no_entry(row: &Body, documents: &[Arc<Document>]) -> Option<Fault> {
    let entry = row.clone().take::<Clean>("entry").ok().flatten()?;
    let wanted = entry.as_str().trim().to_lowercase();
    let told = |document: &Arc<Document>| *document.id == *entry.as_str() || fit(document, &wanted).is_some();
    if documents.iter().any(told) {
        return None;
    }
    let fault = row.fault_at("entry", format!("no procedure of this profile is called `{entry}` or tells of it."));
    let ids: Vec<&str> = documents.iter().map(|document| &*document.id).collect();
    Some(if ids.is_empty() { fault.hint("It has none.") } else { fault.hint(nearest(entry.as_str(), ids.into_iter())) })
}

#[cfg(test)]
mod tests {
    use crate::roles::setup::{known_kinds, setup};
    use crate::store::{Limits, Store};

    #[test]
    fn a_remedy_an_entry_and_matchers_that_lead_nowhere_are_faults_where_they_stand() {
        let dir = tempfile::tempdir().unwrap();
        let rules = dir.path().join("rules.yaml");
        let rule = |name: &str, remedy: &str| {
            format!(
                "      - alert: {name}\n        expr: up\n        annotations: {{remedy: {remedy}, procedure: nopage}}\n"
            )
        };
        let groups = format!("groups:\n  - name: g\n    rules:\n{}{}", rule("A", "restart"), rule("B", "restrat"));
        std::fs::write(&rules, groups).unwrap();
        let text = format!(
            "rules = [{:?}]\n[actions.restart]\nkind = \"command\"\nverb = \"restart\"\ndanger = \"C2\"\nargv = [\"/bin/true\"]\n\
             [logs.app]\nkind = \"kernel\"\n[[patterns]]\nname = \"x\"\ntext = \"x\"\nentry = \"nopage\"\n\
             [[inhibit]]\nsource_matchers = ['alertname=\"A\"']\ntarget_matchers = ['alertname=~\"C.*\"']\n\
             [[inhibit]]\nsource_matchers = ['alertname=\"AA\"']\ntarget_matchers = ['severity=\"minor\"']\n",
            rules.display()
        );
        std::fs::write(dir.path().join("profile.toml"), text).unwrap();
        let path = crate::config::ProfileRef::Path(dir.path().join("profile.toml"));
        let profile =
            crate::config::load_profile(&path, &crate::config::SearchPath::default(), &known_kinds()).unwrap();
        let faults = setup(&profile, "h".into(), &mut Store::new(Limits::default())).faults;
        let folder = format!("{}/", dir.path().display());
        let faults: Vec<String> = faults.iter().map(|fault| fault.to_string().replace(&folder, "")).collect();
        assert_eq!(
            faults,
            [
                "rules.yaml:7:16: `B`: no action of this profile is called `restrat`, its remedy. Did you mean `restart`?",
                "rules.yaml:4:16: `A`: no procedure of this profile is called `nopage`. It has none.",
                "rules.yaml:7:16: `B`: no procedure of this profile is called `nopage`. It has none.",
                "profile.toml:15:19: no alert of this profile is meant by `alertname=~\"C.*\"`.",
                "profile.toml:17:19: no alert of this profile is meant by `alertname=\"AA\"`. Did you mean `A`?",
                "profile.toml:12:9: no procedure of this profile is called `nopage` or tells of it. It has none.",
            ]
        );
    }
}
