#!/bin/bash
# A real supervisord with programs that run, end, end badly, end too soon and cannot be started.
#   supervisord.sh start|stop|status [DIR]     supervisord.sh exec DIR ARGS... (supervisorctl)     package: supervisor
# SUPERVISOR_LOGIN=user:password: its socket asks for that. SUPERVISOR_USER=nobody: it runs as that login.
# More programs: DIR/more/*.conf, then exec update. Its socket asks for no login, its loopback port for joe and "hunter22". The event listener is a program like any other.
. "$(dirname "$0")/lib.sh"; svc_init supervisord "$@"
ctl() { supervisorctl -c "$DIR/supervisord.conf" "$@"; }
settled() { ! ctl status | grep -qE 'STARTING|BACKOFF' && [ "$(ctl status | wc -l)" = 8 ]; }
case $ACTION in
start) already main; need supervisord supervisor
  P=$(port main); chmod 755 "$DIR"; mkdir -p "$DIR/more"; as=()
  if [ -n "${SUPERVISOR_USER:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "supervisord: needs root to run as $SUPERVISOR_USER" >&2; exit 77; }
    chown "$SUPERVISOR_USER" "$DIR"; as=(setpriv --reuid "$SUPERVISOR_USER" --clear-groups); fi
  login=${SUPERVISOR_LOGIN:+username=${SUPERVISOR_LOGIN%%:*}$'\n'password=${SUPERVISOR_LOGIN#*:}}
  cat > "$DIR/supervisord.conf" <<C
[unix_http_server]
file=$DIR/sock
chmod=0700
$login
[inet_http_server]
port=127.0.0.1:$P
username=joe
password=hunter22
[supervisord]
logfile=$DIR/supervisord.log
pidfile=$DIR/supervisord.pid
childlogdir=$DIR
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$DIR/sock
$login
[include]
files=$DIR/more/*.conf
[program:good]
command=sleep 100000
startsecs=0
[program:stopped]
command=sleep 100000
autostart=false
[program:done]
command=true
startsecs=0
autorestart=false
[program:bad]
command=sh -c 'exit 3'
startsecs=0
autorestart=false
[program:killed]
command=sh -c 'kill -KILL \$\$'
startsecs=0
autorestart=false
[program:soon]
command=sh -c 'exit 137'
startretries=0
[program:missing]
command=/no/such/program
startretries=0
[program:pair]
command=sleep 100000
process_name=%(process_num)s
numprocs=1
startsecs=0
C
  spawn main "${as[@]}" supervisord -n -c "$DIR/supervisord.conf"
  wait_for 30 main settled || { "$0" stop "$DIR"; exit 1; }
  put_env "SUPERVISOR_SOCKET=$DIR/sock" "SUPERVISOR_URL=http://127.0.0.1:$P" "SUPERVISOR_PID=$(pid_of main)" "SUPERVISOR_MORE=$DIR/more" ;;
stop) alive main && timeout 5 supervisorctl -c "$DIR/supervisord.conf" stop all >/dev/null 2>&1 # all at once: its own shutdown takes a second for each
  end_one main TERM 20; rm -f "$DIR/env" ;;
status) status_of main ;;
exec) shift 2; ctl "$@" ;;
esac
