"""LRU cache of trained networks, invalidated when a run changes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.requests import WINDOWS
from workbench.domain.runs import WEIGHTS_FILE, LabelList, ModelCard
from workbench.learning.evaluation.scores import Scorer
from workbench.learning.evaluation.trained import load_model
from workbench.learning.networks.attention import map_layer, masks_of
from workbench.learning.networks.device import GIB, Device
from workbench.learning.networks.models import BODY, Network, blocks
from workbench.learning.serving.grad_cam import Area, cell_area

MAX_NETWORKS = 4
MAX_BYTES = GIB  # total bytes of weights; the newest network always stays


@dataclass(frozen=True)
class Loaded:
    """A network ready for scoring and explanation; `bytes` is the size of its weights."""

    network: Network
    card: ModelCard
    device: Device
    bytes: int
    areas: dict[str, Area] = field(default_factory=dict)  # by layer, computed on demand

    @property
    def scorer(self) -> Scorer:
        """Scorer as used for the run's predictions, in full precision."""
        return Scorer(self.network, self.card, self.device)

    def outputs(self, label_set: str) -> tuple[slice, LabelList]:
        """Columns and labels of a label set ("": the target's). Raises ValueRefused, listing the
        run's label sets."""
        labels = self.card.labels
        heads = [labels.target, *([labels.view] if labels.view is not None else [])]
        for block, head in zip(blocks(self.card), heads, strict=True):
            if label_set in ("", head.name):
                return block, head
        raise ValueRefused("label set", label_set, ", ".join(head.name for head in heads))

    @property
    def masks(self) -> tuple[str, ...]:
        """Available masks, independent of the label."""
        return masks_of(self.network, self.card.layers)

    @property
    def others(self) -> tuple[str, ...]:
        """All map types other than Grad-CAM: masks and windows."""
        return (*self.masks, WINDOWS) if self.masks else ()

    def layer(self, name: str) -> str:
        """Resolve a layer name: "" is the deepest layer, a stage name ("fire9") its output layer;
        names in `others` are unchanged. Raises ValueRefused for an unknown name."""
        if name in self.others:
            return name
        if not self.card.layers:
            raise KnownError(
                "{backbone} has no convolution layer to explain.", backbone=self.card.backbone
            )
        stages = {
            stage.name: BODY + module
            for stage in backbone(self.card.backbone).stages
            for module in stage.modules
            if BODY + module in self.card.layers
        }
        if name not in self.card.layers:
            name = stages.get(name, name)
        if name and name not in self.card.layers:
            raise ValueRefused("layer", name, ", ".join((*self.card.layers, *self.others)))
        return name or self.card.layers[-1]

    def area(self, layer: str, inputs: Tensor) -> Area:
        """Input area covered by the cells of a layer or mask."""
        if layer in self.masks:
            layer = map_layer(self.network, self.card.layers)
        if layer not in self.areas:
            self.areas[layer] = cell_area(self.network, layer, inputs)
        return self.areas[layer]


class NetworkCache:
    """Load networks of runs, keeping the most recently used ones within a memory limit."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._kept: OrderedDict[tuple[str, int, int], Loaded] = OrderedDict()

    def get(self, run: str) -> Loaded:
        """Network of a run folder, reloaded if its weights file has changed. Raises KnownError,
        naming the file, if the run has no complete trained network."""
        key = _key(run)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        for old in [kept for kept in self._kept if kept[0] == run]:
            del self._kept[old]
        network, card = load_model(Path(run), str(self._device.torch))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        size = sum(p.numel() * p.element_size() for p in network.parameters())
        self._evict_for(size)
        self._kept[key] = Loaded(network, card, self._device, size)
        return self._kept[key]

    def _evict_for(self, size: int) -> None:
        while self._kept and (
            len(self._kept) >= MAX_NETWORKS
            or size + sum(loaded.bytes for loaded in self._kept.values()) > MAX_BYTES
        ):
            self._kept.popitem(last=False)


def _key(run: str) -> tuple[str, int, int]:
    path = Path(run) / WEIGHTS_FILE
    try:
        found = path.stat()
    except OSError as error:
        raise KnownError(
            "{path} is missing: this run has no trained network.",
            "Choose a run that has finished, or train this one.",
            path=path,
        ) from error
    return run, found.st_mtime_ns, found.st_size
