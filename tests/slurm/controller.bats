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
