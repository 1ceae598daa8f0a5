"""Requests to the process that serves explanations, and its answers."""

from __future__ import annotations

import msgspec

from workbench.domain.geometry import Rect
from workbench.domain.protocols import ScoringProtocol
from workbench.domain.reports import Progress
from workbench.domain.runs import RunLabels
from workbench.domain.text import Message, decode_message, encode_message

ATTENTION = "attention"  # as a layer: AT-CNN's attention mask
PART = "part "  # as a layer, with a number from 1: the attention to that part, in a head of parts
WINDOWS = "windows"  # as a layer: windows of several scales, each scored separately
PREDICTED = ""  # as a label: the predicted one


class ImageInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image file and a box in it: left, top, right, bottom in displayed pixels, or None."""

    path: str
    box: tuple[int, int, int, int] | None = None

    @property
    def rect(self) -> Rect | None:
        """The box as a rectangle; None for the whole image."""
        return Rect(*self.box) if self.box is not None else None


class Request(msgspec.Struct, frozen=True, tag_field="request", kw_only=True):
    """Base class of all requests; `run` is the path of a run folder."""

    run: str


class Describe(Request, frozen=True, tag="describe", kw_only=True):
    """Query the labels of a run and the layers that can be explained."""


class Score(Request, frozen=True, tag="score", kw_only=True):
    """Compute the scores of images.

    Answered by one Scored per `batch` images, in order; the last one completes the request.
    Images that cannot be read are listed in `unread`. With `protocol` they are scored by it, not
    as the run does.
    """

    images: tuple[ImageInput, ...]
    batch: int = 32
    protocol: ScoringProtocol | None = None


class Explain(Request, frozen=True, tag="explain", kw_only=True):
    """Compute a Grad-CAM map for each image.

    It explains `label` of the label set `label_set` ("": the target's) at the convolution layer
    `layer` ("": the deepest). A `layer` that names one of the run's `masks` requests the network's
    attention, whatever the label, or, for WINDOWS, the scores of windows of several scales, of
    which the highest explains PREDICTED. `check` adds the randomised-weights check, which costs a
    few more passes.
    """

    images: tuple[ImageInput, ...]
    label: str = PREDICTED
    label_set: str = ""
    layer: str = ""
    check: bool = False


class Export(Request, frozen=True, tag="export", kw_only=True):
    """Export the network as ONNX to `path` and compare it with PyTorch on `images`."""

    path: str
    images: tuple[ImageInput, ...]


class Description(msgspec.Struct, frozen=True, tag="description", tag_field="answer", kw_only=True):
    """Answer to Describe.

    `layers` are ordered from shallow to deep; `masks` are further values of `layer` in an Explain.
    `device` is a readable name.
    """

    labels: RunLabels
    layers: tuple[str, ...]
    backbone: str
    image_size: int
    device: Message
    masks: tuple[str, ...] = ()


class Unread(msgspec.Struct, frozen=True):
    """An image that could not be read: its index in the request, and the reason."""

    index: int
    reason: Message


class Scored(msgspec.Struct, frozen=True, tag="scored", tag_field="answer", kw_only=True):
    """Scores of the images at `indices` of a request, one row each.

    Softmax over the target's labels, and over the views for a joint head. `done` of `total`
    images are finished; reading and scoring those of this answer took `seconds`.
    """

    indices: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    view_scores: tuple[tuple[float, ...], ...] = ()
    unread: tuple[Unread, ...] = ()
    done: int = 0
    total: int = 0
    seconds: float = 0.0


class Check(msgspec.Struct, frozen=True):
    """The randomised-weights check (Adebayo et al. 2018, "Sanity Checks for Saliency Maps").

    Mean absolute Spearman rank correlation of a map with those of networks whose weights from the
    explained layer upwards are random. A high value means that the map shows the image, not what
    was learned.
    """

    correlation: float


NARROW = 0.08  # share of a side that need not be shown as left out


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """A heatmap: by Grad-CAM, an attention `mask`, or from sliding `windows`.

    `values` are height × width, row by row, in [0, 1] (1: the strongest; all 0: nothing at this
    layer supports the label). `seen` is the part of the image's box given to the network, as
    (left, top, right, bottom) fractions of that box; `cells` the area covered by the map, as
    fractions of the seen part (it may extend beyond). `label` is the explained label, `score` its
    softmax score; `scores` and `view_scores` are those of all labels. A `mask` shows the network's
    attention, whatever the label. Of `windows` windows, `window` is the one with the highest score,
    as fractions of the box; the scores are then the maxima over all windows, and the map shows the
    highest score of the windows over each cell, rescaled to [0, 1].
    """

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

    @property
    def frame(self) -> tuple[float, float, float, float] | None:
        """The part of the box to be framed: the strongest window, or the seen part unless that is
        all but a narrow margin."""
        if self.window is not None:
            return self.window
        left, top, right, bottom = self.seen
        lost = max(left, top, 1 - right, 1 - bottom)
        return self.seen if lost > NARROW else None


class Explained(msgspec.Struct, frozen=True, tag="explained", tag_field="answer", kw_only=True):
    """Answer to Explain: a map for each image, None for those in `unread`."""

    layer: str
    label_set: str
    maps: tuple[Heat | None, ...]
    unread: tuple[Unread, ...] = ()


class Exported(msgspec.Struct, frozen=True, tag="exported", tag_field="answer", kw_only=True):
    """Answer to Export.

    The largest absolute difference of scores to PyTorch over `images` images, and whether all
    predictions agree.
    """

    path: str
    bytes: int
    images: int
    largest_difference: float
    same_predictions: bool


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="answer", kw_only=True):
    """A request that failed: an expected error, or a bug with its traceback."""

    sentence: Message
    remedy: Message = Message("")
    traceback: str = ""


class Going(msgspec.Struct, frozen=True, tag="going", tag_field="answer", kw_only=True):
    """Progress of a long request; its answer follows."""

    progress: Progress


Answer = Description | Scored | Explained | Exported | Refused | Going
AnyRequest = Describe | Score | Explain | Export


class RequestLine(msgspec.Struct, frozen=True):
    """One line sent to the learning process."""

    id: int
    request: AnyRequest


class AnswerLine(msgspec.Struct, frozen=True):
    """One line from the learning process; `last` marks the last answer to this id."""

    id: int
    answer: Answer
    last: bool = True


_encoder = msgspec.json.Encoder(enc_hook=encode_message)
_request_decoder = msgspec.json.Decoder(RequestLine, dec_hook=decode_message)
_answered = msgspec.json.Decoder(AnswerLine, dec_hook=decode_message)


def encode_line(value: RequestLine | AnswerLine) -> bytes:
    """Encode a line as one JSON object with a line break."""
    return _encoder.encode(value) + b"\n"


def decode_request_line(line: bytes) -> RequestLine:
    """Decode a request line. Raises msgspec.DecodeError or ValidationError if it is not one."""
    return _request_decoder.decode(line)


def decode_answer_line(line: bytes) -> AnswerLine:
    """Decode an answer line. Raises msgspec.DecodeError or ValidationError if it is not one."""
    return _answered.decode(line)
