"""The run folder: the names of its files and the values they carry."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from workbench.domain.geometry import Rect
from workbench.domain.reports import PartScore
from workbench.domain.splits import Part

RECIPE_FILE = "recipe.toml"
SAMPLES_FILE = "samples.jsonl"
LABELS_FILE = "labels.json"
START_FILE = "start.safetensors"  # or start.pth: the start weights, so that the folder is whole
REPORTS_FILE = "reports.jsonl"
CHECKPOINT_FILE = "last.ckpt"
WEIGHTS_FILE = "weights.safetensors"
MODEL_FILE = "model.json"
PREDICTIONS_FILE = "predictions.npz"


class RunStatus(StrEnum):
    """Where a run stands; `running` with no process behind it means interrupted: paused."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class LabelList(msgspec.Struct, frozen=True):
    """Labels of one set in the order of the network's outputs; `mirror[i]` is i after a flip.
    Where they are not `exclusive` an image may carry several, and each has a score of its own.

    Mirrors come in pairs: one that does not point back, in a run of an older version, is dropped.
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
    """What a run learns: the target's labels and, for the joint head, the views'."""

    target: LabelList
    view: LabelList | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image of a run as frozen at its start.

    `image` is the image's id and `hash` its identity, `crop` the crop's id; `box` is (left, top,
    right, bottom) in displayed pixels or None for the whole image; `target` and `view` are label
    indices, -1 unknown; `marks` are all labels of the target where they do not exclude each other
    (`target` is the first of them); `part` is "train", "validation", "test" or "" (predicted, and
    shown unlabelled by methods that learn from such). `true_view` is the view's name whatever is
    learned, for accuracy per view.
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
        return Rect(*self.box) if self.box is not None else None


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """How to rebuild a trained network: `head` is the recipe's ("class" or "joint" in older cards:
    the linear one); mean and std are per channel of RGB in [0, 1]; `layers` are the convolution
    layers that can be explained, shallow to deep; `thresholds` are the scores from which labels are
    claimed that do not exclude each other; `weights_digest` is the weights file's, "" in older
    cards; the rest is as in the recipe."""

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
    test_crops: str = "centre+whole"
    thresholds: tuple[float, ...] = ()
    weights_digest: str = ""


@dataclass(frozen=True)
class RunRecord:
    """One run as the project remembers it; its folder is called like its `id`.

    `created`, `started` and `finished` are seconds since the epoch; `metrics` maps a part's name to
    its score, or any further name to a number; `message` says why a run failed.
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


def top1(record: RunRecord, part: Part = Part.TEST) -> float | None:
    """Top-1 accuracy of one part in [0, 1], None where it is unknown."""
    found = record.metrics.get(part)
    if isinstance(found, PartScore):
        value: object = found.top1
    else:
        value = found.get("top1") if isinstance(found, dict) else None
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def encode_samples(samples: list[Sample]) -> bytes:
    """JSON lines, one sample each."""
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(sample) + b"\n" for sample in samples)


def decode_samples(data: bytes) -> list[Sample]:
    """Samples of a samples file; raises msgspec.DecodeError on a damaged line."""
    decoder = msgspec.json.Decoder(Sample)
    return [decoder.decode(line) for line in data.splitlines() if line]
