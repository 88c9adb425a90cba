//! Who is in the control group of a systemd unit: what a stop must not leave, and what it would.

use super::systemd_unit::Shown;
use crate::base::{Clean, Fault};
use crate::sys::control_group::{members, named};
use std::collections::BTreeSet;

/// Who is in the group of a unit that `shown` tells of; `gone` is asked where it does not stand. A group that is empty
/// systemd forgets.
///
/// # Errors
/// Why nobody can say.
fn within(shown: &Shown, gone: impl Fn() -> Result<bool, Fault>) -> Result<BTreeSet<u32>, Fault> {
    let group = shown.get("ControlGroup");
    if group.is_empty() {
        return Ok(BTreeSet::new());
    }
    match members(group) {
        Ok(pids) => Ok(pids),
        Err(_) if gone()? => Ok(BTreeSet::new()),
        Err(why) => Err(Fault::new(format!("{why}."))),
    }
}

/// In words, who is still in the group of a unit that is stopped: with `KillMode=process` systemd ends the main process
/// alone.
///
/// # Errors
/// Why nobody can say.
pub(super) fn left(show: impl Fn() -> Result<Shown, Fault>) -> Result<Option<Clean>, Fault> {
    let pids = within(&show()?, || Ok(show()?.get("ControlGroup").is_empty()))?;
    Ok(match pids.len() {
        0 => None,
        1 => Some(crate::clean!("process {} is left in its control group", named(&pids))),
        many => Some(crate::clean!("{many} processes are left in its control group: {}", named(&pids))),
    })
}

/// What a stop would leave running, where the unit is not one whose whole group is ended.
pub(super) fn would_be_left(shown: &Shown) -> Option<Clean> {
    let mode = Some(shown.get("KillMode")).filter(|mode| !matches!(*mode, "" | "control-group" | "mixed"))?;
    let main: Option<u32> = shown.get("MainPID").parse().ok();
    let whom = if mode == "none" { "nobody" } else { "its main process alone" };
    let others = within(shown, || Ok(false)).map(|mut pids| {
        pids.retain(|pid| Some(*pid) != main);
        pids
    });
    let now = match others {
        Ok(pids) if pids.is_empty() => Clean::from("beside it nobody is there now"),
        Ok(pids) => crate::clean!("left running would be {}", named(&pids)),
        Err(why) => {
            crate::clean!("what would be left running cannot be seen: {}", why.what.as_str().trim_end_matches('.'))
        }
    };
    Some(crate::clean!(
        "KillMode={mode}: systemd ends {whom}, and the stop counts once its control group is empty; {now}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::listeners;

    /// A group that this host shows and that is not empty: our own.
    fn own() -> (u32, String) {
        let group = listeners::groups(std::process::id()).into_iter().find(|group| members(group).is_ok());
        (std::process::id(), group.unwrap())
    }

    #[test]
    fn after_a_stop_what_cannot_be_seen_is_not_nobody() {
        let says = |text: &str| {
            left(|| Ok(Shown::of(text))).map(|left| left.map_or_else(String::new, |left| left.to_string()))
        };
        assert_eq!(says("ControlGroup=\nMainPID=0").unwrap(), "", "systemd has forgotten it");
        let (_, group) = own();
        let seen = says(&format!("ControlGroup={group}")).unwrap();
        assert!(seen.contains("left in its control group"), "{seen}");
        let unknown = says("ControlGroup=/system.slice/elsewhere.service").unwrap_err().to_string();
        assert!(unknown.contains("shows no group /system.slice/elsewhere.service"), "{unknown}");
        let silent = left(|| Err(Fault::new("systemd does not answer."))).unwrap_err();
        assert_eq!(silent.to_string(), "systemd does not answer.");
    }

    #[test]
    fn a_group_that_goes_while_it_is_looked_at_was_left_by_all() {
        let asked = core::cell::Cell::new(false);
        let show = || Ok(Shown::of(if asked.replace(true) { "" } else { "ControlGroup=/system.slice/gone.service" }));
        assert_eq!(left(show).unwrap(), None);
    }

    #[test]
    fn a_plan_names_what_a_stop_would_leave() {
        let says = |text: &str| would_be_left(&Shown::of(text)).map_or_else(String::new, |line| line.to_string());
        let (pid, group) = own();
        for mode in ["control-group", "mixed", ""] {
            assert_eq!(says(&format!("KillMode={mode}\nControlGroup={group}")), "", "{mode}");
        }
        let said = says(&format!("KillMode=process\nControlGroup={group}\nMainPID={pid}"));
        assert!(
            said.starts_with("KillMode=process: systemd ends its main process alone, and the stop counts"),
            "{said}"
        );
        assert!(!said.contains(&format!("{pid} (")), "{said}");
        let said = says("KillMode=none\nControlGroup=");
        assert!(said.contains("ends nobody") && said.ends_with("nobody is there now"), "{said}");
        let said = says("KillMode=process\nControlGroup=/system.slice/elsewhere.service");
        assert!(said.contains("cannot be seen: /sys/fs/cgroup of this host shows no group"), "{said}");
    }
}
