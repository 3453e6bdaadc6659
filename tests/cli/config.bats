# config.bats - the program config: what it writes, and what it says to each mistake.

# The stages that have settings, in order.
stages="prepare warmup greedy search latency retrain evaluate rankcorr uniform fairnas \
uniform_e fairnas_e random search_uniform search_uniform_e search_fairnas search_fairnas_e \
ablation/net2/greedy ablation/net2/search ablation/net3/greedy ablation/net3/search \
ablation/net4/greedy ablation/net4/search ablation/net5/search"

setup() {
    config=${BUILD:-stages/build/release}/config
    mine=$BATS_TEST_TMPDIR/mine.yaml
}

# refused EXIT_CODE LINE... : the lines are the whole of stderr, FILE stands for the
# config's path; nothing is on stdout.
refused() {
    local code=$1 expected
    shift
    expected=$(printf '%s\n' "$@")
    set +e
    "${command[@]}" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
    local found=$?
    set -e
    local message
    message=$(sed "s|$mine|FILE|g" "$BATS_TEST_TMPDIR/err")
    if [ "$found" != "$code" ] || [ "$message" != "$expected" ] ||
        [ -s "$BATS_TEST_TMPDIR/out" ]; then
        echo "exit code $found, expected $code"
        diff <(echo "$expected") <(echo "$message")
        return 1
    fi
}

# bad TEXT LINE... : a config of this text is refused with these lines.
bad() {
    printf '%s\n' "$1" >"$mine"
    shift
    command=("$config" --config="$mine" --check)
    refused 2 "$@"
}

# edited SED_SCRIPT LINE... : quickstart.yaml with this edit is refused with these lines.
edited() {
    sed "$1" configs/quickstart.yaml >"$mine"
    cmp -s "$mine" configs/quickstart.yaml && { echo "'$1' changes nothing"; return 1; }
    shift
    command=("$config" --config="$mine" --check)
    refused 2 "$@"
}

# asked ARGUMENTS -- LINE... : this command line is refused with these lines.
asked() {
    command=("$config")
    while [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    shift
    refused 2 "$@"
}

place() { # place PATTERN: line:column of the value of the first line with this setting
    awk -v name="$1" '$1 == name ":" {
        match($0, name ": +"); print NR ":" RSTART + RLENGTH; exit }' configs/quickstart.yaml
}

@test "every shipped config is well" {
    for file in configs/*.yaml; do
        run "$config" --config="$file" --check
        [ "$status" = 0 ]
        [ -z "$output" ]
    done
}

@test "an unknown setting gets the nearest name" {
    edited 's/pool_size:/pol_size: /' \
        "FILE:$(awk '/pool_size:/ { print NR; exit }' configs/quickstart.yaml):3: unknown setting 'greedy.pol_size', did you mean 'greedy.pool_size'?"
}

@test "a word is not a number" {
    edited 's/learning_rate: 0.12/learning_rate: fast/' \
        "FILE:$(place learning_rate): supernet.learning_rate: 'fast' is not a number"
}

@test "a value out of range is told the range" {
    edited 's/alpha: 0.08/alpha: 8/' \
        "FILE:$(place alpha): greedy.stop.alpha: 8 is out of range, expected 0 to 1"
}

@test "a contradiction is told with both values" {
    edited 's/kept_paths: 5/kept_paths: 12/' \
        "FILE:$(place kept_paths): greedy.kept_paths: 12 is more than greedy.sampled_paths (10)"
}

@test "all problems are told at once, in the order of the file" {
    bad 'seed: -1
dataset: {name: a/b, format: png, source: "", validation_per_class: 0}
space:
  input: [28, 28]
  classes: ten
  stem: {kernel: 4, stride: 3}
  stages: [{chanels: 24}, 5]
  choices: {kernels: [3, 3], expansions: [6]}
supernet: 12
greedy:
  learning_rate: 1
  kept_paths: 3
  kept_paths: 4
  filter: yes
wibble: 3' \
        "FILE:1:7: seed: -1 is out of range, expected 0 to 18446744073709551615" \
        "FILE:2:17: dataset.name: 'a/b' is not a file's base name: letters, digits and '._-'" \
        "FILE:2:30: dataset.format: 'png' is not one of: idx imagefolder cifar10 cifar100 ilsvrc2012" \
        "FILE:2:43: dataset.source: '' is empty, expected text" \
        "FILE:2:69: dataset.validation_per_class: 0 is out of range, expected 1 to 100000000" \
        "FILE:4:10: space.input: has 2 items, expected 3" \
        "FILE:5:12: space.classes: 'ten' is not an integer" \
        "FILE:6:18: space.stem.kernel: '4' is not a kernel size: 3, 5 or 7" \
        "FILE:6:29: space.stem.stride: 3 is out of range, expected 1 to 2" \
        "FILE:7:12: space.stages[0].channels: is missing, expected an integer, 1 to 65536" \
        "FILE:7:13: unknown setting 'space.stages[0].chanels', did you mean 'space.stages[0].channels'?" \
        "FILE:7:27: space.stages[1]: expected settings (name: value), found '5'" \
        "FILE:8:26: space.choices.kernels[1]: '3' is there twice, first as item 0" \
        "FILE:9:11: supernet: expected settings (name: value), found '12'" \
        "FILE:11:3: unknown setting 'greedy.learning_rate', did you mean 'supernet.learning_rate'?" \
        "FILE:13:3: duplicate setting 'greedy.kept_paths', first at 12:3" \
        "FILE:14:11: greedy.filter: 'yes' is not true or false, write true" \
        "FILE:15:1: unknown setting 'wibble'"
}

@test "a missing setting is told with what is expected, at its section" {
    bad 'seed: 1
dataset: {name: x, source: /x}
space: {}' \
        "FILE:2:1: dataset.format: is missing, expected one of: idx imagefolder cifar10 cifar100 ilsvrc2012" \
        "FILE:3:1: space.input: is missing, expected a list [height, width, channels]" \
        "FILE:3:1: space.classes: is missing, expected an integer, 2 to 1000000" \
        "FILE:3:1: space.stages: is missing, expected a list of {channels, repeat, stride}" \
        "FILE:3:1: space.choices: is missing, expected a list of operations, or {kernels, expansions, squeeze_excite, identity}"
}

@test "a list or a section where a value belongs" {
    edited 's/batch: 64/batch: [64]/' \
        "FILE:$(place batch): supernet.batch: expected an integer, 2 to 1000000, found a list"
    edited 's/batch: 64/batch: {a: 64}/' \
        "FILE:$(place batch): supernet.batch: expected an integer, 2 to 1000000, found settings"
    edited 's/batch: 64/batch:   /' \
        "FILE:$(awk '/^  batch:/ { print NR; exit }' configs/quickstart.yaml):9: supernet.batch: has no value, expected an integer, 2 to 1000000"
}

@test "an empty file" {
    bad '' "FILE: has no settings in it"
    bad '# nothing yet' "FILE: has no settings in it"
}

@test "a file that is no mapping" {
    bad 'hello' "FILE:1:1: expected settings (name: value), found 'hello'"
    bad '[seed, 1]' "FILE:1:1: expected settings (name: value), found a list"
}

@test "a file that is no YAML" {
    bad 'seed: [1
x: 2' "FILE:2:2: not YAML: did not find expected ',' or ']' while parsing a flow sequence that starts at 1:7"
    bad 'seed: 1
  x: 2' "FILE:2:4: not YAML: mapping values are not allowed in this context"
    bad $'seed:\t@1' "FILE:1:7: not YAML: found character that cannot start any token while scanning for the next token that starts at 1:7"
    bad $'seed: \xff' "FILE:1:7: not YAML: invalid leading UTF-8 octet"
}

@test "YAML that settings do not need" {
    edited 's/^seed: 1 /seed: !!int 1/' \
        "FILE:$(place seed): tag 'tag:yaml.org,2002:int' is not supported, write the value alone"
    edited 's/^seed: 1 /seed: \&one 1/' \
        "FILE:$(place seed): anchor '&one' is not supported, write the value out"
    edited 's/batch: 64/batch: *one/' \
        "FILE:$(place batch): alias '*one' is not supported, write the value out"
    edited '$a ---\nseed: 2' \
        "FILE:$(($(wc -l <configs/quickstart.yaml) + 1)):1: a second document starts here, expected one"
}

@test "a file that is deep, large, absent or a folder" {
    bad "$(printf '[%.0s' $(seq 5000))" "FILE:1:18: nested deeper than 16 levels, which no setting is"
    head -c 2000000 /dev/zero | tr '\0' '#' >"$mine"
    asked --config="$mine" --check -- "FILE: cannot be read: larger than 1 MiB, which no file of settings is"
    asked --config="$mine.none" --check -- "FILE.none: cannot be read: No such file or directory"
    asked --config=configs --check -- "configs: cannot be read: Is a directory"
}

@test "a constraint that no path respects is told the space's extremes" {
    # 50,878,976 and 693,483,008 are the costs of all-identity and all-k7e6 (Table 5).
    sed 's/flops: 330.0e6/flops: 5.0e7/' configs/mobile_space.yaml >"$mine"
    asked --config="$mine" --check -- \
        "FILE:$(awk '/flops: 330/ { print NR }' configs/mobile_space.yaml):12: search.constraints: no path has at most 50000000 FLOPs: paths of this space have 50878976 to 693483008"
}

@test "overrides are told by name, and count from the last" {
    asked --config=configs/quickstart.yaml --check \
        --set='search.population=x serch.generations=2' \
        --set='space.choices=[k3e3, id' --set='greedy.pool_size' --set='search=3' -- \
        "SET: search.population: 'x' is not an integer" \
        "SET: unknown setting 'serch.generations', did you mean 'search.generations'?" \
        "SET: space.choices: not YAML: did not find expected ',' or ']' while parsing a flow sequence that starts at 1:1" \
        "SET: 'greedy.pool_size' has no value, expected name=value" \
        "SET: 'search' is a section, expected one of its settings"
    run "$config" --config=configs/quickstart.yaml --get=search.population \
        --set='search.population=20 space.choices=[k3e3, id]' --set=search.population=30
    [ "$status" = 0 ]
    [ "$output" = 30 ]
}

@test "an override and the file contradict each other" {
    asked --config=configs/quickstart.yaml --check --set=greedy.sampled_paths=4 -- \
        "configs/quickstart.yaml:$(place kept_paths): greedy.kept_paths: 5 is more than greedy.sampled_paths (4)"
}

@test "a command line that is not one request" {
    asked -- "config: --config=FILE.yaml is missing (the experiment)" \
        "config: see 'config --help'"
    asked --config=x --check --get=seed --stage=plot -- \
        "config: --check, --reference, --networks, --get, --out and --out-folder exclude each other, found more than one" \
        "config: --stage is 'plot', expected one of: $stages" \
        "config: see 'config --help'"
    asked --config=x --stage=warmup --stage=greedy -- \
        "config: --stage is given more than once, which needs --out-folder" \
        "config: see 'config --help'"
    asked --config=configs/quickstart.yaml --get=search -- \
        "config: --get is 'search', expected a setting of configs/reference.yaml"
}

@test "--reference prints configs/reference.yaml" {
    "$config" --reference | cmp - configs/reference.yaml
}

@test "--out-folder writes the stages asked for, and each is what --stage prints" {
    folder=$BATS_TEST_TMPDIR/results/run
    "$config" --config=configs/quickstart.yaml --stage=greedy --stage=search \
        --out-folder="$folder"
    [ "$(ls "$folder")" = "$(printf 'greedy.yaml\nsearch.yaml')" ]
    "$config" --config=configs/quickstart.yaml --stage=greedy | cmp - "$folder/greedy.yaml"
    "$config" --config="$folder/greedy.yaml" | cmp - "$folder/greedy.yaml"
    "$config" --config=configs/quickstart.yaml --out-folder="$folder"
    [ "$(find "$folder" -type f | wc -l)" = "$(wc -w <<<"$stages")" ]
}

@test "a stage's file gets a new time only when the stage's results may change" {
    folder=$BATS_TEST_TMPDIR/run
    write() { "$config" --config=configs/quickstart.yaml --out-folder="$folder" "$@"; }
    times() { stat -c '%n %y' "$folder"/*.yaml | sed "s|$folder/||"; }
    write
    touch -d '2020-01-01 00:00:00.123456789' "$folder"/*.yaml
    old=$(times)
    write
    [ "$(times)" = "$old" ]
    write --set=checkpoint.seconds=77
    [ "$(times)" = "$old" ]
    grep -q 'seconds: 77' "$folder/greedy.yaml"
    write --set='search.population=20 checkpoint.seconds=77'
    [ "$(times | grep -v -e search -e random)" = "$(echo "$old" | grep -v -e search -e random)" ]
    [ "$(times | grep search)" != "$(echo "$old" | grep search)" ]
    [ "$(find "$folder" -type f | wc -l)" = "$(wc -w <<<"$stages")" ] # nothing temporary is left
}

@test "a stage that is another one but for some settings has these whatever is typed" {
    file=$BATS_TEST_TMPDIR/run/ablation/net3/greedy.yaml
    "$config" --config=configs/quickstart.yaml --set='greedy.filter=true greedy.pool_size=50' \
        --stage=ablation/net3/greedy --out-folder="$BATS_TEST_TMPDIR/run"
    grep -q '^stage: ablation/net3/greedy$' "$file"
    grep -q '^  filter: false$' "$file"
    grep -q '^  pool_size: 50$' "$file"
    # And its own file stands for itself.
    "$config" --config="$file" | cmp - "$file"
    "$config" --config=configs/quickstart.yaml --stage=random >"$BATS_TEST_TMPDIR/random"
    grep -q '^  algorithm: random$' "$BATS_TEST_TMPDIR/random"
    grep -q '^  random_paths: 0$' "$BATS_TEST_TMPDIR/random"
}

@test "a folder that cannot be written is the world's fault" {
    touch "$BATS_TEST_TMPDIR/file"
    command=("$config" --config=configs/quickstart.yaml --stage=search
        --out-folder="$BATS_TEST_TMPDIR/file/x")
    refused 1 "config: cannot make the folder '$BATS_TEST_TMPDIR/file/x': Not a directory"
}
