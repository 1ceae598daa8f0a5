"""Records of runs and the samples of a run folder."""

import msgspec
import pytest

from tests.fixtures.defaults import defaults_of
from workbench.domain.assessments import LayerScore, LayerScores
from workbench.domain.geometry import Rect
from workbench.domain.reports import PartScore
from workbench.domain.runs import (
    LabelList,
    RunLabels,
    RunRecord,
    RunStatus,
    Sample,
    decode_samples,
    encode_samples,
    top1,
)
from workbench.domain.splits import Part


def record(metrics):
    labels = RunLabels(LabelList("view", ("left", "right"), (1, 0)))
    return RunRecord("r1", "r1", RunStatus.FINISHED, "view", "", labels, 1.0, metrics=metrics)


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({}, None),
        ({"test": {"top1": 0.5}}, 0.5),
        ({"test": {"top1": 0}}, 0.0),
        ({"test": PartScore(top1=0.25, top5=1.0, loss=1.0, images=4)}, 0.25),
        ({"test": {"top1": float("nan")}}, None),
        ({"test": {"top1": None}}, None),
        ({"test": {}}, None),
        ({"test": 0.5}, None),
        ({"train": {"top1": 0.9}}, None),
    ],
)
def test_the_accuracy_of_a_part_where_it_is_known(metrics, found):
    assert top1(record(metrics)) == found


def test_the_accuracy_of_another_part():
    assert top1(record({"train": {"top1": 0.9}, "test": {"top1": 0.5}}), Part.TRAIN) == 0.9


def test_samples_come_back_line_by_line():
    samples = [
        Sample(image=1, hash="a", path="/a b.jpg"),
        Sample(image=2, hash="b", path="/ü.jpg", crop=3, box=(1, 2, 3, 4), target=0, marks=(0, 2)),
        Sample(image=3, hash="c", path="/c.jpg", target=1, view=2, part="test", true_view="left"),
    ]
    data = encode_samples(samples)
    assert data.count(b"\n") == 3
    assert decode_samples(data + b"\n") == samples
    assert [one.rect for one in samples] == [None, Rect(1, 2, 3, 4), None]
    assert (samples[0].target, samples[0].view, samples[0].part) == (-1, -1, "")
    with pytest.raises(msgspec.DecodeError):
        decode_samples(data[:-4])


def test_the_best_stage_is_the_shallower_of_two_equal_ones():
    layers = [
        LayerScore(stage=name, features=4, train_top1=1.0, top1=score)
        for name, score in (("conv1", 0.4), ("conv2", 0.8), ("conv3", 0.8))
    ]
    scores = LayerScores(
        layers=tuple(layers),
        train_images=1,
        held_out_images=1,
        held_out="test",
        classes=2,
        chance=0.5,
        seconds=1.0,
    )
    assert scores.best.stage == "conv2"


def test_a_new_run_has_no_epoch_and_no_results():
    target = LabelList("category", ("owl",), (0,))
    assert target.exclusive
    given = {"id": "r", "name": "R", "status": RunStatus.QUEUED, "target": "category"}
    found = defaults_of(RunRecord, **given, recipe_toml="", labels=RunLabels(target), created=1.0)
    assert not any(found.values())
    assert (found["epochs_done"], found["metrics"], found["started"]) == (0, {}, None)
