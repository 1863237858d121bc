#!/bin/sh
# Workers of ranktide as Slurm jobs, written by `ranktide slurm script`. Hand it to sbatch.
#SBATCH --job-name=ranktide-worker
#SBATCH --array=0-15%4
#SBATCH --time=12:00:00
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --gpus-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=ranktide-worker-%A_%a.log
#SBATCH --signal=B:USR2@120

# A job keeps its number when it is requeued, and so finds the key, the spool and the checkpoints of its first run.
folder=/shared/ranktide/slurm"/$SLURM_JOB_ID"
(umask 077 && mkdir -p "$folder")
# exec: the batch shell becomes srun, which passes USR2 (the end is near) and TERM on to the worker.
# srun is told the number of cores again, because since Slurm 22.05 it no longer takes it from sbatch.
exec srun --cpus-per-task=4 /opt/ranktide/bin/ranktide worker --slurm --data-dir "$folder" --name "slurm-$SLURM_JOB_ID" --join /shared/ranktide/join-line.txt
