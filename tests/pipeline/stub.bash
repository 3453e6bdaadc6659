# stub.bash - a run before a Slurm of one file (tests/slurm/stub): no build, no cluster, and
# each stage is a script of three lines.
setup() {
    [[ ${BUILD:-} != */san ]] || skip "nothing that was compiled runs here"
    cd "$BATS_TEST_DIRNAME/../.."
    export STUB=$BATS_TEST_TMPDIR/stub PATH=$PWD/tests/slurm/stub:$PATH
    export GREEDYNAS_SLURM_SECONDS=2
    unset MAKEFLAGS "${!SLURM@}" "${!SBATCH@}" GREEDYNAS_JOB
    export GREEDYNAS_SITE=/nowhere
    run=$BATS_TEST_TMPDIR/results/r
    mkdir -p "$STUB" "$run" "$BATS_TEST_TMPDIR/bin"
    : >"$STUB/queue"
    : >"$STUB/calls"
    program=$BATS_TEST_TMPDIR/bin/greedy
    stage_does 'echo made >"$out"'
    for name in warmup greedy search; do
        printf 'seed: 1\ncheckpoint:\n  seconds: 5\n' >"$run/$name.yaml"
    done
    echo images >"$run/data.h5"
}

# stage_does COMMAND: what the stage's program is.
stage_does() {
    printf '#!/bin/sh\nfor a; do case $a in --out=*) out=${a#*=};; esac; done\n%s\n' "$1" >"$program"
    chmod +x "$program"
}
# stage NAME [IN]: the words of its command; one in a folder has warmup's settings
stage() {
    mkdir -p "$(dirname "$run/$1")"
    [ -e "$run/$1.yaml" ] || cp "$run/warmup.yaml" "$run/$1.yaml"
    echo "$program --config=$run/$1.yaml --data=$run/data.h5 ${2:+--in=$run/$2.h5} --out=$run/$1.h5"
}
submit() { # submit NAME [IN]
    slurm/submit --run="$run" --because=test -- $(stage "$@")
}
# job ID NAME: the batch script of that submission, as Slurm would start it
job() {
    env SLURM_JOB_ID="$1" "$run/jobs/$2/job" "$run/jobs/$2" "0:$run/$2"
}
submitted() { grep -c '^sbatch' "$STUB/calls"; }
queue_state() { sed -i "s/^$1|[A-Z]*|/$1|$2|/" "$STUB/queue"; }

members() { # members NAME...: a group's file
    for name; do
        cp "$run/warmup.yaml" "$run/$name.yaml"
        stage "$name"
    done >"$run/many.members"
    echo --members="$run/many.members"
}
