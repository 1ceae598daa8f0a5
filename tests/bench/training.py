"""Training steps of the program, compared with a bare PyTorch loop with its data in memory.

Run `python tests/bench/training.py [BACKBONE[:PRECISION] …]`. Both train the same network, frozen
to the same stage, in channels-last layout and the same precision, a few steps each in turn. The
bare loop gets finished float tensors, and its network is plain PyTorch; the program decodes nothing
either, but augments each image. Both use the program's memory allocator. Bound: images per second ≥
0.95 × the bare loop's; if other programs use the cores, compare the processor time.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from workbench.domain.advice import DataFacts, advise
from workbench.domain.backbones import backbone
from workbench.domain.recipes import complete, partial_recipe
from workbench.domain.runs import LabelList, RunLabels, Sample
from workbench.learning.images.data import Images
from workbench.learning.images.pixels import working_side
from workbench.learning.loop.allocator import keep_memory
from workbench.learning.loop.assembly import Assembled, assemble, fastest
from workbench.learning.loop.loop import State
from workbench.learning.networks.backbones import Dropout
from workbench.learning.networks.device import choose_device, synchronise
from workbench.learning.networks.models import build_network
from workbench.learning.optimizers import freeze
from workbench.learning.precision import autocast
from workbench.learning.protocol.folders import RunFolder

BOUND = 0.95
IMAGES = 320
ROUNDS = 12
DEVICE = choose_device()


def prepared(
    name: str, folder: Path, wanted: str = "auto"
) -> tuple[RunFolder, Images, Assembled, str]:
    """The program's training of `name` with recommended settings, on random pixels."""
    crops = name == "simpleconv3"
    facts = DataFacts((IMAGES // 4,) * 4, crops=crops, shorter_side=60 if crops else 224)
    chosen = {"target": "category", "backbone": name, "start": "none", "precision": wanted}
    advised = advise(facts, partial_recipe(backbone=name)).values
    recipe = complete(chosen, advised.without("start"))
    labels = RunLabels(LabelList("category", ("a", "b", "c", "d"), (0, 1, 2, 3)))
    samples = tuple(
        Sample(image=i, hash="", path="", target=i % 4, part="train") for i in range(IMAGES)
    )
    side = working_side(recipe.image_size, recipe.test_resize)
    pixels = torch.randint(0, 256, (IMAGES, side, side, 3), dtype=torch.uint8)
    targets = torch.arange(IMAGES) % 4
    read = np.ones(IMAGES, bool)
    images = Images(samples, pixels, targets, torch.full((IMAGES,), -1), read)
    run = RunFolder(folder, recipe, labels, samples, "")
    made = assemble(run, images, DEVICE, fresh=True)
    _, precision = fastest(run, made, DEVICE, print)
    made.loop.use_precision(precision)
    return run, images, made, precision


def ours(made: Assembled) -> Iterator[int]:
    """Images of each step of the program's loop, epoch after epoch."""
    state = State()
    while True:
        for count, _ in made.loop.steps_of(state):
            yield count
        made.loop.settle(state)
        state = State(epoch=state.epoch + 1)


def as_in_pytorch(network: nn.Module) -> None:
    """Replace the program's own modules in a network by PyTorch's."""
    for module in network.modules():
        if isinstance(module, Dropout):
            module.__class__ = nn.Dropout


def bare(run: RunFolder, precision: str) -> Iterator[int]:
    """Images of each step of a loop as short as PyTorch allows."""
    recipe = run.recipe
    network = build_network(recipe.backbone, run.labels, recipe.head, recipe.options)
    as_in_pytorch(network)
    network.to(DEVICE.torch, memory_format=torch.channels_last)
    frozen = freeze(network.body, backbone(recipe.backbone).frozen_modules(recipe.frozen))
    network.train()
    for module in frozen:
        module.eval()
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=0.9, nesterov=True, fused=True)
    size, batch = recipe.image_size, recipe.batch
    pool = torch.randn(IMAGES, 3, size, size, device=DEVICE.torch)
    pool = pool.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(IMAGES, device=DEVICE.torch) % 4
    while True:
        for start in range(0, IMAGES - batch + 1, batch):
            with autocast(DEVICE, precision):
                scores = network(pool[start : start + batch])
                loss = functional.cross_entropy(scores, labels[start : start + batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            yield batch


def speed(steps: Iterator[int], count: int) -> tuple[float, float]:
    """Images per second over `count` steps, by wall time and by processor time."""
    began, used = time.perf_counter(), time.process_time()
    images = sum(next(steps) for _ in range(count))
    synchronise(DEVICE)
    return images / (time.perf_counter() - began), images / (time.process_time() - used)


def ratio(found: dict[str, list[tuple[float, float]]], which: int) -> float:
    """Median ratio of the program's speed to the bare loop's, measured in turn."""
    pairs = zip(found["ours"], found["bare"], strict=True)
    return statistics.median(a[which] / b[which] for a, b in pairs)


def measure(chosen: str) -> bool:
    """Alternate the two loops; print both speeds and the median of their ratios."""
    name, _, wanted = chosen.partition(":")
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        run, _, made, precision = prepared(name, Path(folder), wanted or "auto")
    loops = {"ours": ours(made), "bare": bare(run, precision)}
    count = 40 if name == "simpleconv3" else 2 if run.recipe.batch >= 16 else 4
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    for loop in loops.values():
        speed(loop, 3)
    for turn in range(ROUNDS):
        for which in ("ours", "bare") if turn % 2 else ("bare", "ours"):
            found[which].append(speed(loops[which], count))
    reached = ratio(found, 0)
    ours_, bare_ = (statistics.median(pair[0] for pair in found[which]) for which in found)
    print(
        f"{name} ({precision}, {torch.get_num_threads()} threads, batch {run.recipe.batch}, frozen "
        f"{run.recipe.frozen}): {ours_:.1f} images/s, bare loop {bare_:.1f}, ratio {reached:.3f} "
        f"(of processor time {ratio(found, 1):.3f}), bound {BOUND}: "
        f"{'reached' if reached >= BOUND else 'NOT REACHED'}",
        flush=True,
    )
    torch.set_num_threads(threads)
    return reached >= BOUND


if __name__ == "__main__":
    keep_memory()
    print(DEVICE.description)
    wanted = sys.argv[1:] or ["squeezenet1_1", "resnet18", "simpleconv3"]
    sys.exit(0 if all([measure(name) for name in wanted]) else 1)
