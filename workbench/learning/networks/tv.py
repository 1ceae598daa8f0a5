"""The one door to torchvision: its networks also where its compiled operators cannot load."""

from __future__ import annotations

import contextlib

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _declare_missing_operators() -> list[torch.library.Library]:
    """torchvision registers meta kernels for operators that its compiled part would have declared;
    beside a torch of another build that part does not load and the import would fail."""
    declared = []
    for schema in _SCHEMAS:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        with contextlib.suppress(RuntimeError):  # the compiled part has declared it already
            library.define(schema)  # type: ignore[no-untyped-call]
        declared.append(library)
    return declared


_kept_alive = _declare_missing_operators()

from torchvision import models  # noqa: E402

__all__ = ["models"]
