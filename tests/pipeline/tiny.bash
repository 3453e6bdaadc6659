# tiny.bash - what the tests of this folder share: small images, and make on a run of their
# own, in $BATS_FILE_TMPDIR, with the programs in $BUILD (default: the release build).
BUILD=${BUILD:-stages/build/release}
export LC_ALL=C

# In setup_file: the images.
tiny_images() {
    cd "$BATS_TEST_DIRNAME/../.."
    mkdir -p "$BATS_FILE_TMPDIR/images"
    perl tests/pipeline/images.pl "$BATS_FILE_TMPDIR/images"
}

# tiny_make TARGET VARIABLE=VALUE...: SET is added to the place of the images. With
# replace=exec the shell becomes make: `replace=exec tiny_make search &` has make's pid.
tiny_make() {
    local set="dataset.source=$BATS_FILE_TMPDIR/images"
    local words=()
    for word; do
        case $word in
        SET=*) set="$set ${word#SET=}" ;;
        *) words+=("$word") ;;
        esac
    done
    ${replace:-} make --no-print-directory BUILD_ROOT="$(dirname "$BUILD")" VARIANT="$(basename "$BUILD")" \
        CONFIG=tests/pipeline/tiny.yaml RESULTS="$BATS_FILE_TMPDIR/results" \
        DATA_FOLDER="$BATS_FILE_TMPDIR/data" EXECUTOR="${EXECUTOR:-local}" SET="$set" "${words[@]}"
}

# numbers ARTIFACT ARRAY...: all of them, a line each, to the last digit.
numbers() {
    local file=$1
    shift
    h5dump -y -m %.17g "${@/#/--dataset=}" "$file" |
        awk '/DATA \{/ { on = 1; next } /\}/ { on = 0 } on && !/"/ { gsub(/[ ,]+/, "\n"); print }' |
        grep .
}
# number ARTIFACT ARRAY: a scalar, or the first of an array.
number() { numbers "$1" "$2" | sed -n 1p; }

# cell TABLE ROW COLUMN: of a CSV file in $tables, whose row begins with ROW.
cell() {
    sed 's/"[^"]*"/quoted/g' "$tables/$1.csv" | awk -F, -v row="$2," -v column="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) c = i }
        NR > 1 && substr($0, 1, length(row)) == row { print $c }'
}

# The digest of an artifact: equal bits, equal digest.
digest() {
    h5dump -a digest "$1" | sed -n 's/.*(0): "\(.*\)"/\1/p' | grep .
}

# same_artifacts RUN RUN: every stage's digest is the same.
same_artifacts() {
    for stage in warmup greedy search; do
        local one other
        one=$(digest "$BATS_FILE_TMPDIR/results/$1/$stage.h5")
        other=$(digest "$BATS_FILE_TMPDIR/results/$2/$stage.h5")
        echo "$stage: $1 $one, $2 $other"
        [ "$one" = "$other" ] || return 1
    done
}

# What a run has, and when it was made: equal before and after when nothing was done.
made_when() { (cd "$BATS_FILE_TMPDIR/results/$1" && stat -c '%n %y' -- *.h5); }

# A copy of a finished run, with its dates, for a test to spoil.
copy_run() { cp -a "$BATS_FILE_TMPDIR/results/$1" "$BATS_FILE_TMPDIR/results/$2"; }

# recorded RUN/STAGE KEY: from the stage's status record; nothing if there is none.
recorded() {
    awk -f slurm/yaml.awk -f slurm/value.awk -v key="$2" \
        "$BATS_FILE_TMPDIR/results/$1.status.yaml" 2>/dev/null
}

# wait_for COMMAND...: until it succeeds; after $patience seconds, a minute if nobody says
# otherwise, there is no hope left.
wait_for() {
    local end=$((SECONDS + ${patience:-60}))
    while ((SECONDS <= end)); do
        ! "$@" || return 0
        sleep 0.05
    done
    echo "waited in vain for: $*"
    return 1
}
