#!/bin/bash
# A WebSocket server that shares no code with ours (Python "websockets"): latency and fault tests.
#   ws-echo.sh start|stop|status [DIR]    package: python3-websockets
# Paths: /echo; /delay/MS answers after MS ms (pings too are not delayed); /mute never answers a message;
#        /close/CODE closes with CODE after the first message; /drop cuts TCP after the first message;
#        /big/BYTES answers BYTES of text; /garbage answers a frame with a reserved opcode; /refuse = HTTP 503.
. "$(dirname "$0")/lib.sh"; svc_init ws-echo "$@"; HERE=$(cd "$(dirname "$0")" && pwd -P)
case $ACTION in
start) already main; /usr/bin/python3 -c 'import websockets' 2>/dev/null || need python3-websockets-module python3-websockets; P=$(port main)
  spawn main /usr/bin/python3 "$HERE/ws_echo.py" "$P"
  up() { (exec 3<>"/dev/tcp/127.0.0.1/$P") && grep -q ready "$DIR/main.log"; }
  wait_for 60 main up || { "$0" stop "$DIR"; exit 1; }
  put_env "WS_URL=ws://127.0.0.1:$P" ;;
stop) end_one main KILL 5; rm -f "$DIR/env" ;; # it would wait for its clients to say goodbye
status) status_of main ;;
esac
