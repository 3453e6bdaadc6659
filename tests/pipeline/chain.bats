# The chain end to end, and what make repeats of it when something changes.
load tiny

setup_file() {
    tiny_images
    tiny_make search RUN=one THREADS=1 >"$BATS_FILE_TMPDIR/one.out" 2>"$BATS_FILE_TMPDIR/one.err"
    tiny_make search RUN=two THREADS=2 >/dev/null 2>&1
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
}

@test "one command makes every artifact, tells the result and where the files are" {
    [ -s "$BATS_FILE_TMPDIR/data/tiny.h5" ]
    for stage in warmup greedy search; do
        [ -s "$results/one/$stage.h5" ]
        [ ! -e "$results/one/$stage.ckpt.h5" ]
        grep -q "$results/one/$stage.h5" "$BATS_FILE_TMPDIR/one.out"
    done
    "$BUILD"/search --show="$results/one/search.h5" >"$BATS_TEST_TMPDIR/report"
    [ -s "$BATS_TEST_TMPDIR/report" ]
    head -n "$(wc -l <"$BATS_TEST_TMPDIR/report")" "$BATS_FILE_TMPDIR/one.out" |
        cmp - "$BATS_TEST_TMPDIR/report"
}

@test "1 and 2 threads leave the same bits" {
    same_artifacts one two
}

@test "typed again it repeats nothing, and tells the result again" {
    before=$(made_when one)
    tiny_make search RUN=one >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
    [ "$(made_when one)" = "$before" ]
    cmp "$BATS_TEST_TMPDIR/out" "$BATS_FILE_TMPDIR/one.out"
    [ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "a dry run of a finished run has nothing to do" {
    run tiny_make -n search RUN=one
    [ "$status" = 0 ]
    [[ $output == *"search: nothing to be done, '$results/one/search.h5' is up to date"* ]]
    [[ $output != *slurm/local* ]]
}

@test "a dry run shows what a change of settings would repeat, why, and changes nothing" {
    copy_run one dry
    before=$(ls -lR --time-style=full-iso "$results/dry")
    run tiny_make -n search RUN=dry SET=greedy.pool_size=19
    [ "$status" = 0 ]
    [[ $output == *"greedy: greedy.pool_size 20 -> 19"* ]]
    [[ $output == *"slurm/local "*"because='newer: greedy.yaml' "*"/greedy "* ]]
    [[ $output == *"slurm/local "*"because='newer: greedy.h5' "*"/search "* ]]
    [[ $output != *"/warmup --config"* ]]
    [[ $output != *"/prepare --config"* ]]
    [ "$(ls -lR --time-style=full-iso "$results/dry")" = "$before" ]
}

@test "a dry run of a run that does not exist leaves nothing behind" {
    run tiny_make -n search RUN=none DATA_FOLDER="$BATS_TEST_TMPDIR/data"
    [ "$status" = 0 ]
    for stage in prepare warmup greedy search; do
        [[ $output == *"because='not made yet' -- $BUILD/$stage "* ]]
    done
    [ ! -e "$results/none" ]
    [ ! -e "$BATS_TEST_TMPDIR/data" ]
}

@test "an edit of the search's settings repeats the search and no training" {
    copy_run one edit
    training=$(made_when edit | grep -v search)
    tiny_make search RUN=edit SET=search.generations=3
    [ "$(made_when edit | grep -v search)" = "$training" ]
    [ "$(digest "$results/edit/search.h5")" != "$(digest "$results/one/search.h5")" ]
}

@test "settings that are changed and changed back repeat nothing" {
    copy_run one back
    before=$(made_when back)
    # Changed, and stopped before anything was made with them.
    sed -i 's/pool_size: 20/pool_size: 19/' "$results/back/greedy.yaml"
    run tiny_make search RUN=back
    [ "$status" = 0 ]
    [ "$(made_when back)" = "$before" ]
}

@test "settings that were only touched, even into the future, repeat nothing" {
    copy_run one touched
    before=$(made_when touched)
    touch -d '+1 hour' "$results/touched"/{warmup,greedy,search}.yaml
    tiny_make search RUN=touched
    [ "$(made_when touched)" = "$before" ]
    run tiny_make status RUN=touched
    [[ $output == *"next: "*"(all complete"* ]]
}

# Its launcher was killed, so nobody noted the settings: what it was started with, and the
# artifact, are all there is.
@test "an artifact whose launcher was killed belongs to the settings it was made with" {
    copy_run one orphaned
    tiny_make search RUN=orphaned SET=search.generations=3
    mv "$results/orphaned/made/search.yaml" "$results/orphaned/search.started.yaml"
    touch -d '-1 minute' "$results/orphaned/search.started.yaml"
    cp -p "$results/one/made/search.yaml" "$results/orphaned/made/"
    before=$(made_when orphaned)
    tiny_make search RUN=orphaned SET=search.generations=3
    [ "$(made_when orphaned)" = "$before" ]
    mv "$results/orphaned/made/search.yaml" "$results/orphaned/search.started.yaml"
    cp -p "$results/one/made/search.yaml" "$results/orphaned/made/"
    tiny_make search RUN=orphaned
    same_artifacts one orphaned
}

@test "how often a checkpoint is written changes no result and repeats nothing" {
    copy_run one often
    before=$(made_when often)
    tiny_make search RUN=often SET=checkpoint.steps=2
    [ "$(made_when often)" = "$before" ]
    grep -q '^  steps: 2$' "$results/often/greedy.yaml"
}

@test "a program that is built anew repeats no training" {
    copy_run one built
    before=$(made_when built)
    cp -a "$(dirname "$BUILD")" "$BATS_TEST_TMPDIR/build"
    touch "$BATS_TEST_TMPDIR/build/$(basename "$BUILD")"/{prepare,warmup,greedy,search}
    run tiny_make search RUN=built BUILD_ROOT="$BATS_TEST_TMPDIR/build"
    [ "$status" = 0 ]
    [ "$(made_when built)" = "$before" ]
}

@test "an artifact that was removed is made again, with the same bits" {
    copy_run one removed
    rm "$results/removed/search.h5"
    tiny_make search RUN=removed
    same_artifacts one removed
}

@test "wrong settings are listed, all of them, and nothing is started" {
    run tiny_make search RUN=wrong SET='greedy.epslion=1 search.population=none'
    [ "$status" = 2 ]
    [[ $output == *"epslion"* ]]
    [[ $output == *"search.population"* ]]
    [ ! -e "$results/wrong" ]
}

@test "a config that does not exist is named, with the places looked at" {
    run tiny_make search CONFIG=nonesuch.yaml RUN=wrong
    [ "$status" = 2 ]
    [[ $output == *"search: there is no config 'nonesuch.yaml', and no 'configs/nonesuch.yaml'"* ]]
}

@test "a run's name that is no folder name is refused" {
    run tiny_make search RUN=../x
    [ "$status" = 2 ]
    [[ $output == *"RUN is '../x', expected"* ]]
}

@test "folders that make would take for several, and threads that are no number, are refused" {
    run tiny_make search RUN=wrong RESULTS="$BATS_TEST_TMPDIR/two words"
    [ "$status" = 2 ]
    [[ $output == *"search: RESULTS is '$BATS_TEST_TMPDIR/two words', expected "* ]]
    run tiny_make search RUN=wrong DATA_FOLDER='a:b'
    [ "$status" = 2 ]
    [[ $output == *"search: DATA_FOLDER is 'a:b', expected "* ]]
    run tiny_make search RUN=wrong THREADS=many
    [ "$status" = 2 ]
    [[ $output == *"search: THREADS is 'many', expected "* ]]
    [ ! -e "$results/wrong" ]
}

@test "values are taken as they were typed: blanks, quotes and dollars" {
    file="$BATS_TEST_TMPDIR/it's \$HOME \"now\".yaml"
    cp tests/pipeline/tiny.yaml "$file"
    tiny_make warmup CONFIG="$file" RUN=odd
    [ "$(awk -f slurm/yaml.awk -f slurm/value.awk -v key=config "$results/odd/run.yaml")" = "$file" ]
    run tiny_make status RUN=odd
    [[ $output == *"run odd  (CONFIG=$file)"* ]]
    run tiny_make data RUN=odder SET="dataset.name=odder dataset.source='/no \$where'"
    [ "$status" = 2 ]
    [[ $output == *"there is no folder '/no \$where'"* ]]
}

@test "make -t leaves no empty artifacts" {
    cp -a "$(dirname "$BUILD")" "$BATS_TEST_TMPDIR/build"
    run tiny_make -t search RUN=dabbed BUILD_ROOT="$BATS_TEST_TMPDIR/build"
    [ "$status" = 2 ]
    [[ $output == *"search: make -t cannot make artifacts, expected 'make search' without it"* ]]
    [ ! -e "$results/dabbed" ]
}

@test "two goals of a run are made one after the other, whatever -j says" {
    tiny_make -j4 warmup greedy RUN=both
    [ -s "$results/both/greedy.h5" ]
}

@test "the environment's DATA and BUILD_ROOT are not make's" {
    run env DATA=data BUILD_ROOT="$BATS_TEST_TMPDIR" make -n clean data CONFIG=nonesuch
    [[ $output == *"rm -rf stages/build"* ]]
    [[ $output != *"$BATS_TEST_TMPDIR"* ]]
    [[ $output == *"data: there is no config 'nonesuch'"* ]]
}

@test "a run is not trained anew by another config's settings" {
    cp tests/pipeline/tiny.yaml "$BATS_TEST_TMPDIR/other.yaml"
    run tiny_make search CONFIG="$BATS_TEST_TMPDIR/other.yaml" RUN=one
    [ "$status" = 2 ]
    [[ $output == *"run 'one' was made with CONFIG=tests/pipeline/tiny.yaml"* ]]
}

@test "images that were prepared with other settings are not replaced under other runs" {
    before=$(digest "$BATS_FILE_TMPDIR/data/tiny.h5")
    run tiny_make search RUN=other SET=dataset.validation_per_class=10
    [ "$status" = 2 ]
    [[ $output == *"prepared with other settings: dataset.validation_per_class 20 -> 10"* ]]
    [ "$(digest "$BATS_FILE_TMPDIR/data/tiny.h5")" = "$before" ]
    run tiny_make data RUN=other SET='dataset.validation_per_class=10 dataset.name=tiny-10'
    [ "$status" = 0 ]
    [ -s "$BATS_FILE_TMPDIR/data/tiny-10.h5" ]
}

@test "make alone lists every target that has a recipe for people" {
    run make
    [ "$status" = 0 ]
    for target in help setup build data warmup greedy search retrain evaluate status logs graph tables report test bench \
        format clean clean-run; do
        [[ $output == *"make $target "* ]]
    done
}

@test "the picture of a run has every artifact and its state" {
    command -v dot || skip "no graphviz"
    tiny_make graph RUN=one
    for name in tiny warmup greedy search; do
        grep -q ">$name.h5<" "$results/one/graph.svg"
    done
    [ "$(grep -c '>complete<' "$results/one/graph.svg")" = 4 ]
    head -c 4 "$results/one/graph.png" | grep -q PNG
    run tiny_make graph RUN=typo
    [ "$status" = 2 ]
    [[ $output == *"there is no run 'typo' in '$results'"* ]]
    [ ! -e "$results/typo" ]
}

@test "clean-run removes the run that is named, and no other" {
    copy_run one removable
    run tiny_make clean-run
    [ "$status" = 2 ]
    tiny_make clean-run RUN=removable
    [ ! -e "$results/removable" ]
    [ -e "$results/one/search.h5" ]
    mkdir "$results/letters"
    run tiny_make clean-run RUN=letters
    [ "$status" = 2 ]
    [[ $output == *"'$results/letters' is no run"* ]]
    [ -d "$results/letters" ]
}

@test "every group and array of an artifact says what it is, and so does the file" {
    python3=/usr/bin/python3
    "$python3" -c 'import h5py' || skip "no h5py"
    run "$python3" - "$BATS_FILE_TMPDIR/data/tiny.h5" "$results"/one/{warmup,greedy,search}.h5 <<'END'
import sys
import h5py

def check(name, thing):
    array = isinstance(thing, h5py.Dataset)
    # Layers and blocks inside weights, statistics and momentum go by their names.
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

@test "an artifact that is damaged is named, and what to do about it" {
    copy_run one empty
    : >"$results/empty/search.h5"
    run tiny_make search RUN=empty
    [ "$status" = 2 ]
    [[ $output == *"search: '$results/empty/search.h5' is empty, expected an HDF5 file"* ]]
    [[ $output == *"search: if it is damaged, remove it to have it made again"* ]]
    rm "$results/empty/search.h5"
    tiny_make search RUN=empty
    same_artifacts one empty
}

@test "the README's script reads the weights of the found architecture" {
    python3=/usr/bin/python3
    "$python3" -c 'import h5py' || skip "no h5py"
    sed -n '/^```python$/,/^```$/p' README.md | grep -v '^```' |
        sed "s,results/quickstart/,$results/one/," >"$BATS_TEST_TMPDIR/weights.py"
    [ "$(grep -c "$results/one/" "$BATS_TEST_TMPDIR/weights.py")" = 2 ]
    run "$python3" "$BATS_TEST_TMPDIR/weights.py"
    echo "$output"
    [ "$status" = 0 ]
    # A block of the tiny space: expansion 3 of 8 channels, and a square kernel.
    [[ $output == *"weights/layer"*" depthwise weight ("[35]", "[35]", "* ]]
}
