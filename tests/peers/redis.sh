#!/bin/bash
# Redis on loopback, and on a Unix socket.
#   redis.sh start|stop|status [DIR]      packages: redis-server redis-tools
# SVC_PASSWORD=... asks for a password; REDIS_ARGS="--maxmemory 2mb" adds settings.
# `start` seeds (once): list "jobs" of 42 entries; stream "events" of 100 entries with group "workers",
# of which 10 are delivered and not acknowledged (pending 10, lag 90).
. "$(dirname "$0")/lib.sh"; svc_init redis "$@"
cli() { redis-cli -h 127.0.0.1 -p "$P" ${SVC_PASSWORD:+--no-auth-warning -a "$SVC_PASSWORD"} "$@"; }
case $ACTION in
start) already main; need redis-server redis-server; need redis-cli redis-tools; P=$(port main)
  # shellcheck disable=SC2086
  spawn main redis-server --bind 127.0.0.1 --port "$P" --dir "$DIR" --unixsocket "$DIR/redis.sock" --save '' \
    --appendonly no --daemonize no --slowlog-log-slower-than 1000 --latency-monitor-threshold 5 \
    ${SVC_PASSWORD:+--requirepass "$SVC_PASSWORD"} ${REDIS_ARGS:-}
  pong() { [ "$(cli ping)" = PONG ]; }; wait_for 10 main pong || { "$0" stop "$DIR"; exit 1; }
  if [ "$(cli exists jobs)" = 0 ]; then
    { for i in $(seq 42); do echo "RPUSH jobs job-$i"; done; for i in $(seq 100); do echo "XADD events * n $i"; done
      echo "XGROUP CREATE events workers 0"; echo "XREADGROUP GROUP workers w1 COUNT 10 STREAMS events >"; } | cli > "$DIR/seed.log"
  fi
  put_env "REDIS_URL=redis://${SVC_PASSWORD:+:$SVC_PASSWORD@}127.0.0.1:$P/0" "REDIS_SOCKET=$DIR/redis.sock" "REDIS_PID=$(pid_of main)" "REDIS_PORT=$P" ;;
stop) end_one main TERM 10; rm -f "$DIR/env" ;;
status) status_of main ;;
esac
