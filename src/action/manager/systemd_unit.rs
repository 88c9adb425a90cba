//! What `systemctl show` says of one unit, and what follows from it: what cannot be asked of it, how it ended last, how
//! long a job of it may take. Pure.

use super::Verb;
use crate::base::{Clean, Fault};
use core::time::Duration;
use std::collections::BTreeMap;

/// Between the end of the unit's own time limits and giving up on its job.
const SLACK: Duration = Duration::from_secs(30);
/// A job is waited for so long where the unit sets no limit.
pub(super) const ENDLESS: Duration = Duration::from_mins(15);

/// Its properties by name.
#[derive(Debug)]
pub(super) struct Shown(BTreeMap<String, String>);

impl Shown {
    pub(super) fn of(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Empty where it has none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// So many starts in so long; `None` where there is no limit (systemd.unit(5)).
    pub(super) fn start_limit(&self) -> Option<(usize, Duration)> {
        let burst = self.get("StartLimitBurst").parse().ok().filter(|burst| *burst > 0)?;
        let interval = span(self.get("StartLimitIntervalUSec")).filter(|interval| !interval.is_zero())?;
        Some((burst, interval))
    }

    /// Whether systemd refuses to start it until that is reset.
    pub(super) fn is_limited(&self) -> bool {
        self.get("Result") == "start-limit-hit"
    }

    /// The longest that this may take, in words; `None` where it is asked for nothing that takes long.
    pub(super) fn longest(&self, verb: Verb, declared: Option<Duration>) -> Option<Clean> {
        if verb == Verb::ResetFailed {
            return None;
        }
        let of = |what: &str, name: &str| match self.get(name) {
            "infinity" => format!("{what} as long as it takes"),
            limit => format!("{what} up to {limit}"),
        };
        let stop = verb.stops().then(|| of("stopping takes", "TimeoutStopUSec"));
        let start =
            (verb != Verb::Stop).then(|| of(if verb.starts() { "starting" } else { "reloading" }, "TimeoutStartUSec"));
        let parts: Vec<String> = stop.into_iter().chain(start).collect();
        let waits = declared.unwrap_or_else(|| patience(self, verb)).as_secs();
        Some(crate::clean!("{}; after {waits} s the outcome is unknown", parts.join(", ")))
    }
}

/// How long a job may take: the unit's own limits (a stop has its own twice, before and after it is killed), and then
/// some.
pub(super) fn patience(shown: &Shown, verb: Verb) -> Duration {
    let of = |name: &str| span(shown.get(name)).unwrap_or(Duration::ZERO);
    let (stop, start) = (of("TimeoutStopUSec"), of("TimeoutStartUSec"));
    let stop = if verb.stops() { stop.saturating_mul(2) } else { Duration::ZERO };
    let start = if matches!(verb, Verb::Stop | Verb::ResetFailed) { Duration::ZERO } else { start };
    match stop.checked_add(start).and_then(|sum| sum.checked_add(SLACK)) {
        Some(sum) => sum,
        None => ENDLESS,
    }
}

/// A span of time as systemd prints it: `1min 30s`; `infinity` is [`Duration::MAX`]; `None` where it is none.
pub(super) fn span(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(Duration::MAX);
    }
    let mut sum = None;
    for word in text.split(' ') {
        let unit = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let (number, unit) = word.split_at_checked(unit)?;
        let seconds = match unit {
            // Of none there is no unit.
            "" if number == "0" => 0.0,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "month" => 2_629_800.0,
            "y" => 31_557_600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        sum = Some(sum.unwrap_or(Duration::ZERO).saturating_add(part));
    }
    sum
}

/// A unit that systemd has not loaded: masked, in error, or no unit that it knows.
pub(super) fn not_loaded(unit: &str, shown: &Shown, why: &str) -> Fault {
    let load = shown.get("LoadState");
    let fault = Fault::new(format!("{unit} is {}{why}.", Clean::text(load)));
    if load == "not-found" { fault.unknown(unit) } else { fault }
}

/// Why this cannot be asked of the unit (facts of systemd.unit(5)).
pub(super) fn obstacle(unit: &str, verb: Verb, shown: &Shown) -> Option<Fault> {
    let get = |name: &str| shown.get(name);
    let load = get("LoadState");
    if load != "loaded" {
        let why = get("LoadError");
        let why = if why.is_empty() { String::new() } else { format!(" ({})", Clean::text(why)) };
        return Some(not_loaded(unit, shown, &why));
    }
    if verb == Verb::ResetFailed {
        return None;
    }
    if !get("Job").is_empty() && get("Job") != "0" {
        return Some(Fault::new(format!("a job of {unit} is under way already.")).hint("Wait for it."));
    }
    let refuses = |start: bool| {
        let (can, refuse) = if start { ("CanStart", "RefuseManualStart") } else { ("CanStop", "RefuseManualStop") };
        get(can) == "no" || get(refuse) == "yes"
    };
    if verb.starts() && refuses(true) || verb.stops() && refuses(false) {
        return Some(Fault::new(format!("{unit} refuses to be started or stopped by hand.")));
    }
    if verb == Verb::Reload && get("CanReload") != "yes" {
        return Some(Fault::new(format!("{unit} cannot reload.")).hint("Restart it."));
    }
    if verb.starts() && shown.is_limited() {
        return Some(
            Fault::new(format!("{unit} was started too often and is refused by systemd until its failure is reset."))
                .hint("Look at why it failed, then reset-failed and start."),
        );
    }
    None
}

/// How the last run ended: `exit-code, exit code 203 (cannot execute)`.
pub(super) fn last_exit(shown: &Shown) -> String {
    let (result, status) = (shown.get("Result"), shown.get("ExecMainStatus"));
    let meaning = match status {
        "200" => " (no such working directory)",
        "203" => " (cannot execute)",
        "216" => " (no such group)",
        "217" => " (no such user)",
        "226" => " (name space)",
        "137" => " (killed, often for memory)",
        _ => "",
    };
    match (result, shown.get("ExecMainCode")) {
        ("start-limit-hit", _) => "start-limit-hit: it was started too often; reset-failed, then start it".to_owned(),
        (_, "1") => format!("{result}, exit code {status}{meaning}"),
        (_, "2" | "3") => {
            let name = status.parse().map_or_else(|_| status.to_owned(), crate::sys::program::signal_name);
            format!("{result}, killed by {name}")
        }
        _ => result.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_systemd_read() {
        for (text, wanted) in [
            ("1min 30s", Some(Duration::from_secs(90))),
            ("10s", Some(Duration::from_secs(10))),
            ("500ms", Some(Duration::from_millis(500))),
            ("1h 2min 3.5s", Some(Duration::from_millis(3_723_500))),
            ("0", Some(Duration::ZERO)),
            ("infinity", Some(Duration::MAX)),
            ("", None),
            ("7", None),
            ("3 moons", None),
        ] {
            assert_eq!(span(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_job_is_waited_for_as_long_as_the_unit_allows_itself() {
        let shown = Shown::of("TimeoutStopUSec=5min\nTimeoutStartUSec=20min\n");
        let minutes = |count| Duration::from_mins(count) + SLACK;
        assert_eq!(patience(&shown, Verb::Restart), minutes(30));
        assert_eq!(patience(&shown, Verb::Start), minutes(20));
        assert_eq!(patience(&shown, Verb::Stop), minutes(10));
        assert_eq!(patience(&shown, Verb::ResetFailed), SLACK);
        let endless = Shown::of("TimeoutStopUSec=5s\nTimeoutStartUSec=infinity\n");
        assert_eq!(
            (patience(&endless, Verb::Restart), patience(&endless, Verb::Stop)),
            (ENDLESS, Duration::from_secs(40))
        );
        let said = endless.longest(Verb::Restart, None).unwrap_or_default();
        assert_eq!(
            said.as_str(),
            "stopping takes up to 5s, starting as long as it takes; after 900 s the outcome is unknown"
        );
        let said = endless.longest(Verb::Restart, Some(Duration::from_secs(60))).unwrap_or_default();
        assert!(said.as_str().ends_with("after 60 s the outcome is unknown"), "{said}");
    }

    #[test]
    fn without_a_burst_or_a_window_there_is_no_start_limit() {
        let limit = |burst: &str, window: &str| {
            Shown::of(&format!("StartLimitBurst={burst}\nStartLimitIntervalUSec={window}")).start_limit()
        };
        assert_eq!(limit("5", "10s"), Some((5, Duration::from_secs(10))));
        assert_eq!((limit("0", "10s"), limit("5", "0"), limit("", "")), (None, None, None));
    }
}
