"""A transfer's steps: each is done once, is stored, and can be resumed."""

import dataclasses

import msgspec
import numpy as np
import pytest

from tests.fixtures.training_projects import small_project
from workbench.app.jobs import Done, run_here
from workbench.app.transfer import transfer_runs, transferring
from workbench.app.transfer.sources import checked_source, own_sources
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.predictions import PART_CODES, PredictionTable
from workbench.domain.recipes import parse_toml, partial_recipe
from workbench.domain.relatedness import Relatedness, SourceRelatedness
from workbench.domain.reports import Started, encode_report
from workbench.domain.runs import REPORTS_FILE, WEIGHTS_FILE, RunStatus
from workbench.domain.splits import Part
from workbench.domain.transfers import TransferRequest

REQUEST = TransferRequest(
    label_set="category", sources=("there#category",), start="none", settings={"image_size": 64}
)


@pytest.fixture
def target(tmp_path, qapp):
    session = small_project(tmp_path, label_sets=("category", "view"))
    yield session
    session.close()


@pytest.fixture
def source(tmp_path, qapp):
    (tmp_path / "source").mkdir()
    session = small_project(tmp_path / "source")
    yield session
    session.close()


def found(*names):
    return Relatedness(
        sources=tuple(
            SourceRelatedness(
                name=name,
                doa=-5.0 - at,
                doas=(),
                similarity=0.5,
                coverage=0.6,
                agreeing=5,
                pairs=9,
                numbers=(),
                images=10,
            )
            for at, name in enumerate(names)
        ),
        target="t",
        target_images=10,
        views=False,
        same_energy=0.1,
        different_energy=0.2,
        seconds=1.0,
    )


def carried_out(task):
    return isinstance(run_here(task), Done)


def source_prepared(target, source, transfer):
    task = transfer_runs.source_task(target, source, "category", transfer)
    assert task is None or carried_out(task)
    return transferring.latest(target, transfer)


def candidates_prepared(target, source, transfer):
    for task in transfer_runs.candidate_tasks(target, source.store.folder, transfer):
        assert carried_out(task)
    return transferring.latest(target, transfer)


def begun(target, source, request=REQUEST):
    """A transfer whose source is learned and whose candidates are made."""
    transfer = transferring.begin(target, request)
    transfer = transferring.choose_source(target, transfer, found("there", "elsewhere"))
    transfer = source_prepared(target, source, transfer)
    weights = source.store.runs_folder / transfer.source_run / WEIGHTS_FILE
    weights.write_bytes(b"weights")
    return candidates_prepared(target, source, transfer)


def recipe_of(session, run):
    return parse_toml(session.store.runs.get(run).recipe_toml, run)


def test_a_step_that_is_done_is_not_done_again(target, source):
    transfer = begun(target, source)
    assert transfer.source == "there"
    again = transferring.begin(target, REQUEST)
    assert again == transfer
    assert source_prepared(target, source, again) == transfer
    assert candidates_prepared(target, source, again) == transfer
    assert len(target.store.runs.all()) == 3
    assert len(source.store.runs.all()) == 1

    target.store.runs.remove(transfer.candidates[1].run)
    repaired = candidates_prepared(target, source, again)
    assert [c.run for c in repaired.candidates][::2] == [c.run for c in transfer.candidates][::2]
    assert repaired.candidates[1].run != transfer.candidates[1].run
    assert transferring.transfers(target) == [repaired]


def test_recipes_freeze_the_layers_of_the_paper(target, source):
    transfer = begun(target, source)
    learned = recipe_of(source, transfer.source_run)
    assert (learned["frozen"], learned["start"], learned["target"]) == ("none", "none", "category")
    kept = [recipe_of(target, c.run) for c in transfer.candidates]
    assert [r["frozen"] for r in kept] == ["fire4", "fire5", "fire6"]
    assert {r["target"] for r in kept} == {"category+view"}
    assert {r["tie"] for r in kept} == {1e-3}
    weights = source.store.runs_folder / transfer.source_run / WEIGHTS_FILE
    assert {r["start"] for r in kept} == {f"file:{weights}"}
    assert {r["image_size"] for r in kept} == {64}


def test_candidates_share_views_and_the_precision_of_their_source(target, source):
    kept = begun(target, source)
    recipes = [recipe_of(target, c.run) for c in kept.candidates]
    assert {r["cache"] for r in recipes} == {8}
    assert {r["seed"] for r in recipes} == {0}
    assert {r["precision"] for r in recipes} == {"auto"}  # the source was never trained

    request = msgspec.structs.replace(REQUEST, settings={"image_size": 64, "epochs": 3})
    transfer = transferring.choose_source(
        target, transferring.begin(target, request), found("there")
    )
    transfer = source_prepared(target, source, transfer)
    learned = source.store.runs_folder / transfer.source_run
    (learned / WEIGHTS_FILE).write_bytes(b"weights")
    began = Started(
        device="a CPU", precision="bf16", batch=8, parameters=1, trained_parameters=1, images={}
    )
    (learned / REPORTS_FILE).write_bytes(encode_report(began) + b"\n")
    transfer = candidates_prepared(target, source, transfer)
    recipes = [recipe_of(target, c.run) for c in transfer.candidates]
    assert {r["cache"] for r in recipes} == {3}  # no view is made that no epoch shows
    assert {r["precision"] for r in recipes} == {"bf16"}

    own = {"image_size": 64, "cache": 0, "precision": "fp32"}
    transfer = begun(target, source, msgspec.structs.replace(REQUEST, settings=own))
    recipe = recipe_of(target, transfer.candidates[0].run)
    assert (recipe["cache"], recipe["precision"]) == (0, "fp32")


def test_from_start_weights_three_layers_are_kept_and_the_rate_is_low(target, source, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    request = TransferRequest(label_set="category", sources=(), start=f"file:{path}", views=False)
    transfer = begun(target, source, request)
    learned = recipe_of(source, transfer.source_run)
    assert (learned["frozen"], learned["learning_rate"]) == ("fire3", 1e-3)
    assert recipe_of(target, transfer.candidates[0].run)["target"] == "category"


def predict(session, run, wrong):
    """Store predictions of a run: right but for the rows `wrong`, in the parts of the split."""
    parts = session.store.splits.parts()
    images = np.array(sorted(parts), dtype=np.int64)
    truth = np.arange(len(images)) % 3
    messages = truth.copy()
    messages[wrong] = (messages[wrong] + 1) % 3
    table = PredictionTable(
        images=images,
        crops=np.full(len(images), -1),
        parts=np.array([PART_CODES[parts[int(image)]] for image in images]),
        truth=truth,
        scores=np.eye(3, dtype=np.float32)[messages],
        view_truth=np.full(len(images), -1),
        view_scores=None,
        true_view=np.full(len(images), ""),
    )
    session.store.runs.save_predictions(run, table)


def test_held_out_images_alone_are_voted_on(target, source):
    transfer = begun(target, source)
    parts = target.store.splits.parts()
    ids = sorted(parts)
    test = [at for at, image in enumerate(ids) if parts[image] is Part.TEST]
    train = [at for at, image in enumerate(ids) if parts[image] is Part.TRAIN]
    for candidate, wrong in zip(
        transfer.candidates, (test[:3], train, [test[0], test[4]]), strict=True
    ):
        predict(target, candidate.run, wrong)
    voted = transferring.vote(target, transfer)
    assert voted.voted == len(test)
    # two of three are wrong on the first test image, in the same way: they are its majority
    assert [c.votes for c in voted.candidates] == [len(test) - 2, len(test) - 1, len(test) - 1]
    assert voted.winner in ("fire5", "fire6")
    assert voted.drawn
    assert voted.disputed == 4
    assert transferring.vote(target, transfer) == voted
    assert voted.winner_run in {c.run for c in voted.candidates[1:]}
    assert transferring.done(voted)
    assert transferring.begin(target, REQUEST) != voted  # the next one is a new one

    assert carried_out(transfer_runs.single_task(target, source.store.folder, voted))
    single = transferring.latest(target, voted)
    assert transfer_runs.single_task(target, source.store.folder, single) is None
    recipe = recipe_of(target, single.single)
    assert (recipe["target"], recipe["frozen"]) == ("category", voted.winner)


def test_a_run_that_was_stopped_for_good_is_made_again(target, source):
    transfer = begun(target, source)
    run = transfer.candidates[0].run
    assert transferring.unfinished(target, run)
    target.store.runs.update(run, status=RunStatus.FINISHED)
    assert not transferring.unfinished(target, run)
    assert transfer_runs.candidates_made(target, transfer)
    target.store.runs.update(run, status=RunStatus.STOPPED)
    assert not transfer_runs.candidates_made(target, transfer)
    repaired = candidates_prepared(target, source, transfer)
    assert repaired.candidates[0].run != run
    assert repaired.candidates[1:] == transfer.candidates[1:]
    assert transfer_runs.candidates_made(target, repaired)


def test_keys_chosen_for_a_training_become_a_transfer(target, tmp_path):
    keys = {"target": "category+view", "frozen": "fire2", "epochs": 3, "seed": 4}
    request = transferring.transfer_request(target, partial_recipe(**keys), ["there#category"])
    assert (request.label_set, request.start, request.seed) == ("category", "imagenet", 4)
    assert request.settings == {"epochs": 3}
    scratch = transferring.transfer_request(target, partial_recipe(backbone="simpleconv3"), [])
    assert scratch.start == "none"
    own = transferring.transfer_request(target, partial_recipe(target="view", start="run:one"), [])
    weights = target.store.runs_folder / "one" / WEIGHTS_FILE
    assert (own.label_set, own.start) == ("view", f"file:{weights}")


def test_a_setting_that_is_wrong_is_refused_before_anything_is_kept(target):
    wrong = TransferRequest(label_set="category", sources=(), start="none", settings={"epochs": 0})
    with pytest.raises(ValueRefused, match="epochs"):
        transferring.begin(target, wrong)
    assert transferring.transfers(target) == []


def test_labels_that_images_carry_several_of_are_refused_and_not_offered(target, source):
    sets = target.store.labels.sets()
    with target.edit("Several"):
        target.store.labels.save_set(dataclasses.replace(sets["view"], exclusive=False))
    with pytest.raises(KnownError, match="several labels of “view”"):
        transferring.begin(target, TransferRequest(label_set="view", sources=(), start="none"))
    assert transferring.transfers(target) == []
    assert own_sources(target, "category") == []
    folder = source.store.folder
    source.close()  # to be opened beside the target
    assert checked_source(target, folder, "view") == f"{folder.resolve()}#category"
