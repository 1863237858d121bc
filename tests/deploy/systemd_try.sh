#!/usr/bin/env bash
# systemd_try.sh ROOT RANKTIDE TRAINER LIBTORCH SWEEP NAME: the units under a real systemd, PID 1 of namespaces of its own over
# the folder ROOT. By hand, as root: ROOT is a Debian with systemd and the packages of docker/runtime-packages.txt, such as
#   mmdebstrap --variant=minbase --include=systemd,systemd-sysv,procps,$(grep -v '^#' docker/runtime-packages.txt | paste -sd,) bookworm ROOT
# The folder of SWEEP is copied too, so that its paths hold. Says what it saw and fails where a claim of the units is untrue.
set -euo pipefail
root=$(realpath "$1") ranktide=$2 trainer=$3 libtorch=$(realpath "$4") sweep=$(realpath "$5") name=$6
here=$(cd "$(dirname "$0")/../.." && pwd)
group=/sys/fs/cgroup/unified/ranktide_try
[ -d /sys/fs/cgroup/unified ] || group=/sys/fs/cgroup/ranktide_try

say() { printf '== %s\n' "$*"; }
inside() { nsenter -t "$init" -m -p -C -u -i "$@"; }
unit() { inside systemctl show -P "$1" "ranktide-$2"; }
within() {  # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { say "never true: $*"; return 1; }
    sleep 0.2
  done
}

install_all() {
  install -m 755 "$ranktide" "$trainer" "$root/usr/local/bin/"
  mkdir -p "$root$libtorch" "$root/srv/sweep"
  cp -u "$libtorch"/lib*.so* "$root$libtorch/"
  cp -r "$(dirname "$sweep")/." "$root/srv/sweep/"
  cp "$here"/deploy/systemd/*.service "$root/etc/systemd/system/"
  install -D -m 644 "$here/deploy/systemd/ranktide.sysusers" "$root/usr/lib/sysusers.d/ranktide.conf"
  systemd-sysusers --root="$root"
  [ -s "$root/etc/machine-id" ] || systemd-id128 new >"$root/etc/machine-id"
}

# What runs as the parent of PID 1: mounts what a booted machine has, then becomes systemd.
# shellcheck disable=SC2016  # for the inner shell
boot='
set -e
cd "$1"
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
chmod 1777 tmp
for device in null zero full random urandom tty; do
  mknod -m 666 "dev/$device" c $(stat -c "%Hr %Lr" "/dev/$device")
done
mkdir dev/pts dev/shm
chmod 1777 dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
hostname ranktide-try
pivot_root . mnt
umount -l /mnt
exec env -i container=try PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
'

start_systemd() {
  mkdir -p "$group"
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare --cgroup --pid --mount --uts --ipc --fork --propagation private bash -c "$boot" boot "$root"
  ) >"$root/../systemd_try.log" 2>&1 &
  namespaces=$!
  local end=$((SECONDS + 60))
  until init=$(pgrep -P "$namespaces" -x systemd); do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.2; done
  within 60 test -S "/proc/$init/root"/run/systemd/private
  within 60 inside systemctl show-environment
}

end_systemd() {
  local code=$?
  [ -n "${init:-}" ] || return
  [ "$code" -eq 0 ] || inside journalctl --no-pager -n 40 -u 'ranktide-*'
  kill -9 "$init" || true
  sleep 1 # for all that ran in it to go
  find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
trap end_systemd EXIT

as() {  # USER COMMAND...
  local user=$1
  shift
  inside setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
}

install_all
start_systemd
say "systemd $(systemctl --version | awk 'NR == 1 {print $2}') runs as PID 1 of its namespaces"

inside systemctl start ranktide-coordinator
say "the coordinator said that it is ready: $(unit ActiveState coordinator)/$(unit SubState coordinator), user $(unit User coordinator)"
as ranktide ranktide invite --quiet --data-dir /var/lib/ranktide |
  inside sh -c 'install -D -m 600 -o ranktide-worker -g ranktide-worker /dev/stdin /var/lib/ranktide-worker/join-line'
inside systemctl start ranktide-worker
say "the worker joined: $(as ranktide ranktide worker list --data-dir /var/lib/ranktide | tail -n 1)"

as ranktide ranktide submit "/srv/sweep/$(basename "$sweep")" --quiet --data-dir /var/lib/ranktide
status() { as ranktide ranktide status "$name" --data-dir /var/lib/ranktide; }
trains() { status | grep -Eq ' step [1-9][0-9]*/'; }
within 120 trains
say "it trains"

before=$(unit NRestarts worker)
inside systemctl stop ranktide-worker
[ "$(unit Result worker)" = success ]
say "stopped it wrote its checkpoint and ended with $(unit ExecMainStatus worker)"
inside systemctl start ranktide-worker
resumed() { inside sh -c "grep -rEoh 'resumed at step [1-9][0-9]*' /var/lib/ranktide-worker"; }
within 120 resumed
say "started again it goes on by its key: $(resumed | tail -n 1)"

inside systemctl kill -s KILL --kill-whom=main ranktide-coordinator
restarted() { [ "$(unit NRestarts coordinator)" -ge 1 ] && [ "$(unit SubState coordinator)" = running ]; }
within 60 restarted
say "the coordinator was killed and is back"

inside systemctl kill -s STOP --kill-whom=main ranktide-coordinator
hung() { [ "$(unit NRestarts coordinator)" -ge 2 ] && [ "$(unit SubState coordinator)" = running ]; }
within 90 hung
say "the coordinator hung and the watchdog restarted it"
[ "$(unit NRestarts worker)" = "$before" ]
say "the worker was never restarted by that"

ended() { status | grep -q "^$name  finished"; }
within 300 ended
status
inside systemctl stop ranktide-worker ranktide-coordinator
say "both stopped: $(unit Result coordinator), $(unit Result worker)"
