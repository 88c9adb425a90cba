//! What `systemctl show -p …` prints under TZ=UTC: one block of `Property=value` per unit. Values that are none
//! (`[not set]`, `infinity`, 2^64-1, empty) read as absent. Also what an exit status means. Pure.

use std::collections::BTreeMap;

/// The properties of one unit.
#[derive(Debug, Default)]
pub(crate) struct Unit<'a>(BTreeMap<&'a str, &'a str>);

/// Every block that names its unit.
pub(crate) fn units(text: &str) -> Vec<Unit<'_>> {
    let mut all = vec![Unit::default()];
    for line in text.lines() {
        match (line.split_once('='), all.last_mut()) {
            (Some((name, value)), Some(unit)) => {
                unit.0.insert(name, value);
            }
            (None, _) if line.is_empty() => all.push(Unit::default()),
            _ => {}
        }
    }
    all.retain(|unit| unit.text("Id").is_some());
    all
}

impl<'a> Unit<'a> {
    /// A text that is there.
    pub(crate) fn text(&self, property: &str) -> Option<&'a str> {
        self.0.get(property).copied().filter(|value| !value.is_empty() && *value != "[not set]")
    }

    /// A number that is one: `18446744073709551615` is how systemd writes "none".
    pub(crate) fn number(&self, property: &str) -> Option<f64> {
        let number: u64 = self.text(property)?.parse().ok()?;
        (number != u64::MAX).then_some(number as f64)
    }

    pub(crate) fn is(&self, property: &str, value: &str) -> bool {
        self.text(property) == Some(value)
    }

    /// A point in time, in seconds since the epoch.
    pub(crate) fn moment(&self, property: &str) -> Option<f64> {
        let mut words = self.text(property)?.split(' ');
        let (_, day, time, zone) = (words.next()?, words.next()?, words.next()?, words.next()?);
        // Another zone would need its rules; we asked for this one.
        let stamp: jiff::Timestamp = (zone == "UTC").then(|| format!("{day}T{time}Z").parse().ok())??;
        Some(stamp.as_second() as f64 + f64::from(stamp.subsec_nanosecond()) / 1e9)
    }

    /// A span of time, in seconds.
    pub(crate) fn span(&self, property: &str) -> Option<f64> {
        let mut sum = None;
        for word in self.text(property)?.split(' ') {
            let unit = word.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, unit) = word.split_at_checked(unit)?;
            let number: f64 = number.parse().ok()?;
            sum = Some(sum.unwrap_or(0.0) + number * seconds(unit)?);
        }
        sum
    }
}

fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
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
    })
}

/// What an exit status usually means where it is no number of the program's own choice: as shells and engines set it.
fn usual_meaning(status: i32) -> Option<&'static str> {
    Some(match status {
        126 => "a command was found but could not be executed",
        127 => "a command was not found",
        134 => "SIGABRT: it aborted",
        137 => "SIGKILL: killed, often for memory",
        139 => "SIGSEGV: it crashed",
        143 => "SIGTERM: it was asked to end",
        _ => return None,
    })
}

/// An exit status as `what`, with what it usually means.
pub(crate) fn with_meaning(what: &str, status: i64) -> String {
    let words = i32::try_from(status).ok().and_then(usual_meaning);
    words.map_or_else(|| format!("{what} {status}"), |words| format!("{what} {status}, {words}"))
}

/// The same for a service, where systemd could not even start it (systemd.exec(5)).
pub(crate) fn meaning(status: i32) -> Option<&'static str> {
    const MEANINGS: &[(i32, &str)] = &[
        (200, "CHDIR: its working directory cannot be entered"),
        (202, "FDS: its file descriptors cannot be set up"),
        (203, "EXEC: its program cannot be executed (missing, not executable, or no interpreter)"),
        (205, "LIMITS: its resource limits cannot be set"),
        (208, "STDIN: its standard input cannot be set up"),
        (209, "STDOUT: its standard output cannot be set up"),
        (210, "CHROOT: its root directory cannot be entered"),
        (214, "SETSCHEDULER: its CPU scheduling cannot be set"),
        (215, "CPUAFFINITY: its CPUs cannot be set"),
        (216, "GROUP: its group does not exist or cannot be taken"),
        (217, "USER: its user does not exist or cannot be taken"),
        (218, "CAPABILITIES: its capabilities cannot be set"),
        (219, "CGROUP: its control group cannot be set up"),
        (222, "STDERR: its standard error cannot be set up"),
        (224, "PAM: its session cannot be opened"),
        (225, "NETWORK: its network namespace cannot be set up"),
        (226, "NAMESPACE: its mounts cannot be set up; a path of ReadWritePaths= or BindPaths= may be missing"),
        (228, "SECCOMP: its system call filter cannot be set"),
        (233, "RUNTIME_DIRECTORY: it cannot be made"),
        (235, "CHOWN: a socket's owner cannot be changed"),
        (237, "KEYRING: its keyring cannot be set up"),
        (238, "STATE_DIRECTORY: it cannot be made"),
        (239, "CACHE_DIRECTORY: it cannot be made"),
        (240, "LOGS_DIRECTORY: it cannot be made"),
        (241, "CONFIGURATION_DIRECTORY: it cannot be made"),
        (243, "CREDENTIALS: they cannot be set up"),
    ];
    let own = MEANINGS.iter().find(|(known, _)| *known == status).map(|(_, words)| *words);
    own.or_else(|| usual_meaning(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_set_is_absent_and_not_a_number() {
        let text = "Id=a.service\nA=[not set]\nB=18446744073709551615\nC=infinity\nD=\nE=0\nF=12\n\nX=no unit\n\nId=b.service\n";
        let all = units(text);
        assert_eq!(all.len(), 2);
        assert_eq!(
            ["A", "B", "C", "D", "E", "F", "G"].map(|name| all[0].number(name)),
            [None, None, None, None, Some(0.0), Some(12.0), None]
        );
        assert_eq!((all[0].text("A"), all[0].text("D"), all[0].text("C")), (None, None, Some("infinity")));
    }

    #[test]
    fn moments_and_spans_are_seconds() {
        let text = "Id=a\nT=Sat 2026-11-28 20:21:46 UTC\nZ=Sat 2026-11-28 21:21:46 CET\nN=n/a\nA=1min 30s\nB=500ms\nC=infinity\nD=10\nE=1d 2h";
        let all = units(text);
        assert_eq!(["T", "Z", "N"].map(|name| all[0].moment(name)), [Some(1_795_897_306.0), None, None]);
        let spans = ["A", "B", "C", "D", "E"].map(|name| all[0].span(name));
        assert_eq!(spans, [Some(90.0), Some(0.5), None, None, Some(93_600.0)]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[Id=\n a-z0-9.:µ-]{0,200}") {
            for unit in units(&text) {
                let _all = (unit.moment("d"), unit.span("d"), unit.number("d"));
            }
        }
    }
}
