# Who may include whom: stages - paper - net - nas and tensor - io - base. nas and tensor do not
# know of each other, no stage includes another, and a library is spoken to in one place.

# violations FOLDER: each include in FOLDER/*.[ch] and FOLDER/*/*.[ch] that is not allowed.
violations() {
    (cd "$1" && find . -name build -prune -o -name '*.[ch]' -printf '%P\n' | sort |
        xargs awk '
    BEGIN {
        allowed["base"] = " base "
        allowed["io"] = " io base "
        allowed["nas"] = " nas io base "
        allowed["tensor"] = " tensor io base "
        allowed["net"] = " net nas tensor io base "
        allowed["paper"] = " paper net nas tensor io base "
        allowed["a stage"] = " paper net nas tensor io base "
        owners["cblas.h"] = "^(tensor/.*|base/threads\\.c)$"
        owners["hdf5.h"] = owners["yaml.h"] = owners["zlib.h"] = "^io/"
        owners["archive.h"] = owners["jpeglib.h"] = owners["png.h"] = "^io/"
        owners["Random123/philox.h"] = "^base/rng\\.c$"
    }
    match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*/) {
        name = substr($0, RSTART, RLENGTH)
        sub(/.*["<]/, "", name)
        from = FILENAME ~ /\// ? FILENAME : "a stage/" FILENAME
        sub(/\/.*/, "", from)
        to = name ~ /\// ? name : "no folder"
        sub(/\/.*/, "", to)
        if ($0 ~ /"/ && !index(allowed[from], " " to " "))
            print FILENAME ": " name
        if (name in owners && FILENAME !~ owners[name])
            print FILENAME ": " name
    }')
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
}

# source_file PATH INCLUDE...: a file of a made-up tree in which these includes stand.
source_file() {
    local file=$BATS_TEST_TMPDIR/stages/$1
    shift
    mkdir -p "${file%/*}"
    printf '#include %s\n' "$@" >"$file"
}

@test "each folder includes only itself and what lies below" {
    [ "$(find stages -name '*.[ch]' | wc -l)" -gt 30 ]
    run violations stages
    [ "$status" = 0 ]
    [ -z "$output" ]
}

@test "what is allowed is not reported" {
    source_file greedy.c '<math.h>' '"paper/a.h"' '"net/a.h"' '"nas/a.h"' '"tensor/a.h"' '"io/a.h"' '"base/a.h"'
    source_file paper/a.c '"paper/a.h"' '"net/a.h"' '"nas/a.h"' '"io/a.h"' '"base/a.h"'
    source_file net/a.c '"net/a.h"' '"nas/a.h"' '"tensor/a.h"' '"io/a.h"' '"base/a.h"'
    source_file nas/a.c '"nas/a.h"' '"io/a.h"' '"base/a.h"' '<stdio.h>'
    source_file tensor/a.c '"tensor/a.h"' '"base/a.h"' '<cblas.h>'
    source_file io/a.c '"io/a.h"' '"base/a.h"' '<hdf5.h>' '<yaml.h>' '<zlib.h>'
    source_file base/threads.c '"base/a.h"' '<cblas.h>'
    run violations "$BATS_TEST_TMPDIR/stages"
    [ "$status" = 0 ]
    [ -z "$output" ]
}

@test "every include upwards, sideways or around the owner of a library is found" {
    source_file base/a.c '"io/a.h"'
    source_file base/b.c '<cblas.h>'
    source_file io/a.h '  "nas/a.h"'
    source_file io/b.c '"tensor/a.h"' '<cblas.h>'
    source_file nas/a.c '"tensor/a.h"' '"net/a.h"' '<hdf5.h>'
    source_file tensor/a.c '"nas/a.h"' '"net/a.h"' '<Random123/philox.h>'
    source_file net/a.c '"greedy.c"' '"../greedy.c"' '<cblas.h>'
    source_file net/b.c '"paper/a.h"'
    source_file paper/a.c '"report.c"' '<hdf5.h>'
    source_file warmup.c '"greedy.c"' '"greedy.h"' '"greedy/a.h"' '<yaml.h>'
    run violations "$BATS_TEST_TMPDIR/stages"
    [ "$status" = 0 ]
    diff <(echo "$output") - <<'EXPECTED'
base/a.c: io/a.h
base/b.c: cblas.h
io/a.h: nas/a.h
io/b.c: tensor/a.h
io/b.c: cblas.h
nas/a.c: tensor/a.h
nas/a.c: net/a.h
nas/a.c: hdf5.h
net/a.c: greedy.c
net/a.c: ../greedy.c
net/a.c: cblas.h
net/b.c: paper/a.h
paper/a.c: report.c
paper/a.c: hdf5.h
tensor/a.c: nas/a.h
tensor/a.c: net/a.h
tensor/a.c: Random123/philox.h
warmup.c: greedy.c
warmup.c: greedy.h
warmup.c: greedy/a.h
warmup.c: yaml.h
EXPECTED
}
