"""Start weights of a recipe: which file they are, that they are whole, and their copy in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures import finished_runs
from tests.fixtures.stored_images import fill
from tests.fixtures.tiny_runs import save_run
from workbench.app.session import Session
from workbench.app.training.starts import check_run_weights, put_start, start_of, whole_start
from workbench.app.transfer.assessing import start_request
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import Recipe
from workbench.files import MOST_WEIGHTS


def recipe(start: str, backbone: str = "simpleconv3") -> Recipe:
    return Recipe(target="category", backbone=backbone, start=start)


@pytest.fixture
def runs(session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of runs of a project with a run “owls”, without ImageNet weights."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = fill(session.store, 30)
    finished_runs.make_run(session.store, images, "owls", backbone="simpleconv3")
    return session.store.runs_folder


def test_random_weights_have_no_file(session: Session, runs: Path) -> None:
    assert start_of(session.store, recipe("none")) is None
    assert whole_start(session.store, recipe("none")) is None
    assert whole_start(session.store, recipe("imagenet", "resnet18")) is None  # not downloaded


def test_a_file_must_exist(session: Session, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "my:weights.pth"
    with pytest.raises(KnownError, match=r"my:weights\.pth does not exist"):
        start_of(session.store, recipe(f"file:{path}"))
    path.write_bytes(b"anything")
    assert start_of(session.store, recipe(f"file:{path}")) == path
    assert whole_start(session.store, recipe(f"file:{path}")) == path


def test_weights_of_any_size_are_not_copied(session: Session, tmp_path: Path) -> None:
    with (tmp_path / "x.pth").open("wb") as file:
        file.truncate(MOST_WEIGHTS + 1)
    with pytest.raises(KnownError, match=r"its size is 8.6 GB, the limit is 8.6 GB"):
        start_of(session.store, recipe(f"file:{tmp_path / 'x.pth'}"))
    with pytest.raises(KnownError, match=r"its size is 8.6 GB"):
        start_request(session, f"file:{tmp_path / 'x.pth'}", "resnet18")


def test_weights_of_a_run_need_the_run_its_backbone_and_the_file(
    session: Session, runs: Path
) -> None:
    with pytest.raises(ValueRefused, match="run:gone"):
        start_of(session.store, recipe("run:gone"))
    with pytest.raises(KnownError, match="“owls” trained simpleconv3, not resnet18"):
        start_of(session.store, recipe("run:owls", "resnet18"))
    with pytest.raises(KnownError, match="“owls” has no weights yet"):
        start_of(session.store, recipe("run:owls"))
    (runs / "owls").mkdir(parents=True)
    weights = runs / "owls" / "weights.safetensors"
    weights.write_bytes(b"weights")
    assert start_of(session.store, recipe("run:owls")) == weights
    assert whole_start(session.store, recipe("run:owls")) == weights  # no card to check them by


def test_damaged_weights_of_a_run_are_refused(session: Session, runs: Path) -> None:
    folder = save_run(runs / "owls")
    weights = folder / "weights.safetensors"
    assert whole_start(session.store, recipe("run:owls")) == weights
    check_run_weights(weights.with_name("other.safetensors"))  # only a run's own are known
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert start_of(session.store, recipe("run:owls")) == weights
    with pytest.raises(KnownError, match=r"weights\.safetensors"):
        whole_start(session.store, recipe("run:owls"))
    (folder / "model.json").write_text("{}")
    with pytest.raises(KnownError, match=r"model\.json cannot be read"):
        check_run_weights(weights)


@pytest.mark.parametrize(
    ("name", "copied"),
    [("a.safetensors", "start.safetensors"), ("a.pth", "start.pth"), ("a.bin", "start.pth")],
)
def test_a_copy_is_named_after_its_kind(tmp_path: Path, name: str, copied: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    folder = tmp_path / "run"
    folder.mkdir()
    put_start(folder, tmp_path / name)
    assert (folder / copied).read_bytes() == b"weights"
    assert len(list(folder.iterdir())) == 2  # with its digest
