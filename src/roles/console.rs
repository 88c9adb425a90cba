//! The console loop: drains the mailboxes, updates the model, carries effects out, hands frames to the terminal.
//! It never waits for anything but the bell.

use super::effects::Effects;
use super::own_log;
use super::session::{self, Options, Started};
use crate::app::{self, Effect, Msg, Overlay};
use crate::base::{Clean, Clock, Fault, Level, Mono, Now};
use crate::clean;
use crate::journal::{Event, Journal, Record};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::paths;
use crate::sys::signal::Signal;
use crate::term::{Input, install_panic_hook};
use crate::ui;
use core::time::Duration;
use serde_json::json;
use std::io::Write;
use std::sync::Arc;

/// Frames that only carry data are at least this far apart.
const FRAME_GAP: Duration = Duration::from_millis(100);
/// How long the first frame waits for the first sample.
const FIRST_DATA: Duration = Duration::from_millis(8);
/// A display that takes nothing for this long is stalled: prompts disarm.
const STALLED: Duration = Duration::from_secs(2);
const SECOND: u64 = 1_000_000_000;

/// Runs the console until it is left. Returns the exit status.
///
/// # Errors
/// When there is no terminal to own or the profile cannot be had at all.
pub fn run(options: &Options) -> Result<u8, Fault> {
    let state = options.state_dir.clone().or_else(paths::state_dir);
    own_log::start(state.as_deref());
    install_panic_hook(state.unwrap_or_else(std::env::temp_dir));
    let bell = Arc::new(Bell::default());
    let started = session::start(options, &bell)?;
    let mut console = Console::new(started, bell);
    if let Some(procedure) = &options.procedure {
        console.apply(Msg::Work(procedure.as_str().into()), console.clock.now());
    }
    while console.turn() {}
    let (status, last) = (console.status, console.last_words());
    console.leave();
    for line in last {
        // Nothing is left to tell when standard error is gone.
        let _gone = writeln!(std::io::stderr().lock(), "{line}");
    }
    Ok(status)
}

/// The first lines of our own log. The first line of all costs milliseconds: its clock looks the time zone up.
fn tell(started: &Started) {
    let model = &started.look.model;
    tracing::info!(target: "console", "watching {}: {} panes", model.identity.title, model.board.panes.len());
    for fault in &model.session.faults {
        tracing::warn!(target: "console", "{fault}");
    }
}

/// By how many milliseconds the wall clock was moved meanwhile, where that are more than two seconds.
fn jumped(before: Now, now: Now) -> Option<i64> {
    let passed = i64::try_from(now.mono.since(before.mono).as_nanos()).unwrap_or(i64::MAX);
    let by = now.wall.0.saturating_sub(before.wall.0).saturating_sub(passed) / 1_000_000;
    (by.abs() > 2_000).then_some(by)
}

struct Console {
    clock: RealClock,
    bell: Arc<Bell>,
    started: Started,
    effects: Effects,
    drawn: Option<Mono>,
    dirty: bool,
    urgent: bool,
    moment: Mono,
    second: i64,
    /// The last second, for clocks that are moved.
    seen: Now,
    begun: Mono,
    leaving: bool,
    /// 128 and the signal's number when a signal or the loss of the terminal ends it, as a shell would say.
    status: u8,
}

impl Console {
    fn new(mut started: Started, bell: Arc<Bell>) -> Self {
        let clock = RealClock;
        let begun = clock.now().mono;
        let mut effects = Effects::new(Arc::clone(&bell), started.notifier.take());
        effects.look_back(&started.look.shared);
        effects.recover(&started.look.shared);
        effects.look_at_rights(started.look.model.session.support, &started.look.shared);
        effects.keep_history(&started.look.shared);
        effects.keep_walks(&started.look.shared);
        Self {
            clock,
            bell,
            started,
            effects,
            drawn: None,
            dirty: true,
            urgent: false,
            moment: begun,
            second: 0,
            seen: clock.now(),
            begun,
            leaving: false,
            status: 0,
        }
    }

    /// One turn of the loop; false when it is time to leave.
    fn turn(&mut self) -> bool {
        let now = self.clock.now();
        // Until the first frame the first data is what is waited for.
        self.bell.wait(self.pause(now), self.dirty && self.drawn.is_some());
        let now = self.clock.now();
        self.take_input(now);
        self.take_data(now);
        self.pass_time(now);
        if self.leaving {
            return false;
        }
        self.draw(now);
        true
    }

    /// How long nothing needs doing: until the next frame or the next second.
    fn pause(&self, now: Now) -> Duration {
        let second = Duration::from_nanos(SECOND - now.wall.0.rem_euclid(1_000_000_000).unsigned_abs());
        let tick = if self.moving() { second.min(FRAME_GAP) } else { second };
        match (self.dirty, self.drawn) {
            (false, _) => tick,
            (true, _) if self.urgent => Duration::ZERO,
            (true, None) => FIRST_DATA.saturating_sub(now.mono.since(self.begun)),
            (true, Some(drawn)) => FRAME_GAP.saturating_sub(now.mono.since(drawn)).min(tick),
        }
    }

    fn take_input(&mut self, now: Now) {
        for (at, input) in self.started.terminal.inputs() {
            self.status = match input {
                Input::Stop(signal) => u8::try_from(128 + signal.number()).unwrap_or(1),
                Input::HungUp => u8::try_from(128 + Signal::Hup.number()).unwrap_or(1),
                _ => self.status,
            };
            self.apply(Msg::Input(at, input), now);
            self.urgent = true;
        }
        if self.started.terminal.stalled_for().is_some_and(|gone| gone > STALLED)
            != self.started.look.model.session.stalled
        {
            let stalled = !self.started.look.model.session.stalled;
            self.apply(Msg::Stalled(stalled), now);
        }
    }

    /// An open prompt waits for its fence or its delay.
    fn moving(&self) -> bool {
        matches!(&self.started.look.model.overlay, Overlay::Prompt(prompt) if prompt.moving())
    }

    fn take_data(&mut self, now: Now) {
        // Before the mailboxes are emptied: what comes later rings again.
        self.bell.drained();
        let samples = self.started.look.samples.drain();
        if !samples.is_empty() {
            self.apply(Msg::Samples(samples), now);
            if self.drawn.is_none() {
                self.urgent = true;
            }
        }
        let lines = self.started.look.lines.drain();
        if !lines.is_empty() {
            self.apply(Msg::Logs(lines), now);
        }
        while let Some(msg) = self.effects.answer() {
            self.apply(msg, now);
            self.urgent = true;
        }
        tui_logger::move_events();
    }

    fn pass_time(&mut self, now: Now) {
        let second = now.wall.0.div_euclid(1_000_000_000);
        if second != self.second {
            self.second = second;
            let journal = self.started.look.shared.journal.as_ref();
            let unrecorded = self.started.look.shared.unrecorded.clone();
            let failing = unrecorded.or_else(|| journal.and_then(Journal::failing));
            let (reserve, broken) = (journal.and_then(Journal::on_reserve), journal.and_then(Journal::broken));
            if let (Some(journal), Some(by)) = (journal, jumped(self.seen, now)) {
                let moved = json!({ "by_ms": by, "from": self.seen.wall.rfc3339() });
                journal.append(Record::new(Event::ClockJump).res(moved));
            }
            self.seen = now;
            let session = &mut self.started.look.model.session;
            if let Some(fault) = broken.as_ref().filter(|_| session.trail.broken.is_none()) {
                session.faults.push(fault.clone());
                session.say(clean!("{fault}"), Level::Critical, now);
            }
            (session.trail.unrecorded, session.trail.on_reserve, session.trail.broken) = (failing, reserve, broken);
            self.apply(Msg::Tick, now);
        }
        if let Some(alerts) = &mut self.started.alerts {
            self.dirty |= alerts.learn(&mut self.started.look.model.book, now);
            alerts.keep(&self.started.look.model.book, now);
        }
        if self.moving() && now.mono.since(self.moment) >= FRAME_GAP {
            self.moment = now.mono;
            self.apply(Msg::Moment, now);
        }
    }

    fn apply(&mut self, msg: Msg, now: Now) {
        let effects = app::update(&mut self.started.look.model, msg, now);
        self.dirty = true;
        for effect in effects {
            match effect {
                Effect::Quit => self.leaving = true,
                Effect::Suspend => self.started.terminal.suspend(),
                Effect::Redraw => self.started.terminal.redraw(),
                Effect::DiscardInput => self.started.terminal.discard_input(),
                Effect::Fence(id) => self.started.terminal.fence(id),
                Effect::Alarm(text) if self.started.rings => self.started.terminal.alarm(text),
                Effect::Copy(lines) => self.copy(&lines, now),
                other => self.effects.carry_out(other, &self.started.look.model, &self.started.look.shared),
            }
        }
    }

    fn draw(&mut self, now: Now) {
        let due = match self.drawn {
            _ if self.urgent => true,
            None => now.mono.since(self.begun) >= FIRST_DATA,
            Some(drawn) => now.mono.since(drawn) >= FRAME_GAP,
        };
        if !self.dirty || !due {
            return;
        }
        let mut frame = self.started.terminal.blank();
        self.started.look.model.size = (frame.area.width, frame.area.height);
        let extent = ui::draw(&self.started.look.model, &self.started.look.theme, !self.started.caps.utf8, &mut frame);
        self.started.terminal.submit(frame);
        if self.drawn.is_none() {
            tell(&self.started);
        }
        self.drawn = Some(now.mono);
        self.dirty = false;
        self.urgent = false;
        let unshown = matches!(&self.started.look.model.overlay, Overlay::Prompt(prompt) if prompt.unshown());
        // A display that takes nothing has not shown it.
        if unshown && !self.started.look.model.session.stalled {
            self.apply(Msg::Shown(extent), now);
        }
    }

    fn copy(&mut self, lines: &[Clean], now: Now) {
        let (text, level) = match self.started.terminal.copy(lines) {
            Ok(()) => (clean!("{} lines offered to the terminal's clipboard.", lines.len()), Level::Ok),
            Err(fault) => (clean!("{fault}"), Level::Warning),
        };
        self.started.look.model.session.say(text, level, now);
    }

    /// What an anchor of the journal names, where this session has acted: to be written down elsewhere. And what was
    /// refused because it could not be recorded.
    fn last_words(&self) -> Vec<String> {
        let look = &self.started.look;
        let journal = look.shared.journal.as_ref();
        let refused = journal.and_then(Journal::refused).or_else(|| self.effects.refused());
        let refused = refused.map(|refused| format!("watchkeeper: {refused}"));
        let head = look.model.run.as_ref().and_then(|_| journal?.head());
        let head = head.map(|head| format!("watchkeeper: the journal stands at record {}, {}", head.seq, head.hash));
        refused.into_iter().chain(head).collect()
    }

    /// Prompts are No, the journal learns that we left, the terminal comes back; the runtime is never dropped (F5).
    fn leave(mut self) {
        let lost = self.status == u8::try_from(128 + Signal::Hup.number()).unwrap_or(1);
        let why = if lost { "the terminal was lost" } else { "the console was left" };
        self.effects.leave(&mut self.started.look.model, &why.into());
        self.started.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Wall;

    #[test]
    fn a_clock_that_was_moved_is_told_from_time_that_passed() {
        let at = |mono: u64, wall: i64| Now { mono: Mono(mono * SECOND), wall: Wall(wall * 1_000_000_000) };
        assert_eq!(jumped(at(10, 1_000), at(11, 1_001)), None);
        assert_eq!(jumped(at(10, 1_000), at(610, 1_600)), None, "suspended");
        assert_eq!(jumped(at(10, 1_000), at(11, 1_003)), None, "two seconds");
        assert_eq!(jumped(at(10, 1_000), at(11, 4_601)), Some(3_600_000));
        assert_eq!(jumped(at(10, 4_601), at(11, 1_002)), Some(-3_600_000));
    }
}
