"""Requests to the learning program and its answers: what they have where nothing is given."""

from tests.fixtures.defaults import defaults_of
from workbench.domain.requests import PREDICTED, AnswerLine, Explain, Heat, Score, Scored


def test_images_are_scored_in_batches_of_32():
    assert defaults_of(Score, run="r", images=()) == {"batch": 32, "protocol": None}


def test_the_predicted_label_is_explained_at_the_deepest_layer_without_a_check():
    assert defaults_of(Explain, run="r", images=()) == {
        "label": PREDICTED,
        "label_set": "",
        "layer": "",
        "check": False,
    }


def test_scores_without_progress_count_no_image():
    assert defaults_of(Scored, indices=(), scores=()) == {
        "view_scores": (),
        "unread": (),
        "done": 0,
        "total": 0,
        "seconds": 0.0,
    }


def test_a_heatmap_is_of_grad_cam_over_what_the_network_saw():
    given = {"height": 1, "width": 1, "values": (1.0,), "seen": (0.0, 0.0, 1.0, 1.0)}
    assert defaults_of(Heat, **given, label="owl", score=1.0, scores=(1.0,)) == {
        "cells": (0.0, 0.0, 1.0, 1.0),
        "view_scores": (),
        "check": None,
        "mask": False,
        "window": None,
        "windows": 0,
    }


def test_one_answer_completes_a_request():
    assert defaults_of(AnswerLine, id=1, answer=Scored(indices=(), scores=())) == {"last": True}
