#!/bin/bash
# A WebSocket server that shares no code with ours (Python "websockets"): latency and fault tests.
#   ws-echo.sh start|stop|status [DIR]    package: python3-websockets
# WS_TLS=1 at start: over TLS, with a certificate of its own (WS_CERT); package: openssl.
# Paths: /echo; /delay/MS answers after MS ms (pings too are not delayed); /mute never answers a message;
#        /close/CODE closes with CODE after the first message; /drop cuts TCP after the first message;
#        /big/BYTES answers BYTES of text; /garbage answers a frame with a reserved opcode; /refuse = HTTP 503.
# Its main.log has a line "connection" for each that a client opened, and a line "ping" for each ping.
. "$(dirname "$0")/lib.sh"; svc_init ws-echo "$@"; HERE=$(cd "$(dirname "$0")" && pwd -P)
case $ACTION in
start) already main; /usr/bin/python3 -c 'import websockets' 2>/dev/null || need python3-websockets-module python3-websockets; P=$(port main)
  TLS=() U=ws://127.0.0.1:$P
  if [ -n "${WS_TLS:-}" ]; then need openssl openssl; U=wss://127.0.0.1:$P TLS=("$DIR/cert.pem" "$DIR/key.pem")
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ws-echo -keyout "$DIR/key.pem" -out "$DIR/cert.pem" \
      -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE 2> "$DIR/openssl.log" || { cat "$DIR/openssl.log" >&2; exit 1; }; fi
  spawn main /usr/bin/python3 "$HERE/ws_echo.py" "$P" "${TLS[@]}"
  up() { (exec 3<>"/dev/tcp/127.0.0.1/$P") && grep -q ready "$DIR/main.log"; }
  wait_for 60 main up || { "$0" stop "$DIR"; exit 1; }
  put_env "WS_URL=$U" "WS_CERT=$DIR/cert.pem" ;;
stop) end_one main KILL 5; rm -f "$DIR/env" ;; # it would wait for its clients to say goodbye
status) status_of main ;;
esac
