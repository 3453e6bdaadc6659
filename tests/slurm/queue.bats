# The whole commands before a Slurm that hangs, forgets, or is cut off at the wrong moment,
# and files that come late (stub/). What the launcher does by itself is in
# tests/pipeline/submit.bats.
load ../pipeline/tiny

setup_file() {
    tiny_images
    tiny_make warmup RUN=local THREADS=1 >/dev/null 2>&1
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
    export STUB=$BATS_TEST_TMPDIR/stub PATH=$PWD/tests/slurm/stub:$PATH
    mkdir "$STUB"
    : >"$STUB/queue"
}
slurm_make() { EXECUTOR=slurm tiny_make "$@" THREADS=1; }
queued() { cut -d'|' -f6 "$STUB/queue" | cut -d. -f1 | paste -s -d ' '; }

# Each query has eight seconds, if nobody says otherwise: with two of them a command answers
# within 20.
@test "a query that hangs, or fails: two queries at most, and nothing is submitted" {
    slurm_make search RUN=hang
    cp "$STUB/queue" "$BATS_TEST_TMPDIR/queue"
    rm "$results/hang/warmup.yaml" # so that there would be something to submit
    export GREEDYNAS_SLURM_SECONDS=2
    for how in hang fail; do
        echo squeue >"$STUB/$how"
        for target in search resubmit cancel status; do
            : >"$STUB/calls"
            run slurm_make $target RUN=hang
            echo "$how, $target: exit code $status: $output"
            cat "$STUB/calls"
            [ "$(wc -l <"$STUB/calls")" -le 2 ]
            [[ $output == *"Slurm does not answer ("* ]]
            [ $target = status ] || [ "$status" != 0 ]
            cmp "$STUB/queue" "$BATS_TEST_TMPDIR/queue"
        done
    done
    [[ $output == *"  warmup  unknown "*"submitted as job 101; Slurm does not answer"* ]]
}

@test "killed between the submission and its note: typed again, the job is found by its name" {
    # Everything of its session dies, as with the login node.
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\ntests/slurm/stub/sbatch "$@"\npkill -9 -s $(ps -o sid= $$)\n' \
        >"$BATS_TEST_TMPDIR/bin/sbatch"
    chmod +x "$BATS_TEST_TMPDIR/bin/sbatch"
    export -f tiny_make slurm_make
    export BUILD
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run setsid -w bash -c 'slurm_make search RUN=killed'
    echo "$output"
    cat "$STUB/calls"
    [ "$(queued)" = warmup ]
    run slurm_make search RUN=killed
    echo "$output"
    [[ $output == *"warmup: already queued as 101 "* ]]
    [ "$(queued)" = "warmup greedy search" ]
    [[ $(sed -n 2p "$STUB/queue") == *"|afterok:101|greedy."* ]]
}

@test "a job that Slurm has forgotten is lost, not running; it is submitted again" {
    slurm_make warmup RUN=forgotten
    : >"$STUB/queue"
    run slurm_make status RUN=forgotten
    echo "$output"
    [[ $output == *"  warmup  lost "*"job 101 is in the queue no more, and Slurm does not know how it ended"* ]]
    run slurm_make resubmit RUN=forgotten
    echo "$output"
    echo "$output"
    cat "$STUB/calls"
    [ "$(queued)" = warmup ]
}

# The batch script as a node would run it.
batch() { # batch RUN STAGE
    local submission=$results/$1/jobs/$2
    SLURM_JOB_ID=$(cat "$submission/id") "$submission/job" "$submission" "0:$results/$1/$2"
}

@test "an input that another node has just made may come late" {
    copy_run local late
    slurm_make greedy RUN=late
    mv "$results/late/warmup.h5" "$BATS_TEST_TMPDIR/warmup.h5"
    (sleep 3 && mv "$BATS_TEST_TMPDIR/warmup.h5" "$results/late/warmup.h5") 3>&- &
    run batch late greedy
    echo "$output"
    [ "$status" = 0 ]
    [ -s "$results/late/greedy.h5" ]
}

@test "a job whose place another submission has taken does nothing" {
    slurm_make warmup RUN=replaced
    run env SLURM_JOB_ID=1234 "$results/replaced/jobs/warmup/job" \
        "$results/replaced/jobs/warmup" "0:$results/replaced/warmup"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"this is job 1234, expected 101"* ]]
    [ ! -e "$results/replaced/warmup.h5" ]
}

@test "make -n says what new settings would submit, and what each job waits for" {
    copy_run local plan
    run slurm_make greedy RUN=plan -n
    echo "$output"
    [[ $output == *"greedy: would be submitted (not made yet), "* && $output != *", after"* ]]
    # The warm-up is there, and its settings are others now.
    run slurm_make search RUN=plan SET=warmup.steps=3 -n
    echo "$output"
    [[ $output == *"warmup: would be submitted (newer: warmup.yaml), "* ]]
    [[ $output == *"greedy: would be submitted ("*", after warmup"$'\n'* ]]
    [[ $output == *"search: would be submitted ("*", after greedy"* ]]
    [ ! -s "$STUB/queue" ]
    # A group's list is the plan's too; one of its inputs is in the queue.
    slurm_make warmup RUN=group
    run slurm_make ablation RUN=group -n
    echo "$output"
    [[ $output == *"ablation: would be submitted as an array of 1,2,3 (not made yet), "*", after warmup (job 101)"$'\n'* ]]
    [[ $output == *"ablation/net2/search: would be submitted ("*", after ablation"$'\n'* ]]
    [ ! -e "$results/group/ablation/ablation" ]
}

@test "what no node can run is refused before the run's settings are changed, a group's too" {
    copy_run local large
    cp "$results/large/warmup.yaml" "$BATS_TEST_TMPDIR/warmup.yaml"
    run slurm_make ablation RUN=large SET=warmup.steps=3 JOB=ablation.memory=9G
    echo "$output"
    [ "$status" = 2 ]
    [[ $output == *"ablation: asks for memory 9G, expected at most 8000M in partition 'main'"* ]]
    cmp "$BATS_TEST_TMPDIR/warmup.yaml" "$results/large/warmup.yaml"
    [ ! -s "$STUB/queue" ]
}
