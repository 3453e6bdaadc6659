# Networks trained from scratch and judged: what make repeats of it, and the same bits
# whatever happened on the way. The recipe has all there is: RMSProp, steps, a moving
# average, dropout.
load tiny

setup_file() {
    export ASAN_OPTIONS=detect_leaks=0 # leaks at the end are not what is tested here
    tiny_images
    tiny_make evaluate RUN=one THREADS=1 >"$BATS_FILE_TMPDIR/one.out" 2>"$BATS_FILE_TMPDIR/one.err"
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
}
teardown() {
    # Only what this test started, and only if it is running still.
    [ -z "${stage_pid:-}" ] || kill -9 "$stage_pid" 2>/dev/null || true
}

made_of() { (cd "$results/$1" && find . -name '*.h5' -exec stat -c '%n %y' {} + | sort); }

@test "make evaluate trains, judges and lists each of retrain.networks" {
    for name in found random largest; do
        [ -s "$results/one/retrain/$name.h5" ]
        [ -s "$results/one/evaluate/$name.h5" ]
        grep -q "^$name  *[0-9.]* %" "$BATS_FILE_TMPDIR/one.out"
    done
    run tiny_make status RUN=one
    [ "$(grep -c -e 'retrain/.* complete' -e 'evaluate/.* complete' <<<"$output")" = 6 ]
    [[ $output == *"(all complete"* ]]
}

@test "typed again it repeats nothing, and lists them again" {
    before=$(made_of one)
    run tiny_make -n evaluate RUN=one
    [[ $output == *"evaluate: nothing to be done, everything is up to date"* ]]
    tiny_make evaluate RUN=one >"$BATS_TEST_TMPDIR/out"
    [ "$(made_of one)" = "$before" ]
    cmp "$BATS_TEST_TMPDIR/out" "$BATS_FILE_TMPDIR/one.out"
}

@test "1 and 2 threads leave the same bits, and the largest network waits for no search" {
    tiny_make evaluate RUN=two THREADS=2 NET=largest
    for stage in retrain evaluate; do
        [ "$(digest "$results/two/$stage/largest.h5")" = "$(digest "$results/one/$stage/largest.h5")" ]
    done
    [ ! -e "$results/two/warmup.h5" ]
    [ ! -e "$results/two/retrain/found.h5" ]
}

@test "an edit of the recipe repeats retraining, one of what is judged the judging alone" {
    copy_run one edit
    search=$(made_of edit | grep -v -e '/retrain/' -e '/evaluate/')
    before=$(made_of edit)
    tiny_make evaluate RUN=edit NET=largest SET=evaluate.weights=last
    [ "$(made_of edit | grep -v evaluate/largest)" = "$(grep -v evaluate/largest <<<"$before")" ]
    [ "$(made_of edit)" != "$before" ]
    before=$(made_of edit)
    tiny_make evaluate RUN=edit NET=largest SET='evaluate.weights=last retrain.ema=0.5'
    [ "$(made_of edit | grep -c -F -v "$before")" = 2 ]
    [ "$(made_of edit | grep -v -e '/retrain/' -e '/evaluate/')" = "$search" ]
}

@test "networks of one's own, published ones, and what is none" {
    copy_run one own
    tiny_make retrain RUN=own NET='mine=k3e3 id k5e3s id' SET=retrain.epochs=1
    h5dump -d network/architecture "$results/own/retrain/mine.h5" | grep -q '"k3e3 id k5e3s id"'
    # Of another space: its own is in the settings, image and classes are the run's.
    run tiny_make -n retrain RUN=own NET=mobilenetv2
    [[ $output == *"/retrain --config=$results/own/retrain/mobilenetv2.yaml "* ]]
    "$BUILD/config" --config=tests/pipeline/tiny.yaml --stage=retrain/mobilenetv2 \
        >"$BATS_TEST_TMPDIR/mobilenetv2.yaml"
    grep -q 'channels: 160, repeat: 3' "$BATS_TEST_TMPDIR/mobilenetv2.yaml"
    grep -q 'input: \[8, 8, 1\]' "$BATS_TEST_TMPDIR/mobilenetv2.yaml"
    run tiny_make retrain RUN=own NET=wibble
    [ "$status" = 2 ]
    [[ $output == *"retrain.networks: 'wibble' is no network: there is no search of that name, and no 'configs/zoo/wibble.yaml'"* ]]
    run tiny_make retrain RUN=own NET='mine=k3e3 id'
    [ "$status" = 2 ]
    [[ $output == *"retrain.networks: 'mine': 2 ops, but this space has 4 layers"* ]]
    # What a run was asked for it goes on to tell of.
    run tiny_make status RUN=own
    [[ $output == *"retrain/mine "* && $output == *"retrain/found "* ]]
}

# stage NAME FOLDER: becomes the stage's program, with the settings and inputs of that run.
stage() {
    local in=(--in="$results/one/search.h5")
    [ "$1" != evaluate ] || in=(--in="$results/one/retrain/found.h5")
    exec "$BUILD/$1" --config="$results/one/$1/found.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        "${in[@]}" --out="$2/found.h5" --quiet
}

@test "retraining killed at random moments ends with the same bits" {
    local folder=$BATS_TEST_TMPDIR/run killed=0 seed=$RANDOM
    echo "RANDOM=$seed"
    RANDOM=$seed
    mkdir "$folder"
    for _ in $(seq "${KILLS:-4}"); do
        delay=$(awk -v whole="$(recorded one/retrain/found elapsed_seconds)" -v draw=$RANDOM \
            'BEGIN { printf "%.3f", (whole + 0.2) * draw / 32767 }')
        stage retrain "$folder" &
        stage_pid=$!
        sleep "$delay"
        kill -9 $stage_pid 2>/dev/null || true
        code=0
        wait $stage_pid || code=$?
        if [ $code = 0 ]; then
            rm "$folder/found.h5" # it was quicker; from the start again
        else
            [ $code = 137 ]
            killed=$((killed + 1))
        fi
    done
    [ $killed -gt 0 ]
    (stage retrain "$folder")
    [ "$(digest "$folder/found.h5")" = "$(digest "$results/one/retrain/found.h5")" ]
    [ "$(cd "$folder" && echo *)" = "found.h5 found.status.yaml" ]
}

@test "told to stop they exit 75, and go on to the same bits" {
    for name in retrain evaluate; do
        local folder=$BATS_TEST_TMPDIR/$name
        mkdir "$folder"
        for _ in {1..20}; do
            rm -f "$folder"/found.*
            stage "$name" "$folder" &
            stage_pid=$!
            wait_for [ -e "$folder/found.status.yaml" ]
            code=0
            kill -s TERM $stage_pid || true
            wait $stage_pid || code=$?
            [ $code = 0 ] || break # it was quicker than the signal; once more
        done
        [ $code = 75 ]
        [ -e "$folder/found.ckpt.h5" ]
        (stage "$name" "$folder")
        [ "$(digest "$folder/found.h5")" = "$(digest "$results/one/$name/found.h5")" ]
    done
}

@test "every group and array of these artifacts says what it is" {
    python3=/usr/bin/python3
    "$python3" -c 'import h5py' || skip "no h5py"
    run "$python3" - "$results"/one/{retrain,evaluate}/found.h5 <<'END'
import sys
import h5py

def check(name, thing):
    array = isinstance(thing, h5py.Dataset)
    # Layers and blocks inside weights and statistics go by their names.
    if array or "/" not in name:
        for wanted in ["description", "units"] if array else ["description"]:
            if not thing.attrs.get(wanted, b""):
                print(thing.file.filename, name, "has no", wanted)

for path in sys.argv[1:]:
    with h5py.File(path) as file:
        check("", file)
        file.visititems(check)
END
    echo "$output"
    [ "$status" = 0 ] && [ -z "$output" ]
}
