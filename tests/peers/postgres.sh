#!/bin/bash
# PostgreSQL with pg_stat_statements: slow queries, running queries, locks, connection counts.
#   postgres.sh start|stop|status [DIR]   package: postgresql (contrib is part of it), runs as user "postgres" if we are root
#   postgres.sh exec DIR standby          a streaming standby beside it; prints STANDBY_URL (viewer)
# Started by the plain binaries, no cluster tools, no systemd. durability is off (fsync=off): test data only.
# autovacuum is off: between two looks of a test nothing works or grows but what it does itself.
# PG_SLOW=50 is its log_min_duration_statement, on the command line; PG_SLOW= leaves it unset.
# Superuser "ops" without password (trust on loopback); role "viewer" (password viewer) has pg_monitor only;
# role "nobody_special" (password x) has nothing: query text of others reads "<insufficient privilege>".
. "$(dirname "$0")/lib.sh"; svc_init postgres "$@"
for BIN in "${PG_BIN:-}" /usr/lib/postgresql/*/bin; do [ -x "$BIN/postgres" ] && break; done
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; else "$@"; fi; }
sql() { "$BIN/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$P" -U ops "$@"; }
PG_SLOW=${PG_SLOW-50}
serve() { # TAG DATA PORT
  set -- "$1" "$BIN/postgres" -D "$DIR/$2" -p "$3" -k "$DIR/sock" -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off \
    -c shared_buffers=16MB -c max_connections=20 -c shared_preload_libraries=pg_stat_statements -c pg_stat_statements.track=all \
    -c compute_query_id=on -c track_io_timing=on -c autovacuum=off ${PG_SLOW:+-c log_min_duration_statement=$PG_SLOW} -c log_line_prefix='%m [%p] %q%u@%d '
  local tag=$1; shift
  if [ "$(id -u)" = 0 ]; then spawn "$tag" setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; else spawn "$tag" "$@"; fi
}
case $ACTION in
start) already main; [ -x "$BIN/postgres" ] || need postgres postgresql; P=$(port main); mkdir -p "$DIR/sock"
  if [ "$(id -u)" = 0 ]; then mkdir -p "$DIR/data"; chown postgres: "$DIR/data" "$DIR/sock"; chmod 700 "$DIR/data"
    as test -x "$DIR" || { echo "postgres: user postgres can't reach $DIR (mode 711 needed on its parents)" >&2; exit 1; }; fi
  cd / || exit 1
  [ -s "$DIR/data/PG_VERSION" ] || as "$BIN/initdb" -D "$DIR/data" -U ops -A trust -E UTF8 --locale=C.UTF-8 -N > "$DIR/initdb.log" 2>&1 \
    || { cat "$DIR/initdb.log" >&2; exit 1; }
  serve main data "$P"
  ping() { sql -d postgres -c 'select 1'; }; wait_for 20 main ping || { "$0" stop "$DIR"; exit 1; }
  [ "$(sql -d postgres -Atc "select count(*) from pg_database where datname='app'")" = 1 ] || { sql -d postgres -c 'create database app'
    sql -d app -c "create extension pg_stat_statements; create role viewer login password 'viewer' in role pg_monitor; create role nobody_special login password 'x';
      create table orders(id int primary key, total numeric); insert into orders select g, g*1.5 from generate_series(1,1000) g;
      select pg_stat_statements_reset();" > "$DIR/seed.log"
    for _ in 1 2 3; do sql -d app -c "select pg_sleep(0.12), count(*) from orders where total > 10" >> "$DIR/seed.log"; done; }
  put_env "DATABASE_URL=postgres://ops@127.0.0.1:$P/app" "PG_VIEWER_URL=postgres://viewer:viewer@127.0.0.1:$P/app" "PG_NOBODY_URL=postgres://nobody_special:x@127.0.0.1:$P/app" "PG_SOCKET_DIR=$DIR/sock" "PG_PORT=$P" ;;
exec) [ "${3:-}" = standby ] || exit 2; P=$(port main); S=$(port standby); mkdir -p "$DIR/standby"; cd / || exit 1
  if [ "$(id -u)" = 0 ]; then chown postgres: "$DIR/standby"; fi; chmod 700 "$DIR/standby"
  as "$BIN/pg_basebackup" -h 127.0.0.1 -p "$P" -U ops -D "$DIR/standby" -R -X stream -c fast > "$DIR/backup.log" 2>&1 || { cat "$DIR/backup.log" >&2; exit 1; }
  serve standby standby "$S"
  ping() { P=$S sql -d postgres -c 'select 1'; }; wait_for 20 standby ping || exit 1
  echo "STANDBY_URL=postgres://viewer:viewer@127.0.0.1:$S/app" ;;
stop) end_one standby INT 15; end_one main INT 15; rm -f "$DIR/env" ;;   # INT = fast shutdown
status) status_of main ;;
esac
