"""Trial: steps of growing batches, to predict the time and memory of a training."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from workbench.domain.reports import Progress, Report, Trial
from workbench.domain.text import Message
from workbench.learning.evaluation.windows import views_of_image
from workbench.learning.images.pixels import scoring_crops, working_side
from workbench.learning.loop.assembly import begin, make_learner, small_batch
from workbench.learning.loop.loop import Learner
from workbench.learning.methods import Batch, InitialState, Method
from workbench.learning.networks.device import (
    Device,
    choose_device,
    free_memory,
    peak_memory,
    synchronise,
)
from workbench.learning.networks.models import Network, build_network
from workbench.learning.networks.probe import feature_count
from workbench.learning.networks.weights import TARGET_LAYER
from workbench.learning.precision import backward_of, choose_precision, constant_batch
from workbench.learning.protocol.failures import is_out_of_memory
from workbench.learning.protocol.folders import RunFolder, read_run_folder
from workbench.learning.protocol.reporting import Preparation

LARGEST = 512
PATIENCE = 20.0  # seconds, after which larger batches are extrapolated
SHARE = 0.9  # usable share of free memory
PREPARATION_LIMIT = 2.0  # seconds of each part of the work before the first step
SOURCE_CLASSES = 1000  # of a source classifier
FORWARD = 1 / 3  # scoring time per image, relative to a training step


def try_run(folder: Path, report: Callable[[Report], None]) -> None:
    """Run steps of 1, 2, 4 … images with the recipe of a run folder and report a Trial.

    The folder is not changed. Raises KnownError if it is damaged.
    """
    run = read_run_folder(folder)
    device = choose_device()
    recipe = run.recipe
    torch.manual_seed(recipe.seed)
    plain = build_network(recipe.backbone, run.labels, recipe.head, recipe.options)

    def start() -> dict[str, Tensor]:  # a folder for a trial has none; as large as ImageNet's
        features = feature_count(plain, recipe.image_size)
        return {f"{TARGET_LAYER}.weight": torch.zeros(SOURCE_CLASSES, features)}

    learner = make_learner(run, plain, None, device, start)
    network, method = learner.network, learner.method
    network.train()
    for module in learner.frozen:
        module.eval()
    work = Preparation(report)
    precision = choose_precision(recipe, device, network, method, lambda _: None, work)
    steps = Steps(run, network, method, device, precision)
    steps.grow(report)
    steps.preparation = preparation_seconds(run, learner, device, report)
    report(steps.trial())


def preparation_seconds(
    run: RunFolder, learner: Learner, device: Device, report: Callable[[Report], None]
) -> float:
    """Predict the seconds of all work before the first step: begin it on random images, a few
    seconds at most, and extrapolate."""
    recipe, images = run.recipe, run.counts.get("train", 0)
    count, classes = small_batch(recipe, device), len(run.labels.target.labels)
    draw = torch.Generator().manual_seed(recipe.seed)

    def train(most: int) -> Iterator[Batch]:
        rows = torch.arange(min(most, images) if most else images)
        for chosen in torch.split(rows, count):
            seen = torch.randn(len(chosen), 3, *2 * (recipe.image_size,), generator=draw)
            labels = (chosen % classes).to(device.torch)
            marks = None
            if not run.labels.target.exclusive:
                marks = torch.nn.functional.one_hot(labels, classes).float()
            yield Batch(seen.to(device.torch), labels, labels.clamp(max=0), marks=marks)

    work = Preparation(report, limit=PREPARATION_LIMIT)
    start = time.perf_counter()
    begin(learner, InitialState(learner.network, train, device, images, work))
    synchronise(device)
    return time.perf_counter() - start + work.skipped


class Steps:
    """Time and memory of steps with growing batches."""

    def __init__(
        self, run: RunFolder, network: Network, method: Method, device: Device, precision: str
    ) -> None:
        self.run = run
        self.network = network
        self.method = method
        self.device = device
        self.precision = precision
        self.free = free_memory(device)
        self.at_start = peak_memory(device)
        self.preparation = 0.0  # seconds before the first step
        self.seconds: dict[int, float] = {}
        self.memory: dict[int, int] = {}

    def grow(self, report: Callable[[Report], None]) -> None:
        """Double the batch until memory or time runs out."""
        began = time.monotonic()
        batch, wanted = 1, self.run.recipe.batch
        while batch <= LARGEST:
            report(
                Progress(
                    done=batch,
                    total=wanted,
                    text=Message("Testing a batch of {batch}", batch=batch),
                )
            )
            if not self._fits(batch) or not self._step(batch):
                return
            if batch >= wanted and time.monotonic() - began > PATIENCE:
                return
            if time.monotonic() - began > 3 * PATIENCE:
                return
            if batch < wanted < 2 * batch:
                batch = wanted
            else:
                batch *= 2

    def _fits(self, batch: int) -> bool:
        """Whether a larger batch is predicted to fit in memory."""
        if self.device.kind == "cuda" or not self.memory or not self.free:
            return True
        return self._extrapolated(batch) <= SHARE * self.free

    def _extrapolated(self, batch: int) -> float:
        """Memory of a batch, extrapolated linearly from the smallest and largest ones tried."""
        tried = sorted(self.memory)
        if len(tried) < 2:
            return self.memory[tried[0]] * batch / tried[0]
        first, last = tried[0], tried[-1]
        slope = max(0.0, (self.memory[last] - self.memory[first]) / (last - first))
        return self.memory[last] + slope * (batch - last)

    def _step(self, batch: int) -> bool:
        """Take two steps; False if out of memory."""
        recipe = self.run.recipe
        images = constant_batch(batch, recipe.image_size, self.device, self.method.augmentations)
        best = float("inf")
        try:
            for _ in range(2):
                start = time.perf_counter()
                backward_of(self.network, self.method, images, self.device, self.precision)
                synchronise(self.device)
                best = min(best, time.perf_counter() - start)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        self.seconds[batch] = best
        self.memory[batch] = max(1, peak_memory(self.device) - self.at_start)
        return True

    def trial(self) -> Trial:
        """Predict the requirements of the whole training."""
        recipe, counts = self.run.recipe, self.run.counts
        tried = max(self.seconds, default=0)
        batch = min(recipe.batch, tried) or recipe.batch
        per_image = self.seconds.get(batch, self.seconds.get(tried, 0.0)) / max(1, batch)
        forward = per_image * FORWARD
        side = working_side(recipe.image_size, recipe.test_resize)
        seen = views_of_image(recipe) * (2 if recipe.test_mirror else 1)
        scored = len(self.run.samples) * seen
        scored += (
            counts.get("validation", 0)
            * recipe.epochs
            * len(scoring_crops(side, recipe, quick=True))
        )
        taught = counts.get("train", 0) * recipe.epochs
        pixels = len(self.run.samples) * side * side * 3
        weights = sum(t.numel() * t.element_size() for t in self.network.state_dict().values())
        room = shutil.disk_usage(self.run.path)
        return Trial(
            device=self.device.description,
            precision=self.precision,
            batch=recipe.batch,
            largest_batch=self._largest(),
            step_seconds=per_image * recipe.batch,
            total_seconds=self.preparation + taught * per_image + scored * forward,
            memory=int(self._extrapolated(recipe.batch)) + pixels if self.memory else pixels,
            memory_free=self.free,
            disk=4 * weights,
            disk_free=room.free,
        )

    def _largest(self) -> int:
        """Largest batch that was tried or is predicted to fit."""
        largest = max(self.seconds, default=0)
        while largest and self.device.kind != "cuda" and 2 * largest <= LARGEST:
            if not self._fits(2 * largest):
                break
            largest *= 2
        return largest
