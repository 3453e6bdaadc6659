# efficiency: what it makes of records, submissions, and an accounting that may be away.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    results=$BATS_TEST_TMPDIR/results
    mkdir -p "$results/x/jobs/greedy" "$BATS_TEST_TMPDIR/bin"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    stand_in sacct 'echo "Slurm accounting storage is disabled" >&2; exit 1'
    # 30 minutes in which 45 minutes of processor time went by; 512 MiB.
    cat >"$results/x/greedy.status.yaml" <<'END'
state: "complete"
elapsed_seconds: 1800
cpu_seconds: 2700
peak_bytes: 536870912
threads: 2
END
}
stand_in() { # stand_in NAME BODY
    printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
    chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}
submitted() {
    printf '%s\n' --parsable --cpus-per-task=3 --mem=2G --time=1-00:00:00 \
        >"$results/x/jobs/greedy/options"
    echo 1235 >"$results/x/jobs/greedy/id"
}
efficiency() { slurm/efficiency --results="$results" --run=x; }

@test "without a job: processors of the threads, memory, time" {
    run efficiency
    [ "$status" = 0 ]
    [ "$output" = "run x
greedy (complete)
  processors  1.50 busy of 2 threads (75 %)
  memory      512 MiB at most
  time        30m 00s" ]
}

@test "with a job: of what was asked for; and why there is no accounting" {
    submitted
    run efficiency
    [ "$output" = "run x
greedy (complete, job 1235)
  processors  1.50 busy of 3 asked for (50 %)
  memory      512 MiB at most of 2G asked for (25 %)
  time        30m 00s of 1-00:00:00 asked for (2 %)
Slurm's accounting is not shown: Slurm accounting storage is disabled" ]
}

@test "an accounting that answers: its own time, the most of its steps' memory" {
    submitted
    stand_in sacct 'echo "1235|00:45:01|"; echo "1235.batch|00:00:01|9000K"; echo "1235.0|00:45:00|600M"; echo "12356|1|7G"'
    run efficiency
    [ "${lines[5]}" = "  by Slurm    processor time 00:45:01, memory 600M at most" ]
    [ "${#lines[@]}" = 6 ]
}

@test "an accounting that hangs is given up, and the rest is shown" {
    submitted
    stand_in sacct 'exec sleep 100'
    # The real one waits for eight seconds.
    stand_in timeout 'shift; exec /usr/bin/timeout 0.2 "$@"'
    run efficiency
    [ "$status" = 0 ]
    [[ $output == *"time        30m 00s of "* ]]
    [[ $output == *"is not shown: sacct did not answer in 8 seconds" ]]
}

@test "a record that an older build has left, and a run that there is not" {
    sed -i '/cpu_seconds/d' "$results/x/greedy.status.yaml"
    run efficiency
    [[ $output == *"an older build has left no record of what it used" ]]
    run slurm/efficiency --results="$results" --run=y
    [ "$status" = 2 ]
    [ "$output" = "efficiency: there is no run 'y' in '$results'" ]
}
