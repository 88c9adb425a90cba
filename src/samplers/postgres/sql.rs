//! What PostgreSQL (13 and newer) is asked, and how an answer is read, by column: `g_NAME` is a gauge, `c_NAME` a counter,
//! `l_NAME` a label of its row, `metric` with `value` a gauge named by the row, `fact` with `said` a fact, `withheld` why
//! the first metric cannot be told, `refused` why this login may not look at it. NULL is no value.

use crate::base::scrub::scrub;
use crate::base::{Clean, Observation, Point, PointKind, SeriesKey};

/// More rows of one question are not read.
pub(crate) const ROWS: usize = 200;

/// One question: a read-only transaction of its own.
pub(crate) struct Ask {
    /// The metrics that are missing when it is not answered; beginnings end in `_`.
    pub(crate) gives: &'static [&'static str],
    /// True when a login without pg_read_all_stats is shown its own sessions only.
    pub(crate) monitors: bool,
    /// The versions (server_version_num) that know its columns.
    pub(crate) versions: core::ops::Range<u32>,
    pub(crate) sql: &'static str,
}

/// Every version that is understood.
pub(crate) const ALL: core::ops::Range<u32> = 130_000..u32::MAX;

/// Who the server is, and what this login may see.
pub(crate) const IDENTITY: &str = "SELECT current_setting('server_version_num') AS version_num, \
    current_setting('server_version') AS version, pg_is_in_recovery()::int AS in_recovery, \
    current_setting('transaction_read_only') AS read_only, quote_ident(current_user) AS login, \
    current_database() AS database, extract(epoch FROM pg_postmaster_start_time()) AS started, \
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')::int AS monitors, \
    (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
     WHERE e.extname = 'pg_stat_statements') AS statements";

/// Asked in every sample: what lives in shared memory.
pub(crate) const OFTEN: &[Ask] = &[
    Ask {
        gives: &["system_identifier"],
        monitors: false,
        versions: ALL,
        sql: "SELECT 'system_identifier' AS fact, system_identifier::text AS said FROM pg_control_system()",
    },
    Ask {
        gives: &["pg_stat_activity_count", "pg_stat_activity_max_tx_duration"],
        monitors: true,
        versions: ALL,
        sql: "SELECT d.datname AS l_datname, s.state AS l_state, count(a.pid) AS g_pg_stat_activity_count, \
            coalesce(max(extract(epoch FROM now() - a.xact_start)), 0) AS g_pg_stat_activity_max_tx_duration \
            FROM pg_database d CROSS JOIN (VALUES ('active'), ('idle'), ('idle in transaction'), \
            ('idle in transaction (aborted)'), ('fastpath function call'), ('disabled')) s(state) \
            LEFT JOIN pg_stat_activity a ON a.datname = d.datname AND a.state = s.state \
            WHERE d.datallowconn AND NOT d.datistemplate GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 200",
    },
    Ask {
        gives: &[
            "pg_long_running_transactions",
            "pg_long_running_transactions_oldest_timestamp_seconds",
            "postgres_running_statement_seconds_max",
            "postgres_oldest_xmin_age_transactions",
        ],
        monitors: true,
        versions: ALL,
        sql: "SELECT count(*) AS g_pg_long_running_transactions, \
            coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) \
            AS g_pg_long_running_transactions_oldest_timestamp_seconds, \
            coalesce(max(extract(epoch FROM clock_timestamp() - query_start)) \
            FILTER (WHERE state = 'active' AND backend_type = 'client backend'), 0) \
            AS g_postgres_running_statement_seconds_max FROM pg_stat_activity \
            WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL AND state IS DISTINCT FROM 'idle' \
            AND query NOT LIKE 'autovacuum:%'; \
            SELECT coalesce(max(x.age), 0) AS g_postgres_oldest_xmin_age_transactions FROM (\
            SELECT age(backend_xmin) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
            UNION ALL SELECT greatest(age(xmin), age(catalog_xmin)) FROM pg_replication_slots \
            UNION ALL SELECT age(transaction) FROM pg_prepared_xacts) x(age)",
    },
    Ask {
        gives: &["running statements"],
        monitors: true,
        versions: ALL,
        sql: "SELECT 'running pid ' || pid AS fact, \
            round(extract(epoch FROM clock_timestamp() - query_start)::numeric, 1) || ' s, ' || state || ', ' \
            || coalesce(usename, '?') || '@' || coalesce(datname, '?') \
            || coalesce(', waits for ' || wait_event_type || '/' || wait_event, '') {query} AS said \
            FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' \
            AND state <> 'idle' AND query_start IS NOT NULL ORDER BY query_start LIMIT 20",
    },
    Ask {
        gives: &["pg_locks_count"],
        monitors: false,
        versions: ALL,
        sql: "SELECT d.datname AS l_datname, m.mode AS l_mode, count(l.pid) AS g_pg_locks_count \
            FROM pg_database d CROSS JOIN (VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), \
            ('shareupdateexclusivelock'), ('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), \
            ('accessexclusivelock'), ('sireadlock')) m(mode) \
            LEFT JOIN pg_locks l ON l.database = d.oid AND lower(l.mode) = m.mode \
            WHERE d.datallowconn AND NOT d.datistemplate GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 200",
    },
    Ask {
        gives: &["postgres_blocked_sessions"],
        monitors: false,
        versions: ALL,
        sql: "SELECT count(DISTINCT pid) AS g_postgres_blocked_sessions FROM pg_locks WHERE NOT granted; \
            SELECT 'blocked pid ' || w.pid AS fact, 'waits for ' || string_agg('pid ' || p.pid \
            || coalesce(' (' || concat_ws(', ', b.usename || '@' || b.datname, b.state) || ')', ''), ' and ') AS said \
            FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted LIMIT 20) w \
            CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) p(pid) \
            LEFT JOIN pg_stat_activity b ON b.pid = p.pid GROUP BY w.pid ORDER BY w.pid",
    },
    Ask {
        gives: &["postgres_blocked_seconds_max"],
        monitors: false,
        versions: 140_000..u32::MAX,
        sql: "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0) \
            AS g_postgres_blocked_seconds_max FROM pg_locks WHERE NOT granted",
    },
    Ask {
        gives: &["pg_stat_database_", "postgres_cache_hit_ratio"],
        monitors: false,
        versions: ALL,
        sql: "SELECT datid AS l_datid, datname AS l_datname, numbackends AS g_pg_stat_database_numbackends, \
            xact_commit AS c_pg_stat_database_xact_commit, xact_rollback AS c_pg_stat_database_xact_rollback, \
            blks_read AS c_pg_stat_database_blks_read, blks_hit AS c_pg_stat_database_blks_hit, \
            tup_returned AS c_pg_stat_database_tup_returned, tup_fetched AS c_pg_stat_database_tup_fetched, \
            tup_inserted AS c_pg_stat_database_tup_inserted, tup_updated AS c_pg_stat_database_tup_updated, \
            tup_deleted AS c_pg_stat_database_tup_deleted, conflicts AS c_pg_stat_database_conflicts, \
            temp_files AS c_pg_stat_database_temp_files, temp_bytes AS c_pg_stat_database_temp_bytes, \
            deadlocks AS c_pg_stat_database_deadlocks, blk_read_time AS c_pg_stat_database_blk_read_time, \
            blk_write_time AS c_pg_stat_database_blk_write_time, \
            round(blks_hit::numeric / nullif(blks_hit + blks_read, 0), 6) AS g_postgres_cache_hit_ratio \
            FROM pg_stat_database WHERE datname IS NOT NULL AND datname NOT LIKE 'template_' \
            ORDER BY numbackends DESC, datname LIMIT 40",
    },
    Ask {
        gives: &["postgres_connections_used_ratio"],
        monitors: false,
        versions: ALL,
        sql: "SELECT sum(numbackends) AS g_postgres_connections_used, round(sum(numbackends)::numeric \
            / current_setting('max_connections')::int, 6) AS g_postgres_connections_used_ratio FROM pg_stat_database",
    },
    Ask {
        gives: &["pg_replication_lag_seconds"],
        monitors: false,
        versions: ALL,
        sql: "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'this server is no standby' END AS withheld, \
            CASE WHEN NOT pg_is_in_recovery() THEN NULL \
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
            ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END \
            AS g_pg_replication_lag_seconds, CASE WHEN pg_is_in_recovery() THEN \
            extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END AS g_pg_replication_last_replay_seconds",
    },
    Ask {
        gives: &["pg_stat_replication_pg_wal_lsn_diff", "postgres_standby_replay_lag_seconds"],
        monitors: true,
        versions: ALL,
        sql: "SELECT count(*) AS g_postgres_standbys FROM pg_stat_replication; \
            SELECT application_name AS l_application_name, host(client_addr) AS l_client_addr, state AS l_state, \
            pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() \
            ELSE pg_current_wal_lsn() END, replay_lsn) AS g_pg_stat_replication_pg_wal_lsn_diff, \
            extract(epoch FROM write_lag) AS g_postgres_standby_write_lag_seconds, \
            extract(epoch FROM flush_lag) AS g_postgres_standby_flush_lag_seconds, \
            extract(epoch FROM replay_lag) AS g_postgres_standby_replay_lag_seconds \
            FROM pg_stat_replication ORDER BY pid LIMIT 50",
    },
    Ask {
        gives: &["pg_replication_slots_"],
        monitors: false,
        versions: ALL,
        sql: "SELECT slot_name AS l_slot_name, database AS l_database, active::int AS g_pg_replication_slots_active, \
            pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() \
            ELSE pg_current_wal_lsn() END, restart_lsn) AS g_pg_replication_slots_pg_wal_lsn_diff \
            FROM pg_replication_slots ORDER BY 1 LIMIT 50",
    },
    Ask {
        gives: &["pg_stat_bgwriter_checkpoints_timed_total", "pg_stat_bgwriter_checkpoints_req_total"],
        monitors: false,
        versions: 130_000..170_000,
        sql: "SELECT checkpoints_timed AS c_pg_stat_bgwriter_checkpoints_timed_total, \
            checkpoints_req AS c_pg_stat_bgwriter_checkpoints_req_total, \
            checkpoint_write_time AS c_pg_stat_bgwriter_checkpoint_write_time_total, \
            checkpoint_sync_time AS c_pg_stat_bgwriter_checkpoint_sync_time_total, \
            buffers_checkpoint AS c_pg_stat_bgwriter_buffers_checkpoint_total, \
            buffers_clean AS c_pg_stat_bgwriter_buffers_clean_total, \
            maxwritten_clean AS c_pg_stat_bgwriter_maxwritten_clean_total, \
            buffers_backend AS c_pg_stat_bgwriter_buffers_backend_total, \
            buffers_backend_fsync AS c_pg_stat_bgwriter_buffers_backend_fsync_total, \
            buffers_alloc AS c_pg_stat_bgwriter_buffers_alloc_total FROM pg_stat_bgwriter",
    },
    Ask {
        gives: &["pg_stat_checkpointer_"],
        monitors: false,
        versions: 170_000..u32::MAX,
        sql: "SELECT buffers_clean AS c_pg_stat_bgwriter_buffers_clean_total, \
            maxwritten_clean AS c_pg_stat_bgwriter_maxwritten_clean_total, \
            buffers_alloc AS c_pg_stat_bgwriter_buffers_alloc_total FROM pg_stat_bgwriter; \
            SELECT num_timed AS c_pg_stat_checkpointer_num_timed_total, \
            num_requested AS c_pg_stat_checkpointer_num_requested_total, \
            write_time AS c_pg_stat_checkpointer_write_time_total, \
            sync_time AS c_pg_stat_checkpointer_sync_time_total, \
            buffers_written AS c_pg_stat_checkpointer_buffers_written_total FROM pg_stat_checkpointer",
    },
    Ask {
        gives: &["pg_stat_archiver_"],
        monitors: false,
        versions: ALL,
        sql: "SELECT archived_count AS c_pg_stat_archiver_archived_count, \
            failed_count AS c_pg_stat_archiver_failed_count, \
            extract(epoch FROM now() - last_archived_time) AS g_pg_stat_archiver_last_archive_age \
            FROM pg_stat_archiver",
    },
];

/// Asked once a minute: what reads catalogues, files or the text file of statements.
pub(crate) const SELDOM: &[Ask] = &[
    Ask {
        gives: &["pg_stat_statements_"],
        monitors: true,
        versions: ALL,
        sql: "SELECT pg_get_userbyid(s.userid) AS l_user, d.datname AS l_datname, s.queryid AS l_queryid, \
            sum(s.calls) AS c_pg_stat_statements_calls_total, \
            sum(s.total_exec_time) / 1e3 AS c_pg_stat_statements_seconds_total, \
            sum(s.rows) AS c_pg_stat_statements_rows_total, \
            sum(s.total_exec_time) / sum(s.calls) / 1e3 AS g_pg_stat_statements_mean_seconds, \
            min(s.min_exec_time) / 1e3 AS g_pg_stat_statements_min_seconds, \
            max(s.max_exec_time) / 1e3 AS g_pg_stat_statements_max_seconds {text} \
            FROM {statements}.pg_stat_statements({texts}) s JOIN pg_database d ON d.oid = s.dbid \
            WHERE s.queryid IS NOT NULL AND s.calls > 0 GROUP BY 1, 2, 3 \
            HAVING sum(s.total_exec_time) / sum(s.calls) > 50 \
            ORDER BY sum(s.total_exec_time) / sum(s.calls) DESC LIMIT 20",
    },
    Ask {
        gives: &["pg_settings_"],
        monitors: false,
        versions: ALL,
        // Our own transaction's limits are not what the server is set to: hence reset_val.
        sql: "SELECT 'pg_settings_' || name || CASE WHEN unit IN ('B', 'kB', '8kB', 'MB') THEN '_bytes' \
            WHEN unit IN ('ms', 's', 'min') THEN '_seconds' ELSE '' END AS metric, \
            CASE WHEN vartype = 'bool' THEN (reset_val = 'on')::int::numeric WHEN reset_val = '-1' THEN -1 \
            ELSE reset_val::numeric * CASE unit WHEN 'kB' THEN 1024 WHEN '8kB' THEN 8192 WHEN 'MB' THEN 1048576 \
            WHEN 'ms' THEN 0.001 WHEN 'min' THEN 60 ELSE 1 END END AS value FROM pg_settings \
            WHERE vartype IN ('bool', 'integer', 'real') AND name IN ('max_connections', \
            'superuser_reserved_connections', 'shared_buffers', 'work_mem', 'maintenance_work_mem', \
            'effective_cache_size', 'log_min_duration_statement', 'statement_timeout', 'lock_timeout', \
            'idle_in_transaction_session_timeout', 'deadlock_timeout', 'checkpoint_timeout', 'max_wal_size', \
            'wal_buffers', 'random_page_cost', 'autovacuum', 'autovacuum_max_workers', 'autovacuum_naptime', \
            'autovacuum_vacuum_scale_factor', 'autovacuum_freeze_max_age', 'fsync', 'full_page_writes', \
            'track_io_timing', 'hot_standby', 'max_worker_processes', 'max_replication_slots', 'max_wal_senders')",
    },
    Ask {
        gives: &["pg_database_size_bytes"],
        monitors: false,
        versions: ALL,
        sql: "SELECT d.datname AS l_datname, CASE WHEN r.may THEN pg_database_size(d.oid) END \
            AS g_pg_database_size_bytes, \
            age(d.datfrozenxid) AS g_pg_database_wraparound_age_datfrozenxid_seconds, \
            CASE WHEN NOT r.may THEN 'this login may not connect to the database ' || d.datname END AS refused \
            FROM pg_database d CROSS JOIN LATERAL (SELECT has_database_privilege(d.oid, 'CONNECT') \
            OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')) r(may) \
            WHERE d.datallowconn AND NOT d.datistemplate ORDER BY 1 LIMIT 100",
    },
    Ask {
        gives: &["pg_stat_user_tables_", "postgres_table_dead_ratio_estimate"],
        monitors: false,
        versions: ALL,
        sql: "SELECT current_database() AS l_datname, schemaname AS l_schemaname, relname AS l_relname, \
            n_live_tup AS g_pg_stat_user_tables_n_live_tup, n_dead_tup AS g_pg_stat_user_tables_n_dead_tup, \
            seq_scan AS c_pg_stat_user_tables_seq_scan, idx_scan AS c_pg_stat_user_tables_idx_scan, \
            extract(epoch FROM last_autovacuum) AS g_pg_stat_user_tables_last_autovacuum, \
            extract(epoch FROM last_autoanalyze) AS g_pg_stat_user_tables_last_autoanalyze, \
            round(n_dead_tup::numeric / nullif(n_live_tup + n_dead_tup, 0), 6) \
            AS g_postgres_table_dead_ratio_estimate FROM pg_stat_user_tables \
            ORDER BY n_dead_tup DESC, n_live_tup DESC, relid LIMIT 20",
    },
    Ask {
        gives: &["postgres_unused_indexes_estimate", "postgres_invalid_indexes"],
        monitors: false,
        versions: ALL,
        // Sizes from the catalogue: asking the files would want a lock on each index.
        sql: "SELECT count(*) AS g_postgres_unused_indexes_estimate, coalesce(sum(c.relpages::bigint), 0) \
            * current_setting('block_size')::int AS g_postgres_unused_indexes_bytes_estimate \
            FROM pg_stat_user_indexes s JOIN pg_index x USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid \
            WHERE s.idx_scan = 0 AND x.indisvalid AND NOT x.indisunique; \
            SELECT 'unused index ' || s.schemaname || '.' || s.indexrelname AS fact, 'about ' \
            || pg_size_pretty(c.relpages::bigint * current_setting('block_size')::int) \
            || ', no scan since the statistics began (estimate)' AS said \
            FROM pg_stat_user_indexes s JOIN pg_index x USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid \
            WHERE s.idx_scan = 0 AND x.indisvalid AND NOT x.indisunique ORDER BY c.relpages DESC, 1 LIMIT 10; \
            SELECT count(*) AS g_postgres_invalid_indexes FROM pg_index WHERE NOT indisvalid; \
            SELECT 'invalid index ' || n.nspname || '.' || c.relname AS fact, \
            'of ' || n.nspname || '.' || t.relname || ': a build that failed left it' AS said \
            FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT x.indisvalid ORDER BY 1 LIMIT 10",
    },
    Ask {
        gives: &["postgres_index_candidates_estimate"],
        monitors: false,
        versions: ALL,
        // A column of many values that lie in no order, and that no index begins with. A negative n_distinct is a
        // fraction of the rows. The planner's statistics show only tables that the login may read.
        sql: "WITH tables AS (SELECT c.oid, c.relname, n.nspname, c.reltuples, has_table_privilege(c.oid, 'SELECT') \
            AS open FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'p') \
            AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'), \
            found AS (SELECT s.schemaname || '.' || s.tablename || '.' || s.attname AS name, \
            CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * t.reltuples ELSE s.n_distinct END AS many, \
            s.correlation, t.reltuples FROM pg_stats s JOIN tables t ON t.nspname = s.schemaname \
            AND t.relname = s.tablename JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = s.attname \
            WHERE abs(s.correlation) < 0.1 AND NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t.oid \
            AND x.indisvalid AND x.indkey[0] = a.attnum)), many AS (SELECT * FROM found WHERE many > 100), \
            shut AS (SELECT count(*) FILTER (WHERE NOT open) AS n, count(*) AS whole FROM tables) \
            SELECT NULL AS fact, NULL AS said, CASE WHEN shut.n = 0 THEN (SELECT count(*) FROM many) END \
            AS g_postgres_index_candidates_estimate, CASE WHEN shut.n > 0 THEN shut.n || ' of ' || shut.whole \
            || ' tables may not be read by this login, so the planner''s statistics of them are hidden; mend with ' \
            || 'GRANT pg_read_all_data TO ' || quote_ident(current_user) END AS refused FROM shut \
            UNION ALL (SELECT 'index candidate ' || name, 'about ' || round(many::numeric) || ' values, correlation ' \
            || round(correlation::numeric, 2) || ' (estimate)', NULL, NULL FROM many ORDER BY reltuples DESC, 1 LIMIT 20)",
    },
];

impl Ask {
    /// The text to send; `statements` is the schema of the extension. `None` when that is missing.
    pub(crate) fn text(&self, show_queries: bool, statements: Option<&str>) -> Option<String> {
        let mut sql = self.sql.to_owned();
        if sql.contains("{statements}") {
            let text = "left(min(s.query), 200)";
            let text =
                if show_queries { format!(", 'query ' || s.queryid AS fact, {text} AS said") } else { String::new() };
            sql = sql.replace("{statements}", statements?).replace("{text}", &text);
        }
        let query = if show_queries { "|| ': ' || left(query, 200)" } else { "" };
        Some(sql.replace("{query}", query).replace("{texts}", if show_queries { "true" } else { "false" }))
    }

    /// That none of its metrics can be told, and why.
    pub(crate) fn refuse(&self, why: &Clean, seen: &mut Observation) {
        seen.not_supported.extend(self.gives.iter().map(|name| (Clean::from(*name), why.clone())));
    }

    /// Takes one row in, as pairs of column and value.
    pub(crate) fn read<'r>(&self, row: &[(&'r str, Option<&'r str>)], seen: &mut Observation) {
        let labels: Vec<_> = row
            .iter()
            .filter_map(|(column, value)| Some((column.strip_prefix("l_")?, value.unwrap_or_default())))
            .collect();
        let get = |wanted| row.iter().find(|(column, _)| *column == wanted).and_then(|(_, value)| *value);
        for (column, value) in row {
            let (kind, name) = match column.split_once('_') {
                Some(("g", name)) => (PointKind::Gauge, name),
                Some(("c", name)) => (PointKind::Counter, name),
                _ => continue,
            };
            seen.points.extend(number(*value).map(|value| Point { key: SeriesKey::new(name, &labels), value, kind }));
        }
        if let (Some(name), Some(value)) = (get("metric"), number(get("value"))) {
            seen.points.push(Point::gauge(name, &labels, value));
        }
        if let (Some(fact), Some(said)) = (get("fact"), get("said")) {
            seen.facts.push((Clean::text(fact), Clean::text(scrub(said))));
        }
        let Some(name) = self.gives.first() else { return };
        seen.not_supported.extend(get("withheld").map(|why| (Clean::from(*name), Clean::text(why))));
        if let Some(why) = get("refused") {
            seen.refuse(&[name], &Clean::text(why));
        }
    }
}

fn number(value: Option<&str>) -> Option<f64> {
    value?.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: Ask = Ask { gives: &["first", "second"], monitors: false, versions: ALL, sql: "{query}{texts}" };

    #[test]
    fn columns_say_what_they_are_and_null_is_no_value() {
        let mut seen = Observation::default();
        ASK.read(
            &[
                ("l_datname", Some("app")),
                ("l_none", None),
                ("g_size", Some("12")),
                ("g_gone", None),
                ("g_bad", Some("NaN")),
                ("c_commits", Some("3.5")),
                ("fact", Some("query 7")),
                ("said", Some("ALTER ROLE x password=hunter22")),
                ("withheld", Some("no standby")),
                ("refused", Some("no right")),
            ],
            &mut seen,
        );
        ASK.read(&[("metric", Some("pg_settings_x")), ("value", Some("-1"))], &mut seen);
        let labels = [("datname", "app"), ("none", "")];
        let points = [
            Point::gauge("size", &labels, 12.0),
            Point::counter("commits", &labels, 3.5),
            Point::gauge("pg_settings_x", &[], -1.0),
        ];
        assert_eq!(seen.points, points);
        assert_eq!(seen.not_supported, [(Clean::from("first"), Clean::from("no standby"))]);
        assert_eq!(seen.refused, [(Clean::from("first"), Clean::from("no right"))]);
        assert!(seen.facts.iter().all(|(_, said)| !said.as_str().contains("hunter22")), "{:?}", seen.facts);
    }

    #[test]
    fn no_question_writes_waits_or_shows_texts_unasked() {
        for ask in OFTEN.iter().chain(SELDOM) {
            let sql = ask.text(false, Some("public")).expect("there");
            assert!(!sql.contains('{') && sql.len() < 4_000, "{sql}");
            let words = sql.to_ascii_lowercase();
            assert!(words.starts_with("select ") || words.starts_with("with "), "{sql}");
            let never =
                ["insert ", "update ", "delete ", "truncate ", "drop ", "alter ", "set ", "lock table", "nextval"];
            let never = never.iter().chain(&["pg_terminate", "pg_cancel", "pg_reload", "left(query", "min(s.query"]);
            assert!(!never.into_iter().any(|word| words.contains(word)), "{sql}");
        }
        let statements = SELDOM.first().expect("one");
        assert_eq!(statements.text(false, None), None);
        assert!(statements.text(true, Some("ext")).is_some_and(|sql| sql.contains("ext.pg_stat_statements(true)")));
    }
}
