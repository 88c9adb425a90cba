//! The kinds of log sources in words.

/// Every kind: its name, a line, and its documentation.
pub const KINDS: &[(&str, &str, &str)] = &[
    ("command", "what a program writes, line by line; it is started again when it ends", COMMAND),
    ("file", "files by a path whose file name may hold `*` and `?`, through every kind of rotation", FILE),
    ("journal", "systemd's journal: of a unit, a boot, a priority, one run", JOURNAL),
    ("kernel", "the kernel's own log, from /dev/kmsg", KERNEL),
    ("stdin", "what was piped into this command", STDIN),
];

/// What is said of a kind, line by line.
pub fn docs(kind: &str) -> Option<Vec<String>> {
    let (.., text) = KINDS.iter().find(|(name, ..)| *name == kind)?;
    Some(text.lines().map(str::to_owned).collect())
}

const COMMAND: &str = r#"`command`: runs a program and reads what it writes, both outputs, line by line. Never a shell; others must not be able to
write the program or its folders.
```toml
[logs.pods]
kind = "command"
argv = ["/usr/bin/crictl", "logs", "-f", "7c1f"]
restart = true                          # started again when it has ended, later each time up to a minute
format = "auto"
```
How it ended, with the last thing it said, is a line in the log. A profile that others may write to runs no program."#;

const FILE: &str = r#"`file`: follows files. The file name may hold `*` and `?`. Rename, create, copytruncate, late creation, links that move
and folders that go are followed; a rotation is a line in the log.
```toml
[logs.app]
kind = "file"
path = "/var/log/app/*.log"
format = "auto"                         # plain, json, logfmt, syslog, python, julia, rust, nginx, klog
```
A time that stands in a line without its zone is shown where it stands."#;

const JOURNAL: &str = r#"`journal`: follows systemd's journal through `journalctl`, entry by entry; when it dies, behind the last entry that came.
What this login may not see is said as journalctl says it.
```toml
[logs.unit]
kind = "journal"
unit = "cerebellar-norse.service"       # all units when left out
user = false                            # of this login's own manager
priority = "info"                       # and worse; a range: "err..info"
boot = "current"                        # or "all"
this_invocation = true                  # only the unit's current run; a new one is marked
```
`journalctl = ["/usr/bin/journalctl"]` and `systemctl` say how these are started; a profile that others may write to
may not."#;

const KERNEL: &str = r#"`kernel`: follows /dev/kmsg: the end of what the kernel still holds, then each new line. It takes root or CAP_SYSLOG on
most hosts. Lines that the kernel overwrote before they were read are counted.
```toml
[logs.kernel]
kind = "kernel"
```
Times are those of the kernel's clock, which stands still while the machine is suspended."#;

const STDIN: &str = r#"`stdin`: reads what was piped into this command, to its end.
```toml
[logs.piped]
kind = "stdin"
format = "auto"
```
A terminal is never read."#;
