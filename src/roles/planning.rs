//! Plans, made beside the loop: one at a time for the prompt, one after the other for the list of actions. One that
//! hangs on a dead mount is told and left behind; where several hang, none is begun.

use super::effects::{place, worker};
use super::session::Shared;
use crate::action::kinds;
use crate::action::lifecycle::earlier;
use crate::action::plan::{Plan, Where};
use crate::action::prepare::{AGAIN, Context, Depth, prepare_or_why};
use crate::action::reach::Reach;
use crate::action::refused::Refused;
use crate::action::right::Right;
use crate::action::rights::Rights;
use crate::app::readings::Snapshot;
use crate::app::survey::{Answer, Bar, Offer};
use crate::app::{Msg, Request};
use crate::base::{Body, Clean, Clock, Fault, Mono, Support, Wall};
use crate::config::profile::{ActionSpec, Trust};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::host::Login;
use crate::sys::logind;
use crate::sys::random;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};

/// A plan takes no longer (safety.md 4.3).
const PLANNING: Duration = Duration::from_secs(5);
/// So many may be under way, those that hang counted.
const MOST: usize = 4;
/// The list of actions leaves the rest of them to the prompt.
const MOST_LISTED: usize = 2;
/// So many surveys may be under way, those counted whose list was left while they waited for an answer.
const SURVEYS: usize = 2;

/// What is being planned.
#[derive(Default)]
pub(super) struct Planners {
    one: Option<Planning>,
    /// Every thread that surveys the actions holds one of it.
    surveying: Arc<()>,
    /// Dropped when the list of actions is left: then its thread looks at no more of them.
    listed: Option<Arc<()>>,
    /// Every planner's thread holds one of it.
    under_way: Arc<()>,
}

/// The one plan that is wanted.
struct Planning {
    request: Request,
    title: Clean,
    begun: Mono,
    answer: Receiver<Result<Box<Plan>, Fault>>,
}

/// What a plan is made from besides its action.
pub(super) struct Here {
    state: PathBuf,
    place: Where,
    login: Login,
    profile: String,
    readings: Snapshot,
    depth: Depth,
    reach: Reach,
}

impl Here {
    /// As the session has it, for a plan that is shown. A plan asks managers by the profile's own commands: not by those of
    /// one that others may write to. Where only the journal is missing it is shown, so that its commands can be copied.
    pub(super) fn of(shared: &Shared, readings: Snapshot) -> Result<Self, Fault> {
        if let Trust::DisplayOnly(fault) = &shared.profile.trust {
            return Err(fault.clone());
        }
        // Where nothing is kept nothing is done either: the plan is only shown.
        let state = shared.state_dir.clone().unwrap_or_else(|| PathBuf::from("/nonexistent"));
        let launcher = shared.launcher.as_ref();
        Ok(Self {
            state,
            place: place(shared),
            login: shared.login.clone(),
            profile: shared.profile_name.clone(),
            readings,
            // A console that only looks runs no program that shows what would be done.
            depth: if launcher.is_some() { Depth::Preview } else { Depth::Look },
            reach: launcher.map_or(Reach::World, |launcher| launcher.reach().clone()),
        })
    }

    /// The same where what is planned can be done.
    pub(super) fn acting(shared: &Shared, readings: Snapshot) -> Result<Self, Fault> {
        match (shared.no_acting(), &shared.state_dir) {
            (None, Some(_)) => Self::of(shared, readings),
            (Some(fault), _) => Err(fault),
            (None, None) => Err(Fault::new("there is no folder for its run.")),
        }
    }

    /// The same for the list of actions: else what every row of it says.
    pub(super) fn offering(shared: &Shared, readings: Snapshot) -> Result<Self, Offer> {
        let display_only = shared.unrecorded.is_none() && matches!(shared.profile.trust, Trust::DisplayOnly(_));
        let bar = if display_only { Bar::NotPermitted } else { Bar::Precondition };
        Self::acting(shared, readings).map_err(|fault| Offer::NotNow(bar, fault))
    }

    /// Whether an action could be planned, without its preview. A right that is lacking comes before all else: no waiting
    /// mends it. Who ought to do it is told where it can be done.
    fn offer(&self, spec: &ActionSpec) -> Offer {
        let [.., highest] = Support::ALL;
        let right = Rights::new(&self.login, highest, &RealClock).of(&spec.kind, &spec.body);
        if let Right::Lacks(lack) = right {
            return Offer::NotNow(Bar::NotPermitted, lack.fault);
        }
        let answer = |server, said| Offer::Server(Box::new(Answer { server, at: RealClock.now().mono, said }));
        match (self.plan(spec, (Depth::Look, &[])), server(spec)) {
            (Ok(plan), None) => Offer::Can(plan.danger, plan.support),
            (Ok(plan), Some(server)) => {
                let which = plan.based_on.iter().find(|row| row.label.as_str() == "server");
                let which = which.map_or_else(Clean::default, |row| row.value.clone());
                answer(server, Ok((plan.danger, plan.support, which)))
            }
            (Err(Refused::CoolingDown(fault)), _) => Offer::NotNow(Bar::CoolingDown, fault),
            (Err(Refused::Precondition(fault)), None) => Offer::NotNow(Bar::Precondition, fault),
            (Err(Refused::Precondition(fault)), Some(server)) => answer(server, Err(fault)),
        }
    }

    fn plan(&self, spec: &ActionSpec, how: (Depth, &[(Clean, Clean)])) -> Result<Plan, Refused> {
        let seen = (self.profile.as_str(), &self.readings);
        let plan = planned(spec, &self.state, (&self.place, &self.login), seen, how)?;
        self.reach.allows(&plan).map(|()| plan).map_err(Refused::Precondition)
    }
}

impl Planners {
    /// Starts the thread that makes a plan; [`Self::planned`] takes the answer.
    pub(super) fn begin(
        &mut self,
        request: &Request,
        spec: ActionSpec,
        here: Here,
        bell: Arc<Bell>,
    ) -> Result<(), Fault> {
        if let Some(earlier) = &self.one {
            return Err(Fault::new(format!("the plan for \"{}\" is still being made.", earlier.title))
                .hint("One plan at a time: try again when what it waits for has answered."));
        }
        let (title, given) = (spec.title.clone(), request.given.clone());
        let work = move || here.plan(&spec, (here.depth, &given)).map(Box::new).map_err(Refused::fault);
        let answer = aside(&self.under_way, MOST, work, move || bell.ring())?;
        self.one = Some(Planning { request: request.clone(), title, begun: RealClock.now().mono, answer });
        Ok(())
    }

    /// The plan that was begun, when it is made, has failed, or takes too long.
    pub(super) fn planned(&mut self, now: Mono) -> Option<Msg> {
        let planning = self.one.as_ref()?;
        let plan = match planning.answer.try_recv() {
            Ok(plan) => plan,
            Err(TryRecvError::Disconnected) => Err(Fault::new("planning ended without a plan.")),
            Err(TryRecvError::Empty) if now.since(planning.begun) < PLANNING => return None,
            Err(TryRecvError::Empty) => Err(late(&planning.title)),
        };
        // Of one that is late nobody takes the answer any more.
        self.one.take().map(|planning| Msg::Planned(planning.request, plan))
    }

    /// The list of actions was left.
    pub(super) fn survey_over(&mut self) {
        self.listed = None;
    }

    /// Starts the thread that looks at every action in turn, those last that ask a server, until the list is left or `told`
    /// wants no more; false while earlier ones do.
    pub(super) fn survey(
        &mut self,
        mut specs: Vec<ActionSpec>,
        here: Result<Here, Offer>,
        told: impl Fn(Arc<str>, Offer) -> bool + Send + 'static,
    ) -> Result<bool, Fault> {
        let under_way = Arc::strong_count(&self.surveying) - 1;
        if under_way >= SURVEYS || (self.listed.is_some() && under_way > 0) {
            return Ok(false);
        }
        let (surveying, under_way) = (Arc::clone(&self.surveying), Arc::clone(&self.under_way));
        let here = here.map(Arc::new);
        let listed = Arc::new(());
        let wanted = Arc::downgrade(&listed);
        self.listed = Some(listed);
        specs.sort_by_key(|spec| server(spec).is_some());
        worker("survey", move || {
            // Not one of the planners itself.
            let planners = Arc::downgrade(&under_way);
            drop(under_way);
            for spec in specs {
                let Some(planners) = planners.upgrade().filter(|_| wanted.strong_count() > 0) else { break };
                let name = Arc::clone(&spec.name);
                let offer = here.clone().map_or_else(|bar| bar, |here| look(&planners, spec, here));
                if !told(name, offer) {
                    break;
                }
            }
            drop(surveying);
        })?;
        Ok(true)
    }
}

/// The server that is asked by a plan of this action, if any.
fn server(spec: &ActionSpec) -> Option<&'static str> {
    kinds::kind(&spec.kind).and_then(kinds::Kind::asks)
}

/// Whether an action could be planned now.
fn look(planners: &Arc<()>, spec: ActionSpec, here: Arc<Here>) -> Offer {
    let title = spec.title.clone();
    let work = move || here.offer(&spec);
    let answer = match aside(planners, MOST_LISTED + 1, work, || {}) {
        Ok(answer) => answer.recv_timeout(PLANNING),
        Err(fault) => return Offer::NotNow(Bar::Precondition, fault),
    };
    match answer {
        Ok(offer) => offer,
        Err(RecvTimeoutError::Timeout) => Offer::NotNow(Bar::Precondition, late(&title)),
        Err(RecvTimeoutError::Disconnected) => {
            Offer::NotNow(Bar::Precondition, Fault::new("the look at it ended without a plan."))
        }
    }
}

/// Does it on a thread that may be left behind, unless `most` are under way.
fn aside<T: Send + 'static>(
    under_way: &Arc<()>,
    most: usize,
    work: impl FnOnce() -> T + Send + 'static,
    done: impl FnOnce() + Send + 'static,
) -> Result<Receiver<T>, Fault> {
    let others = Arc::strong_count(under_way) - 1;
    if others >= most {
        let what = format!("{others} plans hang, each on a file or a manager that does not answer: no other is begun.");
        return Err(Fault::new(what).hint("Mend what does not answer, such as a dead mount; or restart the console."));
    }
    let (reply, answer) = sync_channel(1);
    let held = Arc::clone(under_way);
    worker("planner", move || {
        let made = work();
        drop(held);
        // Its only answer, into a queue of one: never waits, and nobody may be there any more.
        let _gone = reply.try_send(made);
        done();
    })?;
    Ok(answer)
}

fn late(title: &Clean) -> Fault {
    let limit = PLANNING.as_secs();
    Fault::new(format!(
        "planning takes longer than {limit} s: a file or a manager that \"{title}\" looks at does not answer."
    ))
}

/// Plans one action of a profile as it is now, with the operator's values.
pub(super) fn planned(
    spec: &ActionSpec,
    state: &Path,
    (place, login): (&Where, &Login),
    (profile, readings): (&str, &Snapshot),
    (depth, given): (Depth, &[(Clean, Clean)]),
) -> Result<Plan, Refused> {
    let now = RealClock.now();
    let since = Wall(now.wall.0.saturating_sub(i64::try_from(AGAIN.as_nanos()).unwrap_or(i64::MAX)));
    let context = Context {
        host: &place.host,
        login,
        environment: &place.environment,
        profile,
        readings,
        earlier: &earlier(state, since),
        state,
        id: random::ulid(now.wall),
        clock: &RealClock,
        given,
        depth,
    };
    let plan = prepare_or_why(&spec.name, &spec.kind, &spec.title, &spec.body, &context);
    let mut plan = plan.map_err(|why| match why {
        Refused::Precondition(fault) => Refused::Precondition(placed(&spec.body, fault)),
        cooling @ Refused::CoolingDown(_) => cooling,
    })?;
    plan.hits.extend(logind::ends_with_login());
    Ok(plan)
}

/// Where the profile gives the name that a manager knows nothing of.
fn placed(action: &Body, fault: Fault) -> Fault {
    let (None, Some(unknown)) = (&fault.at, &fault.unknown) else { return fault };
    let table = |key: &str| action.clone().take_table(key).ok().flatten();
    let tables = ["service", "restart"].into_iter().filter_map(table).chain([action.clone()]);
    let gives = |table: &Body, key: &str| {
        let name = table.clone().take::<String>(key).ok().flatten();
        name.is_some_and(|name| name == unknown.as_str())
    };
    let at = tables.into_iter().find_map(|table| {
        let key = ["unit", "program", "name", "listener"].into_iter().find(|key| gives(&table, key))?;
        table.fault_at(key, "").at
    });
    Fault { at, ..fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::SyncSender;

    /// A plan that is being made; it answers through this.
    fn begun(planners: &mut Planners) -> SyncSender<Result<Box<Plan>, Fault>> {
        let (reply, answer) = sync_channel(1);
        planners.one = Some(Planning { request: Request::of("slow"), title: "Slow".into(), begun: Mono(1), answer });
        reply
    }

    #[test]
    fn a_plan_that_takes_too_long_is_told_and_stands_in_the_way_of_no_other() {
        let mut planners = Planners::default();
        let reply = begun(&mut planners);
        assert!(planners.planned(Mono(1) + Duration::from_millis(4_999)).is_none());
        let Some(Msg::Planned(name, Err(fault))) = planners.planned(Mono(1) + PLANNING) else { panic!("not told") };
        assert_eq!(name, Request::of("slow"));
        assert!(fault.to_string().starts_with("planning takes longer than 5 s: "), "{fault}");
        assert!(reply.try_send(Err(Fault::new("late."))).is_err(), "nobody takes it any more");
        drop(begun(&mut planners));
        assert!(matches!(planners.planned(Mono(2)), Some(Msg::Planned(_, Err(_)))), "one that dies is told");
        assert!(planners.planned(Mono(3)).is_none());
    }

    #[test]
    fn a_name_that_no_manager_knows_is_refused_with_its_place_in_the_profile() {
        let text = "kind = 'service_restart'\nservice = { kind = 'systemd', unit = 'nosuch.service' }\n";
        let body = Body::parse("profile.toml", text).expect("TOML");
        let said = |fault: Fault| placed(&body, fault).to_string();
        let unknown = |unit: &str| Fault::new(format!("{unit} is not here.")).unknown(unit);
        assert_eq!(said(unknown("nosuch.service")), "profile.toml:2:38: nosuch.service is not here.");
        assert_eq!(
            said(Fault::new("nosuch.service is not-found.")),
            "nosuch.service is not-found.",
            "words say nothing"
        );
        assert_eq!(said(unknown("such.service")), "such.service is not here.", "another one's");
        let placed_in = |text: &str| placed(&Body::parse("p.toml", text).expect("TOML"), unknown("a")).to_string();
        assert_eq!(placed_in("unit = 'a'\n"), "p.toml:1:8: a is not here.");
        assert_eq!(placed_in("restart = { kind = 'container', name = 'a' }\n"), "p.toml:1:40: a is not here.");
        let listener = "service = { kind = 'supervisor', program = 'b', listener = 'a' }\n";
        assert_eq!(placed_in(listener), "p.toml:1:60: a is not here.");
    }

    fn specs(kinds: &[&str]) -> Vec<ActionSpec> {
        let spec = |kind: &&str| ActionSpec {
            name: (*kind).into(),
            kind: (*kind).to_owned(),
            title: Clean::text(*kind),
            body: Body::parse("profile.toml", "").expect("TOML"),
        };
        kinds.iter().map(spec).collect()
    }

    fn nowhere() -> Result<Here, Offer> {
        Err(Offer::NotNow(Bar::Precondition, Fault::new("there is no folder for its run.")))
    }

    #[test]
    fn a_survey_ends_with_its_list() {
        let mut planners = Planners::default();
        let (tell, told) = sync_channel(0);
        let wants = move |name: Arc<str>, _: Offer| tell.send(name).is_ok();
        let kinds = ["service_restart", "command", "file_owner"];
        assert!(planners.survey(specs(&kinds), nowhere(), wants.clone()).expect("begun"));
        assert_eq!(told.recv().as_deref(), Ok("service_restart"));
        assert!(!planners.survey(specs(&kinds), nowhere(), wants.clone()).expect("asked"), "one at a time");
        planners.survey_over();
        // It was about to tell the second one; the list that is opened again has a survey of its own.
        assert!(planners.survey(specs(&["config_set"]), nowhere(), wants).expect("begun"));
        let rest: Vec<Arc<str>> = told.iter().collect();
        assert!(rest.iter().any(|name| &**name == "config_set"), "{rest:?}");
        assert!(!rest.iter().any(|name| &**name == "file_owner"), "its list was left: {rest:?}");
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn whoever_asks_a_server_waits_for_the_others() {
        let mut planners = Planners::default();
        let (tell, told) = sync_channel(8);
        let wants = move |name: Arc<str>, _: Offer| tell.send(name).is_ok();
        let kinds = ["postgres_cancel", "command", "postgres_index", "file_owner"];
        assert!(planners.survey(specs(&kinds), nowhere(), wants).expect("begun"));
        let order: Vec<Arc<str>> = told.iter().collect();
        assert_eq!(
            order.iter().map(|name| &**name).collect::<Vec<_>>(),
            ["command", "file_owner", "postgres_cancel", "postgres_index"]
        );
    }

    #[test]
    fn so_many_may_hang_and_then_none_is_begun_until_one_comes_back() {
        let under_way = Arc::new(());
        let (go, gate) = sync_channel::<()>(0);
        let mut gate = Some(gate);
        let mut hang = |most| {
            let gate = gate.take();
            aside(&under_way, most, move || gate.map(|gate| gate.recv()), || {})
        };
        let first = hang(1).expect("begun");
        let fault = hang(1).expect_err("full").to_string();
        assert!(fault.starts_with("1 plans hang, each on a file or a manager"), "{fault}");
        let second = hang(2).expect("the prompt has more room than the list");
        drop(go);
        assert!([first, second].iter().all(|answer| answer.recv_timeout(Duration::from_secs(20)).is_ok()));
        assert!(hang(1).is_ok());
    }
}
