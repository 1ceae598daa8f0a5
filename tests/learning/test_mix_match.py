"""MixMatch: formulas against numpy, and its unlabelled images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fixtures.run_folders import CATEGORY, TINY, VIEW, add_unlabelled, make_run, train
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import complete
from workbench.domain.reports import Finished
from workbench.domain.runs import PREDICTIONS_FILE, LabelList, RunLabels
from workbench.learning.heads import ClassHead
from workbench.learning.images.data import load_images
from workbench.learning.loop.assembly import assemble
from workbench.learning.loop.batches import Batches
from workbench.learning.loop.distributed import ProcessGroup
from workbench.learning.methods import Batch, Setup, Unlabelled
from workbench.learning.methods.mix_match import MixMatch, blend, mix_shares, sharpen
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import Network, build_network
from workbench.learning.penalties import find_penalties
from workbench.learning.penalties.base import watching
from workbench.learning.protocol.folders import read_run_folder

SIZES = (3, 3)  # labels of target and view


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def method(labels: RunLabels, network: Network, **recipe: object) -> MixMatch:
    target = "category+view" if labels.view else labels.target.name
    full = complete({**TINY, "method": "mixmatch", "target": target, **recipe}, {})
    return MixMatch(Setup(full, labels, None, network))


def network_of(labels: RunLabels) -> Network:
    torch.manual_seed(0)
    made = build_network("lenet5", labels).eval()
    with torch.no_grad():
        for parameter in made.head.parameters():
            parameter.normal_()
    return made.double()


def a_batch(views: bool, count: int = 4, looks: int = 2) -> Batch:
    draw = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, 32, 32, generator=draw, dtype=torch.float64)
    given = torch.randn(looks, count, 3, 32, 32, generator=draw, dtype=torch.float64)
    flipped = torch.rand(looks, count, generator=draw) < 0.5
    assert flipped.any()
    assert not flipped.all()
    targets = torch.tensor([0, 2, 1, 2])
    seen = torch.tensor([1, -1, 2, 0]) if views else torch.full((count,), -1)
    return Batch(images, targets, seen, unlabelled=Unlabelled(given, flipped), progress=0.25)


def by_hand(network: Network, batch: Batch, seed: int, labels: RunLabels) -> tuple[float, float]:
    """L_X and L_U of algorithm 1 in numpy; only the network's scores are torch's."""

    def scored(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(images)).numpy()

    assert batch.unlabelled is not None
    x, u = batch.images.numpy(), batch.unlabelled.images.numpy()
    flipped, (looks, count) = batch.unlabelled.flipped.numpy(), u.shape[:2]
    torch.manual_seed(seed)
    partner = torch.randperm((1 + looks) * count).numpy()
    share = mix_shares((1 + looks) * count, 0.75).double().numpy()
    inputs = np.concatenate([x, u.reshape(-1, *x.shape[1:])])
    mixed = inputs * share[:, None, None, None]
    mixed = mixed + inputs[partner] * (1 - share[:, None, None, None])
    scores = scored(mixed)
    guesses = scored(u.reshape(-1, *x.shape[1:])).reshape(looks, count, -1)
    known = [(batch.targets.numpy(), labels.target)]
    if labels.view is not None:
        known.append((batch.views.numpy(), labels.view))
    terms, start = [], 0
    for truth, names in known:
        classes = len(names.labels)
        block = slice(start, start + classes)
        start += classes
        predicted = softmax(guesses[:, :, block])
        for k in range(looks):
            for b in range(count):
                if flipped[k, b]:
                    predicted[k, b] = predicted[k, b][list(names.mirror)]
        q = predicted.mean(axis=0) ** 2  # T = 1/2
        q = q / q.sum(axis=1, keepdims=True)
        wanted = [0.9 * np.eye(classes)[t] + 0.1 / classes if t >= 0 else 0 * q[0] for t in truth]
        for k in range(looks):
            wanted += [q[b][list(names.mirror)] if flipped[k, b] else q[b] for b in range(count)]
        p = np.array(wanted)
        labelled = np.concatenate([truth >= 0, np.ones(looks * count, dtype=bool)])
        labelled = labelled & labelled[partner]
        p = p * share[:, None] + p[partner] * (1 - share[:, None])
        log = np.log(softmax(scores[:, block]))
        crossed = -(p[:count] * log[:count]).sum(axis=1)
        squared = np.square(p[count:] - np.exp(log[count:])).mean(axis=1)
        terms.append(((crossed * labelled[:count]).mean(), (squared * labelled[count:]).mean()))
    weights = (1.0, 0.5)
    return tuple(
        sum(weight * term[at] for weight, term in zip(weights, terms, strict=False))
        for at in (0, 1)
    )


@pytest.mark.parametrize("joint", [False, True])
def test_the_loss_is_that_of_the_algorithm(joint: bool) -> None:
    target = LabelList("category", ("disc", "left bar", "right bar"), (0, 2, 1))
    labels = RunLabels(target, VIEW if joint else None)
    network, batch = network_of(labels), a_batch(joint)
    options = {"mixmatch": {"weight": 8.0, "ramp": 0.5}}
    one = method(labels, network, options=options, view_weight=0.5)
    crossed, squared = by_hand(network, batch, 7, labels)
    torch.manual_seed(7)
    loss, scores = one.loss(network, batch)
    assert loss.item() == pytest.approx(crossed + 8.0 * 0.5 * squared, rel=1e-6)
    assert scores.shape == (4, 6 if joint else 3)
    assert squared > 1e-3
    none = method(labels, network, options={"mixmatch": {"weight": 0.0}}, view_weight=0.5)
    torch.manual_seed(7)
    assert none.loss(network, batch)[0].item() == pytest.approx(crossed, rel=1e-6)


def test_sharpening_lowers_entropy_and_leaves_a_sum_of_one() -> None:
    p = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [1 / 3] * 3], dtype=torch.float64)
    expected = np.array([[0.25, 0.09, 0.04], [1, 0, 0], [1, 1, 1]])
    np.testing.assert_allclose(
        sharpen(p, 0.5), expected / expected.sum(axis=1, keepdims=True), rtol=1e-12
    )
    torch.testing.assert_close(sharpen(p, 1.0), p)


def test_a_blend_is_more_its_own_than_its_partners() -> None:
    torch.manual_seed(0)
    share = mix_shares(4000, 0.75)
    assert share.min() >= 0.5
    drawn = np.random.default_rng(0).beta(0.75, 0.75, 200_000)
    assert share.mean().item() == pytest.approx(np.maximum(drawn, 1 - drawn).mean(), abs=0.01)
    values = torch.arange(6.0).view(3, 2)
    mixed = blend(values, torch.tensor([2, 1, 0]), torch.tensor([0.75, 0.6, 1.0]))
    np.testing.assert_allclose(mixed, [[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]], rtol=1e-6)


def test_the_weight_grows_over_its_ramp() -> None:
    labels = RunLabels(CATEGORY)
    network = network_of(labels)
    for ramp, found in ((1.0, 0.25), (0.5, 0.5), (0.1, 1.0), (0.0, 1.0)):
        one = method(labels, network, options={"mixmatch": {"weight": 1.0, "ramp": ramp}})
        assert one._strength(0.25) == pytest.approx(found)


def test_penalties_watch_what_is_learned_from_and_not_the_guessing() -> None:
    labels = RunLabels(CATEGORY)
    network, batch = network_of(labels), a_batch(False)
    assert isinstance(network.head, ClassHead)
    (bss,) = find_penalties("bss")
    with watching(network, bss.watched, first=True) as watched:
        method(labels, network).loss(network, batch)
    (features,) = watched.values()
    assert features.shape[0] == len(batch.targets)
    assert features.requires_grad


def batches_of(folder: Path, group: ProcessGroup | None = None) -> Batches:
    run = read_run_folder(folder)
    images = load_images(run.samples, 32, folder, lambda report: None, lambda: False)
    assert images is not None
    made = assemble(run, images, choose_device(), fresh=True).loop.batches
    made.group = group or made.group
    return made


def test_a_batch_has_as_many_unlabelled_images_with_their_own_augmentations(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", method="mixmatch", batch=10)
    add_unlabelled(folder, 7)
    made = batches_of(folder)
    assert len(made.unlabelled) == 7
    seen, steps = np.zeros(len(made.images.samples), dtype=int), list(made.of_epoch(2, 0, None))
    assert [len(batch.targets) for batch in steps] == [8, 8, 8]
    assert [batch.progress for batch in steps] == pytest.approx([3 / 9, 4 / 9, 5 / 9])
    for batch in steps:
        assert batch.unlabelled is not None
        assert batch.unlabelled.images.shape == (2, 8, 3, 32, 32)
        assert not torch.equal(batch.unlabelled.images[0], batch.unlabelled.images[1])
    shown = made._with_unlabelled(made.plan(2), 2)
    np.add.at(seen, shown.rows[24:48], 1)
    assert set(seen[made.unlabelled]) == {3, 4}  # 24 of seven
    np.testing.assert_array_equal(shown.rows[24:48], shown.rows[48:])
    later = list(made.of_epoch(2, 2, None))
    assert len(later) == 1
    assert later[0].unlabelled is not None
    assert torch.equal(later[0].unlabelled.images, steps[2].unlabelled.images)
    assert later[0].progress == steps[2].progress
    halves = [batches_of(folder, ProcessGroup(rank, 2)) for rank in range(2)]
    first, second = (next(half.of_epoch(2, 0, None)) for half in halves)
    assert torch.equal(steps[0].unlabelled.images[:, 0::2], first.unlabelled.images)
    assert torch.equal(steps[0].unlabelled.flipped[:, 1::2], second.unlabelled.flipped)


def test_images_left_out_of_the_split_serve_without_their_labels(tmp_path: Path) -> None:
    parts = (("train", 12), ("test", 3), ("", 6))
    plain = make_run(tmp_path / "plain", parts, method="mixmatch")
    with pytest.raises(KnownError, match="there are none"):
        train(plain)
    taken = {"method": "mixmatch", "options": {"mixmatch": {"left_out": True}}, "epochs": 1}
    folder = make_run(tmp_path / "taken", parts, **taken)
    assert isinstance(train(folder)[-1], Finished)
    assert len(batches_of(folder).unlabelled) == 6


def test_the_unlabelled_are_scored_too_with_the_joint_head(tmp_path: Path) -> None:
    options = {"mixmatch": {"weight": 20.0}}
    folder = make_run(
        tmp_path / "run",
        (("train", 30), ("test", 30)),
        views=True,
        method="mixmatch",
        options=options,
    )
    add_unlabelled(folder, 9)
    finished = train(folder)[-1]
    assert isinstance(finished, Finished)
    with np.load(folder / PREDICTIONS_FILE, allow_pickle=False) as arrays:
        assert (arrays["truth"] < 0).sum() == 9
        assert np.isfinite(arrays["scores"]).all()
        assert (arrays["parts"][arrays["truth"] < 0] == 3).all()


@pytest.mark.parametrize(
    "recipe", [{"mix": "mixup"}, {"loss": "focal"}, {"options": {"mixmatch": {"looks": 0}}}]
)
def test_what_it_cannot_be_joined_with_is_refused(
    tmp_path: Path, recipe: dict[str, object]
) -> None:
    folder = make_run(tmp_path / "run", method="mixmatch", **recipe)
    add_unlabelled(folder, 3)
    with pytest.raises(ValueRefused):
        train(folder)
