//! What the pure core asks of the world. Each is carried out by `roles`, nowhere else.

use super::incident::Ask;
use super::model::Request;
use super::notify::AlertNote;
use crate::action::prompt::{Acceptance, Confirm};
use crate::base::{Clean, Severity, Ulid, Wall};
use crate::incident::Told;
use crate::procedure::{Document, Step};
use crate::store::history::Kept;
use std::sync::Arc;

/// One order.
#[derive(Debug)]
pub enum Effect {
    /// Plan this action; the answer is `Msg::Planned`.
    Plan(Request),
    /// Look which of the profile's actions, and restarts of units that failed, can be done now, unless that is under way;
    /// an answer each is `Msg::Surveyed`.
    Survey,
    /// The list of actions was left: look at no more of them.
    SurveyOver,
    /// Look whether this login may do these restarts of units that no profile names; the answer is `Msg::Rights`.
    UnitRights(Vec<Arc<str>>),
    /// Read the newest lines of this unit's journal; the answer is `Msg::JournalRead`.
    Journal(Clean),
    /// Plan the arming of this console; the answer is `Msg::ArmingPlanned`.
    PlanArming,
    /// Start the runner on an accepted plan; the answer is `Msg::Launched`.
    Launch(Box<Acceptance>),
    /// Settle a run whose outcome nobody knows; the answer is `Msg::Settled`.
    Settle {
        /// Its plan.
        plan: Ulid,
        /// What became of it, as the operator says.
        reason: Clean,
    },
    /// Ask the runner of this plan to end what it does.
    Stop(Ulid),
    /// Tell the runner of this plan that its console is armed no more: it has no first effect then.
    Disarm(Ulid),
    /// Make a folder for a walk through this procedure; the answer is `Msg::WalkBegun`.
    BeginWalk(Arc<Document>),
    /// Take a walk up that was left, or over from somebody who is gone; the answer is `Msg::WalkResumed`.
    ResumeWalk(Ulid),
    /// Plan the take-over of a walk, by its run and title, from this login; the answer is `Msg::ArmingPlanned`.
    PlanTakeover(Ulid, Clean, Clean),
    /// An item, by its id, that a run which is over has put off is done, in these words; the answer is
    /// `Msg::WalkFinished`.
    FinishItem(Ulid, Clean, Clean),
    /// Write these steps of a walk down; a failure is told by `Msg::WalkKept`.
    KeepSteps(Ulid, Vec<Step>),
    /// Throw away every key that has been typed so far.
    DiscardInput,
    /// Ask the terminal to say that it has shown the newest frame.
    Fence(u64),
    /// Write a record; the screen does not wait.
    Record(Entry),
    /// Write a line into our own log.
    Log(Clean),
    /// Append these minutes to the history on disk.
    KeepMinutes(Vec<Kept>),
    /// Put text on the clipboard by OSC 52.
    Copy(Vec<Clean>),
    /// Write these lines into a new file by this name; the answer is `Msg::Saved`.
    Save(Clean, Vec<Clean>),
    /// Ring the terminal's bell and show this sentence as a desktop notification.
    Alarm(Clean),
    /// Tell the webhook, if there is one; the answer is `Msg::Notified`.
    Notify(Vec<AlertNote>),
    /// Read the journal, keep a card, write a report; the answer is `Msg::Trail`.
    Trail(Ask),
    /// Draw everything again.
    Redraw,
    /// Give the terminal back and stop, until continued.
    Suspend,
    /// Leave.
    Quit,
}

/// What the console itself records; runners write their own records.
#[derive(Debug)]
pub enum Entry {
    /// A plan could not be made.
    NoPlan {
        /// The action's name in the profile.
        action: Arc<str>,
        /// Why.
        why: Clean,
    },
    /// A plan was shown that this session may not confirm.
    Previewed {
        /// The action and its kind.
        act: Clean,
        /// Which plan.
        plan: Ulid,
        /// Why it cannot be confirmed.
        why: Clean,
    },
    /// A prompt was opened.
    Prompted {
        /// The action and its kind.
        act: Clean,
        /// Which plan.
        plan: Ulid,
        /// The plan's digest.
        digest: String,
    },
    /// A prompt ended as No.
    Refused {
        /// The action and its kind.
        act: Clean,
        /// Which plan.
        plan: Ulid,
        /// How it stood.
        confirm: Confirm,
        /// Why.
        why: Clean,
    },
    /// The operator asked a run to end.
    Stopped {
        /// Which plan.
        plan: Ulid,
    },
    /// The session may act.
    Armed {
        /// How it was confirmed.
        confirm: Confirm,
    },
    /// The session only looks again.
    Disarmed {
        /// Why.
        why: &'static str,
    },
    /// Somebody took an alert.
    Acked {
        /// Name and labels of the alert.
        alert: Clean,
        /// How serious it is for people.
        severity: Severity,
        /// What they wrote.
        note: Clean,
    },
    /// Somebody gave an alert back.
    Unacked {
        /// Name and labels of the alert.
        alert: Clean,
    },
    /// Alerts were muted.
    Silenced {
        /// Which: the matchers as they are written.
        matchers: Clean,
        /// Why.
        reason: Clean,
        /// Until when.
        until: Wall,
    },
    /// A silence ended.
    Unsilenced {
        /// Which: the matchers as they are written.
        matchers: Clean,
        /// By its own time, not by a person.
        expired: bool,
    },
    /// Somebody further up was told of an alert.
    Escalated {
        /// Name and labels of the alert.
        alert: Clean,
        /// How serious it is for people.
        severity: Severity,
        /// Level and name.
        to: Clean,
    },
    /// An incident was opened, noted, closed or handed over.
    Incident(Told),
    /// An alert from warning up began to fire, or one that fires became more serious.
    Fired {
        /// Name and labels of the alert.
        alert: Clean,
        /// How serious it is for people.
        severity: Severity,
        /// The value, with its unit.
        value: Clean,
        /// It fired before, less seriously.
        worse: bool,
        /// So often it came and went since its last record.
        flaps: u32,
    },
    /// An alert from warning up is over.
    Resolved {
        /// Name and labels of the alert.
        alert: Clean,
        /// How serious it was for people.
        severity: Severity,
        /// Since when it had fired.
        since: Wall,
        /// So often it came and went since its last record.
        flaps: u32,
    },
}
