"""Set up a training: network, start weights, frozen stages, method, optimizer and loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from workbench.domain.backbones import backbone
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import Recipe
from workbench.domain.runs import ModelCard
from workbench.domain.text import Message
from workbench.learning.heads import find_head
from workbench.learning.images.augment import Augmenter
from workbench.learning.images.data import Images
from workbench.learning.images.label_tensors import label_tensors
from workbench.learning.images.pixels import network_input
from workbench.learning.loop.distributed import SINGLE_PROCESS, ProcessGroup
from workbench.learning.loop.loop import Learner, Loop
from workbench.learning.methods import METHODS, Batch, InitialState, Method, Setup
from workbench.learning.methods.terms import class_weights
from workbench.learning.networks.device import Device
from workbench.learning.networks.models import Network, build_network, card_of
from workbench.learning.networks.weights import load_start, read_start
from workbench.learning.optimizers import make_optimizer
from workbench.learning.penalties import Penalties, find_penalties
from workbench.learning.penalties.distance import inside
from workbench.learning.penalties.stages import new_modules
from workbench.learning.precision import choose_precision, choose_threads
from workbench.learning.protocol.folders import RunFolder


@dataclass(frozen=True)
class Assembled:
    """A training ready to run. `head_loaded` is True if the head of an earlier run was loaded."""

    loop: Loop
    network: Network
    method: Method
    card: ModelCard
    head_loaded: bool


def assemble(
    run: RunFolder,
    images: Images,
    device: Device,
    fresh: bool,
    group: ProcessGroup = SINGLE_PROCESS,
) -> Assembled:
    """Set up a training without its checkpoint state; start weights are loaded if `fresh`.

    Raises KnownError for invalid start weights or images, ValueRefused for an unknown method,
    penalty or option.
    """
    recipe, labels = run.recipe, run.labels
    torch.manual_seed(recipe.seed)
    plain = build_network(recipe.backbone, labels, recipe.head, recipe.options)
    with preserve_modules(plain, new_modules(recipe)):
        head_loaded = fresh and load_start(plain, run.path, recipe.start, labels)
    learner = make_learner(run, plain, images, device)
    augmenter = Augmenter(recipe, *backbone(recipe.backbone).normalisation, device.torch)
    loop = Loop(recipe, labels, images, learner, augmenter, device, group)
    card = card_of(recipe, labels, learner.network)
    if fresh:
        begin(run, learner, loop, card)
    return Assembled(loop, learner.network, learner.method, card, head_loaded)


@contextmanager
def preserve_modules(network: Network, modules: tuple[str, ...]) -> Generator[None, None, None]:
    """Restore these modules of the body on exit, whatever was loaded inside the block."""
    drawn = {
        key: value.clone()
        for key, value in network.body.state_dict().items()
        if inside(key, modules)
    }
    yield
    network.body.load_state_dict(drawn, strict=False)


def make_learner(run: RunFolder, plain: Network, images: Images | None, device: Device) -> Learner:
    """Build the learner from a plain network with its start weights."""
    recipe, labels = run.recipe, run.labels
    kind = METHODS.find(recipe.method)
    check_options(recipe)
    network = kind.wrap(plain, recipe.backbone, kind.spec.options(recipe.options))
    network.to(device.torch, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = kind.freeze(network, recipe)
    weights = None
    if images is not None:
        weights = class_weights(images, images.of_part("train"), recipe, labels.target)
    if weights is not None:
        weights = weights.to(device.torch)
    setup = Setup(recipe, labels, weights, network, lambda: _start(run))
    method, penalties = kind(setup), Penalties(setup)
    method.extra.to(device.torch)
    penalties.extra.to(device.torch)
    if penalties.replace_decay:
        recipe = msgspec.structs.replace(recipe, weight_decay=0.0)
    new = [(network.head, recipe.head_factor), (method.extra, 1.0)]
    optimizer = make_optimizer([*kind.rates(network, recipe), *new], recipe, device.torch)
    return Learner(network, method, penalties, optimizer, frozen)


def begin(run: RunFolder, learner: Learner, loop: Loop, card: ModelCard) -> None:
    """Initialise head, method and penalties from the start network and the train part."""
    answers = label_tensors(loop.images, run.labels)

    def batches() -> Iterator[Batch]:
        rows, images = loop.rows, loop.images
        for start in range(0, len(rows), run.recipe.batch):
            chosen = torch.from_numpy(rows[start : start + run.recipe.batch])
            seen = network_input(images.pixels[chosen].to(loop.device.torch), card)
            own = answers.of(chosen, loop.device.torch)
            yield Batch(seen, own.targets, own.views, marks=own.marks)

    initial = InitialState(learner.network, batches, loop.device)
    network = learner.network.eval()
    with torch.no_grad():
        network.head.begin(network.body(batch.images) for batch in batches())
    learner.method.begin(initial)
    learner.penalties.begin(initial)


def _start(run: RunFolder) -> dict[str, Tensor]:
    found = read_start(run.path) if run.recipe.start != "none" else None
    return {} if found is None else found[1]


def check_options(recipe: Recipe) -> None:
    """Raise ValueRefused for options of a component that the recipe does not use."""
    chosen = [find_head(recipe.head).spec, METHODS.find(recipe.method).spec]
    chosen += [penalty.spec for penalty in find_penalties(recipe.penalty)]
    names = [spec.name for spec in chosen]
    for name in recipe.options:
        if name not in names:
            raise ValueRefused(f"options.{name}", recipe.options[name], ", ".join(names))


def fastest(
    run: RunFolder, made: Assembled, device: Device, warn: Callable[[Message], None]
) -> tuple[int, str]:
    """Choose CPU threads (set immediately) and the fastest precision."""
    threads = choose_threads(run.recipe)
    torch.set_num_threads(threads)
    return threads, choose_precision(run.recipe, device, made.network, made.method, warn)
