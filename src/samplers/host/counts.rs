//! Paging, open files, sockets and connections of the whole host, under node_exporter's names.

use super::{absent, word};
use crate::base::{Observation, Point, PointKind};
use crate::samplers::tcp::sock_diag::netstat;
use std::path::Path;

pub(super) fn read(root: &Path, page: f64, seen: &mut Observation) {
    vmstat(root, seen);
    files(root, seen);
    sockets(root, page, seen);
    opens(root, seen);
}

fn vmstat(root: &Path, seen: &mut Observation) {
    const NAMES: &[&str] = &["pgpgin", "pgpgout", "pswpin", "pswpout", "pgfault", "pgmajfault", "oom_kill"];
    let text = word(&root.join("proc/vmstat")).unwrap_or_default();
    let known = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    for name in NAMES {
        match known(name) {
            Some(value) => seen.points.push(Point::counter(&format!("node_vmstat_{name}"), &[], value)),
            None if *name == "oom_kill" => {
                absent(&["node_vmstat_oom_kill"], "this kernel does not count it in /proc/vmstat", seen);
            }
            None => {}
        }
    }
    if text.is_empty() {
        absent(&["node_vmstat_pgmajfault"], "/proc/vmstat cannot be read", seen);
    }
}

fn files(root: &Path, seen: &mut Observation) {
    const NAMES: [&str; 2] = ["node_filefd_allocated", "node_filefd_maximum"];
    let text = word(&root.join("proc/sys/fs/file-nr")).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    match (words.next().and_then(|word| word.parse().ok()), words.nth(1).and_then(|word| word.parse().ok())) {
        (Some(open), Some(most)) => {
            seen.points.extend(NAMES.iter().zip([open, most]).map(|(name, value)| Point::gauge(name, &[], value)));
        }
        _ => absent(&NAMES, "/proc/sys/fs/file-nr cannot be read", seen),
    }
}

fn sockets(root: &Path, page: f64, seen: &mut Observation) {
    let texts = ["proc/net/sockstat", "proc/net/sockstat6"].map(|path| word(&root.join(path)).unwrap_or_default());
    if texts.iter().all(String::is_empty) {
        absent(&["node_sockstat_sockets_used"], "/proc/net/sockstat cannot be read", seen);
    }
    for line in texts.iter().flat_map(|text| text.lines()) {
        let Some((family, rest)) = line.split_once(": ") else { continue };
        let mut words = rest.split_ascii_whitespace();
        while let (Some(what), Some(value)) = (words.next(), words.next()) {
            let Ok(value) = value.parse::<f64>() else { break };
            let name = format!("node_sockstat_{family}_{what}");
            seen.points.push(Point::gauge(&name, &[], value));
            if what == "mem" {
                seen.points.push(Point::gauge(&format!("{name}_bytes"), &[], value * page));
            }
        }
    }
}

/// Connections that this host has begun.
fn opens(root: &Path, seen: &mut Observation) {
    const NAME: &str = "node_netstat_Tcp_ActiveOpens";
    let text = word(&root.join("proc/net/snmp")).unwrap_or_default();
    match netstat(&text, "Tcp", "ActiveOpens") {
        Some(count) => seen.points.push(Point { kind: PointKind::Untyped, ..Point::gauge(NAME, &[], count) }),
        None => absent(&[NAME], "/proc/net/snmp does not count it", seen),
    }
}
