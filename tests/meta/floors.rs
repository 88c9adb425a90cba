//! The architecture as data: which floor may import which, which crate may be named where, who may touch the
//! ambient world. The rules read these tables; a design change is a change of a row here.

/// One floor: a folder of `src` (or `main` for the binary's own file).
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    /// Our floors that it may name, itself apart.
    pub(crate) imports: &'static [&'static str],
    /// Gets `now` and data, returns data: no clock, file, socket, thread or `async`.
    pub(crate) pure: bool,
}

/// Bottom first.
pub(crate) const FLOORS: &[Floor] = &[
    Floor { name: "base", imports: &[], pure: true },
    Floor { name: "sys", imports: &["base"], pure: false },
    Floor { name: "config", imports: &["base", "sys"], pure: false },
    Floor { name: "journal", imports: &["base", "sys"], pure: false },
    Floor { name: "term", imports: &["base", "sys"], pure: false },
    Floor { name: "samplers", imports: &["base", "sys"], pure: false },
    Floor { name: "store", imports: &["base"], pure: true },
    Floor { name: "logs", imports: &["base", "sys"], pure: false },
    Floor { name: "command", imports: &["base"], pure: true },
    Floor { name: "rules", imports: &["base", "store"], pure: true },
    Floor { name: "input", imports: &["base", "command"], pure: true },
    Floor { name: "action", imports: &["base", "sys", "store", "rules", "journal"], pure: false },
    Floor { name: "incident", imports: &["base", "store", "rules", "action", "journal"], pure: true },
    Floor { name: "procedure", imports: &["base", "store", "rules", "action"], pure: true },
    Floor {
        // `term` for the Input that a message carries
        name: "app",
        imports: &[
            "base",
            "config",
            "term",
            "journal",
            "store",
            "logs",
            "command",
            "rules",
            "input",
            "action",
            "procedure",
            "incident",
        ],
        pure: true,
    },
    Floor {
        // `config` for the Theme that `draw` is given
        name: "ui",
        imports: &[
            "base",
            "config",
            "store",
            "logs",
            "command",
            "rules",
            "input",
            "action",
            "procedure",
            "incident",
            "app",
        ],
        pure: true,
    },
    Floor {
        name: "roles",
        imports: &[
            "base",
            "sys",
            "config",
            "journal",
            "term",
            "samplers",
            "store",
            "logs",
            "command",
            "rules",
            "input",
            "action",
            "procedure",
            "incident",
            "app",
            "ui",
        ],
        pure: false,
    },
    Floor { name: "main", imports: &["base", "sys", "roles"], pure: false },
];

/// Files that are pure though their floor is not: the planning half of `action`.
pub(crate) const PURE_FILES: &[&str] =
    &["src/action/gate.rs", "src/action/mode.rs", "src/action/plan.rs", "src/action/prompt.rs", "src/action/verify.rs"];

/// Macros that live at the crate root, with the floor that defines them.
pub(crate) const ROOT_MACROS: &[(&str, &str)] = &[("clean", "base")];

/// Which floors may name a crate; `"*"` is all of them.
pub(crate) const CRATES: &[(&str, &[&str])] = &[
    // screen
    ("ratatui", &["config", "term", "ui"]),
    ("crossterm", &["term", "input"]),
    ("tui_logger", &["ui", "roles"]),
    ("vte", &["term"]),
    ("unicode_segmentation", &["*"]),
    ("unicode_width", &["*"]),
    // runtime and network
    ("tokio", &["sys", "samplers", "roles"]),
    ("futures_util", &["samplers", "roles"]),
    ("reqwest", &["samplers", "roles"]),
    ("rustls", &["sys", "samplers", "roles"]),
    ("hyper", &["sys", "roles"]),
    ("hyper_util", &["sys", "roles"]),
    ("http_body_util", &["sys", "roles"]),
    // system
    ("sysinfo", &["sys", "samplers"]),
    ("rustix", &["sys", "term", "samplers", "logs", "journal", "action", "roles"]),
    ("flate2", &["samplers", "logs"]),
    ("nvml_wrapper", &["samplers"]),
    ("tokio_tungstenite", &["samplers", "roles"]),
    ("redis", &["sys", "samplers"]),
    ("tokio_postgres", &["sys", "samplers"]),
    ("tokio_postgres_rustls", &["sys", "samplers"]),
    ("tokio_rustls", &["sys", "samplers", "roles"]),
    ("http", &["sys", "samplers", "action"]),
    ("tower_layer", &["samplers"]),
    ("tower_service", &["samplers"]),
    ("rustls_native_certs", &["sys", "samplers"]),
    ("roxmltree", &["sys"]),
    ("x509_cert", &["samplers"]),
    ("libc", &["sys"]),
    ("liblmdb", &["sys"]),
    ("tempfile", &["sys", "roles"]),
    // data
    ("serde", &["*"]),
    ("serde_json", &["*"]),
    ("thiserror", &["*"]),
    ("memchr", &["*"]),
    ("jiff", &["*"]),
    ("regex", &["base", "store", "rules", "logs", "samplers", "action"]),
    ("aho_corasick", &["sys"]),
    ("grep_searcher", &["logs"]),
    ("grep_regex", &["logs"]),
    ("include_dir", &["config"]),
    ("strsim", &["base", "config"]),
    ("saphyr_parser", &["rules"]),
    ("pulldown_cmark", &["procedure"]),
    ("toml", &["base", "config", "samplers", "roles"]),
    ("toml_edit", &["action"]),
    ("promql_parser", &["rules"]),
    ("sha2", &["sys", "config", "journal", "store", "action", "procedure"]),
    ("clap", &["roles"]),
    ("clap_complete", &["roles"]),
    ("tracing", &["sys", "config", "journal", "term", "samplers", "logs", "action", "roles"]),
    ("tracing_subscriber", &["roles"]),
];

/// Who may touch the ambient world through the standard library. The longest matching prefix decides.
pub(crate) const AMBIENT: &[(&str, &[&str])] = &[
    ("std::process", &["sys"]),
    ("std::process::ExitCode", &["roles", "main"]),
    ("std::os::unix::process", &["sys"]),
    ("std::env", &["sys", "roles", "main"]),
    ("std::fs", &["sys", "config", "journal", "term", "samplers", "logs", "action", "roles"]),
    ("std::os::unix::fs", &["sys", "config", "journal", "term", "samplers", "logs", "action", "roles"]),
    ("std::net", &["sys", "samplers", "action", "roles"]),
    ("std::os::unix::net", &["sys", "samplers", "action", "roles"]),
    ("std::thread", &["sys", "journal", "term", "samplers", "logs", "roles"]),
    ("std::thread::panicking", &["*"]),
    ("std::time::Instant", &["sys"]),
    ("std::time::SystemTime", &["sys"]),
    ("std::io::stdin", &["term", "roles"]),
    ("std::io::stdout", &["term", "roles"]),
    ("std::io::stderr", &["sys", "term", "roles", "main"]),
];

/// Floors with `async` code.
pub(crate) const ASYNC: &[&str] = &["sys", "samplers", "roles"];
/// Floors with `unsafe` and foreign functions.
pub(crate) const UNSAFE: &[&str] = &["sys"];

/// Folders with one file per kind, and the constant that lists the kinds.
pub(crate) const REGISTRIES: &[(&str, &str)] =
    &[("src/samplers/kinds", "KINDS"), ("src/ui/panes", "KINDS"), ("src/action/kinds", "KINDS")];

/// Everything that may lie at the top of the repository.
pub(crate) const TOP: &[&str] = &[
    ".ci",
    ".clippy.toml",
    ".deny.toml",
    ".editorconfig",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "build.rs",
    "examples",
    "keymaps",
    "profiles",
    "screenshots",
    "src",
    "tests",
    "themes",
];

/// Hosts that an address in the tree may name: documents, standards, examples; never a package registry's mirror.
pub(crate) const HOSTS: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "[::1]",
    "api.binance.com",
    "stream.binance.com",
    "www.binance.com",
    "www.xquartz.org",
    "chat.example.org",
    "github.com",
    "docs.rs",
    "keepachangelog.com",
    "semver.org",
    "www.apache.org",
    "opensource.org",
    "www.w3.org",
    "prometheus.io",
    "no-color.org",
    "ratatui.rs",
    "spdx.org",
    "json-schema.org",
    "nobody.example.test",
];

/// The floor with this name.
pub(crate) fn floor(name: &str) -> Option<&'static Floor> {
    FLOORS.iter().find(|floor| floor.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_cycle_because_every_floor_names_only_earlier_ones() {
        for (at, floor) in FLOORS.iter().enumerate() {
            for import in floor.imports {
                let place = FLOORS.iter().position(|other| other.name == *import);
                assert!(place.is_some_and(|place| place < at), "{} may not import {import}", floor.name);
            }
        }
    }

    #[test]
    fn rows_name_known_floors() {
        for (what, floors) in CRATES.iter().chain(AMBIENT) {
            for name in *floors {
                assert!(*name == "*" || floor(name).is_some(), "{what}: no floor `{name}`");
            }
        }
    }
}
