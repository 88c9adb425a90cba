//! What a profile says: its parts are there, its levels, words, cards and clocks are those of the guide.

use crate::parts::Part;
use crate::row::{Card, Every, Find, Levels, Line, Pane, Plan, Row, Timers, each};
use crate::scene::Scene;
use watchkeeper::app::found::fit;
use watchkeeper::base::Severity;
use watchkeeper::config::Lasting;
use watchkeeper::procedure::Document;
use watchkeeper::roles::setup::policy;
use watchkeeper::rules::Bands;

/// What of a row is not so.
pub(crate) fn check(scene: &Scene, id: &str, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut keep = |told: Option<String>| wrong.extend(told);
    match scene.parts.get(id) {
        None => keep(Some("no part of the profile bears its id: nothing makes it true".to_owned())),
        Some(parts) => parts.iter().for_each(|part| keep(there(scene, part))),
    }
    row.view.iter().for_each(|view| keep(stands_first(scene, view)));
    row.find.iter().for_each(|find| keep(found(scene, find)));
    row.panes.iter().for_each(|pane| keep(declared(scene, pane)));
    each(row.levels.as_ref()).for_each(|levels| keep(level(scene, levels)));
    each(row.levels.as_ref()).for_each(|levels| keep(beyond(scene, levels)));
    for name in row.rules.iter().filter(|name| !scene.passed.contains(name)) {
        keep(Some(format!("no test of its rules passes that is called `{name}`")));
    }
    row.lines.iter().for_each(|line| keep(recognised(scene, line)));
    each(row.plan.as_ref()).for_each(|plan| keep(planned(scene, plan)));
    row.every.iter().for_each(|every| keep(looks(scene, every)));
    row.timers.iter().for_each(|timers| keep(clocks(scene, timers)));
    each(row.contact.as_ref()).for_each(|wanted| keep(card(scene, wanted)));
    each(row.test.as_ref()).for_each(|test| keep(tested(test)));
    let shown = !row.find.is_empty()
        || !row.panes.is_empty()
        || row.view.is_some()
        || row.levels.is_some()
        || !row.rules.is_empty()
        || !row.lines.is_empty()
        || row.plan.is_some()
        || !row.reads.is_empty()
        || !row.facts.is_empty()
        || row.contact.is_some()
        || row.timers.is_some()
        || row.steps.is_some()
        || !row.figures.is_empty()
        || row.every.is_some()
        || row.test.is_some();
    if !shown {
        keep(Some("no observation shows it".to_owned()));
    }
    wrong
}

/// With what stands for a setting in it filled in.
fn filled(scene: &Scene, text: &str) -> String {
    let settings = scene.table.get("settings").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let fill = |text: String, (key, value): (&String, &toml::Value)| match value.as_str() {
        Some(value) => text.replace(&format!("${{{key}}}"), value),
        None => text,
    };
    settings.iter().fold(text.to_owned(), fill)
}

/// The part that bears an id is one of the profile as the console builds it.
fn there(scene: &Scene, part: &Part) -> Option<String> {
    let (profile, setup) = (&scene.profile, &scene.setup);
    let name = filled(scene, &part.name);
    let name = name.as_str();
    let is = match part.kind.as_str() {
        "sampler" => profile.samplers.iter().any(|spec| *spec.name == *name),
        "log" => profile.logs.iter().any(|spec| *spec.name == *name),
        "pane" => setup.board.panes.iter().any(|pane| pane.title.as_str() == name),
        "view" => setup.board.views.iter().any(|view| view.title.as_str() == name),
        // Rules that a site turns on.
        "rule" if part.place.0 == "rules-project.yaml" => true,
        "rule" => setup.book.rules().any(|(_, rule, _)| rule.name.as_str() == name),
        "pattern" if name.starts_with("pack:") => {
            let pack = watchkeeper::logs::packs::pack(name.trim_start_matches("pack:")).unwrap_or_default();
            !pack.is_empty() && pack.iter().all(|of| setup.patterns.all().iter().any(|known| known.name == of.name))
        }
        "pattern" => setup.patterns.all().iter().any(|pattern| pattern.name.as_str() == name),
        "action" => profile.actions.iter().any(|spec| *spec.name == *name),
        "procedure" => scene.documents.iter().any(|document| &*document.id == name),
        "contact" => profile.people.contacts.iter().any(|contact| contact.name.as_str() == name),
        "escalation" => profile.people.rows.iter().any(|(severity, ..)| severity.name() == name),
        "setting" => scene.table.get("settings").and_then(|rows| rows.get(name)).is_some(),
        _ => false,
    };
    let (file, line) = &part.place;
    (!is).then(|| format!("the profile has no {} `{name}`, which bears it at {file}:{line}", part.kind))
}

/// The pane stands in its view, is declared so, and is drawn of that.
pub(crate) fn declared(scene: &Scene, wanted: &Pane) -> Option<String> {
    let text = |table: &toml::Value, key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let panes = scene.table.get("panes").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(pane) = panes.iter().find(|pane| text(pane, "title").as_ref() == Some(&wanted.title)) else {
        return Some(format!("there is no pane `{}`", wanted.title));
    };
    let (kind, of) = (text(pane, "kind"), text(pane, "of"));
    if kind.as_ref() != Some(&wanted.kind) || wanted.of.is_some() && of != wanted.of {
        return Some(format!("the pane `{}` is {kind:?} of {of:?}", wanted.title));
    }
    let stands = |view: &String| {
        let view = scene.setup.board.views.iter().find(|known| known.title.as_str() == view);
        view.is_some_and(|view| view.panes.iter().any(|known| known.as_str() == wanted.title))
    };
    let lost = wanted.view.as_ref().filter(|view| !stands(view));
    lost.map(|view| format!("the pane `{}` does not stand in the view `{view}`", wanted.title))
}

/// The view is the first of the profile, and the pane stands in it.
fn stands_first(scene: &Scene, (title, pane): &(String, String)) -> Option<String> {
    let view = scene.setup.board.views.first().filter(|view| view.title.as_str() == title);
    let stands = view.is_some_and(|view| view.panes.iter().any(|known| known.as_str() == pane));
    (!stands).then(|| format!("the first view is not `{title}` with the pane `{pane}`"))
}

fn document<'a>(scene: &'a Scene, id: &str) -> Option<&'a Document> {
    scene.documents.iter().find(|document| &*document.id == id)
}

/// The search for a symptom puts the document first, and its text says what to do.
fn found(scene: &Scene, find: &Find) -> Option<String> {
    let wanted = find.typed.trim().to_lowercase();
    let best = scene.documents.iter().filter_map(|document| Some((fit(document, &wanted)?.0, document)));
    let best: Vec<(u32, &Document)> = best.collect();
    let most = best.iter().map(|(weight, _)| *weight).max();
    let first: Vec<&str> =
        best.iter().filter(|(weight, _)| Some(*weight) == most).map(|(_, document)| &*document.id).collect();
    if !first.contains(&find.opens.as_str()) {
        return Some(format!("`{}` finds {first:?}, not {}", find.typed, find.opens));
    }
    let text = scene.profile.procedures.specs.iter().find(|spec| *spec.id == *find.opens).map(|spec| &spec.text);
    let says = find.says.as_ref().filter(|says| !text.is_some_and(|text| text.contains(says.as_str())));
    says.map(|says| format!("{} does not say `{says}`", find.opens))
}

fn bands(scene: &Scene, levels: &Levels) -> Option<Bands> {
    let pane = scene.setup.board.panes.iter().find(|pane| pane.title.as_str() == levels.pane)?;
    match &levels.beside {
        None => pane.headline.as_ref().or(pane.beside.first())?.bands,
        Some(label) => {
            let beside = pane.metrics().find(|metric| metric.label.as_str() == label).map(|metric| metric.bands);
            let columns = pane.table.as_ref().map_or(&[][..], |table| &table.columns);
            let of_column = columns.iter().find(|column| column.title.as_str() == label).map(|column| column.bands);
            beside.or(of_column)?
        }
    }
}

/// Each value has its level, edges included.
fn level(scene: &Scene, levels: &Levels) -> Option<String> {
    let Some(bands) = bands(scene, levels) else {
        return Some(format!("the pane `{}` has no such bands", levels.pane));
    };
    let wrong: Vec<String> = levels
        .at
        .iter()
        .map(|(value, wanted)| (value, wanted, bands.level(*value).to_string()))
        .filter(|(_, wanted, is)| *is != **wanted)
        .map(|(value, wanted, is)| format!("{value} is {is}, not {wanted}"))
        .collect();
    (!wrong.is_empty()).then(|| format!("{}: {}", levels.pane, wrong.join(", ")))
}

/// What a pane tells beside its levels: which limit it foretells, and what it says of a value that its source never had.
fn beyond(scene: &Scene, levels: &Levels) -> Option<String> {
    let pane = scene.setup.board.panes.iter().find(|pane| pane.title.as_str() == levels.pane)?;
    let foretold = pane.headline.as_ref().and_then(|metric| metric.forecast);
    if levels.forecast.is_some() && foretold != levels.forecast {
        return Some(format!("{} foretells {foretold:?}, not {:?}", levels.pane, levels.forecast));
    }
    let absent = pane.absent.as_ref().map(watchkeeper::base::Clean::as_str);
    let differs = levels.absent.is_some() && absent != levels.absent.as_deref();
    differs.then(|| format!("{} says {absent:?} of what never came", levels.pane))
}

/// Whether what a pattern leads to is a document, or a symptom of one.
fn leads_to(scene: &Scene, entry: &str, wanted: Option<&str>) -> bool {
    let is = |it: &&Document| wanted.is_none_or(|wanted| *it.id == *wanted);
    let by_symptom = |it: &&Document| fit(it, &entry.to_lowercase()).is_some_and(|(weight, _)| weight >= 4);
    match document(scene, entry) {
        Some(document) => is(&document),
        None => scene.documents.iter().filter(by_symptom).any(|it| is(&it)),
    }
}

/// Patterns that lead nowhere: Enter on their lines opens nothing.
pub(crate) fn dead_ends(scene: &Scene) -> Vec<String> {
    let all = scene.setup.patterns.all().iter();
    let dead = all.filter(|pattern| pattern.entry.as_ref().is_some_and(|entry| !leads_to(scene, entry.as_str(), None)));
    dead.map(|pattern| format!("the pattern `{}` opens {:?}, which is no page", pattern.name, pattern.entry)).collect()
}

/// A line is named by the pattern, counted, and opens its entry.
fn recognised(scene: &Scene, line: &Line) -> Option<String> {
    let patterns = &scene.setup.patterns;
    let Some(at) = patterns.all().iter().position(|pattern| pattern.name.as_str() == line.pattern) else {
        return Some(format!("there is no pattern `{}`", line.pattern));
    };
    let pattern = patterns.all().get(at)?;
    let source = line.source.as_deref().or(pattern.sources.first().map(|source| &**source)).unwrap_or("any");
    let matches = patterns.matches(source, &line.text).contains(&at);
    if matches == line.not {
        let does = if matches { "matches" } else { "does not match" };
        return Some(format!("`{}` {does} `{}`", line.pattern, line.text));
    }
    if let Some(opens) = &line.opens {
        let entry = pattern.entry.as_ref().map(watchkeeper::base::Clean::as_str).unwrap_or_default();
        if !leads_to(scene, entry, Some(opens)) {
            return Some(format!("`{}` opens `{entry}`, not {opens}", line.pattern));
        }
    }
    line.gives.as_ref().and_then(|(series, value)| gives(scene, source, &line.text, (series, *value)))
}

/// The series that a line becomes.
fn gives(scene: &Scene, source: &str, text: &str, (series, value): (&str, f64)) -> Option<String> {
    use watchkeeper::base::{Clean, LogLine};
    use watchkeeper::logs::Tally;
    let source: std::sync::Arc<str> = source.into();
    let tally = Tally::new((*scene.setup.patterns).clone(), [&source]);
    let line = LogLine { time: None, level: None, message: Clean::text(text), marker: false };
    tally.count(&source, [&line].into_iter(), 0);
    let seen = tally.observe().points.into_iter().filter(|point| point.key.name.as_str() == series);
    let seen: Vec<f64> = seen.map(|point| point.value).collect();
    let is = seen.iter().any(|seen| (seen - value).abs() <= value.abs() * 1e-9);
    (!is).then(|| format!("`{text}` gives {series} {seen:?}, not {value}"))
}

/// The action is declared so.
fn planned(scene: &Scene, plan: &Plan) -> Option<String> {
    let Some(spec) = scene.profile.actions.iter().find(|spec| *spec.name == *plan.action) else {
        return Some(format!("there is no action `{}`", plan.action));
    };
    let declared = |key: &str| spec.body.clone().take::<String>(key).ok().flatten();
    for (key, wanted) in [("danger", &plan.danger), ("support", &plan.support)] {
        if let Some(wanted) = wanted
            && declared(key).as_ref() != Some(wanted)
        {
            return Some(format!("{key} of {} is {:?}, not {wanted}", plan.action, declared(key)));
        }
    }
    let table = scene.table.get("actions").and_then(|actions| actions.get(&plan.action));
    let text = table.map(ToString::to_string).unwrap_or_default();
    let lacks: Vec<&String> = plan.says.iter().filter(|says| !text.contains(says.as_str())).collect();
    (!lacks.is_empty()).then(|| format!("the action {} does not say {lacks:?}", plan.action))
}

/// The sampler looks so often; that it then does is a test of the engine's.
fn looks(scene: &Scene, wanted: &Every) -> Option<String> {
    let spec = scene.profile.samplers.iter().find(|spec| *spec.name == *wanted.sampler);
    let every = spec.and_then(|spec| spec.every);
    let same = every.is_some() && every == Lasting::parse(&wanted.is).map(|every| every.0);
    (!same).then(|| format!("{} looks every {every:?}, not {}", wanted.sampler, wanted.is))
}

fn clocks(scene: &Scene, timers: &Timers) -> Option<String> {
    let severity = Severity::ALL.into_iter().find(|severity| severity.name() == timers.severity)?;
    let terms = policy(&scene.profile).terms(severity);
    let wanted = (Lasting::parse(&timers.respond)?.0, Lasting::parse(&timers.escalate)?.0);
    let is = (terms.respond, terms.escalate);
    let same = is.0 == wanted.0 && is.1 == wanted.1;
    (!same).then(|| format!("{} is answered and handed on within {is:?}", timers.severity))
}

/// The card is there, and who copies it has the number or the address.
fn card(scene: &Scene, wanted: &Card) -> Option<String> {
    let Some(card) = scene.profile.people.contacts.iter().find(|contact| contact.name.as_str() == wanted.name) else {
        return Some(format!("there is no card of {}", wanted.name));
    };
    let copied: Vec<String> = card.card().iter().map(ToString::to_string).collect();
    let ways = [("phone", &wanted.phone), ("web", &wanted.web)];
    let ways: Vec<String> = ways.into_iter().filter_map(|(way, at)| Some(format!("{way} {}", at.as_ref()?))).collect();
    let whole = !ways.is_empty() && ways.iter().all(|way| copied.contains(way));
    (!whole).then(|| format!("the card of {} gives {copied:?}, not {ways:?}", wanted.name))
}

/// The test is there: its module is a path below `tests` or `src`.
fn tested(test: &str) -> Option<String> {
    let (module, function) = test.rsplit_once("::").unwrap_or(("", test));
    let path = module.trim_end_matches("::tests").replace("::", "/");
    let places = if let Some(inner) = path.strip_prefix("src/") {
        vec![
            format!("src/{inner}.rs"),
            format!("src/{inner}/mod.rs"),
            format!("src/{inner}/tests.rs"),
            format!("src/{inner}/tests/mod.rs"),
        ]
    } else {
        vec![format!("tests/{path}.rs"), format!("tests/{path}/main.rs")]
    };
    let texts = places.iter().filter_map(|place| std::fs::read_to_string(place).ok());
    let is = texts.into_iter().any(|text| is_a_test(&text, function));
    (!is).then(|| format!("there is no test `{test}`"))
}

/// Right above its name a function has the attribute of a test, and none that has it ignored.
fn is_a_test(text: &str, function: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {function}(")) else { return false };
    let above = before.trim_end().lines().rev().map(str::trim);
    let own = above.take_while(|line| line.starts_with("//") || !line.is_empty() && !line.ends_with(['{', '}', ';']));
    let attributes: Vec<&str> = own.filter(|line| line.starts_with("#[")).collect();
    attributes.iter().any(|line| line.contains("test]") || line.contains("test("))
        && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn a_function_is_a_test_only_if_it_is_run_as_one() {
    let text = "#[test]\nfn runs() {}\n\nfn helps() {}\n\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn waits() {}\n\n\
        #[test]\n#[ignore = \"a role\"]\nfn plays() {}\n    #[ignore]\n    #[test]\n    // Not now;\n    fn sleeps() {}\n";
    let is = ["runs", "helps", "waits", "plays", "sleeps", "lacks"].map(|function| is_a_test(text, function));
    assert_eq!(is, [true, false, true, false, false, false]);
}
