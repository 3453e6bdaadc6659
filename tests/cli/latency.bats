# latency.bats - the program latency: a table measured here, and one from elsewhere.

setup() {
    programs=${BUILD:-stages/build/release}
    settings=$BATS_TEST_TMPDIR/latency.yaml
    out=$BATS_TEST_TMPDIR/latency.h5
    public=$BATS_TEST_TMPDIR/table.yaml
}

# settings_with SET...: of the tiny space.
settings_with() {
    "$programs/config" --config=tests/pipeline/tiny.yaml --stage=latency --out="$settings" \
        --set="latency.repetitions=3 latency.networks=4 $*"
}

measure() { "$programs/latency" --config="$settings" --out="$out" --yaml="$public"; }

# Layers 0 and 2 change the shape (five parts each, identity included), 1 and 3 keep it
# (their identities take no time); stem, head, classifier.
@test "every part of the space gets a time, and whole networks judge the sums" {
    settings_with
    run measure
    [ "$status" = 0 ]
    [[ $output == *"4 random networks of "*"Kendall's tau"* ]]
    [[ $output == *"wrote '$out': 21 parts"* ]]
    [ "$(grep -c '^[A-Za-z]' "$public")" = 21 ]
    # Six keys by hand.
    grep -q '^Conv-input:8x8x1-output:8x8x8:$' "$public"
    grep -q '^identity-input:8x8x8-output:4x4x8-stride:2:$' "$public"
    grep -q '^expanded_conv-input:4x4x8-output:4x4x8-expand:3-kernel:5-stride:1-idskip:1-se:1:$' "$public"
    grep -q '^expanded_conv-input:4x4x8-output:2x2x16-expand:3-kernel:3-stride:2-idskip:0:$' "$public"
    grep -q '^Conv_1-input:2x2x16-output:2x2x32:$' "$public"
    grep -q '^Logits-input:2x2x32-output:4:$' "$public"
    [ "$(h5dump -d /networks/time "$out" | grep -c 'DATASPACE  SIMPLE { ( 4 )')" = 1 ]
    # Three rounds of five paths (as many as there are choices): what all paths share was
    # timed in each, a choice of one layer once a round.
    awk '/^[A-Z]/ { expected = 15 } /^[a-z]/ { expected = 3 }
        $1 == "count:" && $2 != expected { bad = 1 } END { exit bad }' "$public"
}

# What takes no time was not timed.
@test "head and classifier have times of their own, with a head and without" {
    for head in "" space.head.channels=0; do
        settings_with $head
        run measure
        [ "$status" = 0 ]
        awk '/^[A-Za-z]/ { parts++ } $1 == "mean:" && $2 > 0 { timed++ }
            END { exit !(parts && timed == parts) }' "$public"
    done
}

@test "the public table replaces another one when it is complete, or is refused at once" {
    settings_with
    echo old >"$public"
    ln "$public" "$BATS_TEST_TMPDIR/old"
    measure
    [ "$(cat "$BATS_TEST_TMPDIR/old")" = old ]
    [ -z "$(ls "$BATS_TEST_TMPDIR" | grep tmp)" ]
    rm "$out"
    public=$BATS_TEST_TMPDIR/old/table.yaml
    run measure
    [ "$status" = 1 ]
    [[ $output == "latency: cannot write '$public': its folder '$BATS_TEST_TMPDIR/old': "* ]]
    [ ! -e "$out" ]
}

@test "threads are a setting, no option" {
    settings_with
    run "$programs/latency" --config="$settings" --out="$out" --threads=2
    [ "$status" = 2 ]
    [[ $output == *"threads"* ]]
    [ ! -e "$out" ]
}

@test "a table that was written is imported, and gives the same times" {
    settings_with
    measure
    settings_with "latency.table=$public"
    run "$programs/latency" --config="$settings" --out="$BATS_TEST_TMPDIR/other.h5"
    [ "$status" = 0 ]
    h5dump -a inputs "$BATS_TEST_TMPDIR/other.h5" |
        grep -q "$public sha256:$(sha256sum <"$public" | cut -d ' ' -f 1)"
    h5dump -y -w 0 -d /latency/key "$out" | grep '^ *"' >"$BATS_TEST_TMPDIR/keys"
    h5dump -y -w 0 -d /latency/key "$BATS_TEST_TMPDIR/other.h5" | grep '^ *"' >"$BATS_TEST_TMPDIR/other"
    cmp "$BATS_TEST_TMPDIR/keys" "$BATS_TEST_TMPDIR/other"
    h5dump -m %.6g -y -w 0 -d /latency/time "$out" >"$BATS_TEST_TMPDIR/keys"
    h5dump -m %.6g -y -w 0 -d /latency/time "$BATS_TEST_TMPDIR/other.h5" >"$BATS_TEST_TMPDIR/other"
    diff <(tail -n +2 "$BATS_TEST_TMPDIR/keys") <(tail -n +2 "$BATS_TEST_TMPDIR/other")
}

@test "parts that a table lacks are named, and nothing is written" {
    settings_with
    measure
    rm "$out"
    awk '/^identity|^Conv_1/ { skip = 4 } skip > 0 { skip--; next } { print }' "$public" >"$public.cut"
    settings_with "latency.table=$public.cut"
    run measure
    [ "$status" = 1 ]
    [[ $output == *"'$public.cut': 3 parts of this space have no entry:"* ]]
    [[ $output == *"identity-input:8x8x8-output:4x4x8-stride:2"* ]]
    [[ $output == *"identity-input:4x4x8-output:2x2x16-stride:2"* ]]
    [[ $output == *"Conv_1-input:2x2x16-output:2x2x32"* ]]
    [ ! -e "$out" ]
}

@test "a table that is none, and one that is not there, are refused" {
    echo 'a: {mean: fast}' >"$public.bad"
    settings_with "latency.table=$public.bad"
    run measure
    [ "$status" = 1 ]
    [[ $output == *"$public.bad:1:11: mean: 'fast' is no time"* ]]
    settings_with "latency.table=/nowhere.yaml"
    run measure
    [ "$status" = 1 ]
    [[ $output == *"cannot read '/nowhere.yaml': No such file or directory"* ]]
}
