"""Set up a training: network, start weights, frozen stages, method, optimizer and loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
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
from workbench.learning.images.label_tensors import LabelTensors, label_tensors
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
from workbench.learning.protocol.reporting import Preparation

CPU_PIXELS = 4 * 224**2  # of a batch before the first step


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
    work: Preparation | None = None,
) -> Assembled:
    """Set up a training without its checkpoint state; start weights are loaded if `fresh`.

    Raises KnownError for invalid start weights or images, ValueRefused for an unknown method,
    penalty or option, Interrupted if `work` does.
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
        answers = label_tensors(images, labels)
        train = partial(train_batches, loop, answers, card)
        begin(
            learner,
            InitialState(learner.network, train, device, len(loop.rows), work or Preparation()),
        )
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


def make_learner(
    run: RunFolder,
    plain: Network,
    images: Images | None,
    device: Device,
    start: Callable[[], dict[str, Tensor]] | None = None,
) -> Learner:
    """Build the learner from a plain network with its start weights. `start` reads the file of
    these weights; by default, the run folder's."""
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
    setup = Setup(recipe, labels, weights, network, start or (lambda: _start(run)))
    method, penalties = kind(setup), Penalties(setup)
    method.extra.to(device.torch)
    penalties.extra.to(device.torch)
    undecayed = penalties.replace_decay(network)
    new = [(network.head, recipe.head_factor), (method.extra, 1.0)]
    rates = [*kind.rates(network, recipe), *new]
    optimizer = make_optimizer(rates, recipe, device.torch, undecayed)
    return Learner(network, method, penalties, optimizer, frozen)


def begin(learner: Learner, initial: InitialState) -> None:
    """Initialise head, method and penalties from the start network and the train part: all work
    before the first step that depends on the images. Raises Interrupted if `initial.work` does."""
    network = learner.network.eval()

    def outputs(text: Message, most: int) -> Iterator[Tensor]:
        return (network.body(batch.images) for batch in initial.batches(text, most))

    with torch.no_grad():
        network.head.begin(outputs)
    learner.method.begin(initial)
    learner.penalties.begin(initial)


def train_batches(loop: Loop, answers: LabelTensors, card: ModelCard, most: int) -> Iterator[Batch]:
    """Batches of `most` evenly spread images of the train part, or of all for 0."""
    rows, device = loop.rows, loop.device.torch
    if most and most < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    count = small_batch(loop.recipe, loop.device)
    for chosen in torch.split(torch.from_numpy(rows), count):
        seen = network_input(loop.images.pixels[chosen].to(device), card)
        own = answers.of(chosen, device)
        yield Batch(seen, own.targets, own.views, marks=own.marks)


def small_batch(recipe: Recipe, device: Device) -> int:
    """Images of a batch before the first step: on a CPU few enough to stop within a second."""
    if device.kind != "cpu":
        return recipe.batch
    return max(1, min(recipe.batch, CPU_PIXELS // recipe.image_size**2))


def _start(run: RunFolder) -> dict[str, Tensor]:
    found = read_start(run.path) if run.recipe.start != "none" else None
    return {} if found is None else found[1]


def check_options(recipe: Recipe) -> None:
    """Raise ValueRefused for options of a component that the recipe does not use."""
    chosen = [find_head(recipe.head).spec, METHODS.find(recipe.method).spec]
    chosen += [penalty.spec for penalty in find_penalties(recipe.penalty)]
    names = [spec.name for spec in chosen]
    METHODS.find(recipe.method).check(recipe)
    for name in recipe.options:
        if name not in names:
            raise ValueRefused(f"options.{name}", recipe.options[name], ", ".join(names))


def fastest(
    run: RunFolder,
    made: Assembled,
    device: Device,
    warn: Callable[[Message], None],
    work: Preparation,
) -> tuple[int, str]:
    """Choose CPU threads (set immediately) and the fastest precision. Raises Interrupted if `work`
    does."""
    threads = choose_threads(run.recipe)
    torch.set_num_threads(threads)
    return threads, choose_precision(run.recipe, device, made.network, made.method, warn, work)
