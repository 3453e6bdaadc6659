# Legal settings at the edge of what there is: the stages end, and say what was odd.
load tiny

setup_file() {
    tiny_images
    tiny_make greedy RUN=one >/dev/null 2>&1
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
}

# search_with SETTING...: a search of its own in the trained supernet.
search_with() {
    cp -a "$results/one" "$results/$BATS_TEST_NUMBER"
    run tiny_make search RUN="$BATS_TEST_NUMBER" SET="$*"
    echo "$output"
    [ "$status" = 0 ]
}

@test "a search batch larger than the images takes no memory for more" {
    # Tensors of a million images would be more than 8 GB.
    [[ $BUILD != */san ]] || skip "the sanitizers reserve terabytes of addresses"
    ulimit -v 3000000
    search_with search.batch=1000000
}

@test "a search that finds fewer paths than asked for says so" {
    # The limit leaves out some of the 625 paths of the space.
    search_with search.algorithm=random search.random_paths=625 search.constraints.flops=60000
    grep -q 'judged [0-9]* paths, expected 625' "$results/$BATS_TEST_NUMBER/search.log"
}
