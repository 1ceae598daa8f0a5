"""The only import of torchvision; works even if its compiled operators cannot be loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def load_compiled_operators(folder: Path) -> bool:
    """Load torchvision's compiled operators from `folder`; False if they were built for another
    torch version."""
    for path in sorted(folder.glob("_C*.*")):
        try:
            torch.ops.load_library(str(path))  # type: ignore[no-untyped-call]
        except (ImportError, OSError):
            continue
        return True
    return False


def declare_operators() -> list[torch.library.Library]:
    """Declare the operators for which torchvision registers meta kernels on import, normally
    declared by its compiled part. Declaring an operator twice aborts the process. Declarations live
    as long as the returned libraries."""
    declared = []
    for schema in _SCHEMAS:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        library.define(schema)  # type: ignore[no-untyped-call]
        declared.append(library)
    return declared


def _torchvision_folder() -> Path:
    """Installation folder of torchvision, found without importing it."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'torchvision'", name="torchvision")
    return Path(found.origin).parent


_kept_alive = [] if load_compiled_operators(_torchvision_folder()) else declare_operators()

from torchvision import models  # noqa: E402

__all__ = ["models"]
