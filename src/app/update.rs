//! The one function that changes the model: it only dispatches to a handler a family.

use super::action_list::{self, ActionList};
use super::alerts::{self, AlertList};
use super::answer;
use super::detail;
use super::effect::Effect;
use super::enter;
use super::figures;
use super::incident;
use super::lints;
use super::log_desk;
use super::model::{Model, NOTICE, Overlay, Scroll};
use super::msg::Msg;
use super::notify;
use super::open_runs;
use super::prompt;
use super::run;
use super::survey;
use super::table_find;
use super::texts;
use super::unit;
use super::{follow_up, found, walking};
use crate::base::time::Zone;
use crate::base::{Clean, Fault, Level, Now};
use crate::clean;
use crate::command::{Command, Context};
use crate::input::{Key, Lookup};
use crate::term::Input;

/// Applies one event. The screen needs drawing after every call.
pub fn update(model: &mut Model, msg: Msg, now: Now) -> Vec<Effect> {
    model.now = now;
    let mut effects = applied(model, msg, now);
    effects.extend(survey::ask(model));
    effects
}

fn applied(model: &mut Model, msg: Msg, now: Now) -> Vec<Effect> {
    match msg {
        Msg::Input(at, input) => on_input(model, Now { mono: at, ..now }, &input),
        Msg::Samples(samples) => {
            for sample in &samples {
                model.store.ingest(sample);
            }
            let mut effects = judge(model, now);
            effects.extend(survey::ask_of_units(model));
            effects
        }
        Msg::Logs(batches) => {
            log_desk::on_logs(model, batches);
            Vec::new()
        }
        Msg::Planned(action, plan) => prompt::planned(model, action, plan),
        looked @ (Msg::Surveying | Msg::Surveyed(..) | Msg::Rights(..) | Msg::Done(_)) => survey::on_msg(model, looked),
        Msg::JournalRead(unit, journal) => {
            unit::read(model, &unit, journal);
            Vec::new()
        }
        Msg::ArmingPlanned(plan) => prompt::open_arming(model, *plan),
        Msg::Shown(extent) => prompt::submitted(model, extent),
        told @ (Msg::Launched(_)
        | Msg::NotStopped(_)
        | Msg::Progress(_)
        | Msg::Output(_)
        | Msg::Effects(_)
        | Msg::Recovered(..)
        | Msg::EndedAlone(_)
        | Msg::Settled(..)) => run::on_msg(model, told),
        told @ (Msg::Work(_)
        | Msg::WalkBegun(..)
        | Msg::WalksLeft(..)
        | Msg::WalkResumed(..)
        | Msg::WalkKept(..)
        | Msg::WalkFinished(..)
        | Msg::WalkSeen(..)
        | Msg::WalkLost(..)) => walking::on_msg(model, told),
        Msg::History(rows, told) => {
            model.history.take(&rows);
            told.into_iter().map(Effect::Log).collect()
        }
        Msg::Stalled(stalled) => {
            model.session.stalled = stalled;
            if stalled { prompt::stalled(model) } else { vec![Effect::Redraw] }
        }
        Msg::Notified(status) => {
            model.session.notifier = status;
            Vec::new()
        }
        Msg::Saved(saved) => saved_lines(model, saved),
        Msg::Trail(heard) => incident::heard(model, heard),
        Msg::Moment => prompt::tick(model),
        Msg::TextChanged(changed) => texts::changed(model, changed),
        Msg::Tick => on_tick(model, now),
    }
}

/// Lines of a log were saved, or could not be.
fn saved_lines(model: &mut Model, saved: Result<Clean, Fault>) -> Vec<Effect> {
    let (text, level) = match saved {
        Ok(place) => (clean!("Saved to {place}."), Level::Ok),
        Err(fault) => (clean!("{fault}"), Level::Warning),
    };
    model.session.say(text, level, model.now);
    Vec::new()
}

fn judge(model: &mut Model, now: Now) -> Vec<Effect> {
    let mut told = Vec::new();
    let moved = model.book.judge(&mut model.store, now);
    model.changes.note(&moved, (&model.store, &model.book, &model.board.panes), now);
    for transition in moved {
        let Some(rule) = model.book.rule(transition.id.rule) else { continue };
        let (state, level) = (transition.to.0.word(), transition.to.1.word());
        let value = rule.says_in_line(transition.value);
        told.push(Effect::Log(clean!("{} {value} is {state} at {level}", rule.name)));
    }
    model.board.refresh(&model.store, &model.history, &model.book, now);
    let minutes = model.board.keep(&mut model.history, now);
    told.extend((!minutes.is_empty()).then_some(Effect::KeepMinutes(minutes)));
    told.extend(notify::tell(model));
    told.extend(walking::pass(model));
    told
}

fn on_tick(model: &mut Model, now: Now) -> Vec<Effect> {
    let mut effects = judge(model, now);
    lints::look(model, now);
    if model.session.notice.as_ref().is_some_and(|notice| now.mono.since(notice.since.mono) > NOTICE) {
        model.session.notice = None;
    }
    survey::tell(model);
    effects.extend(prompt::tick(model));
    effects.extend(incident::tick(model));
    detail::refresh(model);
    figures::work_out(model);
    if model.session.mode.lapse(now.mono) != model.session.mode {
        effects.extend(prompt::lapsed(model));
        effects.extend(prompt::disarm(model, "15 minutes without a key"));
    }
    effects
}

fn on_input(model: &mut Model, at: Now, input: &Input) -> Vec<Effect> {
    // An arming that has lapsed stays so: the next tick tells it.
    if matches!(input, Input::Key(_)) && model.session.mode.lapse(at.mono) == model.session.mode {
        model.session.mode = model.session.mode.touch(at.mono);
    }
    let asked = run::asks(model);
    let typing = matches!(model.overlay, Overlay::None) && model.reading().is_some_and(|it| it.pane.types());
    let raw = match &model.overlay {
        Overlay::Prompt(_) | Overlay::Form(_) | Overlay::Procedures(_) => true,
        Overlay::Actions(list) => list.find.is_some(),
        _ => false,
    };
    let finds = table_find::types(model);
    let prompted = asked || raw || typing || finds;
    let mut effects = prompt::on_input(model, at, input);
    effects.extend(answer::on_input(model, input));
    if raw {
        effects.extend(found::on_input(model, input));
        effects.extend(action_list::on_input(model, input));
    }
    if finds {
        table_find::on_input(model, input);
    }
    if asked {
        effects.extend(run::on_input(model, input));
    }
    match input {
        Input::Key(key) if typing => effects.extend(log_desk::on_typed(model, key, at)),
        Input::Paste { text, .. } if typing => effects.extend(log_desk::on_paste(model, text, at)),
        Input::Key(key) if !prompted && at.mono > model.session.deaf_until => effects.extend(on_key(model, key)),
        Input::Resize(width, height) => {
            model.size = (*width, *height);
            log_desk::fresh(model);
        }
        Input::HungUp | Input::Stop(_) => effects.push(Effect::Quit),
        Input::Suspended => effects.extend(prompt::disarm(model, "suspended")),
        Input::Resumed => effects.push(Effect::Redraw),
        Input::Reload => {
            let text = "A profile is read once, at the start: leave and start again to read it anew.";
            model.session.say(text.into(), Level::Note, model.now);
        }
        Input::Key(_) | Input::Paste { .. } | Input::Focus(_) | Input::Fence(_) => {}
    }
    effects
}

fn on_key(model: &mut Model, key: &Key) -> Vec<Effect> {
    let context = model.context();
    match model.keymap.feed(context, key) {
        Lookup::Found(command) => {
            model.session.notice = None;
            on_command(model, context, command)
        }
        Lookup::Pending => Vec::new(),
        Lookup::Unbound => {
            elsewhere(model, context, key);
            Vec::new()
        }
    }
}

/// A key that means something on the panes alone: whoever presses it here learns that nothing came of it.
fn elsewhere(model: &mut Model, context: Context, key: &Key) {
    if !matches!(context, Context::Overlay | Context::Procedure) {
        return;
    }
    if let Lookup::Found(command) = model.keymap.feed(Context::Triage, key)
        && let Some(spec) = command.spec()
        && let Some(keys) = model.keymap.keys_for(Context::Triage, command)
    {
        model.session.say(clean!("{keys} ({}) does nothing here. Esc goes back.", spec.hint), Level::Note, model.now);
    }
}

fn on_command(model: &mut Model, context: Context, command: Command) -> Vec<Effect> {
    // What is typed while a plan is being made is meant for its prompt, and is no command.
    let ends =
        matches!(command, Command::Back | Command::Interrupt | Command::Quit | Command::Suspend | Command::Redraw);
    if matches!(model.overlay, Overlay::Planning(..)) && !ends {
        return Vec::new();
    }
    if let Some(effects) = walking::command(model, command) {
        return effects;
    }
    if let Some(effects) = log_desk::command(model, command) {
        return effects;
    }
    match command {
        Command::Quit => return vec![Effect::Quit],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Redraw => return vec![Effect::Redraw],
        Command::Interrupt if run::interrupt(model) => {}
        Command::Back if matches!(model.overlay, Overlay::None) => model.board.back(),
        Command::Back | Command::Interrupt => model.back(),
        Command::Procedures => walking::list(model),
        Command::Help => toggle(model, Overlay::Help(Scroll::default())),
        Command::OwnLog => toggle(model, Overlay::OwnLog),
        Command::Actions => toggle(model, Overlay::Actions(ActionList::default())),
        Command::Find if matches!(model.overlay, Overlay::None) => table_find::begin(model),
        Command::Find => action_list::find(model),
        Command::Arm => return prompt::arm(model),
        Command::Open => return enter::open(model),
        Command::Copy => return enter::copy(model),
        Command::ResetAndStart => return run::start_afresh(model),
        Command::Alerts => toggle(model, Overlay::Alerts(Box::default())),
        Command::Detail => detail::show(model),
        Command::Take | Command::GiveBack | Command::Silence | Command::EndSilence | Command::Escalate => {
            return answer::command(model, command);
        }
        Command::Done => return follow_up::ask(model),
        Command::Incident | Command::Note | Command::CloseIncident | Command::ChangeOwner | Command::Handover => {
            return incident::command(model, command);
        }
        Command::Contacts => toggle(model, Overlay::Contacts(0)),
        Command::WhatChanged => what_changed(model),
        Command::Unfold => unfold(model),
        Command::Faults => toggle(model, Overlay::Faults(Scroll::default())),
        Command::Wider | Command::Narrower => reach(model, command == Command::Wider),
        Command::FocusNext | Command::FocusPrevious => model.board.turn(command == Command::FocusNext),
        Command::NextView => next_view(model),
        Command::Zoom => model.board.zoomed = !model.board.zoomed,
        Command::Pause => pause(model),
        Command::Zone => turn_zone(model),
        Command::Earlier | Command::Later => model.board.move_cursor(command == Command::Later, model.now.mono),
        Command::Across => log_desk::across(model),
        Command::NextAlert => turn_alert(model, 1),
        Command::PreviousAlert => turn_alert(model, -1),
        _ if context == Context::Overlay => scroll_overlay(model, command),
        _ => {}
    }
    Vec::new()
}

/// Opens what the key stands for, or closes it again.
fn toggle(model: &mut Model, overlay: Overlay) {
    if core::mem::discriminant(&model.overlay) == core::mem::discriminant(&overlay) {
        model.back();
    } else {
        model.open(overlay);
    }
}

fn pause(model: &mut Model) {
    if model.board.paused.is_some() {
        model.board.go_on();
        for reading in &mut model.log_desk.readings {
            // Nothing is asked but the newest rows, which come with the next look.
            let _asks = reading.pane.release();
        }
        return log_desk::fresh(model);
    }
    model.board.hold(model.now);
    model.log_desk.readings.iter_mut().for_each(|reading| reading.pane.hold());
}

/// The next view's panes, after the last one all there are.
fn next_view(model: &mut Model) {
    if model.board.views.is_empty() {
        let text = "This profile has no views: `[[views]]` names some of its panes.";
        return model.session.say(text.into(), Level::Note, model.now);
    }
    model.board.next_view();
    model.session.say(model.board.view_told(), Level::Note, model.now);
}

/// Times on this host's clock, or in UTC again.
fn turn_zone(model: &mut Model) {
    model.log_desk.turn_zone();
    let zone = model.log_desk.zone;
    model.board.zone = zone;
    model.board.refresh(&model.store, &model.history, &model.book, model.now);
    let text = if model.log_desk.local == Zone::UTC {
        clean!("This host's clock is UTC.")
    } else {
        clean!("Times are {zone} now; reports, cards and the journal stay in UTC.")
    };
    model.session.say(text, Level::Note, model.now);
}

/// Charts reach further back, or less far, at once.
fn reach(model: &mut Model, wider: bool) {
    if model.board.paused.is_some() {
        let text = "The picture stands still, its charts too: let it go on first.";
        return model.session.say(text.into(), Level::Note, model.now);
    }
    if wider {
        model.board.widen();
    } else {
        model.board.narrow();
    }
    model.board.refresh(&model.store, &model.history, &model.book, model.now);
}

fn turn_alert(model: &mut Model, by: isize) {
    let (position, alerts) = (model.alert_position(), model.alerts());
    let next = (position + alerts.len()).saturating_add_signed(by).checked_rem(alerts.len());
    let chosen = next.and_then(|next| alerts.get(next)).map(|found| found.id.clone());
    model.board.alert = chosen;
}

/// What changed before the alert that is meant here and now.
fn what_changed(model: &mut Model) {
    if matches!(model.overlay, Overlay::Changes(..)) {
        return model.back();
    }
    match answer::subject(model).into_iter().next() {
        Some(id) => model.open(Overlay::Changes(id, Scroll::default())),
        None => {
            model.session.say(
                clean!("No alert is firing: there is no moment to compare with."),
                Level::Note,
                model.now,
            );
        }
    }
}

/// In the list the selected row; elsewhere the list opens at the alert of the strip, with all that it folds.
fn unfold(model: &mut Model) {
    let mut list = match core::mem::take(&mut model.overlay) {
        Overlay::Alerts(list) => list,
        other => {
            model.overlay = other;
            model.open(Overlay::Alerts(Box::default()));
            let mut list = Box::<AlertList>::default();
            if let Some(id) = model.current_alert().map(|found| found.id.clone()) {
                list.seek(&model.book, &id);
            }
            list
        }
    };
    let rows = alerts::rows(&model.book, &list.unfolded);
    let folds = list.turn(&model.book, &rows);
    model.overlay = Overlay::Alerts(list);
    if !folds {
        model.session.say(clean!("It folds nothing: no consequence, no second instance."), Level::Note, model.now);
    }
}

fn scroll_overlay(model: &mut Model, command: Command) {
    let ways = open_runs::choices(model).len();
    let page = isize::try_from(model.size.1 / 2).unwrap_or(1);
    let by = match command {
        Command::Up => -1,
        Command::Down => 1,
        Command::PageUp => -page,
        Command::PageDown => page,
        Command::Top => isize::MIN,
        Command::Bottom => isize::MAX,
        _ => return,
    };
    match &mut model.overlay {
        Overlay::Help(scroll) | Overlay::Faults(scroll) | Overlay::Changes(_, scroll) | Overlay::Incident(scroll) => {
            scroll.by(by);
        }
        Overlay::Detail(detail) => detail.scroll.by(by),
        Overlay::Unit(view) => view.scroll.by(by),
        Overlay::Whole(whole) => whole.scroll.by(by),
        Overlay::Alerts(list) => list.by(&alerts::rows(&model.book, &list.unfolded), by),
        Overlay::Contacts(at) => {
            *at = at.saturating_add_signed(by).min(model.book.policy().contacts().len().saturating_sub(1));
        }
        Overlay::OpenRuns(at) => *at = at.saturating_add_signed(by).min(ways.saturating_sub(1)),
        Overlay::Actions(_) => action_list::select(model, by),
        _ => {}
    }
}
