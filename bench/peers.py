#!/usr/bin/env python3
"""Tenon beside PyTorch, in one run: this process times PyTorch's runs and asks `bench --serve` for ours, alternating.

On the host both use the same number of threads. On a card (--device cuda) both read the card's own clock, take copies of
their inputs in turns so that none waits in the second-level cache, and PyTorch searches for its fastest algorithm
(cudnn.benchmark); its products are true float32 ones like ours, and once more with TF32, in rows of their own.
PyTorch is given its strongest ways (fused Adam, no gradient for the input); the fastest of them counts. Prints a table, and
writes it with --json and --markdown, row by row.

Threads that wait for work sleep, in both programs: those that spin go on for some milliseconds into the other's turn, and
halve whichever of the two it is.
"""
import argparse
import importlib.util
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, as the threads are made
import torch
import torch.nn.functional as F

warnings.filterwarnings("ignore", message="Sparse CSR tensor support")

DEVICE = "cpu"
CACHE = 100e6  # bytes of inputs that a card's second-level cache cannot hold, as in bench/harness.cpp


def over_inputs(run, *inputs):
    """run(*inputs) on copies that take turns."""
    size = sum(x.numel() * x.element_size() for x in inputs)
    count = 1 if DEVICE == "cpu" else min(64, math.ceil(CACHE / size))
    sets = itertools.cycle([[x.to(DEVICE, copy=True) for x in inputs] for _ in range(count)])
    return lambda: run(*next(sets))


# ---- what is run ---------------------------------------------------------------------------------------------------------
# Each is called when its case's turn comes, and returns a closure that does the work once.

def train(model, input_shape, kind, hoyer=False):
    """One training step: forward, cross-entropy, backward, Adam; with `hoyer` the Hoyer-Square term of every parameter at
    strength 2e-4, as the paper's own code adds it to the loss."""
    torch.manual_seed(0)
    model = model().to(DEVICE)
    kinds = {"eager": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **kinds[kind])
    x, y = torch.rand(*input_shape, device=DEVICE), torch.randint(0, 10, input_shape[:1], device=DEVICE)
    parameters = list(model.parameters())

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        if hoyer:
            loss = loss + 2e-4 * sum(p.abs().sum() ** 2 / (p ** 2).sum() for p in parameters)
        loss.backward()
        optimizer.step()

    return step


def perceptron(kind):
    """A training step of 16-16-16-1 on one sample, eager: what an op costs beside its arithmetic."""
    layers = [torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)]
    model = torch.nn.Sequential(*layers).to(DEVICE)
    x, y = torch.randn(1, 16, device=DEVICE), torch.randn(1, 1, device=DEVICE)
    ways = {"sgd": lambda: torch.optim.SGD(model.parameters(), lr=1e-2, foreach=False),
            "sgd-fused": lambda: torch.optim.SGD(model.parameters(), lr=1e-2, fused=True),
            "adam": lambda: torch.optim.Adam(model.parameters(), lr=1e-3, foreach=False),
            "adam-fused": lambda: torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)}
    optimizer = ways[kind]()

    def step():
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()

    return step


def lstm():
    model = torch.nn.LSTM(64, 128, batch_first=True).to(DEVICE)
    x = torch.randn(32, 20, 64, device=DEVICE)

    def step():
        model.zero_grad()
        model(x)[0].mean().backward()

    return step


def lenet_300_100():
    return torch.nn.Sequential(
        torch.nn.Linear(784, 300), torch.nn.ReLU(), torch.nn.Linear(300, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))


class ResidualBlock(torch.nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        conv = lambda i, o, kernel, s: torch.nn.Conv2d(i, o, kernel, s, kernel // 2, bias=False)
        self.body = torch.nn.Sequential(
            conv(inside, outside, 3, stride), torch.nn.BatchNorm2d(outside), torch.nn.ReLU(inplace=True),
            conv(outside, outside, 3, 1), torch.nn.BatchNorm2d(outside))
        self.shortcut = torch.nn.Identity() if inside == outside else torch.nn.Sequential(
            conv(inside, outside, 1, stride), torch.nn.BatchNorm2d(outside))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


def lenet_5():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 20, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(20, 50, 5), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(800, 500), torch.nn.ReLU(), torch.nn.Linear(500, 10))


def volume_network():
    """Four stages of a 3 x 3 x 3 convolution, batch norm, ReLU and max pooling, 8 to 64 channels."""
    layers, inside = [], 1
    for outside in (8, 16, 32, 64):
        layers += [torch.nn.Conv3d(inside, outside, 3, padding=1, bias=False), torch.nn.BatchNorm3d(outside),
                   torch.nn.ReLU(inplace=True), torch.nn.MaxPool3d(2)]
        inside = outside
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))


def resnet_20():
    layers = [torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16), torch.nn.ReLU(inplace=True)]
    inside = 16
    for outside in (16, 32, 64):
        for block in range(3):
            layers.append(ResidualBlock(inside, outside, 2 if block == 0 and outside > 16 else 1))
            inside = outside
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))


# As in bench/conv.cpp: batch, channels in, extent, channels out, kernel, stride, padding, dilation, groups.
CONVOLUTIONS = {
    "2d-N128-C16-32-K16": (128, 16, 32, 16, (3, 3), 1, 1), "2d-N128-C32-16-K32": (128, 32, 16, 32, (3, 3), 1, 1),
    "2d-N128-C64-8-K64": (128, 64, 8, 64, (3, 3), 1, 1), "2d-N32-C64-32-K64": (32, 64, 32, 64, (3, 3), 1, 1),
    "2d-N32-C3-32-K16": (32, 3, 32, 16, (3, 3), 1, 1), "3d-N1-C1-64-K16": (1, 1, 64, 16, (3, 3, 3), 1, 1),
    "3d-N1-C8-96-K8": (1, 8, 96, 8, (3, 3, 3), 1, 1), "3d-N1-C16-64-K16": (1, 16, 64, 16, (3, 3, 3), 1, 1),
    "3d-N2-C32-32-K32": (2, 32, 32, 32, (3, 3, 3), 1, 1), "3d-N4-C64-16-K64": (4, 64, 16, 64, (3, 3, 3), 1, 1),
    "2d-N32-C64-32-K64-3x1": (32, 64, 32, 64, (3, 1), 1, (1, 0)),
    "2d-N32-C64-32-K64-1x3": (32, 64, 32, 64, (1, 3), 1, (0, 1)),
    "3d-N2-C32-32-K32-3x1x1": (2, 32, 32, 32, (3, 1, 1), 1, (1, 0, 0)),
    "3d-N2-C32-32-K32-1x3x1": (2, 32, 32, 32, (1, 3, 1), 1, (0, 1, 0)),
    "3d-N2-C32-32-K32-1x1x3": (2, 32, 32, 32, (1, 1, 3), 1, (0, 0, 1)),
    "2d-N32-C256-8-K64-1x1": (32, 256, 8, 64, (1, 1), 1, 0),
    "2d-N128-C16-32-K32-stride2": (128, 16, 32, 32, (3, 3), 2, 1),
    "2d-N32-C64-32-depthwise": (32, 64, 32, 64, (3, 3), 1, 1, 1, 64),
    "2d-N64-C1-28-K20-5x5": (64, 1, 28, 20, (5, 5), 1, 0), "2d-N64-C20-12-K50-5x5": (64, 20, 12, 50, (5, 5), 1, 0),
    "3d-N1-C1-64-K8-7x7x7-dilation2": (1, 1, 64, 8, (7, 7, 7), 1, 6, 2),
}


def convolution(passed, batch, inside, extent, outside, kernel, stride, padding, dilation=1, groups=1):
    axes = len(kernel)
    x, w = torch.randn(batch, inside, *[extent] * axes), torch.randn(outside, inside // groups, *kernel)
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    conv = lambda x, w: (F.conv2d if axes == 2 else F.conv3d)(x, w, **options)
    y = torch.randn_like(conv(x, w))
    per_axis = lambda value: [value] * axes if isinstance(value, int) else list(value)

    def gradient(mask, g, x, w):
        return torch.ops.aten.convolution_backward(
            g, x, w, None, per_axis(stride), per_axis(padding), per_axis(dilation), False, [0] * axes, groups, mask)

    return {"forward": lambda: over_inputs(conv, x, w),
            "backward-input": lambda: over_inputs(lambda g, x, w: gradient([True, False, False], g, x, w), y, x, w),
            "backward-weight": lambda: over_inputs(lambda g, x, w: gradient([False, True, False], g, x, w), y, x, w),
            }[passed]()


def batch_norm(x, w, b):
    return F.batch_norm(x, None, None, w, b, training=True)


def residual_relu(x, r, w, b):
    return F.relu(batch_norm(x, w, b) + r, inplace=True)


def images():
    return torch.randn(128, 16, 32, 32)


def batch_norm_backward(op, count):
    """The gradients of op(`count` images, weight, bias) for all of them."""
    def forward(g, *leaves):
        leaves = [t.requires_grad_() for t in leaves]
        return op(*leaves), leaves, g

    drawn = *[images() for _ in range(count + 1)], torch.rand(16), torch.rand(16)
    made = [forward(*[t.to(DEVICE, copy=True) for t in drawn]) for _ in range(1 if DEVICE == "cpu" else 6)]
    sets = itertools.cycle(made)

    def run():
        y, leaves, g = next(sets)
        torch.autograd.grad(y, leaves, g, retain_graph=True)

    return run


def pooling(op, shape, last, options):
    x = torch.randn(shape)
    if last:
        x = x.to(memory_format=torch.channels_last)
    kind, axes = op.split("-")[0], len(shape) - 2
    forward = getattr(F, f"{kind}_pool{axes}d")
    if not op.endswith("backward"):
        return over_inputs(lambda x: forward(x, *options, **({"return_indices": True} if kind == "max" else {})), x)
    kernel, stride, padding = ([value] * axes for value in options)
    aten = torch.ops.aten
    if kind == "max":
        y, index = forward(x, *options, return_indices=True)
        backward = getattr(aten, f"max_pool{axes}d_with_indices_backward")
        return over_inputs(
            lambda g, x, index: backward(g, x, kernel, stride, padding, [1] * axes, False, index), y, x, index)
    backward = getattr(aten, f"avg_pool{axes}d_backward")
    return over_inputs(lambda g, x: backward(g, x, kernel, stride, padding, False, True, None), forward(x, *options), x)


def upsampling(op, shape):
    mode = op.split("-")[0] if op.startswith("nearest") else "bilinear" if len(shape) == 4 else "trilinear"
    run = lambda x: F.interpolate(x, scale_factor=2, mode=mode)
    if not op.endswith("backward"):
        return over_inputs(run, torch.randn(shape))
    x = torch.randn(shape, device=DEVICE, requires_grad=True)
    y = run(x)
    return over_inputs(lambda g: torch.autograd.grad(y, x, g, retain_graph=True), torch.randn(y.shape))


def adam(model):
    parameters = [p.detach().to(DEVICE).requires_grad_() for p in model().parameters()]
    for p in parameters:
        p.grad = torch.full_like(p, 1e-3)
    return torch.optim.Adam(parameters, lr=1e-3, fused=True).step


def product(*shapes):
    return over_inputs(torch.matmul, *[torch.randn(shape) for shape in shapes])


def sparse_product(way, rows, columns, n, percent):
    """A matrix of which `percent` of the elements are 0, in compressed rows, times a dense one."""
    w = torch.randn(rows, columns) * (torch.rand(rows, columns) * 100 >= percent)
    x = torch.randn(columns, n)
    if way == "torch.sparse":
        csr = w.to(DEVICE).to_sparse_csr()
        return over_inputs(lambda x: csr @ x, x)
    import scipy.sparse
    csr, x = scipy.sparse.csr_matrix(w.numpy()), x.numpy()
    return lambda: csr @ x


class Predictor(torch.nn.Module):
    """Three graph convolutions along edges and reversed edges (each adjacency a dense matrix of 7 vertices), the mean over
    the vertices, two dense layers. `order` says whether features first pass along the edges or through the weights."""

    def __init__(self, batch, order):
        super().__init__()
        width, self.order = 144, order
        forward = torch.triu((torch.rand(batch, 7, 7) < 0.4).float(), 1) + torch.eye(7)
        both = torch.stack([forward, forward.transpose(1, 2)], 1)
        self.register_buffer("adjacency", both / both.sum(-1, keepdim=True))
        self.weights = torch.nn.ParameterList(
            torch.randn(2, inside, width) if order == "edges first" else torch.randn(inside, 2 * width)
            for inside in (5, width, width))
        self.dense, self.head = torch.nn.Linear(width, 128), torch.nn.Linear(128, 1)

    def forward(self, v):
        batch = v.shape[0]
        for w in self.weights:
            if self.order == "edges first":  # [B, 2, 7, in] x [2, in, out]
                z = torch.matmul(torch.matmul(self.adjacency, v[:, None]), w)
            else:
                z = torch.matmul(v.reshape(batch * 7, -1), w).view(batch, 7, 2, -1).transpose(1, 2)
                z = torch.matmul(self.adjacency, z)
            v = F.dropout(F.relu(z).mean(1), 0.1)
        v = F.dropout(F.relu(self.dense(v.mean(1))), 0.1)
        return 10 + 90 * torch.sigmoid(self.head(v))


def train_predictor(batch, order):
    torch.manual_seed(0)
    model = Predictor(batch, order).to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=1e-3, fused=True)
    x = F.one_hot(torch.randint(0, 5, (batch, 7)), 5).float().to(DEVICE)
    target = (80 + 15 * torch.rand(batch, 1)).to(DEVICE)

    def step():
        optimizer.zero_grad()
        F.mse_loss(model(x), target).backward()
        optimizer.step()

    return step


def train_gcn(layout):
    """Two graph convolutions on a graph of Cora's size: 2,708 vertices, 5,278 edges, 1,433 words of which a vertex has 18.
    `layout` is that of the features, whose entries drop out; the adjacency is sparse in any case."""
    torch.manual_seed(0)
    papers, words, classes = 2708, 1433, 7
    i = torch.arange(5278)
    ends = torch.stack([i % papers, (i % papers + torch.where(i < papers, 1, 1000)) % papers])
    a = torch.eye(papers)
    a[ends[0], ends[1]] = a[ends[1], ends[0]] = 1
    root = a.sum(1).rsqrt()
    a = (root[:, None] * a * root).to(DEVICE)
    x = ((torch.rand(papers, words) * words < 18) / 18).to(DEVICE)
    a, x = {"csr": (a.to_sparse_csr(), x.to_sparse_csr()), "coo": (a.to_sparse().coalesce(), x.to_sparse().coalesce()),
            "dense": (a.to_sparse_csr(), x)}[layout]
    first, second = [torch.nn.Parameter(torch.randn(shape, device=DEVICE) * 0.1) for shape in ((words, 16), (16, classes))]
    optimizer = torch.optim.Adam([{"params": [first], "weight_decay": 5e-4}, {"params": [second]}], lr=0.01, fused=True)
    chosen, labels = torch.arange(140, device=DEVICE), torch.randint(0, classes, (140,), device=DEVICE)

    def dropped():
        if layout == "dense":
            return F.dropout(x, 0.5)
        values = F.dropout(x.values(), 0.5)
        if layout == "coo":
            return torch.sparse_coo_tensor(x.indices(), values, x.shape, check_invariants=False, is_coalesced=True)
        return torch.sparse_csr_tensor(x.crow_indices(), x.col_indices(), values, x.shape, check_invariants=False)

    def step():
        optimizer.zero_grad()
        hidden = F.dropout(F.relu(a @ (dropped() @ first)), 0.5)
        F.cross_entropy((a @ (hidden @ second))[chosen], labels).backward()
        optimizer.step()

    return step


def recorded_add():
    a = torch.ones(1, requires_grad=True, device=DEVICE)
    return lambda: a + a


def cases():
    """name -> {way: maker}"""
    out = {}

    def eager(name, make):
        out[name] = {"eager": make}

    for name, hoyer in (("lenet300/step", False), ("lenet300/step-hoyer", True)):
        out[name] = {kind: lambda kind=kind, hoyer=hoyer: train(lenet_300_100, (100, 784), kind, hoyer)
                     for kind in ("eager", "foreach", "fused")}
    out["lenet5/step"] = {"fused": lambda: train(lenet_5, (64, 1, 28, 28), "fused")}
    out["volume/step"] = {"fused": lambda: train(volume_network, (1, 1, 96, 96, 96), "fused")}
    out["resnet20/step"] = {"fused": lambda: train(resnet_20, (128, 3, 32, 32), "fused")}
    eager("lenet300/recorded-add", recorded_add)
    eager("lstm/32x20-64-128", lstm)
    for optimizer in ("sgd", "adam"):
        out[f"overhead/mlp16-{optimizer}"] = {
            way: lambda kind=kind: perceptron(kind)
            for way, kind in (("eager", optimizer), ("fused", f"{optimizer}-fused"))}
    for n in (1024, 4096) if DEVICE == "cuda" else (1024,):
        eager(f"matmul/{n}", lambda n=n: product((n, n), (n, n)))
    eager("matmul/lenet300-forward", lambda: product((100, 784), (784, 300)))
    if DEVICE == "cuda":
        eager("matmul/tall-262144x64x64", lambda: product((262144, 64), (64, 64)))
        eager("matmul/batched-4096x32x32x32", lambda: product((4096, 32, 32), (4096, 32, 32)))
    for name, layer in CONVOLUTIONS.items():
        for passed in ("forward", "backward-input", "backward-weight"):
            if passed != "backward-input" or layer[1] > 3:
                eager(f"conv/{passed}/{name}", lambda a=(passed, *layer): convolution(*a))
    if DEVICE == "cuda":
        eager("adam/resnet20", lambda: adam(resnet_20))
    ops = {"add": torch.add, "relu": torch.relu, "exp": torch.exp, "tanh": torch.tanh}
    for op, n in itertools.product(ops, (1 << 24, 1 << 26) if DEVICE == "cuda" else (30000, 235200, 1 << 24)):
        eager(f"elementwise/{op}/{n}",
              lambda op=op, n=n: over_inputs(ops[op], *[torch.rand(n) for _ in range(2 if op == "add" else 1)]))
    eager("reduce/all/16777216", lambda: over_inputs(torch.sum, torch.rand(1 << 24)))
    for name, axis in (("rows", 1), ("columns", 0)):
        eager(f"reduce/{name}/4096x4096", lambda axis=axis: over_inputs(lambda x: x.sum(axis), torch.rand(4096, 4096)))
    for name, op, count in (("batch-norm", batch_norm, 1), ("residual-relu", residual_relu, 2)):
        eager(f"norm/{name}", lambda op=op, count=count: over_inputs(
            op, *[images() for _ in range(count)], torch.rand(16), torch.rand(16)))
        eager(f"norm/{name}-backward", lambda op=op, count=count: batch_norm_backward(op, count))
    for name, shape, last, options in (
            ("2x2", (128, 16, 32, 32), False, (2, 2, 0)), ("2x2", (128, 16, 32, 32), True, (2, 2, 0)),
            ("3x3-stride-2", (8, 64, 112, 112), False, (3, 2, 1)), ("3x3-stride-2", (8, 64, 112, 112), True, (3, 2, 1)),
            ("2x2x2", (4, 16, 48, 48, 48), False, (2, 2, 0)), ("2x2-lenet5", (64, 10, 24, 24), False, (2, 2, 0))):
        for op in ("max", "max-backward", "avg", "avg-backward"):
            eager(f"pool/{op}-{name}{'-channels-last' if last else ''}",
                  lambda a=(op, shape, last, options): pooling(*a))
    for axes, shape in ((2, (8, 32, 64, 64)), (3, (2, 16, 32, 32, 32))):
        for op in ("nearest", "nearest-backward", "linear", "linear-backward"):
            eager(f"upsample/{op}-{axes}d", lambda op=op, shape=shape: upsampling(op, shape))
    for rows, columns in ((8192, 10), (4096, 4096)):
        logits = lambda rows=rows, columns=columns: torch.randn(rows, columns)
        eager(f"softmax/softmax/{rows}x{columns}", lambda x=logits: over_inputs(lambda x: x.softmax(1), x()))
        eager(f"softmax/cross-entropy/{rows}x{columns}", lambda x=logits, rows=rows: over_inputs(
            F.cross_entropy, x(), torch.randint(0, 10, (rows,))))
    eager("dropout/4194304", lambda: over_inputs(lambda x: torch.native_dropout(x, 0.5, True), torch.randn(1 << 22)))
    for name, shape in (("1048576", (1 << 20,)), ("1024x1000", (1024, 1000))):
        eager(f"order/sort/{name}", lambda shape=shape: over_inputs(
            lambda x: torch.sort(x, stable=True), torch.randn(shape)))
        eager(f"order/topk-5/{name}", lambda shape=shape: over_inputs(lambda x: torch.topk(x, 5), torch.randn(shape)))
    ways = ["torch.sparse"] + (["scipy"] if DEVICE == "cpu" and importlib.util.find_spec("scipy") else [])
    for shape in ((300, 784, 128), (512, 512, 128), (300, 784, 1)) if DEVICE == "cpu" else ((1024, 1024, 128),
                                                                                             (4096, 4096, 256)):
        for percent in (60, 80, 90, 95, 98):
            out[f"sparse/{'x'.join(map(str, shape))}/{percent}"] = {
                way: lambda way=way, a=(*shape, percent): sparse_product(way, *a) for way in ways}
    for batch in (10, 64):
        out[f"graph/predictor/batch{batch}"] = {
            order: lambda batch=batch, order=order: train_predictor(batch, order)
            for order in ("edges first", "weights first")}
    out["graph/gcn-cora"] = {layout: lambda layout=layout: train_gcn(layout) for layout in ("csr", "coo", "dense")}
    # Batches of the SVD: on the card, on the host.
    decompositions = {"svd": lambda a: torch.linalg.svd(a, full_matrices=False), "eigh": torch.linalg.eigh,
                      "qr": torch.linalg.qr}
    for op, m, n, on_card, on_host in (
            ("svd", 8, 8, 4096, 64), ("svd", 16, 16, 1024, 64), ("svd", 32, 32, 256, 64), ("svd", 64, 16, 256, 64),
            ("svd", 144, 16, 64, 64), ("svd", 64, 64, 64, 20), ("svd", 128, 128, 64, 20), ("svd", 576, 64, 64, 20),
            ("eigh", 16, 16, 1024, 1024), ("qr", 64, 16, 256, 256)):
        shape = (on_card if DEVICE == "cuda" else on_host, m, n)
        eager(f"linalg/{op}/{m}x{n}",
              lambda op=op, shape=shape: over_inputs(decompositions[op], torch.randn(shape)))
    return out


# ---- how it is timed -----------------------------------------------------------------------------------------------------

def seconds_of(run, repeats):
    if DEVICE == "cuda":
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) * 1e-3 / repeats
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


class Served:
    """Our own runs, in another process. A case that it refuses ends it; the next case starts another."""

    def __init__(self, command):
        self.command, self.process = command, None

    def seconds_of(self, name, repeats):
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(f"{name} {repeats}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            message, self.process = self.process.stderr.read().strip(), None
            raise RuntimeError(message or "bench --serve ended")
        return float(line)


def compare(name, ways, ours, samples, target):
    runs = {way: make() for way, make in ways.items()}
    tenon = lambda repeats: ours.seconds_of(name, repeats)
    repeats_for = lambda timed: max(1, int(target / min(timed(3) for _ in range(3))))
    our_repeats = repeats_for(tenon)
    repeats = {way: repeats_for(lambda n, run=run: seconds_of(run, n)) for way, run in runs.items()}
    mine, theirs = [], {way: [] for way in ways}
    for _ in range(samples):
        mine.append(tenon(our_repeats))
        for way, run in runs.items():
            theirs[way].append(seconds_of(run, repeats[way]))
    best, seconds = min(((way, statistics.median(v)) for way, v in theirs.items()), key=lambda item: item[1])
    return {"case": name, "tenon_seconds": statistics.median(mine), "torch_seconds": seconds, "torch_way": best}


def use_tf32(on):
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


def write(path, text):
    if path:
        with open(path, "w") as f:
            f.write(text)


def main():
    global DEVICE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, help="Tenon's bench program")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no case later than this")
    parser.add_argument("--filter", default="")
    parser.add_argument("--json")
    parser.add_argument("--markdown")
    args = parser.parse_args()
    begun = time.monotonic()
    DEVICE = args.device
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    ours = Served([args.bench, "--serve", "--device", DEVICE, "--threads", str(args.threads)])

    where = torch.cuda.get_device_name() if DEVICE == "cuda" else platform.processor() or platform.machine()
    head = f"PyTorch {torch.__version__}, {args.threads} thread(s), {where}"
    print(head)
    print(f"{'case':42} {'tenon us':>10} {'torch us':>10} {'way':>10} {'torch / tenon':>14}")
    markdown = f"{head}.\n\n| case | Tenon us | PyTorch us | its way | PyTorch / Tenon |\n|---|---|---|---|---|\n"
    rows = []
    for name, ways in cases().items():
        if not any(word in name for word in args.filter.split(",")) or time.monotonic() - begun > args.seconds:
            continue
        multiplies = name.split("/")[0] in ("matmul", "conv", "lenet300", "lenet5", "volume", "resnet20", "graph") and not name.endswith("-add")
        for tf32 in (False, True) if DEVICE == "cuda" and multiplies else (False,):
            use_tf32(tf32)
            try:
                row = compare(name, ways, ours, args.samples, 5e-3)
            except RuntimeError as error:
                print(f"{name:42} did not run: {str(error).splitlines()[0]}", flush=True)
                break
            row["torch_way"] += " tf32" if tf32 else ""
            t, p = row["tenon_seconds"] * 1e6, row["torch_seconds"] * 1e6
            print(f"{name:42} {t:10.2f} {p:10.2f} {row['torch_way']:>10} {p / t:13.2f}x", flush=True)
            markdown += f"| {name} | {t:.2f} | {p:.2f} | {row['torch_way']} | {p / t:.2f} |\n"
            rows.append(dict(row, ratio=p / t))
        write(args.markdown, markdown)
        write(args.json, json.dumps({"torch": torch.__version__, "threads": args.threads, "rows": rows}, indent=2))


main()
