"""Scores of many images: several requests to a small program in the learning program's place."""

import sys

import numpy as np
import pytest

from workbench.app import learner
from workbench.app.results import scoring
from workbench.app.results.scoring import ScoredChunk, score_images, scored_chunks
from workbench.domain.reports import Progress
from workbench.domain.requests import ImageInput

# It answers an image called N with N and −N as scores; those called "lost" cannot be read.
PROGRAM = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    names = [one["path"] for one in asked["request"]["images"]]
    there = [at for at, name in enumerate(names) if name != "lost"]
    scores = [[float(names[at]), -float(names[at])] for at in there]
    unread = [{"index": at, "reason": "gone"} for at, name in enumerate(names) if name == "lost"]
    going = {"answer": "going", "progress": {"done": 0}}
    scored = {"answer": "scored", "indices": there, "scores": scores, "unread": unread}
    scored.update(done=len(names), total=len(names))
    print(json.dumps({"id": asked["id"], "answer": going, "last": False}), flush=True)
    print(json.dumps({"id": asked["id"], "answer": scored}), flush=True)
"""


@pytest.fixture(autouse=True)
def program(monkeypatch):
    monkeypatch.setattr(learner, "learning_command", lambda: [sys.executable, "-c", PROGRAM])
    monkeypatch.setattr(scoring, "CHUNK", 2)


def images(*names):
    return [ImageInput(name) for name in names]


def test_images_are_scored_in_several_requests_and_keep_their_places(tmp_path):
    steps = score_images(tmp_path, images("5", "lost", "6", "7", "lost"))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found = end.value
            break
    assert found.read.tolist() == [True, False, True, True, False]
    assert found.known.tolist() == [[5, -5], [6, -6], [7, -7]]
    assert [(one.path, one.reason) for one in found.unread] == [("lost", "gone")] * 2


def test_chunks_name_their_images_and_progress_counts_all(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "REPORT_SECONDS", 0.0)
    found = list(scored_chunks(tmp_path, images("1", "lost", "3")))
    first, second = (one for one in found if isinstance(one, ScoredChunk))
    assert (first.at, first.unread) == ((0,), ((1, "gone"),))
    assert (second.at, second.unread, second.view_scores) == ((2,), (), None)
    assert second.scores.dtype == np.float32
    progress = [one for one in found if isinstance(one, Progress)]
    assert [(one.done, one.total) for one in progress] == [(0, 3), (2, 3), (3, 3)]
    assert all(0 <= one.eta < 600 for one in progress[1:])


def test_the_end_is_reported_however_soon_it_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "REPORT_SECONDS", 600.0)
    progress = [
        one for one in scored_chunks(tmp_path, images("1", "2", "3")) if isinstance(one, Progress)
    ]
    assert [one.done for one in progress] == [0, 3]
