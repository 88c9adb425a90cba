//! The gate: each rule of the prompt by itself, then random operators on slow lines in virtual time.

use crate::support::{at, plan};
use std::collections::BTreeMap;
use std::time::Duration;
use watchkeeper::action::gate::{ENTER_GAP, FENCE_WAIT, Gate};
use watchkeeper::action::mode::{Mode, Standing};
use watchkeeper::action::plan::{Danger, Plan};
use watchkeeper::action::prompt::{Acceptance, Extent, GateEffect, GateInput, GateKey, Phase, Refusal};
use watchkeeper::base::backoff::Jitter;
use watchkeeper::base::{Mono, Support};

fn standing() -> Standing {
    Standing { mode: Mode::Armed { until: at(10_000_000) }, support: Support::L1, size: (80, 24) }
}

/// A prompt that was shown and answered its fence at 100 ms.
fn shown(danger: Danger) -> Gate {
    let (mut gate, effects) = Gate::open(plan(danger), standing(), at(0));
    assert_eq!(effects, [GateEffect::Discard]);
    let effects = gate.handle(GateInput::Submitted(Extent::End), at(50));
    let [GateEffect::Fence(id)] = effects[..] else { panic!("{effects:?}") };
    assert!(gate.handle(GateInput::Fence(id), at(100)).is_empty());
    gate
}

fn armed(danger: Danger) -> Gate {
    let mut gate = shown(danger);
    gate.tick(at(1_600));
    assert_eq!(gate.view(at(1_600)).phase, Phase::Armed);
    gate
}

fn key(c: char) -> GateInput {
    GateInput::Key(GateKey::Char(c))
}

const ENTER: GateInput = GateInput::Key(GateKey::Enter);
const SCROLL: GateInput = GateInput::Key(GateKey::Scroll);
/// What is typed as a reason where one is asked for.
const REASON: &str = "the guide says so";

/// Types `word` from `from` on, 10 ms a character; the time of the last one.
fn write(gate: &mut Gate, word: &str, from: u64) -> u64 {
    let mut time = from;
    for c in word.chars() {
        time += 10;
        assert_eq!(gate.handle(key(c), at(time)), []);
    }
    time
}

fn refusal(effects: &[GateEffect]) -> &Refusal {
    match effects {
        [GateEffect::Refused(refusal)] => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn accepted(effects: &[GateEffect]) -> &Acceptance {
    match effects {
        [GateEffect::Accepted(acceptance)] => acceptance,
        other => panic!("not accepted: {other:?}"),
    }
}

#[test]
fn the_verb_typed_after_arming_and_enter_accept_once() {
    let mut gate = armed(Danger::C2);
    let time = write(&mut gate, "reduce", 2_000);
    assert_eq!(gate.view(at(time)).phase, Phase::Matched);
    let effects = gate.handle(ENTER, at(time + 100));
    let acceptance = accepted(&effects);
    assert!(acceptance.confirm.fence);
    assert_eq!(acceptance.confirm.shown_ms, time + 100 - 50);
    assert_eq!(gate.handle(ENTER, at(time + 300)), [], "a second Enter finds the plan consumed");
}

#[test]
fn enter_too_soon_is_ignored_and_said() {
    let mut gate = armed(Danger::C2);
    let time = write(&mut gate, "reduce", 2_000);
    assert_eq!(gate.handle(ENTER, at(time + 99)), []);
    assert!(gate.view(at(time + 99)).note.unwrap().contains("too soon"));
    accepted(&gate.handle(ENTER, at(time + 120)));
}

#[test]
fn everything_else_means_no() {
    let cases: &[(&[GateInput], Refusal)] = &[
        (&[ENTER], Refusal::Cancelled),
        (&[GateInput::Key(GateKey::Cancel)], Refusal::Cancelled),
        (&[GateInput::Key(GateKey::Other)], Refusal::Unlisted),
        (&[GateInput::Suspended], Refusal::Suspended),
        (&[GateInput::HungUp], Refusal::HungUp),
        (&[GateInput::Lapsed], Refusal::NotArmed),
        (&[GateInput::Resize(59, 24)], Refusal::TooSmall(59, 24)),
        (&[GateInput::Resize(80, 15)], Refusal::TooSmall(80, 15)),
        (&[GateInput::Submitted(Extent::Cut)], Refusal::NotWhole),
    ];
    for (inputs, expected) in cases {
        let mut gate = armed(Danger::C2);
        let effects: Vec<GateEffect> = inputs.iter().flat_map(|input| gate.handle(*input, at(2_000))).collect();
        assert_eq!(refusal(&effects), expected);
        assert_eq!(gate.handle(key('r'), at(3_000)), []);
    }
    let mut gate = armed(Danger::C2);
    let time = write(&mut gate, "Reduce", 2_000);
    let effects = gate.handle(ENTER, at(time + 200));
    assert_eq!(refusal(&effects).to_string(), "cancelled: `Reduce` was typed, not `reduce`.");
    let mut gate = armed(Danger::C2);
    assert_eq!(refusal(&gate.tick(at(60_000))), &Refusal::Expired);
}

#[test]
fn a_prompt_does_not_even_open_where_it_may_not() {
    let open = |plan: Plan, standing: Standing| Gate::open(plan, standing, at(0)).1;
    let with = |mode| Standing { mode, ..standing() };
    assert_eq!(refusal(&open(plan(Danger::C2), with(Mode::Observe))), &Refusal::NotArmed);
    assert_eq!(refusal(&open(plan(Danger::C2), with(Mode::ReadOnly))), &Refusal::ReadOnly);
    assert_eq!(refusal(&open(plan(Danger::C2), with(Mode::Armed { until: at(0) }))), &Refusal::NotArmed);
    let small = Standing { size: (60, 15), ..standing() };
    assert_eq!(refusal(&open(plan(Danger::C2), small)), &Refusal::TooSmall(60, 15));
    assert_eq!(open(plan(Danger::C1), small), [GateEffect::Discard]);
    let observer = Standing { support: Support::L0, ..standing() };
    assert_eq!(refusal(&open(plan(Danger::C2), observer)), &Refusal::Support(Support::L1, Support::L0));
    // Nobody arms for what he may not do anyway.
    let unarmed = Standing { mode: Mode::Observe, ..observer };
    assert_eq!(refusal(&open(plan(Danger::C2), unarmed)), &Refusal::Support(Support::L1, Support::L0));
}

#[test]
fn arming_is_a_plan_of_its_own_and_needs_no_arming() {
    let base = plan(Danger::C2);
    let arm = Plan::arm(base.id, base.place, base.who, base.made);
    let observe = Standing { mode: Mode::Observe, size: (40, 10), ..standing() };
    let (mut gate, effects) = Gate::open(arm.clone(), observe, at(0));
    assert_eq!(effects, [GateEffect::Discard]);
    let [GateEffect::Fence(id)] = gate.handle(GateInput::Submitted(Extent::End), at(0))[..] else { panic!() };
    gate.handle(GateInput::Fence(id), at(1));
    gate.tick(at(401));
    assert!(accepted(&gate.handle(key('y'), at(402))).plan.is_arming());
    let read_only = Standing { mode: Mode::ReadOnly, ..standing() };
    assert_eq!(refusal(&Gate::open(arm, read_only, at(0)).1), &Refusal::ReadOnly);
}

#[test]
fn keys_before_the_fence_are_dropped_and_keys_while_arming_start_the_delay_again() {
    let mut gate = shown(Danger::C1);
    assert_eq!(gate.handle(key('y'), at(499)), []);
    gate.tick(at(898));
    assert_eq!(gate.view(at(898)).phase, Phase::Arming);
    assert!((gate.view(at(699)).armed_fraction - 0.5).abs() < 0.01);
    gate.tick(at(899));
    accepted(&gate.handle(key('y'), at(900)));
    let (mut gate, _) = Gate::open(plan(Danger::C1), standing(), at(0));
    assert_eq!(gate.handle(key('y'), at(1)), []);
    gate.handle(GateInput::Submitted(Extent::End), at(2));
    assert_eq!(gate.handle(key('y'), at(500)), [], "typed before the terminal proved that it had the prompt");
}

#[test]
fn a_key_that_arrived_before_arming_but_is_read_late_does_not_count() {
    let mut gate = shown(Danger::C1);
    gate.tick(at(2_000));
    assert_eq!(gate.view(at(2_000)).phase, Phase::Armed);
    assert_eq!(gate.handle(key('y'), at(300)), []);
    assert_eq!(gate.view(at(300)).phase, Phase::Arming);
}

#[test]
fn without_an_answer_the_delay_doubles_and_a_late_answer_starts_it_again() {
    let (mut gate, _) = Gate::open(plan(Danger::C2), standing(), at(0));
    let [GateEffect::Fence(id)] = gate.handle(GateInput::Submitted(Extent::End), at(0))[..] else { panic!() };
    gate.tick(at(3_000));
    assert!(gate.view(at(3_000)).note.unwrap().contains("doubled"));
    gate.tick(at(4_599));
    assert_eq!(gate.view(at(4_599)).phase, Phase::Arming);
    gate.tick(at(4_600));
    let mut late = gate.clone();
    let time = write(&mut gate, "reduce", 4_700);
    assert!(!accepted(&gate.handle(ENTER, at(time + 100))).confirm.fence);
    let time = write(&mut late, "reduce", 4_700);
    late.handle(GateInput::Fence(id), at(time + 1));
    assert_eq!(late.handle(ENTER, at(time + 200)), [], "what was typed before the late answer is forgotten");
    assert_eq!(late.view(at(time + 200)).typed, "");
}

#[test]
fn pastes_clear_repeats_are_dropped_focus_and_stall_disarm() {
    let mut gate = armed(Danger::C2);
    write(&mut gate, "reduce", 2_000);
    gate.handle(GateInput::Paste, at(2_100));
    assert_eq!((gate.view(at(2_100)).typed, gate.view(at(2_100)).note), ("", Some("type it, do not paste")));
    let time = write(&mut gate, "reduc", 2_200);
    gate.handle(GateInput::Repeat, at(time + 1));
    assert_eq!(gate.view(at(time)).typed, "reduc");
    gate.handle(GateInput::Focus, at(time + 2));
    assert_eq!((gate.view(at(time + 2)).phase, gate.view(at(time + 2)).typed), (Phase::Arming, ""));
    for input in [GateInput::Stalled, GateInput::Resize(100, 30)] {
        let mut gate = armed(Danger::C2);
        write(&mut gate, "reduce", 2_000);
        assert_eq!(gate.handle(input, at(2_100)), [GateEffect::Discard]);
        assert_eq!(gate.handle(ENTER, at(2_300)), []);
        let effects = gate.handle(GateInput::Submitted(Extent::End), at(2_400));
        assert!(matches!(effects[..], [GateEffect::Fence(_)]), "it must be shown and proven again");
    }
}

#[test]
fn an_answer_to_an_older_frame_proves_nothing() {
    let (mut gate, _) = Gate::open(plan(Danger::C2), standing(), at(0));
    let [GateEffect::Fence(old)] = gate.handle(GateInput::Submitted(Extent::End), at(0))[..] else { panic!() };
    gate.handle(GateInput::Resize(100, 30), at(10));
    gate.handle(GateInput::Fence(old), at(15));
    let [GateEffect::Fence(new)] = gate.handle(GateInput::Submitted(Extent::End), at(20))[..] else { panic!() };
    assert_ne!(old, new);
    gate.handle(GateInput::Fence(old), at(30));
    assert_eq!(gate.view(at(30)).phase, Phase::Fenced);
    gate.handle(GateInput::Fence(new), at(40));
    assert_eq!(gate.view(at(40)).phase, Phase::Arming);
}

#[test]
fn backspace_mends_and_hidden_characters_are_not_taken() {
    let mut gate = armed(Danger::C2);
    let time = write(&mut gate, "rex", 2_000);
    gate.handle(GateInput::Key(GateKey::Backspace), at(time));
    gate.handle(key('\u{202e}'), at(time));
    let time = write(&mut gate, "duce", time);
    accepted(&gate.handle(ENTER, at(time + 100)));
}

#[test]
fn the_heaviest_prompt_wants_the_target_and_a_reason() {
    let mut gate = armed(Danger::C3);
    let time = write(&mut gate, "gpu-07/production.toml", 2_000);
    assert_eq!(gate.handle(ENTER, at(time + 100)), []);
    let time = write(&mut gate, "why not", time + 100);
    assert_eq!(gate.handle(ENTER, at(time + 100)), []);
    assert!(gate.view(at(time)).note.unwrap().contains("8 characters"));
    let time = write(&mut gate, " INC-1", time + 200);
    gate.handle(GateInput::Key(GateKey::Scroll), at(time + 110));
    let effects = gate.handle(ENTER, at(time + 200));
    assert_eq!(accepted(&effects).confirm.reason.as_ref().unwrap().as_str(), "why not INC-1");
}

#[test]
fn a_prompt_that_is_not_whole_on_the_frame_is_refused_at_every_danger() {
    let base = plan(Danger::C2);
    let arm = Plan::arm(base.id, base.place, base.who, base.made);
    for plan in [arm, plan(Danger::C1), plan(Danger::C2), plan(Danger::C3)] {
        let (mut gate, effects) = Gate::open(plan, standing(), at(0));
        assert_eq!(effects, [GateEffect::Discard]);
        assert_eq!(refusal(&gate.handle(GateInput::Submitted(Extent::Cut), at(50))), &Refusal::NotWhole);
        assert_eq!(gate.handle(key('y'), at(5_000)), []);
    }
}

// ---- random operators on slow lines ----

/// What happens at one moment of virtual time.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Reaches the gate; `typed` is when the operator did it.
    Input {
        input: GateInput,
        typed: u64,
    },
    /// The shell hands over a frame with the prompt.
    Draw,
    /// The frame is on the operator's screen.
    Seen,
    Tick,
}

struct World {
    random: Jitter,
    queue: BTreeMap<(u64, u64), Event>,
    order: u64,
    /// When the last byte up and down arrives: lines keep their order.
    up: u64,
    down: u64,
    /// No message takes longer, in milliseconds.
    slow: u64,
    /// No message takes less.
    least: u64,
    answers: bool,
    /// The plan is longer than the screen, until it was scrolled to its end.
    unread: bool,
}

impl World {
    fn up_to(&mut self, limit: u64) -> u64 {
        self.random.next() % limit
    }

    fn push(&mut self, time: u64, event: Event) {
        self.order += 1;
        self.queue.insert((time, self.order), event);
    }

    fn arrive_up(&mut self, sent: u64) -> u64 {
        let late = self.least + self.up_to(self.slow - self.least);
        self.up = self.up.max(sent + late);
        self.up
    }

    fn arrive_down(&mut self, sent: u64) -> u64 {
        let late = self.least + self.up_to(self.slow - self.least);
        self.down = self.down.max(sent + late);
        self.down
    }

    fn send(&mut self, input: GateInput, typed: u64) {
        let time = self.arrive_up(typed);
        self.push(time, Event::Input { input, typed });
    }

    fn next(&mut self) -> Option<(u64, Event)> {
        self.queue.pop_first().map(|((time, _), event)| (time, event))
    }

    /// What a frame shows now.
    fn extent(&mut self) -> Extent {
        match self.up_to(100) {
            0 => Extent::Cut,
            _ if self.unread => Extent::Begun,
            _ => Extent::End,
        }
    }

    /// An operator who types roughly the right thing at roughly any time.
    fn operator(&mut self, word: &str, reason: &str) {
        let mut time = self.up_to(9_000);
        if self.up_to(8) > 0 {
            let moment = self.up_to(4_000);
            self.send(SCROLL, moment);
        }
        let pace = if self.up_to(2) == 0 { 120 } else { 900 };
        for _ in 0..self.up_to(3) {
            let moment = self.up_to(6_000);
            let input = match self.up_to(12) {
                0 => GateInput::Suspended,
                1 => GateInput::HungUp,
                2 => GateInput::Lapsed,
                3 => GateInput::Resize(59, 15),
                4..8 => GateInput::Resize(100, 30),
                _ => GateInput::Stalled,
            };
            self.push(moment, Event::Input { input, typed: moment });
        }
        for _ in 0..=self.up_to(3) {
            for c in word.chars() {
                time += self.up_to(pace);
                match self.up_to(60) {
                    0 => self.send(GateInput::Key(GateKey::Char('x')), time),
                    1 => self.send(GateInput::Paste, time),
                    2 => self.send(GateInput::Repeat, time),
                    3 => self.send(GateInput::Focus, time),
                    4 => self.push(time, Event::Input { input: GateInput::Resize(80, 24), typed: time }),
                    5 => self.push(time, Event::Input { input: GateInput::Stalled, typed: time }),
                    6 => self.send(GateInput::Key(GateKey::Backspace), time),
                    7 => self.send(SCROLL, time),
                    _ => {}
                }
                self.send(GateInput::Key(GateKey::Char(c)), time);
            }
            time += self.up_to(400);
            self.send(ENTER, time);
            if !reason.is_empty() && self.up_to(8) > 0 {
                for c in reason.chars().take(if self.up_to(6) == 0 { 7 } else { 99 }) {
                    time += self.up_to(pace);
                    self.send(GateInput::Key(GateKey::Char(c)), time);
                }
                time += self.up_to(400);
                self.send(ENTER, time);
            }
            time += self.up_to(2_500);
        }
    }
}

/// A line, an operator at it, and how heavy the plan is.
fn world(seed: u64) -> (World, Danger) {
    let mut random = Jitter(seed);
    let danger = match random.next() % 4 {
        0 => Danger::C1,
        1 => Danger::C3,
        _ => Danger::C2,
    };
    let slow = if random.unit() < 0.5 { 1 + random.next() % 3_000 } else { 60 };
    let least = random.next() % slow;
    let answers = random.unit() < 0.85;
    let unread = random.unit() < 0.3;
    let mut world = World { random, queue: BTreeMap::new(), order: 0, up: 0, down: 0, slow, least, answers, unread };
    world.operator(plan(danger).expected(), if danger == Danger::C3 { REASON } else { "" });
    let draw = world.up_to(300);
    world.push(draw, Event::Draw);
    for tick in 0..200 {
        world.push(tick * 100, Event::Tick);
    }
    (world, danger)
}

/// One stream; true when it ended in an act.
fn stream(seed: u64) -> bool {
    let (mut world, danger) = world(seed);
    let (mut gate, _) = Gate::open(plan(danger), standing(), at(0));
    let word = gate.plan().expected().to_owned();
    let mut log: Vec<(u64, GateInput, u64)> = Vec::new();
    let (mut drawn, mut seen, mut read) = (None, None, false);
    while let Some((time, event)) = world.next() {
        let effects = match event {
            Event::Tick => gate.tick(at(time)),
            Event::Seen => {
                seen = Some(time);
                Vec::new()
            }
            Event::Draw => {
                let extent = world.extent();
                let effects = gate.handle(GateInput::Submitted(extent), at(time));
                read |= extent == Extent::End;
                if let [GateEffect::Fence(id)] = effects[..] {
                    drawn = Some(time);
                    seen = None;
                    let shown = world.arrive_down(time);
                    world.push(shown, Event::Seen);
                    if world.answers {
                        world.send(GateInput::Fence(id), shown);
                    }
                    Vec::new()
                } else {
                    effects
                }
            }
            Event::Input { input, typed } => {
                log.push((time, input, typed));
                if input == SCROLL {
                    world.unread = false;
                    let frame = time + world.up_to(100);
                    world.push(frame, Event::Draw);
                }
                gate.handle(input, at(time))
            }
        };
        for effect in effects {
            match effect {
                GateEffect::Discard => {
                    let again = time + world.up_to(100);
                    world.push(again, Event::Draw);
                }
                GateEffect::Accepted(acceptance) => {
                    assert!(read, "seed {seed}: nobody saw the end of it");
                    judge(seed, time, &acceptance, &log, drawn, seen, &word, danger);
                    assert!(gate.handle(ENTER, at(time + 500)).is_empty(), "seed {seed}: acted twice");
                    return true;
                }
                GateEffect::Refused(_) => return false,
                GateEffect::Fence(_) => panic!("seed {seed}: a fence without a frame"),
            }
        }
    }
    false
}

fn milliseconds(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap()
}

/// The oracle: what the law says of an act, told from the outside.
#[expect(clippy::too_many_arguments, reason = "all that the world knows about one act")]
fn judge(
    seed: u64,
    time: u64,
    acceptance: &Acceptance,
    log: &[(u64, GateInput, u64)],
    drawn: Option<u64>,
    seen: Option<u64>,
    word: &str,
    danger: Danger,
) {
    let (drawn, seen) = (drawn.expect("never drawn"), seen.unwrap_or_else(|| panic!("seed {seed}: never seen")));
    assert!(seen <= time, "seed {seed}: acted before it was on screen");
    let quiet = milliseconds(danger.arm_delay());
    // Keys since the last thing that disarms.
    let disturbs = |input: &GateInput| {
        matches!(
            input,
            GateInput::Focus | GateInput::Paste | GateInput::Resize(..) | GateInput::Stalled | GateInput::Fence(_)
        )
    };
    let from = log.iter().rposition(|(_, input, _)| disturbs(input)).map_or(0, |at| at + 1);
    let answer =
        answer(&log[from..], word, danger).unwrap_or_else(|| panic!("seed {seed}: not the right text: {log:?}"));
    let first = log[from + answer];
    if acceptance.confirm.fence {
        for (_, _, typed) in &log[from + answer..] {
            assert!(*typed >= seen, "seed {seed}: typed at {typed}, seen at {seen}");
        }
    } else {
        let wait = milliseconds(FENCE_WAIT) + 2 * quiet;
        assert!(first.0 >= drawn + wait, "seed {seed}: no answer from the terminal and no doubled delay");
    }
    // Before the first character of the answer the prompt stood untouched for the whole delay.
    let before =
        log[..from + answer].iter().rev().find(|(_, input, _)| *input != GateInput::Paste).map_or(0, |row| row.0);
    let shown = before.max(drawn);
    if log[..from + answer].last().is_none_or(|(_, input, _)| *input != GateInput::Paste)
        && !counts(&log[..from + answer])
    {
        assert!(first.0 >= shown + quiet, "seed {seed}: answered {} ms after the last disturbance", first.0 - shown);
    }
    if danger >= Danger::C2 {
        let last =
            log[..log.len() - 1].iter().rev().find(|(_, input, _)| matches!(input, GateInput::Key(GateKey::Char(_))));
        let gap = Duration::from_millis(time - last.map_or(0, |row| row.0));
        assert!(gap >= ENTER_GAP, "seed {seed}: Enter {gap:?} after the last character");
    }
}

/// Whether the input just before the answer was itself taken by an armed prompt (an Enter too soon, a mended slip).
fn counts(log: &[(u64, GateInput, u64)]) -> bool {
    matches!(
        log.last(),
        Some((
            _,
            GateInput::Key(GateKey::Backspace | GateKey::Enter | GateKey::Char(_) | GateKey::Scroll)
                | GateInput::Repeat,
            _
        ))
    )
}

/// Where in `log` the right text begins that its last input completes, if it does.
fn answer(log: &[(u64, GateInput, u64)], word: &str, danger: Danger) -> Option<usize> {
    if danger == Danger::C1 {
        return (log.last()?.1 == key('y')).then(|| log.len() - 1);
    }
    let (last, keys) = log.split_last()?;
    (0..keys.len()).rev().find(|start| {
        let (mut typed, mut fields, mut before) = (String::new(), Vec::new(), 0);
        for (time, input, _) in &keys[*start..] {
            match input {
                GateInput::Key(GateKey::Char(c)) => typed.push(*c),
                GateInput::Key(GateKey::Backspace) => drop(typed.pop()),
                // One that came too soon is none, nor is one after too short a reason.
                GateInput::Key(GateKey::Enter) if time - before >= milliseconds(ENTER_GAP) && fields.is_empty() => {
                    fields.push(core::mem::take(&mut typed));
                }
                _ => continue,
            }
            before = *time;
        }
        fields.push(typed);
        let right = match &fields[..] {
            [field] => danger < Danger::C3 && field == word,
            [field, reason] => danger == Danger::C3 && field == word && reason.trim().len() >= 8,
            _ => false,
        };
        last.1 == ENTER && right
    })
}

#[test]
fn no_random_stream_acts_without_a_shown_prompt_and_the_right_text_after_arming() {
    // 10^4 here; WATCHKEEPER_STREAMS=1000000 by hand.
    let streams = std::env::var("WATCHKEEPER_STREAMS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_u64);
    let acts = (0..streams).filter(|seed| stream(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))).count();
    let acts = u64::try_from(acts).unwrap();
    // The test means something only if operators do get through when they do it right.
    assert!(acts * 50 > streams, "only {acts} of {streams} streams ended in an act");
    assert!(acts < streams);
}

#[test]
fn time_alone_never_acts() {
    for danger in [Danger::C1, Danger::C2, Danger::C3] {
        let mut gate = armed(danger);
        let mut time = 1_600;
        while !gate.is_over() {
            time += 100;
            let next: Option<Mono> = gate.next();
            assert!(next.is_some());
            for effect in gate.tick(at(time)) {
                assert_eq!(effect, GateEffect::Refused(Refusal::Expired));
            }
        }
        assert_eq!(u128::from(time), danger.expires().as_millis());
    }
}
