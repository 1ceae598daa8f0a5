"""Time of one explanation: from a file name to its heatmap, through the warm service.

Run `python tests/bench/explaining.py`. Bound: 150 ms on the CPU for SqueezeNet 1.1 at 224 pixels.
Compared with a bare call of captum on a tensor in memory, with the same number of threads. Uses the
images of `../shared/data/birds6` if they exist, or else a drawn one.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("WORKBENCH_DEVICE", "cpu")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the learning program sets it

BOUND = 150.0  # milliseconds
BIRDS = Path(__file__).parents[3] / "shared" / "data" / "birds6"
ROUNDS = 30


def make_run(folder: Path) -> Path:
    """A run folder with an untrained SqueezeNet 1.1 for six classes; training would not change the
    time."""
    from workbench.domain.recipes import Recipe
    from workbench.domain.runs import LabelList, RunLabels
    from workbench.learning.networks.models import build_network, card_of, save_model, weights_of

    labels = RunLabels(LabelList("category", tuple("abcdef"), tuple(range(6))))
    recipe = Recipe(target="category", start="none")
    network = build_network(recipe.backbone, labels)
    folder.mkdir()
    save_model(folder, weights_of(network), card_of(recipe, labels, network))
    return folder


def pictures(folder: Path) -> list[Path]:
    """Images to explain."""
    found = sorted(BIRDS.glob("*/*.jpg"))[:: max(1, 600 // ROUNDS)][:ROUNDS]
    if found:
        return found
    import numpy as np
    from PIL import Image

    path = folder / "drawn.jpg"
    coarse = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((1200, 900)).save(path)
    return [path] * ROUNDS


def milliseconds(deed: Callable[[Path], object], paths: Sequence[Path]) -> tuple[float, float]:
    """Median and 95th percentile of the time per path in ms, after three to warm up."""
    for path in paths[:3]:
        deed(path)
    times = []
    for path in paths:
        began = time.perf_counter()
        deed(path)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), sorted(times)[int(0.95 * len(times))]


def main() -> None:
    """Print the times, the comparison and the ratio."""
    from PySide6.QtCore import QCoreApplication

    from workbench.app.service import LearningService
    from workbench.domain.requests import Describe, Explain, ImageInput

    application = QCoreApplication([])
    service = LearningService(application)
    with tempfile.TemporaryDirectory() as temporary:
        run = make_run(Path(temporary) / "run")
        paths = pictures(Path(temporary))
        began = time.perf_counter()
        service.request_and_wait(Describe(run=str(run)))
        start = time.perf_counter() - began

        def through_service(path: Path, check: bool = False) -> object:
            request = Explain(run=str(run), images=(ImageInput(str(path)),), check=check)
            return service.request_and_wait(request)

        ours = milliseconds(through_service, paths)
        checked = milliseconds(lambda path: through_service(path, True), paths[:10])
        wall = Explain(run=str(run), images=tuple(ImageInput(str(path)) for path in paths[:16]))
        batched = milliseconds(lambda _: service.request_and_wait(wall), paths[:5])
        service.close()
        bare = milliseconds(bare_captum(run), paths)
    print_results(ours, bare, checked, batched, start)


def print_results(
    ours: tuple[float, float],
    bare: tuple[float, float],
    checked: tuple[float, float],
    batched: tuple[float, float],
    start: float,
) -> None:
    """Print the results."""
    print(f"one image, end to end   {ours[0]:6.1f} ms, p95 {ours[1]:.1f} ms (bound {BOUND:.0f} ms)")
    print(f"a bare captum call      {bare[0]:6.1f} ms, p95 {bare[1]:.1f} ms")
    print(f"ratio                   {ours[0] / bare[0]:6.2f}")
    print(f"one of a wall of 16     {batched[0] / 16:6.1f} ms")
    print(f"with the weights check  {checked[0]:6.1f} ms (four further networks)")
    print(f"start of the service    {start:6.1f} s, once")


def bare_captum(run: Path) -> Callable[[Path], object]:
    """LayerGradCam of the deepest layer for a tensor in memory."""
    import torch
    from captum.attr import LayerGradCam

    from workbench.learning.evaluation.trained import load_model

    network, card = load_model(run)
    network.requires_grad_(True)
    network.to(memory_format=torch.channels_last)
    explainer = LayerGradCam(network, network.get_submodule(card.layers[-1]))
    tensor = torch.randn(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    return lambda _: explainer.attribute(tensor, target=0, relu_attributions=True)


if __name__ == "__main__":
    main()
