//! The procedures that come with the console: without a fault, clean by what their profile says of its actions, each
//! with words that find it.

use std::path::Path;
use watchkeeper::config::{ProfileRef, SearchPath, load_profile};
use watchkeeper::procedure::{Document, Live};
use watchkeeper::roles::handbook;
use watchkeeper::roles::setup::known_kinds;

/// Procedures whose order is not that of the guide that they come from.
const ORDERED: [&str; 4] = ["critical-failure", "data-corruption", "gpu-memory", "lmdb-full"];

fn acts(document: &Document) -> bool {
    document.items.iter().any(|item| matches!(item.live, Live::Action(..)))
}

#[test]
fn every_shipped_procedure_is_without_a_fault_clean_and_says_why_its_order_differs() {
    let (mut ordered, mut wrong) = (Vec::new(), Vec::new());
    for system in ["demo", "cerebellar-norse", "genesis", "planar"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles").join(system);
        let profile = load_profile(&ProfileRef::Path(folder), &SearchPath::default(), &known_kinds()).expect("loads");
        let documents = handbook::documents(&profile);
        assert!(documents.len() >= 2, "{system}");
        for document in documents {
            let mut told = |what: String| wrong.push(format!("{}: {what}", document.file));
            let lints = handbook::lints(&document, &profile);
            let said = document.faults.iter().map(ToString::to_string).chain(lints.iter().map(ToString::to_string));
            for what in said {
                told(what);
            }
            if document.symptoms.len() < 2 {
                told("has hardly a word that finds it".to_owned());
            }
            if acts(&document) && document.time_box.is_none() {
                told("acts and has no time box".to_owned());
            }
            for item in &document.items {
                if let Live::Action(name, _) = &item.live
                    && !profile.actions.iter().any(|action| action.name == *name)
                {
                    told(format!("names the action {name}, which the profile has not"));
                }
            }
            if document.order.is_some() {
                ordered.push(document.id.to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for id in ORDERED {
        assert!(ordered.iter().any(|known| known == id), "{id} does not say why its order differs");
    }
}
