"""What a trial predicts of a training, from times and memory of its steps that are given here."""

import time
from types import SimpleNamespace

import pytest

from tests.fixtures.run_folders import make_run
from workbench.domain.reports import Progress, Trial
from workbench.learning.images.pixels import scoring_crops, working_side
from workbench.learning.loop import trial as module
from workbench.learning.loop.assembly import make_learner
from workbench.learning.loop.trial import LARGEST, Steps, try_run
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network
from workbench.learning.protocol.folders import read_run_folder

MB = 1_000_000


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """Makes the steps of a run with this recipe; none was taken yet."""
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")

    def make(**keys):
        run = read_run_folder(make_run(tmp_path / "run", **keys))
        network = build_network(run.recipe.backbone, run.labels, run.recipe.head)
        made = Steps(run, network, None, choose_device(), "fp32")
        made.free = 1000 * MB
        return made

    return make


def test_memory_grows_on_a_straight_line_between_the_smallest_and_largest_batch(steps):
    made = steps()
    made.memory = {4: 10 * MB}
    assert made._extrapolated(8) == 20 * MB
    made.memory = {1: 10 * MB, 2: 50 * MB, 4: 16 * MB}
    assert made._extrapolated(4) == 16 * MB
    assert made._extrapolated(10) == 28 * MB
    made.memory = {1: 10 * MB, 4: 7 * MB}
    assert made._extrapolated(10) == 7 * MB


def test_nine_tenths_of_the_free_memory_may_be_used(steps):
    made = steps()
    assert made._fits(LARGEST)  # nothing is known yet
    made.memory = {1: 10 * MB, 2: 20 * MB}
    assert made._fits(90)
    assert not made._fits(91)
    made.free = 0  # unknown
    assert made._fits(91)


@pytest.mark.parametrize(
    ("tried", "largest"),
    [({}, 0), ({1: 10, 2: 20}, 64), ({1: 1, 2: 2}, LARGEST), ({1: 10, 3: 30}, 48)],
)
def test_the_largest_batch_is_doubled_while_it_is_expected_to_fit(steps, tried, largest):
    made = steps()
    made.seconds = dict.fromkeys(tried, 1.0)
    made.memory = {batch: size * MB for batch, size in tried.items()}
    assert made._largest() == largest


def test_time_counts_training_and_scoring_of_every_epoch(steps):
    made = steps(epochs=3, batch=8)
    run = made.run
    made.seconds = {1: 0.9, 8: 1.6, 16: 9.0}
    made.memory = {1: 10 * MB, 16: 40 * MB}
    trial = made.trial()
    side = working_side(run.recipe.image_size, run.recipe.test_resize)
    views = len(scoring_crops(side, run.recipe)) * (2 if run.recipe.test_mirror else 1)
    quick = len(scoring_crops(side, run.recipe, quick=True))
    scored = len(run.samples) * views + 3 * run.counts.get("validation", 0) * quick
    assert trial.step_seconds == pytest.approx(1.6)
    assert trial.total_seconds == pytest.approx(0.2 * (3 * run.counts["train"] + scored / 3))
    assert trial.batch == 8
    assert trial.memory == 24 * MB + len(run.samples) * side * side * 3
    weights = sum(t.numel() * t.element_size() for t in made.network.state_dict().values())
    assert trial.disk == 4 * weights
    assert trial.memory_free == 1000 * MB


def test_a_batch_that_was_not_reached_is_judged_by_the_largest_tried(steps):
    made = steps(batch=8)
    made.seconds, made.memory = {1: 0.5, 2: 0.8}, {1: 10 * MB, 2: 20 * MB}
    assert made.trial().step_seconds == pytest.approx(8 * 0.4)
    made.seconds, made.memory = {}, {}
    assert made.trial().step_seconds == 0.0
    assert made.trial().largest_batch == 0


@pytest.fixture
def growing(steps, monkeypatch):
    """Lets real steps grow on a clock that reaches these seconds at the report of a batch."""

    def grow(batch, at, **keys):
        made = steps(batch=batch, image_size=32, **keys)
        learner = make_learner(made.run, made.network, None, made.device)
        made.network, made.method = learner.network, learner.method
        now, reports = [100.0], []
        clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter)
        monkeypatch.setattr(module, "time", clock)

        def report(one):
            reports.append(one)
            now[0] = 100.0 + at.get(one.done, now[0] - 100.0)

        return made, report, reports

    return grow


@pytest.mark.parametrize(
    ("wanted", "at", "tried"),
    [
        (6, {}, [1, 2, 4, 6, 12]),
        (8, {}, [1, 2, 4, 8, 16]),
        (4, {}, [1, 2, 4, 8, 16]),
        (6, {4: 21.0}, [1, 2, 4, 6]),
        (6, {12: 21.0}, [1, 2, 4, 6, 12]),
        (6, {2: 59.0}, [1, 2, 4, 6]),
        (6, {2: 61.0}, [1, 2]),
    ],
)
def test_batches_are_doubled_by_way_of_the_recipes(growing, monkeypatch, wanted, at, tried):
    monkeypatch.setattr(module, "LARGEST", 16)
    made, report, reports = growing(wanted, at)
    made.grow(report)
    assert [(one.done, one.total) for one in reports] == [(batch, wanted) for batch in tried]
    assert list(made.seconds) == list(made.memory) == tried
    assert min(made.seconds.values()) > 0
    assert min(made.memory.values()) >= 1


def test_batches_grow_until_memory_runs_out(growing):
    made, report, reports = growing(8, {})

    def refuse(_, images):
        if len(images[0]) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: out of memory")

    hook = made.network.register_forward_pre_hook(refuse)
    made.grow(report)
    assert [one.done for one in reports] == [1, 2, 4]
    assert list(made.seconds) == [1, 2]
    hook.remove()

    def fail(*_):
        raise RuntimeError("something else")

    made.network.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="something else"):
        made.grow(report)


def test_batches_are_not_tried_that_are_expected_not_to_fit(growing):
    made, report, _ = growing(8, {})
    made.free = 1
    made.grow(report)
    assert list(made.seconds) == [1]


def test_a_trial_reports_its_precision_its_steps_and_its_result(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 2)
    reports = []
    try_run(make_run(tmp_path / "run", batch=2, image_size=32), reports.append)
    *progress, last = reports
    assert [(one.done, one.total) for one in progress] == [(1, 2), (2, 2)]
    assert all(isinstance(one, Progress) for one in progress)
    assert isinstance(last, Trial)
    assert (last.batch, last.largest_batch) == (2, 2)
    assert last.step_seconds > 0
