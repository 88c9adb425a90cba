#!/bin/bash
# A real Prometheus server that scrapes nothing: tests write the points themselves (remote write) and ask for answers.
#   prometheus.sh start|stop|status [DIR]     packages: prometheus curl
. "$(dirname "$0")/lib.sh"; svc_init prometheus "$@"
case $ACTION in
start) already main; need prometheus prometheus; need curl curl
  P=$(port main)
  echo 'global: {evaluation_interval: 1m}' > "$DIR/prometheus.yml"
  spawn main prometheus --config.file="$DIR/prometheus.yml" --storage.tsdb.path="$DIR/tsdb" --storage.tsdb.retention.time=100y \
    --web.listen-address="127.0.0.1:$P" --web.enable-remote-write-receiver --query.timeout=30s
  wait_for 60 main curl -fsS "http://127.0.0.1:$P/-/ready" || { "$0" stop "$DIR"; exit 1; }
  put_env "PROMETHEUS_URL=http://127.0.0.1:$P" "PROMETHEUS_ADDR=127.0.0.1:$P" ;;
stop) end_one main TERM 10; rm -f "$DIR/env" ;;
status) status_of main ;;
esac
