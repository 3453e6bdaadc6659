# The rank correlation of supernets: its bits, its shards, what it refuses, and its
# figures against another implementation.
load tiny.bash

setup_file() {
    tiny_images
    tiny_make greedy RUN=calm
    # The known accuracies of every third path or so: the digits are the choices.
    perl -e 'print "path,accuracy,accuracy\n";
        for my $i (0 .. 624) {
            next if $i % 3;
            my @op = (int($i / 125), int($i / 25) % 5, int($i / 5) % 5, $i % 5);
            printf "%s,%d,%d\n", join("", @op), 90 - $op[0] - $op[2] % 2, 90 - $op[0] - $op[3];
        }' >"$BATS_FILE_TMPDIR/known.csv"
    settings rankcorr
    settings recalibrated rankcorr.bn=recalibrate rankcorr.recalibrate_images=100
    settings known "rankcorr.truth=$BATS_FILE_TMPDIR/known.csv" checkpoint.steps=0
    for name in rankcorr recalibrated known; do
        judge "$name" "$name"
    done
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_FILE_TMPDIR/results/calm
}

# settings NAME SETTING...: NAME.yaml
settings() {
    local name=$1
    shift
    "$BUILD/config" --config=tests/pipeline/tiny.yaml --stage=rankcorr ${1:+"--set=$*"} \
        --out="$BATS_FILE_TMPDIR/$name.yaml"
}

# judge NAME OUT OPTION...: by the settings NAME.yaml, into OUT.h5; at one thread, for
# tests share the processors.
judge() {
    local name=$1 out=$2 results=$BATS_FILE_TMPDIR/results/calm
    shift 2
    "$BUILD/rankcorr" --config="$BATS_FILE_TMPDIR/$name.yaml" \
        --data="$BATS_FILE_TMPDIR/data/tiny.h5" --in="$results/warmup.h5" \
        --in="$results/greedy.h5" --out="$BATS_FILE_TMPDIR/$out.h5" --quiet \
        --threads="${threads:-1}" "$@"
}

# merge NAME OUT SHARD...
merge() {
    local name=$1 out=$2
    shift 2
    "$BUILD/rankcorr" --config="$BATS_FILE_TMPDIR/$name.yaml" --merge \
        --data="$BATS_FILE_TMPDIR/data/tiny.h5" "${@/#/--in=$BATS_FILE_TMPDIR/}" \
        --out="$BATS_FILE_TMPDIR/$out.h5" --quiet --threads=1
}

digest_of() { digest "$BATS_FILE_TMPDIR/$1.h5"; }

@test "the same bits at one thread and at three" {
    for name in rankcorr recalibrated; do
        threads=3 judge $name other
        [ "$(digest_of other)" = "$(digest_of $name)" ]
        rm "$BATS_FILE_TMPDIR/other.h5"
    done
}

@test "shards in any order, more of them than there is work, have the bits of one run" {
    for i in 1 2 3 4 5; do
        judge known known.${i}of5 --shard=$i/5
    done
    merge known merged known.{4,2,5,1,3}of5.h5
    [ "$(digest_of merged)" = "$(digest_of known)" ]
}

@test "a shard that was told to stop goes on to the same bits" {
    judge rankcorr rankcorr.1of2 --shard=1/2
    calm=$(digest_of rankcorr.1of2)
    rm "$BATS_FILE_TMPDIR/rankcorr.1of2.h5"*
    rm "$BATS_FILE_TMPDIR/rankcorr.1of2.status.yaml"
    judge rankcorr rankcorr.1of2 --shard=1/2 3>&- &
    pid=$!
    # The shell is the parent of the program, which has a record once it listens.
    wait_for [ -e "$BATS_FILE_TMPDIR/rankcorr.1of2.status.yaml" ]
    kill -TERM "$(awk -f slurm/yaml.awk -f slurm/value.awk -v key=pid \
        "$BATS_FILE_TMPDIR/rankcorr.1of2.status.yaml")"
    code=0
    wait $pid || code=$?
    echo "exit code $code"
    [ $code = 75 ]
    [ ! -e "$BATS_FILE_TMPDIR/rankcorr.1of2.h5" ]
    run judge rankcorr rankcorr.1of2 --shard=2/2
    [ "$status" = 1 ]
    [[ $output == *"is the checkpoint of shard 1/2, this is 2/2 "* ]]
    judge rankcorr rankcorr.1of2 --shard=1/2
    [ "$(digest_of rankcorr.1of2)" = "$calm" ]
}

# Killed after each of its checkpoints: of a run with a checkpoint every group.
@test "killed at random moments it ends with the same bits" {
    settings often checkpoint.steps=1
    for delay in 0.15 0.3 0.45 0.6; do
        timeout -s KILL $delay "$BUILD/rankcorr" --config="$BATS_FILE_TMPDIR/often.yaml" \
            --data="$BATS_FILE_TMPDIR/data/tiny.h5" --in="$results/warmup.h5" \
            --in="$results/greedy.h5" --out="$BATS_FILE_TMPDIR/often.h5" --quiet --threads=1 ||
            true
    done
    judge often often
    [ "$(digest_of often)" = "$(digest_of rankcorr)" ]
}

@test "what is no set of shards is refused, and why" {
    for i in 1 2; do
        judge rankcorr part$i --shard=$i/2
    done
    judge recalibrated odd --shard=1/2
    run merge rankcorr out part1.h5
    [ "$status" = 1 ]
    [[ $output == *"part1.h5' is shard 1 of 2, expected one of the 1 that are given"* ]]
    run merge rankcorr out part1.h5 part1.h5
    [[ $output == *"part1.h5' are both shard 1"* ]]
    run merge rankcorr out odd.h5 part2.h5
    [[ $output == *"odd.h5' was made with other settings than"* ]]
    run merge rankcorr out rankcorr.h5 part2.h5
    [[ $output == *"rankcorr.h5' is not a shard, expected one that was made with --shard"* ]]
    [ ! -e "$BATS_FILE_TMPDIR/out.h5" ]
    merge rankcorr out part{1,2}.h5
    [ "$(digest_of out)" = "$(digest_of rankcorr)" ]
}

@test "a command line that cannot be meant is refused before anything starts" {
    for shard in 0/3 4/3 3 a/b 1/2x; do
        run judge rankcorr none --shard=$shard
        [ "$status" = 2 ]
        [[ $output == *"--shard is '$shard', expected one such as 3/8: the third of eight"* ]]
    done
    run judge rankcorr none --in="$results/greedy.h5"
    [ "$status" = 2 ]
    [[ $output == *"two of --in are called 'greedy', expected different names"* ]]
    run judge rankcorr none --shard=1/2 --merge
    [ "$status" = 2 ]
    run judge rankcorr none --in="$BATS_FILE_TMPDIR/rankcorr.h5"
    [ "$status" = 1 ]
    [[ $output == *"rankcorr.h5' has no weights, expected those of a supernet"* ]]
    [ ! -e "$BATS_FILE_TMPDIR/none.h5" ]
}

@test "the table has a line for each supernet; a ranking that is none is '-', and said why" {
    run "$BUILD/rankcorr" --show="$BATS_FILE_TMPDIR/known.h5"
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"120 random paths: "*"on 80"* ]]
    [ "$(grep -c '^  random ' <<<"$output")" = 5 ]
    [ "$(grep -c '^  greedy ' <<<"$output")" = 5 ]
    [[ $output == *"one run by another"* ]]
    # One image: a path is right or wrong, and among the best all may be right.
    settings one "rankcorr.images=[1]" search.constraints.flops=40000 rankcorr.bootstrap=2
    sed -i 's/flops: .*/flops: 1/' "$BATS_FILE_TMPDIR/one.yaml"
    run "$BUILD/rankcorr" --config="$BATS_FILE_TMPDIR/one.yaml" \
        --data="$BATS_FILE_TMPDIR/data/tiny.h5" --in="$results/greedy.h5" \
        --out="$BATS_FILE_TMPDIR/one.h5" --threads=1
    echo "$output"
    [[ $output == *"greedy, by_loss on 1 images with all, stratum feasible (0 paths): no correlation, fewer than two paths"* ]]
}

# made RUN WORD...: make rankcorr with snapshots of the uniform supernet.
made() {
    local run=$1
    shift
    tiny_make rankcorr RUN="$run" SET='uniform.steps=40 uniform.snapshot_steps=20' THREADS=1 \
        EXECUTOR=local "$@"
}

@test "make rankcorr: a table with the snapshots; by two shards the same bits; and then nothing" {
    copy_run calm whole
    run made whole
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"Kendall's tau by loss"*"  uniform@20 "*"  uniform "*"  greedy "* ]]
    copy_run whole parts
    rm "$BATS_FILE_TMPDIR/results/parts/rankcorr.h5"
    made parts SHARDS=2
    [ "$(digest "$BATS_FILE_TMPDIR/results/parts/rankcorr.h5")" = \
        "$(digest "$BATS_FILE_TMPDIR/results/whole/rankcorr.h5")" ]
    [ -e "$BATS_FILE_TMPDIR/results/parts/rankcorr/2of2.h5" ]
    before=$(made_when parts)
    made parts SHARDS=2
    [ "$(made_when parts)" = "$before" ]
    run made parts SHARDS=0
    [[ $output == *"SHARDS is '0', expected a number of parts from 1 to 128"* ]]
}

@test "an edit of the known accuracies repeats the ranking, shards and all, and nothing before it" {
    copy_run calm edited
    cp "$BATS_FILE_TMPDIR/known.csv" "$BATS_TEST_TMPDIR/known.csv"
    judged() { # judged WORD...: make rankcorr with that table
        tiny_make "$@" RUN=edited THREADS=1 EXECUTOR=local \
            SET="uniform.steps=20 rankcorr.bootstrap=2 rankcorr.truth=$BATS_TEST_TMPDIR/known.csv"
    }
    judged rankcorr SHARDS=2
    h5dump -a inputs "$BATS_FILE_TMPDIR/results/edited/rankcorr.h5" |
        grep -q "known.csv sha256:$(sha256sum <"$BATS_TEST_TMPDIR/known.csv" | cut -d ' ' -f 1)"
    when=$(made_when edited)
    judged rankcorr SHARDS=2
    [ "$(made_when edited)" = "$when" ]
    before=$(digest "$BATS_FILE_TMPDIR/results/edited/rankcorr.h5")
    sleep 0.1
    sed -i '2s/.*/0000,1,1/' "$BATS_TEST_TMPDIR/known.csv"
    run judged rankcorr SHARDS=2
    echo "$output"
    [ "$status" = 0 ]
    [ "$(grep -c '^rankcorr/[12]of2: starts (newer: known.csv)' <<<"$output")" = 2 ]
    [ "$(grep -c ': starts' <<<"$output")" = 3 ]
    [ "$(digest "$BATS_FILE_TMPDIR/results/edited/rankcorr.h5")" != "$before" ]
}

# The vectors are in the artifact: every coefficient follows from them.
@test "every correlation is SciPy's of the stored scores, by stratum and with the truth" {
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import h5py, scipy.stats' 2>/dev/null || skip "$python has no h5py and scipy"
    "$python" - "$BATS_FILE_TMPDIR"/{rankcorr,recalibrated,known}.h5 <<'PYTHON'
import math, sys, warnings
import h5py, numpy
from scipy import stats

warnings.simplefilter("ignore")  # SciPy warns of constant input
compared = undefined = 0

def members(stratum, reference, feasible):
    n = len(reference)
    if stratum == "all":
        return numpy.ones(n, bool)
    if stratum == "feasible":
        return feasible
    return reference >= sorted(reference, reverse=True)[math.ceil(n / 5) - 1]

def check(file, group, value, reference, k, what):
    global compared, undefined
    sizes = file[group.rsplit("/", 2)[0] + "/stratum_size"] if "supernets" in group else None
    for s, stratum in enumerate(x.decode() for x in file["strata"]):
        of = members(stratum, reference, file["paths/feasible"][()] == 1)
        if sizes is not None and sizes[s] != of.sum():
            sys.exit(f"{what}: {stratum} has {sizes[s]} paths, expected {of.sum()}")
        theirs = (stats.kendalltau if "kendall" in group else stats.spearmanr)(value[of], reference[of])[0] \
            if of.sum() > 1 else math.nan
        ours, low, high = (file[group + e][s, k] for e in ("", "_low", "_high"))
        if math.isnan(ours) != math.isnan(theirs) or abs(ours - theirs) > 1e-12:
            sys.exit(f"{what}, {stratum}: {ours!r}, SciPy has {theirs!r}")
        if not math.isnan(ours) and not low <= high:
            sys.exit(f"{what}, {stratum}: interval {low!r} to {high!r}")
        compared += 1
        undefined += math.isnan(ours)

for name in sys.argv[1:]:
    file = h5py.File(name)
    paths = file["paths/paths"][()]
    if len(numpy.unique(paths, axis=0)) != 120 or list(map(tuple, paths)) != sorted(map(tuple, paths)):
        sys.exit(f"{name}: its paths are not 120 in order, each once")
    if (file["paths/feasible"][()] == 1).tolist() != (file["paths/flops"][()] <= 1e5).tolist():
        sys.exit(f"{name}: the feasible paths are not those within 1e5 FLOPs")
    names = [x.decode() for x in file["supernet_names"]]
    if names != ["random", "warmup", "greedy"]:
        sys.exit(f"{name}: {names}")
    known = "truth" in file
    if known:
        runs = {}
        for line in open(file["truth/file"][()].decode()).readlines()[1:]:
            path, *run = line.split(",")
            runs[tuple(map(int, path))] = [float(x) for x in run]
        runs = numpy.array([runs[tuple(p)] for p in paths])
        if (runs != file["truth/runs"][()]).any() or (runs.mean(axis=1) != file["truth/accuracy"][()]).any():
            sys.exit(f"{name}: other accuracies than those of the table")
        for m in "kendall", "spearman":
            check(file, f"truth/{m}", runs[:, 0], runs[:, 1], 0, f"{name}: one run and the other")
    for net in names:
        g = file["supernets/" + net]
        loss, accuracy, full = g["loss"][()], g["accuracy"][()], g["full_accuracy"][()]
        if g["images"][()].tolist() != [8, 20, 40] or loss.shape != (3, 120):
            sys.exit(f"{name}: {net} has {g['images'][()]}, {loss.shape}")
        if not ((accuracy * g["images"][()][:, None] + 1e-9) % 1 < 2e-9).all():
            sys.exit(f"{name}: {net}: accuracies that so many images cannot have")
        for m in "kendall", "spearman":
            for k in range(3):
                for by, value in ("by_loss", -loss[k]), ("by_accuracy", accuracy[k]):
                    check(file, f"supernets/{net}/{m}/{by}", value, full, k, f"{name}: {net} {by} {k}")
                    if known:
                        check(file, f"supernets/{net}/truth/{m}/{by}", value, runs.mean(axis=1), k,
                              f"{name}: {net} {by} {k} with the truth")
            if known:
                for by, value in ("by_loss", -g["full_loss"][()]), ("by_accuracy", full):
                    check(file, f"supernets/{net}/truth/{m}/{by}", value, runs.mean(axis=1), 3,
                          f"{name}: {net} {by}, all images, with the truth")
if compared < 200:
    sys.exit(f"compared {compared} correlations only")
PYTHON
}
