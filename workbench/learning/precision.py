"""Choose number format and CPU threads of a training."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor

from workbench.domain.backbones import backbone
from workbench.domain.recipes import Recipe
from workbench.domain.text import Message
from workbench.learning.methods import Batch, Method, Unlabelled
from workbench.learning.networks.device import Device, synchronise
from workbench.learning.networks.models import Network
from workbench.learning.protocol.reporting import Preparation

GAIN = 0.9  # bf16 is chosen below this share of fp32's time
CPU_TRIAL_BATCH = 8  # images of a timed step on a CPU
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: Device, precision: str) -> torch.autocast:
    """Autocast context for "fp32", "bf16" or "fp16"."""
    enabled = precision != "fp32"
    return torch.autocast(device.kind, DTYPES[precision] if enabled else None, enabled=enabled)


def choose_precision(
    recipe: Recipe,
    device: Device,
    network: Network,
    method: Method,
    warn: Callable[[Message], None],
    work: Preparation | None = None,
) -> str:
    """The recipe's precision; for "auto", the faster of fp32 and bf16 in timed steps. Raises
    Interrupted if `work` does."""
    if recipe.precision == "fp16" and device.kind != "cuda":
        warn(Message("fp16 needs a CUDA device; this training runs in fp32."))
        return "fp32"
    if recipe.precision != "auto":
        return recipe.precision
    if device.kind == "mps" or backbone(recipe.backbone).tiny:
        return "fp32"
    if device.kind == "cuda" and not torch.cuda.is_bf16_supported():
        return "fp32"
    count = recipe.batch if device.kind == "cuda" else min(recipe.batch, CPU_TRIAL_BATCH)
    batch = constant_batch(count, recipe.image_size, device, method.augmentations)
    tried = copy.deepcopy(network)
    times: dict[str, list[float]] = {"fp32": [], "bf16": []}
    turns = 4 * list(times)  # alternate, so that other load affects both
    text = Message("Comparing precisions")
    for each in (work or Preparation()).each(turns, len(turns), text):
        times[each].append(_step_seconds(tried, method, batch, device, each))
    return "bf16" if min(times["bf16"][1:]) < GAIN * min(times["fp32"][1:]) else "fp32"


def choose_threads(recipe: Recipe) -> int:
    """Number of CPU threads: one for tiny networks, where parallelism costs more than it saves,
    else all. Not measured, so that runs of one recipe are reproducible."""
    return 1 if backbone(recipe.backbone).tiny else torch.get_num_threads()


def constant_batch(count: int, size: int, device: Device, augmentations: int) -> Batch:
    """Batch of constant images with labels 0, and as many unlabelled ones in `augmentations` views,
    for timing."""
    images = torch.full((count, 3, size, size), 0.1, device=device.torch)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(count, dtype=torch.int64, device=device.torch)
    unlabelled = None
    if augmentations:
        flipped = torch.zeros(augmentations, count, dtype=torch.bool, device=device.torch)
        unlabelled = Unlabelled(torch.stack([images] * augmentations), flipped)
    return Batch(images, labels, labels, unlabelled=unlabelled)


def _step_seconds(
    network: Network, method: Method, batch: Batch, device: Device, precision: str
) -> float:
    start = time.perf_counter()
    backward_of(network, method, batch, device, precision)
    synchronise(device)
    return time.perf_counter() - start


def backward_of(
    network: Network, method: Method, batch: Batch, device: Device, precision: str
) -> Tensor:
    """Run one forward and backward pass; gradients stay in the network."""
    network.zero_grad(set_to_none=True)
    with autocast(device, precision):
        loss, _ = method.loss(network, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()
