"""What the app asks the learning program that serves explanations, and what it answers."""

from __future__ import annotations

import msgspec

from workbench.domain.reports import Progress
from workbench.domain.runs import RunLabels

ATTENTION = "attention"  # as a layer: what the network attends to, AT-CNN's mask
PART = "part "  # with a number from 1, as a layer: where a head of parts looks for that part
WINDOWS = "windows"  # as a layer: windows of several scales, each scored by itself
PREDICTED = ""  # as a label: the one the network itself gives the highest score


class Picture(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image file, and the box in it: left, top, right, bottom in displayed pixels, or None."""

    path: str
    box: tuple[int, int, int, int] | None = None


class Request(msgspec.Struct, frozen=True, tag_field="request", kw_only=True):
    """Base of all requests; `run` is the path of a run folder."""

    run: str


class Describe(Request, frozen=True, tag="describe", kw_only=True):
    """Which labels a run has and which of its layers can be explained."""


class Score(Request, frozen=True, tag="score", kw_only=True):
    """The scores of images. Answered by one Scored per `batch` pictures, in order, whose last has
    no pictures left to come; a picture that cannot be read has a row of its own in `unread`."""

    pictures: tuple[Picture, ...]
    batch: int = 32


class Explain(Request, frozen=True, tag="explain", kw_only=True):
    """A Grad-CAM map for each image: where it speaks for `label` of the label set `label_set` ("":
    the target's) at the convolution layer `layer` ("": the deepest). A name among the run's `masks`
    in the place of a layer asks for where the network looks, whatever the label, or, WINDOWS, for
    the scores of windows of several scales, of which the highest explains PREDICTED. `check` adds
    the randomised-weights check, which costs a few more passes."""

    pictures: tuple[Picture, ...]
    label: str = PREDICTED
    label_set: str = ""
    layer: str = ""
    check: bool = False


class Export(Request, frozen=True, tag="export", kw_only=True):
    """Write the network as ONNX to `path` and check it against torch on `pictures`."""

    path: str
    pictures: tuple[Picture, ...]


class Description(msgspec.Struct, frozen=True, tag="description", tag_field="answer", kw_only=True):
    """Answer to Describe; `layers` run from shallow to deep, `masks` are what else an Explain takes
    for a layer. `device` is in plain words."""

    labels: RunLabels
    layers: tuple[str, ...]
    backbone: str
    image_size: int
    device: str
    masks: tuple[str, ...] = ()


class Unread(msgspec.Struct, frozen=True):
    """A picture that could not be read: its place in the request, and why."""

    index: int
    reason: str


class Scored(msgspec.Struct, frozen=True, tag="scored", tag_field="answer", kw_only=True):
    """Scores of the pictures at `indices` of a request: one row each, softmax over the target's
    labels, and over the views where the head is joint. `done` of `total` pictures are behind."""

    indices: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    view_scores: tuple[tuple[float, ...], ...] = ()
    unread: tuple[Unread, ...] = ()
    done: int = 0
    total: int = 0


class Check(msgspec.Struct, frozen=True):
    """The randomised-weights check (Adebayo et al. 2018, "Sanity Checks for Saliency Maps"): mean
    Spearman rank correlation, its sign ignored, of a map with those of networks whose weights from
    the explained layer upwards are random. High: the map shows the image, not what was learned."""

    correlation: float


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """A Grad-CAM map: `values` row by row, height × width of them, in [0, 1] (1 = the strongest;
    all 0: nothing at this layer speaks for the label). `seen` is the part of the picture's box that
    the network looked at, as (left, top, right, bottom) fractions of that box, and `cells` what the
    map covers, as fractions of the seen part (it may reach outside). `label` is the one explained,
    `score` its softmax score; the others' are in `scores` and `view_scores`. A `mask` shows where
    the network looks, whatever the label. Of `windows` windows `window` is the one of the highest
    score, as fractions of the box; the scores are then the highest of all windows, and the map
    says what the windows over each cell are scored, stretched from 0 to 1."""

    height: int
    width: int
    values: tuple[float, ...]
    seen: tuple[float, float, float, float]
    cells: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    label: str
    score: float
    scores: tuple[float, ...]
    view_scores: tuple[float, ...] = ()
    check: Check | None = None
    mask: bool = False
    window: tuple[float, float, float, float] | None = None
    windows: int = 0


class Explained(msgspec.Struct, frozen=True, tag="explained", tag_field="answer", kw_only=True):
    """Answer to Explain: a map for each picture, None where it is in `unread`."""

    layer: str
    label_set: str
    maps: tuple[Heat | None, ...]
    unread: tuple[Unread, ...] = ()


class Exported(msgspec.Struct, frozen=True, tag="exported", tag_field="answer", kw_only=True):
    """Answer to Export: the largest absolute difference of scores to torch over `images` images,
    and whether all of them are predicted the same."""

    path: str
    bytes: int
    images: int
    largest_difference: float
    same_predictions: bool


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="answer", kw_only=True):
    """A request that could not be answered: the world's reason, or ours with its traceback."""

    sentence: str
    remedy: str = ""
    traceback: str = ""


class Going(msgspec.Struct, frozen=True, tag="going", tag_field="answer", kw_only=True):
    """How far a long request is; its answer follows."""

    progress: Progress


Answer = Description | Scored | Explained | Exported | Refused | Going
AnyRequest = Describe | Score | Explain | Export


class RequestLine(msgspec.Struct, frozen=True):
    """One line to the learning program."""

    id: int
    request: AnyRequest


class AnswerLine(msgspec.Struct, frozen=True):
    """One line from the learning program; `last` says that no more follows for this id."""

    id: int
    answer: Answer
    last: bool = True


_encoder = msgspec.json.Encoder()
_asked = msgspec.json.Decoder(RequestLine)
_answered = msgspec.json.Decoder(AnswerLine)


def encode_line(value: RequestLine | AnswerLine) -> bytes:
    """One JSON object ended by a line break."""
    return _encoder.encode(value) + b"\n"


def decode_request_line(line: bytes) -> RequestLine:
    """The request on one line; raises msgspec.DecodeError or ValidationError when it is none."""
    return _asked.decode(line)


def decode_answer_line(line: bytes) -> AnswerLine:
    """The answer on one line; raises msgspec.DecodeError or ValidationError when it is none."""
    return _answered.decode(line)
