"""Explanation maps of a run's network, by layer and by multi-scale windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import torch
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
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.evaluation.windows import (
    Windows,
    highest_scores,
    localised,
    scores_of,
    windows_of,
)
from workbench.learning.images.pixels import (
    decode_image,
    network_input,
    normalised,
    shown_part,
    working_side,
)
from workbench.learning.networks.attention import map_layer, mask_maps
from workbench.learning.networks.models import Network, blocks
from workbench.learning.serving.grad_cam import Maps, grad_cam, randomised_correlations, shown
from workbench.learning.serving.loaded import Loaded
from workbench.vision.reading import read_header

EVEN = 1e-6  # range below which a map counts as constant


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
    scores = scores_of(loaded.scorer, windows)
    best = [scores[:, columns].max(axis=0) for columns in blocks(loaded.card)]
    chosen = int(best[block].argmax()) if label == PREDICTED else labels.labels.index(label)
    column = blocks(loaded.card)[block].start + chosen
    values = scores[:, column]
    strongest = int(values.argmax())
    found = localised(values, windows)
    again = partial(_again, windows=windows, loaded=loaded, column=column)
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


def _again(network: nn.Module, windows: Windows, loaded: Loaded, column: int) -> Maps:
    scorer = Scorer(cast(Network, network), loaded.card, loaded.device)
    return localised(scores_of(scorer, windows)[:, column], windows)[None]


def _check(
    loaded: Loaded, windows: Windows, found: NDArray[np.float32], again: partial[Maps]
) -> Check:
    layer = map_layer(loaded.network, loaded.card.layers)
    device = next(loaded.network.parameters()).device
    inputs = normalised(windows.pixels[:1].to(device), loaded.card.mean, loaded.card.std)
    none = torch.zeros(1, dtype=torch.int64, device=device)
    values = randomised_correlations(loaded.network, layer, inputs, none, found[None], again)
    return Check(float(values[0]))


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

    def heats(self, batch: Tensor, scores: Tensor) -> list[Heat]:
        """Maps of one batch of decoded images, before placement in their images."""
        loaded = self.loaded
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
    windowed = _windowed(request.images, loaded, pixels, unread)
    readable = sorted(pixels)
    maps: list[Heat | None] = [None] * len(request.images)
    batch = CPU_BATCH if loaded.device.kind == "cpu" else BATCH
    for start in range(0, len(readable), batch):
        rows = readable[start : start + batch]
        squares = torch.stack([pixels[row] for row in rows])
        by_row = [windowed[row] for row in rows] if windowed else []
        heats = explainer.heats(
            squares, torch.from_numpy(np.stack(by_row)) if by_row else loaded.scorer(squares)
        )
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
            found = windows_of(Path(image.path), image.rect, loaded.card.image_size)
        except KnownError as error:
            heats.append(None)
            unread.append(Unread(index, error.sentence))
            continue
        heats.append(window_heat(found, loaded, block, labels, request.label, request.check))
    return tuple(heats), tuple(unread)


def _windowed(
    images: Sequence[ImageInput], loaded: Loaded, pixels: dict[int, Tensor], unread: list[Unread]
) -> dict[int, NDArray[np.float32]]:
    """Scores of the decoded images of a run that scores by windows; {} for other runs. Images that
    have none are moved from `pixels` to `unread`."""
    found: dict[int, NDArray[np.float32]] = {}
    for index in sorted(pixels) if loaded.card.protocol.by_windows else ():
        image = images[index]
        try:
            found[index] = highest_scores(loaded.scorer, Path(image.path), image.rect)
        except KnownError as error:
            del pixels[index]
            unread.append(Unread(index, error.sentence))
    return found


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
            pixels[index] = decode_image(Path(image.path), image.rect, side, card.aspect)
        except KnownError as error:
            unread.append(Unread(index, error.sentence))
    return pixels, unread


def _placed(heat: Heat, image: ImageInput, card: ModelCard) -> Heat:
    """Set the part of the image that the map covers."""
    box = image.rect
    if box is None:
        header = read_header(Path(image.path))
        box = Rect(0, 0, header.width, header.height)
    seen, cells = shown_part(box.width, box.height, card, heat.cells)
    return msgspec.structs.replace(heat, seen=seen, cells=cells)
