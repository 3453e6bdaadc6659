# The supernets and searches to compare with, and the ablation: from one command, each as
# its settings say, and nothing twice.
load tiny

short='supernet.steps=30 warmup.steps=10 uniform.steps=24 uniform.snapshot_steps=10'
setup_file() {
    # What ends with an error leaves its memory to the system.
    export ASAN_OPTIONS=detect_leaks=0
    tiny_images
    tiny_make ablation searches RUN=one SET="$short" THREADS=1 >/dev/null 2>"$BATS_FILE_TMPDIR/one.err"
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
    one=$results/one
}

# program NAME STAGE FOLDER [INPUT]: by hand, with the run's settings. With replace=exec
# the shell becomes the program: what kills the one kills the other.
program() {
    ${replace:-} "$BUILD/$1" --config="$one/$2.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        ${4:+--in="$4"} --out="$3/$(basename "$2").h5" --quiet
}

@test "one command leaves every artifact that the tables ask for" {
    for stage in uniform fairnas uniform_e fairnas_e random search_uniform search_uniform_e \
        search_fairnas search_fairnas_e search ablation/net{2,3,4}/{greedy,search} \
        ablation/net5/search; do
        [ -s "$one/$stage.h5" ]
        [ -e "$one/$stage.log" ]
        [ -e "$one/$(dirname "$stage")/made/$(basename "$stage").yaml" ]
        grep -q "^stage: $stage$" "$one/$stage.yaml"
    done
    [ ! -e "$one/ablation/net1" ]
    [ ! -e "$one/ablation/net6" ]
    [ "$(grep -c '^warmup: starts' "$BATS_FILE_TMPDIR/one.err")" = 1 ]
}

@test "typed again, nothing is made again; status shows what was asked for" {
    before=$(cd "$one" && find . -name '*.h5' | xargs stat -c '%n %y')
    tiny_make ablation searches RUN=one SET="$short"
    [ "$(cd "$one" && find . -name '*.h5' | xargs stat -c '%n %y')" = "$before" ]
    run tiny_make status RUN=one
    [[ $output == *"ablation/net2/greedy complete "* ]]
    [[ $output == *"next: "*"(all complete"* ]]
    run tiny_make -n ablation RUN=one SET="$short"
    [[ $output == *"ablation: nothing to be done, everything is up to date"* ]]
}

@test "an edit of the search repeats the searches and no training" {
    run tiny_make -n ablation RUN=one SET="$short search.mutation=0.2"
    [[ $output == *"/search --config=$one/ablation/net3/search.yaml "* ]]
    [[ $output != *"/greedy --config="* ]]
    [[ $output != *"/warmup --config="* ]]
}

@test "the ablation's trainings are one launch, here and as one array of jobs" {
    run tiny_make -n ablation RUN=new SET="$short"
    [ "$(grep -c -e "--members=$results/new/ablation/ablation" <<<"$output")" = 1 ]
    [[ $output != *"/greedy --config=$results/new/ablation/"* ]]
    export STUB=$BATS_TEST_TMPDIR/stub PATH=$PWD/tests/slurm/stub:$PATH GREEDYNAS_SITE=/nowhere
    mkdir "$STUB"
    : >"$STUB/queue"
    : >"$STUB/calls"
    EXECUTOR=slurm run tiny_make ablation RUN=jobs SET="$short"
    [ "$(grep -c -e '^sbatch .*--array=1,2,3' "$STUB/calls")" = 1 ]
    array=$(sed -n 's/^ablation: submitted as \([0-9]*\) \[1,2,3\] .*/\1/p' <<<"$output")
    # A search waits for its own training alone.
    for index in 1 2 3; do
        grep -q "^ablation/net$((index + 1))/search: .* after ${array}_$index$" <<<"$output"
    done
}

@test "what one of the ablation's trainings lacks, none of the others repeats" {
    copy_run one part
    rm "$results/part/ablation/net3/greedy.h5"
    run tiny_make ablation RUN=part SET="$short" THREADS=1
    [ "$(grep -c 'greedy: starts' <<<"$output")" = 1 ]
    for net in 2 3 4; do
        [ "$(digest "$results/part/ablation/net$net/greedy.h5")" = "$(digest "$one/ablation/net$net/greedy.h5")" ]
    done
}

@test "what training the supernets cost is counted, a fair step's paths all" {
    # 24 steps of 32 images; 30 x 32 images in steps of 5 choices x 32.
    [ "$(number "$one/uniform.h5" counters/optimization)" = $((24 * 32)) ]
    [ "$(number "$one/fairnas.h5" counters/step)" = 6 ]
    [ "$(number "$one/fairnas.h5" counters/optimization)" = $((6 * 5 * 32)) ]
    [ "$(number "$one/fairnas.h5" counters/trained)" = 6 ]
}

@test "the supernets of equal cost stop at greedy's, with the ratio that was measured or set" {
    for stage in uniform_e fairnas_e; do
        paths=1
        [ $stage = uniform_e ] || paths=5
        for name in optimization evaluation ratio steps corrected; do
            number "$one/$stage.h5" budget/$name
        done | paste -s -d ' ' | awk -v paths=$paths '{
            may = ($1 + $2 / $3) / 32 / paths
            exit !($4 < may + 0.01 && $4 > may - 1.01)
        }'
        [ "$(number "$one/$stage.h5" counters/step)" = "$(number "$one/$stage.h5" budget/steps)" ]
    done
    # 30 steps of 32 images, warm-up's included.
    [ "$(number "$one/uniform_e.h5" budget/optimization)" = 960 ]
    [ "$(number "$one/uniform_e.h5" budget/evaluation)" = "$(number "$one/greedy.h5" counters/evaluation)" ]
    sed 's/^  ratio: 0$/  ratio: 4/' "$one/uniform_e.yaml" >"$BATS_TEST_TMPDIR/uniform_e.yaml"
    "$BUILD/warmup" --config="$BATS_TEST_TMPDIR/uniform_e.yaml" --in="$one/greedy.h5" --quiet \
        --data="$BATS_FILE_TMPDIR/data/tiny.h5" --out="$BATS_TEST_TMPDIR/uniform_e.h5"
    scored=$(number "$one/greedy.h5" counters/evaluation)
    [ "$(number "$BATS_TEST_TMPDIR/uniform_e.h5" counters/step)" = $(((960 + scored / 4) / 32)) ]
    h5dump -d budget/source "$BATS_TEST_TMPDIR/uniform_e.h5" | grep -q '"equal_cost.ratio"'
}

@test "random search judges as many paths as the evolution" {
    [ "$(h5dump -H -d evaluated/accuracy "$one/random.h5" | sed -n 's/.*( \([0-9]*\) ) .*/\1/p')" = 40 ]
    run tiny_make random RUN=one SET="$short"
    [[ $output == *"FLOPs"* ]]
}

@test "snapshots are the weights that a shorter run has at that step, at any kill" {
    mkdir "$BATS_TEST_TMPDIR/run"
    for _ in 1 2 3; do
        replace=exec program warmup uniform "$BATS_TEST_TMPDIR/run" &
        pid=$!
        sleep 0.3
        kill -9 $pid 2>/dev/null || true
        wait $pid || true
    done
    program warmup uniform "$BATS_TEST_TMPDIR/run"
    [ "$(digest "$BATS_TEST_TMPDIR/run/uniform.h5")" = "$(digest "$one/uniform.h5")" ]
    [ "$(h5dump -y -d snapshots/step "$one/uniform.h5" | grep -c '10, 20')" = 1 ]
    # Warm-up ends at a step of a schedule that goes on: of uniform's, if that is as long.
    for step in 10 20; do
        tiny_make warmup RUN="first$step" THREADS=1 \
            SET="${short/supernet.steps=30 warmup.steps=10/supernet.steps=24 warmup.steps=$step}"
    done
    python3=/usr/bin/python3
    "$python3" -c 'import h5py' || skip "no h5py"
    "$python3" - "$one/uniform.h5" "$results"/first{10,20}/warmup.h5 <<'END'
import sys, h5py, numpy
def arrays(group):
    found = {}
    group.visititems(lambda n, x: found.update({n: x[()]}) if isinstance(x, h5py.Dataset) else None)
    return found
whole = h5py.File(sys.argv[1])
for step, shorter in zip((10, 20), sys.argv[2:]):
    for group in "weights", "statistics":
        snapshot, expected = (arrays(f[group]) for f in (whole["snapshots/%08d" % step], h5py.File(shorter)))
        assert snapshot and snapshot.keys() == expected.keys()
        for name in expected:
            assert numpy.array_equal(snapshot[name], expected[name]), (step, group, name)
END
}

@test "1 and 2 threads train fairly to the same bits" {
    "$BUILD/warmup" --config="$one/fairnas.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        --out="$BATS_TEST_TMPDIR/fairnas.h5" --threads=2 --quiet
    [ "$(digest "$BATS_TEST_TMPDIR/fairnas.h5")" = "$(digest "$one/fairnas.h5")" ]
}

@test "a stage says what it cannot be made from" {
    run program warmup uniform "$BATS_TEST_TMPDIR" "$one/greedy.h5"
    [ "$status" = 2 ]
    [[ $output == *"--in is given 1 times, expected none: this stage starts from nothing"* ]]
    run program warmup uniform_e "$BATS_TEST_TMPDIR"
    [ "$status" = 2 ]
    [[ $output == *"--in is given 0 times, expected once: greedy.h5, whose cost is the budget"* ]]
    run program search uniform "$BATS_TEST_TMPDIR" "$one/greedy.h5"
    [ "$status" = 2 ]
    [[ $output == *"has the settings of stage 'uniform', which is made by warmup, expected"* ]]
    run program search search "$BATS_TEST_TMPDIR" "$one/uniform.h5"
    [ "$status" = 1 ]
    [[ $output == *"'$one/uniform.h5' has no candidate pool, expected one: "* ]]
    run program greedy greedy "$BATS_TEST_TMPDIR" "$one/uniform.h5"
    [ "$status" = 2 ]
    [[ $output == *"'$one/uniform.h5' was made with other settings than those of '$one/greedy.yaml' (it has 'stage: uniform', now 'stage: warmup')"* ]]
}

@test "a cost ratio that cannot be told is told with the counts that it would be of" {
    python3=/usr/bin/python3
    "$python3" -c 'import h5py' || skip "no h5py"
    cp "$one/greedy.h5" "$BATS_TEST_TMPDIR/greedy.h5"
    "$python3" -c 'import sys, h5py; h5py.File(sys.argv[1], "r+")["measured/score_seconds"][()] = 0' \
        "$BATS_TEST_TMPDIR/greedy.h5"
    run program warmup uniform_e "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/greedy.h5"
    echo "$output"
    [ "$status" = 1 ]
    # 20 steps of 32 images; the 10 of warm-up are no part of greedy's times.
    [[ $output == *" s for 640 images trained, 0 s for "*" scored); set equal_cost.ratio"* ]]
}

@test "greedy refuses a warm-up of another schedule, and a constraint is checked first" {
    sed 's/^  learning_rate: 0.05$/  learning_rate: 0.06/' "$one/greedy.yaml" >"$BATS_TEST_TMPDIR/greedy.yaml"
    run "$BUILD/greedy" --config="$BATS_TEST_TMPDIR/greedy.yaml" --in="$one/warmup.h5" --quiet \
        --data="$BATS_FILE_TMPDIR/data/tiny.h5" --out="$BATS_TEST_TMPDIR/greedy.h5"
    [ "$status" = 2 ]
    [[ $output == *"(it has '  learning_rate: 0.05', now '  learning_rate: 0.06'), expected the same"* ]]
    for stage in warmup fairnas; do
        sed '/^sampling:/,/flops/s/flops: 0/flops: 10/' "$one/$stage.yaml" >"$BATS_TEST_TMPDIR/$stage.yaml"
        run "$BUILD/warmup" --config="$BATS_TEST_TMPDIR/$stage.yaml" --quiet \
            --data="$BATS_FILE_TMPDIR/data/tiny.h5" --out="$BATS_TEST_TMPDIR/$stage.h5"
        [ "$status" = 2 ]
        [[ $output == *"$stage.yaml: sampling.constraint: no path has at most 10 FLOPs"* ]]
    done
    sed '/^sampling:/,/flops/s/flops: 0/flops: 100000/' "$one/fairnas.yaml" >"$BATS_TEST_TMPDIR/fairnas.yaml"
    run "$BUILD/warmup" --config="$BATS_TEST_TMPDIR/fairnas.yaml" --quiet \
        --data="$BATS_FILE_TMPDIR/data/tiny.h5" --out="$BATS_TEST_TMPDIR/fairnas.h5"
    [ "$status" = 2 ]
    [[ $output == *"sampling.constraint is set, expected none: fairnas trains every choice"* ]]
}
