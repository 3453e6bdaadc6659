# tests/run counts what passed and failed, whatever way a test program ends.

setup() {
    root=$BATS_TEST_DIRNAME/../..
    cd "$BATS_TEST_TMPDIR"
    mkdir tests
    cp "$root"/tests/{run,tap,count.awk} tests/
}

program() { # program NAME BODY: a test program
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod +x "$1"
}

count() { # standard output's last line, and the exit code in $status
    run tests/run --build=build "$@"
    last=${lines[-1]}
}

@test "cases are counted over all programs, and the exit code is 0 when all passed" {
    program a 'echo 1..2; echo "ok 1 - x"; echo "ok 2 - y"'
    program b 'echo 1..1; echo "ok 1 - z"'
    count ./a ./b
    [ "$last" = "3 passed, 0 failed" ]
    [ "$status" = 0 ]
}

@test "a failed case fails the whole" {
    program a 'echo 1..2; echo "ok 1 - x"; echo "not ok 2 - y"; exit 1'
    count ./a
    [ "$last" = "1 passed, 1 failed" ]
    [ "$status" = 1 ]
}

@test "the cases that a crash did not let happen have failed" {
    program a 'echo 1..3; echo "ok 1 - x"; kill -SEGV $$'
    count ./a
    [ "$last" = "1 passed, 2 failed" ]
    [ "$status" = 1 ]
}

@test "a program that passed all its cases and then exits with an error has failed once" {
    program a 'echo 1..1; echo "ok 1 - x"; exit 23'
    count ./a
    [ "$last" = "1 passed, 1 failed" ]
}

@test "a program that cannot be started has failed" {
    program a 'echo 1..1; echo "ok 1 - x"'
    count ./a ./nonesuch
    [ "$last" = "1 passed, 1 failed" ]
    [ "$status" = 1 ]
}

@test "a skipped case has neither passed nor failed, and is named" {
    program a 'echo 1..2; echo "ok 1 - x"; echo "ok 2 - y # skip no h5py"'
    count ./a
    [ "$last" = "1 passed, 0 failed" ]
    [[ $output == *"skipped: y # skip no h5py"* ]]
}

@test "a program that says nothing which can be counted has failed" {
    program a 'echo 1..1; echo "ok 1 - x"'
    program b 'echo "all is well"'
    count ./a ./b
    [ "$last" = "1 passed, 1 failed" ]
    [ "$status" = 1 ]
}
