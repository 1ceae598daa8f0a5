"""The scores of starts from drawn images, in this process: what is read, limited and left out."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tests.fixtures.run_folders import Chances, draw
from tests.fixtures.tiny_runs import save_run
from workbench.domain.assessments import REQUEST_FILE, AssessmentRequest, StartRequest
from workbench.domain.errors import KnownError
from workbench.domain.reports import Assessed, Progress, decode_report
from workbench.domain.runs import REPORTS_FILE, SAMPLES_FILE, Sample, encode_samples
from workbench.learning.evaluation.transferability import h_score, neighbour_accuracy
from workbench.learning.protocol.control import Control, ControlRequest
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted
from workbench.learning.protocol.reporting import Reporter
from workbench.learning.questions.assess import Assessor, assess

NONE = StartRequest(start="none", backbone="simpleconv3")


@pytest.fixture
def samples(tmp_path):
    """Twelve train images of three classes, three of the test part, and one without a label."""
    found = []
    for at in range(16):
        draw(at % 3, at).save(tmp_path / f"{at}.png")
        found.append(
            Sample(
                image=at,
                hash=f"h{at}",
                path=str(tmp_path / f"{at}.png"),
                target=at % 3 if at < 14 else -1 if at == 15 else 0,
                part="train" if at < 12 or at == 15 else "test",
            )
        )
    return found


@pytest.fixture
def asked(tmp_path):
    """Ask for scores of starts; returns the last report and the names of images read."""
    reporters = []

    def ask(samples, *starts, control=None, **keys):
        folder = tmp_path / f"request {len(reporters)}"
        folder.mkdir()
        request = AssessmentRequest(**{"starts": starts, "held_out": "test", **keys})
        (folder / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
        (folder / SAMPLES_FILE).write_bytes(encode_samples(list(samples)))
        reporters.append(Reporter(folder, stdout=False))
        assess(FolderRequest(folder, reporters[-1], control or Control()))
        lines = (folder / REPORTS_FILE).read_bytes().splitlines()
        reports = [decode_report(line) for line in lines]
        assert isinstance(reports[-1], Assessed)
        return reports[-1].assessment, reports

    yield ask
    for reporter in reporters:
        reporter.close()


def test_a_start_without_weights_has_the_scores_of_its_features_alone(samples, asked):
    found, reports = asked(samples, NONE, NONE)
    assert (found.train_images, found.held_out_images, found.held_out) == (12, 3, "test")
    assert found.classes == 3
    assert found.chance == pytest.approx(2 / 3), "of the labels 0, 1, 0"
    one, again = found.starts
    assert (one.start, one.backbone, one.unread) == ("none", "simpleconv3", "")
    assert one.seconds > 0
    assert one.features > 10
    assert one.frozen_top1 * 3 in (0, 1, 2, 3)
    assert one.neighbours == again.neighbours
    assert (one.leep, one.nce, one.source_classes) == (None, None, 0)
    assert (one.domain_similarity, one.distance, one.source_images) == (None, None, 0)
    first = next(report for report in reports if isinstance(report, Progress))
    assert first.total > 0


def test_scores_are_those_of_the_features_of_the_start(tmp_path, samples, asked):
    found, _ = asked(samples, NONE, neighbours=3)
    folder = next(tmp_path.glob("request*"))
    assessor = Assessor(FolderRequest(folder, Reporter(None, stdout=False), Control()))
    train = assessor._extract(assessor._model(NONE), samples[:12], "train", NONE)
    assert train.labels.tolist() == [0, 1, 2] * 4
    (one,) = found.starts
    assert one.features == train.features.shape[1]
    assert one.h_score == pytest.approx(h_score(train.features, train.labels))
    assert one.plain_h_score == pytest.approx(h_score(train.features, train.labels, 0.0))
    assert one.neighbours == neighbour_accuracy(train.features, train.labels, 3)


def test_a_run_as_a_start_is_compared_by_its_classes_and_images(tmp_path, samples, asked):
    run = save_run(tmp_path / "run")
    start = StartRequest(start="run:run", backbone="simpleconv3", run=str(run))
    alone, _ = asked(samples, start)
    (one,) = alone.starts
    assert one.source_classes == 3
    assert one.leep <= 0
    assert one.nce <= 0
    assert one.domain_similarity is None, "its images are unknown"
    (run / SAMPLES_FILE).write_bytes(encode_samples(samples))
    (one,) = asked(samples, start, gamma=0.5)[0].starts
    assert one.source_images == 12
    assert one.distance == pytest.approx(0, abs=1e-4), "the same images"
    assert one.domain_similarity == pytest.approx(np.exp(-0.5 * one.distance))


def test_more_images_than_the_most_are_drawn_by_the_seed(samples, asked):
    found, _ = asked(samples, NONE, most=12)
    assert found.train_images == 12
    found, _ = asked(samples, NONE, most=7)
    assert (found.train_images, found.held_out_images) == (7, 3)


def test_scores_that_need_more_images_or_classes_are_left_out(samples, asked):
    two = [samples[0], samples[3], samples[12]]
    (one,) = asked(two, NONE, neighbours=1)[0].starts
    assert (one.h_score, one.plain_h_score) == (None, None)
    assert one.neighbours == 1.0
    (one,) = asked(two, NONE, neighbours=2)[0].starts
    assert one.neighbours is None


def test_an_unusable_start_is_named_and_the_others_are_scored(tmp_path, samples, asked):
    gone = StartRequest(start="file", backbone="resnet18", weights=str(tmp_path / "gone.pth"))
    first, second = asked(samples, gone, NONE)[0].starts
    assert "gone.pth" in first.unread
    assert first.features == 0
    assert second.unread == ""


def test_a_part_without_labels_is_refused(samples, asked):
    for left in (samples[:12], samples[12:]):
        with pytest.raises(KnownError, match="The train or test part has no labelled images"):
            asked(left, NONE)


def test_a_request_that_is_cancelled_ends(samples, asked):
    with pytest.raises(RequestInterrupted):
        asked(samples, NONE, control=Chances(ControlRequest.STOP, 0))
