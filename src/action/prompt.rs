//! The words of the confirm prompt (safety.md 4.2): what comes in, what the shell must do, why it was refused, what
//! the screen shows. The machine itself is in `gate`.

use super::plan::{Danger, Plan};
use crate::base::time::Age;
use crate::base::{Clean, Mono, Support};
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// On a terminal below this a prompt of C2 and above does not even open.
pub const SMALLEST: (u16, u16) = (60, 16);

/// What came from the terminal or the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateInput {
    /// A key press.
    Key(GateKey),
    /// The terminal says that a key is being held.
    Repeat,
    /// A bracketed paste, whatever was in it.
    Paste,
    /// The window gained or lost the focus.
    Focus,
    /// Columns and rows now.
    Resize(u16, u16),
    /// A frame with the prompt was handed to the writer, which shows so much of its plan.
    Submitted(Extent),
    /// The terminal answered this fence.
    Fence(u64),
    /// The writer has been blocked for more than two seconds.
    Stalled,
    /// SIGTSTP or SIGCONT.
    Suspended,
    /// The terminal is gone.
    HungUp,
    /// The console is no longer armed.
    Lapsed,
}

/// How much of a plan a frame shows. Nothing is confirmed before its end has been on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// WHERE, WHAT and UNDO do not stand on it together.
    Cut,
    /// They do, and more of it stands below.
    Begun,
    /// They do, and its last line.
    End,
}

/// A key as the gate tells keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateKey {
    /// A character without Ctrl or Alt.
    Char(char),
    /// Enter.
    Enter,
    /// Backspace.
    Backspace,
    /// Esc, Ctrl-C, Ctrl-D.
    Cancel,
    /// Up, Down, Page Up, Page Down, Home, End: they move the view of the plan, nothing else.
    Scroll,
    /// Any other.
    Other,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq)]
pub enum GateEffect {
    /// Throw away every key that the terminal, the parser and the queue still hold.
    Discard,
    /// Ask the terminal, after the newest frame, to answer with this number.
    Fence(u64),
    /// Carry it out. Emitted at most once.
    Accepted(Box<Acceptance>),
    /// Nothing happens; the reason is shown and recorded.
    Refused(Refusal),
}

/// A plan and how it was confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    /// What to do.
    pub plan: Plan,
    /// How it was confirmed.
    pub confirm: Confirm,
}

/// How a prompt was answered; part of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// Of the prompt.
    pub danger: Danger,
    /// Whether the terminal proved that it had the prompt.
    pub fence: bool,
    /// From the submitted frame to the answer.
    pub shown_ms: u64,
    /// The operator's, at C3.
    pub reason: Option<Clean>,
}

/// Why nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The operator said no.
    Cancelled,
    /// A key that means nothing here means No.
    Unlisted,
    /// Something else was typed.
    WrongText {
        /// What was there.
        typed: Clean,
        /// What ought to be.
        expected: Clean,
    },
    /// Nobody answered in time.
    Expired,
    /// The terminal is too small.
    TooSmall(u16, u16),
    /// WHERE, WHAT and UNDO do not fit together.
    NotWhole,
    /// The session was stopped or continued.
    Suspended,
    /// The terminal is gone.
    HungUp,
    /// Not armed, or no longer.
    NotArmed,
    /// This console only looks.
    ReadOnly,
    /// The login's support level is lower than the action's.
    Support(Support, Support),
    /// Nothing durable can be written, or its runner was not started.
    Unrecorded(Clean),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled."),
            Self::Unlisted => f.write_str("cancelled: that key is no answer."),
            Self::WrongText { typed, expected } => write!(f, "cancelled: `{typed}` was typed, not `{expected}`."),
            Self::Expired => f.write_str("expired: nobody answered in time."),
            Self::TooSmall(columns, rows) => {
                let (least, lines) = SMALLEST;
                write!(f, "refused: the terminal has {columns}×{rows}, this prompt needs {least}×{lines}.")
            }
            Self::NotWhole => {
                f.write_str("refused: the terminal cannot show WHERE, WHAT and UNDO together. Make it larger.")
            }
            Self::Suspended => f.write_str("cancelled: the session was suspended."),
            Self::HungUp => f.write_str("cancelled: the terminal is gone."),
            Self::NotArmed => f.write_str("refused: this console is in OBSERVE. Arm it first."),
            Self::Unrecorded(why) => {
                write!(f, "refused: {why} Nothing was done: copy the commands and run them by hand.")
            }
            Self::ReadOnly => f.write_str("refused: this console is read-only."),
            Self::Support(need, have) => {
                write!(f, "refused: this action needs support level {need}, this login has {have}.")
            }
        }
    }
}

/// The states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// What was typed before is thrown away; the prompt is not on screen yet.
    Draining,
    /// The prompt was written; the terminal has not answered yet.
    Fenced,
    /// On screen; keys start the delay again.
    Arming,
    /// Takes an answer.
    Armed,
    /// What is typed is right; Enter carries it out.
    Matched,
    /// Done; the plan is consumed.
    Accepted,
    /// Done; nothing happens.
    Refused,
}

/// Which field is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The verb or the target.
    Word,
    /// The reason, at C3.
    Reason,
}

/// What the screen shows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct GateView<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where it stands.
    pub phase: Phase,
    /// The field that is being typed.
    pub field: Field,
    /// What is in it.
    pub typed: &'a str,
    /// Its end has been on screen.
    pub read: bool,
    /// 0 to 1; 1 when armed.
    pub armed_fraction: f64,
    /// Until the prompt closes.
    pub expires_in: Duration,
    /// What the operator should know now.
    pub note: Option<&'static str>,
}

/// What a prompt says of a plan, in the one order, never abbreviated: label and paragraphs.
pub fn rows(plan: &Plan, now: Mono) -> Vec<(&'static str, Vec<Clean>)> {
    let machine: String = plan.place.host.machine_id.as_str().chars().take(8).collect();
    let local = plan.who.ssh.as_ref().map_or_else(|| Clean::from("local"), |from| crate::clean!("via ssh from {from}"));
    let since = now.since(plan.made.mono);
    let based: Vec<Clean> = plan
        .based_on
        .iter()
        .map(|row| crate::clean!("{} {} ({})", row.label, row.value, Age(row.age + since)))
        .collect();
    let based = if based.is_empty() { vec![Clean::from("nothing measured")] } else { based };
    let mut rows = vec![
        (
            "WHERE",
            vec![crate::clean!("{} (machine {machine})  {}  {local}", plan.place.host.name, plan.place.environment)],
        ),
        ("WHO", vec![crate::clean!("{} as {}  level {} needed", plan.who.login, plan.who.user, plan.support.words())]),
        ("WHAT", plan.what.lines.clone()),
        (
            "HITS",
            if plan.hits.is_empty() {
                vec![Clean::from("not known: the profile says nothing of it")]
            } else {
                plan.hits.clone()
            },
        ),
        ("UNDO", vec![crate::clean!("{}", plan.undo)]),
        ("BASED ON", based),
    ];
    rows.extend(plan.raised.iter().map(|why| ("RAISED", vec![why.clone()])));
    rows
}
