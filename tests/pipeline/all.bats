# make all: every artifact, and each cell of the tables, claim and figure against what the
# artifacts say. (What a run lacks is in tables.bats, the look of the page in report.bats.)
load tiny

searched=search_uniform,search_fairnas,search_uniform_e,search_fairnas_e
setup_file() {
    tiny_images
    # The known accuracies of all paths: the digits are the choices.
    perl -e 'print "path,accuracy,accuracy\n";
        for my $i (0 .. 624) {
            my @op = (int($i / 125), int($i / 25) % 5, int($i / 5) % 5, $i % 5);
            printf "%s,%d,%d\n", join("", @op), 90 - $op[0] - $op[2] % 2, 90 - $op[0] - $op[3];
        }' >"$BATS_FILE_TMPDIR/known.csv"
    short='supernet.steps=30 warmup.steps=10 uniform.steps=24 uniform.snapshot_steps=10'
    short="$short search.generations=2 retrain.epochs=1 evaluate.repetitions=2"
    short="$short retrain.networks=[found,random,largest,$searched] rankcorr.paths=60"
    short="$short rankcorr.bootstrap=20 rankcorr.truth=$BATS_FILE_TMPDIR/known.csv"
    tiny_make all RUN=all THREADS=1 SET="$short" >"$BATS_FILE_TMPDIR/all.err" 2>&1 ||
        { tail -n 20 "$BATS_FILE_TMPDIR/all.err" && false; }
}
setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    all=$BATS_FILE_TMPDIR/results/all
    tables=$all/tables figures=$all/figures
}

# The methods of Table 1: its name, its supernet, its search, its network.
methods() {
    cat <<'END'
random search:uniform:random:random
uniform sampling:uniform:search_uniform:search_uniform
FairNAS:fairnas:search_fairnas:search_fairnas
uniform sampling-E:uniform_e:search_uniform_e:search_uniform_e
FairNAS-E:fairnas_e:search_fairnas_e:search_fairnas_e
GreedyNAS:greedy:search:found
END
}

# as_expected TABLE FILE [N]: each cell is what the lines of the file say, to 9 digits. A row
# goes by its first N cells (1).
#   ROW|COLUMN|is|NUMBER      nan: an empty cell
#   ROW|COLUMN|share|P|N      100 P, and Wilson's interval of a share of N in the next two
as_expected() {
    awk -v keys="${3:-1}" '
        function check(column, expected, value) {
            value = cell[$1, at[column]]
            checked++
            if (expected == "nan" ? value == "" : value != "" &&
                (value - expected) ^ 2 <= (1e-8 * expected) ^ 2 + 1e-24) return
            print $1 ", " column ": \"" value "\", expected " expected
            wrong = 1
        }
        NR == FNR {
            n = split($0, field, ",")
            row = field[1]
            for (i = 2; i <= keys; i++) row = row "," field[i]
            for (i = 1; i <= n; i++) if (FNR == 1) at[field[i]] = i; else cell[row, i] = field[i]
            next
        }
        !($2 in at) { print "no column " $2; wrong = 1; next }
        $3 == "is" { check($2, $4) }
        $3 == "share" {
            z = 1.959963984540054; p = $4; n = $5; middle = (p + z ^ 2 / 2 / n) / (1 + z ^ 2 / n)
            half = z / (1 + z ^ 2 / n) * sqrt(p * (1 - p) / n + z ^ 2 / 4 / n ^ 2)
            check($2, 100 * p)
            check($2 " low", 100 * (middle - half))
            check($2 " high", 100 * (middle + half))
        }
        END {
            if (!checked) print "nothing was expected"
            exit wrong || !checked
        }' <(sed 's/"[^"]*"/quoted/g' "$tables/$1.csv") FS='|' "$2"
}

# read_into ARTIFACT ARRAY...: their numbers in the array v
read_into() { mapfile -t v < <(numbers "$@"); }

@test "it ends with tables, figures and a page, and no cell is missing" {
    for file in table{1,2,3,4}.{md,csv,tex}; do
        [ -s "$tables/$file" ]
    done
    for id in figure{2,3,4} curves front architecture; do
        grep -q '</svg>' "$figures/$id.svg"
        head -c 4 "$figures/$id.png" | grep -q PNG
    done
    [ -s "$all/report.html" ]
    run grep -rniE 'missing:|not there|not drawn|\(make ' "$tables" "$figures/captions.md" "$all/report.html"
    echo "$output"
    [ "$status" = 1 ]
}

@test "Table 1: what was found, tested and counted" {
    while IFS=: read -r method supernet search network; do
        read_into "$all/$search.h5" found/accuracy found/flops found/params
        echo "$method|validation (%)|share|${v[0]}|80"
        echo "$method|FLOPs (M)|is|${v[1]}e-6"
        echo "$method|params (M)|is|${v[2]}e-6"
        echo "$method|test (%)|share|$(number "$all/evaluate/$network.h5" top1)|80"
        before=0 scored=0
        if [ "$supernet" = greedy ]; then
            before=$(number "$all/warmup.h5" counters/optimization)
            scored=$(number "$all/greedy.h5" counters/evaluation)
        fi
        echo "$method|#optimization|is|$((before + $(number "$all/$supernet.h5" counters/optimization)))"
        echo "$method|#evaluation|is|$scored"
    done < <(methods) >"$BATS_TEST_TMPDIR/expected"
    # 30 steps of 32 images, 10 of them warm-up; 20 of 3 paths in 7 rounds of 6 on 40 images.
    cat >>"$BATS_TEST_TMPDIR/expected" <<END
GreedyNAS|#optimization|is|$((30 * 32))
GreedyNAS|#evaluation|is|$((7 * 6 * 40))
END
    as_expected table1 "$BATS_TEST_TMPDIR/expected"
}

@test "Table 1: the ratio is that of the times of an image, and corrects what is compared" {
    read_into "$all/greedy.h5" measured/train_seconds measured/score_seconds
    awk -v train="${v[0]}" -v score="${v[1]}" 'BEGIN {
        ratio = (train / (20 * 32)) / (score / (7 * 6 * 40))
        printf "GreedyNAS|ratio|is|%.17g\nGreedyNAS|corrected|is|%d\n", ratio, 960 + 1680 / ratio + 0.5
    }' >"$BATS_TEST_TMPDIR/expected"
    for method in uniform\ sampling{,-E} FairNAS{,-E} 'random search'; do
        echo "$method|ratio|is|nan"
        echo "$method|corrected|is|$(cell table1 "$method" '#optimization')"
    done >>"$BATS_TEST_TMPDIR/expected"
    as_expected table1 "$BATS_TEST_TMPDIR/expected"
    # -E: as many steps as greedy's cost pays.
    paid=$(cell table1 GreedyNAS corrected)
    [ "$(cell table1 'uniform sampling-E' corrected)" -le "$paid" ]
    [ "$(cell table1 'uniform sampling-E' corrected)" -gt $((paid - 33)) ]
}

@test "Table 2: each network that was tested, with its interval and its time" {
    networks=(found random largest ${searched//,/ })
    [ "$(grep -c '80 test images, here' "$tables/table2.csv")" = ${#networks[@]} ]
    for network in "${networks[@]}"; do
        case $network in
        found) row='found by the search' ;;
        random) row='best of random search' ;;
        largest) row='largest path' ;;
        *) row=$network ;;
        esac
        read_into "$all/evaluate/$network.h5" top1 top5 flops parameters
        echo "$row|Top-1 (%)|share|${v[0]}|80"
        echo "$row|Top-5 (%)|share|${v[1]}|80"
        echo "$row|FLOPs (M)|is|${v[2]}e-6"
        echo "$row|params (M)|is|${v[3]}e-6"
        for part in median low high; do
            is=" $part"
            echo "$row|latency (ms)${is/ median/}|is|$(number "$all/evaluate/$network.h5" measured/latency/$part)"
        done
    done >"$BATS_TEST_TMPDIR/expected"
    cat >>"$BATS_TEST_TMPDIR/expected" <<'END'
GreedyNAS-B|reported phone (ms)|is|110
FairNAS-A|reported phone (ms)|is|nan
MobileNetV2-1.0|reported phone (ms)|is|38
END
    as_expected table2 "$BATS_TEST_TMPDIR/expected"
    # It was not the same network all along.
    [ "$(grep -F 'params (M)' "$BATS_TEST_TMPDIR/expected" | cut -d '|' -f 4 | sort -u | grep -c .)" -gt 2 ]
}

# table3_of GROUP: for as_expected, the numbers that a group of rankcorr.h5 has for the rows
# of Table 3 whose first cells are the lines of stdin.
table3_of() {
    local group=$1 rows measure by end
    mapfile -t rows
    for measure in Kendall\ τ-b Spearman\ ρ; do
        for by in loss accuracy; do
            for end in '' ' low' ' high'; do
                numbers "$all/rankcorr.h5" \
                    "$group/$(tr KS ks <<<"${measure% *}")/by_$by${end/ /_}" >"$BATS_TEST_TMPDIR/numbers"
                [ "$(grep -c . "$BATS_TEST_TMPDIR/numbers")" = ${#rows[@]} ]
                printf "%s|$measure by $by$end|is\n" "${rows[@]}" | paste -d '|' - "$BATS_TEST_TMPDIR/numbers"
            done
        done
    done
}

@test "Table 3: every correlation that was computed, in its place" {
    for supernet in random uniform greedy; do
        printf "$supernet,%s,accuracy on all\n" {all,top20,feasible},{8,20,40} |
            table3_of supernets/$supernet
    done >"$BATS_TEST_TMPDIR/expected"
    [ "$(grep -c . "$BATS_TEST_TMPDIR/expected")" = $((3 * 3 * 3 * 12)) ]
    as_expected table3 "$BATS_TEST_TMPDIR/expected" 4
}

@test "Table 3: and those with the known accuracies, and of these with each other" {
    for supernet in random uniform greedy; do
        printf "$supernet,%s,known accuracy\n" {all,top20,feasible},{8,20,40,80} |
            table3_of supernets/$supernet/truth
    done >"$BATS_TEST_TMPDIR/expected"
    for end in '' ' low' ' high'; do
        for measure in Kendall\ τ-b Spearman\ ρ; do
            numbers "$all/rankcorr.h5" "truth/$(tr KS ks <<<"${measure% *}")${end/ /_}" >"$BATS_TEST_TMPDIR/numbers"
            printf "known run 1,%s,,known run 2|$measure by accuracy$end|is\n" all top20 feasible |
                paste -d '|' - "$BATS_TEST_TMPDIR/numbers"
        done
    done >>"$BATS_TEST_TMPDIR/expected"
    [ "$(grep -c . "$BATS_TEST_TMPDIR/expected")" = $((3 * 3 * 4 * 12 + 3 * 6)) ]
    as_expected table3 "$BATS_TEST_TMPDIR/expected" 4
    # Nothing else is in the table but its head.
    [ "$(grep -c . "$tables/table3.csv")" = $((1 + 3 * 3 * 3 + 3 * 3 * 4 + 3)) ]
}

@test "Table 4: the parts that are on, and what the variants are" {
    while IFS=: read -r net switches supernet search; do
        [ "$(grep "^$net," "$tables/table4.csv" | cut -d, -f 2-5)" = "$switches" ]
        read_into "$all/$search.h5" found/accuracy found/flops
        echo "$net|validation (%)|share|${v[0]}|80"
        echo "$net|FLOPs (M)|is|${v[1]}e-6"
        before=$((10 * 32))
        [ "$net" != net1 ] || before=0
        echo "$net|#optimization|is|$((before + $(number "$all/$supernet.h5" counters/optimization)))"
    done <<'END' >"$BATS_TEST_TMPDIR/expected"
net1:no,no,no,no:uniform:search_uniform
net2:yes,no,no,no:ablation/net2/greedy:ablation/net2/search
net3:no,yes,no,no:ablation/net3/greedy:ablation/net3/search
net4:yes,yes,no,no:ablation/net4/greedy:ablation/net4/search
net5:yes,yes,yes,no:greedy:ablation/net5/search
net6:yes,yes,yes,yes:greedy:search
END
    as_expected table4 "$BATS_TEST_TMPDIR/expected"
}

@test "the claims have the numbers of the tables" {
    claims=$(sed -n 's/^<li class="\(says\|limit\)">//p' "$all/report.html")
    echo "$claims"
    # by TABLE ROW COLUMN DECIMALS: rounded, with the interval
    by() {
        LC_ALL=C printf "%.$4f %%? ?\\(%.$4f to %.$4f\\)" "$(cell "$1" "$2" "$3")" \
            "$(cell "$1" "$2" "$3 low")" "$(cell "$1" "$2" "$3 high")"
    }
    found=$(cell table1 GreedyNAS 'test (%)') random=$(cell table1 'random search' 'test (%)')
    grep -qE "^Trained from scratch, the found network has $(by table1 GreedyNAS 'test (%)' 2) of 80 test images right" <<<"$claims"
    grep -qE "^The found network has $(awk -v a="$found" -v b="$random" 'BEGIN {
        printf "%.2f points %s", a < b ? b - a : a - b, a < b ? "less" : "more" }') of the test images right than the best of random search" <<<"$claims"
    grep -qE "best has $(by table1 GreedyNAS 'validation (%)' 2) of 80 validation images right" <<<"$claims"
    for supernet in uniform greedy; do
        grep -qE "on 8 validation images agrees .* Kendall τ-b of $(by table3 "$supernet,all,8" 'Kendall τ-b by loss' 3) on the $supernet supernet" <<<"$claims"
    done
    corrected=$(cell table1 GreedyNAS corrected)
    grep -q "^Greedy training took 960 images through training and 1,680 through scoring; at a measured ratio of $(printf %.2f "$(cell table1 GreedyNAS ratio)") that costs as much as training on $(sed 's/\(.*\)\(...\)$/\1,\2/; s/^,//' <<<"$corrected") images" <<<"$claims"
    percent=$(awk -v a="$corrected" 'BEGIN { printf "%.0f", 100 * a / (24 * 32) }')
    grep -qE "^Uniform training of the whole budget took 768 images: greedy cost ($percent|$((percent - 1))|$((percent + 1))) % of it" <<<"$claims"
}

@test "Figure 2 is this run's, and worked by hand" {
    # 6 paths, at least 3 good of them, q = 0.6: 1 - 0.4^6 - 6 0.6 0.4^5 - 15 0.36 0.4^4
    [ "$(awk -F, '$1 == 3 { print $4 }' "$figures/figure2.csv")" = 0.820800 ]
    [ "$(awk -F, '$1 == 6 { print $4 }' "$figures/figure2_paths.csv")" = 0.820800 ]
    [ "$(tail -n 1 "$figures/figure2_run.csv")" = 6,3 ]
}

@test "Figure 3: the shares are those of the judged paths, counted" {
    header=$(head -n 1 "$figures/figure3.csv")
    [ "$header" = 'accuracy,GreedyNAS,uniform,FairNAS,random search' ]
    column=2
    for search in search search_uniform search_fairnas random; do
        numbers "$all/$search.h5" evaluated/accuracy >"$BATS_TEST_TMPDIR/accuracy"
        # The images are 80: a bin is some of the accuracies that they can give, and the
        # first one's lowest is the lowest of all.
        awk -F, -v c=$column '
            NR == FNR { if (FNR > 1) { middle[++n] = $1; share[n] = $c } next }
            { right[++m] = int(80 * $1 + 0.5) }
            END {
                each = (middle[2] - middle[1]) * 0.8
                first = middle[1] * 0.8 - each / 2 + 0.5
                if ((each - int(each + 0.5)) ^ 2 + (first - int(first + 0.5)) ^ 2 > 1e-8) {
                    print each " accuracies in a bin, from " first " images right on"
                    exit 1
                }
                for (i = 1; i <= m; i++) seen[int((right[i] - first) / each + 1e-6) + 1]++
                for (b = 1; b <= n; b++) {
                    if ((share[b] - 100 * seen[b] / m) ^ 2 > 1e-6) {
                        print "bin " b ": " share[b] ", expected " 100 * seen[b] / m
                        exit 1
                    }
                    total += seen[b]
                }
                exit total != m
            }' "$figures/figure3.csv" "$BATS_TEST_TMPDIR/accuracy"
        mean=$(awk '{ sum += $1 } END { printf "%d paths, mean %.2f %%", NR, 100 * sum / NR }' "$BATS_TEST_TMPDIR/accuracy")
        grep -q "$mean" "$figures/captions.md"
        column=$((column + 1))
    done
}

@test "Figure 4 has the correlations by loss on every number of images" {
    [ "$(head -n 1 "$figures/figure4.csv")" = images,random,low,high,uniform,low,high,greedy,low,high ]
    {
        printf '%s\n' 8 20 40
        for supernet in random uniform greedy; do
            for part in '' _low _high; do
                # The first of the strata is all.
                numbers "$all/rankcorr.h5" "supernets/$supernet/kendall/by_loss$part" | head -n 3
            done
        done
    } >"$BATS_TEST_TMPDIR/expected"
    awk -F, 'NR == FNR { value[++n] = $1; next }
        FNR > 1 { for (c = 1; c <= NF; c++) {
            wrong += (value[3 * (c - 1) + FNR - 1] - $c) ^ 2 > 1e-14; seen++ } }
        END { print seen " numbers, " wrong " wrong"; exit seen != 30 || wrong }' \
        "$BATS_TEST_TMPDIR/expected" "$figures/figure4.csv"
}

@test "Figure 4 below: over uniform training to its end, on the images that greedy scores on" {
    [ "$(cut -d, -f 1 "$figures/figure4_steps.csv" | paste -s -d ' ')" = 'step 10 20 24' ]
    for supernet in uniform@10 uniform@20 uniform; do
        for by in loss accuracy; do
            for part in '' _low _high; do
                # All paths on 40 images: the third.
                numbers "$all/rankcorr.h5" "supernets/$supernet/kendall/by_$by$part" | sed -n 3p
            done
        done
    done >"$BATS_TEST_TMPDIR/expected"
    sed 1d "$figures/figure4_steps.csv" | cut -d, -f 2- | tr ',' '\n' | paste -d ' ' - "$BATS_TEST_TMPDIR/expected" |
        awk '{ print; wrong += ($1 - $2) ^ 2 > 1e-14 } END { exit NR != 18 || wrong }'
    grep -q 'Below: by loss and by accuracy on 40 images, over uniform training: 3 points from step 10 to its end at 24\.' "$figures/captions.md"
}

@test "Figure 4 says what it was made from: paths, images, weights" {
    weights="random (0 steps)"
    for supernet in uniform:24 greedy:30; do
        short=$(digest "$all/${supernet%:*}.h5" | sed 's/sha256://; s/^\(.\{12\}\).*/\1/')
        weights="$weights, ${supernet%:*} ($short, ${supernet#*:} steps)"
    done
    grep -q "^Top: Kendall .* of 60 random paths by their loss .* accuracy on all 80, on several supernets' weights: $weights\. .*(20 resamples of the paths)" "$figures/captions.md"
    grep -q "Made from rankcorr.h5 ([0-9a-f]*, seed 7)" "$figures/captions.md"
}

@test "tables and report again: the same bytes, and no stage is run" {
    before=$(cd "$all" && find . -name '*.h5' -o -name '*.status.yaml' | sort | xargs stat -c '%n %y')
    copy_run all first
    tiny_make tables RUN=all
    tiny_make report RUN=all
    [ "$(cd "$all" && find . -name '*.h5' -o -name '*.status.yaml' | sort | xargs stat -c '%n %y')" = "$before" ]
    diff -r "$all/tables" "$BATS_FILE_TMPDIR/results/first/tables"
    cmp "$all/report.html" "$BATS_FILE_TMPDIR/results/first/report.html"
    [[ $(cat "$BATS_FILE_TMPDIR/all.err") == *": starts"* ]]
}
