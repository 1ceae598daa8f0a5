"""The weights that a training starts from: found for a recipe, and put into a run's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from workbench.app.weights import is_whole, weights_path
from workbench.domain.errors import KnownError, ValueRefused, parsing
from workbench.domain.recipes import Recipe
from workbench.domain.runs import MODEL_FILE, START_FILE, WEIGHTS_FILE, ModelCard
from workbench.files import check_digest, digest_of, record_digest, replacing
from workbench.storage.project import Project


def start_of(store: Project, recipe: Recipe) -> Path | None:
    """The file that a recipe starts from; None where it starts from nothing, or from ImageNet
    weights that are not downloaded yet. Raises KnownError where the file or run is missing."""
    kind, _, rest = recipe.start.partition(":")
    if kind == "imagenet":
        return weights_path(recipe.backbone)
    if kind == "run":
        return _weights_of_run(store, rest, recipe)
    if kind != "file":
        return None
    path = Path(rest)
    if not path.is_file():
        raise KnownError("The start weights {path} are missing.", "Choose another file.", path=path)
    return path


def whole_start(store: Project, recipe: Recipe) -> Path | None:
    """`start_of` with the content of the file checked. Damaged ImageNet weights count as not
    downloaded yet: they are downloaded again when the run starts. Raises KnownError where the
    weights of a run are damaged."""
    start = start_of(store, recipe)
    if recipe.start == "imagenet":
        return start if is_whole(recipe.backbone) else None
    if start is not None:
        check_run_weights(start)
    return start


def _weights_of_run(store: Project, run_id: str, recipe: Recipe) -> Path:
    record = next((r for r in store.runs.all() if r.id == run_id), None)
    if record is None:
        raise ValueRefused("start", f"run:{run_id}", "the id of a run of this project")
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
    """Copy start weights into a run folder, so that it can be trained anywhere, and record their
    digest there."""
    safe = start.suffix == ".safetensors"
    target = folder / (START_FILE if safe else Path(START_FILE).with_suffix(".pth").name)
    with replacing(target) as part:
        shutil.copyfile(start, part)
        record_digest(target, digest_of(part))


def check_run_weights(weights: Path) -> None:
    """Raise KnownError where the weights that a run has left are not those that its card was
    written for; a file without a card beside it is accepted."""
    card = weights.with_name(MODEL_FILE)
    if weights.name != WEIGHTS_FILE or not card.is_file():
        return
    remedy = "Train that run again, or choose another start."
    with parsing(card, remedy):
        digest = msgspec.json.decode(card.read_bytes(), type=ModelCard).weights_digest
    with parsing(weights, remedy):
        check_digest(weights, digest)
