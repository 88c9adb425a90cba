//! What a handover card tells, as this console knows it now.

use super::alerts::{self, Standing as Alerting};
use super::answer;
use super::contacts;
use super::incident::WATCH;
use super::model::Model;
use crate::action::lifecycle::State;
use crate::base::time::Age;
use crate::base::{Clean, Now, Wall};
use crate::clean;
use crate::incident::{
    Deed, Facts, Firing, FollowUp, Incident, Mute, OpenItem, deeds, follow_ups, open_items, timeline,
};
use crate::procedure::walk::Standing;
use crate::rules::{Finding, Rule};

/// What a card may tell, as of now.
pub fn facts(model: &Model) -> Facts {
    let trail = &model.session.trail;
    let begun = trail.incident.as_ref().map_or(model.now.wall.back(WATCH), |it| it.opened.wall);
    let report = trail.incident.as_ref().map(|it| clean!("{}/incidents/{}.md", trail.state, it.id));
    Facts {
        host: model.identity.host.clone(),
        profile: model.identity.title.clone(),
        environment: model.identity.badge(),
        now: model.now.wall,
        incident: trail.incident.clone(),
        firing: model.alerts().into_iter().map(|found| firing(model, found)).collect(),
        done: done(model, begun),
        running: running(model),
        open: open_now(model),
        mutes: mutes(model),
        follow_ups: to_do(model),
        call: contacts::ordered(model).first().map(|contact| {
            let ways = contact.ways().map(Clean::as_str);
            let parts: Vec<&str> = core::iter::once(contact.role.as_str()).chain(ways).collect();
            clean!("{}, {}", contact.label(), parts.join(", "))
        }),
        report,
    }
}

fn firing(model: &Model, found: &Finding) -> Firing {
    let rule = model.book.rule(found.id.rule);
    // Of all that it rests on the oldest counts.
    let age = rule.and_then(|rule| {
        let feeders = model.store.feeders(rule.expr.selectors());
        feeders.iter().filter_map(|feeder| feeder.health.last_good).map(|at| model.now.mono.since(at.mono)).max()
    });
    let gone = found.no_data_for.map(|gone| clean!("no data for {}", Age(gone)));
    // One of several instances stands for all of them, as on the strip.
    let kin = alerts::alike(&model.book, found.id.rule, Alerting::Up).len();
    let name = answer::name(model, found.id.rule);
    let shown = rule.map(Rule::unit).map(|unit| Clean::text(unit.show(found.value))).unwrap_or_default();
    Firing {
        name: if kin > 1 { clean!("{name} ({kin} instances)") } else { name },
        word: found.severity.word().into(),
        age: age.filter(|_| gone.is_none()),
        value: gone.unwrap_or(shown),
        since: found.fired.map(|at| at.wall),
        taken: found.ack.as_ref().map(|ack| ack.by.clone()),
    }
}

/// Actions by their titles; the one that runs now is told as such.
fn done(model: &Model, begun: Wall) -> Vec<Deed> {
    let runs = model.run.as_ref().filter(|run| !run.ended()).map(|run| run.plan.id);
    let mut done = deeds(&timeline::between(&model.session.trail.lines, begun, model.now.wall));
    done.retain(|deed| runs != Some(deed.plan));
    for deed in &mut done {
        if let Some(title) = model.action_title(Some(deed.name())).cloned() {
            deed.action = title;
        }
    }
    done
}

fn running(model: &Model) -> Vec<Clean> {
    let told = model.run.as_ref().filter(|run| !run.ended()).map(|run| {
        let progress = run.progress.as_ref();
        let state = match progress.map(|progress| progress.state) {
            None => "starting",
            Some(State::Verifying) => "executed, verifying",
            Some(State::Running) => "running",
            Some(_) => "checking",
        };
        let waiting = progress.and_then(|progress| progress.waiting.as_ref());
        let waiting = waiting.map(|what| format!(", {what}")).unwrap_or_default();
        clean!("{}: {state} for {}{waiting}", run.plan.what.title, Age(model.now.mono.since(run.since)))
    });
    told.into_iter().collect()
}

/// What procedures have put off, and what is under way in them.
fn open_now(model: &Model) -> Vec<OpenItem> {
    let walks = model.procedures.walks.iter().filter(|working| working.open()).map(|working| &working.walk);
    let at = walks.map(|walk| {
        let (step, of) = walk.position();
        let item = walk.document.items.get(walk.current).map(|item| item.title.clone()).unwrap_or_default();
        let state = if walk.standing == Standing::Paused { "paused" } else { "now" };
        let title = clean!("step {step} of {of} of {}", walk.document.title);
        OpenItem { item: title, state: state.into(), why: item, ..OpenItem::default() }
    });
    let put_off = open_items(&model.session.trail.lines).into_iter().map(|mut open| {
        let document = model.procedures.document(open.procedure.as_str());
        let item = document.and_then(|document| document.items.iter().find(|item| *item.id == *open.item.as_str()));
        if let (Some(document), Some(item)) = (document, item) {
            open.item = clean!("{} ({})", item.title, document.title);
        }
        open
    });
    at.chain(put_off).collect()
}

fn mutes(model: &Model) -> Vec<Mute> {
    let now = model.now;
    let live = model.book.silences().filter(|silence| silence.left(now).is_some());
    let mute = |silence: &crate::rules::silence::Silence| Mute {
        matchers: silence.matchers.text().clone(),
        reason: silence.reason.clone(),
        by: silence.by.clone(),
        at: silence.at.wall,
        until: silence.until(now),
        ended: None,
    };
    live.map(mute).collect()
}

/// What is left to do, of the incident and of the watch.
pub fn to_do(model: &Model) -> Vec<FollowUp> {
    follow_ups(&model.session.trail.lines)
}

/// How long the incident has been open.
pub fn lasts(incident: &Incident, now: Now) -> Clean {
    let seconds = now.since(incident.opened).as_secs();
    clean!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
