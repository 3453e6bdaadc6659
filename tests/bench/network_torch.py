"""network_torch.py BENCH_NETWORK NETWORK MODE [ROUNDS] - the same network in PyTorch.

Has bench_network (the program BENCH_NETWORK) and PyTorch do the same in turn, ROUNDS (5)
times, and prints both times and the ratio: medians of the rounds. MODE as there, but
that `infer` also times torch.jit.optimize_for_inference. As many threads as
OMP_NUM_THREADS says.

PyTorch's best setting, as far as we found it: channels_last, and a malloc that keeps its
memory (the program starts itself anew for that); without the latter it is five times
slower here.
"""
import os
import statistics
import subprocess
import sys
import time

KEEP = {
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_MMAP_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "1000000000",
    "OMP_PROC_BIND": "true",
}
if any(name not in os.environ for name in KEEP):
    os.execve(sys.executable, [sys.executable] + sys.argv, os.environ | KEEP)

import torch  # noqa: E402: after the settings
from torch import nn  # noqa: E402


def conv_bn(c, k, r, stride=1, groups=1, act=True):
    parts = [nn.Conv2d(c, k, r, stride, r // 2, groups=groups, bias=False),
             nn.BatchNorm2d(k)]
    return nn.Sequential(*parts + ([nn.ReLU6(inplace=True)] if act else []))


class Block(nn.Module):
    def __init__(self, c, k, r, expansion, stride):
        super().__init__()
        wide = c * expansion
        self.residual = c == k and stride == 1
        self.layers = nn.Sequential(
            conv_bn(c, wide, 1) if expansion > 1 else nn.Identity(),
            conv_bn(wide, wide, r, stride, wide), conv_bn(wide, k, 1, act=False))

    def forward(self, x):
        return self.layers(x) + x if self.residual else self.layers(x)


def imagenet():
    layers, c = [conv_bn(3, 32, 3, 2), Block(32, 16, 3, 1, 1)], 16
    stages = [(32, 4, 2), (40, 4, 2), (80, 4, 2), (96, 4, 1), (192, 4, 2), (320, 1, 1)]
    for k, repeat, stride in stages:
        for j in range(repeat):
            r, expansion = (3, 5, 7, 3)[j], 3 if j % 2 else 6
            layers.append(Block(c, k, r, expansion, 1 if j else stride))
            c = k
    return layers, 1000, (32, 3, 224, 224)


def cifar():
    layers, c = [conv_bn(3, 32, 3)], 32
    for k, repeat in [(64, 2), (128, 3), (256, 3)]:
        for j in range(repeat):
            r, expansion = (5, 6) if len(layers) % 2 == 0 else (3, 3)
            layers.append(Block(c, k, r, expansion, 1 if j else 2))
            c = k
    return layers, 10, (128, 3, 32, 32)


def network(name):
    layers, classes, shape = {"imagenet": imagenet, "cifar": cifar}[name]()
    last = layers[-1].layers[-1][0].out_channels
    net = nn.Sequential(*layers, conv_bn(last, 1280, 1), nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(), nn.Linear(1280, classes))
    images = torch.randn(shape).to(memory_format=torch.channels_last)
    labels = torch.arange(shape[0]) % classes
    return net.to(memory_format=torch.channels_last), images, labels


def runs(name, mode):
    """What is to be timed, by name."""
    net, images, labels = network(name)
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, 0.9, weight_decay=4e-5,
                                nesterov=True)

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss(net(images), labels).backward()
        optimizer.step()

    def forward(model):
        def run():
            with torch.no_grad():
                loss(model(images), labels)
        return run

    if mode == "train":
        return {"eager": train}
    if mode == "score":
        return {"eager": forward(net)}
    net.eval()
    with torch.no_grad():
        frozen = torch.jit.optimize_for_inference(torch.jit.trace(net, images))
    return {"eager": forward(net), "jit": forward(frozen)}


def milliseconds(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def main():
    program, name, mode, rounds = (sys.argv[1:] + ["5"])[:4]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())))
    ours = subprocess.Popen([program, name, mode, "--turns"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)

    def turn():
        ours.stdin.write("\n")
        ours.stdin.flush()
        return float(ours.stdout.readline())

    todo = runs(name, mode)
    for run in todo.values():
        run(), run()
    turn()
    times = []
    for _ in range(int(rounds)):
        repeats = 1 if mode == "train" and name == "imagenet" else 3
        times.append([min(turn() for _ in range(repeats))] +
                     [min(milliseconds(run) for _ in range(repeats))
                      for run in todo.values()])
    ours.stdin.close()
    for i, variant in enumerate(todo, 1):
        ratios = sorted(row[i] / row[0] for row in times)
        print(f"{name} {mode}, {torch.get_num_threads()} threads:"
              f" {statistics.median(row[0] for row in times):.1f} ms, PyTorch"
              f" {torch.__version__} {variant}"
              f" {statistics.median(row[i] for row in times):.1f} ms, ratio"
              f" {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


main()
