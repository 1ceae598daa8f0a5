"""Export a run's network to ONNX, with preprocessing metadata, verified against torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.domain.errors import KnownError
from workbench.domain.recipes import Aspect
from workbench.domain.reports import Progress
from workbench.domain.requests import Answer, Export, Exported, Going
from workbench.domain.runs import ModelCard, Sample
from workbench.domain.text import Message
from workbench.files import replacing, writing
from workbench.learning.evaluation.trained import load_model
from workbench.learning.images.data import decoded
from workbench.learning.images.pixels import BORDER, network_input, working_side
from workbench.learning.networks.models import Network, blocks, probabilities
from workbench.learning.serving.loaded import Loaded

INPUT = "images"
OPSET = 18
BATCH = 8
TOLERANCE = 1e-3  # of a score; well above float32 rounding


class Probabilities(nn.Module):
    """N × 3 × S × S normalised images -> N × C target scores and, for a joint head, N × K view
    scores. Rows sum to 1 for exclusive labels."""

    def __init__(self, network: Network, card: ModelCard) -> None:
        super().__init__()
        self.network = network
        self.card = card

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return probabilities(self.network(images), self.card)


def export(request: Export, loaded: Loaded) -> Iterator[Answer]:
    """Write the ONNX file, then compare it with torch on the request's images.

    The file is written atomically. Raises KnownError if it cannot be written or does not match
    torch.
    """
    path = Path(request.path)
    yield Going(progress=Progress(done=0, total=3, text=Message("Writing the network")))
    card = loaded.card
    network, _ = load_model(Path(request.run))  # separate copy, on the CPU
    module = Probabilities(network, card).eval()
    with writing(path), replacing(path) as part:
        write(module, card, part)
        yield Going(progress=Progress(done=1, total=3, text=Message("Comparing it with torch")))
        inputs = _inputs(request, card)
        difference, same = _compare(module, part, inputs)
    yield Exported(
        path=str(path),
        bytes=path.stat().st_size,
        images=len(inputs),
        largest_difference=difference,
        same_predictions=same,
    )


def write(module: nn.Module, card: ModelCard, path: Path) -> None:
    """Export `module` (images to scores) to ONNX with the metadata of `card`."""
    size = card.image_size
    names = ["scores", "view_scores"][: len(blocks(card))]
    torch.onnx.export(
        module,
        (torch.zeros(2, 3, size, size),),
        str(path),
        dynamo=True,
        verbose=False,
        opset_version=OPSET,
        external_data=False,
        input_names=[INPUT],
        output_names=names,
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
    )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, properties(card))
    onnx.checker.check_model(model)
    onnx.save(model, path)


_FRAMING: dict[Aspect, str] = {
    "centre": "cut centred so that the sides differ by at most 4:3",
    "squeeze": "keep the whole image",
    "pad": f"centre on a square of the longer side, with a border of RGB {BORDER}",
}


def properties(card: ModelCard) -> dict[str, str]:
    """Metadata a consumer of the file needs."""
    view = card.labels.view
    values = {
        "producer": "Vantage Workbench",
        "backbone": card.backbone,
        "target": card.labels.target.name,
        "labels": json.dumps(card.labels.target.labels, ensure_ascii=False),
        "image_size": str(card.image_size),
        "resize": str(working_side(card.image_size, card.test_resize)),
        "mean": json.dumps(card.mean),
        "std": json.dumps(card.std),
        "preprocessing": (
            f"Upright RGB; {_FRAMING[card.aspect]}; resize to "
            "resize x resize (bilinear, antialiased); keep the centre image_size x image_size; "
            "divide by 255, subtract mean, divide by std; batch x 3 x height x width, float32."
        ),
        "outputs": "Each row of an output sums to 1; columns are in the order of the labels.",
        "averaged": _averaged(card),
    }
    if view is not None:
        values["view_labels"] = json.dumps(view.labels, ensure_ascii=False)
    return values


def _averaged(card: ModelCard) -> str:
    """Describe the test-time averaging of the workbench, which the file does not include."""
    if card.protocol.by_windows:
        return (
            "The file scores one crop, the centre. The workbench scores windows of several scales "
            "and keeps the highest score of each label."
        )
    corners, _, whole = card.test_crops.partition("+")
    values = ["the four corners"] if corners == "five" else []
    values += ["the whole square reduced to image_size x image_size"] if whole else []
    if working_side(card.image_size, card.test_resize) == card.image_size:
        values = []
    if card.test_mirror:
        values.append("the mirror image of each, its mirrored labels swapped back")
    if not values:
        return "The file scores one crop, as the workbench does."
    return (
        "The file scores one crop, the centre. The workbench averages its probabilities with "
        f"those of {' and '.join(values)}."
    )


def _inputs(request: Export, card: ModelCard) -> Tensor:
    """Network inputs of the readable images. Raises KnownError if there are none."""
    side = working_side(card.image_size, card.test_resize)
    samples = [Sample(image=0, hash="", path=p.path, box=p.box) for p in request.images]
    squares = decoded(samples, side, aspect=card.aspect)
    pixels = [square for _, square in squares if not isinstance(square, KnownError)]
    if not pixels:
        raise KnownError(
            "None of the run's images can be read, so the export cannot be checked.",
            "Re-link the source of the images, then export again.",
        )
    return network_input(torch.stack(pixels), card)


def _compare(module: nn.Module, path: Path, inputs: Tensor) -> tuple[float, bool]:
    """Largest absolute score difference, and whether all predictions agree. Raises KnownError if
    the file does not match the network."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest, same = 0.0, True
    for start in range(0, len(inputs), BATCH):
        batch = inputs[start : start + BATCH].contiguous()
        with torch.inference_mode():
            ours = [cast(NDArray[np.float32], o.numpy()) for o in module(batch)]
        theirs = session.run(None, {INPUT: batch.numpy()})
        for one, two in zip(ours, theirs, strict=True):
            largest = max(largest, float(np.abs(one - two).max()))
            same = same and bool((one.argmax(axis=1) == two.argmax(axis=1)).all())
    if largest > TOLERANCE:
        raise KnownError(
            "The exported file differs from the network by up to {largest:.2g} and was discarded.",
            "Report it with the name of the backbone.",
            largest=largest,
        )
    return largest, same
