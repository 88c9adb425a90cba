#!/bin/bash
# A TCP proxy that makes any service of this folder slow, stalled or broken, changeable while it runs.
#   slow-proxy.sh start|stop|status DIR          env UPSTREAM=host:port is needed at start; package: python3 (nothing else)
#   slow-proxy.sh exec DIR mode=pass|stall|reset|refuse|truncate|blackhole delay=MS jitter=MS bps=BYTES_PER_S cut=BYTES
# pass: forward (with delay/jitter/bps) | stall: keep connections, forward nothing more | reset: RST everything now and
# every new connection | refuse: stop listening | truncate: close after `cut` more bytes of answer | blackhole: accept, never connect.
# It shapes one service only and needs no root.
. "$(dirname "$0")/lib.sh"; svc_init slow-proxy "$@"; HERE=$(cd "$(dirname "$0")" && pwd -P)
case $ACTION in
start) already main; need python3 python3; : "${UPSTREAM:?set UPSTREAM=host:port}"; P=$(port main); rm -f "$DIR/control"
  : > "$DIR/main.log"; spawn main python3 "$HERE/slow_proxy.py" "$P" "$UPSTREAM" "$DIR/control"
  wait_for 60 main grep -q ready "$DIR/main.log" || { "$0" stop "$DIR"; exit 1; }
  put_env "PROXY_ADDR=127.0.0.1:$P" "PROXY_PORT=$P" "PROXY_UPSTREAM=$UPSTREAM" ;;
stop) end_one main TERM 5; rm -f "$DIR/env" ;;
status) status_of main ;;
exec) shift 2; alive main || { echo "slow-proxy: not running" >&2; exit 3; }
  printf '%s\n' "$@" > "$DIR/control.new" && mv "$DIR/control.new" "$DIR/control" && kill -USR1 "$(pid_of main)"
  for _ in $(seq 500); do [ -e "$DIR/control" ] || exit 0; sleep 0.02; done; exit 1 ;;   # the proxy removes it once applied
esac
