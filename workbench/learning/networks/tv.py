"""The one door to torchvision: its networks also where its compiled operators cannot load."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def compiled_operators_load(folder: Path) -> bool:
    """Whether the compiled part of the torchvision in `folder` loads beside this torch; it then
    declares its operators. It does not where it was built for another torch."""
    for path in sorted(folder.glob("_C*.*")):
        try:
            torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]
        except (ImportError, OSError):
            continue
        return True
    return False


def declare_operators() -> list[torch.library.Library]:
    """Declare the operators for which torchvision registers meta kernels when it is imported, and
    which its compiled part would have declared. A second declaration, by whichever side comes
    later, ends the process. The declarations last as long as what is returned."""
    declared = []
    for schema in _SCHEMAS:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.define(schema)  # type: ignore[no-untyped-call]
        declared.append(library)
    return declared


def _torchvision_folder() -> Path:
    """Where torchvision is installed, found without importing it."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")
    return Path(found.origin).parent


_kept_alive = [] if compiled_operators_load(_torchvision_folder()) else declare_operators()

from torchvision import models  # noqa: E402

__all__ = ["models"]
