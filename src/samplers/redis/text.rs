//! What Redis says in `INFO`, as points with the names of redis_exporter.

use crate::base::{Clean, Observation, Point};
use crate::clean;
use std::collections::BTreeMap;

/// Field of `INFO` and metric without `redis_`. A field that this server does not have gives nothing.
const GAUGES: &[(&str, &str)] = &[
    ("uptime_in_seconds", "uptime_in_seconds"),
    ("connected_clients", "connected_clients"),
    ("blocked_clients", "blocked_clients"),
    ("maxclients", "max_clients"),
    ("client_recent_max_input_buffer", "client_recent_max_input_buffer_bytes"),
    ("client_recent_max_output_buffer", "client_recent_max_output_buffer_bytes"),
    ("used_memory", "memory_used_bytes"),
    ("used_memory_rss", "memory_used_rss_bytes"),
    ("used_memory_peak", "memory_used_peak_bytes"),
    ("used_memory_dataset", "memory_used_dataset_bytes"),
    ("maxmemory", "memory_max_bytes"),
    ("mem_fragmentation_ratio", "mem_fragmentation_ratio"),
    ("loading", "loading_dump_file"),
    ("rdb_changes_since_last_save", "rdb_changes_since_last_save"),
    ("rdb_bgsave_in_progress", "rdb_bgsave_in_progress"),
    ("rdb_last_save_time", "rdb_last_save_timestamp_seconds"),
    ("rdb_last_bgsave_time_sec", "rdb_last_bgsave_duration_sec"),
    ("rdb_current_bgsave_time_sec", "rdb_current_bgsave_duration_sec"),
    ("aof_enabled", "aof_enabled"),
    ("aof_rewrite_in_progress", "aof_rewrite_in_progress"),
    ("aof_last_rewrite_time_sec", "aof_last_rewrite_duration_sec"),
    ("aof_current_size", "aof_current_size_bytes"),
    ("aof_base_size", "aof_base_size_bytes"),
    ("aof_delayed_fsync", "aof_delayed_fsync"),
    ("instantaneous_ops_per_sec", "instantaneous_ops_per_sec"),
    ("pubsub_channels", "pubsub_channels"),
    ("pubsub_patterns", "pubsub_patterns"),
    ("latest_fork_usec", "latest_fork_usec"),
    ("connected_slaves", "connected_slaves"),
    ("master_repl_offset", "master_repl_offset"),
    ("repl_backlog_size", "replication_backlog_bytes"),
    ("repl_backlog_histlen", "repl_backlog_history_bytes"),
    ("sync_full", "replica_resyncs_full"),
];

/// The same for what only rises.
const COUNTERS: &[(&str, &str)] = &[
    ("total_connections_received", "connections_received_total"),
    ("total_commands_processed", "commands_processed_total"),
    ("rejected_connections", "rejected_connections_total"),
    ("total_net_input_bytes", "net_input_bytes_total"),
    ("total_net_output_bytes", "net_output_bytes_total"),
    ("expired_keys", "expired_keys_total"),
    ("evicted_keys", "evicted_keys_total"),
    ("keyspace_hits", "keyspace_hits_total"),
    ("keyspace_misses", "keyspace_misses_total"),
    ("total_error_replies", "total_error_replies"),
    ("used_cpu_sys", "cpu_sys_seconds_total"),
    ("used_cpu_user", "cpu_user_seconds_total"),
];

/// Fields that say `ok` or what failed.
const STATES: &[(&str, &str)] = &[
    ("rdb_last_bgsave_status", "rdb_last_bgsave_status"),
    ("aof_last_bgrewrite_status", "aof_last_bgrewrite_status"),
    ("aof_last_write_status", "aof_last_write_status"),
];

/// On a replica: about the link to its master.
const REPLICA: &[(&str, &str)] = &[
    ("master_last_io_seconds_ago", "master_last_io_seconds_ago"),
    ("master_sync_in_progress", "master_sync_in_progress"),
    ("slave_repl_offset", "slave_repl_offset"),
];

/// Fields that are told as they are.
const FACTS: &[(&str, &str)] = &[
    ("run_id", "run_id"),
    ("role", "role"),
    ("redis_version", "version"),
    ("redis_mode", "mode"),
    ("maxmemory_policy", "maxmemory_policy"),
];

/// One answer to `INFO`.
#[derive(Debug, Default)]
pub(crate) struct Info<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.trim_end().split_once(':')).collect())
    }

    pub(crate) fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).copied()
    }

    fn number(&self, field: &str) -> Option<f64> {
        self.text(field)?.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The server's own clock, in seconds since 1970.
    pub(crate) fn clock(&self) -> Option<f64> {
        self.number("server_time_usec").map(|time| time / 1e6)
    }

    /// Everything that it tells.
    pub(crate) fn tell(&self, seen: &mut Observation) {
        let name = |metric: &str| format!("redis_{metric}");
        let numbers = |rows: &'static [(&str, &str)]| {
            rows.iter().filter_map(|(field, metric)| Some((name(metric), *metric, self.number(field)?)))
        };
        // -1 seconds is how Redis says "never" and "none is running".
        let known = numbers(GAUGES).filter(|(_, metric, value)| !(metric.ends_with("_sec") && *value < 0.0));
        seen.points.extend(known.map(|(name, _, value)| Point::gauge(&name, &[], value)));
        seen.points.extend(numbers(COUNTERS).map(|(name, _, value)| Point::counter(&name, &[], value)));
        let states = STATES.iter().filter_map(|(field, metric)| Some((metric, self.text(field)?)));
        seen.points.extend(states.map(|(metric, said)| Point::gauge(&name(metric), &[], number(said == "ok"))));
        let facts = FACTS.iter().filter_map(|(field, fact)| Some((Clean::from(*fact), Clean::text(self.text(field)?))));
        seen.facts.extend(facts);
        self.memory(seen);
        self.replication(seen);
        self.databases(seen);
        if let (Some(clock), Some(uptime)) = (self.clock(), self.number("uptime_in_seconds")) {
            seen.points.push(Point::gauge("redis_start_time_seconds", &[], clock.floor() - uptime));
        }
    }

    fn memory(&self, seen: &mut Observation) {
        match (self.number("used_memory"), self.number("maxmemory")) {
            (Some(used), Some(max)) if max > 0.0 => {
                seen.points.push(Point::gauge("redis_memory_used_ratio", &[], used / max));
            }
            (_, Some(_)) => seen.not_supported.push((
                Clean::from("redis_memory_used_ratio"),
                Clean::from("the server has no limit of memory (maxmemory 0)"),
            )),
            _ => {}
        }
    }

    fn replication(&self, seen: &mut Observation) {
        if let (Some(host), Some(port)) = (self.text("master_host"), self.text("master_port")) {
            let labels = [("master_host", host), ("master_port", port)];
            let up = self.text("master_link_status").map(|said| number(said == "up"));
            seen.points.extend(up.map(|up| Point::gauge("redis_master_link_up", &labels, up)));
            let rows = REPLICA.iter().filter_map(|(field, metric)| Some((metric, self.number(field)?)));
            // -1 seconds: not a word yet.
            let rows = rows.filter(|(_, value)| *value >= 0.0);
            seen.points.extend(rows.map(|(metric, value)| Point::gauge(&format!("redis_{metric}"), &labels, value)));
            seen.facts.push((Clean::from("master"), clean!("{host}:{port}")));
        }
        for fields in self.rows("slave") {
            let get = |name| fields.get(name).copied();
            let (Some(ip), Some(port), Some(state)) = (get("ip"), get("port"), get("state")) else { continue };
            let labels = [("slave_ip", ip), ("slave_port", port), ("slave_state", state)];
            for (field, metric) in [("lag", "lag_seconds"), ("offset", "offset_bytes")] {
                let value = get(field).and_then(|value| value.parse().ok()).filter(|value: &f64| *value >= 0.0);
                let metric = format!("redis_connected_slave_{metric}");
                seen.points.extend(value.map(|value| Point::gauge(&metric, &labels, value)));
            }
        }
    }

    fn databases(&self, seen: &mut Observation) {
        for fields in self.rows("db") {
            let Some(db) = fields.get("").copied() else { continue };
            let number = |field| fields.get(field).and_then(|value| value.parse::<f64>().ok());
            let mut tell = |name, value: Option<f64>| {
                seen.points.extend(value.map(|value| Point::gauge(name, &[("db", db)], value)));
            };
            tell("redis_db_keys", number("keys"));
            tell("redis_db_keys_expiring", number("expires"));
            tell("redis_db_avg_ttl_seconds", number("avg_ttl").filter(|ttl| *ttl > 0.0).map(|ttl| ttl / 1e3));
        }
    }

    /// Fields that are numbered (`db0`, `slave1`) with their parts; the field's own name is the part without one.
    fn rows<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = BTreeMap<&'a str, &'a str>> + 's {
        let numbered = self.0.iter().filter(move |(field, _)| {
            field.strip_prefix(kind).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        });
        numbered.map(|(field, parts)| {
            let parts = parts.split(',').filter_map(|part| part.split_once('='));
            parts.chain([("", *field)]).collect()
        })
    }
}

/// The milliseconds of a stream entry's ID when they are a time: an ID of a writer's own making is none.
pub(crate) fn id_time(id: &str, clock: f64) -> Option<f64> {
    let seconds = id.split('-').next()?.parse::<f64>().ok()? / 1e3;
    (seconds > 1e9 && seconds <= clock + 3600.0).then_some(seconds)
}

fn number(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLICA: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nserver_time_usec:1700000100500000\r\n\
        uptime_in_seconds:100\r\n# Memory\r\nused_memory:1000\r\nmaxmemory:4000\r\n# Persistence\r\n\
        rdb_last_bgsave_status:err\r\nrdb_last_bgsave_time_sec:-1\r\n# Replication\r\nrole:slave\r\n\
        master_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n\
        slave0:ip=10.0.0.3,port=6380,state=online,offset=77,lag=2\r\n# Keyspace\r\n\
        db0:keys=43,expires=2,avg_ttl=1500\r\ndb12:keys=1,expires=0,avg_ttl=0\r\n";

    fn told(text: &str) -> Observation {
        let mut seen = Observation::default();
        Info::parse(text).tell(&mut seen);
        seen
    }

    fn value(seen: &Observation, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
        let fits = |point: &&Point| {
            let labelled = |(name, value)| point.key.label(name).is_some_and(|found| found.as_str() == value);
            point.key.name.as_str() == name && label.is_none_or(labelled)
        };
        seen.points.iter().find(fits).map(|point| point.value)
    }

    #[test]
    fn a_replica_tells_of_its_link_its_own_replicas_and_its_databases() {
        let seen = told(REPLICA);
        for (name, label, expected) in [
            ("redis_memory_used_ratio", None, Some(0.25)),
            ("redis_start_time_seconds", None, Some(1_700_000_000.0)),
            ("redis_rdb_last_bgsave_status", None, Some(0.0)),
            ("redis_rdb_last_bgsave_duration_sec", None, None),
            ("redis_master_link_up", Some(("master_host", "10.0.0.1")), Some(0.0)),
            ("redis_master_last_io_seconds_ago", None, None),
            ("redis_connected_slave_lag_seconds", Some(("slave_ip", "10.0.0.3")), Some(2.0)),
            ("redis_db_keys", Some(("db", "db0")), Some(43.0)),
            ("redis_db_avg_ttl_seconds", Some(("db", "db0")), Some(1.5)),
            ("redis_db_keys", Some(("db", "db12")), Some(1.0)),
            ("redis_db_avg_ttl_seconds", Some(("db", "db12")), None),
        ] {
            assert_eq!(value(&seen, name, label), expected, "{name}");
        }
        assert!(seen.facts.contains(&(Clean::from("role"), Clean::from("slave"))), "{:?}", seen.facts);
    }

    #[test]
    fn what_is_absent_or_garbage_gives_nothing() {
        let seen = told("used_memory:NaN\r\nconnected_clients:many\r\nslave0:ip\r\ndbx:keys=1\r\nmaxmemory:0\r\n:\r\n");
        let names: Vec<_> = seen.points.iter().map(|point| point.key.name.as_str()).collect();
        assert_eq!(names, ["redis_memory_max_bytes"]);
        assert_eq!(seen.not_supported.len(), 1, "no limit, no ratio: {:?}", seen.not_supported);
    }

    #[test]
    fn only_ids_that_are_times_have_an_age() {
        let clock = 1_700_000_100.0;
        assert_eq!(id_time("1700000000500-3", clock), Some(1_700_000_000.5));
        for id in ["0-0", "5-1", "9999999999999999-0", "x", ""] {
            assert_eq!(id_time(id, clock), None, "{id}");
        }
    }
}
