# A stage that is stopped in every way Slurm has, and comes back each time by itself: the
# artifact is the same bits as if nothing had happened.
load cluster

setup_file() {
    cluster_up || { [ -n "$no_cluster" ]; return; }
    tiny_images
    # Long enough for six pieces of it to be less than the whole.
    export longer='supernet.steps=9000 greedy.stop_by_turnover=false'
    tiny_make data RUN=calm THREADS=1 SET="$longer" >/dev/null 2>&1
    # While the other waits for Slurm.
    replace=exec tiny_make greedy RUN=calm THREADS=1 SET="$longer" \
        >"$BATS_FILE_TMPDIR/calm" 2>&1 3>&- &
    export calm=$!
}
teardown_file() {
    [ -z "${calm:-}" ] || kill "$calm" 2>/dev/null || true
    cluster_down
}
setup() {
    need_cluster
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
    log=$results/stopped/greedy.log
}
teardown() {
    local pid
    pid=$(stage_pid) && kill -KILL "$pid" || true
}

# The stage's process, seen from outside of its node's name space.
stage_pid() { pgrep -f "^[^ ]*/greedy[^ ]* .*--out=$results/stopped/greedy.h5 "; }
# How often it has been started, and has said that it was stopped.
starts() { grep -cs "^greedy: job .*, start" "$log" || true; }
stops() { grep -cs "^greedy: stopped at step " "$log" || true; }
job() { jobs_of stopped | cut -d' ' -f1; }
# Has the process been sent a signal that it has not yet taken?
told() { ! grep -q '^ShdPnd:[[:space:]]*0*$' "/proc/$1/status" 2>/dev/null; }

# listens START: in its START-th start the stage has come to where it hears signals; it has
# a record of its own then (the number in it is that of its node's name space).
listens() {
    [ -e "$log" ] && [ "$(starts)" -ge "$1" ] && pid=$(stage_pid) &&
        [ "$(recorded stopped/greedy pid)" = "$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status")" ]
}
# frozen START: made to stand still soon after that. So it is not over before Slurm gets
# round to stopping it, which takes half a minute.
frozen() {
    wait_for listens "$1"
    sleep 0.3
    kill -STOP "$pid"
}
# stopped_once_more: goes on once it has been told to stop, and then does.
stopped_once_more() {
    local before
    before=$(stops)
    wait_for told "$pid"
    kill -CONT "$pid" || true
    wait_for eval '[ "$(stops)" -gt '"$before"' ]'
}

@test "three time limits, a preemption, a lost node and a TERM: the same bits" {
    JOB='partition=low time=0:01:00' slurm_make greedy RUN=stopped SET="$longer"
    for start in 1 2 3; do
        frozen $start
        stopped_once_more
        echo "start $start was stopped by its time limit, at step $(recorded stopped/greedy done)"
    done

    frozen 4
    # Its node is wanted: Slurm wakes it, tells it, and gives it two seconds.
    node=$(squeue -h -j "$(job)" -o %N)
    high=$(sbatch --parsable -p high -w "$node" --exclusive -o /dev/null --wrap 'sleep 600')
    wait_for job_is "$high" RUNNING
    scancel "$high"

    frozen 5
    node=$(squeue -h -j "$(job)" -o %N)
    cluster kill "$node"

    frozen 6
    cluster start "$node"
    scancel --signal=TERM "$(job)"
    stopped_once_more

    wait_for made stopped/greedy
    wait_for made calm/greedy
    [ "$(starts)" -ge 7 ]
    [ "$(digest "$results/stopped/greedy.h5")" = "$(digest "$results/calm/greedy.h5")" ]
    wait_for no_jobs_of stopped
}
