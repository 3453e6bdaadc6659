# cluster.bash - what the tests of this folder share: a Slurm of the file's own, in
# $CLUSTER, which ends with the file whatever happens in it.
load ../pipeline/tiny
# Slurm looks at limits and nodes every half a minute, on a busy machine less often.
patience=240

# cluster COMMAND...: slurm/testbed/cluster on this file's folder. What it starts must not
# hold on to bats' own output, 3.
cluster() { slurm/testbed/cluster "$@" --folder="$CLUSTER" 3>&-; }

# In setup_file: starts it (or returns 1 where there can be none: see need_cluster), and makes it the one that sbatch and the others talk to.
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
    cluster up --nodes="${1:-4}" >"$BATS_FILE_TMPDIR/up" 2>&1
}
# In setup: skips the test where there can be no cluster.
need_cluster() { [ -z "$no_cluster" ] || skip "$no_cluster"; }
# In teardown_file.
cluster_down() {
    [ -n "${CLUSTER:-}" ] || return 0
    cluster down
    rm -rf "$CLUSTER"
}

# job_is ID STATE: what squeue says of it, for wait_for.
job_is() { [ "$(squeue -h -t all -j "$1" -o %T)" = "$2" ]; }

# slurm_make TARGET VARIABLE=VALUE...: as tiny_make, with Slurm and small jobs.
slurm_make() {
    EXECUTOR=slurm tiny_make "$@" THREADS=1 JOB="memory=500M time=0:10:00 ${JOB:-}" 3>&-
}
# jobs_of RUN: what the queue has of it, lines `ID NAME`.
jobs_of() { squeue -h -r -o '%i %j' | grep "[.]$1[.][0-9]*\$" | sort -n; }
no_jobs_of() { [ -z "$(jobs_of "$1")" ]; }
# made RUN/STAGE: is the artifact there?
made() { [ -e "$BATS_FILE_TMPDIR/results/$1.h5" ]; }
