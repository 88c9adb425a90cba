#!/bin/bash
# The node exporter of the Prometheus project: real text exposition of this host.
#   node-exporter.sh start|stop|status [DIR]     packages: prometheus-node-exporter curl
. "$(dirname "$0")/lib.sh"; svc_init node-exporter "$@"
case $ACTION in
start) already main; need prometheus-node-exporter prometheus-node-exporter; need curl curl
  P=$(port main)
  spawn main prometheus-node-exporter --web.listen-address="127.0.0.1:$P" --no-collector.systemd --no-collector.netdev.netlink --collector.buddyinfo
  wait_for 60 main curl -fsS "http://127.0.0.1:$P/metrics" || { "$0" stop "$DIR"; exit 1; }
  put_env "NODE_EXPORTER_URL=http://127.0.0.1:$P/metrics" ;;
stop) end_one main TERM 10; rm -f "$DIR/env" ;;
status) status_of main ;;
esac
