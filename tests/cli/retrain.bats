# retrain and evaluate by themselves: which network, what is left, and what is refused.

setup_file() {
    # What ends with an error leaves its memory to the system.
    export ASAN_OPTIONS=detect_leaks=0
    cd "$BATS_TEST_DIRNAME/../.."
    local folder=$BATS_FILE_TMPDIR
    mkdir "$folder/images"
    perl tests/pipeline/images.pl "$folder/images" 8
    settings prepare >"$folder/prepare.yaml"
    "$BUILD/prepare" --config="$folder/prepare.yaml" --out="$folder/data.h5" --quiet
    retrain trained retrain.network=largest
    evaluate trained
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
}

# settings STAGE NAME=VALUE...: its effective settings.
settings() {
    local stage=$1
    shift
    "$BUILD/config" --config=tests/pipeline/tiny.yaml --stage="$stage" \
        --set="dataset.name=eight dataset.source=$BATS_FILE_TMPDIR/images space.classes=8 \
            retrain.images=train retrain.epochs=2 retrain.batch=30 retrain.ema=0.9 \
            evaluate.repetitions=3 $*"
}

# retrain NAME SETTINGS... [-- OPTIONS...], evaluate NAME: in the tests' folder.
retrain() {
    local name=$1 options=()
    shift
    local set=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        set+=("$1")
        shift
    done
    [ $# = 0 ] || shift
    settings retrain "${set[@]}" >"$BATS_FILE_TMPDIR/$name.yaml"
    "$BUILD/retrain" --config="$BATS_FILE_TMPDIR/$name.yaml" --data="$BATS_FILE_TMPDIR/data.h5" \
        --out="$BATS_FILE_TMPDIR/$name.h5" --quiet "$@"
}
evaluate() {
    local name=$1
    shift
    settings evaluate "$@" >"$BATS_FILE_TMPDIR/$name.evaluate.yaml"
    "$BUILD/evaluate" --config="$BATS_FILE_TMPDIR/$name.evaluate.yaml" \
        --data="$BATS_FILE_TMPDIR/data.h5" --in="$BATS_FILE_TMPDIR/$name.h5" \
        --out="$BATS_FILE_TMPDIR/$name.evaluate.h5" --quiet
}
text() { # text FILE ARRAY
    h5dump -d "$2" -y "$BATS_FILE_TMPDIR/$1.h5" | sed -n 's/^ *"\(.*\)"$/\1/p' | head -n 1
}

@test "top-1, top-5, loss and confusion are those counted from PyTorch's logits" {
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import torch, h5py' 2>/dev/null || skip "$python has no torch or no h5py"
    "$python" tests/cli/evaluate_torch.py "$BATS_FILE_TMPDIR"/{trained,data,trained.evaluate}.h5
}

@test "the table has a row for each network, and no images but the test's are counted" {
    run "$BUILD/evaluate" --show="$BATS_FILE_TMPDIR/trained.evaluate.h5" \
        --show="$BATS_FILE_TMPDIR/trained.evaluate.h5"
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 3 ]
    [[ ${lines[0]} == *top-1*top-5*MFLOPs*ms/image* ]]
    [[ ${lines[1]} == trained.evaluate*%*%* ]]
    h5dump -d images "$BATS_FILE_TMPDIR/trained.evaluate.h5" | grep -q '(0): 80$'
}

@test "tokens, largest and smallest name the network" {
    retrain tokens retrain.epochs=1 'retrain.network="k3e3 id k5e3s id"'
    [ "$(text tokens network/architecture)" = "k3e3 id k5e3s id" ]
    # Most multiply-adds: the larger kernel, with squeeze-and-excitation.
    [ "$(text trained network/architecture)" = "k5e3s k5e3s k5e3s k5e3s" ]
    retrain small retrain.epochs=1 retrain.network=smallest
    [ "$(text small network/architecture)" = "id id id id" ]
    # Only the path's own weights are there.
    h5dump -n "$BATS_FILE_TMPDIR/tokens.h5" >"$BATS_TEST_TMPDIR/names"
    grep -q 'last/weights/layer02/k5e3s/project/weight' "$BATS_TEST_TMPDIR/names"
    run grep -c 'weights/layer02/k3e3' "$BATS_TEST_TMPDIR/names"
    [ "$output" = 0 ]
}

@test "a network of ShuffleNetV2's blocks is trained and judged" {
    shuffles=('space.choices=[shuffle3,xception,id]' space.head.bias=false
        'space.stages=[{channels: 12, repeat: 2, stride: 2}, {channels: 20, repeat: 2, stride: 2}]')
    retrain shuffles retrain.epochs=1 "${shuffles[@]}" \
        'retrain.network="shuffle3 xception xception shuffle3"'
    [ "$(text shuffles network/architecture)" = "shuffle3 xception xception shuffle3" ]
    evaluate shuffles "${shuffles[@]}"
    run "$BUILD/evaluate" --show="$BATS_FILE_TMPDIR/shuffles.evaluate.h5"
    [[ ${lines[1]} == shuffles.evaluate*%*%* ]]
    h5dump -n "$BATS_FILE_TMPDIR/shuffles.h5" >"$BATS_TEST_TMPDIR/names"
    grep -q 'last/weights/layer02/xception/side_project/gamma' "$BATS_TEST_TMPDIR/names"
    run grep -c 'classifier/bias' "$BATS_TEST_TMPDIR/names"
    [ "$output" = 0 ]
}

@test "a network that is none of the space is explained, and nothing started" {
    run retrain none 'retrain.network="k3e3 id k7e6 id"'
    [ "$status" = 2 ]
    [[ $output == *"none.yaml: retrain.network is 'k3e3 id k7e6 id', expected found, largest, smallest or a token for each layer: "*k7e6* ]]
    run retrain none 'retrain.network=greedynas'
    [ "$status" = 2 ]
    run retrain none 'retrain.network="id id id"'
    [ "$status" = 2 ]
    [ ! -e "$BATS_FILE_TMPDIR/none.h5" ]
}

@test "found is what one finished search has found" {
    run retrain none retrain.network=found
    [ "$status" = 2 ]
    [[ $output == *"retrain.network is 'found': found 0 '--in', expected one, a finished search"* ]]
    run retrain none retrain.network=found -- --in="$BATS_FILE_TMPDIR/trained.h5"
    [ "$status" = 1 ]
    [[ $output == *"trained.h5' has no 'found/path', expected a finished search"* ]]
    run retrain none retrain.network=found -- --in="$BATS_TEST_TMPDIR/nothing.h5"
    [ "$status" = 1 ]
    [[ $output == *"nothing.h5' does not exist"* ]]
}

@test "a rate that is too high names itself" {
    run retrain wild retrain.network=largest retrain.optimizer=sgd retrain.learning_rate=900 \
        retrain.learning_rate_batch=1 retrain.momentum=0.99 retrain.epochs=20
    [ "$status" = 1 ]
    [[ $output == *"expected a finite number"*"lower 'retrain.learning_rate' or raise 'retrain.lr_ramp'"* ]]
}

@test "a batch larger than the images is refused" {
    run retrain wide retrain.network=largest retrain.batch=1000
    [ "$status" = 2 ]
    [[ $output == *"retrain.batch is 1000, but there are 480 images to train on"* ]]
    # 20 of each of the 8 classes were put aside.
    run retrain wide retrain.network=largest retrain.batch=1000 retrain.images=train+validation
    [[ $output == *"retrain.batch is 1000, but there are 640 images to train on"* ]]
}

@test "a network of another space is not evaluated" {
    run evaluate trained space.choices='[k3e3, k5e3, k5e3s, id]'
    [ "$status" = 1 ]
    [[ $output == *"trained.h5': its space has 5 choices a layer, expected 4"* ]]
    run "$BUILD/evaluate" --config="$BATS_FILE_TMPDIR/trained.evaluate.yaml" \
        --data="$BATS_FILE_TMPDIR/data.h5" --in="$BATS_FILE_TMPDIR/data.h5" \
        --out="$BATS_TEST_TMPDIR/x.h5" --quiet
    [ "$status" = 1 ]
    [[ $output == *"data.h5'"*"prepare"*"retrain"* ]]
}

@test "weights that are no numbers are found before anything is judged" {
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import h5py' 2>/dev/null || skip "$python has no h5py"
    cp "$BATS_FILE_TMPDIR/trained.h5" "$BATS_FILE_TMPDIR/broken.h5"
    "$python" -c '
import h5py, sys
with h5py.File(sys.argv[1], "r+") as file:
    file["best/weights/shared/classifier/bias"][0] = float("nan")' "$BATS_FILE_TMPDIR/broken.h5"
    run evaluate broken
    [ "$status" = 1 ]
    [[ $output == *"broken.h5': its best weights have loss "*nan*" on the first training images, expected"* ]]
    [ ! -e "$BATS_FILE_TMPDIR/broken.evaluate.h5" ]
}

@test "evaluate takes one network at a time" {
    run "$BUILD/evaluate" --config=x --data=y --in=a --in=b --out=z
    [ "$status" = 2 ]
    [[ $output == *"--in=FILE.h5 is given 2 times, expected 1"* ]]
}
