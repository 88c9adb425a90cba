//! Patterns that ship, by pack: `packs = ["cuda", "lmdb"]`. Each is a row; what they recognise is what the guides of
//! the systems name. A profile's own patterns come beside them.

use super::matching::{LogPattern, LooksFor};
use crate::base::body::nearest;
use crate::base::{Clean, Fault, LogLevel};

/// Name of the pattern, expression, level, entry.
pub type Row = (&'static str, &'static str, LogLevel, Option<&'static str>);

const ERROR: LogLevel = LogLevel::Error;
const WARN: LogLevel = LogLevel::Warn;

/// Every pack: its name, what it is about, its rows.
pub const PACKS: &[(&str, &str, &[Row])] = &[
    ("cuda", "errors of CUDA and of the graphics driver", CUDA),
    ("memory", "allocations that failed, crashes", MEMORY),
    ("oom", "processes that the kernel killed for memory", OOM),
    ("performance", "what took too long", PERFORMANCE),
    ("lmdb", "errors of LMDB, by name and by code", LMDB),
    ("julia", "precompilation, packages, strategies", JULIA),
    ("exchange", "exchanges that do not answer, refuse or limit", EXCHANGE),
    ("python", "slow tasks and statements, a blocked event loop, missing modules", PYTHON),
];

const CUDA: &[Row] = &[
    ("cuda_error", r"CUDA_ERROR\w*|cudaError\w*|CUDA error", ERROR, Some("CN-8.1")),
    ("cuda_allocation", r"cuMemAlloc\w*|CUDA out of memory|CUDA_ERROR_OUT_OF_MEMORY", ERROR, Some("CN-8.1")),
    ("cuda_launch", r"cuLaunchKernel\w*|CUDA_ERROR_LAUNCH_\w+", ERROR, Some("CN-8.1")),
    ("xid", r"NVRM: Xid \([^)]*\): \d+|\bXid:? \d+", ERROR, None),
    ("gpu_lost", r"GPU has fallen off the bus|GPU is lost|NVRM: Xid \([^)]*\): 79\b", ERROR, None),
];

const MEMORY: &[Row] = &[
    ("out_of_memory", r"OutOfMemory\w*|MemoryError|[Cc]annot allocate memory", ERROR, Some("memory leak")),
    ("allocation_failed", r"(?i:allocation failed|memory allocation of \d+ bytes failed)", ERROR, Some("memory leak")),
    ("segfault", r"(?i:segfault|segmentation fault|signal 11\b)", ERROR, Some("memory leak")),
];

const OOM: &[Row] = &[
    ("oom_kill", r"Out of memory: Kill(ed)? process|oom-kill:|Memory cgroup out of memory", ERROR, None),
    ("oom_invoked", r"invoked oom-killer", WARN, None),
];

const PERFORMANCE: &[Row] = &[
    ("latency_exceeded", r"latency.*exceeded", WARN, Some("CN-8.3")),
    ("timeout", r"(?i:timed out\b|time-?out)", WARN, Some("CN-8.3")),
    ("slow", r"(?i:\bslow\b)", WARN, Some("CN-8.3")),
];

const LMDB: &[Row] = &[
    ("lmdb_map_full", r"MDB_MAP_FULL|(^|[^\d])-30792\b", ERROR, Some("PL-5.1")),
    ("lmdb_corrupted", r"MDB_CORRUPTED|(^|[^\d])-30796\b", ERROR, Some("PL-5.10")),
    ("lmdb_page_not_found", r"MDB_PAGE_NOTFOUND|(^|[^\d])-30797\b", ERROR, Some("PL-5.10")),
    ("lmdb_invalid", r"MDB_INVALID|(^|[^\d])-30793\b", ERROR, Some("PL-5.10")),
    ("lmdb_panic", r"MDB_PANIC|(^|[^\d])-30795\b", ERROR, Some("PL-5.10")),
    ("lmdb_version", r"MDB_VERSION_MISMATCH|(^|[^\d])-30794\b", ERROR, None),
    ("lmdb_readers_full", r"MDB_READERS_FULL|(^|[^\d])-30790\b", ERROR, None),
    ("lmdb_resized", r"MDB_MAP_RESIZED|(^|[^\d])-30785\b", WARN, None),
    ("lmdb_transaction_full", r"MDB_TXN_FULL|(^|[^\d])-30788\b", ERROR, None),
    ("lmdb_bad_reader_slot", r"MDB_BAD_RSLOT|(^|[^\d])-30783\b", ERROR, None),
    ("lmdb_bad_transaction", r"MDB_BAD_TXN|(^|[^\d])-30782\b", ERROR, None),
    ("lmdb_missing", r"LMDB not available", ERROR, Some("PL-5.16")),
];

const JULIA: &[Row] = &[
    ("precompile", r"(?i:precompil\w*.*(fail|error)|unsatisfiable requirements)", ERROR, Some("PL-2.1")),
    (
        "precompile_python",
        r"(?i:(segfault|segmentation fault|PyError|python).*precompil|precompil\w*.*(segfault|PyError))",
        ERROR,
        Some("PL-2.6"),
    ),
    ("debug_symbol", r"_debug_.{0,40}not (found|defined)|UndefVarError: `?_debug_", ERROR, Some("PL-2.13")),
    (
        "strategy_load",
        r"(?i:strategy.{0,60}(not found|failed to load|load(ing)? (error|failed)))",
        ERROR,
        Some("PL-7.1"),
    ),
    ("order", r"(?i:order (error|rejected|failed|not executed)|position error)", ERROR, Some("PL-7.9")),
    ("fetch", r"Fetch attempt \d+ failed|Missing values detected|Invalid price data detected", WARN, Some("PL-5.21")),
];

const EXCHANGE: &[Row] = &[
    (
        "exchange_silent",
        r"(?i:connection (refused|reset)|request timed? ?-?out|network is unreachable)",
        WARN,
        Some("PL-4.1"),
    ),
    (
        "exchange_login",
        r"(?i:authentication (error|failed)|invalid api[- _]?key|AuthenticationError)",
        ERROR,
        Some("PL-4.7"),
    ),
    (
        "exchange_limit",
        r"(?i:rate limit(ed)?\b|too many requests|\bHTTP(/\d(\.\d)?)?\W{1,2}429\b|RateLimitExceeded)",
        WARN,
        Some("PL-4.11"),
    ),
    (
        "exchange_ban",
        r"(?i:\bHTTP(/\d(\.\d)?)?\W{1,2}418\b|temporar\w+ ban|ip (has been )?banned|DDoSProtection)",
        ERROR,
        Some("PL-4.11"),
    ),
];

const PYTHON: &[Row] = &[
    ("slow_task", r"Slow task: .+ took [\d.]+ ?s", WARN, Some("GE-5.2")),
    ("event_loop_blocked", r"Event loop blocked for [\d.]+ ?ms", WARN, Some("GE-5.3")),
    ("slow_query", r"Slow query \([\d.]+ ?ms\)", WARN, Some("GE-6.4")),
    ("missing_module", r"ModuleNotFoundError|ImportError", ERROR, Some("PL-3.1")),
    ("traceback", r"Traceback \(most recent call last\)", ERROR, None),
];

/// The patterns of a pack.
///
/// # Errors
/// No pack has this name.
pub fn pack(name: &str) -> Result<Vec<LogPattern>, Fault> {
    let names = PACKS.iter().map(|(known, ..)| *known);
    let (.., rows) = PACKS.iter().find(|(known, ..)| *known == name).ok_or_else(|| {
        Fault::new(format!("there is no pack of patterns `{}`.", Clean::text(name))).hint(nearest(name, names))
    })?;
    let pattern = |(name, source, level, entry): &Row| LogPattern {
        captured: Vec::new(),
        sayings: Vec::new(),
        name: Clean::from(*name),
        looks_for: LooksFor::Regex((*source).to_owned()),
        level: *level,
        entry: entry.map(Clean::from),
        sources: Vec::new(),
    };
    Ok(rows.iter().map(pattern).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogPatterns;

    fn found(text: &str) -> Vec<String> {
        let rows = PACKS.iter().flat_map(|(name, ..)| pack(name).expect("a pack"));
        let all = LogPatterns::new(rows.collect()).expect("compiles");
        all.matches("x", text).into_iter().filter_map(|at| all.all().get(at)).map(|p| p.name.to_string()).collect()
    }

    #[test]
    fn each_text_of_the_guides_is_recognised() {
        for (text, names) in [
            ("cuMemAlloc_v2 returned CUDA_ERROR_OUT_OF_MEMORY", "cuda_error cuda_allocation"),
            ("cuLaunchKernel: 719", "cuda_launch"),
            ("NVRM: Xid (PCI:0000:65:00): 79, pid=1, GPU has fallen off the bus.", "xid gpu_lost"),
            ("NVRM: Xid (PCI:0000:65:00): 31, pid=1", "xid"),
            ("java.lang.OutOfMemoryError: heap", "out_of_memory"),
            ("app[7]: segfault at 0", "segfault"),
            ("Out of memory: Killed process 42 (python3) total-vm:9kB", "oom_kill"),
            ("processing latency of 12 us exceeded 10", "latency_exceeded"),
            ("a slow answer, then a timeout", "timeout slow"),
            ("read_timeout after 30 s", "timeout"),
            ("connection_timeout", "timeout"),
            ("urllib3 TimeoutError", "timeout"),
            ("request timed out", "timeout exchange_silent"),
            ("timed output of one second", ""),
            ("the slower one", ""),
            ("MDB_MAP_FULL: Environment mapsize limit reached", "lmdb_map_full"),
            ("LMDBError(-30792): put", "lmdb_map_full"),
            ("code 130792", ""),
            ("MDB_CORRUPTED", "lmdb_corrupted"),
            ("error -30797", "lmdb_page_not_found"),
            ("error -30793", "lmdb_invalid"),
            ("MDB_PANIC", "lmdb_panic"),
            ("MDB_TXN_FULL: Transaction has too many dirty pages - transaction too big", "lmdb_transaction_full"),
            ("LMDBError(-30788): put", "lmdb_transaction_full"),
            ("MDB_BAD_RSLOT: Invalid reuse of reader locktable slot", "lmdb_bad_reader_slot"),
            ("error -30783", "lmdb_bad_reader_slot"),
            ("MDB_BAD_TXN: Transaction must abort, has a child, or is invalid", "lmdb_bad_transaction"),
            ("error -30782", "lmdb_bad_transaction"),
            ("code 130788", ""),
            ("LMDB not available", "lmdb_missing"),
            ("Fetch attempt 3 failed", "fetch"),
            ("Missing values detected", "fetch"),
            ("Invalid price data detected", "fetch"),
            ("HTTP 429 from binance", "exchange_limit"),
            ("HTTP/1.1 418 I'm a teapot", "exchange_ban"),
            ("AuthenticationError: invalid API key", "exchange_login"),
            ("Slow task: fetch_all took 0.31 s", "slow slow_task"),
            ("Event loop blocked for 75 ms", "event_loop_blocked"),
            ("Slow query (12.3 ms): SELECT 1", "slow slow_query"),
            ("ModuleNotFoundError: No module named 'ccxt'", "missing_module"),
            ("UndefVarError: `_debug_` not defined", "debug_symbol"),
            ("all is well", ""),
        ] {
            assert_eq!(found(text).join(" "), names, "{text}");
        }
    }
}
