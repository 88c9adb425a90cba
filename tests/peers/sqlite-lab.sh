#!/bin/bash
# A real SQLite database that another program writes, with its awkward states.
#   sqlite-lab.sh start|stop|status [DIR]   packages: none (the sqlite3 module of python3)
#   sqlite-lab.sh exec DIR write N | delete N | set V A | pragmas | checkpoint | hold HOW | crash | crash-wal N
# `start` creates DIR/app.db (JOURNAL=wal, or delete, persist, truncate) and keeps it open (SQLITE_HOLDER_PID).
. "$(dirname "$0")/lib.sh"; svc_init sqlite-lab "$@"; HERE=$(cd "$(dirname "$0")" && pwd -P); PY=${PYTHON:-/usr/bin/python3}
case $ACTION in
start) already main; "$PY" -c 'import sqlite3' 2>/dev/null || need python3-sqlite3-module python3
  [ -f "$DIR/app.db" ] || "$PY" "$HERE/sqlite_lab.py" create "$DIR/app.db" "${JOURNAL:-wal}" || exit 1
  : > "$DIR/main.log"; spawn main "$PY" "$HERE/sqlite_lab.py" hold "$DIR/app.db" open
  wait_for 60 main grep -q holding "$DIR/main.log" || { "$0" stop "$DIR"; exit 1; }
  put_env "SQLITE_PATH=$DIR/app.db" "SQLITE_HOLDER_PID=$(pid_of main)" ;;
stop) end_one main TERM 5; rm -f "$DIR/env" ;;
status) status_of main ;;
exec) exec "$PY" "$HERE/sqlite_lab.py" "$3" "$DIR/app.db" "${@:4}" ;;
esac
