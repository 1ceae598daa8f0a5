"""What a training finds in its run folder, checked before anything heavy starts."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import Recipe, complete, parse_toml
from workbench.domain.runs import (
    LABELS_FILE,
    RECIPE_FILE,
    SAMPLES_FILE,
    RunLabels,
    Sample,
    decode_samples,
)

REMEDY = "Prepare the run again from its project."


@dataclass(frozen=True)
class RunFolder:
    """A run as it was frozen: `identity` is a digest of everything that determines it."""

    path: Path
    recipe: Recipe
    labels: RunLabels
    samples: tuple[Sample, ...]
    identity: str

    @property
    def counts(self) -> dict[str, int]:
        """Images of each part."""
        return dict(Counter(sample.part for sample in self.samples if sample.part))


def read_run_folder(path: Path) -> RunFolder:
    """The run frozen in a folder. Raises KnownError naming the file that is missing or damaged, and
    where there is nothing to learn from."""
    recipe_bytes = _bytes(path / RECIPE_FILE)
    labels_bytes = _bytes(path / LABELS_FILE)
    samples_bytes = _bytes(path / SAMPLES_FILE)
    try:
        text = recipe_bytes.decode()
        recipe = complete(parse_toml(text, str(path / RECIPE_FILE)), {})
        labels = msgspec.json.decode(labels_bytes, type=RunLabels)
        samples = tuple(decode_samples(samples_bytes))
    except ValueRefused as error:
        raise KnownError(f"{path / RECIPE_FILE}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KnownError(f"The run folder {path} is damaged: {error}.", REMEDY) from error
    if not any(s.part == "train" and max(s.target, s.view) >= 0 for s in samples):
        raise KnownError(
            "The train part holds no labelled images.",
            "Label more images, or make a split with a larger train part.",
        )
    digest = hashlib.sha256(recipe_bytes + b"\0" + labels_bytes + b"\0" + samples_bytes)
    return RunFolder(path, recipe, labels, samples, digest.hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KnownError(f"{path} cannot be read: {error.strerror}.", REMEDY) from error
