"""evaluate_torch.py RETRAIN.h5 DATA.h5 EVALUATE.h5 - the evaluation, counted again.

The network is built in PyTorch from the best weights of RETRAIN.h5 and runs, in double
and with the running statistics, on the test images of DATA.h5; the figures are counted
from its logits by plain loops and compared with those in EVALUATE.h5. Knows spaces with
ReLU, h-swish gates and a head convolution, as tests/pipeline/tiny.yaml has.
"""
import sys

import h5py
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
retrained, data, evaluated = (h5py.File(name) for name in sys.argv[1:])


def array(name):
    return torch.tensor(retrained["best/" + name][()].astype("float64"))


def bn(x, name, activation):
    scale, shift = array(f"weights/{name}/gamma"), array(f"weights/{name}/beta")
    mean, variance = array(f"statistics/{name}/mean"), array(f"statistics/{name}/variance")
    return activation(F.batch_norm(x, mean, variance, scale, shift, eps=1e-5))


def nothing(x):
    return x


def pointwise(x, name, activation, stride=1):
    weight = array(f"weights/{name}/weight")[:, :, None, None]
    return bn(F.conv2d(x, weight, stride=stride), name, activation)


def squeeze_excite(x, name):
    g = x.mean(dim=(2, 3))
    g = F.hardswish(g @ array(f"weights/{name}/reduce_weight").T + array(f"weights/{name}/reduce_bias"))
    g = F.hardsigmoid(g @ array(f"weights/{name}/expand_weight").T + array(f"weights/{name}/expand_bias"))
    return x * g[:, :, None, None]


def block(x, name, token, stride, channels):
    same = stride == 1 and x.shape[1] == channels
    if token == "id":
        return x if same else pointwise(x, name + "/project", nothing, stride)
    y = pointwise(x, name + "/expand", F.relu)
    weight = array(f"weights/{name}/depthwise/weight").permute(2, 0, 1)[:, None]
    y = F.conv2d(y, weight, stride=stride, padding=weight.shape[2] // 2, groups=len(weight))
    y = bn(y, name + "/depthwise", F.relu)
    if token.endswith("s"):
        y = squeeze_excite(y, name + "/se")
    y = pointwise(y, name + "/project", nothing)
    return x + y if same else y


def logits(images):
    x = torch.tensor(images.astype("float64")) / 255
    x = (x - torch.tensor(data["mean"][()])) / torch.tensor(data["deviation"][()])
    weight = array("weights/shared/stem/weight").permute(0, 3, 1, 2)
    x = F.conv2d(x.permute(0, 3, 1, 2), weight, padding=weight.shape[2] // 2)
    x = bn(x, "shared/stem", F.relu)
    tokens = [word.decode() for word in retrained["space/ops"][()]]
    channels, strides = retrained["space/channels"][()], retrained["space/stride"][()]
    for layer, op in enumerate(retrained["network/path"][0]):
        token = tokens[op]
        x = block(x, f"layer{layer:02}/{token}", token, int(strides[layer]), channels[layer])
    x = pointwise(x, "shared/head", F.relu).mean(dim=(2, 3))
    weight = array("weights/shared/classifier/weight")
    return x @ weight.T + array("weights/shared/classifier/bias")


out, labels = logits(data["test/images"][()]), data["test/labels"][()]
classes = out.shape[1]
confusion = [[0] * classes for _ in range(classes)]
top1 = top5 = loss = 0
for row, label in zip(out.tolist(), labels):
    order = sorted(range(classes), key=lambda k: (-row[k], k))
    confusion[label][order[0]] += 1
    top1 += order[0] == label
    top5 += label in order[:5]
    loss += torch.logsumexp(torch.tensor(row), 0).item() - row[label]
n = len(labels)
for name, expected, within in [
    ("images", n, 0), ("top1", top1 / n, 1e-12), ("top5", top5 / n, 1e-12), ("loss", loss / n, 1e-5),
]:
    found = evaluated[name][()]
    if not abs(found - expected) <= within:
        sys.exit(f"{name} is {found!r}, PyTorch has {expected!r}")
if evaluated["confusion"][()].tolist() != confusion:
    sys.exit(f"confusion is {evaluated['confusion'][()].tolist()}, PyTorch has {confusion}")
if not (0 < top1 < top5 <= n):
    sys.exit(f"top-1 {top1}, top-5 {top5} of {n}: too plain a case to say anything")
