# estimate: the plan's arithmetic worked out by hand, and what it says when it cannot be.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    BUILD=${BUILD:-stages/build/release}
    # 16 paths: stem 3 x 3 of 1 -> 8 channels on 8 x 8 pixels, four blocks 8 -> 24 -> 8, the
    # first with stride 2, a head 8 -> 16, 4 classes.
    cat >"$BATS_TEST_TMPDIR/small.yaml" <<'END'
seed: 7
dataset: {name: none, format: idx, source: /nowhere, validation_per_class: 20}
space:
  input: [8, 8, 1]
  classes: 4
  activation: relu
  stem: {channels: 8, kernel: 3, stride: 1}
  stages: [{channels: 8, repeat: 4, stride: 2}]
  choices: [k3e3, k5e3]
  head: {channels: 16}
supernet: {batch: 32, steps: 60}
warmup: {steps: 20}
greedy: {sampled_paths: 6, kept_paths: 3, surrogate_images: 40, pool_size: 10}
search: {population: 10, generations: 4, bn: recalibrate, recalibrate_images: 200, batch: 40}
END
    config=$BATS_TEST_TMPDIR/small.yaml
    # Expansion, projection and ends; then the depthwise convolutions, which differ.
    same=$((64 * 9 * 8 + (64 + 3 * 16) * 8 * 24 + 4 * 16 * 24 * 8 + 16 * 8 * 16 + 16 * 4))
    least=$((same + 4 * 16 * 24 * 9))
    most=$((same + 4 * 16 * 24 * 25))
    flops=$(((least + most) / 2))
}

# A stage's line of the table. A figure with a unit is two words.
line() { grep "^  $1 " <<<"$output" | tr -s ' '; }
# As the table prints it.
in_units() {
    awk -v value="$1" 'BEGIN {
        split("k M G T P", unit, " ")
        for (; value >= 999.5; value /= 1000)
            i++
        printf "%.3g%s\n", value, i ? " " unit[i] : ""
    }'
}

@test "images and multiply-adds of each stage are those worked out by hand" {
    run "$BUILD/estimate" --config="$config" --threads=1
    echo "$output"
    [ "$status" = 0 ]
    # 20 steps of 32 images, three passes each.
    [[ $(line warmup) == " warmup 640 0 $(in_units $((3 * 640 * flops))) "* ]]
    # 40 steps are 14 rounds of 3, in each of which 6 paths are scored on 40 images.
    scored=$((14 * 6 * 40))
    [[ $(line greedy) == " greedy $(in_units 1280) $(in_units $scored) $(in_units $(((3 * 1280 + scored) * flops))) "* ]]
    # 40 paths, each on 80 validation images after 200 for its statistics.
    scored=$((40 * (80 + 200)))
    [[ $(line search) == " search 0 $(in_units $scored) $(in_units $((scored * flops))) "* ]]
    [[ $(line uniform) == " uniform $(in_units 1920) 0 "* ]]
    [[ $output == *"search.constraints: 100 % of all paths are feasible (counted exactly)"* ]]
}

@test "greedy without its filter trains what it draws; without a pool it scores nothing" {
    run "$BUILD/estimate" --config="$config" --threads=1 --set='greedy.filter=false'
    [[ $(line greedy) == " greedy 1.28 k $(in_units $((7 * 6 * 40))) "* ]]
    run "$BUILD/estimate" --config="$config" --threads=1 \
        --set='greedy.filter=false greedy.sample_from_pool=false greedy.stop_by_turnover=false search.initialise_from_pool=false'
    [[ $(line greedy) == " greedy 1.28 k 0 "* ]]
}

# 640 images of warm-up, 1280 of greedy, and 3360 scored at four in the time of one: 2760,
# or 86 steps of 32; a fair step has two paths: 43 of 64. The last snapshot is at step 50.
@test "what is compared with has rows too: supernets, ablation, rank correlation" {
    run "$BUILD/estimate" --config="$config" --threads=1 --set='equal_cost.ratio=4 uniform.snapshot_steps=25' \
        --set='rankcorr.paths=100 rankcorr.images=[10] rankcorr.bn=recalibrate rankcorr.recalibrate_images=50'
    echo "$output"
    [ "$status" = 0 ]
    [[ $(line fairnas) == " fairnas $(in_units $((30 * 2 * 32))) 0 "* ]]
    [[ $(line uniform_e) == " uniform_e $(in_units $((86 * 32))) 0 "* ]]
    [[ $(line fairnas_e) == " fairnas_e $(in_units $((43 * 64))) 0 "* ]]
    # Without the filter all six are trained: seven rounds.
    [[ $(line ablation/net3/greedy) == " ablation/net3/greedy $(in_units 1280) $(in_units $((7 * 6 * 40))) "* ]]
    [[ $(line ablation/net5/search) == " ablation/net5/search 0 $(in_units $((40 * 280))) "* ]]
    # All 16 paths by five supernets: initial, greedy, uniform and its two snapshots.
    [[ $(line rankcorr) == " rankcorr 0 $(in_units $((16 * 5 * (80 + 50)))) "* ]]
}

@test "the speed is measured once, and again when what it depends on has changed" {
    speed=$BATS_TEST_TMPDIR/speed.yaml
    run "$BUILD/estimate" --config="$config" --threads=1 --speed="$speed"
    [[ $output == *"measured now, 1 threads"* ]]
    cp "$speed" "$BATS_TEST_TMPDIR/before"
    run "$BUILD/estimate" --config="$config" --threads=1 --speed="$speed" \
        --set='supernet.steps=6000 search.generations=7'
    [[ $output == *"measured earlier, 1 threads"* ]]
    cmp "$speed" "$BATS_TEST_TMPDIR/before"
    run "$BUILD/estimate" --config="$config" --threads=1 --speed="$speed" --set=supernet.batch=16
    [[ $output == *"measured now, 1 threads"* ]]
    echo nonsense >"$speed"
    run "$BUILD/estimate" --config="$config" --threads=1 --speed="$speed"
    [[ $output == *"measured now, 1 threads"* ]]
}

@test "core-hours are those of the speed that is on file" {
    speed=$BATS_TEST_TMPDIR/speed.yaml
    "$BUILD/estimate" --config="$config" --threads=1 --speed="$speed" >/dev/null
    # As if a thread did just what warm-up needs in an hour, and scoring took no time.
    sed -i "s/^training: .*/training: $((640 * flops / 3600))/; s/^scoring: .*/scoring: 1e30/" "$speed"
    run "$BUILD/estimate" --config="$config" --threads=1 --speed="$speed"
    [[ $(line warmup) == *" 1 1h 00m "* ]]
    [[ $(line greedy) == *" 2 2h 00m "* ]]
    # Warm-up, greedy and three of the ablation, four supernets of the whole budget.
    [[ $(line all) == *" 21 21h 00m "* ]]
}

@test "where no path is feasible it ends with 2, where it was set, and the space's range" {
    run "$BUILD/estimate" --config="$config" --set=search.constraints.flops=1000
    [ "$status" = 2 ]
    [[ $output == *"SET: search.constraints: no path has at most 1000 FLOPs: "*"$least to $most"* ]]
    run make --no-print-directory BUILD_ROOT="$(dirname "$BUILD")" VARIANT="$(basename "$BUILD")" \
        estimate CONFIG="$config" SET=search.constraints.flops=1000
    [ "$status" = 2 ]
    [[ $output == *"$least to $most"* ]]
}

@test "make estimate knows the images when they are imported: retraining, and memory" {
    mkdir "$BATS_TEST_TMPDIR/images"
    perl tests/pipeline/images.pl "$BATS_TEST_TMPDIR/images"
    made() {
        make --no-print-directory BUILD_ROOT="$(dirname "$BUILD")" VARIANT="$(basename "$BUILD")" \
            EXECUTOR=local "$@" CONFIG=tests/pipeline/tiny.yaml THREADS=1 \
            RESULTS="$BATS_TEST_TMPDIR/results" DATA_FOLDER="$BATS_TEST_TMPDIR/data" \
            SET="dataset.source=$BATS_TEST_TMPDIR/images retrain.epochs=5 retrain.images=train+validation"
    }
    run made estimate
    [[ $output != *$'\n'"  retrain "* ]]
    [[ $output == *"the images are not imported yet"* ]]
    made data
    run made estimate
    echo "$output"
    # All 640 images, those for validation too, or without these 20 of each class.
    [[ $(line retrain) == " retrain $(in_units $((5 * 640))) 0 "* ]]
    [[ $(line evaluate) == " evaluate 0 80 "* ]]
    [[ $output == *"retrain, evaluate: one network, "*"; all: 3 of them"* ]]
}
