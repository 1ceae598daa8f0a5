"""Requests about starts and sources, of real projects, answered by the learning program."""

import json
import subprocess
import sys

import msgspec
import pytest

from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Cancelled, Done, Failed, run_here
from workbench.app.session import Session
from workbench.app.training.training import prepare, training_task
from workbench.app.transfer.assessing import assess_task, assessments, report_of
from workbench.app.transfer.relatedness import KEY, SourceComparison, compare_task, domain_of
from workbench.domain.assessments import (
    REQUEST_FILE,
    Assessment,
    AssessmentRequest,
    StartRequest,
    StartScores,
)
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.relatedness import RelatednessRequest
from workbench.domain.run_pairs import SeenImages
from workbench.domain.runs import (
    SAMPLES_FILE,
    LabelList,
    RunLabels,
    RunRecord,
    RunStatus,
    encode_samples,
)
from workbench.domain.text import Message, decode_message
from workbench.storage.project import Project

QUICK = RelatednessRequest(domains=(), seed=0, side=32, networks=1, steps=6, batch=4)


@pytest.fixture
def small(tmp_path, qapp):
    session = small_project(tmp_path)
    yield session
    session.close()


def trained(session, **chosen):
    record = prepare(session, {**FAST, **chosen})
    assert isinstance(run_here(training_task(session, record.id)), Done)
    return record.id


def test_starts_are_scored_and_the_result_is_restored_after_a_restart(small):
    run = trained(small)
    outcome = run_here(assess_task(small, "category", ("none", f"run:{run}"), "simpleconv3"))
    assert isinstance(outcome, Done), outcome
    random, own = outcome.value.starts
    assert (random.scores.start, own.scores.start) == ("none", f"run:{run}")
    assert (random.scores.leep, random.scores.domain_similarity) == (None, None)
    assert own.scores.source_classes == 3
    assert own.scores.leep <= 0
    assert own.scores.nce <= 0
    # the run's own training images are the target's: nothing has to be moved
    assert own.scores.domain_similarity == pytest.approx(1.0)
    assert 0 < own.scores.h_score < 2
    assert outcome.value.assessment.held_out == "test"
    # what a training from scratch reached is known, but not what fine-tuning adds to it
    assert (random.fine_tuned_run, random.tuned_run, own.scratch_run) == (run, "", "")
    assert random.tuning_gap is random.negative_transfer_gap is None
    (lacking,) = random.missing
    assert (lacking.like, lacking.changes, lacking.again) == (run, {"frozen": "all"}, False)
    assert own.values["learning_rate"] > 0
    assert random.values == {}

    folder = small.store.folder
    small.close()
    again = Session(Project.open(folder))
    try:
        assert assessments(again) == [outcome.value]
        assert list(again.store.runs_folder.glob(".*")) == []
    finally:
        again.close()


def record(id, start, top1, part="test", **fields):
    images, status = fields.pop("images", 100), fields.pop("status", RunStatus.FINISHED)
    version = fields.pop("version", "")
    recipe = "".join(f"{key} = {value!r}\n" for key, value in fields.items())
    return RunRecord(
        id=id,
        name=f"run {id}",
        status=status,
        target="category",
        recipe_toml=f'backbone = "resnet18"\nstart = "{start}"\n{recipe}',
        labels=RunLabels(LabelList("category", ("a", "b"), (0, 1))),
        created=0.0,
        metrics={part: {"top1": top1}, "train": {"images": images}},
        version=version,
    )


SCORES = StartScores(start="imagenet", backbone="resnet18", frozen_top1=0.6)
FOUND = Assessment(
    starts=(SCORES, StartScores(start="file:x", backbone="resnet18", unread="it is gone")),
    train_images=100,
    held_out_images=40,
    held_out="test",
    classes=2,
    chance=0.5,
)


def test_gaps_compare_runs_that_differ_in_nothing_else():
    plain = {"frozen": "none", "epochs": 20, "head": "linear"}
    runs = [
        record("unfinished", "imagenet", 0.1, status=RunStatus.STOPPED, **plain),
        record("other part", "imagenet", 0.2, part="validation", **plain),
        record("of few images", "imagenet", 0.4, images=18, **plain),
        record("one epoch", "imagenet", 0.7, **plain | {"epochs": 1}),
        record("tuned", "imagenet", 0.9, **plain),
        record("other head", "none", 0.2, **plain | {"head": "bilinear"}),
        record("other labels", "none", 0.3, version="2", **plain),
        record("scratch", "none", 0.95, **plain),
        record("frozen", "imagenet", 0.8, **plain | {"frozen": "all"}),
    ]
    one, unread = report_of("category", FOUND, runs).starts
    assert (one.fine_tuned_run, one.fine_tuned_top1) == ("one epoch", 0.7)
    assert (one.tuned_run, one.frozen_run) == ("tuned", "frozen")
    assert one.tuning_gap == pytest.approx(0.1)
    assert (one.transfer_run, one.scratch_run) == ("tuned", "scratch")
    assert one.negative_transfer_gap == pytest.approx(0.05)  # the transfer did harm
    assert one.missing == ()
    reasons = dict(one.reasons)
    assert "fine-tuning adds 10.0% to the 80.0%" in reasons["row"]
    assert "“run tuned” reaches 90.0%, “run frozen”" in reasons["tuning"]
    assert "“run tuned” reaches 90.0%, “run scratch”" in reasons["harm"]
    assert (unread.tuning_gap, unread.values) == (None, {})
    nothing = report_of("category", FOUND, []).starts[0]
    assert (nothing.tuning_gap, nothing.negative_transfer_gap) == (None, None)
    assert nothing.missing == ()


def test_the_runs_that_gaps_lack_are_named_and_no_others_are_compared():
    plain = {"frozen": "fire5", "image_size": 96}
    runs = [
        record("tuned", "imagenet", 0.7, **plain),
        record("scratch", "none", 0.9, **plain | {"image_size": 224}),
        record("frozen", "imagenet", 0.8, **plain | {"frozen": "all", "image_size": 224}),
    ]
    one = report_of("category", FOUND, runs).starts[0]
    assert (one.tuning_gap, one.negative_transfer_gap) == (None, None)
    assert "fine-tuning" not in dict(one.reasons)["row"]
    assert "no run differs from “run tuned”" in dict(one.reasons)["tuning"]
    assert [(each.like, each.changes) for each in one.missing] == [
        ("tuned", {"frozen": "all"}),
        ("tuned", {"start": "none", "frozen": "none"}),
    ]
    then = report_of(
        "category", FOUND, runs, lambda _: SeenImages("before"), SeenImages("now")
    ).starts[0]
    assert [each.again for each in then.missing] == [True, True]


def test_an_assessment_that_is_stopped_leaves_nothing(small):
    task = assess_task(small, "category", ("none",), "simpleconv3")
    steps = task.work()
    next(steps)  # the program is under way
    assert len(list(small.store.runs_folder.glob(".assess-*"))) == 1
    steps.close()
    task.finish(Cancelled())
    assert assessments(small) == []
    assert list(small.store.runs_folder.glob(".*")) == []


def test_a_start_that_is_not_there_is_refused_before_anything_runs(small, tmp_path):
    with pytest.raises(KnownError, match="does not exist"):
        assess_task(small, "category", (f"file:{tmp_path / 'none.pth'}",))
    with pytest.raises(ValueRefused, match="start"):
        assess_task(small, "category", ("somewhere",))
    with pytest.raises(KnownError, match="no run"):
        assess_task(small, "category", ("run:123",))
    with pytest.raises(ValueRefused, match="start"):
        assess_task(small, "category", ("imagenet",), "simpleconv3")
    with pytest.raises(KnownError, match="view"):
        assess_task(small, "view")


def test_sources_are_ranked_and_the_comparison_is_restored_after_a_restart(small, tmp_path):
    (tmp_path / "other").mkdir()
    other = small_project(tmp_path / "other")
    try:
        source = domain_of(other.store, "category", "the same again")
    finally:
        other.close()
    assert len(source.samples) == 36
    places = {"the same again": (other.store.folder, "category")}
    outcome = run_here(compare_task(small, "category", places, QUICK))
    assert isinstance(outcome, Done), outcome
    (found,) = outcome.value.sources
    assert found.name == "the same again"
    assert (outcome.value.target_images, found.images) == (36, 36)
    assert found.doa < 0
    assert len(found.numbers) == 18

    folder = small.store.folder
    small.close()
    again = Session(Project.open(folder))
    try:
        (kept,) = msgspec.convert(again.store.settings.get(KEY), list[SourceComparison])
        assert (kept.label_set, kept.found) == ("category", outcome.value)
    finally:
        again.close()


def test_images_of_the_test_part_stay_unseen(small):
    trained(small)  # makes the split
    parts = {sample.part for sample in domain_of(small.store, "category").samples}
    assert parts == {"train", "validation"}
    with pytest.raises(ValueRefused, match="sources"):
        compare_task(small, "category", {}, QUICK)


def test_missing_images_are_reported(small):
    for path in (small.store.folder.parent / "pictures").iterdir():
        path.unlink()
    outcome = run_here(assess_task(small, "category", ("none",), "simpleconv3"))
    assert isinstance(outcome, Failed)
    assert "None of the" in outcome.sentence
    assert outcome.report == ""


def program(folder, mode, messages=b""):
    command = [sys.executable, "-m", "workbench.learning", str(folder), mode]
    done = subprocess.run(command, input=messages, capture_output=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("mode", ["--assess", "--relate"])
def test_the_program_reports_what_is_wrong_with_its_order(tmp_path, mode):
    def sentence():
        code, reports = program(tmp_path, mode)
        assert (code, reports[-1]["report"]) == (1, "broken")
        return decode_message(Message, reports[-1]["sentence"])

    assert "order.json cannot be read" in sentence()
    (tmp_path / REQUEST_FILE).write_bytes(
        msgspec.json.encode(StartRequest(start="x", backbone="y"))
    )
    assert "is damaged" in sentence()


def test_the_program_stops_on_request(small, tmp_path):
    folder = tmp_path / "asked"
    folder.mkdir()
    samples = list(domain_of(small.store, "category").samples)
    every = [msgspec.structs.replace(s, part=("train", "test")[s.image % 2]) for s in samples]
    (folder / SAMPLES_FILE).write_bytes(encode_samples(every))
    starts = (StartRequest(start="none", backbone="simpleconv3"),)
    request = AssessmentRequest(starts=starts, held_out="test")
    (folder / REQUEST_FILE).write_bytes(msgspec.json.encode(request))
    code, messages = program(folder, "--assess", b"stop\n")
    assert (code, messages[-1]["report"]) == (0, "stopped")
