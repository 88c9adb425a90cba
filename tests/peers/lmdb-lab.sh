#!/bin/bash
# A real LMDB environment made by another implementation, with its awkward states.
#   lmdb-lab.sh start|stop|status [DIR]     packages: python3-lmdb (liblmdb 0.9.24), lmdb-utils (mdb_stat, to compare with)
#   lmdb-lab.sh exec DIR fill | grow BYTES | stale | churn N | named N | big N BYTES | …   (see lmdb_lab.py)
# `start` creates DIR/db (1 MiB map; MAPSIZE=... changes it) and keeps one LIVE reader open (LMDB_READER_PID).
# PYTHON=/path/to/venv/bin/python takes the newer liblmdb bundled in the PyPI wheel instead.
. "$(dirname "$0")/lib.sh"; svc_init lmdb-lab "$@"; HERE=$(cd "$(dirname "$0")" && pwd -P); PY=${PYTHON:-/usr/bin/python3}
lab() { local c=$1; shift; "$PY" "$HERE/lmdb_lab.py" "$c" "$DIR/db" "$@"; }
case $ACTION in
start) already main; "$PY" -c 'import lmdb' 2>/dev/null || need python3-lmdb-module python3-lmdb
  [ -f "$DIR/db/data.mdb" ] || lab create "${MAPSIZE:-1048576}" || exit 1
  : > "$DIR/main.log"; spawn main "$PY" "$HERE/lmdb_lab.py" hold "$DIR/db"
  wait_for 60 main grep -q holding "$DIR/main.log" || { "$0" stop "$DIR"; exit 1; }
  put_env "LMDB_PATH=$DIR/db" "LMDB_READER_PID=$(pid_of main)" ;;
stop) end_one main TERM 5; rm -f "$DIR/env" ;;
status) status_of main ;;
exec) shift 2; if [ "$1" = stale ]; then lab stale 2>/dev/null & wait $! 2>/dev/null; else exec "$PY" "$HERE/lmdb_lab.py" "$1" "$DIR/db" "${@:2}"; fi ;;
esac
