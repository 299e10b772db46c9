#!/usr/bin/env python3
"""Tenon beside PyTorch, in one run: this process times PyTorch's runs and asks `bench --serve` for ours, alternating.

Both use the same number of threads. PyTorch is given its strongest ways (fused Adam, no gradient for the input); the
fastest of them counts. Prints a table, and writes JSON with --json.
"""
import argparse
import json
import platform
import statistics
import subprocess
import sys
import time

import torch


def lenet_300_100(optimizer_kind, hoyer):
    """One training step at batch 100: forward, cross-entropy, backward, Adam; with `hoyer` the Hoyer-Square term of every
    parameter at strength 2e-4, as the paper's own code adds it to the loss."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 300), torch.nn.ReLU(), torch.nn.Linear(300, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))
    kinds = {"eager": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **kinds[optimizer_kind])
    x, y = torch.rand(100, 784), torch.randint(0, 10, (100,))
    parameters = list(model.parameters())

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        if hoyer:
            loss = loss + 2e-4 * sum(p.abs().sum() ** 2 / (p ** 2).sum() for p in parameters)
        loss.backward()
        optimizer.step()

    return step


def elementwise(op, n):
    x, y = torch.rand(n), torch.rand(n)
    return {"add": lambda: x + y, "relu": lambda: torch.relu(x), "exp": lambda: torch.exp(x),
            "tanh": lambda: torch.tanh(x), "sum": lambda: x.sum()}[op]


def product(m, n, k):
    a, b = torch.rand(m, k), torch.rand(k, n)
    return lambda: a @ b


def recorded_add():
    a = torch.ones(1, requires_grad=True)
    return lambda: a + a


CASES = {
    "lenet300/step-hoyer": [(kind, lenet_300_100(kind, True)) for kind in ("eager", "foreach", "fused")],
    "lenet300/step": [(kind, lenet_300_100(kind, False)) for kind in ("eager", "foreach", "fused")],
    "matmul/1024": [("eager", product(1024, 1024, 1024))],
    "matmul/lenet300-forward": [("eager", product(100, 300, 784))],
    "lenet300/recorded-add": [("eager", recorded_add())],
}
for op in ("add", "relu", "exp", "tanh", "sum"):
    for size in (30000, 235200, 1 << 24):
        CASES[f"elementwise/{op}/{size}"] = [("eager", elementwise(op, size))]


def seconds_of(run, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, help="Tenon's bench program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--filter", default="")
    parser.add_argument("--json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ours = subprocess.Popen([args.bench, "--serve", "--threads", str(args.threads)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)

    def tenon(name, repeats):
        ours.stdin.write(f"{name} {repeats}\n")
        ours.stdin.flush()
        line = ours.stdout.readline()
        if not line:
            sys.exit(f"bench --serve ended at case {name}")
        return float(line)

    print(f"PyTorch {torch.__version__}, {args.threads} thread(s), {platform.processor() or platform.machine()}")
    print(f"{'case':32} {'tenon us':>10} {'torch us':>10} {'way':>8} {'torch / tenon':>14}")
    rows = []
    for name, ways in CASES.items():
        if args.filter not in name:
            continue
        repeats = {way: max(1, int(5e-3 / min(seconds_of(run, 3) for _ in range(3)))) for way, run in ways}
        our_repeats = max(1, int(5e-3 / min(tenon(name, 3) for _ in range(3))))
        mine, theirs = [], {way: [] for way, _ in ways}
        for _ in range(args.samples):
            mine.append(tenon(name, our_repeats))
            for way, run in ways:
                theirs[way].append(seconds_of(run, repeats[way]))
        t = statistics.median(mine)
        best, p = min(((way, statistics.median(v)) for way, v in theirs.items()), key=lambda item: item[1])
        print(f"{name:32} {t * 1e6:10.2f} {p * 1e6:10.2f} {best:>8} {p / t:13.2f}x", flush=True)
        rows.append({"case": name, "tenon_seconds": t, "torch_seconds": p, "torch_way": best, "ratio": p / t})
    ours.stdin.close()
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"torch": torch.__version__, "threads": args.threads, "rows": rows}, f, indent=2)


main()
