//! What RabbitMQ's management interface says, as points under the names of its own exporter. Pure; a field that the
//! broker has not counted yet is absent with that reason, never zero.

use crate::base::{Clean, Observation, Point};
use crate::clean;
use serde_json::Value;

/// Queues that are kept: ten series each, within the 2,000 of a sampler.
pub(crate) const QUEUES: usize = 180;

/// Metric and field; counted from the start of the broker where the third says so.
type Row = (&'static str, &'static str);

const TOTALS: [Row; 7] = [
    ("rabbitmq_connections", "/object_totals/connections"),
    ("rabbitmq_channels", "/object_totals/channels"),
    ("rabbitmq_consumers", "/object_totals/consumers"),
    ("rabbitmq_queues", "/object_totals/queues"),
    ("rabbitmq_queue_messages_global", "/queue_totals/messages"),
    ("rabbitmq_queue_messages_ready_global", "/queue_totals/messages_ready"),
    ("rabbitmq_queue_messages_unacknowledged_global", "/queue_totals/messages_unacknowledged"),
];

const NODE: [Row; 12] = [
    ("rabbitmq_process_resident_memory_bytes", "mem_used"),
    ("rabbitmq_resident_memory_limit_bytes", "mem_limit"),
    ("rabbitmq_alarms_memory_used_watermark", "mem_alarm"),
    ("rabbitmq_disk_space_available_bytes", "disk_free"),
    ("rabbitmq_disk_space_available_limit_bytes", "disk_free_limit"),
    ("rabbitmq_alarms_free_disk_space_watermark", "disk_free_alarm"),
    ("rabbitmq_process_open_fds", "fd_used"),
    ("rabbitmq_process_max_fds", "fd_total"),
    ("rabbitmq_process_open_tcp_sockets", "sockets_used"),
    ("rabbitmq_process_max_tcp_sockets", "sockets_total"),
    ("rabbitmq_erlang_processes_used", "proc_used"),
    ("rabbitmq_erlang_processes_limit", "proc_total"),
];

const QUEUE: [Row; 5] = [
    ("rabbitmq_queue_messages", "messages"),
    ("rabbitmq_queue_messages_ready", "messages_ready"),
    ("rabbitmq_queue_messages_unacked", "messages_unacknowledged"),
    ("rabbitmq_queue_consumers", "consumers"),
    ("rabbitmq_queue_process_memory_bytes", "memory"),
];

/// Only there once something of the kind has happened.
const TRAFFIC: [Row; 5] = [
    ("rabbitmq_queue_messages_published_total", "publish"),
    ("rabbitmq_queue_messages_delivered_total", "deliver_get"),
    ("rabbitmq_queue_messages_acked_total", "ack"),
    ("rabbitmq_queue_messages_redelivered_total", "redeliver"),
    ("rabbitmq_queue_get_empty_total", "get_empty"),
];

/// The fields of a queue that are asked for.
pub(crate) const QUEUE_COLUMNS: &str =
    "name,vhost,state,messages,messages_ready,messages_unacknowledged,consumers,memory,message_stats";
/// Of a node.
pub(crate) const NODE_COLUMNS: &str = "name,running,partitions,mem_used,mem_limit,mem_alarm,disk_free,disk_free_limit,\
    disk_free_alarm,fd_used,fd_total,sockets_used,sockets_total,proc_used,proc_total";
/// Of the whole.
pub(crate) const OVERVIEW_COLUMNS: &str = "rabbitmq_version,cluster_name,object_totals,queue_totals";

/// Adds the page `overview`.
pub(crate) fn overview(value: &Value, instance: &str, out: &mut Observation) {
    for (name, field) in TOTALS {
        match value.pointer(field).and_then(number) {
            Some(value) => out.points.push(Point::gauge(name, &[("instance", instance)], value)),
            None => out.not_supported.push((Clean::from(name), Clean::from(NOT_YET))),
        }
    }
    let [version, cluster] = ["rabbitmq_version", "cluster_name"].map(|field| text(value, field));
    if !version.as_str().is_empty() {
        out.facts.push((Clean::from("broker"), clean!("RabbitMQ {version}, cluster {cluster}")));
    }
}

const NOT_YET: &str = "the broker has not counted it yet";

/// Says that this user may not see the page `nodes`.
pub(crate) fn nodes_refused(why: &Clean, out: &mut Observation) {
    let names: Vec<&str> =
        NODE.iter().map(|(metric, _)| *metric).chain(["rabbitmq_running", "rabbitmq_partitions"]).collect();
    out.refuse(&names, why);
}

/// Adds the page `nodes`.
pub(crate) fn nodes(value: &Value, instance: &str, out: &mut Observation) -> Result<(), &'static str> {
    for node in value.as_array().ok_or("is no list of nodes")? {
        let name = text(node, "name");
        let labels = [("instance", instance), ("node", name.as_str())];
        let running = node.get("running").and_then(Value::as_bool).ok_or("is no list of nodes")?;
        out.points.push(Point::gauge("rabbitmq_running", &labels, f64::from(u8::from(running))));
        if !running {
            out.facts.push((Clean::from("node"), clean!("{name} does not run")));
            continue;
        }
        for (metric, field) in NODE {
            match node.get(field).and_then(number) {
                Some(value) => out.points.push(Point::gauge(metric, &labels, value)),
                None => out.not_supported.push((Clean::from(metric), clean!("{name}: {NOT_YET}"))),
            }
        }
        if let Some(partitions) = node.get("partitions").and_then(Value::as_array) {
            out.points.push(Point::gauge("rabbitmq_partitions", &labels, partitions.len() as f64));
        }
        for (field, what) in [("mem_alarm", "memory"), ("disk_free_alarm", "disk space")] {
            if node.get(field).and_then(Value::as_bool) == Some(true) {
                out.facts.push((Clean::from("alarm"), clean!("{name} is out of {what}: publishers are blocked")));
            }
        }
    }
    Ok(())
}

/// Adds a page of `queues`.
pub(crate) fn queues(value: &Value, instance: &str, out: &mut Observation) -> Result<(), &'static str> {
    let rows = value.get("items").and_then(Value::as_array).ok_or("is no page of queues")?;
    let mut uncounted = Vec::new();
    for queue in rows.iter().take(QUEUES) {
        let [name, vhost] = ["name", "vhost"].map(|field| text(queue, field));
        let labels = [("instance", instance), ("queue", name.as_str()), ("vhost", vhost.as_str())];
        for (metric, field) in QUEUE {
            out.points.extend(queue.get(field).and_then(number).map(|value| Point::gauge(metric, &labels, value)));
        }
        let traffic = queue.get("message_stats");
        for (metric, field) in TRAFFIC {
            let count = traffic.and_then(|traffic| traffic.get(field)).and_then(number);
            out.points.extend(count.map(|count| Point::counter(metric, &labels, count)));
        }
        if queue.get("messages").and_then(number).is_none() {
            uncounted.push(name.as_str().to_owned());
        }
        let state = text(queue, "state");
        if !matches!(state.as_str(), "" | "running" | "idle") {
            out.facts.push((clean!("queue {name}"), state));
        }
    }
    if let Some(first) = uncounted.first() {
        let more = uncounted.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let why = clean!("the broker has not counted {first}{more} yet");
        out.not_supported.push((Clean::from("rabbitmq_queue_messages"), why));
    }
    let all = value.get("filtered_count").and_then(Value::as_u64).unwrap_or(0);
    let kept = rows.len().min(QUEUES) as u64;
    if all > kept {
        out.facts.push((Clean::from("queues"), clean!("{kept} of {all}: those with most messages")));
    }
    Ok(())
}

/// A number; true counts as 1, false as 0.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        other => other.as_f64(),
    }
}

fn text(value: &Value, field: &str) -> Clean {
    Clean::text(value.get(field).and_then(Value::as_str).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(out: &Observation, name: &str) -> Option<f64> {
        out.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
    }

    #[test]
    fn a_queue_without_a_count_is_absent_with_its_reason_and_one_with_zero_is_zero() {
        let page = json!({ "filtered_count": 400, "items": [
            { "name": "fresh\u{1b}", "vhost": "/", "state": "running" },
            { "name": "empty", "vhost": "/", "state": "down", "messages": 0, "message_stats": { "publish": 7 } },
        ]});
        let mut out = Observation::default();
        queues(&page, "x", &mut out).expect("a page");
        let counts: Vec<_> = out.points.iter().filter(|p| p.key.name.as_str() == "rabbitmq_queue_messages").collect();
        assert_eq!((counts.len(), counts[0].value), (1, 0.0));
        assert_eq!(of(&out, "rabbitmq_queue_messages_published_total"), Some(7.0));
        assert_eq!(out.not_supported[0].1.as_str(), "the broker has not counted fresh␛ yet");
        let facts: Vec<_> = out.facts.iter().map(|(name, what)| format!("{name}: {what}")).collect();
        assert_eq!(facts, ["queue empty: down", "queues: 2 of 400: those with most messages"]);
    }

    #[test]
    fn alarms_and_a_node_that_is_down_are_told() {
        let page = json!([
            { "name": "a@x", "running": true, "mem_used": 9, "mem_alarm": true, "disk_free_alarm": false, "partitions": ["b@x"] },
            { "name": "b@x", "running": false },
        ]);
        let mut out = Observation::default();
        nodes(&page, "x", &mut out).expect("a page");
        assert_eq!(of(&out, "rabbitmq_alarms_memory_used_watermark"), Some(1.0));
        assert_eq!(of(&out, "rabbitmq_alarms_free_disk_space_watermark"), Some(0.0));
        assert_eq!((of(&out, "rabbitmq_partitions"), of(&out, "rabbitmq_process_open_fds")), (Some(1.0), None));
        let running = out.points.iter().filter(|point| point.key.name.as_str() == "rabbitmq_running");
        assert_eq!(running.map(|point| point.value).collect::<Vec<_>>(), [1.0, 0.0]);
        let facts: Vec<_> = out.facts.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(facts, ["a@x is out of memory: publishers are blocked", "b@x does not run"]);
        assert_eq!(out.not_supported.len(), 9, "of the node that runs: {:?}", out.not_supported);
    }

    #[test]
    fn what_is_no_such_page_is_said() {
        let mut out = Observation::default();
        assert_eq!(nodes(&json!({}), "x", &mut out), Err("is no list of nodes"));
        assert_eq!(queues(&json!([]), "x", &mut out), Err("is no page of queues"));
        overview(&json!([]), "x", &mut out);
        assert_eq!((out.points.len(), out.not_supported.len()), (0, TOTALS.len()));
    }
}
