# zoo.bats - the published networks of configs/zoo.

setup() {
    zoo=${BUILD:-stages/build/release}/zoo
    mine=$BATS_TEST_TMPDIR/mine.yaml
}

# Counted from the authors' layer lists by another program: `{"NAME",` and, on a line of
# its own, `{FLOPs, parameters},` in tests/unit/test_zoo.c.
known() {
    awk '/^    {"/ { split($0, part, "\""); name = part[2] }
        /^     {[0-9]{7}/ || /^     {[0-9]+, [0-9]+},/ {
            gsub(/[{},]/, ""); print name, $1, $2 }' tests/unit/test_zoo.c | sort
}

@test "every network of the zoo costs what its layers say" {
    run "$zoo" $(printf -- '--network=%s ' configs/zoo/*.yaml)
    [ "$status" = 0 ]
    counted=$(awk -F ' *[|] *' 'NR > 2 { print $2, $3, $5 }' <<<"$output" | sort)
    [ "$(wc -l <<<"$counted")" = "$(ls configs/zoo/*.yaml | wc -l)" ]
    [ "$(wc -l <<<"$counted")" -ge 20 ]
    diff <(known) <(echo "$counted")
}

@test "a figure that rounding does not explain is marked" {
    run "$zoo" --network=configs/zoo/greedynas-a.yaml --network=configs/zoo/greedynas-b.yaml
    [[ ${lines[2]} == "| GreedyNAS-A | 369983648 | 366 M (counted: +1.1 %) | 6503082 | 6.5 M | 77.1 |" ]]
    [[ ${lines[3]} == "| GreedyNAS-B | 323520704 | 324 M | 5207804 | 5.2 M | 76.8 |" ]]
}

@test "a network's file with mistakes is told where" {
    sed 's/k7e6s$/k9e6s/; s/^  name:/  nam:/' configs/zoo/greedynas-a.yaml >"$mine"
    run "$zoo" --network="$mine"
    [ "$status" = 2 ]
    [[ $output == *"$mine:3:3: unknown setting 'network.nam', did you mean 'network.name'?"* ]]
    sed 's/^    k7e6s$/    k7e6s id/' configs/zoo/greedynas-a.yaml >"$mine"
    run "$zoo" --network="$mine"
    [ "$status" = 2 ]
    [[ $output == *"'$mine': network.path: "*"21"* ]]
    run "$zoo" --network=configs/quickstart.yaml
    [ "$status" = 2 ]
    [[ $output == *"network.name"* ]]
}
