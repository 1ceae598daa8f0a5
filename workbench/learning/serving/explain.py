"""Explanation maps of a run's network, by layer and by multi-scale windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.geometry import Rect
from workbench.domain.methods import Value
from workbench.domain.requests import (
    PREDICTED,
    WINDOWS,
    Check,
    Describe,
    Description,
    Explain,
    Explained,
    Heat,
    ImageInput,
    Unread,
)
from workbench.domain.runs import LabelList, ModelCard
from workbench.learning.images.pixels import (
    decode_image,
    network_input,
    normalised,
    shown_part,
    working_side,
)
from workbench.learning.networks.attention import map_layer, mask_maps
from workbench.learning.networks.models import Network, blocks, probabilities
from workbench.learning.serving.grad_cam import Maps, grad_cam, randomised_correlations, shown
from workbench.learning.serving.loaded import Loaded
from workbench.vision.reading import read_header, read_rgb

SCALES = (1.0, 1.5, 2.0, 3.0)  # shorter side of the image / window side
MOST_RATIO = 20  # of the sides of an image; more windows would take too long
CELLS = 20  # cells along the image's shorter side
WINDOW_BATCH = 16  # windows per batch
EVEN = 1e-6  # range below which a map counts as constant


@dataclass(frozen=True)
class Windows:
    """Windows of an image for the network, N × 3 × side × side bytes in `pixels`.

    `boxes`: N × 4, left, top, right and bottom as fractions of the image; `scales`: index of each
    window's scale; `shape`: rows and columns of the resulting map.
    """

    pixels: Tensor
    boxes: NDArray[np.float64]
    scales: NDArray[np.int64]
    shape: tuple[int, int]


def positions(length: int, side: int) -> list[int]:
    """Evenly spaced start positions of windows of `side` pixels on `length` ≥ side, overlapping by
    at least half."""
    count = 1 + math.ceil((length - side) / max(1, side // 2))
    return [round(float(at)) for at in np.linspace(0, length - side, count)]


def scaled_size(width: int, height: int, shorter: int) -> tuple[int, int]:
    """Scale width and height so that the shorter one is `shorter` pixels."""
    factor = shorter / min(width, height)
    return max(shorter, round(width * factor)), max(shorter, round(height * factor))


def cut(image: Tensor, side: int, scales: Sequence[float] = SCALES) -> Windows:
    """Cut an image (H × W × 3 bytes) into windows of `side` × `side` pixels at each scale."""
    height, width = image.shape[:2]
    planes = image.permute(2, 0, 1)[None]
    pixels, boxes, numbers = [], [], []
    for number, scale in enumerate(scales):
        w, h = scaled_size(width, height, round(side * scale))
        sized = F.interpolate(planes, (h, w), mode="bilinear", antialias=True)[0]
        for top in positions(h, side):
            for left in positions(w, side):
                pixels.append(sized[:, top : top + side, left : left + side])
                boxes.append((left / w, top / h, (left + side) / w, (top + side) / h))
                numbers.append(number)
    columns, rows = scaled_size(width, height, CELLS)
    return Windows(torch.stack(pixels), np.array(boxes), np.array(numbers), (rows, columns))


@torch.no_grad()
def scores_of(network: nn.Module, windows: Windows, card: ModelCard) -> list[NDArray[np.float64]]:
    """Scores of each window in [0, 1], an array N × labels for each label set."""
    device = next(network.parameters()).device
    found: list[list[Tensor]] = []
    for start in range(0, len(windows.pixels), WINDOW_BATCH):
        given = windows.pixels[start : start + WINDOW_BATCH].to(device)
        outputs = network(normalised(given, card.mean, card.std))
        found.append([scores.double().cpu() for scores in probabilities(outputs, card)])
    return [torch.cat(parts).numpy() for parts in zip(*found, strict=True)]


def localised(values: NDArray[np.float64], windows: Windows) -> NDArray[np.float32]:
    """Map of rows × columns: mean score of the windows covering each cell's centre, averaged over
    scales. `values` are the N scores of one label."""
    rows, columns = windows.shape
    left, top, right, bottom = windows.boxes.T[..., None]
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    down, across = (top <= y) & (y <= bottom), (left <= x) & (x <= right)
    maps = []
    for number in np.unique(windows.scales):
        of = windows.scales == number
        covers = down[of][:, :, None] & across[of][:, None, :]
        maps.append(np.einsum("n,nrc->rc", values[of], covers) / covers.sum(axis=0))
    return cast(NDArray[np.float32], np.mean(maps, axis=0).astype(np.float32))


def stretched(found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rescale a map to [0, 1]; constant maps become 0."""
    low, high = float(found.min()), float(found.max())
    if high - low < EVEN:
        return np.zeros_like(found)
    return cast(NDArray[np.float32], (found - low) / (high - low))


def window_heat(
    windows: Windows, loaded: Loaded, block: int, labels: LabelList, label: str, check: bool
) -> Heat:
    """Map of an image's windows for a label of `labels`, the network's label set number `block`.
    PREDICTED selects the label with the highest score over all windows."""
    network, card = loaded.network, loaded.card
    scores = scores_of(network, windows, card)
    best = [values.max(axis=0) for values in scores]
    chosen = int(best[block].argmax()) if label == PREDICTED else labels.labels.index(label)
    values = scores[block][:, chosen]
    strongest = int(values.argmax())
    found = localised(values, windows)
    again = partial(_again, windows=windows, card=card, block=block, chosen=chosen)
    return Heat(
        height=found.shape[0],
        width=found.shape[1],
        values=tuple(stretched(found).ravel().astype(float).round(4).tolist()),
        seen=(0.0, 0.0, 1.0, 1.0),
        label=labels.labels[chosen],
        score=float(values[strongest]),
        scores=tuple(best[0].tolist()),
        view_scores=tuple(best[1].tolist()) if len(best) > 1 else (),
        check=_check(loaded, windows, found, again) if check else None,
        window=tuple(windows.boxes[strongest].tolist()),
        windows=len(values),
    )


def _again(network: nn.Module, windows: Windows, card: ModelCard, block: int, chosen: int) -> Maps:
    return localised(scores_of(network, windows, card)[block][:, chosen], windows)[None]


def _check(
    loaded: Loaded, windows: Windows, found: NDArray[np.float32], again: partial[Maps]
) -> Check:
    layer = map_layer(loaded.network, loaded.card.layers)
    device = next(loaded.network.parameters()).device
    inputs = normalised(windows.pixels[:1].to(device), loaded.card.mean, loaded.card.std)
    none = torch.zeros(1, dtype=torch.int64, device=device)
    values = randomised_correlations(loaded.network, layer, inputs, none, found[None], again)
    return Check(float(values[0]))


def windows_of(path: Path, rect: Rect | None, side: int) -> Windows:
    """Windows of an image file, or of a rectangle of it. Raises KnownError if it cannot be read."""
    header = read_header(path)
    region = (rect or header.whole).inside(header.width, header.height)
    sides = sorted((region.width, region.height))
    if sides[1] > MOST_RATIO * sides[0]:
        raise KnownError(
            "{path} is too narrow for windows: one side is more than {ratio} times the other.",
            "Choose another layer.",
            path=path,
            ratio=MOST_RATIO,
        )
    array = read_rgb(path, longest=_longest(region, side), rect=rect)
    if not array.flags.writeable:  # torch requires writable memory
        array = array.copy()
    return cut(torch.from_numpy(array), side)


def _longest(rect: Rect, side: int) -> int:
    """Longer side in pixels at which no window is upscaled."""
    sides = sorted((rect.width, rect.height))
    return math.ceil(side * max(SCALES) * sides[1] / sides[0])


BATCH, CPU_BATCH = 32, 4  # larger batches exceed CPU caches


def describe(_request: Describe, loaded: Loaded) -> Description:
    """Labels and layers of a run. Importing captum here makes the first map as fast as later
    ones."""
    import captum.attr  # noqa: F401

    card = loaded.card
    return Description(
        labels=card.labels,
        layers=card.layers,
        backbone=card.backbone,
        image_size=card.image_size,
        device=loaded.device.description,
        masks=loaded.others,
    )


@dataclass(frozen=True)
class _Explainer:
    """Computes maps at `layer` for one label of a block of outputs, or its highest; `check` enables
    the randomised-weights check."""

    loaded: Loaded
    layer: str
    block: slice
    labels: LabelList
    label: str
    check: bool

    def chosen(self, inside: Tensor) -> Tensor:
        """Index of the explained label for each row of scores."""
        if self.label == PREDICTED:
            return inside.argmax(dim=1)
        return torch.full((len(inside),), self.labels.labels.index(self.label))

    def maps(self, inputs: Tensor, columns: Tensor) -> tuple[Maps, list[Check | None]]:
        """Maps of network inputs for output columns, and their checks if enabled."""
        loaded, layer = self.loaded, self.layer
        again: Callable[[nn.Module], Maps] | None = None
        if layer in loaded.masks:
            layer = map_layer(loaded.network, loaded.card.layers)
            options = loaded.card.options.get(loaded.card.method, {})
            again = partial(_mask, self.layer, layer, inputs, options)
            maps = again(loaded.network)
        else:
            maps = grad_cam(loaded.network, layer, inputs, columns)
        if not self.check:
            return maps, [None] * len(inputs)
        found = randomised_correlations(loaded.network, layer, inputs, columns, maps, again)
        return maps, [Check(float(value)) for value in found]

    def heats(self, batch: Tensor) -> list[Heat]:
        """Maps of one batch of images, before placement in their images."""
        loaded = self.loaded
        scores = loaded.scorer(batch)
        inside = scores[:, self.block]
        chosen = self.chosen(inside)
        inputs = network_input(batch.to(loaded.device.torch), loaded.card)
        columns = (chosen + self.block.start).to(loaded.device.torch)
        maps, checks = self.maps(inputs, columns)
        cells = loaded.area(self.layer, inputs)
        heads = [scores[:, columns].tolist() for columns in blocks(loaded.card)]
        return [
            Heat(
                height=map_.shape[0],
                width=map_.shape[1],
                values=tuple(map_.ravel().astype(float).round(4).tolist()),
                seen=(0.0, 0.0, 1.0, 1.0),
                cells=cells,
                label=self.labels.labels[int(chosen[row])],
                score=float(inside[row, chosen[row]]),
                scores=tuple(heads[0][row]),
                view_scores=tuple(heads[1][row]) if len(heads) > 1 else (),
                check=checks[row],
                mask=self.layer in loaded.masks,
            )
            for row, map_ in enumerate(shown(maps))
        ]


def _mask(
    name: str, layer: str, inputs: Tensor, options: Mapping[str, Value], network: nn.Module
) -> Maps:
    return mask_maps(cast(Network, network), name, layer, inputs, options)


def explain(request: Explain, loaded: Loaded) -> Explained:
    """Maps for the images of a request, in batches. Raises ValueRefused for a label set, label or
    layer that the run does not have."""
    block, labels = loaded.outputs(_label_set(request, loaded.card))
    layer = loaded.layer(request.layer)
    if request.label != PREDICTED and request.label not in labels.labels:
        raise ValueRefused(labels.name, request.label, ", ".join(labels.labels))
    if layer == WINDOWS:
        through, lost = _through_windows(request, loaded, labels)
        return Explained(layer=layer, label_set=labels.name, maps=through, unread=lost)
    explainer = _Explainer(loaded, layer, block, labels, request.label, request.check)
    pixels, unread = _decode_images(request.images, loaded)
    readable = sorted(pixels)
    maps: list[Heat | None] = [None] * len(request.images)
    batch = CPU_BATCH if loaded.device.kind == "cpu" else BATCH
    for start in range(0, len(readable), batch):
        rows = readable[start : start + batch]
        heats = explainer.heats(torch.stack([pixels[row] for row in rows]))
        for row, heat in zip(rows, heats, strict=True):
            maps[row] = _placed(heat, request.images[row], loaded.card)
    return Explained(layer=layer, label_set=labels.name, maps=tuple(maps), unread=tuple(unread))


def _through_windows(
    request: Explain, loaded: Loaded, labels: LabelList
) -> tuple[tuple[Heat | None, ...], tuple[Unread, ...]]:
    """Window maps of each image."""
    of = loaded.card.labels
    block = 1 if of.view is not None and labels.name == of.view.name else 0
    heats: list[Heat | None] = []
    unread: list[Unread] = []
    for index, image in enumerate(request.images):
        try:
            found = windows_of(Path(image.path), rect_of(image), loaded.card.image_size)
        except KnownError as error:
            heats.append(None)
            unread.append(Unread(index, error.sentence))
            continue
        heats.append(window_heat(found, loaded, block, labels, request.label, request.check))
    return tuple(heats), tuple(unread)


def _label_set(request: Explain, card: ModelCard) -> str:
    """The requested label set; by default the views' if only they have the label."""
    view, label = card.labels.view, request.label
    if request.label_set or view is None or label in card.labels.target.labels:
        return request.label_set
    return view.name if label in view.labels else ""


def _decode_images(
    images: tuple[ImageInput, ...], loaded: Loaded
) -> tuple[dict[int, Tensor], list[Unread]]:
    card = loaded.card
    side = working_side(card.image_size, card.test_resize)
    pixels: dict[int, Tensor] = {}
    unread: list[Unread] = []
    for index, image in enumerate(images):
        try:
            pixels[index] = decode_image(Path(image.path), rect_of(image), side, card.aspect)
        except KnownError as error:
            unread.append(Unread(index, error.sentence))
    return pixels, unread


def rect_of(image: ImageInput) -> Rect | None:
    """Rectangle of an image's box."""
    return Rect(*image.box) if image.box is not None else None


def _placed(heat: Heat, image: ImageInput, card: ModelCard) -> Heat:
    """Set the part of the image that the map covers."""
    box = rect_of(image)
    if box is None:
        header = read_header(Path(image.path))
        box = Rect(0, 0, header.width, header.height)
    seen, cells = shown_part(box.width, box.height, card, heat.cells)
    return msgspec.structs.replace(heat, seen=seen, cells=cells)
