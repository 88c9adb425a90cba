//! The documentation of each kind: the header of its file, cut out when this is compiled. One place says it all.

use crate::base::header::{beginning, length, lines};

/// The header of a kind's file as bytes of its own, so that the rest of the file is no part of the program.
macro_rules! header {
    ($name:literal) => {{
        const FILE: &[u8] = include_bytes!(concat!("kinds/", $name, ".rs"));
        const HEADER: [u8; length(FILE)] = beginning(FILE);
        ($name, &HEADER as &[u8])
    }};
}

/// Every kind by its name, those that are not built too.
static HEADERS: &[(&str, &[u8])] = &[
    header!("command"),
    header!("container"),
    header!("discover"),
    header!("file"),
    header!("files"),
    header!("gpu"),
    header!("host"),
    header!("http"),
    header!("lmdb"),
    header!("postgres"),
    header!("process"),
    header!("rabbitmq"),
    header!("redis"),
    header!("scrape"),
    header!("sqlite"),
    header!("supervisor"),
    header!("systemd"),
    header!("tcp"),
    header!("websocket"),
];

/// What a kind's file says of it, line by line: its table with every key, and what it gives.
pub fn docs(kind: &str) -> Option<Vec<String>> {
    HEADERS.iter().find(|(name, _)| *name == kind).map(|(_, header)| lines(header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::KINDS;

    #[test]
    fn every_kind_is_documented_with_its_name_and_a_table() {
        for kind in KINDS {
            let name = kind.name();
            let lines = docs(name).unwrap_or_else(|| panic!("`{name}` has no row in HEADERS"));
            assert!(lines[0].starts_with(&format!("`{name}`")), "{name}: {}", lines[0]);
            let table = |line: &String| line.starts_with("kind ") && line.contains(&format!("\"{name}\""));
            assert!(lines.iter().any(table), "{name}: {lines:?}");
            assert!(lines.iter().all(|line| !line.contains("//!")), "{name}");
        }
        assert_eq!(HEADERS.len(), KINDS.len());
        assert_eq!(docs("nothing"), None);
    }
}
