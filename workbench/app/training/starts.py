"""The weights that a training starts from: found for a recipe, and put into a run's folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from workbench.app.weights import weights_path
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import Recipe, parse_toml
from workbench.domain.runs import START_FILE, WEIGHTS_FILE
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
        raise KnownError(f"The start weights {path} are missing.", "Choose another file.")
    return path


def _weights_of_run(store: Project, run_id: str, recipe: Recipe) -> Path:
    record = next((r for r in store.runs.all() if r.id == run_id), None)
    if record is None:
        raise ValueRefused("start", f"run:{run_id}", "the id of a run of this project")
    trained = parse_toml(record.recipe_toml, record.name).get("backbone")
    if trained != recipe.backbone:
        raise KnownError(
            f"The run “{record.name}” trained {trained}, not {recipe.backbone}.",
            "Choose a run of the same backbone.",
        )
    path = store.runs_folder / run_id / WEIGHTS_FILE
    if not path.is_file():
        raise KnownError(f"The run “{record.name}” has no weights yet.", "Choose a finished run.")
    return path


def put_start(folder: Path, start: Path) -> None:
    """Copy start weights into a run folder, so that it can be trained anywhere."""
    safe = start.suffix == ".safetensors"
    target = folder / (START_FILE if safe else Path(START_FILE).with_suffix(".pth").name)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(start, part)
    os.replace(part, target)
