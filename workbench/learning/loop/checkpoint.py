"""Checkpoints: the complete state of a training for exact resumption, written atomically."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from workbench.domain.errors import KnownError, parsing
from workbench.domain.text import mark
from workbench.files import check_archive, replacing, seal_archive


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` (tensors, numbers, text and collections of them) atomically and durably, with
    its digest."""
    with replacing(path) as part, part.open("w+b") as file:
        torch.save(dict(state), file)
        seal_archive(file)


def load_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """Load the state saved at `path`; None if there is no file.

    `identity` is the digest of the recipe and samples. Raises KnownError if the checkpoint is
    damaged or belongs to another training. No code in the file is executed.
    """
    if not path.exists():
        return None
    remedy = mark("Delete the file to start this run over.")
    with parsing(path, remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reported in one sentence
        check_archive(path)
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or state.get("identity") != identity:
        raise KnownError("{path} belongs to another recipe or other samples.", remedy, path=path)
    return state
