"""Texts of runs: backbones, starts, scores and times."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from tests.fixtures.finished_runs import fill, make_run
from workbench.domain.recipes import JOINT
from workbench.ui.parts.run_texts import (
    backbone_text,
    percent,
    score_text,
    start_text,
    target_text,
    when,
)


def test_names_have_their_titles():
    assert backbone_text("resnet18") == "ResNet-18"
    assert backbone_text("unknown") == "unknown"
    assert (target_text(JOINT), target_text("view")) == ("category + view", "view")
    assert start_text("file:/far/away/weights.pth") == "weights.pth"
    assert start_text("imagenet") == "imagenet"


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (math.nan, "–"), (math.inf, "–"), (0.0, "0.0\u00a0%"), (0.8766, "87.7\u00a0%")],
)
def test_shares_are_percentages(share, text):
    assert percent(share) == text


def test_the_score_is_that_of_the_test_part_or_else_of_validation(session, tmp_path):
    run = make_run(session.store, fill(session.store, tmp_path / "photos"), "first")

    def words(**metrics):
        scored = {part: {"top1": value} for part, value in metrics.items()}
        return score_text(replace(run, metrics=scored))

    assert words(test=0.5, validation=0.25) == "test top-1 50.0\u00a0%"
    assert words(validation=0.25) == "validation top-1 25.0\u00a0%"
    assert words(train=1.0) == ""


def test_times_of_other_days_have_their_date():
    now = time.time()
    assert when(None) == "–"
    assert when(now) == time.strftime("%H:%M", time.localtime(now))
    for before in (now - 3 * 86_400, now - 366 * 86_400):
        assert when(before) == time.strftime("%Y-%m-%d %H:%M", time.localtime(before))
