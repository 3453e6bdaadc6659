# Killed, told to stop, and started again: the same bits as if nothing had happened.
load tiny

setup_file() {
    tiny_images
    tiny_make search RUN=calm >/dev/null 2>&1
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
}
teardown() {
    # Only what this test started, and only if it is running still.
    [ -z "${stage_pid:-}" ] || kill -9 "$stage_pid" 2>/dev/null || true
}

# stage NAME FOLDER: becomes the stage's program, with the calm run's settings and inputs.
stage() {
    local in=()
    [ "$1" != greedy ] || in=(--in="$results/calm/warmup.h5")
    [ "$1" != search ] || in=(--in="$results/calm/greedy.h5")
    exec "$BUILD/$1" --config="$results/calm/$1.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        "${in[@]}" --out="$2/$1.h5" --quiet
}

# Starts the stage, kills it at a moment drawn between its start and a little after its
# end, and again, KILLS times; then lets it finish.
KILLS=${KILLS:-4}
kill_and_finish() {
    local folder=$BATS_TEST_TMPDIR/run killed=0 seed=$RANDOM
    echo "RANDOM=$seed"
    RANDOM=$seed
    mkdir "$folder"
    for _ in $(seq "$KILLS"); do
        delay=$(awk -v whole="$(recorded "calm/$1" elapsed_seconds)" -v draw=$RANDOM \
            'BEGIN { printf "%.3f", (whole + 0.2) * draw / 32767 }')
        stage "$1" "$folder" &
        stage_pid=$!
        sleep "$delay"
        kill -9 $stage_pid 2>/dev/null || true
        code=0
        wait $stage_pid || code=$?
        if [ $code = 0 ]; then
            rm "$folder/$1.h5" # it was quicker; from the start again
        else
            [ $code = 137 ]
            killed=$((killed + 1))
        fi
    done
    echo "killed $killed times"
    [ $killed -gt 0 ]
    (stage "$1" "$folder")
    [ "$(digest "$folder/$1.h5")" = "$(digest "$results/calm/$1.h5")" ]
    # Neither checkpoints nor half-written files are left.
    [ "$(cd "$folder" && echo *)" = "$1.h5 $1.status.yaml" ]
}

@test "warmup killed at random moments ends with the same bits" {
    kill_and_finish warmup
}

@test "greedy killed at random moments ends with the same bits" {
    kill_and_finish greedy
}

@test "search killed at random moments ends with the same bits" {
    kill_and_finish search
}

# told_to_stop STAGE SIGNAL: in its first steps; exits 75 and goes on with the same bits.
told_to_stop() {
    local folder=$BATS_TEST_TMPDIR/$1.$2
    mkdir "$folder"
    stage "$1" "$folder" &
    stage_pid=$!
    # There is a record as soon as signals are listened to.
    wait_for [ -e "$folder/$1.status.yaml" ]
    kill -s "$2" $stage_pid
    code=0
    wait $stage_pid || code=$?
    echo "exit code $code"
    [ $code = 75 ]
    [ -s "$folder/$1.ckpt.h5" ]
    [ ! -e "$folder/$1.h5" ]
    grep -q '^state: "interrupted"' "$folder/$1.status.yaml"
    (stage "$1" "$folder")
    [ "$(digest "$folder/$1.h5")" = "$(digest "$results/calm/$1.h5")" ]
    [ ! -e "$folder/$1.ckpt.h5" ]
}

@test "told to stop, each stage exits 75 with a checkpoint; the same bits when it went on" {
    told_to_stop warmup TERM
    told_to_stop greedy TERM
    told_to_stop search TERM
    told_to_stop greedy USR1
}

@test "a signal to make reaches the stage; typed again, the chain goes on to the same bits" {
    replace=exec tiny_make search RUN=stopped >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    make_pid=$!
    wait_for [ -e "$results/stopped/greedy.status.yaml" ]
    stage_pid=$(recorded stopped/greedy pid)
    kill -TERM $make_pid
    code=0
    wait $make_pid || code=$?
    [ $code != 0 ]
    cat "$BATS_TEST_TMPDIR/out"
    [ "$(recorded stopped/greedy state)" = interrupted ]
    grep -q "^greedy: stopped, checkpoint kept (SIGTERM); log: $results/stopped/greedy.log$" \
        "$BATS_TEST_TMPDIR/out"
    grep -q "^greedy: to go on, type: make search .*RUN='stopped'" "$BATS_TEST_TMPDIR/out"
    tiny_make search RUN=stopped
    same_artifacts calm stopped
    [ "$(grep -c '^---' "$results/stopped/greedy.log")" = 2 ] # two attempts in one log
    grep -q 'goes on at' "$results/stopped/greedy.log"
}

@test "a stage that fails stops the chain: which, why, its log, and what to type" {
    copy_run calm spoilt
    rm "$results/spoilt/greedy.h5"
    printf spoilt | dd of="$results/spoilt/warmup.h5" bs=1 seek=3000 conv=notrunc 2>/dev/null
    touch -d '-1 hour' "$results/spoilt"/warmup.{yaml,h5} "$BATS_FILE_TMPDIR/data"/tiny.{yaml,h5}
    run tiny_make search RUN=spoilt
    [ "$status" = 2 ]
    [[ $output == *"greedy: failed: "*"warmup.h5"*"log: $results/spoilt/greedy.log"* ]]
    [[ $output == *"greedy: when that is mended, this goes on where it stopped: make search "* ]]
    run tiny_make status RUN=spoilt
    [[ $output == *"  greedy  failed "* ]]
}

# Without an end, until it is killed.
endless='supernet.steps=1000000 greedy.stop_by_turnover=false'
start_endless() { # start_endless RUN
    replace=exec tiny_make search RUN="$1" SET="$endless" \
        >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    make_pid=$!
    wait_for grep -qs '^done: [1-9]' "$results/$1/greedy.status.yaml"
    stage_pid=$(recorded "$1/greedy" pid)
}

@test "status: complete, running, missing; and dead when it was killed" {
    start_endless watched
    run tiny_make status RUN=watched
    [[ $output == *"  data    complete "* ]]
    [[ $output == *"  warmup  complete "* ]]
    [[ $output == *"  greedy  running "*"/1000000 "* ]]
    [[ $output == *"  search  missing "* ]]
    [[ $output == *"next: make logs RUN=watched STAGE=greedy RESULTS=$results"* ]]
    kill -9 "$stage_pid"
    wait $make_pid || true
    grep -q '^greedy: failed: ended by signal 9, ' "$BATS_TEST_TMPDIR/out"
    run tiny_make status RUN=watched
    [[ $output == *"  greedy  dead "* ]]
    # What was typed last time, settings and all: with others it would not go on.
    typed=$(sed -n 's/^next: //p' <<<"$output")
    [[ $typed == "make search CONFIG='tests/pipeline/tiny.yaml' "*"RUN='watched'"* ]]
    [[ $typed == *" SET='dataset.source=$BATS_FILE_TMPDIR/images "*"supernet.steps=1000000"* ]]
    run eval "$typed -n BUILD_ROOT=$(dirname "$BUILD") VARIANT=$(basename "$BUILD")"
    [[ $output == *"because='not made yet' -- $BUILD/greedy "* ]]
    [[ $output != *"/warmup --config"* ]]
}

@test "status: stale, and which setting differs, or what is newer" {
    copy_run calm stale
    sed -i 's/pool_size: 20/pool_size: 19/' "$results/stale/greedy.yaml"
    run tiny_make status RUN=stale
    [[ $output == *"  warmup  complete "* ]]
    [[ $output == *"  greedy  stale "*"settings changed: greedy.pool_size 20 -> 19"* ]]
    [[ $output == *"  search  stale "*"greedy.h5 is not complete"* ]]
    copy_run calm newer
    touch "$results/newer/warmup.h5"
    run tiny_make status RUN=newer
    [[ $output == *"  greedy  stale "*"warmup.h5 is newer"* ]]
}

@test "a second search of the same run is refused: it says who has it" {
    start_endless held
    run tiny_make search RUN=held SET="$endless"
    [ "$status" = 2 ]
    [[ $output == *"greedy: '$results/held/greedy.h5' is being made by process "* ]]
    run tiny_make search RUN=held SET="$endless greedy.pool_size=19"
    [ "$status" = 2 ]
    [[ $output == *"is running with other settings"* ]]
    # And nothing was replaced, not the settings of the stages before it either.
    grep -q '^  steps: 1000000$' "$results/held/warmup.yaml"
    run tiny_make clean-run RUN=held
    [ "$status" = 2 ]
    [ -e "$results/held/warmup.h5" ]
    kill -9 "$stage_pid"
    wait $make_pid || true
}

@test "a checkpoint of other settings is refused: why, and what to type, a line each" {
    start_endless other
    kill -TERM "$stage_pid"
    wait $make_pid || true
    run tiny_make search RUN=other SET='supernet.steps=1000000 greedy.pool_size=19'
    [ "$status" = 2 ]
    [[ $output == *"greedy: failed: '$results/other/greedy.ckpt.h5' was made with other settings "* ]]
    [[ $output == *$'\n'"greedy: remove '$results/other/greedy.ckpt.h5' and "*"; log: "* ]]
    [[ $output != *'\x0A'* ]]
    run tiny_make status RUN=other
    [[ $output == *$'\n'"          remove '$results/other/greedy.ckpt.h5' and "* ]]
    rm "$results/other"/greedy.ckpt*.h5
    run tiny_make -n search RUN=other SET='supernet.steps=1000000 greedy.pool_size=19'
    [[ $output == *"because='not made yet' -- $BUILD/greedy "* ]]
    [[ $output != *"/warmup --config"* ]]
}

@test "images that another run is importing are waited for, and imported once" {
    for name in first second; do
        tiny_make data RUN=$name DATA_FOLDER="$BATS_TEST_TMPDIR/data" &
    done
    wait
    # As when the other one finished between make's look and its recipe.
    slurm/local --run="$results/second" --because='newer: tiny.yaml' -- "$BUILD/prepare" \
        --config="$BATS_TEST_TMPDIR/data/tiny.yaml" --out="$BATS_TEST_TMPDIR/data/tiny.h5"
    [ "$(grep -c 'prepare: wrote' "$BATS_TEST_TMPDIR/data/tiny.log")" = 1 ]
    [ -s "$BATS_TEST_TMPDIR/data/tiny.h5" ]
}

@test "a stage whose launcher was killed holds its lock while it runs" {
    start_endless orphan
    launcher=$(awk '{ print $4 }' "/proc/$stage_pid/stat")
    kill -9 "$launcher"
    wait $make_pid || true
    run tiny_make status RUN=orphan
    [[ $output == *"  greedy  running "* ]]
    kill -9 "$stage_pid"
    wait_for flock -n "$results/orphan/greedy.lock" true
    run tiny_make status RUN=orphan
    [[ $output == *"  greedy  dead "* ]]
}
