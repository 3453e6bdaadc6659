# A second opinion: blocks and whole paths, forward and backward, against PyTorch.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import torch' 2>/dev/null || skip "$python has no torch"
}

@test "outputs and gradients of single blocks are PyTorch's" {
    TORCH_CASES=$BATS_TEST_TMPDIR "$BUILD/tests/test_block"
    "$python" tests/cli/torch_compare.py "$BATS_TEST_TMPDIR"/block*.txt
}

@test "logits, losses and gradients of whole paths are PyTorch's" {
    TORCH_CASES=$BATS_TEST_TMPDIR "$BUILD/tests/test_network"
    "$python" tests/cli/torch_compare.py "$BATS_TEST_TMPDIR"/network*.txt
}
