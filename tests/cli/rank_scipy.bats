# A second opinion: the rank correlations of nas/rank.c against SciPy's.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import scipy.stats' 2>/dev/null || skip "$python has no scipy"
}

@test "tau-b and rho are SciPy's to 12 digits, ties, constants and all" {
    RANK_CASES=$BATS_TEST_TMPDIR/cases "$BUILD/tests/test_rank"
    "$python" - "$BATS_TEST_TMPDIR/cases" <<'PYTHON'
import math, sys, warnings
from scipy import stats

warnings.simplefilter("ignore")  # SciPy warns of constant input

def same(ours, theirs):
    return math.isnan(ours) and math.isnan(theirs) or abs(ours - theirs) <= 1e-12

cases = undefined = 0
for line in open(sys.argv[1]):
    (tau, rho), a, b = ([float(x) for x in part.split(",")] for part in line.split(";"))
    their_tau, their_rho = stats.kendalltau(a, b)[0], stats.spearmanr(a, b)[0]
    if not (same(tau, their_tau) and same(rho, their_rho)):
        sys.exit(f"tau {tau!r} rho {rho!r}, SciPy has {their_tau!r} {their_rho!r}: {a} {b}")
    cases += 1
    undefined += math.isnan(tau)
if cases < 100 or not 0 < undefined < cases / 2:
    sys.exit(f"{cases} cases, {undefined} of them undefined: too few to say anything")
PYTHON
}
