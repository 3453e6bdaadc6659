# Limits on latency, and latency as the cost that is minimised, by a table made by hand:
# what a path takes is then worked out here, token by token.
load tiny

# Milliseconds: stem, head and classifier 1 each; k3e3 2, with SE 3; k5e3 4, with SE 6; an
# identity that changes the shape 1, one that keeps it nothing.
hand_made_table() {
    part() { printf '%s:\n  count: 1\n  mean: %s\n  var: 0\n' "$1" "$2"; }
    part Conv-input:8x8x1-output:8x8x8 1
    part Conv_1-input:2x2x16-output:2x2x32 1
    part Logits-input:2x2x32-output:4 1
    for place in 8x8x8-output:4x4x8:2:0 4x4x8-output:4x4x8:1:1 4x4x8-output:2x2x16:2:0 \
        2x2x16-output:2x2x16:1:1; do
        skip=${place##*:} stride=${place%:*}
        shape=${stride%:*} stride=${stride##*:}
        for op in 3::2 3:-se:1:3 5::4 5:-se:1:6; do
            local kernel=${op%%:*} ms=${op##*:} se=''
            [[ $op != *se* ]] || se=-se:1
            part "expanded_conv-input:$shape-expand:3-kernel:$kernel-stride:$stride-idskip:$skip$se" "$ms"
        done
        [ "$skip" = 1 ] || part "identity-input:$shape-stride:$stride" 1
    done
}

# For awk: what a path of these four tokens takes.
by_hand='function time(a, b, c, d) {
    t["k3e3"] = 2; t["k3e3s"] = 3; t["k5e3"] = 4; t["k5e3s"] = 6; t["id"] = 1
    return 3 + t[a] + (b == "id" ? 0 : t[b]) + t[c] + (d == "id" ? 0 : t[d])
}'

setup_file() {
    tiny_images
    hand_made_table >"$BATS_FILE_TMPDIR/phone.yaml"
    tiny_make search RUN=phone SET="latency.table=$BATS_FILE_TMPDIR/phone.yaml $limited" \
        >"$BATS_FILE_TMPDIR/out" 2>"$BATS_FILE_TMPDIR/err"
}
limited='search.constraints.flops=0 search.constraints.latency_ms=11 search.cost=latency_ms'

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results
    table="latency.table=$BATS_FILE_TMPDIR/phone.yaml"
}

# columns RUN NAME...: of the paths that were evaluated, a line each.
columns() {
    local file=$results/$1/search.h5
    shift
    for name; do
        h5dump -y -w 1 -m %.9g -d "/evaluated/$name" "$file" |
            awk '/DATA [{]/ { data = 1; next } data && /}/ { exit } data { gsub(/[ ,]/, ""); print }' \
                >"$BATS_TEST_TMPDIR/$name"
    done
    paste -d ' ' "${@/#/$BATS_TEST_TMPDIR/}"
}

@test "the table is made for the search alone, and its times are those worked out by hand" {
    [ -s "$results/phone/latency.h5" ]
    grep -q 'ms  architecture' "$BATS_FILE_TMPDIR/out"
    awk "$by_hand"' $2 == "%" { rows++; if ($5 != time($6, $7, $8, $9)) bad = 1 }
        END { exit bad || !rows }' "$BATS_FILE_TMPDIR/out"
    found=$(awk '/^architecture/ { print $2, $3, $4, $5 }' "$BATS_FILE_TMPDIR/out")
    expected=$(awk -v path="$found" "$by_hand"'
        BEGIN { split(path, p, " "); print time(p[1], p[2], p[3], p[4]) }')
    grep -q "latency by the table  $expected ms" "$BATS_FILE_TMPDIR/out"
    [ "$expected" -le 11 ]
}

@test "NSGA-II's front is the one of error and latency, and no path is over the limit" {
    columns phone latency accuracy >"$BATS_TEST_TMPDIR/evaluated"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/evaluated")" = 40 ]
    awk '$1 > 11 { exit 1 }' "$BATS_TEST_TMPDIR/evaluated"
    # Of rising latency, those that are better than all before.
    sort -k1,1g -k2,2gr "$BATS_TEST_TMPDIR/evaluated" | awk 'NR == 1 || $2 > best {
        best = $2; printf "%.2f %g\n", 100 * $2, $1 }' >"$BATS_TEST_TMPDIR/expected"
    awk '$2 == "%" { print $1, $5 }' "$BATS_FILE_TMPDIR/out" | diff "$BATS_TEST_TMPDIR/expected" -
}

@test "random search judges every path within both limits, and no other" {
    cp -a "$results/phone" "$results/all"
    run tiny_make search RUN=all SET="$table $limited search.constraints.flops=1e5 search.algorithm=random search.random_paths=625"
    [ "$status" = 0 ]
    [[ $output != *"greedy: starts"* ]]
    columns all latency flops >"$BATS_TEST_TMPDIR/evaluated"
    # All 5^4 paths: FLOPs by the program that counts them, time by hand.
    ops='k3e3 k3e3s k5e3 k5e3s id'
    awk '$1 > 11 || $2 > 1e5 { exit 1 }' "$BATS_TEST_TMPDIR/evaluated"
    for a in $ops; do for b in $ops; do for c in $ops; do for d in $ops; do
        echo "$a $b $c $d"
    done; done; done; done | awk "$by_hand"'
        # Multiply-adds by hand: pixels x (expand + depthwise + project) + SE.
        function mb(op, c, k, in_pixels, pixels,    m, size) {
            if (op == "id") return c == k && in_pixels == pixels ? 0 : pixels * c * k
            m = 3 * c
            size = op ~ /^k5/ ? 25 : 9
            return in_pixels * c * m + pixels * m * size + pixels * m * k + \
                (op ~ /s$/ ? 2 * m * int(m / 4) : 0)
        }
        {
            flops = 64 * 9 * 8 + 4 * 16 * 32 + 32 * 4 + mb($1, 8, 8, 64, 16) + \
                mb($2, 8, 8, 16, 16) + mb($3, 8, 16, 16, 4) + mb($4, 16, 16, 4, 4)
            if (time($1, $2, $3, $4) <= 11 && flops <= 1e5) n++
        }
        END { print n }' >"$BATS_TEST_TMPDIR/feasible"
    [ "$(cat "$BATS_TEST_TMPDIR/feasible")" -gt 20 ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/evaluated")" = "$(cat "$BATS_TEST_TMPDIR/feasible")" ]
}

@test "the rank correlation's feasible paths are those within the limit" {
    cp -a "$results/phone" "$results/ranks"
    tiny_make rankcorr RUN=ranks SHARDS=2 SET="$table $limited rankcorr.paths=625 rankcorr.images=[8] rankcorr.validation_images=8 rankcorr.bootstrap=1" >/dev/null 2>&1
    awk "$by_hand"'BEGIN {
        split("k3e3 k3e3s k5e3 k5e3s id", op, " ")
        for (a in op) for (b in op) for (c in op) for (d in op)
            n += time(op[a], op[b], op[c], op[d]) <= 11
        print n
    }' >"$BATS_TEST_TMPDIR/feasible"
    h5dump -y -w 1 -d /paths/feasible "$results/ranks/rankcorr.h5" |
        awk '/DATA [{]/ { data = 1; next } data && /}/ { exit } data { gsub(/[ ,]/, ""); n += $0 == 1 } END { print n }' |
        diff "$BATS_TEST_TMPDIR/feasible" -
}

@test "a limit below every path is refused before anything starts, with what there is" {
    run tiny_make search RUN=fast SET="$table search.constraints.flops=0 search.constraints.latency_ms=4.9"
    [ "$status" != 0 ]
    [[ $output == *"search.constraints: no path takes at most 4.9 ms: paths of this space take 5 to 27"* ]]
    [ ! -e "$results/fast" ]
    run tiny_make estimate RUN=fast SET="$table search.constraints.latency_ms=4.9"
    [ "$status" != 0 ]
    [[ $output == *"no path takes at most 4.9 ms"* ]]
}

@test "a part that the table lacks is named before anything starts" {
    awk '/^identity-input:8x8x8/ { skip = 4 } skip > 0 { skip--; next } { print }' \
        "$BATS_FILE_TMPDIR/phone.yaml" >"$BATS_TEST_TMPDIR/cut.yaml"
    run tiny_make search RUN=lacks SET="latency.table=$BATS_TEST_TMPDIR/cut.yaml $limited"
    [ "$status" != 0 ]
    [[ $output == *"1 part of this space has no entry:"*"identity-input:8x8x8-output:4x4x8-stride:2"* ]]
    [ ! -e "$results/lacks" ]
}

@test "a search that needs a table says so when it is given none, or two supernets" {
    settings=$results/phone/made/search.yaml
    run "$BUILD"/search --config="$settings" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        --in="$results/phone/greedy.h5" --out="$BATS_TEST_TMPDIR/search.h5"
    [ "$status" = 2 ]
    [[ $output == *"search.constraints.latency_ms needs a table of latencies, expected --in=latency.h5 too"* ]]
    run "$BUILD"/search --config="$settings" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        --in="$results/phone/greedy.h5" --in="$results/phone/latency.h5" \
        --in="$results/phone/warmup.h5" --out="$BATS_TEST_TMPDIR/search.h5"
    [ "$status" = 2 ]
    [[ $output == *"--in is given 2 supernets, expected one"* ]]
}

@test "another limit searches again, with the same table and the same training" {
    run tiny_make search RUN=phone SET="$table ${limited/=11/=12}"
    [ "$status" = 0 ]
    [[ $output == *"search: starts"* ]]
    [[ $output != *"latency: starts"* && $output != *"greedy: starts"* ]]
}

@test "an edited table is read again, and searched with" {
    cp -a "$results/phone" "$results/edited"
    cp "$BATS_FILE_TMPDIR/phone.yaml" "$BATS_TEST_TMPDIR/phone.yaml"
    edited() {
        tiny_make search RUN=edited EXECUTOR=local \
            SET="latency.table=$BATS_TEST_TMPDIR/phone.yaml $limited"
    }
    edited
    sleep 0.1
    sed -i '/^Conv-input/,/mean/ s/mean: 1/mean: 2/' "$BATS_TEST_TMPDIR/phone.yaml"
    run edited
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"latency: starts (newer: phone.yaml)"* ]]
    [[ $output == *"search: starts (newer: latency.h5)"* ]]
    run edited
    [[ $output != *": starts"* ]]
}

@test "without anything about latency no table is made" {
    run tiny_make -n search RUN=plain
    [ "$status" = 0 ]
    [[ $output != *"latency"* ]]
    run tiny_make -n search RUN=plain SET=search.constraints.latency_ms=3
    [[ $output == *"/latency --config="* ]]
}
