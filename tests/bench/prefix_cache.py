"""Training with the frozen-feature cache, compared with full steps and with new augmentations.

Run `python tests/bench/prefix_cache.py [speed|accuracy|share …] [--seeds N] [--views K]`.

speed: SqueezeNet 1.1 frozen to fire6, steps of the program on cached features, in turn with a bare
loop that trains the whole network: tuned (channels last, bf16) and plain (fp32), all with a linear
head unless `BENCH_HEAD` names another. Bounds: ≥ 4 × and ≥ 8 ×; the ratio of processor time is
printed too.
accuracy: birds6 with recommended settings, frozen to fire6, K cached augmentations compared with
new ones in each epoch, same splits and seeds. Bound: within 0.5 points on the mean.
share: features of fire4, then those of fire5 and fire6 computed from them, compared with computing
each from the images.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import msgspec
import torch
from torch.nn import functional

from tests.bench.real_input import DATA, cases, import_case, train_case
from tests.bench.training import DEVICE, IMAGES, as_in_pytorch, ours, prepared, speed
from workbench.domain.reports import Report
from workbench.domain.runs import RunLabels
from workbench.learning.frozen_cache.store import FeatureStore
from workbench.learning.loop.allocator import keep_memory
from workbench.learning.loop.assembly import Assembled, assemble
from workbench.learning.networks.models import build_network
from workbench.learning.precision import autocast

BOUNDS = {"tuned": 4.0, "plain": 8.0}
POINTS = 0.5
HEAD = os.environ.get("BENCH_HEAD", "linear")  # of every loop whose speed is compared
ROUNDS = 8


def cached_loop(
    folder: Path, stage: str, views: int, store: FeatureStore
) -> tuple[Assembled, RunLabels, float]:
    """The program's loop on cached features, and the seconds to compute them."""
    run, images, _, _ = prepared("squeezenet1_1", folder, "bf16")
    recipe = msgspec.structs.replace(run.recipe, frozen=stage, cache=views, seed=0, head=HEAD)
    torch.manual_seed(0)
    squares = torch.randint(0, 256, images.pixels.shape, dtype=torch.uint8)
    run, images = (
        type(run)(folder, recipe, run.labels, run.samples, ""),
        type(images)(images.samples, squares, images.targets, images.views, images.read),
    )
    made = assemble(run, images, DEVICE, fresh=True)
    made.loop.use_precision("bf16")
    began = time.perf_counter()
    made.loop.cache_features(made.card, store, _show, lambda: False)
    seconds = time.perf_counter() - began
    assert made.loop.cached is not None
    return made, run.labels, seconds


def _show(report: Report) -> None:
    text = getattr(report, "text", "")
    if "cache" in text:
        print(f"  {text}", flush=True)


def whole(labels: RunLabels, batch: int, tuned: bool) -> Iterator[int]:
    """Images of each step of a bare loop that trains all layers, with its data in memory."""
    network = build_network("squeezenet1_1", labels, HEAD).to(DEVICE.torch)
    as_in_pytorch(network)
    pool = torch.randn(IMAGES, 3, 224, 224, device=DEVICE.torch)
    if tuned:
        network = network.to(memory_format=torch.channels_last)
        pool = pool.contiguous(memory_format=torch.channels_last)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, fused=True)
    targets = torch.arange(IMAGES, device=DEVICE.torch) % 4
    while True:
        for start in range(0, IMAGES - batch + 1, batch):
            with autocast(DEVICE, "bf16" if tuned else "fp32"):
                scores = network(pool[start : start + batch])
                loss = functional.cross_entropy(scores, targets[start : start + batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            yield batch


def measure_speed(folder: Path, views: int) -> bool:
    """Measure steps on cached features in turn with both bare loops."""
    made, labels, seconds = cached_loop(folder, "fire6", views, FeatureStore(folder / "maps"))
    batch = made.loop.recipe.batch
    loops = {
        "cached": ours(made),
        "tuned": whole(labels, batch, True),
        "plain": whole(labels, batch, False),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for loop in loops.values():
        speed(loop, 2)
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            found[name].append(speed(loop, 8 if name == "cached" else 1))
    cached_speed = statistics.median(pair[0] for pair in found["cached"])
    print(
        f"cached features: {cached_speed:.1f} images/s; {views} augmentations of {IMAGES} images "
        f"computed in {seconds:.1f} s"
    )
    reached = []
    for name, bound in BOUNDS.items():
        clock, processor = (
            statistics.median(
                a[at] / b[at] for a, b in zip(found["cached"], found[name], strict=True)
            )
            for at in (0, 1)
        )
        reached.append(clock >= bound)
        own = statistics.median(pair[0] for pair in found[name])
        print(
            f"  {name} full step {own:.1f} images/s: {clock:.2f} × (of processor time "
            f"{processor:.2f} ×), bound {bound} ×: {'reached' if reached[-1] else 'NOT REACHED'}",
            flush=True,
        )
    return all(reached)


def measure_share(folder: Path, views: int) -> bool:
    """Measure three depths computed from one another, and each on its own."""
    together, alone = FeatureStore(folder / "together"), 0.0
    shared = [cached_loop(folder, f"fire{n}", views, together)[2] for n in (4, 5, 6)]
    for n in (4, 5, 6):
        alone += cached_loop(folder, f"fire{n}", views, FeatureStore(folder / f"alone{n}"))[2]
    print(
        f"maps of fire4, fire5, fire6 one after the other: {sum(shared):.1f} s "
        f"({', '.join(f'{s:.1f}' for s in shared)}); each from the images: {alone:.1f} s, "
        f"ratio {alone / sum(shared):.2f}",
        flush=True,
    )
    return sum(shared) < alone


def measure_accuracy(folder: Path, views: int, seeds: int) -> bool:
    """Train pairs on birds6: cached augmentations, and new ones in each epoch."""
    from workbench.app.session import Session
    from workbench.storage.project import Project

    case = cases(DATA)["birds6"]
    os.environ["WORKBENCH_MAPS"] = str(folder / "maps")
    session = Session(Project.create(folder / "birds6"))
    reached: dict[int, list[float]] = {views: [], 0: []}
    seconds = dict.fromkeys(reached, 0.0)
    try:
        import_case(session, case, DATA, folder)
        for seed in range(seeds):
            for cache, found in reached.items():
                chosen = {**case.chosen, "frozen": "fire6", "cache": cache}
                began = time.monotonic()
                found.append(train_case(session, replace(case, chosen=chosen), seed)[0])
                seconds[cache] += time.monotonic() - began
    finally:
        session.close()
    cached_mean, new_mean = (statistics.mean(found) for found in reached.values())
    held = cached_mean >= new_mean - POINTS
    print(
        f"birds6, fire6, {seeds} seeds: {views} cached augmentations {cached_mean:.2f} % in "
        f"{seconds[views]:.0f} s, new ones each epoch {new_mean:.2f} % in {seconds[0]:.0f} s, "
        f"difference {cached_mean - new_mean:+.2f} points, bound {POINTS}: "
        f"{'reached' if held else 'NOT REACHED'}",
        flush=True,
    )
    return held


def main() -> int:
    """Run the named measurements, by default all; return 0 if every bound is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", default=["speed", "share", "accuracy"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--views", type=int, default=8)
    options = parser.parse_args()
    print(DEVICE.description)
    reached = []
    for which in options.which:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if which == "speed":
                reached.append(measure_speed(folder, 2))
            elif which == "share":
                reached.append(measure_share(folder, 2))
            else:
                reached.append(measure_accuracy(folder, options.views, options.seeds))
    return 0 if all(reached) else 1


if __name__ == "__main__":
    keep_memory()
    sys.exit(main())
