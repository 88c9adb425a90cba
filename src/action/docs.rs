//! The documentation of each kind of action: the header of its file.

use crate::base::header::{beginning, length, lines};

/// The header of a kind's file as bytes of its own, so that the rest of the file is no part of the program.
macro_rules! header {
    ($name:literal, $file:literal) => {{
        const FILE: &[u8] = include_bytes!(concat!("kinds/", $file, ".rs"));
        const HEADER: [u8; length(FILE)] = beginning(FILE);
        ($name, &HEADER as &[u8])
    }};
}

/// Every kind by its name.
static HEADERS: &[(&str, &[u8])] = &[
    header!("backup_remove", "backup_remove"),
    header!("command", "command"),
    header!("config_restore", "config_restore"),
    header!("config_set", "config_set"),
    header!("file_backup", "file_backup"),
    header!("file_owner", "file_owner"),
    header!("file_restore", "file_restore"),
    header!("file_set_aside", "file_set_aside"),
    header!("http_call", "http_call"),
    header!("lmdb_backup", "lmdb_backup"),
    header!("lmdb_check", "lmdb_check"),
    header!("lmdb_clear_readers", "lmdb_clear_readers"),
    header!("lmdb_grow", "lmdb_grow"),
    header!("lmdb_set_aside", "lmdb_set_aside"),
    header!("log_rotate", "log_rotate"),
    #[cfg(feature = "postgres")]
    header!("postgres_cancel", "postgres_cancel"),
    #[cfg(feature = "postgres")]
    header!("postgres_explain", "postgres_explain"),
    #[cfg(feature = "postgres")]
    header!("postgres_index", "postgres_index"),
    #[cfg(feature = "postgres")]
    header!("postgres_setting", "postgres_setting"),
    header!("process_signal", "process_signal"),
    #[cfg(feature = "redis")]
    header!("redis_clear", "redis_clear"),
    header!("service_drop_in", "service_drop_in"),
    header!("service_reload", "service"),
    header!("service_reset_failed", "service"),
    header!("service_restart", "service"),
    header!("service_start", "service"),
    header!("service_stop", "service"),
    header!("sqlite_backup", "sqlite_backup"),
    header!("sysfs_write", "sysfs_write"),
];

/// The keys that every action's table may have.
const COMMON: &str = r#"
Every action needs, besides the table above:

```toml
verb     = "restart"                  # what is typed at C2: 4 to 32 letters a-z and -
danger   = "C2"                       # C1 asks for y, C2 for the verb, C3 for host/target and a reason; only ever raised
```

and may have:

```toml
title    = "Restart inference"        # on the list and the prompt; the name when absent
support  = "L1"                       # who ought to do it: L1 Operations, L2 Engineering, L3 Architecture
hits     = ["about 2 s without service"]
verify   = [{ label = "latency p95", query = 'x{q="0.95"}', unit = "seconds", expect = "falls" }]   # "rises", { below = 1 }, { above = 1 }, { at_most = 1 }, { at_least = 1 }, { falls_or_below = 1 }
verify_samplers = ["page"]            # needed with `verify`: the runner observes with samplers of its own
traffic  = "requests_total"           # needed with `verify`: without work nothing is proven. Or, with what goes through:
# traffic = { query = "sum(rate(x_total[1m]))", label = "orders" }   # else the metric's own word: "0 requests/s"
verify_within = "60s"
baseline = "60s"
based_on = [{ label = "queue", query = "queue_depth", max_age = "10s", tolerance = 0.25 }]   # needs `verify`; observed again before the first effect
# expect = { below = 100 } in it (above, at_most, at_least; a bound may be a parameter: "{name}"): else it is not done, or with
# otherwise = "heavier" the prompt is heavier; may_be_unknown = true: then what is unknown makes the prompt heavier
confirm  = "momentum-1"               # C3, and this is typed behind the host instead of the target; or a parameter: "{name}"
cooldown = "5m"                       # not again so soon; 10m at most
backup   = { folder = "/var/backups", of = "index", max_age = "24h" }   # what it relies on: an older one makes the prompt heavier
```"#;

/// What a kind's file says of it, line by line, and what every table may have besides.
pub fn docs(kind: &str) -> Option<Vec<String>> {
    let (_, header) = HEADERS.iter().find(|(name, _)| *name == kind)?;
    Some(lines(header).into_iter().chain(COMMON.lines().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::kinds::KINDS;

    #[test]
    fn every_kind_is_documented_with_a_table_and_nothing_else_is() {
        assert_eq!(HEADERS.len(), KINDS.len());
        for kind in KINDS {
            let text = docs(kind.name()).unwrap_or_default().join("\n");
            assert!(text.contains("```toml") && text.contains("[actions."), "{}", kind.name());
        }
        assert_eq!(docs("none"), None);
    }
}
