//! Random documents, random operators, random worlds: what never happens, and that a walk is the fold of its steps.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Happens {
    Pass(u32),
    /// The value of this number is seen, or could not be.
    Seen(usize, Option<bool>),
    Tick,
    Say(Said),
    Ended(u128, Outcome),
    Pause,
}

const VALUES: usize = 3;

fn value(number: usize) -> String {
    format!("v{}", number % VALUES)
}

fn live() -> impl Strategy<Value = Live> {
    let condition = || (0..VALUES, 0_u64..3).prop_map(|(of, hold)| holds(&value(of), hold));
    let answer = || Condition { of: Subject::Answer("q".into()), expect: Expect::Text("yes".into()), hold: SECOND };
    prop_oneof![
        Just(Live::Read),
        condition().prop_map(Live::Check),
        Just(Live::Challenge(None)),
        Just(Live::Action("x".into(), Vec::new())),
        (prop::option::of(condition()), 1_u32..9)
            .prop_map(|(until, most)| Live::Wait(Wait { until, at_most: SECOND * most })),
        Just(Live::Ask(Ask {
            name: "q".into(),
            kind: Answer::Choice(vec!["yes".into(), "no".into()]),
            not_production: false
        })),
        condition().prop_map(Live::When),
        Just(Live::When(answer())),
    ]
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let one = (live(), 2_u8..5, any::<bool>(), prop::option::of(1_usize..4));
    vec(one, 0..9).prop_map(|made| {
        let count = made.len();
        let named = made.into_iter().enumerate().map(|(at, (live, depth, memory, go))| {
            let go = go.map(|by| at + by).filter(|to| *to < count).map(|to| to.to_string().into());
            Item { depth, memory, go, ..item(&at.to_string(), live) }
        });
        named.collect()
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::{Failed, Indeterminate, Refused, Succeeded, Unverified};
    prop::sample::select(vec![Succeeded, Succeeded, Failed, Unverified, Indeterminate, Refused])
}

fn said() -> impl Strategy<Value = Said> {
    let reason = || prop::sample::select(vec!["", "short", "long enough"]).prop_map(Clean::from);
    prop_oneof![
        6 => prop::sample::select(vec!["", "yes", "no", "7"]).prop_map(|text| Said::Observed(text.into())),
        2 => (prop::option::of(0_u32..9), reason()).prop_map(|(s, why)| Said::Defer(s.map(|s| SECOND * s), why)),
        2 => reason().prop_map(Said::Override),
        2 => reason().prop_map(Said::Failed),
        2 => (0_usize..9).prop_map(Said::Reopen),
        4 => (0_u128..4).prop_map(|plan| Said::Launched(Ulid(plan))),
        3 => Just(Said::Resume),
        2 => Just(Said::Due),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (1_u32..6).prop_map(Happens::Pass),
        4 => (0..VALUES, prop::sample::select(vec![Some(true), Some(true), Some(false), None]))
            .prop_map(|(of, holds)| Happens::Seen(of, holds)),
        6 => Just(Happens::Tick),
        8 => said().prop_map(Happens::Say),
        3 => (0_u128..4, outcome()).prop_map(|(plan, outcome)| Happens::Ended(plan, outcome)),
        1 => Just(Happens::Pause),
    ]
}

/// What a second reader of the steps knows: not the walk's own word.
struct Witness {
    current: Option<(Arc<str>, Now)>,
    acting: HashMap<Arc<str>, Ulid>,
}

impl Witness {
    fn hear(&mut self, bench: &Bench, by: &Happens, steps: &[Step]) -> Result<(), TestCaseError> {
        for step in steps {
            let Some(id) = step.item.clone() else { continue };
            let at: usize = id.parse().unwrap();
            let live = &bench.walk.document.items[at].live;
            let said = matches!(by, Happens::Say(_));
            match &step.to {
                Turn::Current => self.current = Some((id, step.at)),
                Turn::Item(State::Sensed) => {
                    prop_assert!(matches!(by, Happens::Tick) && step.who.is_none());
                    let (current, since) = self.current.clone().unwrap();
                    prop_assert_eq!(&current, &id, "only what is current ticks");
                    if let Some(Condition { of: Subject::Query(look), hold, .. }) = bench.walk.condition(at) {
                        let (holds, seen) = bench.world.0[&look.label];
                        prop_assert_eq!(holds, Some(true));
                        prop_assert!(seen > since.mono && seen.since(since.mono) >= *hold, "seen before, or too short");
                    }
                }
                Turn::Item(State::Observed) => {
                    prop_assert!(said && step.who.is_some());
                    let by_itself = matches!(live, Live::Check(_) | Live::Action(..) | Live::Wait(_));
                    prop_assert!(!by_itself, "{:?}", live);
                }
                Turn::Item(State::Overridden) => {
                    prop_assert!(said && step.who.is_some() && step.text.as_str().len() >= 8);
                }
                Turn::Item(State::Deferred(_)) => {
                    prop_assert!(said && step.who.is_some() && !step.text.as_str().is_empty());
                }
                Turn::Item(State::Acting(plan)) => {
                    prop_assert!(matches!(by, Happens::Say(Said::Launched(asked)) if asked == plan));
                    prop_assert!(matches!(live, Live::Action(..)));
                    prop_assert_eq!(self.acting.insert(id, *plan), None, "twice");
                }
                Turn::Item(State::Acted(outcome)) => {
                    let told = matches!(by, Happens::Ended(plan, ended) if self.acting.remove(&id) == Some(Ulid(*plan)) && ended == outcome);
                    prop_assert!(told);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn carry_out(bench: &mut Bench, what: &Happens) -> Vec<Step> {
    match what {
        Happens::Pass(seconds) => bench.pass(SECOND * *seconds),
        Happens::Seen(of, holds) => bench.see(&value(*of), *holds),
        Happens::Tick => return bench.tick(),
        Happens::Say(said) => {
            let before = (bench.walk.marks.clone(), bench.walk.current, bench.walk.standing.clone());
            let done = bench.say(said.clone());
            let same = before == (bench.walk.marks.clone(), bench.walk.current, bench.walk.standing.clone());
            assert!(done.is_ok() || same, "refused, and yet something changed");
            return done.unwrap_or_default();
        }
        Happens::Ended(plan, outcome) => return bench.ended(*plan, *outcome),
        Happens::Pause => {
            let steps = bench.walk.pause(&"terminal lost".into(), bench.now);
            bench.steps.extend(steps.clone());
            return steps;
        }
    }
    Vec::new()
}

/// What is true of every walk at every moment.
fn sound(bench: &Bench) -> Result<(), TestCaseError> {
    let walk = &bench.walk;
    let deferred = walk.deferred();
    match walk.standing {
        Standing::Running | Standing::Paused => {
            prop_assert!(walk.current < walk.marks.len());
            prop_assert_ne!(walk.state(walk.current), &State::NotNeeded);
            let settled = walk.is_settled(walk.current);
            prop_assert!(!settled || walk.standing == Standing::Paused, "nothing is asked, and it does not go on");
        }
        Standing::Complete => prop_assert_eq!(deferred, 0),
        Standing::CompleteExcept(left) => prop_assert!(left > 0 && left == deferred),
        Standing::Abandoned => {}
    }
    let acting = walk.marks.iter().enumerate().filter(|(_, mark)| matches!(mark.state, State::Acting(_)));
    for (at, _) in acting {
        prop_assert_eq!(at, walk.current, "an action runs that is not the current one");
    }
    let (n, m) = walk.position();
    prop_assert!(n <= m);
    Ok(())
}

/// Whoever says yes to everything, or gives a reason, comes to the end.
fn finish(bench: &mut Bench) -> Result<(), TestCaseError> {
    for _ in 0..200 {
        if bench.walk.standing == Standing::Complete {
            return Ok(());
        }
        bench.pass(SECOND * 10);
        bench.tick();
        if let Some(plan) = bench.walk.in_flight() {
            bench.ended(plan.0, Outcome::Unverified);
        }
        let back = bench.walk.marks.iter().position(|mark| matches!(mark.state, State::Deferred(_)));
        let _may_not = match (&bench.walk.standing, back) {
            (Standing::Paused, _) => bench.say(Said::Resume),
            (Standing::CompleteExcept(_), Some(at)) => bench.say(Said::Reopen(at)),
            _ => bench.say(Said::Override("to the end of it".into())),
        };
    }
    Err(TestCaseError::fail(format!("it never ends: {:?} {:?}", bench.words(), bench.walk.standing)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_done_by_itself_and_the_file_remembers_everything(items in items(), stream in vec(happens(), 0..60)) {
        let mut bench = Bench::new(items);
        let mut witness = Witness { current: None, acting: HashMap::new() };
        let begun = bench.steps.clone();
        witness.hear(&bench, &Happens::Tick, &begun)?;
        for what in &stream {
            let before = (bench.walk.standing.clone(), bench.walk.current, bench.walk.state(bench.walk.current).clone());
            let steps = carry_out(&mut bench, what);
            witness.hear(&bench, what, &steps)?;
            sound(&bench)?;
            if before.0 == Standing::Paused && !matches!(what, Happens::Say(Said::Resume | Said::Abandon(_))) {
                prop_assert_eq!((&before.0, before.1), (&bench.walk.standing, bench.walk.current), "moved while nobody was there");
            }
            if before.2 == State::Acted(Outcome::Indeterminate) && !matches!(what, Happens::Say(Said::Override(_) | Said::Failed(_))) {
                prop_assert_eq!(before.1, bench.walk.current, "went on although nobody knows");
            }
            if matches!(before.2, State::Acting(_)) && !matches!(what, Happens::Ended(..)) {
                prop_assert_eq!(before.1, bench.walk.current, "went on while an action runs");
            }
        }
        prop_assert_eq!(bench.same_as_its_steps(), Ok(()));
        finish(&mut bench)?;
        sound(&bench)?;
        prop_assert_eq!(bench.same_as_its_steps(), Ok(()));
    }
}
