"""Load trained networks from run folders."""

from __future__ import annotations

from pathlib import Path

import msgspec
from safetensors.torch import load_file

from workbench.domain.errors import KnownError, parsing, reason_of
from workbench.domain.runs import MODEL_FILE, WEIGHTS_FILE, ModelCard
from workbench.domain.text import mark
from workbench.files import DamagedFile, check_digest, read_recorded
from workbench.learning.methods import METHODS
from workbench.learning.networks.models import Network, build_network, with_body_names


def read_card(run_folder: Path) -> ModelCard:
    """Read the model card of a trained run. Raises KnownError if it is missing or damaged."""
    path = run_folder / MODEL_FILE
    try:
        return msgspec.json.decode(read_recorded(path), type=ModelCard)
    except OSError as error:
        raise KnownError(
            "{path} is missing: this run has no trained network.", path=path
        ) from error
    except (msgspec.DecodeError, DamagedFile) as error:
        raise KnownError(
            "{path} cannot be read: {reason}.",
            "Train the run again.",
            path=path,
            reason=reason_of(error),
        ) from error


def load_model(run_folder: Path, device: str = "cpu") -> tuple[Network, ModelCard]:
    """Load the trained network of a run, in evaluation mode, and its card.

    In-place operations are disabled so that hooks see unchanged outputs. Raises KnownError if the
    folder has no network or its weights do not match the card.
    """
    card = read_card(run_folder)
    method = METHODS.find(card.method)
    plain = build_network(card.backbone, card.labels, card.head, card.options)
    network = method.wrap(plain, card.backbone, method.spec.options(card.options))
    path = run_folder / WEIGHTS_FILE
    with parsing(path, mark("Train the run again.")):
        check_digest(path, card.weights_digest)
        weights = load_file(path)
    try:
        network.load_state_dict(with_body_names(weights))
    except RuntimeError as error:
        raise KnownError(
            "{path} does not fit {model_file} beside it: {error}",
            "Train the run again.",
            path=path,
            model_file=MODEL_FILE,
            error=error,
        ) from error
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    network.requires_grad_(False)
    return network.eval().to(device), card
