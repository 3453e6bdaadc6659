# cluster.bash - what the tests of this folder share: a Slurm of the file's own, in
# $CLUSTER, which ends with the file whatever happens in it.
load ../pipeline/tiny
# Slurm looks at limits and nodes every half a minute; the rest is for a busy machine.
patience=90

# cluster COMMAND...: slurm/testbed/cluster on this file's folder. What it starts must not
# hold on to bats' own output, 3.
cluster() { slurm/testbed/cluster "$@" --folder="$CLUSTER" 3>&-; }

# In setup_file: starts it, and makes it the one that sbatch and the others talk to; returns
# 1 where there can be none (see need_cluster). When this shell is gone, however that came
# about, it is ended by somebody in a session of his own.
cluster_up() {
    cd "$BATS_TEST_DIRNAME/../.."
    no_cluster=''
    export no_cluster
    no_cluster=$(slurm/testbed/cluster can 2>&1) || return
    # A short name: Slurm's sockets are below it, and may have 108 characters at most.
    CLUSTER=$(mktemp -d /tmp/slurm-test.XXXXXX)
    SLURM_CONF=$CLUSTER/slurm.conf
    export CLUSTER SLURM_CONF
    # What would be taken for a wish of ours, if this were run in a job.
    unset "${!SLURM_JOB@}" "${!SBATCH_@}" SLURM_NTASKS SLURM_NPROCS SLURM_CPUS_PER_TASK
    setsid sh -c 'tail --pid="$1" -f /dev/null
        [ ! -e "$2" ] || slurm/testbed/cluster down --folder="$2" && rm -rf "$2"' \
        sh $$ "$CLUSTER" </dev/null >/dev/null 2>&1 3>&- &
    cluster up --nodes="${1:-4}" >"$BATS_FILE_TMPDIR/up" 2>&1
}
# In setup: skips the test where there can be no cluster.
need_cluster() { [ -z "$no_cluster" ] || skip "$no_cluster"; }
# In teardown_file. A folder whose processes still run has their numbers, and stays.
cluster_down() {
    [ -n "${CLUSTER:-}" ] || return 0
    cluster down && rm -rf "$CLUSTER"
}

# noted ID: the controller has written down all that has happened so far. It does so every
# few seconds, and what is younger is lost with it when it is killed. This asks by a comment.
noted() {
    local note=noted-$1-$RANDOM
    scontrol update jobid="$1" comment="$note"
    wait_for grep -qs "$note" "$CLUSTER/state/job_state"
}

# job_is ID STATE: what squeue says of it, for wait_for.
job_is() { [ "$(squeue -h -t all -j "$1" -o %T 2>/dev/null)" = "$2" ]; }

# slurm_make TARGET VARIABLE=VALUE...: as tiny_make, with Slurm and small jobs.
slurm_make() {
    EXECUTOR=slurm tiny_make "$@" THREADS=1 JOB="memory=500M time=0:10:00 ${JOB:-}" 3>&-
}
# jobs_of RUN: what the queue has of it, lines `ID NAME`.
jobs_of() { squeue -h -r -o '%i %j' | grep "[.]$1[.][0-9]*\$" | sort -n; }
no_jobs_of() { [ -z "$(jobs_of "$1")" ]; }
# made RUN/STAGE: is the artifact there?
made() { [ -e "$BATS_FILE_TMPDIR/results/$1.h5" ]; }
