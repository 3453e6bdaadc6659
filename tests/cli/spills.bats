# Sums of the inner loops live in registers: one that is kept in memory costs a factor of
# two or three, and shows nowhere else.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    [ "${BUILD##*/}" = release ] || skip "not an optimised build"
    command -v objdump >/dev/null || skip "no objdump"
}

# loops OBJECT [AWK_OPTION...]: see spills.awk.
loops() {
    objdump -d --no-show-raw-insn "$BUILD/tensor/$1.o" | awk "${@:2}" -f tests/cli/spills.awk
}

@test "the products keep their sums in registers" {
    for isa in avx512 avx2; do
        [ "$(loops product_kernels.$isa -v count=1)" -gt 0 ]
        [ -z "$(loops product_kernels.$isa)" ]
    done
}

# Backward has two tiles of sums and inputs at once, which 16 registers cannot hold.
@test "the depthwise convolutions keep their sums in registers" {
    for isa in avx512 avx2; do
        [ "$(loops depthwise_kernels.$isa -v count=1)" -ge 36 ]
    done
    [ -z "$(loops depthwise_kernels.avx512)" ]
    [ -z "$(loops depthwise_kernels.avx2 | grep -v ^backward)" ]
}

@test "a sum in memory would be seen" {
    awk 'BEGIN {
        print "0000000000000000 <f>:"
        print "  10:\tvmovaps %zmm1,0x40(%rsp)"
        for (i = 11; i < 24; i++) print "  " i ":\tvfmadd231ps %zmm1,%zmm2,%zmm3"
        print "  30:\tjne    10 <f+0x10>"
    }' >"$BATS_TEST_TMPDIR/code"
    [ "$(awk -f tests/cli/spills.awk "$BATS_TEST_TMPDIR/code")" = "f 1" ]
}
