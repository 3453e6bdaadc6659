# slurm/submit, and the commands that look after a run, before a Slurm that does what a test
# wants of it.
load stub

@test "a chain: each job waits for those that make its inputs, and never for one that failed" {
    submit warmup
    submit greedy warmup
    run cat "$STUB/queue"
    [[ ${lines[1]} == "102|PENDING|Dependency||afterok:101|greedy.r."* ]]
    grep -q '^sbatch --dependency=afterok:101 --kill-on-invalid-dep=yes' "$STUB/calls"
}

@test "typed again, nothing is submitted twice; nor by several shells at once" {
    for _ in 1 2 3 4; do submit warmup & done
    wait
    [ "$(submitted)" = 1 ]
    run submit warmup
    [ "$status" = 0 ]
    [ "$output" = "warmup: already queued as 101 (pending)" ]
}

@test "what is in the queue with other settings is refused; a checkpoint's period is none" {
    submit warmup
    sed -i 's/seconds: 5/seconds: 6/' "$run/warmup.yaml"
    submit warmup
    sed -i 's/seed: 1/seed: 2/' "$run/warmup.yaml"
    run submit warmup
    [ "$status" = 1 ]
    [[ $output == "warmup: '$run/warmup.h5' is in the queue as 101 with other settings; "* ]]
    [ "$(submitted)" = 1 ]
}

@test "what runs is what was submitted: program and settings of that moment" {
    submit warmup
    stage_does 'echo rebuilt >"$out"'
    echo 'seed: 2' >"$run/warmup.yaml"
    run job 101 warmup
    [ "$status" = 0 ]
    [ "$(cat "$run/warmup.h5")" = made ]
    grep -q 'seed: 1' "$run/made/warmup.yaml"
}

@test "an old artifact is moved aside, and comes back when nothing was submitted" {
    echo old >"$run/warmup.h5"
    touch -d '-1 hour' "$run/warmup.h5"
    echo sbatch >"$STUB/fail"
    run submit warmup
    [ "$status" = 1 ]
    [[ $output == "warmup: sbatch did not take it: "*"Unable to contact slurm controller"* ]]
    [ "$(cat "$run/warmup.h5")" = old ]
    rm "$STUB/fail"
    submit warmup
    [ ! -e "$run/warmup.h5" ]
    [ "$(cat "$run/warmup.old.h5")" = old ]
    slurm/cancel --results="$BATS_TEST_TMPDIR/results" --run=r
    [ "$(cat "$run/warmup.h5")" = old ]
    [ ! -s "$STUB/queue" ]
}

@test "an artifact that a job in the queue is to read is not made anew under its hands" {
    echo old >"$run/warmup.h5"
    submit greedy warmup
    touch -d '+1 hour' "$run/warmup.yaml"
    run submit warmup
    [ "$status" = 1 ]
    [[ $output == "warmup: job 101 (greedy) is to read '$run/warmup.h5', which would be made anew; "* ]]
    [ "$(cat "$run/warmup.h5")" = old ]
}

@test "the job is taken and the answer is lost: it is found, and not submitted again" {
    echo sbatch >"$STUB/lose"
    submit warmup
    rm "$STUB/lose"
    submit warmup
    [ "$(submitted)" = 1 ]
    # Killed before it could note the number.
    rm "$run/jobs/warmup/id"
    submit warmup
    [ "$(submitted)" = 1 ]
}

# with_sbatch COMMAND: after sbatch has done what the stub does.
with_sbatch() {
    printf '#!/bin/sh\ntests/slurm/stub/sbatch "$@"\ncode=$?\n%s\nexit $code\n' "$1" >"$BATS_TEST_TMPDIR/bin/sbatch"
    chmod +x "$BATS_TEST_TMPDIR/bin/sbatch"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "the answer is lost and the queue is silent: the job finds what it was submitted with" {
    echo old >"$run/warmup.h5"
    touch -d '-1 hour' "$run/warmup.h5"
    echo sbatch >"$STUB/lose"
    with_sbatch 'echo squeue >"$STUB/fail"'
    run submit warmup
    [ "$status" = 1 ]
    [[ $output == "warmup: may have been submitted, for Slurm did not say ("*"Socket timed out"*"type it again later"* ]]
    rm "$STUB/fail" "$STUB/lose"
    run submit warmup
    [ "$output" = "warmup: already queued as 101 (pending)" ]
    # It never came to anything: the next one moves nothing, and puts back what the first did.
    : >"$STUB/queue"
    rm "$BATS_TEST_TMPDIR/bin/sbatch"
    submit warmup
    slurm/cancel --results="$BATS_TEST_TMPDIR/results" --run=r
    [ "$(cat "$run/warmup.h5")" = old ]
}

@test "an sbatch that hangs is given up; whether it was heard nobody knows" {
    with_sbatch 'exec sleep 60'
    GREEDYNAS_SLURM_SECONDS=1 run timeout 30 slurm/submit --run="$run" --because=test -- $(stage warmup)
    [ "$status" = 0 ] # it had said its number
    [[ $output == "warmup: submitted as 101 "* ]]
    echo sbatch >"$STUB/hang"
    GREEDYNAS_SLURM_SECONDS=1 run timeout 30 slurm/submit --run="$run" --because=test -- $(stage greedy)
    [ "$status" = 1 ]
    [[ $output == "greedy: may have been submitted, for Slurm did not say (no answer in 2 seconds); "* ]]
    run status
    [[ $output == *"  greedy  lost "*"whether it was submitted is not known; type it again"* ]]
}

@test "refused, while the job before is just ending: it is said, and nothing is queued" {
    submit warmup
    queue_state 101 COMPLETING
    echo '1 failed: loss is nan' >"$run/jobs/warmup/ended"
    echo sbatch >"$STUB/fail"
    run submit warmup
    [ "$status" = 1 ]
    [[ $output == "warmup: sbatch did not take it: "* ]]
}

@test "a job of our number and another name is a stranger's: neither waited for nor cancelled" {
    submit warmup
    sed -i 's/^\(101|.*|\)[^|]*$/\1theirs.x.1/' "$STUB/queue"
    run submit warmup
    [[ $output == "warmup: submitted as 102 "* ]]
    echo 101 >"$run/jobs/warmup/id"
    run slurm/cancel --results="$BATS_TEST_TMPDIR/results" --run=r
    [[ $output == *"nothing of run 'r' is in the queue"* ]]
    grep -q '^101|' "$STUB/queue"
}

@test "an ancient generation is not put back by a submission that moved nothing aside" {
    echo ancient >"$run/warmup.old.h5"
    submit warmup
    slurm/cancel --results="$BATS_TEST_TMPDIR/results" --run=r
    [ ! -e "$run/warmup.h5" ]
    echo sbatch >"$STUB/fail"
    run submit warmup
    [ "$status" = 1 ]
    [ ! -e "$run/warmup.h5" ]
}

@test "a queued job whose settings nobody knows has other settings" {
    submit warmup
    rm -r "$run/jobs/warmup"
    run submit warmup
    [ "$status" = 1 ]
    [[ $output == "warmup: '$run/warmup.h5' is in the queue as 101 with other settings; "* ]]
}

@test "a queue that hangs or fails is no reason to submit, nor to wait long" {
    for how in hang fail; do
        echo squeue >"$STUB/$how"
        run timeout 15 slurm/submit --run="$run" --because=test -- $(stage warmup)
        [ "$status" = 1 ]
        [[ $output == "warmup: Slurm does not answer ("*"); nothing was submitted, "* ]]
        rm "$STUB/$how"
    done
    [ ! -e "$run/jobs/warmup/arguments" ]
}

@test "more than a node of the partition has is said before anything is submitted" {
    GREEDYNAS_JOB='cpus=17 memory=9G time=2-00:00:00' run submit warmup
    [ "$status" = 2 ]
    [[ $output == *"warmup: asks for cpus 17, expected at most 16 in partition 'main'"* ]]
    [[ $output == *"warmup: asks for memory 9G, expected at most 8000M in partition 'main'"* ]]
    [[ $output == *"warmup: asks for time 2-00:00:00, expected at most 1-00:00:00 in partition 'main'"* ]]
    [ "$(submitted)" = 0 ]
}

@test "refused for its limits, what is known of the job before stays known" {
    submit warmup
    : >"$STUB/queue"
    echo '1 failed: loss is nan' >"$run/jobs/warmup/ended"
    GREEDYNAS_JOB=cpus=17 run submit warmup
    [ "$status" = 2 ]
    run status
    [[ $output == *"  warmup  failed "*" 101 "*"failed: loss is nan"* ]]
}

@test "resources: the command line before the site's file before slurm/resources.yaml" {
    printf 'partition: long\nwarmup:\n  time: 0:07:00\n  memory: 3G\nmodules: gcc hdf5\n' >"$BATS_TEST_TMPDIR/site.yaml"
    GREEDYNAS_SITE=$BATS_TEST_TMPDIR/site.yaml GREEDYNAS_JOB='cpus=2 warmup.memory=1G prepare.time=9:00:00' submit warmup
    options=$(cat "$run/jobs/warmup/options")
    echo "$options"
    for option in --partition=long --time=0:07:00 --cpus-per-task=2 --mem=1G --signal=B:USR1@120; do
        grep -qx -e "$option" <<<"$options"
    done
    [ "$(cat "$run/jobs/warmup/modules")" = 'gcc hdf5' ]
    GREEDYNAS_JOB='memory=lots cpu=3' run submit greedy
    [ "$status" = 2 ]
    [[ $output == *"JOB: memory is 'lots', expected a size like 500M or 8G"* ]]
    [[ $output == *"JOB: unknown 'cpu', expected one of cpus "* ]]
}

@test "resources: a section that is no stage's is refused, and so is what cannot be typed" {
    export GREEDYNAS_SECTIONS='default warmup greedy retrain/'
    GREEDYNAS_JOB='gredy.time=9:00:00 scratch=/big retrain/mine.cpus=2' run submit warmup
    [ "$status" = 2 ]
    [[ $output == *"JOB: unknown stage 'gredy' in 'gredy.time', expected one of default warmup greedy retrain/"* ]]
    [[ $output == *"JOB: scratch is a matter of the site's file"* ]]
    [[ $output != *retrain/mine* ]]
    printf 'scratch: /big\nsearch:\n  cpus: 2\n' >"$BATS_TEST_TMPDIR/site.yaml"
    GREEDYNAS_SITE=$BATS_TEST_TMPDIR/site.yaml run submit warmup
    [[ $output == *"site.yaml:3: unknown stage 'search' in 'search.cpus', "* && $output != *scratch* ]]
    [ "$(submitted)" = 0 ]
}

@test "resources: every section of slurm/resources.yaml is a stage's, as make knows them" {
    GREEDYNAS_SECTIONS=$(slurm/stages --make=make --sections) submit warmup
    [ "$(submitted)" = 1 ]
}

@test "resources: a folder's are those of all that is in it" {
    GREEDYNAS_JOB='ablation.memory=1G ablation/net2/search.time=0:07:00' submit ablation/net2/search
    grep -qx -e '--mem=1G' "$run/ablation/net2/jobs/search/options"
    grep -qx -e '--time=0:07:00' "$run/ablation/net2/jobs/search/options"
}

@test "a site's file may have blanks in its name; STAGE and FOLLOW are what is typed" {
    mkdir "$BATS_TEST_TMPDIR/my site"
    echo "scratch: /big" >"$BATS_TEST_TMPDIR/my site/site.yaml"
    STAGE=theirs FOLLOW=1 run make -n logs SITE="$BATS_TEST_TMPDIR/my site/site.yaml"
    echo "$output"
    [[ $output == *"--results='/big/results' "*"--stage=''"* && $output != *--follow* ]]
    run make -n cancel STAGE='it is'
    [[ $output == *"--stage='it is'"* ]]
    GREEDYNAS_SITE="$BATS_TEST_TMPDIR/my site/site.yaml" submit warmup
    [ "$(submitted)" = 1 ]
}

@test "what a job or a profile has in its environment does not reach sbatch" {
    stub=$BATS_TEST_TMPDIR/env
    mkdir "$stub"
    printf '#!/bin/sh\nenv >"$STUB/env"\necho 7\n' >"$stub/sbatch"
    chmod +x "$stub/sbatch"
    PATH=$stub:$PATH SLURM_NTASKS=9 SLURM_JOB_ID=5 SBATCH_ARRAY_INX=1-3 SBATCH_ACCOUNT=mine \
        SQUEUE_STATES=R MAKEFLAGS=s submit warmup
    run cat "$STUB/env"
    [[ $output != *SLURM_NTASKS* && $output != *SLURM_JOB_ID* && $output != *SBATCH_ARRAY* ]]
    [[ $output != *SQUEUE_STATES* && $output != *MAKEFLAGS* ]]
    [[ $output == *SBATCH_ACCOUNT=mine* ]]
}

@test "a group is one array; only the members that are missing are submitted again" {
    group=$(members one two three four)
    slurm/submit --run="$run" --because=test "$group"
    grep -q -e '--array=1,2,3,4%16' "$STUB/calls"
    # Two and four have failed, one is there, three runs.
    sed -i '/101_[124]|/d' "$STUB/queue"
    queue_state 101_3 RUNNING
    touch "$run/one.h5"
    run slurm/submit --run="$run" --because=test "$group"
    [[ $output == "many: three already queued as 101_3 (running)"$'\n'"many: submitted as 102 [2,4] (test), "* ]]
    [ "$(cat "$run/jobs/four/id")" = 102_4 ]
    # What needs all of them waits for each.
    slurm/submit --run="$run" --because=test -- "$program" --config="$run/search.yaml" \
        "--in=$run/"{one,two,three,four}.h5 --out="$run/search.h5"
    grep -q -e '--dependency=afterok:102_2:101_3:102_4 ' "$STUB/calls"
}

@test "the launcher on this machine makes the members that are missing, one after the other" {
    group=$(members one two three)
    stage_does 'echo "$out" >>"$(dirname "$out")/order"; echo made >"$out"'
    touch "$run/two.h5"
    slurm/local --run="$run" --because=test "$group"
    [ "$(sed 's,.*/,,' "$run/order" | paste -s)" = $'one.h5\tthree.h5' ]
}

@test "the launcher on this machine leaves alone what a job is to make" {
    submit warmup
    run slurm/local --run="$run" --because=test -- $(stage warmup)
    [ "$status" = 1 ]
    [[ $output == *"is being made by Slurm's job 101; "* ]]
    [ ! -e "$run/warmup.h5" ]
}

@test "what needs a stage that has failed is not submitted" {
    stage_does 'exit 1'
    submit warmup
    job 101 warmup || true
    : >"$STUB/queue"
    run submit greedy warmup
    [ "$status" = 1 ]
    [[ $output == *"its input '$run/warmup.h5' is not there, and no job in the queue makes it: 1 failed: exit code 1"* ]]
}

status() { slurm/status --results="$BATS_TEST_TMPDIR/results" --run=r; }

@test "status: queued and why, running, failed and what was not started for it" {
    submit warmup
    submit greedy warmup
    queue_state 101 RUNNING
    run status
    [[ $output == *"  warmup  running "*" 101 "* ]]
    [[ $output == *"  greedy  queued "*" 102 "*"waits for job 101"* ]]
    echo '1 failed: loss is nan' >"$run/jobs/warmup/ended"
    : >"$STUB/queue"
    run status
    [[ $output == *"  warmup  failed "*"failed: loss is nan"* ]]
    [[ $output == *"  greedy  missing "*"job 102 was not started, for warmup was not made"* ]]
    [[ $output == *"next: make resubmit RUN=r RESULTS="* ]]
}

@test "status: when Slurm does not answer it says so, and claims nothing" {
    submit warmup
    echo squeue >"$STUB/hang"
    run timeout 15 slurm/status --results="$BATS_TEST_TMPDIR/results" --run=r
    [ "$status" = 0 ]
    [[ $output == *"Slurm does not answer (no answer in 2 seconds): jobs may be going on"* ]]
    [[ $output == *"  warmup  unknown "*"submitted as job 101; Slurm does not answer"* ]]
}

@test "cancel: one stage, or all of a folder; a name that nothing has is refused" {
    for name in warmup retrain/a retrain/b; do submit $name; done
    cancel() { slurm/cancel --results="$BATS_TEST_TMPDIR/results" --run=r "$@"; }
    run cancel --stage=gredy
    [ "$status" = 2 ]
    [ "$output" = "cancel: 'gredy' was never submitted; those that were: warmup retrain/a retrain/b" ]
    cancel --stage=retrain
    [ "$(cut -d'|' -f1 "$STUB/queue")" = 101 ]
    # While somebody submits, nothing is cancelled.
    exec 6>>"$run/submission.lock"
    flock 6
    run timeout 2 slurm/cancel --results="$BATS_TEST_TMPDIR/results" --run=r 6>&-
    [ "$(cut -d'|' -f1 "$STUB/queue")" = 101 ]
    exec 6>&-
    cancel
    [ ! -s "$STUB/queue" ]
}

# resubmit WORD...: with a make that only says what it is to make
resubmit() {
    printf '#!/bin/sh\necho "make $*"\n' >"$BATS_TEST_TMPDIR/bin/make"
    chmod +x "$BATS_TEST_TMPDIR/bin/make"
    slurm/resubmit --results="$BATS_TEST_TMPDIR/results" --run=r --typed= --make="$BATS_TEST_TMPDIR/bin/make" "$@"
}

@test "resubmit: of folders too, and of the images; nothing when the settings have changed" {
    run resubmit
    [ "$status" = 2 ]
    [[ $output == *"run 'r' in '"*"' has submitted nothing"* ]]
    images=$BATS_TEST_TMPDIR/data/images
    mkdir "$BATS_TEST_TMPDIR/data"
    cp "$run/warmup.yaml" "$images.yaml"
    echo "data: \"$images.h5\"" >"$run/run.yaml"
    slurm/submit --run="$run" --because=test -- "$program" --config="$images.yaml" --out="$images.h5"
    submit retrain/a
    run resubmit
    [[ $output == *"make "*" $images.h5 $run/retrain/a.h5"* ]]
    run resubmit --stage=data
    [[ $output == *" $images.h5"* && $output != *retrain* ]]
    run resubmit --stage=retrain
    [[ $output == *" $run/retrain/a.h5"* && $output != *images.h5$'\n'* ]]
    run resubmit --stage=gredy
    [ "$status" = 2 ]
    [[ $output == "resubmit: 'gredy' was never submitted; those that were: retrain/a" ]]
    echo 'seed: 7' >"$run/retrain/a.yaml"
    run resubmit
    [ "$status" = 2 ]
    [[ ${lines[0]} == "resubmit: the settings of retrain/a have changed since it was submitted: seed 1 -> 7"* ]]
    [[ $output != *"make -s"* ]]
}

@test "logs: the import's lies with the images; otherwise those that there are, nested ones too" {
    mkdir -p "$BATS_TEST_TMPDIR/data" "$run/retrain"
    echo "data: \"$BATS_TEST_TMPDIR/data/images.h5\"" >"$run/run.yaml"
    echo 'prepare: 7 images' >"$BATS_TEST_TMPDIR/data/images.log"
    : >"$run/retrain/found.log"
    logs() { slurm/logs --results="$BATS_TEST_TMPDIR/results" --run=r "$@"; }
    run logs --stage=data
    [ "$output" = 'prepare: 7 images' ]
    run logs --stage=gredy
    [ "$status" = 2 ]
    [[ $output == *"$run/retrain/found.log" ]]
}

# accounting COMMAND: what sacct is, as far as status can tell.
accounting() {
    printf '#!/bin/sh\necho "sacct $*" >>"$STUB/calls"\n%s\n' "$1" >"$BATS_TEST_TMPDIR/bin/sacct"
    chmod +x "$BATS_TEST_TMPDIR/bin/sacct"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "status: how a forgotten job ended, with accounting, without it, and with one that hangs" {
    submit warmup
    submit greedy
    name=$(cut -d'|' -f6 "$STUB/queue" | head -n 1)
    : >"$STUB/queue"
    lost="in the queue no more, and Slurm does not know how it ended"
    accounting 'exit 127'
    run status
    [[ $output == *"  warmup  lost "*"job 101 is $lost"*"  greedy  lost "*"job 102 is $lost"* ]]
    accounting "case \$* in *' 101 '*) echo '$name|OUT_OF_MEMORY';; *) echo 'theirs.x.1|FAILED';; esac"
    run status
    [[ $output == *"  warmup  out_of_memory "*"job 101: OUT_OF_MEMORY; see also $run/jobs/warmup/slurm*.out"* ]]
    [[ $output == *"  greedy  lost "*"job 102 is $lost"* ]]
    # One that hangs is asked once, however many jobs there are.
    accounting 'exec sleep 60'
    : >"$STUB/calls"
    run timeout 30 slurm/status --results="$BATS_TEST_TMPDIR/results" --run=r
    [ "$status" = 0 ]
    [[ $output == *"  warmup  lost "*"job 101 is $lost"*"  greedy  lost "*"job 102 is $lost"* ]]
    [ "$(grep -c '^sacct' "$STUB/calls")" = 1 ]
}

# choice WORD...: what slurm/run says of where it runs; it goes no further without programs.
choice() {
    slurm/run --dry-run --goal=search --results="$BATS_TEST_TMPDIR/results" --run=r \
        --config=tests/pipeline/tiny.yaml --data-folder="$BATS_TEST_TMPDIR/data" \
        --build=/nowhere --make=make --site= "$@"
}

@test "jobs where Slurm answers, this machine where it does not, what is typed in any case" {
    run choice
    [[ ${lines[0]} == "search: runs as Slurm jobs (here instead: EXECUTOR=local)" ]]
    run choice --executor=local
    [[ $output != *Slurm* ]]
    [ "$(grep -c squeue "$STUB/calls")" = 1 ]
    echo squeue >"$STUB/fail"
    run choice
    [[ ${lines[0]} == "search: runs here, for Slurm does not answer ("*"Unable to contact slurm controller)" ]]
    run choice --executor=slurm
    [ "$status" = 1 ]
    [[ $output == "search: Slurm does not answer ("*"); nothing was submitted, type it again later" ]]
    # A run that has jobs is not begun a second time.
    rm "$STUB/fail"
    submit retrain/found
    echo squeue >"$STUB/fail"
    run choice
    [ "$status" = 1 ]
    [[ $output == *"and run 'r' has jobs there; "*"EXECUTOR=local" ]]
    run choice --executor=cloud
    [ "$status" = 2 ]
    [[ $output == "search: EXECUTOR is 'cloud', expected local or slurm" ]]
}

@test "a run whose jobs are in the queue is not removed, nor when that cannot be told" {
    submit warmup
    mkdir "$run/made"
    run slurm/clean-run --results="$BATS_TEST_TMPDIR/results" --run=r --named
    [ "$status" = 1 ]
    [[ $output == "clean-run: job 101 makes '$run/warmup.h5'; type make cancel RUN=r RESULTS=$BATS_TEST_TMPDIR/results first" ]]
    echo squeue >"$STUB/fail"
    run slurm/clean-run --results="$BATS_TEST_TMPDIR/results" --run=r --named
    [ "$status" = 1 ]
    [[ $output == *"Slurm does not answer"*"nothing was removed" ]]
    [ -e "$run/warmup.yaml" ]
}

@test "waiting ends when the jobs do, and says which artifact is not there" {
    submit warmup
    slurm/wait --results="$BATS_TEST_TMPDIR/results" --run=r --make=make "$run/warmup.h5" 2>"$BATS_TEST_TMPDIR/said" 3>&- &
    pid=$!
    for _ in {1..100}; do ! grep -qs pending "$BATS_TEST_TMPDIR/said" || break; sleep 0.1; done
    echo made >"$run/warmup.h5"
    : >"$STUB/queue"
    wait $pid
    grep -q '^wait: warmup 101 pending$' "$BATS_TEST_TMPDIR/said"
}

# Two seconds, then less and less often; and in a log nothing of progress.
@test "waiting asks less often the longer nothing happens, and logs only changes of state" {
    submit warmup
    queue_state 101 RUNNING
    cat >"$BATS_TEST_TMPDIR/bin/sleep" <<'END'
#!/bin/sh
echo "$1" >>"$STUB/sleeps"
n=$(wc -l <"$STUB/sleeps")
echo "done: $n" >"$PLACE.status.yaml"
[ $n != 12 ] || sed -i 's/RUNNING/SUSPENDED/' "$STUB/queue"
[ $n != 14 ] || { : >"$STUB/queue"; echo made >"$PLACE.h5"; }
END
    chmod +x "$BATS_TEST_TMPDIR/bin/sleep"
    PLACE=$run/warmup PATH=$BATS_TEST_TMPDIR/bin:$PATH run slurm/wait --results="$BATS_TEST_TMPDIR/results" \
        --run=r --make=make "$run/warmup.h5"
    echo "$output"
    [ "$status" = 0 ]
    [ "$(paste -s -d ' ' "$STUB/sleeps")" = "2 3 4 6 9 13 19 28 30 30 30 30 2 3" ]
    [ "${#lines[@]}" = 2 ]
    [[ ${lines[0]} == "wait: warmup 101 running /"* && ${lines[1]} == "wait: warmup 101 suspended" ]]
}
