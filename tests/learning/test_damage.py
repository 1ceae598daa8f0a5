"""Damaged files of runs and clusterings are refused by name."""

import os

import msgspec
import numpy as np
import pytest
import torch

from tests.fixtures.damage import assert_refused, damaged, flipped, refusal, without_seal
from tests.fixtures.run_folders import Chances, make_run, train
from tests.fixtures.tiny_runs import save_run
from tests.learning.test_features import folder_request, pictures  # noqa: F401
from workbench.app.results.run_images import card_of_run
from workbench.app.training.starts import check_run_weights, put_start
from workbench.app.training.training import load_predictions
from workbench.domain.errors import KnownError
from workbench.domain.features import CARD_FILE, KEYS_FILE, ROWS_FILE, FeatureCard
from workbench.domain.reports import Finished
from workbench.domain.runs import (
    CHECKPOINT_FILE,
    LABELS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    SAMPLES_FILE,
    WEIGHTS_FILE,
)
from workbench.files import DIGESTS_FILE, DamagedFile, read_recorded, write_recorded
from workbench.learning.evaluation.trained import load_model, read_card
from workbench.learning.loop.checkpoint import load_checkpoint, save_checkpoint
from workbench.learning.networks.weights import read_start, start_file
from workbench.learning.protocol.control import ControlRequest
from workbench.learning.protocol.folders import read_run_folder
from workbench.learning.questions.features import FeatureWriter, write_features
from workbench.storage.features import FeatureIndexes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A trained run."""
    folder = make_run(tmp_path_factory.mktemp("finished") / "run", epochs=1)
    assert isinstance(train(folder)[-1], Finished)
    return folder


def test_damaged_weights_of_a_run_are_refused(finished):
    assert_refused(finished / WEIGHTS_FILE, lambda: load_model(finished))
    assert_refused(finished / WEIGHTS_FILE, lambda: check_run_weights(finished / WEIGHTS_FILE))


def test_weights_of_another_run_under_the_name_are_refused(finished, tmp_path):
    other = save_run(tmp_path / "other")
    weights = (finished / WEIGHTS_FILE).read_bytes()
    assert len(weights) == (other / WEIGHTS_FILE).stat().st_size  # they would fit
    (other / WEIGHTS_FILE).write_bytes(weights)
    with pytest.raises(KnownError, match=r"weights\.safetensors"):
        load_model(other)


def test_weights_whose_card_is_older_than_digests_are_used(tmp_path):
    folder = save_run(tmp_path / "old")
    card = msgspec.json.decode((folder / MODEL_FILE).read_bytes())
    del card["weights_digest"]
    (folder / MODEL_FILE).write_bytes(msgspec.json.encode(card))
    with pytest.raises(KnownError, match=r"model\.json cannot be read: its content has changed"):
        read_card(folder)
    (folder / DIGESTS_FILE).unlink()
    assert read_card(folder).weights_digest == ""
    load_model(folder)
    check_run_weights(folder / WEIGHTS_FILE)
    (folder / WEIGHTS_FILE).write_bytes(b"no weights")
    with pytest.raises(KnownError, match=r"weights\.safetensors"):
        load_model(folder)


def test_damaged_predictions_are_refused(finished):
    path = finished / PREDICTIONS_FILE
    assert_refused(path, lambda: load_predictions(path))


def test_predictions_without_a_digest_are_loaded_or_refused_by_name(finished, tmp_path):
    path = tmp_path / PREDICTIONS_FILE
    data = without_seal((finished / PREDICTIONS_FILE).read_bytes())
    path.write_bytes(data)
    assert len(load_predictions(path)) == 36
    before = load_predictions(finished / PREDICTIONS_FILE)
    refused = 0
    for at in range(0, len(data), 37):
        path.write_bytes(flipped(data, at, at % 8))
        error = refusal(lambda: load_predictions(path))
        if error is None:  # only fields of the archive that do not affect its content differ
            np.testing.assert_equal(vars(load_predictions(path)), vars(before))
        else:
            assert str(path) in error.sentence
            refused += 1
    assert refused


def test_a_damaged_checkpoint_is_refused_and_a_whole_one_resumed(tmp_path):
    folder = make_run(tmp_path / "run", epochs=1)
    train(folder, Chances(ControlRequest.PAUSE, 6))
    path, identity = folder / CHECKPOINT_FILE, read_run_folder(folder).identity
    assert_refused(path, lambda: load_checkpoint(path, identity))
    data = path.read_bytes()
    path.write_bytes(flipped(data, len(data) // 2))
    with pytest.raises(KnownError, match=r"last\.ckpt") as caught:
        train(folder)
    assert "start this run over" in caught.value.remedy
    path.write_bytes(without_seal(data))  # of a version without digests
    assert isinstance(train(folder)[-1], Finished)


def test_a_checkpoint_holds_what_was_saved(tmp_path):
    state = {"identity": "a", "tensors": [torch.arange(5), torch.eye(3)], "rate": 0.1}
    save_checkpoint(tmp_path / CHECKPOINT_FILE, state)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]
    found = load_checkpoint(tmp_path / CHECKPOINT_FILE, "a")
    assert found.keys() == state.keys()
    assert all(map(torch.equal, found["tensors"], state["tensors"]))


@pytest.mark.parametrize("name", ["weights.safetensors", "mine.pth"])
def test_damaged_start_weights_are_refused(tmp_path, name):
    given = save_run(tmp_path / "given")
    if name.endswith(".pth"):
        torch.save(load_model(given)[0].body.state_dict(), given / name)
    folder = tmp_path / "run"
    folder.mkdir()
    put_start(folder, given / name)
    path = start_file(folder)
    assert path.read_bytes() == (given / name).read_bytes()
    assert_refused(path, lambda: read_start(folder))
    record = folder / DIGESTS_FILE
    for text in ("{", "", "[1]"):
        record.write_text(text)
        with pytest.raises(KnownError, match=r"start.*digests\.json beside it is damaged"):
            read_start(folder)
    record.unlink()  # of a version without digests
    assert read_start(folder)[0] == path


# Feature indexes


@pytest.fixture
def index(tmp_path, pictures):  # noqa: F811
    write_features(folder_request(tmp_path, pictures[:5], []))
    return tmp_path / "features" / "own"


def read(tmp_path):
    """The index as a project that was just opened reads it."""
    return FeatureIndexes(tmp_path).read("own")


@pytest.mark.parametrize("name", [ROWS_FILE, KEYS_FILE])
def test_a_damaged_index_is_noticed_and_not_added_to(tmp_path, index, name):
    rows = np.array(read(tmp_path).rows)
    card = FeatureCard(backbone="simpleconv3", dimensions=rows.shape[1], image_size=48)
    for way in damaged(index / name):
        data = (index / name).read_bytes()
        found = read(tmp_path)
        assert (found.damaged, len(found.keys)) == (True, 0), way
        with pytest.raises(KnownError) as caught:
            FeatureWriter(index, card)
        assert str(index) in caught.value.sentence
        assert (index / name).read_bytes() == data
    np.testing.assert_array_equal(read(tmp_path).rows, rows)
    FeatureWriter(index, card)
    assert len(read(tmp_path).keys) == 5


def test_a_damaged_card_of_an_index_never_gives_other_rows(tmp_path, index):
    rows, data = np.array(read(tmp_path).rows), (index / CARD_FILE).read_bytes()
    harmless = 0
    for at in range(len(data)):
        (index / CARD_FILE).write_bytes(flipped(data, at, at % 8))
        found = read(tmp_path)
        if not found.damaged:
            harmless += 1  # such as one in the backbone's name, which is for people
            np.testing.assert_array_equal(found.rows, rows)
    assert harmless < len(data) / 4
    for text in (b"", b"{", b"[]", data[:-1]):
        (index / CARD_FILE).write_bytes(text)
        assert read(tmp_path).damaged
    (index / CARD_FILE).unlink()
    assert not read(tmp_path).damaged  # an index that was never begun
    assert len(read(tmp_path).keys) == 0


def test_an_index_without_digests_is_used_and_has_some_when_it_grew(tmp_path, index, pictures):  # noqa: F811
    rows = np.array(read(tmp_path).rows)
    old = {"backbone": "simpleconv3", "dimensions": rows.shape[1], "image_size": 48}
    (index / CARD_FILE).write_bytes(msgspec.json.encode(old))
    np.testing.assert_array_equal(read(tmp_path).rows, rows)
    write_features(folder_request(tmp_path, pictures[:1], []))
    card = msgspec.json.decode((index / CARD_FILE).read_bytes(), type=FeatureCard)
    assert (card.rows, len(card.rows_digest), len(card.keys_digest)) == (6, 64, 64)
    np.testing.assert_array_equal(read(tmp_path).rows[:5], rows)
    data = (index / ROWS_FILE).read_bytes()
    (index / ROWS_FILE).write_bytes(flipped(data, 0))
    assert read(tmp_path).damaged


def test_an_index_is_compared_once_and_again_when_it_changed(tmp_path, index):
    indexes = FeatureIndexes(tmp_path)
    path, data = index / ROWS_FILE, (index / ROWS_FILE).read_bytes()
    found = indexes.read("own")
    stat = path.stat()
    del found
    path.write_bytes(flipped(data, 9))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not indexes.read("own").damaged  # the file is not read a second time
    os.utime(path)
    assert indexes.read("own").damaged
    path.write_bytes(data)
    assert not indexes.read("own").damaged


@pytest.mark.parametrize("name", [LABELS_FILE, SAMPLES_FILE])
def test_damaged_descriptions_of_a_run_are_refused(tmp_path, name):
    folder = make_run(tmp_path / "run")
    read_run_folder(folder)  # as versions without digests wrote it
    for recorded in (LABELS_FILE, SAMPLES_FILE):
        write_recorded(folder / recorded, (folder / recorded).read_bytes())
    assert_refused(folder / name, lambda: read_run_folder(folder))


def test_a_damaged_card_of_a_network_is_refused(tmp_path):
    folder = save_run(tmp_path / "run")
    card = folder / MODEL_FILE
    assert_refused(card, lambda: read_card(folder))
    assert_refused(card, lambda: check_run_weights(folder / WEIGHTS_FILE))
    assert_refused(card, lambda: card_of_run(folder))
    data = card.read_bytes()
    card.write_bytes(data.replace(b"boat", b"goat"))  # valid, but another label
    with pytest.raises(KnownError, match=r"model\.json cannot be read: its content has changed"):
        load_model(folder)


def test_a_file_that_is_written_again_has_the_digest_of_its_last_content(tmp_path):
    path = tmp_path / "card.json"
    for content in (b"first", b"second"):
        write_recorded(path, content)
        assert read_recorded(path) == content
    path.write_bytes(b"first")  # an older content is no longer right
    with pytest.raises(DamagedFile):
        read_recorded(path)


def test_a_missing_file_of_a_run_folder_is_named(tmp_path):
    with pytest.raises(KnownError, match=r"recipe\.toml cannot be read: no such file"):
        read_run_folder(tmp_path)
