"""Answers where in images a run's network sees a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import torch
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
    Picture,
    Unread,
)
from workbench.domain.runs import LabelList, ModelCard
from workbench.learning.images.pixels import load_square, network_input, seen_part, working_side
from workbench.learning.networks.attention import map_layer, mask_maps
from workbench.learning.networks.models import Network, blocks
from workbench.learning.serving.grad_cam import Maps, grad_cam, randomised_correlations, shown
from workbench.learning.serving.loaded import Loaded
from workbench.learning.serving.windows import window_heat, windows_of
from workbench.vision.reading import read_header

BATCH, CPU_BATCH = 32, 4  # images at a time; on a CPU larger batches leave its caches


def describe(request: Describe, loaded: Loaded) -> Description:
    """Labels and layers of a run. Loading captum here makes the first map as fast as the rest."""
    card = loaded.card
    return Description(
        labels=card.labels,
        layers=card.layers,
        backbone=card.backbone,
        image_size=card.image_size,
        device=loaded.device.words,
        masks=loaded.others,
    )


@dataclass(frozen=True)
class _Question:
    """What is asked of each image: columns of the outputs, their labels, one of them or the
    highest, at a layer; `check` for the randomised-weights check."""

    loaded: Loaded
    layer: str
    block: slice
    labels: LabelList
    label: str
    check: bool

    def chosen(self, inside: Tensor) -> Tensor:
        """The position of the label explained, for each row of scores."""
        if self.label == PREDICTED:
            return inside.argmax(dim=1)
        return torch.full((len(inside),), self.labels.labels.index(self.label))

    def maps(self, inputs: Tensor, columns: Tensor) -> tuple[Maps, list[Check | None]]:
        """Maps of network inputs for output columns, and their checks where they are asked for."""
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
        """Maps of one batch of squares, not yet placed in their pictures."""
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
    """Maps for the pictures of a request, a few at a time. Raises ValueRefused naming a label
    set, label or layer that the run does not have."""
    block, labels = loaded.outputs(_label_set(request, loaded.card))
    layer = loaded.layer(request.layer)
    if request.label != PREDICTED and request.label not in labels.labels:
        raise ValueRefused(labels.name, request.label, ", ".join(labels.labels))
    if layer == WINDOWS:
        through, lost = _through_windows(request, loaded, labels)
        return Explained(layer=layer, label_set=labels.name, maps=through, unread=lost)
    question = _Question(loaded, layer, block, labels, request.label, request.check)
    squares, unread = _squares(request.pictures, loaded)
    readable = sorted(squares)
    maps: list[Heat | None] = [None] * len(request.pictures)
    batch = CPU_BATCH if loaded.device.kind == "cpu" else BATCH
    for start in range(0, len(readable), batch):
        rows = readable[start : start + batch]
        heats = question.heats(torch.stack([squares[row] for row in rows]))
        for row, heat in zip(rows, heats, strict=True):
            maps[row] = _placed(heat, request.pictures[row], loaded.card)
    return Explained(layer=layer, label_set=labels.name, maps=tuple(maps), unread=tuple(unread))


def _through_windows(
    request: Explain, loaded: Loaded, labels: LabelList
) -> tuple[tuple[Heat | None, ...], tuple[Unread, ...]]:
    """Maps of the pictures' windows, each picture by itself."""
    of = loaded.card.labels
    block = 1 if of.view is not None and labels.name == of.view.name else 0
    heats: list[Heat | None] = []
    unread: list[Unread] = []
    for index, picture in enumerate(request.pictures):
        try:
            found = windows_of(Path(picture.path), rect_of(picture), loaded.card.image_size)
        except KnownError as error:
            heats.append(None)
            unread.append(Unread(index, error.sentence))
            continue
        heats.append(window_heat(found, loaded, block, labels, request.label, request.check))
    return tuple(heats), tuple(unread)


def _label_set(request: Explain, card: ModelCard) -> str:
    """The set asked for; without one, a label that only the views have means the views."""
    view, label = card.labels.view, request.label
    if request.label_set or view is None or label in card.labels.target.labels:
        return request.label_set
    return view.name if label in view.labels else ""


def _squares(
    pictures: tuple[Picture, ...], loaded: Loaded
) -> tuple[dict[int, Tensor], list[Unread]]:
    side = working_side(loaded.card.image_size, loaded.card.test_resize)
    squares: dict[int, Tensor] = {}
    unread: list[Unread] = []
    for index, picture in enumerate(pictures):
        try:
            squares[index] = load_square(Path(picture.path), rect_of(picture), side)
        except KnownError as error:
            unread.append(Unread(index, error.sentence))
    return squares, unread


def rect_of(picture: Picture) -> Rect | None:
    """The rectangle of a picture's box."""
    return Rect(*picture.box) if picture.box is not None else None


def _placed(heat: Heat, picture: Picture, card: ModelCard) -> Heat:
    """The map with the part of the picture that it covers."""
    box = rect_of(picture)
    if box is None:
        header = read_header(Path(picture.path))
        box = Rect(0, 0, header.width, header.height)
    return msgspec.structs.replace(heat, seen=seen_part(box.width, box.height, card))
