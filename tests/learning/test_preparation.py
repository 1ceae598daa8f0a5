"""Work before the first step: named progress, an end on request, a forecast, small batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.fixtures.run_folders import CATEGORY, make_run, reports_of, train
from workbench.domain.reports import Finished, Paused, Progress, Report, Stopped, Trial
from workbench.domain.runs import CHECKPOINT_FILE, START_FILE, RunLabels
from workbench.domain.text import Message
from workbench.learning.images.data import load_images
from workbench.learning.images.label_tensors import label_tensors
from workbench.learning.loop import trial
from workbench.learning.loop.assembly import assemble, small_batch, train_batches
from workbench.learning.loop.training import Training
from workbench.learning.loop.trial import try_run
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network, weights_of
from workbench.learning.protocol import reporting
from workbench.learning.protocol.control import Control, ControlRequest
from workbench.learning.protocol.folders import read_run_folder
from workbench.learning.protocol.reporting import Interrupted, Preparation, Reporter

WORK = [
    ({"method": "co-tuning"}, "Relating labels to source classes"),
    ({"method": "co-tuning"}, "Fitting the temperature of the source classifier"),
    (
        {"method": "co-tuning", "options": {"co-tuning": {"relation": "reverse"}}},
        "Relating source classes to labels",
    ),
    ({"penalty": "delta"}, "Reading feature maps of the start weights"),
    ({"penalty": "delta"}, "Weighing feature channels"),
    ({"method": "cnn-rnn"}, "Counting labels"),
    ({"head": "parts"}, "Finding parts"),
]
COUNTING = Message("Counting")
NAMES = [name.replace(" ", "-") for _, name in WORK]


def started(folder: Path, **recipe: object) -> Path:
    """A run that starts from weights with a classifier of five classes."""
    made = make_run(folder, epochs=1, start="file:other", batch=2, **recipe)
    torch.manual_seed(5)
    weights = weights_of(build_network("simpleconv3", RunLabels(CATEGORY)))
    weights["head.target.weight"] = torch.randn(5, 128)
    weights["head.target.bias"] = torch.zeros(5)
    save_file(weights, made / START_FILE)
    return made


class RequestAt(Reporter):
    """Requests something at the first progress with this name."""

    def __init__(self, folder: Path, name: str, control: Control, request: ControlRequest) -> None:
        super().__init__(folder, stdout=False)
        self._name, self._control, self._request = name, control, request

    def __call__(self, report: Report) -> None:
        super().__call__(report)
        if isinstance(report, Progress) and report.text == self._name:
            self._control.request(self._request)


def train_until(folder: Path, name: str, request: ControlRequest) -> list[Report]:
    control = Control()
    reporter = RequestAt(folder, name, control, request)
    try:
        Training(folder, reporter, control).run()
    finally:
        reporter.close()
    assert control.handled.is_set()
    return reports_of(folder)


@pytest.mark.parametrize(("recipe", "name"), WORK, ids=NAMES)
def test_it_has_a_name_and_ends_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, object], name: str
) -> None:
    monkeypatch.setattr(reporting, "REPORT_SECONDS", 0.0)  # however fast the machine is
    folder = started(tmp_path / "run", **recipe)
    *before, last = train_until(folder, name, ControlRequest.PAUSE)
    assert last == Paused(epoch=0, step=0)
    shown = [report for report in before if isinstance(report, Progress) and report.text == name]
    assert len(shown) == 1  # no item after the request
    assert shown[0].total > 0
    assert not (folder / CHECKPOINT_FILE).exists()
    stopped = train_until(folder, name, ControlRequest.STOP)
    assert stopped[-1] == Stopped(epoch=0)
    finished = train(folder)
    assert isinstance(finished[-1], Finished)
    shown = [report for report in finished if isinstance(report, Progress) and report.text == name]
    assert shown[0].done == 0 < shown[-1].done <= shown[-1].total


def test_every_item_counts_and_interruption_ends_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "REPORT_SECONDS", 0.0)
    reports: list[Report] = []
    seen: list[str] = []
    work = Preparation(reports.append, lambda: len(seen) == 2)
    items = work.each(["ab", "c", "defg", "h"], 8, COUNTING, len)
    with pytest.raises(Interrupted):
        seen.extend(items)
    assert seen == ["ab", "c"]
    assert [(report.done, report.total) for report in reports] == [(0, 8), (2, 8)]


def test_a_forecast_ends_early_and_adds_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(reporting, "time", SimpleNamespace(monotonic=lambda: now[0]))
    work, seen = Preparation(limit=2.0), []
    for item in work.each(range(50), 50, COUNTING):
        now[0] += 0.5
        seen.append(item)
    assert len(seen) == 5
    assert work.skipped == pytest.approx(45 * 0.5)
    for _ in work.each(range(3), 3, COUNTING):
        now[0] += 0.5
    assert work.skipped == pytest.approx(45 * 0.5)


@pytest.mark.parametrize(
    ("recipe", "name", "seconds"), [(*WORK[0], 60), (*WORK[4], 240), (*WORK[6], 60)]
)
def test_a_trial_forecasts_the_work_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: dict, name: str, seconds: int
) -> None:
    """By a clock that only this work moves, by 5 seconds for two of 24 images or for a channel."""
    now, reports = [100.0], []
    each = Preparation.each

    def slow(work: Preparation, items: Iterable[Any], *given: Any) -> Iterator[Any]:
        def moving() -> Iterator[Any]:
            for item in items:
                now[0] += 5.0 if given[1] == name else 0.0
                yield item

        return each(work, moving(), *given)

    clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter=lambda: now[0])
    folder = make_run(tmp_path / "run", epochs=1, batch=2, **recipe)
    monkeypatch.setattr(trial, "LARGEST", 2)
    for module in (trial, reporting):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(Preparation, "each", slow)
    try_run(folder, reports.append)
    assert isinstance(reports[-1], Trial)
    assert reports[-1].total_seconds == pytest.approx(seconds)


def test_images_before_the_first_step_are_spread_over_the_train_part(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", (("train", 30), ("test", 3)), batch=4)
    run = read_run_folder(folder)
    images = load_images(run.samples, 40, folder, lambda _: None, lambda: False)
    assert images is not None
    made = assemble(run, images, choose_device(), fresh=False)
    answers = label_tensors(images, run.labels)

    def targets(most: int) -> list[int]:
        batches = train_batches(made.loop, answers, made.card, most)
        return [int(target) for batch in batches for target in batch.targets]

    of_part = images.targets[images.of_part("train")].tolist()
    assert targets(0) == targets(30) == targets(99) == of_part
    assert targets(4) == [of_part[at] for at in (0, 10, 19, 29)]


@pytest.mark.parametrize(
    ("size", "batch", "expected"),
    [(224, 32, 4), (96, 32, 21), (48, 32, 32), (224, 2, 2), (800, 32, 1)],
)
def test_batches_on_a_cpu_are_small(tmp_path, monkeypatch, size, batch, expected) -> None:
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    recipe = read_run_folder(make_run(tmp_path / "run", image_size=size, batch=batch)).recipe
    assert small_batch(recipe, choose_device()) == expected
