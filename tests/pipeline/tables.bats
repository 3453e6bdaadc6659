# make tables: the paper's tables and figures from a run's artifacts, whatever is there.
load tiny

setup_file() {
    tiny_images
    tiny_make search RUN=one >/dev/null 2>&1
    tiny_make tables RUN=one >/dev/null 2>"$BATS_FILE_TMPDIR/one.err"
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    command -v gnuplot >/dev/null || skip "no gnuplot"
    results=$BATS_FILE_TMPDIR/results
    tables=$results/one/tables
    figures=$results/one/figures
}

@test "Table 1 has the images that were trained on and scored, as counted by hand" {
    # 60 steps of 32 images. 20 were warm-up; the other 40 train 3 paths a round, so 14
    # rounds, each of 6 paths on 40 images.
    [ "$(cell table1 GreedyNAS '#optimization')" = $((60 * 32)) ]
    [ "$(cell table1 GreedyNAS '#evaluation')" = $((14 * 6 * 40)) ]
    ratio=$(cell table1 GreedyNAS ratio)
    corrected=$(cell table1 GreedyNAS corrected)
    awk -v ratio="$ratio" -v corrected="$corrected" 'BEGIN {
        difference = corrected - (1920 + 3360 / ratio)
        exit !(ratio > 0 && difference <= 0.51 && difference >= -0.51)
    }'
}

@test "the accuracy, FLOPs and parameters in Table 1 are those that the search printed" {
    "$BUILD"/search --show="$results/one/search.h5" >"$BATS_TEST_TMPDIR/shown"
    accuracy=$(awk '/^validation accuracy/ { print $6 }' "$BATS_TEST_TMPDIR/shown")
    flops=$(awk '/^FLOPs/ { print $3 }' "$BATS_TEST_TMPDIR/shown")
    params=$(awk '/^parameters/ { print $2 }' "$BATS_TEST_TMPDIR/shown")
    grep -q "^| GreedyNAS | $accuracy \[.*\] | $flops | $params |" "$tables/table1.md"
}

# 4 classes of 20 validation images; the 200 images of BN's statistics judge nothing.
@test "an accuracy's interval is Wilson's for the images that judged" {
    awk -F '[][ ,|]+' '$2 == "GreedyNAS" {
        p = $3 / 100; n = 80; z = 1.959964; low = $4 / 100; high = $5 / 100
        middle = (p + z ^ 2 / 2 / n) / (1 + z ^ 2 / n)
        half = z / (1 + z ^ 2 / n) * sqrt(p * (1 - p) / n + z ^ 2 / 4 / n ^ 2)
        print p, low, high, "expected", middle - half, middle + half
        good = low - middle + half < 6e-5 && middle - half - low < 6e-5 &&
            high - middle - half < 6e-5 && middle + half - high < 6e-5
    } END { exit !good }' "$tables/table1.md"
}

@test "a cell whose artifact is not there names the target that makes it" {
    grep -q '^| uniform sampling | missing: make search\\_uniform | .* | missing: make uniform | ' "$tables/table1.md"
    grep -q '^found by the search,missing: make evaluate NET=found,' "$tables/table2.csv"
    grep -q '^missing: make rankcorr &' "$tables/table3.tex"
    grep -q '^| net4 | .* missing: make ablation |' "$tables/table4.md"
}

@test "a caption tells the artifacts by digest and seed, and what is missing" {
    seed=$(sed -n "s/^seed: //p" tests/pipeline/tiny.yaml)
    short=$(digest "$results/one/greedy.h5" | sed 's/sha256://; s/^\(.\{12\}\).*/\1/')
    [ ${#short} = 12 ]
    grep -q "greedy.h5 ($short, seed $seed)" "$tables/table1.md"
    grep -q "Not there: .*uniform.h5 (make uniform)" "$tables/table1.md"
    grep -q "greedy.h5 ($short, seed $seed)" "$figures/captions.md"
}

@test "every figure that has something to show is drawn, twice" {
    for id in figure2 figure3 curves front architecture; do
        head -c 4 "$figures/$id.png" | grep -q PNG
        grep -q '</svg>' "$figures/$id.svg"
        grep -q "($id.svg)" "$figures/captions.md"
    done
    [ ! -e "$figures/figure4.svg" ]
    [ -z "$(grep 'figure4.svg' "$figures/captions.md")" ]
    grep -q 'Not there: rankcorr.h5 (make rankcorr)' "$figures/captions.md"
    [ -z "$(find "$figures" -name '*.tmp')" ]
}

@test "Figure 2 has the chance of Theorem 1, worked by hand" {
    # 6 paths, at least 3 good of them, q = 0.6: 1 - 0.4^6 - 6 0.6 0.4^5 - 15 0.36 0.4^4
    [ "$(awk -F, '$1 == 3 { print $4 }' "$figures/figure2.csv")" = 0.820800 ]
}

@test "Figure 3's shares are of all the paths that were judged" {
    awk -F, 'NR > 1 { sum += $2 } END { exit !(sum > 99.99 && sum < 100.01) }' "$figures/figure3.csv"
}

@test "the last front is the one that the search printed" {
    "$BUILD"/search --show="$results/one/search.h5" |
        awk '/^ accuracy/ { on = 1; next } on && NF == 0 { exit } on { print $3, $1 }' \
            >"$BATS_TEST_TMPDIR/expected"
    [ "$(grep -c . "$BATS_TEST_TMPDIR/expected")" -gt 0 ]
    awk -F, '/^generation/ { n = 0; next } NF == 2 { line[n++] = sprintf("%.3f %.2f", $1, $2) }
        END { for (i = 0; i < n; i++) print line[i] }' "$figures/front_steps.csv" |
        diff - "$BATS_TEST_TMPDIR/expected"
}

@test "the drawing has the tokens of the found path in order" {
    tokens=$("$BUILD"/search --show="$results/one/search.h5" | sed -n 's/^architecture *//p')
    [ "$(awk -F, 'NR > 1 && $3 > 0 { printf "%s%s", space, $1; space = " " }' \
        "$figures/architecture.csv")" = "$tokens" ]
}

@test "the drawing says expansion and squeeze-and-excitation, as the tokens do" {
    awk -F, 'NR > 1 && $3 > 0 {
        split($1, part, "e")
        good = $1 == "id" ? $8 == 0 && $9 == 0 : $8 == part[2] + 0 && $9 == ($1 ~ /s$/)
        if (!good) { print; exit 1 }
        seen++
    } END { exit !seen }' "$figures/architecture.csv"
}

@test "nothing is run again, and the images are not needed" {
    copy_run one alone
    before=$(made_when alone)
    rm -rf "$results/alone"/{tables,figures}
    mv "$BATS_FILE_TMPDIR/data" "$BATS_FILE_TMPDIR/data.away"
    run tiny_make tables RUN=alone
    mv "$BATS_FILE_TMPDIR/data.away" "$BATS_FILE_TMPDIR/data"
    [ "$status" = 0 ]
    [ "$(made_when alone)" = "$before" ]
    diff -r "$results/alone/tables" "$tables"
    for file in "$figures"/*.csv "$figures"/*.svg; do
        cmp "$file" "$results/alone/figures/${file##*/}"
    done
}

@test "warm-up alone is enough, and what was drawn of artifacts that went is gone" {
    copy_run one warm
    rm "$results/warm"/{greedy,search}.h5
    run tiny_make tables RUN=warm
    [ "$status" = 0 ]
    grep -q '^| GreedyNAS | missing: make search ' "$results/warm/tables/table1.md"
    [ -s "$results/warm/figures/curves.svg" ]
    [ ! -e "$results/warm/figures/curves_rounds.csv" ]
    [ ! -e "$results/warm/figures/front.svg" ]
    [ ! -e "$results/warm/figures/front.csv" ]
    grep -q 'warmup.h5 (.*)\. Not there: greedy.h5 (make greedy)' "$results/warm/figures/captions.md"
}

@test "a figure that cannot be drawn leaves the others and the tables; its old picture goes" {
    copy_run one odd
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\ncase "$*" in *front.gp) exit 1 ;; esac\nexec %s "$@"\n' \
        "$(command -v gnuplot)" >"$BATS_TEST_TMPDIR/bin/gnuplot"
    chmod +x "$BATS_TEST_TMPDIR/bin/gnuplot"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH run tiny_make report RUN=odd
    echo "$output"
    [ "$status" != 0 ]
    [[ $output == *"report: gnuplot failed on stages/paper/front.gp, so there is no front.svg"* ]]
    [ ! -e "$results/odd/figures/front.svg" ]
    [ -s "$results/odd/figures/curves.svg" ]
    [ -s "$results/odd/tables/table1.md" ]
    grep -q '<figure id="front">' "$results/odd/report.html"
}

# A rankcorr.h5 whose correlations are all NaN, which h5py makes of any.
@test "a ranking without a single correlation is no figure, and no error" {
    python3=/usr/bin/python3
    "$python3" -c 'import h5py' || skip "no h5py"
    copy_run one none
    "$BUILD/config" --config=tests/pipeline/tiny.yaml --stage=rankcorr --out="$results/none/rankcorr.yaml" \
        --set='rankcorr.paths=2 rankcorr.images=[8] rankcorr.bootstrap=2'
    "$BUILD/rankcorr" --config="$results/none/rankcorr.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        --in="$results/none/greedy.h5" --out="$results/none/rankcorr.h5" --quiet
    "$python3" - "$results/none/rankcorr.h5" <<'PYTHON'
import math, sys, h5py
def spoil(name, thing):
    if "/kendall/" in name:
        thing[...] = math.nan
with h5py.File(sys.argv[1], "r+") as file:
    file.visititems(lambda name, thing: spoil(name, thing) if isinstance(thing, h5py.Dataset) else None)
PYTHON
    run tiny_make tables RUN=none
    echo "$output"
    [ "$status" = 0 ]
    [ ! -e "$results/none/figures/figure4.csv" ]
    [ -s "$results/none/figures/curves.svg" ]
    sed -i 's/images: \[8\]/images: [81, 500]/' "$results/none/rankcorr.yaml"
    run "$BUILD/rankcorr" --config="$results/none/rankcorr.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        --in="$results/none/greedy.h5" --out="$results/none/rankcorr.h5" --quiet
    [ "$status" = 1 ]
    [[ $output == *"rankcorr.images: 81 is the fewest, but the images that judge are 80; "* ]]
}

@test "a run that is not there is named, and no folder is made for it" {
    run tiny_make tables RUN=typo
    [ "$status" = 2 ]
    [[ $output == *"tables: there is no run 'typo' in '$results'"* ]]
    [ ! -e "$results/typo" ]
}

@test "an artifact that is damaged is named" {
    copy_run one damaged
    : >"$results/damaged/search.h5"
    run tiny_make tables RUN=damaged
    [ "$status" = 2 ]
    [[ $output == *"report: '$results/damaged/search.h5' is empty, expected an HDF5 file"* ]]
}

@test "a published network's file that cannot be read is a row that says so, and the rest is there" {
    sed 's/^  name:/  nam:/' configs/zoo/scarlet-b.yaml >"$BATS_TEST_TMPDIR/broken.yaml"
    run "$BUILD/report" --run="$results/one" --tables="$BATS_TEST_TMPDIR/tables" --network=/nowhere/gone.yaml \
        --network="$BATS_TEST_TMPDIR/broken.yaml" --network=configs/zoo/scarlet-a.yaml
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"/nowhere/gone.yaml is left out of Table 2: "* ]]
    grep -q '^gone.yaml,"\{0,1\}not read: .*/nowhere/gone.yaml' "$BATS_TEST_TMPDIR/tables/table2.csv"
    grep -q "^broken.yaml,.*not read: .*broken.yaml:2:1: network.name: is missing" \
        "$BATS_TEST_TMPDIR/tables/table2.csv"
    grep -q '^SCARLET-A,.*,118$' "$BATS_TEST_TMPDIR/tables/table2.csv"
}

@test "a known-accuracy table or an input elsewhere that is gone or damaged is said to be unchecked" {
    copy_run one lost
    cp "$results/one/greedy.h5" "$BATS_TEST_TMPDIR/other.h5"
    printf 'path,accuracy\n0000,1\n1111,2\n2222,4\n3333,3\n' >"$BATS_TEST_TMPDIR/known.csv"
    "$BUILD/config" --config=tests/pipeline/tiny.yaml --stage=rankcorr --out="$results/lost/rankcorr.yaml" \
        --set="rankcorr.images=[8] rankcorr.bootstrap=2 rankcorr.truth=$BATS_TEST_TMPDIR/known.csv"
    "$BUILD/rankcorr" --config="$results/lost/rankcorr.yaml" --data="$BATS_FILE_TMPDIR/data/tiny.h5" \
        --in="$BATS_TEST_TMPDIR/other.h5" --out="$results/lost/rankcorr.h5" --quiet
    rm "$BATS_TEST_TMPDIR/known.csv"
    echo damaged >"$BATS_TEST_TMPDIR/other.h5"
    run tiny_make report RUN=lost
    echo "$output"
    [ "$status" = 0 ]
    grep -q '^<li class="limit">Inputs elsewhere, not checked: .*other.h5.*known.csv' "$results/lost/report.html"
    [ -s "$results/lost/tables/table3.md" ]
}

@test "the pictures are well-formed, and every label is in them" {
    python3=/usr/bin/python3
    [ -x "$python3" ] || skip "no $python3"
    "$python3" - "$figures" <<'PYTHON'
import sys, xml.dom.minidom
labels = {
    "figure2": ["good paths wanted, k", "paths drawn, m (k = m/2)", "q = 60 %"],
    "figure3": ["validation accuracy on the supernet (%)", "GreedyNAS"],
    "curves": ["training loss (nats)", "turnover", "ε", "pool"],
    "front": ["FLOPs (millions of multiply-adds)", "generation 0", "generation 3", "found"],
    "architecture": ["conv 3x3", "pool fc", "8×8×8"],
}
for name, wanted in labels.items():
    picture = xml.dom.minidom.parse(f"{sys.argv[1]}/{name}.svg")
    def text(node):
        return "".join(text(n) if n.childNodes else (n.data if n.nodeType == n.TEXT_NODE else "")
                       for n in node.childNodes)
    found = [text(node).strip() for node in picture.getElementsByTagName("text")]
    for label in wanted:
        if label not in found:
            sys.exit(f"{name}.svg has no '{label}', only {found}")
PYTHON
}
