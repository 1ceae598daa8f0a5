"""Detection of faces, landmarks and mouth boxes, and the process that runs it."""

from __future__ import annotations

import importlib.util
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from workbench.domain.crops import SAME_FACE_IOU, Crop, CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import MOUTH_LANDMARKS, Rect, mouth_box_of
from workbench.domain.text import Message, counted, mark
from workbench.files import unusable, write_whole, writing
from workbench.signals import deliver
from workbench.vision.reading import Pixels, read_grey, read_rgb

Grey = NDArray[np.uint8]  # H × W

SCALE_STEP, NEIGHBOURS = 1.3, 5  # of the cascade, as You and Long (ch. 4) set them
SURE_VOTES = 20  # overlapping windows from which a cascade detection needs no check
INSIDE = 0.8  # share of a box inside another one from which both are the same face
HOG_SIDE = 960  # longer side, in pixels, of HOG's input: it finds faces from 80 pixels
BORDER_SIDE = 560  # longer side of the copy that gets a border, 952 with it
SEVERAL = 2  # number of faces from which HOG also searches, in an enlarged copy
ENLARGED = 2.0  # largest enlargement factor
FILLING = 6  # smallest face in the bordered copy: this fraction of its side
BORDER = 0.35  # of width and height on each side, of replicated pixels
CHECK_SIDE = 120  # pixels to which an uncertain face is scaled before HOG checks it


@dataclass(frozen=True)
class Face:
    """A detected face.

    Box in image pixels (it may extend outside if a border was added), detector, and `sure`: False
    if only the cascade found it.
    """

    rect: Rect
    detector: str
    sure: bool = True


@dataclass(frozen=True)
class Detectors:
    """The two face detectors.

    `cascade(grey, smallest side)` returns boxes with the number of overlapping windows, `hog(grey)`
    returns boxes; both in pixels of their input.
    """

    cascade: Callable[[Grey, int], list[tuple[Rect, int]]]
    hog: Callable[[Grey], list[Rect]]


def load_detectors() -> Detectors:
    """Load OpenCV's frontal face cascade (scale 1.3, 5 neighbours) and dlib's HOG detector."""
    path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
    if not path.is_file():
        raise KnownError("{path} is missing.", "Reinstall opencv-python-headless.", path=path)
    classifier = cv2.CascadeClassifier(str(path))
    detector = dlib.get_frontal_face_detector()

    def cascade(grey: Grey, smallest: int) -> list[tuple[Rect, int]]:
        boxes, votes = classifier.detectMultiScale2(
            grey, SCALE_STEP, NEIGHBOURS, minSize=(smallest, smallest)
        )
        return [
            (Rect(int(x), int(y), int(x + w), int(y + h)), int(n))
            for (x, y, w, h), n in zip(boxes, votes, strict=True)
        ]

    def hog(grey: Grey) -> list[Rect]:
        return [Rect(r.left(), r.top(), r.right(), r.bottom()) for r in detector(grey, 0)]

    return Detectors(cascade, hog)


def smallest_face(width: int, height: int) -> int:
    """Smallest face side to search for, in pixels.

    A thirtieth of the longer side, but at most 64 (a mouth of 38 pixels) and at least 24, the
    cascade's minimum.
    """
    return max(24, min(64, max(width, height) // 30))


def find_faces(grey: Grey, detectors: Detectors) -> list[Face]:
    """Detect the faces of an H × W image, without duplicates; certain, then larger ones first.

    The cascade runs first; if it is certain of nothing, HOG; if neither is, both search a copy with
    a border of 35 %, for faces that fill the frame. If the cascade finds several faces, HOG
    searches for missed ones. Cascade detections with few overlapping windows are checked by HOG,
    and are uncertain if HOG does not confirm them.
    """
    height, width = grey.shape
    sure, doubtful = _search(grey, detectors, smallest_face(width, height))
    if not sure:
        copy, scale = _resized(grey, BORDER_SIDE)
        down, across = round(copy.shape[0] * BORDER), round(copy.shape[1] * BORDER)
        framed = cv2.copyMakeBorder(copy, down, down, across, across, cv2.BORDER_REPLICATE)
        least = max(framed.shape) // FILLING
        found, unsure = _search(np.asarray(framed, dtype=np.uint8), detectors, least)
        whole = Rect(0, 0, width, height)
        for faces, into in ((found, sure), (unsure, doubtful)):
            moved = (_moved_back(face, across, down, scale) for face in faces)
            into.extend(face for face in moved if _share(face.rect, whole) > 0.5)
    return one_each([*_largest_first(sure), *_largest_first(doubtful)])


def one_each(faces: Sequence[Face]) -> list[Face]:
    """Remove duplicates of faces earlier in the list.

    Boxes are duplicates if they overlap by IoU ≥ 0.3, or if four fifths of one lie inside the other
    (the cascade finds small faces in the folds of large ones).
    """
    kept: list[Face] = []
    for face in faces:
        if not any(_same(face.rect, other.rect) for other in kept):
            kept.append(face)
    return kept


def _search(grey: Grey, detectors: Detectors, smallest: int) -> tuple[list[Face], list[Face]]:
    """Certain and uncertain faces of one image: the cascade's, else HOG's."""
    sure: list[Face] = []
    doubtful: list[Face] = []
    for rect, votes in detectors.cascade(grey, smallest):
        believed = votes >= SURE_VOTES or _confirmed(grey, rect, detectors)
        (sure if believed else doubtful).append(Face(rect, "cascade", believed))
    if not sure:
        sure = _hog(grey, detectors, 1.0)
    elif len(sure) + len(doubtful) >= SEVERAL:
        sure = one_each([*sure, *_hog(grey, detectors, ENLARGED)])
    return sure, doubtful


def _hog(grey: Grey, detectors: Detectors, enlarged: float) -> list[Face]:
    """HOG detections in a resized copy, enlarged at most by `enlarged`."""
    copy, scale = _resized(grey, HOG_SIDE, enlarged)
    return [Face(_scaled(rect, 1 / scale), "hog") for rect in detectors.hog(copy)]


def _confirmed(grey: Grey, rect: Rect, detectors: Detectors) -> bool:
    """Whether HOG confirms a cascade detection, in twice its box scaled to a suitable size."""
    margin = rect.width // 2
    top, left = max(0, rect.top - margin), max(0, rect.left - margin)
    part = grey[top : rect.bottom + margin, left : rect.right + margin]
    scale = CHECK_SIDE / rect.width
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=mode), np.uint8)
    here = Rect(rect.left - left, rect.top - top, rect.right - left, rect.bottom - top)
    return any(_scaled(box, 1 / scale).iou(here) >= SAME_FACE_IOU for box in detectors.hog(part))


def _largest_first(faces: Sequence[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: -face.rect.area)


def _same(one: Rect, other: Rect) -> bool:
    smaller, larger = sorted((one, other), key=lambda rect: rect.area)
    return one.iou(other) >= SAME_FACE_IOU or _share(smaller, larger) >= INSIDE


def _share(inner: Rect, outer: Rect) -> float:
    """Share of `inner`'s area inside `outer`, in [0, 1]."""
    width = min(inner.right, outer.right) - max(inner.left, outer.left)
    height = min(inner.bottom, outer.bottom) - max(inner.top, outer.top)
    return max(0, width) * max(0, height) / inner.area if inner.area else 0.0


def _resized(grey: Grey, longest: int, enlarged: float = 1.0) -> tuple[Grey, float]:
    """Resize to a longer side of at most `longest`, at a scale of at most `enlarged`; return
    both."""
    scale = min(enlarged, longest / max(grey.shape))
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    copy = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=mode)
    return np.asarray(copy, dtype=np.uint8), scale


def _scaled(rect: Rect, factor: float) -> Rect:
    return Rect(*(round(value * factor) for value in rect.as_tuple()))


def _moved_back(face: Face, across: int, down: int, scale: float) -> Face:
    """Map a face of the bordered copy to pixels of the image."""
    box = face.rect
    moved = Rect(box.left - across, box.top - down, box.right - across, box.bottom - down)
    return replace(face, rect=_scaled(moved, 1 / scale), detector=f"{face.detector}, border")


FILE_NAME = "shape_predictor_68_face_landmarks.dat"
LICENCE_NOTE = Message("the images it was trained on (iBUG 300-W) are for non-commercial use only")
POINTS = 68

Points = tuple[tuple[float, float], ...]
Landmarks = Callable[[NDArray[np.uint8], Rect], Points]


def landmarks_path(chosen: str | Path | None = None) -> Path:
    """Path of the landmark file: `chosen`, else that of face_recognition_models.

    The package is located, not imported. Raises KnownError with a remedy if the file is missing.
    """
    if chosen:
        path = Path(chosen)
        if path.is_file():
            return path
        raise unusable(path, mark("Choose another landmark file."))
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "models" / FILE_NAME
        if path.is_file():
            return path
    raise KnownError(
        "The landmark file {file_name} is missing.",
        "Install face_recognition_models, or choose the file on the Mouths page.",
        file_name=FILE_NAME,
    )


def load_landmarks(path: Path) -> Landmarks:
    """Load a landmark predictor: H × W grey pixels and a face box to 68 (x, y) points.

    Points may lie outside the image. Raises KnownError if the file is not such a predictor.
    """
    try:
        predictor = dlib.shape_predictor(str(path))
        blank = np.zeros((64, 64), np.uint8)
        count = predictor(blank, dlib.rectangle(8, 8, 55, 55)).num_parts
    except RuntimeError as error:
        raise KnownError(
            "{path} is not a landmark file.", "Choose another file.", path=path
        ) from error
    if count != POINTS:
        raise KnownError(
            counted(
                count,
                "{path} has {n} landmark instead of 68.",
                "{path} has {n} landmarks instead of 68.",
                path=path,
            ),
            "Choose another file.",
        )

    def points(grey: NDArray[np.uint8], face: Rect) -> Points:
        box = dlib.rectangle(face.left, face.top, face.right, face.bottom)  # as scripts pass it
        return tuple((float(p.x), float(p.y)) for p in predictor(grey, box).parts())

    return points


NO_FACE = Message("no face was found")
NOT_SURE = Message("only one of two detectors found a face here")
TOO_LARGE = Message("the mouth box is larger than the image and was clipped to it")
UNSURE_AND_LARGE = Message("{first}; {second}", first=NOT_SURE, second=TOO_LARGE)
OUTSIDE = Message("the mouth lies outside the image")


@dataclass(frozen=True)
class MouthFinder:
    """Detectors and landmark predictor, loaded once per process."""

    detectors: Detectors
    landmarks: Landmarks

    @classmethod
    def load(cls, landmarks_file: Path) -> MouthFinder:
        """Load everything. Raises KnownError if a file is missing or invalid."""
        return cls(load_detectors(), load_landmarks(landmarks_file))

    def find(self, image: int, path: Path) -> tuple[Crop, ...]:
        """Crops of the image at `path`. Raises KnownError if it cannot be read."""
        return self.find_in(image, read_grey(path))

    def find_in(self, image: int, grey: NDArray[np.uint8]) -> tuple[Crop, ...]:
        """One crop per face in H × W grey pixels, largest first (certain faces before others).

        Without a face, a single miss with its reason. `image` is the image's id.
        """
        crops: list[Crop] = []
        reason = NO_FACE
        for face in find_faces(grey, self.detectors):
            crop = self._crop(image, len(crops), face, grey)
            if crop is None:
                reason = OUTSIDE
            elif not any(_same_mouth(crop, other) for other in crops):
                crops.append(crop)
        return tuple(crops) or (Crop(None, image, 0, CropState.MISSED, reason=reason),)

    def _crop(self, image: int, number: int, face: Face, grey: NDArray[np.uint8]) -> Crop | None:
        height, width = grey.shape
        points = self.landmarks(grey, face.rect)
        xs, ys = zip(*points[MOUTH_LANDMARKS], strict=True)
        if max(xs) < 0 or max(ys) < 0 or min(xs) >= width or min(ys) >= height:
            return None
        box, fits = mouth_box_of(points, width, height)
        reason = ("" if fits else TOO_LARGE) if face.sure else NOT_SURE
        return Crop(
            None, image, number, CropState.FOUND, box, points, face.detector,
            reason=reason if fits or face.sure else UNSURE_AND_LARGE,
        )  # fmt: skip


def _same_mouth(one: Crop, other: Crop) -> bool:
    assert one.rect is not None
    assert other.rect is not None
    return one.rect.iou(other.rect) >= SAME_FACE_IOU


@dataclass(frozen=True)
class FaceImage:
    """An image to search: the image's id and its file."""

    image: int
    path: str


@dataclass(frozen=True)
class SearchedImage:
    """Result for one image: its crops, or the reason why it could not be read.

    `report` is the traceback of a bug.
    """

    image: int
    crops: tuple[Crop, ...] = ()
    failure: str = ""
    report: str = ""


def serve(pipe: Connection, landmarks_file: str) -> None:
    """Answer each `FaceImage` with a `SearchedImage` until the pipe closes.

    The first message is None once everything is loaded, or the KnownError's message.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl+C is handled by the parent, which ends this process
    deliver()
    cv2.setNumThreads(1)
    try:
        finder = MouthFinder.load(Path(landmarks_file))
    except KnownError as error:
        pipe.send((error.sentence, error.remedy))
        return
    pipe.send(None)
    try:
        while True:
            pipe.send(search(finder, pipe.recv()))
    except (EOFError, BrokenPipeError):
        return  # the parent has exited or closed the pipe


def search(finder: MouthFinder, file: FaceImage) -> SearchedImage:
    """Find the mouths of one file. Does not raise."""
    try:
        return SearchedImage(file.image, finder.find(file.image, Path(file.path)))
    except KnownError as error:
        return SearchedImage(file.image, failure=error.sentence)
    except Exception as error:
        report = "".join(traceback.format_exception(error))
        failure = Message("{path} could not be processed.", path=file.path)
        return SearchedImage(file.image, failure=failure, report=report)


SIDE = 128  # pixels, as in the mouth-expression dataset of You and Long (ch. 4)


def crop_pixels(path: Path, rect: Rect) -> Pixels:
    """Crop `rect` (full-size displayed pixels) of an image, resized to 128 × 128 × 3 RGB.

    Raises KnownError as `read_rgb`.
    """
    part = read_rgb(path, rect=rect)
    mode = cv2.INTER_AREA if min(part.shape[:2]) >= SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=mode), dtype=np.uint8)


def save_crop(path: Path, rect: Rect, target: Path) -> None:
    """Write a crop atomically to the PNG file `target`. Raises KnownError naming the file."""
    pixels = cv2.cvtColor(crop_pixels(path, rect), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", pixels)
    with writing(target):
        write_whole(target, data.tobytes(), flush=False)  # one of thousands, easily recreated
