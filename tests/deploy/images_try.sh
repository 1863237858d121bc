#!/usr/bin/env bash
# images_try.sh COORDINATOR_IMAGE WORKER_IMAGE SWEEP NAME FOLDER: what docker/compose.yaml says, with the images that buildah made, in
# namespaces instead of an engine: each container has its own processes, mounts and a read-only root, runs as the image's
# user without capabilities, and starts by the image's entry point. They share this machine's network. By hand, as root.
#   mmdebstrap --variant=minbase bookworm base.tar      then buildah from scratch, buildah add, buildah commit: the BASE of
#   buildah bud --format docker --build-arg BASE=... --target coordinator -f docker/Dockerfile .
set -euo pipefail
sweep=$(realpath "$3") name=$4 folder=$5
port=$((20000 + RANDOM % 20000))
declare -A root entry
mkdir -p "$folder"/{state,access,join,worker}
chown 10001:10001 "$folder"/{state,access,join,worker}
chmod 700 "$folder"/{state,access,join,worker}

say() { printf '== %s\n' "$*"; }

open_image() {  # KEY IMAGE
  local container
  container=$(buildah from "$2")
  containers+=("$container")
  root[$1]=$(buildah mount "$container")
  entry[$1]=$(buildah inspect --format '{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}' "$container")
  [ "$(buildah inspect --format '{{.OCIv1.Config.User}}' "$container")" = 10001:10001 ]
}

end_all() {
  local job
  for job in $(jobs -p); do pkill -KILL -P "$job" || true; done  # PID 1 of its container
  [ ${#containers[@]} -eq 0 ] || buildah rm "${containers[@]}" >/dev/null
}
containers=()
trap end_all EXIT

# shellcheck disable=SC2016  # for the inner shell
enter='
set -e
root=$1
shift
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  mount --bind "${1%%:*}" "$root${1#*:}"
  shift
done
shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
  env -i -C /var/lib/ranktide HOME=/var/lib/ranktide PATH=/opt/ranktide/bin:/usr/bin:/bin RANKTIDE_DATA_DIR=/var/lib/ranktide \
  RANKTIDE_TOKEN_FILE=/run/ranktide/token "$@"
'
# Becomes the container, so that a job's process id is that of unshare, whose end is the container's.
contain() {  # ROOT HOST:CONTAINER... -- COMMAND...
  exec unshare --pid --mount --uts --ipc --fork --kill-child --propagation private bash -c "$enter" enter "$@"
}
in_coordinator() { contain "${root[coordinator]}" "$folder/state:/var/lib/ranktide" "$folder/access:/run/ranktide" "$(dirname "$sweep"):/mnt" -- "$@"; }
as_coordinator() (in_coordinator "$@")

within() {  # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { say "never true: $*"; tail -n 20 "$folder"/*.log; return 1; }
    sleep 0.3
  done
}

open_image coordinator "$1"
open_image worker "$2"
for key in coordinator worker; do say "contents of $key: $(du -sxm "${root[$key]}" | cut -f1) MiB, entry point ${entry[$key]}"; done

as_coordinator /bin/sh -euc "umask 077; [ -s /run/ranktide/token ] || ranktide token add compose --scope admin > /run/ranktide/token"
# shellcheck disable=SC2086  # the entry point in words
in_coordinator ${entry[coordinator]} --bind "tcp://127.0.0.1:$port" --http "0.0.0.0:$((port + 10))" --insecure-http \
  >"$folder/coordinator.log" 2>&1 &
coordinator=$!
within 20 as_coordinator ranktide health --ready || as_coordinator ranktide health --ready
say "the coordinator is healthy: $(as_coordinator ranktide health --ready)"
if as_coordinator touch /opt/ranktide/bin/other 2>/dev/null; then say "the root can be written"; exit 1; fi
say "its root is read-only, its user is $(as_coordinator id -u)"

(contain "${root[coordinator]}" "$folder/state:/var/lib/ranktide" "$folder/join:/run/ranktide" -- \
  /bin/sh -euc "umask 077; ranktide invite --quiet --uses 64 --expires 1h --host 127.0.0.1 > /run/ranktide/join-line")
# shellcheck disable=SC2086
contain "${root[worker]}" "$folder/worker:/var/lib/ranktide" "$folder/join:/run/ranktide" "$(dirname "$sweep"):/mnt" -- \
  ${entry[worker]} --join /run/ranktide/join-line --slots 1 >"$folder/worker.log" 2>&1 &
worker=$!
as_coordinator ranktide submit "/mnt/$(basename "$sweep")" --quiet
status() { as_coordinator ranktide status "$name"; }
ended() { status | grep -q "^$name  finished"; }
within 300 ended
status

ends_by_term() {  # JOB NAME
  local tini code=0
  tini=$(pgrep -P "$1" -x tini)
  kill -TERM "$tini"
  wait "$1" || code=$?
  say "TERM to tini ended the $2 with $code"
  [ "$code" -eq 0 ]
}
ends_by_term "$worker" worker
ends_by_term "$coordinator" coordinator
