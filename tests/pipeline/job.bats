# slurm/job, the batch script, run as a node would run it before a Slurm that does what a
# test wants of it.
load stub

@test "a member of an array takes its own arguments" {
    group=$(members one two)
    slurm/submit --run="$run" --because=test "$group"
    set -- $(sed -n 's/^sbatch .*\/job //p' "$STUB/calls")
    SLURM_JOB_ID=103 SLURM_ARRAY_JOB_ID=101 SLURM_ARRAY_TASK_ID=2 "$run/jobs/two/job" "$@"
    [ -e "$run/two.h5" ]
    [ ! -e "$run/one.h5" ]
}

interrupted='printf "state: \"interrupted\"\ndone: 7\n" >"${out%.h5}.status.yaml"; exit 75'

@test "stopped: requeued under its number, and no end is noted" {
    stage_does "$interrupted"
    submit warmup
    run job 101 warmup
    [ "$status" = 75 ]
    grep -qx 'scontrol requeue 101' "$STUB/calls"
    [ ! -e "$run/jobs/warmup/ended" ]
    [ "$(submitted)" = 1 ]
}

@test "a member of an array that was stopped is requeued alone, the last one too" {
    stage_does "$interrupted"
    slurm/submit --run="$run" --because=test "$(members one two)"
    SLURM_JOB_ID=101 SLURM_ARRAY_JOB_ID=101 SLURM_ARRAY_TASK_ID=2 \
        run "$run/jobs/two/job" "$run/jobs/many.group" "1:$run/one" "2:$run/two"
    [ "$status" = 75 ]
    grep -qx "scontrol requeue 101_2" "$STUB/calls"
}

@test "requeueing refused: a successor, and those that wait for the job wait for that" {
    stage_does "$interrupted"
    submit warmup
    submit greedy warmup
    queue_state 101 RUNNING
    echo 'Requested operation is presently disabled' >"$STUB/requeue"
    run job 101 warmup
    [ "$status" = 75 ]
    [[ $output == *"warmup: goes on as job 103"* ]]
    [ "$(cat "$run/jobs/warmup/id")" = 103 ]
    grep -qx 'scontrol update jobid=102 dependency=afterok:103' "$STUB/calls"
    # Slurm itself has requeued it: nothing to be done.
    submitted_before=$(submitted)
    echo 'Job is pending execution' >"$STUB/requeue"
    run job 103 warmup
    [ "$status" = 75 ]
    [ "$(submitted)" = "$submitted_before" ]
    # The first job, should it start again, has nothing to do any more.
    run job 101 warmup
    [ "$status" = 1 ]
    [[ $output == *"this is job 101, expected 103"* ]]
}

@test "cancelled, by make or by hand, it does not come back" {
    stage_does "$interrupted"
    submit warmup
    : >"$run/jobs/warmup/cancelled"
    run job 101 warmup
    [ "$status" = 75 ]
    [ "$(cat "$run/jobs/warmup/ended")" = '75 cancelled, checkpoint kept' ]
    rm "$run/jobs/warmup/cancelled"
    echo 'slurmstepd: error: *** JOB 101 ON n1 CANCELLED AT 2026-01-01T00:00:00 ***' >"$run/jobs/warmup/slurm.out"
    run job 101 warmup
    [ -z "$(grep 'scontrol requeue' "$STUB/calls")" ]
    echo 'slurmstepd: error: *** JOB 101 ON n1 CANCELLED AT 2026-01-01T00:00:00 DUE TO PREEMPTION ***' >"$run/jobs/warmup/slurm.out"
    run job 101 warmup
    grep -q 'scontrol requeue 101' "$STUB/calls"
}

@test "starts that bring it no further are counted; with progress it may go on for ever" {
    stage_does 'n=$(cat "$out.n" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >"$out.n"
[ $n -lt 4 ] || n=4
printf "state: \"interrupted\"\ndone: $n\n" >"${out%.h5}.status.yaml"; exit 75'
    GREEDYNAS_JOB=restarts=2 submit warmup
    for _ in {1..7}; do # five that find progress, two that do not
        run job 101 warmup
        [ "$status" = 75 ]
    done
    run job 101 warmup
    [ "$status" = 1 ]
    [[ $output == *"failed: started "*" times without coming further than step 4; gives up"* ]]
    grep -q '^state: "failed"' "$run/warmup.status.yaml"
}

@test "a real failure is not tried again; its message is kept, and a signal is named" {
    stage_does 'printf "state: \"failed\"\nmessage: \"loss is nan\"\n" >"${out%.h5}.status.yaml"; exit 1'
    submit warmup
    run job 101 warmup
    [ "$status" = 1 ]
    [ "$(cat "$run/jobs/warmup/ended")" = '1 failed: loss is nan' ]
    [ -z "$(grep 'scontrol requeue' "$STUB/calls")" ]
    : >"$STUB/queue"
    stage_does 'kill -9 $$'
    submit warmup
    run job 102 warmup
    [ "$status" = 137 ]
    [[ $(cat "$run/jobs/warmup/ended") == "137 failed: ended by signal 9, "* ]]
}

# warmup as job 101, told by USR1 when the stage is up (its .up is there).
job_told_to_stop_comes_back() {
    submit warmup
    job 101 warmup 3>&- &
    pid=$!
    for _ in {1..200}; do [ ! -e "$run/warmup.h5.up" ] || break; sleep 0.05; done
    batch=$(pgrep -P $pid -f "$run/jobs/warmup/job" | head -n 1)
    kill -USR1 "${batch:-$pid}"
    code=0
    wait $pid || code=$?
    [ $code = 75 ]
    grep -q 'scontrol requeue 101' "$STUB/calls"
}

@test "told to stop by the time limit's signal, the stage hears it" {
    stage_does 'trap "printf \"state: \\\"interrupted\\\"\ndone: 3\n\" >\"${out%.h5}.status.yaml\"; exit 75" TERM
: >"$out.up"; while :; do sleep 0.05; done'
    job_told_to_stop_comes_back
}

@test "told to stop before the stage listens, it comes back all the same" {
    stage_does ': >"$out.up"; while :; do sleep 0.05; done'
    job_told_to_stop_comes_back
    [ ! -e "$run/jobs/warmup/ended" ]
}

# told_to_stop ID NAME COMMAND...: as that job, told by USR1 once the command succeeds; its
# exit code is in $code.
told_to_stop() {
    local id=$1 name=$2
    shift 2
    (exec env SLURM_JOB_ID="$id" "$run/jobs/$name/job" "$run/jobs/$name" "0:$run/$name" 3>&-) &
    wait_until "$@"
    kill -USR1 $!
    code=0
    wait $! || code=$?
}
wait_until() {
    for _ in {1..400}; do ! "$@" || return 0; sleep 0.05; done
    return 1
}

@test "told to stop while it waits for its input, it comes back, and nothing was started" {
    submit warmup
    submit greedy warmup
    told_to_stop 102 greedy grep -qs 'job 102 on' "$run/greedy.log"
    [ $code = 75 ]
    grep -qx 'scontrol requeue 102' "$STUB/calls"
    [ ! -e "$run/jobs/greedy/ended" ]
    grep -q '^greedy: told to stop before it had begun' "$run/greedy.log"
    [ ! -e "$run/greedy.lock" ]
}

@test "told to stop while the site's setup is read, it comes back" {
    submit_with_setup ': >"$STUB/up"; sleep 1'
    told_to_stop 101 warmup [ -e "$STUB/up" ]
    [ $code = 75 ]
    grep -qx 'scontrol requeue 101' "$STUB/calls"
}

# submit_with_setup TEXT: warmup, where the site has that in its setup file
submit_with_setup() {
    echo "$1" >"$BATS_TEST_TMPDIR/setup.sh"
    echo "setup: $BATS_TEST_TMPDIR/setup.sh" >"$BATS_TEST_TMPDIR/site.yaml"
    GREEDYNAS_SITE=$BATS_TEST_TMPDIR/site.yaml submit warmup
}

@test "the site's setup may set what it likes: the stage runs as it was submitted, with it" {
    stage_does 'echo "$SITE $*" >"$out"'
    submit_with_setup 'set -- a b; set -e; cd /; place=x submission=y stage=z id=7 log=/nowhere/l code=9; export SITE=loaded'
    run job 101 warmup
    [ "$status" = 0 ]
    [ "$(cat "$run/warmup.h5")" = "loaded --config=$run/jobs/warmup/settings.yaml --data=$run/data.h5 --out=$run/warmup.h5 --log=$run/warmup.log" ]
    [ "$(cat "$run/jobs/warmup/ended")" = '0 complete' ]
}

@test "a setup that is not there, or ends badly, is a failure with its name" {
    submit_with_setup 'exit 3'
    run job 101 warmup
    [ "$status" = 1 ]
    [[ $(cat "$run/jobs/warmup/ended") == "1 failed: cannot load what the site wants (modules '', setup '$BATS_TEST_TMPDIR/setup.sh'); see "*slurm.out ]]
    rm "$BATS_TEST_TMPDIR/setup.sh"
    run job 101 warmup
    [ "$status" = 1 ]
    [ "$(cat "$run/jobs/warmup/ended")" = "1 failed: cannot read the site's setup '$BATS_TEST_TMPDIR/setup.sh'" ]
    grep -q '^state: "failed"' "$run/warmup.status.yaml"
    [ ! -e "$run/warmup.h5" ]
}

@test "started again when its artifact is complete, it makes nothing again" {
    stage_does 'echo ran >>"$out.runs"; echo made >"$out"'
    GREEDYNAS_JOB=restarts=1 submit warmup
    job 101 warmup
    # As when its node was lost before its launcher had noted what it was made with.
    mv "$run/made/warmup.yaml" "$run/warmup.started.yaml"
    for _ in 1 2 3; do
        rm "$run/jobs/warmup/ended"
        run job 101 warmup
        [ "$status" = 0 ]
        [ "$(cat "$run/jobs/warmup/ended")" = '0 complete' ]
    done
    [ "$(cat "$run/warmup.h5.runs")" = ran ]
    [ -e "$run/made/warmup.yaml" ]
    # One from before the submission is not what was asked for.
    touch -d '-1 hour' "$run/warmup.h5"
    job 101 warmup
    [ "$(cat "$run/warmup.h5.runs")" = $'ran\nran' ]
}

@test "its number has not been noted yet, or only half: the job runs, and notes it" {
    for noted in absent empty; do
        submit warmup
        rm "$run/jobs/warmup/id"
        [ $noted = absent ] || : >"$run/jobs/warmup/id"
        id=$(tail -n 1 "$STUB/queue" | cut -d'|' -f1)
        run job "$id" warmup
        [ "$status" = 0 ]
        [ "$(cat "$run/jobs/warmup/id")" = "$id" ]
        rm "$run/warmup.h5"
        : >"$STUB/queue"
    done
}

@test "the launcher alone is ended when the stage has stopped: it comes back" {
    stage_does 'printf "state: \"interrupted\"\ndone: 7\n" >"${out%.h5}.status.yaml"; kill -TERM $$'
    submit warmup
    run job 101 warmup
    [ "$status" = 75 ]
    grep -qx 'scontrol requeue 101' "$STUB/calls"
}

# Stops that a job cannot be requeued after.
stopped_and_refused() {
    stage_does "$interrupted"
    submit warmup
    queue_state 101 RUNNING
    echo 'Requested operation is presently disabled' >"$STUB/requeue"
}

@test "the successor starts before its number is noted: it takes the submission over" {
    stopped_and_refused
    job 101 warmup || [ $? = 75 ]
    words=$(sed -n 's/^sbatch .*\/job //p' "$STUB/calls" | tail -n 1)
    echo 101 >"$run/jobs/warmup/id"
    queue_state 102 RUNNING
    run env SLURM_JOB_ID=102 "$run/jobs/warmup/job" $words
    [ "$status" = 75 ]
    [[ $output == *"warmup: job 102 on "* ]]
    # It has had a successor of its own; that of another job does nothing.
    [ "$(cat "$run/jobs/warmup/id")" = 103 ]
    run env SLURM_JOB_ID=102 "$run/jobs/warmup/job" $words
    [ "$status" = 1 ]
    [[ $output == *"this is job 102, expected 103"* ]]
}

@test "what a cluster prints around the successor's number is no refusal" {
    stopped_and_refused
    printf 'sbatch: note: the queue is long today\n;cluster\n' >"$STUB/cluster"
    run job 101 warmup
    [ "$(cat "$run/jobs/warmup/id")" = 102 ]
    [ ! -e "$run/jobs/warmup/ended" ]
}

@test "the answer to the successor's submission is lost: it is found by its name" {
    stopped_and_refused
    echo sbatch >"$STUB/lose"
    run job 101 warmup
    [ "$(cat "$run/jobs/warmup/id")" = 102 ]
    [ "$(submitted)" = 2 ]
    [ ! -e "$run/jobs/warmup/ended" ]
}

@test "the successor has begun before its number was found: what waits is handed over all the same" {
    export GREEDYNAS_SLURM_SECONDS=1
    stopped_and_refused
    submit greedy warmup
    # Takes the job, says nothing, and the queue is silent once.
    cat >"$BATS_TEST_TMPDIR/bin/sbatch" <<'END'
#!/bin/sh
tests/slurm/stub/sbatch "$@" >/dev/null
echo 1 >"$STUB/squeue.outage"
echo 103 >"$SUBMISSION/id"
exit 1
END
    chmod +x "$BATS_TEST_TMPDIR/bin/sbatch"
    SUBMISSION=$run/jobs/warmup PATH=$BATS_TEST_TMPDIR/bin:$PATH run job 101 warmup
    [ "$status" = 75 ]
    [ "$(submitted)" = 3 ]
    grep -qx 'scontrol update jobid=102 dependency=afterok:103' "$STUB/calls"
    [ ! -e "$run/jobs/warmup/ended" ]
}

@test "a member of an array has a successor with a name of its own" {
    stage_does "$interrupted"
    slurm/submit --run="$run" --because=test "$(members one two)"
    queue_state 101_1 RUNNING
    queue_state 101_2 RUNNING
    echo 'Requested operation is presently disabled' >"$STUB/requeue"
    for index in 1 2; do
        SLURM_JOB_ID=10$index SLURM_ARRAY_JOB_ID=101 SLURM_ARRAY_TASK_ID=$index run \
            "$run/jobs/one/job" "$run/jobs/many.group" "1:$run/one" "2:$run/two"
        [ "$status" = 75 ]
    done
    [[ $(tail -n 2 "$STUB/queue") == "102|"*"|one.r."*$'\n'"103|"*"|two.r."* ]]
    sed -i /101_/d "$STUB/queue"
    run slurm/submit --run="$run" --because=test --members="$run/many.members"
    [ "$output" = $'many: one already queued as 102 (pending)\nmany: two already queued as 103 (pending)' ]
    grep -q -e "--output=$run/jobs/two/slurm.out .*/job $run/jobs/two --after=101_2 0:$run/two\$" "$STUB/calls"
}

@test "Slurm is away when the job stops: it asks until there is an answer" {
    export GREEDYNAS_SLURM_SECONDS=1
    stage_does "$interrupted"
    submit warmup
    queue_state 101 RUNNING
    echo 2 >"$STUB/scontrol.outage"
    echo 2 >"$STUB/squeue.outage"
    run job 101 warmup
    [ "$status" = 75 ]
    [ "$(grep -c 'scontrol requeue 101' "$STUB/calls")" = 3 ]
    [ "$(submitted)" = 1 ]
    [ ! -e "$run/jobs/warmup/ended" ]
}

@test "a submission and a change of dependency that fail once are tried again" {
    export GREEDYNAS_SLURM_SECONDS=1
    stopped_and_refused
    submit greedy warmup
    echo 1 >"$STUB/sbatch.outage"
    echo 1 >"$STUB/scontrol.update.outage"
    run job 101 warmup
    [ "$(cat "$run/jobs/warmup/id")" = 103 ]
    [ "$(grep -c 'scontrol update jobid=102 dependency=afterok:103' "$STUB/calls")" = 2 ]
    [ ! -e "$run/jobs/warmup/ended" ]
}

@test "what Slurm refuses three times is given up, and it is noted why" {
    export GREEDYNAS_SLURM_SECONDS=1
    stopped_and_refused
    echo sbatch >"$STUB/fail"
    run job 101 warmup
    [ "$status" = 75 ]
    [ "$(submitted)" = 4 ]
    [[ $(cat "$run/jobs/warmup/ended") == "75 stopped, checkpoint kept; could not come back: Requested operation is presently disabled; sbatch: sbatch: error: Unable to contact slurm controller"* ]]
}

@test "Slurm is away until the time is over: it is noted why the job did not come back" {
    export GREEDYNAS_SLURM_SECONDS=1
    stage_does "$interrupted"
    submit warmup
    printf 'scontrol\nsqueue\n' >"$STUB/fail"
    (exec env SLURM_JOB_ID=101 "$run/jobs/warmup/job" "$run/jobs/warmup" "0:$run/warmup" 3>&-) &
    wait_until [ -s "$run/jobs/warmup/ended" ]
    kill -TERM $!
    code=0
    wait $! || code=$?
    [ $code = 75 ]
    [[ $(cat "$run/jobs/warmup/ended") == "75 stopped, checkpoint kept; could not come back: squeue: error: Unable to contact"* ]]
    [ "$(submitted)" = 1 ]
}

@test "the answer to the requeueing is lost: the job that waits again has no successor" {
    stage_does "$interrupted"
    submit warmup
    echo scontrol >"$STUB/fail"
    run job 101 warmup
    [ "$status" = 75 ]
    [ "$(submitted)" = 1 ]
    [ ! -e "$run/jobs/warmup/ended" ]
}

@test "a job whose submission is gone ends, and leaves nothing" {
    submit warmup
    cp "$run/jobs/warmup/job" "$BATS_TEST_TMPDIR/script"
    rm -r "$run/jobs"
    run env SLURM_JOB_ID=101 "$BATS_TEST_TMPDIR/script" "$run/jobs/warmup" "0:$run/warmup"
    [ "$status" = 1 ]
    [[ $output == "warmup: job 101 finds no '$run/jobs/warmup': "* ]]
    [ ! -e "$run/jobs" ]
}
