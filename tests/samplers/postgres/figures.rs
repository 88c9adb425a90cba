//! What it tells, to whom, and how it asks.

use super::{OURS, ask, complaint, facts, figure, look, reason, refusal, until, watch};
use crate::peer::{self, Peer};
use crate::{find, sampler, value};
use std::process::Command;
use watchkeeper::base::Observation;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_figure_agrees_with_psql_as_far_as_the_login_may_see() {
    let Some(peer) = peer::start("postgres") else { return };
    ask(
        &peer,
        "create table shuffled(id int primary key, v int, w int); \
        insert into shuffled select g, (random() * 1e6)::int, g from generate_series(1, 5000) g; \
        create index unused on shuffled(w); create index broken on shuffled(v); analyze shuffled",
    );
    ask(&peer, "update pg_index set indisvalid = false where indexrelid = 'broken'::regclass");
    until(&peer, "select n_live_tup from pg_stat_user_tables where relname = 'shuffled'", "5000");
    agrees_with_psql(&peer).await;
    slow_is_above_fifty_milliseconds(&peer).await;
    missing_rights_are_said(&peer).await;
    sessions_only_read(&peer).await;
    texts_are_shown_where_asked_for(&peer).await;
    refusals_have_their_sentences(&peer).await;
    encryption_is_as_asked_for(&peer).await;
}

const APP: Labels = &[("datname", "app")];

type Labels = &'static [(&'static str, &'static str)];

/// Metric, labels, and what must give the same.
const FIGURES: &[(&str, Labels, &str)] = &[
    ("pg_up", &[], "select 1"),
    ("pg_replication_is_replica", &[], "select pg_is_in_recovery()::int"),
    ("pg_postmaster_start_time_seconds", &[], "select extract(epoch from pg_postmaster_start_time())"),
    ("pg_database_size_bytes", APP, "select pg_database_size('app')"),
    ("pg_stat_database_deadlocks", APP, "select deadlocks from pg_stat_database where datname = 'app'"),
    ("pg_stat_database_temp_files", APP, "select temp_files from pg_stat_database where datname = 'app'"),
    ("pg_settings_max_connections", &[], "select setting from pg_settings where name = 'max_connections'"),
    (
        "pg_settings_shared_buffers_bytes",
        &[],
        "select 8192 * setting::int from pg_settings where name = 'shared_buffers'",
    ),
    (
        "pg_settings_log_min_duration_statement_seconds",
        &[],
        "select setting::numeric / 1000 from pg_settings where name = 'log_min_duration_statement'",
    ),
    ("pg_settings_lock_timeout_seconds", &[], "select setting from pg_settings where name = 'lock_timeout'"),
    ("pg_settings_fsync", &[], "select (setting = 'on')::int from pg_settings where name = 'fsync'"),
    ("pg_locks_count", &[("datname", "app"), ("mode", "accessexclusivelock")], "select 0"),
    ("postgres_blocked_sessions", &[], "select count(*) from pg_locks where not granted"),
    ("postgres_blocked_seconds_max", &[], "select 0"),
    ("postgres_standbys", &[], "select count(*) from pg_stat_replication"),
    ("pg_stat_archiver_archived_count", &[], "select archived_count from pg_stat_archiver"),
    ("pg_stat_bgwriter_checkpoints_req_total", &[], "select checkpoints_req from pg_stat_bgwriter"),
    ("pg_stat_user_tables_n_live_tup", &[("relname", "shuffled"), ("schemaname", "public")], "select 5000"),
    ("postgres_unused_indexes_estimate", &[], "select 1"),
    ("postgres_unused_indexes_bytes_estimate", &[], "select pg_relation_size('unused')"),
    ("postgres_invalid_indexes", &[], "select count(*) from pg_index where not indisvalid"),
    (
        "postgres_index_candidates_estimate",
        &[],
        "select count(*) from pg_stats where schemaname = 'public' and abs(correlation) < 0.1 and (n_distinct > 100 or n_distinct < 0)",
    ),
    (
        "pg_database_wraparound_age_datfrozenxid_seconds",
        APP,
        "select age(datfrozenxid) from pg_database where datname = 'app'",
    ),
];

async fn agrees_with_psql(peer: &Peer) {
    let before = figure(peer, "select xact_commit from pg_stat_database where datname = 'app'");
    let seen = look(&mut *watch(peer, "DATABASE_URL", "")).await;
    for (name, labels, sql) in FIGURES {
        assert_eq!(value(&seen, name, labels), figure(peer, sql), "{name} {labels:?}");
    }
    let commits = value(&seen, "pg_stat_database_xact_commit", APP);
    assert!(commits >= before && commits <= before + 100.0, "{before} {commits}");
    let idle = value(&seen, "pg_stat_activity_count", &[("datname", "app"), ("state", "active")]);
    assert_eq!(idle, 1.0, "ourselves");
    let hits = value(&seen, "postgres_cache_hit_ratio", APP);
    assert!(hits > 0.5 && hits <= 1.0, "{hits}");
    let used = value(&seen, "postgres_connections_used_ratio", &[]);
    assert!(used > 0.0 && used < 0.5, "{used}");
    assert_eq!(find(&seen, "pg_replication_lag_seconds", &[]), None);
    assert_eq!(reason(&seen, "pg_replication_lag_seconds"), "this server is no standby");
    assert_eq!(reason(&seen, "pg_stat_checkpointer_").split(' ').next_back(), Some("it"));
    facts_agree(peer, &seen);
    slow_statements_agree(peer).await;
}

fn facts_agree(peer: &Peer, seen: &Observation) {
    for (fact, sql) in
        [("system_identifier", "select system_identifier from pg_control_system()"), ("version", "show server_version")]
    {
        assert_eq!(facts(seen, fact), [(fact, &*ask(peer, sql))]);
    }
    assert_eq!(facts(seen, "session"), [("session", "read-only")]);
    assert!(facts(seen, "invalid index public.broken").len() == 1, "{:?}", seen.facts);
    assert!(facts(seen, "index candidate public.shuffled.v").len() == 1, "{:?}", seen.facts);
}

async fn slow_statements_agree(peer: &Peer) {
    let slow = "select queryid from pg_stat_statements where query like '%pg_sleep%total%'";
    let id = ask(peer, slow);
    let labels = [("user", "ops"), ("datname", "app"), ("queryid", &*id)];
    let seen = look(&mut *watch(peer, "PG_VIEWER_URL", "")).await;
    for (name, column) in [
        ("pg_stat_statements_calls_total", "calls"),
        ("pg_stat_statements_seconds_total", "total_exec_time / 1000"),
        ("pg_stat_statements_mean_seconds", "mean_exec_time / 1000"),
        ("pg_stat_statements_min_seconds", "min_exec_time / 1000"),
        ("pg_stat_statements_max_seconds", "max_exec_time / 1000"),
    ] {
        let theirs = figure(peer, &format!("select {column} from pg_stat_statements where queryid = {id}"));
        assert!((value(&seen, name, &labels) - theirs).abs() < 1e-9, "{name} {theirs}");
    }
    assert!(value(&seen, "pg_stat_statements_mean_seconds", &labels) >= 0.12);
    the_slowest_twenty_come_in_their_order(peer).await;
}

/// Of more that are over 50 ms; each of another shape, so that each is a statement of its own. On a busy host others are
/// as slow and among the twenty: only those that sleep are held against each other.
async fn the_slowest_twenty_come_in_their_order(peer: &Peer) {
    let slow = (1..=23).map(|number| format!("select pg_sleep(0.0{}){}", 52 + number, ", 1".repeat(number)));
    ask(peer, &slow.collect::<Vec<_>>().join("; "));
    let asleep = "select queryid from pg_stat_statements where mean_exec_time > 50 and query like '%pg_sleep%' \
        order by mean_exec_time desc";
    let asleep = ask(peer, asleep);
    let asleep: Vec<&str> = asleep.lines().collect();
    assert!(asleep.len() > 20, "more than are told: {asleep:?}");
    let seen = look(&mut *watch(peer, "PG_VIEWER_URL", "")).await;
    let means = seen.points.iter().filter(|point| point.key.name.as_str() == "pg_stat_statements_mean_seconds");
    let told: Vec<&str> = means.filter_map(|point| Some(point.key.label("queryid")?.as_str())).collect();
    assert_eq!(told.len(), 20, "{told:?}");
    let told: Vec<&str> = told.into_iter().filter(|id| asleep.contains(id)).collect();
    assert!(!told.is_empty() && asleep.starts_with(&told), "the slowest first: {told:?} of {asleep:?}");
}

/// In a database whose extension gives two made statements, one whose mean is 50 ms and one a little above.
async fn slow_is_above_fifty_milliseconds(peer: &Peer) {
    ask(peer, "create database exact");
    let url = |who: &str| peer.env(who).replace("/app", "/exact");
    let made = "create extension pg_stat_statements; \
        alter extension pg_stat_statements drop view pg_stat_statements; drop view pg_stat_statements; \
        alter extension pg_stat_statements drop function pg_stat_statements(boolean); \
        drop function pg_stat_statements(boolean); \
        create function pg_stat_statements(boolean) returns table(userid oid, dbid oid, queryid bigint, query text, \
        calls bigint, rows bigint, total_exec_time float8, min_exec_time float8, max_exec_time float8) language sql as \
        'select d.datdba, d.oid, n, ''made'', 2, 2, 100 + n, 50, 51 from pg_database d, generate_series(0::bigint, 1) n \
        where d.datname = current_database()'";
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", made, &url("DATABASE_URL")]);
    let output = psql.output().expect("psql runs");
    assert!(output.status.success(), "{output:?}");
    let mut watch = sampler("postgres", &format!("url = \"{}\"", url("PG_VIEWER_URL")));
    let seen = look(&mut *watch).await;
    let means = seen.points.iter().filter(|point| point.key.name.as_str() == "pg_stat_statements_mean_seconds");
    let told: Vec<&str> = means.filter_map(|point| Some(point.key.label("queryid")?.as_str())).collect();
    assert_eq!(told, ["1"], "50 ms are not above 50 ms");
}

async fn missing_rights_are_said(peer: &Peer) {
    let seen = look(&mut *watch(peer, "PG_NOBODY_URL", "")).await;
    let grant = "this login sees \"<insufficient privilege>\" there; mend with GRANT pg_monitor TO nobody_special";
    for name in ["pg_stat_activity_count", "pg_stat_statements_", "postgres_running_statement_seconds_max"] {
        assert_eq!(refusal(&seen, name), grant, "{name}");
        assert!(!seen.points.iter().any(|point| point.key.name.as_str().starts_with(name)), "{name}");
    }
    assert!(value(&seen, "pg_stat_database_numbackends", &[("datname", "app")]) >= 1.0);
    let hidden = refusal(&seen, "postgres_index_candidates_estimate");
    assert!(hidden.ends_with("mend with GRANT pg_read_all_data TO nobody_special"), "{hidden}");
    assert_eq!(find(&seen, "postgres_index_candidates_estimate", &[]), None);

    let other = peer.env("DATABASE_URL").replace("/app", "/postgres");
    let seen = look(&mut *sampler("postgres", &format!("url = \"{other}\""))).await;
    let missing = "the extension pg_stat_statements is missing in postgres; mend with CREATE EXTENSION";
    assert_eq!(reason(&seen, "pg_stat_statements_"), missing);
    ask(peer, "revoke execute on function pg_control_system() from public");
    let seen = look(&mut *watch(peer, "PG_VIEWER_URL", "")).await;
    let denied = "permission denied for function pg_control_system; mend with GRANT pg_monitor TO viewer";
    assert_eq!(refusal(&seen, "system_identifier"), denied);
    assert_eq!(value(&seen, "pg_up", &[]), 1.0, "the rest goes on after it");
    ask(peer, "grant execute on function pg_control_system() to public");
}

/// As the server's own log has it.
async fn sessions_only_read(peer: &Peer) {
    until(peer, OURS, "0");
    let log = || std::fs::read_to_string(peer.dir().join("main.log")).expect("readable");
    ask(peer, "alter system set log_statement = 'all'");
    ask(peer, "select pg_reload_conf()");
    until(peer, "show log_statement", "all");
    let temp = "select sum(temp_files) from pg_stat_database";
    let (from, temp_before) = (log().len(), ask(peer, temp));
    let mut sampler = watch(peer, "PG_VIEWER_URL", "");
    for _ in 0..3 {
        look(&mut *sampler).await;
        assert_eq!(ask(peer, OURS), "1");
    }
    let log = log();
    let said: Vec<&str> = log
        .get(from..)
        .expect("it grows")
        .lines()
        .filter(|line| line.contains("viewer@app LOG:  statement: "))
        .collect();
    assert!(said.len() > 30, "{said:#?}");
    let begin = "statement: BEGIN READ ONLY; SET LOCAL statement_timeout = 800; SET LOCAL lock_timeout = 100; ";
    let good = |line: &&str| line.contains(begin) || line.ends_with("statement: ROLLBACK");
    assert!(said.iter().all(good), "{said:#?}");
    assert_eq!(ask(peer, temp), temp_before, "no temporary files");
    let state = "select state, backend_xid is null from pg_stat_activity where application_name = 'watchkeeper'";
    assert_eq!(ask(peer, state), "idle t");
    drop(sampler);
    until(peer, OURS, "0");
    ask(peer, "alter system reset log_statement");
    ask(peer, "select pg_reload_conf()");
}

async fn texts_are_shown_where_asked_for(peer: &Peer) {
    let canary = "select /* canary */ count(*), pg_sleep(0.06) from orders where total > 1";
    ask(peer, canary);
    let silent = look(&mut *watch(peer, "PG_VIEWER_URL", "")).await;
    assert!(!format!("{silent:?}").contains("canary"), "{silent:?}");
    let told = look(&mut *watch(peer, "PG_VIEWER_URL", "show_queries = true")).await;
    let texts = facts(&told, "query ");
    assert!(texts.iter().any(|(_, text)| text.contains("canary")), "{texts:?}");
}

async fn refusals_have_their_sentences(peer: &Peer) {
    let url = peer.env("PG_VIEWER_URL");
    let place = url.split_once('@').and_then(|(_, rest)| rest.strip_suffix("/app")).expect("an address");
    let hba = peer.dir().join("data/pg_hba.conf");
    let trusting = std::fs::read_to_string(&hba).expect("readable");
    let strict = "local all all trust\nhost all ops 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    std::fs::write(&hba, strict).expect("written");
    ask(peer, "select pg_reload_conf()");
    let refused = |url: String, more: &'static str| async move {
        let failure = complaint(&mut *sampler("postgres", &format!("url = \"{url}\"\n{more}"))).await;
        assert!(!failure.what.as_str().contains("hunter22"), "{failure:?}");
        // Who is not let in knows nothing of the server.
        let told = ["pg_up", "postgres_login_refused"].map(|name| find(&failure.seen, name, &[]));
        let right = if failure.not_permitted { [None, Some(1.0)] } else { [Some(0.0), None] };
        assert_eq!(told, right, "{failure:?}");
        (failure.what.to_string(), failure.not_permitted)
    };
    for (url, more, end, not_permitted) in [
        (url.replace("viewer:viewer", "viewer"), "", " wants a password. Give `password` in the profile.", true),
        (
            url.replace("viewer:viewer", "viewer"),
            "password = \"hunter22\"",
            ": the login that the profile gives is refused. Mend the user in `url`, or `password`.",
            true,
        ),
        (url.replace("/app", "/nowhere"), "", " has no database nowhere. Mend the end of `url`.", false),
        (url.to_owned(), "sslmode = \"require\"", " does not offer TLS, which `sslmode` asks for.", false),
    ] {
        assert_eq!(refused(url, more).await, (format!("{place}{end}"), not_permitted));
    }
    let good = url.replace("viewer:viewer", "viewer");
    look(&mut *sampler("postgres", &format!("url = \"{good}\"\npassword = \"viewer\""))).await;
    std::fs::write(&hba, trusting).expect("written");
    ask(peer, "select pg_reload_conf()");

    ask(peer, "alter role viewer connection limit 0");
    let (full, _) = refused(url.to_owned(), "").await;
    assert!(full.starts_with(&format!("{place} takes no more connections: ")), "{full}");
    ask(peer, "alter role viewer connection limit -1");
    let socket = peer.env("PG_SOCKET_DIR");
    let port = place.split(':').next_back().expect("a port");
    let by_socket = format!("url = \"postgres://viewer@/app?host={socket}&port={port}\"");
    assert_eq!(value(&look(&mut *sampler("postgres", &by_socket)).await, "pg_up", &[]), 1.0);
}

async fn encryption_is_as_asked_for(peer: &Peer) {
    let [key, certificate] = ["data/server.key", "data/server.crt"].map(|name| peer.dir().join(name));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=watched", "-keyout"]).arg(&key);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-out"]);
    if openssl.arg(&certificate).output().is_err() {
        return peer::skip("openssl", "not installed: apt-get install openssl");
    }
    let owner =
        Command::new("chown").arg("--reference").arg(peer.dir().join("data")).args([&key, &certificate]).status();
    assert!(owner.expect("chown runs").success());
    ask(peer, "alter system set ssl = on");
    ask(peer, "select pg_reload_conf()");
    until(peer, "show ssl", "on");
    let cipher = "select coalesce(version, 'none') from pg_stat_ssl s join pg_stat_activity a using (pid) \
        where application_name = 'watchkeeper'";
    let url = peer.env("PG_VIEWER_URL");
    let named = url.replace("127.0.0.1", "localhost");
    let ca = format!("ca = \"{}\"\nsslmode = \"verify-full\"", certificate.display());
    for (url, more, expected) in [
        (url, "", "TLSv1.3"),
        (url, "sslmode = \"require\"", "TLSv1.3"),
        (url, "sslmode = \"disable\"", "none"),
        (&named, &ca, "TLSv1.3"),
    ] {
        let mut sampler = sampler("postgres", &format!("url = \"{url}\"\n{more}"));
        look(&mut *sampler).await;
        assert_eq!(ask(peer, cipher), expected, "{more}");
        drop(sampler);
        until(peer, OURS, "0");
    }
    let wrong = complaint(&mut *sampler("postgres", &format!("url = \"{url}\"\n{ca}"))).await;
    assert!(wrong.what.as_str().contains("certificate not valid for name"), "{wrong:?}");
}
