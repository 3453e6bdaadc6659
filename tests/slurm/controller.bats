# What the controller has been told: one job for each stage, however often it is typed; and
# what happens when it is away.
load cluster

setup_file() {
    cluster_up || { [ -n "$no_cluster" ]; return; }
    tiny_images
    tiny_make data RUN=often THREADS=1 >/dev/null 2>&1
}
teardown() { [ -n "$no_cluster" ] || scontrol update partitionname=main state=up; }
teardown_file() { cluster_down; }
setup() {
    need_cluster
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
}

@test "typed five times and from two shells at once: one job for each stage" {
    scontrol update partitionname=main state=down # so that they stay in the queue
    often() {
        for _ in $(seq "$1"); do
            slurm_make search RUN=often
        done >"$BATS_TEST_TMPDIR/$1" 2>&1 3>&-
    }
    often 2 &
    often 5
    wait $!
    cat "$BATS_TEST_TMPDIR"/[25]
    jobs_of often >"$BATS_TEST_TMPDIR/jobs"
    cat "$BATS_TEST_TMPDIR/jobs"
    for stage in warmup greedy search; do
        [ "$(grep -c "^[0-9]* $stage[.]" "$BATS_TEST_TMPDIR/jobs")" = 1 ]
        [ "$(cat "$BATS_TEST_TMPDIR"/[25] | grep -c "^$stage: submitted as ")" = 1 ]
        [ "$(cat "$BATS_TEST_TMPDIR"/[25] | grep -c "^$stage: already queued as ")" -ge 4 ]
    done
    # With other settings it is refused, and nothing of the queue changes.
    run slurm_make search RUN=often SET=greedy.pool_size=19
    [ "$status" = 2 ]
    [[ $output == *"with other settings"* ]]
    jobs_of often | cmp - "$BATS_TEST_TMPDIR/jobs"
    cut -d' ' -f1 "$BATS_TEST_TMPDIR/jobs" | xargs scancel
    scontrol update partitionname=main state=up
}

@test "the controller is away: status and search say so; back again, nothing is lost" {
    scontrol update partitionname=main state=down
    slurm_make search RUN=away
    jobs_of away >"$BATS_TEST_TMPDIR/jobs"
    noted "$(sed -n 's/ search[.].*//p' "$BATS_TEST_TMPDIR/jobs")"
    cluster kill controller
    for target in status search; do
        before=$(date +%s)
        run slurm_make "$target" RUN=away
        echo "$target: exit code $status, $(($(date +%s) - before)) s: $output"
        [[ $output == *"does not answer"* ]]
    done
    # It comes back with the partition up, and starts the jobs that it had.
    cluster start controller
    run slurm_make search RUN=away
    echo "$output"
    [ "$status" = 0 ]
    [[ $output != *"submitted as"* ]]
    wait_for made away/search
    for stage in warmup greedy search; do
        [ "$(cat "$results/away/jobs/$stage/id")" = \
            "$(sed -n "s/^\([0-9]*\) $stage[.].*/\1/p" "$BATS_TEST_TMPDIR/jobs")" ]
    done
}

# A stage of three lines: the first start ends, stopped, when it is told that the controller
# is away; the second makes the artifact.
@test "a job that stops while the controller is away comes back; complete, it makes nothing again" {
    run=$BATS_TEST_TMPDIR/results/x
    mkdir -p "$run"
    echo 'seed: 1' >"$run/stage.yaml"
    cat >"$BATS_TEST_TMPDIR/stage" <<'END'
#!/bin/sh
place=${2#--out=}
place=${place%.h5}
echo ran >>"$place.runs"
if [ ! -e "$place.away" ]; then
    until [ -e "$place.away" ]; do sleep 0.1; done
    printf 'state: "interrupted"\ndone: 1\n' >"$place.status.yaml"
    exit 75
fi
echo made >"$place.h5"
END
    chmod +x "$BATS_TEST_TMPDIR/stage"
    export GREEDYNAS_JOB='cpus=1 memory=100M time=0:05:00' GREEDYNAS_SITE=none GREEDYNAS_SLURM_SECONDS=2
    slurm/submit --run="$run" --because='not made yet' -- "$BATS_TEST_TMPDIR/stage" \
        --config="$run/stage.yaml" --out="$run/stage.h5"
    wait_for [ -e "$run/stage.runs" ]
    id=$(cat "$run/jobs/stage/id")
    noted "$id"
    cluster kill controller
    touch "$run/stage.away"
    wait_for grep -qs 'cannot come back yet' "$run/stage.log"
    cluster start controller
    wait_for [ -e "$run/stage.h5" ]
    [ "$(cat "$run/jobs/stage/id")" = "$id" ]

    wait_for job_is "$id" COMPLETED
    scontrol requeue "$id"
    wait_for grep -q "job $id on .*, start 3" "$run/stage.log"
    wait_for job_is "$id" COMPLETED
    [ "$(wc -l <"$run/stage.runs")" = 2 ]
}
