//! `process_signal`: one signal to one process that the profile names, by its pid file. The process is held by number,
//! start time and program: a number that has passed to another is never signalled.
//!
//! ```toml
//! [actions.reopen-logs]
//! kind     = "process_signal"
//! pid_file = "/run/app.pid"
//! program  = "app"             # the file name of its program: a pid file that names another process is refused
//! signal   = "USR1"            # HUP, INT, QUIT, TERM, USR1, USR2, WINCH, CONT
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Precondition, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::held_process::{HeldProcess, ProcessId};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The signals that may be sent, and whether the process is to end by them.
pub(super) const SIGNALS: &[(&str, i32, bool)] = &[
    ("HUP", 1, false),
    ("INT", 2, true),
    ("QUIT", 3, true),
    ("USR1", 10, false),
    ("USR2", 12, false),
    ("TERM", 15, true),
    ("CONT", 18, false),
    ("WINCH", 28, false),
];

/// A program that is not to end by a signal must be seen alive for so long: what ends in a handler ends a little later.
const SETTLE: Duration = Duration::from_secs(5);

/// The kind.
#[derive(Debug)]
pub struct ProcessSignal;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    process: ProcessId,
    signal: i32,
    ends: bool,
}

impl Kind for ProcessSignal {
    fn name(&self) -> &'static str {
        "process_signal"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "sends one signal to one process, held by number, start time and program"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let table = body.clone();
        let pid_file: PathBuf = body.need("pid_file")?;
        let program: String = body.need("program")?;
        let name: String = body.need("signal")?;
        body.done(&[COMMON, &["pid_file", "program", "signal"]].concat())?;
        let known = SIGNALS.iter().find(|(known, ..)| *known == name.trim_start_matches("SIG"));
        let (name, signal, ends) = *known.ok_or_else(|| {
            let names: Vec<&str> = SIGNALS.iter().map(|(name, ..)| *name).collect();
            table
                .fault_at("signal", format!("`{}` is not sent from here.", Clean::text(&name)))
                .hint(format!("Known here: {}.", names.join(", ")))
        })?;
        cx.read()?;
        let process = HeldProcess::of_pid_file(&pid_file)?.id().clone();
        if process.program.as_str() != program {
            let (pid, is) = (process.pid, &process.program);
            return Err(Fault::new(format!(
                "process {pid} of {} is {is}, not {}.",
                pid_file.display(),
                Clean::text(&program)
            )));
        }
        let based_on = vec![Precondition {
            label: Clean::text(pid_file.as_os_str().as_encoded_bytes()),
            value: crate::clean!("process {}, {}", process.pid, process.program),
            age: Duration::ZERO,
            metric: None,
        }];
        let undo = if ends {
            "start it again; what it had not written is lost"
        } else {
            "a signal cannot be taken back; the process goes on"
        };
        Ok(Draft {
            lines: vec![crate::clean!("SIG{name} to process {} ({})", process.pid, process.program)],
            target: format!("{}", process.program),
            hits: vec![Clean::from("1 process")],
            undo: Undo::How(Clean::from(undo)),
            based_on,
            targets: vec![Target::Process { id: process.clone() }],
            work: to_work(&Work { process, signal, ends })?,
            raise: Vec::new(),
            settle: if ends { Duration::ZERO } else { SETTLE },
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        match HeldProcess::again(&work.process) {
            Ok(_) => Ok(Vec::new()),
            Err(fault) => Ok(vec![Clean::text(fault.to_string())]),
        }
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["signal"]
    }

    fn step(&self, _: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        let held = HeldProcess::again(&work.process).map_err(StepError::Failed)?;
        held.signal(work.signal).map_err(StepError::Failed)?;
        Ok(crate::clean!("sent to process {}", work.process.pid))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        let there = HeldProcess::again(&work.process).is_ok();
        let pid = work.process.pid;
        Some(match (work.ends, there) {
            (true, false) => Proof::Holds(String::new(), crate::clean!("process {pid} is gone")),
            (true, true) => Proof::NotYet(crate::clean!("process {pid} still runs")),
            (false, true) => Proof::Holds(String::new(), crate::clean!("process {pid} runs on")),
            (false, false) => Proof::Broken(crate::clean!("process {pid} has ended, which was not meant")),
        })
    }

    /// That it lives on is no effect: without a check nothing is proven.
    fn proves(&self, plan: &Plan) -> bool {
        work::<Work>(plan).is_ok_and(|work| work.ends)
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let there = HeldProcess::again(&work.process).is_ok();
        let pid = work.process.pid;
        Ok(match (work.ends, there) {
            (true, false) => Settled::Done(crate::clean!("process {pid} is gone")),
            (true, true) => Settled::NotDone(crate::clean!("process {pid} still runs")),
            (false, _) => Settled::Other(Clean::from("whether the signal was sent cannot be seen")),
        })
    }
}
