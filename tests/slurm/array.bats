# A group as a job array: what failed is submitted again index by index, and what needs all
# of the members waits for them, or ends.
load cluster

setup_file() { cluster_up || [ -n "$no_cluster" ]; }
teardown_file() { cluster_down; }

# Members are stand-ins of stages: each notes its run, and makes its artifact unless a file
# says that it is spoilt.
setup() {
    need_cluster
    cd "$BATS_TEST_DIRNAME/../.."
    run=$BATS_TEST_TMPDIR/results/x
    mkdir -p "$run"
    cat >"$BATS_TEST_TMPDIR/member" <<'END'
#!/bin/sh
for argument; do
    case $argument in
    --out=*) out=${argument#*=} ;;
    esac
done
echo ran >>"${out%.h5}.runs"
[ ! -e "${out%.h5}.spoilt" ] || exit 1
echo made >"$out"
END
    chmod +x "$BATS_TEST_TMPDIR/member"
    export GREEDYNAS_JOB='cpus=1 memory=100M time=0:05:00' GREEDYNAS_SITE=none
}
# settings NAME: a settings file that is older than any artifact.
settings() {
    mkdir -p "$(dirname "$run/$1")"
    echo "seed: 1" >"$run/$1.yaml"
    touch -d '-1 hour' "$run/$1.yaml"
}
# The file of a group of five, and its submission.
members() {
    for i in 1 2 3 4 5; do
        settings many/$i
        echo "$BATS_TEST_TMPDIR/member --config=$run/many/$i.yaml --out=$run/many/$i.h5"
    done >"$run/many.members"
}
submit_members() { slurm/submit --run="$run" --because='not made yet' --members="$run/many.members"; }
submit_merge() {
    settings merged
    local in=()
    for i in 1 2 3 4 5; do
        in+=(--in="$run/many/$i.h5")
    done
    slurm/submit --run="$run" --because='not made yet' -- "$BATS_TEST_TMPDIR/member" \
        --config="$run/merged.yaml" "${in[@]}" --out="$run/merged.h5"
}
runs() { for i in 1 2 3 4 5; do wc -l <"$run/many/$i.runs"; done | paste -s -d ' '; }
# One that fails between does not keep the others from running.
teardown() { [ -n "$no_cluster" ] || scontrol update partitionname=main state=up; }
idle() { [ -z "$(squeue -h)" ]; }

@test "of an array with two failed members only these two run again, then what needs all" {
    members
    touch "$run/many/2.spoilt" "$run/many/4.spoilt"
    scontrol update partitionname=main state=down # until what waits for them is there too
    run submit_members
    [[ $output == *"many: submitted as "*" [1,2,3,4,5] "* ]]
    run submit_merge
    [[ $output == *"merged: submitted as "*", after "* ]]
    scontrol update partitionname=main state=up
    wait_for idle
    # Each was tried once: a stage that fails for a reason of its own is not tried again.
    [ "$(runs)" = "1 1 1 1 1" ]
    [ "$(cd "$run/many" && echo *.h5)" = "1.h5 3.h5 5.h5" ]
    [ ! -e "$run/merged.h5" ]
    run slurm/status --results="$BATS_TEST_TMPDIR/results" --run=x
    echo "$output"
    [ "$(grep -c '^  many/[24] *failed ' <<<"$output")" = 2 ]
    [ "$(grep -c '^  many/[135] *complete ' <<<"$output")" = 3 ]

    rm "$run"/many/*.spoilt
    run submit_members
    [[ $output == *"many: submitted as "*" [2,4] "* ]]
    run submit_merge
    wait_for made_here merged
    [ "$(runs)" = "1 2 1 2 1" ]
    run submit_members
    [ -z "$output" ]
}
made_here() { [ -e "$run/$1.h5" ]; }

@test "members that are in the queue are left there, one by one" {
    scontrol update partitionname=main state=down
    members
    submit_members
    run submit_members
    echo "$output"
    for i in 1 2 3 4 5; do
        [[ $output == *"many/$i already queued as "*"_$i (pending)"* ]]
    done
    [ "$(squeue -h -r | wc -l)" = 5 ]
    # One of them is taken out, and comes back alone.
    scancel "$(cat "$run/jobs/many/id" 2>/dev/null || squeue -h -r -o %i | grep '_3$')"
    run submit_members
    [[ $output == *"many: submitted as "*" [3] "* ]]
    squeue -h -r -o %i | xargs scancel
    scontrol update partitionname=main state=up
}
