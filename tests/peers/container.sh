#!/bin/bash
# A real Podman engine of its own: store, locks and socket below DIR, a mount name space in which crun finds no mixed
# cgroups, and one image, `tiny` (busybox). No network, no registry.
#   container.sh start|stop|status [DIR]   container.sh exec DIR ARGS... (podman)   packages: podman crun busybox-static; root
. "$(dirname "$0")/lib.sh"; svc_init container "$@"
export CONTAINERS_CONF=$DIR/containers.conf
engine=(podman --root "$DIR/store" --runroot "$DIR/run" --storage-driver vfs --log-level error)
inside() { nsenter --mount --target "$(pid_of main)" "${engine[@]}" "$@"; }
runs() { inside run --rm tiny true; }
case $ACTION in
start) already main; need podman podman; need crun crun; need busybox busybox-static
  [ "$(id -u)" = 0 ] || { echo "container: needs root" >&2; exit 77; }
  cat > "$CONTAINERS_CONF" <<C
[containers]
cgroups = "disabled"
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "crun"
static_dir = "$DIR/static"
tmp_dir = "$DIR/tmp"
C
  chmod 600 "$CONTAINERS_CONF"
  spawn main unshare --mount --propagation private sh -c \
    'umount /sys/fs/cgroup/unified 2>/dev/null; sock=$1; shift; exec "$@" system service --time 0 "unix://$sock"' \
    sh "$DIR/sock" "${engine[@]}"
  wait_for 30 main test -S "$DIR/sock" || { "$0" stop "$DIR"; exit 1; }
  if ! inside image exists tiny; then
    mkdir -p "$DIR/image/bin" && cp "$(command -v busybox)" "$DIR/image/bin/"
    for name in sh sleep true test kill touch cat; do ln -sf busybox "$DIR/image/bin/$name"; done
    tar -C "$DIR/image" -c . | inside import - tiny >/dev/null || { "$0" stop "$DIR"; exit 1; }
  fi
  said=$(runs 2>&1) || { echo "container: no container runs here: $said" >&2; "$0" stop "$DIR"; exit 77; }
  put_env "CONTAINER_SOCKET=$DIR/sock" "CONTAINER_PID=$(pid_of main)" ;;
stop) alive main && inside rm --force --all --time 0 >/dev/null 2>&1; end_one main TERM 20; rm -f "$DIR/env" ;;
status) status_of main ;;
exec) shift 2; inside "$@" ;;
esac
