//! The confirm prompt as a pure state machine (safety.md 4.2): Draining → Fenced → Arming → Armed → Matched →
//! Accepted or Refused. Default is No. The shell feeds it what came, with the time of arrival, and does what it asks.

use super::mode::{Mode, Standing};
use super::plan::{Danger, Plan};
use super::prompt::{
    Acceptance, Confirm, Extent, Field, GateEffect, GateInput, GateKey, GateView, Phase, Refusal, SMALLEST,
};
use crate::base::clean::is_hidden;
use crate::base::{Clean, Mono};
use core::time::Duration;

/// The terminal's answer to the fence is awaited this long; then the arm delay doubles.
pub const FENCE_WAIT: Duration = Duration::from_secs(3);
/// Enter counts only this long after the last character arrived.
pub const ENTER_GAP: Duration = Duration::from_millis(100);
/// Characters of a reason at C3.
pub const REASON: usize = 8;
/// A field takes no more characters than this.
const FIELD: usize = 256;

/// The one prompt of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    plan: Box<Plan>,
    phase: Phase,
    opened: Mono,
    fence: Fence,
    /// The end of the plan has been on screen.
    read: bool,
    /// When the arm delay (re)started.
    arming: Mono,
    typing: Typing,
    note: Option<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fence {
    id: u64,
    /// When the newest frame with the prompt was handed to the writer.
    shown: Mono,
    answered: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Typing {
    word: String,
    reason: String,
    in_reason: bool,
    last: Mono,
}

impl Gate {
    /// Opens the prompt, or refuses to. The shell then draws it and reports [`GateInput::Submitted`] after each frame.
    pub fn open(plan: Plan, standing: Standing, now: Mono) -> (Self, Vec<GateEffect>) {
        let refusal = refuses(&plan, standing, now);
        let id = u64::try_from(plan.id.0 & u128::from(u32::MAX)).unwrap_or(0) << 16;
        let mut gate = Self {
            plan: Box::new(plan),
            phase: Phase::Draining,
            opened: now,
            fence: Fence { id, ..Fence::default() },
            read: false,
            arming: now,
            typing: Typing::default(),
            note: None,
        };
        let effects = match refusal {
            Some(refusal) => gate.refuse(refusal),
            None => vec![GateEffect::Discard],
        };
        (gate, effects)
    }

    /// Something came at `now` (its time of arrival).
    pub fn handle(&mut self, input: GateInput, now: Mono) -> Vec<GateEffect> {
        let expired = self.tick(now);
        if self.is_over() {
            return expired;
        }
        match input {
            GateInput::HungUp => self.refuse(Refusal::HungUp),
            GateInput::Suspended => self.refuse(Refusal::Suspended),
            GateInput::Lapsed if !self.plan.is_arming() => self.refuse(Refusal::NotArmed),
            GateInput::Lapsed => Vec::new(),
            GateInput::Resize(columns, rows) if columns < SMALLEST.0 || rows < SMALLEST.1 => {
                self.refuse(Refusal::TooSmall(columns, rows))
            }
            GateInput::Resize(..) | GateInput::Stalled => self.show_again(),
            GateInput::Submitted(Extent::Cut) => self.refuse(Refusal::NotWhole),
            GateInput::Submitted(extent) => self.submitted(extent == Extent::End, now),
            GateInput::Fence(id) => self.answered(id, now),
            GateInput::Key(GateKey::Cancel) => self.refuse(Refusal::Cancelled),
            GateInput::Key(_) | GateInput::Repeat | GateInput::Paste | GateInput::Focus => self.touched(input, now),
        }
    }

    /// Time has passed: the fence may be given up, the delay may be over, the prompt may have expired.
    pub fn tick(&mut self, now: Mono) -> Vec<GateEffect> {
        if self.is_over() {
            return Vec::new();
        }
        if now.since(self.opened) >= self.plan.danger.expires() {
            return self.refuse(Refusal::Expired);
        }
        if self.phase == Phase::Fenced && now.since(self.fence.shown) >= FENCE_WAIT {
            self.note = Some("the terminal does not answer: the delay is doubled");
            self.rearm(self.fence.shown + FENCE_WAIT);
        }
        if self.phase == Phase::Arming && self.read && now.since(self.arming) >= self.delay() {
            self.phase = Phase::Armed;
        }
        Vec::new()
    }

    /// When [`Gate::tick`] has something to do next.
    pub fn next(&self) -> Option<Mono> {
        let expiry = self.opened + self.plan.danger.expires();
        match self.phase {
            Phase::Fenced => Some(expiry.min(self.fence.shown + FENCE_WAIT)),
            Phase::Arming if !self.read => Some(expiry),
            Phase::Arming => Some(expiry.min(self.arming + self.delay())),
            Phase::Draining | Phase::Armed | Phase::Matched => Some(expiry),
            Phase::Accepted | Phase::Refused => None,
        }
    }

    /// What the screen shows.
    pub fn view(&self, now: Mono) -> GateView<'_> {
        let delay = self.delay().as_secs_f64();
        let armed_fraction = match self.phase {
            Phase::Arming if !self.read => 0.0,
            Phase::Arming if delay > 0.0 => (now.since(self.arming).as_secs_f64() / delay).min(1.0),
            Phase::Arming | Phase::Armed | Phase::Matched | Phase::Accepted => 1.0,
            Phase::Draining | Phase::Fenced | Phase::Refused => 0.0,
        };
        GateView {
            plan: &self.plan,
            phase: self.phase,
            field: if self.typing.in_reason { Field::Reason } else { Field::Word },
            typed: if self.typing.in_reason { &self.typing.reason } else { &self.typing.word },
            read: self.read,
            armed_fraction,
            expires_in: (self.opened + self.plan.danger.expires()).since(now),
            note: self.note,
        }
    }

    /// The plan, for the screen and for records.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How the prompt stands for the record of a refusal.
    pub fn confirm(&self, now: Mono) -> Confirm {
        let shown = if self.phase == Phase::Draining { Duration::ZERO } else { now.since(self.fence.shown) };
        let reason = self.typing.reason.trim();
        Confirm {
            danger: self.plan.danger,
            fence: self.fence.answered,
            shown_ms: u64::try_from(shown.as_millis()).unwrap_or(u64::MAX),
            reason: (!reason.is_empty()).then(|| Clean::text(reason)),
        }
    }

    /// Accepted or refused: nothing more comes of it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Accepted | Phase::Refused)
    }

    fn delay(&self) -> Duration {
        let delay = self.plan.danger.arm_delay();
        if self.fence.answered { delay } else { delay * 2 }
    }

    fn refuse(&mut self, refusal: Refusal) -> Vec<GateEffect> {
        self.phase = Phase::Refused;
        vec![GateEffect::Refused(refusal)]
    }

    fn accept(&mut self, now: Mono) -> Vec<GateEffect> {
        let confirm = self.confirm(now);
        self.phase = Phase::Accepted;
        vec![GateEffect::Accepted(Box::new(Acceptance { plan: (*self.plan).clone(), confirm }))]
    }

    /// The delay starts again, and with it the typing.
    fn rearm(&mut self, now: Mono) {
        self.phase = Phase::Arming;
        self.arming = now;
        self.typing = Typing::default();
    }

    /// What is on screen is no longer what was proven: wait for a new frame and a new answer.
    fn show_again(&mut self) -> Vec<GateEffect> {
        self.phase = Phase::Draining;
        self.read = false;
        self.typing = Typing::default();
        vec![GateEffect::Discard]
    }

    /// The first frame with it, and the first that shows its end, are proven to have reached the terminal.
    fn submitted(&mut self, to_its_end: bool, now: Mono) -> Vec<GateEffect> {
        let is_new = self.phase == Phase::Draining || to_its_end && !self.read;
        if !is_new {
            return Vec::new();
        }
        self.read = to_its_end;
        self.phase = Phase::Fenced;
        self.typing = Typing::default();
        self.fence = Fence { id: self.fence.id.wrapping_add(1), shown: now, answered: false };
        vec![GateEffect::Fence(self.fence.id)]
    }

    /// The terminal had the prompt at the latest now. A late answer proves that what was typed until now was not
    /// an answer to it.
    fn answered(&mut self, id: u64, now: Mono) -> Vec<GateEffect> {
        if id == self.fence.id && !self.fence.answered && self.phase != Phase::Draining {
            self.fence.answered = true;
            self.note = None;
            self.rearm(now);
        }
        Vec::new()
    }

    fn touched(&mut self, input: GateInput, now: Mono) -> Vec<GateEffect> {
        match self.phase {
            // Type-ahead by construction.
            Phase::Draining | Phase::Fenced => return Vec::new(),
            Phase::Accepted | Phase::Refused => return Vec::new(),
            Phase::Arming => {
                self.rearm(now);
                return Vec::new();
            }
            // It arrived before the delay was over and was only read late.
            Phase::Armed | Phase::Matched if now.since(self.arming) < self.delay() => {
                self.rearm(now);
                return Vec::new();
            }
            Phase::Armed | Phase::Matched => {}
        }
        match input {
            GateInput::Focus => self.rearm(now),
            GateInput::Paste => {
                self.typing = Typing::default();
                self.phase = Phase::Armed;
                self.note = Some("type it, do not paste");
            }
            GateInput::Key(GateKey::Scroll) => {}
            GateInput::Key(key) if self.plan.danger <= Danger::C1 => return self.yes_or_no(key, now),
            GateInput::Key(key) => return self.typed(key, now),
            // A held key types nothing.
            _ => {}
        }
        Vec::new()
    }

    fn yes_or_no(&mut self, key: GateKey, now: Mono) -> Vec<GateEffect> {
        match key {
            GateKey::Char('y') => self.accept(now),
            GateKey::Char('n') | GateKey::Enter => self.refuse(Refusal::Cancelled),
            _ => self.refuse(Refusal::Unlisted),
        }
    }

    fn typed(&mut self, key: GateKey, now: Mono) -> Vec<GateEffect> {
        let typing = &mut self.typing;
        let field = if typing.in_reason { &mut typing.reason } else { &mut typing.word };
        match key {
            GateKey::Char(c) if !c.is_control() && !is_hidden(c) && field.chars().count() < FIELD => field.push(c),
            GateKey::Char(_) => self.note = Some("that character is not taken"),
            GateKey::Backspace => drop(field.pop()),
            GateKey::Enter => return self.entered(now),
            GateKey::Cancel | GateKey::Scroll | GateKey::Other => return self.refuse(Refusal::Unlisted),
        }
        if !matches!(key, GateKey::Char(c) if c.is_control() || is_hidden(c)) {
            self.note = None;
        }
        self.typing.last = now;
        let complete = self.word_is_right() && (self.plan.danger < Danger::C3 || self.reason_is_given());
        self.phase = if complete { Phase::Matched } else { Phase::Armed };
        Vec::new()
    }

    fn entered(&mut self, now: Mono) -> Vec<GateEffect> {
        if self.typing.word.is_empty() {
            return self.refuse(Refusal::Cancelled);
        }
        if now.since(self.typing.last) < ENTER_GAP {
            self.note = Some("Enter came too soon after the last character; press it again");
            return Vec::new();
        }
        if !self.word_is_right() {
            let (typed, expected) = (Clean::text(&self.typing.word), Clean::text(self.plan.expected()));
            return self.refuse(Refusal::WrongText { typed, expected });
        }
        if self.plan.danger < Danger::C3 {
            return self.accept(now);
        }
        if !self.typing.in_reason {
            self.typing.in_reason = true;
            self.typing.last = now;
            self.note = Some("now the reason, at least 8 characters");
        } else if !self.reason_is_given() {
            self.note = Some("the reason needs at least 8 characters");
        } else {
            return self.accept(now);
        }
        Vec::new()
    }

    fn word_is_right(&self) -> bool {
        !self.plan.expected().is_empty() && self.typing.word == self.plan.expected()
    }

    fn reason_is_given(&self) -> bool {
        self.typing.in_reason && self.typing.reason.trim().chars().count() >= REASON
    }
}

/// Why this prompt may not even open.
fn refuses(plan: &Plan, standing: Standing, now: Mono) -> Option<Refusal> {
    let (columns, rows) = standing.size;
    match standing.mode.lapse(now) {
        Mode::ReadOnly => Some(Refusal::ReadOnly),
        _ if plan.support > standing.support => Some(Refusal::Support(plan.support, standing.support)),
        Mode::Observe if !plan.is_arming() => Some(Refusal::NotArmed),
        _ if plan.danger >= Danger::C2 && (columns < SMALLEST.0 || rows < SMALLEST.1) => {
            Some(Refusal::TooSmall(columns, rows))
        }
        _ => None,
    }
}
