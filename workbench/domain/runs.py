"""The run folder: its file names and the values stored in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from workbench.domain.geometry import Rect
from workbench.domain.protocols import CropChoice, ScoringProtocol, protocol_of
from workbench.domain.recipes import Aspect, StoredRecipe, stored_recipe
from workbench.domain.reports import PartScore
from workbench.domain.splits import Part

RECIPE_FILE = "recipe.toml"
SAMPLES_FILE = "samples.jsonl"
LABELS_FILE = "labels.json"
START_FILE = "start.safetensors"  # or start.pth: a copy of the start weights
REPORTS_FILE = "reports.jsonl"
CHECKPOINT_FILE = "last.ckpt"
WEIGHTS_FILE = "weights.safetensors"
MODEL_FILE = "model.json"
PREDICTIONS_FILE = "predictions.npz"
PROTOCOLS_FILE = "protocols.json"  # scores by other test protocols


class RunStatus(StrEnum):
    """Status of a run; `running` without a process means interrupted, and is treated as paused."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class LabelList(msgspec.Struct, frozen=True):
    """Labels of one set in the order of the network's outputs.

    `mirror[i]` is the label of i after a flip; mirrors are mutual, and those of older runs that are
    not are dropped. If not `exclusive`, an image may have several labels, each with its own score.
    """

    name: str
    labels: tuple[str, ...]
    mirror: tuple[int, ...]
    exclusive: bool = True

    def __post_init__(self) -> None:
        back = dict(enumerate(self.mirror))
        paired = tuple(to if back.get(to) == at else at for at, to in back.items())
        msgspec.structs.force_setattr(self, "mirror", paired)


class RunLabels(msgspec.Struct, frozen=True):
    """Labels of a run: the target's and, for a joint head, the views'."""

    target: LabelList
    view: LabelList | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image of a run, recorded at its start.

    `image` is the image's id and `hash` the hash of its bytes, `crop` the crop's id; `box` is
    (left, top, right, bottom) in displayed pixels or None for the whole image; `target` and `view`
    are label indices, -1 unknown; `marks` are all labels of a multi-label target (`target` is the
    first of them); `part` is "train", "validation", "test" or "" (predicted, and used as unlabelled
    data by methods that need it). `true_view` is the view's name whatever is learned, for accuracy
    per view.
    """

    image: int
    hash: str
    path: str
    crop: int | None = None
    box: tuple[int, int, int, int] | None = None
    target: int = -1
    marks: tuple[int, ...] = ()
    view: int = -1
    part: str = ""
    true_view: str = ""

    @property
    def rect(self) -> Rect | None:
        """The box as a rectangle; None for the whole image."""
        return Rect(*self.box) if self.box is not None else None


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """Description of a trained network, from which it is rebuilt.

    `head` is the recipe's ("class" or "joint" in older cards: the linear one); mean and std are per
    channel of RGB in [0, 1]; `layers` are the convolution layers that can be explained, shallow to
    deep; `thresholds` are the per-label decision thresholds of multi-label targets;
    `weights_digest` is the digest of the weights file, "" in older cards; the other fields are as
    in the recipe.
    """

    backbone: str
    head: str
    labels: RunLabels
    image_size: int
    test_resize: int
    test_mirror: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    layers: tuple[str, ...] = ()
    method: str = "fine-tune"
    options: dict[str, dict[str, bool | int | float | str]] = {}
    test_crops: CropChoice = "centre+whole"
    aspect: Aspect = "centre"
    thresholds: tuple[float, ...] = ()
    weights_digest: str = ""

    @property
    def protocol(self) -> ScoringProtocol:
        """How the run scores images unless another protocol is given."""
        return protocol_of(self)

    def with_protocol(self, protocol: ScoringProtocol | None) -> ModelCard:
        """A copy with another protocol; the same card for None."""
        if protocol is None:
            return self
        return msgspec.structs.replace(self, **msgspec.structs.asdict(protocol))


@dataclass(frozen=True)
class RunRecord:
    """A run as stored in the project; its folder is named after its `id`.

    `created`, `started` and `finished` are seconds since the epoch; `metrics` maps a part's name to
    its score, or any other name to a number; `message` is the reason of a failure, a
    `domain.text.Message` if it was read from a project; `split` names the split that it was
    prepared with, `version` the version of the labels that it saw ("" if unknown). `seconds` is the
    training time of its finished epochs, without pauses; `memory` and `device_memory` are the peaks
    of its learning process in bytes (see `reports.Epoch`), 0 if unknown.
    """

    id: str
    name: str
    status: RunStatus
    target: str
    recipe_toml: str
    labels: RunLabels
    created: float
    started: float | None = None
    finished: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    epochs_done: int = 0
    split: str = ""
    version: str = ""
    seconds: float = 0.0
    memory: int = 0
    device_memory: int = 0

    @property
    def recipe(self) -> StoredRecipe:
        """The values of its recipe. Raises ValueRefused if `recipe_toml` is not TOML."""
        return stored_recipe(self.recipe_toml, self.name)


def top1(record: RunRecord, part: Part = Part.TEST) -> float | None:
    """Top-1 accuracy of one part in [0, 1], None where it is unknown."""
    found = record.metrics.get(part)
    if isinstance(found, PartScore):
        return found.top1 if math.isfinite(found.top1) else None
    value = found.get("top1") if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def image_count(record: RunRecord, part: Part = Part.TRAIN) -> int | None:
    """Number of labelled images of one part, None where it is unknown."""
    found = record.metrics.get(part)
    images = found.get("images") if isinstance(found, dict) else None
    return images if isinstance(images, int) else None


def encode_samples(samples: list[Sample]) -> bytes:
    """Encode samples as JSON lines."""
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(sample) + b"\n" for sample in samples)


def decode_samples(data: bytes) -> list[Sample]:
    """Decode a samples file. Raises msgspec.DecodeError on a damaged line."""
    decoder = msgspec.json.Decoder(Sample)
    return [decoder.decode(line) for line in data.splitlines() if line]
