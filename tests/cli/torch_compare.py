"""torch_compare.py FILE... - the blocks and networks of tests/unit/dump.h in PyTorch.

Each file has the numbers that went into one block or one network, and what came out:
the same is computed here in double, by PyTorch's own operations and its autograd, and
compared. Prints the largest relative difference of each file; exits 1 above the bound.
"""
import sys

import torch
import torch.nn.functional as F

BOUND = 1e-4  # of the array's largest element

torch.set_default_dtype(torch.float64)
ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "hswish": F.hardswish,
    "hsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "swish": F.silu,
}


def read(file):
    arrays, blocks, network = {}, [], None
    for line in open(file):
        kind, *words = line.split()
        if kind == "array":
            colon = words.index(":")
            shape = [int(word) for word in words[1:colon]]
            numbers = [float(word) for word in words[colon + 1:]]
            arrays[words[0]] = torch.tensor(numbers).reshape(shape)
        elif kind == "block":
            blocks.append(words)
        else:
            network = words
    return arrays, blocks, network


def to_torch(x):  # NHWC, as it lies in our files
    return x.permute(0, 3, 1, 2)


def bn(w, name, x, activation):
    gamma, beta = w[f"weight/{name}/gamma"], w[f"weight/{name}/beta"]
    x = F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)
    return ACTIVATIONS[activation](x)


def pointwise(w, name, x, stride, activation):
    weight = w[f"weight/{name}/weight"][:, :, None, None]
    return bn(w, name, F.conv2d(x, weight, stride=stride), activation)


def depthwise(w, name, x, stride, activation):
    weight = w[f"weight/{name}/weight"].permute(2, 0, 1)[:, None]
    x = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2, groups=len(weight))
    return bn(w, name, x, activation)


def gate(w, name, x, activation, gate_activation):
    pooled = x.mean((2, 3))
    hidden = F.linear(pooled, w[f"weight/{name}/reduce_weight"],
                      w[f"weight/{name}/reduce_bias"])
    hidden = ACTIVATIONS[activation](hidden)
    out = F.linear(hidden, w[f"weight/{name}/expand_weight"], w[f"weight/{name}/expand_bias"])
    return ACTIVATIONS[gate_activation](out)[:, :, None, None]


def channels_split(w, name, kind, x, stride, act):
    """ShuffleNetV2's blocks, as SinglePathOneShot's release has them."""
    side, kept = x, x[:, 0::2]
    if stride == 1:
        x = x[:, 1::2]
    else:
        kept = depthwise(w, f"{name}/side_depthwise", side, stride, "none")
        kept = pointwise(w, f"{name}/side_project", kept, 1, act)
    if kind == "shuffle":
        x = pointwise(w, f"{name}/expand", x, 1, act)
        x = depthwise(w, f"{name}/depthwise", x, stride, "none")
        x = pointwise(w, f"{name}/project", x, 1, act)
    for i in (1, 2, 3) if kind == "xception" else ():
        x = depthwise(w, f"{name}/depthwise{i}", x, stride if i == 1 else 1, "none")
        x = pointwise(w, f"{name}/pointwise{i}", x, 1, act)
    return torch.cat((kept, x), 1)


def block(w, words, x):
    name, kind, _, expansion, stride, c, k, act, se_act, se_gate = words
    if kind in ("shuffle", "xception"):
        return channels_split(w, name, kind, x, int(stride), act)
    stride, keeps = int(stride), stride == "1" and c == k
    if kind == "identity":
        return x if keeps else pointwise(w, f"{name}/project", x, stride, "none")
    y = pointwise(w, f"{name}/expand", x, 1, act) if expansion != "1" else x
    y = depthwise(w, f"{name}/depthwise", y, stride, act)
    if f"weight/{name}/se/reduce_bias" in w:
        y = y * gate(w, f"{name}/se", y, se_act, se_gate)
    y = pointwise(w, f"{name}/project", y, 1, "none")
    return x + y if keeps else y


def network(w, blocks, words):
    stride, head, stem_act, head_act, smoothing = words
    weight = w["weight/shared/stem/weight"].permute(0, 3, 1, 2)
    x = F.conv2d(to_torch(w["images"]), weight, stride=int(stride),
                 padding=weight.shape[2] // 2)
    x = bn(w, "shared/stem", x, stem_act)
    for one in blocks:
        x = block(w, one, x)
    if head != "0":
        x = pointwise(w, "shared/head", x, 1, head_act)
    logits = F.linear(x.mean((2, 3)), w["weight/shared/classifier/weight"],
                      w.get("weight/shared/classifier/bias"))
    loss = F.cross_entropy(logits, w["labels"].long(), label_smoothing=float(smoothing),
                           reduction="none")
    return logits, loss


def outputs(arrays, blocks, words):
    """What PyTorch makes of it, by the names of the arrays in the file."""
    if words:
        logits, loss = network(arrays, blocks, words)
        loss.mean().backward()
        return {"logits": logits[:, None, None, :], "loss": loss}
    arrays["x"].requires_grad_()
    y = block(arrays, blocks[0], to_torch(arrays["x"]))
    y.backward(to_torch(arrays["dy"]))
    return {"y": y.permute(0, 2, 3, 1), "dx": arrays["x"].grad}


def compare(file):
    arrays, blocks, words = read(file)
    weights = [name for name in arrays if name.startswith("weight/")]
    for name in weights:
        arrays[name].requires_grad_()
    theirs = outputs(arrays, blocks, words)
    for name in weights:
        theirs[name.replace("weight/", "gradient/", 1)] = arrays[name].grad
    worst, at = 0, ""
    for name, array in theirs.items():
        # A shift before a convolution with BN has no effect: its gradient is 0 but for
        # rounding, which goes with the scale's.
        alike = theirs.get(name.replace("/beta", "/gamma"), array)
        scale = max(array.abs().max().item(), alike.abs().max().item(), 1e-3)
        off = (arrays[name] - array).abs().max().item() / scale
        if not off <= worst:
            worst, at = off, name
    print(f"{file}: {len(theirs)} arrays, off by {worst:.1e} at most, in {at}")
    return worst <= BOUND and len(theirs) > 3


if __name__ == "__main__":
    good = [compare(file) for file in sys.argv[1:]]
    sys.exit(0 if good and all(good) else 1)
