//! The procedures of a profile, read, and what is wrong with them here: names that nobody has, and lints.

use crate::base::{Fault, Support};
use crate::config::{Part, ProcedureSpec, Profile, SamplerSpec, Trust};
use crate::procedure::lint::{ActionFacts, hazards, lint};
use crate::procedure::{Document, Known, check, foreign_code, parse};
use crate::rules::Book;
use crate::rules::lint::Found;
use crate::store::Store;

/// Every document of a profile, in the order of their names.
pub fn documents(profile: &Profile) -> Vec<Document> {
    profile.procedures.specs.iter().map(|spec| warned(document(spec), profile)).collect()
}

/// One document, read. What is wrong with a value that names what nobody has set is that it is not set.
pub fn document(spec: &ProcedureSpec) -> Document {
    let mut document = parse(&spec.id, spec.file.as_str(), &spec.text);
    for unset in unset(spec) {
        let same = |fault: &Fault| line(fault) == line(&unset);
        let before = document.faults.len();
        document.faults.retain(|fault| !same(fault));
        if document.faults.len() < before {
            document.faults.push(unset);
        }
    }
    document
}

/// Where a document names what nobody has set, apart from what its faults say of it. Code of another language has names
/// of its own.
pub fn unset_beside(spec: &ProcedureSpec, document: &Document) -> Vec<Fault> {
    unset(spec).into_iter().filter(|fault| !document.faults.contains(fault)).collect()
}

fn unset(spec: &ProcedureSpec) -> Vec<Fault> {
    if spec.unset.is_empty() {
        return Vec::new();
    }
    let code = foreign_code(&spec.text);
    let foreign =
        |fault: &&Fault| code.iter().any(|(first, last)| line(fault).is_some_and(|at| (*first..=*last).contains(&at)));
    spec.unset.iter().filter(|fault| !foreign(fault)).cloned().collect()
}

fn line(fault: &Fault) -> Option<u32> {
    fault.at.as_ref().map(|at| at.line)
}

/// A document answers each alert whose rule names it, too: so the rules of another file need no word in the document.
pub fn answers(document: &mut Document, book: &Book) {
    for (_, rule, _) in book.rules().filter(|(_, rule, _)| rule.page().is_some_and(|page| **page == *document.id)) {
        if !document.alerts.contains(&rule.name) {
            document.alerts.push(rule.name.clone());
        }
    }
}

/// The same, with what is dangerous about an item told below it.
fn warned(mut document: Document, profile: &Profile) -> Document {
    for found in hazards(&document, &|name| facts(profile, name)) {
        let line = found.fault.at.as_ref().map(|at| at.line);
        for item in document.items.iter_mut().filter(|item| Some(item.line) == line && item.title == found.about) {
            item.beside.hazards.push(found.fault.what.clone());
        }
    }
    document
}

/// What the profile says of one of its actions.
pub fn facts(profile: &Profile, name: &str) -> Option<ActionFacts> {
    let spec = profile.actions.iter().find(|action| *action.name == *name)?;
    let danger = spec.body.clone().take::<String>("danger").ok().flatten().unwrap_or_default();
    Some(ActionFacts::of(&spec.kind, &danger, &spec.body.keys()))
}

/// Every lint of a document, by what the profile says of its actions.
pub fn lints(document: &Document, profile: &Profile) -> Vec<Found> {
    lint(document, &|name| facts(profile, name))
}

/// Names in a document that nobody on this system has.
pub fn dangling(document: &Document, profile: &Profile, book: &Book, store: &Store) -> Vec<Fault> {
    let actions = profile.names(Part::Action);
    let alerts: Vec<&str> =
        book.rules().filter(|(_, rule, _)| !rule.kind.records()).map(|(_, rule, _)| rule.name.as_str()).collect();
    let contacts: Vec<&str> = profile.people.contacts.iter().map(|contact| contact.name.as_str()).collect();
    let levels: Vec<String> = Support::ALL.iter().map(ToString::to_string).collect();
    let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
    let whole = is_whole(profile, store);
    let recorded = |metric: &str| book.rules().any(|(_, rule, _)| rule.kind.records() && rule.name.as_str() == metric);
    let metric = |metric: &str| {
        let makers = store.makers(metric);
        let own = matches!(metric, "ALERTS" | "ALERTS_FOR_STATE" | "up") || recorded(metric);
        if own || !whole || !makers.known.is_empty() || !makers.possible.is_empty() {
            return Ok(());
        }
        Err(store.similar(metric).map(str::to_owned))
    };
    let samplers: Vec<&str> = profile.names(Part::Sampler).into_iter().chain([crate::roles::logs::SAMPLER]).collect();
    let logs = profile.names(Part::Log);
    let known = Known {
        logs: &logs,
        actions: &actions,
        alerts: &alerts,
        contacts: &contacts,
        levels: &levels,
        samplers: Some(&samplers),
        metric: Some(&metric),
    };
    check(document, &known)
}

/// Whether every sampler is there: what one that is at fault would give is not known.
fn is_whole(profile: &Profile, store: &Store) -> bool {
    let declared = |name: &str| store.samplers().any(|(known, _)| **known == *name);
    let wanted = |spec: &&SamplerSpec| spec.needs.as_ref().is_none_or(|path| path.exists());
    let read = profile.names(Part::Sampler).len() == profile.samplers.len();
    read && profile.samplers.iter().filter(wanted).all(|spec| declared(&spec.name))
}

/// A line for everything that is wrong with a profile's procedures: faults, names that nobody has, lints, and files that
/// may not lead to actions.
pub(super) fn wrong(profile: &Profile, book: &Book, store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    for (spec, document) in profile.procedures.specs.iter().zip(documents(profile)) {
        lines.extend(document.faults.iter().chain(&unset_beside(spec, &document)).map(Fault::to_string));
        lines.extend(dangling(&document, profile, book, store).iter().map(Fault::to_string));
        lines.extend(lints(&document, profile).iter().map(Found::to_string));
        if let Trust::DisplayOnly(fault) = &spec.trust {
            lines.push(format!("{fault} Until then this procedure is shown, and its actions cannot run."));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::base::Fault;
    use crate::config::{ProfileRef, SearchPath, load_profile};
    use crate::roles::setup::{known_kinds, setup};
    use crate::store::{Limits, Store};

    #[test]
    fn what_a_procedure_names_and_nobody_has_set_is_told_once_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("procedures")).unwrap();
        put("profile.toml", "[settings]\nunit = \"a\"\n[samplers.h]\nkind = \"host\"\nevery = 5\n");
        put(
            "procedures/p.md",
            "# P\n\n## Look at ${unit} and ${unti}\n\n```check\nquery = 'up > ${limit}'\nexpect = \"== 1\"\n```\n\n\
             ## B\n\n```check\nquery = 'node_lod1'\nexpect = \"== 1\"\n```\n\n```bash\nfor i in ${list}; do $${unit}; done\n```\n",
        );
        let which = ProfileRef::Path(folder.path().to_owned());
        let profile = load_profile(&which, &SearchPath::default(), &known_kinds()).unwrap();
        let built = setup(&profile, "h".into(), &mut Store::new(Limits::default()));
        let page = |fault: &&Fault| fault.at.as_ref().is_some_and(|at| at.file.as_str().ends_with("p.md"));
        let named = |fault: &Fault| fault.to_string().replace(&format!("{}/", folder.path().display()), "");
        let faults: Vec<String> = built.faults.iter().filter(page).map(named).collect();
        assert_eq!(
            faults,
            [
                "procedures/p.md:3:24: `${unti}` is not set here. Did you mean `unit`?",
                "procedures/p.md:6:15: `${limit}` is not set here. Known here: unit.",
            ],
            "what the sampler that is at fault would give is not known"
        );
    }
}
