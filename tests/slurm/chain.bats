# The chain as jobs: one command submits it, and what it leaves has the bits of a local run,
# whatever came in between.
load cluster

setup_file() {
    cluster_up || { [ -n "$no_cluster" ]; return; }
    tiny_images
    tiny_make search RUN=local THREADS=1 >/dev/null 2>&1
}
teardown() { [ -n "$no_cluster" ] || scontrol update partitionname=main state=up; }
teardown_file() { cluster_down; }
setup() {
    need_cluster
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
}

@test "one command submits the chain; its shell is killed; the artifacts have a local run's bits" {
    # A session of its own, all of which is killed when the command has returned.
    export BUILD
    export -f tiny_make slurm_make
    run setsid -w bash -c 'slurm_make search RUN=chain; kill -9 0' 3>&-
    echo "$output"
    [ "$status" = 137 ]
    for stage in warmup greedy search; do
        [[ $output == *"$stage: submitted as "* ]]
    done
    wait_for made chain/search
    same_artifacts local chain
    run slurm_make search RUN=chain
    [ "$status" = 0 ]
    "$BUILD"/search --show="$results/local/search.h5" >"$BATS_TEST_TMPDIR/local"
    "$BUILD"/search --show="$results/chain/search.h5" >"$BATS_TEST_TMPDIR/chain"
    cmp "$BATS_TEST_TMPDIR/local" "$BATS_TEST_TMPDIR/chain"
}

@test "what runs is what was submitted, whatever becomes of the settings and programs" {
    scontrol update partitionname=main state=down
    copy=$BATS_TEST_TMPDIR/build/$(basename "$BUILD")
    mkdir "$BATS_TEST_TMPDIR/build"
    cp -a "$BUILD" "$copy"
    BUILD=$copy slurm_make search RUN=kept
    # An edit of the run's files, and a program that is no more.
    for stage in warmup greedy search; do
        echo "nonsense: 1" >"$results/kept/$stage.yaml"
        printf '#!/bin/sh\nexit 1\n' >"$copy/$stage"
    done
    scontrol update partitionname=main state=up
    wait_for made kept/search
    same_artifacts local kept
}

@test "a stage that fails: those after it end too, status says why, and only it runs again" {
    slurm_make warmup RUN=spoilt WAIT=1
    cp -p "$results/spoilt/warmup.h5" "$BATS_TEST_TMPDIR/whole.h5"
    printf spoilt | dd of="$results/spoilt/warmup.h5" bs=1 seek=3000 conv=notrunc 2>/dev/null
    touch -r "$BATS_TEST_TMPDIR/whole.h5" "$results/spoilt/warmup.h5"
    slurm_make search RUN=spoilt
    wait_for no_jobs_of spoilt
    [ ! -e "$results/spoilt/greedy.h5" ]
    run slurm_make status RUN=spoilt
    echo "$output"
    [[ $output == *"  greedy "*failed*"warmup.h5"* ]]
    cp -p "$BATS_TEST_TMPDIR/whole.h5" "$results/spoilt/warmup.h5"
    run slurm_make resubmit RUN=spoilt
    echo "$output"
    [ "$status" = 0 ]
    [[ $output != *"warmup: submitted"* ]]
    [[ $output == *"greedy: submitted as "*"search: submitted as "* ]]
    wait_for made spoilt/search
    same_artifacts local spoilt
}
