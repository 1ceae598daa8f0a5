"""Start weights: safe loading, matching to a body, and their source classifier."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import safe_open
from torch import Tensor, nn

from workbench.domain.errors import KnownError, parsing
from workbench.domain.runs import START_FILE, RunLabels
from workbench.domain.text import counted, mark
from workbench.files import check_recorded
from workbench.learning.networks.models import BODY, Network

REMEDY = mark("Choose weights of the same backbone, or another backbone.")
WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "model.", "_orig_mod.", "body.", "backbone.")
# DenseNet's published weights have dots in module names
DOTTED = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


def start_file(folder: Path) -> Path | None:
    """Start weights of a run folder: start.safetensors or start.pth."""
    for path in (folder / START_FILE, folder / Path(START_FILE).with_suffix(".pth")):
        if path.exists():
            return path
    return None


def load_start(network: Network, folder: Path, start: str, labels: RunLabels) -> bool:
    """Load the run folder's start weights into `network`; True if the head was loaded too.

    The head is loaded if an earlier run learned the same labels with the same kind of head. Raises
    KnownError, naming the file, if it is missing, unreadable or of another architecture.
    """
    if start == "none":
        return False
    found = read_start(folder)
    if found is None:
        raise KnownError(
            "{path} is missing, but the recipe starts from {start}.",
            'Prepare the run again, or set start to "none".',
            path=folder / START_FILE,
            start=start,
        )
    path, weights, known = found
    own = network.body.state_dict()
    _check(own, weights, path)
    body = {BODY + key: weights[key] for key in own if key in weights}
    head = {key: value for key, value in weights.items() if key.startswith("head.")}
    if known != msgspec.json.encode(labels).decode() or not _same_head(network, head):
        head = {}
    network.load_state_dict({**body, **head}, strict=False)
    return bool(head)


def read_start(folder: Path) -> tuple[Path, dict[str, Tensor], str] | None:
    """Path of the run folder's start weights, followed by the result of `read_weights`; None if
    there are none. Raises KnownError if the file is unreadable or was modified."""
    path = start_file(folder)
    if path is None:
        return None
    with parsing(path, mark("Create a new run with the same settings.")):
        check_recorded(path)
    return path, *read_weights(path)


def load_body(body: nn.Module, path: Path) -> dict[str, Tensor]:
    """Load a weights file into a backbone; return all of its tensors. Raises KnownError, naming the
    file, if it is unreadable or of another architecture."""
    weights, _ = read_weights(path)
    own = body.state_dict()
    _check(own, weights, path)
    body.load_state_dict({key: weights[key] for key in own if key in weights}, strict=False)
    return weights


def _same_head(network: Network, head: Mapping[str, Tensor]) -> bool:
    """Whether a head's weights match the network's head in names and shapes."""
    own = {f"head.{key}": value.shape for key, value in network.head.state_dict().items()}
    return own == {key: value.shape for key, value in head.items()}


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Tensors of a weights file by bare name, and the labels recorded in it."""
    with parsing(path, mark("Choose another weights file.")):
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                recorded = (file.metadata() or {}).get("labels", "")
                return bare_names({key: file.get_tensor(key) for key in file.keys()}), recorded  # noqa: SIM118
        return bare_names(_unpickled(path)), ""


def _unpickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid pickles are refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise KnownError(
            "{path} contains objects other than tensors and was not loaded.",
            "Save it as a plain state-dict or as safetensors.",
            path=path,
        ) from error


def bare_names(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors of a state-dict, unwrapped and without prefixes added by wrappers."""
    for wrapper in WRAPPERS:
        inner = state.get(wrapper) if isinstance(state, Mapping) else None
        if isinstance(inner, Mapping):
            return bare_names(inner)
    if not isinstance(state, Mapping):
        raise ValueError("it contains no state-dict")
    tensors = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if tensors and all(key.startswith((prefix, "head.")) for key in tensors):
            return bare_names({key.removeprefix(prefix): value for key, value in tensors.items()})
    return {DOTTED.sub(r"\1", key): value for key, value in tensors.items()}


def _check(own: Mapping[str, Tensor], weights: Mapping[str, Tensor], path: Path) -> None:
    needed = {key for key in own if not key.endswith("num_batches_tracked")}
    missing = sorted(needed - weights.keys())
    if missing:
        raise KnownError(
            counted(
                len(missing),
                "{path} does not fit the backbone: the tensor {missing} is missing.",
                "{path} does not fit the backbone: {n:,} of {total:,} tensors are missing, such as "
                "{missing}.",
                path=path,
                total=len(needed),
                missing=missing[0],
            ),
            REMEDY,
        )
    for key in sorted(needed):
        if own[key].shape != weights[key].shape:
            raise KnownError(
                "{path} does not fit the backbone: the size of {key} is {size}, not {needed}.",
                REMEDY,
                path=path,
                key=key,
                size=_size(weights[key]),
                needed=_size(own[key]),
            )


def _size(tensor: Tensor) -> str:
    return " × ".join(str(side) for side in tensor.shape) or "1"


TARGET_LAYER = "head.target"  # of a run of this program; else torchvision's last layer


def source_head(
    start: Mapping[str, Tensor], body_keys: Collection[str], features: int
) -> nn.Linear | None:
    """Last layer of a weights file as a linear layer on pooled features; None if there is none.

    `start` are the file's tensors, `body_keys` the backbone's parameter names. SqueezeNet's 1×1
    convolution before pooling equals a linear layer after it, except for the ReLU in between, which
    is omitted: it would hide negative logits.
    """
    names = [key.removesuffix(".weight") for key in start if key.endswith(".weight")]
    for name in (TARGET_LAYER, *reversed(names)):
        weight = start.get(f"{name}.weight")
        if weight is None or f"{name}.weight" in body_keys or weight.ndim not in (2, 4):
            continue
        flat = weight.flatten(1)
        if flat.shape[1] != features:
            continue
        layer = nn.Linear(features, len(flat))
        with torch.no_grad():
            layer.weight.copy_(flat)
            layer.bias.copy_(start.get(f"{name}.bias", torch.zeros(len(flat))))
        return layer
    return None
