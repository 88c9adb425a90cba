//! The steps of a page: each stands there, so many of them fill themselves in at the stand-in, and what is answered to
//! the others is in the timeline of an incident.

use crate::row::Steps;
use crate::scene::Scene;
use crate::seen::{answers, fact_is_told, is_given};
use serde_json::json;
use std::sync::Arc;
use watchkeeper::base::{Now, Ulid, Wall};
use watchkeeper::clean;
use watchkeeper::incident::{Facts, card, open_items, timeline};
use watchkeeper::journal::{Line, Record};
use watchkeeper::procedure::document::{Answer, Ask, Condition, Subject};
use watchkeeper::procedure::walk::Standing;
use watchkeeper::procedure::{Document, Item, Live, Said, Walk};
use watchkeeper::roles::procedures::record;
use watchkeeper::rules::expr::Expr;

/// What of the steps is not so.
pub(crate) fn check(scene: &Scene, wanted: &Steps) -> Vec<String> {
    let Some(document) = scene.documents.iter().find(|document| *document.id == *wanted.of) else {
        return vec![format!("there is no page {}", wanted.of)];
    };
    let mut wrong = Vec::new();
    let mut steps = Vec::new();
    for name in &wanted.are {
        match document.items.iter().position(|item| item.title.as_str().contains(name.as_str())) {
            Some(at) => steps.push(at),
            None => wrong.push(format!("{} has no step `{name}`", wanted.of)),
        }
    }
    let tells = |at: &&usize| document.items.get(**at).is_some_and(|item| tells_itself(scene, item));
    let auto: Vec<&usize> = steps.iter().filter(tells).collect();
    if auto.len() != wanted.prefilled {
        wrong.push(format!("{} of the steps of {} tell themselves, not {}", auto.len(), wanted.of, wanted.prefilled));
    }
    for item in auto.iter().filter_map(|at| document.items.get(**at)) {
        let dark = wanted.dark.iter().any(|name| item.title.as_str().contains(name.as_str()));
        match (dark, unseen(scene, item)) {
            (false, Some(why)) => wrong.push(format!("`{}` is not filled in: {why}", item.title)),
            (true, None) => wrong.push(format!("`{}` is filled in: it need not be called dark", item.title)),
            _ => {}
        }
    }
    wrong.extend(unanswered(document, &steps));
    wrong
}

/// Something is seen of it, or an action that changes nothing finds it out.
fn tells_itself(scene: &Scene, item: &Item) -> bool {
    let looks = |name: &str| {
        let spec = scene.profile.actions.iter().find(|spec| *spec.name == *name);
        spec.is_some_and(|spec| spec.body.clone().take::<String>("danger").ok().flatten().as_deref() == Some("C1"))
    };
    match &item.live {
        Live::Check(_) | Live::When(_) | Live::Log(_) => true,
        Live::Action(name, _) => looks(name),
        _ => !item.show.is_empty() || !item.beside.facts.is_empty(),
    }
}

/// What of it the stand-in does not tell.
fn unseen(scene: &Scene, item: &Item) -> Option<String> {
    let silent = |expr: &Expr| {
        let own = expr.text().as_str();
        let recorded = |name: &str| scene.setup.book.rules().any(|(_, rule, _)| rule.name.as_str() == name);
        // A window is not seen in one look, nor what logs count: there its series must be one that comes.
        let comes = |name: &str| name.starts_with("log_") || recorded(name) || is_given(&scene.look, name);
        let known = || expr.selectors().iter().all(|selector| selector.metric_name().is_some_and(comes));
        (answers(&scene.look, own).is_empty() && !known()).then(|| format!("{own} gives nothing"))
    };
    match &item.live {
        Live::Check(Condition { of, .. }) | Live::When(Condition { of, .. }) => match of {
            Subject::Query(look) => silent(&look.expr),
            Subject::Fact(told) if !fact_is_told(&scene.look, &told.sampler, told.fact.as_str()) => {
                Some(format!("{} of {} is not told", told.fact, told.sampler))
            }
            Subject::Fact(_) | Subject::Answer(_) => None,
        },
        _ => item.show.first().and_then(|look| silent(&look.expr)),
    }
}

/// What is not in the records once the page was worked through: what was said at each of these steps in the timeline, and
/// of those that somebody can be asked to do, when each is put off with an owner, the step on the handover card.
fn unanswered(document: &Document, asked: &[usize]) -> Vec<String> {
    let lines = match worked(document, answer) {
        Ok(lines) => lines,
        Err(why) => return vec![why],
    };
    let rows = timeline::rows(&lines);
    let of = |at: &usize| document.items.get(*at);
    let told = |at: usize| {
        let Some(Said::Observed(said) | Said::Override(said)) = of(&at).map(|item| answer(at, item)) else {
            return false;
        };
        rows.iter().any(|row| row.text.as_str().ends_with(said.as_str()))
    };
    let silent = asked.iter().filter(|at| !told(**at)).filter_map(of);
    let silent = silent.map(|item| format!("an answer to `{}` is not in the timeline", item.title));
    let later = |at: usize, item: &Item| match &item.live {
        Live::Challenge(_) if asked.contains(&at) => Said::Defer(None, clean!("owner {at}")),
        _ => answer(at, item),
    };
    let lines = match worked(document, later) {
        Ok(lines) => lines,
        Err(why) => return vec![why],
    };
    let open = open_items(&lines);
    let handed_over = |at: &usize| {
        let owner = format!("owner {at}");
        let Some(open) = open.iter().find(|open| open.why.as_str() == owner) else { return false };
        let name = of(at).and_then(|item| item.id.get(..16).or(Some(&*item.id))).unwrap_or_default();
        card(&Facts { open: vec![open.clone()], ..Facts::default() })
            .iter()
            .any(|line| line.starts_with(&format!("OPEN     {name}")) && line.ends_with(&format!(" deferred: {owner}")))
    };
    let challenges = asked.iter().filter(|at| of(at).is_some_and(|item| matches!(item.live, Live::Challenge(_))));
    let lost = challenges.filter(|at| !handed_over(at)).filter_map(of);
    silent.chain(lost.map(|item| format!("`{}` is put off and not handed over", item.title))).collect()
}

fn answer(at: usize, item: &Item) -> Said {
    match &item.live {
        Live::Challenge(_) | Live::Ask(Ask { kind: Answer::Text, .. }) => Said::Observed(clean!("answer {at}")),
        Live::Ask(Ask { kind: Answer::Choice(choices), .. }) => {
            Said::Observed(choices.first().cloned().unwrap_or_default())
        }
        Live::Read => Said::Observed(clean!("")),
        _ => Said::Override(clean!("answer {at}")),
    }
}

/// The records of who works through a page and says this at each step.
fn worked(document: &Document, say: impl Fn(usize, &Item) -> Said) -> Result<Vec<Line>, String> {
    let who = clean!("oncall");
    let now = Now { wall: Wall(1_800_000_000_000_000_000), ..Now::default() };
    let (mut walk, mut taken) = Walk::begin(Ulid(1), Arc::new(document.clone()), &who, now);
    // What is put off comes back once at the end.
    for _ in 0..=2 * document.items.len() {
        let at = walk.current;
        let Some(item) = document.items.get(at).filter(|_| walk.standing == Standing::Running) else { break };
        match walk.say(say(at, item), &who, now).or_else(|_| walk.say(Said::Defer(None, clean!("later")), &who, now)) {
            Ok(steps) => taken.extend(steps),
            Err(why) => return Err(format!("`{}` cannot be worked through: {why}", item.title)),
        }
    }
    Ok(taken.iter().map(|step| line(&record(&walk, step))).collect())
}

/// The record as it stands in the journal.
fn line(record: &Record) -> Line {
    let value = json!({
        "v": 1, "seq": 1, "ts": "2027-01-15T08:00:00.000000Z", "boot": "b", "bt_ns": 1, "host": "machine",
        "sess": Ulid(1), "pid": 3, "who": { "login": "oncall" }, "ev": record.event.name(), "target": null, "args": [],
        "res": record.res,
    });
    serde_json::from_value(value).expect("a line")
}
