# slurm/testbed/cluster: a real Slurm that comes and goes, and what it says when it cannot.
load cluster

setup_file() { cluster_up 3 || [ -n "$no_cluster" ]; }
teardown_file() { cluster_down; }
setup() {
    need_cluster
    cd "$BATS_TEST_DIRNAME/../.."
}

# Behind the state may be a `*` (does not answer) and `+COMPLETING`; sinfo shows only the
# latter of a node that went down while a job was ending on it.
node_is() { [[ $(scontrol -o show node "$1") == *" State=$2"* ]]; }
# In the process table, whatever their name space: by the command line.
sleepers() { pgrep -fc "^sleep $1\$" || true; }

@test "jobs run on virtual nodes that have host names of their own" {
    run sbatch --parsable --wait -N3 -o "$BATS_TEST_TMPDIR/out" \
        --wrap 'srun -N3 uname -n | sort; echo "$SLURM_JOB_PARTITION"'
    [ "$status" = 0 ]
    [ "$(cat "$BATS_TEST_TMPDIR/out")" = $'n1\nn2\nn3\nmain' ]
}

@test "up of a cluster that is up changes nothing, says what to type, and keeps its jobs" {
    id=$(sbatch --parsable -o /dev/null --wrap 'sleep 600')
    wait_for job_is "$id" RUNNING
    before=$(cat "$CLUSTER"/run/*.pid)
    run cluster up
    [ "$status" = 0 ]
    [[ $output == *$'\n'"export SLURM_CONF=$CLUSTER/slurm.conf"$'\n'"make search" ]]
    [ "$(cat "$CLUSTER"/run/*.pid)" = "$before" ]
    job_is "$id" RUNNING
    scancel "$id"
}

@test "a node whose power is cut takes everything on it along; its job runs elsewhere" {
    cat >"$BATS_TEST_TMPDIR/job" <<'END'
#!/bin/sh
uname -n
sleep 6001 &
setsid sleep 6001 &
sleep 6001
END
    id=$(sbatch --parsable --requeue --open-mode=append -o "$BATS_TEST_TMPDIR/out" \
        "$BATS_TEST_TMPDIR/job")
    wait_for eval '[ "$(sleepers 6001)" = 3 ]'
    node=$(squeue -h -j "$id" -o %N)
    cluster kill "$node"
    [ "$(sleepers 6001)" = 0 ]
    wait_for node_is "$node" DOWN
    wait_for eval '[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" = 2 ]'
    [ "$(sort -u "$BATS_TEST_TMPDIR/out" | wc -l)" = 2 ]
    cluster start "$node"
    wait_for node_is "$node" IDLE
    scancel "$id"
}

@test "without its controller jobs run on; it comes back and knows them" {
    id=$(sbatch --parsable -o /dev/null --wrap 'sleep 600')
    wait_for job_is "$id" RUNNING
    noted "$id"
    cluster kill controller
    run timeout 30 squeue -h
    [ "$status" = 1 ]
    [[ $output == *"Unable to contact slurm controller"* ]]
    cluster start controller
    wait_for job_is "$id" RUNNING
    scancel "$id"
}

@test "a job of 'high' takes the nodes of one of 'low', which is put back into the queue" {
    low=$(sbatch --parsable -p low -N3 --exclusive --requeue -o /dev/null --wrap 'sleep 600')
    wait_for job_is "$low" RUNNING
    high=$(sbatch --parsable -p high -N3 --exclusive -o /dev/null --wrap 'sleep 600')
    wait_for job_is "$high" RUNNING
    wait_for job_is "$low" PENDING
    scancel "$high"
    wait_for job_is "$low" RUNNING
    scancel "$low"
}

@test "'short' refuses a job that asks for more than its limit" {
    run sbatch -p short -t 6 --wrap true
    [ "$status" = 1 ]
    [[ $output == *"Requested time limit is invalid"* ]]
}

# A cluster beside that of the file, for what would disturb it.
other() { slurm/testbed/cluster "$@" --folder="$other" 3>&-; }
other_folder() { other=$(mktemp -d /tmp/slurm-test.XXXXXX); }
teardown() {
    [ -z "${other:-}" ] || {
        other down && rm -rf "$other"
    }
}

@test "down leaves no process: not of a deaf job, not when the controller is dead" {
    other_folder
    other up --nodes=1
    SLURM_CONF=$other/slurm.conf sbatch -o /dev/null --wrap 'trap "" TERM; sleep 6002 & wait; sleep 6002'
    wait_for eval '[ "$(sleepers 6002)" = 1 ]'
    kill -9 "$(cat "$other/run/controller.pid")"
    pids=$(cat "$other"/run/n1.pid "$other"/run/munge.pid)
    run other down
    [ "$status" = 0 ]
    [ "$(sleepers 6002)" = 0 ]
    for pid in $pids; do
        # (A zombie has ended, and waits where nobody asks how.)
        [ ! -e "/proc/$pid/stat" ] || grep -q '^[0-9]* (.*) Z ' "/proc/$pid/stat"
    done
    # And a number that is somebody else's by now is left alone.
    sleep 600 3>&- &
    echo $! >"$other/run/controller.pid"
    other up --nodes=1
    other down
    kill $!
}

@test "the ports of another cluster are refused by number, and evaded when none is asked" {
    taken=$(sed -n 's/^SlurmctldPort=//p' "$SLURM_CONF")
    other_folder
    run other up --port="$taken"
    [ "$status" = 1 ]
    [[ $output == *"of the ports $taken to $((taken + 4)) one is taken, expected all free"* ]]
    other up --nodes=1
    [ "$(sed -n 's/^SlurmctldPort=//p' "$other/slurm.conf")" != "$taken" ]
}

@test "what cannot be is said: a long name, a folder with something in it, another user" {
    refused() { # refused CODE MESSAGE ARGUMENT...
        local code=$1 message=$2
        shift 2
        run slurm/testbed/cluster "$@"
        echo "$output"
        [ "$status" = "$code" ] && [[ $output == *"$message"* ]]
    }
    long=/tmp/$(printf 'x%.0s' {1..61})
    refused 2 "has 66 characters, expected at most 65" up --folder="$long"
    refused 2 "--folder is 'here', expected a path from / on" up --folder=here
    refused 2 "--nodes is '0', expected a number from 1 to 64" up --folder=/tmp/x --nodes=0
    refused 2 "the command is 'pu', expected up, down, kill, start, show or can" pu --folder=/tmp/x
    refused 2 "there is no 'n4'" kill n4 --folder="$CLUSTER"
    echo precious >"$BATS_TEST_TMPDIR/file"
    refused 1 "exists and is no testbed's" up --folder="$BATS_TEST_TMPDIR"
    [ "$(cat "$BATS_TEST_TMPDIR/file")" = precious ]
    refused 0 "there is no cluster in '/tmp/none', nothing to do" down --folder=/tmp/none
    [ ! -e /tmp/none ]
    chmod 755 "$BATS_TEST_TMPDIR"
    run setpriv --reuid=65534 --clear-groups slurm/testbed/cluster up --folder=/tmp/none
    [ "$status" = 1 ]
    [[ $output == *"needs root for its name spaces; this is 'nobody'"* ]]
}
