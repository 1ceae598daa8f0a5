"""Start weights of a training: their file for a recipe, and their copy in the run's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from workbench.app.weights import is_intact, weights_path
from workbench.domain.errors import KnownError, ValueRefused, parsing
from workbench.domain.recipes import Recipe
from workbench.domain.runs import MODEL_FILE, START_FILE, WEIGHTS_FILE, ModelCard
from workbench.domain.text import Message, mark
from workbench.files import (
    MOST_WEIGHTS,
    check_digest,
    check_regular,
    digest_of,
    read_recorded,
    record_digest,
    replacing,
)
from workbench.storage.project import Project


def start_of(store: Project, recipe: Recipe) -> Path | None:
    """File of a recipe's start weights; None for random weights, or ImageNet weights that are not
    downloaded yet. Raises KnownError if the file or run is missing."""
    kind, _, rest = recipe.start.partition(":")
    if kind == "imagenet":
        return weights_path(recipe.backbone)
    if kind == "run":
        return _weights_of_run(store, rest, recipe)
    if kind != "file":
        return None
    path = Path(rest)
    check_regular(path, MOST_WEIGHTS, mark("Choose a file with start weights."))
    return path


def whole_start(store: Project, recipe: Recipe) -> Path | None:
    """As `start_of`, but with the content of the file checked.

    Damaged ImageNet weights count as not downloaded. Raises KnownError if weights of a run are
    damaged.
    """
    start = start_of(store, recipe)
    if recipe.start == "imagenet":
        return start if is_intact(recipe.backbone) else None
    if start is not None:
        check_run_weights(start)
    return start


def _weights_of_run(store: Project, run_id: str, recipe: Recipe) -> Path:
    record = next((r for r in store.runs.all() if r.id == run_id), None)
    if record is None:
        raise ValueRefused("start", f"run:{run_id}", Message("the id of a run of this project"))
    trained = record.recipe.backbone or "?"
    if trained != recipe.backbone:
        raise KnownError(
            "The run “{name}” trained {trained}, not {backbone}.",
            "Choose a run of the same backbone.",
            name=record.name,
            trained=trained,
            backbone=recipe.backbone,
        )
    path = store.runs_folder / run_id / WEIGHTS_FILE
    if not path.is_file():
        raise KnownError(
            "The run “{name}” has no weights yet.", "Choose a finished run.", name=record.name
        )
    return path


def put_start(folder: Path, start: Path) -> None:
    """Copy start weights into a run folder, so that it can be trained anywhere, with their
    digest."""
    safe = start.suffix == ".safetensors"
    target = folder / (START_FILE if safe else Path(START_FILE).with_suffix(".pth").name)
    with replacing(target) as part:
        shutil.copyfile(start, part)
        record_digest(target, digest_of(part))


def check_run_weights(weights: Path) -> None:
    """Raise KnownError if the weights of a run do not match the digest in its model card; without a
    card, they are accepted."""
    card = weights.with_name(MODEL_FILE)
    if weights.name != WEIGHTS_FILE or not card.is_file():
        return
    remedy = mark("Train that run again, or choose another start.")
    with parsing(card, remedy):
        digest = msgspec.json.decode(read_recorded(card), type=ModelCard).weights_digest
    with parsing(weights, remedy):
        check_digest(weights, digest)
