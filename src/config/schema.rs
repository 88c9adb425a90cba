//! The keys of a profile that this floor reads, as data: diagnostics, `validate` and the reference derive from it.

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    /// A value that works.
    pub example: &'static str,
}

/// One table with its keys. Kinds add their own.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// As written.
    pub header: &'static str,
    /// One line.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

const fn key(name: &'static str, about: &'static str, example: &'static str) -> Key {
    Key { name, about, example }
}

/// The top of the file.
pub const TOP: Table = Table {
    header: "",
    about: "one system, as its owner describes it",
    keys: &[
        key("title", "name of the system on the top line", "\"Cerebellar-Norse\""),
        key("environment", "badge on every screen", "\"production\""),
        key("extends", "profiles whose parts come first, at most 4 deep", "[\"host\"]"),
        key("settings", "what differs between sites, by name: `${name}` stands for it", "{ port = 8080 }"),
        key("samplers", "what to observe, by name", "{}"),
        key("logs", "what to follow, by name", "{}"),
        key("panes", "what to show, in order of importance", "[]"),
        key("views", "which panes stand together; the first one is shown first", "[]"),
        key("actions", "what can be done, by name", "{}"),
        key("rules", "rule files of Prometheus; `rules.yaml` beside this file when absent", "[\"rules.yaml\"]"),
        key("interval", "how often groups of rules are judged that do not say their own", "\"15s\""),
        key("patterns", "which lines of logs are named and counted", "[]"),
        key("inhibit", "which alerts explain which", "[]"),
        key("markers", "what tells of a deploy: files, or lines of a log", "[]"),
        key("grants", "which support level a login or a group has here", "{ \"%sre\" = \"L2\" }"),
        key("severities", "what words of the label `severity` mean to people", "{ page = \"critical\" }"),
        key("escalation", "by when somebody must answer, and be told further up", "{}"),
        key("contacts", "who can be called", "[]"),
        key("procedures", "what procedures may do, and how long what they kept stays", "{}"),
        key("notify", "where alerts are sent", "{}"),
    ],
};

/// `[settings]`: any name is a key.
pub const SETTINGS: Table = Table {
    header: "[settings]",
    about: "what differs between sites: `${name}` stands for it in texts here, in rules and procedures, and in what is extended; a text of one name alone takes the setting's type; `$${name}` is the text `${name}` itself",
    keys: &[key("data", "for example: a text, a number, true or false, or a list", "\"/srv/data\"")],
};

/// `[samplers.NAME]`.
pub const SAMPLER: Table = Table {
    header: "[samplers.NAME]",
    about: "one thing that is observed on a schedule",
    keys: &[
        key("kind", "which sampler", "\"http\""),
        key("every", "how often, at least 1s", "\"1s\""),
        key("timeout", "how long one attempt may take", "\"800ms\""),
        key("simulated", "marks its values SIMULATED", "false"),
        key("needs", "a path: the sampler is left out where it is absent", "\"/dev/nvidiactl\""),
    ],
};

/// `[logs.NAME]`.
pub const LOG: Table = Table {
    header: "[logs.NAME]",
    about: "one log that is followed",
    keys: &[key("kind", "which log source", "\"file\"")],
};

/// `[[panes]]`.
pub const PANE: Table = Table {
    header: "[[panes]]",
    about: "one pane of the screen",
    keys: &[
        key("title", "above the pane", "\"Queue depth\""),
        key("kind", "which pane", "\"sparkline\""),
        key("optional", "stands on the screen only once it has something to show", "false"),
    ],
};

/// `[[views]]`.
pub const VIEW: Table = Table {
    header: "[[views]]",
    about: "panes that stand on the screen together: a key goes on to the next view, and after the last one to all panes",
    keys: &[
        key("title", "unique in the profile", "\"System Health\""),
        key("panes", "titles of panes", "[\"Queue depth\", \"Log\"]"),
    ],
};

/// `[actions.NAME]`.
pub const ACTION: Table = Table {
    header: "[actions.NAME]",
    about: "one thing that can be done, behind the gate",
    keys: &[
        key("kind", "which action", "\"config_edit\""),
        key("title", "on the list of actions", "\"Reduce batch size\""),
    ],
};

/// `[procedures]`.
pub const PROCEDURES: Table = Table {
    header: "[procedures]",
    about: "what the documents in the folder `procedures` may do here: only this profile's own file says",
    keys: &[
        key("run_commands", "their blocks of commands may be run, each through the prompt", "false"),
        key("keep_runs", "so many runs are kept, the newest, and older ones that left something open", "200"),
    ],
};

/// `[[inhibit]]`.
pub const INHIBIT: Table = Table {
    header: "[[inhibit]]",
    about: "alerts that are consequences of another: they are folded under it, as Alertmanager's inhibit_rules mute them",
    keys: &[
        key("source_matchers", "matchers of the cause", "['alertname=\"GpuFull\"']"),
        key("target_matchers", "matchers of what it explains", "['alertname=~\"Queue.*\"']"),
        key("equal", "labels that both must have in common", "[\"instance\"]"),
    ],
};

/// `[grants]`: any login is a key.
pub const GRANTS: Table = Table {
    header: "[grants]",
    about: "support level of a login, of a \"%group\" and of everybody else, \"*\": L0 looks only, and wins; L1 when absent",
    keys: &[key("ada", "for example", "\"L2\"")],
};

/// `[severities]`: any word is a key.
pub const SEVERITIES: Table = Table {
    header: "[severities]",
    about: "words of the label `severity`: critical, major, minor, or info, which nobody has to answer",
    keys: &[key("page", "for example", "\"critical\"")],
};

/// `[escalation.critical]`, `[escalation.major]`, `[escalation.minor]`.
pub const ESCALATION: Table = Table {
    header: "[escalation.SEVERITY]",
    about: "the two clocks of an alert, from its first firing",
    keys: &[
        key("respond", "somebody must have answered by then", "\"15m\""),
        key("escalate", "the next support level is told then; 0s is at once", "\"0s\""),
    ],
};

/// `[[contacts]]`.
pub const CONTACT: Table = Table {
    header: "[[contacts]]",
    about: "somebody who can be called",
    keys: &[
        key("name", "unique in the profile", "\"Ada Example\""),
        key("role", "what they are", "\"Technical lead\""),
        key("level", "support level: L1, L2 or L3", "\"L2\""),
        key("phone", "as it is dialled", "\"+1-555-0124\""),
        key("mail", "mail address", "\"ada@example.org\""),
        key("web", "the address of a page, instead of or beside the others", "\"https://chat.example.org/ada\""),
    ],
};

/// `[notify]`.
pub const NOTIFY: Table = Table {
    header: "[notify]",
    about: "a webhook that is told of every alert that begins, worsens or ends",
    keys: &[
        key("url", "where to POST; a text, { env = \"NAME\" } or { file = \"/path\" }", "\"https://example.org/hook\""),
        key("headers", "added to the request; values as of `url`", "{ Authorization = { env = \"HOOK_AUTH\" } }"),
        key(
            "body",
            "JSON whose texts may hold {{placeholders}}; Alertmanager's fields when absent",
            "'{ \"text\": \"{{title}}\" }'",
        ),
        key("timeout", "how long one attempt may take", "\"5s\""),
        key("retry", "for how long it is tried again", "\"15m\""),
    ],
};

/// `[[patterns]]`.
pub const PATTERN: Table = Table {
    header: "[[patterns]]",
    about: "lines of logs that have a name: they are counted, highlighted, and lead to an entry",
    keys: &[
        key("pack", "patterns that ship; then only `sources` beside it", "\"cuda\""),
        key("name", "the label `pattern` of log_pattern_matches_total", "\"map_full\""),
        key("regex", "a regular expression without look-around, at most 1,000 bytes", "'MDB_MAP_FULL|-30792'"),
        key("text", "or a text as it is", "\"map full\""),
        key("level", "how bad it is: trace, debug, info, warn, error; warn when absent", "\"error\""),
        key("entry", "the entry of a guide, or the procedure, that it opens", "\"PL-5.1\""),
        key("sources", "sources of `[logs]`; all when absent", "[\"app\"]"),
        key(
            "values",
            "numbers that its lines say: a named `group` of the regex becomes the series `metric` (with `scale`, other groups as `labels`): the largest of each look, or as = \"last\", or as = \"summary\": quantiles of five minutes",
            "[{ group = \"ms\", metric = \"blocked_seconds\", scale = 0.001 }]",
        ),
        key(
            "facts",
            "texts that its lines say: the newest of a named `group` of the regex is the `fact` of that name of the sampler `watchkeeper-logs`, for the `[fill]` of a procedure",
            "[{ group = \"module\", fact = \"missing module\" }]",
        ),
    ],
};

/// `[[markers]]`.
pub const MARKER: Table = Table {
    header: "[[markers]]",
    about: "what tells of a deploy, for the list of what changed before an alert: a file, or a line of a log",
    keys: &[
        key("path", "a file that each deploy writes", "\"/srv/app/RELEASE\""),
        key("log", "a source of `[logs]`", "\"app\""),
        key("contains", "what a line of that log holds", "\"deployed version\""),
    ],
};

/// Every table, in the order of the reference.
pub const TABLES: &[Table] = &[
    TOP, SETTINGS, SAMPLER, LOG, PANE, VIEW, ACTION, PROCEDURES, INHIBIT, PATTERN, MARKER, GRANTS, SEVERITIES,
    ESCALATION, CONTACT, NOTIFY,
];

impl Table {
    /// The names of its keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}
