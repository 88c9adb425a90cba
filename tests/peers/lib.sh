# shellcheck shell=bash
# Helpers shared by the scripts of this folder: real peers for tests. Sourced, never run.
#
# Rules every script keeps:
#  * usage: NAME.sh start|stop|status [DIR]   (default DIR: ${SVC_ROOT:-${TMPDIR:-/tmp}/svc-$UID}/NAME)
#  * `start` is idempotent: running already -> prints the env file again, exit 0
#  * it listens on 127.0.0.1 only, on a free port it chose (or the one in SVC_PORT)
#  * it waits until the service ANSWERS (not merely until the port is open), then writes DIR/env
#    (KEY=VALUE lines, for `. DIR/env` or for a test harness to parse) and prints it
#  * `stop` ends only the processes whose pid AND kernel start time were recorded at start
#    (a recycled pid is never signalled), waits for the end, leaves the data for inspection
#  * `stop` then `start` on the same DIR reuses the data; delete DIR for a clean one
set -u
PATH=$PATH:/usr/sbin:/sbin

svc_init() { # NAME "$@"
  SVC=$1; shift
  ACTION=${1:-}; DIR=${2:-${SVC_ROOT:-${TMPDIR:-/tmp}/svc-$UID}/$SVC}
  case $ACTION in start|stop|status|exec) ;; *) echo "usage: $SVC.sh start|stop|status [DIR]" >&2; exit 2;; esac
  [ "$ACTION" = start ] && mkdir -p "$DIR"
  [ -d "$DIR" ] || { [ "$ACTION" = start ] || { echo "$SVC: not running (no $DIR)"; [ "$ACTION" = stop ] && exit 0; exit 3; }; }
  DIR=$(cd "$DIR" && pwd -P) || exit 1
  [ "$DIR" != / ] || { echo "$SVC: refusing DIR=/" >&2; exit 2; }
}

need() { # BINARY PACKAGE
  command -v "$1" >/dev/null 2>&1 || { echo "$SVC: $1 not found: apt-get install $2" >&2; exit 77; } # 77 = skip
}

# start time of a pid in clock ticks since boot (field 22 of /proc/PID/stat), empty if gone or a zombie
_start_of() {
  local s; s=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  s=${s##*) }                       # drop "pid (comm) "
  # shellcheck disable=SC2086
  set -- $s; [ "$1" = Z ] || echo "${20}"
}

record() { echo "$2 $(_start_of "$2")" > "$DIR/$1.pid"; }      # TAG PID
alive()  { local p t; [ -f "$DIR/$1.pid" ] || return 1; read -r p t < "$DIR/$1.pid" || return 1
           [ -n "$t" ] && [ "$(_start_of "$p")" = "$t" ]; }     # TAG
pid_of() { local p _; read -r p _ < "$DIR/$1.pid" && echo "$p"; }

end_one() { # TAG [SIGNAL] [SECONDS]: signal, wait, then SIGKILL
  alive "$1" || { rm -f "$DIR/$1.pid"; return 0; }
  local p i; p=$(pid_of "$1"); kill "-${2:-TERM}" "$p" 2>/dev/null
  for ((i = 0; i < ${3:-10} * 20; i++)); do alive "$1" || break; sleep 0.05; done
  alive "$1" && { kill -KILL "$p" 2>/dev/null; sleep 0.2; }
  rm -f "$DIR/$1.pid"
}

spawn() { # TAG COMMAND...: detached, nice, log in DIR/TAG.log
  local tag=$1; shift
  setsid nice -n 5 "$@" >> "$DIR/$tag.log" 2>&1 < /dev/null &
  record "$tag" $!
}

# a free loopback port below the ephemeral range; a mkdir lock keeps two parallel starts apart
free_port() {
  local p i lock=${TMPDIR:-/tmp}/svc-ports-$UID; mkdir -p "$lock"
  for ((i = 0; i < 200; i++)); do
    p=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue
    find "$lock" -maxdepth 1 -name "$p" -mmin +10 -exec rmdir {} + 2>/dev/null
    mkdir "$lock/$p" 2>/dev/null || continue
    echo "$p"; return 0
  done
  echo "$SVC: no free port" >&2; return 1
}
# the port of an earlier start of this DIR is kept, so that a client's address survives a restart
port() { # TAG
  local f=$DIR/$1.port
  if [ -n "${SVC_PORT:-}" ] && [ "$1" = main ]; then echo "$SVC_PORT" > "$f"
  elif [ ! -s "$f" ]; then free_port > "$f" || exit 1; fi
  cat "$f"
}

wait_for() { # SECONDS TAG COMMAND...: until COMMAND succeeds, or TAG died, or time is up
  local n=$(( $1 * 20 )) tag=$2 i; shift 2
  for ((i = 0; i < n; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    alive "$tag" || { echo "$SVC: $tag died at start; log:" >&2; tail -n 20 "$DIR/$tag.log" >&2; return 1; }
    sleep 0.05
  done
  echo "$SVC: $tag not ready in time; log:" >&2; tail -n 20 "$DIR/$tag.log" >&2; return 1
}

put_env() { printf '%s\n' "$@" > "$DIR/env.new" && mv "$DIR/env.new" "$DIR/env" && cat "$DIR/env"; }
status_of() { # TAG
  if alive "$1"; then echo "$SVC/$1: running pid $(pid_of "$1")"; [ -f "$DIR/env" ] && cat "$DIR/env"; return 0
  else echo "$SVC/$1: not running"; return 3; fi
}
already() { alive "$1" && [ -f "$DIR/env" ] && { cat "$DIR/env"; exit 0; }; return 0; }
