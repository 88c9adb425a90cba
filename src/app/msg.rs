//! What can happen to the console.

use super::again::Found;
use super::board::Mark;
use super::incident::Heard;
use super::model::Request;
use super::notify::NotifierStatus;
use super::run::Ended;
use super::survey::{Done, Offer};
use super::texts::Changed;
use super::walking::{Left, Taken};
use crate::action::lifecycle::Progress;
use crate::action::plan::Plan;
use crate::action::prompt::Extent;
use crate::action::recover::Unresolved;
use crate::action::right::Right;
use crate::base::{Clean, Fault, Mono, Sample, Ulid};
use crate::logs::LogBatch;
use crate::procedure::{Document, Walk};
use crate::store::history::Kept;
use crate::term::Input;
use std::sync::Arc;

/// One event.
#[derive(Debug)]
pub enum Msg {
    /// From the terminal, with the moment it was read.
    Input(Mono, Input),
    /// From the samplers' mailbox.
    Samples(Vec<Sample>),
    /// From the log followers' mailbox.
    Logs(Vec<LogBatch>),
    /// The answer to `Effect::Plan`.
    Planned(Request, Result<Box<Plan>, Fault>),
    /// `Effect::Survey` begins: what it said before counts no more.
    Surveying,
    /// One answer to `Effect::Survey`: an action, and whether it can be done now.
    Surveyed(Arc<str>, Offer),
    /// At the start: whether this login may do each of these actions.
    Rights(Vec<(Arc<str>, Right)>),
    /// The answer to `Effect::Journal`: of which unit, its newest lines, oldest first.
    JournalRead(Clean, Result<Vec<Clean>, Fault>),
    /// The answer to `Effect::PlanArming` or `Effect::PlanTakeover`.
    ArmingPlanned(Box<Plan>),
    /// A frame with the prompt was handed to the writer, which shows so much of its plan.
    Shown(Extent),
    /// The answer to `Effect::Launch`.
    Launched(Result<(), Fault>),
    /// `Effect::Stop` could not be carried out.
    NotStopped(Fault),
    /// The runner of the current action says where it stands.
    Progress(Box<Progress>),
    /// The newest lines of what the current action's programs said.
    Output(Vec<Clean>),
    /// What earlier consoles did that can be taken back, oldest first.
    Done(Vec<Done>),
    /// When actions of earlier consoles had their effects.
    Effects(Vec<Mark>),
    /// Runs of earlier consoles without an outcome, oldest first, and what could not be read of them.
    Recovered(Vec<Unresolved>, Vec<Fault>),
    /// Runs of earlier consoles that ended while no console followed them, oldest first.
    EndedAlone(Vec<Ended>),
    /// The answer to `Effect::Settle`.
    Settled(Ulid, Result<(), Fault>),
    /// What earlier consoles kept of the last two days, and what has to be said of it.
    History(Vec<Kept>, Vec<Clean>),
    /// A procedure is put on screen and begun, as the command line asks: its id.
    Work(Arc<str>),
    /// The answer to `Effect::BeginWalk`: the run that it is kept in.
    WalkBegun(Arc<Document>, Result<Ulid, Fault>),
    /// Walks of earlier or other consoles that are not over, and what could not be read of them.
    WalksLeft(Vec<Left>, Vec<Fault>),
    /// The answer to `Effect::ResumeWalk`: it is ours, as it was left; how the action in flight has ended, if it has.
    WalkResumed(Ulid, Result<Box<Taken>, Fault>),
    /// What a look at the record of a done action of this walk has found: of which item.
    WalkSeen(Ulid, usize, Found),
    /// The newest steps of this walk are not on disk, and why; or they are again.
    WalkKept(Ulid, Option<Fault>),
    /// The answer to `Effect::FinishItem`: the walk as it stands now.
    WalkFinished(Ulid, Result<Box<Walk>, Fault>),
    /// The answer to `Effect::Save`: where the lines are now.
    Saved(Result<Clean, Fault>),
    /// The file of a procedure was changed while this console is at work.
    TextChanged(Changed),
    /// Somebody has taken this walk over.
    WalkLost(Ulid, Clean),
    /// The display has not taken a frame for a while, or takes them again.
    Stalled(bool),
    /// The webhook answered, failed, or has other work.
    Notified(NotifierStatus),
    /// The answer to `Effect::Trail`.
    Trail(Heard),
    /// A prompt is open and time moves it on.
    Moment,
    /// A second has begun.
    Tick,
}
