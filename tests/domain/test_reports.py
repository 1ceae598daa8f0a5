"""Reports of jobs: the estimate of the remaining time, and lines that come back as they were."""

import pytest

from tests.fixtures.defaults import defaults_of
from workbench.domain.reports import (
    Epoch,
    Featured,
    Note,
    Progress,
    Started,
    common_goal,
    decode_report,
    elapsed_seconds,
    encode_report,
    remaining_seconds,
    time_to_accuracy,
)
from workbench.domain.text import Message


@pytest.mark.parametrize(
    ("spent", "done", "total", "left"),
    [(10.0, 4, 10, 15.0), (10.0, 10, 10, 0.0), (3.0, 1, 4, 9.0), (5.0, 0, 4, None)],
)
def test_the_rest_takes_as_long_as_what_is_done(spent, done, total, left):
    assert remaining_seconds(spent, done, total) == left


@pytest.mark.parametrize(
    "report",
    [
        Progress(done=0),
        Progress(done=2, total=5, text=Message("Reading {n} files", n=5), eta=1.5),
        Note(text=Message("half of it"), warning=True),
    ],
)
def test_a_report_comes_back_from_its_line(report):
    line = encode_report(report)
    assert b"\n" not in line.rstrip(b"\n")
    assert decode_report(line) == report


def test_a_report_counts_nothing_that_is_not_given():
    assert defaults_of(Progress, done=1) == {"total": 0, "text": Message(""), "eta": None}
    assert defaults_of(Note, text=Message("Scoring all images.")) == {"warning": False}
    assert defaults_of(Featured, rows=3, dimensions=4) == {"unread": 0}


def test_a_training_begins_at_its_first_step():
    sizes = {"batch": 32, "parameters": 9, "trained_parameters": 4, "images": {"train": 8}}
    found = defaults_of(Started, device=Message("CPU"), precision="fp32", **sizes)
    assert found == {"epoch": 0, "step": 0}


def test_an_epoch_without_validation_is_not_the_best():
    times = {"learning_rate": 0.1, "images_per_second": 9.0, "seconds": 1.0, "eta": 0.0}
    found = defaults_of(Epoch, epoch=1, epochs=2, train_loss=1.0, train_accuracy=0.5, **times)
    assert found.pop("best") is False
    assert (found.pop("memory"), found.pop("device_memory")) == (0, 0)
    assert set(found.values()) == {None}


def epochs(*values, seconds=2.0):
    return [
        Epoch(
            epoch=at,
            epochs=9,
            train_loss=1.0,
            train_accuracy=0.1,
            validation_accuracy=value,
            learning_rate=0.1,
            images_per_second=1.0,
            seconds=seconds * at,
            eta=0.0,
        )
        for at, value in enumerate(values, 1)
    ]


def test_the_time_to_an_accuracy_is_that_at_the_end_of_the_first_epoch_that_reaches_it():
    found = epochs(0.5, 0.8, 0.7, 0.9)
    assert elapsed_seconds(found) == [2.0, 6.0, 12.0, 20.0]
    assert time_to_accuracy(found, 0.8) == 6.0
    assert time_to_accuracy(found, 0.81) == 20.0
    assert time_to_accuracy(found, 0.95) is None
    assert time_to_accuracy(epochs(None, None), 0.1) is None
    assert (elapsed_seconds([]), time_to_accuracy([], 0.5)) == ([], None)


def test_a_common_goal_is_reached_by_all_runs():
    assert common_goal([epochs(0.5, 0.8, 0.7), epochs(0.2, 0.95)]) == 0.76
    assert common_goal([epochs(0.5), epochs(None)]) is None
    assert common_goal([epochs(0.5), []]) is None
    assert common_goal([]) is None
