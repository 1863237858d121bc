#!/usr/bin/env bash
# slurm_try.sh RANKTIDE SWEEP NAME: a real one-node Slurm with its own munge, in a folder of its own that a failure leaves
# to look at, and in it the script that `ranktide slurm script` prints. The sweep NAME of the file SWEEP is warned by USR2, requeued, preempted by a requeue
# while it runs, and must end as if nothing had been. Exit code 77: there is no Slurm here, or this is not root.
set -euo pipefail
ranktide=$1 sweep=$2 name=$3

for program in munged slurmctld slurmd sbatch; do
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "no $program (Debian packages slurm-wlm, munge)"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "a slurmd that starts jobs must be root"; exit 77; }
folder=$(mktemp -d) # its path must be short: sockets lie in it
export PATH=$PATH:/usr/sbin SLURM_CONF=$folder/slurm.conf

say() { printf '== %s\n' "$*"; }

stop_all() {
  local pid_file
  [ -z "${job:-}" ] || scancel --full --signal=KILL "$job" 2>/dev/null || true
  [ -z "${coordinator:-}" ] || kill "$coordinator" 2>/dev/null || true
  for pid_file in slurmd slurmctld munged; do
    [ ! -f "$folder/$pid_file.pid" ] || kill "$(cat "$folder/$pid_file.pid")" 2>/dev/null || true
  done
}
trap stop_all EXIT

within() {  # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { say "never true: $*"; tail -n 20 "$folder"/*.log; return 1; }
    sleep 0.2
  done
}

start_slurm() {
  local host port=$((20000 + RANDOM % 20000))
  host=$(hostname -s)
  mkdir -p "$folder"/{state,spool}
  head -c 1024 /dev/urandom >"$folder/munge.key"
  chmod 400 "$folder/munge.key"
  munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
  # linuxproc, no task plugin and no accounting: what works without control groups and without systemd.
  cat >"$SLURM_CONF" <<CONF
ClusterName=try
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
SlurmctldPort=$port
SlurmdPort=$((port + 1))
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
  slurmctld
  slurmd
  within 30 sh -c 'sinfo -h -o %t | grep -q idle'
}

start_coordinator() {
  local port=$((20000 + RANDOM % 20000))
  "$ranktide" coordinator --data-dir "$folder/coordinator" --bind "tcp://127.0.0.1:$port" \
    --http "127.0.0.1:$((port + 10))" >"$folder/coordinator.log" 2>&1 &
  coordinator=$!
  within 30 "$ranktide" status --data-dir "$folder/coordinator"
  (umask 077 && "$ranktide" invite --quiet --data-dir "$folder/coordinator" >"$folder/join-line")
}

is_state() { [ "$(squeue -h -t all -j "$1" -o %T)" = "$2" ]; }
has_trained() { "$ranktide" status "$name" --data-dir "$folder/coordinator" | grep -Eq ' step [1-9][0-9]*/'; }
has_resumed() { [ "$(grep -rEoh 'resumed at step [1-9][0-9]*' "$folder/workers" | wc -l)" -ge "$1" ]; }
has_ended() { "$ranktide" status "$name" --data-dir "$folder/coordinator" | grep -q "^$name  finished"; }

# Slurm gives a requeued job two minutes to rest; here it starts at once.
start_now() { scontrol update JobId="$1" StartTime=now; }

start_slurm
start_coordinator
say "Slurm $(sinfo --version | cut -d' ' -f2) and a coordinator run"

"$ranktide" slurm script --data-dir "$folder/workers" --name try --cpus 1 --time 20 -- \
  --join "$folder/join-line" --slots 1 >"$folder/job.sh"
job=$(cd "$folder" && sbatch --parsable job.sh)
"$ranktide" submit "$sweep" --quiet --data-dir "$folder/coordinator"
within 120 has_trained
say "job $job trains"

scancel --signal=USR2 --batch "$job"
within 120 is_state "$job" COMPLETED
say "warned by USR2 it has written its checkpoint and ended"

scontrol requeue "$job"
start_now "$job"
within 120 has_resumed 1
say "requeued it goes on: $(grep -rEoh 'resumed at step [1-9][0-9]*' "$folder/workers")"

within 120 is_state "$job" RUNNING
scontrol requeue "$job"
within 120 is_state "$job" PENDING
start_now "$job"
within 120 has_resumed 2
say "preempted while it ran it goes on: $(grep -rEoh 'resumed at step [1-9][0-9]*' "$folder/workers" | tail -n 1)"

within 120 has_ended
"$ranktide" status "$name" --data-dir "$folder/coordinator"
[ "$("$ranktide" worker list --json --data-dir "$folder/coordinator" | grep -c '"worker"')" -eq 1 ]
say "all three runs of the job were one worker, by one key"
scancel "$job"
within 120 sh -c "! squeue -h -j $job | grep -q ."
say "cancelled"
stop_all
trap - EXIT
within 60 rm -rf "$folder" # what was told to end still writes
