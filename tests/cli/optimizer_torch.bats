# A second opinion: ten steps of the optimizers and of the moving average in PyTorch, in
# double. PyTorch's RMSprop has epsilon outside the root and the rate outside the momentum:
# TensorFlow's form is written out here.

setup() {
    cd "$BATS_TEST_DIRNAME/../.."
    python=${PYTHON:-/usr/bin/python3}
    "$python" -c 'import torch' 2>/dev/null || skip "$python has no torch"
}

@test "ten steps of SGD with Nesterov momentum and of RMSProp are PyTorch's" {
    OPTIMIZER_CASES=$BATS_TEST_TMPDIR/cases "$BUILD/tests/test_optimizer"
    "$python" - "$BATS_TEST_TMPDIR/cases" <<'PYTHON'
import sys
import torch

torch.set_default_dtype(torch.float64)
seen = set()
for line in open(sys.argv[1]):
    head, gradients, ours = (part.split() for part in line.split(":"))
    kind, settings = head[0], [float(word) for word in head[1:]]
    rate, decay, momentum, epsilon, weight_decay, start = settings
    w = torch.nn.Parameter(torch.tensor(start))
    sgd = torch.optim.SGD([w], rate, momentum, 0, weight_decay, nesterov=True) if momentum else None
    s, v = torch.tensor(1.0), torch.tensor(0.0)
    for g, found in zip(map(float, gradients), map(float, ours)):
        if kind == "sgd":
            w.grad = torch.tensor(g)
            sgd.step()
        else:
            with torch.no_grad():
                d = g + weight_decay * w
                s = torch.lerp(d * d, s, decay)
                v = momentum * v + rate * d * torch.rsqrt(s + epsilon)
                w -= v
        if abs(w.item() - found) > 1e-5:
            sys.exit(f"{kind} {settings}: {found}, PyTorch has {w.item()}")
    seen.add(kind)
if seen != {"sgd", "rmsprop"}:
    sys.exit(f"saw {seen}: too few to say anything")
PYTHON
}

@test "ten steps of the moving average are PyTorch's" {
    SHADOW_CASES=$BATS_TEST_TMPDIR/cases "$BUILD/tests/test_shadow"
    "$python" - "$BATS_TEST_TMPDIR/cases" <<'PYTHON'
import sys
import torch
from torch.optim.swa_utils import AveragedModel

torch.set_default_dtype(torch.float64)
lines = 0
for line in open(sys.argv[1]):
    decay, weights, ours = ([float(word) for word in part.split()] for part in line.split(":"))
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(weights[0])
    average = AveragedModel(model, avg_fn=lambda a, w, n: decay[0] * a + (1 - decay[0]) * w)
    for w, found in zip(weights, ours):
        model.weight.data.fill_(w)
        average.update_parameters(model)
        if abs(average.module.weight.item() - found) > 1e-5:
            sys.exit(f"decay {decay[0]}: {found}, PyTorch has {average.module.weight.item()}")
    lines += 1
if lines < 10:
    sys.exit(f"{lines} cases: too few to say anything")
PYTHON
}
