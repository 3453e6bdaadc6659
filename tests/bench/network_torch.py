"""network_torch.py FOLDER NETWORK MODE [--rounds=5] [--csv=FOLDER] - and PyTorch?

Has the programs in FOLDER and PyTorch do the same in turn, ROUNDS times, and prints times
and ratios: medians of the rounds, and their range. MODE as of bench_network, but that
`infer` also times torch.jit.optimize_for_inference; or `round`: the paths of
bench_scoring, which PyTorch scores one by one. As many threads as OMP_NUM_THREADS says;
ours also with one. Peak memory is that of the whole process, libraries included. Without
PyTorch: ours alone.

PyTorch's best setting, as far as we found it: channels_last, and a malloc that keeps its
memory (the program starts itself anew for that); without the latter it is five times
slower here.
"""
import argparse
import os
import resource
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

# OpenMP will bind this process to one of its processors; our programs want all.
PROCESSORS = os.sched_getaffinity(0)
try:
    import torch  # noqa: E402: after the settings
    from torch import nn
    Module = nn.Module
except ImportError:
    torch, Module = None, object
THREADS = int(os.environ.get("OMP_NUM_THREADS", os.cpu_count()))


def conv_bn(c, k, r, stride=1, groups=1, act=True):
    parts = [nn.Conv2d(c, k, r, stride, r // 2, groups=groups, bias=False),
             nn.BatchNorm2d(k)]
    return nn.Sequential(*parts + ([nn.ReLU6(inplace=True)] if act else []))


class Block(Module):
    def __init__(self, c, k, r, expansion, stride):
        super().__init__()
        wide = c * expansion
        self.residual = c == k and stride == 1
        self.layers = nn.Sequential(
            conv_bn(c, wide, 1) if expansion > 1 else nn.Identity(),
            conv_bn(wide, wide, r, stride, wide), conv_bn(wide, k, 1, act=False))

    def forward(self, x):
        return self.layers(x) + x if self.residual else self.layers(x)


# Stem's stride, first block's width (0: none), stages, classes, shape, and the path that
# bench_network takes.
NETWORKS = {
    "imagenet": (2, 16, [(32, 4, 2), (40, 4, 2), (80, 4, 2), (96, 4, 1), (192, 4, 2),
                         (320, 1, 1)], 1000, (32, 3, 224, 224),
                 ["k3e6", "k5e3", "k7e6", "k3e3"] * 5 + ["k3e6"]),
    "cifar": (1, 0, [(64, 2, 2), (128, 3, 2), (256, 3, 2)], 10, (128, 3, 32, 32),
              ["k3e3", "k5e6"] * 4),
}


def layers_of(name, path):
    stem, first, stages, *_ = NETWORKS[name]
    layers, c, token = [conv_bn(3, 32, 3, stem)], 32, iter(path)
    if first:
        layers.append(Block(c, first, 3, 1, 1))
        c = first
    for k, repeat, stride in stages:
        for j in range(repeat):
            r, expansion = map(int, next(token)[1:].split("e"))
            layers.append(Block(c, k, r, expansion, 1 if j else stride))
            c = k
    return layers


def network(name, path=None):
    *_, classes, shape, usual = NETWORKS[name]
    layers = layers_of(name, path or usual)
    last = layers[-1].layers[-1][0].out_channels
    net = nn.Sequential(*layers, conv_bn(last, 1280, 1), nn.AdaptiveAvgPool2d(1),
                        nn.Flatten(), nn.Linear(1280, classes))
    images = torch.randn(shape).to(memory_format=torch.channels_last)
    labels = torch.arange(shape[0]) % classes
    return net.to(memory_format=torch.channels_last), images, labels


def runs(name, mode, paths):
    """What is to be timed, by name."""
    if not torch:
        return {}
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
    if mode == "round":
        each = [forward(network(name, path)[0]) for path in paths]
        return {"eager": lambda: [run() for run in each]}
    net.eval()
    with torch.no_grad():
        frozen = torch.jit.optimize_for_inference(torch.jit.trace(net, images))
    return {"eager": forward(net), "jit": forward(frozen)}


def milliseconds(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


class Ours:
    """One of our programs, waiting for its turn."""

    def __init__(self, arguments, threads):
        self.child = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, PROCESSORS),
            env=os.environ | {"OMP_NUM_THREADS": str(threads)})

    def lines(self):
        """Up to an empty one."""
        return [line.split() for line in iter(self.child.stdout.readline, "\n")]

    def turn(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return float(self.child.stdout.readline())

    def end(self):
        """Peak memory in MB."""
        self.child.stdin.close()
        return os.wait4(self.child.pid, 0)[2].ru_maxrss / 1024


def spread(values):
    return statistics.median(values), min(values), max(values)


def write_csv(folder, rows):
    path = os.path.join(folder, "networks.csv")
    with open(path, "a") as file:
        if file.tell() == 0:
            file.write("network,mode,program,isa,threads,median_ms,low_ms,high_ms,"
                       "images_per_s,times_ours,low,high,peak_mb\n")
        for row in rows:
            file.write(",".join(str(cell) for cell in row) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("mode", choices=["train", "score", "infer", "round"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--csv")
    asked = parser.parse_args()
    name, mode = asked.network, asked.mode
    program = ([os.path.join(asked.folder, "bench_scoring"), name] if mode == "round" else
               [os.path.join(asked.folder, "bench_network"), name, mode])
    ours = {n: Ours(program + ["--turns"], n) for n in sorted({THREADS, 1}, reverse=True)}
    paths = [child.lines() for child in ours.values()][0] if mode == "round" else []
    todo = {("ours", n): child.turn for n, child in ours.items()}
    if torch:
        torch.set_num_threads(THREADS)
    for variant, run in runs(name, mode, paths).items():
        todo[f"PyTorch {torch.__version__} {variant}", THREADS] = (
            lambda run=run: milliseconds(run))
    for run in todo.values():
        run(), run()
    repeats = 1 if mode == "round" or mode == "train" and name == "imagenet" else 3
    times = [[min(run() for _ in range(repeats)) for run in todo.values()]
             for _ in range(asked.rounds)]
    memory = [child.end() for child in ours.values()]
    memory += [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024] * len(todo)
    images = NETWORKS[name][4][0] * (len(paths) or 1)
    isa = os.environ.get("GREEDYNAS_ISA", "best")
    rows = []
    for i, (what, threads) in enumerate(todo):
        time_ = spread([row[i] for row in times])
        ratio = spread([row[i] / row[0] for row in times])
        print(f"{name:8} {mode:5} {isa:6} {what:22} {threads} threads: {time_[0]:8.1f} ms"
              f" ({time_[1]:.1f} to {time_[2]:.1f}), {1e3 * images / time_[0]:7.1f}"
              f" images/s, {ratio[0]:5.2f} times ours ({ratio[1]:.2f} to {ratio[2]:.2f}),"
              f" peak {memory[i]:.0f} MB")
        rows.append([name, mode, what, isa, threads] + [round(t, 3) for t in time_] +
                    [round(1e3 * images / time_[0], 2)] + [round(r, 3) for r in ratio] +
                    [round(memory[i])])
    if asked.csv:
        write_csv(asked.csv, rows)


main()
