"""Rates, precision, failures and TensorBoard events."""

from __future__ import annotations

import errno
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.optim import SGD, AdamW

from tests.fixtures.run_folders import CATEGORY, TINY, Chances, make_run, train
from workbench.domain.errors import KnownError
from workbench.domain.recipes import ADAMW_SHARE, complete
from workbench.domain.runs import RunLabels
from workbench.learning import eager
from workbench.learning.methods import METHODS, Setup
from workbench.learning.networks.device import choose_device, free_memory
from workbench.learning.networks.models import build_network
from workbench.learning.optimizers import (
    AdamWThenSGD,
    Average,
    freeze,
    make_optimizer,
    rate_factor,
    set_rate,
)
from workbench.learning.precision import choose_precision, choose_threads
from workbench.learning.protocol.control import ControlRequest
from workbench.learning.protocol.failures import error_report


def rates(**settings: object) -> list[float]:
    recipe = complete({**TINY, "epochs": 10, **settings}, {})
    return [rate_factor(recipe, step, 4) for step in range(40)]


def test_schedules_have_their_shapes() -> None:
    assert set(rates(schedule="constant")) == {1.0}
    steps = rates(schedule="step", step_epochs=4, step_factor=0.1)
    assert steps[15] == 1.0
    assert steps[16] == pytest.approx(0.1)
    assert steps[32] == pytest.approx(0.01)
    cosine = rates(schedule="cosine")
    assert cosine[0] == 1.0
    assert cosine[20] == pytest.approx(0.5)
    assert cosine == sorted(cosine, reverse=True)
    cycle = rates(schedule="one-cycle")
    assert cycle[0] == pytest.approx(1 / 25)
    assert cycle.index(max(cycle)) == 12
    assert max(cycle) == 1.0
    assert cycle[-1] < 1e-3


def test_the_head_learns_faster_and_biases_do_not_decay() -> None:
    recipe = complete({**TINY, "head_factor": 10.0, "weight_decay": 0.01}, {})
    network = build_network("simpleconv3", RunLabels(CATEGORY))
    optimizer = make_optimizer(
        [(network.body, 1.0), (network.head, 10.0)], recipe, torch.device("cpu")
    )
    set_rate(optimizer, 0.1)
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert of[id(network.body.conv1.weight)]["lr"] == pytest.approx(0.1)
    assert of[id(network.head.target.weight)]["lr"] == pytest.approx(1.0)
    assert of[id(network.head.target.weight)]["weight_decay"] == 0.01
    assert of[id(network.body.bn1.weight)]["weight_decay"] == 0.0
    assert of[id(network.body.fc1.bias)]["weight_decay"] == 0.0


@pytest.mark.parametrize(
    ("asked", "backbone", "given"),
    [("fp32", "resnet18", "fp32"), ("bf16", "resnet18", "bf16"), ("auto", "simpleconv3", "fp32")],
)
def test_the_requested_precision_is_used(asked: str, backbone: str, given: str) -> None:
    recipe = complete({**TINY, "backbone": backbone, "precision": asked}, {})
    network = build_network("simpleconv3", RunLabels(CATEGORY))
    method = METHODS["fine-tune"](Setup(recipe, RunLabels(CATEGORY), None, network))
    assert choose_precision(recipe, choose_device(), network, method, print) == given


@pytest.mark.parametrize(("backbone", "threads"), [("simpleconv3", 1), ("squeezenet1_1", 2)])
def test_a_tiny_network_is_trained_on_one_thread(backbone: str, threads: int) -> None:
    torch.set_num_threads(2)  # until the end of this test
    assert choose_threads(complete({**TINY, "backbone": backbone}, {})) == threads


def test_automatic_precision_is_one_that_runs_and_leaves_the_network_alone() -> None:
    recipe = complete({**TINY, "backbone": "squeezenet1_1", "precision": "auto"}, {})
    network = build_network("squeezenet1_1", RunLabels(CATEGORY))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    method = METHODS["fine-tune"](Setup(recipe, RunLabels(CATEGORY), None, network))
    found = choose_precision(recipe, choose_device(), network, method, print)
    assert found in ("fp32", "bf16")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device can do fp16")
def test_fp16_without_cuda_is_reported_and_replaced() -> None:
    recipe = complete({**TINY, "precision": "fp16"}, {})
    network = build_network("simpleconv3", RunLabels(CATEGORY))
    method = METHODS["fine-tune"](Setup(recipe, RunLabels(CATEGORY), None, network))
    messages: list[str] = []
    assert choose_precision(recipe, choose_device(), network, method, messages.append) == "fp32"
    assert "fp16" in messages[0]


@pytest.mark.parametrize(
    ("error", "words", "ours"),
    [
        (KnownError("It is so.", "Do that."), "Do that", False),
        (torch.OutOfMemoryError("CUDA out of memory"), "batch", False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "batch", False),
        (
            OSError(errno.ENOSPC, "No space left on device", "/disk/last.ckpt"),
            "Free up space",
            False,
        ),
        (RuntimeError("Output size is too small"), "image_size", False),
        (ZeroDivisionError("division by zero"), "Report", True),
    ],
)
def test_failures_have_a_remedy(error: Exception, words: str, ours: bool) -> None:
    report = error_report(error)
    assert words in report.remedy
    assert bool(report.traceback) == ours


def test_the_device_is_described() -> None:
    device = choose_device()
    assert (
        "core" in device.description or "GiB" in device.description or "GPU" in device.description
    )
    assert free_memory(device) > 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "fused": True}),
        ("Adam", {"lr": 0.1}),
        ("AdamW", {"lr": 0.1, "fused": True}),
        ("LBFGS", {"max_iter": 4, "line_search_fn": "strong_wolfe"}),
    ],
)
def test_optimizers_do_what_torch_does(name: str, settings: dict[str, object]) -> None:
    def learned(kind: type[torch.optim.Optimizer]) -> tuple[torch.Tensor, object]:
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(3, 4))
        optimizer = kind([weight], **settings)

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            value = (weight @ torch.arange(4.0) - 1).square().sum()
            value.backward()
            return value

        for _ in range(2):
            optimizer.step(loss)
        saved = optimizer.state_dict()
        optimizer = kind([weight], **settings)
        optimizer.load_state_dict(saved)
        optimizer.step(loss)
        return weight.detach(), optimizer.state_dict()["param_groups"]

    ours, groups = learned(getattr(eager, name))
    torchs, its_groups = learned(getattr(torch.optim, name))
    assert torch.equal(ours, torchs)
    assert groups == its_groups


def test_a_training_does_not_load_the_compiler(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    code = (
        "import sys; from workbench.learning.__main__ import main;"
        f"assert main([{str(folder)!r}]) == 0;"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tensorboard_reads_the_figures_of_a_resumed_training_once(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    train(folder, Chances(ControlRequest.PAUSE, 6))
    train(folder)
    events = EventAccumulator(str(folder)).Reload()
    losses = events.Scalars("epoch/train loss")
    assert [event.step for event in losses] == [3, 6, 9]
    assert "epoch/validation accuracy" in events.Tags()["scalars"]


def test_the_average_follows_the_weights_and_is_shown_only_within_its_block() -> None:
    network = build_network("simpleconv3", RunLabels(CATEGORY))
    weight = network.head.target.weight
    average = Average(network, 0.5, 40)
    expected = weight.detach().clone()
    for step in range(16):
        with torch.no_grad():
            weight += step
        average.update(step)
        if step % 4 == 0:
            keep = min(1 - 1 / 20, (1 + step) / (10 + step)) ** 4
            expected = keep * expected + (1 - keep) * weight.detach()
    last = weight.detach().clone()
    with average.applied():
        torch.testing.assert_close(weight.detach(), expected)
    assert torch.equal(weight, last)
    nothing = Average(network, 0.0, 40)
    nothing.update(0)
    with nothing.applied():
        assert torch.equal(weight, last)


def test_every_step_of_a_schedule_follows_its_formula() -> None:
    cosine = rates(schedule="cosine")
    assert cosine == pytest.approx([(1 + math.cos(math.pi * at / 40)) / 2 for at in range(40)])
    cycle = rates(schedule="one-cycle")
    rising = [1 + (1 / 25 - 1) * (1 + math.cos(math.pi * at / 12)) / 2 for at in range(12)]
    falling = [1e-5 + (1 - 1e-5) * (1 + math.cos(math.pi * at / 27)) / 2 for at in range(40 - 12)]
    assert cycle == pytest.approx(rising + falling)
    recipe = complete({**TINY, "epochs": 1, "schedule": "one-cycle"}, {})
    assert rate_factor(recipe, 0, 1) == pytest.approx(1 / 25)
    assert rate_factor(recipe, 40, 1) == pytest.approx(1e-5)
    assert rate_factor(recipe, 0, 0) == pytest.approx(1 / 25)


def two_phases(momentum: float = 0.9) -> tuple[nn.Linear, AdamWThenSGD]:
    torch.manual_seed(3)
    layer = nn.Linear(3, 2)
    groups = [{"params": [layer.weight], "weight_decay": 0.0, "factor": 1.0}]
    return layer, AdamWThenSGD(groups, 0.5, momentum, fused=False)


def test_adamw_ends_after_two_epochs_without_a_better_accuracy() -> None:
    layer, optimizer = two_phases()
    assert [optimizer.watch(at, layer) for at in (0.0, 0.5, 0.5)] == [False] * 3
    best = layer.weight.detach().clone()
    assert not optimizer.watch(0.6, layer)
    with torch.no_grad():
        layer.weight += 1
    assert not optimizer.watch(0.6, layer)
    assert not optimizer.switched
    assert optimizer.watch(0.3, layer)
    assert torch.equal(layer.weight, best), "the weights of the best epoch"
    assert optimizer.switched
    assert not any(optimizer.watch(at, layer) for at in (0.1, 0.1, 0.1, 0.9))
    assert torch.equal(layer.weight, best)


def test_adamw_takes_a_share_of_the_rate_and_sgd_all_of_it() -> None:
    layer, optimizer = two_phases()
    assert isinstance(optimizer.active, AdamW)
    layer.weight.grad = torch.ones_like(layer.weight)
    before = layer.weight.detach().clone()
    optimizer.step()
    step = ADAMW_SHARE * 0.5  # Adam's first step is as long as its rate
    torch.testing.assert_close(before - layer.weight, torch.full((2, 3), step), rtol=1e-3, atol=0)
    optimizer.switched = True
    assert isinstance(optimizer.active, SGD)
    before = layer.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(before - layer.weight, torch.full((2, 3), 0.5 * 1.9))
    assert optimizer.active.defaults["nesterov"]
    assert not two_phases(0.0)[1]._sgd.defaults["nesterov"]
    assert two_phases(0.5)[1]._sgd.defaults["nesterov"]


def test_both_phases_are_saved_and_restored() -> None:
    layer, optimizer = two_phases()
    for accuracy in (0.5, 0.4):
        optimizer.watch(accuracy, layer)
    same, again = two_phases()
    again.load_state_dict(optimizer.state_dict())
    assert not again.watch(0.5, same) or again.switched
    assert again.switched
    assert torch.equal(same.weight, layer.weight)
    third, last = two_phases()
    last.load_state_dict(again.state_dict())
    assert last.switched
    assert not last.watch(0.9, third)


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", SGD), ("adamw", AdamW), ("adamw-then-sgd", AdamWThenSGD)]
)
def test_the_recipe_names_the_optimizer(name: str, kind: type) -> None:
    recipe = complete({**TINY, "optimizer": name, "momentum": 0.5, "learning_rate": 0.2}, {})
    shared, own = nn.Linear(3, 3), nn.Linear(3, 2)
    own.bias.requires_grad_(False)
    both = nn.Sequential(shared, own)
    optimizer = make_optimizer([(shared, 2.0), (both, 3.0)], recipe, torch.device("cpu"))
    assert isinstance(optimizer, kind)
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert set(of) == {id(shared.weight), id(shared.bias), id(own.weight)}
    factors = [of[id(p)]["factor"] for p in (shared.weight, shared.bias, own.weight)]
    assert factors == [2.0, 2.0, 3.0], "a shared parameter learns as its first module"
    assert {group["lr"] for group in optimizer.param_groups} == {0.2}
    if kind is SGD:
        assert optimizer.defaults["nesterov"]
        assert optimizer.defaults["momentum"] == 0.5
        plain = complete({**TINY, "optimizer": name, "momentum": 0.0}, {})
        made = make_optimizer([(both, 1.0)], plain, torch.device("cpu"))
        assert not made.defaults["nesterov"]


def test_frozen_modules_learn_nothing_and_missing_ones_are_passed_over() -> None:
    body = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert freeze(body, ("0", "gone")) == [body[0]]
    assert [p.requires_grad for p in body.parameters()] == [False, False, True, True]


def test_an_average_moves_every_fourth_step_at_most_as_far_as_its_share_allows() -> None:
    network = build_network("simpleconv3", RunLabels(CATEGORY))
    weight = network.head.target.weight
    start = weight.detach().clone()
    for share, steps, step, keep in (
        (0.5, 4, 400, 0.5),
        (0.5, 1, 400, 0.0),
        (0.5, 400, 40, 41 / 50),
        (0.5, 400, 41, 1.0),
    ):
        average = Average(network, share, steps)
        with torch.no_grad():
            weight += 1
        average.update(step)
        moved = (weight - 1 + (1 - keep**4)).detach()
        with average.applied():
            torch.testing.assert_close(weight.detach(), moved, atol=1e-5, rtol=0)
    assert not torch.equal(weight, start)
    average = Average(network, 0.5, 40)
    with torch.no_grad():
        weight += 1
    other = Average(network, 0.5, 40)
    other.restore(average.saved())
    with other.applied():
        torch.testing.assert_close(weight.detach() + 1, start + 5)
    assert len(other.saved()) > len([p for p in network.parameters() if p.requires_grad])
